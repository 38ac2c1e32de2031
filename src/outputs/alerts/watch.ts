/**
 * Watches the followed accounts and raises the alerts that the rules ask for.
 *
 * ```
 *   outbox ─► EventWatch (grouping, cooldown) ──┐
 *   tables ─► observe ─► step (state machine) ──┴─► put_alert: row + outbox event ─► bridge ─► channels, webhooks
 *   database away ─► channels directly
 * ```
 *
 * Guarantees: an account is watched by the one process that follows it, by the same fencing token (one lease is held for what is
 * about no account, however many accounts there are); the state of every alert is in the database
 * and changes in the same transaction as its notification, so a restart repeats nothing and forgets nothing; what
 * happened more than five minutes ago is never sent. All times are by our clock: the venue's are shifted by the offset
 * between the two before anything is judged by its age.
 */
import { StoreError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Service } from "../../runtime/lifecycle.ts";
import type { Log } from "../../runtime/log.ts";
import type { Queryable } from "../../store/database.ts";
import { openLeases, tokensOf } from "../../store/leases.ts";
import { boundsOf } from "../../sync/freshness.ts";
import type { Leases } from "../../sync/ports.ts";
import type { Address } from "../../sync/rows.ts";
import { backlog, type Cursors, type Outbox, openOutbox, sequenceOf, stepBack } from "../outbox.ts";
import {
  type AlertAbout,
  type AlertLease,
  type AlertStep,
  isSilenced,
  putAlert,
  readConditions,
  readDigest,
  readFunding,
  readIncomplete,
  readMemories,
  readSides,
  readSilences,
  readSince,
  type Silence,
} from "./alertStore.ts";
import type { Channel } from "./channels.ts";
import { Conditions } from "./conditions.ts";
import { DatabaseAlarm } from "./databaseAlarm.ts";
import { DatabasePulse } from "./databasePulse.ts";
import { DeadMan } from "./deadMan.ts";
import { type EventAlert, EventWatch, OLD_MS } from "./eventAlerts.ts";
import { putGap, readGaps } from "./gapEvents.ts";
import { type Heard, observeAccounts, observeSlowly, type Seen, seenOf } from "./observe.ts";
import { eventOn, type RuleSet } from "./ruleSet.ts";
import { dailyDigest } from "./rules/dailyDigest.ts";
import type { FeedFacts } from "./rules/facts.ts";
import { GAP_FOR_MS } from "./rules/gap.ts";
import type { ListedName } from "./rules/index.ts";
import { severityWord } from "./rules/spec.ts";
import { aboutOf, eventStep } from "./steps.ts";

export const WATCH_DEFAULTS = {
  /** New events are read this often. */
  eventsMs: 500,
  /** Positions and snapshots are judged this often. */
  conditionsMs: 2_000,
  /** Gaps, drift and the day's result. */
  slowMs: 30_000,
  /** Another process takes over this long after the holder was last heard of. */
  leaseMs: 10_000,
  /** A gap that lasts for so long is published. */
  gapMs: GAP_FOR_MS,
  /** The dead-man URL is called this often while all is well. */
  deadManMs: 60_000,
} as const;
type WatchOptions = { [K in keyof typeof WATCH_DEFAULTS]: number };

/** An account that this process follows now. */
export interface Followed {
  account: Address;
  /** By which the database knows that it does. */
  lease: AlertLease;
  /** When its newest data came; null while it is polled, or before the first. */
  lastDataMs: number | null;
  /** A polled account is as old as its newest states, and older by nature. */
  streamed: boolean;
}

export interface WatchDeps {
  db: Queryable;
  /** For what is judged: it may take longer than what must be noted soon. `db` if absent. */
  reads?: Queryable;
  clock: Clock;
  log: Log;
  holder: string;
  rules: RuleSet;
  followed(): Followed[];
  /** Venue minus ours; 0 while not measured. */
  clockOffsetMs(): number;
  /** For what cannot go through the database. */
  channels: readonly Channel[];
  /** Calls the dead-man URL; null when there is none. */
  ping: (() => Promise<void>) | null;
  options: WatchOptions;
}

/** Alerts of events waiting for the database; beyond it the newest are dropped, with an error in the log. */
const WAITING_MAX = 1_000;
/** A digest is sent within this after midnight UTC. */
const DIGEST_WITHIN_MS = 3_600_000;
/** Until then after midnight it waits for what is missing of the day. */
const DIGEST_WAITS_MS = 2_400_000;
const DAY_MS = 86_400_000;

/** Of what is about no account. */
const LEASE = "alerts:";

/** An account, or hlsync itself, whose conditions are judged here. */
interface Watched {
  /** The account, or "". */
  name: string;
  lease: AlertLease;
  conditions: Conditions;
  /** UTC day whose digest was made; "" before the first. */
  digestDay: string;
}

