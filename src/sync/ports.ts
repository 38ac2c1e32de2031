/**
 * The ports that `sync` needs and that `connection` and `store` implement. Nothing here does anything.
 */
import type { Channel, Reading, Subscription } from "../protocol/channels.ts";
import type { InfoRequest } from "../protocol/infoRequests.ts";
import type { Decimal } from "../runtime/decimal.ts";
import type {
  Address,
  Applied,
  BalanceRow,
  Batch,
  CoverageRow,
  DashboardRow,
  FillRow,
  FundingRow,
  LedgerRow,
  OrderEventRow,
  OrderStatus,
  PositionRow,
  StatePart,
  TrackedStream,
} from "./rows.ts";
import type { RowOf, TableName } from "./tables.ts";

/** What the engine must know of an account to go on where it, or another process, stopped. */
export interface AccountState {
  /** Start of the wanted history, or null when the account is new. */
  sinceMs: number | null;
  /** As in `FollowedAs`. */
  doubtedMs: number | null;
  coverage: CoverageRow[];
  /** Orders not known to be terminal, nor forgotten by the venue. */
  openOrders: { orderId: number; coin: string; status: OrderStatus; placedAtMs: number }[];
  /** Flat ones too. */
  positions: PositionRow[];
}

/**
 * The database as `sync` sees it. Every method rejects with `StoreError`, `transient` when trying again can help.
 */
export interface Store {
  /** Registers the account (idempotent; `sinceMs` only ever moves earlier) and reads its state. */
  openAccount(account: Address, alias: string | null, sinceMs: number | null): Promise<AccountState>;
  /** How the account is followed from now on: read over REST this often, or streamed, or not followed (null). */
  noteFollowed(account: Address, pollMs: number | null): Promise<void>;
  /** The history that is wanted since then was read whole, up to the present of that reading. */
  noteRead(account: Address, sinceMs: number): Promise<void>;
  /** Writes all of it or nothing, as joins, with coverage and outbox rows in the same transaction. */
  apply(batch: Batch): Promise<Applied>;
  /** Of one stream, or of all. */
  coverage(account: Address, stream?: TrackedStream): Promise<CoverageRow[]>;
  /** Stored fills with a time after `timeMs`: TWAP slices, or all others. */
  countFillsAfter(account: Address, timeMs: number, twap: boolean): Promise<number>;
  /** Stored rows in [fromMs, toMs], for verification; ordered by time. */
  fills(account: Address, fromMs: number, toMs: number): Promise<StoredFill[]>;
  funding(account: Address, fromMs: number, toMs: number): Promise<FundingRow[]>;
  ledger(account: Address, fromMs: number, toMs: number): Promise<StoredLedger[]>;
  orderEvents(account: Address, orderIds: number[]): Promise<OrderEventRow[]>;
  orders(account: Address): Promise<StoredOrder[]>;
  /** Withdraws the claims over what is in doubt, so that it is read again, and makes rows that differ lose to that. */
  doubt(account: Address, doubts: readonly Doubt[]): Promise<void>;
  /**
   * Orders that filled in [fromMs, toMs] and of which no transition is stored: the highest ids below `belowId`,
   * descending, at most `limit`.
   */
  ordersKnownByFills(
    account: Address,
    fromMs: number,
    toMs: number,
    belowId: number,
    limit: number,
  ): Promise<number[]>;
  /** How the account was last followed; all null when it is not known. */
  followedAs(account: Address): Promise<FollowedAs>;
  /** Time of the newest stored row of a described table that has one; null without rows. */
  latestMs(table: TableName, account: Address): Promise<number | null>;
  /** All stored rows of a table of versions. */
  versions<T extends TableName>(table: T, account: Address): Promise<RowOf<T>[]>;
  positions(account: Address): Promise<PositionRow[]>;
  balances(account: Address): Promise<BalanceRow[]>;
  /** The newest state of each perp dex and of spot that was stored. */
  states(account: Address): Promise<StoredState[]>;
  /** Messages of the account that could not be understood, the newest first, at most `limit`. */
  quarantineOf(account: Address, limit: number): Promise<QuarantinedMessage[]>;
  latestDashboard(account: Address): Promise<DashboardRow | null>;
  /** What changed the perp equity between the first and the last snapshot; null without two of a standard account. */
  moneyTie(account: Address): Promise<MoneyTie | null>;
  /** Percent below the highest net worth since `sinceMs`, flows taken out; null when that is not known. */
  drawdownPct(account: Address, sinceMs: number): Promise<Decimal | null>;
}

/** What only the database derives: the block that the hash names, null where it names none. */
interface Derived {
  blockNumber: number | null;
}
export type StoredFill = FillRow & Derived;
export type StoredLedger = LedgerRow & Derived;

