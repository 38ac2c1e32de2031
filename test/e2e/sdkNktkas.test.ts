/**
 * `@nktkas/hyperliquid`, unchanged, against the simulator on a real port: every request and every subscription it offers
 * that the venue serves. What comes back is held against the SDK's own types: literals of all answers are compiled.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import {
  ExchangeClient,
  HttpTransport,
  InfoClient,
  SubscriptionClient,
  WebSocketTransport,
} from "@nktkas/hyperliquid";
import { agent, BUSY, other, owner, type SdkVenue, startSdkVenue } from "./sdkVenue.ts";

const ROOT = join(import.meta.dirname, "../..");
const USER = owner.address.toLowerCase() as `0x${string}`;

/** Everything received, by the name of the SDK's type for it. */
const received = new Map<string, unknown[]>();
function keep<T>(typeName: string, value: T): T {
  received.set(typeName, [...(received.get(typeName) ?? []), value]);
  return value;
}
const typeNameOf = (method: string, suffix: string) => method[0]!.toUpperCase() + method.slice(1) + suffix;

let world: SdkVenue;
let info: InfoClient;
let exchange: ExchangeClient;
const sockets: WebSocketTransport[] = [];
/** A socket of its own, since userEvents and orderUpdates name no user. */
function subscriptions(): SubscriptionClient {
  const transport = new WebSocketTransport({ url: world.simulator.wsUrl });
  sockets.push(transport);
  return new SubscriptionClient({ transport });
}

before(async () => {
  world = await startSdkVenue();
  const transport = new HttpTransport({ apiUrl: world.simulator.url });
  info = new InfoClient({ transport });
  exchange = new ExchangeClient({ transport, wallet: owner });
});
after(async () => {
  for (const socket of sockets) socket.close();
  await world.simulator.stop();
});

