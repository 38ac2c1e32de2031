/**
 * What is read for the dashboard and the API, as SQL. Guarantees: decimals leave as the digits stored (text), times as
 * Unix milliseconds in keys that end in `_ms`; keys are the columns' names, the same as in the events of the outbox.
 * Lists come newest first in pages that never split a moment: the next page is everything before the last row's time.
 */

import { OPEN_STATUS_LIST, readersColumns } from "../../store/columns.ts";
import type { Queryable, Row } from "../../store/database.ts";
import { epochMs } from "../../store/epochMs.ts";
import { OPEN_STATUSES } from "../../sync/orderStatus.ts";
import type { Address } from "../../sync/rows.ts";
import { described, JOINED, type JoinedName, TABLES, type TableName } from "../../sync/tables.ts";

export interface Page {
  /** Rows; a few more where the last ones share their time. */
  limit: number;
  /** Only what is older than this. */
  beforeMs: number | null;
  /** Only what is not older than this. */
  fromMs: number | null;
  /** Only of this market; where the rows have one. */
  coin?: string | null;
  /** Only of this order; where the rows have one. */
  orderId?: number | null;
  /** With what the venue said, as it said it. */
  withRaw?: boolean;
}

/** What people call the market of a row. */
const NAME = "(select m.name from public.hl_markets m where m.coin = listed.coin) as name";

interface Listing {
  columns: string;
  table: string;
  /** A timestamp that an index begins with. */
  time: string;
  hasCoin: boolean;
  where?: string;
  /** What the venue said. */
  raw?: string;
  /** What counts the rows of a long history; the others are counted as they stand. */
  counted?: string;
  /** Which of those that it counts are not of this history: few. */
  countedBut?: string;
  /** What an index has behind the account and the market. */
  marketTimeMs?: string;
  /** Where it has not: what reads the rows of a market by the parameters of `readPage`. */
  ofMarket?: string;
}

const columnsWithName = (name: JoinedName | TableName): string =>
  `${readersColumns(name)}${"coin" in described(name).columns ? `, ${NAME}` : ""}`;

function listing(name: JoinedName | TableName, time: string, more: Partial<Listing> = {}): Listing {
  const { table, columns, sql } = described(name);
  const hasCoin = "coin" in columns;
  // The row is asked for by its name in `readPage`.
  const raw = sql?.raw?.replace(`(${table})`, "(listed)");
  return {
    columns: columnsWithName(name),
    table: `public.${table}`,
    time,
    hasCoin,
    ...(raw && { raw }),
    ...more,
  };
}

const momentOf = (parameter: string, without: string): string =>
  `coalesce(pg_catalog.to_timestamp(${parameter}::bigint / 1000.0), '${without}')`;

/** Histories that are read in pages. */
export const LISTINGS = {
  fills: listing("fills", JOINED.fills.index, {
    counted: "hl_internal.count_fills",
    marketTimeMs: "fill_time_ms",
  }),
  // By what it leaves out, which is little: asked for the others, a server without statistics sorts all of them.
  orderHistory: listing("orders", JOINED.orders.index, {
    where: `status not in ${OPEN_STATUS_LIST}`,
    counted: "hl_internal.count_orders",
    countedBut: `status in ${OPEN_STATUS_LIST}`,
    ofMarket: `hl_internal.orders_of_market($1, $5, ${momentOf("$4", "-infinity")}, ${momentOf("$3", "infinity")}, $2,
      array[${OPEN_STATUSES.map((status) => `'${status}'`).join(", ")}])`,
  }),
  funding: listing("funding", JOINED.funding.index, {
    counted: "hl_internal.count_funding",
    marketTimeMs: "funding_time_ms",
  }),
  ledger: listing("ledger", JOINED.ledger.index),
  twaps: {
    columns: `account_address, twap_id, coin, name, side, size, slices, executed_size, executed_pct, average_price, fees, minutes,
      randomize, reduce_only, stop_price, trigger_price, trigger_above, status, error, is_ended, started_ms, as_of_ms`,
    table: "public.hl_twap_orders",
    time: "as_of",
    hasCoin: true,
  },
  stakingRewards: listing("stakingRewards", TABLES.stakingRewards.index),
  lendingInterest: listing("lendingInterest", TABLES.lendingInterest.index),
} as const satisfies Record<string, Listing>;
export type ListingName = keyof typeof LISTINGS;

