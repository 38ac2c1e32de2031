/**
 * Each client asked for the fills of an account, the way its documentation does it, on a venue on this machine. None is
 * changed; the versions are those of test/package.json, from where they are loaded. What is handed over are the client's own objects.
 */
import { createRequire } from "node:module";
import { WebSocket } from "ws";
import { createStreams } from "../src/connection/liveSocket.ts";
import { createSocketFactory } from "../src/connection/webSocket.ts";
import type { Content, Subscription } from "../src/protocol/channels.ts";
import { systemClock as clock } from "../src/runtime/clock.ts";
import { silentLog as log } from "../src/runtime/log.ts";
import { systemRandom as random } from "../src/runtime/random.ts";
import { fillRow } from "../src/sync/normalize.ts";
import { rowsOf } from "./contentRows.ts";

const require = createRequire(new URL("../test/package.json", import.meta.url));

export interface VenueAddress {
  apiUrl: string;
  wsUrl: string;
  user: `0x${string}`;
}

export type OnFills = (fills: readonly object[]) => void;
export type OnFrame = (rows: number) => void;
/** Resolves once fills may come; what it resolves with ends it. */
type Receiver = (venue: VenueAddress, onFills: OnFills) => Promise<() => unknown>;

/** Any key, as long as it is one. */
const PRIVATE_KEY = `0x${"11".repeat(32)}`;

/** Nothing but the socket and `JSON.parse`. */
function parsedFrames(
  wsUrl: string,
  subscription: Subscription,
  onData: (data: unknown) => void,
): () => void {
  const socket = new WebSocket(wsUrl, { perMessageDeflate: false });
  socket.on("open", () => socket.send(JSON.stringify({ method: "subscribe", subscription })));
  socket.on("message", (bytes) => {
    const { channel, data } = JSON.parse(bytes.toString()) as { channel: string; data: unknown };
    if (channel === subscription.type) onData(data);
  });
  return () => socket.terminate();
}
const raw: Receiver = async ({ wsUrl, user }, onFills) =>
  parsedFrames(wsUrl, { type: "userFills", user }, (data) => onFills((data as { fills: object[] }).fills));

/** Our socket, session, decoding and normalizing: everything before the database. */
function readFrames(
  wsUrl: string,
  subscription: Subscription,
  onContent: (content: Content, seenAtMs: number) => void,
): () => Promise<void> {
  const open = createStreams({ wsUrl, socketFactory: createSocketFactory(), clock, random, log });
  const nothing = () => {};
  const stream = open([subscription], {
    onConfirmed: nothing,
    onConnected: nothing,
    onDisconnected: nothing,
    onRefused: nothing,
    onLimited: nothing,
    onStale: nothing,
    onFresh: nothing,
    onQuarantine(_subject, reason) {
      throw new Error(reason);
    },
    onMessage: ({ content }, _channel, _subscription, seenAtMs) => onContent(content, seenAtMs),
  });
  return () => stream.stop();
}
const hlsync: Receiver = async ({ wsUrl, user }, onFills) =>
  readFrames(wsUrl, { type: "userFills", user, aggregateByTime: false }, (content, seenAtMs) => {
    if (content.type !== "fills") return;
    const origin = { account: user, source: "stream", seenAtMs } as const;
    onFills(content.rows.map((row) => fillRow(origin, row)));
  });

/** What any channel of an account or a market brings, frame by frame. */
function subscriptionOf(type: string, user: string): Subscription {
  if (type === "l2Book" || type === "trades") return { type, coin: "BTC" };
  return type === "allMids" ? { type } : { type, user };
}
export const FRAME_RECEIVERS: Record<
  string,
  (venue: VenueAddress, type: string, onFrame: OnFrame) => () => unknown
> = {
  "ws + JSON.parse": ({ wsUrl, user }, type, onFrame) =>
    parsedFrames(wsUrl, subscriptionOf(type, user), () => onFrame(1)),
  hlsync: ({ wsUrl, user }, type, onFrame) =>
    readFrames(wsUrl, subscriptionOf(type, user), (content) => onFrame(rowsOf(content))),
};

