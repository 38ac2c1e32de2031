/**
 * What each subscription carries: its first message, what a block adds, and how often the full state comes again.
 * Guarantees: `isSnapshot: true` only on a first message, absent later; `orderUpdates`, `user` and `notification` name no
 * user and have no first message; all messages of one block carry its time.
 * Cadences were measured on the venue in August and September 2026.
 * @see https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions
 */

import { deflateRawSync } from "node:zlib";
import { candleMs } from "../../protocol/limits.ts";
import type { Block, Json, JsonObject, Venue, VenueEvent } from "../contract.ts";
import { isSpot, type Subscription } from "./subscriptions.ts";
import type { Switches } from "./switches.ts";

/** A block's events by whom they concern, so that a subscription looks only at its own. */
export interface BlockEvents {
  timeMs: number;
  height: number;
  ofUser(user: string): readonly VenueEvent[];
  ofCoin(coin: string): readonly VenueEvent[];
}

export interface FeedContext {
  readonly venue: Venue;
  readonly switches: Switches;
  /** The body of an info answer, or null when the venue answers anything but 200. */
  info(request: JsonObject): Json;
}

/** A subscription someone holds. `memory` is the feed's own: what it sent last. */
export interface LiveSubscription {
  readonly subscription: Subscription;
  memory: Json;
}

interface Feed {
  /** Data of the first message; null sends none. */
  first?(live: LiveSubscription, context: FeedContext): Json;
  /** Data of each message a block causes. */
  block?(live: LiveSubscription, context: FeedContext, events: BlockEvents): Json[];
  /** Sent again every so often: by `again`, else by `first`. */
  everyMs?: number | ((subscription: Subscription) => number);
  again?(live: LiveSubscription, context: FeedContext): Json;
  /** A full state of a user, which the switch `promptStates` sends in the block of a change too. */
  state?: true;
}

const STATE_MS = 5_000;

type EventOf<T extends VenueEvent["type"]> = Extract<VenueEvent, { type: T }>;
const only = <T extends VenueEvent["type"]>(events: readonly VenueEvent[], type: T): EventOf<T>[] =>
  events.filter((event): event is EventOf<T> => event.type === type);

const list = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);
const object = (value: Json | undefined): JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};

/** A streaming feed of rows under `key`, with the user beside it. */
function rows(
  key: string,
  newest: (user: string, count: number, context: FeedContext, live: LiveSubscription) => Json[],
  ofBlock: (
    events: readonly VenueEvent[],
    live: LiveSubscription,
    context: FeedContext,
    b: BlockEvents,
  ) => Json[],
): Feed {
  return {
    first(live, context) {
      const user = live.subscription.user!;
      const { snapshotRows, emptySnapshots } = context.switches;
      const type = live.subscription.type as keyof Switches["snapshotRows"];
      const found = newest(user, snapshotRows[type], context, live);
      return found.length === 0 && !emptySnapshots ? null : { isSnapshot: true, user, [key]: found };
    },
    block(live, context, events) {
      const user = live.subscription.user!;
      const found = ofBlock(events.ofUser(user), live, context, events);
      return found.length === 0 ? [] : [{ user, [key]: found }];
    },
  };
}

/** The payment as feeds carry it: flat, where `/info` nests it under `delta`. */
function fundingRow(row: JsonObject): JsonObject {
  const { time, coin, usdc, szi, fundingRate, nSamples } = { ...row, ...object(row.delta) };
  return {
    time: time!,
    coin: coin!,
    usdc: usdc!,
    szi: szi!,
    fundingRate: fundingRate!,
    nSamples: nSamples ?? null,
  };
}

const userFills = rows(
  "fills",
  (user, count, { info }, { subscription }) =>
    list(info({ type: "userFills", user, aggregateByTime: subscription.aggregateByTime ?? false })).slice(
      0,
      count,
    ),
  (events, { subscription }, { info }, { timeMs }) => {
    const fills = only(events, "fill").map((event) => event.fill);
    if (!subscription.aggregateByTime || fills.length < 2) return fills;
    const window = { startTime: timeMs, endTime: timeMs, aggregateByTime: true };
    return list(info({ type: "userFillsByTime", user: subscription.user!, ...window }));
  },
);

/** Exactly one key per message. */
function userEvents(events: readonly VenueEvent[]): Json[] {
  const messages: Json[] = [];
  const together = (key: string, values: Json[]) => {
    if (values.length > 0) messages.push({ [key]: values });
  };
  together(
    "fills",
    only(events, "fill").map((event) => event.fill),
  );
  together(
    "twapSliceFills",
    only(events, "twapSliceFill").map(({ fill, twapId }) => ({ fill, twapId })),
  );
  together(
    "twapHistory",
    only(events, "twapHistory").map((event) => event.item),
  );
  for (const { funding } of only(events, "funding")) messages.push({ funding: fundingRow(funding) });
  for (const { liquidation } of only(events, "liquidation")) messages.push({ liquidation });
  together(
    "nonUserCancel",
    only(events, "nonUserCancel").map(({ coin, oid }) => ({ coin, oid })),
  );
  return messages;
}

