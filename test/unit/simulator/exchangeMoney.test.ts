/** Facts of §5.2–§5.7: fills, fees, margin, funding, liquidation, money that moves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json, JsonObject } from "../../../src/simulator/contract.ts";
import { fundingRate } from "../../../src/simulator/exchange/funding.ts";
import { tradeId } from "../../../src/simulator/exchange/ids.ts";
import { DEFAULT_UNIVERSE } from "../../../src/simulator/exchange/universe.ts";
import {
  AAPL,
  ALICE,
  BOB,
  BTC,
  type Desk,
  ETH,
  errorOf,
  fillsOf,
  HYPE_SPOT,
  limit,
  newestFill,
  openDesk,
  perpState,
  positionIn,
  SOL,
  statusesOf,
  trigger,
} from "./exchangeHarness.ts";

/** Alice trades `sz` with Bob at `px`, as taker. */
function tradeAt(desk: Desk, isBuy: boolean, px: string, s: string, a = BTC): void {
  desk.oid(BOB, { a, b: !isBuy, p: px, s });
  desk.oid(ALICE, { a, b: isBuy, p: px, s });
}

test("a fill carries every field of the wire, in the venue's order", () => {
  const desk = openDesk();
  const cloid = "0x000000000000000000000000000000aa";
  desk.oid(BOB, { b: false });
  const oid = desk.oid(ALICE, { c: cloid });
  const fill = newestFill(desk, ALICE);
  assert.deepEqual(Object.keys(fill), [
    "coin",
    "px",
    "sz",
    "side",
    "time",
    "startPosition",
    "dir",
    "closedPnl",
    "hash",
    "oid",
    "crossed",
    "fee",
    "tid",
    "cloid",
    "feeToken",
    "twapId",
  ]);
  assert.equal(fill.oid, oid);
  assert.equal(fill.cloid, cloid);
  assert.equal(fill.feeToken, "USDC");
  assert.equal(fill.twapId, null);
  assert.match(fill.hash as string, /^0x[0-9a-f]{64}$/);
  assert.deepEqual(
    [fill.startPosition, fill.dir, fill.closedPnl, fill.crossed],
    ["0.0", "Open Long", "0.0", true],
  );
});

test("tid is a 50-bit hash of buyer and seller oid, the same on both rows", () => {
  const desk = openDesk();
  const seller = desk.oid(BOB, { b: false });
  const buyer = desk.oid(ALICE, {});
  assert.equal(newestFill(desk, ALICE).tid, tradeId(buyer, seller));
  assert.equal(newestFill(desk, BOB).tid, tradeId(buyer, seller));
  assert.ok(tradeId(buyer, seller) < 2 ** 50);
  assert.notEqual(tradeId(buyer, seller), tradeId(seller, buyer));
});

test("perp fees are 0.045 % taker and 0.015 % maker, truncated at six decimals", () => {
  const desk = openDesk();
  desk.venue.setOracle("ETH", "3178.9");
  tradeAt(desk, true, "3178.9", "0.0101", ETH);
  // 32.10689 · 0.00045 = 0.01444810…, · 0.00015 = 0.00481603…
  assert.equal(newestFill(desk, ALICE).fee, "0.014448");
  assert.equal(newestFill(desk, BOB).fee, "0.004816");
});

test("the builder's share is inside the fee and must have been approved", () => {
  const desk = openDesk();
  const builder = { b: `0x${"bb".repeat(20)}`, f: 50 };
  desk.oid(BOB, { b: false });
  const action: JsonObject = { type: "order", orders: [limit({})], grouping: "na", builder };
  assert.equal((desk.run(ALICE, action).body as JsonObject).response, "Builder fee has not been approved");
  desk.run(ALICE, { type: "approveBuilderFee", builder: builder.b, maxFeeRate: "0.05%" });
  assert.equal(desk.info({ type: "maxBuilderFee", user: ALICE, builder: builder.b }), 50);
  desk.run(ALICE, action);
  // 830 · 0.0005 = 0.415; 830 · 0.00045 = 0.3735
  assert.equal(newestFill(desk, ALICE).builderFee, "0.415");
  assert.equal(newestFill(desk, ALICE).fee, "0.7885");
});

test("directions and closed PnL follow the position through open, add, reduce, flip and close", () => {
  const desk = openDesk();
  tradeAt(desk, true, "83000", "0.01");
  tradeAt(desk, true, "84000", "0.01");
  tradeAt(desk, false, "84500", "0.005");
  tradeAt(desk, false, "84500", "0.03");
  tradeAt(desk, true, "84000", "0.015");
  assert.deepEqual(
    fillsOf(desk, ALICE).map((f) => [f.startPosition, f.dir, f.closedPnl]),
    [
      ["0.0", "Open Long", "0.0"],
      ["0.01", "Open Long", "0.0"],
      ["0.02", "Close Long", "5.0"],
      ["0.015", "Long > Short", "15.0"],
      ["-0.015", "Close Short", "7.5"],
    ],
  );
  assert.equal(positionIn(desk, ALICE, "BTC"), undefined, "a flat coin is absent");
});

test("a spot buyer pays the fee in the token, the seller in USDC, at eight decimals", () => {
  const desk = openDesk();
  desk.venue.script({ type: "mint", user: BOB, token: "HYPE", amount: "10" });
  desk.venue.script({ type: "mint", user: ALICE, token: "USDC", amount: "1000" });
  tradeAt(desk, true, "41.69", "1.23", HYPE_SPOT);
  const [bought, sold] = [newestFill(desk, ALICE), newestFill(desk, BOB)];
  assert.deepEqual([bought.fee, bought.feeToken, bought.dir], ["0.000861", "HYPE", "Buy"]);
  // 51.2787 · 0.0004
  assert.deepEqual([sold.fee, sold.feeToken, sold.dir], ["0.02051148", "USDC", "Sell"]);
  assert.deepEqual([bought.startPosition, sold.startPosition], ["0.0", "10.0"]);
  const { balances } = desk.info({ type: "spotClearinghouseState", user: ALICE }) as {
    balances: JsonObject[];
  };
  assert.deepEqual(balances, [
    { coin: "USDC", token: 0, total: "948.7213", hold: "0.0", entryNtl: "0.0" },
    { coin: "HYPE", token: 150, total: "1.229139", hold: "0.0", entryNtl: "51.2787" },
  ]);
});

