import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { statusOf } from "../../../src/sync/healthScore.ts";
import type { DashboardRow } from "../../../src/sync/rows.ts";
import { riskMoved, SnapshotPace, worstRatio } from "../../../src/sync/snapshotPace.ts";

const START = 1_790_000_000_000;
const OPTIONS = { dashboardMs: 60_000, dashboardAfterFillMs: 5_000, dashboardRiskMs: 3_000 };
const DAY_MS = 86_400_000;

/** A snapshot of which only time and risk matter here. */
function snapshot(asOfMs: number, score: number | null, ratio = "0.1", threshold = "1"): DashboardRow {
  return {
    asOfMs,
    healthScore: score,
    healthStatus: statusOf(score),
    healthComponents: {
      margin_points: score === null ? null : 50,
      pools: [
        { pool: "cross", ratio, threshold },
        { pool: "isolated BTC", ratio: "0.01", threshold: "1" },
      ],
    },
  } as unknown as DashboardRow;
}

test("the worst pool decides, each against its own threshold", () => {
  assert.equal(worstRatio(snapshot(1, 50, "0.475", "0.95")), 0.5);
  assert.equal(worstRatio(snapshot(1, 50, "infinite")), Number.POSITIVE_INFINITY);
  assert.equal(worstRatio(snapshot(1, null)), null);
  assert.equal(worstRatio({ healthComponents: null }), null);
  assert.equal(worstRatio({ healthComponents: { margin_points: 100, pools: [] } }), 0);
});

test("a worse status, five points, two hundredths of the ratio and what becomes unknown or known are worth a row", () => {
  const before = snapshot(1, 80, "0.1");
  assert.equal(riskMoved(before, snapshot(2, 79)), "worse");
  assert.equal(riskMoved(before, snapshot(2, null)), "worse");
  assert.equal(riskMoved(before, snapshot(2, 85)), "moved");
  assert.equal(riskMoved(before, snapshot(2, 80, "0.12")), "moved");
  assert.equal(riskMoved(before, snapshot(2, 80, "infinite")), "moved");
  assert.equal(riskMoved(before, snapshot(2, 84, "0.119")), null);
  assert.equal(riskMoved(snapshot(1, null), snapshot(2, 90)), "moved");
  assert.equal(riskMoved(snapshot(1, null), snapshot(2, null)), null);
  assert.equal(riskMoved(snapshot(1, 0, "infinite"), snapshot(2, 0, "infinite")), null);
  // One point up, over the border: the score may tremble there for hours.
  assert.equal(riskMoved(snapshot(1, 79), snapshot(2, 80)), null);
});

test("a row that is not newer than the last one is not written for its risk: only the first of one time is kept", () => {
  const pace = new SnapshotPace(OPTIONS);
  assert.equal(pace.isWorthIt(START, snapshot(START, 80)), false, "the first row is a regular one");
  pace.noteWritten(START, snapshot(START, 80));
  assert.equal(pace.mayBeEarly(START + 2_999), false);
  assert.equal(pace.mayBeEarly(START + 3_000), true);
  assert.equal(pace.isWorthIt(START + 3_000, snapshot(START, 20)), false);
  assert.equal(pace.isWorthIt(START + 3_000, snapshot(START + 1, 20)), true);
});

/** A day with a state every five seconds, as the venue pushes them; what was written of it. */
function day(scoreAt: (push: number) => number | null): { rows: DashboardRow[] } {
  const pace = new SnapshotPace(OPTIONS);
  const rows: DashboardRow[] = [];
  for (let push = 0; push * 5_000 < DAY_MS; push++) {
    const nowMs = START + push * 5_000;
    const row = snapshot(nowMs, scoreAt(push));
    const due = pace.isDue(nowMs, false);
    if (!due && !(pace.mayBeEarly(nowMs) && pace.isWorthIt(nowMs, row))) continue;
    pace.noteWritten(nowMs, row);
    rows.push(row);
  }
  return { rows };
}

test("a quiet day has one row a minute, a trembling one at most two, the wildest three and a burst", () => {
  assert.equal(day((push) => 90 + (push % 5)).rows.length, 1440);
  const trembling = day((push) => 79 + (push % 2)).rows.length;
  assert.ok(trembling <= 2 * 1440, String(trembling));
  const wild = day((push) => (push % 2 === 0 ? 95 : 2)).rows.length;
  assert.ok(wild > 2 * 1440 && wild <= 3 * 1440 + 60, String(wild));
});

test("whatever the score does, a worse status is written within one push of it, even when nothing is left to spend", () => {
  fc.assert(
    fc.property(
      fc.array(fc.option(fc.integer({ min: 0, max: 100 }), { freq: 8 }), { minLength: 50, maxLength: 500 }),
      (scores) => {
        const pace = new SnapshotPace(OPTIONS);
        let last: DashboardRow | null = null;
        for (const [push, score] of scores.entries()) {
          const nowMs = START + push * 5_000;
          const row = snapshot(nowMs, score);
          if (pace.isDue(nowMs, false) || (pace.mayBeEarly(nowMs) && pace.isWorthIt(nowMs, row))) {
            pace.noteWritten(nowMs, row);
            last = row;
          }
          assert.notEqual(riskMoved(last!, row), "worse");
        }
      },
    ),
    { numRuns: 200 },
  );
});
