/** Facts of §3: order, caps, bounds, retention and errors of `/info`; recorded accounts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json, JsonObject } from "../../../src/simulator/contract.ts";
import { aggregateByTime } from "../../../src/simulator/exchange/accountInfo.ts";
import { AAPL, ALICE, BOB, BTC, fillsOf, openDesk } from "./exchangeHarness.ts";

const NOBODY = `0x${"00".repeat(19)}01`;
const rows = (json: Json): JsonObject[] => json as JsonObject[];

const wireFill = (time: number, tid: number): JsonObject => ({
  coin: "BTC",
  px: "66653.0",
  sz: "0.0010",
  side: tid % 2 === 0 ? "A" : "B",
  time,
  startPosition: "-0.0213",
  dir: "Some New Direction",
  closedPnl: "0.0",
  hash: `0x${"ab".repeat(32)}`,
  oid: 55_030_848_197 + tid,
  crossed: false,
  fee: "0.009997",
  tid,
  feeToken: "USDC",
  unknownKey: { kept: ["as", "is"] },
});

/** `count` fills, two of them in each millisecond, oldest first. */
const many = (count: number): JsonObject[] =>
  Array.from({ length: count }, (_, i) => wireFill(1_000_000 + (i >> 1), i));

const withFills = (count: number) => openDesk({ recorded: { [NOBODY]: { fills: many(count) } } });

test("userFills is the newest 2000, newest first, same-ms rows in reverse order of execution", () => {
  const desk = withFills(2500);
  const fills = rows(desk.info({ type: "userFills", user: NOBODY }));
  assert.equal(fills.length, 2000);
  assert.deepEqual(
    fills.slice(0, 3).map((f) => f.tid),
    [2499, 2498, 2497],
  );
  assert.equal(desk.venue.info({ type: "userFills", user: NOBODY }).items, 2000, "weight counts the rows");
});

test("userFillsByTime ascends from startTime, both bounds inclusive, 2000 at most", () => {
  const desk = withFills(2500);
  const page = rows(desk.info({ type: "userFillsByTime", user: NOBODY, startTime: 1_000_100 }));
  assert.equal(page.length, 2000);
  assert.deepEqual([page[0]?.tid, page[1]?.tid], [200, 201], "the boundary millisecond repeats");
  const ms = rows(
    desk.info({ type: "userFillsByTime", user: NOBODY, startTime: 1_000_100, endTime: 1_000_100 }),
  );
  assert.deepEqual(
    ms.map((f) => f.tid),
    [200, 201],
  );
  const last = rows(desk.info({ type: "userFillsByTime", user: NOBODY, startTime: 0, reversed: true }));
  assert.deepEqual([last[0]?.tid, last.length], [2499, 2000], "reversed: newest first");
});

test("only the newest ten thousand fills are reachable", () => {
  const desk = withFills(10_500);
  const [first] = rows(desk.info({ type: "userFillsByTime", user: NOBODY, startTime: 0 }));
  assert.equal(first?.tid, 500);
});

test("aggregateByTime merges one crossing order's fills of a block, without any marker", () => {
  const desk = openDesk();
  desk.oid(BOB, { b: false, p: "83000", s: "0.01" });
  desk.oid(BOB, { b: false, p: "83001", s: "0.01" });
  desk.oid(BOB, { b: false, p: "83003", s: "0.01" });
  desk.oid(ALICE, { p: "83003", s: "0.03" });
  const raw = fillsOf(desk, ALICE);
  const merged = rows(desk.info({ type: "userFills", user: ALICE, aggregateByTime: true }));
  assert.equal(raw.length, 3);
  assert.equal(merged.length, 1);
  assert.equal(merged[0]?.sz, "0.03");
  assert.equal(merged[0]?.px, "83001.33333333");
  assert.equal(merged[0]?.tid, raw[0]?.tid);
  assert.deepEqual(Object.keys(merged[0] ?? {}), Object.keys(raw[0] ?? {}));
  assert.equal(aggregateByTime(fillsOf(desk, BOB)).length, 3, "makers are not merged");
});

