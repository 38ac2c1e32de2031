/** The one rule of when to try again after a failure. Pure. */
import type { Random } from "./random.ts";

export interface BackoffLimits {
  /** Upper bound of the wait after the first failure; it doubles with each further one… */
  baseMs: number;
  /** … up to this. */
  capMs: number;
}

/** Of one request to a server that is well as a rule. */
export const REQUEST_BACKOFF: BackoffLimits = { baseMs: 250, capMs: 10_000 };

/**
 * A wait drawn evenly from [0, min(cap, base·2^failures)), where `failures` came before this one. Full jitter: what failed
 * together does not return together.
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function fullJitterMs(random: Random, failures: number, { baseMs, capMs }: BackoffLimits): number {
  return Math.floor(random.next() * Math.min(capMs, baseMs * 2 ** Math.min(failures, 30)));
}
