/** Every seed that ever failed, with the bug it found. They run with every test run, for ever. */
export const KEPT_SEEDS: readonly { seed: number; bug: string }[] = [
  {
    seed: 5072,
    bug: "our clock jumped a minute ahead, and time that had not come yet was claimed as proven",
  },
];
