/** Limits of §4 that belong to the model, scripted events, bounds on memory and the speed that is promised. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json, JsonObject } from "../../../src/simulator/contract.ts";
import { fixed, format } from "../../../src/simulator/exchange/fixed.ts";
import { createVenue } from "../../../src/simulator/exchange/venue.ts";
import {
  ALICE,
  BOB,
  BTC,
  errorOf,
  fillsOf,
  limit,
  newestFill,
  openDesk,
  positionIn,
  statusesOf,
} from "./exchangeHarness.ts";

const CAROL = `0x${"ca".repeat(20)}`;
const CANCEL_NOTHING: JsonObject = { type: "cancel", cancels: [{ a: BTC, o: 1 }] };

test("an address has ten thousand requests and one per dollar traded; cancels have twice as many", () => {
  const desk = openDesk();
  const orders = Array.from({ length: 1000 }, () => limit({ tif: "Ioc" }));
  for (let i = 0; i < 10; i++) desk.run(ALICE, { type: "order", orders, grouping: "na" });
  assert.equal((desk.info({ type: "userRateLimit", user: ALICE }) as JsonObject).nRequestsUsed, 10_000);
  desk.tick(20_000);
  assert.ok(errorOf(desk.place(ALICE, { tif: "Ioc" })), "one request every ten seconds still gets through");
  const refused = desk.run(ALICE, { type: "order", orders: [limit({})], grouping: "na" });
  assert.equal(
    (refused.body as JsonObject).response,
    "Too many cumulative requests sent (10002 > 10000) for cumulative volume traded $0.00. " +
      "Place taker orders to free up 1 request per USDC traded.",
  );
  assert.ok(errorOf(statusesOf(desk.run(ALICE, CANCEL_NOTHING))[0] as Json), "cancels have room");
  desk.run(ALICE, { type: "reserveRequestWeight", weight: 1000 });
  assert.equal((desk.info({ type: "userRateLimit", user: ALICE }) as JsonObject).nRequestsCap, 11_000);
  desk.oid(ALICE, {});
});

test("more than a thousand open orders are refused", () => {
  const desk = openDesk({ switches: { addressLimits: false } });
  const orders = Array.from({ length: 1000 }, (_, i) => limit({ p: String(80_000 - i), s: "0.001" }));
  desk.run(ALICE, { type: "order", orders, grouping: "na" });
  assert.equal((desk.info({ type: "openOrders", user: ALICE }) as Json[]).length, 1000);
  assert.equal(errorOf(desk.place(ALICE, {})), "Too many open orders. asset=0");
});

test("an action that arrives after expiresAfter does nothing", () => {
  const desk = openDesk();
  const action = { type: "order", orders: [limit({})], grouping: "na" };
  const late = desk.venue.execute(ALICE, action, { nonce: 1, expiresAfter: desk.venue.nowMs - 1 });
  assert.equal((late.body as JsonObject).status, "err");
  assert.deepEqual(desk.info({ type: "openOrders", user: ALICE }), []);
});

test("an action that arrives after expiresAfter costs five times as many requests", () => {
  const desk = openDesk();
  const action = { type: "order", orders: [limit({}), limit({})], grouping: "na" };
  const used = () => (desk.info({ type: "userRateLimit", user: ALICE }) as JsonObject).nRequestsUsed;
  desk.venue.execute(ALICE, action, { nonce: 1, expiresAfter: desk.venue.nowMs + 1000 });
  assert.equal(used(), 2);
  desk.venue.execute(ALICE, action, { nonce: 2, expiresAfter: desk.venue.nowMs - 1 });
  assert.equal(used(), 12);
});

test("at the open interest cap nothing is opened, and positions are closed near the oracle only", () => {
  const desk = openDesk();
  desk.venue.setOracle("BTC", "83000");
  desk.oid(BOB, { b: false, p: "83000", s: "0.02" });
  desk.oid(ALICE, { p: "83000", s: "0.01" });
  desk.venue.script({ type: "openInterestCap", coin: "BTC", capped: true });
  assert.deepEqual(desk.info({ type: "perpsAtOpenInterestCap" }), ["BTC"]);
  assert.deepEqual(desk.info({ type: "perpsAtOpenInterestCap", dex: "xyz" }), []);
  const increase = "Order would increase open interest while open interest is capped asset=0";
  const refused = [
    [{ b: true }, increase, "positionIncreaseAtOpenInterestCapRejected"],
    [{ b: false, p: "83500", s: "0.02" }, increase, "positionFlipAtOpenInterestCapRejected"],
    [
      { b: false, p: "90000" },
      "Order price too far from oracle asset=0",
      "tooAggressiveAtOpenInterestCapRejected",
    ],
  ] as const;
  for (const [order, text, status] of refused) {
    assert.equal(errorOf(desk.place(ALICE, order)), text);
    assert.equal(desk.venue.truth(ALICE).orderEvents.at(-1)?.status, status);
  }
  desk.oid(ALICE, { b: false, p: "83500" });
  // What rested before the cap, and would open, goes when it is met.
  const cap = (capped: boolean) => desk.venue.script({ type: "openInterestCap", coin: "BTC", capped });
  cap(false);
  desk.venue.deposit(CAROL, "10000");
  desk.oid(BOB, { b: false, p: "83000" });
  desk.oid(CAROL, { p: "83000" });
  desk.oid(ALICE, { b: true, p: "82900" });
  cap(true);
  desk.place(CAROL, { b: false, p: "82900", tif: "Ioc" });
  assert.equal(desk.venue.truth(ALICE).orderEvents.at(-1)?.status, "openInterestCapCanceled");
});

test("the truth tells liquidations, notifications and TWAP histories too", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, p: "83000", s: "0.01" });
  desk.oid(ALICE, { p: "83000", s: "0.01" });
  desk.run(ALICE, { type: "twapOrder", twap: { a: BTC, b: true, s: "0.1", r: false, m: 5, t: false } });
  const bob = desk.venue.truth(BOB).notifications[0];
  assert.equal(bob?.notification, "Resting order filled: Sold 0.01 BTC at $83000");
  assert.equal(typeof bob?.time, "number");
  assert.equal(desk.venue.truth(ALICE).twapHistory.length, 1);
  desk.venue.deposit(CAROL, "1000");
  desk.oid(BOB, { b: false, p: "83757", s: "0.2" });
  desk.oid(CAROL, { p: "83757", s: "0.2" });
  desk.venue.setOracle("BTC", "75000");
  const [liquidation] = desk.venue.truth(CAROL).liquidations;
  assert.equal(liquidation?.liquidated_user, CAROL);
});

test("a filled resting order is announced in the venue's words", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, p: "83000", s: "0.01" });
  desk.oid(ALICE, { p: "83000", s: "0.01" });
  desk.tick();
  const notes = desk.events().filter((e) => e.type === "notification");
  assert.deepEqual(notes, [
    { type: "notification", user: BOB, notification: "Resting order filled: Sold 0.01 BTC at $83000" },
  ]);
});

test("a script can end orders with any status, also one that does not exist yet", () => {
  const desk = openDesk();
  desk.oid(ALICE, {});
  desk.venue.script({ type: "endOrders", user: ALICE, status: "fromTheFutureCanceled" });
  assert.equal(desk.venue.truth(ALICE).orderEvents.at(-1)?.status, "fromTheFutureCanceled");
  assert.deepEqual(desk.info({ type: "openOrders", user: ALICE }), []);
});

test("delisting cancels orders and settles positions at the mark, in this world only", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, p: "83000", s: "0.01" });
  desk.oid(ALICE, { p: "83000", s: "0.01" });
  desk.oid(ALICE, { p: "80000", s: "0.01" });
  desk.venue.script({ type: "delist", coin: "BTC" });
  assert.equal(newestFill(desk, ALICE).dir, "Settlement");
  assert.equal(positionIn(desk, ALICE, "BTC"), undefined);
  assert.equal(desk.venue.truth(ALICE).orderEvents.at(-1)?.status, "delistedCanceled");
  assert.equal(errorOf(desk.place(ALICE, {})), "Trading is halted. asset=0");
  const { universe } = desk.info({ type: "meta" }) as { universe: JsonObject[] };
  assert.equal(universe[0]?.isDelisted, true);
  const fresh = openDesk().info({ type: "meta" }) as { universe: JsonObject[] };
  assert.equal("isDelisted" in (fresh.universe[0] ?? {}), false);
});

test("a dex that is deployed while the venue runs is listed last, quoted, traded on and told like the others", () => {
  const venue = createVenue({ seed: 3, traders: { coins: ["BTC"] } });
  const ask = (request: JsonObject) => venue.info(request).body as Json;
  const before = (ask({ type: "perpDexs" }) as Json[]).length;
  venue.advance(venue.nowMs + 30_000);
  venue.script({ type: "deployDex", name: "abc", coins: { GOLD: "2400.0", OIL: "70.5" } });
  const dexes = ask({ type: "perpDexs" }) as (JsonObject | null)[];
  assert.equal(dexes.length, before + 1);
  assert.equal(dexes.at(-1)!.name, "abc");
  const { universe } = ask({ type: "meta", dex: "abc" }) as { universe: JsonObject[] };
  assert.deepEqual(
    universe.map(({ name }) => name),
    ["abc:GOLD", "abc:OIL"],
  );
  venue.addActiveAccount({ user: ALICE, fillsPerSecond: 2, coins: ["abc:GOLD"] });
  venue.advance(venue.nowMs + 20_000);
  const { fills, positions } = venue.truth(ALICE);
  assert.ok(fills.length >= 20 && fills.every(({ coin }) => coin === "abc:GOLD"), `${fills.length} fills`);
  assert.deepEqual(
    positions.map(({ dex, coin }) => [dex, coin]),
    [["abc", "abc:GOLD"]],
  );
  // Asset ids go on from the index of the dex.
  const order = {
    a: 100_000 + before * 10_000 + 1,
    b: true,
    p: "70",
    s: "1",
    r: false,
    t: { limit: { tif: "Gtc" } },
  };
  const placed = venue.execute(ALICE, { type: "order", orders: [order], grouping: "na" }, { nonce: 1 });
  assert.match(JSON.stringify(placed.body), /resting/);
  for (const [name, coins] of [
    ["abc", { X: "1" }],
    ["xyz", { X: "1" }],
    ["A B", { X: "1" }],
    ["", { X: "1" }],
    ["def", { X: "0" }],
  ] as const)
    assert.throws(() => venue.script({ type: "deployDex", name, coins }), RangeError, name);
  assert.equal((ask({ type: "perpDexs" }) as Json[]).length, before + 1);
});

test("the switch historyLimit bounds what an account remembers", () => {
  const desk = openDesk({ switches: { historyLimit: 50, addressLimits: false } });
  for (let i = 0; i < 300; i++) desk.place(ALICE, { tif: "Ioc" });
  const kept = desk.venue.truth(ALICE).orderEvents.length;
  assert.ok(kept >= 50 && kept < 100, String(kept));
});

/** A machine that does other things too takes longer, not more. */
function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

