/**
 * Endpoints and what became of their deliveries, in the database. Guarantees: a delivery is recorded, and the
 * cursor moved on, in one statement that only the holder of the endpoint's lease can do and only from where it stood,
 * so that of two processes one settles; what was delivered stays so in the log, whatever a replay of it comes to; an
 * endpoint fails from its first failed attempt to its next delivery, and nothing else makes it fail; secrets come out
 * of one function and only as `Secret`.
 */

import { bySteps } from "../../store/bySteps.ts";
import type { Queryable } from "../../store/database.ts";
import type { Address } from "../../sync/rows.ts";
import { OUTBOX_DAYS, type OutboxEvent, SEQUENCE_HEADS, SEQUENCES } from "../outbox.ts";
import { newSecret, Secret } from "./secret.ts";

/** A row of `webhook_endpoints`. */
export interface Endpoint {
  id: string;
  /** Null for an alert channel, whose address is in the configuration of some process. */
  url: Secret | null;
  format: string;
  /** `fill.created`, `fill.*` or `*`. */
  events: string[];
  /** Null for all. */
  accounts: Address[] | null;
  description: string | null;
  allowPrivate: boolean;
  maxAgeMs: number | null;
  sinceMs: number;
  state: "enabled" | "disabled";
  disabledReason: string | null;
  disabledAtMs: number | null;
  failingSinceMs: number | null;
  /** When it was added, by the database's clock. */
  addedMs: number;
}

export type NewEndpoint = Pick<
  Endpoint,
  "id" | "url" | "format" | "events" | "accounts" | "description" | "allowPrivate" | "maxAgeMs" | "sinceMs"
>;

const COLUMNS = `id, url, format, events, accounts, description, allow_private as "allowPrivate",
  max_age_ms as "maxAgeMs", since_ms as "sinceMs", state, disabled_reason as "disabledReason",
  disabled_at_ms as "disabledAtMs", failing_since_ms as "failingSinceMs",
  (extract(epoch from created_at) * 1000)::bigint as "addedMs"`;

type EndpointRow = Omit<Endpoint, "url" | "events" | "accounts"> & {
  url: string | null;
  events: string;
  accounts: string | null;
};

/** `https://host/…`: the path of a webhook is often its password. */
export function shownUrl(url: Secret | null): string {
  if (url === null) return "(configuration)";
  const { origin, pathname, search } = new URL(url.reveal());
  return pathname === "/" && search === "" ? origin : `${origin}/…`;
}

export async function readEndpoints(db: Queryable): Promise<Endpoint[]> {
  // Arrays come as JSON: the driver leaves other types as text.
  const columns = COLUMNS.replace(
    "events, accounts",
    "to_json(events) as events, to_json(accounts) as accounts",
  );
  const rows = await db.query<EndpointRow & Record<string, unknown>>(
    `select ${columns} from hl_internal.webhook_endpoints order by created_at, id`,
  );
  return rows.map((row) => ({
    ...row,
    url: row.url === null ? null : new Secret(row.url),
    events: row.events as unknown as string[],
    accounts: row.accounts as unknown as string[] | null,
  }));
}

/** Secrets that are valid at `nowMs`, newest first, by endpoint. */
export async function readSecrets(db: Queryable, nowMs: number): Promise<Map<string, Secret[]>> {
  const rows = await db.query<{ endpoint: string; secret: string }>(
    `select endpoint_id as endpoint, secret from hl_internal.webhook_secrets
     where expires_at_ms is null or expires_at_ms > $1 order by created_at desc, secret`,
    [nowMs],
  );
  const secrets = new Map<string, Secret[]>();
  for (const { endpoint, secret } of rows)
    secrets.set(endpoint, [...(secrets.get(endpoint) ?? []), new Secret(secret)]);
  return secrets;
}

/**
 * Adds an endpoint that receives the commits from now on; answers its signing secret. One that is there
 * already stays as it is, and answers null.
 */
