/**
 * How far each publisher has published each account, in the rows that endpoints of webhooks have: `hlsync webhooks list` shows
 * it. Guarantees: only the holder of its lease moves it on, and never back.
 */
import type { Queryable } from "../../store/database.ts";
import { addEndpoint, type Lease } from "../delivery/endpoints.ts";
import type { Cursors } from "../outbox.ts";

/** A new one gets what is committed from now on. */
export async function registerPublisher(
  db: Queryable,
  { id, format, label }: { id: string; format: string; label: string },
  nowMs: number,
): Promise<void> {
  await addEndpoint(db, {
    id,
    url: null,
    format,
    events: ["*"],
    accounts: null,
    description: label,
    allowPrivate: true,
    maxAgeMs: null,
    sinceMs: nowMs,
  });
}

export async function readCursors(db: Queryable, id: string): Promise<Cursors> {
  const rows = await db.query<{ sequence: string; cursor: number }>(
    "select account_address as sequence, cursor_id as cursor from hl_internal.webhook_lanes where endpoint_id = $1",
    [id],
  );
  return new Map(rows.map(({ sequence, cursor }) => [sequence, cursor]));
}

/** False when the lease is another's by now. */
export async function saveCursors(
  db: Queryable,
  id: string,
  { name, holder, token }: Lease,
  cursors: Cursors,
): Promise<boolean> {
  const [row] = await db.query<{ saved: number }>(
    `with saved as (
       insert into hl_internal.webhook_lanes as l (endpoint_id, account_address, cursor_id)
       select $4, c.sequence, c.cursor from unnest($5::text[], $6::bigint[]) as c(sequence, cursor)
       where exists (select from hl_internal.leases where name = $1 and holder = $2 and token = $3)
       on conflict (endpoint_id, account_address) do update set cursor_id = greatest(l.cursor_id, excluded.cursor_id)
       returning 1
     )
     select count(*) as saved from saved`,
    [name, holder, token, id, [...cursors.keys()], [...cursors.values()]],
  );
  return row!.saved === cursors.size;
}

/** The identity of an event of the outbox; null when it is not there. */
export async function keyOf(db: Queryable, sequence: string, id: number): Promise<string | null> {
  const [row] = await db.query<{ key: string }>(
    "select event_key as key from hl_internal.outbox where account_address = $1 and id = $2",
    [sequence, id],
  );
  return row?.key ?? null;
}