/** Candles that are streamed here, as the venue writes them; ascending. */
export async function readCandles(
  reads: Queryable,
  coin: string,
  interval: string,
  fromMs: number,
  toMs: number,
): Promise<[number, string, string, string, string, string][]> {
  const rows = await reads.query<{ candle: [number, string, string, string, string, string] }>(
    `select json_build_array(open_time_ms, open::text, high::text, low::text, close::text, volume::text) as candle
     from public.hl_candles where coin = $1 and interval = $2 and open_time_ms between $3 and $4 order by open_time_ms`,
    [coin, interval, fromMs, toMs],
  );
  return rows.map(({ candle }) => candle);
}

/** Rows are counted up to this many. */
const COUNT_MAX = 20_000;

const countOf = ({ table, time, counted, countedBut }: Listing): string => {
  const from = momentOf("$2", "-infinity");
  if (!counted)
    return `select count(*) as total from (
         select from ${table} where account_address = $1 and ${time} >= ${from} limit $3::integer) counted`;
  if (!countedBut) return `select ${counted}($1, ${from}, $3::integer) as total`;
  // All less those few, each by an index of its own.
  return `select ${counted}($1, ${from}, $3::integer + few.n::integer) - few.n as total from (
      select count(*) as n from ${table} where account_address = $1 and ${countedBut} and ${time} >= ${from}) few`;
};

/** How many rows a history has from a time on; null when they are more than are counted. */
export async function countRows(
  reads: Queryable,
  name: ListingName,
  account: Address,
  fromMs: number | null,
): Promise<number | null> {
  const [row] = await reads.query<{ total: number }>(countOf(LISTINGS[name]), [
    account,
    fromMs,
    COUNT_MAX + 1,
  ]);
  return row!.total > COUNT_MAX ? null : row!.total;
}

/**
 * One text for whatever bounds are given, so that the page of a Supabase project can ask it too (`questions.ts`); without
 * a bound the planner, who knows the values, leaves its condition out. Of one market there is another text, by an index of
 * its own: a market that is seldom traded would be looked for among all rows.
 */
export function readPage(reads: Queryable, name: ListingName, account: Address, page: Page): Promise<Row[]> {
  const { columns, table, time, hasCoin, where, raw, marketTimeMs, ofMarket }: Listing = LISTINGS[name];
  const params: unknown[] = [account, page.limit, page.beforeMs, page.fromMs];
  const ofOrder = page.orderId != null && columns.includes("order_id");
  const isOfMarket = page.coin != null && !ofOrder;
  const selected = `select ${columns}${page.withRaw && raw ? `, ${raw}::text as raw` : ""} from`;
  if (isOfMarket && ofMarket)
    return reads.query(`${selected} ${ofMarket} listed order by ${time} desc`, [...params, page.coin]);
  const marketTime = isOfMarket ? marketTimeMs : undefined;
  const conditions = ["account_address = $1", ...(marketTime ? boundsOfMs(marketTime) : boundsOf(time))];
  if (hasCoin) {
    params.push(page.coin ?? null);
    conditions.push(marketTime ? "coin = $5" : "($5::text is null or coin = $5)");
  }
  if (ofOrder) {
    params.push(page.orderId);
    conditions.push(`order_id = $${params.length}`);
  } else if (where) conditions.push(where);
  // An order's own are found by its number: in the order of an index by time all would be looked through for them.
  const order = ofOrder ? `${time} + interval '0'` : (marketTime ?? time);
  return reads.query(
    `${selected} ${table} listed where ${conditions.join(" and ")} order by ${order} desc fetch first $2 rows with ties`,
    params,
  );
}

const boundsOfMs = (column: string): string[] => [
  `${column} < coalesce($3::bigint, 9223372036854775807)`,
  `${column} >= coalesce($4::bigint, 0)`,
];

const boundsOf = (column: string): string[] => [
  `${column} < ${momentOf("$3", "infinity")}`,
  `${column} >= ${momentOf("$4", "-infinity")}`,
];

export const readOpenOrders = (reads: Queryable, account: Address): Promise<Row[]> =>
  reads.query(
    `select ${columnsWithName("orders")} from public.hl_orders listed
     where account_address = $1 and status in ${OPEN_STATUS_LIST}
     order by placed_at desc, order_id desc`,
    [account],
  );

