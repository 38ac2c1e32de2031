import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, it } from "node:test";
import { createHttpPost } from "../../../src/connection/httpPost.ts";
import { TransportError } from "../../../src/errors.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/info`;
}

describe("httpPost", () => {
  it("posts JSON and reads status and text, whatever the status", async () => {
    const url = await serve(async (request, response) => {
      const body = Buffer.concat(await request.toArray()).toString();
      response.writeHead(429).end(`${request.method} ${request.headers["content-type"]} ${body}`);
    });
    const answer = await createHttpPost()(url, '{"a":"é"}');
    assert.deepEqual(answer, { status: 429, text: 'POST application/json {"a":"é"}' });
  });

  it("keeps its connection for the next request", async () => {
    const ports = new Set<number | undefined>();
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end("[]");
    });
    for (let i = 0; i < 5; i++) await createHttpPost()(url, "{}");
    assert.ok(ports.size < 3, `${ports.size} connections for five requests in a row`);
  });

  it("rejects a body that was cut off", async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write("[1,2", () => response.destroy());
    });
    await assert.rejects(createHttpPost()(url, "{}"));
  });

  it("rejects a body longer than allowed, and stops reading it", async () => {
    let isStopped = false;
    const url = await serve((_, response) => {
      const timer = setInterval(() => response.write("x".repeat(10_000)), 1);
      response.on("close", () => {
        isStopped = true;
        clearInterval(timer);
      });
    });
    await assert.rejects(createHttpPost(50_000)(url, "{}"), TransportError);
    while (!isStopped) await new Promise((resolve) => setImmediate(resolve));
  });

  it("rejects a redirect", async () => {
    const url = await serve((_, response) => response.writeHead(302, { location: "/elsewhere" }).end());
    await assert.rejects(createHttpPost()(url, "{}"));
  });

  it("rejects with the signal's reason when aborted", async () => {
    const reason = new Error("stopping");
    const abort = new AbortController();
    const url = await serve(() => abort.abort(reason));
    await assert.rejects(createHttpPost()(url, "{}", abort.signal), (error) => error === reason);
  });

  it("rejects with the signal's reason while a body comes byte by byte and never ends", async () => {
    const reason = new Error("stopping");
    const abort = new AbortController();
    const closed = new AbortController();
    const url = await serve((_, response) => {
      let bytes = 0;
      const timer = setInterval(() => {
        response.write("[");
        bytes += 1;
        if (bytes === 5) abort.abort(reason);
      }, 1);
      response.on("close", () => {
        clearInterval(timer);
        closed.abort();
      });
    });
    await assert.rejects(createHttpPost()(url, "{}", abort.signal), (error) => error === reason);
    if (!closed.signal.aborted) await once(closed.signal, "abort");
  });
});
