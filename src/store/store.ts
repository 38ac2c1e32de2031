/**
 * `Store` over a `Database`. Guarantees: `apply` is one call of `hl_internal.apply`, which holds all rules of
 * merging; nothing here reads before it writes, so any number of processes may write. Reads give rows in the shape of
 * `sync/rows.ts`: decimals as the digits stored, times in milliseconds.
 *
 * When a commit's outcome is unknown (the connection broke while it ran), apply the batch again: rows that were
 * already committed come back as known, and their events are in the outbox, not in the answer.
 */
import { StoreError } from "../errors.ts";
import { stringify } from "../runtime/jsonText.ts";
import { FORGOTTEN } from "../sync/normalize.ts";
import type {
  AccountState,
  FollowedAs,
  Leases,
  MoneyTie,
  QuarantinedMessage,
  Store,
  StoredFill,
  StoredLedger,
  StoredOrder,
  StoredState,
} from "../sync/ports.ts";
import { tableOf } from "../sync/quarantine.ts";
import type {
  Address,
  Applied,
  BalanceRow,
  Batch,
  ChangeEvent,
  CoverageRow,
  DashboardRow,
  FillRow,
  FundingRow,
  OrderEventRow,
  PositionRow,
  QuarantineRow,
  TrackedStream,
} from "../sync/rows.ts";
import {
  columnOf,
  described,
  isTable,
  JOINED_NAMES,
  type RowOf,
  TABLE_NAMES,
  TABLES,
  type TableName,
} from "../sync/tables.ts";
import { bySteps } from "./bySteps.ts";
import { rowColumns, standsAt } from "./columns.ts";
import type { Database, Row } from "./database.ts";
import { openLeases } from "./leases.ts";
import { markedFill, markedOrderEvent } from "./rawMark.ts";

/** Rows of one table. */
interface TableCount {
  table: string;
  rows: number;
}

export interface AccountRow {
  account: Address;
  alias: string | null;
  sinceMs: number | null;
  mode: string | null;
}

export interface Retention {
  outboxDays: number;
  quarantineDays: number;
  /** Market tables are dropped by whole UTC days. */
  marketDays: number;
  /** Older account snapshots are thinned out: what charts and proofs need stays. */
  snapshotDays: number;
}

/** A message in quarantine. `seenAtMs`: the first sighting. */
export interface Quarantined extends QuarantineRow {
  digest: string;
  count: number;
}

/** What outputs and commands read besides the port of `sync`. */
export interface DatabaseStore extends Store, Leases {
  readonly database: Database;
  accounts(): Promise<AccountRow[]>;
  /** Exact number of rows of every account table and of the records behind them that this role may read. */
  counts(): Promise<TableCount[]>;
  /** Quarantined messages in the order of their digests, from the one after `afterDigest` on. */
  quarantined(afterDigest: string, limit: number): Promise<Quarantined[]>;
  /** Forgets a message that was understood after all. */
  releaseQuarantined(digest: string): Promise<void>;
  /** Sums up the next stretch of the trades of an account, for what asks for all of them; false when there is none. */
  settle(account: Address, nowMs: number): Promise<boolean>;
  /** The same for every account, until nothing is left or the time is over. */
  settleAll(now: () => number, forMs: number, signal: AbortSignal): Promise<void>;
  /** Deletes what is older than `retention`, a bounded number of rows per call; returns how much went, by table. */
  prune(retention: Retention, nowMs: number): Promise<Record<string, number>>;
}

const COUNTED = [
  ...[...JOINED_NAMES, ...TABLE_NAMES].map((name) => described(name).table),
  "hl_internal.drift",
  "hl_internal.outbox",
  "hl_internal.quarantine",
] as const;

const ACCOUNTS = `select account_address as account, alias, since_ms as "sinceMs", mode from hl_internal.accounts
  order by account_address`;

const qualified = (table: string): string => (table.includes(".") ? table : `public.${table}`);