/** All transitions of a block in one message. */
function orderUpdates(events: readonly VenueEvent[]): Json[] {
  const found = only(events, "orderUpdate").map(({ order, status, statusTimestamp }) => ({
    order,
    status,
    statusTimestamp,
  }));
  return found.length === 0 ? [] : [found];
}

const openOrders = (user: string, dex: string, { info }: FeedContext): Json[] =>
  list(info({ type: "frontendOpenOrders", user, ...(dex === "" ? {} : { dex }) }));

/** Names of all perp dexes; the first is "". */
export const dexes = ({ info }: FeedContext): string[] =>
  list(info({ type: "perpDexs" })).map((dex) => String(object(dex).name ?? ""));

const contexts = (dex: string, { info }: FeedContext): [universe: Json[], ctxs: Json[]] => {
  const [meta, ctxs] = list(info({ type: "metaAndAssetCtxs", ...(dex === "" ? {} : { dex }) }));
  return [list(object(meta).universe), list(ctxs)];
};
const spotContexts = ({ info }: FeedContext): Json[] => list(list(info({ type: "spotMetaAndAssetCtxs" }))[1]);

/** The dex a perp's name says it is on. */
const dexOfCoin = (coin: string): string => (coin.includes(":") ? coin.slice(0, coin.indexOf(":")) : "");

function activeAssetCtx(coin: string, context: FeedContext): Json {
  if (isSpot(coin)) {
    const ctx = spotContexts(context).find((ctx) => object(ctx).coin === coin);
    return ctx === undefined ? null : { coin, ctx };
  }
  const [universe, ctxs] = contexts(dexOfCoin(coin), context);
  const ctx = ctxs[universe.findIndex((asset) => object(asset).name === coin)];
  return ctx === undefined ? null : { coin, ctx };
}

function webData3(user: string, context: FeedContext): Json {
  const all = object(context.info({ type: "webData2", user }));
  const { agentAddress, agentValidUntil, cumLedger, serverTime, isVault } = all;
  const abstraction = context.info({ type: "userAbstraction", user });
  const userState: JsonObject = {
    agentAddress: agentAddress ?? null,
    agentValidUntil: agentValidUntil ?? null,
    cumLedger: cumLedger ?? "0.0",
    serverTime: serverTime ?? context.venue.nowMs,
    isVault: isVault ?? false,
    user,
    ...(typeof abstraction === "string" && abstraction !== "default" ? { abstraction } : {}),
  };
  const perpDexStates = dexes(context).map((dex): Json => {
    const capped = list(
      dex === "" ? all.perpsAtOpenInterestCap : context.info({ type: "perpsAtOpenInterestCap", dex }),
    );
    const atCap = capped.length > 0 ? { perpsAtOpenInterestCap: capped } : {};
    if (dex !== "") return { totalVaultEquity: "0.0", ...atCap };
    return {
      totalVaultEquity: all.totalVaultEquity ?? "0.0",
      ...atCap,
      leadingVaults: list(all.leadingVaults),
    };
  });
  return { userState, perpDexStates };
}

function book({ coin, nSigFigs, mantissa, fast }: Subscription, { info }: FeedContext): Json {
  const answer = info({
    type: "l2Book",
    coin: coin!,
    ...(nSigFigs == null ? {} : { nSigFigs }),
    ...(mantissa == null ? {} : { mantissa }),
  });
  if (answer === null || fast !== true) return answer;
  const { levels, ...rest } = object(answer);
  return { ...rest, levels: list(levels).map((side) => list(side).slice(0, 5)), fast: true };
}

function bestPrices(coin: string, { info }: FeedContext): JsonObject | null {
  const answer = info({ type: "l2Book", coin });
  if (answer === null) return null;
  const { time, levels } = object(answer);
  const [bids, asks] = list(levels);
  return { coin, time: time!, bbo: [list(bids)[0] ?? null, list(asks)[0] ?? null] };
}

/** The candle that is forming. */
function formingCandle(coin: string, interval: string, { info, venue }: FeedContext): Json {
  const req = { coin, interval, startTime: venue.nowMs - candleMs(interval), endTime: venue.nowMs };
  return list(info({ type: "candleSnapshot", req })).at(-1) ?? null;
}

