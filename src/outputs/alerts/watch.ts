/**
 * Watches followed accounts and tells what the rules want told.
 *
 * ```
 *   outbox ─► EventWatch (grouping, cooldown) ──┐
 *   tables ─► observe ─► step (state machine) ──┴─► put_alert: row + outbox event ─► bridge ─► channels, webhooks
 *   database away ─► channels directly
 * ```
 *
 * Guarantees: an account is watched by the one process that holds its lease; the state of every alert is in the database
 * and moves in the same transaction as what is told of it, so a restart repeats nothing and forgets nothing; what
 * happened more than five minutes ago is never told. All times are by our clock: the venue's are shifted by the offset
 * between the two before anything is judged by its age.
 */
import { StoreError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Service } from "../../runtime/lifecycle.ts";
import type { Log } from "../../runtime/log.ts";
import type { Queryable } from "../../store/database.ts";
import { openLeases, tokensOf } from "../../store/leases.ts";
import type { Address } from "../../sync/events.ts";
import { boundsOf } from "../../sync/freshness.ts";
import type { Leases } from "../../sync/ports.ts";
import { backlog, type Cursors, laneOf, type Outbox, openOutbox } from "../outbox.ts";
import { duration, plainDecimal } from "../words.ts";
import {
  type AlertAbout,
  type AlertStep,
  alertKey,
  isSilenced,
  putAlert,
  readConditions,
  readDigest,
  readFunding,
  readMemories,
  readSides,
  readSilences,
  readSince,
  type Silence,
} from "./alertStore.ts";
import type { Channel } from "./channels.ts";
import { DatabaseAlarm } from "./databaseAlarm.ts";
import { DatabasePulse } from "./databasePulse.ts";
import { type EventAlert, EventWatch, OLD_MS } from "./events.ts";
import { type Gap, putGap, readGaps, stepGap } from "./gapEvents.ts";
import { type Condition, type Memory, step, threshold } from "./machine.ts";
import { type Heard, observeAccounts, observeSlowly, PRICE_BAND, type Seen } from "./observe.ts";
import { messageOf, publication } from "./publication.ts";
import { type ConditionRule, GAP_FOR_MS, type PriceWatch, type RuleSet, severityWord } from "./rules.ts";

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
export type WatchOptions = { [K in keyof typeof WATCH_DEFAULTS]: number };

/** An account that this process follows now. */
export interface Followed {
  account: Address;
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
const DAY_MS = 86_400_000;

const leaseName = (lane: string): string => `alerts:${lane}`;

interface Lane {
  name: string;
  token: number;
  conditions: Map<string, Condition>;
  memories: Map<string, Memory>;
  /** By stream. */
  gaps: Map<string, Gap>;
  /** UTC day whose digest was made; "" before the first. */
  digestDay: string;
  /** What each condition was last seen as: to resolve one whose rule is gone. */
  about: Map<string, { rule: string; account: Address | null; coin: string | null; subject: string | null }>;
}

export class AlertWatch implements Service {
  readonly name = "alerts";
  readonly #deps: WatchDeps & { reads: Queryable };
  readonly #abort = new AbortController();
  readonly #events: EventWatch;
  readonly #leases: Leases;
  readonly #outbox: Outbox;
  #lanes = new Map<string, Lane>();
  /** Outbox id up to which the events of a lane were taken: never twice in the life of this process. */
  #cursors: Cursors = new Map();
  #leasedUntilMs = Number.NEGATIVE_INFINITY;
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
  #nextPingMs: number;
  readonly #startedMs: number;
  #direct = new Set<Promise<void>>();

