/**
 * Real payloads against the model's answers, field by field: same keys, same types, decimals written alike. What
 * differs on purpose is listed with its reason.
 */
import assert from "node:assert/strict";
import type { Json, JsonObject } from "../../../src/simulator/contract.ts";
import { at, captureTest, cassette, lines, read, sameShape } from "./captureShapes.ts";
import {
  ALICE,
  BOB,
  BTC,
  type Desk,
  ETH,
  fillsOf,
  limit,
  newestFill,
  openDesk,
  positionIn,
  SOL,
  trigger,
} from "./exchangeHarness.ts";

/** Alice is short 0.0001 BTC, has spot USDC and an unnamed agent, as in the capture. */
function lifeLikeDesk(): Desk {
  const desk = openDesk();
  desk.venue.script({ type: "mint", user: ALICE, token: "USDC", amount: "19.92" });
  desk.run(ALICE, { type: "approveAgent", agentAddress: `0x${"66".repeat(20)}`, agentName: "" });
  for (let i = 0; i < 3; i++) {
    desk.oid(BOB, { b: true, p: String(83_700 - i), s: "1" });
    desk.oid(BOB, { b: false, p: String(83_800 + i), s: "1" });
  }
  desk.oid(ALICE, { b: false, p: "83700", s: "0.0002" });
  return desk;
}

/** collateralToken came with the non-USDC dexes; eight delisted perps of then were isolated-only too, none of ours is. */
const SINCE_JUNE_2025 = {
  ours: ["collateralToken"],
  theirs: ["onlyIsolated"],
  nullable: ["midPx", "premium", "impactPxs"],
};

captureTest("webData2 has the keys and types of the real frame", () => {
  const theirs = at(read("gareth0712/ws/4-webData2-openPosition-all.json"), 1, "data");
  const ours = lifeLikeDesk().info({ type: "webData2", user: ALICE });
  sameShape(theirs, ours, SINCE_JUNE_2025);
});

captureTest("clearinghouseState and its position have the keys and types of the real ones", () => {
  const ours = lifeLikeDesk().info({ type: "clearinghouseState", user: ALICE });
  sameShape(read("gareth0712/info/clearinghouseState.json"), ours, { nullable: ["liquidationPx"] });
  sameShape(at(read("bytex/mainnet_2026-09-25.json"), "clearinghouseState"), ours);
});

captureTest("meta copies the capture entry by entry, delisted ones included", () => {
  const theirs = at(read("bytex/mainnet_2026-09-25.json"), "meta_first6") as JsonObject;
  const ours = openDesk().info({ type: "meta" }) as JsonObject;
  assert.deepEqual((ours.universe as Json[]).slice(0, 6), theirs.universe);
  for (const table of theirs.marginTables as Json[]) {
    assert.ok((ours.marginTables as Json[]).some((t) => JSON.stringify(t) === JSON.stringify(table)));
  }
  assert.equal(ours.collateralToken, theirs.collateralToken);
});

captureTest("asset contexts have the keys and types of the real ones", () => {
  const desk = lifeLikeDesk();
  const theirs = at(read("bytex/mainnet_2026-09-25.json"), "ws_activeAssetCtx", "data", "ctx");
  const ours = at(desk.info({ type: "metaAndAssetCtxs" }), 1);
  sameShape(theirs, at(ours, 0), { nullable: ["impactPxs"] });
  const delisted = at(read("nautilus/ws_all_dexs_asset_ctxs.json"), "data", "ctxs", 0, 1, 3);
  sameShape(delisted, at(ours, 3));
});

captureTest("candles, funding history and the book have the keys and types of the real ones", () => {
  const desk = lifeLikeDesk();
  const mainnet = read("bytex/mainnet_2026-09-25.json");
  const req = { coin: "BTC", interval: "1h", startTime: 0 };
  sameShape(at(mainnet, "candleSnapshot_1h"), desk.info({ type: "candleSnapshot", req }));
  sameShape(at(mainnet, "l2Book_5levels"), desk.info({ type: "l2Book", coin: "BTC" }));
  sameShape(at(mainnet, "ws_trades", "data"), desk.info({ type: "recentTrades", coin: "BTC" }));
  desk.tick(3_601_000);
  sameShape(at(mainnet, "fundingHistory"), desk.info({ type: "fundingHistory", coin: "BTC", startTime: 0 }));
  const ours = at(desk.info({ type: "userFunding", user: ALICE }), 0);
  const theirs = at(cassette("user_funding_history_without_end_time.0.userFunding"), 0);
  // Samples are counted in the rows of 2023 only.
  sameShape(theirs, ours, { nullable: ["nSamples"] });
});

