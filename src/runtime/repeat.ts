/** Work that is done again and again. */
import type { Clock } from "./clock.ts";

/**
 * Runs `work` after each pause of `everyMs`, one run at a time, until `signal` aborts. Resolves then, when a run that is
 * under way has ended; rejects with what `work` throws.
 */
export async function repeat(
  clock: Clock,
  everyMs: number,
  signal: AbortSignal,
  work: () => unknown,
): Promise<void> {
  for (;;) {
    await clock.sleep(everyMs, signal).catch(() => {});
    if (signal.aborted) return;
    await work();
  }
}