export async function addEndpoint(db: Queryable, endpoint: NewEndpoint): Promise<Secret | null> {
  const secret = newSecret();
  const rows = await db.query(
    `with added as (
       insert into hl_internal.webhook_endpoints (
         id, url, format, events, accounts, description, allow_private, max_age_ms, since_ms)
       values ($1, $2, $3, $4::text[], $5::text[], $6, $7, $8, $9)
       on conflict (id) do nothing returning id
     ),
     secret as (
       insert into hl_internal.webhook_secrets (endpoint_id, secret)
       select id, $10 from added where $2::text is not null
     ),
     sequences as (
       insert into hl_internal.webhook_lanes (endpoint_id, account_address, cursor_id)
       select added.id, heads.sequence, heads.head from added cross join (${SEQUENCE_HEADS}) heads
     )
     select id from added`,
    [
      endpoint.id,
      endpoint.url?.reveal() ?? null,
      endpoint.format,
      endpoint.events,
      endpoint.accounts,
      endpoint.description,
      endpoint.allowPrivate,
      endpoint.maxAgeMs,
      endpoint.sinceMs,
      secret.reveal(),
    ],
  );
  return rows.length > 0 ? secret : null;
}

export async function removeEndpoint(db: Queryable, id: string): Promise<void> {
  await db.query("delete from hl_internal.webhook_endpoints where id = $1", [id]);
}

/** Works again from where it stopped. */
export async function enableEndpoint(db: Queryable, id: string): Promise<void> {
  await db.query(
    `with enabled as (
       update hl_internal.webhook_endpoints
       set state = 'enabled', disabled_reason = null, disabled_at_ms = null, failing_since_ms = null
       where id = $1 returning id
     )
     update hl_internal.webhook_lanes l set attempts = 0, next_attempt_ms = null
     from enabled where l.endpoint_id = enabled.id`,
    [id],
  );
}

/** Stops deliveries and tells the other endpoints; with `failingMs` only where none arrived for so long. Whether it was so. */
export async function disableEndpoint(
  db: Queryable,
  id: string,
  reason: string,
  nowMs: number,
  failingMs: number | null = null,
): Promise<boolean> {
  const [row] = await db.query<{ disabled: boolean }>(
    "select hl_internal.disable_endpoint($1, $2, $3, $4) as disabled",
    [id, reason, nowMs, failingMs],
  );
  return row!.disabled;
}

/** Makes a new signing secret; deliveries are signed with the former ones too until `oldUntilMs`. */
export async function rotateSecret(db: Queryable, id: string, oldUntilMs: number): Promise<Secret> {
  const secret = newSecret();
  await db.query(
    `with old as (
       update hl_internal.webhook_secrets set expires_at_ms = $3
       where endpoint_id = $1 and expires_at_ms is null
     )
     insert into hl_internal.webhook_secrets (endpoint_id, secret) values ($1, $2)`,
    [id, secret.reveal(), oldUntilMs],
  );
  return secret;
}

/**
 * Goes back to the first event that happened at `sinceMs` or later; answers how many events there are from there on. They
 * are sent however old they are.
 */
export async function rewind(db: Queryable, id: string, sinceMs: number): Promise<number> {
  await db.query("select hl_internal.recall($1, $2, $3 * interval '1 day')", [id, sinceMs, OUTBOX_DAYS]);
  const [row] = await db.query<{ events: number }>(
    `with first as (
       select o.account_address as sequence, min(o.id) as id, max(o.id) as head,
         count(*) as events
       from hl_internal.outbox o where o.time_ms >= $2 group by 1
     ),
     endpoint as (
       update hl_internal.webhook_endpoints set since_ms = least(since_ms, $2) where id = $1
     ),
     moved as (
       insert into hl_internal.webhook_lanes as l (endpoint_id, account_address, cursor_id, replay_to_id)
       select $1, first.sequence, first.id - 1, first.head from first
       on conflict (endpoint_id, account_address) do update
         set cursor_id = least(l.cursor_id, excluded.cursor_id), replay_to_id = excluded.replay_to_id, attempts = 0,
           next_attempt_ms = null
     )
     select coalesce(sum(events), 0)::bigint as events from first`,
    [id, sinceMs],
  );
  return row?.events ?? 0;
}

/** A sequence with events that are not settled yet. */
export interface DueSequence {
  endpoint: string;
  sequence: string;
  cursorId: number;
  attempts: number;
  nextAttemptMs: number | null;
  /** Events up to here were asked for by a replay; 0 without one. */
  replayToId: number;
  /** The database's clock, when this was read. */
  databaseMs: number;
}