  constructor(deps: WatchDeps) {
    this.#pulse = new DatabasePulse(deps.clock);
    const db = this.#pulse.over(deps.db);
    this.#deps = { ...deps, db, reads: deps.reads ?? db };
    this.#leases = openLeases(db);
    this.#outbox = openOutbox(db);
    this.#alarm = new DatabaseAlarm({
      ...{ ...deps, signal: this.#abort.signal },
      isSilenced: (about) => this.#isSilenced(about),
    });
    this.#events = new EventWatch(deps.rules, {
      equity: (account) => this.#equity.get(account) ?? null,
      wasRead: (account, atMs) => atMs > (this.#readSinceMs.get(account) ?? Number.POSITIVE_INFINITY),
    });
    this.#lastRoundMs = deps.clock.now();
    this.#nextPingMs = deps.clock.now();
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
    await Promise.all([this.#running, this.#alarm.idle(), ...this.#direct]);
    // When this fails the leases end by themselves.
    const names = [...this.#lanes.keys()].map(leaseName);
    await this.#leases.releaseLeases(names, this.#deps.holder).catch(() => {});
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
        this.#lanes.clear();
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
    if (this.#lanes.size === 0 || clock.now() >= this.#leasedUntilMs) return;
    if (clock.now() >= this.#dueMs.conditions) {
      this.#dueMs.conditions = clock.now() + options.conditionsMs;
      await this.#judge();
    }
    await this.#readEvents();
    await this.#tellEvents();
    await this.#recordOutages();
  }

  /** Keeps the leases of the accounts followed here; a lane that is new to this process is read from the database. */
  async #renew(): Promise<void> {
    const { db, clock, holder, options, followed } = this.#deps;
    const wanted = ["", ...followed().map(({ account }) => account)];
    const askedMs = clock.now();
    const held = tokensOf(await this.#leases.takeLeases(wanted.map(leaseName), holder, options.leaseMs));
    this.#leasedUntilMs = askedMs + options.leaseMs;
    const before = this.#lanes;
    this.#lanes = new Map();
    const isNew = wanted.some((name) => held.has(leaseName(name)) && !this.#cursors.has(name));
    const old = isNew ? await this.#outbox.headsBefore(clock.now() - OLD_MS) : null;
    for (const name of wanted) {
      const token = held.get(leaseName(name));
      if (token === undefined) continue;
      const known = before.get(name);
      this.#lanes.set(
        name,
        known?.token === token ? known : await this.#openLane(name, token, old?.get(name) ?? 0),
      );
    }
    this.#silences = await readSilences(db, clock.now());
  }

  /** `oldHead`: the last event that is too old to be told of. */
  async #openLane(name: string, token: number, oldHead: number): Promise<Lane> {
    const { db, clock, rules } = this.#deps;
    const nowMs = clock.now();
    const longest = Math.max(...[...rules.rules.values()].map(({ cooldownMs }) => cooldownMs));
    const [stored, memories, gaps] = await Promise.all([
      readConditions(db, name),
      readMemories(db, name, nowMs - longest),
      name === "" ? new Map() : readGaps(db, name),
    ]);
    // What this process remembers of a lane it had before is as far as its cursor.
    if (!this.#cursors.has(name)) {
      await this.#noteBefore(name, oldHead, nowMs - OLD_MS);
      this.#cursors.set(name, oldHead);
    }
    return {
      ...{ name, token, memories, gaps, digestDay: "" },
      conditions: new Map(stored.map(({ key, condition }) => [key, condition])),
      about: new Map(stored.map(({ key, ...about }) => [key, about])),
    };
  }

  /** What the events to come are changes of: how it was at the cursor, since those from there on are read again. */
  async #noteBefore(lane: string, cursor: number, oldMs: number): Promise<void> {
    const { db, clockOffsetMs } = this.#deps;
    if (this.#tells("position", lane)) {
      for (const { coin, side } of await readSides(db, lane, cursor))
        this.#events.notePosition(lane, coin, side);
    }
    if (this.#tells("funding_flip", lane)) {
      for (const { coin, usdc } of await readFunding(db, lane, oldMs + clockOffsetMs()))
        this.#events.noteFunding(lane, coin, usdc);
    }
  }

  #tells(rule: string, lane: string): boolean {
    return lane !== "" && this.#deps.rules.rules.get(rule)?.loudness !== "off";
  }

