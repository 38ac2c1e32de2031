/**
 * What the joins in SQL have to come to (invariant I3), said a second time and in another language: the oracle of the
 * property tests. Every `join*` is commutative, associative and idempotent, so any order, any repetition and any number
 * of writers give the same rows; `foldOrder` is the order that transitions and fills imply.
 *
 * A row has four kinds of fields: the *key*, equal by definition; the *content*, always sent, taken as one piece from
 * the weightier version (longer raw object, then greater text) so that no row mixes two versions; *optional* fields,
 * which some sources leave out, each the greatest known value; and the *sighting* (seenAtMs, source), the first.
 */
import {
  cmp,
  type Decimal,
  div,
  gt,
  isZero,
  max,
  min,
  mul,
  normal,
  sub,
  sum,
} from "../../src/runtime/decimal.ts";
import { classifyStatus } from "../../src/sync/orderStatus.ts";
import type {
  BalanceRow,
  FillRow,
  FundingRow,
  LedgerRow,
  OrderEventRow,
  OrderStatus,
  PositionRow,
  Source,
} from "../../src/sync/rows.ts";

/** Text as Postgres writes jsonb: keys by length then bytes, `: ` and `, ` between. */
function jsonbText(value: unknown): string {
  if (value === undefined || value === null) return "null";
  if (Array.isArray(value)) return `[${value.map(jsonbText).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  entries.sort(([a], [b]) => Buffer.byteLength(a) - Buffer.byteLength(b) || compareBytes(a, b));
  return `{${entries.map(([key, v]) => `${JSON.stringify(key)}: ${jsonbText(v)}`).join(", ")}}`;
}

/** As Postgres compares text under collation "C". */
const compareBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Null is less than everything. */
function greater<T>(a: T | null, b: T | null, compare: (a: T, b: T) => number): T | null {
  if (a === null || b === null) return a ?? b;
  return compare(a, b) >= 0 ? a : b;
}
const greaterText = (a: string | null, b: string | null) => greater(a, b, compareBytes);
const greaterNumber = (a: number | null, b: number | null) => greater(a, b, (x, y) => x - y);
const decimals = (a: Decimal): number => a.split(".")[1]?.length ?? 0;
/** Of 1.0 and 1.00 the latter, so that the digits do not depend on the order of arrival either. */
const compareDecimal = (a: Decimal, b: Decimal): number => cmp(a, b) || decimals(a) - decimals(b);
const greaterDecimal = (a: Decimal | null, b: Decimal | null) => greater(a, b, compareDecimal);
const lesserDecimal = (a: Decimal, b: Decimal): Decimal =>
  (cmp(a, b) || decimals(b) - decimals(a)) <= 0 ? a : b;

interface Sighted {
  raw: unknown;
  source: Source;
  seenAtMs: number;
}

/** The version whose content wins. `content` is what the database compares, raw object first. */
function weightier<R extends { raw: unknown }>(a: R, b: R, content: (row: R) => unknown[]): R {
  const order =
    Buffer.byteLength(jsonbText(b.raw)) - Buffer.byteLength(jsonbText(a.raw)) ||
    compareBytes(jsonbText(content(b)), jsonbText(content(a)));
  return order > 0 ? b : a;
}

function firstSighting(a: Sighted, b: Sighted): { source: Source; seenAtMs: number } {
  const order = a.seenAtMs - b.seenAtMs || compareBytes(a.source, b.source);
  const { source, seenAtMs } = order < 0 ? a : b;
  return { source, seenAtMs };
}

export function joinFills(a: FillRow, b: FillRow): FillRow {
  const winner = weightier(a, b, (r) => [
    r.raw,
    r.size,
    r.price,
    r.value,
    r.fee,
    r.startPosition,
    r.closedPnl,
    r.direction,
    r.crossed,
  ]);
  const liquidation =
    jsonbText(a.liquidation ?? null) === "null"
      ? b.liquidation
      : jsonbText(b.liquidation ?? null) === "null" ||
          compareBytes(jsonbText(a.liquidation), jsonbText(b.liquidation)) >= 0
        ? a.liquidation
        : b.liquidation;
  return {
    ...winner,
    feeToken: greaterText(a.feeToken, b.feeToken),
    hash: greaterText(a.hash, b.hash),
    cloid: greaterText(a.cloid, b.cloid),
    builderFee: greaterDecimal(a.builderFee, b.builderFee),
    twapId: greaterNumber(a.twapId, b.twapId),
    liquidation,
    ...firstSighting(a, b),
  };
}

export function joinOrderEvents(a: OrderEventRow, b: OrderEventRow): OrderEventRow {
  const winner = weightier(a, b, (r) => [r.raw, r.coin, r.side, r.limitPrice, r.size, r.placedAtMs]);
  return {
    ...winner,
    remaining: lesserDecimal(a.remaining, b.remaining),
    orderType: greaterText(a.orderType, b.orderType),
    tif: greaterText(a.tif, b.tif),
    triggerPrice: greaterDecimal(a.triggerPrice, b.triggerPrice),
    reduceOnly: greater(a.reduceOnly, b.reduceOnly, (x, y) => Number(x) - Number(y)),
    cloid: greaterText(a.cloid, b.cloid),
    ...firstSighting(a, b),
  };
}

export function joinFunding(a: FundingRow, b: FundingRow): FundingRow {
  const winner = weightier(a, b, (r) => [r.raw, r.usdc, r.size, r.fundingRate]);
  return { ...winner, samples: greaterNumber(a.samples, b.samples), ...firstSighting(a, b) };
}

export function joinLedger(a: LedgerRow, b: LedgerRow): LedgerRow {
  return {
    ...weightier(a, b, (r) => [r.raw]),
    token: greaterText(a.token, b.token),
    amount: greaterDecimal(a.amount, b.amount),
    ...firstSighting(a, b),
  };
}

/** The newer state, whole; of two with the same time the one with the greater content. */
function newer<R extends { asOfMs: number }>(a: R, b: R, content: (row: R) => unknown[]): R {
  if (a.asOfMs !== b.asOfMs) return a.asOfMs > b.asOfMs ? a : b;
  return compareBytes(jsonbText(content(b)), jsonbText(content(a))) > 0 ? b : a;
}

const positionSide = (szi: Decimal): "long" | "short" | "flat" =>
  isZero(szi) ? "flat" : szi.startsWith("-") ? "short" : "long";

export const joinPositions = (a: PositionRow, b: PositionRow): PositionRow =>
  newer(a, b, (r) => [
    r.raw,
    positionSide(r.szi),
    r.szi.replace(/^-/, ""),
    r.entryPrice,
    r.markPrice,
    r.liquidationPrice,
    r.positionValue,
    r.marginUsed,
    r.unrealizedPnl,
    r.returnOnEquity,
    r.leverageType,
    r.leverageValue,
    r.maxLeverage,
    r.liquidationDistancePct,
    r.fundingSinceOpen,
    r.fundingAllTime,
  ]);

export const joinBalances = (a: BalanceRow, b: BalanceRow): BalanceRow =>
  newer(a, b, (r) => [r.raw, r.token, r.total, r.hold, r.entryNotional]);

/** An order as it follows from what is known of it: the row of `hl_orders`. */
export interface OrderState {
  account: string;
  orderId: number;
  coin: string;
  side: string;
  orderType: string | null;
  tif: string | null;
  size: Decimal;
  limitPrice: Decimal;
  triggerPrice: Decimal | null;
  filled: Decimal;
  /** 100 × filled ÷ size, truncated at 6 decimals; null when size is 0. */
  fillPercentage: Decimal | null;
  status: OrderStatus;
  venueStatus: string;
  cloid: string | null;
  reduceOnly: boolean | null;
  placedAtMs: number;
  statusTimeMs: number;
  lastFillTimeMs: number | null;
  raw: unknown;
  source: Source;
  updatedAtMs: number;
}

/** Terminal over unknown over open, then the latest, then the greater word (of open and triggered the latter). */
function compareTransitions(a: OrderEventRow, b: OrderEventRow): number {
  const weight = (row: OrderEventRow) => {
    const { terminal, status } = classifyStatus(row.venueStatus);
    return terminal ? 2 : status === "unknown" ? 1 : 0;
  };
  return (
    weight(a) - weight(b) || a.statusTimeMs - b.statusTimeMs || compareBytes(a.venueStatus, b.venueStatus)
  );
}

/**
 * The order that these transitions and fills imply; null without a transition (liquidation and dust fills have order
 * ids the venue knows no order of). Both must hold distinct keys of one order, in any order.
 */
export function foldOrder(events: readonly OrderEventRow[], fills: readonly FillRow[]): OrderState | null {
  const ranked = [...events].sort((a, b) => compareTransitions(b, a));
  const last = ranked[0];
  if (last === undefined) return null;
  const first = <T>(pick: (row: OrderEventRow) => T | null): T | null => {
    for (const row of ranked) if (pick(row) !== null) return pick(row);
    return null;
  };
  const verdict = classifyStatus(last.venueStatus);
  const filled = filledSize(ranked, fills, verdict.status === "filled");
  const sized = gt(last.size, "0");
  const complete = sized && cmp(filled, last.size) >= 0;
  const lastFillTimeMs = fills.length === 0 ? null : Math.max(...fills.map((f) => f.timeMs));
  const byFills = complete && !verdict.terminal;
  const status: OrderStatus = byFills
    ? "filled"
    : verdict.status === "open" && sized && !isZero(filled)
      ? "partially_filled"
      : verdict.status;
  return {
    account: last.account,
    orderId: last.orderId,
    coin: last.coin,
    side: last.side,
    orderType: first((r) => r.orderType),
    tif: first((r) => r.tif),
    size: last.size,
    limitPrice: last.limitPrice,
    triggerPrice: first((r) => r.triggerPrice),
    filled,
    fillPercentage: sized ? div(mul(filled, "100"), last.size, 6) : null,
    status,
    venueStatus: last.venueStatus,
    cloid: first((r) => r.cloid),
    reduceOnly: first((r) => r.reduceOnly),
    placedAtMs: last.placedAtMs,
    // An order known to be filled by its fills alone was filled at the last of them.
    statusTimeMs: byFills ? Math.max(last.statusTimeMs, lastFillTimeMs ?? 0) : last.statusTimeMs,
    lastFillTimeMs,
    raw: last.raw,
    source: last.source,
    updatedAtMs: Math.max(...events.map((r) => r.seenAtMs), ...fills.map((r) => r.seenAtMs)),
  };
}

/** The sum of the fills or what a transition said, whichever is more; never more than the deciding size. */
function filledSize(ranked: readonly OrderEventRow[], fills: readonly FillRow[], isFilled: boolean): Decimal {
  const { size } = ranked[0]!;
  const sized = gt(size, "0");
  if (sized && isFilled) return normal(size);
  const told = ranked.map((row) => sub(row.size, row.remaining)).reduce(max, "0");
  const known = max(sum(fills.map((fill) => fill.size)), told);
  return normal(sized ? min(known, size) : known);
}
