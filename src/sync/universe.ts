/**
 * Which markets the venue lists, read when all of them are wanted. Guarantees: perps of every dex and spot, without
 * delisted ones, each once; what is traded most comes first, so that a limit cuts off what matters least.
 */
import { INFO } from "../protocol/infoRequests.ts";
import { cmp, type Decimal } from "../runtime/decimal.ts";
import type { VenueInfo } from "./ports.ts";

interface Market {
  coin: string;
  /** Of the last day, in the quote token. */
  volume: Decimal;
}

/** Coins as the venue writes them. */
export async function listedCoins(
  info: VenueInfo,
  dexes: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const ask = { priority: "reconcile", signal } as const;
  const markets: Market[] = [];
  for (const dex of dexes) {
    const [meta, contexts] = (await info.request(INFO.metaAndAssetCtxs, { dex }, ask)).result.value;
    for (const [index, market] of meta.universe.entries())
      if (market && !market.isDelisted)
        markets.push({ coin: market.name, volume: contexts[index]?.dayNtlVlm ?? "0" });
  }
  const [, spot] = (await info.request(INFO.spotMetaAndAssetCtxs, {}, ask)).result.value;
  markets.push(...spot.map(({ coin, dayNtlVlm }) => ({ coin, volume: dayNtlVlm ?? "0" })));
  const byVolume = markets.sort((a, b) => cmp(b.volume, a.volume) || (a.coin < b.coin ? -1 : 1));
  return [...new Set(byVolume.map(({ coin }) => coin))];
}