captureTest("fills have the keys and types of the real ones", () => {
  const desk = lifeLikeDesk();
  const ours = newestFill(desk, ALICE);
  const selected = read("hyperliquid-mobile/userFills_testnet_selected.json") as JsonObject[];
  const plain = selected.find((f) => f.liquidation === undefined) as JsonObject;
  sameShape(plain, ours);
  assert.deepEqual(Object.keys(ours), Object.keys(plain), "in the same order");
  for (const line of lines("gareth0712/node/20250716.node_fills.ndjson")) {
    // The node's rows of 2025 have no twapId; cloid and builderFee depend on the order.
    sameShape(at(line, 1), ours, { ours: ["twapId"], theirs: ["cloid", "builderFee"] });
  }
});

captureTest("liquidation and ADL fills have the keys, types and marks of the real ones", () => {
  const selected = read("hyperliquid-mobile/userFills_testnet_selected.json") as JsonObject[];
  const theirs = (dir: string) => selected.find((f) => f.dir === dir) as JsonObject;
  const marks = ["dir", "crossed", "fee", "side", "feeToken", "twapId"] as const;
  const same = (real: JsonObject, ours: JsonObject) => {
    sameShape(real, ours);
    for (const key of marks) assert.equal(ours[key], real[key], key);
    assert.equal(at(ours, "liquidation", "method"), at(real, "liquidation", "method"));
  };
  const desk = openDesk();
  desk.run(ALICE, { type: "updateLeverage", asset: SOL, isCross: false, leverage: 20 });
  desk.oid(BOB, { a: SOL, b: false, p: "86.148", s: "10" });
  desk.oid(ALICE, { a: SOL, p: "86.148", s: "10" });
  desk.venue.setOracle("SOL", "80");
  same(theirs("Liquidated Isolated Long"), newestFill(desk, ALICE));
  desk.oid(BOB, { b: true, p: "83757", s: "0.1" });
  desk.oid(ALICE, { b: false, p: "83757", s: "0.1" });
  desk.venue.script({ type: "adl", user: ALICE, coin: "BTC" });
  same(theirs("Auto-Deleveraging"), newestFill(desk, ALICE));
  assert.equal(positionIn(desk, ALICE, "BTC"), undefined);
});

captureTest("TWAP slices have the keys and types of the real ones", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, p: "83757", s: "1" });
  desk.run(ALICE, { type: "twapOrder", twap: { a: BTC, b: true, s: "0.1", r: false, m: 5, t: true } });
  desk.tick(61_000);
  const ours = desk.info({ type: "userTwapSliceFills", user: ALICE });
  const theirs = read("hyperliquid-mobile/userTwapSliceFills_testnet.json");
  sameShape(theirs, ours);
  assert.equal(at(ours, 0, "fill", "hash"), at(theirs, 0, "fill", "hash"));
});

