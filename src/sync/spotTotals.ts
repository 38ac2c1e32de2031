/**
 * Whether the totals that the venue tells of a spot token agree with the fills that are known. Pure: times are passed in.
 *
 * A spot state has no clock of its own and may be late, so which fills it counts is not known to the last of them: those within
 * `NEAR_MS` of it may be in it or not. Each way of cutting leaves another rest, total less fills; over several states one rest
 * must go with all of them.
 *
 * Guarantees: without a lost row there is such a rest, however states and fills are interleaved; a lost fill leaves none, unless
 * fills of just its size lie near every state. What moves a token by an amount that rows do not tell (a transfer, a fill of a
 * pair not known) is a border: states before it are not held against those after it. Holds at most `STATES_MAX` states and
 * `MOVES_MAX` fills a token.
 */
import { abs, cmp, type Decimal, eq, sub } from "../runtime/decimal.ts";

/** A row explains a move that was seen within this of it. */
export const NEAR_MS = 5_000;
const STATES_MAX = 12;
const MOVES_MAX = 2_000;
/** Of all fees between two states: each is cut to eight digits. */
const ROUNDING = "0.000002";

interface SpotState {
  total: Decimal;
  /** The venue's time when it was told. */
  seenMs: number;
}

interface Token {
  /** Oldest first. */
  states: SpotState[];
  /** What fills moved, by their keys. */
  moves: Map<string, { timeMs: number; amount: Decimal }>;
  /** The newest border; none of the states stands before it. */
  borderMs: number;
}

/** What no known row explains. */
interface SpotDifference {
  /** A row is missing between the first and the last state that are kept. */
  fromMs: number;
  toMs: number;
  /** At least by so much, and which way. */
  moved: Decimal;
}

export class SpotTotals {
  readonly #tokens = new Map<string, Token>();
  #borderMs = Number.NEGATIVE_INFINITY;

  /** A fill of it, `amount` less what its fee took. Taken once by its key. */
  noteMove(coin: string, key: string, timeMs: number, amount: Decimal): void {
    const token = this.#token(coin);
    const [oldest] = token.states;
    // Counted by each of them.
    if (oldest !== undefined && timeMs < oldest.seenMs - NEAR_MS) return;
    token.moves.set(key, { timeMs, amount });
    if (token.moves.size > MOVES_MAX) {
      token.moves.clear();
      this.noteBorder(coin, timeMs);
    }
  }

  /** Something moved it, or any token (null), by an amount that is not known. */
  noteBorder(coin: string | null, timeMs: number): void {
    if (coin === null) this.#borderMs = Math.max(this.#borderMs, timeMs);
    for (const token of coin === null ? this.#tokens.values() : [this.#token(coin)]) {
      token.borderMs = Math.max(token.borderMs, timeMs);
      token.states = token.states.filter(({ seenMs }) => seenMs > token.borderMs + NEAR_MS);
    }
  }

  noteTotal(coin: string, total: Decimal, seenMs: number): void {
    const token = this.#token(coin);
    if (seenMs <= token.borderMs + NEAR_MS) return;
    const last = token.states.at(-1);
    // Told again, and nothing is known to have happened: the younger of two such states says as much as both.
    const before = token.states.at(-2);
    if (last !== undefined && before !== undefined && eq(last.total, total) && eq(before.total, total))
      token.states.pop();
    token.states.push({ total, seenMs });
    if (token.states.length > STATES_MAX) this.#forgetBefore(token, token.states[1]!.seenMs);
  }

  /** What of the states disagrees with what is known; null when they agree. */
  difference(coin: string): SpotDifference | null {
    const token = this.#tokens.get(coin);
    if (token === undefined || token.states.length < 2) return null;
    const moves = [...token.moves.values()].sort((a, b) => a.timeMs - b.timeMs);
    const [first, ...later] = token.states;
    const window = { fromMs: first!.seenMs - NEAR_MS, toMs: token.states.at(-1)!.seenMs + NEAR_MS };
    let cuts = cutsOf(first!, moves);
    for (const state of later) {
      const here = cutsOf(state, moves);
      // A later state counts no fewer fills.
      const common = here.filter((cut) =>
        cuts.some((before) => before.counted <= cut.counted && isSame(before, cut)),
      );
      if (common.length === 0) {
        const moved = here.flatMap((cut) => cuts.map((before) => sub(cut.rest, before.rest))).reduce(smaller);
        return { ...window, moved };
      }
      cuts = common;
    }
    return null;
  }

  /** The newest state is taken as it is. */
  letGo(coin: string): void {
    const token = this.#token(coin);
    const last = token.states.at(-1);
    if (last !== undefined) this.#forgetBefore(token, last.seenMs);
  }

  #forgetBefore(token: Token, seenMs: number): void {
    token.states = token.states.filter((state) => state.seenMs >= seenMs);
    for (const [key, { timeMs }] of token.moves) if (timeMs < seenMs - NEAR_MS) token.moves.delete(key);
  }

  #token(coin: string): Token {
    let token = this.#tokens.get(coin);
    if (token === undefined) {
      token = { states: [], moves: new Map(), borderMs: this.#borderMs };
      this.#tokens.set(coin, token);
    }
    return token;
  }
}

/** One way of cutting: how many of the fills a state counts, and its total without them. */
interface Cut {
  counted: number;
  rest: Decimal;
}

/** `moves` by time. */
function cutsOf({ total, seenMs }: SpotState, moves: readonly { timeMs: number; amount: Decimal }[]): Cut[] {
  const cuts: Cut[] = [];
  let rest = total;
  let counted = 0;
  for (const { timeMs, amount } of moves) {
    if (timeMs > seenMs + NEAR_MS) break;
    if (timeMs > seenMs - NEAR_MS) cuts.push({ counted, rest });
    rest = sub(rest, amount);
    counted += 1;
  }
  cuts.push({ counted, rest });
  return cuts;
}

const isSame = (a: Cut, b: Cut): boolean => cmp(abs(sub(a.rest, b.rest)), ROUNDING) <= 0;

const smaller = (a: Decimal, b: Decimal): Decimal => (cmp(abs(b), abs(a)) < 0 ? b : a);
