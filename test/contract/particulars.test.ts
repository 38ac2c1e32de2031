/** What the venue tells of an account beside its money, as views show it. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { observeSlowly } from "../../src/outputs/alerts/observe.ts";
import type { Batch } from "../../src/sync/rows.ts";
import { useDatabase } from "../support/postgres.ts";
import { ACCOUNT, dashboardOf, fillOf, ledgerOf, OTHER, T } from "./rows.ts";

const db = useDatabase("each");

const put = (batch: Batch) => db.store.apply(batch);
const rows = (sql: string) => db.database.query<Record<string, unknown>>(sql);
const fact = (name: string, value: unknown, asOfMs = T, account = ACCOUNT) => ({
  facts: [{ account, fact: name, value, asOfMs }],
});
const THIRD = `0x${"c".repeat(40)}`;
const WALLET = `0x${"1".repeat(40)}`;

it("shows vaults, delegations, wallets and limits as rows, of the newest answer alone", async () => {
  await put(
    fact("vaults", [
      { vaultAddress: WALLET.toUpperCase().replace("X", "x"), equity: "10.50" },
      { vaultAddress: OTHER, equity: "1" },
    ]),
  );
  await put(fact("vaults", [{ vaultAddress: WALLET, equity: "11.5", lockedUntilTimestamp: T }], T + 1));
  await put(fact("vaults", [], T - 1));
  assert.deepEqual(
    await rows("select vault_address, equity, locked_until is not null as locked from hl_vault_equities"),
    [{ vault_address: WALLET, equity: "11.5", locked: true }],
  );
  await put(fact("delegations", [{ validator: OTHER, amount: "5.0", lockedUntilTimestamp: T }]));
  assert.deepEqual(await rows("select validator, amount from hl_delegations"), [
    { validator: OTHER, amount: "5.0" },
  ]);

  await put(fact("agents", [{ name: "bot", address: WALLET, validUntil: T }]));
  await put(fact("agent", { agentAddress: OTHER, agentValidUntil: T + 5 }));
  await put(fact("agent", { agentAddress: null, agentValidUntil: null }, T, OTHER));
  assert.deepEqual(
    await rows("select wallet_address, name, valid_until_ms from hl_api_wallets order by name"),
    [
      { wallet_address: WALLET, name: "bot", valid_until_ms: T },
      { wallet_address: OTHER, name: null, valid_until_ms: T + 5 },
    ],
  );

  await put(fact("volumes", { day: "3.5" }, T, THIRD));
  await put(
    fact("requests", { cumVlm: "1.0", nRequestsUsed: 10_500, nRequestsCap: 10_001, nRequestsSurplus: 7 }),
  );
  await put(fact("requests", { cumVlm: "1.0", nRequestsUsed: 9_000, nRequestsCap: 10_001 }, T, OTHER));
  await put(
    fact("fees", {
      userCrossRate: "0.00045",
      userAddRate: "-0.00001",
      activeStakingDiscount: { discount: "0.1" },
    }),
  );
  assert.deepEqual(
    await rows(
      `select account_address as who, requests_left as left, taker_rate as taker, maker_rate as maker, staking_discount as discount,
         volume_day as volume from hl_account_limits order by 1`,
    ),
    [
      { who: ACCOUNT, left: "7", taker: "0.00045", maker: "-0.00001", discount: "0.1", volume: null },
      { who: OTHER, left: "1001", taker: null, maker: null, discount: null, volume: null },
      { who: THIRD, left: null, taker: null, maker: null, discount: null, volume: "3.5" },
    ],
  );
});

it("shows a TWAP order with what its slices did, and keeps its end", async () => {
  const twap = {
    account: ACCOUNT,
    twapId: 7,
    coin: "BTC",
    side: "buy",
    size: "4",
    minutes: 30,
    randomize: false,
    reduceOnly: false,
    stopPrice: null,
    triggerPrice: null,
    triggerAbove: null,
    startedMs: T,
    raw: {},
  };
  const live = {
    ...twap,
    executedSize: "0",
    executedValue: "0",
    status: "activated",
    error: null,
    isEnded: false,
    asOfMs: T,
  };
  const slice = (n: number, size: string, price: string) =>
    fillOf({
      orderId: n,
      tradeId: n,
      twapId: 7,
      size,
      price,
      value: String(Number(size) * Number(price)),
      fee: "0.5",
      timeMs: T + n,
    });
  await put({
    twaps: [live],
    fills: [slice(1, "1", "100"), slice(2, "2", "130"), { ...slice(3, "1", "1"), twapId: 8 }],
  });
  const now = `select executed_size as size, executed_pct as pct, average_price as price, fees, slices, status, error from hl_twap_orders`;
  assert.deepEqual(await rows(now), [
    { size: "3", pct: "75", price: "120", fees: "1", slices: 2, status: "activated", error: null },
  ]);
  const ended = {
    ...live,
    executedSize: "4",
    executedValue: "500",
    status: "error",
    error: "no margin",
    isEnded: true,
    asOfMs: T + 5_000,
  };
  await put({ twaps: [ended] });
  await put({ twaps: [{ ...live, asOfMs: T + 9_000 }] });
  assert.deepEqual(await rows(now), [
    { size: "4", pct: "100", price: "125", fees: "1", slices: 2, status: "error", error: "no margin" },
  ]);
});

it("holds the venue's curves against ours, and says nothing where something else could explain a difference", async () => {
  const MINUTE = 60_000;
  const shot = (minutes: number, value: string | null, change = {}) =>
    dashboardOf({
      asOfMs: T + minutes * MINUTE,
      accountValue: value,
      netWorth: value,
      accountMode: "standard",
      totalNotionalPosition: "1000",
      netWorthParts: null,
      ...change,
    });
  const point = (minutes: number, accountValue: string, scope = "all") => ({
    account: ACCOUNT,
    scope,
    timeMs: T + minutes * MINUTE + 1,
    accountValue,
    pnl: null,
  });
  const parts = { vaults: "100", stake: { value: "200" } };
  const pooled = { accountMode: "unified" };
  await put({
    dashboard: [
      ...[
        shot(0, "1000"),
        shot(1, "1010"),
        shot(2, "1010"),
        shot(30, "1010"),
        shot(31, "1010", { netWorthParts: parts }),
      ],
      ...[shot(32, null), shot(50, "1010", pooled), shot(51, "1010", pooled)],
    ],
    ledger: [ledgerOf({ timeMs: T + 2 * MINUTE - 5 })],
    portfolio: [
      ...[
        point(-5, "1"),
        point(0, "990"),
        point(0, "970", "perp"),
        point(1, "7"),
        point(10, "7"),
        point(30, "680"),
      ],
      ...[point(31, "7"), point(50, "1010", "perp"), point(50, "1030")],
    ],
  });
  assert.deepEqual(
    (
      await rows("select scope, verdict, reason, tolerance from hl_portfolio_check order by time_ms, scope")
    ).map(({ scope, verdict, reason, tolerance }) => [scope, verdict, reason, tolerance]),
    [
      ["all", null, "no two snapshots within ten minutes", "26"],
      // 1 + 2 % of 1010 + 0.5 % of 1000 = 26.2 beside 1000 … 1010.
      ["all", "agrees", null, "26.2"],
      ["perp", "differs", null, "26.2"],
      ["all", null, "money moved between the snapshots", "26.2"],
      ["all", null, "no two snapshots within ten minutes", "26.2"],
      ["all", "differs", null, "26.2"],
      ["all", null, "a snapshot does not know its value", "26.2"],
      ["all", "agrees", null, "26.2"],
      ["perp", null, "the perps of an account with pooled collateral are no part of their own", "26.2"],
    ],
  );
  await put({ portfolio: [{ ...point(30, "692"), timeMs: T + 30 * MINUTE + 2 }] });
  const [inside] = await rows(
    `select verdict, own_low from hl_portfolio_check where time_ms = ${T + 30 * MINUTE + 2}`,
  );
  assert.deepEqual(inside, { verdict: "agrees", own_low: "710" }, "without the stake and what is in vaults");
});

it("lets alerts see the wallet that ends first, and the requests that are left", async () => {
  const DAY = 86_400_000;
  const seen = async (nowMs = T) =>
    (await observeSlowly(db.database, [ACCOUNT], nowMs))
      .filter(({ rule }) => rule === "wallet_expiry" || rule === "requests_left")
      .map(({ rule, value, words, atMs }) => [rule, value, words, atMs]);
  assert.deepEqual(await seen(), [], "nothing was told");
  await put(fact("agents", [], T - 5));
  assert.deepEqual(await seen(), [["wallet_expiry", null, "no API wallet ends", T - 5]]);
  const wallet = (name: string, days: number) => ({ name, address: WALLET, validUntil: T + days * DAY });
  await put(fact("agents", [wallet("late", 100), wallet("soon", 3)]));
  await put(fact("agent", { agentAddress: OTHER, agentValidUntil: T + 2 * DAY }));
  await put(fact("requests", { cumVlm: "1.0", nRequestsUsed: 9_000, nRequestsCap: 10_001 }));
  const ends = new Date(T + 2 * DAY).toISOString().slice(0, 16).replace("T", " ");
  assert.deepEqual(await seen(), [
    ["wallet_expiry", 2, `API wallet ${OTHER.slice(0, 10)}… ends at ${ends} UTC`, T],
    ["requests_left", 1_001, "1001 requests left", T],
  ]);
  assert.equal((await seen(T + 3 * DAY))[0]?.[1], 0, "it is over");
});
