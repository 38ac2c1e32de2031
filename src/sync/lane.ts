/**
 * One account followed live: its stream, joined with REST.
 *
 * ```
 *   stream ──► inbox (bounded) ──► normalize ──► one batch ──► commit ──► publish
 *                 │ held while catching up (at most `holdMs`), then drained in order
 *                 └ connected / disconnected / overflow are inputs like any other: each opens a gap
 *   every tick:  ripe suspicion → repair · interval over → catch up · gaps left → backfill
 * ```
 *
 * Guarantees: after every connect, and after an overflow of the inbox, the gap to the present is closed by REST; a loss
 * on a healthy socket is healed when the self-check finds it; a failed catch-up is tried again until it succeeds.
 * Reading over REST goes on beside the live stream: every write is a join, so their order does not matter to the rows.
 */
import type { Reading, Subscription } from "../protocol/channels.ts";
import { BoundedQueue } from "../runtime/boundedQueue.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Random } from "../runtime/random.ts";
import { Tasks } from "../runtime/tasks.ts";
import type { Account } from "./account/account.ts";
import type { PurposeName } from "./account/purpose.ts";
import { quarantineRows, type WindowStream } from "./backfill.ts";
import { append, isEmpty } from "./batch.ts";
import type { CashSuspicion } from "./cashCheck.ts";
import type { Batch, CoverageRow, FillRow, OrderEventRow } from "./events.ts";
import { factRows, type Origin, openOrderRows } from "./normalize.ts";
import type { OpenStream, Stream, StreamHandler, StreamStatus } from "./ports.ts";
import type { FillSuspicion, OrderSuspicion, Suspicion } from "./selfCheck.ts";

export const LANE_DEFAULTS = {
  /** Reconcile with REST this often while the stream lives. */
  intervalMs: 300_000,
  /** Read over REST this often while it does not. */
  pollMs: 15_000,
  /** Frames held while the database or a catch-up is slower than the stream; beyond it frames are dropped and the
   * loss is a gap that the next catch-up closes. */
  inboxLimit: 20_000,
  /** The stream is held back for a catch-up at most this long, then drained beside it. */
  holdMs: 5_000,
  /** After a loss was healed, what was then too young to be claimed is read again so much later. */
  confirmMs: 2_500,
  /** Timed duties are looked at this often. */
  tickMs: 500,
  /** How often the live interval is written down while nothing else happens. */
  streamedMs: 10_000,
  /** Back-off of a failed catch-up, backfill or repair. */
  retryMs: 1_000,
  retryMaxMs: 30_000,
} as const;
export type LaneOptions = { [K in keyof typeof LANE_DEFAULTS]: number };

/** Suspected orders asked for in one repair; more wait for the next. */
const ORDERS_PER_REPAIR = 100;

/** Frames folded into one batch. */
const FRAMES_PER_BATCH = 1_000;

type Input =
  | { type: "message"; reading: Reading; channel: string; receivedAtMs: number }
  | { type: "connected"; atMs: number }
  | { type: "disconnected"; why: string }
  | { type: "quarantine"; subject: string; reason: string; raw: string; atMs: number };

export type LanePhase = "connecting" | "catching_up" | "live" | "disconnected" | "stopped";

export interface LaneStatus {
  phase: LanePhase;
  stream: StreamStatus;
  /** Frames waiting to be written. */
  queued: number;
  /** Frames dropped since the start because the inbox was full. */
  dropped: number;
  lastCatchUpMs: number | null;
  lastCatchUpError: string | null;
  /** Differences found and healed by the self-check since the start. */
  healed: number;
  unexplained: number;
}

export interface LaneDeps {
  account: Account;
  openStream: OpenStream;
  subscriptions: readonly Subscription[];
  clock: Clock;
  random: Random;
  log: Log;
  options: LaneOptions;
  /** A bug or a database that will never take the write: the lane is dead, the program must stop. */
  onFatal(error: unknown): void;
}

/** State channels, once per dex. The first dex is the venue's default: left out. */
export const dexSubscriptions = (user: string, dexes: readonly string[]): Subscription[] =>
  ["clearinghouseState", "openOrders"].flatMap((type) =>
    dexes.map((dex) => (dex === "" ? { type, user } : { type, user, dex })),
  );

