/**
 * Brings the schema up to date: the numbered migrations of `migrations/` (tables) that are not applied yet, in the order
 * of their numbers, then the definitions of `sql/` (functions, views, triggers) when they changed or a migration ran.
 * Guarantees: all of it is one transaction, which first takes a lock and then inserts the rows that record it, so of two
 * programs that start together one does the work and the other finds it done, and a failure leaves nothing behind. Refused
 * with `MigrationError`: a foreign relation under a name of ours, an applied migration whose file has changed, a breaking one that this program does not know, a
 * database of a version that was never released. A program that is older than the one that applied the definitions leaves
 * them alone.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { MigrationError, StoreError } from "../errors.ts";
import { packageFile } from "../runtime/packageFile.ts";
import { compareVersions } from "../runtime/version.ts";
import type { Database } from "./database.ts";
import { knownDefinitions } from "./definitions.ts";
import { type Stranger, strangersAmong, strangersError } from "./legacy.ts";
import { NO_PRIVILEGE } from "./postgres.ts";
import { inSchema, PUBLIC } from "./schema.ts";

/** A migration may have to go through all of a long history. */
const WITHIN_MS = 3_600_000;
const FOLDER = packageFile("migrations/");
/** int8multirange, SQL-standard function bodies and `create or replace trigger` came with 14. */
const OLDEST_SERVER = 14;
const UNIQUE_VIOLATION = "23505";
/** A reader that holds one view and waits for the next may be in the way: one of the two is ended by the server. */
const DEADLOCK = "40P01";
const DEADLOCKS_MAX = 5;
/** How the definitions are called where migrations are called by their files. */
const DEFINITIONS = "sql/";

/**
 * Names mean what they say, whatever schemas stand first for this role. Waits for the writers that are at work, so that no
 * statement behind it waits for one that waits for it. What is asked of the catalogue is asked once: compiling it costs a quarter of the whole.
 */
const LOCK = `set local search_path = '';
set local jit = off;
set local lock_timeout = '30s';
select pg_advisory_xact_lock(hashtext('hl_internal.migrations'));
do $$ begin
  if exists (select from pg_catalog.pg_tables where schemaname = 'hl_internal' and tablename = 'accounts') then
    lock table hl_internal.accounts in exclusive mode;
  end if;
end $$;`;
// `create schema if not exists` asks for the right to create schemas even where there is nothing to create.
const BOOTSTRAP = `do $$ begin
  if not exists (select from pg_catalog.pg_namespace where nspname = 'public') then create schema public; end if;
  if not exists (select from pg_catalog.pg_namespace where nspname = 'hl_internal') then create schema hl_internal; end if;
end $$;
create table if not exists hl_internal.migrations (
  id integer primary key,
  name text not null,
  checksum text not null,
  breaking boolean not null default true,
  applied_at timestamptz not null default now()
);
create table if not exists hl_internal.definitions (
  checksum text primary key,
  version text not null,
  applied_at timestamptz not null default now()
);
create table if not exists hl_internal.objects (
  kind text not null check (kind in ('relation', 'function')),
  name text not null,
  primary key (kind, name)
);`;
/** Remembers which hl_* objects of public are the user's own; what else is there at the end was made by the script. */
const REMEMBER_FOREIGN = `do $$ begin
  perform set_config('hlsync.foreign_objects', (select coalesce(array_agg(known.id), '{}')::text from (
    select 'r' || c.oid as id from pg_catalog.pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relname like 'hl\\_%'
      and not exists (select from hl_internal.objects o where o.kind = 'relation' and o.name = c.relname)
    union all
    select 'f' || p.oid from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.proname like 'hl\\_%'
      and not exists (select from hl_internal.objects o
        where p.oid = case o.kind when 'function' then to_regprocedure(o.name) end)) known), true);
end $$;`;

interface Migration {
  id: number;
  /** File name. */
  name: string;
  checksum: string;
  /** Programs that do not know it must stop: its first line is `-- breaking`. */
  breaking: boolean;
  sql: string;
}

