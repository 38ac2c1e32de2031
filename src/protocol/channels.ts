/**
 * Every WebSocket subscription hlsync reads: one row, one channel. Guarantees: `readFrame` never throws, and says for
 * every frame what it is; what cannot be understood comes back as `unknown`, `unreadable` or in `unread`.
 * Assumes nothing about order between channels: the venue gives none.
 * @see https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions
 */

import { JsonText } from "../runtime/jsonText.ts";
import {
  isObject,
  isRead,
  isWhole,
  type Read,
  type ReadParts,
  type ReadRows,
  readJson,
  readMessage,
  readParts,
  readRows,
  type Unread,
} from "./decode.ts";
import { VALUE_LIMITS } from "./limits.ts";
import {
  BookHead,
  DexHead,
  FeedHead,
  StateEnd,
  StateTotals,
  WireAssetCtx,
  WireBook,
  WireCandle,
  WireClearinghouseState,
  WireFill,
  WireFunding,
  WireLedgerUpdate,
  WireLevel,
  WireMids,
  WireOrder,
  WireOrderTransition,
  WirePosition,
  WireSpotState,
  type WireStateParts,
  WireTrade,
  WireTwapHistoryItem,
  WireTwapSliceFill,
  WireWebData3,
} from "./schemas.ts";
import { NUMERAL, TEXT, TextPattern, TextScan } from "./textPattern.ts";

/** A subscription as it is sent: `type` and its parameters. */
export type Subscription = { type: string } & Record<string, unknown>;

/** What a data frame says. `notice` is shown to people but changes no table. */
export type Content =
  | { type: "fills"; rows: Read<WireFill>[] }
  | { type: "twapSliceFills"; rows: Read<WireTwapSliceFill>[] }
  | { type: "orderTransitions"; rows: Read<WireOrderTransition>[] }
  /** All open orders of one dex; `complete` is false when a row could not be read, so absence proves nothing. */
  | { type: "openOrders"; dex: string; rows: Read<WireOrder>[]; complete: boolean }
  | { type: "fundings"; rows: Read<WireFunding>[] }
  | { type: "ledger"; rows: Read<WireLedgerUpdate>[] }
  | { type: "twapHistory"; rows: Read<WireTwapHistoryItem>[] }
  /** What a state lacks is also in the reading's `unread`. */
  | { type: "clearinghouseState"; dex: string; state: ReadParts<WireStateParts> }
  | { type: "spotState"; state: ReadParts<WireSpotState> }
  | { type: "webData3"; data: WireWebData3 }
  | {
      type: "webData2";
      perp: ReadParts<WireStateParts> | null;
      spot: ReadParts<WireSpotState> | null;
      openOrders: Read<WireOrder>[];
      complete: boolean;
    }
  | { type: "mids"; dex: string; mids: ReadonlyMap<string, string> }
  | { type: "trades"; rows: Read<WireTrade>[] }
  | { type: "candle"; rows: Read<WireCandle>[] }
  | { type: "book"; book: WireBook }
  | { type: "assetCtx"; ctx: Read<WireAssetCtx> }
  | { type: "notice"; what: string; raw: unknown }
  | { type: "nothing" };

export interface Reading {
  /** Lower-case; null on channels whose frames name no user. */
  user: string | null;
  /** True only on the first message of a streaming feed; the key is absent later. */
  isSnapshot: boolean;
  content: Content;
  /** All that could not be read, rows and fields. */
  unread: Unread[];
}

export interface Channel {
  /** The subscription's `type`. */
  readonly type: string;
  /** The `channel` of its frames. */
  readonly channel: string;
  /** `user` channels need an account; their frames name it only when `namesUser`. */
  readonly scope: "user" | "market";
  readonly namesUser: boolean;
  /** Exists once per perp dex. */
  readonly perDex: boolean;
  /** The venue re-pushes at least this often while the socket is healthy; null for channels that may be quiet. */
  readonly cadenceMs: number | null;
  readonly read: (data: unknown) => Reading;
  /** Reads the text of what everyday frames say; null for any other, which `read` gets. */
  readonly readText?: (data: TextScan) => Told | null;
}

