import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TIME_LIMITS, VenueTime } from "../../../../src/sync/account/venueTime.ts";

const NOW = 1_790_000_000_000;
const HOUR = 3_600_000;
const { aheadMaxMs, closeMs, persistMs } = TIME_LIMITS;

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
      assert.equal(time.claimableMs, first ?? 0);
      const [bound, what] = first === null ? [aheadMaxMs, "alone"] : [closeMs, "beside others"];
      assert.ok(time.note(NOW + bound, NOW), `at the bound it is believed, ${what}`);
      assert.equal(time.aheadMs, null);
    }
  });

  for (const ahead of [closeMs + 1, 60_000, 5 * 60_000, aheadMaxMs]) {
    it(`is not moved by a stamp ${ahead} ms ahead beside others, until it is said for a while`, () => {
      const time = new VenueTime();
      for (let at = 0; at < 5_000; at += 1_000) assert.ok(time.note(NOW + at, NOW + at));
      assert.equal(time.note(NOW + 5_000 + ahead, NOW + 5_000), false);
      assert.equal(time.estimate(NOW + 5_000), NOW + 5_000);
      assert.ok(time.note(NOW + 6_000, NOW + 6_000));
      for (let at = 7_000; at < 7_000 + persistMs; at += 1_000)
        assert.equal(time.note(NOW + at + ahead, NOW + at), false);
      const at = 7_000 + persistMs;
      assert.ok(time.note(NOW + at + ahead, NOW + at), "our clock was put back, it seems");
      assert.ok(time.claimableMs <= NOW + at + closeMs, "and no more is claimed than both clocks have seen");
    });
  }

  it("goes on when our clock is slow from the first stamp on, or put back: claims up to what it shows", () => {
    for (const slow of [20_000, 5 * 60_000, aheadMaxMs - 1_000]) {
      for (const began of [0, slow]) {
        const time = new VenueTime();
        if (began > 0) assert.ok(time.note(NOW - 1_000, NOW - 1_000), "right until then");
        for (let at = 0; at < 30_000; at += 3_000) assert.ok(time.note(NOW + at, NOW + at - slow));
        assert.equal(time.ms, NOW + 27_000);
        const before = began > 0 ? NOW - 1_000 : 0;
        assert.equal(time.claimableMs, Math.max(before, NOW + 27_000 - slow + closeMs));
      }
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
