/**
 * What is kept of old trades against the plain definitions over all of them, under rows that come in any order, late, twice,
 * changed and deleted, and prices that are learned late; and that what a page asks reads little, however long the history.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { makeBusyAccount } from "../../bench/busyAccount.ts";
import {
  countRows,
  LISTINGS,
  readPage,
  readPnl,
  readStatistics,
  readTradeStatistics,
  readTrip,
  statisticsSince,
} from "../../src/outputs/http/reads.ts";
import { add, neg } from "../../src/runtime/decimal.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import type { Queryable } from "../../src/store/database.ts";
import type { FillRow, FundingRow } from "../../src/sync/rows.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { PLAIN_VIEWS } from "./plainMoney.ts";
import { ACCOUNT, dashboardOf, fillOf, fundingOf, OTHER, T } from "./rows.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const COINS = ["BTC", "ETH", "xyz:AAPL", "@107"];

const PNL = `select account_address, day::text, coin, fills, volume, closed_pnl, fees, builder_fees, funding, net_pnl,
  converted_fees, unpriced_fees from %s order by 1, 2, 3`;
const TRIPS = "select * from %s order by account_address, coin, trip";
const TRADES = `select account_address, coalesce(trades, 0) as trades, coalesce(wins, 0) as wins, coalesce(losses, 0) as losses,
  round(average_win, 6) as average_win, round(average_loss, 6) as average_loss, round(expectancy, 6) as expectancy,
  round(won / nullif(lost, 0), 6) as profit_factor, best_trade, worst_trade, round(average_seconds, 3) as average_seconds
  from plain_trades where trades > 0 order by 1`;
const KEPT_TRADES = `select account_address, trades, wins, losses, average_win, average_loss, expectancy, profit_factor,
  best_trade, worst_trade, average_seconds from hl_statistics where trades > 0 order by 1`;

const SUMS = `select account_address, min(day)::text as first_day, max(day)::text as last_day, sum(fills)::bigint as fills,
  sum(volume) as volume, sum(closed_pnl) as closed_pnl, sum(fees) as fees, sum(funding) as funding, sum(net_pnl) as net_pnl,
  sum(unpriced_fees)::bigint as unpriced_fees from plain_net_pnl group by 1 order by 1`;
const KEPT_SUMS = `select account_address, first_day::text, last_day::text, fills, volume, closed_pnl, fees, funding, net_pnl,
  unpriced_fees from hl_statistics where fills > 0 or funding <> 0 order by 1`;

const GROUPS = `select t.account_address, k.by, k.key, count(*) as trades, sum(t.closed_pnl) as closed_pnl, sum(t.fees) as fees,
  sum(t.funding) as funding, sum(t.net_pnl) as net_pnl, max(t.net_pnl) as best_trade, round(avg(t.seconds), 3) as average_seconds
  from plain_round_trips t
  cross join lateral (values ('coin', t.coin), ('side', t.side), ('day', to_char(t.closed_at at time zone 'UTC', 'YYYY-MM-DD'))) k(by, key)
  where t.complete and t.closed_at is not null and t.opened_at >= $1::timestamptz group by 1, 2, 3 order by 1, 2, k.key collate "C"`;
const KEPT_GROUPS = `select a.account_address, s.by, s.key, s.trades, s.closed_pnl, s.fees, s.funding, s.net_pnl, s.best_trade,
  s.average_seconds from hl_internal.accounts a cross join lateral hl_trade_statistics(a.account_address, $1::timestamptz) s
  where s.by in ('coin', 'side', 'day') order by 1, 2, s.key collate "C"`;

/** 1.50 and 1.5 are one number. */
const plain = (rows: Record<string, unknown>[]): unknown[] =>
  rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        typeof value === "string" && /^-?\d+\.\d+$/.test(value) ? value.replace(/\.?0+$/, "") : value,
      ]),
    ),
  );