test("historicalOrders is the newest 2000 transitions, newest first, several per oid", () => {
  const desk = openDesk();
  for (let i = 0; i < 1100; i++) {
    const oid = desk.oid(ALICE, { p: "80000" });
    desk.run(ALICE, { type: "cancel", cancels: [{ a: BTC, o: oid }] });
  }
  const history = rows(desk.info({ type: "historicalOrders", user: ALICE })) as {
    order: JsonObject;
    status: string;
  }[];
  assert.equal(history.length, 2000);
  assert.deepEqual(
    history.slice(0, 2).map((row) => row.status),
    ["canceled", "open"],
  );
  assert.equal(history[0]?.order.oid, history[1]?.order.oid);
  assert.equal(desk.venue.truth(ALICE).orderEvents.length, 2200, "the truth has no cap");
});

test("orderStatus forgets all but the newest 2000 orders, but never an open one", () => {
  const desk = openDesk();
  const kept = desk.oid(ALICE, { p: "79000", c: "0x000000000000000000000000000000aa" });
  const first = desk.oid(ALICE, { p: "80000", c: "0x000000000000000000000000000000bb" });
  desk.run(ALICE, { type: "cancel", cancels: [{ a: BTC, o: first }] });
  for (let i = 0; i < 2000; i++) desk.place(ALICE, { tif: "Ioc" });
  const status = (oid: number | string) =>
    (desk.info({ type: "orderStatus", user: ALICE, oid }) as JsonObject).status;
  assert.equal(status(first), "unknownOid");
  assert.equal(status("0x000000000000000000000000000000bb"), "unknownOid");
  assert.equal(status(kept), "order");
  assert.equal(status("0x000000000000000000000000000000aa"), "order");
});

test("funding pages hold 500 rows and the ledger's are a switch", () => {
  const funding = Array.from({ length: 700 }, (_, i) => ({
    time: 1000 + i,
    hash: "0x0",
    delta: { type: "funding" },
  }));
  const ledger = Array.from({ length: 700 }, (_, i) => ({
    time: 1000 + i,
    hash: "0x0",
    delta: { type: "deposit" },
  }));
  const recorded = { [NOBODY]: { funding, ledger } };
  const desk = openDesk({ recorded, switches: { ledgerPageSize: 500 } });
  const page = rows(desk.info({ type: "userFunding", user: NOBODY, startTime: 1100, endTime: 1650 }));
  assert.deepEqual([page.length, page[0]?.time, page.at(-1)?.time], [500, 1100, 1599]);
  const request = { type: "userNonFundingLedgerUpdates", user: NOBODY, startTime: 0 };
  assert.equal(rows(desk.info(request)).length, 500);
  assert.equal(rows(openDesk({ recorded }).info(request)).length, 700);
});

test("an address nobody knows gets empty answers, not errors", () => {
  const desk = openDesk();
  const state = desk.info({ type: "clearinghouseState", user: NOBODY }) as JsonObject;
  assert.deepEqual(state.assetPositions, []);
  assert.deepEqual(state.marginSummary, {
    accountValue: "0.0",
    totalNtlPos: "0.0",
    totalRawUsd: "0.0",
    totalMarginUsed: "0.0",
  });
  assert.equal((state.time as number) <= desk.venue.nowMs, true);
  for (const type of [
    "userFills",
    "openOrders",
    "historicalOrders",
    "userFunding",
    "twapHistory",
    "extraAgents",
  ]) {
    assert.deepEqual(desk.info({ type, user: NOBODY }), []);
  }
  assert.deepEqual(desk.info({ type: "userRole", user: NOBODY }), { role: "missing" });
  assert.equal(desk.info({ type: "subAccounts", user: NOBODY }), null);
  assert.ok(!desk.venue.users().includes(NOBODY), "asking does not create an account");
});

