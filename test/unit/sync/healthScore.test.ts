import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { div } from "../../../src/runtime/decimal.ts";
import { type HealthInputs, statusOf } from "../../../src/sync/healthScore.ts";
import { type Holding, perpState, score, spotState } from "./healthStates.ts";

const EQUITY = "10000";
/** `times` the equity of 10 000, in one coin. */
const long = (coin: string, times: number, maxLeverage: number): Holding => ({
  coin,
  size: String(times),
  mark: EQUITY,
  maxLeverage,
});
const standard = (...holdings: Holding[]): Partial<HealthInputs> => ({
  perps: new Map([["", perpState(EQUITY, holdings)]]),
});

test("the expected scores of the specification come out", () => {
  assert.equal(score(standard()).score, 100);
  assert.equal(score(standard(long("BTC", 1, 40))).score, 98);
  assert.equal(score(standard(long("BTC", 3, 40))).score, 93);
  assert.equal(score(standard(long("MEME", 3, 10))).score, 65);
  assert.equal(score(standard(long("BTC", 10, 40))).score, 60);
  assert.equal(score(standard(long("BTC", 20, 40))).score, 23);
  const gone = { perps: new Map([["", perpState("125", [long("BTC", 1, 40)])]]) };
  assert.equal(score(gone).score, 0);
  assert.equal(score(gone).status, "liquidatable");
});

test("ten times BTC by hand: every part of the score and the limiting factor in words", () => {
  const { components, reason, status } = score(standard(long("BTC", 10, 40)));
  // maintenance 100 000 / 80 = 1 250 of 10 000; liquidation (10 000 − 1 250) / 100 000 / (1 − 1/80) = 8.861 % away
  assert.deepEqual(components.pools, [{ pool: "cross", ratio: "0.125", threshold: "1" }]);
  assert.equal(components.margin_points, 87.5);
  assert.equal(components.daily_moves, "3.54");
  assert.equal(components.distance_points, 70.4);
  assert.equal(components.penalty_concentration, 10);
  assert.equal(components.leverage, "10");
  assert.equal(components.limiting, "distance");
  assert.equal(reason, "BTC is 3.5 daily moves from liquidation");
  assert.equal(status, "good");
});

test("a position without a stop costs up to five points, by leverage", () => {
  assert.equal(score({ ...standard(long("BTC", 1, 40)), stops: [] }).score, 97);
  assert.equal(score({ ...standard(long("BTC", 10, 40)), stops: [] }).score, 55);
  const halfway = [{ coin: "BTC", side: "sell" as const, size: "5", triggerPrice: "9500" }];
  assert.equal(score({ ...standard(long("BTC", 10, 40)), stops: halfway }).components.stop_coverage, "0.5");
});

test("a stop beyond the liquidation price protects nothing, nor does one on the wrong side", () => {
  const beyond = [{ coin: "BTC", side: "sell" as const, size: null, triggerPrice: "9000" }];
  assert.equal(score({ ...standard(long("BTC", 10, 40)), stops: beyond }).components.stop_coverage, "0");
  const entry = [{ coin: "BTC", side: "buy" as const, size: null, triggerPrice: "9900" }];
  assert.equal(score({ ...standard(long("BTC", 10, 40)), stops: entry }).components.stop_coverage, "0");
});

test("a drawdown costs nothing up to 5 %, ten points from 25 % on", () => {
  const at = (drawdown: number) => score({ ...standard(long("BTC", 3, 40)), drawdown }).components;
  assert.equal(at(0.05).penalty_drawdown, 0);
  assert.equal(at(0.15).penalty_drawdown, 5);
  assert.equal(at(0.4).penalty_drawdown, 10);
  assert.equal(
    score({ ...standard(long("BTC", 3, 40)), drawdown: 0.4 }).reason,
    "net worth is 40 % below its peak of 30 days",
  );
});

test("all coins moving together can be nearer than any of them alone", () => {
  // Each alone is far away; together they lose 2.5 % of 30 000 and 3.5 % of 30 000 a daily move.
  const both = [long("BTC", 3, 40), long("ETH", 3, 25)];
  const { components, reason } = score(standard(...both));
  // spare = 10 000 − 375 − 600 = 9 025; lost a move 750 + 1050 − (9.375 + 21) = 1769.625
  assert.equal(components.daily_moves, (9025 / 1769.625).toFixed(2).replace(/0$/, ""));
  assert.equal(components.nearest, "all down");
  assert.match(reason, /^all down together by 5\.1 daily moves liquidates$/);
});