/** Every migration this program knows, in order. */
export function knownMigrations(): Migration[] {
  return readdirSync(FOLDER)
    .filter((name) => /^\d{4}_.+\.sql$/.test(name))
    .sort()
    .map((name) => {
      // A checkout with other line ends is the same migration.
      const sql = readFileSync(new URL(name, FOLDER), "utf8").replaceAll("\r\n", "\n");
      return {
        id: Number(name.slice(0, 4)),
        name,
        checksum: createHash("sha256").update(sql).digest("hex"),
        breaking: /^-- breaking\b/.test(sql),
        sql,
      };
    });
}

/** What an empty database needs, as `pendingMigrations` would name it. */
export const allMigrations = (): string[] => [...knownMigrations().map(({ name }) => name), DEFINITIONS];

interface AppliedMigration extends Record<string, unknown> {
  id: number;
  name: string;
  checksum: string;
  breaking: boolean;
}

interface Applied {
  migrations: AppliedMigration[];
  definitions: { checksum: string; version: string } | null;
}

async function appliedTo(database: Database): Promise<Applied> {
  const [server] = await database.query<{
    version: number;
    ready: boolean;
    recorded: boolean;
    /** Where an earlier start made the tables. */
    madeIn: string | null;
    isHere: boolean | null;
  }>(
    `with made as (
       select n.nspname from pg_catalog.pg_proc p join pg_catalog.pg_type t on t.oid = p.prorettype
       join pg_catalog.pg_namespace n on n.oid = t.typnamespace
       where p.pronamespace = to_regnamespace('hl_internal') and p.proname = 'join_fills')
     select (select nspname::text from made) as "madeIn", (select nspname = 'public' from made) as "isHere", current_setting('server_version_num')::int / 10000 as version,
       to_regclass('hl_internal.migrations') is not null as ready,
       to_regclass('hl_internal.definitions') is not null as recorded`,
  );
  if (server && server.version < OLDEST_SERVER)
    throw new MigrationError(
      `${database.describe()} is PostgreSQL ${server.version}: hlsync needs ${OLDEST_SERVER} or newer`,
    );
  if (server?.isHere === false)
    throw new MigrationError(
      `the tables of hlsync are in schema ${server.madeIn} of ${database.describe()}: --schema ${server.madeIn}, or another database`,
    );
  if (!server?.ready) return { migrations: [], definitions: null };
  if (!server.recorded)
    throw new MigrationError(
      `${database.describe()} was made by a version of hlsync that was never released: start with a new database`,
    );
  const migrations = await database.query<AppliedMigration>(
    "select id, name, checksum, breaking from hl_internal.migrations order by id",
  );
  const [definitions] = await database.query<{ checksum: string; version: string }>(
    "select checksum, version from hl_internal.definitions",
  );
  return { migrations, definitions: definitions ?? null };
}

interface Pending {
  migrations: Migration[];
  definitions: boolean;
}

async function pendingIn(database: Database): Promise<Pending> {
  const known = knownMigrations();
  const applied = await appliedTo(database);
  for (const row of applied.migrations) {
    const migration = known.find((m) => m.id === row.id);
    if (!migration && row.breaking)
      throw new MigrationError(
        `${database.describe()} has migration ${row.name}, which this version of hlsync does not know: upgrade hlsync`,
      );
    if (migration && migration.checksum !== row.checksum)
      throw new MigrationError(
        `migration ${row.name} was applied to ${database.describe()} with other content: use the version of hlsync that applied it`,
      );
  }
  const migrations = known.filter((m) => !applied.migrations.some((row) => row.id === m.id));
  if (!applied.definitions) return { migrations, definitions: true };
  const ours = knownDefinitions();
  const isOlder =
    compareVersions(ours.version, applied.definitions.version) < 0 ||
    applied.migrations.some((row) => !known.some((m) => m.id === row.id));
  // The definitions close what a migration makes, and may not be those of an older program.
  if (isOlder && migrations.length > 0)
    throw new MigrationError(
      `${database.describe()} was brought up to date by hlsync ${applied.definitions.version}, without ${migrations[0]!.name}: upgrade hlsync`,
    );
  const changed = ours.checksum !== applied.definitions.checksum;
  return { migrations, definitions: !isOlder && (changed || migrations.length > 0) };
}

