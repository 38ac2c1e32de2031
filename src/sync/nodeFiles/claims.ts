/**
 * What files prove of an account's fills. Pure. Guarantees: time counts as complete only where blocks follow each other without
 * a hole and every perp chain of the account goes through it without a break, from 0 at its beginning to the position that the
 * venue tells now (or to fills that go on from there); all other time stays a gap, with the reason in words. What the chain
 * does not reach (an account without perp fills) is not promised, whatever the files hold.
 */
import { type Decimal, eq, isZero } from "../../runtime/decimal.ts";
import { type ChainBreak, type ChainEnd, type Link, linkChain } from "../chain.ts";
import { type Interval, intersect, subtract } from "../coverage.ts";

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

/** `live`: the position of a coin by the newest state, and its time; null while no state was read. */
export function obstacles(
  chains: readonly CoinChain[],
  live: (coin: string) => { position: Decimal; asOfMs: number } | null,
): Obstacle[] {
  const always = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };
  if (chains.length === 0)
    return [{ ...always, reason: "no perp fill is known, so nothing confirms the files" }];
  return chains.flatMap(({ coin, first, end, breaks }): Obstacle[] => {
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
    const now = live(coin);
    const toMs = always.toMs;
    if (now === null || now.asOfMs < end.timeMs)
      found.push({
        fromMs: end.timeMs,
        toMs,
        reason: `the position of now is not known, so nothing confirms the end of ${coin}`,
      });
    else if (!eq(now.position, end.position))
      found.push({
        fromMs: end.timeMs,
        toMs,
        reason: `fills of ${coin} end at ${end.position}, the venue has ${now.position}`,
      });
    return found;
  });
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
