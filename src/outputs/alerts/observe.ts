/**
 * What conditions are judged by, read from the database: one observation per rule, account and subject. Guarantees:
 * a value comes with the time it was true, so that the rule can refuse a stale one; what is not known makes no
 * observation; a position that is closed is observed as having nothing wrong with it.
 */

import type { Queryable } from "../../store/database.ts";
import type { Address } from "../../sync/events.ts";
import { age, duration, plainDecimal, plainNumber, word } from "../words.ts";
import type { Observation } from "./machine.ts";
import type { RuleSet } from "./rules.ts";

/** What was seen, and the words for it. */
export interface Seen extends Observation {
  rule: string;
  account: Address | null;
  coin: string | null;
  subject: string | null;
  /** What and how much: `BTC long 3.9 % from liquidation`. Severity, threshold and age come around it. */
  words: string;
  /** More, after the age-less part: `Mark 61204, liq 58817.` */
  detail: string;
}

interface PositionSeen extends Record<string, unknown> {
  account: Address;
  coin: string;
  side: string;
  markPrice: string | null;
  liquidationPrice: string | null;
  positionValue: string;
  distancePct: string | null;
  maxLeverage: number | null;
  asOfMs: number;
  hasStop: boolean;
  volatility: string | null;
  equity: string | null;
}

interface AccountSeen extends Record<string, unknown> {
  account: Address;
  asOfMs: number;
  accountValue: string | null;
  /** All that the account owns. */
  netWorth: string | null;
  bufferPct: string | null;
  positions: number;
  leverage: string | null;
  score: number | null;
  reason: string | null;
  components: {
    drawdown?: string;
    limiting?: string;
    pools?: { pool: string; ratio: string; threshold: string }[];
  } | null;
}

