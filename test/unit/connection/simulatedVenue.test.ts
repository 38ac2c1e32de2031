/** Streams and info requests against the simulated venue: in virtual time, and once over real sockets. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createHttpPost } from "../../../src/connection/httpPost.ts";
import { createInfoClient } from "../../../src/connection/infoClient.ts";
import { createStreams } from "../../../src/connection/liveSocket.ts";
import { RateLimiter } from "../../../src/connection/rateLimiter.ts";
import { createSocketFactory } from "../../../src/connection/webSocket.ts";
import { ProtocolError } from "../../../src/errors.ts";
import type { Subscription } from "../../../src/protocol/channels.ts";
import { INFO } from "../../../src/protocol/infoRequests.ts";
import { LIMITS } from "../../../src/protocol/limits.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { seededRandom } from "../../../src/runtime/random.ts";
import { createVenue } from "../../../src/simulator/exchange/venue.ts";
import type { FaultRule } from "../../../src/simulator/faults.ts";
import { startSimulator } from "../../../src/simulator/server/server.ts";
import { createWorld, VirtualClock } from "../../../src/simulator/virtualWorld.ts";
import type { RequestPriority, StreamHandler } from "../../../src/sync/ports.ts";

const SEED = 5;
const USER = `0x${"a".repeat(40)}`;
const MINUTE = 60_000;

const accountSubscriptions = (user = USER): Subscription[] => [
  { type: "orderUpdates", user },
  { type: "userEvents", user },
  { type: "userFills", user, aggregateByTime: false },
  { type: "userFundings", user },
  { type: "userNonFundingLedgerUpdates", user },
  { type: "userTwapSliceFills", user },
  { type: "clearinghouseState", user, dex: "" },
  { type: "clearinghouseState", user, dex: "xyz" },
  { type: "openOrders", user, dex: "" },
  { type: "spotState", user },
  { type: "webData3", user },
  { type: "webData2", user },
];

/** Notes what a stream reports; messages only as counts by channel. */
function recorder(now: () => number) {
  const events: { atMs: number; what: string }[] = [];
  const messages = new Map<string, number>();
  const note = (what: string) => events.push({ atMs: now(), what });
  const handler: StreamHandler = {
    onMessage: (_reading, { type }) => messages.set(type, (messages.get(type) ?? 0) + 1),
    onConfirmed: () => {},
    onConnected: () => note("connected"),
    onDisconnected: (_atMs, why) => note(`disconnected: ${why}`),
    onRefused: ({ type }, _text, permanent) => note(`refused ${type} ${permanent ? "for good" : "for now"}`),
    onLimited: ({ user }) => note(`limited ${user}`),
    onStale: ({ type, dex }) => note(`stale ${type} ${dex ?? ""}`),
    onFresh: ({ type, dex }) => note(`fresh ${type} ${dex ?? ""}`),
    onQuarantine: (subject) => note(`quarantine ${subject}`),
  };
  const seen = () => events.map(({ what }) => what);
  return { events, seen, messages, handler };
}

function setUp(options: { faults?: FaultRule[]; limits?: { users?: number } } = {}) {
  const venue = createVenue({ seed: SEED, traders: false });
  venue.deposit(USER, "100000");
  const clock = new VirtualClock(venue.nowMs);
  const world = createWorld({
    venue,
    clock,
    seed: SEED,
    faults: options.faults ?? [],
    limits: { ...LIMITS, ...options.limits },
  });
  const { connect, post } = world.network();
  const random = seededRandom(SEED);
  const limiter = new RateLimiter(clock);
  const openStream = createStreams({
    wsUrl: world.wsUrl,
    socketFactory: connect,
    clock,
    random,
    log: silentLog,
  });
  const info = createInfoClient({ apiUrl: world.apiUrl, post, clock, random, limiter, log: silentLog });
  return { venue, clock, world, openStream, info, limiter, ...recorder(() => clock.now()) };
}

/** Runs virtual time until the promise settles. */
async function run<T>(clock: VirtualClock, promise: Promise<T>, forMs = 10 * MINUTE): Promise<T> {
  let isSettled = false;
  const done = () => {
    isSettled = true;
  };
  promise.then(done, done);
  assert.ok(await clock.runUntil(() => isSettled, clock.now() + forMs), "still pending");
  return promise;
}