test("open spot orders hold what they need", () => {
  const desk = openDesk();
  desk.venue.script({ type: "mint", user: ALICE, token: "USDC", amount: "1000" });
  const oid = desk.oid(ALICE, { a: HYPE_SPOT, p: "40", s: "10" });
  const hold = () =>
    (desk.info({ type: "spotClearinghouseState", user: ALICE }) as { balances: JsonObject[] }).balances[0]
      ?.hold;
  assert.equal(hold(), "400.0");
  desk.run(ALICE, { type: "cancel", cancels: [{ a: HYPE_SPOT, o: oid }] });
  assert.equal(hold(), "0.0");
});

test("the state of the gareth0712 short capture is reproduced to the last digit", () => {
  // entry 107851, mark 107840, raw cash 40.780247 after the maker fee of 0.001617.
  const desk = openDesk();
  const carol = `0x${"ca".repeat(20)}`;
  desk.venue.deposit(carol, "29.996764");
  desk.venue.setOracle("BTC", "107840");
  desk.run(carol, { type: "updateLeverage", asset: BTC, isCross: true, leverage: 1 });
  desk.oid(carol, { b: false, p: "107851", s: "0.0001" });
  desk.oid(BOB, { b: true, p: "107851", s: "0.0001" });
  const state = perpState(desk, carol);
  assert.deepEqual(state.marginSummary, {
    accountValue: "29.996247",
    totalNtlPos: "10.784",
    totalRawUsd: "40.780247",
    totalMarginUsed: "10.784",
  });
  assert.equal(state.crossMaintenanceMarginUsed, "0.1348");
  assert.equal(state.withdrawable, "19.212247");
  assert.deepEqual(positionIn(desk, carol, "BTC"), {
    coin: "BTC",
    szi: "-0.0001",
    leverage: { type: "cross", value: 1 },
    entryPx: "107851.0",
    positionValue: "10.784",
    unrealizedPnl: "0.0011",
    returnOnEquity: "0.0001019926",
    liquidationPx: "402767.8716049383",
    marginUsed: "10.784",
    maxLeverage: 40,
    cumFunding: { allTime: "0.0", sinceOpen: "0.0", sinceChange: "0.0" },
  });
});

test("margin tiers make maintenance margin continuous and cap the leverage of large positions", () => {
  const desk = openDesk();
  desk.venue.deposit(ALICE, "30000000");
  desk.venue.deposit(BOB, "30000000");
  desk.venue.setOracle("DOGE", "0.1");
  const DOGE = 10;
  for (const user of [ALICE, BOB]) {
    desk.run(user, { type: "updateLeverage", asset: DOGE, isCross: true, leverage: 5 });
  }
  // 30 M: 20 M at 1/20 and 10 M at 1/10.
  tradeAt(desk, true, "0.1", "300000000", DOGE);
  assert.equal(perpState(desk, ALICE).crossMaintenanceMarginUsed, "2000000.0");
  desk.run(ALICE, { type: "updateLeverage", asset: DOGE, isCross: true, leverage: 10 });
  assert.equal(
    errorOf(desk.place(ALICE, { a: DOGE, p: "0.1", s: "1000" })),
    "Order would cause position to exceed margin tier limit at current leverage asset=10",
  );
});

test("an isolated position has its own pocket, and can be topped up and drawn down", () => {
  const desk = openDesk();
  desk.run(ALICE, { type: "updateLeverage", asset: SOL, isCross: false, leverage: 10 });
  desk.venue.setOracle("SOL", "80");
  tradeAt(desk, true, "80", "10", SOL);
  const position = positionIn(desk, ALICE, "SOL");
  assert.deepEqual(position?.leverage, { type: "isolated", value: 10, rawUsd: "-720.0" });
  assert.equal(position?.marginUsed, "80.0");
  // 80 − (80 − 20)/10/(1 − 1/40)
  assert.equal(position?.liquidationPx, "73.8461538462");
  const state = perpState(desk, ALICE);
  assert.equal(state.crossMarginSummary?.totalNtlPos, "0.0");
  assert.equal(state.marginSummary?.totalMarginUsed, "80.0");
  desk.run(ALICE, { type: "updateIsolatedMargin", asset: SOL, isBuy: true, ntli: 20_000_000 });
  assert.equal(positionIn(desk, ALICE, "SOL")?.marginUsed, "100.0");
  const tooMuch = desk.run(ALICE, {
    type: "updateIsolatedMargin",
    asset: SOL,
    isBuy: true,
    ntli: -30_000_000,
  });
  assert.equal((tooMuch.body as JsonObject).status, "err");
  const before = state.marginSummary?.accountValue;
  tradeAt(desk, false, "80", "10", SOL);
  const fees = fillsOf(desk, ALICE).reduce((sum, f) => sum + Math.round(Number(f.fee) * 1e6), 0);
  assert.equal(fees, 720_000, "two taker fees of 0.36");
  assert.equal(before, "99999.64");
  assert.equal(perpState(desk, ALICE).marginSummary?.totalRawUsd, "99999.28");
});

test("leverage type cannot change under an open position", () => {
  const desk = openDesk();
  tradeAt(desk, true, "83000", "0.01");
  const answer = desk.run(ALICE, { type: "updateLeverage", asset: BTC, isCross: false, leverage: 5 });
  assert.equal((answer.body as JsonObject).response, "Cannot switch leverage type with open position.");
  const bad = desk.run(ALICE, { type: "updateLeverage", asset: BTC, isCross: true, leverage: 41 });
  assert.equal((bad.body as JsonObject).response, "Invalid leverage value");
});

