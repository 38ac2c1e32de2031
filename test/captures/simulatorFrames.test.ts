/** Frames of the real venue and of the simulator, compared field by field: same keys in the same order, same kinds. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import type { Json, JsonObject } from "../../src/simulator/contract.ts";
import { createVenue } from "../../src/simulator/exchange/venue.ts";
import { createWorld, VirtualClock } from "../../src/simulator/virtualWorld.ts";

const CAPTURES = join(import.meta.dirname, "../../../shared/captures");
const skip = existsSync(CAPTURES) ? false : `no captures at ${CAPTURES}`;
const capture = (file: string): JsonObject => JSON.parse(readFileSync(join(CAPTURES, file), "utf8"));

const SEED = 3;
const START_MS = 1_790_358_600_000;
const USER = `0x${"d".repeat(40)}`;

/** Keys a row has or has not, by what it is about. */
const OPTIONAL = ["cloid", "builderFee", "liquidation", "reduceOnly"];

function kindOf(value: Json): string {
  if (typeof value !== "string") return value === null ? "null" : typeof value;
  if (/^-?\d+(\.\d+)?$/.test(value)) return "decimal";
  if (/^0x[0-9a-f]+$/.test(value)) return `hex${value.length - 2}`;
  return "text";
}

/** The value with every leaf replaced by its kind, and every list by its first row. */
function shapeOf(value: Json): Json {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0]!)];
  if (typeof value !== "object" || value === null) return kindOf(value);
  const kept = Object.entries(value).filter(([key]) => !OPTIONAL.includes(key));
  return Object.fromEntries(kept.map(([key, inner]) => [key, shapeOf(inner)]));
}

/** Text, so that the order of the keys counts. */
const shapeText = (value: Json): string => JSON.stringify(shapeOf(value), null, 1);

describe("frames", { skip }, () => {
  const frames = new Map<string, JsonObject[]>();

  before(async () => {
    const venue = createVenue({
      seed: SEED,
      startMs: START_MS,
      activeAccounts: [{ user: USER, fillsPerSecond: 0.3, coins: ["BTC"] }],
    });
    const clock = new VirtualClock(START_MS);
    const world = createWorld({ venue, clock, seed: SEED });
    const socket = world.network().connect(world.wsUrl, {
      onOpen() {
        for (const subscription of [
          { type: "userEvents", user: USER },
          { type: "orderUpdates", user: USER },
          { type: "trades", coin: "BTC" },
          { type: "bbo", coin: "BTC" },
          { type: "candle", coin: "BTC", interval: "1m" },
          { type: "activeAssetCtx", coin: "BTC" },
          { type: "activeAssetCtx", coin: "@1" },
          { type: "allDexsAssetCtxs" },
          { type: "allMids" },
          { type: "l2Book", coin: "BTC" },
        ]) {
          socket.send(JSON.stringify({ method: "subscribe", subscription }));
        }
      },
      onMessage(text) {
        const frame = JSON.parse(text) as JsonObject;
        const channel = String(frame.channel);
        frames.set(channel, [...(frames.get(channel) ?? []), frame]);
      },
      onClose: () => {},
      onError: () => {},
    });
    await clock.advanceBy(120_000);
    world.stop();
  });

  const bytex = "bytex/mainnet_2026-09-25.json";
  const newest = (channel: string) => frames.get(channel)!.at(-1)!;

  it("of fills in userEvents have the same shape", () => {
    const real = capture(bytex).ws_user_fills__coin_and_cloid_replaced!;
    const simulated = frames.get("user")!.find(({ data }) => "fills" in (data as JsonObject))!;
    assert.equal(shapeText(simulated), shapeText(real));
  });

  it("of order updates have the same shape, and an order filled at once comes as two rows of one frame", () => {
    const real = capture(bytex).ws_orderUpdates__coin_and_cloid_replaced!;
    assert.equal(shapeText(newest("orderUpdates")), shapeText(real));
    const { msg } = (capture("misc/small_payloads.json") as Record<string, JsonObject>)
      .ws_orderUpdates_open_then_filled_one_frame!;
    const story = (frame: JsonObject) =>
      (frame.data as { status: string; order: { oid: number; sz: string } }[]).map((row) => [
        row.status,
        row.order.sz === "0.0",
      ]);
    const expected = story(msg as JsonObject);
    const seen = frames.get("orderUpdates")!.filter((frame) => {
      const rows = frame.data as { order: { oid: number } }[];
      return rows.length === 2 && rows[0]!.order.oid === rows[1]!.order.oid;
    });
    assert.ok(seen.length > 0, `none in two minutes of seed ${SEED}`);
    assert.ok(seen.some((frame) => JSON.stringify(story(frame)) === JSON.stringify(expected)));
  });

  for (const [channel, key] of [
    ["trades", "ws_trades"],
    ["bbo", "ws_bbo"],
    ["activeAssetCtx", "ws_activeAssetCtx"],
  ] as const) {
    it(`of ${channel} have the same shape`, () => {
      assert.equal(shapeText(newest(channel)), shapeText(capture(bytex)[key]!));
    });
  }

  it("of candles have the same shape: one bare object, its bucket's last ms in T", () => {
    const [real] = capture(bytex).ws_candle as JsonObject[];
    const simulated = newest("candle");
    assert.equal(shapeText(simulated), shapeText(real!));
    for (const { data } of [real!, simulated]) {
      const { t, T } = data as { t: number; T: number };
      assert.deepEqual([t % 60_000, T - t], [0, 59_999]);
    }
  });

  it("of books have the same shape, best prices first", () => {
    const real = capture(bytex).l2Book_5levels!;
    const simulated = newest("l2Book").data as JsonObject;
    assert.equal(shapeText(simulated), shapeText(real));
    for (const { levels } of [real, simulated] as unknown as { levels: { px: string }[][] }[]) {
      const [bids, asks] = levels.map((side) => side.map(({ px }) => Number(px)));
      assert.deepEqual(
        bids,
        [...bids!].sort((a, b) => b - a),
      );
      assert.deepEqual(
        asks,
        [...asks!].sort((a, b) => a - b),
      );
    }
  });

  it("of all dexes' contexts and of mids have the same shape", () => {
    const contexts = capture("nautilus/ws_all_dexs_asset_ctxs.json");
    assert.equal(shapeText(newest("allDexsAssetCtxs")), shapeText(contexts));
    const { mids } = newest("allMids").data as { mids: JsonObject };
    const real = (capture("nautilus/ws_allmids.json").data as { mids: JsonObject }).mids;
    assert.deepEqual(new Set(Object.values(mids).map(kindOf)), new Set(Object.values(real).map(kindOf)));
  });

  it("of spot contexts have at least the keys of the older capture", () => {
    const captured = JSON.parse(
      readFileSync(join(CAPTURES, "tardis/ws_market_messages_2024-10_2025-06.json"), "utf8"),
    ) as JsonObject[];
    const real = captured.find(({ channel }) => channel === "activeSpotAssetCtx")!;
    const keys = (frame: JsonObject) => Object.keys((frame.data as { ctx: JsonObject }).ctx);
    const simulated = keys(newest("activeSpotAssetCtx"));
    for (const key of keys(real)) assert.ok(simulated.includes(key), key);
  });
});