export class AlertWatch implements Service {
  readonly name = "alerts";
  readonly #deps: WatchDeps & { reads: Queryable };
  readonly #abort = new AbortController();
  readonly #events: EventWatch;
  readonly #leases: Leases;
  readonly #outbox: Outbox;
  #watched = new Map<string, Watched>();
  /** Outbox id up to which the events of a sequence were taken: never twice in the life of this process. */
  #cursors: Cursors = new Map();
  #silences: Silence[] = [];
  #equity = new Map<Address, string>();
  /** As-of of each account's newest snapshot, by our clock. */
  #heard: ReadonlyMap<Address, Heard> = new Map();
  /** Since when, by the database's clock, all positions of an account are known. */
  #readSinceMs = new Map<Address, number>();
  #waiting: EventAlert[] = [];
  #dueMs = { lease: 0, conditions: 0, slow: 0 };
  readonly #pulse: DatabasePulse;
  readonly #alarm: DatabaseAlarm;
  /** A whole round was made then. */
  #lastRoundMs: number;
  #running: Promise<void> = Promise.resolve();
  #cancelCheck: () => void = () => {};
  readonly #deadMan: DeadMan;
  readonly #startedMs: number;

  constructor(deps: WatchDeps) {
    this.#pulse = new DatabasePulse(deps.clock);
    const db = this.#pulse.over(deps.db);
    this.#deps = { ...deps, db, reads: deps.reads ?? db };
    this.#leases = openLeases(db);
    this.#outbox = openOutbox(db);
    this.#alarm = new DatabaseAlarm({
      ...deps,
      signal: this.#abort.signal,
      isSilenced: (about) => this.#isSilenced(about),
    });
    this.#events = new EventWatch(deps.rules, {
      equity: (account) => this.#equity.get(account) ?? null,
      wasRead: (account, atMs) => atMs > (this.#readSinceMs.get(account) ?? Number.POSITIVE_INFINITY),
    });
    this.#lastRoundMs = deps.clock.now();
    this.#deadMan = new DeadMan({ ...deps, everyMs: deps.options.deadManMs });
    this.#startedMs = deps.clock.now();
  }

  start(): this {
    this.#running = this.#run();
    this.#checkSoon();
    return this;
  }

  async stop(): Promise<void> {
    this.#cancelCheck();
    this.#abort.abort(new Error("stopped"));
    await Promise.all([this.#running, this.#alarm.idle(), this.#deadMan.idle()]);
    // When this fails the lease ends by itself.
    await this.#leases.releaseLeases([LEASE], this.#deps.holder).catch(() => {});
  }

  async #run(): Promise<void> {
    const { clock, log, options } = this.#deps;
    const { signal } = this.#abort;
    let failing = false;
    while (!signal.aborted) {
      try {
        await this.#tick();
        this.#lastRoundMs = clock.now();
        if (failing) log.info("alerts go on");
        failing = false;
      } catch (error) {
        const passing = error instanceof StoreError && error.transient;
        if (!failing) log[passing ? "warn" : "error"]("alerts could not be judged", { error });
        failing = true;
        // Conditions are read again: what was half done may or may not be written.
        this.#watched.clear();
        this.#dueMs = { lease: 0, conditions: 0, slow: 0 };
      }
      await clock.sleep(options.eventsMs, signal).catch(() => {});
    }
  }

  async #tick(): Promise<void> {
    const { clock, options } = this.#deps;
    if (clock.now() >= this.#dueMs.lease) {
      await this.#renew();
      this.#dueMs.lease = clock.now() + options.leaseMs / 3;
    }
    if (this.#watched.size === 0) return;
    if (clock.now() >= this.#dueMs.conditions) {
      this.#dueMs.conditions = clock.now() + options.conditionsMs;
      await this.#judge();
    }
    await this.#readEvents();
    await this.#tellEvents();
    await this.#recordOutages();
  }

  /** Watches the accounts followed here; one that is new to this process is read from the database. */
  async #renew(): Promise<void> {
    const { db, clock, holder, options, followed } = this.#deps;
    const leases = new Map(followed().map(({ account, lease }) => [account, lease]));
    const token = tokensOf(await this.#leases.takeLeases([LEASE], holder, options.leaseMs)).get(LEASE);
    if (token !== undefined) leases.set("", { lease: LEASE, holder, token });
    const before = this.#watched;
    this.#watched = new Map();
    const isNew = [...leases.keys()].some((name) => !this.#cursors.has(name));
    const old = isNew ? await this.#outbox.headsBefore(clock.now() - OLD_MS) : null;
    for (const [name, lease] of leases) {
      const known = before.get(name);
      const isSame = known?.lease.token === lease.token && known.lease.holder === lease.holder;
      this.#watched.set(name, isSame ? known : await this.#open(name, lease, old?.get(name) ?? 0));
    }
    this.#silences = await readSilences(db, clock.now());
  }

  /** `oldHead`: the last event that is too old to alert on. */
  async #open(name: string, lease: AlertLease, oldHead: number): Promise<Watched> {
    const { db, clock, rules } = this.#deps;
    const nowMs = clock.now();
    const longest = Math.max(...[...rules.rules.values()].map(({ cooldownMs }) => cooldownMs));
    const [stored, memories, gaps] = await Promise.all([
      readConditions(db, name),
      readMemories(db, name, nowMs - longest),
      name === "" ? new Map() : readGaps(db, name),
    ]);
    // What this process remembers of one that it watched before is as far as its cursor.
    if (!this.#cursors.has(name)) {
      await this.#noteBefore(name, oldHead, nowMs - OLD_MS);
      this.#cursors.set(name, oldHead);
    }
    const conditions = new Conditions(
      {
        rules,
        isSilenced: (about) => this.#isSilenced(about),
        put: (row) => this.#put(lease, row),
        putGap: (seen, openedMs, closedMs) => putGap(db, lease, seen, openedMs, closedMs),
      },
      { stored, memories, gaps },
    );
    return { name, lease, conditions, digestDay: "" };
  }

  /** What the events to come are changes of: how it was at the cursor, since those from there on are read again. */
  async #noteBefore(name: string, cursor: number, oldMs: number): Promise<void> {
    const { db, clockOffsetMs } = this.#deps;
    if (this.#tells("position", name)) {
      for (const { coin, side } of await readSides(db, name, cursor))
        this.#events.notePosition(name, coin, side);
    }
    if (this.#tells("funding_flip", name)) {
      for (const { coin, usdc } of await readFunding(db, name, oldMs + clockOffsetMs()))
        this.#events.noteFunding(name, coin, usdc);
    }
  }

  #tells(rule: ListedName, name: string): boolean {
    return name !== "" && eventOn(this.#deps.rules, rule) !== null;
  }

  /** After the events: what was committed before them is seen then. */
  async #noteRead(): Promise<void> {
    for (const name of this.#watched.keys()) {
      if (!this.#tells("position", name) || this.#readSinceMs.has(name)) continue;
      const sinceMs = await readSince(this.#deps.db, name);
      if (sinceMs !== null) this.#readSinceMs.set(name, sinceMs);
    }
  }

  async #readEvents(): Promise<void> {
    const { clock } = this.#deps;
    const offsetMs = this.#deps.clockOffsetMs();
    const reading = { outbox: this.#outbox, after: this.#cursors, sequences: [...this.#watched.keys()] };
    await stepBack(reading, null);
    for await (const events of backlog(reading)) {
      await this.#noteRead();
      for (const event of events)
        this.#events.take({ ...event, timeMs: event.timeMs - offsetMs }, clock.now());
    }
  }

  /** Each alert is stored before it is sent; if its row exists already, it was sent before. */
  async #tellEvents(): Promise<void> {
    const { clock, log } = this.#deps;
    this.#waiting.push(...this.#events.due(clock.now()));
    if (this.#waiting.length > WAITING_MAX) {
      log.error("too many alerts at once: the newest are not told", { waiting: this.#waiting.length });
      this.#waiting.length = WAITING_MAX;
    }
    while (this.#waiting.length > 0) {
      const alert = this.#waiting[0]!;
      const watched = this.#watched.get(sequenceOf(alert.account));
      const nowMs = clock.now();
      if (watched && nowMs - alert.atMs <= OLD_MS) {
        const isSilenced = this.#isSilenced(aboutOf({ ...alert, rule: alert.rule.name }));
        await this.#put(watched.lease, eventStep(alert, isSilenced, nowMs));
      }
      this.#waiting.shift();
    }
  }

  /** By the silences last read, which may be a while ago when the database is away. */
  #isSilenced(about: AlertAbout): boolean {
    const nowMs = this.#deps.clock.now();
    return isSilenced(
      this.#silences.filter(({ untilMs }) => untilMs > nowMs),
      about,
    );
  }

  async #judge(): Promise<void> {
    const { reads, clock, rules, options } = this.#deps;
    const accounts = [...this.#watched.keys()].filter((name) => name !== "");
    const offsetMs = this.#deps.clockOffsetMs();
    const fast = await observeAccounts(reads, rules.prices, accounts, offsetMs);
    this.#equity = fast.equity;
    this.#heard = fast.heard;
    const seen: Seen[] = [...fast.seen, ...seenOf("feed", this.#feedFacts())];
    if (clock.now() >= this.#dueMs.slow) {
      this.#dueMs.slow = clock.now() + options.slowMs;
      const slow = await observeSlowly(reads, accounts, clock.now(), offsetMs);
      seen.push(...slow);
      for (const one of slow) {
        if (one.rule === "gap")
          await this.#watched
            .get(sequenceOf(one.account))
            ?.conditions.noteGap(one, options.gapMs, clock.now());
      }
      await this.#digest();
    }
    const normalMs = new Map(this.#feeds().map((feed) => [feed.account, feed.normalMs]));
    for (const one of seen) {
      const watched = this.#watched.get(sequenceOf(one.account));
      const leastFreshMs = (one.account && normalMs.get(one.account)) || 0;
      await watched?.conditions.judge(one, leastFreshMs, clock.now());
    }
    for (const { conditions } of this.#watched.values())
      await conditions.endForgotten(fast.isOpen, clock.now());
  }

  /** Age of each account's newest data, and how much of it is in the nature of polling. */
  #feeds(): { account: Address; ageMs: number | null; normalMs: number }[] {
    const nowMs = this.#deps.clock.now();
    return this.#deps.followed().map(({ account, lastDataMs, streamed }) => {
      const heard = this.#heard.get(account);
      const newestMs = streamed ? lastDataMs : (heard?.atMs ?? null);
      return {
        account,
        ageMs: newestMs === null ? null : nowMs - newestMs,
        normalMs: streamed ? 0 : this.#polledFreshMs(heard),
      };
    });
  }

  /** What is not noted as polled, but is not streamed either, was not read yet. */
  #polledFreshMs(heard: Heard | undefined): number {
    return boundsOf(heard?.pollMs ?? 0).staleMs;
  }

  #feedFacts(): FeedFacts[] {
    const nowMs = this.#deps.clock.now();
    const watchedMs = nowMs - this.#startedMs;
    return this.#feeds().map(({ account, ageMs, normalMs }) => ({
      account,
      coin: null,
      subject: null,
      atMs: nowMs,
      normalMs,
      // The states of a polled account may be from before the start: then it had no chance yet.
      ageMs: normalMs > 0 ? Math.min(ageMs ?? watchedMs, watchedMs) : (ageMs ?? watchedMs),
    }));
  }

  /** Stores the outages that were sent while the database could not take their rows. */
  async #recordOutages(): Promise<void> {
    // Any lease shows that this process is the one it says.
    const [watched] = this.#watched.values();
    for (const row of this.#alarm.rows) {
      if (!watched) return;
      await this.#put(watched.lease, row);
      this.#alarm.written(row);
    }
  }

  async #put(lease: AlertLease, row: AlertStep): Promise<void> {
    const { db, log } = this.#deps;
    const isNew = await putAlert(db, lease, row);
    // If its row exists, this process or another sent it before.
    if (isNew && row.publish.length > 0)
      log[row.severity === "crit" ? "warn" : "info"](row.message, { rule: row.rule, account: row.account });
  }

  /** One digest per account and day; one that was sent before a restart, or by another process, has its row. */
  async #digest(): Promise<void> {
    const { reads, clock, rules } = this.#deps;
    const rule = eventOn(rules, "daily_digest");
    const nowMs = clock.now();
    const sinceMidnightMs = nowMs % DAY_MS;
    if (rule === null || sinceMidnightMs > DIGEST_WITHIN_MS || sinceMidnightMs < 60_000) return;
    const day = new Date(nowMs - DAY_MS).toISOString().slice(0, 10);
    const untold = [...this.#watched.values()].filter(
      ({ name, digestDay }) => name !== "" && digestDay !== day,
    );
    if (untold.length === 0) return;
    const incomplete = await readIncomplete(
      reads,
      untold.map(({ name }) => name),
      day,
    );
    for (const watched of untold) {
      const account = watched.name;
      // What was missed is read meanwhile; it is told in the end, and said, when that takes too long.
      const isComplete = !incomplete.has(account);
      if (!isComplete && sinceMidnightMs < DIGEST_WAITS_MS) continue;
      const digest = await readDigest(reads, account, day);
      const facts = { account, coin: null, subject: day, digest, isComplete, atMs: nowMs };
      const sum = dailyDigest.see(facts, rule)!;
      const message = `${severityWord(rule.severity)} ${dailyDigest.words(facts, sum)}.`;
      this.#waiting.push({ ...facts, ...sum, rule, message });
      watched.digestDay = day;
    }
  }

  // What cannot wait for the database.

  #checkSoon(): void {
    this.#cancelCheck = this.#deps.clock.after(1_000, () => {
      this.#alarm.check(this.#pulse.silentMs());
      this.#deadMan.check(() => this.#isWell());
      this.#checkSoon();
    });
  }

  #isWell(): boolean {
    const { clock, options } = this.#deps;
    const fresh = this.#feeds().every(
      ({ ageMs, normalMs }) => ageMs !== null && ageMs < (normalMs || options.deadManMs),
    );
    return fresh && clock.now() - this.#lastRoundMs <= options.deadManMs;
  }
}