export function readDueSequences(db: Queryable, endpoints: readonly string[]): Promise<DueSequence[]> {
  return db.query<DueSequence & Record<string, unknown>>(
    `select e.id as endpoint, h.sequence, coalesce(l.cursor_id, 0) as "cursorId", coalesce(l.attempts, 0) as attempts,
       l.next_attempt_ms as "nextAttemptMs", coalesce(l.replay_to_id, 0) as "replayToId",
       (extract(epoch from clock_timestamp()) * 1000)::bigint as "databaseMs"
     from hl_internal.webhook_endpoints e
     cross join (${SEQUENCE_HEADS}) h
     left join hl_internal.webhook_lanes l on l.endpoint_id = e.id and l.account_address = h.sequence
     where e.id = any ($1::text[]) and e.state = 'enabled' and h.head > coalesce(l.cursor_id, 0)
       and (e.accounts is null or h.sequence = '' or h.sequence = any (e.accounts))`,
    [endpoints],
  );
}

export interface Lease {
  name: string;
  holder: string;
  token: number;
}

/** Where the cursor of a sequence stands and where it goes. */
export interface Step {
  endpoint: string;
  sequence: string;
  fromId: number;
  toId: number;
  attempts: number;
  nextAttemptMs: number | null;
}

/** What became of one event. */
export interface Outcome {
  webhookId: string;
  event: OutboxEvent;
  status: "retrying" | "delivered" | "dead" | "expired";
  attempts: number;
  statusCode: number | null;
  error: string | null;
  atMs: number;
  durationMs: number;
}

/** False when the lease is lost or the cursor was moved by someone else: then nothing was written. */
export async function settle(
  db: Queryable,
  lease: Lease,
  step: Step,
  outcome: Outcome | null,
): Promise<boolean> {
  const [row] = await db.query<{ moved: number }>(
    `with moved as (
       insert into hl_internal.webhook_lanes as l (endpoint_id, account_address, cursor_id, attempts, next_attempt_ms)
       select $4, $5, $7, $8, $9
       where exists (select from hl_internal.leases where name = $1 and holder = $2 and token = $3)
       on conflict (endpoint_id, account_address) do update
         set cursor_id = excluded.cursor_id, attempts = excluded.attempts, next_attempt_ms = excluded.next_attempt_ms
         where l.cursor_id = $6
       returning 1
     ),
     logged as (
       insert into hl_internal.webhook_deliveries as d (
         endpoint_id, account_address, webhook_id, outbox_id, type, event_time_ms, status, attempts, status_code, error,
         first_attempt_ms, last_attempt_ms, duration_ms, event)
       select $4, $5, x."webhookId", x."outboxId", x.type, x."timeMs", x.status, x.attempts, x."statusCode", x.error,
         x."atMs", x."atMs", x."durationMs", x.event
       from json_to_record($10::json) as x(
         "webhookId" text, "outboxId" bigint, type text, "timeMs" bigint, status text, attempts integer,
         "statusCode" integer, error text, "atMs" bigint, "durationMs" integer, event jsonb)
       where $10::json is not null and exists (select from moved)
       on conflict (endpoint_id, webhook_id) do update
         set outbox_id = excluded.outbox_id, status = excluded.status, attempts = excluded.attempts,
           status_code = excluded.status_code, error = excluded.error, last_attempt_ms = excluded.last_attempt_ms,
           first_attempt_ms = case when d.status = 'retrying' then d.first_attempt_ms else excluded.first_attempt_ms end,
           duration_ms = excluded.duration_ms, event = excluded.event
         where d.status <> 'delivered' or excluded.status = 'delivered'
     ),
     health as (
       update hl_internal.webhook_endpoints e
       set failing_since_ms = case when x.status = 'delivered' then null else x."atMs" end
       from moved cross join json_to_record($10::json) as x(status text, "atMs" bigint)
       -- What expires was not attempted.
       where e.id = $4 and x.status <> 'expired' and (x.status = 'delivered') = (e.failing_since_ms is not null)
     )
     select count(*) as moved from moved`,
    [
      lease.name,
      lease.holder,
      lease.token,
      step.endpoint,
      step.sequence,
      step.fromId,
      step.toId,
      step.attempts,
      step.nextAttemptMs,
      outcome && JSON.stringify(outcomeRow(outcome)),
    ],
  );
  return row?.moved === 1;
}

function outcomeRow({ event, ...outcome }: Outcome): Record<string, unknown> {
  const gone = outcome.status === "dead" || outcome.status === "expired";
  return {
    ...outcome,
    outboxId: event.id,
    type: event.type,
    timeMs: event.timeMs,
    event: gone ? event : null,
  };
}

