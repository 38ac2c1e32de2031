import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ProtocolError, TransportError } from "../../../src/errors.ts";
import { VALUE_LIMITS } from "../../../src/protocol/limits.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { VirtualClock } from "../../../src/simulator/virtualWorld.ts";
import { Dexes, dexesOfUpdate, dexOfCoin } from "../../../src/sync/dexes.ts";
import type { VenueInfo } from "../../../src/sync/ports.ts";

const START = 1_790_000_000_000;
const ASK = { priority: "reconcile" } as const;
const { signal } = new AbortController();

/** A venue that lists what `listed` names, or fails with it. */
function follow(listed: (string | null)[] | Error) {
  const clock = new VirtualClock(START);
  const venue = { listed, asked: 0 };
  const info = {
    async request(request: { read(body: unknown): unknown }) {
      venue.asked += 1;
      await Promise.resolve();
      if (venue.listed instanceof Error) throw venue.listed;
      const body = venue.listed.map((name) => (name === null ? null : { name }));
      return { result: request.read(body), sentAtMs: clock.now(), receivedAtMs: clock.now(), weight: 20 };
    },
  } as unknown as VenueInfo;
  const dexes = new Dexes({ info, clock, log: silentLog });
  const added: string[][] = [];
  dexes.onAdded((names) => added.push([...names]));
  return { clock, venue, dexes, added };
}

describe("the list of perp dexes", () => {
  it("begins with the first one, and tells each new one once", async () => {
    const { clock, venue, dexes, added } = follow([null, "xyz"]);
    assert.deepEqual(dexes.names, [""]);
    await dexes.open(signal);
    venue.listed = [null, "xyz", "abc", "abc"];
    await dexes.renew(ASK);
    assert.deepEqual(dexes.names, ["", "xyz"], "fresh: not read again");
    await clock.advanceTo(START + 60_000);
    await dexes.renew(ASK);
    await clock.advanceTo(START + 120_000);
    await dexes.renew(ASK);
    assert.deepEqual(dexes.names, ["", "xyz", "abc"]);
    assert.deepEqual(added, [["xyz"], ["abc"]]);
  });

  it("keeps what it knows when the list shrinks or cannot be read", async () => {
    const { clock, venue, dexes } = follow([null, "xyz", "abc"]);
    await dexes.open(signal);
    for (const answer of [[null], [], new TransportError("away"), new ProtocolError("x", { raw: 1 })]) {
      await clock.advanceTo(clock.now() + 60_000);
      venue.listed = answer;
      await dexes.renew(ASK).catch(() => {});
      assert.deepEqual(dexes.names, ["", "xyz", "abc"]);
    }
  });

  it("does not grow without end, however many are listed and however often the list is another one", async () => {
    const { clock, venue, dexes } = follow([null, "xyz"]);
    await dexes.open(signal);
    for (let round = 0; round < 4; round++) {
      await clock.advanceTo(clock.now() + 60_000);
      venue.listed = [null, ...Array.from({ length: 5_000 }, (_, i) => `d${round}x${i}`)];
      await dexes.renew(ASK);
    }
    assert.equal(dexes.names.length, VALUE_LIMITS.dexes);
    assert.deepEqual(dexes.names.slice(0, 2), ["", "xyz"]);
  });

  it("is read at once when a row names another, by all who name it together", async () => {
    const { venue, dexes } = follow([null]);
    await dexes.open(signal);
    venue.listed = [null, "abc"];
    await Promise.all([1, 2, 3].map(() => dexes.noteNamed("abc", ASK)));
    assert.deepEqual(dexes.names, ["", "abc"]);
    await dexes.noteNamed("abc", ASK);
    assert.equal(venue.asked, 2);
  });

  it("is read once a minute for a name that is never listed, which keeps no other name waiting", async () => {
    const { clock, venue, dexes } = follow([null]);
    await dexes.open(signal);
    for (let second = 0; second < 120; second++) {
      await dexes.noteNamed("ghost", ASK);
      await clock.advanceTo(clock.now() + 1_000);
    }
    assert.equal(venue.asked, 3);
    await dexes.noteNamed("ghost", ASK);
    venue.listed = [null, "abc"];
    await dexes.noteNamed("abc", ASK);
    assert.deepEqual(dexes.names, ["", "abc"]);
    for (let n = 0; n < 100; n++) await dexes.noteNamed(`ghost${n}`, ASK);
    assert.ok(venue.asked < 20, `${venue.asked} readings`);
  });

  it("is read at once for the next row after a reading that failed", async () => {
    const { venue, dexes } = follow([null]);
    await dexes.open(signal);
    venue.listed = new TransportError("away");
    await dexes.noteNamed("abc", ASK);
    venue.listed = [null, "abc"];
    await dexes.noteNamed("abc", ASK);
    assert.deepEqual(dexes.names, ["", "abc"]);
  });
});

it("a coin and a ledger update name their dexes", () => {
  for (const [coin, dex] of [
    ["BTC", ""],
    ["xyz:AAPL", "xyz"],
    ["@107", ""],
    ["PURR/USDC", ""],
    ["#10", ""],
  ] as const)
    assert.equal(dexOfCoin(coin), dex);
  const named = (delta: unknown) => dexesOfUpdate({ time: 1, hash: "0x", delta });
  assert.deepEqual(named({ type: "perpDexClassTransfer", dex: "abc", toPerp: true }), ["abc"]);
  assert.deepEqual(named({ type: "send", sourceDex: "spot", destinationDex: "abc" }), ["abc"]);
  assert.deepEqual(named({ type: "send", sourceDex: "xyz", destinationDex: "" }), ["xyz", ""]);
  assert.deepEqual(named({ type: "deposit", usdc: "1.0" }), []);
  for (const odd of [null, 5, "x", { dex: 5 }, { dex: null }, []]) assert.deepEqual(named(odd), []);
  assert.deepEqual(dexesOfUpdate(null), []);
});
