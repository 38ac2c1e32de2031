import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CHANNELS } from "../../../../src/protocol/channels.ts";
import { silentLog } from "../../../../src/runtime/log.ts";
import { ACCOUNT_DEFAULTS, Account } from "../../../../src/sync/account/account.ts";
import { Dexes } from "../../../../src/sync/dexes.ts";
import { LANE_DEFAULTS, Lane, type LaneOptions } from "../../../../src/sync/lane/lane.ts";
import { Markets } from "../../../../src/sync/markets.ts";
import type { StreamHandler, VenueInfo } from "../../../../src/sync/ports.ts";
import { Prices } from "../../../../src/sync/prices.ts";
import type { Batch } from "../../../../src/sync/rows.ts";
import { Volatilities } from "../../../../src/sync/volatility.ts";
import { emptyStore } from "../../../support/emptyStore.ts";
import { HandClock, settle } from "../../connection/handClock.ts";
import { streamIn } from "../account/rig.ts";
import { perpState } from "../healthStates.ts";

const NO_STREAM = streamIn("connecting");
const USER = `0x${"a".repeat(40)}`;

/** A lane whose socket is driven by hand, before a venue that takes questions and answers none. */
async function unanswered(options: Partial<LaneOptions> = {}, turnsPerCommit = 0) {
  const clock = new HandClock();
  const asked: string[] = [];
  const committed: { batch: Batch; receivedAtMs: number }[] = [];
  let reservations = 0;
  const info: VenueInfo = {
    clockOffset: () => null,
    reserve: () => {
      reservations += 1;
      return () => {
        reservations -= 1;
      };
    },
    request: ({ type }, _params, { signal }) => {
      asked.push(type);
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    },
  };
  const store = emptyStore();
  const own = { clock, info, store, log: silentLog };
  const account = new Account({
    ...own,
    account: USER,
    alias: null,
    dexes: new Dexes(own),
    sinceMs: null,
    options: ACCOUNT_DEFAULTS,
    volatilities: new Volatilities(own),
    prices: new Prices(own),
    markets: new Markets(own),
    commit: async (batch, receivedAtMs) => {
      committed.push({ batch, receivedAtMs });
      for (let turns = 0; turns < turnsPerCommit; turns++) await settle();
      return store.apply(batch);
    },
  });
  await account.open();
  let handler: StreamHandler | undefined;
  const lane = new Lane({
    ...own,
    account,
    subscriptions: [],
    options: { ...LANE_DEFAULTS, ...options },
    random: { next: () => 0.5 },
    openStream: (_subscriptions, given) => {
      handler = given;
      // A closing handshake takes its time.
      return { subscribe() {}, unsubscribe() {}, stop: settle, status: () => NO_STREAM };
    },
    onFatal: (error) => assert.fail(String(error)),
  });
  lane.start();
  /** The first frame of a connection: a state, with the venue's time. */
  const tellState = (afterMs = 0, length = 1_000) => {
    const channel = CHANNELS.find(({ type }) => type === "clearinghouseState")!;
    const clearinghouseState = perpState("1000", [], clock.now() + afterMs);
    const reading = channel.read({ dex: "", user: USER, clearinghouseState });
    handler!.onMessage(reading, channel, { type: channel.type, user: USER }, clock.now(), length);
  };
  const streamed = () =>
    committed
      .flatMap(({ batch }) => batch.coverage ?? [])
      .filter(({ stream, grade }) => stream === "fills" && grade === "streamed");
  const rest = { committed, streamed, reservations: () => reservations };
  return { clock, lane, handler: handler!, asked, tellState, ...rest };
}

/** Whether it stops while the clock stands still. */
async function stopsAtOnce(lane: Lane): Promise<boolean> {
  let isStopped = false;
  const stopping = lane.stop().then(() => {
    isStopped = true;
  });
  for (let turns = 0; turns < 20 && !isStopped; turns++) await settle();
  if (isStopped) await stopping;
  return isStopped;
}

