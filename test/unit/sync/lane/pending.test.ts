import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CHANNELS } from "../../../../src/protocol/channels.ts";
import type { Frame } from "../../../../src/sync/lane/inbox.ts";
import { Pending, type Reader } from "../../../../src/sync/lane/pending.ts";
import type { Batch } from "../../../../src/sync/rows.ts";
import { perpState } from "../healthStates.ts";
import { transition } from "../rows.ts";

const USER = `0x${"a".repeat(40)}`;
const NOW = 1_790_000_000_000;

/** An account that claims no time after `venueTimeMs`, believes none a second after it, and notes what it was given. */
function reader(venueTimeMs = NOW) {
  const seen: string[] = [];
  const state = (what: string): Batch => {
    seen.push(what);
    return { orderEvents: [transition(seen.length, "open")] };
  };
  const account: Reader = {
    address: USER,
    claimableOf: (stateMs) => (stateMs > venueTimeMs + 1_000 ? null : Math.min(stateMs, venueTimeMs)),
    states: {
      perp: (dex, { value }, receivedAtMs) => state(`perp ${dex} ${value.time} ${receivedAtMs}`),
      spot: (_state, receivedAtMs) => state(`spot ${receivedAtMs}`),
    },
    openOrders: (dex, rows, isComplete) => state(`orders ${dex} ${rows.length} ${isComplete}`),
    noteWebData: () => {
      seen.push("webData");
      return {};
    },
  };
  return { account, seen };
}

function frame(type: string, data: unknown, receivedAtMs = 5): Frame {
  const channel = CHANNELS.find((one) => one.type === type)!;
  return { type: "message", reading: channel.read(data), channel: channel.channel, receivedAtMs };
}
const quarantined = (receivedAtMs: number): Frame => ({
  type: "quarantine",
  subject: "frame",
  reason: "odd",
  raw: "{}",
  receivedAtMs,
});
const stateAt = (timeMs: number, receivedAtMs = 5) =>
  frame(
    "clearinghouseState",
    { dex: "xyz", user: USER, clearinghouseState: perpState("1000", [], timeMs) },
    receivedAtMs,
  );

describe("pending frames", () => {
  it("are as old as the oldest of them, where all that they hold goes into quarantine too", () => {
    const pending = new Pending(reader().account);
    assert.equal(pending.receivedAtMs, Number.POSITIVE_INFINITY);
    for (const atMs of [9, 7, 8]) pending.add(quarantined(atMs));
    assert.equal(pending.receivedAtMs, 7);
    assert.deepEqual(
      pending.batch.quarantine?.map(({ account, subject, seenAtMs }) => [account, subject, seenAtMs]),
      [9, 7, 8].map((atMs) => [USER, "frame", atMs]),
    );
    pending.add(stateAt(NOW, 3));
    assert.equal(pending.receivedAtMs, 3);
  });

  it("tell the time of a state, as far as may be claimed, and none that is not believed", () => {
    const { account, seen } = reader();
    const pending = new Pending(account);
    assert.deepEqual(
      [NOW - 1, NOW, NOW + 1, NOW + 5_000].map((timeMs) => pending.add(stateAt(timeMs))),
      [NOW - 1, NOW, NOW, null],
    );
    assert.deepEqual(seen.at(-1), `perp xyz ${NOW + 5_000} 5`);
    assert.equal(pending.batch.orderEvents?.length, 4);
  });

  it("refuse an order of another dex by itself, and the list is not whole then", () => {
    const { account, seen } = reader();
    const pending = new Pending(account);
    const listed = (coin: string, oid: number) => ({
      ...{ coin, oid, side: "B", limitPx: "10", sz: "1", origSz: "1", timestamp: NOW },
    });
    const orders = [listed("BTC", 1), listed("xyz:TSLA", 2), listed("@107", 3)];
    pending.add(frame("openOrders", { dex: "xyz", user: USER, orders }));
    assert.deepEqual(seen, ["orders xyz 1 false"]);
    assert.deepEqual(
      pending.batch.quarantine?.map(({ subject, raw }) => [subject, JSON.parse(raw).oid]),
      [
        ["openOrders", 1],
        ["openOrders", 3],
      ],
    );
    pending.add(frame("openOrders", { dex: "", user: USER, orders: [orders[0], orders[2]] }));
    assert.equal(seen.at(-1), "orders  2 true", "spot and outcome orders ride with the first dex");
  });

  it("give every kind of content to the account, in the order of the stream", () => {
    const { account, seen } = reader();
    const pending = new Pending(account);
    const frames = [
      frame("openOrders", { dex: "", user: USER, orders: [] }),
      frame("spotState", { user: USER, spotState: { balances: [] } }),
      stateAt(NOW),
    ];
    const told = frames.map((one) => pending.add(one));
    assert.deepEqual(seen, ["orders  0 true", "spot 5", `perp xyz ${NOW} 5`]);
    assert.deepEqual(told, [null, null, NOW]);
  });

  it("give away the fills with the transitions of their orders, but those of orders placed beside them", () => {
    const pending = new Pending(reader().account);
    const order = (oid: number, status: string) => ({
      order: { coin: "BTC", side: "B", limitPx: "10", sz: "0", oid, timestamp: NOW, origSz: "1" },
      ...{ status, statusTimestamp: NOW },
    });
    const fill = (oid: number) => ({
      ...{
        coin: "BTC",
        px: "10",
        sz: "1",
        side: "B",
        time: NOW,
        startPosition: "0",
        dir: "Open Long",
        closedPnl: "0",
      },
      ...{ hash: "0x0", oid, crossed: true, fee: "0", tid: oid, feeToken: "USDC" },
    });
    const transitions = [
      [11, "filled"],
      [12, "open"],
      [12, "filled"],
      [13, "canceled"],
    ] as const;
    pending.add(
      frame(
        "orderUpdates",
        transitions.map(([oid, status]) => order(oid, status)),
      ),
    );
    assert.deepEqual(pending.takeFills(), {}, "without a fill there is nothing to hurry");
    pending.add(frame("userFills", { user: USER, fills: [fill(11), fill(12)] }));
    pending.add(stateAt(NOW));
    const taken = pending.takeFills();
    const idsOf = ({ fills, orderEvents }: Batch) =>
      [fills, orderEvents].map((rows) => rows?.map(({ orderId }) => orderId));
    assert.deepEqual(idsOf(taken), [[11, 12], [11]]);
    assert.deepEqual(idsOf(pending.batch), [[], [12, 12, 13, 1]], "the rest, and what the state brought");
    assert.deepEqual(pending.takeFills(), {});
  });
});
