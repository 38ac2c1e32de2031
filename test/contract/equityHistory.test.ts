/**
 * The whole known history: the venue's own curve before the first snapshot and what was measured after it, against a plain
 * count over all points.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readDrawdown, readEquity, readPortfolio, readStatistics } from "../../src/outputs/http/reads.ts";
import { type Random, seededRandom } from "../../src/runtime/random.ts";
import { useDatabase } from "../support/postgres.ts";
import { ACCOUNT, dashboardOf } from "./rows.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** When measuring begins. */
const START = Date.UTC(2026, 5, 10, 9, 20);

interface Point {
  ms: number;
  value: number;
  profit: number;
}

/** A walk of values, whole cents, to `value` and `profit`; `steps` apart. */
function walk(random: Random, from: Point, steps: readonly number[], drift: number): Point[] {
  let at = from;
  return steps.map((step) => {
    const earned = Math.round((random.next() - 0.5 + drift) * 60_000) / 100;
    at = { ms: at.ms + step, value: at.value + earned, profit: at.profit + earned };
    return at;
  });
}

/** Drawdown of every point from the highest profit before it, in USD and percent. */
function falls(points: readonly Point[]): { ms: number; usd: number; pct: number }[] {
  let peak = Number.NEGATIVE_INFINITY;
  return points.map(({ ms, value, profit }) => {
    peak = Math.max(peak, profit);
    return { ms, usd: peak - profit, pct: (100 * (peak - profit)) / (value + peak - profit) };
  });
}

/** Sharpe and Sortino by the days' closes; a return of n days is n days' worth. */
function ratios(points: readonly Point[]): { sharpe: number; sortino: number; mean: number } {
  const closes = [...new Map(points.map((point) => [Math.floor(point.ms / DAY), point]))];
  const steps = closes.slice(1).map(([day, { profit }], index) => {
    const [before, opened] = closes[index]!;
    return { days: day - before, made: (100 * (profit - opened.profit)) / opened.value };
  });
  const sum = (of: (step: (typeof steps)[number]) => number) =>
    steps.reduce((all, step) => all + of(step), 0);
  const mean = sum(({ made }) => made) / sum(({ days }) => days);
  const deviation = Math.sqrt(sum(({ made, days }) => (made - mean * days) ** 2 / days) / (steps.length - 1));
  const downside = Math.sqrt(sum(({ made, days }) => Math.min(made, 0) ** 2 / days) / steps.length);
  const year = Math.sqrt(365);
  return { sharpe: (year * mean) / deviation, sortino: (year * mean) / downside, mean };
}

const near = (told: unknown, counted: number, what: string) =>
  assert.ok(
    Math.abs(Number(told) - counted) <= 1e-4 * Math.max(1, Math.abs(counted)),
    `${what}: ${told} ≠ ${counted}`,
  );