const PARTITIONED = ["hl_trades", "hl_mids", "hl_books", "hl_asset_ctxs"] as const;

const DAY_MS = 86_400_000;

/** Days of snapshots of an account that a call thins at most. */
const THIN_STEPS_MAX = 10;

/** Perp fills and their fees in USDC only: in standard mode spot is no part of the equity. */
const MONEY_TIE = `
  with snapshots as (
    select as_of_ms, account_value, total_unrealized_pnl from public.hl_dashboard
    where account_address = $1 and account_mode = 'standard' and account_value is not null
  ),
  ends as (
    select a.as_of_ms as from_ms, b.as_of_ms as to_ms, b.account_value - a.account_value as equity_change,
      b.total_unrealized_pnl - a.total_unrealized_pnl as unrealized_change
    from (select * from snapshots order by as_of_ms limit 1) a,
      (select * from snapshots order by as_of_ms desc limit 1) b
    where b.as_of_ms > a.as_of_ms
  ),
  parts as (
    select e.*,
      f.closed_pnl, f.fees,
      (select coalesce(sum(usdc), 0) from public.hl_funding f where f.account_address = $1
         and f.funding_time_ms > e.from_ms and f.funding_time_ms <= e.to_ms) as funding,
      (select coalesce(sum(perp_usdc), 0) from public.hl_flows f where f.account_address = $1
         and f.ledger_time_ms > e.from_ms and f.ledger_time_ms <= e.to_ms) as flows
    from ends e cross join lateral (
      select coalesce(sum(p.closed_pnl), 0) as closed_pnl, coalesce(sum(p.fee_usdc), 0) as fees from public.hl_fill_pnl p
      where p.account_address = $1 and p.market = 'perp' and p.fill_time_ms > e.from_ms and p.fill_time_ms <= e.to_ms
    ) f
  )
  select from_ms as "fromMs", to_ms as "toMs", trim_scale(equity_change)::text as "equityChange",
    trim_scale(closed_pnl)::text as "closedPnl", trim_scale(fees)::text as fees, trim_scale(funding)::text as funding,
    trim_scale(flows)::text as flows, trim_scale(unrealized_change)::text as "unrealizedChange",
    trim_scale(equity_change - (closed_pnl - fees + funding + flows + unrealized_change))::text as residual
  from parts`;

/** What PostgreSQL has no text for: NUL, and half of a surrogate pair. As `JSON.stringify` writes them, escapes aside. */
const UNSTORABLE = /\\\\|\\u0000|\\ud[89a-f][0-9a-f]{2}/g;

/** JSON that PostgreSQL takes. */
function toJson(value: unknown): string {
  const text = jsonText(value);
  if (!text.includes("\\u")) return text;
  return text.replace(UNSTORABLE, (code) => (code === "\\\\" ? code : "\\ufffd"));
}

function jsonText(value: unknown): string {
  try {
    return stringify(value);
  } catch (cause) {
    // Nested too deep, or too long: as the database would say it.
    throw new StoreError("a row cannot be written as JSON", { cause, transient: false, sqlState: "54001" });
  }
}

const REPLACED = "holds a character that PostgreSQL has no text for: replaced by U+FFFD";
/** Text around a replaced character that is kept. */
const AROUND = 40;

/** Which rows of a list `toJson` changed: one message for each, with the text around the first change. */
function replacedIn(list: keyof Batch, rows: readonly Stamped[]): QuarantineRow[] {
  return rows.flatMap((row) => {
    const text = JSON.stringify(row);
    const at = [...text.matchAll(UNSTORABLE)].find(([code]) => code !== "\\\\")?.index;
    if (at === undefined) return [];
    const { account = null, seenAtMs, asOfMs, timeMs } = row;
    const raw = text.slice(Math.max(0, at - AROUND), at + AROUND);
    return [
      { account, subject: tableOf(list), reason: REPLACED, raw, seenAtMs: seenAtMs ?? asOfMs ?? timeMs ?? 0 },
    ];
  });
}

