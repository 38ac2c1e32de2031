/**
 * Puts the HTTP side of `run` together: observer, telemetry, event hub, routes, server. Guarantees: what it counts begins
 * with its start; a token is made and printed once when one is needed and none was given; stopping ends every
 * connection and every timer.
 */
import { randomBytes } from "node:crypto";
import { ConfigError } from "../../errors.ts";
import { INFO } from "../../protocol/infoRequests.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Service } from "../../runtime/lifecycle.ts";
import type { Log } from "../../runtime/log.ts";
import type { Database, Queryable } from "../../store/database.ts";
import type { Committed } from "../../sync/engine.ts";
import type { VenueInfo } from "../../sync/ports.ts";
import type { DeliveryAttempt } from "../delivery/bridge.ts";
import type { Feed } from "../feed.ts";
import { Telemetry } from "../metrics/telemetry.ts";
import { type Observed, Observer } from "../observation/observer.ts";
import { type Alerting, type Status, status } from "../observation/status.ts";
import { openOutbox } from "../outbox.ts";
import { json, RequestError, text } from "./answer.ts";
import { apiRoutes } from "./api.ts";
import { dashboardAssets } from "./assets.ts";
import { type Alarms, controlRoutes } from "./control.ts";
import { EventHub } from "./eventHub.ts";
import { readEventId } from "./eventId.ts";
import { isLoopback } from "./guard.ts";
import { accountOf } from "./parameters.ts";
import { readBalances, readDrawdown, readOverview, readPositions } from "./reads.ts";
import { type Handler, serve } from "./server.ts";

interface HttpDeps {
  listen: { host: string; port: number };
  /** As it was chosen; null when none was. */
  token: string | null;
  version: string;
  /** The venue is a model. */
  simulated?: boolean;
  engine: Observed["engine"];
  feed: Pick<Feed<Committed>, "subscribe">;
  /** Absent where nothing is delivered. */
  attempts?: Pick<Feed<DeliveryAttempt>, "subscribe">;
  limiter: Observed["limiter"];
  info: VenueInfo;
  /** For what must be known and noted soon. */
  own: Database;
  /** For what open pages show all the time. */
  watch: Queryable;
  /** For what is asked, however long it takes. */
  reads: Queryable;
  /** Absent where nothing is watched. */
  alarms?: Alarms;
  clock: Clock;
  log: Log;
  /** One line for the person who started it; null without a terminal. */
  tell: ((line: string) => void) | null;
}

/** State and status go to open pages this often. */
const BROADCAST_MS = 1_000;
/** Also an account in which nothing was committed is read again this often. */
const STATE_MS = 5_000;

export interface HttpService extends Service {
  /** `http://host:port` */
  readonly url: string;
}

/** Rejects with `ConfigError` when the address cannot be had. */
export async function startHttp(deps: HttpDeps): Promise<HttpService> {
  const { clock, log, own, watch, reads, engine, limiter, info, listen } = deps;
  const observer = new Observer({ engine, limiter, own, watch, clock, log });
  const telemetry = telemetryOf(deps);
  const hub = new EventHub({
    outbox: openOutbox(own),
    clock,
    log,
    onPublished: (event, times, publishedAtMs) =>
      telemetry.published(event, times.committedAtMs, publishedAtMs),
    onDropped: () => telemetry.streamDropped(),
  });
  const followed = () => engine.status().accounts.map(({ address, alias }) => ({ address, alias }));
  const dirty = new Set<string>();
  const stopping = new AbortController();
  const unsubscribe = hear(deps, { telemetry, hub, dirty, followed });
  const now = statusNow(deps, { observer, telemetry, hub, startedMs: clock.now() });

  const policyToken = deps.token ?? (isLoopback(listen.host) ? null : makeToken(deps));
  const assets = await dashboardAssets();
  const routes = new Map<string, Handler>([
    ...healthRoutes(now),
    [
      "GET /metrics",
      () => ({
        status: 200,
        type: "text/plain; version=0.0.4; charset=utf-8",
        body: telemetry.scrape(now(), (account) => observer.snapshot(account), observer.outputs()),
      }),
    ],
    ...assets,
    ["GET /api/events", eventStream(hub, followed)],
    ...apiRoutes({
      reads,
      clock,
      info,
      followed,
      stopping: stopping.signal,
      status: now,
      latency: () => telemetry.latency(),
      onPainted: (lagsMs) => telemetry.painted(lagsMs),
    }),
    ...controlRoutes({ ...deps, followed, mayChange: policyToken !== null }),
  ]);

  try {
    await observer.start();
    await hub.start();
    const server = await serve({
      host: listen.host,
      port: listen.port,
      policy: { token: policyToken },
      routes,
      log,
      onAnswer: (route, code) => telemetry.answered(route, code),
    });
    telemetry.start();
    const stopBroadcast = broadcast({ hub, watch, clock, log, now, dirty });
    announce(deps, server.url, policyToken);
    return {
      name: "http",
      url: server.url,
      async stop() {
        stopping.abort(new Error("stopping"));
        unsubscribe();
        stopBroadcast();
        await hub.stop();
        await server.stop();
        await Promise.all([telemetry.stop(), observer.stop()]);
      },
    };
  } catch (error) {
    unsubscribe();
    await Promise.all([hub.stop(), observer.stop()]);
    throw error;
  }
}