/** What a frame says beside its content. */
interface Told {
  content: Content;
  user?: string;
  isSnapshot?: boolean;
}

const userOf = (data: unknown): string | null =>
  isObject(data) && typeof data.user === "string" ? data.user.toLowerCase() : null;
const dexOf = (data: unknown): string => (isObject(data) && typeof data.dex === "string" ? data.dex : "");
const field = (data: unknown, key: string): unknown => (isObject(data) ? data[key] : undefined);

const nothing = (data: unknown, unread: Unread[]): Reading => ({
  user: userOf(data),
  isSnapshot: false,
  content: { type: "nothing" },
  unread,
});

/** Reads a feed of rows under `key` of the data object, or the data itself when there is no key. */
function feed<T>(
  read: (data: unknown) => ReadRows<T>,
  key: string | null,
  toContent: (rows: Read<T>[]) => Content,
) {
  return (data: unknown): Reading => {
    const { rows, unread } = read(key === null ? data : field(data, key));
    return {
      user: userOf(data),
      isSnapshot: field(data, "isSnapshot") === true,
      content: toContent(rows),
      unread,
    };
  };
}

/** Reads one object under `key`, or the data itself when there is no key. */
function single<T>(
  read: (data: unknown) => ReadParts<T> | Unread,
  key: string | null,
  toContent: (value: ReadParts<T>, data: unknown) => Content,
) {
  return (data: unknown): Reading => {
    const result = read(key === null ? data : field(data, key));
    if (!isRead(result)) return nothing(data, [result]);
    return { user: userOf(data), isSnapshot: false, content: toContent(result, data), unread: result.unread };
  };
}

const fills = feed(
  (d) => readRows(WireFill, d),
  "fills",
  (rows) => ({ type: "fills", rows }),
);
const twapSliceFills = feed(
  (d) => readRows(WireTwapSliceFill, d),
  "twapSliceFills",
  (rows) => ({ type: "twapSliceFills", rows }),
);
const orderTransitions = (key: string | null) =>
  feed(
    (d) => readRows(WireOrderTransition, d),
    key,
    (rows) => ({ type: "orderTransitions", rows }),
  );
const fundings = (key: string) =>
  feed(
    (d) => readRows(WireFunding, d),
    key,
    (rows) => ({ type: "fundings", rows }),
  );
const twapHistory = (key: string) =>
  feed(
    (d) => readRows(WireTwapHistoryItem, d),
    key,
    (rows) => ({ type: "twapHistory", rows }),
  );

/** `userEvents`: exactly one key per message says which of its variants it is. */
function userEvents(data: unknown): Reading {
  if (!isObject(data)) return nothing(data, [{ kind: "row", raw: data, reason: "an object was expected" }]);
  if ("fills" in data) return fills(data);
  if ("funding" in data) return fundings("funding")(data);
  if ("twapSliceFills" in data) return twapSliceFills(data);
  if ("twapHistory" in data) return twapHistory("twapHistory")(data);
  const what = Object.keys(data)[0] ?? "empty";
  const known = what === "liquidation" || what === "nonUserCancel";
  return {
    user: null,
    isSnapshot: false,
    content: { type: "notice", what, raw: data },
    unread: known ? [] : [{ kind: "row", raw: data, reason: `unknown user event: ${what}` }],
  };
}

function openOrders(data: unknown): Reading {
  const { rows, unread } = readRows(WireOrder, field(data, "orders"));
  return {
    user: userOf(data),
    isSnapshot: false,
    content: { type: "openOrders", dex: dexOf(data), rows, complete: isWhole(unread) },
    unread,
  };
}

/** Three answers in one, each read by itself. */
function webData2(data: unknown): Reading {
  const perp = readParts(WireClearinghouseState, field(data, "clearinghouseState"));
  const spotData = field(data, "spotState") ?? null;
  const spot = spotData === null ? null : readParts(WireSpotState, spotData);
  const { rows, unread } = readRows(WireOrder, field(data, "openOrders"));
  const unreadOf = (part: ReadParts<unknown> | Unread | null): Unread[] =>
    part === null ? [] : isRead(part) ? part.unread : [part];
  const partOf = <T>(part: ReadParts<T> | Unread | null): ReadParts<T> | null =>
    part !== null && isRead(part) ? part : null;
  return {
    user: userOf(data),
    isSnapshot: false,
    content: {
      type: "webData2",
      perp: partOf(perp),
      spot: partOf(spot),
      openOrders: rows,
      complete: isWhole(unread),
    },
    unread: [...unreadOf(perp), ...unreadOf(spot), ...unread],
  };
}

