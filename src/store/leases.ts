/**
 * Leases: who does what only one process may do. Guarantees: by the clock of the database, without session state;
 * several are taken in one round trip and always in the same order, so that processes which want the same ones never
 * wait in a circle.
 */
import type { LeaseState, Leases } from "../sync/ports.ts";
import type { Queryable, Row } from "./database.ts";

/** A lease that somebody holds now. */
interface HeldLease {
  name: string;
  holder: string;
  token: number;
  /** Until it is free, unless it is renewed. */
  leftMs: number;
}

export const openLeases = (db: Queryable): Leases => ({
  takeLeases: (names, holder, ttlMs) =>
    db.query<LeaseState & Row>(
      "select name, token, holder from hl_internal.take_leases($1, $2, $3::integer)",
      [names, holder, ttlMs],
    ),

  async releaseLeases(names, holder) {
    await db.query("select hl_internal.release_leases($1, $2)", [names, holder]);
  },
});

/** Leases whose names begin with `prefix` and that are held now, by name. */
export const heldLeases = (db: Queryable, prefix: string): Promise<HeldLease[]> =>
  db.query<HeldLease & Row>(
    `select name, holder, token, (extract(epoch from expires_at - clock_timestamp()) * 1000)::bigint as "leftMs"
     from hl_internal.leases where starts_with(name, $1) and expires_at > clock_timestamp() order by name`,
    [prefix],
  );

/** The fencing token of each lease that is ours. */
export const tokensOf = (states: readonly LeaseState[]): Map<string, number> =>
  new Map(states.flatMap(({ name, token }) => (token === null ? [] : [[name, token] as const])));