/** Every subscription of one account. */
export function accountSubscriptions(user: string, dexes: readonly string[]): Subscription[] {
  return [
    { type: "orderUpdates", user },
    { type: "userEvents", user },
    // Aggregated fills reuse one of their tids and carry averaged prices: never mixed with raw ones.
    { type: "userFills", user, aggregateByTime: false },
    { type: "userHistoricalOrders", user },
    { type: "userTwapSliceFills", user },
    { type: "userFundings", user },
    { type: "userNonFundingLedgerUpdates", user },
    { type: "spotState", user },
    { type: "webData3", user },
    ...dexSubscriptions(user, dexes),
  ];
}

export class Lane {
  readonly name: string;
  readonly #deps: LaneDeps;
  readonly #abort = new AbortController();
  readonly #inbox: BoundedQueue<Input>;
  #stream: Stream | null = null;
  #phase: LanePhase = "connecting";
  #running: Promise<void> = Promise.resolve();
  readonly #tasks: Tasks;
  #cancelTick: () => void = () => {};
  readonly #committed = new CommittedRows();
  #overflowed = false;
  /** Something was lost while a catch-up ran: another must follow it. */
  #catchUpAgain = false;
  #dropped = 0;
  #healed = 0;
  #unexplained = 0;
  #lastCatchUpMs: number | null = null;
  #catchUpDueMs: number;
  /** By stream: when what a heal read too young to be claimed is to be read again. */
  readonly #confirmDueMs = new Map<WindowStream, number>();
  #lastCatchUpError: string | null = null;
  /** The live interval, in venue time: it begins with the first time stamped after this; null while not connected. */
  #streamedAfterMs: number | null = null;
  #streamedFromMs: number | null = null;
  #streamedWrittenMs = Number.NEGATIVE_INFINITY;
  /** Ends the holding back of the stream; null while it is not held. */
  #release: (() => void) | null = null;

  constructor(deps: LaneDeps) {
    this.#deps = deps;
    this.name = `lane ${deps.account.address}`;
    this.#inbox = new BoundedQueue(deps.options.inboxLimit);
    const backoff = { baseMs: deps.options.retryMs, capMs: deps.options.retryMaxMs };
    this.#tasks = new Tasks({ ...deps, backoff, onEnd: () => this.#inbox.poke() });
    this.#catchUpDueMs = deps.clock.now() + deps.options.pollMs;
  }

