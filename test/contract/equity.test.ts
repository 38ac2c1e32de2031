/**
 * Equity of a long history: what is kept by stretches against the plain definition (`hl_equity_since` over all snapshots),
 * in every order in which snapshots and flows can come, and how much is read of a year of snapshots.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  DRAWDOWN,
  EQUITY_OF_SNAPSHOTS,
  EQUITY_OF_STRETCHES,
  readDrawdown,
  readEquity,
  readStatistics,
} from "../../src/outputs/http/reads.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import type { DashboardRow, LedgerRow } from "../../src/sync/rows.ts";
import { useDatabase } from "../support/postgres.ts";
import { ACCOUNT, dashboardOf, ledgerOf } from "./rows.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 1, 5, 17, 31, 120);

/** What is read and kept of the account's equity, by the plain definition. */
const PLAIN = {
  now: `select as_of_ms as drawdown_as_of_ms, drawdown, drawdown_pct, profit, net_flows,
      max(drawdown) over () as max_drawdown, max(drawdown_pct) over () as max_drawdown_pct,
      min(as_of_ms) over () as captured_since_ms, null as fallen_before
    from hl_equity where account_address = $1 order by as_of_ms desc limit 1`,
  points: `select distinct on ((as_of_ms - $2::bigint) / $4::bigint)
      as_of_ms, net_worth, account_value, unrealized_pnl, net_flows, profit, drawdown, drawdown_pct
    from hl_equity where account_address = $1 and as_of_ms between $2 and $3
    order by (as_of_ms - $2::bigint) / $4::bigint, as_of_ms desc`,
  every: `select as_of_ms, net_worth, account_value, unrealized_pnl, net_flows, profit, drawdown, drawdown_pct
    from hl_equity where account_address = $1 order by as_of_ms`,
  daily: `with days as (
      select e.*, (as_of at time zone 'UTC')::date as day,
        row_number() over (partition by (as_of at time zone 'UTC')::date order by as_of_ms desc) as from_end
      from hl_equity e where account_address = $1
    ),
    closes as (
      select day, max(net_worth) filter (where from_end = 1) as close_value,
        max(profit) filter (where from_end = 1) as close_profit, trim_scale(sum(flow)) as flow,
        max(drawdown) as max_drawdown, max(drawdown_pct) as max_drawdown_pct, count(*) as snapshots
      from days group by day
    )
    select day, close_value, flow, trim_scale(close_profit - coalesce(lag(close_profit) over w, 0)) as pnl, max_drawdown,
      max_drawdown_pct, snapshots
    from closes window w as (order by day) order by day`,
} as const;
const KEPT_DAILY = `select day, close_value, flow, pnl, max_drawdown, max_drawdown_pct, snapshots
  from hl_equity_daily where account_address = $1 order by day`;

interface PlanNode {
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  "Node Type": string;
  Plans?: PlanNode[];
}