/** Dollars of the first dex go to the dex of AAPL. */
const toXyz = (desk: Desk, user: string, amount: string) =>
  desk.run(user, {
    ...{ type: "sendAsset", token: "USDC", amount, destination: user },
    ...{ sourceDex: "", destinationDex: "xyz" },
  });

/** A third account with so many dollars, whose dexes and spot are one pool. */
function unified(desk: Desk, usd: string): string {
  const carol = `0x${"ca".repeat(20)}`;
  desk.venue.deposit(carol, usd);
  desk.run(carol, { type: "userSetAbstraction", user: carol, abstraction: "unifiedAccount" });
  return carol;
}

/** Bob sells it to the user. */
function buys(desk: Desk, user: string, a: number, p: string, s: string): void {
  desk.oid(BOB, { a, b: false, p, s });
  desk.oid(user, { a, p, s });
}

test("HIP-3 coins live in their own dex with their own collateral", () => {
  const desk = openDesk();
  assert.equal(
    errorOf(desk.place(ALICE, { a: AAPL, p: "250", s: "1" })),
    "Insufficient margin to place order. asset=110001",
  );
  for (const user of [ALICE, BOB]) toXyz(desk, user, "1000");
  tradeAt(desk, true, "250", "1", AAPL);
  assert.equal(newestFill(desk, ALICE).coin, "xyz:AAPL");
  assert.equal(positionIn(desk, ALICE, "xyz:AAPL")?.szi, "1.0");
  assert.deepEqual(perpState(desk, ALICE).assetPositions, [], "the first dex does not show it");
  assert.equal(perpState(desk, ALICE).marginSummary?.accountValue, "99000.0");
});

test("funding is paid each hour by one row stamped 15–50 ms past it; negative was paid", () => {
  const desk = openDesk();
  tradeAt(desk, true, "83757", "0.1");
  desk.tick(3_601_000);
  const [row] = desk.info({ type: "userFunding", user: ALICE }) as {
    time: number;
    hash: string;
    delta: JsonObject;
  }[];
  const past = (row?.time ?? 0) % 3_600_000;
  assert.ok(past >= 15 && past <= 50, String(past));
  assert.match(row?.hash ?? "", /^0x0{64}$/);
  // 0.1 · 83757 · 0.0000125 = 0.10469625
  assert.deepEqual(row?.delta, {
    type: "funding",
    coin: "BTC",
    usdc: "-0.104696",
    szi: "0.1",
    fundingRate: "0.0000125",
    nSamples: null,
  });
  assert.equal(positionIn(desk, BOB, "BTC")?.szi, "-0.1");
  const cumulative = positionIn(desk, BOB, "BTC")?.cumFunding as JsonObject;
  assert.equal(cumulative.sinceOpen, "-0.104696", "cumFunding has the opposite sign of usdc");
  const history = desk.info({ type: "fundingHistory", coin: "BTC", startTime: 0 }) as JsonObject[];
  assert.deepEqual(Object.keys(history[0] ?? {}), ["coin", "fundingRate", "premium", "time"]);
});

test("the funding rate is premium plus clamped interest, an eighth of it, within four percent", () => {
  assert.equal(fundingRate(0n), 125_000n);
  assert.equal(fundingRate(100_000_000n), (100_000_000n - 5_000_000n) / 8n);
  assert.equal(fundingRate(10_000_000_000n), 400_000_000n);
});

test("below maintenance the book takes the position: market method, ordinary fee, note on both rows", () => {
  const desk = openDesk();
  desk.run(ALICE, { type: "updateLeverage", asset: SOL, isCross: false, leverage: 20 });
  desk.venue.setOracle("SOL", "80");
  tradeAt(desk, true, "80", "100", SOL);
  desk.oid(BOB, { a: SOL, b: true, p: "77.8", s: "100" });
  desk.oid(ALICE, { a: SOL, b: true, p: "60", s: "1" });
  desk.venue.setOracle("SOL", "77.9");
  const fill = newestFill(desk, ALICE);
  assert.deepEqual([fill.dir, fill.crossed, fill.fee], ["Close Long", true, "3.501"]);
  const note = { liquidatedUser: ALICE, markPx: "77.9", method: "market" };
  assert.deepEqual(fill.liquidation, note);
  assert.deepEqual(newestFill(desk, BOB).liquidation, note);
  assert.equal(positionIn(desk, ALICE, "SOL"), undefined);
  const statuses = desk.venue.truth(ALICE).orderEvents.map((r) => r.status);
  assert.ok(statuses.includes("liquidatedCanceled"));
  const [delta] = desk.venue
    .truth(ALICE)
    .ledger.map((r) => r.delta as JsonObject)
    .filter((d) => d.type === "liquidation");
  assert.equal(delta?.leverageType, "Isolated");
  desk.tick();
  assert.ok(desk.events().some((e) => e.type === "liquidation" && e.user === ALICE));
});

test("without a book the backstop takes it at the bankruptcy price, free of fees", () => {
  const desk = openDesk();
  desk.run(ALICE, { type: "updateLeverage", asset: SOL, isCross: false, leverage: 20 });
  desk.venue.setOracle("SOL", "80");
  tradeAt(desk, true, "80", "100", SOL);
  desk.venue.setOracle("SOL", "76.5");
  const fill = newestFill(desk, ALICE);
  assert.deepEqual([fill.dir, fill.crossed, fill.fee], ["Liquidated Isolated Long", false, "0.0"]);
  assert.equal((fill.liquidation as JsonObject).method, "backstop");
  assert.equal(fill.px, "76.0001", "entry less margin, one tick in the user's favour");
  assert.equal(positionIn(desk, ALICE, "SOL"), undefined);
});

