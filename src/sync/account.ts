/**
 * One account followed: what is known of it, and every way of learning more that goes over REST. `lane` adds the
 * stream; polling uses this alone.
 *
 * Guarantees: `catchUp` closes the gap that reaches the present in every stream, reads the states of the dexes in use,
 * and resolves every order we hold open that the venue does not; `backfill` closes the older gaps. Each part commits
 * what it learned by itself, so that an interruption loses nothing. A part that fails is *unknown*: it throws after
 * the other parts had their turn, and its gap stays a gap.
 */

import { ProtocolError } from "../errors.ts";
import type { Read } from "../protocol/decode.ts";
import { INFO } from "../protocol/infoRequests.ts";
import { HORIZON } from "../protocol/limits.ts";
import type { WireClearinghouseState, WireSpotState } from "../protocol/schemas.ts";
import type { Clock } from "../runtime/clock.ts";
import { isZero } from "../runtime/decimal.ts";
import type { Log } from "../runtime/log.ts";
import {
  claimsOf,
  quarantineRows,
  readWindow,
  toldTimesMs,
  WINDOW_STREAMS,
  type WindowReading,
  type WindowStream,
} from "./backfill.ts";
import { type Interval, intersect, subtract, union } from "./coverage.ts";
import { type AccountMode, accountMode } from "./dashboard.ts";
import type {
  Address,
  Applied,
  Batch,
  CoverageGrade,
  CoverageRow,
  DashboardRow,
  OrderEventRow,
  PositionRow,
  Source,
  TrackedStream,
} from "./events.ts";
import { TRACKED_STREAMS } from "./events.ts";
import { HealthWatch, type WatchedStates } from "./healthWatch.ts";
import {
  balanceRows,
  FORGOTTEN,
  flatPositionRow,
  openOrderRows,
  orderEventRow,
  positionRows,
  unknownOrderRow,
} from "./normalize.ts";
import type { RequestPriority, Store, VenueInfo } from "./ports.ts";
import { dexOfCoin, SelfCheck, type Suspicion } from "./selfCheck.ts";
import { SnapshotPace } from "./snapshotPace.ts";

import type { Volatilities } from "./volatility.ts";

/** Limits and margins of following one account; all overridable for tests. */
export const ACCOUNT_DEFAULTS = {
  /** REST may answer this much behind the stream (no figure is published): younger time is never claimed as proven. */
  restLagMs: 2_000,
  /** Reconciling repeats this much of what was proven before; healing and polling, which cost when it is busy, this much. */
  overlapMs: 60_000,
  quickOverlapMs: 10_000,
  /** A gap longer than this is closed from its young end first; the rest is backfill. */
  foregroundMs: 3_600_000,
  /** A lost message is suspected when a contradiction lives this long. */
  graceMs: 2_500,
  /** Between two account snapshots in `hl_dashboard`; the shorter ones after a fill and when risk has moved. */
  dashboardMs: 60_000,
  dashboardAfterFillMs: 5_000,
  dashboardRiskMs: 3_000,
} as const;
export type AccountOptions = { [K in keyof typeof ACCOUNT_DEFAULTS]: number };

/** How far past the present a window reads, so that a venue clock ahead of ours hides nothing. */
const READ_AHEAD_MS = 3_600_000;
/** Every so many catch-ups, the first included, all dexes are read, not only those in use, with the long overlap. */
const THOROUGH_EVERY = 12;
/** A heal takes the venue's time as told this lately, instead of asking for it first. */
const TIME_FRESH_MS = 1_000;
/** A catch-up waits this long for what the health score lacks. */
const HEALTH_WAIT_MS = 3_000;
/** Orders resolved one by one in one catch-up; more than these are left to the next. */
const RESOLVE_ORDERS_MAX = 100;
/** What reading the fills after an outage may cost at once: the venue's time, two full pages, and one of TWAP slices. */
const HEAL_WEIGHT = 362;
/** Liquidations and dust have order ids that the venue never knew; so many in a row are older than what it keeps. */
const FORGOTTEN_IN_A_ROW = 25;

