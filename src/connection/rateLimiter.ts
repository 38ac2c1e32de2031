/**
 * The REST budget of one IP. Guarantees: in any 60 s window, as the venue's clock sees it, no more weight is spent than
 * the limit, with however many requests in flight and whatever their latency, so it holds for every window shape the
 * venue may use (sliding, fixed, token bucket); a waiting request always goes before any of a later priority; later
 * priorities leave a part of the budget free, and what is reserved for heals to come; at most `maxWaiting` wait per
 * priority, further ones are rejected.
 * Assumes that the venue debits a request between its sending and its answer, and no more than was reserved for it.
 *
 * A request holds its weight, with the greatest extra its answer may cost, from its start; when it is answered the
 * true weight is booked at that time. So a debit made anywhere in between stays counted for a full window after it.
 *
 * @see https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/rate-limits-and-user-limits
 */
import { RateLimitError } from "../errors.ts";
import { LIMITS } from "../protocol/limits.ts";
import type { Clock } from "../runtime/clock.ts";
import type { RequestPriority } from "../sync/ports.ts";
import { SlidingWindow } from "./slidingWindow.ts";

/** Most urgent first. */
export const PRIORITIES = [
  "heal",
  "glance",
  "reconcile",
  "backfill",
  "niceToHave",
] as const satisfies RequestPriority[];

/** What a process that also streams spends: something is left for what is more urgent. */
const SHARES_BESIDE_A_STREAM = {
  heal: 1,
  glance: 0.9,
  reconcile: 0.9,
  backfill: 0.75,
  niceToHave: 0.5,
} as const;
/** A single pass has nothing to leave room for. */
export const WHOLE_SHARES = { heal: 1, glance: 1, reconcile: 1, backfill: 1, niceToHave: 1 } as const;

/** Reservations take at most this part of the limit from the later priorities, so that none is ever starved. */
const RESERVED_SHARE_MAX = 0.6;

/** The venue's minute, and a second for answers that are debited after they left. */
const WINDOW_MS = 61_000;

export interface LimiterOptions {
  weightPerMinute: number;
  /** Part of the limit up to which each priority may spend. */
  shares: Readonly<Record<RequestPriority, number>>;
  /** Requests in flight at once; halved by each 429, regained by answers. */
  maxInflight: number;
  /** Requests waiting, per priority; the next one is rejected. */
  maxWaiting: number;
  /** The pause after a first 429; doubles with each that follows, up to `maxPauseMs`. */
  firstPauseMs: number;
  maxPauseMs: number;
}

export const LIMITER_DEFAULTS: LimiterOptions = {
  weightPerMinute: LIMITS.weightPerMinute,
  shares: SHARES_BESIDE_A_STREAM,
  maxInflight: 16,
  maxWaiting: 1_000,
  firstPauseMs: 2_000,
  maxPauseMs: 60_000,
};

/** One request's place in the queue, then in flight. */
export interface Ticket {
  readonly priority: RequestPriority;
  /** Weight held until it is settled. */
  readonly held: number;
  /** Its number among all that started; 0 while it waits. */
  started: number;
}

