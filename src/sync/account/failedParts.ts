/**
 * Parts of an account that could not be read, so that one of them costs itself only: the others go on, and this one is asked
 * for again by itself, each time after twice the pause. Pure: times are passed in.
 */
import { isDue } from "../../runtime/due.ts";
import type { WindowStream } from "../windowReader.ts";

/** What a catch-up reads, each for itself. */
export type Part = WindowStream | "orders" | "states";

const PAUSE_MIN_MS = 15_000;
const PAUSE_MAX_MS = 600_000;

interface Failure {
  error: Error;
  pauseMs: number;
  dueMs: number;
}

export class FailedParts {
  readonly #failures = new Map<Part, Failure>();

  /** True when the part did not fail before. */
  note(part: Part, error: Error, nowMs: number): boolean {
    const before = this.#failures.get(part);
    const pauseMs = before === undefined ? PAUSE_MIN_MS : Math.min(PAUSE_MAX_MS, 2 * before.pauseMs);
    this.#failures.set(part, { error, pauseMs, dueMs: nowMs + pauseMs });
    return before === undefined;
  }

  /** True when the part had failed before. */
  clear(part: Part): boolean {
    return this.#failures.delete(part);
  }

  has(part: Part): boolean {
    return this.#failures.has(part);
  }

  due(nowMs: number): Part[] {
    return [...this.#failures].flatMap(([part, { dueMs, pauseMs }]) =>
      isDue(dueMs, nowMs, pauseMs) ? [part] : [],
    );
  }

  list(): { part: Part; error: Error }[] {
    return [...this.#failures].map(([part, { error }]) => ({ part, error }));
  }
}
