import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectionLimiter } from "../../../src/connection/backoff.ts";
import { createStreams } from "../../../src/connection/liveSocket.ts";
import { InvariantError, TransportError } from "../../../src/errors.ts";
import type { Subscription } from "../../../src/protocol/channels.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import type { SocketFactory, SocketHandlers } from "../../../src/runtime/net.ts";
import { seededRandom } from "../../../src/runtime/random.ts";
import type { StreamHandler } from "../../../src/sync/ports.ts";
import { HandClock } from "./handClock.ts";

const ALICE = "0x00000000000000000000000000000000000000aa";
const FILLS: Subscription = { type: "userFills", user: ALICE };
const ORDERS: Subscription = { type: "orderUpdates", user: ALICE };
const STATE: Subscription = { type: "clearinghouseState", user: ALICE, dex: "" };
const FILLS_FRAME = JSON.stringify({ channel: "userFills", data: { user: ALICE, fills: [] } });
const PONG = JSON.stringify({ channel: "pong" });

/** One end of a socket, played by the test. */
class Far {
  readonly handlers: SocketHandlers;
  readonly openedAtMs: number;
  readonly sent: { method: string; subscription?: Subscription }[] = [];
  /** Answers subscriptions and pings by itself. */
  isPolite = true;
  /** Answers the closing handshake. */
  isClosing = true;
  ended: string | null = null;

  constructor(handlers: SocketHandlers, openedAtMs: number) {
    this.handlers = handlers;
    this.openedAtMs = openedAtMs;
  }

  hear(text: string): void {
    const message = JSON.parse(text);
    this.sent.push(message);
    if (!this.isPolite) return;
    if (message.method === "ping") this.handlers.onMessage(PONG);
    else this.handlers.onMessage(JSON.stringify({ channel: "subscriptionResponse", data: message }));
  }
}

function setUp(subscriptions: Subscription[] = [FILLS], connections = new ConnectionLimiter()) {
  const clock = new HandClock();
  const startMs = clock.now();
  const fars: Far[] = [];
  const log: string[] = [];
  const sinceStart = () => clock.now() - startMs;
  const socketFactory: SocketFactory = (url, handlers) => {
    assert.equal(url, "wss://venue.test/ws");
    const far = new Far(handlers, sinceStart());
    fars.push(far);
    return {
      send: (text) => far.hear(text),
      close: () => {
        far.ended = "closed";
        if (far.isClosing) queueMicrotask(() => handlers.onClose(1000, ""));
      },
      terminate: () => {
        far.ended = "terminated";
        queueMicrotask(() => handlers.onClose(1006, ""));
      },
    };
  };
  const handler: StreamHandler = {
    onMessage: (reading) => log.push(`message ${reading.content.type}`),
    onConfirmed: ({ type }) => log.push(`confirmed ${type}`),
    onConnected: () => log.push("connected"),
    onDisconnected: (atMs, why, lastReceivedMs) => log.push(`disconnected (${why}) ${atMs - lastReceivedMs}`),
    onRefused: ({ type }, _text, permanent) => log.push(`refused ${type} ${permanent}`),
    onLimited: ({ type }) => log.push(`limited ${type}`),
    onStale: ({ type }, ageMs) => log.push(`stale ${type} ${ageMs}`),
    onFresh: ({ type }) => log.push(`fresh ${type}`),
    onQuarantine: (subject, reason) => log.push(`quarantine ${subject}: ${reason}`),
  };
  const openStream = createStreams({
    wsUrl: "wss://venue.test/ws",
    socketFactory,
    clock,
    random: seededRandom(3),
    log: silentLog,
    connections,
  });
  const stream = openStream(subscriptions, handler);
  /** The newest socket's far end. */
  const far = () => fars.at(-1)!;
  return { clock, fars, far, log, handler, openStream, stream, sinceStart };
}

/** A stream whose first socket is live. */
async function setUpLive(subscriptions?: Subscription[], connections?: ConnectionLimiter) {
  const world = setUp(subscriptions, connections);
  await world.clock.advance(0);
  world.far().handlers.onOpen();
  return world;
}