describe("equity by stretches", () => {
  const db = useDatabase("each");

  const rows = (sql: string, ...params: unknown[]) =>
    db.database.query<Record<string, unknown>>(sql, [ACCOUNT, ...params]);

  async function agrees(): Promise<void> {
    assert.deepEqual(await readDrawdown(db.database, ACCOUNT), (await rows(PLAIN.now))[0] ?? null);
    assert.deepEqual(await rows(KEPT_DAILY), await rows(PLAIN.daily));
    // Without the venue's own curve all that is known was measured.
    const { history, ...statistics } = (await readStatistics(db.database, ACCOUNT)) as Record<
      string,
      unknown
    > & {
      history: Record<string, unknown>;
    };
    for (const [name, value] of Object.entries(history))
      if (name in statistics) assert.equal(value, statistics[name], name);
    const every = await rows(PLAIN.every);
    if (every.length === 0) return;
    const [fromMs, toMs] = [every[0]!.as_of_ms as number, every.at(-1)!.as_of_ms as number];
    // So short parts that every snapshot is a point.
    assert.deepEqual(
      await readEquity(db.database, ACCOUNT, fromMs, toMs, toMs - fromMs > 9_000 ? 9_000 : 1),
      every,
    );
    for (const part of [0.2, 0.5, 0.93]) {
      const sinceMs = Math.round(fromMs + (toMs - fromMs) * part);
      const [since] = await rows(
        "select drawdown_pct from hl_equity_since($1, to_timestamp($2::bigint / 1000.0)) order by as_of_ms desc limit 1",
        sinceMs,
      );
      assert.equal(await db.store.drawdownPct(ACCOUNT, sinceMs), since!.drawdown_pct);
    }
  }

  it("equals the plain definition whatever comes, in whatever order, once or twice", async () => {
    const random = seededRandom(5);
    const snapshots: DashboardRow[] = [];
    let value = 1_000;
    for (let atMs = START, n = 0; n < 420; n++) {
      atMs += Math.round((random.next() < 0.03 ? 9 * HOUR : 6 * MINUTE) * (0.2 + random.next()));
      value += (random.next() - 0.52) * 160;
      // Below nothing for a while, and back.
      if (n === 150) value = -40;
      if (n === 210) value = 300;
      const accountMode = n > 300 ? "unified" : "standard";
      const netWorth = value.toFixed(4);
      // The margin equity is another number, and now and then the worth is not known.
      const accountValue = n % 7 === 0 ? null : (value / 2).toFixed(4);
      const isKnown = random.next() > 0.12;
      snapshots.push(
        dashboardOf({ asOfMs: atMs, accountValue, netWorth: isKnown ? netWorth : null, accountMode }),
      );
    }
    const endMs = snapshots.at(-1)!.asOfMs;
    const ledger: LedgerRow[] = Array.from({ length: 40 }, (_, n) => {
      const timeMs =
        n === 7 ? snapshots[90]!.asOfMs : Math.round(START + (endMs - START) * (random.next() * 1.1 - 0.05));
      const usdc = (random.next() * 300).toFixed(2);
      const raw = {
        time: timeMs,
        hash: "0x1",
        delta: { type: n % 3 === 0 ? "withdraw" : "deposit", usdc, fee: "1" },
      };
      return ledgerOf({ type: raw.delta.type, raw, timeMs, digest: String(n).padStart(16, "0") });
    });
    // In order, with what the ledger said in time.
    await db.store.apply({ ledger: ledger.slice(0, 12) });
    for (let from = 0; from < 200; from += 40)
      await db.store.apply({ dashboard: snapshots.slice(from, from + 40) });
    await agrees();
    // What was learned late, one by one; the same again.
    for (const row of ledger.slice(12, 20)) await db.store.apply({ ledger: [row] });
    await agrees();
    await db.store.apply({ ledger: ledger.slice(0, 20), dashboard: snapshots.slice(0, 200) });
    await agrees();
    // Snapshots out of order, the oldest last, and the rest of the flows in one batch.
    const late = snapshots
      .slice(200)
      .toSorted((a, b) => ((a.asOfMs * 7919) % 101) - ((b.asOfMs * 7919) % 101));
    for (let from = 0; from < late.length; from += 30)
      await db.store.apply({ dashboard: late.slice(from, from + 30) });
    await db.store.apply({ dashboard: [dashboardOf({ asOfMs: START - DAY, accountValue: "777" })] });
    await db.store.apply({ ledger: ledger.slice(20) });
    await agrees();
    // What is corrected or taken away by hand.
    await rows("delete from hl_ledger where account_address = $1 and digest like '%1'");
    await rows("delete from hl_dashboard where account_address = $1 and as_of_ms % 5 = 0");
    await rows(
      "update hl_dashboard set net_worth = net_worth + 3 where account_address = $1 and as_of_ms % 7 = 0",
    );
    await agrees();
    await rows("delete from hl_dashboard where account_address = $1");
    await agrees();
  });

  it("knows no sum from a flow of unknown value on, but every day and period that does not contain it", async () => {
    const worths = [1_000, 1_100, 1_050, 2_050, 2_000, 2_200, 2_100];
    const at = (n: number) => START + n * 13 * HOUR;
    const sent = {
      type: "spotTransfer",
      token: "HYPE",
      amount: "25",
      user: `0x${"b".repeat(40)}`,
      destination: ACCOUNT,
    };
    const unpriced = ledgerOf({
      timeMs: at(2) + HOUR,
      type: "spotTransfer",
      token: "HYPE",
      amount: "25",
      raw: { time: at(2) + HOUR, hash: "0x1", delta: sent },
    });
    // Before the first snapshot: nothing to say about it.
    const before = ledgerOf({ ...unpriced, timeMs: START - HOUR, digest: "before" });
    await db.store.apply({ ledger: [before] });
    await db.store.apply({
      dashboard: worths.map((worth, n) => dashboardOf({ asOfMs: at(n), netWorth: String(worth) })),
    });
    await agrees();
    await db.store.apply({ ledger: [unpriced] });
    const shown = await rows(
      "select profit, drawdown, flow, profit_reason is null as told from hl_equity where account_address = $1 order by as_of_ms",
    );
    const lost = { profit: null, drawdown: null, flow: "0", told: false };
    assert.deepEqual(shown, [
      { profit: "0", drawdown: "0", flow: "0", told: true },
      { profit: "100", drawdown: "0", flow: "0", told: true },
      { profit: "50", drawdown: "50", flow: "0", told: true },
      { ...lost, flow: null },
      ...[lost, lost, lost],
    ]);
    const [{ profit_reason } = { profit_reason: "" }] = await rows(
      "select profit_reason from hl_equity where account_address = $1 order by as_of_ms desc limit 1",
    );
    assert.match(
      String(profit_reason),
      /^the value of the HYPE of a spotTransfer is not known \(2026-01-02 08:17 UTC\)$/,
    );
    assert.deepEqual(
      await rows(
        "select flow, pnl, max_drawdown from hl_equity_daily where account_address = $1 order by day",
      ),
      [
        { flow: "0", pnl: "100", max_drawdown: "0" },
        { flow: null, pnl: null, max_drawdown: null },
        { flow: "0", pnl: "150", max_drawdown: null },
        { flow: "0", pnl: "-100", max_drawdown: null },
      ],
    );
    const now = await readDrawdown(db.database, ACCOUNT);
    assert.deepEqual(
      [now!.profit, now!.drawdown_pct, now!.max_drawdown, now!.net_flows],
      [null, null, null, null],
    );
    const points = await readEquity(db.database, ACCOUNT, at(0), at(6), 9_000);
    assert.deepEqual(points.map(({ net_worth, profit }) => [net_worth, profit]).slice(2, 4), [
      ["1050", "50"],
      ["2050", null],
    ]);
    // Of a period that begins after it, 100 of 2 200.
    assert.equal(await db.store.drawdownPct(ACCOUNT, at(2) + 2 * HOUR), "4.545455");
    assert.equal(await db.store.drawdownPct(ACCOUNT, at(2)), null);
    const [statistics] = await rows(
      "select profit, max_drawdown from hl_statistics where account_address = $1",
    );
    assert.deepEqual(statistics, { profit: null, max_drawdown: null });
    // Its value is learned after all.
    await rows("update hl_ledger set flow_usd = 980 where account_address = $1 and flow_usd is null");
    await agrees();
    assert.deepEqual((await rows("select profit from hl_statistics where account_address = $1"))[0], {
      profit: "120",
    });
  });

  it("reads a bounded number of rows of a year of four-minute snapshots, and says what the definition says", async (t) => {
    await db.store.openAccount(ACCOUNT, "main", START);
    const deposit = (id: number, timeMs: number) => {
      const raw = { time: timeMs, hash: "0x1", delta: { type: "deposit", usdc: "250" } };
      return ledgerOf({ type: "deposit", raw, timeMs, digest: String(id).padStart(16, "0") });
    };
    await db.store.apply({
      ledger: Array.from({ length: 50 }, (_, n) => deposit(n, START + (n + 0.5) * 7 * DAY)),
    });
    const snapshots = 131_400;
    await rows(
      `insert into hl_dashboard (account_address, as_of, as_of_ms, account_value, withdrawable, total_margin_used,
         total_notional_position, total_raw_usd, maintenance_margin, free_margin, total_positions, total_unrealized_pnl,
         health_status, account_mode, net_worth)
       select $1, to_timestamp(at_ms / 1000.0), at_ms, worth, 0, 0, 0, 0, 0, 0, 1,
         0, 'good', 'standard', worth
       from generate_series(0, $3::bigint - 1) n cross join lateral (
         select $2::bigint + n * 240000 as at_ms,
           round((10000 + 900 * sin(n / 9000.0) + 40 * sin(n / 13.0) + (n * 7919 % 1009) / 50.0)::numeric, 4) as worth
       ) at`,
      START,
      snapshots,
    );
    await db.database.query("analyze");
    const endMs = START + (snapshots - 1) * 4 * MINUTE;
    // One more, and a deposit of half a year ago that is learned only now.
    await db.store.apply({ dashboard: [dashboardOf({ asOfMs: endMs + 4 * MINUTE, accountValue: "9000" })] });
    await db.store.apply({ ledger: [deposit(99, START + 180 * DAY + 12_345)] });

    await rows("create unlogged table plain as select * from hl_equity where account_address = $1");
    const [now] = await rows(PLAIN.now.replace("hl_equity", "plain"));
    assert.deepEqual(await readDrawdown(db.database, ACCOUNT), now);
    assert.deepEqual(await rows(KEPT_DAILY), await rows(PLAIN.daily.replace("hl_equity", "plain")));
    const statistics = await readStatistics(db.database, ACCOUNT);
    assert.deepEqual(
      [statistics!.max_drawdown, statistics!.max_drawdown_pct, statistics!.days_with_return],
      [now!.max_drawdown, now!.max_drawdown_pct, 365],
    );
    const month = await readEquity(db.database, ACCOUNT, endMs - 20 * DAY, endMs, 600);
    assert.deepEqual(
      month,
      await rows(
        PLAIN.points.replace("hl_equity", "plain"),
        endMs - 20 * DAY,
        endMs,
        Math.ceil((20 * DAY + 1) / 600),
      ),
    );
    const year = await readEquity(db.database, ACCOUNT, START, endMs, 600);
    assert.ok(year.length > 590 && year.length <= 600, String(year.length));
    assert.deepEqual(
      year,
      await rows(
        PLAIN.every.replace("hl_equity", "plain").replace("order", "and as_of_ms = any ($2::bigint[]) order"),
        year.map(({ as_of_ms }) => as_of_ms),
      ),
    );

    /** Rows that leave the tables and indexes, thrown away ones inside. */
    const readBy = async (sql: string, ...params: unknown[]): Promise<number> => {
      const [answer] = await rows(`explain (analyze, format json, timing off) ${sql}`, ...params);
      const [{ Plan }] = Object.values(answer!)[0] as [{ Plan: PlanNode }];
      const count = (node: PlanNode): number =>
        (node.Plans ?? []).reduce((sum, child) => sum + count(child), 0) +
        (node["Node Type"].includes("Scan") && !/Subquery|CTE|Function/.test(node["Node Type"])
          ? (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)) * node["Actual Loops"]
          : 0);
      return Math.round(count(Plan));
    };
    const read = {
      drawdown: await readBy(DRAWDOWN),
      year: await readBy(EQUITY_OF_STRETCHES, START, endMs, Math.ceil((endMs - START + 1) / 600), null),
      month: await readBy(
        EQUITY_OF_SNAPSHOTS,
        endMs - 20 * DAY,
        endMs,
        Math.ceil((20 * DAY + 1) / 600),
        null,
      ),
      statistics: await readBy("select * from hl_statistics where account_address = $1"),
      history: await readBy("select * from hl_history_statistics where account_address = $1"),
    };
    t.diagnostic(`rows read: ${JSON.stringify(read)}`);
    assert.ok(read.drawdown <= 2, JSON.stringify(read));
    assert.ok(read.year <= 600, JSON.stringify(read));
    assert.ok(read.month <= 600 * 15.5, JSON.stringify(read));
    assert.ok(read.statistics <= 8_760 + 200, JSON.stringify(read));
    assert.ok(read.history <= 2 * 8_760 + 200, JSON.stringify(read));
    const kept = await rows(
      "select count(*) as n from hl_internal.equity_stretches where account_address = $1",
    );
    assert.ok((kept[0]!.n as number) < 8_900, String(kept[0]!.n));
  });
});
