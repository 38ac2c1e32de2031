/**
 * The HTTP side of `run` over a real database, with an engine that the test holds in its hand: what it reports and what it
 * commits. For what must stand still to be compared; the whole program is run in dashboardLive.test.ts.
 */
import { ruleSet } from "../../src/outputs/alerts/ruleSet.ts";
import { createHttpSend } from "../../src/outputs/delivery/httpSend.ts";
import { createFeed, type Feed } from "../../src/outputs/feed.ts";
import { type HttpService, startHttp } from "../../src/outputs/http/start.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { silentLog } from "../../src/runtime/log.ts";
import type { DatabaseStore } from "../../src/store/store.ts";
import type { EngineStatus } from "../../src/sync/engine.ts";
import type { VenueInfo } from "../../src/sync/ports.ts";
import { rowSources } from "../../src/sync/rowSources.ts";
import { type Batch, TRACKED_STREAMS } from "../../src/sync/rows.ts";
import { freePort } from "../support/freePort.ts";
import { ACCOUNT, type MadeAccount } from "./dashboardAccount.ts";

export interface HandServer {
  readonly url: string;
  /** Since when the venue is silent; null while data comes. */
  silentSinceMs: number | null;
  /** Writes and publishes as the engine does. */
  commit(batch: Batch): Promise<void>;
  /** Ends the server and forgets its connections; `restart` begins a new one at the same address. */
  stop(): Promise<void>;
  restart(): Promise<void>;
}

const HEARD_MS = 5_000;
const CHANNELS = [
  ...[
    "orderUpdates",
    "userEvents",
    "userFills",
    "userFundings",
    "userNonFundingLedgerUpdates",
    "userTwapSliceFills",
  ],
  ...["spotState", "webData3", "clearinghouseState", "openOrders"],
];

export async function startHandServer(
  store: DatabaseStore,
  made: MadeAccount,
  listen = { host: "127.0.0.1", port: 0 },
  token: string | null = null,
  /** Followed, by their names. */
  followed: Record<string, string> = { main: ACCOUNT },
): Promise<HandServer> {
  const startedMs = Date.now();
  let feed: Feed = createFeed(silentLog);
  let service: HttpService | null = null;
  const info = {
    clockOffset: () => ({ offsetMs: -40, uncertaintyMs: 30, measuredAtMs: Date.now() }),
    request: async (_row: unknown, { req }: { req: { coin: string } }) => ({
      result: {
        rows: made
          .candles(req.coin)
          .slice(-110)
          .map(([t, o, h, l, c, v]) => ({ value: { t, o, h, l, c, v } })),
      },
    }),
  } as unknown as VenueInfo;

  const status = (): EngineStatus => {
    const nowMs = server.silentSinceMs ?? Date.now();
    const isSilent = server.silentSinceMs !== null && Date.now() - server.silentSinceMs > 1_000;
    return {
      writesRefused: null,
      accounts: Object.entries(followed).map(([alias, address]) => ({
        address,
        alias,
        mode: "stream",
        pollMs: null,
        role: "active",
        holder: null,
        lane: {
          phase: "live",
          queued: 0,
          dropped: 0,
          lastCatchUpMs: startedMs - 68_000,
          lastCatchUpError: null,
          healed: 3,
          unexplained: 0,
          stream: {
            state: "live",
            connectedSinceMs: startedMs - 20_000_000,
            reconnects: 2,
            lastReceivedMs: nowMs,
            lastEnd: "the venue closed it (1000 Expired)",
            nextAttemptMs: null,
            roundTripMs: 84,
            subscriptions: CHANNELS.map((type, index) => ({
              subscription: { type, user: address },
              state: "confirmed",
              lastDataMs: nowMs - index * 370,
              stale: isSilent,
            })),
          },
        },
      })),
    };
  };

  /** What the engine writes every ten seconds while the venue talks: up to when it was heard. */
  const hear = () => {
    if (server.silentSinceMs !== null) return;
    const heard = { fromMs: startedMs - 60_000, toMs: Date.now(), reason: null };
    const coverage = Object.values(followed).flatMap((account) =>
      TRACKED_STREAMS.map((stream) => ({ account, stream, grade: "streamed", ...heard }) as const),
    );
    store.apply({ coverage }).catch(() => {});
  };
  let hearing: NodeJS.Timeout | undefined;

  async function begin(port: number): Promise<void> {
    hear();
    hearing = setInterval(hear, HEARD_MS);
    feed = createFeed(silentLog);
    service = await startHttp({
      listen: { host: listen.host, port },
      token,
      version: "0.1.0",
      engine: { status },
      feed,
      limiter: {
        stats: () => ({
          usedLastMinute: 184,
          weightPerMinute: 1200,
          waiting: 0,
          inflight: 1,
          throttled429: 0,
        }),
      },
      info,
      own: store.database,
      watch: store.database,
      reads: store.database,
      alarms: { rules: ruleSet([]), channels: [], http: createHttpSend({ clock: systemClock }) },
      clock: systemClock,
      log: silentLog,
      tell: () => {},
    });
  }

  const server: HandServer & { url: string } = {
    url: "",
    silentSinceMs: null,
    async commit(batch) {
      const receivedAtMs = Date.now();
      const applied = await store.apply(batch);
      feed.publish({ applied, sources: rowSources(batch), receivedAtMs, committedAtMs: Date.now() });
    },
    async stop() {
      clearInterval(hearing);
      await service?.stop();
      service = null;
    },
    restart: () => begin(Number(new URL(server.url).port)),
  };
  await begin(listen.port || (await freePort()));
  server.url = service!.url;
  return server;
}
