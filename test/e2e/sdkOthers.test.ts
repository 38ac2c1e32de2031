/** `ccxt` (REST and pro) and `hyperliquid` (nomeida), unchanged, against the simulator on a real port. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import { BUSY, owner, type SdkVenue, startSdkVenue } from "./sdkVenue.ts";

// Their types are not what they export.
const require = createRequire(import.meta.url);

/** The private key of `owner`. */
const PRIVATE_KEY = `0x${"11".repeat(32)}`;

const ccxt = require("ccxt") as { pro: { hyperliquid: new (options: object) => Ccxt } };
const nomeida = require("hyperliquid") as { Hyperliquid: new (options: object) => Nomeida };

let world: SdkVenue;
before(async () => {
  world = await startSdkVenue();
});
after(() => world?.simulator.stop());

/** Lets model time pass until the promise settles. */
async function whileTimePasses<T>(promise: Promise<T>): Promise<T> {
  const timer = setInterval(() => world.pass(1_000), 20);
  return promise.finally(() => clearInterval(timer));
}

const lowPrice = () => {
  const { body } = world.venue.info({ type: "allMids" });
  return Math.floor(Number((body as { BTC: string }).BTC) * 0.9);
};

/** What of a ccxt exchange is used here. */
interface Ccxt {
  urls: Record<string, unknown>;
  loadMarkets(): Promise<object>;
  loadHttpProxyAgent(): Promise<unknown>;
  createOrder(
    symbol: string,
    type: string,
    side: string,
    amount: number,
    price: number,
  ): Promise<{ id: string }>;
  createOrdersWs(orders: object[]): Promise<{ id: string }[]>;
  editOrder(
    id: string,
    symbol: string,
    type: string,
    side: string,
    amount: number,
    price: number,
  ): Promise<{ id: string }>;
  fetchOpenOrders(symbol: string): Promise<{ id: string; amount: number }[]>;
  cancelOrder(id: string, symbol: string): Promise<unknown>;
  fetchMyTrades(symbol: string): Promise<{ order: string; amount: number }[]>;
  fetchPositions(): Promise<{ symbol: string; contracts: number }[]>;
  fetchBalance(): Promise<{ USDC: { total: number } }>;
  fetchOHLCV(symbol: string, timeframe: string): Promise<number[][]>;
  fetchLedger(): Promise<{ type: string }[]>;
  watchOrderBook(symbol: string): Promise<{ bids: [number, number][]; asks: [number, number][] }>;
  watchTrades(symbol: string): Promise<{ price: number }[]>;
  watchOHLCV(symbol: string, timeframe: string): Promise<number[][]>;
  watchMyTrades(
    symbol: string,
    since: undefined,
    limit: undefined,
    params: object,
  ): Promise<{ amount: number }[]>;
  watchOrders(symbol: string, since: undefined, limit: undefined, params: object): Promise<{ id: string }[]>;
  close(): Promise<void>;
}

describe("ccxt", () => {
  const BTC = "BTC/USDC:USDC";
  let exchange: Ccxt;
  before(async () => {
    exchange = new ccxt.pro.hyperliquid({ walletAddress: owner.address, privateKey: PRIVATE_KEY });
    const { url, wsUrl } = world.simulator;
    exchange.urls.api = { public: url, private: url, ws: { public: wsUrl } };
    // Its way of allowing a WebSocket without TLS.
    await exchange.loadHttpProxyAgent();
    await exchange.loadMarkets();
  });
  after(() => exchange?.close());

  it("places, edits and cancels an order", async () => {
    const price = lowPrice();
    const placed = await exchange.createOrder(BTC, "limit", "buy", 0.001, price);
    assert.deepEqual(
      (await exchange.fetchOpenOrders(BTC)).map(({ id }) => id),
      [placed.id],
    );
    await exchange.editOrder(placed.id, BTC, "limit", "buy", 0.002, price);
    const [edited] = await exchange.fetchOpenOrders(BTC);
    assert.notEqual(edited!.id, placed.id);
    assert.equal(edited!.amount, 0.002);
    await exchange.cancelOrder(edited!.id, BTC);
    assert.deepEqual(await exchange.fetchOpenOrders(BTC), []);
  });

  it("buys at the market and sees the fill, the position and the balance", async () => {
    const { id } = await exchange.createOrder(BTC, "market", "buy", 0.01, lowPrice() * 1.12);
    const trades = await exchange.fetchMyTrades(BTC);
    assert.deepEqual(
      trades.map(({ order, amount }) => [order, amount]),
      [[id, 0.01]],
    );
    const positions = await exchange.fetchPositions();
    assert.deepEqual(
      positions.map(({ symbol, contracts }) => [symbol, contracts]),
      [[BTC, 0.01]],
    );
    assert.ok((await exchange.fetchBalance()).USDC.total > 99_000);
    assert.ok((await exchange.fetchOHLCV(BTC, "1m")).length >= 12);
    assert.deepEqual(
      (await exchange.fetchLedger()).map(({ type }) => type),
      ["deposit"],
    );
  });

  it("throws its own error for the venue's", async () => {
    await assert.rejects(exchange.createOrder(BTC, "limit", "buy", 1_000, lowPrice()), {
      name: "InsufficientFunds",
    });
    await assert.rejects(exchange.cancelOrder("1", BTC), { name: "OrderNotFound" });
  });

  it("watches books, trades, candles, and an account's trades and orders; places over the socket", async () => {
    const book = await exchange.watchOrderBook(BTC);
    assert.ok(book.bids[0]![0] < book.asks[0]![0]);
    assert.ok((await exchange.watchTrades(BTC)).length > 0);
    assert.ok((await exchange.watchOHLCV(BTC, "1m")).length > 0);
    const user = { user: BUSY };
    assert.ok((await whileTimePasses(exchange.watchMyTrades(BTC, undefined, undefined, user))).length > 0);
    assert.ok((await whileTimePasses(exchange.watchOrders(BTC, undefined, undefined, user))).length > 0);
    const order = { symbol: BTC, type: "limit", side: "buy", amount: 0.001, price: lowPrice() };
    const [placed] = await exchange.createOrdersWs([order]);
    await exchange.cancelOrder(placed!.id, BTC);
  });
});