test("a hedge is judged by what each leg can do alone", () => {
  const hedged = [long("BTC", 8, 40), { ...long("ETH", 8, 25), size: "-8" }];
  const { components } = score(standard(...hedged));
  assert.notEqual(components.nearest, "all down");
  assert.equal(components.nearest, "ETH");
});

test("the worst dex decides in a standard account", () => {
  const perps = new Map([
    ["", perpState("9000", [long("BTC", 1, 40)])],
    ["xyz", perpState("1000", [{ coin: "xyz:AAPL", size: "50", mark: "200", maxLeverage: 10 }])],
  ]);
  const { components, reason } = score({ perps, volatility: () => 0.02 });
  assert.deepEqual(components.pools, [
    { pool: "cross", ratio: "0.013889", threshold: "1" },
    { pool: "cross xyz", ratio: "0.5", threshold: "1" },
  ]);
  assert.equal(reason, "cross xyz: 50 % of the way to liquidation by margin");
});

test("an isolated position is a pool of its own: maintenance over rawUsd + size · mark", () => {
  // 1 BTC at 10 000 bought with 2 000 of own cash: −8 000 + 10 000 = 2 000 against 125.
  const isolated = { ...long("BTC", 1, 40), leverage: 5, isolatedUsd: "-8000" };
  const { components } = score(standard(isolated));
  assert.deepEqual(components.pools, [{ pool: "isolated BTC", ratio: "0.0625", threshold: "1" }]);
  const empty = score(standard({ ...isolated, isolatedUsd: "-9900" }));
  assert.equal(empty.score, 0);
});

test("a unified account is judged by the spot balance of its collateral, less isolated margin", () => {
  const perps = new Map([
    ["", perpState("0", [long("BTC", 10, 40), { ...long("ETH", 1, 25), leverage: 5, isolatedUsd: "-8000" }])],
    ["xyz", perpState("0", [{ coin: "xyz:AAPL", size: "50", mark: "200", maxLeverage: 10 }])],
  ]);
  const given: Partial<HealthInputs> = {
    mode: "unified",
    perps,
    equity: "12000",
    spot: spotState([{ coin: "USDC", token: 0, total: "12000" }]),
    collateralToken: () => 0,
    volatility: () => 0.025,
  };
  // (1 250 + 500) / (12 000 − 2 000)
  assert.deepEqual(score(given).components.pools[0], {
    pool: "unified USDC",
    ratio: "0.175",
    threshold: "1",
  });
});

test("collateral tokens of a unified account do not help each other, and the worst decides", () => {
  const perps = new Map([
    ["", perpState("0", [long("BTC", 1, 40)])],
    ["hyna", perpState("0", [{ coin: "hyna:ETH", size: "1", mark: "10000", maxLeverage: 25 }])],
  ]);
  const spot = spotState([
    { coin: "USDC", token: 0, total: "10000" },
    { coin: "USDE", token: 235, total: "250" },
  ]);
  const { components } = score({
    mode: "unified",
    perps,
    equity: "10250",
    spot,
    collateralToken: (dex) => (dex === "" ? 0 : 235),
    volatility: () => 0.025,
  });
  assert.deepEqual(
    components.pools.map(({ pool, ratio }) => [pool, ratio]),
    [
      ["unified USDC", "0.0125"],
      ["unified USDE", "0.8"],
    ],
  );
});

test("cross positions without any collateral count as infinite: liquidatable", () => {
  const result = score({
    mode: "unified",
    perps: new Map([["", perpState("0", [long("BTC", 1, 40)])]]),
    equity: "0",
    spot: spotState([]),
  });
  assert.equal(result.score, 0);
  assert.deepEqual(result.components.pools, [{ pool: "unified USDC", ratio: "infinite", threshold: "1" }]);
});

test("portfolio margin takes the venue's ratio against 0.95, and its collateral moves too", () => {
  const given = (ratio: string): Partial<HealthInputs> => ({
    mode: "portfolio_margin",
    perps: new Map([["", perpState("0", [{ ...long("BTC", 1, 40), size: "-3", liquidation: null }])]]),
    equity: "12000",
    collateral: new Map([["HYPE", "8000"]]),
    spot: spotState([{ coin: "USDC", token: 0, total: "4000" }], {
      portfolioMarginEnabled: true,
      portfolioMarginRatio: ratio,
    }),
  });
  assert.equal(score(given("0.19")).components.margin_points, 80);
  assert.equal(score(given("0.95")).score, 0);
  assert.notEqual(score(given("0.94")).score, 0);
  // Up: the short loses 750 and HYPE gains 400 a move, maintenance 375 grows by 9.375: (12 000 − 375) / 359.375.
  const { nearest, daily_moves } = score(given("0.1")).components;
  assert.deepEqual([nearest, daily_moves], ["all up", "32.35"]);
});

