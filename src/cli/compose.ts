/**
 * Puts the parts together: database, venue, engine. The only place that knows which implementation stands behind a port.
 */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { DIALS_PER_MINUTE } from "../connection/backoff.ts";
import { createHttpPost } from "../connection/httpPost.ts";
import { createInfoClient } from "../connection/infoClient.ts";
import { createStreams } from "../connection/liveSocket.ts";
import { withNode } from "../connection/nodeInfo.ts";
import { type LimiterOptions, RateLimiter, WHOLE_SHARES } from "../connection/rateLimiter.ts";
import { StreamBudget } from "../connection/streamBudget.ts";
import { createSocketFactory } from "../connection/webSocket.ts";
import { ConfigError, StoreError } from "../errors.ts";
import type { Aliases } from "../outputs/eventText.ts";
import { createFeed, type Feed } from "../outputs/feed.ts";
import { ACCOUNT_STREAMS } from "../protocol/channels.ts";
import { LIMITS } from "../protocol/limits.ts";
import { orAborted } from "../runtime/abort.ts";
import type { Lifecycle, Service } from "../runtime/lifecycle.ts";
import { systemRandom } from "../runtime/random.ts";
import type { Database } from "../store/database.ts";
import { NO_ENVIRONMENT, openEmbedded, RELEASE_NEEDS_MS } from "../store/embedded.ts";
import { hasEmbeddedDatabase } from "../store/embeddedFolder.ts";
import { openFleet } from "../store/fleet.ts";
import { migrate, requireMigrated } from "../store/migrate.ts";
import { CLOSE_WITHIN_MS, openPostgres, type PostgresOptions } from "../store/postgres.ts";
import { hasRoster, openRoster } from "../store/roster.ts";
import { type DatabaseStore, openStore } from "../store/store.ts";
import { makeTemporaryFolder, removeFolder } from "../store/temporary.ts";
import type { Progress } from "../sync/account/account.ts";
import { Engine, type EngineConfig, type EngineDeps } from "../sync/engine.ts";
import type { OpenStream, Roster, VenueInfo } from "../sync/ports.ts";
import { SubAccounts } from "../sync/subAccounts.ts";
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