captureTest("orders in history and lists have the keys and types of the real ones", () => {
  const desk = openDesk();
  desk.place(ALICE, { tif: "Ioc" });
  const [rejected] = desk.info({ type: "historicalOrders", user: ALICE }) as JsonObject[];
  const [real] = cassette("historical_orders.0.historicalOrders") as JsonObject[];
  sameShape(real as Json, rejected as Json);
  assert.equal(rejected?.status, real?.status);
  assert.deepEqual(Object.keys(rejected?.order as JsonObject), Object.keys(real?.order as JsonObject));
  desk.run(ALICE, {
    type: "order",
    grouping: "normalTpsl",
    orders: [
      limit({ a: ETH, p: "2100", s: "1" }),
      trigger({ a: ETH, s: "1", px: "2300", tpsl: "tp" }),
      trigger({ a: ETH, s: "1", px: "2000", tpsl: "sl" }),
    ],
  });
  const listed = desk.info({ type: "frontendOpenOrders", user: ALICE }) as JsonObject[];
  const recorded = cassette("frontend_open_orders.0.frontendOpenOrders") as JsonObject[];
  const shown = (orders: JsonObject[]) =>
    orders.map((o) => `${o.orderType} ${(o.children as Json[]).length}`).sort();
  assert.deepEqual(shown(listed), shown(recorded), "parent with two children, and the children again");
  // cloid came after 2023.
  sameShape(recorded.at(-1) as Json, listed.at(-1) as Json, { ours: ["cloid"] });
  const stop = trigger({ b: true, r: false, px: "85000", p: "85000", tpsl: "sl", isMarket: false });
  desk.run(ALICE, { type: "order", orders: [stop], grouping: "na" });
  const stopLimit = at(
    read("misc/small_payloads.json"),
    "frontendOpenOrders_stop_limit",
    "order",
  ) as JsonObject;
  const [ours] = desk.info({ type: "frontendOpenOrders", user: ALICE }) as JsonObject[];
  sameShape(stopLimit, ours as Json);
  assert.equal(ours?.orderType, stopLimit.orderType);
  assert.equal(ours?.triggerCondition, "Price above 85000");
});

captureTest("order rows of a crossing order repeat the real open-then-filled frame", () => {
  const real = at(
    read("misc/small_payloads.json"),
    "ws_orderUpdates_open_then_filled_one_frame",
    "msg",
    "data",
  ) as JsonObject[];
  const desk = openDesk();
  desk.oid(BOB, { b: false, s: "5", p: "83000" });
  desk.oid(ALICE, { s: "5", p: "83000" });
  desk.tick();
  const updates = desk
    .events()
    .flatMap((e) =>
      e.type === "orderUpdate" && e.user === ALICE
        ? [{ order: e.order, status: e.status, statusTimestamp: e.statusTimestamp }]
        : [],
    );
  assert.deepEqual(
    updates.map((u) => [u.status, u.order.sz, u.order.origSz]),
    real.map((u) => [u.status, at(u, "order", "sz"), at(u, "order", "origSz")]),
  );
  sameShape(real, updates);
});

captureTest("ledger deltas have the keys and types of the node's rows of the same type", () => {
  const desk = openDesk();
  desk.run(ALICE, { type: "usdClassTransfer", amount: "500", toPerp: false, nonce: 1 });
  desk.run(ALICE, { type: "usdSend", destination: BOB, amount: "100", time: 1 });
  desk.run(ALICE, { type: "withdraw3", destination: ALICE, amount: "50", time: 1 });
  desk.venue.script({ type: "mint", user: ALICE, token: "HYPE", amount: "5" });
  desk.run(ALICE, { type: "spotSend", destination: BOB, token: "HYPE:0x1", amount: "1.5", time: 1 });
  const ours = new Map(
    (desk.info({ type: "userNonFundingLedgerUpdates", user: ALICE }) as { delta: JsonObject }[]).map(
      (row) => [row.delta.type, row.delta],
    ),
  );
  const seen = new Set<Json | undefined>();
  for (const line of lines("gareth0712/node/20250716.misc_events.ndjson") as { inner: JsonObject }[]) {
    const update = line.inner.LedgerUpdate as { delta: JsonObject } | undefined;
    const mine = ours.get(update?.delta.type);
    if (update === undefined || mine === undefined) continue;
    seen.add(update.delta.type);
    // feeToken is newer than the node's rows; transfers by a contract have no nonce.
    sameShape(update.delta, mine, { ours: ["feeToken"], nullable: ["nonce"] });
  }
  assert.deepEqual([...seen].sort(), [
    "accountClassTransfer",
    "internalTransfer",
    "spotTransfer",
    "withdraw",
  ]);
});