/** Open positions, the largest first. */
export const readPositions = (reads: Queryable, account: Address): Promise<Row[]> =>
  reads.query(
    `select ${columnsWithName("positions")} from public.hl_positions listed
     where account_address = $1 and side <> 'flat' order by listed.position_value desc, dex, coin`,
    [account],
  );

export const readBalances = (reads: Queryable, account: Address): Promise<Row[]> =>
  reads.query(
    `select ${columnsWithName("balances")} from public.hl_balances listed
     where account_address = $1 order by listed.entry_notional desc, listed.total desc, coin`,
    [account],
  );

/** Facts of the account beside its money, each with the time of the answer; null without one. */
export async function readParticulars(reads: Queryable, account: Address): Promise<Row> {
  const list = (view: string, order: string) =>
    `(select coalesce(json_agg(row_to_json(x) order by ${order}), '[]')
      from public.${view}_text x where x.account_address = $1)`;
  const [row] = await reads.query(
    `select ${list("hl_vault_equities", "x.vault_address")} as vaults, ${list("hl_delegations", "x.validator")} as delegations,
       (select f.value from public.hl_account_facts f where f.account_address = $1 and f.fact = 'stake') as stake,
       (select coalesce(json_agg(row_to_json(x) order by x.valid_until_ms), '[]')
        from public.hl_api_wallets x where x.account_address = $1) as api_wallets,
       (select row_to_json(x) from public.hl_account_limits_text x where x.account_address = $1) as limits,
       (select trim_scale(sum(r.amount)) from public.hl_staking_rewards r where r.account_address = $1) as staking_rewards`,
    [account],
  );
  return row!;
}

/** A page asks for no more fills than this by itself: that takes tens of milliseconds. */
export const TRIP_FILLS = 1_000;
/** Nor for more than this when its reader wants more: half a second, and two of the history that the venue serves. */
export const TRIP_FILLS_MAX = 20_000;

/**
 * From `fromMs` on, or later where there are too many fills before `beforeMs` (now without it): then the answer covers a
 * part only.
 */
export async function tripsSince(
  reads: Queryable,
  account: Address,
  fromMs: number,
  beforeMs: number | null = null,
  fillsMax = TRIP_FILLS,
): Promise<{ sinceMs: number; isWhole: boolean }> {
  const [row] = await reads.query<{ ms: number }>(
    `select fill_time_ms as ms from public.hl_fills
     where account_address = $1 and fill_time >= pg_catalog.to_timestamp($2::bigint / 1000.0)
       and fill_time < coalesce(pg_catalog.to_timestamp($3::bigint / 1000.0), 'infinity')
     order by fill_time desc offset $4::bigint limit 1`,
    [account, fromMs, beforeMs, fillsMax],
  );
  return { sinceMs: row?.ms ?? fromMs, isWhole: row === undefined };
}

/**
 * Round trips, the youngest end first; those that are open before all. A page begins where the one before it was cut
 * (`since_ms`): a trip belongs to the page that its end is in, and is counted whole there, up to `TRIP_FILLS_MAX` fills of
 * it. A market has one at most that began before: its first.
 */
export async function readRoundTrips(
  reads: Queryable,
  account: Address,
  fromMs: number,
  beforeMs: number | null = null,
): Promise<{ rows: Row[]; sinceMs: number; isWhole: boolean }> {
  const { sinceMs, isWhole } = await tripsSince(reads, account, fromMs, beforeMs);
  const rows = await reads.query(
    `with told as materialized (
       select * from hl_internal.trips_told($1, null, array[pg_catalog.to_timestamp($2::bigint / 1000.0)],
         array[coalesce(pg_catalog.to_timestamp($3::bigint / 1000.0), 'infinity')]) t
       where $3::bigint is null or t.closed_ms is not null
     ),
     whole as materialized (
       select w.* from (
         select array_agg(t.coin) as markets, array_agg(coalesce(t.closed_ms - 1, 9223372036854775807)) as at_ms from told t
         where t.opened_ms is null and not $4::boolean
       ) cut
       cross join lateral hl_internal.trips_at($1, cut.markets, cut.at_ms, ${TRIP_FILLS_MAX}) w
     )
     select * from (
       select * from whole
       union all
       select * from told t where t.opened_ms is not null or not exists (select from whole w where w.coin = t.coin)
     ) t
     order by t.closed_ms desc nulls first, t.opened_ms desc, t.coin`,
    [account, sinceMs, beforeMs, isWhole],
  );
  return { rows, sinceMs, isWhole };
}