describe("after a new connection", () => {
  it("asks for the fills at once when a state has told the time, and for the time first when none has", async () => {
    for (const isTold of [true, false]) {
      const { clock, lane, handler, asked, tellState } = await unanswered();
      if (isTold) tellState();
      handler.onConnected(clock.now());
      await settle();
      assert.deepEqual(
        [asked.includes("userFillsByTime"), asked.includes("exchangeStatus")],
        [isTold, !isTold],
      );
      await lane.stop();
      assert.equal(clock.timers, 0);
    }
  });

  it("does not wait for what the connection before it had asked", async () => {
    const { clock, lane, handler, asked, tellState } = await unanswered();
    const fillsAsked = () => asked.filter((type) => type === "userFillsByTime").length;
    for (let connections = 1; connections <= 3; connections++) {
      tellState();
      handler.onConnected(clock.now());
      await settle();
      assert.equal(fillsAsked(), connections);
      handler.onDisconnected(clock.now(), "cut", clock.now());
    }
    await lane.stop();
    assert.equal(clock.timers, 0);
  });
});

describe("stopping", () => {
  it("gives back what it reserved, though the end of the socket still waits to be read", async () => {
    const { clock, lane, handler, reservations } = await unanswered();
    assert.equal(reservations(), 1);
    handler.onConnected(clock.now());
    await clock.advance(LANE_DEFAULTS.holdMs);
    handler.onDisconnected(clock.now(), "cut", clock.now());
    assert.ok(await stopsAtOnce(lane));
    assert.deepEqual([reservations(), clock.timers, lane.status().phase], [0, 0, "stopped"]);
  });

  it("is not held up by a connection, read or still to be read behind what is being written", async () => {
    for (const isRead of [true, false]) {
      // A commit takes longer than a socket takes to close.
      const { clock, lane, handler } = await unanswered({}, 3);
      if (!isRead) {
        handler.onQuarantine("frame", "odd", "{}", 7);
        await settle();
      }
      handler.onConnected(clock.now());
      if (isRead) await settle();
      assert.ok(await stopsAtOnce(lane), `${isRead}`);
      assert.equal(clock.timers, 0);
    }
  });

  it("writes what waits", async () => {
    const { clock, lane, handler, committed } = await unanswered();
    handler.onConnected(clock.now());
    await settle();
    handler.onQuarantine("frame", "odd", "{}", 7);
    assert.ok(await stopsAtOnce(lane));
    assert.deepEqual(
      committed.map(({ batch, receivedAtMs }) => [batch.quarantine?.length, receivedAtMs]),
      [[1, 7]],
    );
  });
});

describe("the frames of a block", () => {
  const AT = 1_790_000_000_000;
  const channelOf = (type: string) => CHANNELS.find((one) => one.type === type)!;
  const order = (oid: number, sz: string, status: string, more: object = {}) => ({
    order: { coin: "BTC", side: "B", limitPx: "10", sz, oid, timestamp: AT, origSz: "1", ...more },
    ...{ status, statusTimestamp: AT },
  });
  const LONG = {
    ...{ triggerCondition: "N/A", isTrigger: false, triggerPx: "0.0", children: [], isPositionTpsl: false },
    ...{ reduceOnly: false, orderType: "Limit", tif: "Gtc", cloid: null },
  };
  const fill = (oid: number) => ({
    ...{
      coin: "BTC",
      px: "10",
      sz: "1",
      side: "B",
      time: AT,
      startPosition: "0",
      dir: "Open Long",
      closedPnl: "0",
    },
    ...{ hash: "0x0", oid, crossed: true, fee: "0", tid: oid, feeToken: "USDC" },
  });

  it("are committed fills first, and each transition once, although it comes in two forms", async () => {
    const { clock, lane, handler, committed } = await unanswered({}, 3);
    handler.onConnected(clock.now());
    await clock.advance(LANE_DEFAULTS.holdMs);
    const tell = (type: string, data: unknown) =>
      handler.onMessage(
        channelOf(type).read(data),
        channelOf(type),
        { type, user: USER } as never,
        clock.now(),
        100,
      );
    const facts = () =>
      committed
        .map(({ batch }) => [
          (batch.fills ?? []).map(({ orderId }) => orderId),
          (batch.orderEvents ?? []).map(({ orderId, orderType }) => [orderId, orderType]),
        ])
        .filter(([fills, transitions]) => fills!.length + transitions!.length > 0);
    committed.length = 0;
    tell("orderUpdates", [order(1, "0", "filled"), order(2, "1", "open")]);
    await settle();
    assert.deepEqual(facts(), [], "waits a moment for the fills");
    tell("userFills", { user: USER, fills: [fill(1)] });
    tell("userHistoricalOrders", {
      ...{ user: USER, isSnapshot: false },
      orderHistory: [order(1, "0", "filled", LONG), order(2, "1", "open", LONG)],
    });
    for (let turns = 0; turns < 9; turns++) await settle();
    assert.deepEqual(facts(), [
      [[1], [[1, "Limit"]]],
      [[], [[2, "Limit"]]],
    ]);
    committed.length = 0;
    tell("orderUpdates", [order(3, "1", "open")]);
    await clock.advance(5);
    assert.equal(facts().length, 1, "and no longer than a moment");
    await lane.stop();
    assert.equal(clock.timers, 0);
  });
});