captureTest("the smaller answers about accounts have the keys and types of the real ones", () => {
  const desk = lifeLikeDesk();
  desk.run(ALICE, { type: "approveAgent", agentAddress: `0x${"77".repeat(20)}`, agentName: "ok" });
  const ask = (type: string) => desk.info({ type, user: ALICE });
  // nRequestsSurplus came later; feeTrialReward was renamed to feeTrialEscrow.
  sameShape(cassette("user_rate_limit.0.userRateLimit"), ask("userRateLimit"), {
    ours: ["nRequestsSurplus"],
  });
  sameShape(read("gareth0712/info/userFees.json"), ask("userFees"), {
    theirs: ["feeTrialReward"],
    ours: ["feeTrialEscrow"],
  });
  sameShape(cassette("extra_agents.0.extraAgents"), ask("extraAgents"));
  sameShape(cassette("user_role.0.userRole"), ask("userRole"));
  const portfolio = ask("portfolio") as [string, Json][];
  const real = cassette("portfolio.0.portfolio") as [string, Json][];
  assert.deepEqual(
    portfolio.map(([period]) => period),
    real.map(([period]) => period),
  );
  sameShape(real, portfolio);
  desk.venue.script({ type: "createVault", leader: BOB, name: "V", usd: "100" });
  const [vault] = desk.info({ type: "vaultSummaries" }) as { vaultAddress: string }[];
  desk.run(ALICE, {
    type: "vaultTransfer",
    vaultAddress: vault?.vaultAddress as string,
    isDeposit: true,
    usd: 5_000_000,
  });
  sameShape(cassette("user_vault_equities.0.userVaultEquities"), ask("userVaultEquities"));
});

captureTest("a portfolio-margin sub-account has the keys and types of the real one", () => {
  const desk = openDesk();
  const made = desk.run(ALICE, { type: "createSubAccount", name: "PM" });
  const sub = at(made.body, "response", "data") as string;
  desk.venue.script({ type: "mint", user: sub, token: "USDC", amount: "130.36579681" });
  desk.venue.script({ type: "mint", user: sub, token: "HYPE", amount: "72.34389348" });
  desk.venue.script({ type: "mint", user: sub, token: "PURR", amount: "1" });
  desk.venue.setOracle("@107", "55.53");
  desk.run(sub, { type: "userSetAbstraction", user: sub, abstraction: "portfolioMargin" });
  const [ours] = desk.info({ type: "subAccounts2", user: ALICE }) as JsonObject[];
  const [real] = read("hyperliquid-mobile/subAccounts2_portfolioMargin_mainnet.json") as JsonObject[];
  // Its second dollar lends too, and so has a spotHold; here there is one dollar.
  sameShape(real as Json, ours as Json, { theirs: ["spotHold"] });
  // The same holdings at the price of that moment, up to the digits of a price.
  const figures = (answer: Json) => [
    at(answer, "spotState", "balances", 0, "total"),
    at(answer, "spotState", "balances", 0, "hold"),
    at(answer, "spotState", "tokenToAvailableAfterMaintenance", 0, 1),
  ];
  const [theirs, mine] = [figures(real as Json), figures(ours as Json)];
  assert.deepEqual(theirs, ["130.36579681", "-2008.62038899", "3143.2963798"]);
  for (const [place, figure] of theirs.entries())
    assert.ok(Math.abs(Number(mine[place]) / Number(figure) - 1) < 1e-5, `${mine} against ${theirs}`);
  assert.ok(fillsOf(desk, sub).length === 0);
});

captureTest("the five real webData2 frames have the keys and types of ours in the same situation", () => {
  const nullable = [...SINCE_JUNE_2025.nullable, "agentAddress", "agentValidUntil"];
  const allow = { ...SINCE_JUNE_2025, nullable };
  const frame = (name: string) => at(read(`gareth0712/ws/${name}.json`), 1, "data") as JsonObject;
  const ask = (desk: Desk) => desk.info({ type: "webData2", user: ALICE }) as JsonObject;
  const desk = openDesk();
  // Nothing in spot: no spotState at all.
  for (const name of ["1-webData2-ZeroBalance-all", "2-webData2-perpBalance-all"])
    sameShape(frame(name), ask(desk), allow);
  const rich = lifeLikeDesk();
  for (const name of [
    "3-webData2-spotBalance-all",
    "4-webData2-openPosition-all",
    "5-webData2-closePosition-all",
  ])
    sameShape(frame(name), ask(rich), allow);
});

