/**
 * The simulator on real sockets: `node:http` and `ws` around a gateway. Guarantees: binds to loopback unless told
 * otherwise; `stop` leaves no socket and no timer behind. A client that does not read loses its connection at
 * `MAX_BUFFERED_BYTES`; request bodies end at `MAX_BODY_BYTES` with 413. What the model cannot do is logged and ends one
 * request (500 `null`) or one connection (1011), never the process.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { type Log, silentLog } from "../../runtime/log.ts";
import type { Venue } from "../contract.ts";
import { control, type VenueControls } from "./control.ts";
import { createGateway, type Gateway, type GatewayOptions, type HttpReply } from "./gateway.ts";
import type { Wire } from "./servedConnection.ts";
import { startVenueTime } from "./venueTime.ts";

export interface SimulatorOptions extends Omit<GatewayOptions, "clock" | "failed"> {
  venue: Venue & VenueControls;
  clock?: Clock;
  log?: Log;
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 0: any free port. */
  port?: number;
  /** Model time per real time, default 1; "stepped" advances only through the control endpoint. */
  speed?: number | "stepped";
  /** Whether the venue's time is the clock's: for one that was made up to the present. */
  isPresent?: boolean;
  /** Time between blocks; the venue makes one every 70–100 ms. */
  blockMs?: number;
}

export interface Simulator {
  /** `http://host:port`; requests go to `/info` and `/exchange` under it. */
  readonly url: string;
  /** `ws://host:port/ws` */
  readonly wsUrl: string;
  readonly gateway: Gateway;
  stop(): Promise<void>;
}

const MAX_BODY_BYTES = 2 * 1024 * 1024;
const MAX_BUFFERED_BYTES = 32 * 1024 * 1024;
/** A dead connection whose client does not notice is given up after this long. */
const FROZEN_MS = 600_000;

/** Rejects, with nothing left running, when the port cannot be had. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { venue, clock = systemClock, log = silentLog, host = "127.0.0.1", port = 0 } = options;
  const { speed = 1, blockMs = 100, isPresent = false, ...rest } = options;
  const failed = (what: string, error: unknown) =>
    log.error(`the simulated venue failed: ${what}`, { error });
  const gateway = createGateway({ ...rest, clock, failed });
  const time = startVenueTime({ venue, clock, speed, blockMs, isPresent, failed });
  const controlled = { venue, gateway, time, nowMs: () => clock.now() };

  const http = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      failed(`${request.method} ${request.url}`, error);
      if (response.headersSent || response.destroyed) response.destroy();
      else response.writeHead(500, { "content-type": "application/json" }).end("null");
    });
  });
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://simulator");
    const body = await readBody(request);
    if (body === null) {
      response.writeHead(413, { connection: "close" }).end();
    } else if (url.pathname.startsWith("/control/")) {
      const path = url.pathname.slice("/control/".length);
      const reply = control(controlled, request.method ?? "GET", path, url.searchParams, body);
      response.writeHead(reply.status, { "content-type": "application/json" });
      response.end(JSON.stringify(reply.body));
    } else if (request.method === "OPTIONS") {
      response.writeHead(204, CORS).end();
    } else if (request.method !== "POST") {
      response.writeHead(405).end();
    } else if (!JSON_TYPE.test(request.headers["content-type"] ?? "")) {
      // That the type is required is documented; status and text are those of its framework, and not verified.
      response.writeHead(415, { ...CORS, "content-type": "text/plain; charset=utf-8" });
      response.end("Expected request with `Content-Type: application/json`");
    } else {
      const reply = gateway.http(url.pathname, body, ipOf(request));
      if (reply.lateMs > 0) clock.after(reply.lateMs, () => send(response, reply));
      else send(response, reply);
    }
  }

  http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (new URL(request.url ?? "/", "http://simulator").pathname !== "/ws") {
      socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n");
      return;
    }
    const ip = ipOf(request);
    const admission = gateway.admit(ip);
    if (admission.admitted) {
      sockets.handleUpgrade(request, socket, head, (client) => serve(client, gateway, ip, clock));
    } else if (admission.status === 101) {
      sockets.handleUpgrade(request, socket, head, (client) => client.close(1008, "Too many connections"));
    } else if (admission.status === 0) {
      socket.destroy();
    } else {
      socket.end(`HTTP/1.1 ${admission.status} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    }
  });

  try {
    await new Promise<void>((resolve, reject) => {
      http.once("error", reject);
      http.listen(port, host, () => {
        http.off("error", reject);
        resolve();
      });
    });
  } catch (error) {
    time.stop();
    gateway.stop();
    throw error;
  }
  const bound = (http.address() as AddressInfo).port;
  const authority = `${host.includes(":") ? `[${host}]` : host}:${bound}`;
  log.info("simulated venue listens", { url: `http://${authority}`, speed });

  return {
    url: `http://${authority}`,
    wsUrl: `ws://${authority}/ws`,
    gateway,
    async stop() {
      time.stop();
      gateway.stop();
      for (const client of sockets.clients) client.terminate();
      http.closeAllConnections();
      await new Promise<void>((resolve) => http.close(() => resolve()));
    },
  };
}

const JSON_TYPE = /^application\/json\b/i;

/** Browsers are clients too. */
const CORS = { "access-control-allow-origin": "*", "access-control-allow-headers": "content-type" };

function send(response: ServerResponse, { status, headers, body, breaks }: HttpReply): void {
  if (breaks === "before") {
    response.destroy();
    return;
  }
  const bytes = Buffer.from(body);
  response.writeHead(status, { ...headers, ...CORS, "content-length": bytes.length });
  if (breaks === null) response.end(bytes);
  else response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => response.destroy());
}

/** The client's address; a client on this machine may claim another, so that a test can have many. */
function ipOf(request: IncomingMessage): string {
  const { remoteAddress = "unknown" } = request.socket;
  const claimed = request.headers["x-forwarded-for"];
  return typeof claimed === "string" && LOOPBACK.test(remoteAddress) ? claimed : remoteAddress;
}
const LOOPBACK = /^(::ffff:)?127\.|^::1$/;

/** Null when the body is too long; what has not arrived by then is not read. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function serve(client: WebSocket, gateway: Gateway, ip: string, clock: Clock): void {
  let forget = () => {};
  const wire: Wire = {
    send(text) {
      if (client.bufferedAmount > MAX_BUFFERED_BYTES) client.terminate();
      else client.send(text);
    },
    close: (code, reason) => client.close(code, reason),
    terminate: () => client.terminate(),
    freeze() {
      client.pause();
      forget = clock.after(FROZEN_MS, () => client.terminate());
    },
  };
  const connection = gateway.connect(ip, wire);
  client.on("message", (data, isBinary) => {
    if (!isBinary) connection.receive(data.toString());
  });
  client.on("close", () => {
    forget();
    connection.closed();
  });
  // `ws` always reports `close` after `error`.
  client.on("error", () => {});
}