test("requests are case-insensitive in addresses and answers are lower case", () => {
  const desk = openDesk();
  desk.oid(ALICE, {});
  const upper = `0x${ALICE.slice(2).toUpperCase()}`;
  assert.equal(rows(desk.info({ type: "openOrders", user: upper })).length, 1);
  assert.equal((desk.info({ type: "webData2", user: upper }) as JsonObject).user, ALICE);
});

test("a wrong but existing dex answers an empty state", () => {
  const desk = openDesk();
  desk.oid(ALICE, {});
  assert.deepEqual(desk.info({ type: "openOrders", user: ALICE, dex: "xyz" }), []);
  const state = desk.info({ type: "clearinghouseState", user: ALICE, dex: "xyz" }) as {
    withdrawable: string;
  };
  assert.equal(state.withdrawable, "0.0");
});

test("malformed requests are 422 text", () => {
  const { venue } = openDesk();
  const requests: Json[] = [
    null,
    "userFills",
    [],
    {},
    { type: "unheardOf" },
    { type: "userFills" },
    { type: "userFills", user: "0x12" },
    { type: "userFillsByTime", user: ALICE },
    { type: "orderStatus", user: ALICE, oid: "abc" },
    { type: "candleSnapshot", req: { coin: "BTC", interval: "7m", startTime: 0 } },
  ];
  for (const request of requests) {
    const answer = venue.info(request);
    assert.deepEqual(
      [answer.status, answer.body],
      [422, "Failed to deserialize the JSON body into the target type"],
    );
  }
});

test("unknown coins are 500 null, but l2Book answers null; mantissa 1 is 500", () => {
  const { venue } = openDesk();
  for (const request of [
    { type: "candleSnapshot", req: { coin: "NOPE", interval: "1m", startTime: 0 } },
    { type: "recentTrades", coin: "NOPE" },
    { type: "fundingHistory", coin: "NOPE", startTime: 0 },
    { type: "activeAssetData", coin: "NOPE", user: ALICE },
    { type: "l2Book", coin: "BTC", nSigFigs: 5, mantissa: 1 },
    { type: "meta", dex: "nope" },
  ]) {
    assert.deepEqual(venue.info(request), { status: 500, body: null }, JSON.stringify(request));
  }
  assert.deepEqual(venue.info({ type: "l2Book", coin: "NOPE" }), { status: 200, body: null });
});

test("every venue answer is 200 for the requests that need nothing or only a user", () => {
  const desk = openDesk();
  for (const type of [
    "meta",
    "metaAndAssetCtxs",
    "allPerpMetas",
    "perpDexs",
    "spotMeta",
    "spotMetaAndAssetCtxs",
    "outcomeMeta",
    "allMids",
    "predictedFundings",
    "perpsAtOpenInterestCap",
    "exchangeStatus",
    "vaultSummaries",
    "liquidatable",
    "maxMarketOrderNtls",
    "validatorSummaries",
    "validatorL1Votes",
    "gossipRootIps",
    "perpConciseAnnotations",
    "perpCategories",
    "usdcRouting",
  ]) {
    desk.info({ type });
  }
  for (const type of [
    "clearinghouseState",
    "spotClearinghouseState",
    "openOrders",
    "frontendOpenOrders",
    "historicalOrders",
    "userFills",
    "userTwapSliceFills",
    "twapHistory",
    "userFunding",
    "userNonFundingLedgerUpdates",
    "portfolio",
    "userFees",
    "userRateLimit",
    "userRole",
    "userAbstraction",
    "userDexAbstraction",
    "extraAgents",
    "subAccounts",
    "subAccounts2",
    "referral",
    "approvedBuilders",
    "userVaultEquities",
    "leadingVaults",
    "webData2",
    "delegations",
    "delegatorHistory",
    "delegatorRewards",
    "delegatorSummary",
    "isVip",
    "legalCheck",
    "userToMultiSigSigners",
    "borrowLendUserState",
  ]) {
    desk.info({ type, user: ALICE });
  }
});

