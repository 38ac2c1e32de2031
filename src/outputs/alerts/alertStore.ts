/** Alerts and silences in the database. A step of an alert and its notification are one transaction. */

import type { Queryable, Row } from "../../store/database.ts";
import { epochMs } from "../../store/epochMs.ts";
import type { Address } from "../../sync/rows.ts";
import type { Condition, Memory } from "./machine.ts";
import type { Digest } from "./rules/facts.ts";
import type { Severity } from "./rules/spec.ts";

/** Identity of what an alert is about. */
export interface AlertAbout {
  key: string;
  rule: string;
  account: Address | null;
  coin: string | null;
  subject: string | null;
}

export const alertKey = (
  rule: string,
  account: Address | null,
  coin: string | null,
  subject: string | null,
): string => [rule, account, coin, subject].map((part) => part ?? "").join(":");

/** An event for the outbox. */
export interface Publication {
  key: string;
  type: string;
  account: Address | null;
  timeMs: number;
  data: Record<string, unknown>;
}

/** A row to be written. `dropped`: pending, and gone before it fired. */
export interface AlertStep extends AlertAbout {
  state: "pending" | "firing" | "resolved" | "event" | "dropped";
  severity: Severity;
  message: string;
  value: string | null;
  threshold: string | null;
  startedMs: number;
  firedMs: number | null;
  notifiedSeverity: Severity | null;
  notifiedMs: number | null;
  resolvedMs: number | null;
  publish: Publication[];
}

export interface AlertLease {
  lease: string;
  holder: string;
  token: number;
}

/** False when the event was there already. Rejects when the lease is lost. */
export async function putAlert(db: Queryable, lease: AlertLease, step: AlertStep): Promise<boolean> {
  const [row] = await db.query<{ put: boolean }>("select hl_internal.put_alert($1::json) as put", [
    JSON.stringify({ ...step, ...lease }),
  ]);
  return row?.put === true;
}

export interface StoredCondition extends AlertAbout {
  condition: Condition;
}

/** Conditions that are pending or firing. `account`: "" for none. */
export async function readConditions(db: Queryable, account: string): Promise<StoredCondition[]> {
  const rows = await db.query<AlertAbout & Condition & Record<string, unknown>>(
    `select key, rule, account_address as account, coin, subject, state as phase, severity,
       ${epochMs("started_at")} as "startedMs", ${epochMs("fired_at")} as "firedMs", notified_severity as "notifiedSeverity",
       ${epochMs("notified_at")} as "notifiedMs"
     from public.hl_alerts where coalesce(account_address, '') = $1 and state in ('pending', 'firing')`,
    [account],
  );
  return rows.map(({ key, rule, account, coin, subject, ...condition }) => ({
    key,
    rule,
    account,
    coin,
    subject,
    condition: {
      phase: condition.phase,
      severity: condition.severity,
      startedMs: condition.startedMs,
      firedMs: condition.firedMs,
      notifiedSeverity: condition.notifiedSeverity,
      notifiedMs: condition.notifiedMs,
    },
  }));
}

/** Notifications of conditions that ended after `sinceMs`, by key. */
export async function readMemories(
  db: Queryable,
  account: string,
  sinceMs: number,
): Promise<Map<string, Memory>> {
  const rows = await db.query<{ key: string; severity: Severity; notifiedMs: number }>(
    `select distinct on (key) key, notified_severity as severity, ${epochMs("notified_at")} as "notifiedMs"
     from public.hl_alerts
     where coalesce(account_address, '') = $1 and state = 'resolved' and notified_at > pg_catalog.to_timestamp($2::bigint / 1000.0)
     order by key, notified_at desc`,
    [account, sinceMs],
  );
  return new Map(rows.map(({ key, severity, notifiedMs }) => [key, { severity, notifiedMs }]));
}

/** The alerts that are silenced. Null matches any. */
export interface Silence {
  id: number;
  rule: string | null;
  account: Address | null;
  coin: string | null;
  untilMs: number;
}

export const readSilences = (db: Queryable, nowMs: number): Promise<Silence[]> =>
  db.query<Silence & Record<string, unknown>>(
    `select id, rule, account_address as account, coin, until_ms as "untilMs" from hl_internal.silences
     where until_ms > $1 order by id`,
    [nowMs],
  );

export const isSilenced = (
  silences: readonly Silence[],
  about: Omit<AlertAbout, "key" | "subject">,
): boolean =>
  silences.some(
    ({ rule, account, coin }) =>
      (rule === null || rule === about.rule) &&
      (account === null || account === about.account) &&
      (coin === null || coin === about.coin),
  );

export async function addSilence(db: Queryable, silence: Omit<Silence, "id">): Promise<number> {
  const { rule, account, coin, untilMs } = silence;
  const [row] = await db.query<{ id: number }>(
    `insert into hl_internal.silences (rule, account_address, coin, until_ms) values ($1, $2, $3, $4) returning id`,
    [rule, account, coin, untilMs],
  );
  return row!.id;
}

/** False when there is none with this number. */
export async function endSilence(db: Queryable, id: number): Promise<boolean> {
  return (await db.query("delete from hl_internal.silences where id = $1 returning id", [id])).length > 0;
}

