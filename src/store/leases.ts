/**
 * Leases: who does what only one process may do. Guarantees: by the clock of the database, without session state;
 * several are taken in one round trip and always in the same order, so that processes which want the same ones never
 * wait in a circle; a database that went back in time (a restored backup, a replica that lacked commits) is noticed when a
 * lease is renewed.
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

/** With the rows as they were before: what a statement changes, it does not see. */
const TAKE = `
  select t.name, t.token, t.holder, floor(extract(epoch from l.expires_at) * 1000)::bigint as "beforeMs",
    floor(extract(epoch from statement_timestamp()) * 1000)::bigint as "nowMs"
  from hl_internal.take_leases($1, $2, $3::integer) t
  left join hl_internal.leases l on l.name = t.name and l.holder = $2
  order by t.name`;

interface Taken extends LeaseState {
  beforeMs: number | null;
  nowMs: number;
}

export function openLeases(db: Queryable): Leases {
  /** The end that each lease of ours has at least, as written. A database that says less does not hold what was committed. */
  const written = new Map<string, number>();
  return {
    async takeLeases(names, holder, ttlMs) {
      const rows = await db.query<Taken & Row>(TAKE, [names, holder, ttlMs]);
      return rows.map(({ beforeMs, nowMs, ...state }) => {
        const key = `${holder} ${state.name}`;
        const wentBack = state.token !== null && (beforeMs ?? 0) < (written.get(key) ?? 0);
        if (state.token === null) written.delete(key);
        else written.set(key, nowMs + ttlMs);
        return wentBack ? { ...state, wentBack } : state;
      });
    },

    async releaseLeases(names, holder) {
      for (const name of names) written.delete(`${holder} ${name}`);
      await db.query("select hl_internal.release_leases($1, $2)", [names, holder]);
    },
  };
}

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