  /** After the events: what was committed before them is seen then. */
  async #noteRead(): Promise<void> {
    for (const name of this.#lanes.keys()) {
      if (!this.#tells("position", name) || this.#readSinceMs.has(name)) continue;
      const sinceMs = await readSince(this.#deps.db, name);
      if (sinceMs !== null) this.#readSinceMs.set(name, sinceMs);
    }
  }

  async #readEvents(): Promise<void> {
    const { clock } = this.#deps;
    const offsetMs = this.#deps.clockOffsetMs();
    const reading = { outbox: this.#outbox, after: this.#cursors, lanes: [...this.#lanes.keys()] };
    for await (const events of backlog(reading)) {
      await this.#noteRead();
      for (const event of events)
        this.#events.take({ ...event, timeMs: event.timeMs - offsetMs }, clock.now());
    }
  }

  /** What was told is a row first; a row that is there already was told before. */
  async #tellEvents(): Promise<void> {
    const { clock, log } = this.#deps;
    this.#waiting.push(...this.#events.due(clock.now()));
    if (this.#waiting.length > WAITING_MAX) {
      log.error("too many alerts at once: the newest are not told", { waiting: this.#waiting.length });
      this.#waiting.length = WAITING_MAX;
    }
    while (this.#waiting.length > 0) {
      const alert = this.#waiting[0]!;
      const lane = this.#lanes.get(laneOf(alert.account));
      const nowMs = clock.now();
      if (lane && nowMs - alert.atMs <= OLD_MS) await this.#put(lane, this.#eventStep(alert, nowMs));
      this.#waiting.shift();
    }
  }

  #eventStep(alert: EventAlert, nowMs: number): AlertStep {
    const { rule, account, coin, subject, message, value } = alert;
    const about = {
      key: alertKey(rule.name, account, coin, subject),
      rule: rule.name,
      account,
      coin,
      subject,
    };
    const silenced = this.#isSilenced(about);
    const row: AlertStep = {
      ...about,
      state: "event",
      severity: rule.severity,
      message,
      value,
      threshold: alert.threshold,
      ...{ startedMs: alert.atMs, firedMs: nowMs, resolvedMs: null, publish: [] },
      notifiedSeverity: silenced ? null : rule.severity,
      notifiedMs: silenced ? null : nowMs,
    };
    if (!silenced) row.publish.push(publication(row, "fired", rule.loudness === "silent", nowMs));
    return row;
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
    const accounts = [...this.#lanes.keys()].filter((name) => name !== "");
    const offsetMs = this.#deps.clockOffsetMs();
    const fast = await observeAccounts(reads, rules, accounts);
    this.#equity = fast.equity;
    this.#heard = fast.heard;
    // The venue's times, by our clock.
    const seen: Seen[] = fast.seen.map((one) => ({ ...one, atMs: one.atMs - offsetMs }));
    seen.push(...this.#seenFeeds());
    if (clock.now() >= this.#dueMs.slow) {
      this.#dueMs.slow = clock.now() + options.slowMs;
      const slow = await observeSlowly(reads, accounts, clock.now());
      seen.push(...slow);
      for (const one of slow) if (one.rule === "gap") await this.#stepGap(one);
      await this.#digest();
    }
    const normalMs = new Map(this.#feeds().map((feed) => [feed.account, feed.normalMs]));
    for (const one of seen) {
      const rule = this.#conditionRule(one);
      const lane = this.#lanes.get(laneOf(one.account));
      if (rule === null || !lane) continue;
      // What is polled is judged for as long as it counts as fresh.
      const freshMs = Math.max(rule.freshMs, (one.account && normalMs.get(one.account)) || 0);
      await this.#step(lane, { ...rule, freshMs }, one);
    }
    await this.#endForgotten(seen);
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

  #seenFeeds(): Seen[] {
    const nowMs = this.#deps.clock.now();
    const watchedMs = nowMs - this.#startedMs;
    return this.#feeds().map(({ account, ageMs, normalMs }) => {
      const polled = normalMs > 0;
      // The states of a polled account may be from before the start: then it had no chance yet.
      const oldMs = polled ? Math.min(ageMs ?? watchedMs, watchedMs) : (ageMs ?? watchedMs);
      const normal = polled ? ` (polled, ${duration(normalMs)} are normal)` : "";
      return {
        ...{ rule: "feed_stale", account, coin: null, subject: null, atMs: nowMs, detail: "" },
        value: Math.max(0, oldMs - normalMs) / 1000,
        words: `newest data from the venue is ${duration(oldMs)} old${normal}`,
      };
    });
  }

  #conditionRule(seen: Pick<Seen, "rule" | "coin" | "subject">): ConditionRule | null {
    const { rules, prices } = this.#deps.rules;
    if (seen.rule === "price") {
      const watch = prices.find(
        ({ coin, direction, price }) => coin === seen.coin && `${direction} ${price}` === seen.subject,
      );
      return watch ? priceRule(watch) : null;
    }
    const rule = rules.get(seen.rule);
    return rule?.kind === "condition" && rule.loudness !== "off" ? rule : null;
  }

  async #step(lane: Lane, rule: ConditionRule, seen: Seen): Promise<void> {
    const nowMs = this.#deps.clock.now();
    const { account, coin, subject } = seen;
    const key = alertKey(rule.name, account, coin, subject);
    const about = { key, rule: rule.name, account, coin, subject };
    const before = lane.conditions.get(key) ?? null;
    const silenced = this.#isSilenced(about);
    const { after, tell, level } = step(rule, before, lane.memories.get(key) ?? null, seen, nowMs, silenced);
    if (!hasChanged(before, after)) return;
    const shown = (after ?? before)!;
    const row: AlertStep = {
      ...about,
      state: after?.phase ?? (before!.phase === "pending" ? "dropped" : "resolved"),
      severity: shown.severity,
      message: messageOf(rule, seen, level!, shown, after === null, nowMs),
      value: seen.value === null || !Number.isFinite(seen.value) ? null : String(seen.value),
      threshold: String(threshold(rule, level!, "fire", seen.dailyMovePct)),
      ...{
        startedMs: shown.startedMs,
        firedMs: shown.firedMs,
        notifiedSeverity: shown.notifiedSeverity,
        publish: [],
      },
      notifiedMs: tell === null ? shown.notifiedMs : nowMs,
      resolvedMs: after === null ? nowMs : null,
    };
    if (tell !== null)
      row.publish.push(publication(row, tell, rule.loudness === "silent" || silenced, nowMs));
    await this.#put(lane, row);
    if (after === null) {
      lane.conditions.delete(key);
      lane.about.delete(key);
      if (row.notifiedMs !== null && shown.notifiedSeverity !== null)
        lane.memories.set(key, { notifiedMs: row.notifiedMs, severity: shown.notifiedSeverity });
    } else {
      lane.conditions.set(key, after);
      lane.about.set(key, about);
    }
  }

