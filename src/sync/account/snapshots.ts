/**
 * When an account snapshot is made, and of what: joins the states with what health rests on and the pace of
 * `snapshotPace.ts`. Guarantees: none before all states were read once, and none while a part of the equity has no price:
 * a part would look like a loss.
 */

import type { Clock } from "../../runtime/clock.ts";
import type { HealthWatch, WatchedStates } from "../healthWatch.ts";
import type { Batch, DashboardRow } from "../rows.ts";
import { type PaceOptions, SnapshotPace } from "../snapshotPace.ts";

/** A catch-up waits this long for what the health score lacks. */
const HEALTH_WAIT_MS = 3_000;

interface SnapshotsDeps {
  clock: Clock;
  health: HealthWatch;
  options: PaceOptions;
  /** The states as they are now. */
  watched(): WatchedStates;
}

export class Snapshots {
  readonly #deps: SnapshotsDeps;
  readonly #pace: SnapshotPace;
  /** All dexes and the spot state were read once, and the mode is known. */
  #isComplete = false;
  /** Something that risk rests on came since it was last looked at. */
  #riskUnseen = false;
  #wasStale = false;
  /** Ends what is read for the health score in the background; null before the first reading. */
  #signal: AbortSignal | null = null;

  constructor(deps: SnapshotsDeps) {
    this.#deps = deps;
    this.#pace = new SnapshotPace(deps.options);
  }

  /** Of the last reading; null before the first. */
  get signal(): AbortSignal | null {
    return this.#signal;
  }

  noteReading(signal: AbortSignal): void {
    this.#signal = signal;
  }

  noteRisk(): void {
    this.#riskUnseen = true;
  }

  noteComplete(): void {
    this.#isComplete = true;
  }

  /** Learns what the health score lacks, and gives up waiting for it after a while. */
  async learn(signal: AbortSignal): Promise<void> {
    const { clock, health } = this.#deps;
    const watched = this.#deps.watched();
    if (!health.lacks(watched)) return;
    const late = new AbortController();
    const wait = clock.sleep(HEALTH_WAIT_MS, late.signal).catch(() => {});
    await Promise.race([health.refresh(watched, signal), wait]);
    late.abort();
  }

  /** The snapshot as it would be stored now; null before all states were read. */
  look(): DashboardRow | null {
    return this.#isComplete ? this.#deps.health.row(this.#deps.watched()) : null;
  }

  /**
   * The snapshot when one is due: after `dashboardMs`, sooner after a fill or when risk has moved, at once when the states
   * age or renew, or when `now` asks for it.
   */
  due(now: boolean, afterFill: boolean): Batch {
    const { clock, health } = this.#deps;
    if (!this.#isComplete) return {};
    const nowMs = clock.now();
    const watched = this.#deps.watched();
    if (health.isUnpriced(watched)) {
      if (this.#signal) void health.refresh(watched, this.#signal);
      return {};
    }
    const isStale = health.isStale(watched);
    const isDue = now || isStale !== this.#wasStale || this.#pace.isDue(nowMs, afterFill);
    if (!isDue && !(this.#riskUnseen && this.#pace.mayBeEarly(nowMs))) return {};
    this.#riskUnseen = false;
    const row = health.row(watched);
    if (!isDue && !this.#pace.isWorthIt(nowMs, row)) return {};
    this.#pace.noteWritten(nowMs, row);
    this.#wasStale = isStale;
    if (this.#signal) void health.refresh(watched, this.#signal);
    return { dashboard: [row] };
  }
}
