import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Scouting, type Waiting } from "../../../src/connection/scout.ts";

function streams(count: number) {
  const scouting = new Scouting();
  const woken: number[] = [];
  const waiting = Array.from({ length: count }, (_, i): Waiting => ({ wake: () => void woken.push(i) }));
  return { scouting, waiting, woken };
}

describe("streams that lost the venue", () => {
  it("send one scout, and follow it when it opens", () => {
    const { scouting, waiting, woken } = streams(3);
    assert.deepEqual(
      waiting.map((stream) => scouting.lost(stream)),
      [true, false, false],
    );
    assert.equal(scouting.lost(waiting[0]!), true, "its next failure leaves it the scout");
    assert.deepEqual(woken, []);
    scouting.opened(waiting[0]!);
    assert.deepEqual(woken, [1, 2]);
    assert.equal(scouting.lost(waiting[2]!), true, "the next outage has a scout of its own");
  });

  it("follow any stream that opens, scout or not", () => {
    const { scouting, waiting, woken } = streams(3);
    scouting.lost(waiting[0]!);
    scouting.lost(waiting[1]!);
    scouting.opened(waiting[2]!);
    assert.deepEqual(woken, [1]);
    assert.equal(scouting.lost(waiting[1]!), false, "the scout is still on its way");
  });

  it("send another scout when the first one is gone", () => {
    const { scouting, waiting, woken } = streams(3);
    for (const stream of waiting) scouting.lost(stream);
    scouting.gone(waiting[0]!);
    assert.deepEqual(woken, [1]);
    scouting.gone(waiting[2]!);
    scouting.opened(waiting[1]!);
    assert.deepEqual(woken, [1], "who is gone is not woken");
  });

  it("need nobody when a lone scout is gone", () => {
    const { scouting, waiting } = streams(2);
    scouting.lost(waiting[0]!);
    scouting.gone(waiting[0]!);
    assert.equal(scouting.lost(waiting[1]!), true);
  });
});
