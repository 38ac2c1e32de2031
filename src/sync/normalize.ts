/**
 * From the venue's words to our rows. Pure. Guarantees: decimals and `startPosition` are carried over byte for byte;
 * nothing is guessed (what the venue left out is null); the same wire object gives the same row whichever channel or
 * request it came by, except for `source` and `seenAtMs`.
 */
import { createHash } from "node:crypto";
import type { Content } from "../protocol/channels.ts";
import type { Read } from "../protocol/decode.ts";
import type {
  WireAssetCtx,
  WireBook,
  WireCandle,
  WireFill,
  WireFunding,
  WireFundingUpdate,
  WireLedgerUpdate,
  WireOrder,
  WireOrderTransition,
  WireSpotState,
  WireStateParts,
  WireTrade,
  WireTwapHistoryItem,
  WireTwapSliceFill,
} from "../protocol/schemas.ts";
import { abs, type Decimal, differencePct, div, isDecimal, isZero, mul } from "../runtime/decimal.ts";
import { JsonText } from "../runtime/jsonText.ts";
import { hash32 } from "../runtime/random.ts";
import type {
  Address,
  AssetCtxRow,
  BalanceRow,
  Batch,
  BookLevel,
  BookRow,
  CandleRow,
  FillRow,
  FundingRow,
  LedgerRow,
  MidRow,
  OrderEventRow,
  PositionRow,
  Side,
  Source,
  TradeRow,
} from "./rows.ts";
import type { RowOf } from "./tables.ts";

/** The rows of what happened, whatever it came in; null for states and market data, which are no facts of their own. */
export function factRows(content: Content, origin: Origin): Batch | null {
  switch (content.type) {
    case "fills":
      return { fills: content.rows.map((row) => fillRow(origin, row)) };
    case "twapSliceFills":
      return { fills: content.rows.map((row) => twapSliceFillRow(origin, row)) };
    case "orderTransitions":
      return { orderEvents: content.rows.map((row) => orderEventRow(origin, row)) };
    case "fundings":
      return { funding: content.rows.map((row) => fundingRow(origin, row)) };
    case "twapHistory":
      return { twaps: content.rows.map((row) => twapRow(origin, row)) };
    case "ledger":
      return { ledger: content.rows.map((row) => ledgerRow(origin, row)) };
    default:
      return null;
  }
}

/** Whose row it is and how it got here. */
export interface Origin {
  account: Address;
  source: Source;
  seenAtMs: number;
}

const sideOf = (wire: "A" | "B"): Side => (wire === "B" ? "buy" : "sell");

export function fillRow(
  origin: Origin,
  { value: fill, raw }: Read<WireFill>,
  twapId: number | null = null,
): FillRow {
  // One literal, without a spread: twice as fast.
  return {
    account: origin.account,
    source: origin.source,
    seenAtMs: origin.seenAtMs,
    coin: fill.coin,
    timeMs: fill.time,
    side: sideOf(fill.side),
    size: fill.sz,
    price: fill.px,
    value: mul(fill.px, fill.sz),
    fee: fill.fee,
    feeToken: fill.feeToken ?? null,
    startPosition: fill.startPosition,
    closedPnl: fill.closedPnl,
    direction: fill.dir ?? "",
    orderId: fill.oid,
    tradeId: fill.tid ?? contentTradeId(fill),
    hash: fill.hash ?? null,
    crossed: fill.crossed,
    cloid: fill.cloid ?? null,
    builderFee: fill.builderFee ?? null,
    twapId: twapId ?? fill.twapId ?? null,
    liquidation: fill.liquidation ?? null,
    raw,
  };
}

/** TWAP slices are fills that `userFills` does not contain; the id sits beside the fill. */
export function twapSliceFillRow(origin: Origin, { value, raw }: Read<WireTwapSliceFill>): FillRow {
  const fill = typeof raw === "object" && raw !== null && "fill" in raw ? raw.fill : raw;
  return fillRow(origin, { value: value.fill, raw: fill }, value.twapId);
}

/** What an order of which no more comes is called; an open set, where anything unknown goes on. */
const TWAP_ENDS: ReadonlySet<string> = new Set(["finished", "terminated", "stopped", "error"]);

