import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FailedParts } from "../../../../src/sync/account/failedParts.ts";

const NOW = 1_790_000_000_000;
const away = new Error("away");

describe("parts that failed", () => {
  it("are news the first time, and again once they were read", () => {
    const failed = new FailedParts();
    assert.deepEqual([failed.note("orders", away, NOW), failed.note("orders", away, NOW)], [true, false]);
    assert.deepEqual([failed.clear("orders"), failed.clear("orders")], [true, false]);
    assert.equal(failed.note("orders", away, NOW), true);
  });

  it("are asked for again after a pause that doubles up to ten minutes, each for itself", () => {
    const failed = new FailedParts();
    const pauses: number[] = [];
    for (let time = 0; time < 8; time++) {
      failed.note("funding", away, NOW);
      let pauseMs = 0;
      while (failed.due(NOW + pauseMs).length === 0) pauseMs += 5_000;
      pauses.push(pauseMs / 1_000);
    }
    assert.deepEqual(pauses, [15, 30, 60, 120, 240, 480, 600, 600]);
    failed.note("states", away, NOW);
    assert.deepEqual(failed.due(NOW + 15_000), ["states"]);
    failed.clear("funding");
    failed.note("funding", away, NOW);
    assert.deepEqual(failed.due(NOW + 15_000), ["states", "funding"]);
  });

  it("are listed with the last failure", () => {
    const failed = new FailedParts();
    const worse = new Error("worse");
    failed.note("ledger", away, NOW);
    failed.note("ledger", worse, NOW);
    assert.deepEqual(failed.list(), [{ part: "ledger", error: worse }]);
  });
});