export interface FollowedAs {
  /** Start of the wanted history; null while nothing is wanted. */
  sinceMs: number | null;
  /** Start of the history that was once read whole; null before the first reading came to its end. */
  readSinceMs: number | null;
  /** How often it is read over REST; null while it is streamed. */
  pollMs: number | null;
  /** When a part without coverage was last doubted; null before the first doubt. It changes with each. */
  doubtedMs: number | null;
}

export interface StoredState extends StatePart {
  asOfMs: number;
  /** When it was received. */
  readAtMs: number;
}

export interface QuarantinedMessage {
  subject: string;
  reason: string;
  raw: string;
  /** Messages of the account with this subject, also those beyond the limit. */
  ofSubject: number;
}

/** Something stored that is not as the venue says. */
export interface Doubt {
  /** Null where no history is in question. */
  stream: TrackedStream | null;
  /** The time in question, both ends inclusive. Of a state: the venue's time, from which on the next state counts. */
  fromMs: number;
  toMs: number;
  /** The row that differs; null where rows are missing. Keys as `verify` names them. */
  table:
    | ("hl_fills" | "hl_funding" | "hl_ledger" | "hl_orders" | "hl_positions" | "hl_balances")
    | ("hl_portfolio" | "hl_twaps" | "hl_staking_rewards" | "hl_lending_interest" | "hl_account_facts")
    | null;
  row: string | null;
}

/** An account that the database says is to be followed. */
export interface RosterEntry {
  address: Address;
  alias: string | null;
  /** `poll`: not to be streamed, even where there is room. */
  wish: "stream" | "poll";
  /** Start of the wanted history; null for all that the venue serves. */
  sinceMs: number | null;
  paused: boolean;
  /** Its sub-accounts and the vaults that it leads are followed with it. */
  withSubs?: boolean;
}

export interface Roster {
  /** All entries; null when they are as they were at the last answer. Rejects with `StoreError`. */
  changed(): Promise<RosterEntry[] | null>;
}

/** A lease as it stood when it was asked for. */
export interface LeaseState {
  name: string;
  /** Grows with every change of holder; null while another holds it. */
  token: number | null;
  /** The holder now. */
  holder: string | null;
}

/** What an egress may use of the venue's limits is shared by the processes behind it; this is one's part now. */
export interface EgressShare {
  /** Connections to the venue. */
  slots: number;
  /** REST weight a minute. */
  weight: number;
  /** New connections a minute. */
  dials: number;
  subscriptions: number;
  /** Processes behind the egress, this one included. */
  workers: number;
}

export interface Attended {
  /** Duties that are ours; one that is given away is to be left. Wanted or not. */
  held: { duty: string; token: number; isGiven: boolean }[];
  /** Who has those of `wants` that another has. */
  others: ReadonlyMap<string, string>;
  /** Null where nothing is shared. */
  share: EgressShare | null;
  /** Processes that are alive, this one included, behind whatever egress. */
  present: number;
  /** The database lacks what we committed: it went back in time. */
  wentBack: boolean;
}

/** The processes that share a database, as one of them sees it. All reject with `StoreError`. */
export interface Fleet {
  /** This process, unique to its start. */
  readonly name: string;
  /**
   * Says that we live for `ttlMs` more, and hears what is ours: our part of the roster's accounts and of `wants`. After an
   * outage no process is called dead for `backMs`. `streams`: connections to the venue that are open, `subscribed`: subscriptions.
   */
  attend(told: {
    wants: readonly string[];
    streams: number;
    subscribed: number;
    ttlMs: number;
    backMs: number;
  }): Promise<Attended>;
  /** What was ours is left. */
  giveBack(duties: readonly string[]): Promise<void>;
  /** The process ends. */
  dismiss(): Promise<void>;
}

/** Leases by the clock of the database. Both reject with `StoreError`. */
export interface Leases {
  /** Takes or renews each lease that is free or ours, for `ttlMs` from now, in one round trip. */
  takeLeases(names: readonly string[], holder: string, ttlMs: number): Promise<LeaseState[]>;
  /** Gives back those that we hold, so that another need not wait for their end. */
  releaseLeases(names: readonly string[], holder: string): Promise<void>;
}

/**
 * Equity change of a standard account, all in USDC, over (fromMs, toMs]. What fills, funding, transfers and marks explain
 * is listed; `residual` is the rest: dust when nothing is missing.
 */