/** What an order went through, the newest first. */
export const readOrderEvents = (reads: Queryable, account: Address, orderId: number): Promise<Row[]> =>
  reads.query(
    `select venue_status, status, status_time_ms, remaining, source, public.hl_raw_event(hl_order_events)::text as raw from public.hl_order_events
     where account_address = $1 and order_id = $2 order by status_time_ms desc limit 100`,
    [account, orderId],
  );

/** The round trip that a market was in at a time, whether it is over or not; null where none began before. */
export async function readTrip(
  reads: Queryable,
  account: Address,
  coin: string,
  atMs: number,
): Promise<Row | null> {
  const [row] = await reads.query(
    "select * from hl_internal.trips_at($1, array[$2], array[$3::bigint], null)",
    [account, coin, atMs],
  );
  return row ?? null;
}

/**
 * From when on statistics of round trips are counted: the newest `fillsMax` fills that are not settled, and as many of the trades
 * that are, each a row to be read: a thousand take 30 ms, 20 000 half a second.
 */
export async function statisticsSince(
  reads: Queryable,
  account: Address,
  fromMs: number,
  fillsMax: number,
): Promise<{ sinceMs: number; isWhole: boolean }> {
  const [row] = await reads.query<{ ms: number | null }>(
    `select coalesce(
       (select f.fill_time_ms from public.hl_fills f
        where f.account_address = $1
          and f.fill_time >= greatest(pg_catalog.to_timestamp($2::bigint / 1000.0), hl_internal.settled_until($1))
        order by f.fill_time desc offset $3::bigint limit 1),
       (select t.closed_ms from (
          select s.closed_ms from hl_internal.settled_trades s
          where s.account_address = $1 and s.day >= (pg_catalog.to_timestamp($2::bigint / 1000.0) at time zone 'UTC')::date
          order by s.day desc, s.id desc offset $3::bigint limit 1
        ) t where t.closed_ms > $2::bigint)) as ms`,
    [account, fromMs, fillsMax],
  );
  return { sinceMs: row?.ms ?? fromMs, isWhole: row?.ms == null };
}

export const TRADE_GROUPS = ["all", "coin", "side", "weekday", "day", "week", "month"] as const;

/** What round trips come to, whole or by one of the groups. */
export const readTradeStatistics = (
  reads: Queryable,
  account: Address,
  by: (typeof TRADE_GROUPS)[number],
  sinceMs: number,
  zone = "UTC",
): Promise<Row[]> =>
  reads.query(
    `select s.*, trim_scale(round(s.closed_pnl / s.trades, 6)) as gross_expectancy, (select m.name from public.hl_markets m where s.by = 'coin' and m.coin = s.key) as name
     from hl_internal.trade_statistics($1, pg_catalog.to_timestamp($2::bigint / 1000.0), $3, $4) s order by s.key`,
    [account, sinceMs, by, zone],
  );

/** The venue's own curve, and how many of its points ours could be held against. */
export async function readPortfolio(
  reads: Queryable,
  account: Address,
  scope: "all" | "perp",
  fromMs: number,
  toMs: number,
): Promise<{ rows: Row[]; check: Row }> {
  const [rows, [check]] = await Promise.all([
    reads.query(
      `select time_ms, account_value, pnl, hl_internal.drawdown_pct(account_value, fallen) as drawdown_pct from (
         select p.*, max(p.pnl) over (order by p.time_ms rows unbounded preceding) - p.pnl as fallen
         from public.hl_portfolio p where p.account_address = $1 and p.scope = $2 and p.time_ms <= $4::bigint
       ) told
       where time_ms >= $3::bigint order by told.time_ms`,
      [account, scope, fromMs, toMs],
    ),
    reads.query(
      `select count(*) filter (where verdict = 'agrees') as agrees, count(*) filter (where verdict = 'differs') as differs,
         count(*) filter (where verdict is null) as unknown
       from public.hl_portfolio_check
       where account_address = $1 and scope = $2 and time_ms between $3::bigint and $4::bigint`,
      [account, scope, fromMs, toMs],
    ),
  ]);
  return { rows, check: check! };
}

