/**
 * What the fuzzer spoils: frames and answers of the simulator, and the captured ones where these are at hand. Guarantees: every
 * sample is read whole, lists are short, rows of a list are different.
 */
import assert from "node:assert/strict";
import { readFrame } from "../../src/protocol/channels.ts";
import { INFO } from "../../src/protocol/infoRequests.ts";
import { createVenue } from "../../src/simulator/exchange/venue.ts";
import { createWorld, VirtualClock } from "../../src/simulator/virtualWorld.ts";
import { type Any, cassette, readCapture, readLines, withoutCaptures } from "../captures/captures.ts";

export type InfoType = keyof typeof INFO;
/** What the rows of a sample become. */
export type Kind =
  | "fills"
  | "twapFills"
  | "orders"
  | "funding"
  | "ledger"
  | "perp"
  | "spot"
  | "mids"
  | "other";

export interface Sample {
  name: string;
  /** The request that it answers; null for a frame. */
  request: InfoType | null;
  body: unknown;
  /** Where its list of rows is. */
  rows: readonly (string | number)[];
  kind: Kind;
}

const ROWS_MAX = 5;
const USER = `0x${"d".repeat(40)}`;
const START_MS = 1_790_359_200_000 + 3_540_000;

const FRAMES: Record<string, { rows: readonly string[]; kind: Kind }> = {
  userFills: { rows: ["data", "fills"], kind: "fills" },
  user: { rows: ["data", "fills"], kind: "fills" },
  userTwapSliceFills: { rows: ["data", "twapSliceFills"], kind: "twapFills" },
  orderUpdates: { rows: ["data"], kind: "orders" },
  userHistoricalOrders: { rows: ["data", "orderHistory"], kind: "orders" },
  userFundings: { rows: ["data", "fundings"], kind: "funding" },
  userNonFundingLedgerUpdates: { rows: ["data", "nonFundingLedgerUpdates"], kind: "ledger" },
  clearinghouseState: { rows: ["data", "clearinghouseState", "assetPositions"], kind: "perp" },
  spotState: { rows: ["data", "spotState", "balances"], kind: "spot" },
  openOrders: { rows: ["data", "orders"], kind: "other" },
  allMids: { rows: ["data", "mids"], kind: "mids" },
  trades: { rows: ["data"], kind: "other" },
  candle: { rows: [], kind: "other" },
  l2Book: { rows: ["data", "levels", "0"], kind: "other" },
  activeAssetCtx: { rows: [], kind: "other" },
  webData2: { rows: [], kind: "other" },
  webData3: { rows: [], kind: "other" },
};

const ANSWERS: Partial<Record<InfoType, { rows: readonly (string | number)[]; kind: Kind }>> = {
  userFillsByTime: { rows: [], kind: "fills" },
  userTwapSliceFillsByTime: { rows: [], kind: "twapFills" },
  historicalOrders: { rows: [], kind: "orders" },
  userFunding: { rows: [], kind: "funding" },
  userNonFundingLedgerUpdates: { rows: [], kind: "ledger" },
  clearinghouseState: { rows: ["assetPositions"], kind: "perp" },
  spotClearinghouseState: { rows: ["balances"], kind: "spot" },
  allMids: { rows: [], kind: "mids" },
  frontendOpenOrders: { rows: [], kind: "other" },
  orderStatus: { rows: [], kind: "other" },
  candleSnapshot: { rows: [], kind: "other" },
  meta: { rows: ["universe"], kind: "other" },
  metaAndAssetCtxs: { rows: [0, "universe"], kind: "other" },
  perpDexs: { rows: [], kind: "other" },
  exchangeStatus: { rows: [], kind: "other" },
};

const at = (body: unknown, path: readonly (string | number)[]): Any =>
  path.reduce<Any>((inner, key) => inner?.[key], body);

const timeOf = (row: Any): number => row.statusTimestamp ?? row.time ?? row.fill?.time ?? 0;

/** The sample with at most `ROWS_MAX` rows, oldest first as pages of a history are. */
function sample(name: string, request: InfoType | null, body: unknown): Sample[] {
  const { rows, kind } = (request === null ? FRAMES[(body as Any).channel] : ANSWERS[request]) ?? {
    rows: [],
    kind: "other" as const,
  };
  const copy = structuredClone(body);
  const list = at(copy, rows);
  if (Array.isArray(list) && kind !== "other") {
    const different = [...new Map(list.map((row) => [JSON.stringify(row), row])).values()].slice(0, ROWS_MAX);
    if (different.length === 0) return [];
    list.splice(0, list.length, ...different);
    if (kind !== "perp" && kind !== "spot") list.sort((a, b) => timeOf(a) - timeOf(b));
  } else if (Array.isArray(list)) list.splice(ROWS_MAX);
  else if (kind === "mids") for (const coin of Object.keys(list).slice(ROWS_MAX)) delete list[coin];
  return [{ name, request, body: copy, rows, kind }];
}

