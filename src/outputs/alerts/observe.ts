/**
 * What conditions are judged by, read from the database: one observation per rule, account and subject. Guarantees:
 * a value comes with the time it was true, so that the rule can refuse a stale one; what is not known makes no
 * observation.
 */
import { OPEN_STATUS_LIST } from "../../store/columns.ts";
import type { Queryable, Row } from "../../store/database.ts";
import type { Address } from "../../sync/rows.ts";
import { word } from "../words.ts";
import type { Observation } from "./machine.ts";
import type {
  AccountFacts,
  DayFacts,
  DriftFacts,
  Facts,
  GapFacts,
  LimitFacts,
  PositionFacts,
  PriceFacts,
  WalletFacts,
} from "./rules/facts.ts";
import { GAP_AGE_MS } from "./rules/gap.ts";
import { conditionsOf, type RuleName } from "./rules/index.ts";
import { type PriceWatch, priceRule, subjectOf } from "./rules/price.ts";
import type { ConditionModule } from "./rules/spec.ts";

/** What was seen, and the words for it. */
export interface Seen extends Observation {
  rule: RuleName;
  account: Address | null;
  coin: string | null;
  subject: string | null;
  words: string;
  detail: string;
}

/** What all conditions of a kind make of these facts. */
export const seenOf = <Kind extends keyof Facts>(kind: Kind, facts: readonly Facts[Kind][]): Seen[] =>
  conditionsOf(kind).flatMap(([rule, module]) => facts.flatMap((one) => seenBy(rule, module, one)));

export function seenBy<Kind extends keyof Facts>(
  rule: RuleName,
  module: ConditionModule<Kind>,
  facts: Facts[Kind],
): Seen[] {
  const sight = module.see(facts);
  if (sight === null) return [];
  const { account, coin, subject, atMs } = facts;
  const said = module.words(facts, sight);
  const [words, detail] = typeof said === "string" ? [said, ""] : said;
  return [{ rule, account, coin, subject, atMs, ...sight, words, detail }];
}

interface Observed {
  seen: Seen[];
  equity: Map<Address, string>;
  heard: Map<Address, Heard>;
  /** Of positions, also of those of which nothing else is known. */
  isOpen(account: Address, coin: string): boolean;
}

/** The venue's time is `offsetMs` ahead of ours. */
const byOurClock =
  (offsetMs: number) =>
  (seen: Seen): Seen => ({ ...seen, atMs: seen.atMs - offsetMs });

/** Fast ones: positions, the newest snapshot of each account, and prices. */
export async function observeAccounts(
  db: Queryable,
  prices: readonly PriceWatch[],
  accounts: readonly Address[],
  offsetMs = 0,
): Promise<Observed> {
  const [positions, snapshots, heard, priced] = await Promise.all([
    readPositions(db, accounts),
    readSnapshots(db, accounts),
    readHeard(db, accounts),
    readPrices(db, prices),
  ]);
  const seen = [
    ...seenOf("position", positions),
    ...seenOf("account", snapshots),
    ...prices.flatMap((watch) => {
      // Several markets may have one name: an alert is of one of them.
      const price =
        priced.find(({ coin }) => coin === watch.coin) ?? priced.find(({ name }) => name === watch.coin);
      // The alert is of the market as the user named it, whatever the venue calls it.
      const named = price && { ...price, coin: watch.coin, subject: subjectOf(watch) };
      return named ? seenBy("price", priceRule(watch), named) : [];
    }),
  ].map(byOurClock(offsetMs));
  const equity = new Map(
    snapshots.flatMap(({ account, accountValue }) =>
      accountValue === null ? [] : [[account, accountValue] as const],
    ),
  );
  return {
    seen,
    equity,
    heard: new Map(heard.map((one) => [one.account, one])),
    isOpen: (account, coin) => positions.some((one) => one.account === account && one.coin === coin),
  };
}

