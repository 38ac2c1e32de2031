/**
 * How old data may be before it counts as delayed, and then as stale: the one table. Freshness is the age of data that
 * came, never of a connection (I7), and rests on how an account is followed:
 *
 * | followed                        | delayed after            | stale after              |
 * |---------------------------------|--------------------------|--------------------------|
 * | streamed (states every 4–5 s)   | 10 s                     | 30 s                     |
 * | polled every `pollMs`           | 1.5 × that, at least 60 s | 3 × that, at least 5 min |
 * | one channel, re-pushed every n  | 1.6 × n                  | 2.4 × n, at least 12 s   |
 *
 * Stale data is shown as stale and not judged: no health score, no alert but `feed_stale`, not ready. What the
 * database can tell by itself (`hl_account_now`, accounts that another process follows) is `hl_internal.freshness`, by the
 * same table.
 *
 * Bounds of other things keep their own names: how long an alert's value holds, how often a snapshot is written, how
 * long an answer is kept.
 */
import { lateAfterMs, silentAfterMs } from "../protocol/cadence.ts";

interface Bounds {
  delayedMs: number;
  staleMs: number;
}

export const STREAMED: Bounds = { delayedMs: 10_000, staleMs: 30_000 };

/** Accounts that are polled take turns within the budget: a round of many takes minutes. */
const POLLED_LEAST: Bounds = { delayedMs: 60_000, staleMs: 300_000 };
const POLLS: { delayed: number; stale: number } = { delayed: 1.5, stale: 3 };

/** `pollMs`: how often the account is read over REST; null while it is streamed. */
export const boundsOf = (pollMs: number | null): Bounds =>
  pollMs === null
    ? STREAMED
    : {
        delayedMs: Math.max(POLLED_LEAST.delayedMs, POLLS.delayed * pollMs),
        staleMs: Math.max(POLLED_LEAST.staleMs, POLLS.stale * pollMs),
      };

/** Of a channel that the venue re-pushes this often. */
export const channelBounds = (cadenceMs: number): Bounds => ({
  delayedMs: lateAfterMs(cadenceMs),
  staleMs: silentAfterMs(cadenceMs),
});

type Freshness = "fresh" | "delayed" | "stale";

/** `ageMs`: of the newest data; null before the first. */
export const freshnessOf = (ageMs: number | null, { delayedMs, staleMs }: Bounds): Freshness =>
  ageMs === null || ageMs > staleMs ? "stale" : ageMs > delayedMs ? "delayed" : "fresh";
