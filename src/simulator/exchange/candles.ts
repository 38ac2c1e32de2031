/**
 * Candles of every interval the venue serves, formed trade by trade. Guarantees: at most 5000 per interval (what the
 * venue keeps); buckets without trades repeat the last close with zero volume, so a series has no holes.
 */
import type { JsonObject } from "../contract.ts";
import { type Fixed, format } from "./fixed.ts";
import type { Candle, Market } from "./market.ts";

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

/** Length in ms; the month is by calendar and has none. */
const INTERVALS: Readonly<Record<string, number | null>> = {
  "1m": MINUTE,
  "3m": 3 * MINUTE,
  "5m": 5 * MINUTE,
  "15m": 15 * MINUTE,
  "30m": 30 * MINUTE,
  "1h": 60 * MINUTE,
  "2h": 120 * MINUTE,
  "4h": 240 * MINUTE,
  "8h": 480 * MINUTE,
  "12h": 720 * MINUTE,
  "1d": DAY,
  "3d": 3 * DAY,
  "1w": 7 * DAY,
  "1M": null,
};
const CANDLE_RETENTION = 5000;

function bucketOf(timeMs: number, lengthMs: number | null): { openMs: number; nextMs: number } {
  if (lengthMs !== null) {
    const openMs = timeMs - (timeMs % lengthMs);
    return { openMs, nextMs: openMs + lengthMs };
  }
  const date = new Date(timeMs);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  return { openMs: Date.UTC(year, month, 1), nextMs: Date.UTC(year, month + 1, 1) };
}

export function addToCandles(market: Market, px: Fixed, sz: Fixed, timeMs: number): void {
  for (const interval in INTERVALS) {
    let series = market.candles.get(interval);
    if (series === undefined) {
      series = [];
      market.candles.set(interval, series);
    }
    const last = series[series.length - 1];
    // Trades come in the order of time.
    if (last === undefined || timeMs >= last.nextMs) {
      const bucket = bucketOf(timeMs, INTERVALS[interval] as number | null);
      series.push({ ...bucket, open: px, close: px, high: px, low: px, volume: sz, trades: 1 });
      if (series.length > 2 * CANDLE_RETENTION) series.splice(0, CANDLE_RETENTION);
      continue;
    }
    last.close = px;
    if (px > last.high) last.high = px;
    if (px < last.low) last.low = px;
    last.volume += sz;
    last.trades++;
  }
}

const wire = (market: Market, interval: string, candle: Candle): JsonObject => ({
  t: candle.openMs,
  T: candle.nextMs - 1,
  s: market.coin,
  i: interval,
  o: format(candle.open),
  c: format(candle.close),
  h: format(candle.high),
  l: format(candle.low),
  v: format(candle.volume),
  n: candle.trades,
});

/** Candles whose bucket touches [fromMs, toMs], oldest first, the forming one last; null for an unknown interval. */
export function candleSnapshot(
  market: Market,
  interval: string,
  fromMs: number,
  toMs: number,
  nowMs: number,
): JsonObject[] | null {
  const length = Object.hasOwn(INTERVALS, interval) ? INTERVALS[interval] : undefined;
  if (length === undefined) return null;
  const series = market.candles.get(interval) ?? [];
  const out: JsonObject[] = [];
  const first = series[0];
  if (first === undefined) return out;
  // Older buckets are gone for the venue, also those that lie before the newest 5000 and were traded in.
  if (length !== null)
    fromMs = Math.max(fromMs, bucketOf(nowMs, length).openMs - (CANDLE_RETENTION - 1) * length);
  // The last candle at or before the window gives the price that empty buckets repeat.
  let at = Math.max(
    0,
    series.findLastIndex((candle) => candle.openMs <= fromMs),
  );
  let flat: Fixed = (series[at] as Candle).close;
  const endMs = Math.min(toMs, nowMs);
  const beginMs = Math.max((series[at] as Candle).openMs, bucketOf(fromMs, length).openMs);
  if (beginMs > (series[at] as Candle).openMs) at++;
  for (let openMs = beginMs; openMs <= endMs; ) {
    const { nextMs } = bucketOf(openMs, length);
    const real = series[at];
    let candle: Candle;
    if (real !== undefined && real.openMs === openMs) {
      candle = real;
      flat = real.close;
      at++;
    } else {
      const px = flat;
      candle = { openMs, nextMs, open: px, close: px, high: px, low: px, volume: 0n, trades: 0 };
    }
    if (nextMs > fromMs) out.push(wire(market, interval, candle));
    openMs = nextMs;
  }
  return out;
}
