/**
 * How long the database has not answered, measured on the queries that go through here. Pure but for its memory;
 * times are passed in. Guarantees: silence begins with a query that fails or waits, never with a pause in which nothing
 * was asked; any answer ends it, an error of the statement too; time without a measurement (the machine slept, the
 * process was stopped, the clock was set) is not counted.
 */
import { StoreError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Queryable } from "../../store/database.ts";

/** Of the time between two looks, no more than this counts: they come every second. */
const LOOK_MAX_MS = 3_000;

/** The server spoke, and not to say that it takes no queries (connection, authorization, resources, shutting down). */
const isAnswer = (error: unknown): boolean =>
  !(error instanceof StoreError) ||
  (error.sqlState !== null && !/^(08|28|3D|53|57P|58|XX)/.test(error.sqlState));

export class DatabasePulse {
  readonly #clock: Pick<Clock, "now">;
  /** Since when each query under way waits. */
  readonly #waiting = new Map<symbol, number>();
  #firstFailureMs: number | null = null;
  #silentMs = 0;
  #lookedMs: number;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
    this.#lookedMs = clock.now();
  }

  /** The same database, with every query noticed. */
  over(db: Queryable): Queryable {
    return {
      query: async (sql, params, patience) => {
        const query = Symbol();
        this.#waiting.set(query, this.#clock.now());
        try {
          const rows = await db.query<never>(sql, params, patience);
          this.#answered();
          return rows;
        } catch (error) {
          if (isAnswer(error)) this.#answered();
          else this.#firstFailureMs ??= this.#waiting.get(query)!;
          throw error;
        } finally {
          this.#waiting.delete(query);
        }
      },
    };
  }

  /** Milliseconds of silence up to now; to be asked every second or so. */
  silentMs(): number {
    const nowMs = this.#clock.now();
    // The clock was set back: what began in its future began now.
    if (nowMs < this.#lookedMs) this.#beginAt(nowMs);
    const begun = [
      ...this.#waiting.values(),
      ...(this.#firstFailureMs === null ? [] : [this.#firstFailureMs]),
    ];
    const watchedMs = nowMs - Math.max(Math.min(...begun), this.#lookedMs);
    this.#silentMs = begun.length === 0 ? 0 : this.#silentMs + Math.max(0, Math.min(watchedMs, LOOK_MAX_MS));
    this.#lookedMs = nowMs;
    return this.#silentMs;
  }

  /** What still waits is silent from now on at the earliest. */
  #answered(): void {
    this.#firstFailureMs = null;
    this.#silentMs = 0;
    this.#beginAt(this.#clock.now());
  }

  #beginAt(nowMs: number): void {
    if (this.#firstFailureMs !== null) this.#firstFailureMs = nowMs;
    for (const query of this.#waiting.keys()) this.#waiting.set(query, nowMs);
  }
}
