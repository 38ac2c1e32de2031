/**
 * Which of the times that the venue stamps are believed. Pure: our clock is passed in.
 *
 * Guarantees (invariant I12): `ms` is never more than `aheadMaxMs` ahead of our own clock at the moment it was noted, and
 * one odd stamp among good ones never moves it: a time is believed only close to our clock, to the last believed time,
 * or to another stamp that was refused just before. Claims of completeness end at `ms`; reading does not.
 * Assumes that our clock is not more than `aheadMaxMs` slow: while it is, stamps are refused, nothing young is claimed, and
 * `aheadMs` says why.
 */
export const TIME_LIMITS = {
  /** A stamp further ahead of our clock is refused. Clocks of servers drift by seconds; 15 min leaves room for one left alone. */
  aheadMaxMs: 15 * 60_000,
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

  /** The newest believed time, 0 before the first. */
  get ms(): number {
    return this.#newest;
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
    const { aheadMaxMs } = TIME_LIMITS;
    const isAhead = venueMs > nowMs + aheadMaxMs;
    const isNear = nowMs - venueMs <= aheadMaxMs;
    if (isAhead || !(isNear || this.#isExpected(stamp))) {
      this.#refused = stamp;
      return false;
    }
    this.#refused = null;
    this.#believed = stamp;
    if (venueMs > this.#newest) {
      this.#newest = venueMs;
      this.#newestHeardMs = nowMs;
    }
    return true;
  }

  /** An older state is harmless; one that is far from our clock must follow from a stamp heard before, if there is any. */
  #isExpected({ venueMs, heardMs }: Stamp): boolean {
    if (this.#believed === null || venueMs <= this.#newest) return true;
    return [this.#believed, this.#refused].some((other) => {
      if (other === null) return false;
      const expectedMs = other.venueMs + Math.max(0, heardMs - other.heardMs);
      return Math.abs(venueMs - expectedMs) <= TIME_LIMITS.agreeMs;
    });
  }
}