/** Slow ones: what hlsync knows of itself, and the day's result. */
export async function observeSlowly(
  db: Queryable,
  accounts: readonly Address[],
  nowMs: number,
  offsetMs = 0,
): Promise<Seen[]> {
  const [drifts, gaps, days, wallets, limits] = await Promise.all([
    readDrifts(db, accounts, nowMs),
    readGaps(db, accounts, nowMs),
    readDays(db, accounts, nowMs),
    readWallets(db, accounts, nowMs),
    readLimits(db, accounts),
  ]);
  return [
    ...seenOf("drift", drifts),
    ...seenOf("gap", gaps),
    ...seenOf("day", days).map(byOurClock(offsetMs)),
    ...seenOf("wallet", wallets),
    ...seenOf("limits", limits),
  ];
}

/** When the newest states of an account were read, and how often it is polled; null while it is streamed. */
export interface Heard extends Record<string, unknown> {
  account: Address;
  atMs: number | null;
  pollMs: number | null;
}

const readHeard = (db: Queryable, accounts: readonly Address[]): Promise<Heard[]> =>
  db.query<Heard>(
    `select a as account, (extract(epoch from f.heard_at) * 1000)::bigint as "atMs", f.poll_ms as "pollMs"
     from unnest($1::text[]) as a cross join lateral hl_internal.freshness(a) f`,
    [accounts],
  );

async function readPositions(db: Queryable, accounts: readonly Address[]): Promise<PositionFacts[]> {
  const rows = await db.query<PositionFacts & Row>(
    `select p.account_address as account, p.coin, p.side, p.mark_price as "markPrice",
       p.liquidation_price as "liquidationPrice", p.position_value as "positionValue",
       p.liquidation_distance_pct as "distancePct", p.max_leverage as "maxLeverage", p.as_of_ms as "atMs",
       exists (
         select from public.hl_orders o
         where o.account_address = p.account_address and o.coin = p.coin
           and o.status in ${OPEN_STATUS_LIST} and o.trigger_price is not null and o.order_type like 'Stop%'
           and o.reduce_only and o.side = case p.side when 'long' then 'sell' else 'buy' end
       ) as "hasStop",
       (select c ->> 'volatility' from jsonb_array_elements(d.health_components -> 'positions') c
        where c ->> 'coin' = p.coin limit 1) as volatility,
       d.account_value as equity
     from public.hl_positions p
     left join lateral (
       select s.health_components, s.account_value from public.hl_dashboard s
       where s.account_address = p.account_address order by s.as_of desc limit 1
     ) d on true
     where p.account_address = any ($1::text[]) and p.side <> 'flat'`,
    [accounts],
  );
  return rows.map((row) => ({ ...row, coin: word(row.coin), subject: null }));
}

const readSnapshots = (db: Queryable, accounts: readonly Address[]): Promise<AccountFacts[]> =>
  db.query<AccountFacts & Row>(
    `select d.account_address as account, null as coin, null as subject, d.as_of_ms as "atMs",
       d.account_value as "accountValue", d.net_worth as "netWorth", d.liquidation_buffer_pct as "bufferPct",
       d.total_positions as positions, d.actual_leverage as leverage, d.health_score as score,
       d.health_reason as reason, d.health_components as components
     from unnest($1::text[]) as a
     cross join lateral (
       select * from public.hl_dashboard s where s.account_address = a order by s.as_of desc limit 1
     ) d`,
    [accounts],
  );

/** Those of the coins, and of markets that are called so. */
const MEANT =
  "array(select unnest($1::text[]) union select m.coin from public.hl_markets m where m.name = any ($1::text[]))";

async function readPrices(db: Queryable, prices: readonly PriceWatch[]): Promise<PriceFacts[]> {
  if (prices.length === 0) return [];
  return db.query<PriceFacts & Row>(
    `select distinct on (coin) null as account, null as subject, coin, price, as_of_ms as "atMs",
       (select m.name from public.hl_markets m where m.coin = x.coin) as name from (
       select coin, mark_price as price, as_of_ms from public.hl_positions
       where coin = any (${MEANT}) and mark_price is not null
       union all
       (select coin, mid, as_of_ms from public.hl_mids where coin = any (${MEANT}) order by as_of_ms desc limit 100)
     ) x order by coin, as_of_ms desc`,
    [prices.map(({ coin }) => coin)],
  );
}

