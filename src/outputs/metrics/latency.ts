/**
 * How long a change takes, hop by hop: venue → received → committed → published → painted, and
 * committed → delivered to a webhook. Pure.
 *
 * Guarantees: memory is bounded whatever the rate (a hop's minute is a fixed row of buckets); a percentile is exact to
 * the millisecond below 128 ms and at most 5 % too high above. Negative lags (clocks that disagree) count as 0.
 */

/** The hops in the order a change goes through them. `delivered` is committed → taken by a webhook, `total` venue → published. */
export const HOPS = ["received", "committed", "published", "painted", "delivered", "total"] as const;
export type Hop = (typeof HOPS)[number];

/** Milliseconds below this have a bucket each. */
const EXACT_MS = 128;
/** Above, every doubling is cut into this many buckets. */
const PER_DOUBLING = 16;
const LONGEST_MS = 86_400_000;
const BUCKETS = EXACT_MS + Math.ceil(Math.log2(LONGEST_MS / EXACT_MS) * PER_DOUBLING) + 1;

const bucketOf = (lagMs: number): number => {
  const whole = Math.max(0, Math.min(LONGEST_MS, Math.round(lagMs)));
  if (whole < EXACT_MS) return whole;
  return EXACT_MS + Math.floor(Math.log2(whole / EXACT_MS) * PER_DOUBLING);
};

/** The largest whole lag that falls into a bucket. */
const upperMs = (bucket: number): number =>
  bucket < EXACT_MS ? bucket : Math.ceil(EXACT_MS * 2 ** ((bucket - EXACT_MS + 1) / PER_DOUBLING)) - 1;

export interface LatencySummary {
  samples: number;
  /** Milliseconds. */
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

/** Lags of one hop over some time. */
export class LagCounts {
  readonly #counts = new Uint32Array(BUCKETS);
  #samples = 0;
  #max = 0;

  add(lagMs: number): void {
    const bucket = bucketOf(lagMs);
    this.#counts[bucket]! += 1;
    this.#samples += 1;
    this.#max = Math.max(this.#max, Math.round(lagMs));
  }

  /** Null without samples. */
  summary(): LatencySummary | null {
    if (this.#samples === 0) return null;
    return {
      samples: this.#samples,
      p50: this.#at(0.5),
      p90: this.#at(0.9),
      p99: this.#at(0.99),
      max: this.#max,
    };
  }

  /** Non-empty buckets, ascending: [largest lag of the bucket in ms, samples]. */
  histogram(): [number, number][] {
    const filled: [number, number][] = [];
    for (const [bucket, count] of this.#counts.entries())
      if (count > 0) filled.push([upperMs(bucket), count]);
    return filled;
  }

  #at(part: number): number {
    const wanted = Math.ceil(this.#samples * part);
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= wanted) return Math.min(upperMs(bucket), this.#max);
    }
    return this.#max;
  }
}

export interface LatencyMinute extends LatencySummary {
  minuteMs: number;
  hop: Hop;
}

/** All hops since the start. */
export type LatencyReport = Record<Hop, { summary: LatencySummary | null; histogram: [number, number][] }>;

const MINUTE_MS = 60_000;
/** Minutes waiting to be written while the database is away: an hour; then the oldest are forgotten. */
const PENDING_MAX = 60 * HOPS.length;

/** Lags since the start and of each minute. A minute is over when a later one begins or `flush` is called. */
export class Latency {
  readonly #since = new Map<Hop, LagCounts>(HOPS.map((hop) => [hop, new LagCounts()]));
  #minute = new Map<Hop, LagCounts>();
  #minuteMs = 0;
  #done: LatencyMinute[] = [];

  add(hop: Hop, lagMs: number, nowMs: number): void {
    this.#turn(nowMs);
    this.#since.get(hop)!.add(lagMs);
    let counts = this.#minute.get(hop);
    if (!counts) {
      counts = new LagCounts();
      this.#minute.set(hop, counts);
    }
    counts.add(lagMs);
  }

  /** Minutes that are over, oldest first; taken once. */
  takeMinutes(nowMs: number): LatencyMinute[] {
    this.#turn(nowMs);
    return this.#done.splice(0);
  }

  /** Gives minutes back that could not be written. */
  giveBack(minutes: readonly LatencyMinute[]): void {
    this.#done = [...minutes, ...this.#done].slice(-PENDING_MAX);
  }

  sinceStart(): LatencyReport {
    const entries = HOPS.map((hop) => {
      const counts = this.#since.get(hop)!;
      return [hop, { summary: counts.summary(), histogram: counts.histogram() }] as const;
    });
    return Object.fromEntries(entries) as LatencyReport;
  }

  #turn(nowMs: number): void {
    const minuteMs = nowMs - (nowMs % MINUTE_MS);
    if (minuteMs === this.#minuteMs) return;
    for (const [hop, counts] of this.#minute) {
      const summary = counts.summary();
      if (summary) this.#done.push({ minuteMs: this.#minuteMs, hop, ...summary });
    }
    this.#done = this.#done.slice(-PENDING_MAX);
    this.#minute = new Map();
    this.#minuteMs = minuteMs;
  }
}