test("what a thin book leaves of an isolated position is judged by its own margin, and nothing sold tells nothing", () => {
  const desk = openDesk();
  desk.run(ALICE, { type: "updateLeverage", asset: SOL, isCross: false, leverage: 20 });
  desk.venue.setOracle("SOL", "80");
  tradeAt(desk, true, "80", "100", SOL);
  desk.oid(BOB, { a: SOL, b: true, p: "77.8", s: "50" });
  desk.venue.setOracle("SOL", "77.9");
  // 50 are sold. The other 50 have 95 of their own: below 97.375 of maintenance, above two thirds of it.
  assert.equal(newestFill(desk, ALICE).dir, "Close Long");
  assert.equal(positionIn(desk, ALICE, "SOL")?.szi, "50.0");
  const told = () =>
    desk.venue
      .truth(ALICE)
      .ledger.map((row) => row.delta as JsonObject)
      .filter((delta) => delta.type === "liquidation");
  assert.deepEqual(told(), [
    {
      type: "liquidation",
      liquidatedNtlPos: "3895.0",
      accountValue: "190.0",
      leverageType: "Isolated",
      liquidatedPositions: [{ coin: "SOL", szi: "50.0" }],
    },
  ]);
  for (const px of ["77.89", "77.88", "77.87"]) desk.venue.setOracle("SOL", px);
  assert.equal(told().length, 1, "nobody buys at any of these prices");
  desk.tick();
  assert.equal(desk.events().filter((e) => e.type === "liquidation").length, 1);
});

test("a cross account is liquidated as a whole and ends at about nothing, never below", () => {
  const desk = openDesk();
  const carol = `0x${"ca".repeat(20)}`;
  desk.venue.deposit(carol, "1000");
  buys(desk, carol, BTC, "83757", "0.15");
  buys(desk, carol, ETH, "2123.7", "3");
  desk.venue.setOracle("BTC", "75000");
  const { accountValue } = perpState(desk, carol).marginSummary as Record<string, string>;
  assert.ok(Number(accountValue) >= 0 && Number(accountValue) < 1, accountValue);
  assert.deepEqual(
    fillsOf(desk, carol)
      .slice(-2)
      .map((f) => f.dir),
    ["Liquidated Cross Long", "Liquidated Cross Long"],
  );
});

test("auto-deleveraging closes a winner against the bankrupt account", () => {
  const desk = openDesk();
  tradeAt(desk, false, "83757", "0.1");
  desk.venue.script({ type: "adl", user: ALICE, coin: "BTC" });
  const fill = newestFill(desk, ALICE);
  assert.deepEqual([fill.dir, fill.crossed, fill.fee], ["Auto-Deleveraging", true, "0.0"]);
  const note = fill.liquidation as JsonObject;
  assert.equal(note.method, "backstop");
  assert.notEqual(note.liquidatedUser, ALICE);
  assert.equal(positionIn(desk, ALICE, "BTC"), undefined);
});

test("auto-deleveraging cancels the reduce-only orders of the position it took", () => {
  const desk = openDesk();
  tradeAt(desk, false, "83757", "0.1");
  desk.oid(ALICE, { b: true, p: "80000", s: "0.1", r: true });
  desk.venue.script({ type: "adl", user: ALICE, coin: "BTC" });
  assert.equal(desk.venue.truth(ALICE).orderEvents.at(-1)?.status, "reduceOnlyCanceled");
  assert.deepEqual(desk.info({ type: "openOrders", user: ALICE }), []);
});

test("an order that turns a position round may use the margin it frees", () => {
  const desk = openDesk();
  desk.venue.setOracle("BTC", "83000");
  tradeAt(desk, true, "83000", "23");
  const { maxTradeSzs } = desk.info({ type: "activeAssetData", user: ALICE, coin: "BTC" }) as {
    maxTradeSzs: string[];
  };
  assert.ok(Number(maxTradeSzs[1]) > 46, "the venue says so itself");
  tradeAt(desk, false, "83000", "46");
  assert.equal(positionIn(desk, ALICE, "BTC")?.szi, "-23.0");
  assert.equal(
    errorOf(desk.place(ALICE, { b: true, p: "83000", s: "50" })),
    "Insufficient margin to place order. asset=0",
  );
});

test("a spot trigger that fires without the tokens is refused, and no balance goes below zero", () => {
  const desk = openDesk();
  for (const user of [ALICE, BOB]) desk.venue.script({ type: "mint", user, token: "USDC", amount: "1000" });
  desk.venue.script({ type: "mint", user: ALICE, token: "HYPE", amount: "1" });
  desk.venue.setOracle("@107", "40");
  desk.oid(BOB, { a: HYPE_SPOT, b: true, p: "38", s: "10" });
  const stop = { a: HYPE_SPOT, b: false, r: false, tpsl: "sl", px: "39" } as const;
  for (const s of ["10", "1"])
    desk.run(ALICE, { type: "order", orders: [trigger({ ...stop, p: "37", s })], grouping: "na" });
  desk.venue.setOracle("@107", "38.5");
  const ends = desk.venue.truth(ALICE).orderEvents.map((row) => `${row.status}`);
  assert.deepEqual(ends.slice(2), ["triggered", "insufficientSpotBalanceRejected", "triggered", "filled"]);
  const { balances } = desk.info({ type: "spotClearinghouseState", user: ALICE }) as {
    balances: JsonObject[];
  };
  assert.equal(balances.find((b) => b.coin === "HYPE")?.total, "0.0");
});

test("dust is converted with tid 0, a zero hash and an oid nobody knows", () => {
  const desk = openDesk();
  desk.venue.script({ type: "mint", user: ALICE, token: "HYPE", amount: "0.01234567" });
  desk.venue.script({ type: "dustConversion", user: ALICE, coin: "@107" });
  const fill = newestFill(desk, ALICE);
  assert.deepEqual([fill.tid, fill.dir, fill.sz], [0, "Spot Dust Conversion", "0.01234567"]);
  assert.match(fill.hash as string, /^0x0{64}$/);
  assert.deepEqual(desk.info({ type: "orderStatus", user: ALICE, oid: fill.oid as number }), {
    status: "unknownOid",
  });
});

