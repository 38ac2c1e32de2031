import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, it } from "node:test";
import { type WebSocket, WebSocketServer } from "ws";
import { createSocketFactory } from "../../../src/connection/webSocket.ts";
import { TransportError } from "../../../src/errors.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function serve(onSocket: (socket: WebSocket) => void): Promise<string> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: true });
  server.on("connection", onSocket);
  await once(server, "listening");
  closers.push(() => {
    for (const client of server.clients) client.terminate();
    return new Promise((resolve) => server.close(resolve));
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`;
}

/** What a socket reported, in order; resolves when it has closed. */
function talk(
  url: string,
  maxFrameBytes?: number,
  onOpen: (socket: { send(text: string): void }) => void = () => {},
) {
  const events: string[] = [];
  const errors: Error[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = createSocketFactory(maxFrameBytes)(url, {
    onOpen: () => {
      events.push("open");
      onOpen(socket);
    },
    onMessage: (text) => events.push(`message ${text.length > 20 ? text.length : text}`),
    onClose: (code, reason) => {
      events.push(`close ${code} ${reason}`);
      resolve();
    },
    onError: (error) => {
      events.push("error");
      errors.push(error);
    },
  });
  events.push("returned");
  return { events, errors, socket, closed: promise };
}

describe("the socket factory", () => {
  it("reports open, messages and close in order, and never before it returns", async () => {
    const url = await serve((far) => far.on("message", (data) => far.close(1000, `got ${data}`)));
    const { events, closed } = talk(url, undefined, (socket) => socket.send("ping"));
    await closed;
    assert.deepEqual(events, ["returned", "open", "close 1000 got ping"]);
  });

  it("delivers frames as text", async () => {
    const url = await serve((far) => {
      far.send("één");
      far.close();
    });
    const { events, closed } = talk(url);
    await closed;
    assert.deepEqual(events, ["returned", "open", "message één", "close 1005 "]);
  });

  it("does not offer compression", async () => {
    const extensions: string[] = [];
    const url = await serve((far) => {
      extensions.push(far.extensions);
      far.close();
    });
    await talk(url).closed;
    assert.deepEqual(extensions, [""]);
  });

  it("closes on a frame longer than allowed", async () => {
    const url = await serve((far) => far.send("x".repeat(2_000)));
    const { events, closed } = talk(url, 1_000);
    await closed;
    assert.deepEqual(events.slice(0, 3), ["returned", "open", "error"]);
    assert.match(events.at(-1)!, /^close 1006/);
  });

  it("tells the status of a refused handshake", async () => {
    const server = createServer((_, response) => response.writeHead(429).end()).listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => new Promise((resolve) => server.close(resolve)));
    const { events, errors, closed } = talk(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await closed;
    assert.deepEqual(events, ["returned", "error", "close 1006 "]);
    const [error] = errors;
    assert.ok(error instanceof TransportError);
    assert.equal(error.status, 429);
  });

  it("reports an error and then a close when nobody listens", async () => {
    const { events, closed } = talk("ws://127.0.0.1:1");
    await closed;
    assert.deepEqual(events, ["returned", "error", "close 1006 "]);
  });

  it("closes when terminated, even while connecting", async () => {
    const url = await serve(() => {});
    const { events, socket, closed } = talk(url);
    socket.terminate();
    await closed;
    assert.deepEqual(events, ["returned", "error", "close 1006 "]);
  });

  it("ignores what is sent while it is not open", async () => {
    const url = await serve((far) => far.close());
    const { socket, closed } = talk(url);
    socket.send("too early");
    await closed;
    socket.send("too late");
  });
});
