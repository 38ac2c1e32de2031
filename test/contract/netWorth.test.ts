/** Snapshots into which money was moving: they have no net worth, whichever of snapshot and ledger comes first. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ledgerRow } from "../../src/sync/normalize.ts";
import type { DashboardRow, LedgerRow } from "../../src/sync/rows.ts";
import { useDatabase } from "../support/postgres.ts";
import { ACCOUNT, dashboardOf, OTHER, T } from "./rows.ts";

type ReadTimes = Record<string, [fromMs: number, toMs: number]>;
const MINUTE = 60_000;

/** Perps read at their own times, spot within ten seconds, vaults and stake some minutes ago. */
const USUAL: ReadTimes = {
  "perp:": [T, T],
  "perp:xyz": [T - 4_000, T - 4_000],
  spot: [T - 12_000, T + 8_000],
  vaults: [T - 5 * MINUTE, T - 5 * MINUTE + 20_000],
  stake: [T - 30 * MINUTE, T - 30 * MINUTE + 20_000],
};
const POOLED: ReadTimes = { spot: USUAL.spot!, vaults: USUAL.vaults!, stake: USUAL.stake! };

const snapshot = (read: ReadTimes, change: Partial<DashboardRow> = {}): DashboardRow =>
  dashboardOf({ netWorthParts: { tokens: [], vaults: "0", stake: null, read }, ...change });

let place = 0;
const update = (timeMs: number, delta: { type: string } & Record<string, unknown>): LedgerRow => {
  const raw = { time: timeMs, hash: `0x${String(++place).padStart(64, "0")}`, delta };
  return ledgerRow({ account: ACCOUNT, source: "stream", seenAtMs: timeMs }, { value: raw, raw });
};

const deposit = { type: "deposit", usdc: "1000.0" };
const toSpot = { type: "accountClassTransfer", usdc: "1000.0", toPerp: false };
const own = {
  user: ACCOUNT,
  destination: ACCOUNT,
  token: "USDC",
  amount: "5.0",
  usdcValue: "5.0",
  fee: "0.0",
};
const toDex = { type: "send", ...own, sourceDex: "", destinationDex: "xyz" };
const toNewDex = { ...toDex, destinationDex: "new" };
const received = { type: "spotTransfer", ...own, user: OTHER };
const stake = { type: "cStakingTransfer", token: "HYPE", amount: "10.0", isDeposit: true };
const toVault = { type: "vaultDeposit", vault: OTHER, usdc: "50.0" };
const reward = { type: "rewardsClaim", token: "USDC", amount: "5.0" };

// biome-ignore format: a table, one move a row
const MOVES: [string, DashboardRow["accountMode"], ReadTimes, Parameters<typeof update>, boolean][] = [
  ["a deposit before the perps were read", "standard", USUAL, [T, deposit], false],
  ["a deposit after it", "standard", USUAL, [T + 1, deposit], false],
  ["a deposit that the perps lack and the snapshot counts", "standard", { ...USUAL, "perp:": [T - 9, T - 9] }, [T - 5, deposit], true],
  ["perps to spot, long before", "standard", USUAL, [T - 15_000, toSpot], false],
  ["perps to spot, when spot may lack it", "standard", USUAL, [T - 11_000, toSpot], true],
  ["perps to spot, when spot may have it already", "standard", USUAL, [T + 7_000, toSpot], true],
  ["perps to spot, after all was read", "standard", USUAL, [T + 9_000, toSpot], false],
  ["between dexes, before both", "standard", USUAL, [T - 4_000, toDex], false],
  ["between dexes, after one", "standard", USUAL, [T - 3_000, toDex], true],
  ["between dexes, after both", "standard", USUAL, [T + 1, toDex], false],
  ["to a dex that was not read", "standard", USUAL, [T - 3_000, toNewDex], true],
  ["into spot within its uncertainty", "standard", USUAL, [T - 1, received], true],
  ["a reward into spot, which is no flow", "standard", USUAL, [T - 1, reward], false],
  ["staked since the stake was read", "standard", USUAL, [T - 20 * MINUTE, stake], true],
  ["staked before that", "standard", USUAL, [T - 31 * MINUTE, stake], false],
  ["into a vault since it was read", "standard", USUAL, [T - MINUTE, toVault], true],
  ["into a vault before that", "standard", USUAL, [T - 6 * MINUTE, toVault], false],
  ["a liquidation, which moves nothing", "standard", USUAL, [T - 1, { type: "liquidation", accountValue: "1.0" }], false],

  ["pooled: perps to spot moves nothing", "unified", POOLED, [T - 1, toSpot], false],
  ["pooled: between dexes neither", "unified", POOLED, [T - 1, toDex], false],
  ["pooled: a deposit within the uncertainty of spot", "unified", POOLED, [T - 1, deposit], true],
  ["pooled: a deposit before", "portfolio_margin", POOLED, [T - 12_000, deposit], false],
  ["pooled: into a vault since it was read", "unified", POOLED, [T - MINUTE, toVault], true],
];

