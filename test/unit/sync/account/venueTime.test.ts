import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TIME_LIMITS, VenueTime } from "../../../../src/sync/account/venueTime.ts";

const NOW = 1_790_000_000_000;
const HOUR = 3_600_000;
const { aheadMaxMs } = TIME_LIMITS;

describe("the time of the venue", () => {
  it("is the newest that was stamped near our clock, and goes on with it", () => {
    const time = new VenueTime();
    assert.equal(time.estimate(NOW), NOW, "our own before the first");
    assert.ok(time.note(NOW - 200, NOW));
    assert.ok(time.note(NOW - 5_000, NOW + 10), "an older state");
    assert.equal(time.ms, NOW - 200);
    assert.equal(time.estimate(NOW + 1_000), NOW + 800);
    assert.equal(time.estimate(NOW - HOUR), NOW - 200, "never back, when our clock is put back");
  });

  it("is not moved by a stamp beyond the bound, whatever else was heard", () => {
    for (const first of [NOW, null]) {
      const time = new VenueTime();
      if (first !== null) time.note(first, NOW);
      for (const ahead of [aheadMaxMs + 1, HOUR, 24 * HOUR, NOW * 999]) {
        assert.equal(time.note(NOW + ahead, NOW), false);
        assert.equal(time.aheadMs, ahead);
        assert.equal(time.ms, first ?? 0);
        assert.equal(time.estimate(NOW), NOW);
        assert.ok(time.readToMs(NOW) >= NOW + ahead, "but read up to there");
      }
      assert.ok(time.note(NOW + aheadMaxMs, NOW), "at the bound it is believed");
      assert.equal(time.aheadMs, null);
    }
  });

  it("is believed far behind our clock, when it is so from the first stamp on", () => {
    const time = new VenueTime();
    assert.ok(time.note(NOW - HOUR, NOW));
    assert.ok(time.note(NOW - HOUR + 1_000, NOW + 1_000));
    assert.equal(time.estimate(NOW + 2_000), NOW - HOUR + 2_000);
    // Our clock is put right: what it shows now agrees again.
    assert.ok(time.note(NOW - HOUR + 3_000, NOW - HOUR + 3_000));
  });

  it("does not jump there by one odd stamp, but by two that agree", () => {
    const time = new VenueTime();
    time.note(NOW - 3 * HOUR, NOW);
    assert.equal(time.note(NOW - HOUR, NOW + 1_000), false);
    assert.equal(time.ms, NOW - 3 * HOUR);
    assert.equal(time.note(NOW - HOUR + 5_000, NOW + 6_000), true);
    assert.equal(time.ms, NOW - HOUR + 5_000);
  });
});
