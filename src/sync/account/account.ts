/**
 * One account followed: what is known of it, and every way of learning more that goes over REST. `lane` adds the
 * stream; polling uses this alone.
 *
 * Guarantees: `catchUp` closes the gap that reaches the present in every stream, reads the states of the dexes in use,
 * and resolves every order we hold open that the venue does not; `backfill` closes the older gaps. Each part commits
 * what it learned by itself, so that an interruption loses nothing. A part that fails is *unknown*: it throws after
 * the other parts had their turn, and its gap stays a gap.
 */

import { isAnswered, ProtocolError, TransportError } from "../../errors.ts";
import type { ReadParts, Unread } from "../../protocol/decode.ts";
import { INFO } from "../../protocol/infoRequests.ts";
import type { WireSpotState, WireStateParts, WireWebData3 } from "../../protocol/schemas.ts";
import { allOf } from "../../runtime/allOf.ts";
import type { Clock } from "../../runtime/clock.ts";
import { isZero } from "../../runtime/decimal.ts";
import { hasPassed } from "../../runtime/due.ts";
import type { Log } from "../../runtime/log.ts";
import { append, isEmpty } from "../batch.ts";
import { vaultEquityOf } from "../belongings.ts";
import { CASH_GRACE_MS, CashCheck, type CashSuspicion } from "../cashCheck.ts";
import type { Commit } from "../commit.ts";
import type { Interval } from "../coverage.ts";
import { type Dexes, dexesOfUpdate, dexOfCoin } from "../dexes.ts";
import { ROW_AHEAD_MS, withoutFutureRows } from "../futureRows.ts";
import { HealthWatch } from "../healthWatch.ts";
import type { Markets } from "../markets.ts";
import type { Doubt, Store, VenueInfo } from "../ports.ts";
import type { Prices } from "../prices.ts";
import type {
  Address,
  Applied,
  Batch,
  CoverageGrade,
  CoverageRow,
  DashboardRow,
  DriftRow,
  OrderEventRow,
  PositionRow,
  StatePart,
  TrackedStream,
} from "../rows.ts";
import { TRACKED_STREAMS } from "../rows.ts";
import { type FillSuspicion, type OrderSuspicion, SelfCheck, type Suspicion } from "../selfCheck.ts";
import type { Volatilities } from "../volatility.ts";
import {
  quarantineRows,
  readWindow,
  WINDOW_STREAMS,
  type WindowReading,
  type WindowStream,
} from "../windowReader.ts";
import { CoverageBook } from "./coverageBook.ts";
import { FailedParts, type Part } from "./failedParts.ts";
import { OpenOrders } from "./openOrders.ts";
import { type Asking, OrderReader } from "./orderReader.ts";
import { fact, Particulars } from "./particulars.ts";
import { PURPOSES, type Purpose, type PurposeName } from "./purpose.ts";
import { LastingSuspicions, repairsOf } from "./repairs.ts";
import { Snapshots } from "./snapshots.ts";
import { StateBook } from "./states.ts";
import { TIME_LIMITS, VenueTime } from "./venueTime.ts";

/** Limits and margins of following one account; all overridable for tests. */
export const ACCOUNT_DEFAULTS = {
  /** REST may answer this much behind the stream (no figure is published): younger time is never claimed as proven. */
  restLagMs: 2_000,
  /** Reconciling repeats this much of what was proven before; healing and polling, which cost when it is busy, this much. */
  overlapMs: 60_000,
  quickOverlapMs: 10_000,
  /** After so long an absence the young end is read first, but of the ledger; the rest is backfill. */
  foregroundMs: 3_600_000,
  /** A lost message is suspected when a contradiction lives this long. */
  graceMs: 2_500,
  /** What one state lacks is looked for in a second one, at least this much later. */
  secondLookMs: 1_000,
  /** Between two account snapshots in `hl_dashboard`; the shorter ones after a fill and when risk has moved. */
  dashboardMs: 60_000,
  dashboardAfterFillMs: 5_000,
  dashboardRiskMs: 3_000,
} as const;
export type AccountOptions = { [K in keyof typeof ACCOUNT_DEFAULTS]: number };

/** Every Nth catch-up (and the first) reads the list of dexes and the states of all of them, with the long overlap. */
const THOROUGH_EVERY = 12;
/** A heal takes the venue's time as heard this lately, instead of asking for it first. */
const TIME_FRESH_MS = 1_000;
/** What reading the fills after an outage may cost at once: the venue's time, two full pages, and one of TWAP slices. */
const HEAL_WEIGHT = 362;
/** The warning about a refused time is repeated this often at most. */
const TIME_WARNING_MS = 600_000;

export type { Commit };