  start(): void {
    this.#deps.account.expectHeal();
    this.#stream = this.#deps.openStream(this.#deps.subscriptions, this.#handler());
    this.#tick();
    this.#running = this.#run().catch((error: unknown) => {
      if (!this.#abort.signal.aborted) this.#deps.onFatal(error);
    });
  }

  /** Stops intake first, then writes what was received. */
  async stop(): Promise<void> {
    this.#cancelTick();
    this.#deps.account.endHeal();
    await this.#stream?.stop();
    this.#inbox.close();
    this.#release?.();
    await this.#running;
    this.#abort.abort(new Error("stopped"));
    await this.#tasks.stop();
    this.#phase = "stopped";
  }

  status(): LaneStatus {
    return {
      phase: this.#phase,
      stream: this.#stream?.status() ?? NO_STREAM,
      queued: this.#inbox.length,
      dropped: this.#dropped,
      lastCatchUpMs: this.#lastCatchUpMs,
      lastCatchUpError: this.#lastCatchUpError,
      healed: this.#healed,
      unexplained: this.#unexplained,
    };
  }

  /** Perp dexes that the venue did not list before: their states and orders are streamed from now on. */
  addDexes(dexes: readonly string[]): void {
    for (const subscription of dexSubscriptions(this.#deps.account.address, dexes))
      this.#stream?.subscribe(subscription);
  }

  #handler(): StreamHandler {
    const { log, account } = this.#deps;
    const put = (input: Input) => {
      if (this.#inbox.push(input) || this.#inbox.closed) return;
      if (this.#dropped++ === 0)
        log.warn("stream is faster than the database: frames dropped, a repair will follow");
      this.#overflowed = true;
    };
    return {
      onMessage: (reading, channel, _subscription, receivedAtMs) =>
        put({ type: "message", reading, channel: channel.channel, receivedAtMs }),
      onConnected: (atMs) => put({ type: "connected", atMs }),
      onDisconnected: (_atMs, why) => {
        put({ type: "disconnected", why });
        // Whatever the catch-up still waits for, the next connection needs one of its own.
        this.#release?.();
      },
      onQuarantine: (subject, reason, raw, atMs) => put({ type: "quarantine", subject, reason, raw, atMs }),
      onConfirmed() {},
      onRefused: (subscription, text, permanent) =>
        log[permanent ? "info" : "warn"]("subscription refused by the venue", {
          type: subscription.type,
          text,
        }),
      onLimited: (subscription, text) =>
        log.warn("the venue takes no more subscriptions from this address", {
          type: subscription.type,
          text,
        }),
      onStale: (subscription, ageMs) =>
        log.warn("stream is silent", { account: account.address, type: subscription.type, ageMs }),
      onFresh: (subscription) =>
        log.info("stream is back", { account: account.address, type: subscription.type }),
    };
  }

  #tick(): void {
    this.#cancelTick = this.#deps.clock.after(this.#deps.options.tickMs, () => {
      this.#tick();
      this.#inbox.poke();
    });
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#inbox.ready();
      if (this.#inbox.length === 0 && this.#inbox.closed) break;
      const inputs = this.#inbox.takeUpTo(FRAMES_PER_BATCH);
      await this.#process(inputs);
      if (!this.#inbox.closed) await this.#duties();
    }
    await this.#endStreamed();
  }

  async #process(inputs: Input[]): Promise<void> {
    let pending: Pending = emptyPending();
    for (const input of inputs) {
      if (input.type === "message") this.#interpret(pending, input);
      else if (input.type === "quarantine") {
        const { subject, reason, raw, atMs: seenAtMs } = input;
        pending.batch.quarantine.push({
          account: this.#deps.account.address,
          subject,
          reason,
          raw,
          seenAtMs,
        });
      } else {
        await this.#flush(pending);
        pending = emptyPending();
        if (input.type === "connected") await this.#connected();
        else await this.#disconnected(input.why);
      }
    }
    await this.#flush(pending);
  }

  async #flush({ batch, receivedAtMs }: Pending): Promise<void> {
    const { account } = this.#deps;
    const fresh = this.#committed.without(batch);
    if (fresh.fills?.length) append(fresh, account.snapshot(true));
    if (isEmpty(fresh)) return;
    await account.commit(fresh, receivedAtMs);
    this.#committed.add(fresh);
  }

  /** The gap since the last socket is closed before what came since then is written, unless that takes too long. */
  async #connected(): Promise<void> {
    this.#phase = "catching_up";
    this.#awaitStreamed();
    // One that began before may have read what lies before the loss only.
    this.#tasks.giveUp("catch-up");
    const done = this.#startCatchUp("heal");
    const held = new AbortController();
    this.#release = () => held.abort();
    const hold = this.#deps.clock.sleep(this.#deps.options.holdMs, held.signal).catch(() => {});
    await Promise.race([done, hold]);
    this.#release();
    this.#release = null;
  }

  async #disconnected(why: string): Promise<void> {
    this.#phase = "disconnected";
    if (!this.#inbox.closed) this.#deps.account.expectHeal();
    this.#catchUpDueMs = Math.min(this.#catchUpDueMs, this.#deps.clock.now() + this.#deps.options.pollMs);
    this.#deps.log.warn("stream lost, reconnecting", { account: this.#deps.account.address, why });
    await this.#endStreamed();
  }

  /** A live interval begins with the next time that the venue stamps. */
  #awaitStreamed(): void {
    this.#streamedFromMs = null;
    this.#streamedAfterMs = this.#deps.account.venueTimeMs;
  }

  /** Rows of the live interval so far; none before it has begun. */
  #streamed(): CoverageRow[] {
    const { venueTimeMs } = this.#deps.account;
    if (this.#streamedAfterMs === null || venueTimeMs <= this.#streamedAfterMs) return [];
    this.#streamedFromMs ??= venueTimeMs;
    return this.#deps.account.streamed(this.#streamedFromMs, venueTimeMs);
  }

  async #endStreamed(): Promise<void> {
    const coverage = this.#streamedFromMs === null ? [] : this.#streamed();
    this.#streamedAfterMs = null;
    this.#streamedFromMs = null;
    if (coverage.length > 0) await this.#deps.account.commit({ coverage }, this.#deps.clock.now());
  }

  async #duties(): Promise<void> {
    const { account, clock } = this.#deps;
    const nowMs = clock.now();
    if (this.#overflowed && this.#inbox.length === 0) {
      this.#overflowed = false;
      await this.#endStreamed();
      this.#awaitStreamed();
      this.#catchUpAgain = true;
      this.#startCatchUp("heal");
    }
    this.#startRepairs(account.ripe(nowMs));
    this.#startConfirm(nowMs);
    // A heal that failed is as urgent as it was.
    if (nowMs >= this.#catchUpDueMs && this.#phase === "catching_up") this.#startCatchUp("heal");
    else if (nowMs >= this.#catchUpDueMs) this.#startCatchUp(this.#phase === "live" ? "reconcile" : "poll");
    else if (this.#lastCatchUpMs !== null) this.#startBackfill();
    const idle: Batch = account.snapshot(false);
    if (nowMs - this.#streamedWrittenMs >= this.#deps.options.streamedMs) {
      this.#streamedWrittenMs = nowMs;
      idle.coverage = this.#streamed();
    }
    if (!isEmpty(idle)) await account.commit(idle, nowMs);
  }

  #startCatchUp(purpose: PurposeName): Promise<void> {
    return this.#tasks.run("catch-up", async (signal) => {
      this.#catchUpAgain = false;
      const { clock, options } = this.#deps;
      const onRead = (stream: WindowStream) => {
        if (purpose === "heal") this.#confirmDueMs.set(stream, clock.now() + options.confirmMs);
        else this.#confirmDueMs.delete(stream);
      };
      try {
        await this.#deps.account.catchUp(purpose, signal, onRead);
      } catch (error) {
        if (signal.aborted) throw error;
        this.#lastCatchUpError = error instanceof Error ? error.message : String(error);
        this.#catchUpDueMs = clock.now();
        throw error;
      }
      if (signal.aborted) return;
      if (this.#phase === "catching_up") this.#phase = "live";
      this.#lastCatchUpError = null;
      this.#lastCatchUpMs = clock.now();
      const waitMs = this.#phase === "live" ? options.intervalMs : options.pollMs;
      this.#catchUpDueMs = this.#lastCatchUpMs + (this.#catchUpAgain ? 0 : waitMs);
    });
  }

  #startRepairs(suspicions: readonly Suspicion[]): void {
    const orders = suspicions.filter((one): one is OrderSuspicion => one.kind === "order");
    for (const suspicion of suspicions) if (suspicion.kind !== "order") this.#startRepair(suspicion);
    // A catch-up lists at once what is open and what ended, and must not wait for questions about single orders.
    if (orders.length === 0 || this.#tasks.isRunning("catch-up")) return;
    this.#tasks.run("repair of orders", async (signal) => {
      const asked = orders.slice(0, ORDERS_PER_REPAIR);
      const healed = await this.#deps.account.repairOrders(asked, signal);
      this.#healed += healed;
      this.#unexplained += asked.length - healed;
    });
  }

  #startRepair(suspicion: FillSuspicion | CashSuspicion): void {
    // One reading often answers several: what it leaves open is raised again.
    if (this.#deps.account.isHealingFills) return;
    this.#tasks.run(`repair ${suspicion.key}`, async (signal) => {
      if (await this.#deps.account.repair(suspicion, signal)) this.#healed += 1;
      else this.#unexplained += 1;
    });
  }

  #startConfirm(nowMs: number): void {
    const due = [...this.#confirmDueMs].filter(([, atMs]) => atMs <= nowMs);
    if (due.length === 0) return;
    this.#tasks.run("confirm", async (signal) => {
      const streams = due.map(([stream]) => stream);
      await this.#deps.account.confirm(streams, signal);
      // A heal that came meanwhile wants its own.
      for (const [stream, atMs] of due)
        if (this.#confirmDueMs.get(stream) === atMs) this.#confirmDueMs.delete(stream);
    });
  }

  #startBackfill(): void {
    const { account } = this.#deps;
    if (!account.hasOldGaps()) return;
    this.#tasks.run("backfill", async (signal) => {
      await account.backfill("backfill", signal);
    });
  }

  /** One frame into the pending batch. */
  #interpret(pending: Pending, { reading, channel, receivedAtMs }: Input & { type: "message" }): void {
    const { account } = this.#deps;
    const { content, unread, isSnapshot } = reading;
    const origin: Origin = {
      account: account.address,
      source: isSnapshot ? "snapshot" : "stream",
      seenAtMs: receivedAtMs,
    };
    const { batch } = pending;
    pending.receivedAtMs = Math.min(pending.receivedAtMs, receivedAtMs);
    batch.quarantine.push(...quarantineRows(unread, channel, account.address, receivedAtMs));
    const facts = factRows(content, origin);
    if (facts !== null) append(batch, facts);
    switch (content.type) {
      case "openOrders":
        append(
          batch,
          account.openOrders(
            content.dex,
            openOrderRows(origin, content.rows),
            content.complete,
            receivedAtMs,
          ),
        );
        break;
      case "clearinghouseState":
        append(batch, account.perpState(content.dex, content.state, receivedAtMs));
        break;
      case "spotState":
        append(batch, account.spotState(content.state, receivedAtMs));
        break;
      case "webData3":
        account.noteWebData(content.data);
        break;
      case "webData2": {
        const orders = openOrderRows(origin, content.openOrders);
        if (content.perp) append(batch, account.perpState("", content.perp, receivedAtMs));
        append(batch, account.openOrders("", orders, content.complete, receivedAtMs));
        if (content.spot) append(batch, account.spotState(content.spot, receivedAtMs));
        break;
      }
    }
  }
}