function telemetryOf({ clock, log, own, version, engine, info }: HttpDeps): Telemetry {
  return new Telemetry({
    clock,
    log,
    instance: randomBytes(6).toString("hex"),
    db: own,
    version,
    measuredOffset: () => info.clockOffset(),
    // A process on standby asks nothing.
    measure: async (signal) => {
      if (engine.status().accounts.some(({ role }) => role === "active"))
        await info.request(INFO.exchangeStatus, {}, { priority: "reconcile", signal });
    },
  });
}

type Followed = Parameters<typeof accountOf>[1];

interface Hearing {
  telemetry: Telemetry;
  hub: EventHub;
  /** Accounts whose state is to be sent again. */
  dirty: Set<string>;
  followed(): Followed;
}

/** Passes on what is committed and delivered; the answer ends that. */
function hear({ feed, attempts }: HttpDeps, { telemetry, hub, dirty, followed }: Hearing): () => void {
  const unsubscribe = feed.subscribe((committed) => {
    telemetry.committed(committed);
    hub.committed(committed);
    for (const { account } of committed.applied.events) if (account) dirty.add(account);
    // Snapshots and balances make no events.
    if (committed.applied.events.length === 0) for (const { address } of followed()) dirty.add(address);
  });
  const unsubscribeAttempts = attempts?.subscribe((attempt) => telemetry.attempted(attempt));
  return () => {
    unsubscribe();
    unsubscribeAttempts?.();
  };
}

interface Watching {
  observer: Observer;
  telemetry: Telemetry;
  hub: EventHub;
  startedMs: number;
}

const statusNow =
  (
    { clock, version, simulated = false, own, engine, limiter, alarms }: HttpDeps,
    { observer, telemetry, hub, startedMs }: Watching,
  ) =>
  (): Status =>
    status({
      nowMs: clock.now(),
      startedMs,
      version,
      simulated,
      database: own.describe(),
      probe: observer.database(),
      engine: engine.status(),
      limiter: limiter.stats(),
      clockOffsetMs: telemetry.clockOffsetMs(),
      eventStreams: hub.size,
      alerting: alarms ? countsOf(alarms) : null,
      fleet: observer.fleet(),
      holderOf: (account) => observer.holderOf(account),
      knowledge: (account) => observer.knowledge(account),
      heard: (account) => observer.heard(account),
    });

function countsOf({ rules: { rules, prices }, channels }: Alarms): Alerting {
  const on = [...rules.values()].filter(({ loudness }) => loudness !== "off").length;
  return { rules: on + prices.length, channels: channels.length };
}

