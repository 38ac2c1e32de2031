/**
 * Every `/info` request hlsync sends: one row each, with its weight, its page order and how its answer is read.
 * Guarantees: reading never throws; answers keep what can be read and hand back the rest in `unread`.
 * @see https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint
 */
import type { z } from "zod";
import {
  isObject,
  isRead,
  type ReadParts,
  type ReadRows,
  readOne,
  readParts,
  readRows,
  type Unread,
} from "./decode.ts";
import { HORIZON, PAGE_ROWS_MAX, VALUE_LIMITS } from "./limits.ts";
import {
  WireAgent,
  WireCandle,
  WireClearinghouseState,
  WireDelegation,
  WireDelegatorSummary,
  WireExchangeStatus,
  WireFill,
  WireFundingUpdate,
  WireInterest,
  WireLedgerUpdate,
  WireLedVault,
  WireMeta,
  WireMetaAndCtxs,
  WireMids,
  WireOrder,
  WireOrderStatus,
  WireOrderTransition,
  WireOutcomeMeta,
  WirePerpDexs,
  WirePortfolio,
  WireReward,
  WireSettledOutcome,
  WireSpotMeta,
  WireSpotMetaAndCtxs,
  WireSpotState,
  type WireStateParts,
  WireSubAccount,
  WireTwapHistoryItem,
  WireTwapSliceFill,
  WireUserFees,
  WireUserRateLimit,
  WireUserRole,
  WireVaultEquity,
  WireWebData2,
  WireWord,
} from "./schemas.ts";

export interface InfoRequest<P, R> {
  readonly type: string;
  /** Weight debited before the request. */
  readonly weight: number;
  /** One more for every so many items of the answer, debited after it; null when the answer has no items. */
  readonly itemsPerWeight: number | null;
  /** Most items that an answer to these parameters can hold: what is kept of the budget until it is there. */
  readonly itemsMax: (params: P) => number;
  /** The body without `type`. The parameter exists for its type. */
  readonly body: (params: P) => Record<string, unknown>;
  /** `{raw, reason}` when the body is not what the venue promises: then the answer is unknown, not empty. */
  readonly read: (body: unknown) => R | Unread;
}

interface UserParams {
  user: string;
}
interface DexParams extends UserParams {
  /** "" is the first perp dex. A wrong but existing dex answers an empty state, not an error. */
  dex: string;
}
export interface WindowParams extends UserParams {
  /** Both inclusive. */
  startTime: number;
  endTime?: number;
}

const LISTED = 20;

/** Candles that begin in [startTime, endTime], as far as the venue keeps them. */
function candlesBetween(interval: string, startTime: number, endTime: number): number {
  const shortestMs = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000, M: 28 * 86_400_000 }[
    interval.at(-1) ?? ""
  ];
  if (shortestMs === undefined) return HORIZON.candles;
  return Math.min(
    HORIZON.candles,
    Math.ceil((endTime - startTime) / (shortestMs * Number.parseInt(interval, 10))) + 1,
  );
}

function request<P extends object, R>(
  type: string,
  weight: number,
  read: (body: unknown) => R | Unread,
  itemsPerWeight: number | null = null,
  itemsMax: (params: P) => number = () => PAGE_ROWS_MAX,
): InfoRequest<P, R> {
  const body = (params: P) => ({ ...params }) as Record<string, unknown>;
  return { type, weight, itemsPerWeight, itemsMax, read, body };
}

/** One row where a list is usual is a list of one. Anything else there is an error of the venue, not an empty list. */
const rows =
  <T>(schema: z.ZodType<T>) =>
  (body: unknown): ReadRows<T> | Unread => {
    if (Array.isArray(body)) return readRows(schema, body);
    const single = readRows(schema, [body]);
    return single.rows.length > 0 ? single : { kind: "row", raw: body, reason: "a list was expected" };
  };
const one =
  <T>(schema: z.ZodType<T>) =>
  (body: unknown): ReadParts<T> | Unread =>
    readParts(schema, body);

type OrderStatus = z.infer<typeof WireOrderStatus>;