/** What the venue lists or listed. */
export const readMarkets = (reads: Queryable): Promise<Row[]> =>
  reads.query(`select ${readersColumns("markets")} from public.hl_markets order by coin`);

const HOUR_MS = 3_600_000;

/** Written out where rows are chosen by it: of a subquery the planner takes a third of all rows, and compiles the plan. */
const DAY_START =
  "hl_internal.day_start(pg_catalog.date_trunc('day', pg_catalog.to_timestamp($2::bigint / 1000.0) at time zone $3), $3)";

/** Of the zone's day, trimmed decimals in USDC. */
interface DayMoney extends Row {
  day_fills: number;
  day_gross: string;
  day_fees: string;
  day_funding: string;
  day_net: string;
}

/**
 * The latest snapshot, exposure now, and the money of the zone's day that `nowMs` is in, whole and by coin: one statement,
 * so that whatever a page shows of today is of one reading. Cheap: asked once a second.
 */
export async function readOverview(
  reads: Queryable,
  account: Address,
  nowMs: number,
  zone = "UTC",
): Promise<DayMoney> {
  const [row] = await reads.query<DayMoney>(
    `with held as (
       select count(*) as positions, coalesce(sum(position_value), 0) as gross_exposure,
         coalesce(sum(case side when 'short' then -position_value else position_value end), 0) as net_exposure,
         coalesce(sum(unrealized_pnl), 0) as unrealized_pnl, min(as_of_ms) as positions_as_of_ms
       from public.hl_positions where account_address = $1 and side <> 'flat'
     ),
     traded as (
       select coin, count(*) as fills, sum(closed_pnl) as closed_pnl, sum(coalesce(fee_usdc, 0) + coalesce(gas_usdc, 0)) as fees,
         sum(value) as volume, count(*) filter (where cost_usdc is null) as unpriced_fees
       from public.hl_fill_pnl where account_address = $1 and fill_time >= ${DAY_START}
       group by coin
     ),
     paid as (
       select coin, sum(usdc) as funding
       from public.hl_funding where account_address = $1 and funding_time >= ${DAY_START}
       group by coin
     ),
     by_coin as (
       select coin, coalesce(fills, 0) as fills, coalesce(closed_pnl, 0) as closed_pnl, coalesce(fees, 0) as fees,
         coalesce(funding, 0) as funding, coalesce(volume, 0) as volume, coalesce(unpriced_fees, 0) as unpriced_fees
       from traded full join paid using (coin)
     ),
     today as (
       select coalesce(sum(fills), 0)::bigint as day_fills, trim_scale(coalesce(sum(closed_pnl), 0)) as day_gross,
         trim_scale(coalesce(sum(fees), 0)) as day_fees, trim_scale(coalesce(sum(funding), 0)) as day_funding,
         trim_scale(coalesce(sum(volume), 0)) as day_volume, coalesce(sum(unpriced_fees), 0)::bigint as day_unpriced_fees,
         trim_scale(coalesce(sum(closed_pnl) - sum(fees) + sum(funding), 0)) as day_net,
         coalesce(json_agg(json_build_object('coin', coin, 'fills', fills, 'volume', trim_scale(volume)::text,
           'closed_pnl', trim_scale(closed_pnl)::text, 'fees', trim_scale(fees)::text,
           'funding', trim_scale(funding)::text, 'net_pnl', trim_scale(closed_pnl - fees + funding)::text,
           'unpriced_fees', unpriced_fees) order by coin), '[]') as day_coins
       from by_coin
     )
     select n.as_of_ms, n.account_value, n.account_value_reason, n.net_worth, n.net_worth_reason, n.withdrawable, n.total_margin_used, n.maintenance_margin, n.actual_leverage,
       n.margin_usage_pct, n.free_margin, n.health_score, n.health_status, n.health_reason, n.account_mode,
       held.*, today.*, (extract(epoch from ${DAY_START}) * 1000)::bigint as day_start_ms
     from held cross join today
     left join public.hl_account_now n on n.account_address = $1`,
    [account, nowMs, zone],
  );
  return row!;
}

