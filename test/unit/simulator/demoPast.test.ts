/** The past of the demo: it obeys the model's laws, and there is something to see in it. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { JsonObject } from "../../../src/simulator/contract.ts";
import { type DemoPast, planPast } from "../../../src/simulator/demo/past.ts";
import { planPrices } from "../../../src/simulator/demo/prices.ts";
import { planTrades } from "../../../src/simulator/demo/trades.ts";
import { fixed, format } from "../../../src/simulator/exchange/fixed.ts";
import { dueAgain } from "../../../src/simulator/exchange/pace.ts";

const UNTIL_MS = Date.UTC(2026, 10, 28, 13, 20);
const DAY_MS = 86_400_000;

const value = (row: JsonObject, key: string): bigint => fixed(row[key] as string);
const sum = (amounts: bigint[]): bigint => amounts.reduce((a, b) => a + b, 0n);

describe("the past of the demo", () => {
  let past: DemoPast;
  before(() => {
    past = planPast(1, UNTIL_MS, "0badcafe");
    while (past.live());
  });
  const member = (alias: string): string => past.cast.find((one) => one.alias === alias)!.address;
  const truthOf = (alias: string) => past.venue.truth(member(alias));
  const ask = (type: string, user: string, more: JsonObject = {}): JsonObject =>
    past.venue.info({ type, user, ...more }).body as JsonObject;

  it("has chains that are unbroken and end at the positions", () => {
    for (const { alias } of past.cast) {
      const { fills, twapSliceFills, positions } = truthOf(alias);
      const ends = new Map<string, bigint>();
      const rows = [...fills, ...twapSliceFills.map(({ fill }) => fill)];
      rows.sort((a, b) => Number(a.time) - Number(b.time));
      for (const fill of rows.filter(({ coin }) => coin !== "@107")) {
        assert.ok(Number.isInteger(fill.time), `${alias}: ${fill.time} is a time of the venue`);
        const coin = fill.coin as string;
        assert.equal(fill.startPosition, format(ends.get(coin) ?? 0n), `${alias} ${coin} at ${fill.time}`);
        ends.set(coin, value(fill, "startPosition") + (fill.side === "B" ? 1n : -1n) * value(fill, "sz"));
      }
      const open = [...ends].filter(([, size]) => size !== 0n).map(([coin, size]) => [coin, format(size)]);
      assert.deepEqual(new Map(open as [string, string][]), new Map(positions.map((p) => [p.coin, p.szi])));
    }
  });

  it("adds up: what came, what was earned and what was paid is what is there", () => {
    const moved = ({ delta: told }: JsonObject): bigint => {
      const delta = told as JsonObject;
      if (delta.type === "deposit" || delta.type === "vaultDeposit") return value(delta, "usdc");
      if (delta.type === "withdraw") return -value(delta, "usdc") - value(delta, "fee");
      if (delta.type === "vaultWithdraw") return -value(delta, "netWithdrawnUsd");
      assert.equal(delta.type, "vaultCreate");
      return value(delta, "usdc");
    };
    for (const alias of ["swing", "vault"]) {
      const { fills, funding, ledger } = truthOf(alias);
      // The leader's account pays for the vault that is opened.
      const came = sum(
        ledger.map((row) =>
          alias === "swing" && (row.delta as JsonObject).type === "vaultCreate" ? -moved(row) : moved(row),
        ),
      );
      const earned = sum(fills.map((fill) => value(fill, "closedPnl") - value(fill, "fee")));
      const state = ask("clearinghouseState", member(alias));
      const positions = (state.assetPositions as JsonObject[]).map(({ position }) => position as JsonObject);
      const open = sum(positions.map((position) => value(position, "unrealizedPnl")));
      const worth = value(state.marginSummary as JsonObject, "accountValue");
      assert.equal(came + earned + open + sum(funding.map((row) => value(row, "usdc"))), worth, alias);
    }
  });

  it("is worth looking at: curves of ninety days, a profit, funding, money that came and went, open positions", () => {
    for (const { alias, address } of past.cast) {
      const curves = new Map(ask("portfolio", address) as unknown as [string, JsonObject][]);
      const history = curves.get("allTime")!.accountValueHistory as [number, string][];
      assert.ok(history.length > (alias === "vault" ? 55 : 87) * 24, alias);
      // Of what the account owns in a vault the curve has its share: it ends where the account's equity is.
      const vaults = sum(
        (ask("userVaultEquities", address) as unknown as JsonObject[]).map((one) => value(one, "equity")),
      );
      const perps = curves.get("perpAllTime")!.accountValueHistory as [number, string][];
      const [all, perp] = [history, perps].map((points) => fixed(points.at(-1)![1]));
      if (alias === "swing") assert.ok(vaults > fixed("10000") && all === perp! + vaults, alias);
      // What was paid in is no profit.
      const owned = fixed(history.at(-1)![1]);
      const profit = (curves.get("allTime")!.pnlHistory as [number, string][]).at(-1)![1];
      assert.ok(fixed(profit) < owned / 2n, `${alias} ${profit}`);
      assert.ok(truthOf(alias).funding.length > 500, alias);
      assert.deepEqual(truthOf(alias).liquidations, []);
      assert.ok(truthOf(alias).positions.length > 0, alias);
    }
    const { fills, ledger, openOrders } = truthOf("swing");
    const net = sum(fills.map((fill) => value(fill, "closedPnl") - value(fill, "fee")));
    assert.ok(net > fixed("3000"), format(net));
    assert.deepEqual(
      ledger.map(({ delta }) => (delta as JsonObject).type),
      ["deposit", "deposit", "vaultCreate", "withdraw"],
    );
    assert.ok(openOrders.some(({ isTrigger }) => isTrigger === true));
    assert.equal(ask("userAbstraction", member("maker")), "unifiedAccount");
    const coins = new Set(truthOf("maker").fills.map(({ coin }) => coin));
    assert.deepEqual([...coins].sort(), ["@107", "HYPE", "xyz:AAPL"]);
    assert.equal(ask("userRole", member("vault")).role, "vault");
  });

  it("goes on trading at the pace of the present", () => {
    const before = truthOf("maker").fills.length;
    past.venue.advance(past.venue.nowMs + 20_000);
    assert.ok(truthOf("maker").fills.length > before + 4);
  });

  it("has candles that agree with its fills", () => {
    const req = { coin: "BTC", interval: "1d", startTime: UNTIL_MS - 90 * DAY_MS, endTime: UNTIL_MS };
    const candles = past.venue.info({ type: "candleSnapshot", req }).body as JsonObject[];
    assert.ok(candles.length >= 90);
    const days = new Map(candles.map((candle) => [candle.t, candle]));
    for (const fill of truthOf("swing").fills.filter(({ coin }) => coin === "BTC")) {
      const candle = days.get(Number(fill.time) - (Number(fill.time) % DAY_MS))!;
      assert.ok(value(candle, "l") <= value(fill, "px") && value(fill, "px") <= value(candle, "h"));
    }
  });
});

describe("planned prices and trades", () => {
  const movements = { A: { price: 100, daily: 0.03, trend: 0.02, shared: 0.5 } };
  const other = { ...movements, B: { price: 5, daily: 0.02, trend: 0, shared: 1 } };

  it("end at the given price, are the same for the same seed and whatever else is planned, and known in the past only", () => {
    const [a, again] = [planPrices(7, movements, 0, 5 * DAY_MS), planPrices(7, other, 0, 5 * DAY_MS)];
    for (const at of [0, 1, DAY_MS / 3, 4.99 * DAY_MS]) assert.equal(a("A", at), again("A", at));
    assert.ok(Math.abs(a("A", 5 * DAY_MS - 1)! - 100) < 0.01);
    assert.notEqual(a("A", DAY_MS), planPrices(8, movements, 0, 5 * DAY_MS)("A", DAY_MS));
    assert.equal(a("A", 5 * DAY_MS), null);
    assert.equal(a("A", -1), null);
    assert.equal(a("B", DAY_MS), null);
  });

  it("never overlap in a coin, and who is always right gains by every one", () => {
    const priceAt = planPrices(3, movements, 0, 60 * DAY_MS);
    const style = { coins: ["A"], usd: 1, skill: 1, holdHours: [1, 30], pauseHours: 10, stop: 1, target: 1 };
    const trades = planTrades("x", { ...style, holdHours: [1, 30] }, priceAt, 0, 60 * DAY_MS);
    assert.ok(trades.length > 20);
    for (const [at, { openMs, closeMs, isBuy }] of trades.entries()) {
      assert.ok(openMs >= (trades[at - 1]?.closeMs ?? 0));
      const end = Math.min(closeMs, 60 * DAY_MS - 1);
      assert.equal(priceAt("A", end)! > priceAt("A", openMs)!, isBuy);
    }
  });
});

describe("the pace of a past", () => {
  const pace = { levels: 1, takes: 1, slower: 1 };
  const paces = [
    { untilMs: 10_000, stepMs: 3_000, ...pace },
    { untilMs: 11_500, stepMs: 1_000, ...pace },
  ];
  it("goes in common steps, ends each stretch at its end, and then at the ordinary one", () => {
    const times = [0];
    while (times.at(-1)! < 12_000) times.push(dueAgain(paces, times.at(-1)!, 200));
    assert.deepEqual(times, [0, 3_000, 6_000, 9_000, 10_000, 11_000, 11_500, 11_700, 11_900, 12_100]);
    assert.equal(dueAgain([], 5, 200), 205);
  });
});
