/**
 * One account followed live: its stream, joined with REST. What is done when is decided by `machine.ts`; this performs it.
 *
 * ```
 *   stream ──► inbox (bounded) ──► normalize ──► one batch ──► commit ──► publish
 *                 │ held while catching up (at most `holdMs`), then drained in order
 *                 └ connected / disconnected / dropped are marks between the frames: each opens a gap
 *   every tick:  ripe suspicion → repair · interval over → catch up · gaps left → backfill
 * ```
 *
 * Guarantees: after every connect, and after an overflow of the inbox, the gap to the present is closed by REST; a loss
 * on a healthy socket is healed when the self-check finds it; a failed catch-up is tried again until it succeeds.
 * Reading over REST goes on beside the live stream: every write is a join, so their order does not matter to the rows.
 */
import { errorText } from "../../errors.ts";
import type { Subscription } from "../../protocol/channels.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import { Tasks } from "../../runtime/tasks.ts";
import type { Account } from "../account/account.ts";
import type { PurposeName } from "../account/purpose.ts";
import { repairsOf } from "../account/repairs.ts";
import { append, isEmpty } from "../batch.ts";
import type { Interval } from "../coverage.ts";
import type { OpenStream, Stream, StreamHandler, StreamStatus } from "../ports.ts";
import type { Batch } from "../rows.ts";
import type { WindowStream } from "../windowReader.ts";
import { CommittedRows } from "./committedRows.ts";
import { type Connection, type Frame, Inbox, type Mark } from "./inbox.ts";
import {
  type ConfirmDue,
  initial,
  type LaneCommand,
  type LaneEvent,
  type LanePhase,
  type LaneState,
  step,
} from "./machine.ts";
import { Pending } from "./pending.ts";
import { dexSubscriptions, watchedStreams } from "./subscriptions.ts";

