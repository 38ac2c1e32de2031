import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { boundsOf, channelBounds, freshnessOf, STREAMED } from "../../../src/sync/freshness.ts";

describe("freshness", () => {
  it("of streamed data ends after seconds, of polled data after rounds", () => {
    assert.deepEqual(boundsOf(null), STREAMED);
    assert.deepEqual(boundsOf(15_000), { delayedMs: 60_000, staleMs: 300_000 });
    assert.deepEqual(boundsOf(100_000), { delayedMs: 150_000, staleMs: 300_000 });
    assert.deepEqual(boundsOf(600_000), { delayedMs: 900_000, staleMs: 1_800_000 });
    assert.deepEqual(channelBounds(5_000), { delayedMs: 8_000, staleMs: 12_000 });
  });

  it("is one word, and what never came is stale", () => {
    const words = [0, 10_000, 10_001, 30_000, 30_001, null].map((ageMs) => freshnessOf(ageMs, STREAMED));
    assert.deepEqual(words, ["fresh", "fresh", "delayed", "delayed", "stale", "stale"]);
    assert.equal(freshnessOf(Number.POSITIVE_INFINITY, STREAMED), "stale");
    assert.equal(freshnessOf(-500, STREAMED), "fresh", "clocks differ by milliseconds");
  });

  it("has a channel speak of silence before the account is stale", () => {
    assert.ok(channelBounds(5_000).staleMs < STREAMED.staleMs);
  });
});