interface Stamped {
  account?: Address;
  seenAtMs?: number;
  asOfMs?: number;
  timeMs?: number;
}

const columnsOf = (row: object) =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [columnOf(name), value]));

/** Rows as they are sent: without an object that their columns tell. */
function sent(name: keyof Batch, rows: readonly object[]): readonly object[] {
  if (name === "fills") return (rows as readonly FillRow[]).map(markedFill);
  if (name === "orderEvents") return (rows as readonly OrderEventRow[]).map(markedOrderEvent);
  return rows;
}

/** The lists of `hl_internal.apply`, in their order there: a call by place is read in less time than one by names. */
const LISTS = [
  ...["fills", "orderEvents", "positions", "balances", "funding", "ledger", "dashboard", "coverage"],
  ...["drift", "quarantine", "trades", "candles", "mids", "books", "assetCtxs", "states", "versions"],
] as const;
const APPLY = `select hl_internal.apply($1::text[], ${LISTS.map((_, n) => `$${n + 2}::json`).join(", ")}, true) as applied`;

/** The answer of `hl_internal.apply`: events by column, which the server writes and this process reads in less time. */
interface Answer extends Omit<Applied, "events"> {
  events: { [Column in keyof ChangeEvent]?: ChangeEvent[Column][] };
}

function eventsOf({ id = [], key, type, account, timeMs, source, data }: Answer["events"]): ChangeEvent[] {
  return id.map((place, n) => ({
    id: place,
    key: key![n]!,
    type: type![n]!,
    account: account![n]!,
    timeMs: timeMs![n]!,
    source: source![n]!,
    data: data![n]!,
  }));
}

/** The arguments of `hl_internal.apply` that write `batch`: every account it names, and the lists that are not empty. */
function applyArguments({ quarantine = [], ...lists }: Batch): unknown[] {
  const accounts = new Set<string>();
  const texts: Record<string, string> = {};
  const messages = [...quarantine];
  const versions: string[] = [];
  for (const [name, list] of Object.entries(lists) as [keyof Batch, Stamped[]][]) {
    if (list.length === 0) continue;
    const text = toJson(isTable(name) ? list.map(columnsOf) : sent(name, list));
    if (isTable(name)) versions.push(`"${TABLES[name].table}":${text}`);
    else texts[name] = text;
    if (text.includes("\\ufffd")) messages.push(...replacedIn(name, list));
    for (const { account } of list) if (account !== undefined) accounts.add(account);
  }
  if (versions.length > 0) texts.versions = `{${versions.join(",")}}`;
  if (messages.length > 0) texts.quarantine = toJson(messages);
  return [[...accounts], ...LISTS.map((name) => texts[name] ?? null)];
}

type Rows = <R>(sql: string, params: readonly unknown[]) => Promise<R[]>;

const positionsOf = (rows: Rows, account: Address): Promise<PositionRow[]> =>
  rows<PositionRow>(
    `select ${rowColumns("positions")} from public.hl_positions where account_address = $1 order by dex, coin`,
    [account],
  );

/** How an account is followed, and what is known of it. */
function followed(
  rows: Rows,
): Pick<
  DatabaseStore,
  "openAccount" | "noteFollowed" | "noteRead" | "followedAs" | "coverage" | "doubt" | "apply"
