/**
 * A venue that knows one thing: whoever subscribes to a channel is confirmed and then gets as many prepared frames of it as
 * the URL of the socket says (`?frames=…&fills=…`), as fast as they are taken. `/info` answers come from the venue model,
 * for clients that must know the markets first. A process of its own: sends its port to its parent.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { type WebSocket, WebSocketServer } from "ws";
import { createVenue } from "../src/simulator/exchange/venue.ts";
import { FRAMES, fillFrame, frameOf } from "./venueFrames.ts";

const venue = createVenue({ seed: 1, startMs: 1_790_358_600_000 });
const http = createServer(async (request, response) => {
  const { status, body } = venue.info(JSON.parse(await text(request)));
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
});

/** A text frame of a server: no mask, length in 7, 16 or 64 bits. */
function wireFrame(payloadText: string): Buffer {
  const payload = Buffer.from(payloadText);
  if (payload.length < 126) return Buffer.concat([Buffer.from([0x81, payload.length]), payload]);
  const head = Buffer.alloc(payload.length > 0xffff ? 10 : 4);
  head.writeUInt16BE(payload.length > 0xffff ? 0x817f : 0x817e);
  if (payload.length > 0xffff) head.writeBigUInt64BE(BigInt(payload.length), 2);
  else head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

const prepared = new Map<string, Buffer>();
function frames(channel: string, count: number, fillsPerFrame: number): Buffer {
  const key = `${channel} ${count} ${fillsPerFrame}`;
  const known = prepared.get(key);
  if (known !== undefined) return known;
  const bytes = Buffer.concat(
    Array.from({ length: count }, (_, i) =>
      wireFrame(channel === "userFills" ? fillFrame(i, fillsPerFrame) : frameOf(channel, i)),
    ),
  );
  prepared.set(key, bytes);
  return bytes;
}

interface Request {
  method: string;
  subscription?: { type: string };
}

function serve(client: WebSocket, socket: Duplex, wanted: URLSearchParams): void {
  client.on("error", () => {});
  client.on("message", (data) => {
    const { method, subscription } = JSON.parse(data.toString()) as Request;
    if (method === "ping") client.send('{"channel":"pong"}');
    if (method !== "subscribe") return;
    client.send(JSON.stringify({ channel: "subscriptionResponse", data: { method, subscription } }));
    const type = subscription?.type ?? "";
    if (type === "userFills" || type in FRAMES)
      socket.write(frames(type, Number(wanted.get("frames")), Number(wanted.get("fills"))));
  });
}

const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
  const { searchParams } = new URL(request.url ?? "/", "http://venue");
  sockets.handleUpgrade(request, socket, head, (client) => serve(client, socket, searchParams));
});
http.listen(0, "127.0.0.1", () => process.send!((http.address() as AddressInfo).port));
process.on("disconnect", () => process.exit());