// ---- from the text ----

export const fillText = new TextPattern(WireFill);
const transitionText = new TextPattern(WireOrderTransition);
const orderText = new TextPattern(WireOrder);
const tradeText = new TextPattern(WireTrade);
const levelText = new TextPattern(WireLevel);
const candleText = new TextPattern(WireCandle);
const assetCtxText = new TextPattern(WireAssetCtx);
const positionText = new TextPattern(WirePosition);
const fillsHead = new TextPattern(FeedHead, { end: ',"fills":[' });
const orderHistoryHead = new TextPattern(FeedHead, { end: ',"orderHistory":[' });
const openOrdersHead = new TextPattern(DexHead, { end: ',"orders":[' });
const bookHead = new TextPattern(BookHead, { end: ',"levels":[' });
const stateHead = new TextPattern(DexHead, { end: ',"clearinghouseState":' });
const stateTotals = new TextPattern(StateTotals, { end: ',"assetPositions":[' });
const stateEnd = new TextPattern(StateEnd, { begin: ",", end: "}" });
const midsHead = new RegExp(String.raw`\{(?:"dex":"(${TEXT})",)?"mids":\{`, "y");
const midText = new RegExp(`"(?!__proto__")(${TEXT})":"(${NUMERAL})"([,}])`, "y");

function feedFromText<T>(
  head: typeof fillsHead,
  row: TextPattern<T>,
  toContent: (rows: Read<T>[]) => Content,
) {
  return (scan: TextScan): Told | null => {
    const begun = scan.value(head);
    const rows = begun && scan.rows(row);
    if (rows === null || !scan.skip("}")) return null;
    const { user, isSnapshot } = begun!;
    return { user: user.toLowerCase(), isSnapshot: isSnapshot === true, content: toContent(rows) };
  };
}

const fillsFromText = feedFromText(fillsHead, fillText, (rows) => ({ type: "fills", rows }));
const orderHistoryFromText = feedFromText(orderHistoryHead, transitionText, (rows) => ({
  type: "orderTransitions",
  rows,
}));

function userEventsFromText(scan: TextScan): Told | null {
  const rows = scan.skip('{"fills":[') ? scan.rows(fillText) : null;
  return rows !== null && scan.skip("}") ? { content: { type: "fills", rows } } : null;
}

function transitionsFromText(scan: TextScan): Told | null {
  const rows = scan.skip("[") ? scan.rows(transitionText) : null;
  return rows && { content: { type: "orderTransitions", rows } };
}

function openOrdersFromText(scan: TextScan): Told | null {
  const head = scan.one(openOrdersHead);
  const rows = head && scan.rows(orderText);
  if (rows === null || !scan.skip("}")) return null;
  const { user, dex } = head!.value;
  return { user: user.toLowerCase(), content: { type: "openOrders", dex, rows, complete: true } };
}

function stateFromText(scan: TextScan): Told | null {
  const head = scan.value(stateHead);
  const from = scan.at;
  const totals = head && scan.value(stateTotals);
  const assetPositions = totals && scan.list(() => positionFromText(scan));
  const end = assetPositions && (scan.skip("}") ? {} : scan.value(stateEnd));
  if (end === null) return null;
  const raw = new JsonText(scan.text.slice(from, scan.at));
  if (!scan.skip("}")) return null;
  const { marginSummary, crossMarginSummary } = totals!;
  const value: WireStateParts = {
    ...totals!,
    marginSummary: marginSummary ?? crossMarginSummary,
    assetPositions: assetPositions!,
    time: end.time,
  };
  const { user, dex } = head!;
  return {
    user: user.toLowerCase(),
    content: { type: "clearinghouseState", dex, state: { value, raw, unread: [] } },
  };
}