describe("a stream", () => {
  it("reports nothing and connects to nothing before it is returned", () => {
    const { fars, log, stream } = setUp();
    assert.equal(fars.length, 0);
    assert.deepEqual(log, []);
    assert.equal(stream.status().state, "waiting");
  });

  it("connects, subscribes, and says when all is confirmed", async () => {
    const { log, stream, clock } = await setUpLive([FILLS, ORDERS]);
    assert.deepEqual(log, ["confirmed userFills", "confirmed orderUpdates", "connected"]);
    const status = stream.status();
    assert.equal(status.state, "live");
    assert.equal(status.connectedSinceMs, clock.now());
    assert.deepEqual(
      status.subscriptions.map(({ state }) => state),
      ["confirmed", "confirmed"],
    );
  });

  it("reports a disconnect once, in order with the messages, and what came too late never", async () => {
    const { far, log } = await setUpLive();
    const { handlers } = far();
    handlers.onMessage(FILLS_FRAME);
    handlers.onClose(1000, "Expired");
    handlers.onMessage(FILLS_FRAME);
    handlers.onClose(1006, "");
    assert.deepEqual(log.slice(2), ["message fills", "disconnected (closed with code 1000 (Expired)) 0"]);
  });

  it("reconnects after every close code, and subscribes to everything again", async () => {
    for (const code of [1000, 1001, 1006, 1008, 1011, 1012, 4999]) {
      const { far, fars, clock, log, stream } = await setUpLive([FILLS, ORDERS]);
      far().handlers.onClose(code, "");
      await clock.advance(250);
      assert.equal(fars.length, 2, `code ${code}`);
      far().handlers.onOpen();
      assert.deepEqual(
        far().sent.map(({ subscription }) => subscription),
        [FILLS, ORDERS],
      );
      assert.equal(log.at(-1), "connected");
      assert.equal(stream.status().reconnects, 1);
    }
  });

  it("keeps trying for ever, more slowly, while the venue cannot be reached", async () => {
    const { fars, far, clock, log, stream } = setUp();
    await clock.advance(0);
    const failOne = async () => {
      far().handlers.onError(new TransportError("socket: connect ECONNREFUSED"));
      far().handlers.onClose(1006, "");
      const before = fars.length;
      assert.equal(stream.status().state, "waiting");
      await clock.advance(stream.status().nextAttemptMs! - clock.now());
      assert.equal(fars.length, before + 1);
    };
    for (let i = 0; i < 100; i++) await failOne();
    const waits = fars.slice(1).map(({ openedAtMs }, i) => openedAtMs - fars[i]!.openedAtMs);
    assert.ok(waits.slice(0, 3).every((ms) => ms <= 1_000));
    const longest = Math.max(...waits);
    assert.ok(longest > 4_500 && longest <= 12_000, `waited ${longest} ms`);
    assert.deepEqual(log, [], "what was never connected cannot disconnect");
    assert.equal(stream.status().lastEnd, "socket: connect ECONNREFUSED");
  });

  it("waits at least ten seconds after 429, and after a close for too many connections", async () => {
    const refused = setUp();
    await refused.clock.advance(0);
    refused.far().handlers.onError(new TransportError("socket: Unexpected server response: 429"));
    refused.far().handlers.onClose(1006, "");
    assert.ok(refused.stream.status().nextAttemptMs! - refused.clock.now() >= 10_000);

    const closed = await setUpLive();
    closed.far().handlers.onClose(1008, "Too many connections");
    assert.ok(closed.stream.status().nextAttemptMs! - closed.clock.now() >= 10_000);
  });

  it("asks ever less often, down to once a minute, while there are too many, and at once after it was let in", async () => {
    const { clock, far, stream } = setUp();
    await clock.advance(0);
    const waits: number[] = [];
    const refuse = async () => {
      far().handlers.onClose(1008, "Too many connections");
      const waitMs = stream.status().nextAttemptMs! - clock.now();
      await clock.advance(waitMs);
      waits.push(waitMs);
    };
    for (let i = 0; i < 5; i++) await refuse();
    for (const [i, floorMs] of [10_000, 20_000, 40_000, 60_000, 60_000].entries()) {
      assert.ok(waits[i]! >= floorMs && waits[i]! < floorMs + 30_000, `${waits}`);
    }
    far().handlers.onOpen();
    far().handlers.onMessage(FILLS_FRAME);
    await refuse();
    assert.ok(waits[5]! < 40_000);
  });

  it("shares the limit of new connections with all streams of the process", async () => {
    const { clock, fars, openStream, handler } = setUp([FILLS], new ConnectionLimiter(3, 60_000));
    for (let i = 0; i < 4; i++) openStream([{ type: "trades", coin: `C${i}` }], handler);
    await clock.advance(59_999);
    // All of them fail their handshakes and try again, yet only three connections were made.
    assert.equal(fars.length, 3);
    await clock.advance(1);
    assert.ok(fars.length > 3 && fars.length <= 6);
  });
});

