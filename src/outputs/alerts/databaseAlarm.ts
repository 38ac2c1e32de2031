/**
 * The one alert that cannot go through the database: that it is down. Guarantees: sent to every channel directly, each
 * with its own retries; a silence that was known before holds; a sent alert gets its resolution; the row of the alert is
 * kept for when it can be written.
 */
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import { deliveryId } from "../delivery/sink.ts";
import type { OutboxEvent } from "../outbox.ts";
import type { AlertAbout, AlertStep, Publication } from "./alertStore.ts";
import type { Channel } from "./channels.ts";
import { type Condition, type Memory, step } from "./machine.ts";
import { seenBy } from "./observe.ts";
import { type ConditionRule, conditionOn, type RuleSet } from "./ruleSet.ts";
import { databaseDown } from "./rules/databaseDown.ts";
import { aboutOf, conditionStep } from "./steps.ts";

interface AlarmDeps {
  clock: Clock;
  log: Log;
  rules: RuleSet;
  channels: readonly Channel[];
  isSilenced(about: AlertAbout): boolean;
  /** Ends the deliveries under way. */
  signal: AbortSignal;
}

/** Outages whose rows wait to be written; of more the newest. */
const ROWS_MAX = 10;

const ABOUT = aboutOf({ rule: "database_down", account: null, coin: null, subject: null });

export class DatabaseAlarm {
  readonly #deps: AlarmDeps;
  readonly #rule: ConditionRule | null;
  #condition: Condition | null = null;
  #memory: Memory | null = null;
  #rows: AlertStep[] = [];
  readonly #telling = new Set<Promise<void>>();

  constructor(deps: AlarmDeps) {
    this.#deps = deps;
    this.#rule = conditionOn(deps.rules, ABOUT.rule);
  }

  /** To be called every second. */
  check(silentMs: number): void {
    const rule = this.#rule;
    if (rule === null) return;
    const nowMs = this.#deps.clock.now();
    const isBack = silentMs / 1000 <= rule.levels[0]!.clear;
    const [seen] = seenBy(ABOUT.rule, databaseDown, { ...ABOUT, silentMs, isBack, atMs: nowMs });
    const before = this.#condition;
    const silenced = this.#deps.isSilenced(ABOUT);
    const made = step(rule, before, this.#memory, seen!, nowMs, silenced);
    const { after, notice } = made;
    this.#condition = after;
    const isOver = after === null && before?.phase === "firing";
    if (notice === null && !isOver) return;
    const silent = rule.loudness === "silent" || silenced;
    const row = conditionStep(rule, seen!, before, made, silent, nowMs);
    // It was sent directly, so its row publishes nothing.
    const [published] = row.publish.splice(0);
    if (isOver) this.#rows = [...this.#rows, row].slice(-ROWS_MAX);
    if (published) this.#tell(row, published);
  }

  /** Rows of outages that are over, for the database. */
  get rows(): readonly AlertStep[] {
    return this.#rows;
  }

  written(row: AlertStep): void {
    this.#rows = this.#rows.filter((one) => one !== row);
  }

  /** Resolves when nothing is being told any more. */
  async idle(): Promise<void> {
    await Promise.all(this.#telling);
  }

  #tell(row: AlertStep, { type, timeMs, data, key }: Publication): void {
    const { log, channels } = this.#deps;
    this.#memory = { notifiedMs: timeMs, severity: row.severity };
    log.error(row.message);
    const event: OutboxEvent = {
      id: 0,
      key,
      type,
      account: null,
      timeMs,
      source: "stream",
      committedAtMs: timeMs,
      data,
    };
    for (const channel of channels) {
      const telling = this.#deliver(channel, event).finally(() => this.#telling.delete(telling));
      this.#telling.add(telling);
    }
  }

  async #deliver(channel: Channel, event: OutboxEvent): Promise<void> {
    const { clock, log, signal } = this.#deps;
    try {
      for (const delayMs of channel.delaysMs) {
        await clock.sleep(delayMs, signal);
        const { error } = await channel.deliver(event, deliveryId(event.key), signal);
        if (error === null) return;
        log.warn("alert not delivered", { channel: channel.label, error });
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