> {
  return {
    async openAccount(account, alias, sinceMs): Promise<AccountState> {
      const [stored] = await rows<Pick<AccountState, "sinceMs" | "doubtedMs">>(
        `insert into hl_internal.accounts as a (account_address, alias, since_ms) values ($1, $2, $3)
         on conflict (account_address) do update
           set alias = coalesce(excluded.alias, a.alias), since_ms = least(a.since_ms, excluded.since_ms)
         returning since_ms as "sinceMs", doubted_ms as "doubtedMs"`,
        [account, alias, sinceMs],
      );
      const [coverage, openOrders, positions] = await Promise.all([
        rows<CoverageRow>(
          `select account_address as account, stream, grade, from_ms as "fromMs", to_ms as "toMs", reason
           from public.hl_coverage where account_address = $1 order by stream, grade, from_ms`,
          [account],
        ),
        rows<AccountState["openOrders"][number]>(
          `select order_id as "orderId", coin, status, (extract(epoch from placed_at) * 1000)::bigint as "placedAtMs"
           from public.hl_orders
           where account_address = $1 and status in ('open', 'partially_filled', 'triggered', 'unknown')
             and venue_status <> $2
           order by order_id`,
          [account, FORGOTTEN],
        ),
        positionsOf(rows, account),
      ]);
      return { ...stored!, coverage, openOrders, positions };
    },

    async noteFollowed(account, pollMs) {
      await rows(
        `update hl_internal.accounts set poll_ms = $2
         where account_address = $1 and poll_ms is distinct from $2::bigint`,
        [account, pollMs],
      );
    },

    async noteRead(account, sinceMs) {
      await rows(
        `update hl_internal.accounts set read_since_ms = $2
         where account_address = $1 and (read_since_ms is null or read_since_ms > $2::bigint)`,
        [account, sinceMs],
      );
    },

    async followedAs(account) {
      const [row] = await rows<FollowedAs>(
        `select since_ms as "sinceMs", read_since_ms as "readSinceMs", poll_ms as "pollMs", doubted_ms as "doubtedMs"
         from hl_internal.accounts where account_address = $1`,
        [account],
      );
      return row ?? { sinceMs: null, readSinceMs: null, pollMs: null, doubtedMs: null };
    },

    coverage: (account, stream?: TrackedStream) =>
      rows<CoverageRow>(
        `select account_address as account, stream, grade, from_ms as "fromMs", to_ms as "toMs", reason
         from public.hl_coverage where account_address = $1 and stream = coalesce($2, stream) order by stream, grade, from_ms`,
        [account, stream ?? null],
      ),

    async doubt(account, doubts) {
      await rows("select hl_internal.doubt($1, $2::json)", [account, toJson(doubts)]);
    },

    async apply(batch: Batch): Promise<Applied> {
      const [row] = await rows<{ applied: Answer }>(APPLY, applyArguments(batch));
      return { ...row!.applied, events: eventsOf(row!.applied.events) };
    },
  };
}

/** What happened, in the order of its time. */
function histories(
  rows: Rows,
): Pick<
  DatabaseStore,
  | "latestMs"
  | "fills"
  | "countFillsAfter"
  | "funding"
  | "ledger"
  | "orderEvents"
  | "orders"
  | "ordersKnownByFills"