interface MigratedDatabase extends OpenDatabase {
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

/** The lease must be renewed in time, whatever the other connections wait for. */
const LEASE_ANSWER_MS = 3_000;

/** What lets several processes share one database, over a connection of its own. `venue`: whose budget is shared. */
function joinFleet(
  { options, clock }: Context,
  { connect }: OpenDatabase,
  { limiter, streams }: Venue,
): NonNullable<EngineDeps["shared"]> {
  const database = connect({
    maxConnections: 1,
    connectTimeoutMs: LEASE_ANSWER_MS,
    statementTimeoutMs: LEASE_ANSWER_MS,
  });
  const start = Math.floor(systemRandom.next() * 36 ** 6)
    .toString(36)
    .padStart(6, "0");
  return openFleet(database, {
    name: `${hostname()}:${process.pid}:${start}`,
    egress: options.egress || hostname(),
    slots: LIMITS.connections,
    weight: options.weight,
    dials: DIALS_PER_MINUTE,
    subscriptions: LIMITS.subscriptions,
    spent: () => limiter.stats().usedLastMinute,
    dialled: () => streams.connections.spent(clock.now()),
  });
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

/** An own node counts no weight: what it is asked at once is limited all the same. */
const NODE_WEIGHT_PER_MINUTE = 1_000_000;

export interface Venue {
  info: VenueInfo;
  openStream: OpenStream;
  limiter: RateLimiter;
  streams: StreamBudget;
}

/**
 * How to ask the venue and listen to it. `limits`: how its budget is shared. When the program stops,
 * requests under way end without an answer.
 */
export function connectVenue(
  { options, clock, log, lifecycle }: Context,
  limits: Partial<Pick<LimiterOptions, "shares">> = {},
): Venue {
  const random = systemRandom;
  const limiter = new RateLimiter(clock, { weightPerMinute: options.weight, ...limits });
  const streams = new StreamBudget();
  const stopping = new AbortController();
  lifecycle.add({ name: "requests to the venue", stop: async () => stopping.abort(new Error("stopped")) });
  const rest = { post: createHttpPost(), limiter, signal: stopping.signal };
  return {
    limiter,
    streams,
    info: createInfoClient({ ...rest, apiUrl: options.apiUrl, clock, random, log }),
    openStream: createStreams({
      wsUrl: options.wsUrl,
      socketFactory: createSocketFactory(),
      clock,
      random,
      log,
      connections: streams.connections,
      messages: streams.messages,
    }),
  };
}

/** The same, with the states of an own node where there is one. */
function withOwnNode(venue: Venue, { options, clock, log }: Context): Venue {
  if (options.nodeUrl === "") return venue;
  const limiter = new RateLimiter(clock, { weightPerMinute: NODE_WEIGHT_PER_MINUTE, shares: WHOLE_SHARES });
  const asking = { post: createHttpPost(), limiter, clock, random: systemRandom, log, maxAttempts: 1 };
  const node = createInfoClient({ ...asking, apiUrl: options.nodeUrl });
  return { ...venue, info: withNode({ venue: venue.info, node, clock, log }) };
}

/** Which market data the options ask for; null for none. */
export function marketChoice({
  markets,
  streams,
}: Pick<Context["options"], "markets" | "streams">): EngineConfig["market"] {
  const chosen = streams.filter((name) => !ACCOUNT_STREAMS.some((known) => known === name));
  if (chosen.length === 0) return null;
  // Mids need no coins: without any they are all wanted.
  return { coins: markets.length === 0 || markets.includes("all") ? "all" : markets, streams: chosen };
}

/** Without a database there is no history to fill: the console shows the last hour and what comes. */
const NO_DATABASE_PAST_MS = 3_600_000;

export function engineConfig({ options, clock }: Context): EngineConfig {
  return {
    accounts: options.account,
    sinceMs: options.since ?? (options.db ? null : clock.now() - NO_DATABASE_PAST_MS),
    market: marketChoice(options),
    webData2: options.streams.includes("webData2"),
    lane: { intervalMs: options.interval },
  };
}

export interface Following {
  engine: Engine;
  feed: Feed;
  venue: Venue;
  /** Of the accounts that are followed, as they are called now. */
  aliases: Aliases;
  /** Rejects when following cannot go on. */
  failed: Promise<never>;
}

/** What was received is written before the engine lets go. */
const ENGINE_NEEDS_MS = 1_500;

/** The roster with the accounts that are followed by naming their master. */
function withSubAccounts(roster: Roster, { options, clock, log, signal }: Context, info: VenueInfo): Roster {
  const masters = options.account.filter(({ withSubs }) => withSubs);
  return new SubAccounts(roster, masters, { info, clock, log, asking: { priority: "reconcile", signal } });
}

/** Makes the engine over an open database; the caller starts it. */
export function follow(
  context: Context,
  opened: MigratedDatabase,
  extra: { onProgress?: (progress: Progress) => void; sharing?: boolean } = {},
): Following {
  const { clock, log, lifecycle } = context;
  const { store, database } = opened;
  const venue = withOwnNode(connectVenue(context), context);
  const feed = createFeed(log);
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  const aliases = new Map<string, string>();
  const deps: EngineDeps = {
    ...venue,
    store,
    clock,
    log,
    random: systemRandom,
    publish: (committed) => feed.publish(committed),
    onFatal: fail,
    roster: withSubAccounts(openRoster(database), context, venue.info),
    onAccounts: (accounts) => {
      aliases.clear();
      for (const { address, alias } of accounts) if (alias !== null) aliases.set(address, alias);
    },
    ...(extra.onProgress ? { onProgress: extra.onProgress } : {}),
    ...(extra.sharing ? { shared: joinFleet(context, opened, venue) } : {}),
    onShare(share) {
      venue.limiter.setLimit(share.weight);
      venue.streams.share(share);
    },
  };
  const engine = new Engine(deps, engineConfig(context));
  lifecycle.add({ name: engine.name, needsMs: ENGINE_NEEDS_MS, stop: () => engine.stop() });
  return { engine, feed, venue, aliases, failed };
}