/** Mark and mid of every perp, by coin. */
function fastPrices(context: FeedContext): JsonObject {
  const prices: JsonObject = {};
  for (const dex of dexes(context)) {
    const [universe, ctxs] = contexts(dex, context);
    universe.forEach((asset, index) => {
      const { markPx, midPx } = object(ctxs[index]);
      prices[String(object(asset).name)] = { markPx: markPx ?? null, midPx: midPx ?? null };
    });
  }
  return prices;
}

const deflated = (value: Json): string => deflateRawSync(JSON.stringify(value)).toString("base64");

/** Only the coins, and of them only the prices, that changed. */
function changedPrices(before: JsonObject, now: JsonObject): JsonObject {
  const changed: JsonObject = {};
  for (const [coin, prices] of Object.entries(now)) {
    const old = object(before[coin]);
    const news = Object.entries(object(prices)).filter(([key, value]) => old[key] !== value);
    if (news.length > 0) changed[coin] = Object.fromEntries(news);
  }
  return changed;
}

function outcomeIds({ info }: FeedContext): JsonObject {
  const outcomes = list(object(info({ type: "outcomeMeta" })).outcomes);
  return Object.fromEntries(outcomes.map((outcome) => [String(object(outcome).outcome), outcome]));
}

/** Every subscription the venue has. */
export const FEEDS: Readonly<Record<string, Feed>> = {
  userFills,
  orderUpdates: { block: ({ subscription }, _, events) => orderUpdates(events.ofUser(subscription.user!)) },
  userEvents: { block: ({ subscription }, _, events) => userEvents(events.ofUser(subscription.user!)) },
  notification: {
    block: ({ subscription }, _, events) =>
      only(events.ofUser(subscription.user!), "notification").map(({ notification }) => ({ notification })),
  },
  userFundings: rows(
    "fundings",
    (user, count, { venue }) => venue.truth(user).funding.slice(-count).map(fundingRow),
    (events) => only(events, "funding").map(({ funding }) => fundingRow(funding)),
  ),
  userNonFundingLedgerUpdates: rows(
    "nonFundingLedgerUpdates",
    (user, count, { venue }) => venue.truth(user).ledger.slice(-count),
    (events) => only(events, "ledger").map((event) => event.update),
  ),
  userHistoricalOrders: rows(
    "orderHistory",
    (user, count, { info }) => list(info({ type: "historicalOrders", user })).slice(0, count),
    (events) =>
      only(events, "orderUpdate").map(({ full, status, statusTimestamp }) => ({
        order: full,
        status,
        statusTimestamp,
      })),
  ),
  userTwapSliceFills: rows(
    "twapSliceFills",
    (user, count, { info }) => list(info({ type: "userTwapSliceFills", user })).slice(0, count),
    (events) => only(events, "twapSliceFill").map(({ fill, twapId }) => ({ fill, twapId })),
  ),
  userTwapHistory: rows(
    "history",
    (user, count, { info }) => list(info({ type: "twapHistory", user })).slice(0, count),
    (events) => only(events, "twapHistory").map((event) => event.item),
  ),
  clearinghouseState: {
    first({ subscription: { user, dex = "" } }, { info }) {
      const clearinghouseState = info({
        type: "clearinghouseState",
        user: user!,
        ...(dex === "" ? {} : { dex }),
      });
      return clearinghouseState === null ? null : { dex, user: user!, clearinghouseState };
    },
    everyMs: STATE_MS,
    state: true,
  },
  allDexsClearinghouseState: {
    first({ subscription: { user } }, context) {
      const clearinghouseStates = dexes(context).map((dex): Json => {
        const request = { type: "clearinghouseState", user: user!, ...(dex === "" ? {} : { dex }) };
        return [dex, context.info(request)];
      });
      return { user: user!, clearinghouseStates };
    },
    everyMs: STATE_MS,
    state: true,
  },
  openOrders: {
    first: ({ subscription: { user, dex = "" } }, context) => ({
      dex,
      user: user!,
      orders: openOrders(user!, dex, context),
    }),
    everyMs: STATE_MS,
    state: true,
  },
  spotState: {
    first: ({ subscription: { user } }, { info }) => ({
      user: user!,
      spotState: info({ type: "spotClearinghouseState", user: user! }),
    }),
    everyMs: STATE_MS,
    state: true,
  },
  webData2: {
    first: ({ subscription: { user } }, { info }) => info({ type: "webData2", user: user! }),
    everyMs: STATE_MS,
    state: true,
  },
  webData3: {
    first: ({ subscription: { user } }, context) => webData3(user!, context),
    everyMs: STATE_MS,
    state: true,
  },
  twapStates: {
    first: ({ subscription: { user, dex = "" } }, { venue }) => ({
      dex,
      user: user!,
      states: venue.twapStates(user!, dex),
    }),
    everyMs: STATE_MS,
    state: true,
  },
  activeAssetData: {
    first: ({ subscription: { user, coin } }, { info }) =>
      info({ type: "activeAssetData", user: user!, coin: coin! }),
    everyMs: STATE_MS,
    state: true,
  },
  allMids: {
    first({ subscription: { dex = "" } }, { info }) {
      const mids = info({ type: "allMids", ...(dex === "" ? {} : { dex }) });
      return { mids, ...(dex === "" ? {} : { dex }) };
    },
    everyMs: STATE_MS,
  },
  l2Book: {
    first: ({ subscription }, context) => book(subscription, context),
    everyMs: ({ fast }) => (fast === true ? 500 : STATE_MS),
  },
  bbo: {
    first(live, context) {
      const best = bestPrices(live.subscription.coin!, context);
      live.memory = best?.bbo ?? null;
      return best;
    },
    block(live, context, events) {
      const coin = live.subscription.coin!;
      if (!events.ofCoin(coin).some((event) => event.type === "book")) return [];
      const best = bestPrices(coin, context);
      if (best === null || JSON.stringify(best.bbo) === JSON.stringify(live.memory)) return [];
      live.memory = best.bbo!;
      return [best];
    },
  },
  trades: {
    first({ subscription: { coin } }, { info, switches }) {
      const recent = list(info({ type: "recentTrades", coin: coin! })).slice(0, switches.snapshotRows.trades);
      return recent.length === 0 ? null : recent;
    },
    block({ subscription: { coin } }, _, events) {
      const found = only(events.ofCoin(coin!), "trade").map((event) => event.trade);
      return found.length === 0 ? [] : [found];
    },
  },
  candle: {
    first: ({ subscription: { coin, interval } }, context) => formingCandle(coin!, interval!, context),
    block({ subscription: { coin, interval } }, context, events) {
      if (only(events.ofCoin(coin!), "trade").length === 0) return [];
      const candle = formingCandle(coin!, interval!, context);
      return candle === null ? [] : [candle];
    },
  },
  activeAssetCtx: {
    first: ({ subscription: { coin } }, context) => activeAssetCtx(coin!, context),
    everyMs: 1_000,
  },
  assetCtxs: {
    first: ({ subscription: { dex = "" } }, context) => ({ dex, ctxs: contexts(dex, context)[1] }),
    everyMs: STATE_MS,
  },
  allDexsAssetCtxs: {
    first: (_, context) => ({ ctxs: dexes(context).map((dex): Json => [dex, contexts(dex, context)[1]]) }),
    everyMs: STATE_MS,
  },
  spotAssetCtxs: { first: (_, context) => spotContexts(context), everyMs: STATE_MS },
  fastAssetCtxs: {
    first(live, context) {
      const prices = fastPrices(context);
      live.memory = prices;
      return deflated(prices);
    },
    everyMs: 1_000,
    again(live, context) {
      const prices = fastPrices(context);
      const changed = changedPrices(object(live.memory), prices);
      live.memory = prices;
      return Object.keys(changed).length === 0 ? null : deflated(changed);
    },
  },
  outcomeMetaUpdates: {
    first(live, context) {
      live.memory = outcomeIds(context);
      return null;
    },
    everyMs: STATE_MS,
    again(live, context) {
      const before = object(live.memory);
      const now = outcomeIds(context);
      live.memory = now;
      const created = Object.keys(now).filter((id) => !(id in before));
      const settled = Object.keys(before).filter((id) => !(id in now));
      const updates: Json[] = [
        ...created.map((id): Json => ({ outcomeCreated: now[id]! })),
        ...settled.map((id): Json => ({ outcomeSettled: { outcome: Number(id) } })),
      ];
      return updates.length === 0 ? null : { updates };
    },
  },
};

/** Sorts a block's events by user and by coin, once for all subscribers. */
export function indexBlock({ timeMs, height, events }: Block): BlockEvents {
  const users = new Map<string, VenueEvent[]>();
  const coins = new Map<string, VenueEvent[]>();
  const put = (map: Map<string, VenueEvent[]>, key: string, event: VenueEvent) => {
    const known = map.get(key);
    if (known === undefined) map.set(key, [event]);
    else known.push(event);
  };
  for (const event of events) {
    if (event.type === "trade" || event.type === "book") put(coins, event.coin, event);
    else put(users, event.user, event);
  }
  return {
    timeMs,
    height,
    ofUser: (user) => users.get(user) ?? [],
    ofCoin: (coin) => coins.get(coin) ?? [],
  };
}
