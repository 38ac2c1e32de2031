/** How an alert is put into words, and into an event for channels and webhooks. Pure. */

import { duration, plainNumber } from "../words.ts";
import type { AlertStep, Publication } from "./alertStore.ts";
import { type Condition, type Tell, threshold } from "./machine.ts";
import { conditionMessage, type Seen } from "./observe.ts";
import { type ConditionRule, type Level, rank, severityWord } from "./rules.ts";

/** `over`: it ended, and `condition` is what it was. */
export function messageOf(
  rule: ConditionRule,
  seen: Seen,
  level: Level,
  condition: Condition,
  over: boolean,
  nowMs: number,
): string {
  const limit = threshold(rule, level, over ? "clear" : "fire", seen.dailyMovePct);
  const unit = rule.unit === "" ? "" : ` ${rule.unit}`;
  const head = over ? "RESOLVED" : severityWord(condition.severity);
  const lasted = over && condition.firedMs !== null ? `After ${duration(nowMs - condition.firedMs)}. ` : "";
  return conditionMessage(
    head,
    { ...seen, detail: `${lasted}${seen.detail}`.trim() },
    `${plainNumber(limit)}${unit}`,
    nowMs,
  );
}

/** What webhooks and channels get. `silent`: without a sound. */
export function publication(
  row: AlertStep,
  tell: Exclude<Tell, null>,
  silent: boolean,
  nowMs: number,
): Publication {
  const over = tell === "resolved";
  const moment = `${row.firedMs}:${over ? "resolved" : `${rank(row.severity)}:${row.notifiedMs}`}`;
  return {
    // An event is told once whatever happens; a condition as often as it is told, and is over once.
    key: row.state === "event" ? `alert:${row.key}` : `alert:${row.key}:${moment}`,
    type: over ? "alert.resolved" : "alert.fired",
    account: row.account,
    timeMs: nowMs,
    data: {
      key: row.key,
      rule: row.rule,
      severity: row.severity,
      state: row.state,
      account_address: row.account,
      coin: row.coin,
      subject: row.subject,
      message: row.message,
      value: row.value,
      threshold: row.threshold,
      silent,
      started_at_ms: row.startedMs,
      fired_at_ms: row.firedMs,
      resolved_at_ms: row.resolvedMs,
    },
  };
}
