/** History is missing. */
import { duration } from "../../words.ts";
import { condition, MINUTE, OWN_HOLDS } from "./spec.ts";

/** How long a gap lasts before it is an alert: the first backfill of a busy account takes its time. */
export const GAP_FOR_MS = 30 * MINUTE;
/** A gap this young is still being closed: history is proven up to the last reading. */
export const GAP_AGE_MS = 15 * MINUTE;

export const gap = condition({
  of: "gap",
  spec: {
    help: "A stretch of history is missing and was not repaired.",
    direction: "above",
    unit: "s",
    levels: [{ severity: "warn", fire: 1, clear: 1 }],
    forMs: GAP_FOR_MS,
    freshMs: OWN_HOLDS,
    cooldownMs: 60 * MINUTE,
  },
  see({ missingMs, fromMs, nowMs }) {
    const value = missingMs / 1000;
    // A loss of now began when it begins; older history is missed since we know of it.
    return fromMs !== null && nowMs - fromMs < 2 * GAP_AGE_MS ? { value, sinceMs: fromMs } : { value };
  },
  words({ subject: stream, missingMs, fromMs }) {
    if (fromMs === null) return `${stream}: history is complete`;
    if (fromMs === 0) return `${stream}: the older history is missing`;
    return `${stream}: ${duration(missingMs)} of history missing since ${new Date(fromMs).toISOString().slice(0, 19)}Z`;
  },
});