test("a delisted perp keeps its index, with null premium and mid", () => {
  const desk = openDesk();
  const [meta, ctxs] = desk.info({ type: "metaAndAssetCtxs" }) as [{ universe: JsonObject[] }, JsonObject[]];
  assert.deepEqual([meta.universe[3]?.name, meta.universe[3]?.isDelisted], ["MATIC", true]);
  assert.deepEqual(
    [ctxs[3]?.premium, ctxs[3]?.midPx, ctxs[3]?.impactPxs, ctxs[3]?.funding],
    [null, null, null, "0.0"],
  );
  assert.equal(ctxs.length, meta.universe.length);
  assert.equal("MATIC" in (desk.info({ type: "allMids" }) as JsonObject), false);
});

test("perpDexs begins with null; HIP-3 mids only come with their dex, spot with the first", () => {
  const desk = openDesk();
  const [first, second] = desk.info({ type: "perpDexs" }) as (JsonObject | null)[];
  assert.equal(first, null);
  assert.equal(second?.name, "xyz");
  const mids = desk.info({ type: "allMids" }) as JsonObject;
  assert.ok("@107" in mids && "PURR/USDC" in mids && !("xyz:AAPL" in mids));
  assert.deepEqual(Object.keys(desk.info({ type: "allMids", dex: "xyz" }) as JsonObject), [
    "xyz:XYZ100",
    "xyz:AAPL",
  ]);
});

test("the book has twenty levels a side, five when fast, and can be coarsened away from the mid", () => {
  const desk = openDesk();
  for (let i = 0; i < 25; i++) desk.oid(ALICE, { p: String(82_000 - i * 7), s: "0.01" });
  for (let i = 0; i < 3; i++) desk.oid(ALICE, { b: false, p: String(84_001 + i), s: "0.01" });
  const levels = (request: JsonObject) =>
    (desk.info({ type: "l2Book", coin: "BTC", ...request }) as { levels: JsonObject[][] }).levels;
  assert.deepEqual(
    levels({}).map((side) => side.length),
    [20, 3],
  );
  assert.deepEqual(
    levels({ fast: true }).map((side) => side.length),
    [5, 3],
  );
  const [bids, asks] = levels({ nSigFigs: 3 });
  assert.deepEqual([bids?.[0]?.px, asks?.[0]?.px, asks?.[0]?.n], ["82000.0", "84100.0", 3]);
  assert.equal(bids?.[1]?.px, "81900.0");
});

test("candles have no holes, the forming one is last, and their bounds are the bucket's", () => {
  const desk = openDesk();
  const trade = (px: string) => {
    desk.oid(BOB, { b: false, p: px, s: "0.01" });
    desk.oid(ALICE, { p: px, s: "0.01" });
  };
  trade("83000");
  trade("83500");
  desk.tick(180_000);
  trade("83200");
  const candles = rows(
    desk.info({
      type: "candleSnapshot",
      req: { coin: "BTC", interval: "1m", startTime: desk.venue.nowMs - 600_000 },
    }),
  );
  assert.deepEqual(
    candles.map((c) => [c.o, c.h, c.l, c.c, c.v, c.n]),
    [
      ["83000.0", "83500.0", "83000.0", "83500.0", "0.02", 2],
      ["83500.0", "83500.0", "83500.0", "83500.0", "0.0", 0],
      ["83500.0", "83500.0", "83500.0", "83500.0", "0.0", 0],
      ["83200.0", "83200.0", "83200.0", "83200.0", "0.01", 1],
    ],
  );
  for (const candle of candles) assert.equal((candle.T as number) - (candle.t as number), 59_999);
});