/** Commits a batch for good: retries while the database is away, so it rejects only on abort or on a bug. */
export type Commit = (batch: Batch, receivedAtMs: number) => Promise<Applied>;

export interface AccountDeps {
  account: Address;
  alias: string | null;
  info: VenueInfo;
  store: Store;
  commit: Commit;
  clock: Clock;
  log: Log;
  /** All perp dexes of the venue, "" first. */
  dexes: readonly string[];
  /** Shared by all accounts. */
  volatilities: Volatilities;
  options: AccountOptions;
  /** Start of the wanted history; null for all that the venue serves. */
  sinceMs: number | null;
  onProgress?: (progress: Progress) => void;
}

/** Where a window reading stands, for people. */
export interface Progress {
  account: Address;
  stream: TrackedStream;
  fromMs: number;
  toMs: number;
  rows: number;
}

export interface ReadOptions {
  priority: RequestPriority;
  source: Source;
  signal: AbortSignal;
}

export class Account {
  readonly address: Address;
  readonly #deps: AccountDeps;
  readonly check: SelfCheck;
  readonly #health: HealthWatch;
  #sinceMs = 0;
  #coverage = new Map<TrackedStream, Record<CoverageGrade, Interval[]>>();
  #states = new Map<string, WireClearinghouseState>();
  #spot: WireSpotState | null = null;
  #abstraction: string | null = null;
  /** Open positions as last written: key `dex coin`. */
  #positions = new Map<string, PositionRow>();
  /** Positions that one state lacked: they close when a later state lacks them too, or when the fills say flat. */
  #vanished = new Map<string, number>();
  /** Remaining size of each open order as last written. */
  #remaining = new Map<number, string>();
  #usedDexes = new Set<string>([""]);
  #catchUps = 0;
  #askedUnlisted: Interval[] = [];
  #fillHeals = 0;
  readonly #pace: SnapshotPace;
  /** Something that risk rests on came since it was last looked at. */
  #riskUnseen = false;
  /** All dexes and the spot state were read once, and the mode is known: before that a snapshot would lack money. */
  #statesKnown = false;
  #snapshotWasStale = false;
  /** As last listed, by dex. */
  #openOrders = new Map<string, OrderEventRow[]>();
  /** Of the last catch-up: ends what is read for the health score in the background. */
  #signal: AbortSignal | null = null;
  #venueTimeMs = 0;
  /** The self-check knows from when on. */
  #isChecking = false;
  /** When, by our clock, the venue last told it. */
  #venueTimeHeardMs = Number.NEGATIVE_INFINITY;
  /** Gives back the weight kept for the next heal; null while none is expected. */
  #release: (() => void) | null = null;

  constructor(deps: AccountDeps) {
    this.#deps = deps;
    this.address = deps.account;
    this.check = new SelfCheck(deps.options.graceMs);
    this.#health = new HealthWatch(deps);
    this.#pace = new SnapshotPace(deps.options);
  }

