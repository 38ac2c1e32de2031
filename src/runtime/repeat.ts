/** Work that is done again and again. */
import type { Clock } from "./clock.ts";

/**
 * Runs `work` after each pause of `everyMs`, the first of them `firstMs`, one run at a time, until `signal` aborts. Resolves then, when a run that is
 * under way has ended; rejects with what `work` throws.
 */
export async function repeat(
  clock: Clock,
  everyMs: number,
  signal: AbortSignal,
  work: () => unknown,
  firstMs = everyMs,
): Promise<void> {
  for (let pauseMs = firstMs; ; pauseMs = everyMs) {
    await clock.sleep(pauseMs, signal).catch(() => {});
    if (signal.aborted) return;
    await work();
  }
}