export interface AccountDeps {
  account: Address;
  alias: string | null;
  info: VenueInfo;
  store: Store;
  commit: Commit;
  clock: Clock;
  log: Log;
  /** Shared by all accounts. */
  dexes: Dexes;
  volatilities: Volatilities;
  prices: Prices;
  markets: Markets;
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

export class Account {
  readonly address: Address;
  readonly #deps: AccountDeps;
  readonly check: SelfCheck;
  readonly #cash = new CashCheck(CASH_GRACE_MS);
  readonly #time = new VenueTime();
  readonly #book = new CoverageBook();
  readonly #open = new OpenOrders();
  readonly #states: StateBook;
  readonly #snapshots: Snapshots;
  readonly #orders: OrderReader;
  readonly #health: HealthWatch;
  readonly #failed = new FailedParts();
  readonly #particulars: Particulars;
  readonly #lasting = new LastingSuspicions();
  #catchUps = 0;
  /** What the states held when all that led there was read. */
  #markAt = "";
  #glances = 0;
  #fillHeals = 0;
  /** The API wallet without a name, as last written. */
  #agent = "";
  #timeWarnedMs = Number.NEGATIVE_INFINITY;
  /** Of the doubts that were heeded. */
  #doubtedMs: number | null = null;
  /** The database claims to know the future: the next reading withdraws that. */
  #isFutureClaimed = false;
  /** The database knows that the wanted history was once read whole. */
  #isReadNoted = false;
  /** No stored state claims to be of the future. */
  #areStatesPast = false;
  /** The self-check knows from when on. */
  #isChecking = false;
  /** Gives back the weight kept for the next heal; null while none is expected. */
  #release: (() => void) | null = null;

