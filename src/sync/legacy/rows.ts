/**
 * Rows of the tables that older programs kept (`hl_fills`, `hl_orders`, `hl_dashboard`; numbers as text, no keys) as ours.
 * Pure. Guarantees: what such a row says is taken exactly or the row is refused with `Unread`; `source` is `legacy`; the
 * same row gives the same result every time. The venue's own object, where the program kept it whole, decides; the columns
 * stand in for what it lacks.
 */
import { isAddress } from "../../protocol/address.ts";
import { WireFill, WireOrder, WireOrderTransition } from "../../protocol/schemas.ts";
import { type Decimal, isZero, lt, mul, sub } from "../../runtime/decimal.ts";
import { fillRow, openOrderRow, orderEventRow } from "../normalize.ts";
import type { Address, DashboardRow, FillRow, OrderEventRow, Side } from "../rows.ts";
import {
  cell,
  decimal,
  id,
  type LegacyRow,
  needed,
  neededDecimal,
  neededId,
  rawObject,
  time,
  truth,
  Unread,
  word,
} from "./cells.ts";

/** What is known of a whole table. */
export interface LegacyTable {
  /** Of rows that name no account. */
  account: Address | null;
  /** Columns of which times were cut to the second (`TimeColumns`): such a fill cannot be matched by its millisecond. */
  cutColumns: ReadonlySet<string>;
}

const SEEN_AT = ["first_seen_at", "created_at", "inserted_at"] as const;
/** Columns that tell when a fill happened, the best first. */
const FILL_TIMES = ["fill_time_ms", "time_ms", "fill_time", "time", "timestamp"] as const;
/** Of times that were not cut, one in a thousand stands at a whole second; fills of one order share theirs. */
const WHOLE_SHARE_MAX = 0.05;

/** Taken over from the venue's own export (`venueExport.ts`), which has no milliseconds: hlsync wrote that row, and knew it. */
const isOfExport = (row: LegacyRow): boolean => cell(row, "trade_id", "tid")?.startsWith("-") === true;

/** How many times of a whole table stand at a whole second, by the column that is used. */
export class TimeColumns {
  readonly #counts = new Map<string, { all: number; whole: number }>();

  note(rows: readonly LegacyRow[]): void {
    for (const row of rows) {
      if (isOfExport(row)) continue;
      try {
        const told = time(row, ...FILL_TIMES);
        if (told === null) continue;
        const count = this.#counts.get(told.column) ?? { all: 0, whole: 0 };
        count.all += 1;
        if (told.isWhole) count.whole += 1;
        this.#counts.set(told.column, count);
      } catch (error) {
        // Such a row is refused for itself.
        if (!(error instanceof Unread)) throw error;
      }
    }
  }