> {
  return {
    fills: (account, fromMs, toMs) =>
      rows<StoredFill>(
        `select ${rowColumns("fills")}, block_number as "blockNumber" from public.hl_fills
         where account_address = $1 and fill_time between pg_catalog.to_timestamp($2::bigint / 1000.0) and pg_catalog.to_timestamp($3::bigint / 1000.0)
         order by fill_time_ms, coin, order_id, trade_id, side`,
        [account, fromMs, toMs],
      ),

    async latestMs(name, account) {
      const { table, time } = described(name);
      if (time === undefined) return null;
      const [row] = await rows<{ ms: number | null }>(
        `select max(${standsAt(name, time)}) as ms from public.${table} where account_address = $1`,
        [account],
      );
      return row!.ms;
    },

    async countFillsAfter(account, timeMs, twap) {
      const [row] = await rows<{ count: number }>(
        `select count(*) as count from public.hl_fills
         where account_address = $1 and fill_time > pg_catalog.to_timestamp($2::bigint / 1000.0)
           and (twap_id is not null) = $3`,
        [account, timeMs, twap],
      );
      return row!.count;
    },

    funding: (account, fromMs, toMs) =>
      rows<FundingRow>(
        `select ${rowColumns("funding")} from public.hl_funding
         where account_address = $1 and funding_time between pg_catalog.to_timestamp($2::bigint / 1000.0) and pg_catalog.to_timestamp($3::bigint / 1000.0)
         order by funding_time_ms, coin`,
        [account, fromMs, toMs],
      ),

    ledger: (account, fromMs, toMs) =>
      rows<StoredLedger>(
        // A row that tells of its raw object what the rule does not is without one: it is not what the venue said.
        `select ${rowColumns("ledger", ["raw"])},
           case when (l.usdc, l.effect, l.flow_usd) is not distinct from (e.usdc, e.effect, e.flow_usd) then raw_ledger end as raw,
           l.block_number as "blockNumber"
         from public.hl_ledger l cross join lateral hl_internal.ledger_effect(account_address, raw_ledger -> 'delta') e
         where account_address = $1 and ledger_time_ms between $2 and $3
         order by ledger_time_ms, hash, type, digest`,
        [account, fromMs, toMs],
      ),

    orderEvents: (account, orderIds) =>
      rows<OrderEventRow>(
        `select ${rowColumns("orderEvents")} from public.hl_order_events
         where account_address = $1 and order_id = any ($2::bigint[])
         order by order_id, status_time_ms, venue_status collate "C"`,
        [account, orderIds],
      ),

    orders: (account) =>
      rows<StoredOrder>(
        `select account_address as account, order_id as "orderId", coin, status, venue_status as "venueStatus", size,
           filled, status_time_ms as "statusTimeMs", ${standsAt("orders", "placedAtMs")} as "placedAtMs"
         from public.hl_orders where account_address = $1 order by order_id`,
        [account],
      ),

    async ordersKnownByFills(account, fromMs, toMs, belowId, limit) {
      const found = await rows<{ id: number }>(
        `select distinct f.order_id as id
         from public.hl_fills f
         where f.account_address = $1 and f.order_id < $4
           and f.fill_time between pg_catalog.to_timestamp($2::bigint / 1000.0) and pg_catalog.to_timestamp($3::bigint / 1000.0)
           and not exists (
             select from public.hl_order_events e
             where e.account_address = f.account_address and e.order_id = f.order_id)
         order by 1 desc limit $5`,
        [account, fromMs, toMs, belowId, limit],
      );
      return found.map(({ id }) => id);
    },
  };
}

/** What is. */
function states(
  rows: Rows,
): Pick<
  DatabaseStore,
  | "versions"
  | "positions"
  | "balances"
  | "states"
  | "quarantineOf"
  | "latestDashboard"
  | "moneyTie"
  | "drawdownPct"
> {
  return {
    versions: <T extends TableName>(name: T, account: Address) =>
      rows<RowOf<T>>(
        `select ${rowColumns(name)} from public.${described(name).table} where account_address = $1`,
        [account],
      ),

    positions: (account) => positionsOf(rows, account),

    balances: (account) =>
      rows<BalanceRow>(
        `select ${rowColumns("balances")} from public.hl_balances where account_address = $1 order by coin`,
        [account],
      ),

    states: (account) =>
      rows<StoredState>(
        `select kind, dex, as_of_ms as "asOfMs", (extract(epoch from read_at) * 1000)::bigint as "readAtMs"
         from hl_internal.states where account_address = $1 order by kind, dex`,
        [account],
      ),

    quarantineOf: (account, limit) =>
      rows<QuarantinedMessage>(
        `select subject, reason, raw, count(*) over (partition by subject) as "ofSubject"
         from public.hl_quarantine where account_address = $1 order by last_seen_at desc, digest limit $2`,
        [account, limit],
      ),

    async latestDashboard(account): Promise<DashboardRow | null> {
      const [row] = await rows<DashboardRow>(
        `select ${rowColumns("dashboard", ["healthComponents", "source"])} from public.hl_dashboard where account_address = $1 order by as_of desc limit 1`,
        [account],
      );
      return row ?? null;
    },

    async moneyTie(account): Promise<MoneyTie | null> {
      const [row] = await rows<MoneyTie>(MONEY_TIE, [account]);
      return row ?? null;
    },

    async drawdownPct(account, sinceMs) {
      const [row] = await rows<{ percent: string | null }>(
        "select hl_internal.drawdown_since($1, pg_catalog.to_timestamp($2::bigint / 1000.0)) as percent",
        [account, sinceMs],
      );
      return row?.percent ?? null;
    },
  };
}

