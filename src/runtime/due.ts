/**
 * Whether a moment has come. Pure. Guarantees: a clock that is set back delays nothing beyond its longest wait: what is due
 * later than that was due by the clock as it stood before.
 */
export const isDue = (dueMs: number, nowMs: number, longestWaitMs: number): boolean =>
  nowMs >= dueMs || dueMs - nowMs > longestWaitMs;

/** Whether `waitMs` have passed since a moment that was noted. */
export const hasPassed = (sinceMs: number, waitMs: number, nowMs: number): boolean =>
  isDue(sinceMs + waitMs, nowMs, waitMs);
