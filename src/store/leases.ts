/**
 * Leases: who does what only one process may do. Guarantees: by the clock of the database, without session state;
 * several are taken in one round trip and always in the same order, so that processes which want the same ones never
 * wait in a circle. Who follows which account is not leased one by one: `fleet.ts`.
 */
import type { LeaseState, Leases } from "../sync/ports.ts";
import type { Queryable, Row } from "./database.ts";

export const openLeases = (db: Queryable): Leases => ({
  takeLeases: (names, holder, ttlMs) =>
    db.query<LeaseState & Row>(
      "select name, token, holder from hl_internal.take_leases($1, $2, $3) order by name",
      [names, holder, ttlMs],
    ),

  async releaseLeases(names, holder) {
    await db.query("select hl_internal.release_leases($1, $2)", [names, holder]);
  },
});

/** The fencing token of each lease that is ours. */
export const tokensOf = (states: readonly LeaseState[]): Map<string, number> =>
  new Map(states.flatMap(({ name, token }) => (token === null ? [] : [[name, token] as const])));