  async #stepGap(seen: Seen): Promise<void> {
    const { db, clock, holder, options } = this.#deps;
    const lane = this.#lanes.get(laneOf(seen.account));
    if (!lane) return;
    const stream = seen.subject!;
    const nowMs = clock.now();
    const before = lane.gaps.get(stream) ?? null;
    const { after, publish } = stepGap(before, seen, nowMs, options.gapMs);
    if (publish !== null) {
      const lease = { lease: leaseName(lane.name), holder, token: lane.token };
      const closedMs = publish === "closed" ? nowMs : null;
      await putGap(db, lease, seen, (after ?? before)!.openedMs!, closedMs);
    }
    if (after === null) lane.gaps.delete(stream);
    else lane.gaps.set(stream, after);
  }

  /** A position that is gone has nothing wrong with it; a rule that was turned off ends what it had begun. */
  async #endForgotten(seen: readonly Seen[]): Promise<void> {
    const keys = new Set(seen.map((one) => alertKey(one.rule, one.account, one.coin, one.subject)));
    const nowMs = this.#deps.clock.now();
    for (const lane of this.#lanes.values()) {
      for (const [key, about] of [...lane.about]) {
        const rule = this.#conditionRule(about);
        if (rule === null) await this.#forget(lane, key);
        else if (!keys.has(key) && OF_POSITIONS.has(about.rule)) {
          const words = `${about.coin} position is closed`;
          await this.#step(lane, rule, { ...about, value: null, atMs: nowMs, words, detail: "" });
        }
      }
    }
  }

  async #forget(lane: Lane, key: string): Promise<void> {
    const nowMs = this.#deps.clock.now();
    const about = lane.about.get(key)!;
    const condition = lane.conditions.get(key)!;
    const told = condition.phase === "firing" && condition.notifiedSeverity !== null;
    const row: AlertStep = {
      ...{ ...about, ...condition, key, resolvedMs: nowMs, value: null, threshold: null, publish: [] },
      state: condition.phase === "pending" ? "dropped" : "resolved",
      notifiedMs: told ? nowMs : condition.notifiedMs,
      message: `RESOLVED ${about.rule} is no longer watched.`,
    };
    if (told) row.publish.push(publication(row, "resolved", true, nowMs));
    await this.#put(lane, row);
    lane.conditions.delete(key);
    lane.about.delete(key);
  }

  /** What could not be written when it was told. */
  async #recordOutages(): Promise<void> {
    // Any lease shows that this process is the one it says.
    const [lane] = this.#lanes.values();
    for (const row of this.#alarm.rows) {
      if (!lane) return;
      await this.#put(lane, row);
      this.#alarm.written(row);
    }
  }

  async #put(lane: Lane, row: AlertStep): Promise<void> {
    const { db, holder, log } = this.#deps;
    const isNew = await putAlert(db, { lease: leaseName(lane.name), holder, token: lane.token }, row);
    // An event that was there was told before, by this process or another.
    if (isNew && row.publish.length > 0)
      log[row.severity === "crit" ? "warn" : "info"](row.message, { rule: row.rule, account: row.account });
  }

  /** Each account once a day; what was told before a restart, or by another process, is a row already. */
  async #digest(): Promise<void> {
    const { reads, clock, rules } = this.#deps;
    const rule = rules.rules.get("daily_digest");
    const nowMs = clock.now();
    const sinceMidnightMs = nowMs % DAY_MS;
    const day = new Date(nowMs - DAY_MS).toISOString().slice(0, 10);
    if (rule?.kind !== "event" || rule.loudness === "off") return;
    if (sinceMidnightMs > DIGEST_WITHIN_MS || sinceMidnightMs < 60_000) return;
    for (const lane of this.#lanes.values()) {
      const account = lane.name;
      if (account === "" || lane.digestDay === day) continue;
      const digest = await readDigest(reads, account, day);
      const money = (value: string | null) => plainDecimal(value, 2);
      const result =
        digest === null
          ? "no fills and no funding"
          : `net PnL ${money(digest.netPnl)} USD (closed ${money(digest.closedPnl)}, fees ${money(digest.fees)}, funding ${money(digest.funding)}), ${digest.fills} fills${digest.unpricedFees > 0 ? `, ${digest.unpricedFees} fees not priced` : ""}, net worth ${digest.netWorth === null ? "unknown" : `${money(digest.netWorth)} USD`}`;
      const message = `${severityWord(rule.severity)} ${day}: ${result}.`;
      this.#waiting.push({
        ...{ rule, account, coin: null, subject: day, message, threshold: null, atMs: nowMs },
        value: digest?.netPnl ?? null,
      });
      lane.digestDay = day;
    }
  }

  // What cannot wait for the database.

  #checkSoon(): void {
    this.#cancelCheck = this.#deps.clock.after(1_000, () => {
      this.#alarm.check(this.#pulse.silentMs());
      this.#pingDeadMan();
      this.#checkSoon();
    });
  }

  /** The other side notices when these stop. */
  #pingDeadMan(): void {
    const { clock, ping, log, options } = this.#deps;
    const nowMs = clock.now();
    if (ping === null || nowMs < this.#nextPingMs) return;
    const fresh = this.#feeds().every(
      ({ ageMs, normalMs }) => ageMs !== null && ageMs < (normalMs || options.deadManMs),
    );
    if (!fresh || nowMs - this.#lastRoundMs > options.deadManMs) return;
    this.#nextPingMs = nowMs + options.deadManMs;
    const pinging = ping()
      .catch((error: unknown) => log.warn("a call of the dead-man URL failed", { error }))
      .finally(() => this.#direct.delete(pinging));
    this.#direct.add(pinging);
  }
}

const OF_POSITIONS = new Set(["liquidation_distance", "exposure", "stop_missing"]);

function hasChanged(before: Condition | null, after: Condition | null): boolean {
  if (before === null || after === null) return before !== after;
  return (
    before.phase !== after.phase ||
    before.severity !== after.severity ||
    before.notifiedSeverity !== after.notifiedSeverity
  );
}

function priceRule({ direction, price }: PriceWatch): ConditionRule {
  const clear = price * (direction === "above" ? 1 - PRICE_BAND : 1 + PRICE_BAND);
  return {
    kind: "condition",
    name: "price",
    help: "",
    loudness: "on",
    direction,
    unit: "",
    levels: [{ severity: "info", fire: price, clear }],
    forMs: 0,
    freshMs: 60_000,
    cooldownMs: 900_000,
  };
}
