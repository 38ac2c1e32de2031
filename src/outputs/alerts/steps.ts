/** Steps of alerts as rows, with their words, and as events for channels and webhooks. Pure. */
import { age, duration, plainNumber } from "../words.ts";
import { type AlertAbout, type AlertStep, alertKey, type Publication } from "./alertStore.ts";
import type { EventAlert } from "./eventAlerts.ts";
import { type Condition, type Notice, type Step, threshold } from "./machine.ts";
import type { Seen } from "./observe.ts";
import type { ConditionRule } from "./ruleSet.ts";
import type { RuleName } from "./rules/index.ts";
import { type Level, rank, severityWord } from "./rules/spec.ts";

/** `rule` is of an alert that was stored, perhaps by another version, where it is not one of ours. */
export const aboutOf = <Rule extends string = RuleName>({
  rule,
  account,
  coin,
  subject,
}: Pick<AlertAbout, "account" | "coin" | "subject"> & { rule: Rule }): AlertAbout & { rule: Rule } => ({
  key: alertKey(rule, account, coin, subject),
  rule,
  account,
  coin,
  subject,
});

/** `before`: the condition until now; `made`: its next state. Published unless a direct delivery has sent it. */
export function conditionStep(
  rule: ConditionRule,
  seen: Seen,
  before: Condition | null,
  { after, notice, level }: Step,
  silent: boolean,
  nowMs: number,
): AlertStep {
  const shown = (after ?? before)!;
  const { severity, startedMs, firedMs, notifiedSeverity } = shown;
  const row: AlertStep = {
    ...aboutOf(seen),
    severity,
    startedMs,
    firedMs,
    notifiedSeverity,
    publish: [],
    state: after?.phase ?? (before!.phase === "pending" ? "dropped" : "resolved"),
    message: conditionMessage(rule, seen, level!, shown, after === null, nowMs),
    value: seen.value === null || !Number.isFinite(seen.value) ? null : String(seen.value),
    threshold: String(threshold(rule, level!, "fire", seen.dailyMovePct)),
    notifiedMs: notice === null ? shown.notifiedMs : nowMs,
    resolvedMs: after === null ? nowMs : null,
  };
  if (notice !== null) row.publish.push(publication(row, notice, silent, nowMs));
  return row;
}

/** A condition whose rule is gone. */
export function forgottenStep(about: AlertAbout, condition: Condition, nowMs: number): AlertStep {
  const isKnown = condition.phase === "firing" && condition.notifiedSeverity !== null;
  const row: AlertStep = {
    ...condition,
    ...about,
    resolvedMs: nowMs,
    value: null,
    threshold: null,
    publish: [],
    state: condition.phase === "pending" ? "dropped" : "resolved",
    notifiedMs: isKnown ? nowMs : condition.notifiedMs,
    message: `RESOLVED ${about.rule} is no longer watched.`,
  };
  if (isKnown) row.publish.push(publication(row, "resolved", true, nowMs));
  return row;
}

export function eventStep(alert: EventAlert, isSilenced: boolean, nowMs: number): AlertStep {
  const { rule, message, value, threshold: least, atMs } = alert;
  const { severity } = rule;
  const row: AlertStep = {
    ...aboutOf({ ...alert, rule: rule.name }),
    state: "event",
    severity,
    message,
    value,
    threshold: least,
    startedMs: atMs,
    firedMs: nowMs,
    resolvedMs: null,
    publish: [],
    notifiedSeverity: isSilenced ? null : severity,
    notifiedMs: isSilenced ? null : nowMs,
  };
  if (!isSilenced) row.publish.push(publication(row, "fired", rule.loudness === "silent", nowMs));
  return row;
}

/**
 * `WARN BTC long 9.1 % from liquidation (3.6 daily moves). Threshold 10 %. Mark 61204, liq 58817. 0.6 s old.` `isOver`: it
 * ended, and `condition` is what it was.
 */
export function conditionMessage(
  rule: Pick<ConditionRule, "unit" | "direction">,
  { words, detail, atMs, dailyMovePct }: Pick<Seen, "words" | "detail" | "atMs" | "dailyMovePct">,
  level: Level,
  { severity, firedMs }: Pick<Condition, "severity" | "firedMs">,
  isOver: boolean,
  nowMs: number,
): string {
  const limit = threshold(rule, level, isOver ? "clear" : "fire", dailyMovePct);
  const unit = rule.unit === "" ? "" : ` ${rule.unit}`;
  const parts = [
    `${isOver ? "RESOLVED" : severityWord(severity)} ${words}.`,
    `Threshold ${plainNumber(limit)}${unit}.`,
    isOver && firedMs !== null ? `After ${duration(nowMs - firedMs)}.` : "",
    detail,
    age(atMs, nowMs),
  ];
  return parts.filter((part) => part !== "").join(" ");
}

/** What webhooks and channels get. `silent`: without a sound. */
export function publication(
  row: AlertStep,
  notice: Exclude<Notice, null>,
  silent: boolean,
  nowMs: number,
): Publication {
  const over = notice === "resolved";
  const moment = `${row.firedMs}:${over ? "resolved" : `${rank(row.severity)}:${row.notifiedMs}`}`;
  return {
    // An event has one key and is sent once; a condition has a key per notification and one for its resolution.
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
