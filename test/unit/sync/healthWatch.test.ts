import assert from "node:assert/strict";
import { test } from "node:test";
import { INFO } from "../../../src/protocol/infoRequests.ts";
import type { WireClearinghouseState, WireOrder, WireSpotState } from "../../../src/protocol/schemas.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { VirtualClock } from "../../../src/simulator/virtualWorld.ts";
import type { HealthComponents } from "../../../src/sync/healthScore.ts";
import { HealthWatch, stopOrders, type WatchedStates } from "../../../src/sync/healthWatch.ts";
import { openOrderRows } from "../../../src/sync/normalize.ts";
import type { VenueInfo } from "../../../src/sync/ports.ts";
import { Prices } from "../../../src/sync/prices.ts";
import { dailyVolatility, Volatilities } from "../../../src/sync/volatility.ts";
import { emptyStore } from "../../support/emptyStore.ts";
import * as wires from "../../support/wires.ts";
import { type Holding, perpState, spotState } from "./healthStates.ts";

const commit = async () => {};

const START = 1_790_000_000_000;
const DAY = 86_400_000;
const BTC: Holding = { coin: "BTC", size: "1", mark: "10000", maxLeverage: 40 };

/** An account without vaults and stake. */
const NOTHING_ELSE = {
  userVaultEquities: () => [],
  delegatorSummary: () => ({ delegated: "0.0", undelegated: "0.0", totalPendingWithdrawal: "0.0" }),
};

/** Answers by request type; counts what was asked. */
function venue(answers: Record<string, (params: never) => unknown>) {
  const asked: string[] = [];
  const info: VenueInfo = {
    async request(request, params) {
      asked.push(`${request.type} ${JSON.stringify(params)}`);
      const answer = answers[request.type];
      if (!answer) throw new Error(`nothing to say to ${request.type}`);
      const result = request.read(answer(params as never)) as never;
      return { result, sentAtMs: START, receivedAtMs: START, weight: 20 };
    },
    clockOffset: () => null,
    reserve: () => () => {},
  };
  return { info, asked };
}

function watch(info: VenueInfo, drawdownPct = async (): Promise<string | null> => null) {
  const clock = new VirtualClock(START);
  const store = { ...emptyStore(), drawdownPct };
  const account = `0x${"a".repeat(40)}`;
  const volatilities = new Volatilities({ info, clock });
  const prices = new Prices({ info, clock });
  const watched = new HealthWatch({
    account,
    info,
    store,
    clock,
    log: silentLog,
    volatilities,
    prices,
    markets: { marginTiers: () => null },
    commit,
  });
  return { watched, clock };
}

function states(
  perps: ReadonlyMap<string, WireClearinghouseState>,
  more: Partial<WatchedStates> = {},
): WatchedStates {
  return {
    account: `0x${"a".repeat(40)}`,
    asOfMs: START,
    mode: "standard",
    perps,
    spot: null,
    dexesInUse: new Set(perps.keys()),
    venueTimeMs: START,
    venueNowMs: START,
    isModeKnown: true,
    areFlowsKnown: true,
    ...more,
  };
}

const clockTime = (ms: number) => new Date(ms).toISOString().slice(11, 19);

const candle = (close: number, day: number) => ({
  t: START - (40 - day) * DAY,
  T: START - (39 - day) * DAY - 1,
  s: "BTC",
  i: "1d",
  o: "1",
  c: String(close),
  h: "1",
  l: "1",
  v: "1",
  n: 1,
});

test("volatility is the deviation of the daily log returns, by hand", () => {
  // Returns +1 % and −1 % in turn, eight of them: mean 0, deviation √(8·0.0001/7).
  const closes = [100];
  for (let day = 0; day < 8; day++) closes.push(closes.at(-1)! * Math.exp(day % 2 === 0 ? 0.01 : -0.01));
  assert.ok(Math.abs(dailyVolatility(closes)! - Math.sqrt(0.0008 / 7)) < 1e-12);
  assert.equal(dailyVolatility(closes.slice(0, 7)), null);
  assert.equal(dailyVolatility(Array(20).fill(5)), null);
  assert.equal(dailyVolatility([1, 2, 3, 0, 5, 6, 7, 8, 9]), null);
});