/** Two minutes of a simulated account around a full hour. */
async function simulated(): Promise<Sample[]> {
  const venue = createVenue({
    seed: 7,
    startMs: START_MS,
    activeAccounts: [
      { user: USER, fillsPerSecond: 0.5, coins: ["BTC", "ETH"], twapsPerHour: 60, cloidShare: 0.5 },
    ],
  });
  venue.deposit(USER, "5000");
  const clock = new VirtualClock(START_MS);
  const world = createWorld({ venue, clock, seed: 7, limits: { weightPerMinute: 100_000 } });
  const { connect, post } = world.network();
  const found = new Map<string, string[]>();
  const socket = connect(world.wsUrl, {
    onOpen() {
      const user = USER;
      for (const type of ["orderUpdates", "userEvents", "userFills", "userHistoricalOrders", "userFundings"])
        socket.send(JSON.stringify({ method: "subscribe", subscription: { type, user } }));
      for (const type of [
        "userTwapSliceFills",
        "userNonFundingLedgerUpdates",
        "clearinghouseState",
        "openOrders",
      ])
        socket.send(JSON.stringify({ method: "subscribe", subscription: { type, user } }));
      for (const type of ["spotState", "webData3"])
        socket.send(JSON.stringify({ method: "subscribe", subscription: { type, user } }));
      for (const type of ["trades", "l2Book", "activeAssetCtx"])
        socket.send(JSON.stringify({ method: "subscribe", subscription: { type, coin: "BTC" } }));
      socket.send(JSON.stringify({ method: "subscribe", subscription: { type: "allMids" } }));
      const candle = { type: "candle", coin: "BTC", interval: "1m" };
      socket.send(JSON.stringify({ method: "subscribe", subscription: candle }));
    },
    onMessage(text) {
      const { channel } = JSON.parse(text) as { channel: string };
      found.set(channel, [...(found.get(channel) ?? []), text]);
    },
    onClose() {},
    onError() {},
  });
  await clock.advanceBy(120_000);
  const samples: Sample[] = [];
  for (const [channel, texts] of found) {
    if (!(channel in FRAMES)) continue;
    // The longest say most.
    const longest = texts.toSorted((a, b) => b.length - a.length).slice(0, 2);
    for (const text of longest) samples.push(...sample(`simulated ${channel}`, null, JSON.parse(text)));
  }
  const window = { user: USER, startTime: START_MS - 1, endTime: START_MS + 130_000 };
  const candles = { req: { coin: "BTC", interval: "1m", startTime: START_MS - 600_000 } };
  const orders = JSON.parse(found.get("orderUpdates")![0]!) as Any;
  const params: Partial<Record<InfoType, object>> = {
    userFillsByTime: window,
    userTwapSliceFillsByTime: window,
    userFunding: window,
    userNonFundingLedgerUpdates: { ...window, startTime: 0 },
    historicalOrders: { user: USER },
    clearinghouseState: { user: USER, dex: "" },
    spotClearinghouseState: { user: USER },
    frontendOpenOrders: { user: USER, dex: "" },
    orderStatus: { user: USER, oid: orders.data[0].order.oid },
    allMids: {},
    candleSnapshot: candles,
    meta: {},
    metaAndAssetCtxs: {},
    perpDexs: {},
    exchangeStatus: {},
  };
  for (const [type, body] of Object.entries(params)) {
    const asked = post(`${world.apiUrl}/info`, JSON.stringify({ type, ...body }));
    await clock.advanceBy(1_000);
    const { text } = await asked;
    samples.push(...sample(`simulated ${type}`, type as InfoType, JSON.parse(text)));
  }
  world.stop();
  // The simulated account has no spot tokens.
  const spotState = {
    balances: ["USDC", "HYPE", "+12"].map((coin, token) => ({
      coin,
      total: "12.5",
      hold: "0.0",
      entryNtl: "10.0",
      ...(coin === "+12" ? {} : { token, ltv: "0.5", borrowed: "1.0", spotHold: "0.0" }),
    })),
    portfolioMarginEnabled: true,
    portfolioMarginRatio: "0.1",
  };
  samples.push(...sample("spotClearinghouseState", "spotClearinghouseState", spotState));
  const frame = { channel: "spotState", data: { user: USER, spotState } };
  samples.push(...sample("spotState", null, frame));
  return samples;
}