/**
 * Profit since the first snapshot with a net worth, the deepest drawdown since it, and the drawdown now from the peak of all
 * that is known, which may be of the venue's own curve before (`fallen_before`: how far below it measuring began). Null
 * before the first snapshot, and in it what a flow of unknown value leaves unknown. Reads two rows, whatever was measured.
 */
export async function readDrawdown(reads: Queryable, account: Address): Promise<Row | null> {
  const [row] = await reads.query(DRAWDOWN, [account]);
  return row ?? null;
}

/** Of a stretch `s`: what is summed since the first snapshot. */
const whenKnown = (columns: readonly string[]): string =>
  columns.map((column) => `case when s.is_known then s.${column} end as ${column}`).join(", ");

/** Of a stretch `s`: how far it is below the peak of what was measured, or of the venue's curve before it, which was `before` higher. */
const fallen = (before: string): string =>
  `trim_scale(greatest(s.drawdown, ${before} - s.profit)) as drawdown,
   greatest(s.drawdown_pct, case when ${before} > s.profit
     then hl_internal.drawdown_pct(s.close_value, ${before} - s.profit) end) as drawdown_pct`;

export const DRAWDOWN = `select s.last_ms as drawdown_as_of_ms, ${whenKnown(["profit", "net_flows"])},
    case when s.is_known then d.drawdown end as drawdown, case when s.is_known then d.drawdown_pct end as drawdown_pct,
    case when s.is_known then s.deepest end as max_drawdown, case when s.is_known then s.deepest_pct end as max_drawdown_pct,
    b.first_ms as captured_since_ms, b.fallen as fallen_before
  from (select * from hl_internal.equity_stretches x where x.account_address = $1 order by x.first_ms desc limit 1) s
  cross join (select f.first_ms, hl_internal.fallen_before($1, f.first_ms) as fallen
    from hl_internal.equity_stretches f where f.account_address = $1 order by f.first_ms limit 1) b
  cross join lateral (select ${fallen("b.fallen")}) d`;

/**
 * Net worth over time in at most `points` equal parts of the span, oldest first: the last snapshot of each; of parts longer
 * than an hour the last one of the last stretch that begins in it. Reads a row per point, and for short parts the
 * snapshots of the point's hour before it, however long the history is. `fallenBefore`: of `readDrawdown`.
 */
export function readEquity(
  reads: Queryable,
  account: Address,
  fromMs: number,
  toMs: number,
  points: number,
  fallenBefore: string | null = null,
): Promise<Row[]> {
  const partMs = Math.max(1, Math.ceil((toMs - fromMs + 1) / points));
  return reads.query(partMs >= HOUR_MS ? EQUITY_OF_STRETCHES : EQUITY_OF_SNAPSHOTS, [
    account,
    fromMs,
    toMs,
    partMs,
    fallenBefore,
  ]);
}

const PARTS = `select at_ms as from_ms, least(at_ms + $4::bigint, $3::bigint + 1) as to_ms
  from generate_series($2::bigint, $3::bigint, $4::bigint) at_ms`;

export const EQUITY_OF_STRETCHES = `select s.last_ms as as_of_ms, s.close_value as net_worth,
    s.close_account_value as account_value, s.close_unrealized_pnl as unrealized_pnl,
    ${whenKnown(["net_flows", "profit"])},
    case when s.is_known then d.drawdown end as drawdown, case when s.is_known then d.drawdown_pct end as drawdown_pct
  from (${PARTS}) part
  cross join lateral (
    select * from hl_internal.equity_stretches x
    where x.account_address = $1 and x.first_ms >= part.from_ms and x.first_ms < part.to_ms
    order by x.first_ms desc limit 1
  ) s
  cross join lateral (select ${fallen("$5::numeric")}) d
  where s.last_ms <= $3 order by s.last_ms`;

