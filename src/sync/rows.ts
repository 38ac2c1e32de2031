/**
 * What the venue told us, in our words: one type per table row, made by `normalize` from any source and merged by
 * `store` as joins. Guarantees of every record: decimals are strings exactly as the venue wrote them; times are Unix
 * milliseconds; addresses are lower-case; `raw` is the venue's object untouched. Fields the venue did not send are
 * null, never guessed.
 */
import type { Decimal } from "../runtime/decimal.ts";
import type { RowOf, TableName } from "./tables.ts";

/** `0x` and 40 lower-case hex digits. */
export type Address = string;
export type Side = "buy" | "sell";

/**
 * Where a record came from. The first sighting is kept; ties go to the alphabetically first. `node`: a file
 * of a venue's node. `legacy`: an older program's table or a file, not the venue.
 */
export type Source = "stream" | "snapshot" | "backfill" | "reconcile" | "repair" | "poll" | "node" | "legacy";

/** Streams whose completeness is tracked: each is a history that the venue serves by time or by count. */
export const TRACKED_STREAMS = ["fills", "twapFills", "orders", "funding", "ledger"] as const;
export type TrackedStream = (typeof TRACKED_STREAMS)[number];

/** One fill. Identity: (account, coin, timeMs, orderId, tradeId, side). */
export interface FillRow {
  account: Address;
  coin: string;
  timeMs: number;
  side: Side;
  size: Decimal;
  price: Decimal;
  /** price × size, exact. */
  value: Decimal;
  /** Signed: negative is a rebate. Contains the builder fee. In `feeToken`. */
  fee: Decimal;
  feeToken: string | null;
  /** Signed position (perp) or token balance (spot) before this fill, verbatim; null where the older program lost it. */
  startPosition: string | null;
  /** Gross of fees. */
  closedPnl: Decimal;
  direction: string;
  orderId: number;
  /** The venue's `tid`; rows of 2023 have none and get a negative number hashed from their content. */
  tradeId: number;
  hash: string | null;
  /** Null as `startPosition`. */
  crossed: boolean | null;
  cloid: string | null;
  builderFee: Decimal | null;
  twapId: number | null;
  liquidation: unknown;
  raw: unknown;
  source: Source;
  seenAtMs: number;
}

export type OrderStatus =
  | "open"
  | "partially_filled"
  | "triggered"
  | "filled"
  | "canceled"
  | "rejected"
  | "unknown";

/**
 * One transition of one order, or the sighting of it in a list of open orders (then `venueStatus` is `open` at the
 * placement time). Identity: (account, orderId, statusTimeMs, venueStatus). `hl_orders` is a pure function of the
 * set of these and of the fills.
 */
export interface OrderEventRow {
  account: Address;
  orderId: number;
  venueStatus: string;
  statusTimeMs: number;
  coin: string;
  side: Side;
  limitPrice: Decimal;
  /** Original size. */
  size: Decimal;
  /** Size not yet filled at this transition, as far as this row knows. */
  remaining: Decimal;
  placedAtMs: number;
  /** The four below are null where the source does not tell (orderUpdates frames). */
  orderType: string | null;
  tif: string | null;
  triggerPrice: Decimal | null;
  reduceOnly: boolean | null;
  cloid: string | null;
  raw: unknown;
  source: Source;
  seenAtMs: number;
}

/** Current state of one position. Newest `asOfMs` wins, ties by content. A flat row has size 0. */
export interface PositionRow {
  account: Address;
  /** "" is the first perp dex. */
  dex: string;
  coin: string;
  /** Signed. */
  szi: Decimal;
  entryPrice: Decimal | null;
  markPrice: Decimal | null;
  liquidationPrice: Decimal | null;
  positionValue: Decimal;
  marginUsed: Decimal;
  unrealizedPnl: Decimal;
  returnOnEquity: Decimal | null;
  leverageType: string | null;
  leverageValue: number | null;
  maxLeverage: number | null;
  /** |mark − liquidation| / mark × 100, truncated at 6 decimals. */
  liquidationDistancePct: Decimal | null;
  /** The venue's sign: positive was paid by the user. */
  fundingSinceOpen: Decimal | null;
  fundingAllTime: Decimal | null;
  raw: unknown;
  /** The venue's `time` of the state. */
  asOfMs: number;
}

/** Which state: of a perp dex ("" is the first one), or of spot. */
export interface StatePart {
  kind: "perp" | "spot";
  dex: string;
}

/**
 * A state that was read, and what it holds: a position or balance of ours that it lacks vanished (ADR 0005). `coins` is
 * null when the list was not read whole, so that absence from it proves nothing.
 */
export interface StateRow extends StatePart {
  account: Address;
  coins: string[] | null;
  /** The venue's `time` of the state; spot states carry none, and have the time of receipt. */
  asOfMs: number;
  receivedAtMs: number;
}

export interface BalanceRow {
  account: Address;
  coin: string;
  token: number | null;
  total: Decimal;
  hold: Decimal;
  entryNotional: Decimal;
  raw: unknown;
  asOfMs: number;
}

/** One funding payment. Identity: (account, coin, timeMs). */
export interface FundingRow {
  account: Address;
  coin: string;
  timeMs: number;
  /** Signed: negative was paid. */
  usdc: Decimal;
  /** Signed position at the time. */
  size: Decimal;
  fundingRate: Decimal;
  samples: number | null;
  raw: unknown;
  source: Source;
  seenAtMs: number;
}

/** One ledger update. Identity: (account, timeMs, hash, type, digest of the delta): several may share a time and hash. */
export interface LedgerRow {
  account: Address;
  timeMs: number;
  hash: string;
  type: string;
  token: string | null;
  amount: Decimal | null;
  /** 16 hex digits over the canonical delta. */
  digest: string;
  raw: unknown;
  source: Source;
  seenAtMs: number;
}