  constructor(deps: AccountDeps) {
    const { account, clock, dexes, info, store, options } = deps;
    this.#deps = deps;
    this.address = account;
    this.check = new SelfCheck(options.graceMs);
    this.#health = new HealthWatch(deps);
    this.#states = new StateBook({
      account,
      clock,
      dexes,
      check: this.check,
      cash: this.#cash,
      health: this.#health,
    });
    const watched = () => ({
      ...this.#states.watched(this.#time.ms, this.#time.estimate(clock.now())),
      // Money that came or went unseen would be profit.
      areFlowsKnown: !this.#failed.has("ledger"),
    });
    this.#snapshots = new Snapshots({ clock, health: this.#health, options, watched });
    this.#particulars = new Particulars({
      ...deps,
      commit: (batch, receivedAtMs) => this.commit(batch, receivedAtMs),
      venueTime: (atMs) => this.#time.estimate(atMs),
    });
    this.#orders = new OrderReader({
      account,
      info,
      store,
      check: this.check,
      book: this.#book,
      latestRowMs: () => this.#latestRowMs,
      commit: (batch, receivedAtMs, asking) => this.#keep(batch, receivedAtMs, asking),
      onListed: (dex, rows) => this.#noteListed(dex, rows, true),
    });
  }

  /** Reads what the database knows. To be called once, first. */
  async open(): Promise<void> {
    const { store, account, alias, sinceMs, clock } = this.#deps;
    // Null would leave open what is wanted: 0 is all of it.
    const state = await store.openAccount(account, alias, sinceMs ?? 0);
    this.#doubtedMs = state.doubtedMs;
    const future = this.#book.open(
      state.sinceMs ?? 0,
      state.coverage,
      clock.now() + TIME_LIMITS.claimAheadMaxMs,
    );
    this.#isFutureClaimed = future.length > 0;
    if (this.#isFutureClaimed)
      this.#deps.log.warn("what is stored as complete reaches into the future: it is read again");
    const provenToMs = (["fills", "twapFills"] as const).map((stream) => this.#book.provenToMs(stream) ?? 0);
    this.#checkAfter(Math.min(...provenToMs));
    for (const order of state.openOrders) {
      this.check.noteOpenOrder(order.orderId, order.coin, clock.now());
      this.#states.noteUsed(dexOfCoin(order.coin));
    }
    for (const { dex, szi } of state.positions)
      if (isZero(szi)) this.#states.noteUsed(dex);
      else this.#states.noteHeld(dex);
  }

  /** Looks what `verify` in another process may have withdrawn (ADR 0007). */
  async #recall(): Promise<void> {
    await Promise.all([this.#recallClaims(), this.#recallDoubts()]);
  }

  /** What has no claims is asked for again when it was doubted. */
  async #recallDoubts(): Promise<void> {
    const { doubtedMs } = await this.#deps.store.followedAs(this.#deps.account);
    if (doubtedMs === this.#doubtedMs) return;
    this.#doubtedMs = doubtedMs;
    this.#particulars.forget();
    await this.#health.recall();
  }

  /**
   * Reads again what is claimed as known. What is committed meanwhile may be forgotten by this, and is then read once more.
   * Claims on the future are withdrawn.
   */
  async #recallClaims(): Promise<void> {
    const { store, account, clock, log } = this.#deps;
    const latestMs = this.#time.readToMs(clock.now()) + TIME_LIMITS.claimAheadMaxMs;
    const future = this.#book.open(this.#book.sinceMs, await store.coverage(account), latestMs);
    this.#isFutureClaimed = false;
    const states = await this.#futureStates(latestMs);
    if (future.length + states.length === 0) return;
    const foundAtMs = clock.now();
    const claims = future.map(({ stream, fromMs, toMs }) => ({
      stream,
      fromMs,
      toMs,
      table: null,
      row: null,
    }));
    await store.doubt(account, [...claims, ...states]);
    const drift = future.map(({ stream, grade, fromMs, toMs }) => {
      return {
        account,
        stream,
        cause: "future",
        detail: { grade, fromMs, toMs },
        foundAtMs,
        repairedAtMs: foundAtMs,
      };
    });
    await this.commit({ drift }, foundAtMs);
    log.info("claims on the future withdrawn: that time is read again", {
      intervals: future.length,
      states: states.length,
    });
  }

  /** Stored positions and balances that are younger than any clock: no state would ever replace them. */
  async #futureStates(latestMs: number): Promise<Doubt[]> {
    if (this.#areStatesPast) return [];
    const { store, account, clock } = this.#deps;
    const [positions, balances] = await Promise.all([store.positions(account), store.balances(account)]);
    // While a stamp is refused, the latest moment is not known well.
    this.#areStatesPast = this.#time.aheadMs === null;
    const toMs = this.#time.estimate(clock.now()) - TIME_LIMITS.agreeMs;
    const doubt = { stream: null, fromMs: toMs, toMs };
    return [
      ...positions.flatMap(({ dex, coin, asOfMs }) =>
        asOfMs > latestMs ? [{ ...doubt, table: "hl_positions" as const, row: `${dex}|${coin}` }] : [],
      ),
      ...balances.flatMap(({ coin, asOfMs }) =>
        asOfMs > latestMs ? [{ ...doubt, table: "hl_balances" as const, row: coin }] : [],
      ),
    ];
  }

  /** What is claimed as known never goes beyond this time of the venue, 0 before the first. */
  get claimableMs(): number {
    return this.#time.claimableMs;
  }

  /** Where nothing is proven yet, what happened before the venue first told the time is read as history. */
  #checkAfter(knownToMs: number): void {
    if (this.#isChecking || knownToMs <= 0) return;
    this.#isChecking = true;
    this.check.beginAfter(knownToMs, this.#deps.clock.now());
  }

  /** False when it is not believed. */
  #noteVenueTime(venueMs: number): boolean {
    const { clock, log } = this.#deps;
    const nowMs = clock.now();
    const isBelieved = this.#time.note(venueMs, nowMs);
    if (isBelieved) this.#checkAfter(venueMs);
    if (isBelieved || !hasPassed(this.#timeWarnedMs, TIME_WARNING_MS, nowMs)) return isBelieved;
    this.#timeWarnedMs = nowMs;
    log.warn(
      "a time of the venue is far from this machine's clock: it is not believed, and nothing that young is called complete",
      {
        venue: new Date(venueMs).toISOString(),
        here: new Date(nowMs).toISOString(),
      },
    );
    return false;
  }

  async #askTime(asking: Asking): Promise<void> {
    try {
      const status = await this.#deps.info.request(INFO.exchangeStatus, {}, ask(asking));
      this.#noteVenueTime(status.result.value.time);
    } catch (error) {
      // An endpoint that does not answer this question tells its time in states; reading needs none.
      if (!isAnswered(error)) throw error;
      this.#deps.log.debug("the venue does not tell its time", { error });
    }
  }

  /** Start of the wanted history. */
  get sinceMs(): number {
    return this.#book.sinceMs;
  }

  /** Proven, streamed and unprovable intervals of a stream, as committed. */
  known(stream: TrackedStream, grade: CoverageGrade): Interval[] {
    return this.#book.known(stream, grade);
  }

  /** Up to where a reading that begins now may claim. */
  get #claimableToMs(): number {
    return this.#time.claimableMs - this.#deps.options.restLagMs;
  }

  /** Whether something is stored as read up to a moment, and nothing was read by this process yet. */
  get isTakenOver(): boolean {
    return this.#catchUps === 0 && this.#book.provenToMs("fills") !== null;
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
   * at once, the fills of all of them go before anything else of any of them. `onRead` hears of each stream when it was read;
   * what is still learned in the background afterwards ends with `life`.
   */
  async catchUp(
    name: PurposeName,
    signal: AbortSignal,
    onRead: (stream: WindowStream) => void = () => {},
    life: AbortSignal = signal,
  ): Promise<void> {
    const purpose: Purpose = PURPOSES[name];
    const { source } = purpose;
    // What the states show from now on may be younger than what is read.
    this.#markAt = this.#states.mark();
    const glances = this.#glances;
    // A first reading may take long: what it proves is kept at once.
    const held = purpose.joinsClaims && this.#book.provenToMs("fills") !== null ? [] : undefined;
    const first: Asking = { priority: purpose.priority, source, signal, held };
    const rest: Asking = { priority: purpose.restPriority, source, signal, held };
    // A new connection begins with states, which tell the time: then the fills are there one round trip earlier.
    const heardMs = this.#deps.clock.now() - this.#time.heardMs;
    if (purpose.asksTime || heardMs < 0 || heardMs > TIME_FRESH_MS) await this.#askTime(first);
    if (purpose.recalls || this.#isFutureClaimed) await this.#recall();
    this.#snapshots.noteReading(life);
    const isThorough = this.#catchUps++ % THOROUGH_EVERY === 0;
    const { overlapMs, quickOverlapMs } = this.#deps.options;
    const overlap = isThorough || purpose.overlap === "long" ? overlapMs : quickOverlapMs;
    const read = (stream: WindowStream, asking: Asking) =>
      this.#part(
        stream,
        signal,
        this.#readPresent(stream, asking, overlap).then(() => onRead(stream)),
      );
    const fills = Promise.all([read("fills", first), read("twapFills", first)]);
    const states = this.#readStates(isThorough, rest);
    // Which dexes are in use follows from the states.
    const orders = Promise.allSettled(isThorough ? [states] : []).then(() => {
      signal.throwIfAborted();
      return this.#orders.read(this.#usedDexes(), this.#claimableToMs, rest);
    });
    const funding = read("funding", rest);
    // After the states: what one of them shows of money that moved, the ledger then tells.
    const ledger = Promise.allSettled([states]).then(() => read("ledger", rest));
    const finish = async (seen: ReadonlySet<string>) => {
      // Not held up by a history that is read for the first time, when all dexes are anyway.
      const isFirst = this.#book.provenToMs("ledger") === null && !this.#failed.has("ledger");
      if (!isFirst) await Promise.allSettled([ledger]);
      // The snapshot also looks at the open orders.
      await Promise.allSettled([orders]);
      // Whatever names a dex was read by now: nothing makes one known while the snapshot is taken.
      if (!isThorough && (await this.#readUnseen(seen, [fills, funding], rest))) await read("ledger", rest);
      await this.#writeSnapshot(rest);
    };
    // Side by side from the start: a promise that fails while nothing waits for it ends the process.
    const settled = states.then(async ({ lacking, failure, read: seen }) => {
      await allOf([this.#lookAgain(lacking, fills, rest), finish(seen)]);
      if (failure) throw failure.reason;
    });
    const failed = await Promise.all([
      fills.then(([error]) => {
        if (name === "heal" && error === null) this.endHeal();
        return error;
      }),
      funding,
      ledger,
      this.#part("orders", signal, orders),
      this.#part("states", signal, settled),
    ]);
    signal.throwIfAborted();
    await this.commit(heldClaims(rest), this.#deps.clock.now());
    // Without fills, or without any answer, it was no catch-up.
    const fatal = failed.every((error) => error !== null)
      ? failed[0]
      : failed[0] instanceof ProtocolError
        ? null
        : failed[0];
    if (fatal) throw fatal;
    if (glances === this.#glances && this.ripe(this.#deps.clock.now(), 0).length === 0)
      this.#markAt = this.#states.mark();
    await this.#noteRead();
  }

  /**
   * The cheap question where there is no stream: reads the states alone. True when something moved since the last reading; then
   * the account snapshot waits for that, since money that came or went unseen would be profit.
   */
  async glance(signal: AbortSignal): Promise<boolean> {
    const asking: Asking = { priority: "glance", source: "poll", signal };
    const parts: StatePart[] = [...this.#states.toRead(false).map(perpPart), { kind: "spot", dex: "" }];
    const { lacking } = await this.#readParts(parts, asking);
    this.#glances += 1;
    if (lacking.length > 0 || this.#states.mark() !== this.#markAt) return true;
    await this.#writeSnapshot(asking);
    return false;
  }

  /** Says once that nothing is left of the first reading. */
  async #noteRead(): Promise<void> {
    const isOpen = (stream: TrackedStream) =>
      this.#book.provenToMs(stream) === null || this.#oldGaps(stream).length > 0;
    if (this.#isReadNoted || this.failures.length > 0 || TRACKED_STREAMS.some(isOpen)) return;
    await this.#deps.store.noteRead(this.address, this.#book.sinceMs);
    this.#isReadNoted = true;
  }

  /** One part of a catch-up: its failure is noted, said once, and costs no other part. Null when it was read. */
  async #part(part: Part, signal: AbortSignal, reading: Promise<unknown>): Promise<Error | null> {
    const { clock, log } = this.#deps;
    try {
      await reading;
      if (this.#failed.clear(part)) log.info("can be read again", { part });
      return null;
    } catch (error) {
      // What the database refuses for good, and bugs, concern everything.
      if (!(error instanceof TransportError || error instanceof ProtocolError) || signal.aborted) throw error;
      if (this.#failed.note(part, error, clock.now()))
        log.warn("a part could not be read: it is asked for again, the others go on", { part, error });
      return error;
    }
  }

  /** Whether `learnMore` has something to ask. */
  isMoreDue(): boolean {
    return this.#particulars.isDue();
  }

  /** What is good to know and moves no money, asked after all that does, with the lowest priority. Rejects as `request` does. */
  async learnMore(signal: AbortSignal): Promise<void> {
    if (!this.isMoreDue()) return;
    const options = { priority: "niceToHave", signal } as const;
    const commit: Commit = (batch, receivedAtMs) => this.commit(batch, receivedAtMs);
    await allOf([this.#deps.markets.renew(options, commit), this.#particulars.read(options)]);
  }

  /** Parts that could not be read when they were last asked for. */
  get failures(): { part: Part; error: Error }[] {
    return this.#failed.list();
  }

  /** Asks again for a part that failed. */
  async #readPart(part: Part, asking: Asking): Promise<void> {
    if (part === "orders") return this.#orders.read(this.#usedDexes(), this.#claimableToMs, asking);
    if (part !== "states") return this.#readPresent(part, asking, this.#deps.options.quickOverlapMs);
    const { failure } = await this.#readStates(true, asking);
    await this.#writeSnapshot(asking);
    if (failure) throw failure.reason;
  }

  /** Proves what the reading of these streams a moment ago could not yet claim. */
  async confirm(streams: readonly WindowStream[], signal: AbortSignal): Promise<void> {
    const asking: Asking = { priority: "reconcile", source: "reconcile", signal };
    await this.#askTime(asking);
    await allOf(streams.map((stream) => this.#readPresent(stream, asking, 0)));
  }

  /** Whether history is missing that the next catch-up will not read by itself. */
  hasOldGaps(): boolean {
    return (
      this.#failed.due(this.#deps.clock.now()).length > 0 ||
      this.#orders.isListDue(this.#deps.clock.now()) ||
      WINDOW_STREAMS.some((stream) => this.#oldGaps(stream).length > 0) ||
      this.#orders.hasLost ||
      this.#orders.unlisted().length > 0 ||
      this.#unaskedDexes().length > 0
    );
  }

  /**
   * Asks again for what failed, then closes every gap that catching up leaves, youngest first; then asks for the orders that we
   * hold open and no list has, and for those known by their fills alone. What fails costs itself only: the first failure is thrown at the end.
   */
  async backfill(name: "poll" | "backfill", signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const asking: Asking = { priority: "backfill", source: PURPOSES[name].source, signal };
    for (const part of this.#failed.due(clock.now()))
      await this.#part(part, signal, this.#readPart(part, { ...asking, priority: "reconcile" }));
    const duties: (() => Promise<unknown>)[] = [];
    if (this.#orders.isListDue(clock.now()))
      duties.push(() =>
        this.#orders.readTransitions(this.#claimableToMs, { ...asking, priority: "reconcile" }),
      );
    for (const stream of WINDOW_STREAMS)
      duties.push(async () => {
        for (const gap of this.#oldGaps(stream).reverse()) await this.#readWindow(stream, gap, asking);
      });
    duties.push(() => this.#orders.resolveLost(asking));
    duties.push(() => this.#orders.resolveUnlisted(asking));
    duties.push(async () => {
      for (const dex of this.#unaskedDexes()) await this.#orders.readOpen(dex, asking);
    });
    const failures: unknown[] = [];
    for (const duty of duties) {
      await duty().catch((error: unknown) => failures.push(error));
      signal.throwIfAborted();
    }
    if (failures.length > 0) throw failures[0];
    await this.#noteRead();
  }

  #oldGaps(stream: TrackedStream): Interval[] {
    return this.#book.oldGaps(stream, this.#claimableToMs);
  }

  /** Dexes whose open orders are asked for. */
  #usedDexes(): string[] {
    const { dexes } = this.#deps;
    return dexes.names.filter((dex) => this.#states.isUsed(dex) && !dexes.isGone(dex));
  }

  /**
   * Dexes whose open orders are unknown: where collateral is pooled, an old order may rest on a dex that shows no money.
   * In standard mode its margin would show.
   */
  #unaskedDexes(): string[] {
    if (this.#states.mode === "standard") return [];
    const { dexes } = this.#deps;
    return dexes.names.filter((dex) => !this.#open.isListed(dex) && !dexes.isGone(dex));
  }

  async #readPresent(stream: WindowStream, asking: Asking, overlapMs: number): Promise<void> {
    const { clock, options } = this.#deps;
    const provenToMs = this.#book.provenToMs(stream);
    const { sinceMs } = this.#book;
    // From what is believed to be now, up to what any clock says: no row of the present lies outside. The ledger is read whole
    // at once: of money that came or went unseen the next snapshot would make profit.
    const youngMs = stream === "ledger" ? 0 : this.#time.estimate(clock.now()) - options.foregroundMs;
    const fromMs = provenToMs === null ? sinceMs : Math.max(sinceMs, provenToMs - overlapMs, youngMs);
    await this.#readWindow(stream, { fromMs, toMs: this.#latestRowMs }, asking);
  }

  /** Whether fills are being read for a heal: then other suspicions about fills may be answered by it. */
  get isHealingFills(): boolean {
    return this.#fillHeals > 0;
  }

  async #readWindow(stream: WindowStream, window: Interval, asking: Asking): Promise<void> {
    const isFillHeal = asking.priority === "heal" && (stream === "fills" || stream === "twapFills");
    if (isFillHeal) this.#fillHeals += 1;
    try {
      await readWindow(this.#windowReading(stream, asking), stream, window);
    } finally {
      if (isFillHeal) this.#fillHeals -= 1;
    }
  }

  #windowReading(stream: WindowStream, asking: Asking): WindowReading {
    const { account, info, store, onProgress } = this.#deps;
    let rows = 0;
    return {
      ...asking,
      account,
      info,
      restLagMs: this.#deps.options.restLagMs,
      venueTimeMs: this.#time.claimableMs,
      latestRowMs: this.#latestRowMs,
      countFillsAfter: (timeMs, twap) => store.countFillsAfter(account, timeMs, twap),
      commit: async (batch) => {
        const applied = await this.#keep(batch, this.#deps.clock.now(), asking);
        rows += (batch.fills?.length ?? 0) + (batch.funding?.length ?? 0) + (batch.ledger?.length ?? 0);
        const covered = batch.coverage?.at(-1);
        if (covered) onProgress?.({ account, stream, fromMs: covered.fromMs, toMs: covered.toMs, rows });
        return applied;
      },
    };
  }

  /** A row that is younger is stamped wrongly, whichever of the clocks is right. */
  get #latestRowMs(): number {
    return this.#time.readToMs(this.#deps.clock.now()) + ROW_AHEAD_MS;
  }

  /** Commits what was read; a claim without rows waits where claims are written together. */
  async #keep(batch: Batch, receivedAtMs: number, asking?: Asking): Promise<Applied> {
    const { coverage = [], ...rows } = batch;
    if (!asking?.held || !isEmpty(rows)) return this.commit(batch, receivedAtMs);
    asking.held.push(...coverage);
    return NOTHING_APPLIED;
  }

  /** Commits and keeps what was committed in mind. */
  async commit(given: Batch, receivedAtMs: number): Promise<Applied> {
    const batch = withoutFutureRows(given, this.#latestRowMs, receivedAtMs);
    if (isEmpty(batch)) return NOTHING_APPLIED;
    const applied = await this.#deps.commit(batch, receivedAtMs);
    const nowMs = this.#deps.clock.now();
    for (const row of applied.coverage ?? batch.coverage ?? []) this.#book.note(row);
    if (batch.fills) {
      this.check.noteFills(batch.fills, nowMs);
      this.#cash.noteFills(batch.fills);
    }
    if (batch.funding) this.#cash.noteFunding(batch.funding);
    if (batch.ledger) {
      this.#cash.noteLedger(batch.ledger);
      this.#health.noteLedger(batch.ledger);
    }
    if (batch.orderEvents) {
      this.check.noteOrderEvents(batch.orderEvents, nowMs);
      this.#orders.noteTransitions(batch.orderEvents.length);
    }
    for (const list of [batch.fills, batch.orderEvents, batch.funding])
      for (const { coin } of list ?? []) this.#noteDex(dexOfCoin(coin));
    for (const { raw } of batch.ledger ?? []) for (const dex of dexesOfUpdate(raw)) this.#noteDex(dex);
    return applied;
  }

  #noteDex(dex: string): void {
    this.#states.noteUsed(dex);
    const signal = this.#snapshots.signal;
    if (!this.#deps.dexes.names.includes(dex) && signal)
      void this.#deps.dexes.noteNamed(dex, { priority: "reconcile", signal });
  }

  /** The states of the dexes in use and of spot, or of all dexes. Tells which parts lacked something we hold. */
  async #readStates(
    isThorough: boolean,
    asking: Asking,
  ): Promise<StatesRead & { read: ReadonlySet<string> }> {
    const { dexes, log } = this.#deps;
    let untold: unknown = null;
    if (isThorough)
      await dexes.renew(ask(asking)).catch((error: unknown) => {
        asking.signal.throwIfAborted();
        log.warn("the list of perp dexes could not be read: the known ones are followed", { error });
        if (!dexes.isTold) untold = error;
      });
    const read = this.#states.toRead(isThorough);
    const parts: StatePart[] = [...read.map(perpPart), { kind: "spot", dex: "" }];
    const mode = this.#states.isModeOld ? [this.#askMode(asking)] : [];
    const told = await this.#readParts(parts, asking, mode);
    // What was read is kept; what the account is worth is not known without the list.
    if (untold !== null) throw untold;
    return { ...told, read: new Set(read) };
  }

  /** The states of dexes of which only this reading told that something of the account is there. True when there are any. */
  async #readUnseen(seen: ReadonlySet<string>, told: Promise<unknown>[], asking: Asking): Promise<boolean> {
    await Promise.allSettled(told);
    asking.signal.throwIfAborted();
    const unseen = this.#states.toRead(false).filter((dex) => !seen.has(dex));
    if (unseen.length > 0) await this.#readParts(unseen.map(perpPart), asking);
    return unseen.length > 0;
  }

  async #askMode(asking: Asking): Promise<void> {
    const { info, account } = this.#deps;
    try {
      const { result } = await info.request(INFO.userAbstraction, { user: account }, ask(asking));
      this.#states.noteAbstraction(result.value);
    } catch (error) {
      asking.signal.throwIfAborted();
      // Older endpoints do not know the question.
      const isServed = !(error instanceof ProtocolError);
      this.#states.noteModeUntold(isServed);
      if (isServed) throw error;
    }
  }

  /** Reads these states and commits those that were answered, at once; then throws the first failure of a part in use, if any. */
  async #readParts(
    parts: readonly StatePart[],
    asking: Asking,
    others: Promise<void>[] = [],
  ): Promise<StatesRead> {
    const { info, account, dexes } = this.#deps;
    const batch: Batch = { positions: [], balances: [], states: [] };
    const note = (subject: string, unread: Unread[]) =>
      append(batch, { quarantine: quarantineRows(unread, subject, account, this.#deps.clock.now()) });
    const read = async ({ kind, dex }: StatePart): Promise<void> => {
      if (kind === "spot") {
        const answer = await info.request(INFO.spotClearinghouseState, { user: account }, ask(asking));
        append(batch, this.spotState(answer.result, answer.receivedAtMs));
        note(INFO.spotClearinghouseState.type, answer.result.unread);
        return;
      }
      const asked = info.request(INFO.clearinghouseState, { user: account, dex }, ask(asking));
      const answer = await asked.catch(async (error: unknown) => {
        if (dex === "" || !isAnswered(error)) throw error;
        await dexes.renew(ask(asking)).catch(() => asking.signal.throwIfAborted());
        if (!dexes.isGone(dex)) throw error;
        return null;
      });
      if (answer === null) return append(batch, this.#goneState(dex));
      append(batch, this.perpState(dex, answer.result, answer.receivedAtMs));
      note(INFO.clearinghouseState.type, answer.result.unread);
    };
    const done = await Promise.allSettled([...parts.map(read), ...others]);
    const { lacking = [] } = await this.commit(batch, this.#deps.clock.now());
    const failures = done.flatMap((one, at) =>
      one.status === "rejected" ? [{ reason: one.reason as unknown, dex: parts[at]?.dex ?? null }] : [],
    );
    asking.signal.throwIfAborted();
    const needed = failures.find(({ dex }) => dex !== null && this.#states.isUsed(dex));
    if (needed) throw needed.reason;
    if (this.#states.isComplete) this.#snapshots.noteComplete();
    return { lacking, failure: failures[0] ?? null };
  }

  /** What a state lacked is settled by its fills, or by a second state (ADR 0005). */
  async #lookAgain(lacking: readonly StatePart[], fills: Promise<unknown>, asking: Asking): Promise<void> {
    if (lacking.length === 0) return;
    const { clock, options } = this.#deps;
    await Promise.allSettled([fills, clock.sleep(options.secondLookMs, asking.signal)]);
    asking.signal.throwIfAborted();
    await this.#readParts(lacking, asking);
  }

  /** With the claims that wait, if any. */
  async #writeSnapshot(asking: Asking): Promise<void> {
    const { signal } = asking;
    signal.throwIfAborted();
    await this.#snapshots.learn(signal);
    await this.commit({ ...this.#snapshots.due(true, false), ...heldClaims(asking) }, this.#deps.clock.now());
  }

  /** Rows of what is new in it. */
  noteWebData({ userState, perpDexStates }: WireWebData3): Batch {
    if (userState.abstraction) this.#states.noteAbstraction(userState.abstraction);
    const equity = vaultEquityOf(perpDexStates);
    const nowMs = this.#time.estimate(this.#deps.clock.now());
    const toldMs = Math.min(userState.serverTime ?? nowMs, nowMs);
    if (equity !== null && userState.serverTime) this.#health.noteVaults(equity, toldMs);
    const { agentAddress = null, agentValidUntil = null } = userState;
    const value = { agentAddress, agentValidUntil };
    const content = JSON.stringify(value);
    // Pushed every few seconds.
    if (content === this.#agent) return {};
    this.#agent = content;
    return fact({ account: this.address, asOfMs: toldMs }, "agent", value);
  }

  /** The rows of a state of one dex, fetched or pushed. */
  perpState(dex: string, state: ReadParts<WireStateParts>, receivedAtMs: number): Batch {
    const { time: told } = state.value;
    // One that tells no time, or one that is not believed, is as old as its arrival.
    const time = told && this.#noteVenueTime(told) ? told : this.#time.estimate(receivedAtMs);
    this.#snapshots.noteRisk();
    return this.#states.takePerp(dex, { ...state, value: { ...state.value, time } }, receivedAtMs);
  }

  #goneState(dex: string): Batch {
    const nowMs = this.#deps.clock.now();
    this.#snapshots.noteRisk();
    return this.#states.takeGone(dex, nowMs, this.#time.estimate(nowMs));
  }

  spotState(state: ReadParts<WireSpotState>, receivedAtMs: number): Batch {
    this.#snapshots.noteRisk();
    return this.#states.takeSpot(state, receivedAtMs, this.#time.estimate(receivedAtMs));
  }

  /** Rows of an openOrders push that tell something new: an order not seen yet, or a smaller remaining size. */
  openOrders(dex: string, rows: OrderEventRow[], isComplete: boolean, receivedAtMs: number): Batch {
    const fresh = this.#open.fresh(dex, rows);
    if (isComplete) this.check.noteOpenOrders(dex, new Set(rows.map((row) => row.orderId)), receivedAtMs);
    this.#noteListed(dex, rows, isComplete);
    return { orderEvents: fresh };
  }

  #noteListed(dex: string, rows: OrderEventRow[], isComplete: boolean): void {
    this.#open.note(dex, rows, isComplete);
    if (isComplete) this.#health.noteOpenOrders(dex, rows);
  }

  /** What is known now, for people: the snapshot as it would be stored, positions and open orders as last told. */
  look(): { snapshot: DashboardRow | null; positions: PositionRow[]; openOrders: OrderEventRow[] } {
    return {
      snapshot: this.#snapshots.look(),
      positions: this.#states.positions(),
      openOrders: this.#open.rows(),
    };
  }

  /** The account snapshot when one is due. */
  snapshot(afterFill: boolean): Batch {
    return this.#snapshots.due(false, afterFill);
  }

  /** What contradicts what the venue says, and has outlived its grace, or another one. */
  ripe(nowMs: number, graceMs?: number): Suspicion[] {
    // An order that is about to be asked for anyway waits for that.
    const isDue = (one: Suspicion) => one.kind !== "order" || !this.#orders.isLost(one.orderId);
    return [...this.check.ripe(nowMs, graceMs).filter(isDue), ...this.#cash.ripe(nowMs, graceMs)];
  }

  /** Where there is no stream, after a catch-up: repairs what this one and the one before it left open. */
  async repairLasting(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const lasting = this.#lasting.take(this.ripe(clock.now(), 0));
    const due = () => this.ripe(clock.now()).filter(({ key }) => lasting.has(key));
    // One reading often answers several.
    for (let [next] = repairsOf(this, due()); next !== undefined; [next] = repairsOf(this, due()))
      await next.run(signal);
  }

  /** Heals a suspicion by the narrowest reading, and records what was found. True when it is explained now. */
  async repair(suspicion: FillSuspicion | CashSuspicion, signal: AbortSignal): Promise<boolean> {
    if (suspicion.kind === "chain" || suspicion.kind === "position")
      return this.#repairFills(suspicion, signal);
    const asking: Asking = { priority: "reconcile", source: "repair", signal };
    const foundAtMs = this.#deps.clock.now();
    await allOf(suspicion.streams.map((stream) => this.#readWindow(stream, suspicion, asking)));
    return (await this.#settle([suspicion], foundAtMs)) === 1;
  }

  async #repairFills(suspicion: FillSuspicion, signal: AbortSignal): Promise<boolean> {
    const asking: Asking = { priority: "heal", source: "repair", signal };
    const foundAtMs = this.#deps.clock.now();
    const window = {
      fromMs: suspicion.fromMs,
      toMs: suspicion.kind === "chain" ? suspicion.toMs : this.#latestRowMs,
    };
    await allOf([this.#readWindow("fills", window, asking), this.#readWindow("twapFills", window, asking)]);
    return (await this.#settle([suspicion], foundAtMs)) === 1;
  }

  /** Asks for the orders of these suspicions, and records what was found. Returns how many are explained now. */
  async repairOrders(suspicions: readonly OrderSuspicion[], signal: AbortSignal): Promise<number> {
    // There may be hundreds of orders to ask for: fills go first.
    const asking: Asking = { priority: "reconcile", source: "repair", signal };
    const foundAtMs = this.#deps.clock.now();
    const orderIds = suspicions.map(({ orderId }) => orderId);
    await this.#orders.resolve(orderIds, asking, this.#claimableToMs);
    return this.#settle(suspicions, foundAtMs);
  }

  async #settle(suspicions: readonly Suspicion[], foundAtMs: number): Promise<number> {
    const { clock, log } = this.#deps;
    const drift: DriftRow[] = [];
    for (const suspicion of suspicions) {
      const isExplained = isCash(suspicion)
        ? this.#cash.settle(suspicion, clock.now())
        : this.check.settle(suspicion, clock.now());
      const { key: _key, kind, ...detail } = suspicion;
      // Money moves in ways of which the venue makes no row (rewards, interest): that is no loss of ours.
      if (isCash(suspicion) && !isExplained) {
        log.debug("money moved without a row at the venue", { cause: kind, ...detail });
        continue;
      }
      const stream = STREAM_OF[kind];
      const repairedAtMs = isExplained ? clock.now() : null;
      drift.push({ account: this.address, stream, cause: kind, detail, foundAtMs, repairedAtMs });
      if (isExplained) log.info("healed a loss", { cause: kind, ...detail });
      else log.warn("difference not explained by the venue", { cause: kind, ...detail });
    }
    await this.commit({ drift }, foundAtMs);
    return drift.filter(({ repairedAtMs }) => repairedAtMs !== null).length;
  }

  /** Rows that say that every stream was watched live over this time. */
  streamed(fromMs: number, toMs: number): CoverageRow[] {
    if (fromMs > toMs) return [];
    const claim = { account: this.address, grade: "streamed", fromMs, toMs, reason: null } as const;
    return TRACKED_STREAMS.map((stream) => ({ ...claim, stream }));
  }
}

/** What came of reading states. */
interface StatesRead {
  /** Parts that lacked something we hold. */
  lacking: StatePart[];
  /** Of the mode, or of a dex on which nothing of the account is known to be: the snapshot is made, and says that this part is not known. */
  failure: { reason: unknown } | null;
}

/** In which history the missing row is. */
const STREAM_OF: Record<Suspicion["kind"], TrackedStream> = {
  chain: "fills",
  position: "fills",
  order: "orders",
  cash: "ledger",
  funding: "funding",
  balance: "ledger",
};

const perpPart = (dex: string): StatePart => ({ kind: "perp", dex });

const isCash = (suspicion: Suspicion): suspicion is CashSuspicion => "streams" in suspicion;

const NOTHING_APPLIED: Applied = { events: [], written: {}, known: {} };

/** The claims that wait, which wait no more. */
const heldClaims = ({ held }: Asking): Batch => (held?.length ? { coverage: held.splice(0) } : {});

const ask = ({ priority, signal }: Asking) => ({ priority, signal });
