/**
 * A venue that only knows market data: whoever subscribes gets each channel of each coin as often as the venue sends it
 * (docs of the venue, measured in autumn 2026), times the factor in the URL of the socket (`?factor=10`). Every row is there
 * once. A process of its own: sends its port to its parent, and what was sent since it was last asked.
 */
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/** Frames a second of a coin: the book of 20 levels, contexts, candles of a coin that trades, blocks with trades. */
const PER_SECOND = { l2Book: 0.2, activeAssetCtx: 1, candle: 1, trades: 1 } as const;
type Channel = keyof typeof PER_SECOND;
const TRADES_PER_FRAME = 3;
const TICK_MS = 20;
const MINUTE_MS = 60_000;
const HASH = `0x${"e2".repeat(32)}`;
const USER = `0x${"1".repeat(40)}`;

const sent: Record<Channel, number> = { l2Book: 0, activeAssetCtx: 0, candle: 0, trades: 0 };
let number = 0;
/** A row of its own even when a coin's turn comes twice in a millisecond. */
const lastMs = new Map<string, number>();
function ownMs(key: string): number {
  const ms = Math.max(Date.now(), (lastMs.get(key) ?? 0) + 1);
  lastMs.set(key, ms);
  return ms;
}

const levels = (from: number, step: number) =>
  Array.from({ length: 20 }, (_, n) => ({ px: `${from + n * step}.0`, sz: `0.${1_000 + n}`, n: 1 + n }));
const LEVELS = JSON.stringify([levels(83_756, -1), levels(83_757, 1)]);

const DATA: Record<Channel, (coin: string) => string> = {
  l2Book: (coin) => `{"coin":"${coin}","time":${ownMs(`b${coin}`)},"levels":${LEVELS}}`,
  activeAssetCtx: (coin) =>
    `{"coin":"${coin}","ctx":{"funding":"0.0000125","openInterest":"${++number}.5","prevDayPx":"81000.0","dayNtlVlm":"${number}.25",` +
    `"premium":"0.0001","oraclePx":"83750.0","markPx":"83757.0","midPx":"83756.5","impactPxs":["83756.0","83757.0"],"dayBaseVlm":"${number}.5"}}`,
  candle: (coin) => {
    const from = Date.now() - (Date.now() % MINUTE_MS);
    return (
      `{"t":${from},"T":${from + MINUTE_MS - 1},"s":"${coin}","i":"1m","o":"83750.0","c":"83757.0","h":"83760.0",` +
      `"l":"83700.0","v":"${++number}.5","n":${number}}`
    );
  },
  trades: (coin) => {
    const time = Date.now();
    const rows = Array.from(
      { length: TRADES_PER_FRAME },
      () =>
        `{"coin":"${coin}","side":"B","px":"83757.0","sz":"0.00819","time":${time},"hash":"${HASH}","tid":${++number},"users":["${USER}","${USER}"]}`,
    );
    return `[${rows.join(",")}]`;
  },
};

function serve(socket: WebSocket, factor: number): void {
  const coins: Record<Channel, string[]> = { l2Book: [], activeAssetCtx: [], candle: [], trades: [] };
  const due: Record<Channel, number> = { l2Book: 0, activeAssetCtx: 0, candle: 0, trades: 0 };
  const next: Record<Channel, number> = { l2Book: 0, activeAssetCtx: 0, candle: 0, trades: 0 };
  let atMs = performance.now();
  socket.on("error", () => {});
  socket.on("message", (data) => {
    const { method, subscription } = JSON.parse(data.toString());
    if (method === "ping") socket.send('{"channel":"pong"}');
    if (method !== "subscribe") return;
    socket.send(JSON.stringify({ channel: "subscriptionResponse", data: { method, subscription } }));
    coins[subscription.type as Channel]?.push(subscription.coin);
  });
  const timer = setInterval(() => {
    const nowMs = performance.now();
    for (const channel of Object.keys(coins) as Channel[]) {
      const followed = coins[channel];
      due[channel] += (followed.length * PER_SECOND[channel] * factor * (nowMs - atMs)) / 1_000;
      for (; due[channel] >= 1 && isSending; due[channel]--) {
        const coin = followed[next[channel]++ % followed.length]!;
        socket.send(`{"channel":"${channel}","data":${DATA[channel](coin)}}`);
        sent[channel] += channel === "trades" ? TRADES_PER_FRAME : 1;
      }
    }
    atMs = nowMs;
  }, TICK_MS);
  socket.on("close", () => clearInterval(timer));
}

let isSending = true;
process.on("message", (order: "stop" | "count") => {
  if (order === "stop") isSending = false;
  process.send!({ ...sent });
});
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
server.on("connection", (socket, request) =>
  serve(socket, Number(new URL(request.url ?? "/", "http://venue").searchParams.get("factor"))),
);
server.on("listening", () => process.send!((server.address() as AddressInfo).port));
process.on("disconnect", () => process.exit());
