import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Backoff, ConnectionLimiter } from "../../../src/connection/backoff.ts";
import { seededRandom } from "../../../src/runtime/random.ts";

const T0 = 1_790_000_000_000;
/** Draws the largest number there is: waits are at their upper bound. */
const most = { next: () => 1 - Number.EPSILON };
const OPTIONS = { baseMs: 250, capMs: 30_000, stableMs: 30_000 };

describe("Backoff", () => {
  it("doubles its bound from a quarter second to the cap", () => {
    const backoff = new Backoff(most, OPTIONS);
    const waits = Array.from({ length: 9 }, () => backoff.nextMs(0));
    assert.deepEqual(waits, [249, 499, 999, 1_999, 3_999, 7_999, 15_999, 29_999, 29_999]);
  });

  it("is fast again only after a connection that was stable", () => {
    const backoff = new Backoff(most, OPTIONS);
    for (let i = 0; i < 5; i++) backoff.nextMs(0);
    assert.equal(backoff.nextMs(29_999), 7_999, "29.999 s are not stable");
    assert.equal(backoff.nextMs(30_000), 249);
    assert.equal(backoff.nextMs(0), 499);
  });

  it("puts its jitter on top of a wait that the venue asked for", () => {
    assert.equal(new Backoff(most, OPTIONS).nextMs(0, 10_000), 10_249);
  });
});

describe("ConnectionLimiter", () => {
  it("lets connections start at once while there is room, then spreads them", () => {
    const limiter = new ConnectionLimiter(3, 60_000);
    const starts = [0, 0, 10, 10, 10, 10].map((ms) => limiter.book(T0 + ms) - T0);
    assert.deepEqual(starts, [0, 0, 10, 60_000, 60_000, 60_010]);
  });

  it("never books more than the limit into any window, for whatever is asked", () => {
    const random = seededRandom(11);
    const limiter = new ConnectionLimiter(30, 60_000);
    let nowMs = T0;
    const starts: number[] = [];
    for (let i = 0; i < 2_000; i++) {
      nowMs += random.next() < 0.1 ? random.next() * 40_000 : random.next() * 500;
      const wantedMs = nowMs + random.next() * 30_000;
      const startMs = limiter.book(wantedMs);
      assert.ok(startMs >= wantedMs);
      starts.push(startMs);
    }
    starts.sort((a, b) => a - b);
    for (let i = 30; i < starts.length; i++) {
      assert.ok(starts[i]! - starts[i - 30]! >= 60_000, `31 starts in ${starts[i]! - starts[i - 30]!} ms`);
    }
  });

  it("allows one connection fewer per minute than the venue, by default", () => {
    const limiter = new ConnectionLimiter();
    const starts = Array.from({ length: 30 }, () => limiter.book(T0) - T0);
    assert.equal(starts[28], 0);
    assert.equal(starts[29], 60_000);
  });

  it("keeps a smaller limit from when it is told, with what was spent before, and a greater one again", () => {
    const limiter = new ConnectionLimiter(4, 60_000);
    for (let i = 0; i < 3; i++) assert.equal(limiter.book(T0), T0);
    assert.deepEqual([limiter.spent(T0), limiter.spent(T0 + 59_999), limiter.spent(T0 + 60_000)], [3, 3, 0]);
    limiter.setLimit(2);
    assert.deepEqual([limiter.book(T0 + 1), limiter.book(T0 + 1)], [T0 + 60_000, T0 + 60_000]);
    assert.equal(limiter.book(T0 + 1), T0 + 120_000);
    limiter.setLimit(4);
    assert.equal(limiter.book(T0 + 60_001), T0 + 60_001);
    limiter.setLimit(100);
    const starts = Array.from({ length: 6 }, () => limiter.book(T0 + 500_000) - T0);
    assert.deepEqual(starts, [500_000, 500_000, 500_000, 500_000, 560_000, 560_000], "no more than at first");
  });

  it("is not frozen by a clock that was stepped back", () => {
    const limiter = new ConnectionLimiter(2, 60_000);
    limiter.book(T0);
    limiter.book(T0);
    assert.ok(limiter.book(T0 - 3_600_000) <= T0 - 3_600_000 + 60_000);
  });
});