describe("a stream at the simulated venue", () => {
  it("gets everything it asked for but webData2, and stays live for ten quiet minutes", async () => {
    const { clock, openStream, handler, seen, messages } = setUp();
    const stream = openStream(accountSubscriptions(), handler);
    await clock.advanceBy(10 * MINUTE);
    assert.deepEqual(seen(), ["refused webData2 for good", "connected"]);
    assert.equal(stream.status().state, "live");
    assert.equal(stream.status().reconnects, 0);
    for (const { subscription, state, lastDataMs } of stream.status().subscriptions) {
      assert.equal(state, subscription.type === "webData2" ? "refused" : "confirmed");
      const isState = ["clearinghouseState", "openOrders", "spotState", "webData3"].includes(
        subscription.type,
      );
      if (isState) assert.ok(clock.now() - lastDataMs! < 6_000, subscription.type);
    }
    assert.ok(messages.get("clearinghouseState")! > 200);
    await run(clock, stream.stop());
  });

  it("keeps a socket open on which only pings go back and forth", async () => {
    const { clock, openStream, handler, seen } = setUp();
    const stream = openStream([{ type: "userFills", user: USER, aggregateByTime: false }], handler);
    await clock.advanceBy(10 * MINUTE);
    assert.deepEqual(seen(), ["connected"]);
    assert.ok(stream.status().roundTripMs! >= 10);
    await run(clock, stream.stop());
  });

  it("is back within a second after Expired and after a cut", async () => {
    for (const end of ["expire", "cut"] as const) {
      const { clock, world, openStream, handler, events } = setUp();
      const stream = openStream(accountSubscriptions(), handler);
      await clock.advanceBy(MINUTE);
      const endedMs = clock.now();
      for (const session of world.gateway.sessions()) session[end]();
      await clock.advanceBy(MINUTE);
      assert.match(events[2]!.what, /^disconnected/);
      assert.equal(events[3]!.what, "connected");
      assert.ok(events[3]!.atMs - endedMs < 1_000, `${events[3]!.atMs - endedMs} ms`);
      assert.equal(events.length, 4);
      await run(clock, stream.stop());
    }
  });

  it("notices a half-open socket within twelve seconds and is back within thirteen", async () => {
    const { clock, world, openStream, handler, events } = setUp();
    const stream = openStream(accountSubscriptions(), handler);
    for (let round = 0; round < 5; round++) {
      await clock.advanceBy(MINUTE + round * 777);
      const before = events.length;
      const frozenMs = clock.now();
      for (const session of world.gateway.sessions()) session.freeze();
      await clock.advanceBy(13_000);
      assert.deepEqual(
        events.slice(before).map(({ what }) => what.split(":")[0]),
        ["disconnected", "connected"],
      );
      assert.ok(events[before]!.atMs - frozenMs <= 12_000);
    }
    await run(clock, stream.stop());
  });

  it("sees that one state channel fell silent, asks anew, reconnects, and goes on without it", async () => {
    const { clock, world, openStream, handler, seen, events } = setUp();
    const stream = openStream(accountSubscriptions(), handler);
    await clock.advanceBy(MINUTE);
    const fromMs = clock.now();
    world.gateway.faults.add({ fault: "drop", channel: "openOrders" });
    await clock.advanceBy(10 * MINUTE);
    const [, , stale, lost, ...rest] = seen();
    assert.equal(stale, "stale openOrders ");
    assert.match(lost!, /^disconnected: no data on openOrders/);
    assert.deepEqual(rest, ["connected", "stale openOrders "]);
    assert.ok(events[2]!.atMs - fromMs <= 12_000 && events[3]!.atMs - fromMs <= 25_000);
    world.gateway.faults.clear();
    await clock.advanceBy(6_000);
    assert.equal(seen().at(-1), "fresh openOrders ");
    await run(clock, stream.stop());
  });

  it("survives lost, doubled, late, reordered and unreadable frames, and subscribes in spite of them", async () => {
    const faults: FaultRule[] = [
      { fault: "drop", rate: 0.1 },
      { fault: "duplicate", rate: 0.1 },
      { fault: "delay", rate: 0.1, ms: 3_000 },
      { fault: "reorder", rate: 0.1 },
      { fault: "malform", rate: 0.05 },
      { fault: "unknownShape", rate: 0.05 },
      { fault: "cut", rate: 0.002 },
      { fault: "refuse", rate: 0.3 },
    ];
    const { clock, world, openStream, handler, seen } = setUp({ faults });
    const stream = openStream(accountSubscriptions(), handler);
    await clock.advanceBy(60 * MINUTE);
    const counts = world.gateway.faults.counts();
    for (const { fault } of faults) assert.ok((counts[fault] ?? 0) > 0, `${fault} never happened`);
    assert.ok(seen().includes("quarantine frame"));
    world.gateway.faults.clear();
    await clock.advanceBy(5 * MINUTE);
    assert.equal(stream.status().state, "live");
    assert.ok(stream.status().subscriptions.every(({ stale }) => !stale));
    await run(clock, stream.stop());
  });

  it("learns whom the venue has no place for, and gets it once there is one", async () => {
    const { clock, openStream, handler, seen } = setUp({ limits: { users: 1 } });
    const other = `0x${"b".repeat(40)}`;
    const first = openStream([{ type: "orderUpdates", user: USER }], handler);
    await clock.advanceBy(1_000);
    const second = openStream([{ type: "orderUpdates", user: other }], handler);
    await clock.advanceBy(5 * MINUTE);
    assert.deepEqual(seen(), ["connected", `limited ${other}`]);
    assert.equal(second.status().state, "subscribing");
    await run(clock, first.stop());
    await clock.advanceBy(MINUTE + 1_000);
    assert.deepEqual(seen().slice(2), ["connected"]);
    await run(clock, second.stop());
  });

  it("never sees a refusal for too many messages or connections, with eight streams cut again and again", async () => {
    const { clock, world, openStream, handler, seen } = setUp({ faults: [{ fault: "cut", rate: 0.03 }] });
    const users = Array.from({ length: 8 }, (_, i) => `0x${String(i).repeat(40)}`);
    const streams = users.map((user) => openStream(accountSubscriptions(user), handler));
    await clock.advanceBy(20 * MINUTE);
    const cuts = world.gateway.faults.counts().cut ?? 0;
    assert.ok(cuts > 100, `${cuts} cuts`);
    const refusals = seen().filter((what) => /429|too many|limited|quarantine/i.test(what));
    assert.deepEqual(refusals, []);
    for (const stream of streams) await run(clock, stream.stop());
  });
});

