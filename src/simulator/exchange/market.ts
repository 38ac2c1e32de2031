/**
 * One tradable market at run time: its listing, book, prices, volumes, trades and candles. Guarantees: the mark price
 * is the median of oracle, mid and last trade (oracle alone while the book is empty), so that a thin book cannot move
 * it far; candle and trade memory is bounded.
 */
import type { JsonObject } from "../contract.ts";
import { type Book, bestAsk, bestBid, emptyBook } from "./book.ts";
import { type Fixed, fixed, format, max, min, TEN, toTick } from "./fixed.ts";
import type { Order } from "./order.ts";
import type {
  DexListing,
  MarginTable,
  OutcomeListing,
  PerpListing,
  SpotListing,
  TokenListing,
  Universe,
} from "./universe.ts";

interface Tier {
  lowerBound: Fixed;
  maxLeverage: bigint;
  /** Maintenance deduction, so that margin is continuous over the bounds. */
  deduction: Fixed;
}

export interface Market {
  coin: string;
  /** Asset id of actions. */
  asset: number;
  /** Dex of a perp; "" for spot, which rides with the first dex. */
  dex: string;
  perp: (PerpListing & { tiers: Tier[] }) | null;
  spot: { listing: SpotListing; base: TokenListing; quote: TokenListing } | null;
  szDecimals: number;
  /** Most decimals a price may have. */
  pxDecimals: number;
  book: Book;
  oraclePx: Fixed;
  lastPx: Fixed | null;
  /** Premium of mark over oracle, ten decimals, sampled each minute of the running hour. */
  premiums: bigint[];
  /** Rate of the running hour, at ten decimals. */
  fundingRate: bigint;
  openInterest: Fixed;
  /** Newest last; at most 2 × RECENT_TRADES, then cut to RECENT_TRADES. */
  trades: JsonObject[];
  /** Delisted or settled: nothing trades any more. */
  halted: boolean;
  /** At its open interest cap: nothing may be opened. */
  atInterestCap: boolean;
  /** Untriggered trigger orders. */
  triggers: Set<Order>;
  hours: HourVolume[];
  fundingHistory: JsonObject[];
  candles: Map<string, Candle[]>;
}

interface HourVolume {
  hour: number;
  notional: Fixed;
  base: Fixed;
  open: Fixed;
}

export interface Candle {
  openMs: number;
  /** When the next one opens. */
  nextMs: number;
  open: Fixed;
  close: Fixed;
  high: Fixed;
  low: Fixed;
  volume: Fixed;
  trades: number;
}

const RECENT_TRADES = 100;
const HOUR_MS = 3_600_000;

/** Maintenance margin rate is half the initial one of the tier, less what the lower tiers already paid. */
function tiersOf(table: MarginTable | undefined, maxLeverage: number): Tier[] {
  const listed = table?.tiers ?? [{ lowerBound: "0.0", maxLeverage }];
  const tiers: Tier[] = [];
  for (const tier of listed) {
    const before = tiers[tiers.length - 1];
    const lowerBound = fixed(tier.lowerBound);
    const maxLev = BigInt(tier.maxLeverage);
    const deduction =
      before === undefined
        ? 0n
        : before.deduction + lowerBound / (2n * maxLev) - lowerBound / (2n * before.maxLeverage);
    tiers.push({ lowerBound, maxLeverage: maxLev, deduction });
  }
  return tiers;
}

export function tierAt(market: Market, notional: Fixed): Tier {
  const tiers = market.perp?.tiers as Tier[];
  let found = tiers[0] as Tier;
  for (const tier of tiers) if (notional >= tier.lowerBound) found = tier;
  return found;
}

/** Maintenance margin of a position worth `notional`; six decimals, truncated (capture: 10.68165 → 0.13352). */
export function maintenanceMargin(market: Market, notional: Fixed): Fixed {
  const tier = tierAt(market, notional);
  const exact = notional / (2n * tier.maxLeverage) - tier.deduction;
  return exact - (exact % 100n);
}

function bare(
  coin: string,
  asset: number,
  dex: string,
  szDecimals: number,
  pxDecimals: number,
  price: string,
): Market {
  return {
    coin,
    asset,
    dex,
    perp: null,
    spot: null,
    szDecimals,
    pxDecimals,
    book: emptyBook(),
    oraclePx: fixed(price),
    lastPx: null,
    premiums: [],
    fundingRate: 125_000n,
    openInterest: 0n,
    trades: [],
    halted: false,
    atInterestCap: false,
    triggers: new Set(),
    hours: [],
    fundingHistory: [],
    candles: new Map(),
  };
}

/** Perp dex `dexIndex` has ids from 100000 + 10000·dexIndex; the first dex starts at 0. */
const perpAsset = (dexIndex: number, index: number): number =>
  dexIndex === 0 ? index : 100_000 + dexIndex * 10_000 + index;