function positionFromText(scan: TextScan): WireStateParts["assetPositions"][number] | null {
  if (!scan.skip('{"type":"oneWay","position":')) return null;
  const read = scan.one(positionText);
  return read !== null && scan.skip("}") ? { position: read.value, text: read.raw } : null;
}

function tradesFromText(scan: TextScan): Told | null {
  const rows = scan.skip("[") ? scan.rows(tradeText) : null;
  return rows && { content: { type: "trades", rows } };
}

function candleFromText(scan: TextScan): Told | null {
  const row = scan.one(candleText);
  return row && { content: { type: "candle", rows: [row] } };
}

function assetCtxFromText(scan: TextScan): Told | null {
  const ctx = scan.one(assetCtxText);
  return ctx && { content: { type: "assetCtx", ctx } };
}

function bookFromText(scan: TextScan): Told | null {
  const head = scan.one(bookHead);
  const bids = head && scan.skip("[") ? scan.values(levelText) : null;
  const asks = bids && scan.skip(",[") ? scan.values(levelText) : null;
  if (asks === null || !scan.skip("]}")) return null;
  return { content: { type: "book", book: { ...head!.value, levels: [bids!, asks] } } };
}

function midsFromText(scan: TextScan): Told | null {
  const head = scan.match(midsHead);
  if (head === null) return null;
  const mids = new Map<string, string>();
  const { textLength, rows } = VALUE_LIMITS;
  for (let isOver = scan.skip("}"); !isOver; ) {
    const [, coin, mid, next] = scan.match(midText) ?? [];
    if (coin === undefined || mid === undefined || mids.size === rows) return null;
    if (coin.length > textLength || mid.length > textLength) return null;
    mids.set(coin, mid);
    isOver = next === "}";
  }
  return scan.skip("}") ? { content: { type: "mids", dex: head[1] ?? "", mids } } : null;
}

const notice =
  (what: string) =>
  (data: unknown): Reading => ({
    user: userOf(data),
    isSnapshot: false,
    content: { type: "notice", what, raw: data },
    unread: [],
  });

/** Full states are re-pushed every 4–5 s (measured 2026-08). */
const STATE_CADENCE_MS = 5_000;

const user = { scope: "user", perDex: false, cadenceMs: null } as const;
const state = { scope: "user", namesUser: true, cadenceMs: STATE_CADENCE_MS } as const;
const market = { scope: "market", namesUser: false, perDex: false, cadenceMs: null } as const;