/** An alert as it is shown. */
export interface AlertRow extends AlertAbout {
  id: number;
  state: string;
  severity: Severity;
  message: string;
  startedMs: number;
  firedMs: number | null;
  notifiedMs: number | null;
  resolvedMs: number | null;
}

/** Which alerts are wanted; null for any account, any coin. */
export interface AlertFilter {
  accounts: readonly Address[] | null;
  coin: string | null;
}

/** What is pending or firing, then the newest others, at most `limit`. */
export const readAlerts = (
  db: Queryable,
  limit: number,
  { accounts, coin }: AlertFilter = { accounts: null, coin: null },
): Promise<AlertRow[]> =>
  db.query<AlertRow & Record<string, unknown>>(
    `select id, key, rule, account_address as account, coin, subject, state, severity, message,
       ${epochMs("started_at")} as "startedMs", ${epochMs("fired_at")} as "firedMs", ${epochMs("notified_at")} as "notifiedMs",
       ${epochMs("resolved_at")} as "resolvedMs"
     from public.hl_alerts
     where ($2::text[] is null or account_address = any ($2)) and ($3::text is null or coin = $3)
     order by state in ('pending', 'firing') desc, updated_at desc, id desc limit $1`,
    [limit, accounts, coin],
  );

/**
 * Which way every position pointed when the events up to `cursor` were over; null where that is no longer known,
 * since the outbox forgets. A position without a row was flat.
 */
export const readSides = (
  db: Queryable,
  account: Address,
  cursor: number,
): Promise<{ coin: string; side: string | null }[]> =>
  db.query(
    `with changed as (
       select distinct o.data ->> 'coin' as coin from hl_internal.outbox o
       where o.account_address = $1 and o.id > $2 and o.type = 'position.updated'
     ),
     before as (
       select distinct on (o.data ->> 'coin') o.data ->> 'coin' as coin, o.data ->> 'side' as side
       from hl_internal.outbox o
       where o.account_address = $1 and o.id <= $2 and o.type = 'position.updated' and exists (select from changed)
       order by o.data ->> 'coin', o.id desc
     )
     select p.coin, case when c.coin is null then p.side else b.side end as side
     from public.hl_positions p left join changed c using (coin) left join before b using (coin)
     where p.account_address = $1 and (c.coin is null or b.coin is not null or exists (
       select from public.hl_dashboard d where d.account_address = $1
         and d.as_of < (select created_at from hl_internal.outbox where account_address = $1 order by id limit 1)
           - interval '1 day'))`,
    [account, cursor],
  );

const DAY_MS = 86_400_000;
/** A flip compares with a payment at most this old: a position without one for longer was another position. */
const FUNDING_MS = 7 * DAY_MS;

/** The last funding payment per coin before `beforeMs`. */
export const readFunding = (
  db: Queryable,
  account: Address,
  beforeMs: number,
): Promise<{ coin: string; usdc: string }[]> =>
  db.query(
    `select distinct on (coin) coin, usdc from public.hl_funding
     where account_address = $1 and funding_time_ms between $2 and $3 and usdc <> 0
     order by coin, funding_time_ms desc`,
    [account, beforeMs - FUNDING_MS, beforeMs],
  );

/** When the first snapshot of the account was written, by the database's clock: all its positions were known then. */
export async function readSince(db: Queryable, account: Address): Promise<number | null> {
  const [row] = await db.query<{ sinceMs: number }>(
    `select ${epochMs("created_at")} as "sinceMs" from public.hl_dashboard where account_address = $1 order by as_of limit 1`,
    [account],
  );
  return row?.sinceMs ?? null;
}

/** Those of the accounts of whose fills or funding something is missing on the day (YYYY-MM-DD, UTC), as far as it is wanted. */
export async function readIncomplete(
  db: Queryable,
  accounts: readonly Address[],
  day: string,
): Promise<Set<Address>> {
  const fromMs = Date.parse(day);
  const rows = await db.query<{ account: Address }>(
    `select distinct account_address as account from public.hl_gaps
     where account_address = any ($1::text[]) and stream in ('fills', 'funding') and kind = 'missing'
       and from_ms < $3 and to_ms >= $2`,
    [accounts, fromMs, fromMs + DAY_MS],
  );
  return new Set(rows.map(({ account }) => account));
}

/** `day`: YYYY-MM-DD. */
export async function readDigest(db: Queryable, account: Address, day: string): Promise<Digest | null> {
  const [row] = await db.query<Digest & Row>(
    `select fills, closed_pnl as "closedPnl", fees, funding, net_pnl as "netPnl", unpriced_fees as "unpricedFees",
       (select net_worth from public.hl_dashboard d
        where d.account_address = $1 and d.as_of < ($2::date + 1)::timestamp at time zone 'UTC'
          and d.as_of >= $2::timestamp at time zone 'UTC'
        order by d.as_of desc limit 1) as "netWorth"
     from public.hl_net_pnl_daily where account_address = $1 and day = $2::date`,
    [account, day],
  );
  return row ?? null;
}