/** The rules without the waiting. Times are passed in; nothing happens between calls. */
export class LimiterCore {
  readonly #options: LimiterOptions;
  readonly #window: SlidingWindow;
  #limit: number;
  readonly #waiting: Record<RequestPriority, Ticket[]> = {
    heal: [],
    glance: [],
    reconcile: [],
    backfill: [],
    niceToHave: [],
  };
  readonly #inflight = new Set<Ticket>();
  #held = 0;
  #maxInflight: number;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #started = 0;
  /** Requests up to this number were under way at the last pause. */
  #pausedAfter = 0;
  #pauses = 0;
  #reserved = 0;
  throttled = 0;

  constructor(options: LimiterOptions) {
    this.#options = options;
    this.#maxInflight = options.maxInflight;
    this.#limit = options.weightPerMinute;
    this.#window = new SlidingWindow(options.weightPerMinute, WINDOW_MS);
  }

  /** Weight a minute. Of nothing, nothing starts. */
  get limit(): number {
    return this.#limit;
  }

  setLimit(weightPerMinute: number): void {
    this.#limit = weightPerMinute;
  }

  get waiting(): number {
    return PRIORITIES.reduce((count, priority) => count + this.#waiting[priority].length, 0);
  }

  get inflight(): number {
    return this.#inflight.size;
  }

  /** Weight spent in the last window and held by what is in flight. */
  used(atMs: number): number {
    return this.#window.used(atMs) + this.#held;
  }

  /** Weight to be left free for heals; negative to take it back. */
  reserve(weight: number): void {
    this.#reserved += weight;
  }

  /** Null when too many of this priority wait already. */
  enqueue(priority: RequestPriority, weight: number): Ticket | null {
    const queue = this.#waiting[priority];
    if (queue.length >= this.#options.maxWaiting) return null;
    // A request heavier than the whole limit could never go; it is let through alone, on an empty window.
    const ticket: Ticket = { priority, held: Math.min(weight, this.#options.weightPerMinute), started: 0 };
    queue.push(ticket);
    return ticket;
  }

  /** Takes a ticket that has not started out of the queue. */
  withdraw(ticket: Ticket): void {
    const queue = this.#waiting[ticket.priority];
    const index = queue.indexOf(ticket);
    if (index >= 0) queue.splice(index, 1);
  }

  /** The tickets that start now, in order. Each must be settled. */
  admit(atMs: number): Ticket[] {
    const started: Ticket[] = [];
    for (let head = this.#head(); head !== undefined; head = this.#head()) {
      if (this.#freeMs(head, atMs) !== atMs) break;
      this.#waiting[head.priority].shift();
      this.#started += 1;
      head.started = this.#started;
      this.#inflight.add(head);
      this.#held += head.held;
      started.push(head);
    }
    return started;
  }

  /** When `admit` may start something, if nothing is settled before; null when nothing waits or only that helps. */
  nextMs(atMs: number): number | null {
    const head = this.#head();
    return head === undefined ? null : this.#freeMs(head, atMs);
  }

  /** The request is over, one way or another: books the weight it really had. False when it was over before. */
  settle(ticket: Ticket, atMs: number, weight: number): boolean {
    if (!this.#inflight.delete(ticket)) return false;
    this.#held -= ticket.held;
    this.#window.spend(atMs, weight);
    return true;
  }

  /** An answer that was not 429 gives back, little by little, what 429s took. */
  accepted(ticket: Ticket): void {
    this.#maxInflight = Math.min(this.#options.maxInflight, this.#maxInflight + 1 / this.#maxInflight);
    if (ticket.started > this.#pausedAfter) this.#pauses = 0;
  }

  /** The venue answered 429. Those that were in flight together count once. */
  refused(ticket: Ticket, atMs: number): void {
    this.throttled += 1;
    if (ticket.started <= this.#pausedAfter) return;
    const { firstPauseMs, maxPauseMs } = this.#options;
    this.#pausedAfter = this.#started;
    this.#pausedUntilMs = atMs + Math.min(maxPauseMs, firstPauseMs * 2 ** Math.min(this.#pauses, 20));
    this.#pauses += 1;
    this.#maxInflight = Math.max(1, Math.floor(this.#maxInflight / 2));
  }

  #head(): Ticket | undefined {
    for (const priority of PRIORITIES) {
      const head = this.#waiting[priority][0];
      if (head !== undefined) return head;
    }
    return undefined;
  }

  #freeMs(ticket: Ticket, atMs: number): number | null {
    if (this.#inflight.size >= Math.floor(this.#maxInflight)) return null;
    const limit = this.#limit;
    if (limit <= 0) return null;
    const reserved = ticket.priority === "heal" ? 0 : Math.min(this.#reserved, limit * RESERVED_SHARE_MAX);
    // A request larger than its share goes when nothing else was spent.
    const needs = Math.min(ticket.held, limit);
    const share = Math.max(Math.min(limit * this.#options.shares[ticket.priority], limit - reserved), needs);
    const room = share - needs - this.#held;
    if (room < 0) return null;
    // A pause that outlasts the greatest one is left over from before the clock was stepped back.
    this.#pausedUntilMs = Math.min(this.#pausedUntilMs, atMs + this.#options.maxPauseMs);
    return Math.max(this.#window.usedAtMostMs(atMs, room), this.#pausedUntilMs);
  }
}

/** Leave to send one request. Exactly one of the three must be called, once; later calls change nothing. */
export interface Permit {
  /** The request was answered, and weighed this much. */
  answered(weight: number): void;
  /** The request was answered with 429. */
  refused(weight: number): void;
  /** It was never sent (weight 0), or its outcome is unknown (then it counts as if it had been served). */
  abandoned(weight: number): void;
}

export interface LimiterStats {
  usedLastMinute: number;
  weightPerMinute: number;
  waiting: number;
  inflight: number;
  throttled429: number;
}

export interface AcquireOptions {
  priority: RequestPriority;
  weight: number;
  /** The greatest extra weight that the answer may cost. */
  extra: number;
  signal?: AbortSignal;
}

/** Waits for leave on a clock. One per IP, shared by every client of the process. */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #options: LimiterOptions;
  readonly #core: LimiterCore;
  readonly #waiters = new Map<Ticket, () => void>();
  #cancelTimer: (() => void) | null = null;

  constructor(clock: Clock, options: Partial<LimiterOptions> = {}) {
    this.#clock = clock;
    this.#options = { ...LIMITER_DEFAULTS, ...options };
    this.#core = new LimiterCore(this.#options);
  }

  /** Rejects with `RateLimitError` when too many wait, or with the signal's reason. */
  acquire({ priority, weight, extra, signal }: AcquireOptions): Promise<Permit> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const ticket = this.#core.enqueue(priority, weight + extra);
    if (ticket === null) return Promise.reject(this.#tooManyWaiting(priority));
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiters.delete(ticket);
        this.#core.withdraw(ticket);
        this.#pump();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.set(ticket, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve(this.#permit(ticket));
      });
      this.#pump();
    });
  }

  /** Keeps weight free for heals; the answer gives it back, once. */
  reserve(weight: number): () => void {
    this.#core.reserve(weight);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#core.reserve(-weight);
      this.#pump();
    };
  }

  /** From now on, so much a minute: the part of its IP's budget that the process has. */
  setLimit(weightPerMinute: number): void {
    if (weightPerMinute === this.#core.limit) return;
    this.#core.setLimit(weightPerMinute);
    this.#pump();
  }

  stats(): LimiterStats {
    return {
      usedLastMinute: this.#core.used(this.#clock.now()),
      weightPerMinute: this.#core.limit,
      waiting: this.#core.waiting,
      inflight: this.#core.inflight,
      throttled429: this.#core.throttled,
    };
  }

  #permit(ticket: Ticket): Permit {
    const settle = (weight: number, then: (atMs: number) => void) => {
      const atMs = this.#clock.now();
      if (!this.#core.settle(ticket, atMs, weight)) return;
      then(atMs);
      this.#pump();
    };
    return {
      answered: (weight) => settle(weight, () => this.#core.accepted(ticket)),
      refused: (weight) => settle(weight, (atMs) => this.#core.refused(ticket, atMs)),
      abandoned: (weight) => settle(weight, () => {}),
    };
  }

  /** Starts whatever may start, and wakes up when the next one may. */
  #pump(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const nowMs = this.#clock.now();
    for (const ticket of this.#core.admit(nowMs)) {
      const start = this.#waiters.get(ticket);
      this.#waiters.delete(ticket);
      start?.();
    }
    const nextMs = this.#core.nextMs(nowMs);
    if (nextMs !== null)
      this.#cancelTimer = this.#clock.after(Math.max(1, nextMs - nowMs), () => this.#pump());
  }

  #tooManyWaiting(priority: RequestPriority): RateLimitError {
    const nowMs = this.#clock.now();
    const retryAfterMs = Math.max(1_000, (this.#core.nextMs(nowMs) ?? nowMs) - nowMs);
    return new RateLimitError(
      `${this.#options.maxWaiting} ${priority} requests wait already for a budget of ${this.#core.limit} weight per minute; try again later`,
      retryAfterMs,
    );
  }
}