test("recorded objects are served byte for byte, in the venue's order, whatever order they were given in", () => {
  const given = many(6).reverse();
  const slice = { fill: wireFill(1_000_500, 99), twapId: 7 };
  const order = (oid: number, status: string, statusTimestamp: number) => ({
    order: { coin: "ETH", oid, cloid: null, sz: "1.00" },
    status,
    statusTimestamp,
  });
  const desk = openDesk({
    recorded: {
      [NOBODY]: {
        fills: given,
        twapSliceFills: [slice],
        historicalOrders: [order(1, "open", 10), order(1, "filled", 10), order(2, "open", 20)],
        clearinghouseState: { xyz: { withdrawable: "1.50", strange: true } },
        spotClearinghouseState: { balances: [] },
        openOrders: [{ coin: "ETH", oid: 2 }],
        answers: { portfolio: [{ whole: "answer" }] },
      },
    },
  });
  const user = NOBODY.toUpperCase().replace("0X", "0x");
  assert.equal(JSON.stringify(desk.info({ type: "userFills", user })), JSON.stringify(given));
  assert.deepEqual(desk.info({ type: "userTwapSliceFills", user }), [slice]);
  assert.deepEqual(
    rows(desk.info({ type: "historicalOrders", user })).map((r) => r.status),
    ["open", "filled", "open"],
  );
  assert.deepEqual(desk.info({ type: "orderStatus", user, oid: 1 }), {
    status: "order",
    order: order(1, "filled", 10),
  });
  assert.deepEqual(desk.info({ type: "clearinghouseState", user, dex: "xyz" }), {
    withdrawable: "1.50",
    strange: true,
  });
  assert.deepEqual(desk.info({ type: "openOrders", user }), [{ coin: "ETH", oid: 2 }]);
  assert.deepEqual(desk.info({ type: "portfolio", user }), [{ whole: "answer" }]);
  assert.equal(desk.venue.truth(user).fills.length, 6);
  assert.ok(desk.venue.users().includes(NOBODY));
});

test("live rows follow the recorded ones", () => {
  const desk = openDesk({ recorded: { [ALICE]: { fills: many(4) } } });
  desk.oid(BOB, { b: false });
  desk.oid(ALICE, {});
  const fills = rows(desk.info({ type: "userFills", user: ALICE }));
  assert.deepEqual(fills.map((f) => f.tid).slice(1), [3, 2, 1, 0]);
  assert.equal(fills[0]?.px, "83000.0");
});

test("an active account trades at about its rate, on both sides of the book, and stays solvent", () => {
  const user = `0x${"ac".repeat(20)}`;
  const desk = openDesk({
    traders: { stepMs: 10_000, coins: ["BTC", "ETH", "SOL"] },
    activeAccounts: [{ user, fillsPerSecond: 2 }],
  });
  desk.tick(300_000);
  const fills = fillsOf(desk, user);
  assert.ok(fills.length > 450 && fills.length < 800, `${fills.length} fills in 300 s`);
  assert.deepEqual(new Set(fills.map((f) => f.crossed)), new Set([true, false]));
  const { marginSummary } = desk.info({ type: "clearinghouseState", user }) as { marginSummary: JsonObject };
  assert.ok(Number(marginSummary.accountValue) > 90_000);
  const later = `0x${"ad".repeat(20)}`;
  desk.venue.addActiveAccount({ user: later, fillsPerSecond: 1, coins: ["SOL"] });
  desk.tick(60_000);
  assert.ok(fillsOf(desk, later).length > 30);
});

test("simulated traders keep markets two-sided and move the price", () => {
  const desk = openDesk({ traders: { stepMs: 10_000 } });
  const mids = () => desk.info({ type: "allMids" }) as Record<string, string>;
  const before = mids();
  desk.tick(600_000);
  const after = mids();
  for (const coin of ["BTC", "ETH", "kPEPE", "PURR/USDC", "@107"]) {
    const book = desk.info({ type: "l2Book", coin }) as { levels: Json[][] };
    assert.ok(
      book.levels.every((side) => side.length > 3),
      coin,
    );
    assert.notEqual(after[coin], before[coin], coin);
    assert.ok(rows(desk.info({ type: "recentTrades", coin })).length > 5, coin);
  }
  assert.equal(desk.venue.users().length, 2, "traders are not listed");
});