describe("a snapshot into which money was moving", () => {
  const db = useDatabase("each");

  const rows = (sql: string) => db.database.query<Record<string, unknown>>(sql);

  for (const first of ["ledger", "dashboard"] as const)
    it(`has no net worth, the ${first} written first`, async () => {
      for (const [what, accountMode, read, [timeMs, delta], isTorn] of MOVES) {
        await rows("delete from hl_dashboard; ");
        await rows("delete from hl_ledger");
        const batches = [
          { ledger: [update(timeMs, delta)] },
          { dashboard: [snapshot(read, { accountMode })] },
        ];
        for (const batch of first === "ledger" ? batches : batches.reverse()) await db.store.apply(batch);
        const [row] = await rows("select net_worth, net_worth_reason from hl_dashboard");
        const expected = isTorn
          ? { net_worth: null, net_worth_reason: `money was moving between its parts (${delta.type})` }
          : { net_worth: "38252.7", net_worth_reason: null };
        assert.deepEqual(row, expected, what);
        const kept = await rows("select count(*) as n from hl_internal.equity_stretches");
        assert.equal(kept[0]!.n, isTorn ? 0 : 1, what);
      }
    });

  it("leaves no trace in profit and drawdown: the money arrives with the next one", async () => {
    const at = (ms: number, netWorth: string, perpMs = ms) =>
      snapshot({ ...POOLED, spot: [ms - 10, ms + 10], "perp:": [perpMs, perpMs] }, { asOfMs: ms, netWorth });
    const dashboard = [
      at(T, "3000"),
      // 1 000 left the perps and are not in spot yet.
      at(T + MINUTE, "2000"),
      at(T + 2 * MINUTE, "3001"),
    ];
    await db.store.apply({ dashboard });
    assert.equal((await rows("select max_drawdown from hl_statistics"))[0]!.max_drawdown, "1000");
    await db.store.apply({ ledger: [update(T + MINUTE, toSpot)] });
    assert.deepEqual(await rows("select max_drawdown, profit from hl_statistics"), [
      { max_drawdown: "0", profit: "1" },
    ]);
    assert.deepEqual(await rows("select as_of_ms, profit from hl_equity order by 1"), [
      { as_of_ms: T, profit: "0" },
      { as_of_ms: T + 2 * MINUTE, profit: "1" },
    ]);
  });

  it("leaves no trace in profit and drawdown when the mode changes, whatever was heard first and written first", async () => {
    const at = (seconds: number, accountMode: DashboardRow["accountMode"], netWorth: string) =>
      snapshot({ ...POOLED }, { asOfMs: T + seconds * 1_000, accountMode, netWorth });
    const told = [
      at(-200, "standard", "34000"),
      at(-60, "standard", "34000"),
      // The new spot total, and perps that are told no more: in it and beside it.
      at(1, "standard", "58000"),
      at(3, "unified", "34000"),
      // Or the new mode first, before spot.
      at(4, "unified", "10000"),
      at(80, "unified", "34000"),
      at(200, "unified", "34005"),
      at(300, "standard", "34005"),
      at(500, "standard", "34005"),
    ];
    const orders = [told, told.toReversed(), [...told.slice(4), ...told.slice(0, 4)]];
    for (const [written, order] of orders.entries()) {
      await rows("delete from hl_dashboard");
      // One by one, and together.
      if (written === 2) await db.store.apply({ dashboard: order });
      else for (const row of order) await db.store.apply({ dashboard: [row] });
      const shown = await rows(
        "select (as_of_ms - 1) / 1000 as s, net_worth, net_worth_reason as why from hl_dashboard order by as_of_ms",
      );
      assert.deepEqual(
        shown.filter(({ net_worth }) => net_worth !== null).map(({ net_worth }) => net_worth),
        ["34000", "34005", "34005", "34005"],
        `order ${written}`,
      );
      const changing = shown.filter(({ net_worth }) => net_worth === null);
      assert.deepEqual(
        new Set(changing.map(({ why }) => why)),
        new Set(["the mode of the account was changing"]),
      );
      assert.deepEqual(await rows("select profit, max_drawdown from hl_statistics"), [
        { profit: "5", max_drawdown: "0" },
      ]);
    }
  });

  it("keeps the prices of an hour: the first known, whatever the order", async () => {
    const priced = (asOfMs: number, price: string | null) =>
      snapshot(USUAL, {
        asOfMs,
        netWorthParts: {
          tokens: [
            { coin: "USDC", amount: "1", price: "1", value: "1" },
            { coin: "PURR", amount: "5", price, value: null },
          ],
          stake: { coin: "HYPE", amount: "1", price: "40.5", value: "40.5" },
        },
      });
    const hour = T - (T % (60 * MINUTE));
    await db.store.apply({ dashboard: [priced(hour + 9, "0.3")] });
    await db.store.apply({ dashboard: [priced(hour + 5, "0.2"), priced(hour + 7, null)] });
    await db.store.apply({ dashboard: [priced(hour + 60 * MINUTE, "0.4"), priced(hour + 6, "0.1")] });
    assert.deepEqual(
      await rows(
        "select token, at_ms - hour_ms as ms, price from hl_internal.token_prices order by 1, hour_ms",
      ),
      [
        { token: "HYPE", ms: 5, price: "40.5" },
        { token: "HYPE", ms: 0, price: "40.5" },
        { token: "PURR", ms: 5, price: "0.2" },
        { token: "PURR", ms: 0, price: "0.4" },
      ],
    );
  });
});
