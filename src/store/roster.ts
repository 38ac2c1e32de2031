/**
 * The roster: accounts to follow, kept in the database for every process that shares it. Guarantees: a change
 * is one statement; an alias given here is also the one that views and `status` show; what an account has stored stays when
 * it is removed.
 */

import type { Roster, RosterEntry } from "../sync/ports.ts";
import type { Address } from "../sync/rows.ts";
import type { Queryable } from "./database.ts";

export interface RosterRow extends RosterEntry {
  tags: string[];
  addedAtMs: number;
}

/** What is said of an account; undefined leaves what was said before. */
export interface RosterChange {
  address: Address;
  alias?: string | undefined;
  tags?: readonly string[] | undefined;
  wish?: RosterEntry["wish"] | undefined;
  sinceMs?: number | undefined;
  withSubs?: boolean | undefined;
}

export async function readRoster(db: Queryable): Promise<RosterRow[]> {
  const [row] = await db.query<{ rows: RosterRow[] }>(
    `select coalesce(json_agg(json_build_object('address', account_address, 'alias', alias, 'tags', tags, 'wish', wish,
         'sinceMs', since_ms, 'paused', paused, 'withSubs', with_subs, 'addedAtMs', (extract(epoch from added_at) * 1000)::bigint)
       order by added_at, account_address), '[]') as rows
     from hl_internal.roster`,
  );
  return row!.rows;
}

/** Whether there is a roster with anything in it, also where hlsync has made nothing yet. */
export async function hasRoster(db: Queryable): Promise<boolean> {
  const [made] = await db.query<{ there: boolean }>(
    "select to_regclass('hl_internal.roster') is not null as there",
  );
  if (!made!.there) return false;
  const [row] = await db.query<{ any: boolean }>('select exists (select from hl_internal.roster) as "any"');
  return row!.any;
}

/** Looks whether anything changed before it reads all of it. */
export function openRoster(db: Queryable): Roster {
  let seen: string | null = null;
  return {
    async changed() {
      const [row] = await db.query<{ version: string }>(
        `select count(*) || ' ' || coalesce(bit_xor(hashtextextended(r::text, 0)), 0) as version
         from hl_internal.roster r`,
      );
      const { version } = row!;
      if (version === seen) return null;
      const entries = await readRoster(db);
      seen = version;
      return entries;
    },
  };
}

/** What those of the accounts that are known are called, in the roster or beside it. */
export async function readAliases(
  db: Queryable,
  accounts: readonly { address: Address }[],
): Promise<ReadonlyMap<Address, string>> {
  const rows = await db.query<{ address: Address; alias: string }>(
    `select account_address as address, coalesce(r.alias, a.alias) as alias
     from hl_internal.roster r full join hl_internal.accounts a using (account_address)
     where account_address = any ($1) and coalesce(r.alias, a.alias) is not null`,
    [accounts.map(({ address }) => address)],
  );
  return new Map(rows.map(({ address, alias }) => [address, alias]));
}

/** Adds the accounts, or changes what is said of those that are there; answers how many are new. */
export async function putIntoRoster(db: Queryable, changes: readonly RosterChange[]): Promise<number> {
  const [row] = await db.query<{ added: number }>(
    `with given as (
       select c.address, c.alias, c.tags, c.wish, c."sinceMs", c."withSubs"
       from json_to_recordset($1::json) as c(address text, alias text, tags text[], wish text, "sinceMs" bigint, "withSubs" boolean)
     ),
     put as (
       insert into hl_internal.roster as r (account_address, alias, tags, wish, since_ms, with_subs)
       select g.address, g.alias, coalesce(g.tags, '{}'), coalesce(g.wish, 'stream'), g."sinceMs", coalesce(g."withSubs", false)
       from given g
       on conflict (account_address) do update set
         alias = coalesce(excluded.alias, r.alias),
         tags = coalesce((select g.tags from given g where g.address = excluded.account_address), r.tags),
         wish = coalesce((select g.wish from given g where g.address = excluded.account_address), r.wish),
         since_ms = coalesce(excluded.since_ms, r.since_ms),
         with_subs = excluded.with_subs or r.with_subs
       returning xmax = 0 as is_new
     ),
     named as (
       update hl_internal.accounts a set alias = g.alias from given g
       where a.account_address = g.address and g.alias is not null and a.alias is distinct from g.alias
     )
     select count(*) filter (where is_new) as added from put`,
    [JSON.stringify(changes)],
  );
  return row!.added;
}

/** Only these accounts are called something: of an alias that several have, nobody can be named by it. */
export async function keepAliasesOf(db: Queryable, accounts: readonly Address[]): Promise<void> {
  await db.query(
    "update hl_internal.accounts set alias = null where alias is not null and account_address <> all ($1)",
    [accounts],
  );
}

export async function removeFromRoster(db: Queryable, accounts: readonly Address[]): Promise<void> {
  await db.query("delete from hl_internal.roster where account_address = any ($1)", [accounts]);
}

export async function pauseInRoster(
  db: Queryable,
  accounts: readonly Address[],
  paused: boolean,
): Promise<void> {
  await db.query(
    "update hl_internal.roster set paused = $2 where account_address = any ($1) and paused <> $2",
    [accounts, paused],
  );
}
