/**
 * Which of the times that the venue stamps are believed. Pure: our clock is passed in.
 *
 * Guarantees (invariant I12): `ms` is never more than `aheadMaxMs` ahead of our own clock at the moment it was noted, and
 * one odd stamp among good ones never moves it: a time is believed only close to our clock, to the last believed time,
 * or to another stamp that was refused just before. One that is ahead of our clock by more than clocks differ must follow from
 * those before it, or have been said for a while. Claims of completeness end at `claimableMs`, which no stamp takes further
 * ahead of our clock than `closeMs`: whichever of the clocks is wrong, that time has been read. Reading goes further.
 * Assumes that our clock is not more than `aheadMaxMs` slow: while it is, stamps are refused, nothing young is claimed, and
 * `aheadMs` says why.
 */
export const TIME_LIMITS = {
  /** A stamp further ahead of our clock is refused, whatever speaks for it: 15 min leave room for a clock that is left alone. */
  aheadMaxMs: 15 * 60_000,
  /** Clocks that are kept differ by less; a claim that is ahead by so much is read again after each start (overlap). */
  closeMs: 10_000,
  /** Stamps that agree with each other but with nothing before are believed after so long. */
  persistMs: 60_000,
  /** A stored claim that lies further ahead of the venue's time was made by a wrong clock, and is withdrawn. */
  claimAheadMaxMs: 60_000,
  /** Two stamps agree when they are this close, the time between them taken into account. */
  agreeMs: 5 * 60_000,
} as const;

interface Stamp {
  venueMs: number;
  heardMs: number;
}

export class VenueTime {
  #newest = 0;
  /** When the newest was heard. */
  #newestHeardMs = 0;
  #believed: Stamp | null = null;
  #refused: Stamp | null = null;
  /** Since when the refused ones agree with each other. */
  #refusedSinceMs = 0;
  #claimable = 0;

  /** The newest believed time, 0 before the first. */
  get ms(): number {
    return this.#newest;
  }

  /** Up to where may be claimed what was read or watched; never goes back. */
  get claimableMs(): number {
    return this.#claimable;
  }

  /** When, by our clock, a believed time was last heard. */
  get heardMs(): number {
    return this.#believed?.heardMs ?? Number.NEGATIVE_INFINITY;
  }

  /** How far the last refused stamp was ahead of our clock; null when the last stamp was believed. */
  get aheadMs(): number | null {
    return this.#refused === null ? null : this.#refused.venueMs - this.#refused.heardMs;
  }

  /** What the venue's clock shows now, by the last believed time; our own before the first. */
  estimate(nowMs: number): number {
    return this.#believed === null ? nowMs : this.#newest + Math.max(0, nowMs - this.#newestHeardMs);
  }

  /** Up to where windows read: no row of the present is missed, whichever of the two clocks is wrong. */
  readToMs(nowMs: number): number {
    return Math.max(this.#newest, nowMs, this.#refused?.venueMs ?? 0);
  }

  /** Takes a stamp; false when it is refused. */
  note(venueMs: number, nowMs: number): boolean {
    const stamp = { venueMs, heardMs: nowMs };
    const aheadMs = venueMs - nowMs;
    const isAhead = aheadMs > TIME_LIMITS.closeMs;
    const isNear = !isAhead && -aheadMs <= TIME_LIMITS.aheadMaxMs;
    const isBelieved = isNear || (isAhead ? this.#isExpectedAhead(stamp) : this.#isExpected(stamp));
    if (isBelieved) {
      this.#refused = null;
      this.#believed = stamp;
      if (venueMs > this.#newest) {
        this.#newest = venueMs;
        this.#newestHeardMs = nowMs;
      }
    } else {
      if (!this.#refused || !follows(stamp, this.#refused, TIME_LIMITS.closeMs)) this.#refusedSinceMs = nowMs;
      this.#refused = stamp;
    }
    this.#claimable = Math.max(this.#claimable, Math.min(this.#newest, nowMs + TIME_LIMITS.closeMs));
    return isBelieved;
  }

  /** Our clock is slow, or the stamp wrong. */
  #isExpectedAhead(stamp: Stamp): boolean {
    if (stamp.venueMs > stamp.heardMs + TIME_LIMITS.aheadMaxMs) return false;
    if (this.#believed === null || follows(stamp, this.#believed, TIME_LIMITS.closeMs)) return true;
    const isSaidAgain = this.#refused !== null && follows(stamp, this.#refused, TIME_LIMITS.closeMs);
    return isSaidAgain && stamp.heardMs - this.#refusedSinceMs >= TIME_LIMITS.persistMs;
  }

  /** An older state is harmless; one that is far from our clock must follow from a stamp heard before, if there is any. */
  #isExpected(stamp: Stamp): boolean {
    if (this.#believed === null || stamp.venueMs <= this.#newest) return true;
    return [this.#believed, this.#refused].some(
      (other) => other !== null && follows(stamp, other, TIME_LIMITS.agreeMs),
    );
  }
}

/** Whether the time between two stamps is about the time that went by here; none, when our clock was put back. */
function follows({ venueMs, heardMs }: Stamp, other: Stamp, withinMs: number): boolean {
  const expectedMs = other.venueMs + Math.max(0, heardMs - other.heardMs);
  return Math.abs(venueMs - expectedMs) <= withinMs;
}