/** The captured payloads, as answers and as frames. */
function captured(): Sample[] {
  if (withoutCaptures) return [];
  const samples: Sample[] = [];
  const answer = (type: InfoType, body: unknown) => samples.push(...sample(`captured ${type}`, type, body));
  const frame = (channel: string, data: unknown) =>
    samples.push(...sample(`captured ${channel}`, null, { channel, data }));
  const user = USER;
  const slices = (rows: Any[]) => [rows.slice(0, 5), rows.slice(-5)];
  for (const name of ["user_fills.0.userFills", "user_fills_by_time.0.userFillsByTime"])
    for (const fills of slices(cassette(name).response)) {
      answer("userFillsByTime", fills);
      frame("userFills", { user, fills });
    }
  for (const fills of slices(readCapture("hyperliquid-mobile/userFills_testnet_selected.json"))) {
    answer("userFillsByTime", fills);
    frame("user", { fills });
  }
  answer(
    "userFillsByTime",
    readLines("gareth0712/node/20250716.node_fills.ndjson")
      .map(([, fill]: Any) => fill)
      .slice(0, 5),
  );
  const twap = readCapture("hyperliquid-mobile/userTwapSliceFills_testnet.json");
  answer("userTwapSliceFillsByTime", twap);
  frame("userTwapSliceFills", { user, twapSliceFills: twap });
  const historical = cassette("historical_orders.0.historicalOrders").response;
  answer("historicalOrders", historical);
  frame("userHistoricalOrders", { user, orderHistory: historical });
  answer("frontendOpenOrders", cassette("frontend_open_orders.0.frontendOpenOrders").response);
  answer("frontendOpenOrders", readCapture("hyperliquid-mobile/frontendOpenOrders_testnet.json"));
  const small = readCapture("misc/small_payloads.json");
  answer("orderStatus", small.orderStatus_open.response);
  samples.push(
    ...sample("captured orderUpdates", null, small.ws_orderUpdates_open_then_filled_one_frame.msg),
  );
  const funding = cassette("user_funding_history_without_end_time.0.userFunding").response;
  for (const rows of slices(funding)) {
    answer("userFunding", rows);
    frame("userFundings", { user, fundings: rows.map(({ time, delta }: Any) => ({ time, ...delta })) });
  }
  const ledgerName = "user_non_funding_ledger_updates_without_end_time.0.userNonFundingLedgerUpdates";
  const ledger = cassette(ledgerName).response;
  answer("userNonFundingLedgerUpdates", ledger);
  frame("userNonFundingLedgerUpdates", { user, nonFundingLedgerUpdates: ledger });
  const bytex = readCapture("bytex/mainnet_2026-09-25.json");
  for (const state of [readCapture("gareth0712/info/clearinghouseState.json"), bytex.clearinghouseState]) {
    answer("clearinghouseState", state);
    frame("clearinghouseState", { user, dex: "", clearinghouseState: state });
  }
  const spot = readCapture("nautilus/http_spot_clearinghouse_state.json");
  answer("spotClearinghouseState", spot);
  frame("spotState", { user, spotState: spot });
  answer("allMids", cassette("all_mids.0.allMids").response);
  answer("candleSnapshot", cassette("candles_snapshot.1.candleSnapshot").response);
  answer("meta", bytex.meta_first6);
  const market = [
    ...readCapture("tardis/ws_market_messages_2024-10_2025-06.json"),
    ...["ws_trades", "ws_candle", "ws_activeAssetCtx"].flatMap((key) => bytex[key]),
  ];
  for (const message of market.filter(({ channel }: Any) => channel !== "bbo"))
    samples.push(...sample(`captured ${message.channel}`, null, message));
  const [, web] = readCapture("gareth0712/ws/4-webData2-openPosition-all.json");
  if (web?.data) {
    for (const key of ["meta", "assetCtxs", "spotAssetCtxs"]) delete web.data[key];
    samples.push(...sample("captured webData2", null, web));
  }
  return samples;
}

/** All samples, and where they came from. */
export async function hostileCorpus(): Promise<Sample[]> {
  const samples = [...(await simulated()), ...captured()];
  for (const { name, request, body } of samples) {
    if (request === null) {
      const frame = readFrame(JSON.stringify(body));
      assert.ok(frame.type === "data" && frame.reading.unread.length === 0, `${name} is read whole`);
    } else {
      const result = INFO[request].read(body) as { unread?: unknown[]; reason?: string };
      assert.ok(result.unread?.length === 0, `${name} is read whole ${result.reason ?? ""}`);
    }
  }
  for (const kind of ["fills", "twapFills", "orders", "funding", "ledger", "perp", "spot", "mids"])
    assert.ok(
      samples.some((one) => one.kind === kind),
      `there is a sample of ${kind}`,
    );
  return samples;
}
