/**
 * Reads the transactional outbox. Guarantees: the events of one account come in the order in which they were committed,
 * none skipped, however many processes write: writers of one account wait for each other, so its ids are committed in
 * order (between accounts they need not be, which is why a reader keeps one cursor per account). Never on the hot path.
 */
import type { Address } from "../sync/events.ts";

/** The database as outputs see it; `store`'s `Database` fits. Rejects with `StoreError`. */
export interface Queryable {
  query<R extends Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<R[]>;
}

/** One committed change, or what an output itself published (alerts, disabled endpoints). */
export interface OutboxEvent {
  /** Place in the outbox; grows with every commit of the same account. */
  id: number;
  /** Identity of the event: the same whichever source brought the row, however often. */
  key: string;
  type: string;
  /** Null for events that belong to no account. */
  account: Address | null;
  /** When it happened, by the venue's clock. */
  timeMs: number;
  source: string;
  /** When hlsync wrote it, by the database's clock. */
  committedAtMs: number;
  /** The row in snake case, decimals as strings. */
  data: Record<string, unknown>;
}

/** The account in cursors and lanes: "" for events that belong to none. */
export const laneOf = (account: Address | null): string => account ?? "";

const COLUMNS = `o.id, o.event_key as key, o.type, o.account_address as account, o.time_ms as "timeMs", o.source,
  (extract(epoch from o.created_at) * 1000)::bigint as "committedAtMs", o.data`;

/** Events of one lane after `afterId`, oldest first, at most `limit`. */
export function readOutbox(
  db: Queryable,
  lane: string,
  afterId: number,
  limit: number,
): Promise<OutboxEvent[]> {
  const [match, params] = lane === "" ? ["is null", []] : ["= $3", [lane]];
  return db.query<OutboxEvent & Record<string, unknown>>(
    `select ${COLUMNS} from hl_internal.outbox o
     where o.account_address ${match} and o.id > $1 order by o.id limit $2`,
    [afterId, limit, ...params],
  );
}

/** Id of the newest event of every lane that has one. */
export const LANE_HEADS = `
  select a.account_address as lane, h.id as head
  from hl_internal.accounts a
  cross join lateral (
    select o.id from hl_internal.outbox o where o.account_address = a.account_address order by o.id desc limit 1
  ) h
  union all
  (select '', o.id from hl_internal.outbox o where o.account_address is null order by o.id desc limit 1)`;

/** Takes or renews leases; answers the fencing token of each that is held now. */
export async function takeLeases(
  db: Queryable,
  names: readonly string[],
  holder: string,
  ttlMs: number,
): Promise<Map<string, number>> {
  const rows = await db.query<{ name: string; token: number | null }>(
    `select name, hl_internal.take_lease(name, $2, $3::integer) as token from unnest($1::text[]) as name`,
    [names, holder, ttlMs],
  );
  return new Map(rows.flatMap(({ name, token }) => (token === null ? [] : [[name, token] as const])));
}

/** Gives leases back, so that another process need not wait for their end. */
export async function releaseLeases(db: Queryable, names: readonly string[], holder: string): Promise<void> {
  await db.query(
    `update hl_internal.leases set expires_at = clock_timestamp() - interval '1 second'
     where name = any ($1) and holder = $2`,
    [names, holder],
  );
}