export interface MoneyTie {
  fromMs: number;
  toMs: number;
  equityChange: Decimal;
  closedPnl: Decimal;
  fees: Decimal;
  funding: Decimal;
  flows: Decimal;
  unrealizedChange: Decimal;
  residual: Decimal;
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

/**
 * What a request is for, most urgent first. A waiting request always goes before any of a later priority, and the
 * later ones leave a part of the budget free, so that a heal never waits for a backfill.
 */
export type RequestPriority = "heal" | "glance" | "reconcile" | "backfill" | "niceToHave";

export interface InfoOptions {
  priority: RequestPriority;
  /** Aborts the wait for budget, the back-off and the request itself; `request` rejects with its reason. */
  signal?: AbortSignal;
  /** Of one attempt, without the wait for budget. */
  timeoutMs?: number;
}

export interface InfoAnswer<R> {
  result: R;
  /** When the attempt that was answered left. Everything before it is in the answer, if the venue kept its order. */
  sentAtMs: number;
  receivedAtMs: number;
  /** Weight of all attempts. */
  weight: number;
}

/** The venue's clock against ours, measured by the last `exchangeStatus` answer. */
export interface ClockOffset {
  /** Venue minus ours; add it to our time to get the venue's. */
  offsetMs: number;
  /** Half the round trip: the true offset lies within this of `offsetMs`, plus the age of the venue's last block. */
  uncertaintyMs: number;
  measuredAtMs: number;
}

/**
 * `/info` as `sync` sees it. Retries what may pass by itself, a bounded number of times, within the rate limit. Rejects
 * with `RateLimitError` (too many waiting, or still 429), `TransportError` (no usable answer: the truth is *unknown*),
 * `ProtocolError` (refused with 422, or an answer that does not fit; carries it raw), or the signal's reason. A failed
 * query is never an empty list. Rows that could not be read are in the result's `unread`: the caller quarantines them.
 */
export interface VenueInfo {
  request<P, R>(request: InfoRequest<P, R>, params: P, options: InfoOptions): Promise<InfoAnswer<R>>;
  /** Null until an `exchangeStatus` was answered. */
  clockOffset(): ClockOffset | null;
  /**
   * Keeps so much weight a minute free for heals that will come, up to a bound; other priorities go slower meanwhile.
   * The answer gives it back; later calls of it change nothing.
   */
  reserve(weight: number): () => void;
}

/**
 * What one stream (one socket at a time, reconnected without end) tells its reader, in the order it happened. Nothing is
 * buffered: a call is made while the frame is being read, so a handler must be quick and must not throw.
 */
export interface StreamHandler {
  /** A data frame of `length` characters. `reading.unread` holds rows that did not fit: the reader quarantines them. */
  onMessage(
    reading: Reading,
    channel: Channel,
    subscription: Subscription,
    receivedAtMs: number,
    length: number,
  ): void;
  /** One subscription is confirmed on this socket: what happens from now on is streamed. May come after its data. */
  onConfirmed(subscription: Subscription, atMs: number): void;
  /** Every wanted subscription is confirmed (or refused for good): time to close the gap. Once per socket. */
  onConnected(atMs: number): void;
  /**
   * The socket is gone; a new one is on its way. Called once per socket that had opened. What was streamed ends at
   * `lastReceivedMs` (the last frame of any kind), not at `atMs`, when it was noticed.
   */
  onDisconnected(atMs: number, why: string, lastReceivedMs: number): void;
  /**
   * The venue refuses the subscription: it will deliver nothing. `permanent` when the type itself is unknown to the
   * venue (then never asked again), else told once and asked again every minute.
   */
  onRefused(subscription: Subscription, text: string, permanent: boolean, atMs: number): void;
  /** No room for more users or subscriptions of this address; told once, asked again every minute. Poll meanwhile. */
  onLimited(subscription: Subscription, text: string, atMs: number): void;
  /** No data for longer than the channel's cadence allows. */
  onStale(subscription: Subscription, ageMs: number, atMs: number): void;
  onFresh(subscription: Subscription, atMs: number): void;
  /** A frame that could not be understood or is not ours (another account's). `raw` is cut at 64 kB. */
  onQuarantine(subject: string, reason: string, raw: string, atMs: number): void;
}

export type StreamState = "waiting" | "connecting" | "subscribing" | "live" | "stopped";

export interface SubscriptionStatus {
  subscription: Subscription;
  state: "queued" | "sent" | "confirmed" | "refused" | "limited" | "leaving";
  /** Of the last data frame, on any socket; null before the first. */
  lastDataMs: number | null;
  stale: boolean;
}

export interface StreamStatus {
  state: StreamState;
  /** When all subscriptions of the present socket were confirmed; null while it is not live. */
  connectedSinceMs: number | null;
  /** Sockets after the first. */
  reconnects: number;
  /** Last frame of any kind, on any socket; null before the first. */
  lastReceivedMs: number | null;
  /** Why the last socket ended; null before that. */
  lastEnd: string | null;
  /** When the next attempt starts, while `waiting`. */
  nextAttemptMs: number | null;
  /** Last ping to pong on the present socket. */
  roundTripMs: number | null;
  subscriptions: SubscriptionStatus[];
}

/** One stream. `subscribe` and `unsubscribe` change what is wanted, at any time; both are idempotent. */
export interface Stream {
  subscribe(subscription: Subscription): void;
  unsubscribe(subscription: Subscription): void;
  status(): StreamStatus;
  /** Closes the socket and reports nothing more. */
  stop(): Promise<void>;
}

/** Opens a stream at once: nothing is reported before this returns. */
export type OpenStream = (subscriptions: readonly Subscription[], handler: StreamHandler) => Stream;