/** The perps of the dex at this index of the universe. */
export function listPerps(universe: Universe, dexIndex: number): Market[] {
  const dex = universe.dexes[dexIndex] as DexListing;
  return dex.perps.map((listing, index) => {
    const { name, szDecimals, price } = listing;
    const market = bare(name, perpAsset(dexIndex, index), dex.name, szDecimals, 6 - szDecimals, price);
    const table = universe.marginTables.find((t) => t.id === listing.marginTableId);
    market.halted = listing.isDelisted === true;
    market.perp = { ...listing, tiers: tiersOf(table, listing.maxLeverage) };
    return market;
  });
}

export function listMarkets(universe: Universe): Market[] {
  const markets = universe.dexes.flatMap((_, dexIndex) => listPerps(universe, dexIndex));
  const token = (index: number) => universe.tokens.find((t) => t.index === index) as TokenListing;
  for (const listing of universe.spot) {
    const base = token(listing.tokens[0]);
    const quote = token(listing.tokens[1]);
    const market = bare(
      listing.name,
      10_000 + listing.index,
      "",
      base.szDecimals,
      8 - base.szDecimals,
      listing.price,
    );
    market.spot = { listing, base, quote };
    markets.push(market);
  }
  for (const listing of universe.outcomes) markets.push(...outcomeMarkets(listing, token(0)));
  return markets;
}

/** Both sides of an outcome trade like a spot pair of a token worth between 0 and 1 of the quote. */
function outcomeMarkets(listing: OutcomeListing, quote: TokenListing): Market[] {
  return [0, 1].map((side) => {
    const id = 10 * listing.outcome + side;
    const market = bare(`#${id}`, 100_000_000 + id, "", 0, 8, "0.5");
    const base: TokenListing = {
      name: `+${id}`,
      index: 100_000_000 + id,
      szDecimals: 0,
      weiDecimals: 8,
      fullName: null,
      isCanonical: false,
      supply: "0",
    };
    const pair: SpotListing = {
      name: market.coin,
      index: id,
      tokens: [base.index, quote.index],
      isCanonical: false,
      price: "0.5",
    };
    market.spot = { listing: pair, base, quote };
    return market;
  });
}

export const isOutcome = (market: Market): boolean => market.coin.startsWith("#");

export function midPx(market: Market): Fixed | null {
  const bid = bestBid(market.book);
  const ask = bestAsk(market.book);
  return bid === undefined || ask === undefined ? null : (bid.px + ask.px) / 2n;
}

export function markPx(market: Market): Fixed {
  const mid = midPx(market);
  const { oraclePx, lastPx } = market;
  if (mid === null) return oraclePx;
  const third = lastPx ?? oraclePx;
  const median = max(min(mid, oraclePx), min(max(mid, oraclePx), third));
  return toTick(median, market.pxDecimals, false);
}

/** Price at which `notional` could be traded at once; null when the book is too thin. */
export function impactPx(market: Market, isBuy: boolean, notional: Fixed): Fixed | null {
  const levels = isBuy ? market.book.asks : market.book.bids;
  let cost = 0n;
  let size = 0n;
  for (let i = levels.length - 1; i >= 0; i--) {
    const level = levels[i];
    if (level === undefined) break;
    for (const order of level.orders) {
      const worth = (level.px * order.remaining) / TEN[8]!;
      if (cost + worth >= notional) {
        size += ((notional - cost) * TEN[8]!) / level.px;
        const px = (notional * TEN[8]!) / size;
        return toTick(px, market.pxDecimals, isBuy);
      }
      cost += worth;
      size += order.remaining;
    }
  }
  return null;
}

/** Adds a trade to the last price, the volumes and the recent list. */
export function recordTrade(market: Market, px: Fixed, sz: Fixed, timeMs: number, trade: JsonObject): void {
  const hour = Math.floor(timeMs / HOUR_MS);
  let bucket = market.hours[market.hours.length - 1];
  if (bucket === undefined || bucket.hour !== hour) {
    bucket = { hour, notional: 0n, base: 0n, open: market.lastPx ?? px };
    market.hours.push(bucket);
    // A day and an hour of buckets answer "24 h volume" and "price a day ago".
    while ((market.hours[0] as HourVolume).hour < hour - 25) market.hours.shift();
  }
  bucket.notional += (px * sz) / TEN[8]!;
  bucket.base += sz;
  market.lastPx = px;
  market.trades.push(trade);
  if (market.trades.length > 2 * RECENT_TRADES) market.trades.splice(0, RECENT_TRADES);
}

export function dayVolume(market: Market, nowMs: number): { notional: Fixed; base: Fixed; prevDayPx: Fixed } {
  const since = Math.floor(nowMs / HOUR_MS) - 24;
  let notional = 0n;
  let base = 0n;
  let prevDayPx: Fixed | null = null;
  for (const bucket of market.hours) {
    if (bucket.hour <= since) continue;
    prevDayPx ??= bucket.open;
    notional += bucket.notional;
    base += bucket.base;
  }
  return { notional, base, prevDayPx: prevDayPx ?? market.lastPx ?? market.oraclePx };
}

export const formatOrNull = (px: Fixed | null): string | null => (px === null ? null : format(px));
