/**
 * What a hostile page or client sends to a running hlsync. One process for all rows: each gets its answer or its end, and
 * meanwhile probes are answered, fills are stored and memory stays bounded, and comes back.
 *
 * Origins, rebinding, tokens: `unit/outputs/httpGuard`. Targets, bodies, headers of answers: `httpServer`. Parameters: `httpApi`. Resuming,
 * slow readers, limits of event streams: `httpEvents`. Receivers of webhooks, SSRF: `webhooks`, `webhooksBridge`.
 */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { CLIENTS_MAX } from "../../src/outputs/http/eventHub.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Running } from "../support/cli.ts";
import { startServer, type TestServer } from "../support/postgres.ts";
import type { Wire } from "../support/scriptedVenue.ts";
import { CaseRig, fill, SECOND_MS, state } from "./casesRig.ts";

const HOST = "Host: 127.0.0.1\r\n";
const CLIENTS = 400;
const MEMORY_MAX_BYTES = 500e6;
const KEPT_MAX_BYTES = 100e6;

describe("hostile clients", () => {
  let server: TestServer;
  let rig: CaseRig;
  let running: Running;
  let url: URL;
  const fills: Wire[] = [];
  const sockets = new Set<Socket>();
  before(async () => {
    server = await startServer("real");
    rig = await CaseRig.start(server);
    trade();
    running = await rig.streams();
    url = new URL(await running.line((line) => /^dashboard: (\S+)/.exec(line)?.[1]));
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    await rig?.close();
    await server?.stop();
  });

  const trade = () => {
    fills.push(fill("BTC", Date.now(), "0.0", 0));
    rig.venue.begin({ clearinghouse: { "": state([]) }, fills: [...fills] });
  };
  /** A socket that says `text`, and what comes back. */
  const say = (text: string | Buffer) => {
    const socket = connect(Number(url.port), url.hostname);
    sockets.add(socket);
    const heard = { text: "", isOver: false };
    socket.on("data", (data) => {
      heard.text += data.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      heard.isOver = true;
      sockets.delete(socket);
    });
    socket.write(text);
    return { socket, heard };
  };
  const status = ({ heard }: ReturnType<typeof say>) => Number(/^HTTP\/1\.1 (\d{3})/.exec(heard.text)?.[1]);
  const metric = async (name: string) => {
    const text = await (await fetch(new URL("/metrics", url))).text();
    return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  };
  const lives = async () => {
    const startedMs = performance.now();
    assert.equal((await fetch(new URL("/livez", url))).status, 200);
    assert.ok(performance.now() - startedMs < 5 * SECOND_MS, "probes are answered");
    trade();
    await rig.until("the neighbour", async () => {
      const rows = await rig.rows("select 1 from hl_fills where trade_id = $1", fills.at(-1)!.tid);
      return rows.length === 1;
    });
  };

  const rows: [what: string, text: string | Buffer, status: number][] = [
    ["GET //", `GET // HTTP/1.1\r\n${HOST}\r\n`, 404],
    ["no path", `GET * HTTP/1.1\r\n${HOST}\r\n`, 400],
    ["half an escape", `GET /%E0%A4%A HTTP/1.1\r\n${HOST}\r\n`, 404],
    ["bytes that are no UTF-8", Buffer.from(`GET /\xff\xfe HTTP/1.1\r\n${HOST}\r\n`, "latin1"), 400],
    ["NUL", `GET /\u0000 HTTP/1.1\r\n${HOST}\r\n`, 400],
    ["a way out", `GET /../../etc/passwd HTTP/1.1\r\n${HOST}\r\n`, 404],
    ["another name", "GET /api/fills HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403],
    ["no name", "GET /api/fills HTTP/1.1\r\n\r\n", 400],
    [
      "two lengths",
      `POST /api/painted HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
      400,
    ],
    [
      "a length and chunks",
      `POST /api/painted HTTP/1.1\r\n${HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n`,
      400,
    ],
    ["headers without end", `GET / HTTP/1.1\r\n${HOST}${"X: y\r\n".repeat(10_000)}\r\n`, 431],
    ["a target without end", `GET /${"a".repeat(100_000)} HTTP/1.1\r\n${HOST}\r\n`, 431],
    ["an unknown method", `BREW / HTTP/1.1\r\n${HOST}\r\n`, 400],
    ["TRACE", `TRACE / HTTP/1.1\r\n${HOST}\r\n`, 405],
    ["HEAD of the event stream", `HEAD /api/events HTTP/1.1\r\n${HOST}\r\n`, 200],
    ["another protocol", Buffer.from([0x16, 0x03, 0x01, 0x02, 0, 1, 0, 0]), 400],
    ["a number that is none", `GET /api/fills?limit=1e9999 HTTP/1.1\r\n${HOST}\r\n`, 400],
    ["NUL in a parameter", `GET /api/fills?coin=%00 HTTP/1.1\r\n${HOST}\r\n`, 400],
    [
      "a resumption from nowhere",
      `GET /api/events HTTP/1.1\r\n${HOST}Last-Event-ID: 9\u0001\u00ff\r\n\r\n`,
      400,
    ],
    ["half a CONNECT", `CONNECT evil.example:443 HTTP/1.1\r\n${HOST}Expect: nonsense\r\n\r\n`, 0],
    ["an injection", `GET /api/fills?account=0x';drop%20table%20hl_fills;-- HTTP/1.1\r\n${HOST}\r\n`, 400],
  ];
  it("say odd things: each gets its status", async () => {
    const asked = rows.map(([what, text, wanted]) => ({ what, wanted, answer: say(text) }));
    for (const { what, wanted, answer } of asked) {
      await rig.until(`the answer to ${what}`, async () => answer.heard.text !== "" || answer.heard.isOver);
      assert.equal(status(answer) || 0, wanted, `${what}: ${answer.heard.text.slice(0, 200)}`);
    }
    await lives();
  });

  it("say half a request and wait, four hundred of them", async () => {
    const slow = Array.from({ length: CLIENTS }, () => say(`GET /api/fills HTTP/1.1\r\n${HOST}X-Slow: `));
    await lives();
    for (const { socket } of slow) socket.destroy();
  });

  it(`read events, ${CLIENTS} of them, and never take what they get: bounded, and the memory comes back`, async () => {
    const before = await metric("nodejs_heap_used_bytes");
    const readers = Array.from({ length: CLIENTS }, () => say(`GET /api/events HTTP/1.1\r\n${HOST}\r\n`));
    await rig.until("all answers", async () => readers.every(({ heard }) => heard.text !== ""));
    const taken = readers.filter((reader) => status(reader) === 200);
    assert.equal(taken.length, CLIENTS_MAX);
    assert.ok(
      readers.every((reader) => [200, 503].includes(status(reader))),
      "the others are told to come later",
    );
    for (const { socket } of taken) socket.pause();
    for (let i = 0; i < 5; i++) await lives();
    assert.ok((await metric("process_resident_memory_bytes")) < MEMORY_MAX_BYTES, "bounded");
    for (const { socket } of readers) socket.destroy();
    await rig.until("the readers to be gone", async () => (await metric("hlsync_sse_clients")) === 0);
    const again = say(`GET /api/events HTTP/1.1\r\n${HOST}\r\n`);
    await rig.until("an answer", async () => status(again) === 200);
    again.socket.destroy();
    await rig.until("the memory to come back", async () => {
      await systemClock.sleep(500);
      return (await metric("nodejs_heap_used_bytes")) < before + KEPT_MAX_BYTES;
    });
  });

  it("are all there when SIGTERM comes: it ends in order", async () => {
    for (let i = 0; i < 50; i++) say(`GET /api/events HTTP/1.1\r\n${HOST}\r\n`);
    for (let i = 0; i < 50; i++) say(`POST /api/painted HTTP/1.1\r\n${HOST}Content-Length: 1000\r\n\r\n{`);
    await lives();
    const startedMs = performance.now();
    const { code } = await running.stop();
    assert.equal(code, 0);
    assert.ok(performance.now() - startedMs < 10 * SECOND_MS);
  });
});