/** One without an id gets a negative one, hashed from what tells it apart. */
export function twapRow({ account }: Origin, { value, raw }: Read<WireTwapHistoryItem>): RowOf<"twaps"> {
  const { state, status, time } = value;
  const { coin, side, sz, timestamp } = state;
  return {
    account,
    twapId: value.twapId ?? -1 - hash32(`${coin} ${side} ${sz} ${timestamp}`),
    coin,
    side: sideOf(side),
    size: sz,
    executedSize: state.executedSz,
    executedValue: state.executedNtl,
    minutes: state.minutes ?? null,
    randomize: state.randomize ?? null,
    reduceOnly: state.reduceOnly ?? null,
    stopPrice: state.stopPx ?? null,
    triggerPrice: state.trigger?.px ?? null,
    triggerAbove: state.trigger?.above ?? null,
    status: status.status,
    error: status.description ?? null,
    isEnded: TWAP_ENDS.has(status.status),
    startedMs: timestamp,
    asOfMs: 1_000 * time,
    raw,
  };
}

/**
 * Fills of 2023 carry no `tid`, and several fills of one order in one millisecond do occur: a negative number hashed
 * from what tells them apart stands in, so that identity stays exact and cannot meet a real tid.
 */
function contentTradeId(fill: WireFill): number {
  return numberOfContent([fill.px, fill.sz, fill.startPosition, fill.closedPnl, fill.hash ?? ""].join("|"));
}

/** A negative number that stands for this content. */
export const numberOfContent = (content: string): number =>
  -(hash32(content) * 0x100000 + (hash32(`2|${content}`) & 0xfffff)) - 1;

export function orderEventRow(origin: Origin, { value, raw }: Read<WireOrderTransition>): OrderEventRow {
  return orderRow(origin, value.order, value.status, value.statusTimestamp, raw);
}

/** An order seen in a list of open orders: it was `open` from its placement on, with this much remaining now. */
export function openOrderRow(origin: Origin, { value, raw }: Read<WireOrder>): OrderEventRow {
  const transition =
    raw instanceof JsonText
      ? new JsonText(`{"order":${raw.text},"status":"open","statusTimestamp":${value.timestamp}}`)
      : { order: raw, status: "open", statusTimestamp: value.timestamp };
  return orderRow(origin, value, "open", value.timestamp, transition);
}

function orderRow(
  origin: Origin,
  order: WireOrder,
  status: string,
  statusTimeMs: number,
  raw: unknown,
): OrderEventRow {
  const told = order.orderType !== undefined && order.orderType !== null;
  return {
    account: origin.account,
    source: origin.source,
    seenAtMs: origin.seenAtMs,
    orderId: order.oid,
    venueStatus: status,
    statusTimeMs,
    coin: order.coin,
    side: sideOf(order.side),
    limitPrice: order.limitPx,
    size: order.origSz ?? order.sz,
    remaining: order.sz,
    placedAtMs: order.timestamp,
    orderType: order.orderType ?? null,
    tif: order.tif ?? null,
    triggerPrice: order.isTrigger && order.triggerPx ? order.triggerPx : null,
    // The short form carries `reduceOnly` only when true; its absence there says nothing about the full form.
    reduceOnly: order.reduceOnly ?? (told ? false : null),
    cloid: order.cloid ?? null,
    raw,
  };
}

/** Rows of every order in a list, TP/SL children included once: they come nested and again at the top level. */
export function openOrderRows(origin: Origin, orders: Read<WireOrder>[]): OrderEventRow[] {
  const byId = new Map<number, OrderEventRow>();
  for (const order of orders) byId.set(order.value.oid, openOrderRow(origin, order));
  return [...byId.values()];
}

/** The venue's word for an order that it does not know, or no longer. */
export const FORGOTTEN = "unknownOid";

/**
 * The order the venue no longer knows (`unknownOid`) although we saw it open: its end is unknown and said so. The row
 * is stamped with the time of the question, the only time there is.
 */
export function unknownOrderRow(origin: Origin, last: OrderEventRow, askedAtMs: number): OrderEventRow {
  return {
    ...last,
    ...origin,
    venueStatus: FORGOTTEN,
    statusTimeMs: askedAtMs,
    raw: { status: FORGOTTEN, oid: last.orderId },
  };
}