test("a coin's volatility is asked for once, however many accounts hold it, and anew when nobody waited for it", async () => {
  const { info, asked } = venue({ candleSnapshot: () => [90, 100, 95].map(candle) });
  const clock = new VirtualClock(START);
  const volatilities = new Volatilities({ info, clock });
  const ask = { priority: "niceToHave" } as const;
  await Promise.all([volatilities.learn("BTC", ask), volatilities.learn("BTC", ask)]);
  await volatilities.learn("BTC", ask);
  assert.equal(asked.length, 1);
  assert.ok(volatilities.has("BTC"));
  const abort = new AbortController();
  const gone = new Volatilities({
    clock,
    info: {
      ...info,
      request: async () => {
        abort.abort();
        throw new Error("aborted");
      },
    },
  });
  await assert.rejects(gone.learn("BTC", { ...ask, signal: abort.signal }), /aborted/);
  assert.equal(gone.has("BTC"), false);
});

test("a coin asked for while a question that nobody waits for is still ending is asked for anew", async () => {
  const first = new AbortController();
  const { info, asked } = venue({ candleSnapshot: () => [90, 100, 95].map(candle) });
  const volatilities = new Volatilities({
    clock: new VirtualClock(START),
    info: {
      ...info,
      request: async (about, params, options) => {
        if (options?.signal !== undefined && !first.signal.aborted)
          await new Promise<void>((resolve) =>
            options.signal!.addEventListener("abort", () => setTimeout(resolve, 5)),
          );
        options?.signal?.throwIfAborted();
        return info.request(about, params, options);
      },
    },
  });
  const left = volatilities.learn("BTC", { priority: "niceToHave", signal: first.signal });
  first.abort(new Error("gone"));
  await assert.rejects(left, /gone/);
  await volatilities.learn("BTC", { priority: "niceToHave" });
  assert.equal(asked.length, 1);
  assert.ok(volatilities.has("BTC"));
});

test("stops are reduce-only stop orders and position stops, never take-profits or entries", () => {
  const stopOrder = wires.order({
    ...{ side: "A", limitPx: "9000", sz: "0.5", origSz: "0.5", timestamp: START },
    ...{ orderType: "Stop Market", isTrigger: true, triggerPx: "9500", reduceOnly: true },
  }) as WireOrder;
  const rows = (change: Partial<WireOrder>) => {
    const value = { ...stopOrder, ...change };
    return openOrderRows({ account: "0x", source: "stream", seenAtMs: START }, [{ value, raw: value }]);
  };
  const stop = { coin: "BTC", side: "sell", size: "0.5", triggerPrice: "9500" };
  assert.deepEqual(stopOrders(rows({})), [stop]);
  assert.deepEqual(stopOrders(rows({ isPositionTpsl: true, sz: "0.0", origSz: "0.0" })), [
    { ...stop, size: null },
  ]);
  assert.deepEqual(stopOrders(rows({ orderType: "Take Profit Market" })), []);
  assert.deepEqual(stopOrders(rows({ reduceOnly: false })), []);
  assert.deepEqual(stopOrders(rows({ orderType: "Limit", isTrigger: false, triggerPx: "0.0" })), []);
});