/** Fast ones: positions and the newest snapshot of each account. */
export async function observeAccounts(
  db: Queryable,
  rules: RuleSet,
  accounts: readonly Address[],
): Promise<{ seen: Seen[]; equity: Map<Address, string>; heard: Map<Address, Heard> }> {
  const [positions, snapshots, heard] = await Promise.all([
    readPositions(db, accounts),
    readSnapshots(db, accounts),
    readHeard(db, accounts),
  ]);
  const seen = [
    ...positions.flatMap((position) => seenOfPosition(position)),
    ...snapshots.flatMap((snapshot) => seenOfAccount(snapshot)),
    ...(await observePrices(db, rules)),
  ];
  const equity = new Map(
    snapshots.flatMap(({ account, accountValue }) =>
      accountValue === null ? [] : [[account, accountValue]],
    ),
  );
  return { seen, equity, heard: new Map(heard.map((one) => [one.account, one])) };
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

const readPositions = (db: Queryable, accounts: readonly Address[]): Promise<PositionSeen[]> =>
  db.query<PositionSeen>(
    `select p.account_address as account, p.coin, p.side, p.mark_price as "markPrice",
       p.liquidation_price as "liquidationPrice", p.position_value as "positionValue",
       p.liquidation_distance_pct as "distancePct", p.max_leverage as "maxLeverage", p.as_of_ms as "asOfMs",
       exists (
         select from public.hl_orders o
         where o.account_address = p.account_address and o.coin = p.coin
           and o.status in ('open', 'partially_filled', 'triggered') and o.trigger_price is not null
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

const readSnapshots = (db: Queryable, accounts: readonly Address[]): Promise<AccountSeen[]> =>
  db.query<AccountSeen>(
    `select d.account_address as account, d.as_of_ms as "asOfMs", d.account_value as "accountValue",
       d.net_worth as "netWorth", d.liquidation_buffer_pct as "bufferPct", d.total_positions as positions,
       d.actual_leverage as leverage, d.health_score as score,
       d.health_reason as reason, d.health_components as components
     from unnest($1::text[]) as a
     cross join lateral (
       select * from public.hl_dashboard s where s.account_address = a order by s.as_of desc limit 1
     ) d`,
    [accounts],
  );

function seenOfPosition(position: PositionSeen): Seen[] {
  const { account, coin, side, asOfMs: atMs } = position;
  const about = { account, coin: word(coin), subject: null, atMs };
  const name = `${about.coin} ${side}`;
  const seen: Seen[] = [
    {
      ...about,
      rule: "stop_missing",
      value: position.hasStop ? 0 : 1,
      words: `${name} of ${plainDecimal(position.positionValue, 2)} USD has ${position.hasStop ? "a" : "no"} stop order`,
      detail: "",
    },
  ];
  const equity = Number(position.equity);
  if (equity > 0) {
    const value = (100 * Number(position.positionValue)) / equity;
    seen.push({
      ...about,
      rule: "exposure",
      value,
      words: `${name} is ${plainNumber(value, 0)} % of equity`,
      detail: `Value ${plainDecimal(position.positionValue, 2)} USD, equity ${plainDecimal(position.equity, 2)}.`,
    });
  }
  seen.push({ ...about, ...seenDistance(position, name) });
  return seen;
}

/** A coin moves by about 1 ÷ its maximum leverage a day, where no candles say better. */
function dailyMovePct({ volatility, maxLeverage }: PositionSeen): number | undefined {
  const known = volatility === null ? Number.NaN : Number(volatility);
  if (known > 0) return 100 * known;
  return maxLeverage === null ? undefined : 100 / maxLeverage;
}

function seenDistance(
  position: PositionSeen,
  name: string,
): Omit<Seen, "account" | "coin" | "subject" | "atMs"> {
  const rule = "liquidation_distance";
  if (position.distancePct === null)
    return { rule, value: null, words: `${name} has no liquidation price`, detail: "" };
  const value = Number(position.distancePct);
  const move = dailyMovePct(position);
  const moves = move === undefined ? "" : ` (${plainNumber(value / move, 1)} daily moves)`;
  return {
    rule,
    value,
    ...(move === undefined ? {} : { dailyMovePct: move }),
    words: `${name} ${plainNumber(value, 1)} % from liquidation${moves}`,
    detail: `Mark ${plainDecimal(position.markPrice)}, liq ${plainDecimal(position.liquidationPrice)}.`,
  };
}

const equityWords = ({ accountValue }: AccountSeen): string =>
  accountValue === null ? "" : `Equity ${plainDecimal(accountValue, 2)} USD.`;

function seenOfAccount(snapshot: AccountSeen): Seen[] {
  const { account, asOfMs: atMs, components, score, reason, leverage } = snapshot;
  const about = { account, coin: null, subject: null, atMs };
  const seen: Seen[] = [];
  const margin = marginRatio(snapshot);
  if (margin !== null) {
    const words = `margin ratio ${plainNumber(margin.pct, 1)} %${margin.pool}`;
    seen.push({ ...about, rule: "margin_ratio", value: margin.pct, words, detail: equityWords(snapshot) });
  } else if (snapshot.positions === 0) {
    // Nothing is left of the equity either: there is no ratio, and nothing that could be liquidated.
    seen.push({ ...about, rule: "margin_ratio", value: null, words: "no position is open", detail: "" });
  }
  if (score !== null) {
    seen.push({
      ...about,
      rule: "health_score",
      value: score,
      words: `health ${score} of 100`,
      detail: reason === null ? "" : `${word(reason)}.`,
    });
  }
  if (components?.drawdown !== undefined && components.limiting !== "unknown") {
    const value = 100 * Number(components.drawdown);
    seen.push({
      ...about,
      rule: "drawdown",
      value,
      words: `net worth is ${plainNumber(value, 1)} % below its peak`,
      detail: snapshot.netWorth === null ? "" : `Net worth ${plainDecimal(snapshot.netWorth, 2)} USD.`,
    });
  }
  seen.push({
    ...about,
    rule: "leverage",
    value: leverage === null ? null : Number(leverage),
    words: leverage === null ? "leverage is not defined" : `leverage ${plainDecimal(leverage, 1)}×`,
    detail: equityWords(snapshot),
  });
  return seen;
}

/** Of the worst pool, in % of the venue's threshold; without pools, of the whole account. */
function marginRatio({ components, bufferPct }: AccountSeen): { pct: number; pool: string } | null {
  let worst: { pct: number; pool: string } | null = null;
  for (const { pool, ratio, threshold } of components?.pools ?? []) {
    const pct =
      ratio === "infinite" ? Number.POSITIVE_INFINITY : (100 * Number(ratio)) / (Number(threshold) || 1);
    if (worst === null || pct > worst.pct) worst = { pct: Math.min(pct, 1_000), pool: ` (${word(pool)})` };
  }
  if (worst !== null) return worst;
  return bufferPct === null ? null : { pct: 100 - Number(bufferPct), pool: "" };
}

/** Clears when the price is this share back on the other side. */
export const PRICE_BAND = 0.005;

async function observePrices(db: Queryable, { prices }: RuleSet): Promise<Seen[]> {
  if (prices.length === 0) return [];
  const rows = await db.query<{ coin: string; price: string; asOfMs: number } & Record<string, unknown>>(
    `select distinct on (coin) coin, price, as_of_ms as "asOfMs" from (
       select coin, mark_price as price, as_of_ms from public.hl_positions
       where coin = any ($1::text[]) and mark_price is not null
       union all
       (select coin, mid, as_of_ms from public.hl_mids where coin = any ($1::text[]) order by as_of_ms desc limit 100)
     ) x order by coin, as_of_ms desc`,
    [prices.map(({ coin }) => coin)],
  );
  return prices.flatMap((watch) => {
    const row = rows.find(({ coin }) => coin === watch.coin);
    if (row === undefined) return [];
    return [
      {
        rule: "price",
        account: null,
        coin: watch.coin,
        subject: `${watch.direction} ${watch.price}`,
        value: Number(row.price),
        atMs: row.asOfMs,
        words: `${watch.coin} at ${plainDecimal(row.price)}`,
        detail: "",
      },
    ];
  });
}

/** A gap this young is still being closed: history is proven up to the last reading. */
const GAP_AGE_MS = 900_000;

/** Slow ones: what hlsync knows of itself, and the day's result. */
export async function observeSlowly(
  db: Queryable,
  accounts: readonly Address[],
  nowMs: number,
): Promise<Seen[]> {
  const [drift, gaps, days] = await Promise.all([
    db.query<{ account: Address; found: number; older: number; streams: string | null }>(
      `select a as account, count(d.id) filter (where d.found_at_ms > $2::bigint - 86400000) as found,
         count(d.id) filter (where d.found_at_ms <= $2::bigint - 86400000) as older,
         string_agg(distinct d.stream, ', ') filter (where d.found_at_ms > $2::bigint - 86400000) as streams
       from unnest($1::text[]) as a
       left join hl_internal.drift d on d.account_address = a and d.repaired_at_ms is null
       group by a`,
      [accounts, nowMs],
    ),
    db.query<{ account: Address; stream: string; missingMs: number; fromMs: number | null }>(
      `select a as account, s.stream, coalesce(sum(g.to_ms - g.from_ms + 1), 0)::bigint as "missingMs",
         min(g.from_ms) as "fromMs"
       from unnest($1::text[]) as a
       cross join unnest(array['fills', 'twapFills', 'orders', 'funding', 'ledger']) as s(stream)
       left join public.hl_gaps g
         on g.account_address = a and g.stream = s.stream and g.kind = 'missing' and g.from_ms < $2
       group by a, s.stream`,
      [accounts, nowMs - GAP_AGE_MS],
    ),
    readDay(db, accounts, nowMs),
  ]);
  const about = { coin: null, atMs: nowMs, detail: "" };
  return [
    ...drift.map(({ account, found, older, streams }) => ({
      ...{ ...about, account, rule: "drift", subject: null, value: found },
      words:
        found > 0
          ? `${found} differences to the venue are not repaired (${streams})`
          : older > 0
            ? `no new difference to the venue, but ${older} of more than a day ago not repaired`
            : "no difference to the venue",
    })),
    ...gaps.map(({ account, stream, missingMs, fromMs }) => ({
      ...{ ...about, account, rule: "gap", subject: stream, value: missingMs / 1000 },
      // A loss of now began when it begins; older history is missed since we know of it.
      ...(fromMs !== null && nowMs - fromMs < 2 * GAP_AGE_MS ? { sinceMs: fromMs } : {}),
      words:
        fromMs === null
          ? `${stream}: history is complete`
          : fromMs === 0
            ? `${stream}: the older history is missing`
            : `${stream}: ${duration(missingMs)} of history missing since ${new Date(fromMs).toISOString().slice(0, 19)}Z`,
    })),
    ...days.flatMap(({ account, asOfMs, openValue, closeValue, flow }) => {
      const open = Number(openValue);
      if (!(open > 0) || flow === null) return [];
      const made = Number(closeValue) - open - Number(flow);
      const value = (-100 * made) / open;
      return {
        ...{ ...about, account, rule: "daily_loss", subject: null, value, atMs: asOfMs },
        words: `${plainNumber(Math.abs(value), 1)} % ${value > 0 ? "lost" : "made"} today`,
        detail: `${plainNumber(made, 2)} USD, net worth ${plainDecimal(closeValue, 2)}.`,
      };
    }),
  ];
}

interface Day extends Record<string, unknown> {
  account: Address;
  asOfMs: number;
  /** Net worth at the last snapshot before midnight UTC, else at the first one after. */
  openValue: string;
  closeValue: string;
  /** Null when the value of one is not known. */
  flow: string | null;
}

const DAY_MS = 86_400_000;

const readDay = (db: Queryable, accounts: readonly Address[], nowMs: number): Promise<Day[]> =>
  db.query<Day>(
    `select a as account, c.as_of_ms as "asOfMs", o.net_worth as "openValue", c.net_worth as "closeValue", (
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
          where d.account_address = a and d.as_of <= to_timestamp($2::bigint / 1000.0) and d.net_worth is not null
          order by d.as_of desc limit 1)
         union all
         (select d.as_of_ms, d.net_worth from public.hl_dashboard d
          where d.account_address = a and d.as_of > to_timestamp($2::bigint / 1000.0) and d.net_worth is not null
          order by d.as_of limit 1)
       ) x order by as_of_ms limit 1
     ) o
     where c.as_of_ms >= $2`,
    [accounts, nowMs - (nowMs % DAY_MS)],
  );

/** `WARN BTC long 9.1 % from liquidation (3.6 daily moves). Threshold 10 %. Mark 61204, liq 58817. 0.6 s old.` */
export function conditionMessage(
  head: string,
  { words, detail, atMs }: Seen,
  limit: string,
  nowMs: number,
): string {
  const parts = [`${head} ${words}.`, limit === "" ? "" : `Threshold ${limit}.`, detail, age(atMs, nowMs)];
  return parts.filter((part) => part !== "").join(" ");
}
