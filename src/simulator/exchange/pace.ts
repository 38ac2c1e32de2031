/**
 * How finely time is made. A market that is to have months of past cannot be quoted every two seconds of them: until
 * `untilMs` prices move, funding is sampled and accounts trade in larger steps. Pure.
 */
export interface Pace {
  untilMs: number;
  /** Ms between two moves of the markets, which all move together. */
  stepMs: number;
  /** Levels of a book on each side, and trades of each market a step. */
  levels: number;
  takes: number;
  /** How many times rarer accounts trade by themselves. */
  slower: number;
}

/** The stretch that `timeMs` lies in, or null for ordinary time. `paces` are in order. */
export const paceAt = (paces: readonly Pace[], timeMs: number): Pace | null =>
  paces.find(({ untilMs }) => timeMs < untilMs) ?? null;

/** When what is due at `dueMs` and otherwise every `ordinaryMs` is due again. */
export function dueAgain(paces: readonly Pace[], dueMs: number, ordinaryMs: number): number {
  const pace = paceAt(paces, dueMs);
  if (pace === null) return dueMs + ordinaryMs;
  return Math.min((Math.floor(dueMs / pace.stepMs) + 1) * pace.stepMs, pace.untilMs);
}