test("volatility is read once for a coin and kept; the score rests on it", async () => {
  const closes = Array.from(
    { length: 32 },
    (_, day) => 100 * Math.exp(0.025 * Math.sqrt(29 / 30) * (day % 2)),
  );
  const { info, asked } = venue({ ...NOTHING_ELSE, candleSnapshot: () => closes.map(candle) });
  const candles = () => asked.filter((one) => one.startsWith("candleSnapshot")).length;
  const { watched, clock } = watch(info);
  const held = states(new Map([["", perpState("10000", [BTC], START)]]), { spot: spotState([]) });
  watched.noteState("", START);
  watched.noteSpot(START, START);
  watched.noteOpenOrders("", []);
  // The drawdown, and no coin yet.
  await watched.refresh(states(new Map()), new AbortController().signal);
  assert.equal(watched.lacks(held), true);
  const source = () => (watched.row(held).healthComponents as HealthComponents).positions[0]!.source;
  assert.equal(source(), "max leverage");
  await watched.refresh(held, new AbortController().signal);
  assert.equal(source(), "candles");
  assert.equal(watched.lacks(held), false);
  await watched.refresh(held, new AbortController().signal);
  assert.equal(candles(), 1);
  await clock.advanceBy(6 * 3_600_000 + 1);
  await watched.refresh(held, new AbortController().signal);
  assert.equal(candles(), 2);
});

test("a failed reading is asked again after ten minutes, not at once", async () => {
  const { info, asked } = venue({});
  const { watched, clock } = watch(info);
  const held = states(new Map([["", perpState("10000", [BTC], START)]]));
  const candles = () => asked.filter((one) => one.startsWith("candleSnapshot")).length;
  for (let round = 0; round < 3; round++) await watched.refresh(held, new AbortController().signal);
  assert.equal(candles(), 1);
  await clock.advanceBy(600_001);
  await watched.refresh(held, new AbortController().signal);
  assert.equal(candles(), 2);
});

test("an account whose states stop coming scores null, says how old they are, and recovers", async () => {
  const { watched, clock } = watch(venue({}).info);
  const held = states(new Map([["", perpState("10000", [BTC], START)]]));
  watched.noteState("", START);
  watched.noteOpenOrders("", []);
  await watched.refresh(held, new AbortController().signal);
  assert.equal(watched.isStale(held), false);
  await clock.advanceBy(31_000);
  assert.equal(watched.isStale(held), true);
  assert.deepEqual(
    [watched.row(held).healthScore, watched.row(held).healthReason],
    [null, `no state since ${clockTime(START)} UTC`],
  );
  watched.noteState("", START + 31_000);
  assert.equal(watched.row(held).healthScore, 97);
});

test("a state that is old by the venue's own clock is stale even when it has just arrived", async () => {
  const { watched } = watch(venue({}).info);
  const held = states(new Map([["", perpState("10000", [BTC], START - 60_000)]]));
  watched.noteState("", START);
  watched.noteOpenOrders("", []);
  await watched.refresh(held, new AbortController().signal);
  assert.equal(watched.row(held).healthReason, `no state since ${clockTime(START - 60_000)} UTC`);
});

test("a drawdown that could not be read is unknown, not 0, and is asked for again at once", async () => {
  let isAway = true;
  const { watched } = watch(venue({}).info, async () => {
    if (isAway) throw new Error("away");
    return "15";
  });
  const held = states(new Map([["", perpState("10000", [BTC], START)]]));
  watched.noteState("", START);
  watched.noteOpenOrders("", []);
  await watched.refresh(held, new AbortController().signal);
  assert.deepEqual(
    [watched.row(held).healthScore, watched.row(held).healthReason, watched.lacks(held)],
    [null, "the drawdown is not read yet", true],
  );
  isAway = false;
  await watched.refresh(held, new AbortController().signal);
  assert.equal((watched.row(held).healthComponents as HealthComponents).penalty_drawdown, 5);
});

test("the drawdown of the last 30 days comes from the database", async () => {
  const { watched } = watch(venue({}).info, async () => "15");
  const held = states(new Map([["", perpState("10000", [BTC], START)]]));
  watched.noteState("", START);
  watched.noteOpenOrders("", []);
  await watched.refresh(held, new AbortController().signal);
  assert.equal((watched.row(held).healthComponents as HealthComponents).penalty_drawdown, 5);
});