test("a TWAP's slices are in its own list only; the counterparty's row is an ordinary fill", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, p: "83757", s: "1" });
  const refused = desk.run(ALICE, {
    type: "twapOrder",
    twap: { a: BTC, b: true, s: "0.001", r: false, m: 30, t: false },
  });
  const statusOf = (answer: { body: Json }) =>
    ((answer.body as JsonObject).response as { data: { status: JsonObject } }).data.status;
  assert.equal(statusOf(refused).error, "TWAP order value too small. Min is $300, which is $10 per minute.");
  const started = desk.run(ALICE, {
    type: "twapOrder",
    twap: { a: BTC, b: true, s: "0.1", r: false, m: 5, t: false },
  });
  const { twapId } = statusOf(started).running as { twapId: number };
  desk.tick(60_500);
  const half = desk.info({ type: "webData2", user: ALICE }) as { twapStates: [number, JsonObject][] };
  assert.equal(half.twapStates[0]?.[0], twapId);
  assert.equal(half.twapStates[0]?.[1].executedSz, "0.03");
  desk.tick(300_000);
  assert.deepEqual(desk.info({ type: "userFills", user: ALICE }), []);
  const slices = desk.info({ type: "userTwapSliceFills", user: ALICE }) as {
    fill: JsonObject;
    twapId: number;
  }[];
  assert.equal(slices.length, 10);
  assert.deepEqual([slices[0]?.twapId, slices[0]?.fill.twapId], [twapId, null]);
  assert.match(slices[0]?.fill.hash as string, /^0x0{64}$/);
  const others = desk.info({ type: "userFills", user: BOB }) as JsonObject[];
  assert.equal(others.length, 10);
  assert.equal(positionIn(desk, ALICE, "BTC")?.szi, "0.1");
  const history = desk.info({ type: "twapHistory", user: ALICE }) as {
    time: number;
    status: JsonObject;
    state: JsonObject;
  }[];
  assert.deepEqual(
    history.map((h) => h.status.status),
    ["finished", "activated"],
  );
  assert.ok((history[0]?.time ?? 0) < 1e10, "in seconds");
  assert.equal(history[0]?.state.executedSz, "0.1");
});

test("a canceled TWAP is terminated; canceling it again names the venue's error", () => {
  const desk = openDesk();
  desk.run(ALICE, { type: "twapOrder", twap: { a: BTC, b: true, s: "0.1", r: false, m: 5, t: false } });
  const cancel = { type: "twapCancel", a: BTC, t: 16_001 };
  const data = (answer: { body: Json }) => ((answer.body as JsonObject).response as JsonObject).data;
  assert.deepEqual(data(desk.run(ALICE, cancel)), { status: "success" });
  assert.deepEqual(data(desk.run(ALICE, cancel)), {
    status: { error: "TWAP was never placed, already canceled, or filled." },
  });
});

test("transfers write the venue's ledger rows on both sides", () => {
  const desk = openDesk();
  const newcomer = `0x${"9e".repeat(20)}`;
  desk.run(ALICE, { type: "usdClassTransfer", amount: "500", toPerp: false, nonce: 1 });
  desk.run(ALICE, {
    type: "usdSend",
    destination: newcomer.toUpperCase().replace("0X", "0x"),
    amount: "100",
    time: 1,
  });
  desk.run(ALICE, { type: "withdraw3", destination: ALICE, amount: "50", time: 1 });
  desk.run(ALICE, { type: "spotSend", destination: BOB, token: "USDC:0x6d", amount: "10.5", time: 1 });
  const rows = desk.info({ type: "userNonFundingLedgerUpdates", user: ALICE, startTime: 0 }) as {
    delta: JsonObject;
  }[];
  assert.deepEqual(
    rows.slice(1).map((r) => r.delta),
    [
      { type: "accountClassTransfer", usdc: "500.0", toPerp: false },
      { type: "internalTransfer", usdc: "100.0", user: ALICE, destination: newcomer, fee: "1.0" },
      { type: "withdraw", usdc: "49.0", nonce: rows[3]?.delta.nonce as number, fee: "1.0" },
      {
        type: "spotTransfer",
        token: "USDC",
        amount: "10.5",
        usdcValue: "10.5",
        user: ALICE,
        destination: BOB,
        fee: "0.0",
        nativeTokenFee: "0.0",
        nonce: rows[4]?.delta.nonce as number,
        feeToken: "",
      },
    ],
  );
  assert.equal(perpState(desk, ALICE).withdrawable, "99349.0");
  assert.equal(perpState(desk, newcomer).withdrawable, "100.0");
  const broke = desk.run(ALICE, { type: "usdSend", destination: BOB, amount: "1000000", time: 1 });
  assert.equal((broke.body as JsonObject).status, "err");
});

test("a new account costs its sender a dollar, however it is paid", () => {
  const desk = openDesk();
  const send = (destination: string, amount: string) =>
    desk.run(ALICE, {
      type: "sendAsset",
      destination,
      sourceDex: "",
      destinationDex: "",
      token: "USDC",
      amount,
    });
  const newcomer = `0x${"9e".repeat(20)}`;
  send(newcomer, "10");
  send(newcomer, "10");
  assert.deepEqual(
    desk.venue
      .truth(ALICE)
      .ledger.slice(1)
      .map((row) => (row.delta as JsonObject).fee),
    ["1.0", "0.0"],
  );
  assert.equal(perpState(desk, ALICE).withdrawable, "99979.0");
  const all = send(`0x${"8e".repeat(20)}`, "99979");
  assert.equal((all.body as JsonObject).response, "Insufficient balance for token transfer.");
});

