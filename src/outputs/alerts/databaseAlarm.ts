/**
 * The one alert that cannot go through the database: that it is away. Guarantees: told to every channel directly, each
 * with its own retries; a silence that was known before holds; what was told is told to be over; the row of the alert is
 * kept for when it can be written.
 */
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import { deliveryId } from "../delivery/sink.ts";
import type { OutboxEvent } from "../outbox.ts";
import { duration } from "../words.ts";
import { type AlertAbout, type AlertStep, alertKey } from "./alertStore.ts";
import type { Channel } from "./channels.ts";
import { type Condition, type Memory, step, type Tell } from "./machine.ts";
import type { Seen } from "./observe.ts";
import { messageOf, publication } from "./publication.ts";
import type { ConditionRule, Level, RuleSet } from "./rules.ts";

export interface AlarmDeps {
  clock: Clock;
  log: Log;
  rules: RuleSet;
  channels: readonly Channel[];
  isSilenced(about: AlertAbout): boolean;
  /** Ends what is being told. */
  signal: AbortSignal;
}

/** Outages whose rows wait to be written; of more the newest. */
const ROWS_MAX = 10;

const RULE = "database_down";
const ABOUT: AlertAbout = {
  ...{ key: alertKey(RULE, null, null, null), rule: RULE },
  ...{ account: null, coin: null, subject: null },
};

export class DatabaseAlarm {
  readonly #deps: AlarmDeps;
  readonly #rule: ConditionRule | null;
  #condition: Condition | null = null;
  #memory: Memory | null = null;
  #rows: AlertStep[] = [];
  readonly #telling = new Set<Promise<void>>();

  constructor(deps: AlarmDeps) {
    this.#deps = deps;
    const rule = deps.rules.rules.get(RULE);
    this.#rule = rule?.kind === "condition" && rule.loudness !== "off" ? rule : null;
  }

  /** To be called every second. */
  check(silentMs: number): void {
    const rule = this.#rule;
    if (rule === null) return;
    const nowMs = this.#deps.clock.now();
    const back = silentMs / 1000 <= rule.levels[0]!.clear;
    const seen: Seen = {
      ...{ ...ABOUT, value: silentMs / 1000, atMs: nowMs, detail: "" },
      words: back ? "the database answers again" : `the database has not answered for ${duration(silentMs)}`,
    };
    const before = this.#condition;
    const silenced = this.#deps.isSilenced(ABOUT);
    const { after, tell, level } = step(rule, before, this.#memory, seen, nowMs, silenced);
    this.#condition = after;
    const isOver = after === null && before?.phase === "firing";
    if (tell === null && !isOver) return;
    const row = rowOf(rule, seen, level!, (after ?? before)!, after === null, nowMs);
    if (isOver) this.#rows = [...this.#rows, row].slice(-ROWS_MAX);
    if (tell !== null) this.#tell(row, tell, rule.loudness === "silent" || silenced);
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

  #tell(row: AlertStep, tell: Exclude<Tell, null>, silent: boolean): void {
    const { clock, log, channels } = this.#deps;
    const nowMs = clock.now();
    this.#memory = { notifiedMs: nowMs, severity: row.severity };
    log.error(row.message);
    const { type, timeMs, data, key } = publication(row, tell, silent, nowMs);
    const event: OutboxEvent = {
      ...{ id: 0, key, type, account: null, timeMs, source: "stream", committedAtMs: nowMs, data },
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

function rowOf(
  rule: ConditionRule,
  seen: Seen,
  level: Level,
  condition: Condition,
  over: boolean,
  nowMs: number,
): AlertStep {
  const { severity, startedMs, firedMs, notifiedSeverity } = condition;
  return {
    ...{ ...ABOUT, severity, startedMs, firedMs, notifiedSeverity, publish: [] },
    state: over ? "resolved" : "firing",
    message: messageOf(rule, seen, level, condition, over, nowMs),
    value: String(seen.value),
    threshold: String(level.fire),
    notifiedMs: notifiedSeverity === null ? null : nowMs,
    resolvedMs: over ? nowMs : null,
  };
}
