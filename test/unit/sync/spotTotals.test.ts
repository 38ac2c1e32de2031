import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { NEAR_MS, SpotTotals } from "../../../src/sync/spotTotals.ts";

const T0 = 1_790_000_000_000;

describe("totals of a spot token", () => {
  it("agree with the fills between them, less fees, to the last digits", () => {
    const totals = new SpotTotals();
    totals.noteTotal("HYPE", "10", T0);
    totals.noteMove("HYPE", "a", T0 + 20_000, "1.99860001");
    totals.noteTotal("HYPE", "11.9986", T0 + 40_000);
    assert.equal(totals.difference("HYPE"), null);
  });

  it("show a fill that is lost among others of the token, between the states that disagree", () => {
    const totals = new SpotTotals();
    totals.noteTotal("HYPE", "10", T0);
    totals.noteMove("HYPE", "a", T0 + 20_000, "1");
    // One more of 2 was bought.
    totals.noteTotal("HYPE", "13", T0 + 40_000);
    const difference = { fromMs: T0 - NEAR_MS, toMs: T0 + 40_000 + NEAR_MS, moved: "2" };
    assert.deepEqual(totals.difference("HYPE"), difference);
    totals.noteTotal("HYPE", "13", T0 + 50_000);
    assert.deepEqual(totals.difference("HYPE"), { ...difference, toMs: T0 + 50_000 + NEAR_MS });
    // Merely late.
    totals.noteMove("HYPE", "b", T0 + 21_000, "2");
    assert.equal(totals.difference("HYPE"), null);
  });

  it("are believed as they are after a border, and when a difference was let go", () => {
    for (const end of ["border", "letGo"]) {
      const totals = new SpotTotals();
      totals.noteTotal("HYPE", "10", T0);
      totals.noteTotal("HYPE", "25", T0 + 20_000);
      assert.notEqual(totals.difference("HYPE"), null);
      if (end === "border") totals.noteBorder(null, T0 + 10_000);
      else totals.letGo("HYPE");
      assert.equal(totals.difference("HYPE"), null, end);
      totals.noteMove("HYPE", "a", T0 + 40_000, "-5");
      totals.noteTotal("HYPE", "20", T0 + 60_000);
      assert.equal(totals.difference("HYPE"), null, end);
      totals.noteTotal("HYPE", "21", T0 + 80_000);
      assert.equal(totals.difference("HYPE")?.moved, "1", end);
    }
  });

  /** Fills every so often, states that tell the total as it was up to 4 s before, and each fill heard of at once or late. */
  const course = fc.record({
    fills: fc.array(
      fc.record({
        afterMs: fc.integer({ min: 50, max: 9_000 }),
        size: fc.integer({ min: -5, max: 5 }).filter((n) => n !== 0),
      }),
      { minLength: 1, maxLength: 40 },
    ),
    lateMs: fc.array(fc.integer({ min: 0, max: 4_000 }), { minLength: 1, maxLength: 7 }),
    heardLateMs: fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 5 }),
  });

  function play(
    { fills, lateMs, heardLateMs }: typeof course extends fc.Arbitrary<infer T> ? T : never,
    lost: number | null,
  ) {
    let atMs = T0;
    const made = fills.map(({ afterMs, size }, index) => {
      atMs += afterMs;
      return {
        timeMs: atMs,
        size,
        key: String(index),
        heardMs: atMs + heardLateMs[index % heardLateMs.length]!,
      };
    });
    const totals = new SpotTotals();
    const heard = made.filter((_, index) => index !== lost).sort((a, b) => a.heardMs - b.heardMs);
    let ending = 0;
    for (let nowMs = T0; nowMs < atMs + 40_000; nowMs += 5_000) {
      while (heard[0] !== undefined && heard[0].heardMs <= nowMs) {
        const { key, timeMs, size } = heard.shift()!;
        totals.noteMove("X", key, timeMs, String(size));
      }
      const toldMs = nowMs - lateMs[ending % lateMs.length]!;
      ending += 1;
      const total = made
        .filter(({ timeMs }) => timeMs <= toldMs)
        .reduce((sum, { size }) => sum + size, 1_000);
      totals.noteTotal("X", String(total), nowMs);
    }
    return totals.difference("X");
  }

  it("never disagree while nothing is lost, whatever comes late", () => {
    fc.assert(
      fc.property(course, (one) => assert.equal(play(one, null), null)),
      { numRuns: 2_000 },
    );
  });

  it("disagree once a fill of a size of its own is lost, which happened after the first state", () => {
    fc.assert(
      fc.property(course, fc.nat(), (one, pick) => {
        const lost = pick % one.fills.length;
        // No sum of others makes this size, and two states before it and after it are among those that are kept.
        const fills = one.fills
          .map((fill, index) => (index === lost ? { ...fill, size: 1_000 } : fill))
          .slice(0, lost + 1);
        fills[lost] = { ...fills[lost]!, afterMs: fills[lost]!.afterMs + 20_000 };
        const { heardLateMs, lateMs } = one;
        assert.equal(play({ fills, heardLateMs, lateMs }, lost)?.moved, "1000");
      }),
      { numRuns: 2_000 },
    );
  });
});