const namesOf = ({ migrations, definitions }: Pending): string[] => [
  ...migrations.map(({ name }) => name),
  ...(definitions ? [DEFINITIONS] : []),
];

/** Names of the migrations still to be applied, in order, and `sql/` at the end when the definitions are; else empty. */
export async function pendingMigrations(database: Database): Promise<string[]> {
  return namesOf(await pendingIn(database));
}

/**
 * For who only reads. Rejects with `MigrationError` when migrations are pending. A role that may read the tables but not
 * the list of migrations goes on: if something is missing after all, its query says so.
 */
export async function requireMigrated(database: Database): Promise<void> {
  const names = await pendingMigrations(database).catch((error: unknown) => {
    if (error instanceof StoreError && error.sqlState === NO_PRIVILEGE) return [];
    throw error;
  });
  if (names.length === 0) return;
  const shown = names.length > 3 ? `${names[0]} and ${names.length - 1} more` : names.join(", ");
  throw new MigrationError(
    `${database.describe()}: migrations are pending (${shown}); hlsync migrate applies them, as does the next start of hlsync run`,
  );
}

/** Tables and views of public that this SQL makes. */
const namesMadeBy = (sql: string): string[] =>
  [...sql.matchAll(/^create (?:table|(?:or replace )?view) public\.(hl_\w+)/gm)].map(([, name]) => name!);

/**
 * What stands in public under a name that is about to be made and is not ours: a table is never overwritten, nor is a view
 * replaced that somebody else made.
 */
export function strangersInTheWay(database: Database): Promise<Stranger[]> {
  const sql = [...knownMigrations().map((m) => m.sql), knownDefinitions().sql].join("\n");
  const names = namesMadeBy(sql);
  return strangersAmong(database, [...names, ...names.map((name) => `${name}_text`)]);
}

/** Statements that do what is pending and record it. Another program that has done the same meanwhile makes them fail. */
function scriptOf({ migrations, definitions }: Pending, before = ""): string {
  const parts = [LOCK, ...(before === "" ? [] : [before]), BOOTSTRAP, REMEMBER_FOREIGN];
  for (const m of migrations)
    parts.push(
      `-- ${m.name}\ninsert into hl_internal.migrations (id, name, checksum, breaking) values (${m.id}, '${m.name}', '${m.checksum}', ${m.breaking});\n${m.sql.trimEnd()}`,
    );
  if (definitions) {
    const { checksum, version, sql } = knownDefinitions();
    // After a migration the same definitions are applied again; else the same row means that another was faster.
    const replaced = migrations.length > 0 ? "" : ` where checksum <> '${checksum}'`;
    parts.push(
      `delete from hl_internal.definitions${replaced};\ninsert into hl_internal.definitions (checksum, version) values ('${checksum}', '${version}');\n\n${sql}`,
    );
  }
  return parts.join("\n\n");
}

/**
 * Applies what is pending; returns the names of what this call applied. `before`: statements of the same transaction that
 * make room first; without them, whatever stands in the way is a `MigrationError`.
 */
export async function migrate(database: Database, before = ""): Promise<string[]> {
  let deadlocks = 0;
  for (;;) {
    const pending = await pendingIn(database);
    const names = namesOf(pending);
    if (names.length === 0) return [];
    if (before === "") {
      const strangers = await strangersInTheWay(database);
      if (strangers.length > 0) throw strangersError(database.describe(), strangers);
    }
    try {
      await database.query(scriptOf(pending, before), undefined, { timeoutMs: WITHIN_MS });
      return names;
    } catch (error) {
      const state = error instanceof StoreError ? error.sqlState : null;
      const isDeadlock = state === DEADLOCK && ++deadlocks <= DEADLOCKS_MAX;
      const doneByAnother =
        state === UNIQUE_VIOLATION && (await pendingMigrations(database)).join() !== names.join();
      if (!isDeadlock && !doneByAnother) throw error;
    }
  }
}

/** Everything as one script for `psql` or an SQL editor; hlsync finds it applied afterwards. */
export function printMigrations(schema = PUBLIC): string {
  const script = scriptOf({ migrations: knownMigrations(), definitions: true });
  return `begin;\n\n${inSchema(script, schema)}\n\ncommit;\n`;
}
