/**
 * How long live changes took of late, from the minutes that were kept. Guarantees: a percentile over many minutes and
 * processes is never too low, and exact when all minutes are alike: of a minute only four points are known, so each of its
 * changes counts as slow as the next point above it.
 */
import type { Queryable } from "../../store/database.ts";
import { HOPS, type Hop, type LatencySummary } from "./latency.ts";

export interface HopLately {
  hop: Hop;
  samples: number;
  p50Ms: number;
  p99Ms: number;
}

/** One hop in one minute of one process. */
export type KeptMinute = LatencySummary & { hop: Hop };

/** Of a hundred changes of a minute, how many are at most this slow but not as fast as the point before. */
const SHARES = [
  ["p50", 50],
  ["p90", 40],
  ["p99", 9],
  ["max", 1],
] as const;

/** Hops that were measured, in their order. */
export function overMinutes(minutes: readonly KeptMinute[]): HopLately[] {
  return HOPS.flatMap((hop) => {
    const own = minutes.filter((minute) => minute.hop === hop);
    const samples = own.reduce((sum, minute) => sum + minute.samples, 0);
    if (samples === 0) return [];
    const points = own
      .flatMap((minute) =>
        SHARES.map(([point, share]) => ({ ms: minute[point], weight: minute.samples * share })),
      )
      .sort((a, b) => a.ms - b.ms);
    const percentile = (percent: number): number => {
      let above = samples * percent;
      for (const { ms, weight } of points) {
        above -= weight;
        if (above <= 0) return ms;
      }
      return points.at(-1)!.ms;
    };
    return [{ hop, samples, p50Ms: percentile(50), p99Ms: percentile(99) }];
  });
}

export async function readLatencySince(db: Queryable, fromMs: number): Promise<HopLately[]> {
  const minutes = await db.query<KeptMinute & Record<string, unknown>>(
    `select hop, samples, p50_ms as p50, p90_ms as p90, p99_ms as p99, max_ms as max
     from hl_internal.latency_minutes where minute_ms >= $1`,
    [fromMs],
  );
  return overMinutes(minutes);
}