/** The answer about an order whose transition cannot be read has none, and says so in `unread`: it is not forgotten. */
function orderStatus(body: unknown): ReadParts<OrderStatus> | Unread {
  const strict = readOne(WireOrderStatus, body);
  if (isRead(strict)) return { ...strict, unread: [] };
  if (!isObject(body) || !isObject(body.order)) return strict;
  const head = readOne(WireOrderStatus, { ...body, order: null });
  if (!isRead(head)) return strict;
  const { rows, unread } = readRows(WireOrderTransition, [body.order]);
  return { value: { ...head.value, order: rows[0]?.value ?? null }, raw: body, unread };
}

/** What the answer says of this order: nothing, where it is about another one. */
export function answerFor(oid: number, answer: ReadParts<OrderStatus>): ReadParts<OrderStatus> {
  const { order } = answer.value;
  if (!order || order.order.oid === oid) return answer;
  const reason = `asked for order ${oid}, answered of ${order.order.oid}`;
  const stray: Unread = { kind: "row", raw: answer.raw, reason };
  return { ...answer, value: { ...answer.value, order: null }, unread: [...answer.unread, stray] };
}

/** More dexes than can be followed are not believed: the first ones are. */
function perpDexs(body: unknown): ReadParts<z.infer<typeof WirePerpDexs>> | Unread {
  const read = readParts(WirePerpDexs, body);
  const left = isRead(read) ? read.value.length - VALUE_LIMITS.dexes : 0;
  if (!isRead(read) || left <= 0) return read;
  const reason = `more than ${VALUE_LIMITS.dexes} perp dexes: the rest is not followed`;
  return {
    value: read.value.slice(0, VALUE_LIMITS.dexes),
    raw: body,
    unread: [...read.unread, { kind: "row", raw: left, reason }],
  };
}