test("nobody moves less than nothing, or more than there is, through any door", () => {
  const desk = openDesk();
  desk.venue.script({ type: "createVault", leader: BOB, name: "V", usd: "1000" });
  const [vault] = desk.info({ type: "vaultSummaries" }) as { vaultAddress: string }[];
  const { vaultAddress } = vault as { vaultAddress: string };
  const made = desk.run(ALICE, { type: "createSubAccount", name: "two" });
  const subAccountUser = ((made.body as JsonObject).response as { data: string }).data;
  desk.run(ALICE, { type: "vaultTransfer", vaultAddress, isDeposit: true, usd: 1_000_000_000 });
  const before = desk.venue.truth(ALICE).ledger.length;
  for (const action of [
    { type: "vaultTransfer", vaultAddress, isDeposit: false, usd: -5_000_000 },
    { type: "vaultTransfer", vaultAddress, isDeposit: false, usd: 0 },
    { type: "vaultTransfer", vaultAddress, isDeposit: false, usd: 1_000_000_001 },
    { type: "vaultTransfer", vaultAddress, isDeposit: true, usd: -5_000_000 },
    { type: "subAccountTransfer", subAccountUser, isDeposit: true, usd: -5_000_000 },
    { type: "subAccountTransfer", subAccountUser, isDeposit: false, usd: 1 },
    { type: "usdClassTransfer", amount: "0", toPerp: false, nonce: 1 },
    { type: "createVault", name: "W", description: "", initialUsd: -200_000_000 },
    { type: "reserveRequestWeight", weight: -10 },
  ]) {
    const answer = desk.run(ALICE, action);
    const refused = answer.status === 422 || (answer.body as JsonObject).status === "err";
    assert.ok(refused, `${JSON.stringify(action)} ${JSON.stringify(answer.body)}`);
  }
  assert.equal(desk.venue.truth(ALICE).ledger.length, before);
  assert.throws(() => desk.venue.script({ type: "createVault", leader: BOB, name: "X", usd: "1000000" }));
  assert.throws(() => desk.venue.script({ type: "mintOutcome", user: BOB, outcome: 1, amount: "5" }));
});

test("a vault that lost money pays each follower a share of what is left", () => {
  const desk = openDesk();
  desk.venue.script({ type: "createVault", leader: BOB, name: "V", usd: "1000" });
  const [vault] = desk.info({ type: "vaultSummaries" }) as { vaultAddress: string }[];
  const { vaultAddress } = vault as { vaultAddress: string };
  desk.run(ALICE, { type: "vaultTransfer", vaultAddress, isDeposit: true, usd: 1_000_000_000 });
  const trade = (b: boolean, p: string) => {
    desk.oid(ALICE, { b: !b, p, s: "0.1" });
    const order = { type: "order", orders: [limit({ b, p, s: "0.1" })], grouping: "na" };
    desk.venue.execute(BOB, order, { nonce: 1, vaultAddress });
  };
  trade(true, "83000");
  trade(false, "82000");
  // 2 000 less a loss of 100 and fees of 3.735 and 3.69.
  const share = () => (desk.info({ type: "userVaultEquities", user: ALICE }) as JsonObject[])[0]?.equity;
  assert.equal(share(), "946.2875");
  const take = (usd: number) =>
    (desk.run(ALICE, { type: "vaultTransfer", vaultAddress, isDeposit: false, usd }).body as JsonObject)
      .status;
  assert.equal(take(1_000_000_000), "err");
  assert.equal(take(446_287_500), "ok");
  assert.equal(share(), "500.0");
  assert.equal(take(500_000_000), "ok");
  assert.equal(share(), undefined);
});

const spotOf = (desk: Desk, user: string) =>
  desk.info({ type: "spotClearinghouseState", user }) as {
    balances: JsonObject[];
    portfolioMarginRatio?: string;
    tokenToAvailableAfterMaintenance?: [number, string][];
  };

test("a unified account shows in perps what is posted; its spot total contains that and holds it", () => {
  const desk = openDesk();
  desk.run(ALICE, { type: "userSetAbstraction", user: ALICE, abstraction: "unifiedAccount" });
  assert.equal(desk.info({ type: "userAbstraction", user: ALICE }), "unifiedAccount");
  assert.equal(perpState(desk, ALICE).marginSummary?.accountValue, "0.0");
  desk.venue.setOracle("BTC", "80000");
  tradeAt(desk, true, "80000", "0.1");
  const { accountValue, totalMarginUsed } = perpState(desk, ALICE).marginSummary as Record<string, string>;
  assert.deepEqual([accountValue, totalMarginUsed], ["400.0", "400.0"]);
  // 100 000 less the fee of 0.045 % on 8 000; 20x holds 400; 40x market: maintenance 8 000 / 80 = 100.
  const [usdc] = spotOf(desk, ALICE).balances;
  assert.deepEqual([usdc?.total, usdc?.hold], ["99996.4", "400.0"]);
  assert.deepEqual(spotOf(desk, ALICE).tokenToAvailableAfterMaintenance, [[0, "99896.4"]]);
  // The whole pool stands behind it: 80 000 − 99 896.4 / 0.1 is below nothing.
  assert.equal(positionIn(desk, ALICE, "BTC")?.liquidationPx, null);
  // What the position gains is in the total at once, and is free.
  desk.venue.setOracle("BTC", "81000");
  const [richer] = spotOf(desk, ALICE).balances;
  assert.deepEqual([richer?.total, richer?.hold], ["100096.4", "405.0"]);
});

test("a unified pool pays for a loss on one dex with what another dex has posted, and is liquidated as one", () => {
  const desk = openDesk();
  const carol = unified(desk, "1000");
  desk.venue.setOracle("BTC", "80000");
  desk.venue.setOracle("xyz:AAPL", "250");
  toXyz(desk, BOB, "10000");
  buys(desk, carol, BTC, "80000", "0.1");
  buys(desk, carol, AAPL, "250", "16");
  // 8 000 at 20x and 4 000 at 10x: 400 + 400 of the 1 000 are posted, 100 + 200 maintain.
  const posted = () =>
    ["", "xyz"].map(
      (dex) =>
        (desk.info({ type: "clearinghouseState", user: carol, dex }) as { marginSummary: JsonObject })
          .marginSummary.accountValue,
    );
  assert.deepEqual(posted(), ["400.0", "400.0"]);
  // BTC falls by 6 500 × 0.1 = 650: 344.6 are left, maintenance is 91.875 + 200, so nobody is liquidated.
  desk.venue.setOracle("BTC", "73500");
  const [usdc] = spotOf(desk, carol).balances;
  assert.deepEqual([usdc?.total, usdc?.hold], ["344.6", "344.6"]);
  assert.deepEqual(posted(), ["144.6", "200.0"], "maintenance first, then in the order of the dexes");
  assert.deepEqual(spotOf(desk, carol).tokenToAvailableAfterMaintenance, [[0, "52.725"]]);
  const liquidations = () =>
    desk.venue.truth(carol).ledger.filter((row) => (row.delta as JsonObject).type === "liquidation");
  assert.equal(liquidations().length, 0);
  // Another 60 less: 284.6 against 91.125 + 200. Somebody buys what is sold.
  desk.oid(BOB, { p: "72800", s: "0.1" });
  desk.venue.setOracle("BTC", "72900");
  assert.equal(liquidations().length, 1, "the pool no longer covers the maintenance margin");
});