test("a stale state, or a part that is missing, scores null with its reason", () => {
  const open = standard(long("BTC", 1, 40));
  assert.deepEqual(
    [score({ ...open, stateAgeMs: 30_001 }).score, score({ ...open, stateAgeMs: 30_001 }).reason],
    [null, "no state since 11:59:59 UTC"],
  );
  assert.equal(score({ ...open, stateAgeMs: 30_000 }).score, 98);
  const unread = score({ ...open, drawdown: null });
  assert.deepEqual(
    [unread.score, unread.reason, "drawdown" in unread.components],
    [null, "the drawdown is not read yet", false],
  );
  assert.equal(score({ ...standard(), drawdown: null }).score, 100);
  assert.equal(score({ ...open, stops: null }).reason, "the open orders are not known yet");
  const missing = score({ ...open, dexesInUse: new Set(["", "xyz"]) });
  assert.deepEqual([missing.score, missing.status], [null, "unknown"]);
  assert.equal(missing.reason, "the state of xyz is not known yet");
  assert.equal(score({ mode: "unified", perps: open.perps! }).reason, "the spot state is not known yet");
  assert.equal(score({ perps: new Map() }).reason, "no state was received yet");
  assert.match(score({ ...open, missing: ["no price is known for HYPE"] }).reason, /HYPE/);
});

test("a flat account is at rest however old its state is", () => {
  assert.deepEqual(
    [score({ ...standard(), stateAgeMs: 3_600_000 }).score, score(standard()).reason],
    [100, "no open position"],
  );
});

test("without candles the maximum leverage stands for the volatility, and is said to", () => {
  const { components } = score({ ...standard(long("NEW", 1, 3)), volatility: () => null });
  assert.deepEqual(components.positions[0], {
    coin: "NEW",
    daily_moves: null,
    volatility: "0.333333",
    source: "max leverage",
  });
});

test("status words follow the score", () => {
  assert.deepEqual([100, 80, 79, 60, 59, 40, 39, 20, 19, 1, 0, null].map(statusOf), [
    "excellent",
    "excellent",
    "good",
    "good",
    "fair",
    "fair",
    "poor",
    "poor",
    "critical",
    "critical",
    "liquidatable",
    "unknown",
  ]);
});

test("more leverage is never healthier, and the score stays between 0 and 100", () => {
  const times = fc.integer({ min: 1, max: 390 }).map((n) => n / 10);
  fc.assert(
    fc.property(times, times, fc.boolean(), (a, b, short) => {
      const [less, more] = a < b ? [a, b] : [b, a];
      const at = (n: number) =>
        score(
          standard({ coin: "BTC", size: `${short ? "-" : ""}${n}`, mark: div(EQUITY, "1"), maxLeverage: 40 }),
        ).score as number;
      assert.ok(at(more) <= at(less));
      assert.ok(at(more) >= 0 && at(less) <= 100);
    }),
  );
});

test("maintenance follows the margin tiers: each part of the value at the leverage of its tier", () => {
  // 20 000 000 of BTC: 15 000 000 at 40 × and 5 000 000 at 20 × keep 187 500 + 125 000.
  const isolated = { ...long("BTC", 2_000, 40), leverage: 5, isolatedUsd: "-16000000" };
  const marginTiers = () => [
    { lowerBound: "0.0", maxLeverage: 40 },
    { lowerBound: "15000000.0", maxLeverage: 20 },
  ];
  const ratioOf = (given: Partial<HealthInputs>) =>
    score({ ...standard(isolated), ...given }).components.pools[0]?.ratio;
  assert.equal(ratioOf({ marginTiers }), "0.078125");
  assert.equal(ratioOf({}), "0.0625", "at the highest leverage while the tiers are not known");
  assert.equal(
    ratioOf({ marginTiers: () => [{ lowerBound: "0.0", maxLeverage: 40 }] }),
    "0.0625",
    "a table of one tier is the same",
  );
  assert.equal(
    ratioOf({
      marginTiers: () => [
        { lowerBound: "0.0", maxLeverage: 40 },
        { lowerBound: "20000000.0", maxLeverage: 1 },
      ],
    }),
    "0.0625",
    "a bound that is just reached costs nothing yet",
  );
});
