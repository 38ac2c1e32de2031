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
import { INFO } from "../../protocol/infoRequests.ts";
import type { WireWebData3 } from "../../protocol/schemas.ts";
import { allOf } from "../../runtime/allOf.ts";
import type { Clock } from "../../runtime/clock.ts";
import { isZero } from "../../runtime/decimal.ts";
import { hasPassed } from "../../runtime/due.ts";
import type { Log } from "../../runtime/log.ts";
import { isEmpty } from "../batch.ts";
import { vaultEquityOf } from "../belongings.ts";
import { CASH_GRACE_MS, CashCheck } from "../cashCheck.ts";
import type { Commit } from "../commit.ts";
import type { Interval } from "../coverage.ts";
import { type Dexes, dexesOfUpdate, dexOfCoin } from "../dexes.ts";
import { ROW_AHEAD_MS, withoutFutureRows } from "../futureRows.ts";
import { HealthWatch } from "../healthWatch.ts";
import type { Markets } from "../markets.ts";
import type { Store, VenueInfo } from "../ports.ts";
import type { Prices } from "../prices.ts";
import type {
  Address,
  Applied,
  Batch,
  CoverageGrade,
  CoverageRow,
  DashboardRow,
  OrderEventRow,
  PositionRow,
  TrackedStream,
} from "../rows.ts";
import { TRACKED_STREAMS } from "../rows.ts";
import { SelfCheck } from "../selfCheck.ts";
import type { Volatilities } from "../volatility.ts";
import { readWindow, WINDOW_STREAMS, type WindowReading, type WindowStream } from "../windowReader.ts";
import { type Asking, ask, heldClaims } from "./asking.ts";
import { CoverageBook } from "./coverageBook.ts";
import { FailedParts, type Part } from "./failedParts.ts";
import { FutureClaims } from "./futureClaims.ts";
import { OpenOrders } from "./openOrders.ts";
import { OrderReader } from "./orderReader.ts";
import { fact, Particulars } from "./particulars.ts";
import { PURPOSES, type Purpose, type PurposeName } from "./purpose.ts";
import { Repairer } from "./repairer.ts";
import { Snapshots } from "./snapshots.ts";
import { StateReader } from "./stateReader.ts";
import { StateBook } from "./states.ts";
import { VenueTime } from "./venueTime.ts";

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
  /** Takes states that were fetched or pushed. */
  readonly states: StateReader;
  readonly repairs: Repairer;
  readonly #cash = new CashCheck(CASH_GRACE_MS);
  readonly #time = new VenueTime();
  readonly #book = new CoverageBook();
  readonly #open = new OpenOrders();
  readonly #stateBook: StateBook;
  readonly #snapshots: Snapshots;
  readonly #future: FutureClaims;
  readonly #orders: OrderReader;
  readonly #health: HealthWatch;
  readonly #failed = new FailedParts();
  readonly #particulars: Particulars;
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
  /** The database knows that the wanted history was once read whole. */
  #isReadNoted = false;
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
    this.#stateBook = new StateBook({
      account,
      clock,
      dexes,
      check: this.check,
      cash: this.#cash,
      health: this.#health,
    });
    const watched = () => ({
      ...this.#stateBook.watched(this.#time.ms, this.#time.estimate(clock.now())),
      // Money that came or went unseen would be profit.
      areFlowsKnown: !this.#failed.has("ledger"),
    });
    this.#snapshots = new Snapshots({ clock, health: this.#health, options, watched });
    const commit: Commit = (batch, receivedAtMs) => this.commit(batch, receivedAtMs);
    const estimate = (atMs: number) => this.#time.estimate(atMs);
    this.#particulars = new Particulars({ ...deps, commit, venueTime: estimate });
    this.#future = new FutureClaims({ ...deps, book: this.#book, time: this.#time, commit });
    this.states = new StateReader({
      ...deps,
      book: this.#stateBook,
      snapshots: this.#snapshots,
      secondLookMs: options.secondLookMs,
      noteTime: (venueMs) => this.#noteVenueTime(venueMs),
      estimate,
      commit,
    });
    this.#orders = new OrderReader({
      account,
      info,
      store,
      check: this.check,
      book: this.#book,
      latestRowMs: () => this.#latestRowMs,
      claimableToMs: () => this.#claimableToMs,
      commit: (batch, receivedAtMs, asking) => this.#keep(batch, receivedAtMs, asking),
      onListed: (dex, rows) => this.#noteListed(dex, rows, true),
    });
    this.repairs = new Repairer({
      ...deps,
      check: this.check,
      cash: this.#cash,
      orders: this.#orders,
      readWindow: (stream, window, asking) => this.#readWindow(stream, window, asking),
      latestRowMs: () => this.#latestRowMs,
      claimableToMs: () => this.#claimableToMs,
      isHealingFills: () => this.#fillHeals > 0,
      commit,
    });
  }

  /** Reads what the database knows. To be called once, first. */
  async open(): Promise<void> {
    const { store, account, alias, sinceMs, clock } = this.#deps;
    // Null would leave open what is wanted: 0 is all of it.
    const state = await store.openAccount(account, alias, sinceMs ?? 0);
    this.#doubtedMs = state.doubtedMs;
    this.#future.open(state.sinceMs ?? 0, state.coverage);
    const provenToMs = (["fills", "twapFills"] as const).map((stream) => this.#book.provenToMs(stream) ?? 0);
    this.#checkAfter(Math.min(...provenToMs));
    for (const order of state.openOrders) {
      this.check.noteOpenOrder(order.orderId, order.coin, clock.now());
      this.#stateBook.noteUsed(dexOfCoin(order.coin));
    }
    for (const { dex, szi } of state.positions)
      if (isZero(szi)) this.#stateBook.noteUsed(dex);
      else this.#stateBook.noteHeld(dex);
  }

  /** Looks what `verify` in another process may have withdrawn (ADR 0007). */
  async #recall(): Promise<void> {
    await Promise.all([this.#future.recall(), this.#recallDoubts()]);
  }

  /** What has no claims is asked for again when it was doubted. */
  async #recallDoubts(): Promise<void> {
    const { doubtedMs } = await this.#deps.store.followedAs(this.#deps.account);
    if (doubtedMs === this.#doubtedMs) return;
    this.#doubtedMs = doubtedMs;
    this.#particulars.forget();
    await this.#health.recall();
  }

  /** What is claimed as known never goes beyond this time of the venue, 0 before the first. */
  get claimableMs(): number {
    return this.#time.claimableMs;
  }

  /** How far a state of this time may be claimed as watched; null when its time is not believed. */
  claimableOf(stateMs: number): number | null {
    return stateMs > this.#time.ms ? null : Math.min(stateMs, this.#time.claimableMs);
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
    this.#markAt = this.#stateBook.mark();
    const glances = this.#glances;
    // A first reading may take long: what it proves is kept at once.
    const held = purpose.joinsClaims && this.#book.provenToMs("fills") !== null ? [] : undefined;
    const first: Asking = { priority: purpose.priority, source, signal, held };
    const rest: Asking = { priority: purpose.restPriority, source, signal, held };
    // A new connection begins with states, which tell the time: then the fills are there one round trip earlier.
    const heardMs = this.#deps.clock.now() - this.#time.heardMs;
    if (purpose.asksTime || heardMs < 0 || heardMs > TIME_FRESH_MS) await this.#askTime(first);
    if (purpose.recalls || this.#future.isClaimed) await this.#recall();
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
    const states = this.states.read(isThorough, rest);
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
      if (!isThorough && (await this.states.readUnseen(seen, [fills, funding], rest)))
        await read("ledger", rest);
      await this.#writeSnapshot(rest);
    };
    // Side by side from the start: a promise that fails while nothing waits for it ends the process.
    const settled = states.then(async ({ lacking, failure, read: seen }) => {
      await allOf([this.states.lookAgain(lacking, fills, rest), finish(seen)]);
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
    if (glances === this.#glances && this.repairs.ripe(this.#deps.clock.now(), 0).length === 0)
      this.#markAt = this.#stateBook.mark();
    await this.#noteRead();
  }

  /**
   * The cheap question where there is no stream: reads the states alone. True when something moved since the last reading; then
   * the account snapshot waits for that, since money that came or went unseen would be profit.
   */
  async glance(signal: AbortSignal): Promise<boolean> {
    const asking: Asking = { priority: "glance", source: "poll", signal };
    const { lacking } = await this.states.readUsed(asking);
    this.#glances += 1;
    if (lacking.length > 0 || this.#stateBook.mark() !== this.#markAt) return true;
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
    const { failure } = await this.states.read(true, asking);
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
    return dexes.names.filter((dex) => this.#stateBook.isUsed(dex) && !dexes.isGone(dex));
  }

  /**
   * Dexes whose open orders are unknown: where collateral is pooled, an old order may rest on a dex that shows no money.
   * In standard mode its margin would show.
   */
  #unaskedDexes(): string[] {
    if (this.#stateBook.mode === "standard") return [];
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

  /** Whether there was a row that was not known. */
  async #readWindow(stream: WindowStream, window: Interval, asking: Asking): Promise<boolean> {
    const isFillHeal = asking.priority === "heal" && (stream === "fills" || stream === "twapFills");
    if (isFillHeal) this.#fillHeals += 1;
    try {
      let found = false;
      const onCreated = () => {
        found = true;
      };
      await readWindow(this.#windowReading(stream, asking, onCreated), stream, window);
      return found;
    } finally {
      if (isFillHeal) this.#fillHeals -= 1;
    }
  }

  #windowReading(stream: WindowStream, asking: Asking, onCreated = () => {}): WindowReading {
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
        if (applied.events.some(({ type }) => type.endsWith(".created"))) onCreated();
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
    this.#stateBook.noteUsed(dex);
    const signal = this.#snapshots.signal;
    if (!this.#deps.dexes.names.includes(dex) && signal)
      void this.#deps.dexes.noteNamed(dex, { priority: "reconcile", signal });
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
    if (userState.abstraction) this.#stateBook.noteAbstraction(userState.abstraction);
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
      positions: this.#stateBook.positions(),
      openOrders: this.#open.rows(),
    };
  }

  /** The account snapshot when one is due. */
  snapshot(afterFill: boolean): Batch {
    return this.#snapshots.due(false, afterFill);
  }

  /** Rows that say that these streams were watched live over this time. */
  streamed(streams: readonly TrackedStream[], { fromMs, toMs }: Interval): CoverageRow[] {
    if (fromMs > toMs) return [];
    const claim = { account: this.address, grade: "streamed", fromMs, toMs, reason: null } as const;
    return streams.map((stream) => ({ ...claim, stream }));
  }
}

const NOTHING_APPLIED: Applied = { events: [], written: {}, known: {} };
