import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ACCOUNT_DEFAULTS } from "../../../../src/sync/account/account.ts";
import { Snapshots } from "../../../../src/sync/account/snapshots.ts";
import type { HealthWatch, WatchedStates } from "../../../../src/sync/healthWatch.ts";
import type { DashboardRow } from "../../../../src/sync/rows.ts";
import { HandClock } from "../../connection/handClock.ts";
import { NOW } from "./rig.ts";

/** Snapshots over a health that is set by hand. */
function snapshots() {
  const clock = new HandClock(NOW);
  const is = { unpriced: false, stale: false, lacking: false, score: 90, refreshed: 0 };
  const row = () =>
    ({
      asOfMs: clock.now(),
      healthScore: is.score,
      healthStatus: is.score > 50 ? "good" : "critical",
      healthComponents: null,
      netWorth: "1",
    }) as unknown as DashboardRow;
  let answer = () => {};
  const health = {
    isUnpriced: () => is.unpriced,
    isStale: () => is.stale,
    lacks: () => is.lacking,
    row,
    refresh: () => {
      is.refreshed += 1;
      return new Promise<void>((resolve) => {
        answer = resolve;
      });
    },
  } as unknown as HealthWatch;
  const watched = () => ({}) as WatchedStates;
  const made = new Snapshots({ clock, health, options: ACCOUNT_DEFAULTS, watched });
  const isDue = (now = false, afterFill = false) => made.due(now, afterFill).dashboard?.length === 1;
  return { made, clock, is, isDue, answer: () => answer() };
}

describe("an account snapshot", () => {
  it("is made of nothing before all states were read once", () => {
    const { made, isDue } = snapshots();
    assert.deepEqual([isDue(true), made.look()], [false, null]);
    made.noteComplete();
    assert.equal(isDue(), true);
    assert.ok(made.look());
  });

  it("is due at its pace, sooner after a fill, and at once when it is asked for", async () => {
    const { made, clock, isDue } = snapshots();
    made.noteComplete();
    isDue();
    assert.deepEqual([isDue(), isDue(false, true), isDue(true)], [false, false, true]);
    await clock.advance(ACCOUNT_DEFAULTS.dashboardAfterFillMs);
    assert.deepEqual([isDue(), isDue(false, true)], [false, true]);
    await clock.advance(ACCOUNT_DEFAULTS.dashboardMs);
    assert.equal(isDue(), true);
  });

  it("is due before its time when something came that risk rests on, and risk has moved", async () => {
    const { made, clock, is, isDue } = snapshots();
    made.noteComplete();
    isDue();
    await clock.advance(ACCOUNT_DEFAULTS.dashboardRiskMs);
    is.score = 20;
    assert.equal(isDue(), false, "nothing came");
    made.noteRisk();
    assert.equal(isDue(), true);
    await clock.advance(ACCOUNT_DEFAULTS.dashboardRiskMs);
    made.noteRisk();
    assert.equal(isDue(), false, "nothing has moved");
  });

  it("is due at once when the states age, and when they are fresh again", () => {
    const { made, is, isDue } = snapshots();
    made.noteComplete();
    isDue();
    for (const stale of [true, false]) {
      is.stale = stale;
      assert.deepEqual([isDue(), isDue()], [true, false]);
    }
  });

  it("is not made while a part of the equity has no price, which is learned meanwhile", () => {
    const { made, is, isDue } = snapshots();
    made.noteComplete();
    is.unpriced = true;
    assert.deepEqual([isDue(true), is.refreshed], [false, 0]);
    made.noteReading(new AbortController().signal);
    assert.deepEqual([isDue(true), is.refreshed], [false, 1]);
  });

  it("waits for what the score lacks, but not for long", async () => {
    const { made, clock, is, answer } = snapshots();
    const { signal } = new AbortController();
    await made.learn(signal);
    assert.equal(is.refreshed, 0, "nothing is lacking");
    is.lacking = true;
    for (const isAnswered of [true, false]) {
      let isOver = false;
      const learning = made.learn(signal).then(() => {
        isOver = true;
      });
      await clock.advance(2_999);
      assert.equal(isOver, false);
      if (isAnswered) answer();
      await clock.advance(1);
      await learning;
      assert.equal(clock.timers, 0);
    }
  });
});
