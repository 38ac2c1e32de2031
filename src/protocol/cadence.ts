/** When a channel that the venue re-pushes every `cadenceMs` is late, and when it is silent. Pure. */

/** A push is late when so much of the next one's time is over. */
export const lateAfterMs = (cadenceMs: number): number => 1.6 * cadenceMs;
/** Two missed pushes and a little are an alarm. */
export const silentAfterMs = (cadenceMs: number): number => Math.max(12_000, 2.4 * cadenceMs);
