/**
 * The life of one condition. Pure: times are passed in.
 *
 * ```
 *            fire threshold            for `forMs`, cooldown over
 *   (none) ────────────────► pending ────────────────────────────► firing ──┐ worse level: sent again at once
 *      ▲                        │ back below                          │  ▲───┘ (escalation passes the cooldown)
 *      └────────────────────────┘                                     │ clear threshold
 *      └──────────────────────────────── resolved ◄───────────────────┘
 * ```
 *
 * Guarantees: between the two thresholds nothing changes, so a value that moves around one of them gives one firing and
 * one resolved; an unknown or stale value changes nothing; a condition that fired under a silence is sent when the silence
 * ends, if it still holds; one that got milder for longer than the cooldown and then worse is sent again; a resolution
 * is sent exactly when its alert was sent, silenced or not.
 */
import { type ConditionSpec, type Level, rank, type Severity, type Sight } from "./rules/spec.ts";

/** What was seen of one subject. */
export interface Observation extends Sight {
  /** When the value was true. */
  atMs: number;
}

export interface Condition {
  phase: "pending" | "firing";
  severity: Severity;
  startedMs: number;
  firedMs: number | null;
  /** What the user takes it for: the severity last told, or a milder one since, once the cooldown was over. */
  notifiedSeverity: Severity | null;
  notifiedMs: number | null;
}

/** The last time anything was told of the key, in an earlier life of the condition. */
export interface Memory {
  notifiedMs: number;
  severity: Severity;
}

export type Notice = "fired" | "escalated" | "resolved" | null;

export interface Step {
  /** Null when it is over, or never was. */
  after: Condition | null;
  notice: Notice;
  /** The level that decides: what the value is held against. */
  level: Level | null;
}

/** Threshold of a level: in % of daily moves where that is reached first. */
export function threshold(
  rule: Pick<ConditionSpec, "direction">,
  level: Level,
  side: "fire" | "clear",
  dailyMovePct: number | undefined,
): number {
  const own = level[side];
  const moves = side === "fire" ? level.fireMoves : level.clearMoves;
  if (moves === undefined || dailyMovePct === undefined) return own;
  const inMoves = moves * dailyMovePct;
  return rule.direction === "below" ? Math.max(own, inMoves) : Math.min(own, inMoves);
}

/** The worst level that the value is in, given the one it was in: leaving needs the clear threshold. */
function levelOf(rule: ConditionSpec, seen: Observation, held: Severity | null): Level | null {
  const { value, dailyMovePct } = seen;
  if (value === null) return null;
  return (
    rule.levels.findLast((level) => {
      const side = rank(held) >= rank(level.severity) ? "clear" : "fire";
      const limit = threshold(rule, level, side, dailyMovePct);
      // At the fire threshold it fires; at the clear threshold it is clear, unless both are one.
      const both = level.fire === level.clear;
      if (rule.direction === "above") return side === "fire" || both ? value >= limit : value > limit;
      return side === "fire" || both ? value <= limit : value < limit;
    }) ?? null
  );
}

export function step(
  rule: ConditionSpec,
  before: Condition | null,
  memory: Memory | null,
  seen: Observation,
  nowMs: number,
  silenced: boolean,
): Step {
  if (nowMs - seen.atMs > rule.freshMs) return { after: before, notice: null, level: null };
  const held = before?.phase === "firing" ? before.severity : null;
  const level = levelOf(rule, seen, held);
  if (level === null) {
    const told = before?.phase === "firing" && before.notifiedSeverity !== null;
    return { after: null, notice: told ? "resolved" : null, level: rule.levels[0]! };
  }
  const { severity } = level;
  const now: Condition = before
    ? { ...before, severity }
    : {
        phase: "pending",
        severity,
        startedMs: seen.sinceMs ?? nowMs,
        firedMs: null,
        notifiedSeverity: null,
        notifiedMs: null,
      };
  if (now.phase === "pending") {
    const cooling =
      memory !== null &&
      nowMs - memory.notifiedMs < rule.cooldownMs &&
      rank(severity) <= rank(memory.severity);
    if (nowMs - now.startedMs < rule.forMs || cooling) return { after: now, notice: null, level };
    now.phase = "firing";
    now.firedMs = nowMs;
  }
  if (rank(severity) < rank(now.notifiedSeverity) && nowMs - now.notifiedMs! >= rule.cooldownMs) {
    now.notifiedSeverity = severity;
  }
  if (silenced || rank(severity) <= rank(now.notifiedSeverity)) return { after: now, notice: null, level };
  const notice = now.notifiedSeverity === null ? "fired" : "escalated";
  return { after: { ...now, notifiedSeverity: severity, notifiedMs: nowMs }, notice, level };
}