export const CHANNELS: readonly Channel[] = [
  {
    ...user,
    type: "orderUpdates",
    channel: "orderUpdates",
    namesUser: false,
    read: orderTransitions(null),
    readText: transitionsFromText,
  },
  {
    ...user,
    type: "userEvents",
    channel: "user",
    namesUser: false,
    read: userEvents,
    readText: userEventsFromText,
  },
  { ...user, type: "notification", channel: "notification", namesUser: false, read: notice("notification") },
  { ...user, type: "userFills", channel: "userFills", namesUser: true, read: fills, readText: fillsFromText },
  {
    ...user,
    type: "userHistoricalOrders",
    channel: "userHistoricalOrders",
    namesUser: true,
    read: orderTransitions("orderHistory"),
    readText: orderHistoryFromText,
  },
  { ...user, type: "userFundings", channel: "userFundings", namesUser: true, read: fundings("fundings") },
  {
    ...user,
    type: "userNonFundingLedgerUpdates",
    channel: "userNonFundingLedgerUpdates",
    namesUser: true,
    read: feed(
      (d) => readRows(WireLedgerUpdate, d),
      "nonFundingLedgerUpdates",
      (rows) => ({ type: "ledger", rows }),
    ),
  },
  {
    ...user,
    type: "userTwapSliceFills",
    channel: "userTwapSliceFills",
    namesUser: true,
    read: twapSliceFills,
  },
  {
    ...user,
    type: "userTwapHistory",
    channel: "userTwapHistory",
    namesUser: true,
    read: twapHistory("history"),
  },
  {
    ...state,
    type: "clearinghouseState",
    channel: "clearinghouseState",
    perDex: true,
    readText: stateFromText,
    read: single(
      (d) => readParts(WireClearinghouseState, d),
      "clearinghouseState",
      (value, data) => ({ type: "clearinghouseState", dex: dexOf(data), state: value }),
    ),
  },
  {
    ...state,
    type: "openOrders",
    channel: "openOrders",
    perDex: true,
    read: openOrders,
    readText: openOrdersFromText,
  },
  {
    ...state,
    type: "spotState",
    channel: "spotState",
    perDex: false,
    read: single(
      (d) => readParts(WireSpotState, d),
      "spotState",
      (value) => ({ type: "spotState", state: value }),
    ),
  },
  {
    ...state,
    type: "webData3",
    channel: "webData3",
    perDex: false,
    read: (data) => {
      const result = readParts(WireWebData3, data);
      if (!isRead(result)) return nothing(data, [result]);
      return {
        user: result.value.userState.user,
        isSnapshot: false,
        content: { type: "webData3", data: result.value },
        unread: result.unread,
      };
    },
  },
  { ...state, type: "webData2", channel: "webData2", perDex: false, read: webData2 },
  {
    ...market,
    type: "allMids",
    channel: "allMids",
    perDex: true,
    cadenceMs: STATE_CADENCE_MS,
    readText: midsFromText,
    read: single(
      (d) => readParts(WireMids, d),
      "mids",
      (value, data) => ({ type: "mids", dex: dexOf(data), mids: new Map(Object.entries(value.value)) }),
    ),
  },
  {
    ...market,
    type: "trades",
    channel: "trades",
    readText: tradesFromText,
    read: feed(
      (d) => readRows(WireTrade, d),
      null,
      (rows) => ({ type: "trades", rows }),
    ),
  },
  {
    ...market,
    type: "candle",
    channel: "candle",
    readText: candleFromText,
    read: feed(
      (d) => readRows(WireCandle, d),
      null,
      (rows) => ({ type: "candle", rows }),
    ),
  },
  {
    ...market,
    type: "l2Book",
    channel: "l2Book",
    cadenceMs: STATE_CADENCE_MS,
    readText: bookFromText,
    read: single(
      (d) => readParts(WireBook, d),
      null,
      ({ value }) => ({ type: "book", book: value }),
    ),
  },
  ...(["activeAssetCtx", "activeSpotAssetCtx"] as const).map((channel) => ({
    ...market,
    type: "activeAssetCtx",
    channel,
    readText: assetCtxFromText,
    read: single(
      (d: unknown) => readParts(WireAssetCtx, d),
      null,
      (ctx) => ({ type: "assetCtx" as const, ctx }),
    ),
  })),
];

const byChannel = new Map(CHANNELS.map((row) => [row.channel, row]));
const byType = new Map(CHANNELS.map((row) => [row.type, row]));

/** The row of a subscription type; throws for a type that has none (a bug of the caller). */
export function channelOfType(type: string): Channel {
  const row = byType.get(type);
  if (row === undefined) throw new RangeError(`no channel for subscription type ${JSON.stringify(type)}`);
  return row;
}

export type Frame =
  | { type: "pong" }
  | { type: "ack"; method: "subscribe" | "unsubscribe"; subscription: Subscription }
  | { type: "error"; error: ErrorText }
  | { type: "post"; id: number; response: unknown }
  | { type: "data"; channel: Channel; reading: Reading }
  /** A channel without a row: counted and kept, never fatal. */
  | { type: "unknown"; channel: string; raw: unknown }
  /** The legacy plain-text greeting and anything else that is not one of the venue's envelopes. */
  | { type: "unreadable"; raw: string; reason: string };

const [ENVELOPE, DATA] = ['{"channel":"', '","data":'];

/** A frame as it comes every day, without being parsed; null for any other. */
function readQuickly(text: string): Frame | null {
  if (!text.startsWith(ENVELOPE)) return null;
  const nameEnd = text.indexOf('"', ENVELOPE.length);
  const channel = byChannel.get(text.slice(ENVELOPE.length, nameEnd));
  if (channel?.readText === undefined || !text.startsWith(DATA, nameEnd)) return null;
  const scan = new TextScan(text, nameEnd + DATA.length);
  const told = channel.readText(scan);
  if (told === null || !scan.endsWith("}")) return null;
  const { content, user = null, isSnapshot = false } = told;
  return { type: "data", channel, reading: { user, isSnapshot, content, unread: [] } };
}