test("fifty accounts trading a thousand orders a second leave the model far below one core", () => {
  const activeAccounts = Array.from({ length: 50 }, (_, i) => ({
    user: `0x${(i + 16).toString(16).repeat(20)}`,
    fillsPerSecond: 7,
    quietOrdersPerSecond: 13,
  }));
  const venue = createVenue({ seed: 1, activeAccounts });
  let orders = 0;
  venue.onBlock((block) => {
    for (const event of block.events) if (event.type === "orderUpdate" && event.status === "open") orders++;
  });
  const before = process.cpuUsage();
  venue.advance(venue.nowMs + 20_000);
  const took = cpuMs(before);
  assert.ok(orders > 18_000, `${orders} orders in 20 s`);
  // Measured 0.4 s; the bound keeps the order of magnitude.
  assert.ok(took < 10_000, `${took} ms of CPU for 20 s`);
});

test("a virtual day of one account runs in seconds", () => {
  const user = `0x${"da".repeat(20)}`;
  const venue = createVenue({
    seed: 1,
    traders: { stepMs: 30_000, coins: ["BTC", "ETH", "SOL"] },
    activeAccounts: [{ user, fillsPerSecond: 0.05 }],
  });
  const before = process.cpuUsage();
  venue.advance(venue.nowMs + 86_400_000);
  const took = cpuMs(before);
  assert.ok(venue.truth(user).fills.length > 3000);
  assert.ok(venue.truth(user).funding.length > 30);
  // Measured 1.1 s.
  assert.ok(took < 30_000, `${took} ms of CPU for a day`);
});