  get mode(): AccountMode {
    return accountMode(this.#abstraction, this.#spot);
  }

  /** Reads what the database knows. To be called once, first. */
  async open(): Promise<void> {
    const { store, account, alias, sinceMs, clock } = this.#deps;
    // Null would leave open what is wanted: 0 is all of it.
    const state = await store.openAccount(account, alias, sinceMs ?? 0);
    this.#sinceMs = state.sinceMs ?? 0;
    for (const row of state.coverage) this.#noteCoverage(row);
    const provenToMs = ["fills" as const, "twapFills" as const].map(
      (stream) => this.known(stream, "proven").at(-1)?.toMs ?? 0,
    );
    this.#checkAfter(Math.min(...provenToMs));
    for (const order of state.openOrders) {
      this.check.noteOpenOrder(order.orderId, order.coin, clock.now());
      this.#usedDexes.add(dexOfCoin(order.coin));
    }
    for (const position of state.positions) {
      this.#usedDexes.add(position.dex);
      // What was open when the last process ended may be closed by now: then a state lacks it.
      if (!isZero(position.szi)) this.#positions.set(`${position.dex} ${position.coin}`, position);
    }
  }

  /**
   * Reads again what is known: `verify` in another process may have withdrawn a part (ADR 0007). What is committed
   * meanwhile may be forgotten by this, and is then read once more.
   */
  async #recall(): Promise<void> {
    const { store, account } = this.#deps;
    const coverage = await Promise.all(TRACKED_STREAMS.map((stream) => store.coverage(account, stream)));
    this.#coverage.clear();
    for (const row of coverage.flat()) this.#noteCoverage(row);
  }

  /**
   * The newest time that the venue itself has stamped, 0 before the first. What is claimed as known never goes beyond
   * it: our own clock may be wrong, or jump.
   */
  get venueTimeMs(): number {
    return this.#venueTimeMs;
  }

  /** Where nothing is proven yet, what happened before the venue first told the time is read as history. */
  #checkAfter(knownToMs: number): void {
    if (this.#isChecking || knownToMs <= 0) return;
    this.#isChecking = true;
    this.check.beginAfter(knownToMs, this.#deps.clock.now());
  }

  #noteVenueTime(venueMs: number): void {
    this.#checkAfter(venueMs);
    this.#venueTimeMs = Math.max(this.#venueTimeMs, venueMs);
    this.#venueTimeHeardMs = this.#deps.clock.now();
  }