/** Within a stretch net worth and profit differ by what they differ by at its end. */
export const EQUITY_OF_SNAPSHOTS = `select d.as_of_ms, d.net_worth, d.account_value, d.total_unrealized_pnl as unrealized_pnl,
    case when s.is_known then s.net_flows end as net_flows, case when s.is_known then trim_scale(p.profit) end as profit,
    case when s.is_known then trim_scale(p.drawdown) end as drawdown,
    case when s.is_known then hl_internal.drawdown_pct(d.net_worth, p.drawdown) end as drawdown_pct
  from (${PARTS}) part
  cross join lateral (
    select x.as_of, x.as_of_ms, x.net_worth, x.account_value, x.total_unrealized_pnl from public.hl_dashboard x
    where x.account_address = $1 and x.as_of >= pg_catalog.to_timestamp(part.from_ms / 1000.0)
      and x.as_of < pg_catalog.to_timestamp(part.to_ms / 1000.0) and x.net_worth is not null
    order by x.as_of desc limit 1
  ) d
  cross join lateral (
    select * from hl_internal.equity_stretches x
    where x.account_address = $1 and x.first_ms <= d.as_of_ms order by x.first_ms desc limit 1
  ) s
  cross join lateral (
    select max(x.net_worth) as highest from public.hl_dashboard x
    where x.account_address = $1 and x.as_of >= pg_catalog.to_timestamp(s.first_ms / 1000.0) and x.as_of <= d.as_of
  ) h
  cross join lateral (
    select d.net_worth - s.close_value + s.profit as profit,
      greatest(h.highest, greatest(s.peak_before, $5::numeric) + s.close_value - s.profit) - d.net_worth as drawdown
  ) p
  order by d.as_of_ms`;

/** What crossed the border of the account, the newest thousand, oldest first; null where its value is not known. */
export const readFlows = (reads: Queryable, account: Address, fromMs: number, toMs: number): Promise<Row[]> =>
  reads.query(
    `select * from (
       select ledger_time_ms, type, flow, usdc, perp_usdc from public.hl_flows
       where account_address = $1 and ledger_time_ms between $2 and $3 and flow is distinct from 0
       order by ledger_time_ms desc limit 1000
     ) newest order by ledger_time_ms`,
    [account, fromMs, toMs],
  );

const PNL_SUMS = `sum(fills)::bigint as fills, trim_scale(sum(volume)) as volume, trim_scale(sum(closed_pnl)) as closed_pnl,
  trim_scale(sum(fees)) as fees, trim_scale(sum(funding)) as funding,
  trim_scale(sum(closed_pnl) - sum(fees) + sum(funding)) as net_pnl,
  sum(unpriced_fees)::bigint as unpriced_fees`;

export type PnlBy = "day" | "coin";

/** closed_pnl − fees + funding = net_pnl, by UTC day (`2026-10-05`) or by coin, both days inclusive. */
export const readPnl = (
  reads: Queryable,
  account: Address,
  by: PnlBy,
  fromDay: string,
  toDay: string,
): Promise<Row[]> =>
  reads.query(
    `select ${by === "day" ? "to_char(day, 'YYYY-MM-DD') as day" : "coin"}, ${PNL_SUMS}
     from public.hl_net_pnl_daily_by_coin
     where account_address = $1 and day between $2::date and $3::date group by ${by} order by 1`,
    [account, fromDay, toDay],
  );

/** Fills that are summed anew while their sums are not kept yet. */
const ZONE_FILLS_MAX = 100_000;

/**
 * The same by the days of another zone, as far back as there are not too many fills: from `sinceMs` on, null when all of it.
 */
export async function readPnlOfZone(
  reads: Queryable,
  account: Address,
  { by, fromMs, toMs, zone }: { by: PnlBy; fromMs: number; toMs: number; zone: string },
): Promise<{ rows: Row[]; sinceMs: number | null }> {
  const [bounds] = await reads.query<{ first_ms: number | null; since_ms: number | null }>(
    `select (select least(
         (select fill_time_ms from public.hl_fills where account_address = $1 order by fill_time limit 1),
         (select funding_time_ms from public.hl_funding where account_address = $1 order by funding_time limit 1))) as first_ms,
       (select fill_time_ms from public.hl_fills where account_address = $1
          and fill_time >= hl_internal.settled_until($1)
        order by fill_time desc offset ${ZONE_FILLS_MAX} limit 1) as since_ms`,
    [account],
  );
  const { first_ms: firstMs, since_ms: sinceMs } = bounds!;
  if (firstMs === null) return { rows: [], sinceMs: null };
  const day = (parameter: string) =>
    `pg_catalog.date_trunc('day', pg_catalog.to_timestamp(${parameter}::bigint / 1000.0) at time zone $4)`;
  const rows = await reads.query(
    by === "day"
      ? `select to_char(d.day, 'YYYY-MM-DD') as day, ${PNL_SUMS}
         from hl_internal.zone_days($1, $4, ${day("$2")}, ${day("$3")}) d group by 1 order by 1`
      : `select c.coin, ${PNL_SUMS}
         from hl_internal.zone_coins($1, hl_internal.day_start(${day("$2")}, $4),
           hl_internal.day_start(${day("$3")} + interval '1 day', $4)) c
         group by 1 order by 1`,
    [account, Math.max(fromMs, firstMs, sinceMs ?? 0), toMs, zone],
  );
  return { rows, sinceMs: sinceMs !== null && sinceMs > fromMs ? sinceMs : null };
}