test("orders of an active account do not pile up", () => {
  const user = `0x${"ac".repeat(20)}`;
  const desk = openDesk({
    traders: { stepMs: 10_000, coins: ["kPEPE", "BTC"] },
    activeAccounts: [{ user, fillsPerSecond: 3, coins: ["kPEPE", "BTC"] }],
  });
  desk.tick(600_000);
  assert.ok(fillsOf(desk, user).length > 1000);
  assert.ok((desk.info({ type: "openOrders", user }) as Json[]).length < 100);
});

test("an active account trades HIP-3 and spot, and its chain is whole only with its TWAP slices", () => {
  const user = `0x${"ac".repeat(20)}`;
  const coins = ["BTC", "xyz:AAPL", "@107"];
  const desk = openDesk({
    traders: { stepMs: 10_000, coins },
    activeAccounts: [{ user, fillsPerSecond: 0.5, twapsPerHour: 20, coins }],
  });
  desk.tick(3_600_000);
  const { fills, twapSliceFills } = desk.venue.truth(user);
  for (const coin of coins)
    assert.ok(
      fills.some((f) => f.coin === coin),
      coin,
    );
  assert.ok(twapSliceFills.length > 50, `${twapSliceFills.length} slices`);
  const chain = (rows: JsonObject[]): number => {
    let breaks = 0;
    let end = "0.0";
    for (const row of rows.filter((f) => f.coin === "BTC")) {
      if (row.startPosition !== end) breaks++;
      const [start, sz] = [fixed(row.startPosition as string), fixed(row.sz as string)];
      end = format(row.side === "B" ? start + sz : start - sz);
    }
    return breaks;
  };
  const order: JsonObject[] = desk
    .events()
    .flatMap((e) => ((e.type === "fill" || e.type === "twapSliceFill") && e.user === user ? [e.fill] : []));
  assert.equal(chain(order), 0);
  assert.ok(chain(fills) > 0, "without the slices it has holes");
});

