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
 * `MOVES_MAX` fills a token; holding them against each other takes a look-up for each fill near a state.
 */
import { type Decimal, mul, trunc } from "../runtime/decimal.ts";

/** A row explains a move that was seen within this of it. */
export const NEAR_MS = 5_000;
const STATES_MAX = 12;
const MOVES_MAX = 2_000;
/** Tokens are counted in units of the eighth digit, the last that the venue tells. */
const UNITS = "100000000";
const UNIT = "0.00000001";
/** Of all fees between two states, in units: each is cut to the eighth digit. */
const ROUNDING = 200n;

interface Move {
  timeMs: number;
  amount: bigint;
}

interface SpotState {
  total: bigint;
  /** The venue's time when it was told. */
  seenMs: number;
}

interface Token {
  /** Oldest first. */
  states: SpotState[];
  /** What fills moved, by their keys. */
  moves: Map<string, Move>;
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
    token.moves.set(key, { timeMs, amount: unitsOf(amount) });
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

  noteTotal(coin: string, told: Decimal, seenMs: number): void {
    const token = this.#token(coin);
    if (seenMs <= token.borderMs + NEAR_MS) return;
    const total = unitsOf(told);
    // Told again, and nothing is known to have happened: the younger of two such states says as much as both.
    if (token.states.length > 1 && token.states.slice(-2).every((state) => state.total === total))
      token.states.pop();
    token.states.push({ total, seenMs });
    this.#forgetBefore(token, token.states.at(-STATES_MAX)?.seenMs ?? token.states[0]!.seenMs);
  }

  /** What of the states disagrees with what is known; null when they agree. */
  difference(coin: string): SpotDifference | null {
    const token = this.#tokens.get(coin);
    if (token === undefined || token.states.length < 2) return null;
    const cutsAt = cutter([...token.moves.values()]);
    const [first, ...later] = token.states;
    let cuts = new Cuts(cutsAt(first!));
    for (const state of later) {
      const here = cutsAt(state);
      const common = here.filter((cut) => cuts.agreeWith(cut));
      if (common.length === 0) {
        const moved = here.map(({ rest }) => cuts.distanceTo(rest)).reduce(smaller);
        const toMs = token.states.at(-1)!.seenMs + NEAR_MS;
        return { fromMs: first!.seenMs - NEAR_MS, toMs, moved: mul(String(moved), UNIT) };
      }
      cuts = new Cuts(common);
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

const unitsOf = (amount: Decimal): bigint => BigInt(trunc(mul(amount, UNITS), 0));

/** One way of cutting: how many of the fills a state counts, and its total without them. */
interface Cut {
  counted: number;
  rest: bigint;
}

/** The ways of cutting at a state. */
function cutter(moves: Move[]): (state: SpotState) => Cut[] {
  const byTime = moves.sort((a, b) => a.timeMs - b.timeMs);
  const sums = [0n];
  for (const { amount } of byTime) sums.push(sums.at(-1)! + amount);
  return ({ total, seenMs }) => {
    const cuts: Cut[] = [];
    for (const [counted, sum] of sums.entries()) {
      const [before, after] = [byTime[counted - 1], byTime[counted]];
      if (before !== undefined && before.timeMs > seenMs + NEAR_MS) break;
      if (after === undefined || after.timeMs > seenMs - NEAR_MS) cuts.push({ counted, rest: total - sum });
    }
    return cuts;
  };
}

/** Ways of cutting at one state, to be held against those at a later one. */
class Cuts {
  /** By rest; of equal ones that which counts the fewest. */
  readonly #cuts: Cut[];

  constructor(cuts: readonly Cut[]) {
    const byRest = new Map<bigint, Cut>();
    for (const cut of cuts) if (!byRest.has(cut.rest)) byRest.set(cut.rest, cut);
    this.#cuts = [...byRest.values()].sort((a, b) => (a.rest < b.rest ? -1 : 1));
  }

  /** A later state counts no fewer fills. */
  agreeWith({ counted, rest }: Cut): boolean {
    for (let at = this.#from(rest - ROUNDING); at < this.#cuts.length; at += 1) {
      const cut = this.#cuts[at]!;
      if (cut.rest > rest + ROUNDING) return false;
      if (cut.counted <= counted) return true;
    }
    return false;
  }

  /** From the nearest rest to this one. */
  distanceTo(rest: bigint): bigint {
    const at = this.#from(rest);
    return this.#cuts
      .slice(Math.max(0, at - 1), at + 1)
      .map((cut) => rest - cut.rest)
      .reduce(smaller);
  }

  /** Place of the first one whose rest is at least this. */
  #from(rest: bigint): number {
    let [low, high] = [0, this.#cuts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#cuts[middle]!.rest < rest) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const smaller = (a: bigint, b: bigint): bigint => (b * b < a * a ? b : a);