/** Whether it lives, and whether it does what it should. */
const healthRoutes = (now: () => Status): [string, Handler][] => [
  ["GET /livez", () => text("alive")],
  [
    "GET /readyz",
    () => {
      const { ready, reasons } = now();
      return ready ? text("ready") : json({ ready, reasons }, 503);
    },
  ],
  [
    "GET /healthz",
    () => {
      const health = now();
      return json(health, health.ready ? 200 : 503);
    },
  ],
];

/** Shown once and stored nowhere, so it needs a terminal. */
function makeToken({ tell, listen }: HttpDeps): string {
  if (tell !== null) return randomBytes(24).toString("base64url");
  throw new ConfigError(
    `--listen ${listen.host}:${listen.port}: set HLSYNC_TOKEN, since others can reach this address and with --json no token can be shown`,
  );
}

function announce({ tell, token, log, listen }: HttpDeps, url: string, policyToken: string | null): void {
  log.info("listening", { url });
  if (tell === null) return;
  // An address of all interfaces is no address to open.
  const shown = ["0.0.0.0", "::"].includes(listen.host)
    ? url.replace(/\/\/[^/]*:(\d+)$/, "//<this machine>:$1")
    : url;
  if (policyToken === null) tell(`dashboard: ${shown}`);
  else if (token === null)
    tell(
      `dashboard: ${shown}/?token=${policyToken}  (made for this run; set HLSYNC_TOKEN to choose your own)`,
    );
  else tell(`dashboard: ${shown}/?token=<HLSYNC_TOKEN>`);
}

function eventStream(hub: EventHub, followed: () => Followed): Handler {
  return (request) => {
    if (hub.full) throw new RequestError("too many event streams are open", 503);
    const account = request.query.has("account") ? accountOf(request, followed()) : null;
    const given = request.headers["last-event-id"] ?? request.query.get("after") ?? null;
    const since = given === null ? null : readEventId(String(given));
    if (given !== null && since === null)
      throw new RequestError("Last-Event-ID: expected the id of an event");
    return {
      headers: {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      },
      takeOver(response) {
        const sink = {
          write: (frames: string) => void response.write(frames),
          buffered: () => response.writableLength,
          close: () => void response.destroy(),
        };
        response.on("close", hub.connect(sink, account, since));
      },
    };
  };
}

interface Broadcasting {
  hub: EventHub;
  watch: Queryable;
  clock: Clock;
  log: Log;
  now(): Status;
  /** Accounts in which something was committed since their state was sent. */
  dirty: Set<string>;
}

/**
 * Sends status and, where it changed, the state of the accounts that are looked at; neither waits for the other, since a
 * page takes a status that does not come for an hlsync that is away. Returns the function that ends it.
 */
function broadcast({ hub, watch, clock, log, now, dirty }: Broadcasting): () => void {
  const sent = new Map<string, number>();
  let stopped = false;

  async function sendState(account: string): Promise<void> {
    const nowMs = clock.now();
    dirty.delete(account);
    sent.set(account, nowMs);
    const [overview, fallen, positions, balances] = await Promise.all([
      readOverview(watch, account, nowMs),
      readDrawdown(watch, account),
      readPositions(watch, account),
      readBalances(watch, account),
    ]);
    const whole = { account_address: account, ...overview, ...fallen };
    hub.broadcast("state", { account, overview: whole, positions, balances }, account);
  }

  async function sendStates(): Promise<void> {
    const nowMs = clock.now();
    for (const account of hub.watched()) {
      if (dirty.has(account) || nowMs - (sent.get(account) ?? 0) >= STATE_MS) await sendState(account);
    }
  }

  const repeat = (work: () => Promise<void> | void): (() => void) => {
    let cancel = () => {};
    const next = () => {
      cancel = clock.after(BROADCAST_MS, async () => {
        try {
          await work();
        } catch (error) {
          log.debug("state not sent", { error });
        }
        if (!stopped) next();
      });
    };
    next();
    return () => cancel();
  };
  const ends = [
    repeat(() => {
      if (hub.size > 0) hub.broadcast("status", now());
    }),
    repeat(sendStates),
  ];
  return () => {
    stopped = true;
    for (const end of ends) end();
  };
}