test("what every object inherits is neither a request nor an interval", () => {
  const desk = openDesk();
  for (const type of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    const req = { coin: "BTC", interval: type, startTime: 0 };
    for (const request of [{ type }, { type: "candleSnapshot", req }]) {
      assert.equal(desk.venue.info(request).status, 422, JSON.stringify(request));
    }
  }
});

test("only the newest 5000 buckets of an interval exist, also where older ones are asked for", () => {
  const desk = openDesk();
  const trade = (px: string) => {
    desk.oid(BOB, { b: false, p: px, s: "0.01" });
    desk.oid(ALICE, { p: px, s: "0.01" });
  };
  trade("83000");
  const tradedMs = desk.venue.nowMs;
  desk.tick(6000 * 60_000);
  trade("83500");
  const ask = (req: JsonObject) =>
    rows(desk.info({ type: "candleSnapshot", req: { coin: "BTC", interval: "1m", ...req } }));
  assert.deepEqual(ask({ startTime: tradedMs - 60_000, endTime: tradedMs + 60_000 }), []);
  const all = ask({ startTime: 0 });
  assert.equal(all.length, 5000);
  assert.deepEqual([all[0]?.o, all.at(-1)?.c], ["83000.0", "83500.0"]);
  assert.equal(ask({ startTime: 0, endTime: all[0]?.t as number }).length, 1);
});

test("volumes are told per window: the day, the week, the month, and day by day", () => {
  const desk = openDesk();
  const DAY = 86_400_000;
  const trade = () => {
    desk.oid(BOB, { b: false, p: "80000", s: "0.01" });
    desk.oid(ALICE, { p: "80000", s: "0.01" });
  };
  const days = [0, 20, 26, 29.5];
  let passed = 0;
  for (const day of days) {
    desk.tick((day - passed) * DAY);
    passed = day;
    trade();
  }
  const portfolio = desk.info({ type: "portfolio", user: ALICE }) as [string, { vlm: string }][];
  assert.deepEqual(
    portfolio.map(([name, { vlm }]) => `${name} ${vlm}`),
    [
      ...["day 800.0", "week 1600.0", "month 3200.0", "allTime 3200.0"],
      ...["perpDay 800.0", "perpWeek 1600.0", "perpMonth 3200.0", "perpAllTime 3200.0"],
    ],
  );
  const daily = (user: string) =>
    (desk.info({ type: "userFees", user }) as { dailyUserVlm: Record<string, string>[] }).dailyUserVlm;
  const rowsOfAlice = daily(ALICE);
  assert.equal(rowsOfAlice.length, 15);
  assert.equal(rowsOfAlice.at(-1)?.date, new Date(desk.venue.nowMs).toISOString().slice(0, 10));
  assert.deepEqual(
    rowsOfAlice
      .filter((row) => row.userCross !== "0.0")
      .map((row) => [row.userCross, row.userAdd, row.exchange]),
    Array(3).fill(["800.0", "0.0", "800.0"]),
  );
  assert.equal(daily(BOB).at(-1)?.userAdd, "800.0");
});

test("TWAPs of a HIP-3 dex are told with their dex", () => {
  const desk = openDesk();
  desk.run(ALICE, { type: "twapOrder", twap: { a: AAPL, b: true, s: "1", r: false, m: 5, t: false } });
  assert.deepEqual(desk.venue.twapStates(ALICE, ""), []);
  const [running] = desk.venue.twapStates(ALICE, "xyz") as [number, JsonObject][];
  assert.equal(running?.[1].coin, "xyz:AAPL");
});
