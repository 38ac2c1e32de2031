/**
 * Money of the days before today, which changes seldom and is read by range, and of today, which is in the overview and
 * comes once a second. Pure. Guarantees: today is in every sum exactly once, and as the overview has it.
 */

import { compare, negate, sum, toNumber, trim } from "./decimal.ts";
import { day, signed } from "./format.ts";
import type { Row } from "./model.ts";
import { dayAfter, dayAt, dayStart } from "./zone.ts";

/** When the day begins that lies so many days before the one that begins at `startMs`; the beginning, where it is not a number. */
export const daysBefore = (startMs: number, count: number): number =>
  Number.isFinite(count) ? dayStart(dayAfter(dayAt(startMs), -count)) : 0;

/** Of an answer that does not reach back as far as was asked; null for one that does. */
export const shortWords = (answer: Row | null): string | null =>
  answer?.is_whole === false
    ? `only since ${day(answer.since_ms)}: older fills are too many for a page`
    : null;

const SUMS = ["volume", "closed_pnl", "fees", "funding", "net_pnl"] as const;
const COUNTS = ["fills", "unpriced_fees"] as const;

/** Rows by coin with today's added. `past`: Rows of `/api/pnl?by=coin`. */
export function addDay(past: Row[], overview: Row | null): Row[] {
  const known = new Map(past.map((row) => [row.coin, row]));
  for (const row of overview?.day_coins ?? []) {
    const before = known.get(row.coin);
    known.set(row.coin, before ? { ...before, ...totalOf([before, row]) } : row);
  }
  return [...known.values()];
}

/**
 * The coins that made or lost most, and all others as one row: at most `count`, and none left out of the sum.
 */
export function largest(rows: Row[], count: number): Row[] {
  const size = ({ net_pnl }: Row) => (net_pnl.startsWith("-") ? net_pnl.slice(1) : net_pnl);
  const sorted = rows.toSorted((a, b) => compare(size(b), size(a)));
  if (sorted.length <= count) return sorted;
  const others = sorted.slice(count - 1);
  return [...sorted.slice(0, count - 1), { ...totalOf(others), coin: `${others.length} others` }];
}

/** The sums of rows of money, by coin or by day. */
export const totalOf = (rows: Row[]): Row => ({
  ...Object.fromEntries(SUMS.map((name) => [name, trim(sum(rows.map((row) => row[name])))])),
  ...Object.fromEntries(COUNTS.map((name) => [name, rows.reduce((total, row) => total + row[name], 0)])),
});

/** Rows by day with today's behind them, unless nothing happened today. `past`: Rows of `/api/pnl?by=day`. */
export function daysWith(past: Row[], overview: Row | null): Row[] {
  if (!overview || (overview.day_coins ?? []).length === 0) return past;
  const day = dayAt(overview.day_start_ms);
  const today = {
    day,
    fills: overview.day_fills,
    volume: overview.day_volume,
    closed_pnl: overview.day_gross,
    fees: overview.day_fees,
    funding: overview.day_funding,
    net_pnl: overview.day_net,
    unpriced_fees: overview.day_unpriced_fees,
  };
  return [...past.filter((row) => row.day !== day), today];
}

/** What was made and what of it was left, as bars: gross, fees, funding, net; none without sums. */
export function profitSteps(sums: Row | null) {
  if (sums === null) return [];
  const steps = [
    ["Gross", sums.closed_pnl, "Closed PnL, before fees"],
    ["Fees", negate(sums.fees), "Builder fees inside; positive is a rebate"],
    ["Funding", sums.funding, "Negative was paid"],
    ["Net", sums.net_pnl, "Gross − fees + funding"],
  ] as const;
  return steps.map(([name, value, note]) => ({
    key: name,
    name,
    value: toNumber(value),
    text: signed(value),
    note,
  }));
}