captureTest("a fill of somebody else's liquidation has the keys and types of the real frame", () => {
  const [theirs] = at(read("nautilus/ws_user_fill_liquidation.json"), "data", "fills") as JsonObject[];
  const desk = openDesk();
  const cloid = "0x000000000000000000000000000000aa";
  desk.venue.setOracle("SOL", "80");
  desk.run(BOB, { type: "updateLeverage", asset: SOL, isCross: false, leverage: 20 });
  desk.oid(ALICE, { a: SOL, b: false, p: "80", s: "100" });
  desk.oid(BOB, { a: SOL, b: true, p: "80", s: "100" });
  desk.oid(ALICE, { a: SOL, b: true, p: "77.8", s: "100", c: cloid });
  desk.venue.setOracle("SOL", "77.9");
  const ours = newestFill(desk, ALICE);
  sameShape(theirs as Json, ours);
  assert.equal(at(ours, "liquidation", "liquidatedUser"), BOB);
  assert.equal(ours.crossed, theirs?.crossed);
});

captureTest("totalRawUsd is below zero where more was bought than paid in, as in the real state", () => {
  const theirs = at(
    read("nautilus/http_clearinghouse_state_negative_total_raw_usd.json"),
    "crossMarginSummary",
  );
  const desk = openDesk();
  desk.oid(BOB, { b: false, p: "83757", s: "10" });
  desk.oid(ALICE, { b: true, p: "83757", s: "10" });
  const ours = at(desk.info({ type: "clearinghouseState", user: ALICE }), "crossMarginSummary");
  sameShape(theirs, ours);
  for (const summary of [theirs, ours] as Record<string, string>[]) {
    const [value, notional, raw] = [summary.accountValue, summary.totalNtlPos, summary.totalRawUsd].map(
      Number,
    );
    assert.ok(raw! < 0 && Math.abs(raw! + notional! - value!) < 1e-6, JSON.stringify(summary));
  }
});

captureTest(
  "every row of the old cassettes has the keys that ours still have, in the same order of rows",
  () => {
    const desk = lifeLikeDesk();
    for (let i = 0; i < 5; i++) {
      desk.tick(1000);
      desk.oid(ALICE, { b: false, p: "83650", s: "0.0002" });
      desk.place(ALICE, { p: "80000" });
    }
    desk.run(ALICE, { type: "usdClassTransfer", amount: "500", toPerp: false, nonce: 1 });
    desk.run(ALICE, { type: "spotSend", destination: BOB, token: "USDC:0x1", amount: "1.5", time: 1 });
    desk.tick(3_700_000);
    const ask = (type: string, more: JsonObject = {}) =>
      desk.info({ type, user: ALICE, ...more }) as JsonObject[];
    const newer = { ours: ["tid", "feeToken", "twapId"] };
    const compared: [string, JsonObject[], Parameters<typeof sameShape>[2]][] = [
      ["user_fills.0.userFills", ask("userFills"), newer],
      ["user_fills_by_time.0.userFillsByTime", ask("userFillsByTime", { startTime: 0 }).reverse(), newer],
      ["open_orders.0.openOrders", ask("openOrders"), { ours: ["origSz"] }],
      ["user_funding_history_with_end_time.0.userFunding", ask("userFunding"), { nullable: ["nSamples"] }],
      ["funding_history_None.1.fundingHistory", ask("fundingHistory", { coin: "BTC", startTime: 0 }), {}],
      [
        "candles_snapshot.1.candleSnapshot",
        desk.info({
          type: "candleSnapshot",
          req: { coin: "BTC", interval: "1h", startTime: 0 },
        }) as JsonObject[],
        {},
      ],
    ];
    for (const [name, ours, allow] of compared) {
      const theirs = cassette(name) as JsonObject[];
      assert.ok(theirs.length > 0 && ours.length > 0, name);
      sameShape(theirs, ours, allow, name);
      const [real, mine] = [direction(theirs), direction(ours)];
      assert.ok(real === "level" || mine === "level" || real === mine, `${name}: ${real} against ${mine}`);
    }
  },
);

/** Whether the times of a list rise or fall from row to row. */
function direction(rows: JsonObject[]): string {
  const times = rows.map((row) => Number(row.time ?? row.t ?? row.statusTimestamp ?? row.timestamp));
  const [first, last] = [times[0]!, times.at(-1)!];
  const rises = times.every((time, i) => i === 0 || time >= times[i - 1]!);
  const falls = times.every((time, i) => i === 0 || time <= times[i - 1]!);
  assert.ok(rises || falls, "neither");
  return first === last ? "level" : rises ? "rising" : "falling";
}
