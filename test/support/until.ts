/**
 * Waits in tests. Guarantees: asks at once, then at most a quarter of the time (two cores are shared by everything that
 * is tested, and a question may read whole tables); a time-out says what was waited for and the last answer.
 */
import assert from "node:assert/strict";

/** The shortest pause between two questions. */
const POLL_MS = 20;
/** Pause for each millisecond that the question took. */
const PAUSE_PER_MS = 3;

/** Waits until `condition` answers something truthy, and gives that back with the time it took; an error counts as no. */
export async function until<T>(
  what: string | (() => string),
  timeoutMs: number,
  condition: () => T | Promise<T>,
): Promise<{ value: NonNullable<T>; tookMs: number }> {
  const startedMs = performance.now();
  let last: unknown;
  for (;;) {
    const askedMs = performance.now();
    try {
      const value = await condition();
      if (value) return { value: value as NonNullable<T>, tookMs: performance.now() - startedMs };
      last = value;
    } catch (error) {
      last = error;
    }
    const nowMs = performance.now();
    if (nowMs - startedMs > timeoutMs) {
      const answer = last instanceof Error ? last.message : JSON.stringify(last);
      assert.fail(
        `waited ${timeoutMs} ms for ${typeof what === "string" ? what : what()}; last: ${answer?.slice(0, 1_000)}`,
      );
    }
    const pauseMs = Math.max(POLL_MS, PAUSE_PER_MS * (nowMs - askedMs));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
