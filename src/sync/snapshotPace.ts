/**
 * When an account snapshot is written to `hl_dashboard`. Pure.
 *
 * Guarantees: a row at least every `dashboardMs` while states come; sooner when risk moved against the last written
 * row, since margin and health alerts read the newest row and a warning a minute late is late. Bounded: such extra rows
 * are `dashboardRiskMs` apart, and no more than RISK_ROWS_BURST at once and RISK_ROWS_PER_HOUR for long. With these used up
 * only a status worse than the last written one is written early, which ends at the worst. A quiet account has 1440 rows
 * a day, one whose score swings over all of its range all day long about three times as many.
 */
import { hasPassed } from "../runtime/due.ts";
import type { HealthComponents } from "./healthScore.ts";
import type { DashboardRow } from "./rows.ts";

/** Points of the score that are worth a row. */
const SCORE_STEP = 5;
/** Of the worst pool's ratio over its threshold. */
const RATIO_STEP = 0.02;
/** Rounding of floats. */
const TINY = 1e-9;
const RISK_ROWS_BURST = 60;
const RISK_ROWS_PER_HOUR = 60;
const HOUR_MS = 3_600_000;
/** From safe to lost; an unknown state is worse than any known one, since it is not watched. */
const STATUSES = ["excellent", "good", "fair", "poor", "critical", "liquidatable", "unknown"];

export interface PaceOptions {
  dashboardMs: number;
  dashboardAfterFillMs: number;
  dashboardRiskMs: number;
}

/** The worst pool's ratio ÷ threshold, 1 is liquidation; 0 when nothing is at risk, null when unknown. */
export function worstRatio({ healthComponents }: Pick<DashboardRow, "healthComponents">): number | null {
  const parts = healthComponents as HealthComponents | null | undefined;
  if (!parts || parts.margin_points === null) return null;
  const ratios = parts.pools.map(({ ratio, threshold }) =>
    ratio === "infinite" ? Number.POSITIVE_INFINITY : Number(ratio) / Number(threshold),
  );
  return Math.max(0, ...ratios);
}

/** How risk differs between two snapshots: a worse status, a step in anything, or not worth a row. */
export function riskMoved(before: DashboardRow, now: DashboardRow): "worse" | "moved" | null {
  const worse = STATUSES.indexOf(now.healthStatus) - STATUSES.indexOf(before.healthStatus);
  if (worse > 0) return "worse";
  // Profit begins with the first net worth that is known.
  if (before.netWorth === null && now.netWorth !== null) return "moved";
  if (before.healthScore === null || now.healthScore === null)
    return before.healthScore === now.healthScore ? null : "moved";
  // A better status alone is no step: a score that trembles at a border would write a row each time.
  if (Math.abs(now.healthScore - before.healthScore) >= SCORE_STEP) return "moved";
  const [from, to] = [worstRatio(before) ?? 0, worstRatio(now) ?? 0];
  return from !== to && Math.abs(to - from) >= RATIO_STEP - TINY ? "moved" : null;
}

export class SnapshotPace {
  readonly #options: PaceOptions;
  #last: DashboardRow | null = null;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  /** Extra rows that may still be written, and when that was true. */
  #allowance = RISK_ROWS_BURST;
  #allowanceAtMs = 0;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** Whether a row is due whatever it says. */
  isDue(nowMs: number, afterFill: boolean): boolean {
    const { dashboardMs, dashboardAfterFillMs } = this.#options;
    return hasPassed(this.#lastAtMs, afterFill ? dashboardAfterFillMs : dashboardMs, nowMs);
  }

  /** Whether enough time has passed for a row that is written for its risk: before that none need be scored. */
  mayBeEarly(nowMs: number): boolean {
    return hasPassed(this.#lastAtMs, this.#options.dashboardRiskMs, nowMs);
  }

  /** Whether this snapshot is worth a row before its time. To be asked when `mayBeEarly`; uses up the allowance. */
  isWorthIt(nowMs: number, row: DashboardRow): boolean {
    // Of two snapshots with the same time only the first is kept.
    if (this.#last === null || row.asOfMs <= this.#last.asOfMs) return false;
    const moved = riskMoved(this.#last, row);
    if (moved === null) return false;
    const earned = ((nowMs - this.#allowanceAtMs) * RISK_ROWS_PER_HOUR) / HOUR_MS;
    this.#allowance = Math.min(RISK_ROWS_BURST, this.#allowance + Math.max(0, earned));
    this.#allowanceAtMs = nowMs;
    if (this.#allowance < 1) return moved === "worse";
    this.#allowance -= 1;
    return true;
  }

  noteWritten(nowMs: number, row: DashboardRow): void {
    this.#last = row;
    this.#lastAtMs = nowMs;
  }
}