export function readFrame(text: string): Frame {
  const quick = readQuickly(text);
  if (quick !== null) return quick;
  const json = readMessage(text);
  if (!isRead(json)) return { type: "unreadable", raw: text, reason: json.reason };
  const envelope = json.value;
  if (!isObject(envelope) || typeof envelope.channel !== "string") {
    return { type: "unreadable", raw: text, reason: "no channel" };
  }
  const { channel, data } = envelope;
  if (channel === "pong") return { type: "pong" };
  if (channel === "error")
    return { type: "error", error: readErrorText(typeof data === "string" ? data : text) };
  if (channel === "subscriptionResponse") return readAck(data, text);
  if (channel === "post" && isObject(data) && typeof data.id === "number") {
    return { type: "post", id: data.id, response: data.response };
  }
  const row = byChannel.get(channel);
  if (row === undefined) return { type: "unknown", channel, raw: envelope };
  return { type: "data", channel: row, reading: row.read(data) };
}

function readAck(data: unknown, text: string): Frame {
  if (isObject(data) && isSubscription(data.subscription)) {
    if (data.method === "subscribe" || data.method === "unsubscribe") {
      return { type: "ack", method: data.method, subscription: data.subscription };
    }
  }
  return { type: "unreadable", raw: text, reason: "not a subscription response" };
}

const isSubscription = (value: unknown): value is Subscription =>
  isObject(value) && typeof value.type === "string";

/** The error channel's texts. They carry no id: the subscription is read out of the text where it is quoted. */
export interface ErrorText {
  kind:
    | "alreadySubscribed"
    | "alreadyUnsubscribed"
    | "refused"
    | "userLimit"
    | "subscriptionLimit"
    | "messageLimit"
    | "other";
  text: string;
  subscription: Subscription | null;
}

const ERROR_PREFIXES: readonly [string, ErrorText["kind"]][] = [
  ["Already subscribed", "alreadySubscribed"],
  ["Already unsubscribed", "alreadyUnsubscribed"],
  ["Invalid subscription", "refused"],
  ["Error parsing JSON into valid websocket request", "refused"],
  ["Cannot track more than", "userLimit"],
  ["Cannot subscribe to more than", "subscriptionLimit"],
  ["Cannot send more than", "messageLimit"],
];

function readErrorText(text: string): ErrorText {
  const kind = ERROR_PREFIXES.find(([prefix]) => text.startsWith(prefix))?.[1] ?? "other";
  return { kind, text, subscription: quotedSubscription(text) };
}

function quotedSubscription(text: string): Subscription | null {
  const start = text.indexOf("{");
  if (start < 0) return null;
  const json = readJson(text.slice(start, text.lastIndexOf("}") + 1));
  if (!isRead(json) || !isObject(json.value)) return null;
  // A request that did not parse is quoted whole, a refused subscription alone.
  const inner = json.value.subscription ?? json.value;
  return isSubscription(inner) ? inner : null;
}

/** What a key that was left out stands for: `dex: ""` and no dex at all are the same. */
const isDefault = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || value === false;

/**
 * Whether an echoed subscription answers the one we sent. The echo is normalised: keys are reordered, defaults filled
 * in or left out, and addresses lower-cased, so every key we sent must be equal, and more keys may be there.
 */
export function echoes(sent: Subscription, echoed: Subscription): boolean {
  return Object.entries(sent).every(([key, value]) => {
    const other = echoed[key];
    if (typeof value === "string" && typeof other === "string")
      return value.toLowerCase() === other.toLowerCase();
    return value === other || (isDefault(value) && isDefault(other));
  });
}

/** One text per subscription, the same for equal subscriptions: the key of every map of streams. */
export function subscriptionKey(subscription: Subscription): string {
  const { type, ...rest } = subscription;
  const parts = Object.entries(rest)
    .filter(([, value]) => value !== undefined && value !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([key, value]) => `${key}=${typeof value === "string" && key === "user" ? value.toLowerCase() : value}`,
    );
  return [type, ...parts].join(" ");
}
