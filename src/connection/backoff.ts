/**
 * When to connect again. Guarantees: the first retry is fast; only a connection that has proved stable makes the next
 * retry fast again, so that one which dies right after opening still backs off.
 */
import { LIMITS } from "../protocol/limits.ts";
import { type BackoffLimits, fullJitterMs } from "../runtime/backoff.ts";
import type { Random } from "../runtime/random.ts";

interface BackoffOptions extends BackoffLimits {
  /** A connection that lived this long resets the doubling. */
  stableMs: number;
}

/**
 * With this cap a lone scout makes about 20 attempts a minute, which leaves a third of the venue's 30 new connections
 * a minute for the streams that follow it.
 */
const SOCKET_BACKOFF: BackoffOptions = { baseMs: 250, capMs: 6_000, stableMs: 30_000 };

export class Backoff {
  readonly #random: Random;
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(random: Random, options: BackoffOptions = SOCKET_BACKOFF) {
    this.#random = random;
    this.#options = options;
  }

  /**
   * The wait before the next attempt, after one that was fully usable for `aliveMs` (0 when it never was). `floorMs`
   * is a wait that the other side asked for; jitter comes on top of it.
   */
  nextMs(aliveMs: number, floorMs = 0): number {
    if (aliveMs >= this.#options.stableMs) this.#failures = 0;
    const waitMs = fullJitterMs(this.#random, this.#failures, this.#options);
    this.#failures += 1;
    return floorMs + waitMs;
  }
}

/** New connections a minute of one IP: one less than the venue allows, for the window's edge. */
export const DIALS_PER_MINUTE = LIMITS.connectionsPerMinute - 1;

/**
 * New connections of the whole process, against its part of the venue's limit per IP: one for all sockets. Guarantees: at most
 * `limit` starts are booked in any window, from when the limit is set. Memory: as many starts as the greatest limit.
 */
export class ConnectionLimiter {
  #limit: number;
  readonly #most: number;
  readonly #windowMs: number;
  /** Booked starts, ascending. */
  #starts: number[] = [];

  constructor(limit: number = DIALS_PER_MINUTE, windowMs = 60_000) {
    this.#limit = limit;
    this.#most = limit;
    this.#windowMs = windowMs;
  }

  /** At least 1, and no more than at first. */
  setLimit(limit: number): void {
    this.#limit = Math.min(limit, this.#most);
  }

  /** Starts of the window that ends at `atMs`, and those that are booked. */
  spent(atMs: number): number {
    return this.#starts.filter((startMs) => startMs > atMs - this.#windowMs).length;
  }

  /** Books a start and says when: the first time not before `atMs` that is free. */
  book(atMs: number): number {
    // A start further ahead than all bookings could reach is left over from before the clock was stepped back.
    const horizonMs = atMs + this.#windowMs * this.#starts.length;
    this.#starts = this.#starts.filter((startMs) => startMs <= horizonMs);
    const oldest = this.#starts.at(-this.#limit);
    const startMs = oldest === undefined ? atMs : Math.max(atMs, oldest + this.#windowMs);
    this.#starts.push(startMs);
    this.#starts.sort((a, b) => a - b);
    if (this.#starts.length > this.#most) this.#starts.shift();
    return startMs;
  }
}