describe("a connection that has ended before it was read", () => {
  it("holds nothing back", async () => {
    const { clock, lane, handler, committed } = await unanswered();
    handler.onConnected(clock.now());
    handler.onDisconnected(clock.now(), "cut", clock.now());
    handler.onQuarantine("frame", "odd", "{}", 7);
    await settle();
    assert.equal(committed.length, 1);
    await lane.stop();
  });
});

describe("a subscription that is refused", () => {
  it("leaves what it would bring out of the time watched on its connection, and on no other", async () => {
    const { clock, lane, handler, tellState, committed } = await unanswered();
    const claimed = () =>
      committed.splice(0).flatMap(({ batch }) => (batch.coverage ?? []).map(({ stream }) => stream));
    const watch = async () => {
      handler.onConnected(clock.now());
      await clock.advance(LANE_DEFAULTS.holdMs);
      for (const afterMs of [100, 200]) tellState(afterMs);
      await settle();
      handler.onDisconnected(clock.now(), "cut", clock.now());
      await settle();
    };
    handler.onRefused({ type: "orderUpdates", user: USER }, "no", true, clock.now());
    handler.onLimited({ type: "userFills", user: USER }, "full", clock.now());
    await watch();
    assert.deepEqual(claimed(), ["twapFills", "funding", "ledger"]);
    await watch();
    assert.deepEqual(claimed(), ["fills", "twapFills", "orders", "funding", "ledger"]);
    await lane.stop();
  });
});

describe("frames that are dropped", () => {
  it("end the time that was watched live where the first of them is missing", async () => {
    const { clock, lane, handler, tellState, streamed } = await unanswered({ inboxLimit: 3 });
    handler.onConnected(clock.now());
    await clock.advance(LANE_DEFAULTS.holdMs);
    const fromMs = clock.now();
    for (const afterMs of [100, 200, 300, 400, 500]) tellState(afterMs);
    await settle();
    for (const afterMs of [600, 700, 800]) tellState(afterMs);
    await settle();
    assert.equal(lane.status().dropped, 2);
    assert.equal(lane.status().phase, "catching_up");
    assert.ok(await stopsAtOnce(lane));
    assert.deepEqual(
      streamed().map((row) => [row.fromMs - fromMs, row.toMs - fromMs]),
      [
        [101, 299],
        [601, 799],
      ],
    );
  });

  it("are those beyond what may wait in length, too", async () => {
    const { clock, lane, handler, tellState } = await unanswered();
    handler.onConnected(clock.now());
    await settle();
    for (let frames = 0; frames < 10; frames++) tellState(frames, 15_000_000);
    assert.deepEqual([lane.status().queued, lane.status().dropped], [2, 9]);
    await lane.stop();
  });
});
