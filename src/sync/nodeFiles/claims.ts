/**
 * What files prove of an account's fills. Pure. Guarantees: time counts as complete only where blocks follow each other without
 * a hole and every perp chain of the account goes through it without a break, from 0 at its beginning to the position of the
 * newest state (or to fills that go on from there); all other time stays a gap, with the reason in words. Without a state of the
 * account nothing is, and behind the newest one neither: a coin of which the files lack every fill shows there alone. What the
 * chain does not reach (an account without perp fills) is not promised, whatever the files hold.
 */
import { type Decimal, eq, isZero } from "../../runtime/decimal.ts";
import { type ChainBreak, type ChainEnd, type Link, linkChain } from "../chain.ts";
import { type Interval, intersect, subtract, union } from "../coverage.ts";
import { dexOfCoin, FIRST_DEX } from "../dexes.ts";

/** The chain of one coin, as far as it is stored. */
export interface CoinChain {
  coin: string;
  first: ChainEnd;
  end: ChainEnd;
  breaks: ChainBreak[];
}

/** What keeps a time from being proven. */
export interface Obstacle extends Interval {
  reason: string;
}

/** Links fills of one coin that come in pieces, oldest first; a millisecond lies in one piece. */
export function linkedOn(chain: CoinChain | null, piece: readonly Link[]): CoinChain | null {
  if (piece.length === 0) return chain;
  const { ordered, breaks, end } = linkChain(piece, chain?.end ?? null);
  const { coin, timeMs, startPosition: position } = ordered[0]!;
  return chain === null
    ? { coin, first: { timeMs, position }, end: end!, breaks }
    : { ...chain, end: end!, breaks: [...chain.breaks, ...breaks] };
}

/** The newest state of a perp dex: positions by coin, without those of nothing. */
export interface LiveState {
  asOfMs: number;
  positions: ReadonlyMap<string, Decimal>;
}

const ALWAYS: Interval = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };

/** `states` by dex. A coin of which no fill is stored shows in them alone. */
export function obstacles(chains: readonly CoinChain[], states: ReadonlyMap<string, LiveState>): Obstacle[] {
  if (chains.length === 0)
    return [{ ...ALWAYS, reason: "no perp fill is known, so nothing confirms the files" }];
  const dexes = new Set([FIRST_DEX, ...chains.map(({ coin }) => dexOfCoin(coin))]);
  const unread = [...dexes].filter((dex) => !states.has(dex));
  if (unread.length > 0)
    return unread.map((dex) => ({
      ...ALWAYS,
      reason: `no state of ${nameOf(dex)} was read, so nothing tells what it holds: sync --once, then import again`,
    }));
  const known = new Set(chains.map(({ coin }) => coin));
  const held = [...states.values()].flatMap(({ positions }) => [...positions.keys()]);
  return [
    ...held
      .filter((coin) => !known.has(coin))
      .map((coin) => ({ ...ALWAYS, reason: `${coin} is held, and no fill of it is known` })),
    ...[...dexes].map((dex) => behindTheState(dex, states.get(dex)!)),
    ...chains.flatMap((chain) => [
      ...contradictions(chain),
      ...beyondTheEnd(chain, states.get(dexOfCoin(chain.coin))!),
    ]),
  ];
}

const nameOf = (dex: string): string => (dex === FIRST_DEX ? "the account" : `dex ${dex}`);

/** Whatever chains say: of a coin that was first traded later no fill may be stored. */
const behindTheState = (dex: string, { asOfMs }: LiveState): Obstacle => ({
  fromMs: asOfMs + 1,
  toMs: ALWAYS.toMs,
  reason: `no state of ${nameOf(dex)} was read since, so nothing confirms the files: sync --once, then import again`,
});

/** What a chain says of itself that cannot be where its history is complete. */
function contradictions({ coin, first, breaks }: CoinChain): Obstacle[] {
  const found: Obstacle[] = breaks.map(({ fromMs, toMs, missing }) => ({
    fromMs,
    toMs,
    reason: `${missing} ${coin} traded here is in no file`,
  }));
  if (!isZero(first.position))
    found.push({
      fromMs: 0,
      toMs: first.timeMs,
      reason: `${coin} was held before its first fill, which nothing tells of`,
    });
  return found;
}

function beyondTheEnd({ coin, end }: CoinChain, { asOfMs, positions }: LiveState): Obstacle[] {
  const position = positions.get(coin) ?? "0";
  // Fills that go on behind the state cannot be compared with it.
  if (asOfMs < end.timeMs || eq(position, end.position)) return [];
  const reason = `fills of ${coin} end at ${end.position}, the venue has ${position}`;
  return [{ fromMs: end.timeMs, toMs: ALWAYS.toMs, reason }];
}

/** Time that was claimed as a whole, and which the chains show to lack something: the claim was wrong. */
export function refuted(chains: readonly CoinChain[], claimed: Interval[]): Interval[] {
  const whole = union(claimed);
  return chains
    .flatMap(contradictions)
    .filter(({ fromMs, toMs }) => whole.some((one) => one.fromMs <= fromMs && toMs <= one.toMs))
    .map(({ fromMs, toMs }) => ({ fromMs, toMs }));
}

/** What of the time that files hold wholly is proven, and what is not, with the reason. */
export function confirmed(
  held: Interval[],
  inTheWay: readonly Obstacle[],
): { proven: Interval[]; open: Obstacle[] } {
  return {
    proven: subtract(held, [...inTheWay]),
    open: inTheWay.flatMap(({ reason, ...time }) =>
      intersect(held, [time]).map((part): Obstacle => ({ ...part, reason })),
    ),
  };
}
