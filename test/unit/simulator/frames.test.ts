/** What the simulator sends is what our own decoder reads: nothing unknown, nothing unread, whatever the account does. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { readFrame } from "../../../src/protocol/channels.ts";
import type { JsonObject } from "../../../src/simulator/contract.ts";
import { createVenue } from "../../../src/simulator/exchange/venue.ts";
import { createWorld, VirtualClock } from "../../../src/simulator/virtualWorld.ts";

const SEED = 11;
/** Ten minutes before an hour, so that funding is among the messages. */
const START_MS = 1_790_358_600_000;
const USER = `0x${"c".repeat(40)}`;

const OF_USER = [
  "orderUpdates",
  "userEvents",
  "notification",
  "userFills",
  "userHistoricalOrders",
  "userFundings",
  "userNonFundingLedgerUpdates",
  "userTwapSliceFills",
  "userTwapHistory",
  "clearinghouseState",
  "openOrders",
  "spotState",
  "webData3",
  "webData2",
];
const OF_MARKET: JsonObject[] = [
  { type: "allMids" },
  { type: "trades", coin: "BTC" },
  { type: "candle", coin: "BTC", interval: "1m" },
  { type: "l2Book", coin: "BTC" },
  { type: "activeAssetCtx", coin: "BTC" },
  { type: "activeAssetCtx", coin: "@107" },
];

it(`twenty minutes of every channel are read without remainder (seed ${SEED})`, async () => {
  const venue = createVenue({
    seed: SEED,
    startMs: START_MS,
    activeAccounts: [{ user: USER, fillsPerSecond: 0.2 }],
  });
  const clock = new VirtualClock(START_MS);
  const world = createWorld({ venue, clock, seed: SEED, switches: { allowWebData2: true } });
  const channels = new Map<string, number>();
  const remainder: unknown[] = [];
  const socket = world.network().connect(world.wsUrl, {
    onOpen() {
      for (const type of OF_USER) subscribe({ type, user: USER });
      for (const subscription of OF_MARKET) subscribe(subscription);
    },
    onMessage(text) {
      const frame = readFrame(text);
      const name = frame.type === "data" ? frame.channel.channel : frame.type;
      channels.set(name, (channels.get(name) ?? 0) + 1);
      if (frame.type === "data") remainder.push(...frame.reading.unread);
      else if (frame.type !== "ack") remainder.push(frame);
    },
    onClose: (code, reason) => remainder.push({ code, reason }),
    onError: (error) => remainder.push(error),
  });
  const subscribe = (subscription: JsonObject) =>
    socket.send(JSON.stringify({ method: "subscribe", subscription }));
  await clock.advanceBy(60_000);
  const order = { a: 0, b: true, s: "0.05", r: false, m: 5, t: false };
  venue.execute(USER, { type: "twapOrder", twap: order }, { nonce: 1 });
  venue.script({ type: "notification", user: USER, notification: "hello" });
  await clock.advanceBy(19 * 60_000);
  assert.deepEqual(remainder, []);
  const expected = [
    "ack",
    ...OF_USER.map((type) => (type === "userEvents" ? "user" : type)),
    "allMids",
    "trades",
    "candle",
    "l2Book",
    "activeAssetCtx",
    "activeSpotAssetCtx",
  ];
  assert.deepEqual([...channels.keys()].sort(), expected.sort());
  for (const feed of ["userTwapSliceFills", "userTwapHistory", "userFundings", "userFills", "orderUpdates"]) {
    assert.ok(channels.get(feed)! >= 2, `${feed}: more than the first message`);
  }
  world.stop();
});
