/**
 * Tables of an older program under the names of ours: found, moved aside, read. Guarantees: nothing of theirs is changed but
 * their names and those of their indexes; moving them and making ours is one transaction; reading needs no key and holds one
 * page at a time.
 */
import { MigrationError } from "../errors.ts";
import type { LegacyRow } from "../sync/legacy/cells.ts";
import type { FillRow } from "../sync/rows.ts";
import type { Database, Queryable } from "./database.ts";

/** Those that old scripts wrote, and whose place is taken by ours. */
const LEGACY_TABLES = ["hl_fills", "hl_orders", "hl_positions", "hl_dashboard"] as const;
export type LegacyName = (typeof LEGACY_TABLES)[number];

/** A relation of public that has a name of ours and is not ours. */
export interface Stranger {
  name: string;
  /** Where it stands: `public`, or what --schema says. */
  schema: string;
  /** Whether it is a table that `import-legacy` moves aside. */
  isLegacy: boolean;
}

/**
 * `wanted`: names that are about to be made. What is there is listed before what is ours: a migration that another program
 * ends meanwhile shows in both or in the second alone.
 */
export async function strangersAmong(database: Queryable, wanted: readonly string[]): Promise<Stranger[]> {
  const there = await database.query<Stranger & Record<string, unknown>>(
    `select c.relname as name, c.relnamespace::regnamespace::text as schema, c.relkind = 'r' and c.relname = any ($2) as "isLegacy"
     from pg_catalog.pg_class c
     where c.relnamespace = to_regnamespace('public') and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
       and c.relname = any ($1)
     order by 1`,
    [wanted, LEGACY_TABLES],
  );
  if (there.length === 0) return there;
  const [known] = await database.query<{ ready: boolean }>(
    "select to_regclass('hl_internal.objects') is not null as ready",
  );
  if (!known?.ready) return there;
  const ours = await database.query<{ name: string }>(
    "select name from hl_internal.objects where kind = 'relation'",
  );
  const names = new Set(ours.map(({ name }) => name));
  return there.filter(({ name }) => !names.has(name));
}

/** What stands in the way, and what to do about it. */
export function strangersError(described: string, strangers: readonly Stranger[]): MigrationError {
  const namesOf = (isLegacy: boolean) =>
    strangers.filter((one) => one.isLegacy === isLegacy).map(({ schema, name }) => `${schema}.${name}`);
  const [legacy, others] = [namesOf(true), namesOf(false)];
  const parts = [
    ...(legacy.length > 0
      ? [
          `${legacy.join(", ")} of another program: hlsync import-legacy moves ${legacy.length === 1 ? "it" : "them"} aside, keeps every row, and takes over what the venue no longer serves`,
        ]
      : []),
    ...(others.length > 0 ? [`${others.join(", ")}, not made by hlsync: rename or drop that first`] : []),
  ];
  return new MigrationError(`${described} has ${parts.join("; and ")}`);
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
/** Bytes of a name in PostgreSQL. */
const NAME_MAX = 63;

interface Move {
  from: string;
  to: string;
}

/** Where the tables go, and the statements that bring them there. */
export async function movesAside(
  database: Queryable,
  names: readonly string[],
): Promise<{ moves: Move[]; sql: string }> {
  const taken = new Set(
    (
      await database.query<{ name: string }>(
        "select relname as name from pg_catalog.pg_class where relnamespace = to_regnamespace('public')",
      )
    ).map(({ name }) => name),
  );
  const freeName = (name: string): string => {
    for (let n = 1; ; n++) {
      const suffix = n === 1 ? "_legacy" : `_legacy_${n}`;
      const free = `${name.slice(0, NAME_MAX - suffix.length)}${suffix}`;
      if (taken.has(free)) continue;
      taken.add(free);
      return free;
    }
  };
  const moves = names.map((from) => ({ from, to: freeName(from) }));
  const indexes = await database.query<{ name: string }>(
    `select i.relname as name from pg_catalog.pg_index x join pg_catalog.pg_class i on i.oid = x.indexrelid
     join pg_catalog.pg_class c on c.oid = x.indrelid
     where c.relnamespace = to_regnamespace('public') and c.relname = any ($1) order by 1`,
    [names],
  );
  const sql = [
    ...moves.map(({ from, to }) => `alter table public.${quoted(from)} rename to ${quoted(to)};`),
    ...indexes.map(({ name }) => `alter index public.${quoted(name)} rename to ${quoted(freeName(name))};`),
  ];
  return { moves, sql: sql.join("\n") };
}

/** Tables that were moved aside, by this call or an earlier one. */
export async function movedTables(database: Queryable): Promise<{ name: string; base: LegacyName }[]> {
  const found = await database.query<{ name: string }>(
    `select c.relname as name from pg_catalog.pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname ~ '^hl_[a-z]+_legacy(_\\d+)?$'
       and c.relname not in (select o.name from hl_internal.objects o where o.kind = 'relation') order by 1`,
  );
  return found.flatMap(({ name }) => {
    const base = LEGACY_TABLES.find((one) => name.startsWith(`${one}_legacy`));
    return base ? [{ name, base }] : [];
  });
}

/** Pages of the table that are read at once: some thousand rows. */
const PAGES_AT_ONCE = 64;

/** All rows in the order in which they lie, every value as text. */
export async function* legacyRows(database: Queryable, table: string): AsyncGenerator<LegacyRow[]> {
  const [size] = await database.query<{ pages: number }>(
    "select pg_relation_size(('public.' || quote_ident($1))::regclass) / current_setting('block_size')::int as pages",
    [table],
  );
  for (let page = 0; page < size!.pages; page += PAGES_AT_ONCE) {
    const rows = await database.query<{ row: LegacyRow }>(
      `select (select jsonb_object_agg(e.key, e.value) from jsonb_each_text(to_jsonb(t)) e) as "row"
       from public.${quoted(table)} t where t.ctid >= $1::tid and t.ctid < $2::tid`,
      [`(${page},0)`, `(${page + PAGES_AT_ONCE},0)`],
    );
    yield rows.map(({ row }) => row);
  }
}

/** Which of these fills are stored, by their place in the list. */
export async function heldFills(database: Database, fills: readonly FillRow[]): Promise<Set<number>> {
  const list = (name: keyof FillRow) => fills.map((fill) => fill[name]);
  const held = await database.query<{ place: number }>(
    `select x.place from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
       with ordinality as x(account, coin, time_ms, order_id, trade_id, side, place)
     join public.hl_fills f on f.account_address = x.account and f.coin = x.coin and f.fill_time_ms = x.time_ms
       and f.order_id = x.order_id and f.trade_id = x.trade_id and f.side = x.side`,
    [list("account"), list("coin"), list("timeMs"), list("orderId"), list("tradeId"), list("side")],
  );
  return new Set(held.map(({ place }) => place - 1));
}

/** The oldest fill of the account that names its trade, that is: does not come of an export; null without any. */
export async function oldestFillMs(database: Queryable, account: string): Promise<number | null> {
  const [row] = await database.query<{ ms: number | null }>(
    "select min(fill_time_ms) as ms from public.hl_fills where account_address = $1 and trade_id >= 0",
    [account],
  );
  return row?.ms ?? null;
}
