/**
 * Whose turn it is among accounts without a stream. Pure: times are passed in.
 *
 * A *glance* asks for the states alone (weight 4 with one dex) and tells whether something moved; a *reading* asks for everything
 * (100 and more). Guarantees: each account is glanced at once in `pollMs` where the budget allows, the livelier the sooner where
 * it does not; it is read when something moved, once in `pollMs` while it is lively, else once in `QUIET_TURNS` of it (orders come and go
 * without a trace in states); first readings go before all others; while readings wait, glances take about half of the budget, so
 * that neither starves the other; an account that cannot be read is asked again no later than after `pollMs`.
 */

/** First readings at once: as many accounts as are taken over in one second. */
const FIRST_AT_ONCE = 20;
/** One that cannot be read, or not soon, holds up no other. */
const READINGS_AT_ONCE = 4;
const GLANCES_AT_ONCE = 4;
/** Between the beginnings of two readings, while more of them wait: about the weight of one. */
const GLANCES_PER_READING = 30;
/** An account in which nothing happened lately is read without cause once in so many turns. */
const QUIET_TURNS = 8;

type Reading = "first" | "again";

/** Where one account stands. */
export interface Turn {
  /** The next reading has a cause: it is the first, something moved, or the last one failed. */
  isPressing: boolean;
  /** Something moved since the last reading began. */
  isMoved: boolean;
  wasRead: boolean;
  readDueMs: number;
  glanceDueMs: number;
  /** Under way. A reading that waits for the budget is no reason not to glance. */
  reading: Reading | null;
  isGlanced: boolean;
}

export const newTurn = (nowMs: number): Turn => ({
  isPressing: true,
  isMoved: false,
  wasRead: false,
  readDueMs: nowMs,
  glanceDueMs: nowMs,
  reading: null,
  isGlanced: false,
});

/** `score`: changes of the last minutes (`activity.ts`). */
export interface Waiting {
  turn: Turn;
  score: number;
}

export class Turns {
  readonly #pollMs: number;
  /** Glances begun since a reading was. */
  #glances = 0;

  constructor(pollMs: number) {
    this.#pollMs = pollMs;
  }

  /** What to begin now, marked as begun; null when there is nothing. `all`: the accounts that are polled. */
  next<W extends Waiting>(all: readonly W[], nowMs: number): { one: W; isGlance: boolean } | null {
    const reading = (kind: Reading) => all.filter(({ turn }) => turn.reading === kind).length;
    const due = all.filter(({ turn }) => turn.reading === null && turn.readDueMs <= nowMs);
    const firsts = due.filter(({ turn }) => !turn.wasRead);
    if (firsts.length > 0 && reading("first") < FIRST_AT_ONCE) return this.#read(firsts, "first", nowMs);
    const again = due.filter(({ turn }) => turn.wasRead);
    const glanced = all.filter(({ turn }) => turn.wasRead && !turn.isGlanced && turn.glanceDueMs <= nowMs);
    if (reading("again") < READINGS_AT_ONCE) {
      const pressing = again.filter(({ turn }) => turn.isPressing);
      const isBehind = glanced.some(({ turn }) => turn.glanceDueMs + this.#pollMs < nowMs);
      const mayRead = pressing.length > 0 ? pressing : !isBehind || this.#hadGlances ? again : [];
      if (mayRead.length > 0) return this.#read(mayRead, "again", nowMs);
    }
    const mayGlance = again.length === 0 || !this.#hadGlances;
    const isFull = all.filter(({ turn }) => turn.isGlanced).length >= GLANCES_AT_ONCE;
    if (glanced.length === 0 || !mayGlance || isFull) return null;
    const one = longest(glanced, nowMs, this.#pollMs, "glanceDueMs");
    one.turn.isGlanced = true;
    one.turn.glanceDueMs = nowMs + this.#pollMs;
    this.#glances += 1;
    return { one, isGlance: true };
  }

  get #hadGlances(): boolean {
    return this.#glances >= GLANCES_PER_READING;
  }

  #read<W extends Waiting>(among: readonly W[], kind: Reading, nowMs: number) {
    const one = longest(among, nowMs, this.#pollMs, "readDueMs");
    this.#glances = 0;
    // Until it has succeeded.
    const readDueMs = nowMs + this.#pollMs;
    Object.assign(one.turn, {
      reading: kind,
      isPressing: true,
      isMoved: false,
      readDueMs,
      glanceDueMs: readDueMs,
    });
    return { one, isGlance: false };
  }

  /** A reading that began at `sinceMs` succeeded. */
  read({ turn, score }: Waiting, sinceMs: number): void {
    turn.isPressing = turn.isMoved;
    turn.wasRead = true;
    const turns = turn.isMoved || score >= 1 ? 1 : QUIET_TURNS;
    turn.readDueMs = sinceMs + this.#pollMs * turns;
  }

  /** A glance saw that something moved. */
  moved({ turn }: Pick<Waiting, "turn">, nowMs: number): void {
    turn.isMoved = true;
    if (turn.reading !== null) return;
    turn.isPressing = true;
    turn.readDueMs = Math.min(turn.readDueMs, nowMs);
  }

  /** When something is due next, if nothing ends before. */
  nextDueMs(all: readonly Waiting[], nowMs: number): number {
    const dues = all.flatMap(({ turn }) => [turn.readDueMs, turn.glanceDueMs]);
    return Math.min(nowMs + this.#pollMs, ...dues.filter((dueMs) => dueMs > nowMs));
  }
}

/**
 * Waiting counts the more, the livelier the account is, up to twice: one that is not read soon has no score, and must not wait
 * for those that have one because they are.
 */
function longest<W extends Waiting>(
  among: readonly W[],
  nowMs: number,
  pollMs: number,
  due: "readDueMs" | "glanceDueMs",
): W {
  const urgency = ({ turn, score }: W) =>
    (nowMs - turn[due] + pollMs) * (1 + Math.min(1, Math.log10(1 + score) / 3));
  return among.reduce((first, one) => (urgency(one) > urgency(first) ? one : first));
}