describe("info requests at the simulated venue", () => {
  const page = { user: USER, startTime: 0, aggregateByTime: false } as const;

  it("outlive every fault of a request", async () => {
    for (const fault of ["http429", "http500", "http502", "reset", "truncate", "slow"] as const) {
      const { clock, info } = setUp({ faults: [{ fault, times: 2, ms: 30_000 }] });
      const answer = await run(
        clock,
        info.request(INFO.userNonFundingLedgerUpdates, page, { priority: "heal" }),
      );
      assert.equal(answer.result.rows.length, 1, `${fault}: the deposit`);
    }
  });

  it("are refused at once when the venue cannot read them", async () => {
    const { clock, info } = setUp();
    const answer = info.request(INFO.userFillsByTime, { ...page, user: "0x12" }, { priority: "heal" });
    await assert.rejects(run(clock, answer, 1_000), ProtocolError);
  });

  it("never meet a 429 of the venue's own, however many are asked at once", async () => {
    const { clock, info, limiter } = setUp();
    const priorities: RequestPriority[] = ["heal", "reconcile", "backfill", "niceToHave"];
    const started = clock.now();
    const asked = Array.from({ length: 200 }, async (_, i) => {
      const options = { priority: priorities[i % 4]! };
      if (i % 3 === 0) await info.request(INFO.userRole, { user: USER }, options);
      else await info.request(INFO.userFunding, page, options);
    });
    await run(clock, Promise.all(asked), 60 * MINUTE);
    assert.equal(limiter.stats().throttled429, 0);
    const minutes = (clock.now() - started) / MINUTE;
    assert.ok(minutes < 12, `200 requests of 6680 weight took ${minutes} minutes`);
  });

  it("measure the venue's clock", async () => {
    const { clock, info } = setUp();
    await run(clock, info.request(INFO.exchangeStatus, {}, { priority: "heal" }));
    const { offsetMs, uncertaintyMs } = info.clockOffset()!;
    assert.ok(Math.abs(offsetMs) <= uncertaintyMs + 200, `${offsetMs} ± ${uncertaintyMs}`);
  });
});

describe("over real sockets", () => {
  it("a stream lives, is cut, and lives again; requests are answered; nothing is left open", async () => {
    const venue = createVenue({ seed: SEED, traders: false, startMs: systemClock.now() });
    venue.deposit(USER, "100000");
    const simulator = await startSimulator({ venue, seed: SEED });
    const clock = systemClock;
    const random = seededRandom(SEED);
    const { handler, seen, messages } = recorder(() => clock.now());
    const limiter = new RateLimiter(clock);
    const post = createHttpPost();
    const info = createInfoClient({ apiUrl: simulator.url, post, clock, random, limiter, log: silentLog });
    const socketFactory = createSocketFactory();
    const stream = createStreams({ wsUrl: simulator.wsUrl, socketFactory, clock, random, log: silentLog })(
      accountSubscriptions(),
      handler,
    );
    const until = async (done: () => boolean) => {
      while (!done()) await new Promise((resolve) => setImmediate(resolve));
    };
    await until(() => seen().includes("connected"));
    await until(() => (messages.get("clearinghouseState") ?? 0) >= 2);
    const { result } = await info.request(
      INFO.clearinghouseState,
      { user: USER, dex: "" },
      { priority: "heal" },
    );
    assert.equal(Number(result.value.marginSummary?.accountValue), 100_000);
    for (const session of simulator.gateway.sessions()) session.cut();
    await until(() => seen().filter((what) => what === "connected").length === 2);
    assert.match(seen()[2]!, /^disconnected: closed with code 1006/);
    await stream.stop();
    await simulator.stop();
  });
});