test("a sub-account's tokens and modes are its master's to move", () => {
  const desk = openDesk();
  const made = desk.run(ALICE, { type: "createSubAccount", name: "two" });
  const sub = ((made.body as JsonObject).response as { data: string }).data;
  desk.venue.script({ type: "mint", user: ALICE, token: "USDC", amount: "100" });
  const move: JsonObject = {
    type: "subAccountSpotTransfer",
    subAccountUser: sub,
    isDeposit: true,
    token: "USDC:0x6d",
  };
  desk.run(ALICE, { ...move, amount: "60" });
  desk.run(ALICE, { type: "usdClassTransfer", amount: `10 subaccount:${sub}`, toPerp: true, nonce: 1 });
  const { balances } = desk.info({ type: "spotClearinghouseState", user: sub }) as { balances: JsonObject[] };
  assert.equal(balances[0]?.total, "50.0");
  desk.run(ALICE, { type: "userSetAbstraction", user: sub, abstraction: "unifiedAccount" });
  assert.equal(desk.info({ type: "userAbstraction", user: sub }), "unifiedAccount");
  const foreign = desk.run(BOB, { ...move, amount: "1" });
  assert.equal((foreign.body as JsonObject).status, "err");
});

test("modify places the new order without an old one only when asked to", () => {
  const desk = openDesk();
  const action: JsonObject = { type: "modify", oid: 1, order: limit({}) };
  assert.equal(
    (desk.run(ALICE, action).body as JsonObject).response,
    "Cannot modify canceled or filled order",
  );
  assert.deepEqual(desk.run(ALICE, { ...action, a: true }).body, {
    status: "ok",
    response: { type: "default" },
  });
  assert.equal((desk.info({ type: "openOrders", user: ALICE }) as Json[]).length, 1);
});

test("a price or size with too many decimals is a tick or lot error, not a shape error", () => {
  const desk = openDesk();
  assert.equal(
    errorOf(desk.place(ALICE, { p: "83000.123456789" })),
    "Price must be divisible by tick size. asset=0",
  );
  assert.equal(errorOf(desk.place(ALICE, { s: "0.0100000001" })), "Order has invalid size. asset=0");
});

test("a vault is created with at least a hundred dollars and led by its creator", () => {
  const desk = openDesk();
  const create: JsonObject = { type: "createVault", name: "V", description: "d", nonce: 1 };
  assert.equal((desk.run(ALICE, { ...create, initialUsd: 99_000_000 }).body as JsonObject).status, "err");
  const made = desk.run(ALICE, { ...create, initialUsd: 200_000_000 });
  const vault = ((made.body as JsonObject).response as { data: string }).data;
  const [led] = desk.info({ type: "leadingVaults", user: ALICE }) as JsonObject[];
  assert.equal(led?.address, vault);
  const action = { type: "order", orders: [limit({ s: "0.001" })], grouping: "na" };
  const answer = desk.venue.execute(ALICE, action, { nonce: 1, vaultAddress: vault });
  assert.ok((statusesOf(answer)[0] as JsonObject).resting);
  assert.equal((desk.info({ type: "openOrders", user: vault }) as Json[]).length, 1);
});
