/**
 * Brings the schema up to date. Guarantees: migrations run in the order of their numbers, each in one transaction
 * that first takes a lock and inserts the migration's row, so of two programs that start together one does the work
 * and the other finds it done; an applied migration whose file has changed, or a schema newer than this program, is
 * refused with `MigrationError`. Files are found next to `src/` and next to `dist/` alike.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { MigrationError, StoreError } from "../errors.ts";
import type { Database } from "./database.ts";
import { NO_PRIVILEGE } from "./postgres.ts";

const FOLDER = new URL("../../migrations/", import.meta.url);
/** int8multirange and SQL-standard function bodies came with 14. */
const OLDEST_SERVER = 14;
const LOCK = "select pg_advisory_xact_lock(hashtext('hl_internal.migrations'));";
const BOOTSTRAP = `create schema if not exists hl_internal;
create table if not exists hl_internal.migrations (
  id integer primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now()
);`;

export interface Migration {
  id: number;
  /** File name. */
  name: string;
  checksum: string;
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
        sql,
      };
    });
}

interface AppliedMigration extends Record<string, unknown> {
  id: number;
  name: string;
  checksum: string;
}

async function appliedMigrations(database: Database): Promise<AppliedMigration[]> {
  const [server] = await database.query<{ version: number; ready: boolean }>(
    "select current_setting('server_version_num')::int / 10000 as version, to_regclass('hl_internal.migrations') is not null as ready",
  );
  if (server && server.version < OLDEST_SERVER)
    throw new MigrationError(
      `${database.describe()} is PostgreSQL ${server.version}: hlsync needs ${OLDEST_SERVER} or newer`,
    );
  if (!server?.ready) return [];
  return database.query<AppliedMigration>(
    "select id, name, checksum from hl_internal.migrations order by id",
  );
}

/** Migrations still to be applied, in order; empty when the schema is up to date. */
export async function pendingMigrations(database: Database): Promise<Migration[]> {
  const known = knownMigrations();
  const applied = await appliedMigrations(database);
  for (const row of applied) {
    const migration = known.find((m) => m.id === row.id);
    if (!migration)
      throw new MigrationError(
        `${database.describe()} has migration ${row.name}, which this version of hlsync does not know: upgrade hlsync`,
      );
    if (migration.checksum !== row.checksum)
      throw new MigrationError(
        `migration ${row.name} was applied to ${database.describe()} with other content: use the version of hlsync that applied it`,
      );
  }
  return known.filter((m) => !applied.some((row) => row.id === m.id));
}

/**
 * For who only reads. Rejects with `MigrationError` when migrations are pending. A role that may read the tables but not
 * the list of migrations goes on: if something is missing after all, its query says so.
 */
export async function requireMigrated(database: Database): Promise<void> {
  const pending = await pendingMigrations(database).catch((error: unknown) => {
    if (error instanceof StoreError && error.sqlState === NO_PRIVILEGE) return [];
    throw error;
  });
  if (pending.length === 0) return;
  const names = pending.map(({ name }) => name);
  const shown = names.length > 3 ? `${names[0]} and ${names.length - 1} more` : names.join(", ");
  throw new MigrationError(
    `${database.describe()}: migrations are pending (${shown}); hlsync migrate applies them, as does the next start of hlsync run`,
  );
}

const recordOf = (m: Migration): string =>
  `insert into hl_internal.migrations (id, name, checksum) values (${m.id}, '${m.name}', '${m.checksum}');`;

/** Applies what is pending; returns the names of what this call applied. */
export async function migrate(database: Database): Promise<string[]> {
  const done: string[] = [];
  let pending = await pendingMigrations(database);
  if (pending.length > 0) await database.query(`${LOCK}\n${BOOTSTRAP}`);
  while (pending.length > 0) {
    const next = pending[0]!;
    try {
      await database.query(`${LOCK}\n${recordOf(next)}\n${next.sql}`);
      done.push(next.name);
    } catch (error) {
      const takenByAnother =
        error instanceof StoreError &&
        error.sqlState === "23505" &&
        (await appliedMigrations(database)).some((row) => row.id === next.id);
      if (!takenByAnother) throw error;
    }
    pending = await pendingMigrations(database);
  }
  return done;
}

/** All migrations as one script for `psql` or an SQL editor; hlsync finds them applied afterwards. */
export function printMigrations(): string {
  const parts = knownMigrations().map((m) => `-- ${m.name}\n${recordOf(m)}\n${m.sql.trimEnd()}`);
  return ["begin;", BOOTSTRAP, ...parts, "commit;"].join("\n\n").concat("\n");
}