/** Resolves with the first of the values reported that satisfies. */
function reported<T>() {
  const values: T[] = [];
  let wake = () => {};
  return {
    values,
    report(value: T) {
      values.push(value);
      wake();
    },
    async until(satisfies: (value: T) => boolean = () => true): Promise<T> {
      for (;;) {
        const found = values.find(satisfies);
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

const usd = { a: 0, b: true, r: false, t: { limit: { tif: "Gtc" } } } as const;

describe("ExchangeClient", () => {
  const CLOID = `0x${"5".repeat(32)}` as const;
  let bid: string;
  const resting = async (extra: object = {}) => {
    const { response } = keep(
      "OrderSuccessResponse",
      await exchange.order({ orders: [{ ...usd, p: bid, s: "0.001", ...extra }], grouping: "na" }),
    );
    const status = response.data.statuses[0]!;
    assert.ok(typeof status === "object" && "resting" in status, JSON.stringify(status));
    return status.resting.oid;
  };
  const openOids = async () => (await info.openOrders({ user: USER })).map(({ oid }) => oid);

  before(async () => {
    bid = String(Math.floor(Number((await info.allMids()).BTC) * 0.9));
  });

  it("places a resting order and cancels it, by oid and by cloid", async () => {
    const oid = await resting();
    assert.deepEqual(await openOids(), [oid]);
    keep("CancelSuccessResponse", await exchange.cancel({ cancels: [{ a: 0, o: oid }] }));
    await resting({ c: CLOID });
    const answer = await exchange.cancelByCloid({ cancels: [{ asset: 0, cloid: CLOID }] });
    assert.deepEqual(keep("CancelByCloidSuccessResponse", answer).response.data.statuses, ["success"]);
    assert.deepEqual(await openOids(), []);
  });

  it("fills a market order, and the position is there", async () => {
    const ask = String(Math.floor(Number(bid) * 1.2));
    const order = { ...usd, p: ask, s: "0.01", t: { limit: { tif: "Ioc" } } } as const;
    const { response } = keep(
      "OrderSuccessResponse",
      await exchange.order({ orders: [order], grouping: "na" }),
    );
    const status = response.data.statuses[0]!;
    assert.ok(typeof status === "object" && "filled" in status, JSON.stringify(status));
    assert.equal(status.filled.totalSz, "0.01");
    const { assetPositions } = await info.clearinghouseState({ user: USER });
    assert.deepEqual(
      assetPositions.map(({ position }) => [position.coin, position.szi]),
      [["BTC", "0.01"]],
    );
  });

  it("places take-profit and stop-loss around a parent", async () => {
    const far = { ...usd, b: false, r: true, s: "0.001" } as const;
    const trigger = (tpsl: "tp" | "sl", px: number) => ({
      ...far,
      p: String(px),
      t: { trigger: { isMarket: true, triggerPx: String(px), tpsl } },
    });
    const base = Number(bid);
    const { response } = keep(
      "OrderSuccessResponse",
      await exchange.order({
        orders: [
          { ...usd, p: bid, s: "0.001" },
          trigger("tp", Math.floor(base * 1.5)),
          trigger("sl", Math.floor(base * 0.5)),
        ],
        grouping: "normalTpsl",
      }),
    );
    assert.deepEqual(response.data.statuses.slice(1), ["waitingForFill", "waitingForFill"]);
    const orders = await info.frontendOpenOrders({ user: USER });
    for (const { coin, oid } of orders) {
      assert.equal(coin, "BTC");
      await exchange.cancel({ cancels: [{ a: 0, o: oid }] }).catch(() => {});
    }
  });

  it("modifies: the old oid goes, a new one comes with the same cloid", async () => {
    const oid = await resting({ c: CLOID });
    const lower = String(Number(bid) - 100);
    keep(
      "ModifySuccessResponse",
      await exchange.modify({ oid, order: { ...usd, p: lower, s: "0.001", c: CLOID } }),
    );
    const [modified] = await info.openOrders({ user: USER });
    assert.notEqual(modified!.oid, oid);
    assert.equal(modified!.cloid, CLOID);
    const order = { ...usd, p: bid, s: "0.002", c: CLOID };
    const batch = await exchange.batchModify({ modifies: [{ oid: modified!.oid, order }] });
    assert.equal(keep("BatchModifySuccessResponse", batch).response.data.statuses.length, 1);
    await exchange.cancelByCloid({ cancels: [{ asset: 0, cloid: CLOID }] });
  });

  it("sets leverage and isolated margin, and starts and stops a TWAP", async () => {
    keep(
      "UpdateLeverageSuccessResponse",
      await exchange.updateLeverage({ asset: 1, isCross: false, leverage: 5 }),
    );
    const mid = Number((await info.allMids()).ETH);
    const order = {
      ...usd,
      a: 1,
      p: String(Math.floor(mid * 1.05)),
      s: "0.1",
      t: { limit: { tif: "Ioc" } },
    } as const;
    await exchange.order({ orders: [order], grouping: "na" });
    const margin = { asset: 1, isBuy: true, ntli: 5_000_000 };
    keep("UpdateIsolatedMarginSuccessResponse", await exchange.updateIsolatedMargin(margin));
    const { response } = keep(
      "TwapOrderSuccessResponse",
      await exchange.twapOrder({ twap: { a: 0, b: true, s: "0.02", r: false, m: 5, t: false } }),
    );
    world.pass(65_000);
    const { twapId } = response.data.status.running;
    keep("TwapCancelSuccessResponse", await exchange.twapCancel({ a: 0, t: twapId }));
    assert.ok((await info.userTwapSliceFills({ user: USER })).length >= 2);
  });

  it("moves money, with signatures of the account itself", async () => {
    keep("UsdSendSuccessResponse", await exchange.usdSend({ destination: other.address, amount: "10" }));
    keep("UsdClassTransferSuccessResponse", await exchange.usdClassTransfer({ amount: "50", toPerp: false }));
    keep("Withdraw3SuccessResponse", await exchange.withdraw3({ destination: other.address, amount: "20" }));
    const types = (await info.userNonFundingLedgerUpdates({ user: USER, startTime: 0 })).map(
      ({ delta }) => delta.type,
    );
    assert.deepEqual(types, ["deposit", "internalTransfer", "accountClassTransfer", "withdraw"]);
  });

  it("lets an approved agent trade for the account, and nobody else", async () => {
    const transport = new HttpTransport({ apiUrl: world.simulator.url });
    const asAgent = new ExchangeClient({ transport, wallet: agent });
    const order = { orders: [{ ...usd, p: bid, s: "0.001" }], grouping: "na" as const };
    const nobody = new RegExp(`User or API Wallet ${agent.address.toLowerCase()} does not exist`);
    await assert.rejects(asAgent.order(order), nobody);
    const approval = await exchange.approveAgent({ agentAddress: agent.address, agentName: "bot" });
    keep("ApproveAgentSuccessResponse", approval);
    const { response } = await asAgent.order(order);
    const status = response.data.statuses[0]!;
    assert.ok(typeof status === "object" && "resting" in status);
    assert.deepEqual(await openOids(), [status.resting.oid]);
    const expiresAfter = Date.now() + 60_000;
    await asAgent.cancel({ cancels: [{ a: 0, o: status.resting.oid }] }, { expiresAfter });
    assert.deepEqual(await openOids(), []);
  });

  it("refuses in the venue's words", async () => {
    const order = (fields: object) =>
      exchange.order({ orders: [{ ...usd, p: bid, s: "0.001", ...fields }], grouping: "na" });
    await assert.rejects(order({ s: "0.00001" }), /Order must have minimum value of \$10\./);
    await assert.rejects(order({ p: "12345.67" }), /Price must be divisible by tick size\./);
    await assert.rejects(order({ s: "1000" }), /Insufficient margin to place order\./);
    await assert.rejects(
      order({ p: String(Math.floor(Number(bid) * 1.2)), t: { limit: { tif: "Alo" } } }),
      /Post only order would have immediately matched, bbo was/,
    );
    await assert.rejects(
      exchange.cancel({ cancels: [{ a: 0, o: 1 }] }),
      /Order was never placed, already canceled, or filled\./,
    );
    await assert.rejects(
      exchange.cancel({ cancels: [{ a: 0, o: 1 }] }, { expiresAfter: Date.now() - 5_000 }),
      /expired/,
    );
  });
});

/** What the simulator does not answer: auctions and single reserves it has no counterpart for. */
const NOT_SERVED = [
  "borrowLendReserveState",
  "gossipPriorityAuctionStatus",
  "perpDeployAuctionStatus",
  "spotDeployState",
  "spotPairDeployAuctionStatus",
];

describe("InfoClient", () => {
  const user = BUSY;
  const from = { startTime: 0 };
  /** Every request, with its parameters. */
  const REQUESTS: Record<string, (client: InfoClient) => Promise<unknown>> = {
    activeAssetData: (i) => i.activeAssetData({ user, coin: "BTC" }),
    allBorrowLendReserveStates: (i) => i.allBorrowLendReserveStates(),
    allMids: (i) => i.allMids(),
    allPerpMetas: (i) => i.allPerpMetas(),
    approvedBuilders: (i) => i.approvedBuilders({ user }),
    borrowLendUserState: (i) => i.borrowLendUserState({ user }),
    candleSnapshot: (i) => i.candleSnapshot({ coin: "BTC", interval: "1m", ...from }),
    clearinghouseState: (i) => i.clearinghouseState({ user }),
    delegations: (i) => i.delegations({ user }),
    delegatorHistory: (i) => i.delegatorHistory({ user }),
    delegatorRewards: (i) => i.delegatorRewards({ user }),
    delegatorSummary: (i) => i.delegatorSummary({ user }),
    exchangeStatus: (i) => i.exchangeStatus(),
    extraAgents: (i) => i.extraAgents({ user: USER }),
    frontendOpenOrders: (i) => i.frontendOpenOrders({ user }),
    fundingHistory: (i) => i.fundingHistory({ coin: "BTC", ...from }),
    gossipRootIps: (i) => i.gossipRootIps(),
    historicalOrders: (i) => i.historicalOrders({ user }),
    isVip: (i) => i.isVip({ user }),
    l2Book: (i) => i.l2Book({ coin: "BTC" }),
    leadingVaults: (i) => i.leadingVaults({ user }),
    legalCheck: (i) => i.legalCheck({ user }),
    liquidatable: (i) => i.liquidatable(),
    marginTable: (i) => i.marginTable({ id: 40 }),
    maxBuilderFee: (i) => i.maxBuilderFee({ user, builder: other.address }),
    maxMarketOrderNtls: (i) => i.maxMarketOrderNtls(),
    meta: (i) => i.meta(),
    metaAndAssetCtxs: (i) => i.metaAndAssetCtxs(),
    openOrders: (i) => i.openOrders({ user }),
    outcomeMeta: (i) => i.outcomeMeta(),
    outcomeTemplates: (i) => i.outcomeTemplates(),
    perpAnnotation: (i) => i.perpAnnotation({ coin: "BTC" }),
    perpCategories: (i) => i.perpCategories(),
    perpConciseAnnotations: (i) => i.perpConciseAnnotations(),
    perpDexLimits: (i) => i.perpDexLimits({ dex: "xyz" }),
    perpDexStatus: (i) => i.perpDexStatus({ dex: "xyz" }),
    perpDexs: (i) => i.perpDexs(),
    perpsAtOpenInterestCap: (i) => i.perpsAtOpenInterestCap(),
    portfolio: (i) => i.portfolio({ user }),
    predictedFundings: (i) => i.predictedFundings(),
    preTransferCheck: (i) => i.preTransferCheck({ user: other.address, source: USER }),
    recentTrades: (i) => i.recentTrades({ coin: "BTC" }),
    referral: (i) => i.referral({ user }),
    settledOutcome: (i) => i.settledOutcome({ outcome: 1 }),
    spotClearinghouseState: (i) => i.spotClearinghouseState({ user: USER }),
    spotMeta: (i) => i.spotMeta(),
    spotMetaAndAssetCtxs: (i) => i.spotMetaAndAssetCtxs(),
    subAccounts: (i) => i.subAccounts({ user }),
    subAccounts2: (i) => i.subAccounts2({ user }),
    tokenDetails: async (i) => i.tokenDetails({ tokenId: (await i.spotMeta()).tokens[1]!.tokenId }),
    twapHistory: (i) => i.twapHistory({ user: USER }),
    userAbstraction: (i) => i.userAbstraction({ user }),
    usdcRouting: (i) => i.usdcRouting(),
    userBorrowLendInterest: (i) => i.userBorrowLendInterest({ user, ...from }),
    userDexAbstraction: (i) => i.userDexAbstraction({ user }),
    userFees: (i) => i.userFees({ user }),
    userFills: (i) => i.userFills({ user }),
    userFillsByTime: (i) => i.userFillsByTime({ user, ...from }),
    userFunding: (i) => i.userFunding({ user, ...from }),
    userNonFundingLedgerUpdates: (i) => i.userNonFundingLedgerUpdates({ user: USER, ...from }),
    userRateLimit: (i) => i.userRateLimit({ user }),
    userRole: (i) => i.userRole({ user }),
    userToMultiSigSigners: (i) => i.userToMultiSigSigners({ user }),
    userTwapSliceFills: (i) => i.userTwapSliceFills({ user: USER }),
    userTwapSliceFillsByTime: (i) => i.userTwapSliceFillsByTime({ user: USER, ...from }),
    userVaultEquities: (i) => i.userVaultEquities({ user }),
    validatorL1Votes: (i) => i.validatorL1Votes(),
    validatorSummaries: (i) => i.validatorSummaries(),
    vaultDetails: async (i) =>
      i.vaultDetails({ vaultAddress: (await i.vaultSummaries())[0]!.vaultAddress, user }),
    vaultSummaries: (i) => i.vaultSummaries(),
    webData2: (i) => i.webData2({ user }),
  };
  before(() => world.venue.script({ type: "createVault", leader: other.address, name: "V", usd: "200" }));
  for (const [name, request] of Object.entries(REQUESTS)) {
    it(`is answered ${name}`, async () => {
      const answer = keep(typeNameOf(name, "Response"), await request(info));
      assert.notEqual(answer, undefined);
    });
  }

  it("leaves out no request that the simulator answers", () => {
    const { prototype } = InfoClient;
    const methods = Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");
    const asked = new Set([...Object.keys(REQUESTS), "orderStatus"]);
    assert.deepEqual(methods.filter((name) => !asked.has(name)).sort(), [...NOT_SERVED].sort());
  });

  it("is told what became of a settled outcome", async () => {
    world.venue.script({ type: "settleOutcome", outcome: 1, winner: 0 });
    const settled = keep("SettledOutcomeResponse", await info.settledOutcome({ outcome: 1 }));
    assert.equal(settled?.settleFraction, "1.0");
  });

  it("finds an order by oid and by cloid, and says when there is none", async () => {
    const [row] = await info.historicalOrders({ user });
    const found = keep("OrderStatusResponse", await info.orderStatus({ user, oid: row!.order.oid }));
    assert.equal(found.status, "order");
    assert.deepEqual(keep("OrderStatusResponse", await info.orderStatus({ user, oid: 1 })), {
      status: "unknownOid",
    });
  });

  it("gets the same answers over the WebSocket", async () => {
    const transport = new WebSocketTransport({ url: world.simulator.wsUrl });
    sockets.push(transport);
    const overSocket = new InfoClient({ transport });
    assert.deepEqual(await overSocket.userFills({ user }), await info.userFills({ user }));
    assert.deepEqual(await overSocket.meta(), await info.meta());
    // A request without an answer of its own comes back as an error without an id, by its quoted text.
    await assert.rejects(
      transport.request("info", { type: "nothingLikeIt" }),
      /Error parsing JSON into valid websocket request/,
    );
  });

  it("gives up nothing when the venue refuses: 429 and 422 are errors", async () => {
    world.simulator.gateway.faults.add({ fault: "http429", times: 1 });
    await assert.rejects(info.allMids(), /429/);
    const transport = new HttpTransport({ apiUrl: world.simulator.url });
    await assert.rejects(
      transport.request("info", { type: "nothingLikeIt" }),
      /422.*Failed to deserialize the JSON body into the target type/,
    );
  });
});

describe("SubscriptionClient", () => {
  const user = BUSY;
  type Subscribe = (client: SubscriptionClient, report: (event: unknown) => void) => Promise<unknown>;
  /** Every subscription whose first message comes by itself. */
  const WITH_FIRST: Record<string, Subscribe> = {
    activeAssetCtx: (s, r) => s.activeAssetCtx({ coin: "BTC" }, r),
    activeAssetData: (s, r) => s.activeAssetData({ user, coin: "BTC" }, r),
    activeSpotAssetCtx: (s, r) => s.activeSpotAssetCtx({ coin: "@107" }, r),
    allDexsAssetCtxs: (s, r) => s.allDexsAssetCtxs(r),
    allDexsClearinghouseState: (s, r) => s.allDexsClearinghouseState({ user }, r),
    allMids: (s, r) => s.allMids(r),
    assetCtxs: (s, r) => s.assetCtxs(r),
    bbo: (s, r) => s.bbo({ coin: "BTC" }, r),
    candle: (s, r) => s.candle({ coin: "BTC", interval: "1m" }, r),
    clearinghouseState: (s, r) => s.clearinghouseState({ user }, r),
    fastAssetCtxs: (s, r) => s.fastAssetCtxs(r),
    l2Book: (s, r) => s.l2Book({ coin: "BTC", fast: true }, r),
    openOrders: (s, r) => s.openOrders({ user }, r),
    spotAssetCtxs: (s, r) => s.spotAssetCtxs(r),
    spotState: (s, r) => s.spotState({ user: USER }, r),
    trades: (s, r) => s.trades({ coin: "BTC" }, r),
    twapStates: (s, r) => s.twapStates({ user: USER }, r),
    userFills: (s, r) => s.userFills({ user }, r),
    userFundings: (s, r) => s.userFundings({ user }, r),
    userHistoricalOrders: (s, r) => s.userHistoricalOrders({ user }, r),
    userNonFundingLedgerUpdates: (s, r) => s.userNonFundingLedgerUpdates({ user: USER }, r),
    userTwapHistory: (s, r) => s.userTwapHistory({ user: USER }, r),
    userTwapSliceFills: (s, r) => s.userTwapSliceFills({ user: USER }, r),
    webData3: (s, r) => s.webData3({ user }, r),
  };
  for (const [name, subscribe] of Object.entries(WITH_FIRST)) {
    it(`receives ${name}`, async () => {
      const events = reported<unknown>();
      await subscribe(subscriptions(), events.report);
      keep(typeNameOf(name, "Event"), await events.until());
    });
  }

  it("receives orderUpdates, userEvents, userFills and notification as they happen, each fill once", async () => {
    const client = subscriptions();
    const orders = reported<{ status: string }[]>();
    const events = reported<object>();
    const fills = reported<{ isSnapshot?: true; fills: { tid: number; time: number }[] }>();
    const notes = reported<{ notification: string }>();
    await client.orderUpdates({ user }, (event) => orders.report(keep("OrderUpdatesEvent", event)));
    await client.userEvents({ user }, (event) => events.report(keep("UserEventsEvent", event)));
    await client.userFills({ user }, (event) => fills.report(keep("UserFillsEvent", event)));
    await client.notification({ user }, (event) => notes.report(keep("NotificationEvent", event)));
    await client.outcomeMetaUpdates(() => {});
    const snapshot = await fills.until(({ isSnapshot }) => isSnapshot === true);
    assert.equal(snapshot.fills.length, 30);
    const before = world.venue.truth(user).fills.length;
    world.pass(60_000);
    world.venue.script({ type: "notification", user, notification: "hello" });
    world.pass(100);
    await notes.until();
    await orders.until((rows) => rows.some(({ status }) => status === "filled"));
    await events.until((event) => "fills" in event);
    const truth = world.venue
      .truth(user)
      .fills.slice(before)
      .map(({ tid }) => tid);
    const last = truth.at(-1);
    await fills.until(
      (event) => event.isSnapshot === undefined && event.fills.some(({ tid }) => tid === last),
    );
    const live = fills.values
      .filter(({ isSnapshot }) => isSnapshot === undefined)
      .flatMap((event) => event.fills);
    assert.deepEqual(
      live.map(({ tid }) => tid),
      truth,
    );
  });

  it("is refused webData2 and a second equal subscription, in the venue's words", async () => {
    const transport = new WebSocketTransport({ url: world.simulator.wsUrl });
    sockets.push(transport);
    await assert.rejects(
      transport.subscribe("webData2", { type: "webData2", user }, () => {}),
      /Error parsing JSON into valid websocket request/,
    );
    await assert.rejects(
      transport.subscribe("trades", { type: "trades", coin: "NOPE" }, () => {}),
      /Invalid subscription/,
    );
  });

  it("reconnects by itself after a cut and after Expired, and subscribes again", async () => {
    const events = reported<{ isSnapshot?: true }>();
    await subscriptions().userFills({ user }, events.report);
    await events.until();
    for (const disturb of ["cut", "expire"] as const) {
      const seen = events.values.length;
      const session = world.simulator.gateway.sessions().at(-1)!;
      session[disturb]();
      await events.until((event) => events.values.indexOf(event) >= seen && event.isSnapshot === true);
    }
  });

  it("can place orders over the socket too", async () => {
    const transport = new WebSocketTransport({ url: world.simulator.wsUrl });
    sockets.push(transport);
    const client = new ExchangeClient({ transport, wallet: owner });
    keep("NoopSuccessResponse", await client.noop({ nonce: Date.now() + 1_000 }));
    await assert.rejects(client.cancel({ cancels: [{ a: 0, o: 1 }] }), /never placed/);
  });
});

describe("the SDK's own types", () => {
  it("accept everything that was received, key by key", async () => {
    const folder = await mkdtemp(join(tmpdir(), "hlsync-sdk-types-"));
    try {
      const api = join(ROOT, "test/node_modules/@nktkas/hyperliquid/esm/api");
      const lines = ["info", "subscription", "exchange"].map(
        (part) => `import type * as ${part} from ${JSON.stringify(join(api, part, "mod.js"))};`,
      );
      for (const [typeName, values] of received) {
        const part = typeName.endsWith("SuccessResponse")
          ? "exchange"
          : typeName.endsWith("Event")
            ? "subscription"
            : "info";
        for (const [index, value] of values.slice(-20).entries()) {
          lines.push(
            `export const ${typeName}${index}: ${part}.${typeName} = ${JSON.stringify(shortened(value))};`,
          );
        }
      }
      await writeFile(join(folder, "answers.ts"), lines.join("\n"));
      const options = [
        "--ignoreConfig",
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--module",
        "nodenext",
        "--target",
        "es2024",
      ];
      const tsc = join(ROOT, "node_modules/.bin/tsc");
      const verdict = await promisify(execFile)(tsc, [...options, join(folder, "answers.ts")]).then(
        () => "",
        (error: { stdout: string }) => error.stdout,
      );
      assert.equal(verdict, "");
      assert.ok(received.size >= 80, `${received.size} types were received`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

/** Lists to a few rows of each shape, so that the compiler has little to read. */
function shortened(value: unknown): unknown {
  if (Array.isArray(value)) {
    const shapes = new Map<string, unknown>();
    const rows = value.map(shortened);
    for (const row of rows) if (typeof row === "object") shapes.set(shapeOf(row), row);
    return rows.length > 40 && shapes.size > 0 ? [...shapes.values()] : rows;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shortened(inner)]));
}
const shapeOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner) => (typeof inner === "object" || inner === null ? inner : typeof inner));
