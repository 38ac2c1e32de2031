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

type TurnKind = "first" | "reading" | "glance";

/** Where one account stands. */
export interface Turn {
  /** The next reading has a cause: it is the first, something moved, or the last one failed. */
  isPressing: boolean;
  wasRead: boolean;
  readDueMs: number;
  glanceDueMs: number;
  running: TurnKind | null;
}

export const newTurn = (nowMs: number): Turn => ({
  isPressing: true,
  wasRead: false,
  readDueMs: nowMs,
  glanceDueMs: nowMs,
  running: null,
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

  /** The one to begin now, marked as begun; null when there is none. `all`: the accounts that are polled. */
  next<W extends Waiting>(all: readonly W[], nowMs: number): W | null {
    const running = (kind: TurnKind) => all.filter(({ turn }) => turn.running === kind).length;
    const idle = all.filter(({ turn }) => turn.running === null);
    const due = idle.filter(({ turn }) => turn.readDueMs <= nowMs);
    const firsts = due.filter(({ turn }) => !turn.wasRead);
    if (firsts.length > 0 && running("first") < FIRST_AT_ONCE)
      return this.#begin(longest(firsts, nowMs, this.#pollMs, "readDueMs"), "first", nowMs);
    const again = due.filter(({ turn }) => turn.wasRead);
    const glanced = idle.filter(({ turn }) => turn.wasRead && turn.glanceDueMs <= nowMs);
    if (running("reading") < READINGS_AT_ONCE) {
      const pressing = again.filter(({ turn }) => turn.isPressing);
      const isBehind = glanced.some(({ turn }) => turn.glanceDueMs + this.#pollMs < nowMs);
      const mayRead = pressing.length > 0 ? pressing : !isBehind || this.#hadGlances ? again : [];
      if (mayRead.length > 0)
        return this.#begin(longest(mayRead, nowMs, this.#pollMs, "readDueMs"), "reading", nowMs);
    }
    const mayGlance = again.length === 0 || !this.#hadGlances;
    if (glanced.length === 0 || !mayGlance || running("glance") >= GLANCES_AT_ONCE) return null;
    return this.#begin(longest(glanced, nowMs, this.#pollMs, "glanceDueMs"), "glance", nowMs);
  }

  get #hadGlances(): boolean {
    return this.#glances >= GLANCES_PER_READING;
  }

  #begin<W extends Waiting>(one: W, kind: TurnKind, nowMs: number): W {
    const { turn } = one;
    turn.running = kind;
    turn.glanceDueMs = nowMs + this.#pollMs;
    if (kind === "glance") {
      this.#glances += 1;
      return one;
    }
    this.#glances = 0;
    // Until it has succeeded.
    turn.isPressing = true;
    turn.readDueMs = nowMs + this.#pollMs;
    return one;
  }

  /** A reading that began at `sinceMs` succeeded. */
  read({ turn, score }: Waiting, sinceMs: number): void {
    turn.isPressing = false;
    turn.wasRead = true;
    turn.readDueMs = sinceMs + this.#pollMs * (score >= 1 ? 1 : QUIET_TURNS);
  }

  /** A glance saw that something moved. */
  moved({ turn }: Pick<Waiting, "turn">, nowMs: number): void {
    turn.isPressing = true;
    turn.readDueMs = Math.min(turn.readDueMs, nowMs);
  }

  /** When something is due next, if nothing ends before. */
  nextDueMs(all: readonly Waiting[], nowMs: number): number {
    const dues = all.flatMap(({ turn }) => (turn.running === null ? [turn.readDueMs, turn.glanceDueMs] : []));
    return Math.min(nowMs + this.#pollMs, ...dues.filter((dueMs) => dueMs > nowMs));
  }
}

/** Waiting counts the more, the livelier the account is. */
function longest<W extends Waiting>(
  among: readonly W[],
  nowMs: number,
  pollMs: number,
  due: "readDueMs" | "glanceDueMs",
): W {
  const urgency = ({ turn, score }: W) => (nowMs - turn[due] + pollMs) * (1 + Math.log2(1 + score));
  return among.reduce((first, one) => (urgency(one) > urgency(first) ? one : first));
}