describe("a socket that lies", () => {
  it("is dropped when half open, and what was streamed ends at its last frame", async () => {
    const { far, fars, log, clock } = await setUpLive();
    const first = far();
    first.isPolite = false;
    await clock.advance(9_999);
    assert.equal(first.ended, null);
    await clock.advance(1);
    assert.equal(first.ended, "terminated");
    assert.equal(log.at(-1), "disconnected (no answer to a ping within 5000 ms) 10000");
    await clock.advance(250);
    assert.equal(fars.length, 2);
    assert.equal(log.filter((line) => line.startsWith("disconnected")).length, 1);
  });

  it("is dropped when its handshake does not end", async () => {
    const { far, fars, clock, log } = setUp();
    await clock.advance(12_000);
    assert.equal(far().ended, "terminated");
    await clock.advance(250);
    assert.equal(fars.length, 2);
    assert.deepEqual(log, []);
  });

  it("is dropped once for a silent state channel; the next keeps running without it", async () => {
    const { fars, far, log, clock, stream } = await setUpLive([FILLS, STATE]);
    await clock.advance(25_000);
    assert.equal(fars.length, 2);
    far().handlers.onOpen();
    await clock.advance(600_000);
    assert.equal(fars.length, 2);
    assert.equal(stream.status().state, "live");
    assert.equal(stream.status().subscriptions[1]?.stale, true);
    assert.equal(log.filter((line) => line.startsWith("stale")).length, 2);
  });

  it("may be dropped again for a channel that gave data in between", async () => {
    const { fars, far, clock } = await setUpLive([FILLS, STATE]);
    const summary = { accountValue: "1", totalNtlPos: "0", totalRawUsd: "1", totalMarginUsed: "0" };
    const clearinghouseState = {
      marginSummary: summary,
      crossMarginSummary: summary,
      withdrawable: "1",
      assetPositions: [],
    };
    for (let socket = 1; socket <= 3; socket++) {
      assert.equal(fars.length, socket);
      const data = { user: ALICE, dex: "", clearinghouseState };
      far().handlers.onMessage(JSON.stringify({ channel: "clearinghouseState", data }));
      await clock.advance(26_000);
      far().handlers.onOpen();
    }
  });
});

describe("refusals", () => {
  it("of a type unknown to the venue are remembered by the next sockets", async () => {
    const webData2 = { type: "webData2", user: ALICE };
    const { far, clock, log, stream } = setUp([FILLS, webData2]);
    await clock.advance(0);
    const { handlers } = far();
    far().isPolite = false;
    handlers.onOpen();
    const frame = JSON.stringify({ method: "subscribe", subscription: webData2 });
    const data = `Error parsing JSON into valid websocket request: ${frame}`;
    handlers.onMessage(JSON.stringify({ channel: "error", data }));
    assert.equal(log.at(-1), "refused webData2 true");
    handlers.onClose(1006, "");
    assert.deepEqual(
      stream.status().subscriptions.map(({ state }) => state),
      ["queued", "refused"],
    );
    await clock.advance(250);
    far().handlers.onOpen();
    assert.deepEqual(
      far().sent.map(({ subscription }) => subscription),
      [FILLS],
    );
    assert.equal(log.at(-1), "connected");
  });
});

