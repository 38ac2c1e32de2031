/**
 * Puts the parts together: venue and engine over an open database. The only place that knows which implementation stands
 * behind a port.
 */
import { hostname } from "node:os";
import { DIALS_PER_MINUTE } from "../connection/backoff.ts";
import { createHttpPost } from "../connection/httpPost.ts";
import { createInfoClient } from "../connection/infoClient.ts";
import { createStreams } from "../connection/liveSocket.ts";
import { withNode } from "../connection/nodeInfo.ts";
import { type LimiterOptions, RateLimiter, WHOLE_SHARES } from "../connection/rateLimiter.ts";
import { StreamBudget } from "../connection/streamBudget.ts";
import { createSocketFactory } from "../connection/webSocket.ts";
import type { Aliases } from "../outputs/eventText.ts";
import { createFeed, type Feed } from "../outputs/feed.ts";
import { LIMITS } from "../protocol/limits.ts";
import { ACCOUNT_STREAMS } from "../protocol/streams.ts";
import { systemRandom } from "../runtime/random.ts";
import { openFleet } from "../store/fleet.ts";
import { openRoster } from "../store/roster.ts";
import type { Progress } from "../sync/account/account.ts";
import { Engine, type EngineConfig, type EngineDeps } from "../sync/engine.ts";
import type { OpenStream, Roster, VenueInfo } from "../sync/ports.ts";
import { SubAccounts } from "../sync/subAccounts.ts";
import type { Context } from "./command.ts";
import type { MigratedDatabase, OpenDatabase } from "./openDatabase.ts";

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