/** Fills that chain, now and then broken, several to a millisecond, some that turn the position round. */
function historyOf(account: string, count: number, pick: (below: number) => number): FillRow[] {
  const held = new Map<string, string>();
  let timeMs = T - (T % DAY);
  return Array.from({ length: count }, (_, n) => {
    timeMs += [0, 0, 1, 90_000, 5 * HOUR, 20 * HOUR][pick(6)]!;
    const coin = COINS[pick(COINS.length)]!;
    const start = pick(20) === 0 ? "3" : (held.get(coin) ?? "0");
    const holds = Number(start);
    const size = pick(3) > 0 && holds !== 0 ? String(Math.abs(holds)) : String(1 + pick(3));
    const isBuy = pick(3) > 0 && holds !== 0 ? holds < 0 : pick(2) === 0;
    held.set(coin, add(start, isBuy ? size : neg(size)));
    return fillOf({
      account,
      coin,
      timeMs,
      size,
      startPosition: start,
      side: isBuy ? "buy" : "sell",
      price: String(100 + pick(9)),
      value: "100",
      fee: `0.${pick(90)}`,
      feeToken: ["USDC", "USDC", "USDE", "PURR"][pick(4)]!,
      closedPnl: String(pick(21) - 10),
      orderId: 1_000 + n - 3 * pick(2),
      tradeId: n,
      hash: `0x${"0".repeat(64)}`,
      raw: { n, ...(pick(5) === 0 ? { priorityGas: "0.001" } : {}) },
    });
  });
}