export const LANE_DEFAULTS = {
  /** Reconcile with REST this often while the stream lives. */
  intervalMs: 300_000,
  /** Read over REST this often while it does not. */
  pollMs: 15_000,
  /** Frames held while the database or a catch-up is slower than the stream, and their length together; beyond it frames
   * are dropped and the loss is a gap that the next catch-up closes. Five thousand open orders have 2 MB, every 5 s. */
  inboxLimit: 20_000,
  inboxLength: 32 * 1024 * 1024,
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

/** Frames of one block come within this: transitions wait so long for the fills beside them. */
const REST_OF_BLOCK_MS = 2;

/** Frames folded into one batch. */
const FRAMES_PER_BATCH = 1_000;

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

interface LaneDeps {
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

export class Lane {
  readonly name: string;
  readonly #deps: LaneDeps;
  readonly #inbox: Inbox;
  readonly #tasks: Tasks;
  readonly #committed = new CommittedRows();
  #state: LaneState;
  #stream: Stream | null = null;
  /** Of the connection whose frames are read. */
  #refused: ReadonlySet<string> = new Set();
  #running: Promise<void> = Promise.resolve();
  #cancelTick: () => void = () => {};
  #release: () => void = () => {};
  #healed = 0;
  #unexplained = 0;

  constructor(deps: LaneDeps) {
    const { options, clock } = deps;
    this.#deps = deps;
    this.name = `lane ${deps.account.address}`;
    this.#inbox = new Inbox({ items: options.inboxLimit, weight: options.inboxLength });
    const backoff = { baseMs: options.retryMs, capMs: options.retryMaxMs };
    this.#tasks = new Tasks({ ...deps, backoff, onEnd: () => this.#inbox.poke() });
    this.#state = initial(clock.now(), options);
  }

  start(): void {
    const { openStream, subscriptions, onFatal } = this.#deps;
    this.#tell({ type: "start" });
    this.#stream = openStream(subscriptions, this.#handler());
    this.#tick();
    this.#running = this.#run().catch((error: unknown) => {
      this.#tell({ type: "failed" });
      onFatal(error);
    });
  }

  /** Stops intake first, then writes what was received. */
  async stop(): Promise<void> {
    this.#cancelTick();
    this.#tell({ type: "stop" });
    await this.#stream?.stop();
    this.#inbox.close();
    await this.#running;
    await this.#tasks.stop();
  }

  status(): LaneStatus {
    const { phase, lastCatchUpMs, lastCatchUpError } = this.#state;
    return {
      phase,
      stream: this.#stream?.status() ?? NO_STREAM,
      queued: this.#inbox.length,
      dropped: this.#inbox.dropped,
      lastCatchUpMs,
      lastCatchUpError,
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
    const put = (frame: Frame, length: number) => {
      if (!this.#inbox.push(frame, length) && this.#inbox.dropped === 1)
        log.warn("stream is faster than the database: frames dropped, a repair will follow");
    };
    const unconnected = (): Connection => ({ isOver: true, refused: new Set() });
    let connection = unconnected();
    return {
      onMessage: (reading, { channel }, _subscription, receivedAtMs, length) =>
        put({ type: "message", reading, channel, receivedAtMs }, length),
      onConnected: () => {
        connection.isOver = false;
        this.#inbox.mark({ type: "connected", connection });
      },
      onDisconnected: (_atMs, why) => {
        connection.isOver = true;
        connection = unconnected();
        this.#inbox.mark({ type: "disconnected", why });
        this.#tell({ type: "cut" });
      },
      onQuarantine: (subject, reason, raw, receivedAtMs) =>
        put({ type: "quarantine", subject, reason, raw, receivedAtMs }, raw.length),
      onConfirmed() {},
      onRefused: ({ type }, text, permanent) => {
        connection.refused.add(type);
        log[permanent ? "info" : "warn"]("subscription refused by the venue", { type, text });
      },
      onLimited: ({ type }, text) => {
        connection.refused.add(type);
        log.warn("the venue takes no more subscriptions from this address", { type, text });
      },
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

  // ---- the stream, in order ----

  async #run(): Promise<void> {
    const { clock } = this.#deps;
    for (;;) {
      await this.#inbox.ready();
      if (this.#inbox.length === 0 && this.#inbox.isClosed) break;
      await this.#process();
      await this.#follow({ type: "tick", nowMs: clock.now(), isDrained: this.#inbox.length === 0 });
    }
    await this.#follow({ type: "ended" });
  }

  /**
   * Fills are committed as soon as they came, with the transitions of their orders: they are waited for. All else takes in what
   * came meanwhile, mostly the same transitions in their long form; without fills it waits a moment for them.
   */
  async #process(): Promise<void> {
    let pending = await this.#take(new Pending(this.#deps.account));
    if (pending.batch.fills?.length) await this.#flushFills(pending);
    else if (pending.batch.orderEvents?.length) await this.#restOfBlock();
    pending = await this.#take(pending);
    await this.#flush(pending);
  }

  async #restOfBlock(): Promise<void> {
    const arrived = new AbortController();
    const late = this.#deps.clock.sleep(REST_OF_BLOCK_MS, arrived.signal).catch(() => {});
    await Promise.race([this.#inbox.ready(), late]);
    arrived.abort();
  }

  /** Folds what waits into `pending`, which is written before each mark. */
  async #take(pending: Pending): Promise<Pending> {
    let folded = pending;
    for (const input of this.#inbox.take(FRAMES_PER_BATCH)) {
      if (input.type === "marks") {
        await this.#flush(folded);
        folded = new Pending(this.#deps.account);
        for (const mark of input.marks) {
          await this.#follow(this.#eventOf(mark));
          // Not before: what the connection before this one watched is written first.
          if (mark.type === "connected") this.#refused = mark.connection.refused;
        }
      } else {
        const venueMs = folded.add(input);
        if (venueMs !== null) this.#tell({ type: "told", venueMs });
      }
    }
    return folded;
  }

  #eventOf(mark: Mark): LaneEvent {
    const { account, clock, log } = this.#deps;
    const now = { nowMs: clock.now(), venueMs: account.claimableMs };
    if (mark.type === "connected") return { type: "connected", isOver: mark.connection.isOver, ...now };
    if (mark.type === "disconnected")
      log.warn("stream lost, reconnecting", { account: account.address, why: mark.why });
    return { type: mark.type, ...now };
  }

  async #flush(pending: Pending): Promise<void> {
    await this.#flushFills(pending);
    await this.#commit(pending.batch, pending.receivedAtMs);
  }

  async #flushFills(pending: Pending): Promise<void> {
    if (await this.#commit(pending.takeFills(), pending.receivedAtMs))
      append(pending.batch, this.#deps.account.snapshot(true));
  }

  /** False when all of it was committed before. */
  async #commit(batch: Batch, receivedAtMs: number): Promise<boolean> {
    const fresh = this.#committed.without(batch);
    if (isEmpty(fresh)) return false;
    await this.#deps.account.commit(fresh, receivedAtMs);
    this.#committed.add(fresh);
    return true;
  }

  // ---- what the machine asks for ----

  /** Tells of what happened in the order of the stream: what follows is done before anything else is read of it. */
  async #follow(event: LaneEvent): Promise<void> {
    for (const command of this.#next(event)) await this.#perform(command);
  }

  /** Tells of what happened beside it: nothing that takes time follows. */
  #tell(event: LaneEvent): void {
    for (const command of this.#next(event)) void this.#perform(command);
  }

  #next(event: LaneEvent): readonly LaneCommand[] {
    const { state, commands } = step(this.#state, event, this.#deps.options);
    this.#state = state;
    return commands;
  }

  #perform(command: LaneCommand): Promise<void> | undefined {
    const { account } = this.#deps;
    switch (command.type) {
      case "expectHeal":
        account.expectHeal();
        return;
      case "endHeal":
        account.endHeal();
        return;
      case "hold":
        return this.#hold();
      case "release":
        this.#release();
        return;
      case "catchUp":
        this.#catchUp(command.purpose, command.isAnew);
        return;
      case "repair":
        this.#repair(command.withOrders);
        return;
      case "confirm":
        this.#confirm(command.due);
        return;
      case "backfill":
        this.#backfill();
        return;
      case "write":
        return this.#write(command.watched);
    }
  }

  /** The gap since the last socket is closed before what came since then is written, unless that takes too long. */
  async #hold(): Promise<void> {
    // It may have ended while the command waited.
    if (!this.#state.isHeld) return;
    const held = new AbortController();
    this.#release = () => held.abort();
    await this.#deps.clock.sleep(this.#deps.options.holdMs, held.signal).catch(() => {});
    this.#tell({ type: "holdOver" });
  }

  async #write(watched: Interval | null): Promise<void> {
    const { account, clock } = this.#deps;
    const batch: Batch = account.snapshot(false);
    if (watched !== null) batch.coverage = account.streamed(watchedStreams(this.#refused), watched);
    if (!isEmpty(batch)) await account.commit(batch, clock.now());
  }

  #catchUp(purpose: PurposeName, isAnew: boolean): void {
    const { account, clock } = this.#deps;
    if (isAnew) this.#tasks.giveUp("catch-up");
    void this.#tasks.run("catch-up", async (signal) => {
      /** One that was given up has nothing to tell. */
      const tell = (event: LaneEvent) => {
        if (!signal.aborted) this.#tell(event);
      };
      tell({ type: "catchUpBegun" });
      try {
        const onRead = (stream: WindowStream) =>
          tell({ type: "streamRead", purpose, stream, nowMs: clock.now() });
        await account.catchUp(purpose, signal, onRead, this.#tasks.signal);
      } catch (error) {
        const told = errorText(error);
        tell({ type: "catchUpFailed", nowMs: clock.now(), error: told });
        throw error;
      }
      tell({ type: "caughtUp", nowMs: clock.now() });
      if (account.isMoreDue()) void this.#tasks.run("more", (more) => account.learnMore(more));
    });
  }

  #repair(withOrders: boolean): void {
    const { account, clock } = this.#deps;
    const suspicions = account.repairs.ripe(clock.now()).filter(({ kind }) => withOrders || kind !== "order");
    for (const repair of repairsOf(account.repairs, suspicions))
      void this.#tasks.run(repair.name, async (signal) => {
        const { healed, unexplained } = await repair.run(signal);
        this.#healed += healed;
        this.#unexplained += unexplained;
      });
  }

  #confirm(due: ConfirmDue): void {
    void this.#tasks.run("confirm", async (signal) => {
      await this.#deps.account.confirm([...due.keys()], signal);
      this.#tell({ type: "confirmed", due });
    });
  }

  #backfill(): void {
    const { account } = this.#deps;
    if (!account.hasOldGaps()) return;
    void this.#tasks.run("backfill", async (signal) => {
      await account.backfill("backfill", signal);
    });
  }
}

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