/** What concerns all accounts. */
function upkeep(
  rows: Rows,
): Pick<
  DatabaseStore,
  "accounts" | "counts" | "quarantined" | "releaseQuarantined" | "settle" | "settleAll" | "prune"
> {
  const settle = async (account: Address, nowMs: number): Promise<boolean> => {
    const [row] = await rows<{ settled: boolean }>(
      "select hl_internal.settle($1, pg_catalog.to_timestamp($2::bigint / 1000.0)) as settled",
      [account, nowMs],
    );
    return row!.settled;
  };
  return {
    accounts: () => rows<AccountRow>(ACCOUNTS, []),

    async counts() {
      const readable = await rows<{ table: string }>(
        `select name as "table" from unnest($1::text[]) with ordinality as t (name, place)
         where has_table_privilege(case when name like '%.%' then name else 'public.' || name end, 'select') order by place`,
        [COUNTED],
      );
      const counted = readable.map(
        ({ table }) => `select '${table}' as "table", count(*) as rows from ${qualified(table)}`,
      );
      return rows<TableCount>(counted.join(" union all "), []);
    },

    quarantined: (afterDigest, limit) =>
      rows<Quarantined>(
        `select digest, account_address as account, subject, reason, raw, count,
           (extract(epoch from first_seen_at) * 1000)::bigint as "seenAtMs"
         from hl_internal.quarantine where digest > $1 order by digest limit $2`,
        [afterDigest, limit],
      ),

    async releaseQuarantined(digest) {
      await rows("delete from hl_internal.quarantine where digest = $1", [digest]);
    },

    settle,

    async settleAll(now, forMs, signal) {
      const endsMs = now() + forMs;
      for (const { account } of await rows<AccountRow>(ACCOUNTS, [])) {
        while (!signal.aborted && now() < endsMs && (await settle(account, now())));
      }
    },

    async prune(retention, nowMs) {
      const gone: Record<string, number> = {};
      for (const [what, days] of [
        ["outbox", retention.outboxDays],
        ["quarantine", retention.quarantineDays],
      ] as const)
        gone[what] = await bySteps(async (most) => {
          const [row] = await rows<{ gone: number }>(
            `select hl_internal.prune_${what}($1 * interval '1 day', $2) as gone`,
            [days, most],
          );
          return row!.gone;
        });
      for (const table of PARTITIONED) {
        const [dropped] = await rows<{ days: number }>("select hl_internal.prune_market($1, $2) as days", [
          table,
          nowMs - retention.marketDays * DAY_MS,
        ]);
        gone[table] = dropped!.days;
      }
      gone.hl_dashboard = 0;
      for (const { account } of await rows<AccountRow>(ACCOUNTS, [])) {
        for (let steps = 0; steps < THIN_STEPS_MAX; steps++) {
          const [thinned] = await rows<{ gone: number | null }>(
            "select hl_internal.thin_snapshots($1, pg_catalog.to_timestamp($2::bigint / 1000.0)) as gone",
            [account, nowMs - retention.snapshotDays * DAY_MS],
          );
          if (thinned!.gone === null) break;
          gone.hl_dashboard += thinned!.gone;
        }
      }
      return gone;
    },
  };
}

export function openStore(database: Database): DatabaseStore {
  const rows: Rows = <R>(sql: string, params: readonly unknown[]) => database.query<R & Row>(sql, params);
  return {
    database,
    ...openLeases(database),
    ...followed(rows),
    ...histories(rows),
    ...states(rows),
    ...upkeep(rows),
  };
}