/** Rows remembered as committed; the oldest are forgotten, and then written again for nothing. */
const COMMITTED_MAX = 20_000;

/**
 * What this lane has committed from its stream: the venue sends each fill and each order transition on two channels
 * and again after every reconnect, and the same content need not be written twice. Readings over REST do not come by
 * here: they are there to find what the database has lost.
 */
class CommittedRows {
  #prints = new Set<string>();

  /** The batch without the rows whose very content was committed before, and without repetitions in itself. */
  without(batch: Batch): Batch {
    const inBatch = new Set<string>();
    const isNew = (row: FillRow | OrderEventRow): boolean => {
      const print = fingerprint(row);
      if (this.#prints.has(print) || inBatch.has(print)) return false;
      inBatch.add(print);
      return true;
    };
    return {
      ...batch,
      fills: (batch.fills ?? []).filter(isNew),
      orderEvents: (batch.orderEvents ?? []).filter(isNew),
    };
  }

  add(batch: Batch): void {
    for (const row of [...(batch.fills ?? []), ...(batch.orderEvents ?? [])])
      this.#prints.add(fingerprint(row));
    for (const print of this.#prints) {
      if (this.#prints.size <= COMMITTED_MAX) break;
      this.#prints.delete(print);
    }
  }
}

const fingerprint = ({ source: _source, seenAtMs: _seenAtMs, ...content }: FillRow | OrderEventRow): string =>
  JSON.stringify(content);

/** What one flush writes. `receivedAtMs`: of its oldest frame. */
interface Pending {
  batch: Required<Pick<Batch, "fills" | "orderEvents" | "funding" | "ledger" | "quarantine">> & Batch;
  receivedAtMs: number;
}

const emptyPending = (): Pending => ({
  batch: { fills: [], orderEvents: [], funding: [], ledger: [], quarantine: [] },
  receivedAtMs: Number.POSITIVE_INFINITY,
});

const NO_STREAM: StreamStatus = {
  state: "stopped",
  connectedSinceMs: null,
  reconnects: 0,
  lastReceivedMs: null,
  lastEnd: null,
  nextAttemptMs: null,
  roundTripMs: null,
  subscriptions: [],
};
