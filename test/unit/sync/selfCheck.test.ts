import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FillRow } from "../../../src/sync/rows.ts";
import { SelfCheck } from "../../../src/sync/selfCheck.ts";
import { fill, transition } from "./rows.ts";

const GRACE = 2_500;
/** Announces the end of the order of each fill before the fill: these tests are about other losses. */
class Announced extends SelfCheck {
  override noteFills(rows: readonly FillRow[], nowMs: number): void {
    const ended = rows.map((row) => transition(row.orderId, "filled"));
    this.noteOrderEvents(ended, nowMs);
    super.noteFills(rows, nowMs);
  }
}
const state = (szi: string) => new Map([["BTC", szi]]);

describe("self-check", () => {
  it("suspects nothing while fills and states agree", () => {
    const check = new Announced(GRACE);
    check.noteFills([fill({ timeMs: 10 }), fill({ timeMs: 20, startPosition: "1" })], 100);
    check.noteState("", 30, state("2"), 110);
    assert.deepEqual(check.ripe(1e6), []);
    assert.equal(check.dueMs(), null);
  });

  it("names a fill missing between two others, with quantity and window, after the grace", () => {
    const check = new Announced(GRACE);
    check.noteFills([fill({ timeMs: 10 }), fill({ timeMs: 30, startPosition: "3" })], 100);
    assert.deepEqual(check.ripe(100 + GRACE - 1), []);
    assert.equal(check.dueMs(), 100 + GRACE);
    const [found] = check.ripe(100 + GRACE);
    assert.deepEqual(found, {
      kind: "chain",
      key: "chain:BTC",
      coin: "BTC",
      fromMs: 10,
      toMs: 30,
      missing: "2",
    });
  });

  it("forgets the suspicion when the fill was merely late", () => {
    const check = new Announced(GRACE);
    check.noteFills([fill({ timeMs: 10 }), fill({ timeMs: 30, startPosition: "3" })], 100);
    check.noteFills([fill({ timeMs: 20, startPosition: "1", size: "2" })], 200);
    assert.deepEqual(check.ripe(1e6), []);
  });

  it("finds the last fill missing when a younger state disagrees, and not from an older state", () => {
    const check = new Announced(GRACE);
    check.noteFills([fill({ timeMs: 1_000 })], 1_010);
    check.noteState("", 900, state("0"), 1_020);
    check.noteState("", 1_000, state("5"), 1_030);
    assert.deepEqual(check.ripe(1e6), [], "a state not younger than the fill may not hold it yet");
    check.noteState("", 1_500, state("3"), 1_600);
    const [found] = check.ripe(1_600 + GRACE);
    assert.deepEqual(found, {
      kind: "position",
      key: "position:BTC",
      coin: "BTC",
      fromMs: 1_000,
      implied: "1",
      venue: "3",
    });
  });

  it("takes a coin that a state lacks for flat", () => {
    const check = new Announced(GRACE);
    check.noteFills([fill({ timeMs: 1_000 })], 1_010);
    check.noteState("", 2_000, new Map(), 2_010);
    assert.equal(check.ripe(2_010 + GRACE)[0]?.kind, "position");
    const other = new Announced(GRACE);
    other.noteFills([fill({ timeMs: 1_000, coin: "xyz:AAPL" })], 1_010);
    other.noteState("", 2_000, new Map(), 2_010);
    assert.deepEqual(other.ripe(1e6), [], "the first dex says nothing of another dex's coins");
  });

  it("does not chase the same unexplained difference twice, and starts again from the venue's word", () => {
    const check = new Announced(GRACE);
    check.noteFills([fill({ timeMs: 1_000 })], 1_010);
    check.noteState("", 1_500, state("3"), 1_600);
    const [found] = check.ripe(1e5);
    assert.equal(check.settle(found!, 1e6), false);
    check.noteState("", 6_500, state("3"), 6_600);
    assert.deepEqual(check.ripe(1e6), []);
    check.noteFills([fill({ timeMs: 7_000, startPosition: "3" })], 7_010);
    check.noteState("", 7_500, state("4"), 7_600);
    assert.deepEqual(check.ripe(1e6), []);
  });

  it("says that a repair explained it when the fill has come", () => {
    const check = new Announced(GRACE);
    check.noteFills([fill({ timeMs: 1_000 })], 1_010);
    check.noteState("", 1_500, state("3"), 1_600);
    const [found] = check.ripe(1e5);
    check.noteFills([fill({ timeMs: 1_200, startPosition: "1", size: "2" })], 5_000);
    assert.equal(check.settle(found!, 1e6), true);
  });

  it("settles one break of a chain at a time: the others are still to be repaired", () => {
    const check = new Announced(GRACE);
    const shown = [10, 30, 50].map((timeMs, i) => fill({ timeMs, startPosition: String(2 * i) }));
    check.noteFills(shown, 100);
    const [first] = check.ripe(1e5);
    assert.deepEqual(first?.kind === "chain" && [first.fromMs, first.toMs], [10, 30]);
    check.noteFills([fill({ timeMs: 20, startPosition: "1" })], 200);
    assert.equal(check.settle(first!, 1e5), true);
    const [second] = check.ripe(1e5);
    assert.deepEqual(second?.kind === "chain" && [second.fromMs, second.toMs], [30, 50]);
    assert.equal(check.settle(second!, 1e5), false);
    check.noteFills(shown, 2e5);
    assert.deepEqual(check.ripe(1e6), [], "what is read again raises nothing");
    check.noteFills([fill({ timeMs: 70, startPosition: "6" })], 2e5);
    assert.equal(check.ripe(1e6)[0]?.kind, "chain", "and what follows is still checked");
  });

  it("goes on behind a break that nothing explains, also within one millisecond", () => {
    const check = new Announced(GRACE);
    const cluster = [
      fill({ timeMs: 10 }),
      ...["1", "7"].map((startPosition, i) => fill({ timeMs: 20, tradeId: i, startPosition })),
    ];
    check.noteFills(cluster, 100);
    const [found] = check.ripe(1e5);
    assert.equal(check.settle(found!, 1e5), false);
    check.noteFills(cluster, 2e5);
    check.noteFills([fill({ timeMs: 30, startPosition: "8" })], 2e5);
    assert.deepEqual(check.ripe(1e6), []);
    assert.equal(check.chainEnd("BTC")?.position, "9");
  });

  it("finds nothing missing between the few old fills of a snapshot", () => {
    const check = new Announced(GRACE);
    const snapshot = [10, 20, 40].map((timeMs, i) => fill({ timeMs, startPosition: String(5 * i) }));
    check.noteFills(snapshot, 100);
    check.beginAfter(30, 110);
    check.noteFills([...snapshot, fill({ timeMs: 50, startPosition: "11" })], 120);
    check.noteState("", 60, state("12"), 130);
    assert.deepEqual(check.ripe(1e6), []);
    check.noteFills([fill({ timeMs: 70, startPosition: "13" })], 140);
    assert.equal(check.ripe(1e6)[0]?.kind, "chain");
  });

  it("leaves an order that filled unannounced to others where the list of transitions begins later", () => {
    const check = new SelfCheck(GRACE);
    check.noteFills([fill({ timeMs: 10, orderId: 1 }), fill({ timeMs: 20, orderId: 2 })], 100);
    check.dropUnannounced(20);
    const orders = check.ripe(1e5).flatMap((one) => (one.kind === "order" ? [one.orderId] : []));
    assert.deepEqual(orders, [2]);
  });

  it("takes an unannounced order of a TWAP's slice for no loss", () => {
    const check = new SelfCheck(GRACE);
    check.noteFills(
      [fill({ timeMs: 10, orderId: 1, twapId: 7 }), fill({ timeMs: 20, startPosition: "1" })],
      100,
    );
    const orders = check.ripe(1e5).flatMap((one) => (one.kind === "order" ? [one.orderId] : []));
    assert.deepEqual(orders, [20]);
  });

  it("suspects an order that a complete list lacks twice over the grace, and not one just placed", () => {
    const check = new Announced(GRACE);
    check.noteOrderEvents([transition(1, "open")], 0);
    check.noteOpenOrders("", new Set(), 1_000);
    assert.equal(check.dueMs(), null, "the list may be older than the order");
    check.noteOpenOrders("", new Set(), 5_000);
    check.noteOpenOrders("", new Set(), 10_000);
    assert.deepEqual(check.ripe(10_000), [{ kind: "order", key: "order:1", coin: "BTC", orderId: 1 }]);
  });

  it("does not chase an order that is open though no list has it, and still holds it open for whoever catches up", () => {
    const check = new Announced(GRACE);
    check.noteOrderEvents([transition(1, "open")], 0);
    check.noteOpenOrders("", new Set(), GRACE);
    const [found] = check.ripe(1e5);
    assert.equal(check.settle(found!, 1e5), false);
    check.noteOpenOrders("", new Set(), 2e5);
    assert.deepEqual(check.ripe(1e6), []);
    assert.deepEqual(check.openOrderIds, [1]);
    check.noteOpenOrders("", new Set([1]), 3e5);
    check.noteOpenOrders("", new Set(), 4e5);
    assert.equal(check.ripe(1e6)[0]?.kind, "order", "once listed, its absence is suspicious again");
  });

  it("takes an order that the venue has forgotten for settled", () => {
    const check = new Announced(GRACE);
    check.noteOrderEvents([transition(1, "open")], 0);
    check.noteOpenOrders("", new Set(), GRACE);
    const [found] = check.ripe(1e5);
    check.noteOrderEvents([transition(1, "unknownOid", { statusTimeMs: 9 })], 1e5);
    assert.equal(check.settle(found!, 1e5), true);
    assert.deepEqual(check.openOrderIds, []);
  });

  it("clears an order when its end arrives or when it is listed again, and a late open does not bring it back", () => {
    const check = new Announced(GRACE);
    check.noteOrderEvents([transition(1, "open"), transition(2, "open")], 0);
    check.noteOpenOrders("", new Set([2]), 5_000);
    check.noteOrderEvents([transition(1, "filled")], 5_100);
    assert.deepEqual(check.ripe(1e6), []);
    check.noteOrderEvents([transition(1, "open")], 5_200);
    assert.deepEqual(check.openOrderIds, [2]);
  });

  it("keeps a bounded number of fills and still links what follows", () => {
    const check = new Announced(GRACE);
    for (let i = 0; i < 9_000; i++)
      check.noteFills([fill({ timeMs: 10_000 + i * 20, startPosition: String(i) })], i);
    assert.deepEqual(check.ripe(1e9), []);
    assert.equal(check.chainEnd("BTC")?.position, "9000");
    check.noteFills([fill({ timeMs: 10_000, startPosition: "0" })], 1e6);
    assert.deepEqual(check.ripe(1e9), [], "a repetition from before is not a break");
  });

  it("takes thousands of fills in one millisecond in any order", () => {
    const check = new Announced(GRACE);
    const burst = Array.from({ length: 3_000 }, (_, i) =>
      fill({ timeMs: 5, orderId: i, tradeId: i, startPosition: String(i) }),
    );
    check.noteFills(burst.reverse(), 10);
    assert.deepEqual(check.ripe(1e9), []);
    assert.equal(check.chainEnd("BTC")?.position, "3000");
  });
});