  async #askTime({ priority, signal }: ReadOptions): Promise<void> {
    const status = await this.#deps.info.request(INFO.exchangeStatus, {}, { priority, signal });
    this.#noteVenueTime(status.result.value.time);
  }

  /** Proven and unprovable intervals of a stream, as committed. */
  known(stream: TrackedStream, grade: CoverageGrade): Interval[] {
    return this.#coverage.get(stream)?.[grade] ?? [];
  }

  /** What is wanted and neither proven nor known to be unprovable, oldest first, up to now. */
  gaps(stream: TrackedStream): Interval[] {
    const wanted = { fromMs: this.#sinceMs, toMs: this.#venueTimeMs - this.#deps.options.restLagMs };
    if (wanted.fromMs > wanted.toMs) return [];
    return subtract([wanted], union(this.known(stream, "proven"), this.known(stream, "unprovable")));
  }

  /** The stream is away: when it is back, its fills must not wait for what other accounts still ask. */
  expectHeal(): void {
    this.#release ??= this.#deps.info.reserve(HEAL_WEIGHT);
  }

  /** No heal will come, or it has its fills. */
  endHeal(): void {
    this.#release?.();
    this.#release = null;
  }

  /**
   * Closes the gap that reaches the present, in every stream, and brings the states up to date. When many accounts heal
   * at once, the fills of all of them go before anything else of any of them. `onRead` hears of each stream when it was read.
   */
  async catchUp(options: ReadOptions, onRead: (stream: WindowStream) => void = () => {}): Promise<void> {
    const { priority, signal } = options;
    // A new connection begins with states, which tell the time: then the fills are there one round trip earlier.
    const heardMs = this.#deps.clock.now() - this.#venueTimeHeardMs;
    if (priority !== "heal" || heardMs < 0 || heardMs > TIME_FRESH_MS) await this.#askTime(options);
    if (priority !== "heal") await this.#recall();
    this.#signal = signal;
    const isThorough = this.#catchUps++ % THOROUGH_EVERY === 0;
    const dexes = this.#deps.dexes.filter((dex) => isThorough || this.#usedDexes.has(dex));
    const { overlapMs, quickOverlapMs } = this.#deps.options;
    const overlap = isThorough || options.source === "reconcile" ? overlapMs : quickOverlapMs;
    const later: ReadOptions = { ...options, priority: priority === "heal" ? "reconcile" : priority };
    const orders = this.#readOrders(dexes, later);
    const read = (stream: WindowStream, as: ReadOptions) =>
      this.#readPresent(stream, as, overlap).then(() => onRead(stream));
    const fills = allOf([read("fills", options), read("twapFills", options)]);
    await allOf([
      fills.then(() => priority === "heal" && this.endHeal()),
      read("funding", later),
      read("ledger", later),
      orders,
      this.#readStates(dexes, orders, later),
    ]);
  }

  /** Proves what the reading of these streams a moment ago could not yet claim. */
  async confirm(streams: readonly WindowStream[], options: ReadOptions): Promise<void> {
    await this.#askTime(options);
    await allOf(streams.map((stream) => this.#readPresent(stream, options, 0)));
  }

  /** Whether history is missing that the next catch-up will not read by itself. */
  hasOldGaps(): boolean {
    return (
      WINDOW_STREAMS.some((stream) => this.#oldGaps(stream).length > 0) || this.#unlistedOrders().length > 0
    );
  }

  /** Closes every gap that catching up leaves, youngest first. */
  async backfill(options: ReadOptions): Promise<void> {
    for (const stream of WINDOW_STREAMS) {
      for (const gap of this.#oldGaps(stream).reverse()) await this.readWindow(stream, gap, options);
    }
    for (const window of this.#unlistedOrders()) await this.#resolveUnlisted(window, options);
  }

  /**
   * Times whose orders the venue no longer lists, and of which it was not yet asked one by one. Only where the fills are
   * complete: they are what such orders are known by.
   */
  #unlistedOrders(): Interval[] {
    const filled = intersect(this.known("fills", "proven"), this.known("twapFills", "proven"));
    return subtract(intersect(this.known("orders", "unprovable"), filled), this.#askedUnlisted);
  }

  /**
   * Of the orders that came and went unseen, those that filled are known by their fills and can be asked for, newest
   * first. The venue keeps orders by count: once it has forgotten many in a row, it has forgotten all that are older.
   */
  async #resolveUnlisted(window: Interval, options: ReadOptions): Promise<void> {
    const { store, account } = this.#deps;
    const { fromMs, toMs } = window;
    let forgotten = 0;
    let belowId = Number.MAX_SAFE_INTEGER;
    while (forgotten < FORGOTTEN_IN_A_ROW) {
      const ids = await store.ordersKnownByFills(account, fromMs, toMs, belowId, RESOLVE_ORDERS_MAX);
      for (const orderId of ids) {
        forgotten = (await this.resolveOrder(orderId, options)) ? 0 : forgotten + 1;
        if (forgotten >= FORGOTTEN_IN_A_ROW) break;
      }
      if (ids.length < RESOLVE_ORDERS_MAX) break;
      belowId = ids.at(-1)!;
    }
    this.#askedUnlisted = union(this.#askedUnlisted, [window]);
  }

  /** Gaps that end before the newest proven moment; the one after it is the present, which `catchUp` reads. */
  #oldGaps(stream: TrackedStream): Interval[] {
    const provenToMs = this.known(stream, "proven").at(-1)?.toMs;
    return this.gaps(stream).filter((gap) => provenToMs !== undefined && gap.toMs < provenToMs);
  }

  async #readPresent(stream: WindowStream, options: ReadOptions, overlapMs: number): Promise<void> {
    const { foregroundMs } = this.#deps.options;
    const nowMs = this.#venueTimeMs;
    const provenToMs = this.known(stream, "proven").at(-1)?.toMs ?? Number.NEGATIVE_INFINITY;
    const fromMs = Math.max(this.#sinceMs, provenToMs - overlapMs, nowMs - foregroundMs);
    await this.readWindow(stream, { fromMs, toMs: nowMs + READ_AHEAD_MS }, options);
  }

  /** Whether fills are being read for a heal: then other suspicions about fills may be answered by it. */
  get isHealingFills(): boolean {
    return this.#fillHeals > 0;
  }

  async readWindow(stream: WindowStream, window: Interval, options: ReadOptions): Promise<void> {
    const isFillHeal = options.priority === "heal" && (stream === "fills" || stream === "twapFills");
    if (isFillHeal) this.#fillHeals += 1;
    try {
      await this.#readWindow(stream, window, options);
    } finally {
      if (isFillHeal) this.#fillHeals -= 1;
    }
  }

  async #readWindow(stream: WindowStream, window: Interval, options: ReadOptions): Promise<void> {
    const { account, info, store, onProgress } = this.#deps;
    let rows = 0;
    const reading: WindowReading = {
      ...options,
      account,
      info,
      restLagMs: this.#deps.options.restLagMs,
      venueTimeMs: this.#venueTimeMs,
      countFillsAfter: (timeMs, twap) => store.countFillsAfter(account, timeMs, twap),
      commit: async (batch) => {
        const applied = await this.commit(batch, this.#deps.clock.now());
        rows += (batch.fills?.length ?? 0) + (batch.funding?.length ?? 0) + (batch.ledger?.length ?? 0);
        const covered = batch.coverage?.at(-1);
        if (covered) onProgress?.({ account, stream, fromMs: covered.fromMs, toMs: covered.toMs, rows });
        return applied;
      },
    };
    await readWindow(reading, stream, window);
  }

  /** Commits and keeps what was committed in mind. */
  async commit(batch: Batch, receivedAtMs: number): Promise<Applied> {
    const applied = await this.#deps.commit(batch, receivedAtMs);
    const nowMs = this.#deps.clock.now();
    for (const row of batch.coverage ?? []) this.#noteCoverage(row);
    if (batch.fills) this.check.noteFills(batch.fills, nowMs);
    if (batch.orderEvents) this.check.noteOrderEvents(batch.orderEvents, nowMs);
    for (const row of [...(batch.fills ?? []), ...(batch.orderEvents ?? [])])
      this.#usedDexes.add(dexOfCoin(row.coin));
    return applied;
  }

  #noteCoverage(row: CoverageRow): void {
    const grades = this.#coverage.get(row.stream) ?? { streamed: [], proven: [], unprovable: [] };
    grades[row.grade] = union(grades[row.grade], [row]);
    this.#coverage.set(row.stream, grades);
  }

  /**
   * Orders: what is open on each dex, then the newest transitions (which show what was placed and ended unseen), then
   * each order that we hold open and the venue does not.
   */
  async #readOrders(dexes: readonly string[], options: ReadOptions): Promise<void> {
    const { info, account } = this.#deps;
    const { priority, signal, source } = options;
    const claimableToMs = this.#venueTimeMs - this.#deps.options.restLagMs;
    const heldOpen = new Set(this.check.openOrderIds);
    const open = new Set<number>();
    let complete = true;
    for (const dex of dexes) {
      const answer = await info.request(
        INFO.frontendOpenOrders,
        { user: account, dex },
        { priority, signal },
      );
      const origin = { account, source, seenAtMs: answer.receivedAtMs };
      const rows = openOrderRows(origin, answer.result.rows);
      for (const row of rows) open.add(row.orderId);
      complete &&= answer.result.unread.length === 0;
      if (answer.result.unread.length === 0) this.#noteOpenOrders(dex, rows);
      const quarantine = quarantineRows(
        answer.result.unread,
        "frontendOpenOrders",
        account,
        answer.receivedAtMs,
      );
      await this.commit({ orderEvents: rows, quarantine }, answer.receivedAtMs);
    }
    await this.#readOrderHistory(claimableToMs, options);
    if (!complete) return;
    const stillHeld = new Set(this.check.openOrderIds);
    const lost = [...heldOpen].filter((orderId) => stillHeld.has(orderId) && !open.has(orderId));
    for (const orderId of lost.slice(0, RESOLVE_ORDERS_MAX)) await this.resolveOrder(orderId, options);
  }

  async #readOrderHistory(claimableToMs: number, options: ReadOptions): Promise<void> {
    const { info, account } = this.#deps;
    const { priority, signal, source } = options;
    const answer = await info.request(INFO.historicalOrders, { user: account }, { priority, signal });
    const origin = { account, source, seenAtMs: answer.receivedAtMs };
    const orderEvents = answer.result.rows.map((row) => orderEventRow(origin, row));
    const { unread } = answer.result;
    const times = [...orderEvents.map((row) => row.statusTimeMs), ...toldTimesMs(unread)];
    const full = orderEvents.length + unread.length >= HORIZON.orders;
    // The oldest millisecond of a full list may be cut.
    const fromMs = times.length === 0 ? this.#sinceMs : Math.min(...times) + (full ? 1 : 0);
    const coverage = claimsOf(account, "orders", { fromMs, toMs: claimableToMs }, unread);
    const reason = "older than the orders that the venue still lists (it keeps them by count)";
    for (const gap of subtract(
      [{ fromMs: this.#sinceMs, toMs: fromMs - 1 }],
      this.known("orders", "proven"),
    )) {
      coverage.push({ account, stream: "orders", grade: "unprovable", ...gap, reason });
    }
    const quarantine = quarantineRows(unread, "historicalOrders", account, answer.receivedAtMs);
    await this.commit({ orderEvents, coverage, quarantine }, answer.receivedAtMs);
  }

  /** Asks for one order; what the venue has forgotten ends as `unknown`. False when it has. */
  async resolveOrder(orderId: number, { priority, source, signal }: ReadOptions): Promise<boolean> {
    const { info, account, store } = this.#deps;
    const answer = await info.request(
      INFO.orderStatus,
      { user: account, oid: orderId },
      { priority, signal },
    );
    const origin = { account, source, seenAtMs: answer.receivedAtMs };
    const status = answer.result.value;
    let row: OrderEventRow | undefined;
    if (status.order) row = orderEventRow(origin, { value: status.order, raw: status.order });
    else if (status.status === FORGOTTEN) {
      const last = (await store.orderEvents(account, [orderId])).at(-1);
      if (last) row = unknownOrderRow(origin, last, answer.sentAtMs);
    }
    if (row) await this.commit({ orderEvents: [row] }, answer.receivedAtMs);
    return Boolean(status.order);
  }

  /** States, then the snapshot, which also looks at the open orders. */
  async #readStates(dexes: readonly string[], orders: Promise<void>, options: ReadOptions): Promise<void> {
    const { info, account } = this.#deps;
    const { priority, signal } = options;
    const ask = { priority, signal };
    if (this.#abstraction === null) {
      // An open set, and older endpoints do not know the question: then the mode is told by webData3, or stays standard.
      const answer = await info
        .request(INFO.userAbstraction, { user: account }, ask)
        .catch((error: unknown) => {
          if (error instanceof ProtocolError) return null;
          throw error;
        });
      this.#abstraction = answer?.result.value ?? null;
    }
    for (const dex of dexes) {
      const answer = await info.request(INFO.clearinghouseState, { user: account, dex }, ask);
      await this.commit(this.perpState(dex, answer.result, answer.receivedAtMs), answer.receivedAtMs);
    }
    const spot = await info.request(INFO.spotClearinghouseState, { user: account }, ask);
    await this.commit(this.spotState(spot.result, spot.receivedAtMs), spot.receivedAtMs);
    this.#statesKnown = true;
    await orders.catch(() => {});
    if (this.#health.lacks(this.#watched())) await this.#learnHealth(signal);
    await this.commit(this.snapshot(true), spot.receivedAtMs);
  }

  async #learnHealth(signal: AbortSignal): Promise<void> {
    const late = new AbortController();
    const wait = this.#deps.clock.sleep(HEALTH_WAIT_MS, late.signal).catch(() => {});
    await Promise.race([this.#health.refresh(this.#watched(), signal), wait]);
    late.abort();
  }

  #watched(): WatchedStates {
    // A dex that is not traded is as young as its last state, and says nothing about the moment of the money.
    const inUse = [...this.#states].filter(([dex]) => this.#usedDexes.has(dex));
    const times = inUse.map(([, state]) => state.time ?? this.#deps.clock.now());
    return {
      account: this.address,
      asOfMs: Math.max(...times),
      mode: this.mode,
      perps: this.#states,
      spot: this.#spot,
      dexesInUse: new Set(this.#deps.dexes.filter((dex) => this.#usedDexes.has(dex))),
      venueTimeMs: this.#venueTimeMs,
    };
  }

  noteAbstraction(abstraction: string): void {
    this.#abstraction = abstraction;
  }

  /** The rows of a state of one dex, fetched or pushed. */
  perpState(dex: string, state: Read<WireClearinghouseState>, receivedAtMs: number): Batch {
    const timeMs = state.value.time ?? receivedAtMs;
    if (state.value.time) this.#noteVenueTime(state.value.time);
    this.#states.set(dex, state.value);
    this.#health.noteState(dex, receivedAtMs);
    this.#riskUnseen = true;
    const rows = positionRows(this.address, dex, state, receivedAtMs);
    if (rows.length > 0) this.#usedDexes.add(dex);
    const open = new Map(rows.map((row) => [row.coin, row.szi]));
    this.check.noteState(dex, timeMs, open, receivedAtMs);
    const closed = this.#closedPositions(dex, open, timeMs);
    for (const row of rows) {
      this.#positions.set(`${dex} ${row.coin}`, row);
      this.#vanished.delete(`${dex} ${row.coin}`);
    }
    return { positions: [...rows, ...closed] };
  }

  /**
   * A position absent from one state is not closed by that alone (a stale or empty answer lacks it too): the fills say
   * flat, or a second, later state lacks it as well.
   */
  #closedPositions(dex: string, open: ReadonlyMap<string, string>, timeMs: number): PositionRow[] {
    const closed: PositionRow[] = [];
    for (const [key, position] of this.#positions) {
      if (position.dex !== dex || open.has(position.coin) || timeMs <= position.asOfMs) continue;
      const end = this.check.chainEnd(position.coin);
      const flatByFills = end !== null && isZero(end.position) && end.timeMs <= timeMs;
      const missedAtMs = this.#vanished.get(key);
      if (flatByFills || (missedAtMs !== undefined && timeMs > missedAtMs)) {
        closed.push(flatPositionRow(this.address, dex, position.coin, timeMs));
        this.#positions.delete(key);
        this.#vanished.delete(key);
      } else if (missedAtMs === undefined) this.#vanished.set(key, timeMs);
    }
    return closed;
  }

  spotState(state: Read<WireSpotState>, receivedAtMs: number): Batch {
    this.#spot = state.value;
    this.#health.noteSpot(receivedAtMs);
    this.#riskUnseen = true;
    return { balances: balanceRows(this.address, state, receivedAtMs) };
  }

  /** Rows of an openOrders push that tell something new: an order not seen yet, or a smaller remaining size. */
  openOrders(dex: string, rows: OrderEventRow[], complete: boolean, receivedAtMs: number): Batch {
    const fresh = rows.filter((row) => this.#remaining.get(row.orderId) !== row.remaining);
    const open = new Set(rows.map((row) => row.orderId));
    if (complete) {
      this.check.noteOpenOrders(dex, open, receivedAtMs);
      this.#noteOpenOrders(dex, rows);
    }
    for (const row of fresh) this.#remaining.set(row.orderId, row.remaining);
    // Bounded by what can be open at once: the venue allows at most 5000 a account.
    if (complete && this.#remaining.size > 2 * HORIZON.orders) {
      for (const orderId of this.#remaining.keys()) if (!open.has(orderId)) this.#remaining.delete(orderId);
    }
    return { orderEvents: fresh };
  }

  #noteOpenOrders(dex: string, rows: OrderEventRow[]): void {
    this.#openOrders.set(dex, rows);
    this.#health.noteOpenOrders(dex, rows);
  }

  /** What is known now, for people: the snapshot as it would be stored, positions and open orders as last told. */
  look(): { snapshot: DashboardRow | null; positions: PositionRow[]; openOrders: OrderEventRow[] } {
    return {
      snapshot: this.#statesKnown ? this.#health.row(this.#watched()) : null,
      positions: [...this.#positions.values()],
      openOrders: [...this.#openOrders.values()].flat(),
    };
  }

  /**
   * The account snapshot when one is due: after `dashboardMs`, sooner after a fill or when risk has moved, at once when
   * the states age or renew.
   */
  snapshot(now: boolean, afterFill = false): Batch {
    const nowMs = this.#deps.clock.now();
    if (!this.#statesKnown) return {};
    const states = this.#watched();
    const stale = this.#health.isStale(states);
    const due = now || stale !== this.#snapshotWasStale || this.#pace.isDue(nowMs, afterFill);
    if (!due && !(this.#riskUnseen && this.#pace.mayBeEarly(nowMs))) return {};
    this.#riskUnseen = false;
    const row = this.#health.row(states);
    if (!due && !this.#pace.isWorthIt(nowMs, row)) return {};
    this.#pace.noteWritten(nowMs, row);
    this.#snapshotWasStale = stale;
    if (this.#signal) void this.#health.refresh(states, this.#signal);
    return { dashboard: [row] };
  }

  /** Heals one suspicion by the narrowest reading, and records what was found. True when it is explained now. */
  async repair(suspicion: Suspicion, signal: AbortSignal): Promise<boolean> {
    // There may be hundreds of orders to ask for: fills go first.
    const priority = suspicion.kind === "order" ? "reconcile" : "heal";
    const options: ReadOptions = { priority, source: "repair", signal };
    const foundAtMs = this.#deps.clock.now();
    if (suspicion.kind === "order") await this.resolveOrder(suspicion.orderId, options);
    else {
      const toMs = suspicion.kind === "chain" ? suspicion.toMs : this.#venueTimeMs + READ_AHEAD_MS;
      const window = { fromMs: suspicion.fromMs, toMs };
      await allOf([this.readWindow("fills", window, options), this.readWindow("twapFills", window, options)]);
    }
    const explained = this.check.settle(suspicion, this.#deps.clock.now());
    const { key: _key, kind, ...detail } = suspicion;
    const repairedAtMs = explained ? this.#deps.clock.now() : null;
    const stream = kind === "order" ? "orders" : "fills";
    const drift = [{ account: this.address, stream, cause: kind, detail, foundAtMs, repairedAtMs }];
    await this.commit({ drift }, foundAtMs);
    this.#deps.log[explained ? "info" : "warn"](
      explained ? "healed a loss" : "difference not explained by the venue",
      {
        cause: kind,
        ...detail,
      },
    );
    return explained;
  }

  /** Rows that say that every stream was watched live over this time. */
  streamed(fromMs: number, toMs: number): CoverageRow[] {
    if (fromMs > toMs) return [];
    return TRACKED_STREAMS.map((stream) => ({
      account: this.address,
      stream,
      grade: "streamed",
      fromMs,
      toMs,
      reason: null,
    }));
  }
}

/** Waits for all; then throws the first failure, if any. */
export async function allOf(parts: Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(parts)).find((part) => part.status === "rejected");
  if (failed) throw failed.reason;
}