const nktkasWith =
  (options: object): Receiver =>
  async ({ wsUrl, user }, onFills) => {
    const { SubscriptionClient, WebSocketTransport } = await import("../test/support/nktkas.ts");
    const transport = new WebSocketTransport({ url: wsUrl, ...options });
    await new SubscriptionClient({ transport }).userFills({ user }, ({ fills }) => onFills(fills));
    return () => transport.close();
  };

/** What of the nomeida SDK is used here. */
interface Nomeida {
  ws: { url: string };
  symbolConversion: { initialize(): Promise<void> };
  connect(): Promise<void>;
  disconnect(): void;
  subscriptions: {
    subscribeToUserFills(user: string, onEvent: (event: { fills: object[] }) => void): Promise<void>;
  };
}

const nomeida: Receiver = async ({ apiUrl, wsUrl, user }, onFills) => {
  const { Hyperliquid } = require("hyperliquid") as { Hyperliquid: new (options: object) => Nomeida };
  const sdk = new Hyperliquid({ privateKey: PRIVATE_KEY, enableWs: true, disableAssetMapRefresh: true });
  redirect(sdk, apiUrl);
  sdk.ws.url = wsUrl;
  // Else every frame before the first answer asks for the markets itself, and waits for its own rate limiter.
  await sdk.symbolConversion.initialize();
  await sdk.connect();
  await sdk.subscriptions.subscribeToUserFills(user, ({ fills }) => onFills(fills));
  return () => sdk.disconnect();
};

/** It has no option for another endpoint: every HTTP client inside it is pointed there. */
function redirect(part: unknown, url: string, seen = new Set<unknown>()): void {
  if (typeof part !== "object" || part === null || seen.has(part)) return;
  seen.add(part);
  const { client } = part as { client?: { defaults?: { baseURL?: string } } };
  if (client?.defaults !== undefined) client.defaults.baseURL = url;
  for (const inner of Object.values(part)) redirect(inner, url, seen);
}

/** What of a ccxt exchange is used here. */
interface Ccxt {
  urls: Record<string, unknown>;
  loadMarkets(): Promise<object>;
  setMarkets(markets: object): void;
  loadHttpProxyAgent(): Promise<unknown>;
  watchMyTrades(symbol: undefined, since: undefined, limit: undefined, params: object): Promise<object[]>;
  close(): Promise<void>;
}

/** Before its next try after an error, as a user would; without it the loop would spin. */
const CCXT_PAUSE_MS = 100;

/** Loading them takes its rate limiter five seconds: once a process. */
let ccxtMarkets: object | null = null;

const ccxt: Receiver = async ({ apiUrl, wsUrl, user }, onFills) => {
  const { pro } = require("ccxt") as { pro: { hyperliquid: new (options: object) => Ccxt } };
  const exchange = new pro.hyperliquid({ walletAddress: user, privateKey: PRIVATE_KEY });
  exchange.urls.api = { public: apiUrl, private: apiUrl, ws: { public: wsUrl } };
  // Its way of allowing a WebSocket without TLS.
  await exchange.loadHttpProxyAgent();
  if (ccxtMarkets === null) ccxtMarkets = await exchange.loadMarkets();
  else exchange.setMarkets(ccxtMarkets);
  let isOver = false;
  const follow = async () => {
    while (!isOver) {
      try {
        onFills(await exchange.watchMyTrades(undefined, undefined, undefined, { user }));
      } catch {
        if (!isOver) await clock.sleep(CCXT_PAUSE_MS);
      }
    }
  };
  void follow();
  return () => {
    isOver = true;
    return exchange.close();
  };
};

/** By the name that the tables show. */
export const RECEIVERS: Record<string, Receiver> = {
  "ws + JSON.parse": raw,
  hlsync,
  "@nktkas/hyperliquid": nktkasWith({}),
  /** Quick to try again and quick to doubt, as far as its options go. */
  "@nktkas/hyperliquid, tuned": nktkasWith({
    reconnect: { maxRetries: Number.POSITIVE_INFINITY, reconnectionDelay: 100 },
    keepAlive: { interval: 5_000, timeout: 5_000 },
  }),
  "hyperliquid (nomeida)": nomeida,
  "ccxt pro": ccxt,
};

/** The venue's trade id in an object of any of the clients. */
export function tradeId(fill: object): number {
  const { tid, tradeId, id } = fill as { tid?: number; tradeId?: number; id?: string };
  return Number(tid ?? tradeId ?? id);
}