export const INFO = {
  clearinghouseState: request<DexParams, ReadParts<WireStateParts>>(
    "clearinghouseState",
    2,
    one(WireClearinghouseState),
  ),
  spotClearinghouseState: request<UserParams, ReadParts<WireSpotState>>(
    "spotClearinghouseState",
    2,
    one(WireSpotState),
  ),
  /** Newest first. TP/SL children come nested in their parent and again at the top level. */
  frontendOpenOrders: request<DexParams, ReadRows<WireOrder>>("frontendOpenOrders", 20, rows(WireOrder)),
  /** At most 2000 transitions, newest first, several per oid; no time range. */
  historicalOrders: request<UserParams, ReadRows<WireOrderTransition>>(
    "historicalOrders",
    20,
    rows(WireOrderTransition),
    LISTED,
  ),
  orderStatus: request<UserParams & { oid: number | string }, ReadParts<OrderStatus>>(
    "orderStatus",
    2,
    orderStatus,
  ),
  /** At most 2000 newest, descending. */
  userFills: request<UserParams & { aggregateByTime: false }, ReadRows<WireFill>>(
    "userFills",
    20,
    rows(WireFill),
    LISTED,
  ),
  /** At most 2000 from `startTime` on, ascending; `reversed` gives the newest first. */
  userFillsByTime: request<WindowParams & { aggregateByTime: false; reversed?: true }, ReadRows<WireFill>>(
    "userFillsByTime",
    20,
    rows(WireFill),
    LISTED,
  ),
  /** At most 2000, newest first. */
  userTwapSliceFillsByTime: request<WindowParams & { aggregateByTime: false }, ReadRows<WireTwapSliceFill>>(
    "userTwapSliceFillsByTime",
    20,
    rows(WireTwapSliceFill),
    LISTED,
  ),
  twapHistory: request<UserParams, ReadRows<WireTwapHistoryItem>>(
    "twapHistory",
    20,
    rows(WireTwapHistoryItem),
    LISTED,
  ),
  /** Ascending, about 500 a page. */
  userFunding: request<WindowParams, ReadRows<WireFundingUpdate>>(
    "userFunding",
    20,
    rows(WireFundingUpdate),
    LISTED,
  ),
  /** Ascending, 500 (documented) or 2000 (seen) a page. */
  userNonFundingLedgerUpdates: request<WindowParams, ReadRows<WireLedgerUpdate>>(
    "userNonFundingLedgerUpdates",
    20,
    rows(WireLedgerUpdate),
    LISTED,
  ),
  candleSnapshot: request<
    { req: { coin: string; interval: string; startTime: number; endTime?: number } },
    ReadRows<WireCandle>
  >("candleSnapshot", 20, rows(WireCandle), 60, ({ req }) =>
    candlesBetween(req.interval, req.startTime, req.endTime ?? Number.POSITIVE_INFINITY),
  ),
  allMids: request<{ dex: string }, ReadParts<Record<string, string>>>("allMids", 2, one(WireMids)),
  meta: request<{ dex: string }, ReadParts<WireMeta>>("meta", 20, one(WireMeta)),
  metaAndAssetCtxs: request<{ dex: string }, ReadParts<z.infer<typeof WireMetaAndCtxs>>>(
    "metaAndAssetCtxs",
    20,
    one(WireMetaAndCtxs),
  ),
  spotMetaAndAssetCtxs: request<object, ReadParts<z.infer<typeof WireSpotMetaAndCtxs>>>(
    "spotMetaAndAssetCtxs",
    20,
    one(WireSpotMetaAndCtxs),
  ),
  perpDexs: request<object, ReadParts<z.infer<typeof WirePerpDexs>>>("perpDexs", 20, perpDexs),
  userRole: request<UserParams, ReadParts<z.infer<typeof WireUserRole>>>("userRole", 60, one(WireUserRole)),
  /** `unifiedAccount`, `portfolioMargin`, `disabled`, `default`: an open set. */
  userAbstraction: request<UserParams, ReadParts<string | null>>("userAbstraction", 20, one(WireWord)),
  exchangeStatus: request<object, ReadParts<z.infer<typeof WireExchangeStatus>>>(
    "exchangeStatus",
    2,
    one(WireExchangeStatus),
  ),
  webData2: request<UserParams, ReadParts<WireWebData2>>("webData2", 20, one(WireWebData2)),
  spotMeta: request<object, ReadParts<WireSpotMeta>>("spotMeta", 20, one(WireSpotMeta)),
  /** Of every perp dex, in the order of `perpDexs`. */
  allPerpMetas: request<object, ReadRows<WireMeta>>("allPerpMetas", 20, rows(WireMeta)),
  /** Without those that are settled. */
  outcomeMeta: request<object, ReadParts<z.infer<typeof WireOutcomeMeta>>>(
    "outcomeMeta",
    20,
    one(WireOutcomeMeta),
  ),
  settledOutcome: request<{ outcome: number }, ReadParts<z.infer<typeof WireSettledOutcome>>>(
    "settledOutcome",
    20,
    one(WireSettledOutcome),
  ),
  /** None is an empty list, or null. */
  userVaultEquities: request<UserParams, ReadRows<z.infer<typeof WireVaultEquity>>>(
    "userVaultEquities",
    20,
    (body) => rows(WireVaultEquity)(body ?? []),
  ),
  delegatorSummary: request<UserParams, ReadParts<z.infer<typeof WireDelegatorSummary>>>(
    "delegatorSummary",
    20,
    one(WireDelegatorSummary),
  ),
  portfolio: request<UserParams, ReadParts<WirePortfolio>>("portfolio", 20, one(WirePortfolio)),
  delegations: request<UserParams, ReadRows<z.infer<typeof WireDelegation>>>(
    "delegations",
    20,
    rows(WireDelegation),
  ),
  delegatorRewards: request<UserParams, ReadRows<z.infer<typeof WireReward>>>(
    "delegatorRewards",
    20,
    rows(WireReward),
    LISTED,
  ),
  userBorrowLendInterest: request<WindowParams, ReadRows<z.infer<typeof WireInterest>>>(
    "userBorrowLendInterest",
    20,
    rows(WireInterest),
  ),
  userFees: request<UserParams, ReadParts<z.infer<typeof WireUserFees>>>("userFees", 20, one(WireUserFees)),
  userRateLimit: request<UserParams, ReadParts<z.infer<typeof WireUserRateLimit>>>(
    "userRateLimit",
    20,
    one(WireUserRateLimit),
  ),
  /** None is null. */
  subAccounts: request<UserParams, ReadRows<z.infer<typeof WireSubAccount>>>("subAccounts", 20, (body) =>
    rows(WireSubAccount)(body ?? []),
  ),
  leadingVaults: request<UserParams, ReadRows<z.infer<typeof WireLedVault>>>("leadingVaults", 20, (body) =>
    rows(WireLedVault)(body ?? []),
  ),
  /** API wallets with a name; none is an empty list, or null. */
  extraAgents: request<UserParams, ReadRows<z.infer<typeof WireAgent>>>("extraAgents", 20, (body) =>
    rows(WireAgent)(body ?? []),
  ),
} as const;