describe("settled trades", () => {
  let server: TestServer;
  let db: TestDatabase;
  before(async () => {
    server = await startServer("real");
  });
  after(() => server.stop());
  const rows = (sql: string, params?: unknown[]) => db.database.query<Record<string, unknown>>(sql, params);

  const same = async (message: string): Promise<void> => {
    const [pnl, trips, trades, sums] = await Promise.all([
      rows(PNL.replace("%s", "plain_net_pnl")),
      rows(TRIPS.replace("%s", "plain_round_trips")),
      rows(TRADES),
      rows(SUMS),
    ]);
    assert.deepEqual(plain(await rows(KEPT_SUMS)), plain(sums), message);
    assert.deepEqual(plain(await rows(TRIPS.replace("%s", "hl_round_trips"))), plain(trips), message);
    assert.deepEqual(plain(await rows(PNL.replace("%s", "hl_net_pnl_daily_by_coin"))), plain(pnl), message);
    assert.deepEqual(plain(await rows(KEPT_TRADES)), plain(trades), message);
    await sameGroups("-infinity", message);
  };

  const sameGroups = async (since: string, message: string): Promise<void> => {
    const wanted = plain(await rows(GROUPS, [since]));
    assert.deepEqual(plain(await rows(KEPT_GROUPS, [since])), wanted, `${message}, since ${since}`);
  };

  for (const seed of [1]) {
    it(`is what the plain definitions say, whatever comes when: seed ${seed}`, async () => {
      db = await server.newDatabase();
      for (const sql of PLAIN_VIEWS) await rows(sql);
      const random = seededRandom(seed);
      const pick = (below: number) => Math.floor(random.next() * below);
      const fills = [...historyOf(ACCOUNT, 70, pick), ...historyOf(OTHER, 20, pick)];
      const endMs = Math.max(...fills.map(({ timeMs }) => timeMs)) + 3 * DAY;
      const late = fills.filter(() => pick(20) === 0);
      const onTime = fills.filter((fill) => !late.includes(fill));
      const funding: FundingRow[] = Array.from({ length: 40 }, (_, n) =>
        fundingOf({
          account: n % 4 ? ACCOUNT : OTHER,
          coin: COINS[n % 3]!,
          timeMs: T + n * 11 * HOUR,
          usdc: String((n % 7) - 3),
        }),
      );
      let settled = 0;
      const settle = async (nowMs: number, times: number) => {
        for (let n = 0; n < times; n++)
          for (const account of [ACCOUNT, OTHER]) {
            const [row] = await rows(
              "select hl_internal.settle($1, to_timestamp($2::bigint / 1000.0), $3) as more",
              [...[account, nowMs, 1 + pick(20)]],
            );
            if (row!.more) settled += 1;
          }
      };
      const steps: (() => Promise<unknown>)[] = [
        ...Array.from({ length: 6 }, (_, part) => async () => {
          const some = onTime.filter((_, n) => n % 6 === part || n < (onTime.length / 6) * part);
          await db.store.apply({ fills: some, funding: funding.filter((_, n) => n % 6 === part) });
        }),
        ...late.map((fill) => () => db.store.apply({ fills: [fill] })),
        () => db.store.apply({ fills: late }),
        () =>
          db.store.apply({
            fills: [{ ...onTime[20]!, fee: "7.5", raw: { n: 1, more: "than before, and heavier" } }],
          }),
        () =>
          db.store.apply({
            funding: [{ ...funding[25]!, usdc: "99", raw: { usdc: "99", more: "than before, and heavier" } }],
          }),
        () => rows("delete from hl_fills where trade_id = 33"),
        () => rows("delete from hl_funding where funding_time_ms = $1", [funding[9]!.timeMs]),
        () =>
          db.store.apply({
            dashboard: [
              dashboardOf({
                asOfMs: T + 4 * DAY,
                netWorthParts: { tokens: [{ coin: "HYPE", total: "1", price: "41" }] } as never,
              }),
            ],
          }),
      ];
      for (const [n, step] of steps.entries()) {
        await step();
        if (n < 6 || n > steps.length - 8 || n % 4 === 0) await same(`seed ${seed}, step ${n}`);
        await settle(endMs - pick(2) * 4 * DAY, pick(12));
        if (n < 6 || n > steps.length - 8) await same(`seed ${seed}, step ${n}, settled`);
      }
      await settle(endMs, 400);
      await same(`seed ${seed}, all settled`);
      for (const days of [0, 1, 2, 5, 9, 14])
        await sameGroups(new Date(T + days * DAY + pick(DAY)).toISOString(), `seed ${seed}, all settled`);
      const tradesSince = async (fillsMax: number) => {
        const { sinceMs, isWhole } = await statisticsSince(db.database, ACCOUNT, 0, fillsMax);
        const [told] = await readTradeStatistics(db.database, ACCOUNT, "all", sinceMs);
        return { isWhole, trades: Number(told?.trades ?? 0) };
      };
      const [whole, some] = [await tradesSince(100), await tradesSince(1)];
      assert.deepEqual([whole.isWhole, some.isWhole], [true, false]);
      assert.ok(some.trades < whole.trades && whole.trades > 2, `${some.trades} of ${whole.trades}`);
      assert.ok(settled > 20, String(settled));
      const [left] = await rows(
        "select min(until_at) >= to_timestamp($1::bigint / 1000.0) as all_settled from hl_internal.settled",
        [T + 3 * DAY],
      );
      assert.equal(left!.all_settled, true);
      await db.close();
    });
  }

  it("is made anew when what it is made with changes, and not when anything else does", async () => {
    db = await server.newDatabase();
    const nowMs = T + 30 * DAY;
    await db.store.apply({ fills: historyOf(ACCOUNT, 12, (below) => below >> 1) });
    while (await db.store.settle(ACCOUNT, nowMs));
    const recount = readFileSync(new URL("../../sql/recount.sql", import.meta.url), "utf8");
    const kept = async () => {
      await rows(recount);
      const [row] = await rows(
        `select (select count(*) from hl_internal.settled) as accounts, (select count(*) from hl_internal.settled_days) as days,
           (select count(*) from hl_internal.settled_slots) as slots, (select count(*) from hl_internal.settled_trades) as trades`,
      );
      return Object.values(row!);
    };
    /** The definition of a function or view, with a word of it changed. */
    const change = async (name: string, from: RegExp, to: string) => {
      const [{ text } = { text: "" }] = await rows(
        `select case when to_regclass($1) is not null
           then format('create or replace view %s as %s', $1, pg_get_viewdef(to_regclass($1)))
           else (select pg_get_functiondef(oid) from pg_proc where oid = to_regproc($1)) end as text`,
        [name],
      );
      assert.match(String(text), from);
      await rows(String(text).replace(from, to));
    };
    const before = await kept();
    assert.ok(
      before.every((count) => Number(count) > 0),
      before.join(),
    );
    await change("hl_internal.count_fills", /count\(\*\)/i, "1 * count(*)");
    await change("public.hl_statistics", /100\.0/, "100.00");
    assert.deepEqual(await kept(), before);
    for (const [name, from, to] of [
      ["public.hl_fill_pnl", /'unpriced'/, "'not priced'"],
      ["hl_internal.chain_order", /begin/, "begin\n"],
      ["hl_internal.gas_price", /90000000/, "80000000"],
      ["hl_internal.settle", /500/, "600"],
    ] as const) {
      await change(name, from, to);
      assert.deepEqual(await kept(), [0, 0, 0, 0], name);
      while (await db.store.settle(ACCOUNT, nowMs));
      assert.deepEqual(await kept(), before, name);
    }
    await db.close();
  });

  it("keeps what a page asks of a long history to a few rows and pages", async (t) => {
    // One connection: another would read the catalogue where pages are counted.
    db = await server.newDatabase({ maxConnections: 1 });
    // No vacuum comes in between, and the unsettled part of the day is the same at each hour: the plans and counts are too.
    await rows(`do $$ declare t text; begin
      for t in select oid::regclass::text from pg_class where relkind = 'r'
          and relnamespace in ('public'::regnamespace, 'hl_internal'::regnamespace)
      loop execute 'alter table ' || t || ' set (autovacuum_enabled = false)'; end loop; end $$`);
    const nowMs = Math.floor(Date.now() / DAY) * DAY - DAY / 2;
    await makeBusyAccount(db.database, ACCOUNT, { fills: 6_000, coins: 10, days: 20, nowMs });
    await makeBusyAccount(db.database, OTHER, { fills: 500, coins: 5, days: 2, nowMs });
    // A market that is seldom traded, opened three weeks ago.
    await rows(
      `insert into hl_fills select p.* from (
         select * from hl_fills where account_address = $1 order by fill_time limit 1) f
       cross join lateral jsonb_populate_record(null::hl_fills, to_jsonb(f) || '{"coin": "RARE", "trade_id": 7, "start_position": "0.0"}') p`,
      [ACCOUNT],
    );
    while (await db.store.settle(ACCOUNT, nowMs));
    // As it is before anybody looked at the tables, and after.
    for (const statistics of ["none", "analyzed"]) {
      if (statistics === "analyzed") await rows("analyze");
      const reads: Record<string, { rows: number; blocks: number }> = {};
      const watched = (name: string): Queryable => ({
        async query(sql, params, patience) {
          const [answer] = await rows(`explain (analyze, buffers, format json, timing off) ${sql}`, [
            ...(params ?? []),
          ]);
          const [{ Plan }] = Object.values(answer!)[0] as [{ Plan: PlanNode }];
          reads[name] = {
            rows: Math.round(rowsOf(Plan)),
            blocks: Plan["Shared Hit Blocks"] + Plan["Shared Read Blocks"],
          };
          return db.database.query(sql, params, patience);
        },
      });
      const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
      // A connection that is new reads the catalogue first: hundreds of pages.
      await readStatistics(db.database, ACCOUNT);
      await readStatistics(watched("statistics"), ACCOUNT);
      await readPnl(watched("pnl by day"), ACCOUNT, "day", day(0), day(nowMs));
      await readPnl(watched("pnl by coin"), ACCOUNT, "coin", day(nowMs - 30 * DAY), day(nowMs));
      const page = { limit: 50, beforeMs: null, fromMs: null, coin: "RARE" };
      const one = [
        "one market: fills",
        "one market: funding",
        "one market: trade",
        "one market: orders",
      ] as const;
      assert.equal((await readPage(watched(one[0]), "fills", ACCOUNT, page)).length, 1);
      await readPage(watched(one[1]), "funding", ACCOUNT, page);
      await readPage(watched(one[3]), "orderHistory", ACCOUNT, page);
      await readTrip(watched(one[2]), ACCOUNT, "C3", nowMs - 10 * DAY);
      for (const name of one) assert.ok(reads[name]!.blocks <= 400, `${name}: ${reads[name]!.blocks} blocks`);
      assert.equal(await countRows(db.database, "fills", ACCOUNT, null), 6_001);
      for (const name of ["fills", "orderHistory", "funding"] as const) {
        const {
          table,
          time,
          where = "true",
        }: { table: string; time: string; where?: string } = LISTINGS[name];
        for (const fromMs of [null, nowMs - 5 * DAY]) {
          const [counted] = await rows(
            `select count(*) as n from ${table} where account_address = $1 and ${where}
               and ${time} >= coalesce(to_timestamp($2::bigint / 1000.0), '-infinity')`,
            [ACCOUNT, fromMs],
          );
          assert.equal(await countRows(db.database, name, ACCOUNT, fromMs), counted!.n, name);
        }
      }
      t.diagnostic(`${statistics}: ${JSON.stringify(reads)}`);
      for (const [name, { rows: count, blocks }] of Object.entries(reads)) {
        assert.ok(count <= 15_000, `${name}: ${count} rows`);
        assert.ok(blocks <= 1_500, `${name}: ${blocks} blocks`);
      }
    }
    await db.close();
  });
});

interface PlanNode {
  "Node Type": string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  "Rows Removed by Join Filter"?: number;
  "Shared Hit Blocks": number;
  "Shared Read Blocks": number;
  Plans?: PlanNode[];
}

/** Rows that any node handled, those it threw away inside: a loop in a loop shows. */
const rowsOf = (node: PlanNode): number =>
  (node.Plans ?? []).reduce((sum, child) => sum + rowsOf(child), 0) +
  (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Join Filter"] ?? 0)) *
    node["Actual Loops"];