test("equity by mode: perps in standard mode, spot dollars when unified, with collateral under portfolio margin", async () => {
  const perps = new Map([
    ["", perpState("8000", [BTC], START)],
    ["xyz", perpState("500", [], START)],
  ]);
  const spot: WireSpotState = spotState([
    { coin: "USDC", token: 0, total: "12000", hold: "250" },
    { coin: "USDH", token: 360, total: "1000" },
    { coin: "HYPE", token: 150, total: "10", ltv: "0.5" },
    { coin: "PURR", token: 1, total: "1000000" },
  ]);
  const { info, asked } = venue({ allMids: () => ({ HYPE: "40" }), candleSnapshot: () => [] });
  const { watched } = watch(info);
  assert.equal(watched.row(states(perps, { spot })).accountValue, "8500");
  const unified = watched.row(states(perps, { spot, mode: "unified" }));
  assert.deepEqual([unified.accountValue, unified.withdrawable], ["13000", "12750"]);
  // An account that has nothing posted to its dexes is worth what it holds, not nothing.
  const idle = new Map([["", perpState("0", [], START)]]);
  assert.equal(watched.row(states(idle, { spot, mode: "unified" })).accountValue, "13000");

  const pooled = states(perps, { spot: { ...spot, portfolioMarginRatio: "0.1" }, mode: "portfolio_margin" });
  assert.match(String(watched.row(pooled).healthReason), /no price is known for HYPE/);
  await watched.refresh(pooled, new AbortController().signal);
  assert.equal(watched.row(pooled).accountValue, "13400");
  assert.ok(asked.includes(`${INFO.allMids.type} {"dex":""}`));
});

test("what is borrowed is not owned, and what could be borrowed is not withdrawable", () => {
  // Captured: hold is negative where the collateral lets the account borrow, spotHold is what is really tied up.
  const spot: WireSpotState = {
    balances: [
      {
        coin: "USDC",
        token: 0,
        total: "130.36579681",
        hold: "-2008.62038899",
        spotHold: "30.0",
        borrowed: "0.36579681",
      },
    ],
    portfolioMarginEnabled: true,
    portfolioMarginRatio: "0.0",
  };
  const { watched } = watch(venue({}).info);
  const row = watched.row(
    states(new Map([["", perpState("0", [], START)]]), { spot, mode: "portfolio_margin" }),
  );
  assert.deepEqual([row.accountValue, row.withdrawable], ["130", "100"]);
});

test("what pooled dollars back is not known while a dex in use was not read", () => {
  const { watched } = watch(venue({}).info);
  const spot = spotState([{ coin: "USDC", token: 0, total: "1000" }]);
  const perps = new Map([["", perpState("0", [], START)]]);
  for (const [dexesInUse, leverage] of [
    [new Set([""]), "0"],
    [new Set(["", "xyz"]), null],
  ] as const) {
    const row = watched.row({ ...states(perps, { spot, mode: "unified" }), dexesInUse });
    const { accountValue, actualLeverage, marginUsagePct, freeMargin, liquidationBufferPct } = row;
    assert.equal(accountValue, "1000");
    assert.deepEqual(
      [actualLeverage, marginUsagePct, freeMargin, liquidationBufferPct],
      leverage === null ? [null, null, null, null] : ["0", "0", "1000", "100"],
    );
  }
});

test("the collateral token of a dex is learned from its meta", async () => {
  const { info } = venue({
    meta: () => ({ universe: [], collateralToken: 235 }),
    candleSnapshot: () => [],
  });
  const { watched } = watch(info);
  const perps = new Map([["hyna", perpState("0", [{ ...BTC, coin: "hyna:BTC" }], START)]]);
  const held = states(perps, {
    mode: "unified",
    spot: spotState([{ coin: "USDE", token: 235, total: "10000" }]),
  });
  watched.noteState("hyna", START);
  watched.noteSpot(START, START);
  watched.noteOpenOrders("hyna", []);
  assert.match(String(watched.row(held).healthReason), /the collateral of hyna is not known yet/);
  await watched.refresh(held, new AbortController().signal);
  const { pools } = watched.row(held).healthComponents as HealthComponents;
  assert.deepEqual(pools, [{ pool: "unified USDE", ratio: "0.0125", threshold: "1" }]);
});