  /** Columns with more of them than chance brings. A single one may be chance where others have a fraction. */
  get cut(): Set<string> {
    const isCut = ({ all, whole }: { all: number; whole: number }) =>
      whole === all || (whole > 1 && whole > all * WHOLE_SHARE_MAX);
    return new Set([...this.#counts].filter(([, count]) => isCut(count)).map(([column]) => column));
  }
}

function accountOf(row: LegacyRow, table: LegacyTable): Address {
  const account = cell(row, "account_address", "account", "address", "user") ?? table.account;
  if (account === null) throw new Unread("no account_address");
  if (!isAddress(account)) throw new Unread("account_address is no address");
  return account.toLowerCase();
}

function sideOf(row: LegacyRow): Side {
  const side = needed(row, "side").toLowerCase();
  if (["buy", "b", "bid"].includes(side)) return "buy";
  if (["sell", "a", "s", "ask"].includes(side)) return "sell";
  throw new Unread("side is neither buy nor sell");
}

/** When the program says it saw the row, as far as that can be: not before it happened. */
function seenAtMs(row: LegacyRow, happenedMs: number): number {
  for (const name of SEEN_AT) {
    try {
      const seen = time(row, name);
      if (seen !== null) return Math.max(seen.ms, happenedMs);
    } catch {
      // Of no weight.
    }
  }
  return happenedMs;
}

const isSpot = (coin: string): boolean => /^@|\//.test(coin);

export function legacyFill(row: LegacyRow, table: LegacyTable): FillRow {
  const account = accountOf(row, table);
  const raw = rawObject(row, "raw_fill", "raw_data", "raw");
  const told = WireFill.safeParse(raw);
  if (told.success) {
    const origin = { account, source: "legacy", seenAtMs: seenAtMs(row, told.data.time) } as const;
    return fillRow(origin, { value: told.data, raw }, id(row, "twap_id"));
  }
  const timeMs = fillTime(row, table);
  const coin = needed(row, "coin");
  const [size, price] = [neededDecimal(row, "size", "sz"), neededDecimal(row, "price", "px")];
  if (lt(size, "0") || lt(price, "0")) throw new Unread("size or price is negative");
  const feeToken = word(row, "fee_token", "feeToken");
  // A spot fee may be in either token.
  if (feeToken === null && isSpot(coin)) throw new Unread("no fee_token");
  const direction = word(row, "direction", "dir") ?? "";
  return {
    account,
    coin,
    timeMs,
    side: sideOf(row),
    size,
    price,
    value: mul(price, size),
    fee: neededDecimal(row, "fee"),
    feeToken,
    direction,
    startPosition: startPosition(row),
    closedPnl: decimal(row, "closed_pnl", "closedPnl") ?? closedByOpening(direction),
    orderId: neededId(row, "order_id", "oid"),
    tradeId: neededId(row, "trade_id", "tid"),
    hash: word(row, "hash"),
    crossed: truth(row, "crossed"),
    cloid: word(row, "cloid"),
    builderFee: decimal(row, "builder_fee", "builderFee"),
    twapId: id(row, "twap_id"),
    liquidation: rawObject(row, "liquidation"),
    raw,
    source: "legacy",
    seenAtMs: seenAtMs(row, timeMs),
  };
}

function fillTime(row: LegacyRow, { cutColumns }: LegacyTable): number {
  const told = time(row, ...FILL_TIMES);
  if (told === null) throw new Unread("no fill_time");
  const { ms, isWhole, column } = told;
  if (isWhole && cutColumns.has(column) && !isOfExport(row))
    throw new Unread(`${column} was cut to the second`);
  return ms;
}

/** Some programs kept whether there was one, and not which. */
function startPosition(row: LegacyRow): Decimal | null {
  const value = cell(row, "start_position", "startPosition");
  return value === null || /^(true|false|t|f)$/i.test(value)
    ? null
    : decimal(row, "start_position", "startPosition");
}

function closedByOpening(direction: string): Decimal {
  if (!direction.startsWith("Open ")) throw new Unread("no closed_pnl");
  return "0.0";
}

/** The word of the venue for what older programs wrote in `status`. */
const STATUS_WORDS: Record<string, string> = {
  open: "open",
  new: "open",
  partially_filled: "open",
  partial: "open",
  triggered: "triggered",
  filled: "filled",
  canceled: "canceled",
  cancelled: "canceled",
  rejected: "rejected",
};

export function legacyOrder(row: LegacyRow, table: LegacyTable): OrderEventRow {
  const account = accountOf(row, table);
  const raw = rawObject(row, "raw_order", "raw_data", "raw");
  const transition = WireOrderTransition.safeParse(raw);
  if (transition.success) {
    const { statusTimestamp } = transition.data;
    const origin = { account, source: "legacy", seenAtMs: seenAtMs(row, statusTimestamp) } as const;
    return orderEventRow(origin, { value: transition.data, raw });
  }
  const { venueStatus, isOpen } = statusOf(row);
  const order = WireOrder.safeParse(raw?.order ?? raw);
  if (order.success && isOpen) {
    const origin = { account, source: "legacy", seenAtMs: seenAtMs(row, order.data.timestamp) } as const;
    return openOrderRow(origin, { value: order.data, raw: raw?.order ?? raw });
  }
  const placed = time(row, "placed_at_ms", "placed_at", "order_time", "timestamp");
  if (placed === null) throw new Unread("no placed_at");
  const since = isOpen ? placed : time(row, "status_time_ms", "status_at");
  if (since === null) throw new Unread("no status_at: when the order ended is not told");
  const size = neededDecimal(row, "size", "orig_sz");
  const filled = venueStatus === "filled" ? size : (decimal(row, "filled", "filled_size") ?? "0");
  const triggerPrice = decimal(row, "trigger_price");
  return {
    account,
    orderId: neededId(row, "order_id", "oid"),
    venueStatus,
    statusTimeMs: since.ms,
    coin: needed(row, "coin"),
    side: sideOf(row),
    limitPrice: neededDecimal(row, "limit_price", "price", "limit_px"),
    size,
    remaining: lt(size, filled) ? "0" : sub(size, filled),
    placedAtMs: placed.ms,
    orderType: word(row, "order_type"),
    tif: word(row, "tif"),
    triggerPrice: triggerPrice === null || isZero(triggerPrice) ? null : triggerPrice,
    reduceOnly: truth(row, "reduce_only"),
    cloid: word(row, "cloid"),
    raw,
    source: "legacy",
    seenAtMs: seenAtMs(row, since.ms),
  };
}

function statusOf(row: LegacyRow): { venueStatus: string; isOpen: boolean } {
  const status = word(row, "status")?.toLowerCase() ?? null;
  const venueStatus = word(row, "venue_status") ?? (status === null ? null : STATUS_WORDS[status]);
  if (!venueStatus) throw new Unread(status === null ? "no status" : "status is no word that is known");
  return { venueStatus, isOpen: venueStatus === "open" };
}

const TAKEN_OVER = "taken over from an older program, which did not count it";

/** A snapshot tells the margin equity; net worth and health were not counted as hlsync counts them. */
export function legacySnapshot(row: LegacyRow, table: LegacyTable): DashboardRow {
  const account = accountOf(row, table);
  const raw = rawObject(row, "raw_user_state", "raw_data", "raw");
  const summary = (raw?.marginSummary ?? {}) as Record<string, string>;
  const told: LegacyRow = {
    account_value: summary.accountValue ?? null,
    total_margin_used: summary.totalMarginUsed ?? null,
    total_notional_position: summary.totalNtlPos ?? null,
    total_raw_usd: summary.totalRawUsd ?? null,
    maintenance_margin: textOf(raw?.crossMaintenanceMarginUsed),
    withdrawable: textOf(raw?.withdrawable),
  };
  const known: LegacyRow = {
    ...told,
    ...Object.fromEntries(Object.entries(row).filter(([, v]) => v !== null)),
  };
  const asOf = time(row, "as_of_ms", "as_of", "created_at", "timestamp");
  if (asOf === null) throw new Unread("no created_at");
  const accountValue = decimal(known, "account_value");
  const positions = id(known, "total_positions");
  if (positions === null) throw new Unread("no total_positions");
  return {
    account,
    asOfMs: asOf.ms,
    accountValue,
    withdrawable: neededDecimal(known, "withdrawable"),
    totalMarginUsed: neededDecimal(known, "total_margin_used"),
    totalNotionalPosition: neededDecimal(known, "total_notional_position"),
    totalRawUsd: neededDecimal(known, "total_raw_usd"),
    maintenanceMargin: neededDecimal(known, "maintenance_margin"),
    actualLeverage: decimal(known, "actual_leverage"),
    marginUsagePct: decimal(known, "margin_usage_pct"),
    freeMargin: decimal(known, "free_margin"),
    marginLevel: decimal(known, "margin_level"),
    liquidationBufferPct: decimal(known, "liquidation_buffer_pct"),
    totalPositions: positions,
    totalUnrealizedPnl: neededDecimal(known, "total_unrealized_pnl"),
    healthScore: null,
    healthStatus: "unknown",
    healthReason: TAKEN_OVER,
    accountMode: word(row, "account_mode") ?? "unknown",
    accountValueReason: accountValue === null ? TAKEN_OVER : null,
    netWorth: null,
    netWorthReason: TAKEN_OVER,
    raw,
    source: "legacy",
  };
}

const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);