/** Which of these ids the endpoint has been told already, and for which outbox row. */
export async function readDelivered(
  db: Queryable,
  endpoint: string,
  webhookIds: readonly string[],
): Promise<Map<string, number>> {
  const rows = await db.query<{ id: string; outboxId: number }>(
    `select webhook_id as id, outbox_id as "outboxId" from hl_internal.webhook_deliveries
     where endpoint_id = $1 and webhook_id = any ($2::text[]) and status = 'delivered'`,
    [endpoint, webhookIds],
  );
  return new Map(rows.map(({ id, outboxId }) => [id, outboxId]));
}

/** A row of the log of deliveries. */
export interface DeliveryRow {
  endpoint: string;
  webhookId: string;
  account: string;
  type: string;
  eventTimeMs: number;
  status: string;
  attempts: number;
  statusCode: number | null;
  error: string | null;
  lastAttemptMs: number;
  durationMs: number | null;
}

/** The newest deliveries first. `endpoint` and `status`: null for all. */
export function readDeliveries(
  db: Queryable,
  endpoint: string | null,
  status: string | null,
  limit: number,
): Promise<DeliveryRow[]> {
  return db.query<DeliveryRow & Record<string, unknown>>(
    `select endpoint_id as endpoint, webhook_id as "webhookId", account_address as account, type,
       event_time_ms as "eventTimeMs", status, attempts, status_code as "statusCode", error,
       last_attempt_ms as "lastAttemptMs", duration_ms as "durationMs"
     from hl_internal.webhook_deliveries
     where ($1::text is null or endpoint_id = $1) and ($2::text is null or status = $2)
     order by last_attempt_ms desc, outbox_id desc limit $3`,
    [endpoint, status, limit],
  );
}

/** Of each account so many of the next events are looked at. */
const PENDING_MAX = 10_000;
/** Events that endpoint `e` wants and has not settled, as far as they are among the next ones of their account. */
export const PENDING = `(
  select coalesce(sum(b.events), 0)::bigint from ${SEQUENCES}
  left join hl_internal.webhook_lanes l on l.endpoint_id = e.id and l.account_address = a.sequence
  cross join lateral (
    select count(*) filter (where o.time_ms >= e.since_ms
      and exists (select from unnest(e.events) p where p = '*' or o.type like replace(p, '*', '%'))) as events
    from (
      select n.time_ms, n.type from hl_internal.outbox n
      where n.account_address = a.sequence and n.id > coalesce(l.cursor_id, 0) order by n.id limit ${PENDING_MAX}
    ) o
  ) b
  where e.accounts is null or a.sequence = '' or a.sequence = any (e.accounts))`;

/** Where each endpoint stands: events waiting, and how many deliveries ended how. */
interface EndpointSummary {
  endpoint: string;
  /** A process that runs delivers to it. */
  served: boolean;
  pending: number;
  delivered: number;
  dead: number;
  expired: number;
}

export function summarizeEndpoints(db: Queryable): Promise<EndpointSummary[]> {
  return db.query<EndpointSummary & Record<string, unknown>>(
    `select e.id as endpoint,
       exists (
         select from hl_internal.leases l where l.name = 'webhook:' || e.id and l.expires_at > clock_timestamp()
       ) as served,
       ${PENDING} as pending,
       count(*) filter (where d.status = 'delivered') as delivered,
       count(*) filter (where d.status = 'dead') as dead,
       count(*) filter (where d.status = 'expired') as expired
     from hl_internal.webhook_endpoints e
     left join hl_internal.webhook_deliveries d on d.endpoint_id = e.id
     group by e.id`,
  );
}

/** Forgets deliveries whose last attempt is older than `beforeMs`. */
export const pruneDeliveries = (db: Queryable, beforeMs: number): Promise<number> =>
  bySteps(async (rowsMax) => {
    const [row] = await db.query<{ gone: number }>(
      `with gone as (
         delete from hl_internal.webhook_deliveries d using (
           select endpoint_id, webhook_id from hl_internal.webhook_deliveries where last_attempt_ms < $1 limit $2
         ) old where (d.endpoint_id, d.webhook_id) = (old.endpoint_id, old.webhook_id) returning 1
       ) select count(*) as gone from gone`,
      [beforeMs, rowsMax],
    );
    return row!.gone;
  });
