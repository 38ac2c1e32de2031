/**
 * The ports that `sync` needs and that `connection` and `store` implement. Nothing here does anything.
 */
import type { Decimal } from "../runtime/decimal.ts";
import type {
  Address,
  Applied,
  Batch,
  CoverageRow,
  DashboardRow,
  FillRow,
  FundingRow,
  LedgerRow,
  OrderEventRow,
  OrderStatus,
  PositionRow,
  TrackedStream,
} from "./events.ts";

/** What the engine must know of an account to go on where it, or another process, stopped. */
export interface AccountState {
  /** Start of the wanted history, or null when the account is new. */
  sinceMs: number | null;
  coverage: CoverageRow[];
  /** Last link of each perp coin's chain: the newest fill, with its size. */
  chainEnds: { coin: string; timeMs: number; endPosition: Decimal }[];
  /** Orders not known to be terminal. */
  openOrders: { orderId: number; coin: string; status: OrderStatus; placedAtMs: number }[];
  positions: { dex: string; coin: string; szi: Decimal; asOfMs: number }[];
}

/**
 * The database as `sync` sees it. Every method rejects with `StoreError`, `transient` when trying again can help.
 */
export interface Store {
  /** Registers the account (idempotent; `sinceMs` only ever moves earlier) and reads its state. */
  openAccount(account: Address, alias: string | null, sinceMs: number | null): Promise<AccountState>;
  /** Writes all of it or nothing, as joins, with coverage and outbox rows in the same transaction. */
  apply(batch: Batch): Promise<Applied>;
  coverage(account: Address, stream: TrackedStream): Promise<CoverageRow[]>;
  /** Stored rows in [fromMs, toMs], for verification; ordered by time. */
  fills(account: Address, fromMs: number, toMs: number): Promise<FillRow[]>;
  funding(account: Address, fromMs: number, toMs: number): Promise<FundingRow[]>;
  ledger(account: Address, fromMs: number, toMs: number): Promise<LedgerRow[]>;
  orderEvents(account: Address, orderIds: number[]): Promise<OrderEventRow[]>;
  orders(account: Address): Promise<StoredOrder[]>;
  positions(account: Address): Promise<PositionRow[]>;
  latestDashboard(account: Address): Promise<DashboardRow | null>;
}

export interface StoredOrder {
  account: Address;
  orderId: number;
  coin: string;
  status: OrderStatus;
  venueStatus: string;
  size: Decimal;
  filled: Decimal;
  statusTimeMs: number;
  placedAtMs: number;
}
