/** Facts of §5.1 and §6 of the venue: the life of an order, its rows and its refusals. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json, JsonObject } from "../../../src/simulator/contract.ts";
import {
  ALICE,
  BOB,
  BTC,
  ETH,
  errorOf,
  fillsOf,
  HYPE_SPOT,
  limit,
  newestFill,
  openDesk,
  positionIn,
  statusesOf,
  transitions,
  trigger,
} from "./exchangeHarness.ts";

test("a resting order is answered with its oid and reported open once, with sz = origSz", () => {
  const desk = openDesk();
  const cloid = "0x000000000000000000000000000000aa";
  const status = desk.place(ALICE, { s: "0.01", c: cloid }) as { resting: { oid: number; cloid: string } };
  assert.equal(status.resting.cloid, cloid);
  desk.tick();
  const updates = desk.events().filter((e) => e.type === "orderUpdate");
  assert.equal(updates.length, 1);
  assert.deepEqual(updates[0]?.order, {
    coin: "BTC",
    side: "B",
    limitPx: "83000.0",
    sz: "0.01",
    oid: status.resting.oid,
    timestamp: updates[0]?.statusTimestamp,
    origSz: "0.01",
    cloid,
  });
});

test("a crossing Gtc order is open and then filled in the same block", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, p: "83000", s: "0.01" });
  desk.oid(ALICE, { b: true, p: "83100", s: "0.01" });
  desk.tick();
  assert.deepEqual(transitions(desk, ALICE), ["open 0.01", "filled 0.0"]);
  const rows = desk.venue.truth(ALICE).orderEvents;
  assert.equal(rows[0]?.statusTimestamp, rows[1]?.statusTimestamp);
});

test("an IOC that matches nothing is a lone iocCancelRejected", () => {
  const desk = openDesk();
  const status = desk.place(ALICE, { tif: "Ioc" });
  assert.equal(errorOf(status), "Order could not immediately match against any resting orders. asset=0");
  assert.deepEqual(transitions(desk, ALICE), ["iocCancelRejected 0.01"]);
});

test("a partly filled IOC is answered filled and its row keeps what was left", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, s: "0.004" });
  const status = desk.place(ALICE, { tif: "Ioc", s: "0.01" }) as { filled: JsonObject };
  assert.equal(status.filled.totalSz, "0.004");
  assert.equal(status.filled.avgPx, "83000.0");
  assert.deepEqual(transitions(desk, ALICE), ["open 0.01", "canceled 0.006"]);
});

test("a partial fill of a resting order is no transition, but openOrders shows the rest", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, s: "0.01" });
  desk.oid(ALICE, { b: true, s: "0.004", tif: "Ioc" });
  assert.deepEqual(transitions(desk, BOB), ["open 0.01"]);
  const [open] = desk.info({ type: "openOrders", user: BOB }) as JsonObject[];
  assert.equal(open?.sz, "0.006");
  const status = desk.info({ type: "orderStatus", user: BOB, oid: open?.oid as number }) as {
    order: { order: JsonObject };
  };
  assert.equal(status.order.order.sz, "0.01", "orderStatus is written at transitions only");
});

test("with the switch a partial fill repeats open with the smaller size", () => {
  const desk = openDesk({ switches: { partialFillUpdates: true } });
  desk.oid(BOB, { b: false, s: "0.01" });
  desk.oid(ALICE, { b: true, s: "0.004", tif: "Ioc" });
  assert.deepEqual(transitions(desk, BOB), ["open 0.01", "open 0.006"]);
});

test("a canceled order keeps its remaining size", () => {
  const desk = openDesk();
  const oid = desk.oid(BOB, { b: false, s: "0.01" });
  desk.oid(ALICE, { b: true, s: "0.004", tif: "Ioc" });
  const answer = desk.run(BOB, { type: "cancel", cancels: [{ a: BTC, o: oid }] });
  assert.deepEqual(statusesOf(answer), ["success"]);
  assert.deepEqual(transitions(desk, BOB), ["open 0.01", "canceled 0.006"]);
  const again = desk.run(BOB, { type: "cancel", cancels: [{ a: BTC, o: oid }] });
  assert.equal(
    errorOf(statusesOf(again)[0] as Json),
    "Order was never placed, already canceled, or filled. asset=0",
  );
});

test("modify replaces: new oid, same cloid, and the answer does not tell the oid", () => {
  const desk = openDesk();
  const cloid = "0x000000000000000000000000000000bb";
  const oid = desk.oid(ALICE, { s: "0.01", c: cloid });
  const answer = desk.run(ALICE, { type: "modify", oid, order: limit({ p: "82000", s: "0.02" }) });
  assert.deepEqual(answer.body, { status: "ok", response: { type: "default" } });
  const [open] = desk.info({ type: "openOrders", user: ALICE }) as JsonObject[];
  assert.notEqual(open?.oid, oid);
  assert.equal(open?.cloid, cloid);
  assert.equal(open?.limitPx, "82000.0");
  assert.deepEqual(transitions(desk, ALICE), ["open 0.01", "canceled 0.01", "open 0.02"]);
});

test("batchModify answers with order statuses; cancelByCloid finds the newest order of a cloid", () => {
  const desk = openDesk();
  const cloid = "0x000000000000000000000000000000cc";
  desk.oid(ALICE, { c: cloid });
  const modified = desk.run(ALICE, {
    type: "batchModify",
    modifies: [{ oid: cloid, order: limit({ p: "82000" }) }],
  });
  const [status] = statusesOf(modified) as { resting: { oid: number; cloid: string } }[];
  assert.equal(status?.resting.cloid, cloid);
  const canceled = desk.run(ALICE, { type: "cancelByCloid", cancels: [{ asset: BTC, cloid }] });
  assert.deepEqual(statusesOf(canceled), ["success"]);
  assert.deepEqual(desk.info({ type: "openOrders", user: ALICE }), []);
});

test("orders of one action share a block, and an action a transaction hash", () => {
  const desk = openDesk();
  desk.run(BOB, {
    type: "order",
    orders: [limit({ b: false, p: "83010", s: "0.01" }), limit({ b: false, p: "83020", s: "0.01" })],
    grouping: "na",
  });
  desk.oid(ALICE, { p: "83020", s: "0.02" });
  const [one, two] = fillsOf(desk, ALICE);
  assert.equal(one?.time, two?.time);
  assert.equal(one?.hash, two?.hash);
  assert.notEqual(one?.tid, two?.tid);
});

const REFUSALS: [string, Partial<Parameters<typeof limit>[0]>, string, string | null][] = [
  ["tick", { p: "83000.55" }, "Price must be divisible by tick size. asset=0", "tickRejected"],
  ["five figures", { p: "83000.5" }, "Price must be divisible by tick size. asset=0", "tickRejected"],
  ["value", { s: "0.0001" }, "Order must have minimum value of $10. asset=0", "minTradeNtlRejected"],
  ["lot", { s: "0.0000001" }, "Order has invalid size. asset=0", null],
  ["zero", { s: "0" }, "Order has zero size. asset=0", null],
  ["margin", { s: "50" }, "Insufficient margin to place order. asset=0", "perpMarginRejected"],
  ["reduce-only", { r: true }, "Reduce only order would increase position. asset=0", "reduceOnlyRejected"],
  [
    "band",
    { p: "10000", s: "1" },
    "Order price cannot be more than 80% away from the reference price asset=0",
    "oracleRejected",
  ],
  [
    "no liquidity",
    { tif: "FrontendMarket" },
    "No liquidity available for market order. asset=0",
    "marketOrderNoLiquidityRejected",
  ],
  ["delisted", { a: 3, p: "0.37" }, "Trading is halted. asset=3", null],
  [
    "spot value",
    { a: HYPE_SPOT, p: "41", s: "0.1" },
    "Order must have minimum value of 10 USDC. asset=10107",
    "minTradeSpotNtlRejected",
  ],
  [
    "spot balance",
    { a: HYPE_SPOT, p: "41", s: "1" },
    "Order has insufficient spot balance to trade asset=10107",
    "insufficientSpotBalanceRejected",
  ],
];

for (const [name, order, text, status] of REFUSALS) {
  test(`refused in the venue's words: ${name}`, () => {
    const desk = openDesk();
    assert.equal(errorOf(desk.place(ALICE, order)), text);
    const rows = desk.venue.truth(ALICE).orderEvents;
    assert.deepEqual(
      rows.map((row) => row.status),
      status === null ? [] : [status],
    );
  });
}

test("an integer price is always allowed, whatever its figures", () => {
  const desk = openDesk();
  desk.oid(ALICE, { p: "123456", s: "0.001" });
});

test("post only names the best bid and offer it would have hit", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, p: "83010" });
  desk.oid(BOB, { b: true, p: "82990" });
  assert.equal(
    errorOf(desk.place(ALICE, { p: "83020", tif: "Alo" })),
    "Post only order would have immediately matched, bbo was 82990@83010. asset=0",
  );
});

test("closing a whole small position by reduce-only needs no minimum value", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, p: "83000", s: "0.00015" });
  desk.oid(ALICE, { p: "83000", s: "0.00015" });
  desk.oid(BOB, { b: true, p: "60000", s: "0.001" });
  desk.venue.setOracle("BTC", "60000");
  desk.oid(ALICE, { b: false, p: "60000", s: "0.00015", r: true });
  assert.equal(positionIn(desk, ALICE, "BTC"), undefined);
});

test("resting reduce-only orders go when the position is closed", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, s: "0.02" });
  desk.oid(ALICE, { s: "0.01" });
  desk.oid(ALICE, { b: false, p: "90000", s: "0.01", r: true });
  desk.oid(BOB, { b: true, p: "82990", s: "0.01" });
  desk.oid(ALICE, { b: false, p: "82990", s: "0.01" });
  desk.tick();
  assert.ok(transitions(desk, ALICE).includes("reduceOnlyCanceled 0.01"));
  assert.ok(desk.events().some((e) => e.type === "nonUserCancel" && e.user === ALICE));
});

test("trigger orders keep their oid from open through triggered to filled", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, p: "83700", s: "0.01" });
  desk.oid(ALICE, { p: "83700", s: "0.01" });
  const stop = trigger({ px: "80000", p: "75000", tpsl: "sl" });
  const [status] = statusesOf(desk.run(ALICE, { type: "order", orders: [stop], grouping: "na" })) as {
    resting: { oid: number };
  }[];
  const [shown] = desk.info({ type: "frontendOpenOrders", user: ALICE }) as JsonObject[];
  assert.equal(shown?.orderType, "Stop Market");
  assert.equal(shown?.triggerCondition, "Price below 80000");
  assert.equal(shown?.triggerPx, "80000.0");
  assert.equal(shown?.tif, null);
  desk.oid(BOB, { b: true, p: "79900", s: "0.01" });
  desk.venue.setOracle("BTC", "79950");
  const rows = desk.venue
    .truth(ALICE)
    .orderEvents.filter((r) => (r.order as JsonObject).oid === status?.resting.oid);
  assert.deepEqual(
    rows.map((r) => r.status),
    ["open", "triggered", "filled"],
  );
  assert.equal(newestFill(desk, ALICE).px, "79900.0");
});

test("a limit trigger rests in the book after it fired", () => {
  const desk = openDesk();
  const order = trigger({ b: true, r: false, px: "85000", p: "84900", tpsl: "sl", isMarket: false });
  desk.run(ALICE, { type: "order", orders: [order], grouping: "na" });
  desk.venue.setOracle("BTC", "85000");
  const [open] = desk.info({ type: "openOrders", user: ALICE }) as JsonObject[];
  assert.equal(open?.limitPx, "84900.0");
  assert.deepEqual(transitions(desk, ALICE), ["open 0.01", "triggered 0.01"]);
});

test("a trigger behind the mark is an invalid TP/SL price", () => {
  const desk = openDesk();
  const order = trigger({ b: true, r: false, px: "80000", tpsl: "sl" });
  const [status] = statusesOf(desk.run(ALICE, { type: "order", orders: [order], grouping: "na" }));
  assert.equal(errorOf(status as Json), "Invalid TP/SL price. asset=0");
});

const family = (parentPx: string): JsonObject => ({
  type: "order",
  grouping: "normalTpsl",
  orders: [
    limit({ a: ETH, p: parentPx, s: "1" }),
    trigger({ a: ETH, s: "1", px: "2300", tpsl: "tp" }),
    trigger({ a: ETH, s: "1", px: "2000", p: "1900", tpsl: "sl" }),
  ],
});

test("TP/SL children wait for their parent, nested in it and listed on their own", () => {
  const desk = openDesk();
  const statuses = statusesOf(desk.run(ALICE, family("2100")));
  assert.deepEqual(statuses.slice(1), ["waitingForFill", "waitingForFill"]);
  const open = desk.info({ type: "frontendOpenOrders", user: ALICE }) as JsonObject[];
  assert.equal(open.length, 3, "newest first: the children, then the parent");
  const parent = open[2] as { oid: number; children: JsonObject[] };
  assert.deepEqual(parent.children.map((c) => c.oid).sort(), [open[0]?.oid, open[1]?.oid].sort());
  desk.run(ALICE, { type: "cancel", cancels: [{ a: ETH, o: parent.oid }] });
  assert.deepEqual(desk.info({ type: "frontendOpenOrders", user: ALICE }), [], "children go with the parent");
});

test("a filled parent arms its children and the first to fill cancels its sibling", () => {
  const desk = openDesk();
  desk.oid(BOB, { a: ETH, b: false, p: "2124", s: "1" });
  const statuses = statusesOf(desk.run(ALICE, family("2124")));
  assert.deepEqual(statuses.slice(1), ["waitingForTrigger", "waitingForTrigger"]);
  desk.oid(BOB, { a: ETH, b: true, p: "2300", s: "1" });
  desk.venue.setOracle("ETH", "2310");
  desk.tick();
  assert.deepEqual(transitions(desk, ALICE).slice(-3), [
    "triggered 1.0",
    "filled 0.0",
    "siblingFilledCanceled 1.0",
  ]);
  assert.equal(positionIn(desk, ALICE, "ETH"), undefined);
});

test("positionTpsl closes the whole position, whatever it became", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, p: "83700", s: "0.03" });
  desk.oid(ALICE, { p: "83700", s: "0.01" });
  const orders = [trigger({ s: "0.01", px: "80000", p: "70000", tpsl: "sl" })];
  const statuses = statusesOf(desk.run(ALICE, { type: "order", orders, grouping: "positionTpsl" }));
  assert.deepEqual(statuses, ["waitingForTrigger"]);
  const [shown] = desk.info({ type: "frontendOpenOrders", user: ALICE }) as JsonObject[];
  assert.equal(shown?.isPositionTpsl, true);
  desk.oid(ALICE, { p: "83700", s: "0.02" });
  desk.oid(BOB, { b: true, p: "79000", s: "0.05" });
  desk.venue.setOracle("BTC", "79500");
  assert.equal(newestFill(desk, ALICE).sz, "0.03");
  assert.equal(positionIn(desk, ALICE, "BTC"), undefined);
});

test("a self-trade writes two rows with one tid, or cancels the resting order by switch", () => {
  const trades = openDesk();
  trades.oid(ALICE, { b: false });
  trades.oid(ALICE, { b: true });
  const rows = fillsOf(trades, ALICE);
  assert.equal(rows.length, 2);
  assert.equal(rows[0]?.tid, rows[1]?.tid);
  assert.deepEqual(
    rows.map((r) => r.side),
    ["B", "A"],
  );
  const cancels = openDesk({ switches: { selfTrades: "cancelResting" } });
  cancels.oid(ALICE, { b: false });
  cancels.oid(ALICE, { b: true });
  assert.deepEqual(fillsOf(cancels, ALICE), []);
  assert.ok(transitions(cancels, ALICE).includes("selfTradeCanceled 0.01"));
});

test("scheduleCancel ends everything at its time, and must lie 5 s ahead", () => {
  const desk = openDesk();
  desk.oid(ALICE, {});
  const early = desk.run(ALICE, { type: "scheduleCancel", time: desk.venue.nowMs + 4000 });
  assert.equal((early.body as JsonObject).status, "err");
  desk.run(ALICE, { type: "scheduleCancel", time: desk.venue.nowMs + 6000 });
  desk.tick(5900);
  assert.equal((desk.info({ type: "openOrders", user: ALICE }) as Json[]).length, 1);
  desk.tick(300);
  assert.deepEqual(transitions(desk, ALICE), ["open 0.01", "scheduledCancel 0.01"]);
});

test("a body of the wrong shape is 422 text and does nothing", () => {
  const desk = openDesk();
  const bodies: JsonObject[] = [
    { type: "order", orders: [limit({})], grouping: "bogus" },
    { type: "order", orders: [limit({})], grouping: "na", builder: { b: BOB, f: -10 } },
    { type: "order", orders: [{ ...limit({}), p: 83000 }], grouping: "na" },
    { type: "order", orders: [], grouping: "na" },
    { type: "cancel", cancels: [{ a: 0 }] },
    { type: "unheardOf" },
  ];
  for (const body of bodies) {
    const answer = desk.run(ALICE, body);
    assert.equal(answer.status, 422);
    assert.equal(answer.body, "Failed to deserialize the JSON body into the target type");
  }
  assert.deepEqual(desk.venue.truth(ALICE).orderEvents, []);
});

test("who never deposited cannot act", () => {
  const desk = openDesk();
  const stranger = `0x${"5".repeat(40)}`;
  const answer = desk.run(stranger, { type: "order", orders: [limit({})], grouping: "na" });
  assert.deepEqual(answer.body, {
    status: "err",
    response: `Must deposit before performing actions. User: ${stranger}`,
  });
});

test("blocks share one time, rise strictly, and actions between two questions share a block", () => {
  const desk = openDesk();
  const before = desk.blocks.length;
  desk.oid(ALICE, {});
  desk.oid(ALICE, { p: "82000" });
  desk.info({ type: "openOrders", user: ALICE });
  desk.oid(ALICE, { p: "81000" });
  desk.tick();
  const made = desk.blocks.slice(before);
  assert.deepEqual(
    made.map((b) => b.events.filter((e) => e.type === "orderUpdate").length),
    [2, 1],
  );
  assert.ok(made[1]!.timeMs > made[0]!.timeMs && made[1]!.height > made[0]!.height);
  for (const block of made) {
    for (const event of block.events) {
      if (event.type === "orderUpdate") assert.equal(event.statusTimestamp, block.timeMs);
    }
  }
});

test("two orders trade at most once, even when a reduce-only order meets its own owner", () => {
  // Found by the conservation laws: the position stays as it is, so the pair could trade again under the same tid.
  const desk = openDesk();
  desk.oid(BOB, { b: false, s: "0.005" });
  desk.oid(ALICE, { s: "0.005" });
  desk.oid(ALICE, { b: false, p: "83100", s: "0.01", r: true });
  desk.oid(ALICE, { p: "83100", s: "0.01" });
  const own = fillsOf(desk, ALICE).filter((f) => f.px === "83100.0");
  assert.deepEqual(
    own.map((f) => [f.side, f.sz]),
    [
      ["B", "0.005"],
      ["A", "0.005"],
    ],
  );
  assert.ok(transitions(desk, ALICE).includes("reduceOnlyCanceled 0.005"));
});

test("a TP/SL group whose child is no trigger is refused before its parent is placed", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, p: "83000", s: "1" });
  const child = limit({ b: false, p: "84000", r: true });
  for (const [orders, grouping] of [
    [[limit({ p: "83000" }), child], "normalTpsl"],
    [[limit({ p: "80000" }), trigger({ px: "90000", tpsl: "tp" }), child], "normalTpsl"],
    [[child], "positionTpsl"],
  ] as const) {
    const answer = desk.run(ALICE, { type: "order", orders: [...orders], grouping });
    assert.deepEqual(answer.body, { status: "err", response: "Invalid TP/SL price. asset=0" });
  }
  desk.tick();
  assert.deepEqual(transitions(desk, ALICE), []);
});

test("an unknown asset refuses the whole modification, and leaves what there is", () => {
  const desk = openDesk();
  const oid = desk.oid(ALICE, {});
  const known = { oid, order: limit({ p: "82000" }) };
  const unknown = { oid, order: limit({ a: 9999 }) };
  for (const action of [
    { type: "modify", ...unknown },
    { type: "batchModify", modifies: [known, unknown] },
  ]) {
    const answer = desk.run(ALICE, action);
    assert.deepEqual(answer, {
      status: 200,
      body: { status: "err", response: "Order has invalid asset. asset=9999" },
    });
  }
  assert.deepEqual(transitions(desk, ALICE), ["open 0.01"]);
});