test("the hole of a shared pool is carried by the positions of every dex, and nothing is owed afterwards", () => {
  const desk = openDesk();
  const carol = unified(desk, "2000");
  desk.venue.setOracle("BTC", "80000");
  desk.venue.setOracle("xyz:AAPL", "250");
  toXyz(desk, BOB, "10000");
  buys(desk, carol, BTC, "80000", "0.01");
  buys(desk, carol, AAPL, "250", "60");
  // 60 · 50 are lost of 2 000.
  desk.venue.setOracle("xyz:AAPL", "200");
  const [usdc] = spotOf(desk, carol).balances;
  assert.ok(Number(usdc?.total) >= 0 && Number(usdc?.total) < 1, JSON.stringify(usdc));
  assert.deepEqual(
    fillsOf(desk, carol)
      .slice(-2)
      .map((fill) => [fill.coin, fill.dir]),
    [
      ["BTC", "Liquidated Cross Long"],
      ["xyz:AAPL", "Liquidated Cross Long"],
    ],
  );
});

test("a spot bid goes when the positions of its pool have lost what it reserves", () => {
  const desk = openDesk();
  const carol = unified(desk, "1000");
  desk.venue.setOracle("BTC", "80000");
  desk.oid(carol, { a: HYPE_SPOT, b: true, p: "40", s: "20" });
  buys(desk, carol, BTC, "80000", "0.03");
  // 300 of 1 000 are lost; 800 were reserved.
  desk.venue.setOracle("BTC", "70000");
  assert.equal(desk.venue.truth(carol).orderEvents.at(-1)?.status, "marginCanceled");
  assert.equal(positionIn(desk, carol, "BTC")?.szi, "0.03");
});

test("portfolio margin counts other collateral at its liquidation value and tells the ratio", () => {
  const desk = openDesk();
  const carol = `0x${"ca".repeat(20)}`;
  desk.venue.deposit(carol, "1000");
  desk.venue.setOracle("@107", "40");
  desk.venue.script({ type: "mint", user: carol, token: "HYPE", amount: "100" });
  desk.run(carol, { type: "userSetAbstraction", user: carol, abstraction: "portfolioMargin" });
  desk.venue.setOracle("BTC", "80000");
  buys(desk, carol, BTC, "80000", "0.1");
  const state = spotOf(desk, carol);
  const [usdc, hype] = state.balances;
  // 1 000 − 3.6 of fee. Lent against HYPE: 100 · 40 · 0.5 = 2 000; it counts at 0.75 before liquidation: 3 000.
  assert.deepEqual([usdc?.total, usdc?.hold, usdc?.spotHold], ["996.4", "-1600.0", "400.0"]);
  assert.deepEqual([hype?.total, hype?.hold, hype?.ltv, hype?.spotHold], ["100.0", "0.0", "0.5", undefined]);
  // 100 / (996.4 + 3 000), and what is left after the 100.
  assert.equal(state.portfolioMarginRatio, "0.02502252");
  assert.deepEqual(state.tokenToAvailableAfterMaintenance, [
    [0, "3896.4"],
    [150, "100.0"],
  ]);
  // 80 000 − (0.95 · 3 996.4 − 100) / 0.1 / (1 − 1/80)
  assert.equal(positionIn(desk, carol, "BTC")?.liquidationPx, "42566.2784810127");
});

test("agents act for their account until they are replaced or expire", () => {
  const desk = openDesk();
  const [one, two] = [`0x${"11".repeat(20)}`, `0x${"22".repeat(20)}`];
  desk.run(ALICE, { type: "approveAgent", agentAddress: one, agentName: "bot" });
  assert.equal(desk.venue.actsFor(one), ALICE);
  assert.deepEqual(desk.info({ type: "userRole", user: one }), { role: "agent", data: { user: ALICE } });
  const [agent] = desk.info({ type: "extraAgents", user: ALICE }) as JsonObject[];
  assert.deepEqual([agent?.name, agent?.address], ["bot", one]);
  desk.run(ALICE, { type: "approveAgent", agentAddress: two, agentName: "bot" });
  assert.equal(desk.venue.actsFor(one), null);
  assert.equal(desk.venue.actsFor(two), ALICE);
  desk.tick(181 * 86_400_000);
  assert.equal(desk.venue.actsFor(two), null, "180 days at most");
  assert.equal(desk.venue.actsFor(ALICE.toUpperCase().replace("0X", "0x")), ALICE);
});

test("an expired agent is pruned: its address is nobody's and its place is free", () => {
  const desk = openDesk();
  const agent = (n: number) => `0x${String(n).repeat(40)}`;
  const approve = (user: string, n: number, until?: number) =>
    (
      desk.run(user, {
        type: "approveAgent",
        agentAddress: agent(n),
        agentName: `bot${n}${until === undefined ? "" : ` valid_until ${until}`}`,
      }).body as JsonObject
    ).response;
  approve(ALICE, 1, desk.venue.nowMs + 60_000);
  approve(ALICE, 2);
  approve(ALICE, 3);
  assert.equal(approve(ALICE, 4), "Too many extra agents.");
  assert.equal(approve(BOB, 1), "Extra agent already used.");
  desk.tick(61_000);
  assert.deepEqual(desk.info({ type: "userRole", user: agent(1) }), { role: "missing" });
  assert.deepEqual(approve(ALICE, 4), { type: "default" });
  assert.deepEqual(approve(BOB, 1), { type: "default" });
  assert.equal(desk.venue.actsFor(agent(1)), BOB);
});

