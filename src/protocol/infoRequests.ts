/**
 * Every `/info` request hlsync sends: one row each, with its weight, its page order and how its answer is read.
 * Guarantees: reading never throws; list answers keep good rows and hand back bad ones.
 * @see https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint
 */
import { z } from "zod";
import { isRead, type Read, type ReadRows, readOne, readRows, type Unread } from "./decode.ts";
import { HORIZON, PAGE_ROWS_MAX } from "./limits.ts";
import {
  WireCandle,
  WireClearinghouseState,
  WireExchangeStatus,
  WireFill,
  WireFundingUpdate,
  WireLedgerUpdate,
  WireMeta,
  WireMetaAndCtxs,
  WireMids,
  WireOrder,
  WireOrderStatus,
  WireOrderTransition,
  WirePerpDexs,
  WireSpotMetaAndCtxs,
  WireSpotState,
  WireTwapHistoryItem,
  WireTwapSliceFill,
  WireUserRole,
  WireWebData2,
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

export interface UserParams {
  user: string;
}
export interface DexParams extends UserParams {
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
    const single = readOne(schema, body);
    return isRead(single) ? { rows: [single], unread: [] } : { raw: body, reason: "a list was expected" };
  };
const one =
  <T>(schema: z.ZodType<T>) =>
  (body: unknown): Read<T> | Unread =>
    readOne(schema, body);
const value =
  <T>(schema: z.ZodType<T>) =>
  (body: unknown): { value: T } | Unread => {
    const result = readOne(schema, body);
    return isRead(result) ? { value: result.value } : result;
  };

export const INFO = {
  clearinghouseState: request<DexParams, Read<WireClearinghouseState>>(
    "clearinghouseState",
    2,
    one(WireClearinghouseState),
  ),
  spotClearinghouseState: request<UserParams, Read<WireSpotState>>(
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
  orderStatus: request<UserParams & { oid: number | string }, { value: z.infer<typeof WireOrderStatus> }>(
    "orderStatus",
    2,
    value(WireOrderStatus),
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
  allMids: request<{ dex: string }, { value: Record<string, string> }>("allMids", 2, value(WireMids)),
  meta: request<{ dex: string }, { value: WireMeta }>("meta", 20, value(WireMeta)),
  metaAndAssetCtxs: request<{ dex: string }, { value: z.infer<typeof WireMetaAndCtxs> }>(
    "metaAndAssetCtxs",
    20,
    value(WireMetaAndCtxs),
  ),
  spotMetaAndAssetCtxs: request<object, { value: z.infer<typeof WireSpotMetaAndCtxs> }>(
    "spotMetaAndAssetCtxs",
    20,
    value(WireSpotMetaAndCtxs),
  ),
  perpDexs: request<object, { value: z.infer<typeof WirePerpDexs> }>("perpDexs", 20, value(WirePerpDexs)),
  userRole: request<UserParams, { value: z.infer<typeof WireUserRole> }>("userRole", 60, value(WireUserRole)),
  /** `unifiedAccount`, `portfolioMargin`, `disabled`, `default`: an open set. */
  userAbstraction: request<UserParams, { value: string | null }>(
    "userAbstraction",
    20,
    value(z.union([z.string(), z.null()])),
  ),
  exchangeStatus: request<object, { value: z.infer<typeof WireExchangeStatus> }>(
    "exchangeStatus",
    2,
    value(WireExchangeStatus),
  ),
  webData2: request<UserParams, Read<WireWebData2>>("webData2", 20, one(WireWebData2)),
} as const;