/** One account snapshot. Identity: (account, asOfMs). */
export interface DashboardRow {
  account: Address;
  asOfMs: number;
  /** Margin equity by mode; null when a part of it is not known. */
  accountValue: Decimal | null;
  withdrawable: Decimal;
  totalMarginUsed: Decimal;
  totalNotionalPosition: Decimal;
  totalRawUsd: Decimal;
  maintenanceMargin: Decimal;
  actualLeverage: Decimal | null;
  marginUsagePct: Decimal | null;
  freeMargin: Decimal | null;
  marginLevel: Decimal | null;
  liquidationBufferPct: Decimal | null;
  totalPositions: number;
  totalUnrealizedPnl: Decimal;
  healthScore: number | null;
  healthStatus: string;
  healthReason: string | null;
  /** `HealthComponents` of `healthScore.ts`. */
  healthComponents?: unknown;
  accountMode: string;
  /** Why the equity is null. */
  accountValueReason: string | null;
  /** All that the account owns (docs/equity.md); null when a part of it or a price is not known. */
  netWorth: Decimal | null;
  netWorthReason: string | null;
  /** `NetWorthParts` of `netWorth.ts`. */
  netWorthParts?: unknown;
  raw: unknown;
  /** Only of a snapshot that hlsync did not take itself. */
  source?: "legacy";
}

/** Opt-in market data. */
export interface TradeRow {
  coin: string;
  timeMs: number;
  tradeId: number;
  /** The aggressor's side. */
  side: Side;
  price: Decimal;
  size: Decimal;
  hash: string | null;
  raw: unknown;
}
export interface CandleRow {
  coin: string;
  interval: string;
  openTimeMs: number;
  closeTimeMs: number;
  open: Decimal;
  high: Decimal;
  low: Decimal;
  close: Decimal;
  volume: Decimal;
  trades: number;
  /** When we saw it; the bucket is re-sent while it forms, the greatest trade count wins. */
  asOfMs: number;
}
export interface MidRow {
  dex: string;
  coin: string;
  mid: Decimal;
  asOfMs: number;
}
export interface BookRow {
  coin: string;
  asOfMs: number;
  /** Best first, at most 20 a side. */
  bids: BookLevel[];
  asks: BookLevel[];
}
export type BookLevel = [price: Decimal, size: Decimal, orders: number | null];
export interface AssetCtxRow {
  coin: string;
  asOfMs: number;
  markPrice: Decimal | null;
  midPrice: Decimal | null;
  oraclePrice: Decimal | null;
  fundingRate: Decimal | null;
  openInterest: Decimal | null;
  dayNotionalVolume: Decimal | null;
  previousDayPrice: Decimal | null;
  raw: unknown;
}

export type CoverageGrade = "streamed" | "proven" | "unprovable";

/** A closed interval [fromMs, toMs] of one account's stream. `unprovable` carries its reason. */
export interface CoverageRow {
  account: Address;
  stream: TrackedStream;
  grade: CoverageGrade;
  fromMs: number;
  toMs: number;
  reason: string | null;
}

/** Something the venue sent that could not be understood; kept raw, counted, replayable. */
export interface QuarantineRow {
  account: Address | null;
  subject: string;
  reason: string;
  raw: string;
  seenAtMs: number;
  /** Messages that one row stands for; 1 where it is absent. */
  count?: number;
}

/** A difference found between our rows and the venue, and what became of it. */
export interface DriftRow {
  account: Address;
  stream: string;
  cause: string;
  detail: unknown;
  foundAtMs: number;
  repairedAtMs: number | null;
}

/** Everything one transaction writes. Empty lists may be left out. */
export interface Batch extends Partial<{ [T in TableName]: RowOf<T>[] }> {
  fills?: FillRow[];
  orderEvents?: OrderEventRow[];
  positions?: PositionRow[];
  balances?: BalanceRow[];
  states?: StateRow[];
  funding?: FundingRow[];
  ledger?: LedgerRow[];
  dashboard?: DashboardRow[];
  coverage?: CoverageRow[];
  drift?: DriftRow[];
  quarantine?: QuarantineRow[];
  trades?: TradeRow[];
  candles?: CandleRow[];
  mids?: MidRow[];
  books?: BookRow[];
  assetCtxs?: AssetCtxRow[];
}

/**
 * One committed change, in the order of the outbox: `id` is the outbox sequence, `key` the identity of the event
 * (the same however often and by whatever source the row arrives), `data` the row in snake case with decimals as strings.
 */
export interface ChangeEvent {
  /** Place in the outbox; null for history that a reading back found, which is not put there. */
  id: string | null;
  key: string;
  type: ChangeType;
  account: Address | null;
  timeMs: number;
  source: Source;
  data: Record<string, unknown>;
}
export const CHANGE_TYPES = [
  "fill.created",
  "order.updated",
  "position.updated",
  "funding.created",
  "ledger.created",
  "drift.found",
] as const;
type ChangeType = (typeof CHANGE_TYPES)[number];

/** What a commit did: events of changed rows, and how many rows were new, changed or already there, by table. */
export interface Applied {
  events: ChangeEvent[];
  /** Rows inserted or changed, by table. */
  written: Record<string, number>;
  /** Rows that were already there, by table: duplicates of another source. */
  known: Record<string, number>;
  /** The claims as they were written, where a refused row made them less than those of the batch. */
  coverage?: CoverageRow[];
  /** When rows happened that the database refused: no later claim may contain that time either. */
  refused?: { stream: TrackedStream; timeMs: number }[];
  /** States that lacked something for the first time: a second one settles it. */
  lacking?: StatePart[];
}