const readDrifts = (db: Queryable, accounts: readonly Address[], nowMs: number): Promise<DriftFacts[]> =>
  db.query<DriftFacts & Row>(
    `select a as account, null as coin, null as subject, $2::bigint as "atMs",
       count(d.id) filter (where d.found_at_ms > $2::bigint - 86400000) as found,
       count(d.id) filter (where d.found_at_ms <= $2::bigint - 86400000) as older,
       string_agg(distinct d.stream, ', ') filter (where d.found_at_ms > $2::bigint - 86400000) as streams
     from unnest($1::text[]) as a
     left join hl_internal.drift d on d.account_address = a and d.repaired_at_ms is null
     group by a`,
    [accounts, nowMs],
  );

const readGaps = (db: Queryable, accounts: readonly Address[], nowMs: number): Promise<GapFacts[]> =>
  db.query<GapFacts & Row>(
    `select a as account, null as coin, s.stream as subject, $3::bigint as "atMs", $3::bigint as "nowMs",
       coalesce(sum(g.to_ms - g.from_ms + 1), 0)::bigint as "missingMs", min(g.from_ms) as "fromMs"
     from unnest($1::text[]) as a
     cross join unnest(array['fills', 'twapFills', 'orders', 'funding', 'ledger']) as s(stream)
     left join public.hl_gaps g
       on g.account_address = a and g.stream = s.stream and g.kind = 'missing' and g.from_ms < $2
     group by a, s.stream`,
    [accounts, nowMs - GAP_AGE_MS, nowMs],
  );

/** Of an account whose wallets were told. */
const readWallets = (db: Queryable, accounts: readonly Address[], nowMs: number): Promise<WalletFacts[]> =>
  db.query<WalletFacts & Row>(
    `select a as account, null as coin, null as subject, f.as_of_ms as "atMs", w.name, w.wallet_address as address,
       w.valid_until_ms as "untilMs", $2::bigint as "nowMs"
     from unnest($1::text[]) as a
     cross join lateral (
       select min(x.as_of_ms) as as_of_ms from public.hl_account_facts x
       where x.account_address = a and x.fact = 'agents'
     ) f
     left join lateral (
       select * from public.hl_api_wallets x where x.account_address = a and x.valid_until is not null
       order by x.valid_until_ms, x.wallet_address limit 1
     ) w on true
     where f.as_of_ms is not null`,
    [accounts, nowMs],
  );

const readLimits = (db: Queryable, accounts: readonly Address[]): Promise<LimitFacts[]> =>
  db.query<LimitFacts & Row>(
    `select account_address as account, null as coin, null as subject,
       (extract(epoch from requests_as_of) * 1000)::bigint as "atMs", requests_left as left, requests_cap as cap
     from public.hl_account_limits where account_address = any ($1::text[]) and requests_as_of is not null`,
    [accounts],
  );

const DAY_MS = 86_400_000;

const readDays = (db: Queryable, accounts: readonly Address[], nowMs: number): Promise<DayFacts[]> =>
  db.query<DayFacts & Row>(
    `select a as account, null as coin, null as subject, c.as_of_ms as "atMs", o.net_worth as "openValue",
       c.net_worth as "closeValue", (
         select case when bool_and(l.flow_usd is not null) is not false then coalesce(sum(l.flow_usd), 0) end
         from public.hl_ledger l
         where l.account_address = a and l.ledger_time_ms > o.as_of_ms and l.ledger_time_ms <= c.as_of_ms
       ) as flow
     from unnest($1::text[]) as a
     cross join lateral (
       select * from public.hl_dashboard d
       where d.account_address = a and d.net_worth is not null order by d.as_of desc limit 1
     ) c
     cross join lateral (
       select * from (
         (select d.as_of_ms, d.net_worth from public.hl_dashboard d
          where d.account_address = a and d.as_of <= pg_catalog.to_timestamp($2::bigint / 1000.0) and d.net_worth is not null
            -- What was lost while hlsync was away for days was not lost today.
            and d.as_of > pg_catalog.to_timestamp($2::bigint / 1000.0) - interval '1 hour'
          order by d.as_of desc limit 1)
         union all
         (select d.as_of_ms, d.net_worth from public.hl_dashboard d
          where d.account_address = a and d.as_of > pg_catalog.to_timestamp($2::bigint / 1000.0) and d.net_worth is not null
          order by d.as_of limit 1)
       ) x order by as_of_ms limit 1
     ) o
     where c.as_of_ms >= $2`,
    [accounts, nowMs - (nowMs % DAY_MS)],
  );