test("each sub-account gives room for two more agents", () => {
  const desk = openDesk();
  desk.run(ALICE, { type: "createSubAccount", name: "two" });
  const statuses = [1, 2, 3, 4, 5, 6].map(
    (n) =>
      (
        desk.run(ALICE, {
          type: "approveAgent",
          agentAddress: `0x${String(n).repeat(40)}`,
          agentName: `bot${n}`,
        }).body as JsonObject
      ).status,
  );
  assert.deepEqual(statuses, ["ok", "ok", "ok", "ok", "ok", "err"]);
});

test("sub-accounts trade under their own address, funded and operated by the master", () => {
  const desk = openDesk();
  const made = desk.run(ALICE, { type: "createSubAccount", name: "two" });
  const sub = ((made.body as JsonObject).response as { data: string }).data;
  desk.run(ALICE, { type: "subAccountTransfer", subAccountUser: sub, isDeposit: true, usd: 5_000_000_000 });
  const action = { type: "order", orders: [limit({})], grouping: "na" };
  const answer = desk.venue.execute(ALICE, action, { nonce: 1, vaultAddress: sub });
  assert.ok((statusesOf(answer)[0] as JsonObject).resting);
  assert.equal((desk.info({ type: "openOrders", user: sub }) as Json[]).length, 1);
  assert.deepEqual(desk.info({ type: "openOrders", user: ALICE }), []);
  const foreign = desk.venue.execute(BOB, action, { nonce: 1, vaultAddress: sub });
  assert.equal((foreign.body as JsonObject).status, "err");
  const [listed] = desk.info({ type: "subAccounts", user: ALICE }) as JsonObject[];
  assert.deepEqual(Object.keys(listed ?? {}), [
    "name",
    "subAccountUser",
    "master",
    "clearinghouseState",
    "spotState",
  ]);
  const [newer] = desk.info({ type: "subAccounts2", user: ALICE }) as {
    dexToClearinghouseState: [string, JsonObject][];
  }[];
  assert.equal(newer?.dexToClearinghouseState[0]?.[0], "");
  assert.deepEqual(desk.info({ type: "userRole", user: sub }), {
    role: "subAccount",
    data: { master: ALICE },
  });
});

test("a vault takes deposits and shares its value", () => {
  const desk = openDesk();
  desk.venue.script({ type: "createVault", leader: BOB, name: "V", usd: "1000" });
  const [summary] = desk.info({ type: "vaultSummaries" }) as { vaultAddress: string }[];
  const vaultAddress = summary?.vaultAddress as string;
  desk.run(ALICE, { type: "vaultTransfer", vaultAddress, isDeposit: true, usd: 3_000_000_000 });
  const [equity] = desk.info({ type: "userVaultEquities", user: ALICE }) as JsonObject[];
  assert.equal(equity?.equity, "3000.0");
  const details = desk.info({ type: "vaultDetails", vaultAddress, user: ALICE }) as JsonObject;
  assert.equal(details.leaderFraction, 0.25);
  // The venue calls this curve "Perps + Spot + Vaults": a deposit leaves the perps and nothing else.
  const curves = new Map(desk.info({ type: "portfolio", user: ALICE }) as [string, JsonObject][]);
  const last = (name: string, of: string) => (curves.get(name)![of] as [number, string][]).at(-1)?.[1];
  assert.equal(last("allTime", "accountValueHistory"), "100000.0");
  assert.equal(last("perpAllTime", "accountValueHistory"), "97000.0");
  assert.equal(last("allTime", "pnlHistory"), "0.0");
  assert.deepEqual(desk.info({ type: "userRole", user: vaultAddress }), { role: "vault" });
  desk.run(ALICE, { type: "vaultTransfer", vaultAddress, isDeposit: false, usd: 3_000_000_000 });
  assert.equal(perpState(desk, ALICE).withdrawable, "100000.0");
});

test("outcome markets trade as #N, are held as +N and settle at 0 or 1", () => {
  const desk = openDesk({
    universe: {
      ...DEFAULT_UNIVERSE,
      outcomes: [{ outcome: 1, name: "Rain", description: "", sides: ["Yes", "No"] }],
    },
  });
  const YES = 100_000_010;
  for (const user of [ALICE, BOB]) desk.venue.script({ type: "mint", user, token: "USDC", amount: "1000" });
  desk.venue.script({ type: "mintOutcome", user: BOB, outcome: 1, amount: "100" });
  tradeAt(desk, true, "0.55", "50", YES);
  assert.equal(newestFill(desk, ALICE).coin, "#10");
  const held = () =>
    (desk.info({ type: "spotClearinghouseState", user: ALICE }) as { balances: JsonObject[] }).balances;
  assert.equal(held().find((b) => b.coin === "+10")?.total, "49.965");
  desk.venue.script({ type: "settleOutcome", outcome: 1, winner: 0 });
  assert.equal(
    held().find((b) => b.coin === "+10"),
    undefined,
  );
  assert.equal(newestFill(desk, ALICE).dir, "Settlement");
  assert.equal(held().find((b) => b.coin === "USDC")?.total, "1022.465");
  assert.equal(
    errorOf(desk.place(ALICE, { a: YES, p: "0.5", s: "50" })),
    "Trading is halted. asset=100000010",
  );
  assert.deepEqual(desk.info({ type: "outcomeMeta" }), { outcomes: [], questions: [] });
  assert.deepEqual(desk.info({ type: "settledOutcome", outcome: 1 }), {
    spec: {
      outcome: 1,
      name: "Rain",
      description: "",
      sideSpecs: [{ name: "Yes" }, { name: "No" }],
      quoteToken: "USDC",
    },
    settleFraction: "1.0",
    details: "",
  });
  assert.throws(() => desk.venue.script({ type: "settleOutcome", outcome: 1, winner: 1 }));
});
