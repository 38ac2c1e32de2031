/** Which subscriptions a choice of market data comes to, and which rows its frames. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readFrame, type Subscription } from "../../../src/protocol/channels.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { Market, type MarketChoice, marketSubscriptions } from "../../../src/sync/market.ts";
import type { StreamHandler, VenueInfo } from "../../../src/sync/ports.ts";
import type { Batch } from "../../../src/sync/rows.ts";
import { listedCoins } from "../../../src/sync/universe.ts";
import { HandClock } from "../connection/handClock.ts";

const perp = (name: string, isDelisted = false) => ({ name, szDecimals: 2, maxLeverage: 10, isDelisted });
const context = (dayNtlVlm: string) => ({ dayNtlVlm, markPx: "1" });
/** Two dexes and spot; OLD is delisted, PURR/USDC is traded less than ETH. */
const ANSWERS: Record<string, unknown> = {
  "metaAndAssetCtxs ": [
    { universe: [perp("ETH"), perp("OLD", true), perp("BTC")] },
    [context("200.5"), context("0.0"), context("1000.0")],
  ],
  "metaAndAssetCtxs xyz": [{ universe: [perp("xyz:TSLA")] }, [context("900.0")]],
  "spotMetaAndAssetCtxs ": [{ universe: [], tokens: [] }, [{ ...context("100.0"), coin: "PURR/USDC" }]],
};
const info: VenueInfo = {
  request: (async (
    { type, read }: { type: string; read(body: unknown): unknown },
    { dex = "" }: { dex?: string },
  ) => ({
    sentAtMs: 0,
    receivedAtMs: 1,
    weight: 20,
    result: read(ANSWERS[`${type} ${dex}`]),
  })) as VenueInfo["request"],
  clockOffset: () => null,
  reserve: () => () => {},
};
const DEXES = ["", "xyz"];
const { signal } = new AbortController();

/** A market on a stream that never connects: its subscriptions, its log, and what a frame makes it commit. */
async function opened(choice: MarketChoice, room = 1_000) {
  let subscribed: readonly Subscription[] = [];
  let handler: StreamHandler | null = null;
  const clock = new HandClock();
  const said: unknown[] = [];
  const committed: Batch[] = [];
  const market = new Market({
    info,
    dexes: DEXES,
    choice,
    room,
    clock,
    openStream: (subscriptions, handles) => {
      [subscribed, handler] = [subscriptions, handles];
      return { subscribe() {}, unsubscribe() {}, status: () => assert.fail(), stop: async () => {} };
    },
    commit: async (batch) => {
      committed.push(batch);
      return { written: {}, events: [] } as never;
    },
    log: { ...silentLog, warn: (...line) => said.push(line) },
    onFatal: (error) => assert.fail(String(error)),
  });
  await market.start(signal);
  const hear = (frame: object) => {
    const read = readFrame(JSON.stringify(frame));
    assert.ok(read.type === "data");
    handler!.onMessage(read.reading, read.channel, { type: read.channel.type }, 5, 100);
  };
  const rows = async () => {
    await market.stop();
    return committed;
  };
  return { subscribed, said, hear, rows, clock, committed };
}

describe("market data", () => {
  it("all is every perp of every dex and spot, by volume, without what is delisted", async () => {
    assert.deepEqual(await listedCoins(info, DEXES, signal), ["BTC", "xyz:TSLA", "ETH", "PURR/USDC"]);
  });

  it("is committed at once, then collected for a tenth of a second, and written when it ends", async () => {
    const { hear, rows, clock, committed } = await opened({ coins: ["BTC"], streams: ["trades"] });
    const trade = (tid: number) =>
      hear({
        channel: "trades",
        data: [
          {
            coin: "BTC",
            side: "B",
            px: "1.0",
            sz: "1.0",
            time: 1_790_000_000_000,
            hash: "0x1",
            tid,
            users: [],
          },
        ],
      });
    const ids = () => committed.map(({ trades }) => trades!.map(({ tradeId }) => tradeId));
    trade(1);
    await clock.advance(0);
    trade(2);
    await clock.advance(99);
    trade(3);
    assert.deepEqual(ids(), [[1]]);
    await clock.advance(1);
    assert.deepEqual(ids(), [[1], [2, 3]]);
    trade(4);
    await rows();
    assert.deepEqual(ids().at(-1), [4]);
  });

  it("all is what the venue lists, and never a coin of that name", async () => {
    const { subscribed, said } = await opened({ coins: "all", streams: ["trades", "allMids", "candle:5m"] });
    assert.deepEqual(subscribed, [
      { type: "allMids" },
      { type: "allMids", dex: "xyz" },
      ...["BTC", "xyz:TSLA", "ETH", "PURR/USDC"].flatMap((coin) => [
        { type: "trades", coin },
        { type: "candle", coin, interval: "5m" },
      ]),
    ]);
    assert.deepEqual(said, []);
  });

  it("what does not fit into the venue's limit is left out, least traded first, and said", async () => {
    const { subscribed, said } = await opened({ coins: "all", streams: ["trades", "candle", "allMids"] }, 7);
    assert.equal(subscribed.length, 6);
    assert.deepEqual(new Set(subscribed.flatMap(({ coin }) => coin ?? [])), new Set(["BTC", "xyz:TSLA"]));
    assert.match(JSON.stringify(said), /"subscriptions":6,"leftOut":2,"coins":"ETH,PURR\/USDC"/);
  });

  it("mids are of all coins when all are wanted, else of the named ones, from the dexes these are of", async () => {
    const mids = { channel: "allMids", data: { mids: { BTC: "1.0", ETH: "2.0" } } };
    const coinsOf = (batches: Batch[]) =>
      batches.flatMap(({ mids: rows }) => rows ?? []).map(({ coin }) => coin);
    const all = await opened({ coins: "all", streams: ["allMids"] });
    all.hear(mids);
    assert.deepEqual(coinsOf(await all.rows()), ["BTC", "ETH"]);
    const some = await opened({ coins: ["ETH", "xyz:TSLA"], streams: ["allMids"] });
    assert.deepEqual(some.subscribed, [{ type: "allMids" }, { type: "allMids", dex: "xyz" }]);
    some.hear(mids);
    assert.deepEqual(coinsOf(await some.rows()), ["ETH"]);
  });

  it("named coins are taken as they are, with one-minute candles unless said otherwise", () => {
    const { subscriptions } = marketSubscriptions(["BTC"], ["candle", "candle:1h", "l2Book"], [""], 10);
    assert.deepEqual(subscriptions, [
      { type: "candle", coin: "BTC", interval: "1m" },
      { type: "candle", coin: "BTC", interval: "1h" },
      { type: "l2Book", coin: "BTC" },
    ]);
  });
});
