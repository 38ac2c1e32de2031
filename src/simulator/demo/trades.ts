/**
 * What a directional trader of the demo does: trades of hours to days, with a stop and a target. Pure. The trader knows
 * the planned prices and is right with a given chance, which is how a simulated trader comes to be a good one.
 */
import { seededRandom } from "../../runtime/random.ts";
import type { PriceAt } from "./prices.ts";

const HOUR_MS = 3_600_000;

export interface Style {
  coins: readonly string[];
  /** Dollars of a usual trade. */
  usd: number;
  /** Chance that a trade goes the way the price will. */
  skill: number;
  holdHours: readonly [least: number, most: number];
  /** Between two trades of a coin, on average. */
  pauseHours: number;
  /** Where the stop and the target lie, as parts of the price. */
  stop: number;
  target: number;
}

export interface PlannedTrade {
  coin: string;
  isBuy: boolean;
  usd: number;
  openMs: number;
  closeMs: number;
  /** Bought at the market, or with an order that waits at a better price. */
  entry: "market" | "limit";
  /** Parts in which it is closed. */
  exits: number;
  stop: number;
  target: number;
}

/** Trades of one coin never overlap. The last ones may still be open at `untilMs`: then `closeMs` is after it. */
export function planTrades(
  seed: string,
  style: Style,
  priceAt: PriceAt,
  fromMs: number,
  untilMs: number,
): PlannedTrade[] {
  const random = seededRandom(seed);
  const trades: PlannedTrade[] = [];
  const between = (least: number, most: number) => least + (most - least) * random.next();
  for (const coin of style.coins) {
    for (let atMs = fromMs + between(0, 2) * style.pauseHours * HOUR_MS; atMs < untilMs; ) {
      const closeMs = atMs + between(...style.holdHours) * HOUR_MS;
      const now = priceAt(coin, atMs);
      const then = priceAt(coin, Math.min(closeMs, untilMs - 1));
      if (now === null || then === null) break;
      const isRight = random.next() < style.skill;
      trades.push({
        coin,
        openMs: Math.round(atMs),
        closeMs: Math.round(closeMs),
        isBuy: then > now === isRight,
        usd: style.usd * between(0.5, 1.5),
        entry: random.next() < 0.6 ? "market" : "limit",
        exits: random.next() < 0.3 ? 2 : 1,
        stop: style.stop * between(0.8, 1.2),
        target: style.target * between(0.8, 1.2),
      });
      atMs = closeMs + between(0.2, 1.8) * style.pauseHours * HOUR_MS;
    }
  }
  return trades;
}
