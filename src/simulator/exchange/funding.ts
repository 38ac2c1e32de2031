/**
 * Hourly funding. Guarantees: one row per (account, coin, hour), stamped with the first block of the hour, 15–25 ms
 * past it (§5.4); usdc = −szi · oracle · rate, truncated at six decimals; negative was paid. What truncation leaves
 * over is collected, so that nothing vanishes.
 */
import type { JsonObject } from "../contract.ts";
import type { Account, PerpDex, Position } from "./account.ts";
import { type Fixed, format, formatScaled, max, min, mul, TEN, truncate } from "./fixed.ts";
import { payInterest } from "./lending.ts";
import { impactPx, type Market, markPx } from "./market.ts";
import { dueAgain } from "./pace.ts";
import { rebalance } from "./unified.ts";
import { collect, isQuiet, keep, touch, type World } from "./world.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const SCALE = TEN[10] as bigint;
/** 0.01 % per 8 h, and the clamp around it, at ten decimals. */
const INTEREST = 1_000_000n;
const CLAMP = 5_000_000n;
/** Four percent an hour at most. */
const CAP = 400_000_000n;
/** Six samples too many would only be a bug: an hour has sixty. */
const MAX_SAMPLES = 64;
/** Hours of funding history kept per market: a little over a year. */
const MAX_HISTORY = 10_000;

export function startFunding(world: World): void {
  const nextHour = (Math.floor(world.startMs / HOUR_MS) + 1) * HOUR_MS;
  scheduleHour(world, nextHour);
  scheduleSample(world, (Math.floor(world.startMs / MINUTE_MS) + 1) * MINUTE_MS - MINUTE_MS / 2);
}

function scheduleHour(world: World, hourMs: number): void {
  world.schedule.at(hourMs, () => {
    for (const market of world.markets) {
      if (market.perp !== null && market.perp.isDelisted !== true) payFunding(world, market);
    }
    payInterest(world);
    scheduleHour(world, hourMs + HOUR_MS);
  });
}

function scheduleSample(world: World, dueMs: number): void {
  world.schedule.at(dueMs, () => {
    for (const market of world.markets) {
      if (market.perp === null || market.perp.isDelisted === true) continue;
      market.premiums.push(premium(market));
      if (market.premiums.length > MAX_SAMPLES) market.premiums.shift();
    }
    // Between two moves of the markets every sample would be the same.
    scheduleSample(world, dueAgain(world.paces, dueMs, MINUTE_MS));
  });
}

/** (max(0, impact bid − oracle) − max(0, oracle − impact ask)) / oracle; the mark where the book is thin. */
export function premium(market: Market): bigint {
  const oracle = market.oraclePx;
  const notional = 20_000n * (TEN[8] as bigint);
  const bid = impactPx(market, false, notional);
  const ask = impactPx(market, true, notional);
  if (bid === null || ask === null) return ((markPx(market) - oracle) * SCALE) / oracle;
  return ((max(0n, bid - oracle) - max(0n, oracle - ask)) * SCALE) / oracle;
}

export function fundingRate(averagePremium: bigint): bigint {
  const rate = (averagePremium + max(-CLAMP, min(CLAMP, INTEREST - averagePremium))) / 8n;
  return max(-CAP, min(CAP, rate));
}

function payFunding(world: World, market: Market): void {
  const samples = market.premiums.splice(0);
  const average =
    samples.length === 0 ? premium(market) : samples.reduce((a, b) => a + b, 0n) / BigInt(samples.length);
  const rate = fundingRate(average);
  market.fundingRate = rate;
  market.fundingHistory.push({
    coin: market.coin,
    fundingRate: formatScaled(rate, 10),
    premium: formatScaled(average, 10),
    time: world.blockMs,
  });
  if (market.fundingHistory.length > MAX_HISTORY) market.fundingHistory.shift();
  for (const account of world.accounts.values()) {
    const dex = account.dexes.get(market.dex);
    const position = dex?.positions.get(market.coin);
    if (dex !== undefined && position !== undefined) pay(world, account, dex, position, rate);
  }
}

function pay(world: World, account: Account, dex: PerpDex, position: Position, rate: bigint): void {
  const { market, szi } = position;
  const usdc: Fixed = -truncate((mul(szi, market.oraclePx) * rate) / SCALE, 6);
  collect(world, 0, -usdc);
  if (position.isolatedUsd === null) dex.usd += usdc;
  else position.isolatedUsd += usdc;
  position.fundingSinceOpen -= usdc;
  position.fundingSinceChange -= usdc;
  account.fundingAllTime.set(market.coin, (account.fundingAllTime.get(market.coin) ?? 0n) - usdc);
  rebalance(account);
  touch(world, account);
  if (isQuiet(world, account)) return;
  const funding: JsonObject = {
    time: world.blockMs,
    coin: market.coin,
    usdc: format(usdc),
    szi: format(szi),
    fundingRate: formatScaled(rate, 10),
    nSamples: null,
  };
  keep(world, account.funding, funding);
  world.events.push({ type: "funding", user: account.user, funding });
}
