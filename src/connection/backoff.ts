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

/**
 * New connections of the whole process, against the venue's limit per IP: one for all sockets. Guarantees: at most
 * `limit` starts are booked in any window. Memory: the last `limit` starts.
 */
export class ConnectionLimiter {
  readonly #limit: number;
  readonly #windowMs: number;
  /** Booked starts, ascending. */
  #starts: number[] = [];

  /** One less than the venue allows by default, for the window's edge. */
  constructor(limit: number = LIMITS.connectionsPerMinute - 1, windowMs = 60_000) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** Books a start and says when: the first time not before `atMs` that is free. */
  book(atMs: number): number {
    // A start further ahead than all bookings could reach is left over from before the clock was stepped back.
    const horizonMs = atMs + this.#windowMs * this.#starts.length;
    this.#starts = this.#starts.filter((startMs) => startMs <= horizonMs);
    const oldest = this.#starts.length < this.#limit ? undefined : this.#starts[0];
    const startMs = oldest === undefined ? atMs : Math.max(atMs, oldest + this.#windowMs);
    this.#starts.push(startMs);
    this.#starts.sort((a, b) => a - b);
    if (this.#starts.length > this.#limit) this.#starts.shift();
    return startMs;
  }
}
