/**
 * Waits in tests. Guarantees: asks at once, then at most a quarter of the time (two cores are shared by everything that
 * is tested, and a question may read whole tables); a time-out says what was waited for and the last answer.
 */
import assert from "node:assert/strict";
import { errorText } from "../../src/errors.ts";

/** How long a test waits for what must come where it does not ask how soon: on a busy machine all takes several times as long. */
export const PATIENCE_MS = 180_000;
/** The shortest pause between two questions. */
const POLL_MS = 20;
/** Pause for each millisecond that the question took. */
const PAUSE_PER_MS = 3;
/** Of the last answer, in the error. */
const SHOWN_LENGTH = 1_000;

type What = string | (() => string);

/** Asks until `accept` takes the answer, and gives that back. An error of the question, an assertion in it too, ends the wait. */
export async function eventually<T>(
  what: What,
  read: () => T | Promise<T>,
  accept: (value: T) => boolean,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const startedMs = performance.now();
  for (;;) {
    const askedMs = performance.now();
    const value = await read();
    if (accept(value)) return value;
    const nowMs = performance.now();
    if (nowMs - startedMs > timeoutMs) {
      const wanted = typeof what === "string" ? what : what();
      const last = JSON.stringify(value)?.slice(0, SHOWN_LENGTH);
      assert.fail(`waited ${timeoutMs} ms for ${wanted}; last: ${last}`);
    }
    const pauseMs = Math.max(POLL_MS, PAUSE_PER_MS * (nowMs - askedMs));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

interface Reached<T> {
  value: NonNullable<T>;
  tookMs: number;
}

/** Waits until `condition` answers something truthy. */
export async function until<T>(
  what: What,
  timeoutMs: number,
  condition: () => T | Promise<T>,
): Promise<Reached<T>> {
  const startedMs = performance.now();
  const value = await eventually(what, condition, Boolean, timeoutMs);
  return { value: value as NonNullable<T>, tookMs: performance.now() - startedMs };
}

/** The same where what is asked may be away meanwhile: an error is a no. */
export async function untilDespiteErrors<T>(
  what: What,
  timeoutMs: number,
  condition: () => T | Promise<T>,
): Promise<Reached<T>> {
  const asked = async () => {
    try {
      return { value: await condition() };
    } catch (error) {
      return { value: null, error: errorText(error) };
    }
  };
  const startedMs = performance.now();
  const { value } = await eventually(what, asked, (answer) => Boolean(answer.value), timeoutMs);
  return { value: value as NonNullable<T>, tookMs: performance.now() - startedMs };
}