describe("the whole known history", () => {
  const db = useDatabase("each");
  const put = (points: readonly Point[]) =>
    db.store.apply({
      dashboard: points.map(({ ms, value }) =>
        dashboardOf({ asOfMs: ms, accountValue: value.toFixed(2), netWorth: value.toFixed(2) }),
      ),
    });
  const putCurve = (points: readonly Point[], scope: "all" | "perp" = "all") =>
    db.store.apply({
      portfolio: points.map(({ ms, value, profit }) => ({
        ...{ account: ACCOUNT, scope, timeMs: ms, accountValue: value.toFixed(2), pnl: profit.toFixed(2) },
      })),
    });

  for (const [seed, drift, name] of [
    [3, -0.04, "begun below the peak of the curve and never above it again"],
    [4, 0.1, "risen above the peak of the curve"],
    [5, 0, "neither"],
  ] as const)
    it(`is counted as one: ${name}`, async () => {
      const random = seededRandom(seed);
      await db.store.openAccount(ACCOUNT, "main", START);
      const first: Point = { ms: START - 70 * DAY - 3 * HOUR, value: 20_000, profit: 0 };
      // A point a week, then a day, then an hour; the last ones of the day on which measuring begins.
      const steps = [
        ...Array<number>(5).fill(7 * DAY),
        ...Array<number>(34).fill(DAY),
        ...Array<number>(20).fill(HOUR),
      ];
      const curve = [first, ...walk(random, first, steps, 0.05)];
      const last = curve.at(-1)!;
      assert.ok(last.ms < START);
      const start = { ...last, ms: START };
      const measured = [start, ...walk(random, start, Array<number>(240).fill(HOUR / 2), drift)];
      await put(measured);
      await putCurve(curve);
      // What the venue tells of the time that was measured, and of the perps alone, counts for nothing.
      await putCurve([{ ms: START + DAY + 1, value: 1, profit: 1_000_000 }]);
      await putCurve([{ ms: START - DAY + 1, value: 1, profit: 1_000_000 }], "perp");

      const whole = [...curve, ...measured];
      const fallen = falls(whole);
      const { history } = (await readStatistics(db.database, ACCOUNT))! as {
        history: Record<string, unknown>;
      };
      const deepest = Math.max(...fallen.map(({ usd }) => usd));
      near(history.max_drawdown, deepest, "deepest");
      near(history.max_drawdown_pct, Math.max(...fallen.map(({ pct }) => pct)), "deepest in percent");
      const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
      assert.equal(history.since_day, day(first.ms));
      assert.equal(history.drawdown_trough_day, day(fallen.find(({ usd }) => usd > deepest - 0.001)!.ms));
      const counted = ratios(whole);
      near(history.sharpe, counted.sharpe, "sharpe");
      near(history.sortino, counted.sortino, "sortino");
      near(history.calmar, (365 * counted.mean) / Number(history.max_drawdown_pct), "calmar");

      const now = (await readDrawdown(db.database, ACCOUNT))!;
      near(now.drawdown, fallen.at(-1)!.usd, "now");
      near(now.drawdown_pct, fallen.at(-1)!.pct, "now in percent");
      const ends = [START, measured.at(-1)!.ms] as const;
      const before = now.fallen_before as string;
      // Short parts read snapshots, long ones stretches.
      for (const points of [9_000, 20]) {
        const rows = await readEquity(db.database, ACCOUNT, ...ends, points, before);
        assert.ok(rows.length > 15);
        for (const row of rows)
          near(row.drawdown_pct, fallen.findLast(({ ms }) => ms === row.as_of_ms)!.pct, `at ${row.as_of_ms}`);
      }
      const { rows } = await readPortfolio(db.database, ACCOUNT, "all", first.ms, START - 1);
      assert.equal(rows.length, curve.length);
      for (const row of rows)
        near(row.drawdown_pct, fallen.find(({ ms }) => ms === row.time_ms)!.pct, "the curve's");
    });

  it("is the curve alone before anything was measured, and says nothing of an account without either", async () => {
    await db.store.openAccount(ACCOUNT, "main", START);
    assert.deepEqual((await readStatistics(db.database, ACCOUNT))!.history, {
      ...{
        account_address: ACCOUNT,
        since_day: null,
        imported_until_day: null,
        steps: 0,
        days: null,
        sharpe: null,
      },
      ...{ sortino: null, calmar: null, max_drawdown: null, max_drawdown_pct: null, drawdown_peak_day: null },
      ...{ drawdown_trough_day: null, ratios_reason: "fewer than two days have a return" },
    });
    const point = (day: number, value: number, profit: number) => ({ ms: START + day * DAY, value, profit });
    await putCurve([point(0, 1_000, 0), point(1, 1_100, 100), point(3, 1_045, 45), point(4, 1_045, 45)]);
    const { history } = (await readStatistics(db.database, ACCOUNT))! as { history: Record<string, unknown> };
    assert.deepEqual(
      [
        history.steps,
        history.days,
        history.max_drawdown,
        history.max_drawdown_pct,
        history.imported_until_day,
      ],
      [3, 4, "55", "5", "2026-06-14"],
    );
    assert.deepEqual([history.drawdown_peak_day, history.drawdown_trough_day], ["2026-06-11", "2026-06-13"]);
  });
});
