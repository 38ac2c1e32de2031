/**
 * The database of a command: by URL, or the embedded one in a folder. Guarantees: what is opened is stopped with the program,
 * after all that uses it, also where the signal comes while it opens. Knows no venue: what only reads needs none.
 */
import { resolve } from "node:path";
import { ConfigError, StoreError } from "../errors.ts";
import { orAborted } from "../runtime/abort.ts";
import type { Lifecycle, Service } from "../runtime/lifecycle.ts";
import type { Database } from "../store/database.ts";
import { NO_ENVIRONMENT, openEmbedded, RELEASE_NEEDS_MS } from "../store/embedded.ts";
import { hasEmbeddedDatabase } from "../store/embeddedFolder.ts";
import { migrate, requireMigrated } from "../store/migrate.ts";
import { CLOSE_WITHIN_MS, openPostgres, type PostgresOptions } from "../store/postgres.ts";
import { hasRoster } from "../store/roster.ts";
import { type DatabaseStore, openStore } from "../store/store.ts";
import { makeTemporaryFolder, removeFolder } from "../store/temporary.ts";
import type { Context } from "./command.ts";
import { nameAccounts, refuseAliases } from "./names.ts";

export interface OpenDatabase {
  database: Database;
  /** For other programs; contains the password. */
  url: string;
  /** Further connections to it, apart from those of `database`. */
  connect(options?: PostgresOptions): Database;
  close(): Promise<void>;
  /** What to say of an error: of an embedded one whose folder is gone, that; and a promise that rejects with it. */
  explain(error: unknown): Promise<unknown>;
  failed: Promise<never>;
}

export const isUrl = (database: string): boolean => /^postgres(ql)?:\/\//i.test(database);

/** SQLSTATE of a file of the server that is not there. */
const FILE_MISSING = "58P01";
const DELETED_WITHIN_MS = 2_000;

/** A Postgres by URL, or the embedded one in a folder, started unless it runs already. */
export async function openDatabase({
  options,
  clock,
  log,
  signal,
  lifecycle,
}: Context): Promise<OpenDatabase> {
  const { schema } = options;
  if (isUrl(options.database)) return connected(options.database, { schema }, lifecycle);
  const opening = openEmbedded(resolve(options.database), { clock, log, signal });
  // Added while it opens, so that a signal meanwhile leaves no server behind.
  const server = lifecycle.add({
    name: "embedded database",
    needsMs: RELEASE_NEEDS_MS,
    stop: (withinMs?: number) => opening.then((opened) => opened.release(withinMs)).catch(() => {}),
  });
  const embedded = await opening;
  const { url } = embedded;
  const opened = connected(url, { environment: NO_ENVIRONMENT, schema }, lifecycle);
  const close = async () => {
    await opened.close();
    await server.stop();
  };
  const explain = async (error: unknown): Promise<unknown> => {
    // A folder that is being deleted loses its files first.
    if (error instanceof StoreError && error.sqlState === FILE_MISSING)
      await Promise.race([embedded.failed.catch(() => {}), clock.sleep(DELETED_WITHIN_MS)]);
    return embedded.gone() ?? error;
  };
  return { ...opened, close, explain, failed: embedded.failed };
}

function connected(
  url: string,
  options: Pick<PostgresOptions, "environment" | "schema">,
  lifecycle: Lifecycle,
): OpenDatabase {
  const connect = (more: PostgresOptions = {}) =>
    lifecycle.add(connectionsOf(openPostgres(url, { ...options, ...more })));
  const first = connect();
  return {
    database: first.of,
    url,
    connect: (more?: PostgresOptions) => connect(more).of,
    close: () => first.stop(),
    explain: async (error) => error,
    failed: new Promise<never>(() => {}),
  };
}

/** A database as a part that is stopped after all that use it. */
const connectionsOf = (database: Database): Service & { of: Database } => ({
  name: "connections to the database",
  of: database,
  needsMs: CLOSE_WITHIN_MS,
  stop: () => database.close(),
});

export interface MigratedDatabase extends OpenDatabase {
  store: DatabaseStore;
}

/** The same, with the schema brought up to date; `check` refuses before anything is changed. */
export async function openMigrated(
  context: Context,
  check: (database: Database) => Promise<void> = async () => {},
): Promise<MigratedDatabase> {
  const opened = await openDatabase(context);
  try {
    await orAborted(check(opened.database), context.signal);
    const applied = await orAborted(migrate(opened.database), context.signal);
    if (applied.length > 0) context.log.info("schema brought up to date", { migrations: applied.length });
    await nameAccounts(context.options, opened.database);
    return { ...opened, store: openStore(opened.database) };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** Throws `ConfigError` where nothing has been stored yet. */
export function requireDatabase({ options: { database } }: Context): void {
  if (!isUrl(database) && !hasEmbeddedDatabase(database))
    throw new ConfigError(
      `there is no database in ${resolve(database)}: hlsync run makes one, or name another (--database, DATABASE_URL)`,
    );
}

const NO_ACCOUNT = "no account given: use --account 0x…, set HLSYNC_ACCOUNTS, or hlsync accounts add 0x…";

/** Throws `ConfigError` where there is nothing to follow: no account, and no database that could name one. */
export function requireFollowable({ options }: Pick<Context, "options">): void {
  const { account, db, database } = options;
  const mayName = db && (isUrl(database) || hasEmbeddedDatabase(database));
  if (account.length === 0 && !mayName) throw new ConfigError(NO_ACCOUNT);
  if (!mayName) refuseAliases({ account }, "there is no database yet that knows it by this name");
}

/** The same for who changes what is stored: makes no database. */
export async function openExisting(context: Context): Promise<MigratedDatabase> {
  requireDatabase(context);
  return openMigrated(context);
}

/** The same for who only reads: makes no database and changes no schema. */
export async function openToRead(context: Context): Promise<MigratedDatabase> {
  requireDatabase(context);
  const opened = await openDatabase(context);
  try {
    await orAborted(requireMigrated(opened.database), context.signal);
    await nameAccounts(context.options, opened.database);
    return { ...opened, store: openStore(opened.database) };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** The database that `run` and `monitor` follow into; with `--no-db` one that is gone with the process. */
export async function openToFollow(context: Context): Promise<MigratedDatabase> {
  const { options, lifecycle } = context;
  if (options.db)
    return openMigrated(context, async (database) => {
      if (options.account.length === 0 && !(await hasRoster(database))) throw new ConfigError(NO_ACCOUNT);
    });
  const folder = await makeTemporaryFolder(context);
  lifecycle.add({ name: "temporary database", stop: async () => removeFolder(folder) });
  return openMigrated({ ...context, options: { ...options, database: folder } });
}

/** A reader who waits longer than this has asked for too much. */
const READ_WITHIN_MS = 20_000;
const READS_WAITING_MAX = 60;

/** Connections of outputs, apart from those that write and from each other: none keeps another waiting. */
export interface OutputDatabases {
  /** For what hlsync itself must know and note soon, leases among it: short statements. */
  own: Database;
  /** For what alerts and open pages look at all the time. */
  watch: Database;
  /** For what people ask, however long it takes; with many waiting, the next is refused. */
  reads: Database;
}

export function openReaders({ connect }: OpenDatabase): OutputDatabases {
  const open = (waitingMax = Number.POSITIVE_INFINITY) =>
    connect({ maxConnections: 2, statementTimeoutMs: READ_WITHIN_MS, waitingMax });
  return { own: open(), watch: open(), reads: open(READS_WAITING_MAX) };
}