/** 16 hex digits over a JSON value, independent of the order of its keys. */
export function digest(value: unknown): string {
  return createHash("sha256").update(canonical(value)).digest("hex").slice(0, 16);
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** A row of the `userFundings` channel or of a `funding` user event. */
export function fundingRow(origin: Origin, { value, raw }: Read<WireFunding>): FundingRow {
  return {
    ...origin,
    coin: value.coin,
    timeMs: value.time,
    usdc: value.usdc,
    size: value.szi,
    fundingRate: value.fundingRate,
    samples: value.nSamples ?? null,
    raw,
  };
}

/** A row of `userFunding`, where the payment sits in `delta`. */
export function fundingUpdateRow(origin: Origin, { value, raw }: Read<WireFundingUpdate>): FundingRow {
  return fundingRow(origin, { value: { ...value.delta, time: value.time }, raw });
}

/** What it does to the money of the account follows from `raw`, in the database (`hl_internal.ledger_effect`). */
export function ledgerRow(origin: Origin, { value, raw }: Read<WireLedgerUpdate>): LedgerRow {
  const { delta } = value;
  const text = (key: string): string | null => (typeof delta[key] === "string" ? delta[key] : null);
  const amount = text("amount");
  return {
    ...origin,
    timeMs: value.time,
    hash: value.hash,
    type: delta.type,
    token: text("token"),
    amount: amount !== null && isDecimal(amount) ? amount : null,
    digest: digest(delta),
    raw,
  };
}

/** Open positions of one dex's state; a coin that is flat is absent. */
export function positionRows(
  account: Address,
  dex: string,
  { value: state }: Read<WireStateParts>,
  receivedAtMs: number,
): PositionRow[] {
  return state.assetPositions.map(({ position, text }) => {
    const markPrice = isZero(position.szi) ? null : div(position.positionValue, abs(position.szi), 10);
    const liquidationPrice = position.liquidationPx ?? null;
    return {
      account,
      dex,
      coin: position.coin,
      szi: position.szi,
      entryPrice: position.entryPx ?? null,
      markPrice,
      liquidationPrice,
      positionValue: position.positionValue,
      marginUsed: position.marginUsed,
      unrealizedPnl: position.unrealizedPnl,
      returnOnEquity: position.returnOnEquity ?? null,
      leverageType: position.leverage?.type ?? null,
      leverageValue: position.leverage?.value ?? null,
      maxLeverage: position.maxLeverage ?? null,
      liquidationDistancePct: distancePct(markPrice, liquidationPrice),
      fundingSinceOpen: position.cumFunding?.sinceOpen ?? null,
      fundingAllTime: position.cumFunding?.allTime ?? null,
      // A text of ours; what the venue calls so is something else.
      raw: text instanceof JsonText ? text : position,
      asOfMs: state.time ?? receivedAtMs,
    };
  });
}

function distancePct(mark: Decimal | null, liquidation: Decimal | null): Decimal | null {
  if (mark === null || liquidation === null || isZero(mark)) return null;
  return differencePct(liquidation, mark, 6);
}

/** The spot state carries no time: `asOfMs` is when it was received. */
export function balanceRows(
  account: Address,
  { value: state }: Read<WireSpotState>,
  asOfMs: number,
): BalanceRow[] {
  return state.balances.map((balance) => ({
    account,
    coin: balance.coin,
    token: balance.token ?? null,
    total: balance.total,
    hold: balance.hold,
    entryNotional: balance.entryNtl ?? "0",
    raw: balance,
    asOfMs,
  }));
}

export function tradeRow({ value, raw }: Read<WireTrade>): TradeRow {
  return {
    coin: value.coin,
    timeMs: value.time,
    tradeId: value.tid,
    side: sideOf(value.side),
    price: value.px,
    size: value.sz,
    hash: value.hash ?? null,
    raw,
  };
}

export function candleRow({ value }: Read<WireCandle>, asOfMs: number): CandleRow {
  return {
    coin: value.s,
    interval: value.i,
    openTimeMs: value.t,
    closeTimeMs: value.T,
    open: value.o,
    high: value.h,
    low: value.l,
    close: value.c,
    volume: value.v,
    trades: value.n,
    asOfMs,
  };
}

export function midRows(
  dex: string,
  mids: ReadonlyMap<string, string>,
  coins: Set<string> | null,
  asOfMs: number,
): MidRow[] {
  const rows: MidRow[] = [];
  for (const [coin, mid] of mids)
    if (coins === null || coins.has(coin)) rows.push({ dex, coin, mid, asOfMs });
  return rows;
}

/** Levels a side kept of a book. */
const BOOK_LEVELS = 20;

export function bookRow(book: WireBook): BookRow {
  const side = (levels: WireBook["levels"][0]) =>
    levels.slice(0, BOOK_LEVELS).map(({ px, sz, n }): BookLevel => [px, sz, n ?? null]);
  return { coin: book.coin, asOfMs: book.time, bids: side(book.levels[0]), asks: side(book.levels[1]) };
}

export function assetCtxRow({ value, raw }: Read<WireAssetCtx>, asOfMs: number): AssetCtxRow {
  const { ctx } = value;
  return {
    coin: value.coin,
    asOfMs,
    markPrice: ctx.markPx ?? null,
    midPrice: ctx.midPx ?? null,
    oraclePrice: ctx.oraclePx ?? null,
    fundingRate: ctx.funding ?? null,
    openInterest: ctx.openInterest ?? null,
    dayNotionalVolume: ctx.dayNtlVlm ?? null,
    previousDayPrice: ctx.prevDayPx ?? null,
    raw,
  };
}