/** `history`: ratios and drawdown of the whole known history, the venue's own curve before the first snapshot inside. */
export async function readStatistics(reads: Queryable, account: Address): Promise<Row | null> {
  const [[row], [history]] = await Promise.all([
    reads.query(`select * from public.hl_statistics where account_address = $1`, [account]),
    reads.query(`select * from public.hl_history_statistics where account_address = $1`, [account]),
  ]);
  return row ? { ...row, history: history ?? null } : null;
}

export const readCoverage = (reads: Queryable, account: Address): Promise<Row[]> =>
  reads.query(
    `select stream, grade, reason, from_ms, to_ms from public.hl_coverage
     where account_address = $1 order by stream, grade, from_ms`,
    [account],
  );

export const readDrift = (reads: Queryable, account: Address, page: Page): Promise<Row[]> =>
  reads.query(
    `select account_address, stream, cause, detail, found_at_ms, repaired_at_ms from hl_internal.drift
     where account_address = $1 and found_at_ms < coalesce($3::bigint, 9223372036854775807)
       and found_at_ms >= coalesce($4::bigint, 0)
     order by found_at_ms desc fetch first $2 rows with ties`,
    [account, page.limit, page.beforeMs, page.fromMs],
  );

/** Per minute and hop, processes together: the slowest counts. */
export const readLatency = (reads: Queryable, fromMs: number): Promise<Row[]> =>
  reads.query(
    `select minute_ms, hop, sum(samples)::bigint as samples, max(p50_ms) as p50_ms, max(p90_ms) as p90_ms,
       max(p99_ms) as p99_ms, max(max_ms) as max_ms
     from hl_internal.latency_minutes where minute_ms >= $1 group by minute_ms, hop order by minute_ms, hop`,
    [fromMs],
  );

export const readAccounts = (reads: Queryable): Promise<Row[]> =>
  reads.query(
    `select account_address, alias, since_ms, mode from hl_internal.accounts order by created_at, account_address`,
  );

export const readDeliveries = (reads: Queryable, page: Page): Promise<Row[]> =>
  reads.query(
    `select endpoint_id, webhook_id, outbox_id, account_address, type, event_time_ms, status, attempts, status_code,
       error, first_attempt_ms, last_attempt_ms, duration_ms
     from hl_internal.webhook_deliveries
     where last_attempt_ms < coalesce($2::bigint, 9223372036854775807) and last_attempt_ms >= coalesce($3::bigint, 0)
     order by last_attempt_ms desc fetch first $1 rows with ties`,
    [page.limit, page.beforeMs, page.fromMs],
  );

/** How many alerts fire, of all accounts that the reader may read. */
export async function countFiring(reads: Queryable): Promise<number> {
  const [row] = await reads.query<{ firing: number }>(
    "select count(*) as firing from public.hl_alerts where state = 'firing'",
    [],
  );
  return row!.firing;
}

/** Alerts of the account and those of hlsync itself, the newest change first. */
export const readAlerts = (reads: Queryable, account: Address, page: Page): Promise<Row[]> =>
  reads.query(
    `select id, key, rule, account_address, coin, subject, state, severity, message, value, threshold, started_ms,
       fired_ms, resolved_ms, updated_ms
     from (
       select *, ${epochMs("started_at")} as started_ms, ${epochMs("fired_at")} as fired_ms,
         ${epochMs("resolved_at")} as resolved_ms, ${epochMs("updated_at")} as updated_ms
       from public.hl_alerts where account_address = $1 or account_address is null
     ) a
     where updated_ms < coalesce($3::bigint, 9223372036854775807) and updated_ms >= coalesce($4::bigint, 0)
     order by updated_ms desc fetch first $2 rows with ties`,
    [account, page.limit, page.beforeMs, page.fromMs],
  );
