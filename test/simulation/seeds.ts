/** Every seed that ever failed, with the bug it found. They run with every test run, for ever. */
export const KEPT_SEEDS: readonly { seed: number; bug: string }[] = [];