/** What of the nomeida SDK is used here. */
interface Nomeida {
  ws: { url: string };
  connect(): Promise<void>;
  disconnect(): void;
  info: {
    getUserFills(user: string): Promise<{ tid: number }[]>;
    getUserOpenOrders(user: string): Promise<{ oid: number }[]>;
    perpetuals: { getClearinghouseState(user: string): Promise<{ marginSummary: { accountValue: number } }> };
  };
  exchange: {
    placeOrder(order: object): Promise<{ response: { data: { statuses: { resting: { oid: number } }[] } } }>;
    cancelOrder(cancel: object): Promise<{ response: { data: { statuses: string[] } } }>;
  };
  subscriptions: Record<string, (...parameters: unknown[]) => Promise<void>>;
}

describe("hyperliquid (nomeida)", () => {
  let sdk: Nomeida;
  before(async () => {
    sdk = new nomeida.Hyperliquid({ privateKey: PRIVATE_KEY, enableWs: true, disableAssetMapRefresh: true });
    redirect(sdk, world.simulator.url);
    sdk.ws.url = world.simulator.wsUrl;
    await sdk.connect();
  });
  after(() => sdk?.disconnect());

  /** It has no option for another endpoint: every HTTP client inside it is pointed at the simulator. */
  function redirect(part: unknown, url: string, seen = new Set<unknown>()): void {
    if (typeof part !== "object" || part === null || seen.has(part)) return;
    seen.add(part);
    const { client } = part as { client?: { defaults?: { baseURL?: string } } };
    if (client?.defaults !== undefined) client.defaults.baseURL = url;
    for (const inner of Object.values(part)) redirect(inner, url, seen);
  }

  it("reads an account", async () => {
    const newest = world.venue.truth(BUSY).fills.at(-1)!;
    assert.equal((await sdk.info.getUserFills(BUSY))[0]!.tid, newest.tid);
    const { marginSummary } = await sdk.info.perpetuals.getClearinghouseState(BUSY);
    assert.ok(marginSummary.accountValue > 0);
  });

  it("places and cancels an order", async () => {
    const answer = await sdk.exchange.placeOrder({
      coin: "BTC-PERP",
      is_buy: true,
      sz: 0.001,
      limit_px: lowPrice(),
      order_type: { limit: { tif: "Gtc" } },
      reduce_only: false,
    });
    const { oid } = answer.response.data.statuses[0]!.resting;
    const open = await sdk.info.getUserOpenOrders(owner.address);
    assert.deepEqual(
      open.map((order) => order.oid),
      [oid],
    );
    const canceled = await sdk.exchange.cancelOrder({ coin: "BTC-PERP", o: oid });
    assert.deepEqual(canceled.response.data.statuses, ["success"]);
  });

  // Not userEvents: it waits for them on a channel of that name, and the venue sends `user`.
  for (const [name, ...parameters] of [
    ["AllMids"],
    ["UserFills", BUSY],
    ["OrderUpdates", BUSY],
    ["UserFundings", BUSY],
    ["UserNonFundingLedgerUpdates", BUSY],
    ["UserTwapSliceFills", BUSY],
    ["UserTwapHistory", BUSY],
    ["UserActiveAssetData", BUSY, "BTC"],
    ["Candle", "BTC-PERP", "1m"],
    ["L2Book", "BTC-PERP"],
    ["Trades", "BTC-PERP"],
    ["Bbo", "BTC-PERP"],
    ["ActiveAssetCtx", "BTC-PERP"],
  ] as const) {
    it(`receives ${name}`, async () => {
      const received = new Promise<unknown>((resolve, reject) => {
        sdk.subscriptions[`subscribeTo${name}`]!(...parameters, resolve).catch(reject);
      });
      assert.ok(await whileTimePasses(received));
    });
  }
});
