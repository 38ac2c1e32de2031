/**
 * What trading came to, put together for charts and cards. Pure. Guarantees: money is added as decimals, so that a sum is
 * what SQL says; a day without trading is a day with nothing, not a hole.
 */
import { totalOf } from "./day.ts";
import { sum, toNumber, trim } from "./decimal.ts";
import type { Row } from "./model.ts";
import { dayAfter, dayStart } from "./zone.ts";

const DAY_MS = 86_400_000;
/** Days are drawn up to this many; a longer history begins later. */
const DAYS_MAX = 4_000;

export type Step = "day" | "week" | "month";

/** The first day of the step that a day lies in: weeks begin on Monday. */
export function stepOf(day: string, step: Step): string {
  if (step === "day") return day;
  if (step === "month") return `${day.slice(0, 7)}-01`;
  const ms = Date.parse(day);
  const sinceMonday = (new Date(ms).getUTCDay() + 6) % 7;
  return new Date(ms - sinceMonday * DAY_MS).toISOString().slice(0, 10);
}

/** Money of steps, ascending, those in which nothing happened left out. `days`: Rows of `/api/pnl?by=day`. */
export function bySteps(days: Row[], step: Step): Row[] {
  const found = new Map<string, Row[]>();
  for (const row of days) {
    const key = stepOf(row.day, step);
    found.set(key, [...(found.get(key) ?? []), row]);
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, rows]) => ({ key, ...totalOf(rows) }));
}

/** Profit so far at the end of each day, from the first day to the last; `net` and `gross` of fees and funding. */
export function cumulative(days: Row[], lastDay: string): { ms: number; net: string; gross: string }[] {
  if (days.length === 0) return [];
  const known = new Map(days.map((row) => [row.day, row]));
  const earliest = dayAfter(lastDay, -DAYS_MAX);
  const first = days[0].day > earliest ? days[0].day : earliest;
  const points = [{ ms: dayStart(first), net: "0", gross: "0" }];
  for (let day = first; day <= lastDay; day = dayAfter(day, 1)) {
    const row = known.get(day);
    const { net, gross } = points.at(-1)!;
    points.push({
      ms: dayStart(dayAfter(day, 1)),
      net: row ? trim(sum([net, row.net_pnl])) : net,
      gross: row ? trim(sum([gross, row.closed_pnl])) : gross,
    });
  }
  return points;
}

export interface Bin {
  from: number;
  to: number;
  count: number;
}

/**
 * How many values lie in each of about `count` equally wide ranges. Zero is always an end of one: none holds wins and
 * losses. A value on an end belongs to the range away from zero.
 */
export function distribution(values: string[], count: number): Bin[] {
  if (values.length === 0) return [];
  const numbers = values.map(toNumber);
  const [least, most] = [Math.min(0, ...numbers), Math.max(0, ...numbers)];
  const width = niceWidth((most - least) / count || 1);
  const place = (value: number) =>
    value < 0 ? Math.ceil(value / width - 1e-9) - 1 : Math.floor(value / width + 1e-9);
  const [first, last] = [Math.min(...numbers.map(place)), Math.max(...numbers.map(place))];
  const bins = Array.from({ length: last - first + 1 }, (_, index) => ({
    from: (first + index) * width,
    to: (first + index + 1) * width,
    count: 0,
  }));
  for (const value of numbers) bins[place(value) - first].count += 1;
  return bins;
}

/** 1, 2 or 5 times a power of ten. */
function niceWidth(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return ([1, 2, 5].find((part) => part * power >= rough * 0.999) ?? 10) * power;
}
