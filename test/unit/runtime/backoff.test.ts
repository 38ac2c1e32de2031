import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fullJitterMs } from "../../../src/runtime/backoff.ts";
import { seededRandom } from "../../../src/runtime/random.ts";

const LIMITS = { baseMs: 250, capMs: 30_000 };

describe("a back-off with full jitter", () => {
  it("draws from the whole range below the bound", () => {
    const random = seededRandom(7);
    const waits = Array.from({ length: 2_000 }, () => fullJitterMs(random, 3, LIMITS));
    assert.ok(Math.min(...waits) < 20 && Math.max(...waits) > 1_980);
    const mean = waits.reduce((a, b) => a + b, 0) / waits.length;
    assert.ok(Math.abs(mean - 1_000) < 50, `mean ${mean}`);
  });

  it("never waits longer than the cap, after however many failures", () => {
    const most = { next: () => 1 - Number.EPSILON };
    for (const failures of [7, 30, 31, 100_000]) assert.equal(fullJitterMs(most, failures, LIMITS), 29_999);
  });
});