describe("changing what is wanted", () => {
  it("is done on the open socket, and remembered for the next", async () => {
    const { far, stream, log, clock } = await setUpLive([FILLS]);
    stream.subscribe(ORDERS);
    assert.equal(log.at(-1), "confirmed orderUpdates");
    stream.unsubscribe(FILLS);
    far().handlers.onClose(1006, "");
    await clock.advance(250);
    far().handlers.onOpen();
    assert.deepEqual(
      far().sent.map(({ subscription }) => subscription),
      [ORDERS],
    );
  });

  it("works while there is no socket, and from within the handler", async () => {
    const { far, clock, handler, stream } = setUp([FILLS]);
    stream.subscribe(ORDERS);
    handler.onConnected = () => stream.subscribe(STATE);
    await clock.advance(0);
    far().handlers.onOpen();
    assert.deepEqual(
      far().sent.map(({ subscription }) => subscription?.type),
      ["userFills", "orderUpdates", "clearinghouseState"],
    );
  });

  it("refuses a second account on channels whose frames name none", async () => {
    const { stream, openStream, handler } = await setUpLive([ORDERS]);
    const other = { type: "orderUpdates", user: ALICE.replace("aa", "bb") };
    assert.throws(() => stream.subscribe(other), InvariantError);
    assert.throws(() => openStream([ORDERS, other], handler), InvariantError);
  });
});

describe("status", () => {
  it("keeps the time of the last data of each subscription over reconnects", async () => {
    const { far, clock, stream } = await setUpLive([FILLS, ORDERS]);
    far().handlers.onMessage(FILLS_FRAME);
    const dataMs = clock.now();
    await clock.advance(1_000);
    far().handlers.onClose(1006, "");
    assert.deepEqual(
      stream.status().subscriptions.map(({ lastDataMs }) => lastDataMs),
      [dataMs, null],
    );
    assert.equal(stream.status().connectedSinceMs, null);
  });
});

describe("stop", () => {
  it("closes the socket, reports nothing more, and leaves no timer", async () => {
    const { far, stream, clock, log } = await setUpLive();
    const reported = log.length;
    const stopped = stream.stop();
    await clock.advance(0);
    await stopped;
    assert.equal(far().ended, "closed");
    far().handlers.onMessage(FILLS_FRAME);
    assert.equal(log.length, reported);
    assert.equal(stream.status().state, "stopped");
    assert.equal(clock.timers, 0);
  });

  it("does not wait longer than a second for the other side", async () => {
    const { far, stream, clock } = await setUpLive();
    far().isClosing = false;
    const stopped = stream.stop();
    await clock.advance(1_000);
    await stopped;
    assert.equal(far().ended, "terminated");
    assert.equal(clock.timers, 0);
  });

  it("ends the wait for the next attempt", async () => {
    const { far, fars, stream, clock } = await setUpLive();
    far().handlers.onClose(1006, "");
    await stream.stop();
    await clock.advance(600_000);
    assert.equal(fars.length, 1);
    assert.equal(clock.timers, 0);
  });

  it("can be called from within the handler, which then hears no more", async () => {
    const { far, handler, stream, log } = await setUpLive([FILLS, STATE]);
    handler.onMessage = () => {
      log.push("last");
      void stream.stop();
    };
    far().handlers.onMessage(FILLS_FRAME);
    far().handlers.onMessage(FILLS_FRAME);
    assert.equal(log.filter((line) => line === "last").length, 1);
    await stream.stop();

    const confirmed = setUp([FILLS]);
    confirmed.handler.onConfirmed = () => void confirmed.stream.stop();
    await confirmed.clock.advance(0);
    confirmed.far().handlers.onOpen();
    assert.deepEqual(confirmed.log, [], "not even that all is confirmed");
  });
});
