/**
 * What is known is a list of closed intervals of milliseconds. Pure algebra: results are sorted, disjoint and not
 * adjacent ([1,2] and [3,4] are one interval, since times are whole). A gap is `subtract(wanted, known)`; start,
 * resume, repair and backfill all close gaps.
 */

/** Both ends inclusive; `fromMs <= toMs`. */
export interface Interval {
  fromMs: number;
  toMs: number;
}

export function union(...lists: readonly Interval[][]): Interval[] {
  const sorted = lists
    .flat()
    .filter(({ fromMs, toMs }) => fromMs <= toMs)
    .sort((a, b) => a.fromMs - b.fromMs);
  const merged: Interval[] = [];
  for (const { fromMs, toMs } of sorted) {
    const last = merged.at(-1);
    if (last && fromMs <= last.toMs + 1) last.toMs = Math.max(last.toMs, toMs);
    else merged.push({ fromMs, toMs });
  }
  return merged;
}

/** The parts of `wanted` that `known` does not cover. */
export function subtract(wanted: Interval[], known: Interval[]): Interval[] {
  const holes: Interval[] = [];
  const covers = union(known);
  for (const want of union(wanted)) {
    let fromMs = want.fromMs;
    for (const have of covers) {
      if (have.toMs < fromMs || have.fromMs > want.toMs) continue;
      if (have.fromMs > fromMs) holes.push({ fromMs, toMs: have.fromMs - 1 });
      fromMs = have.toMs + 1;
    }
    if (fromMs <= want.toMs) holes.push({ fromMs, toMs: want.toMs });
  }
  return holes;
}

export function intersect(a: Interval[], b: Interval[]): Interval[] {
  const result: Interval[] = [];
  for (const x of union(a)) {
    for (const y of union(b)) {
      const fromMs = Math.max(x.fromMs, y.fromMs);
      const toMs = Math.min(x.toMs, y.toMs);
      if (fromMs <= toMs) result.push({ fromMs, toMs });
    }
  }
  return union(result);
}

export const covers = (known: Interval[], wanted: Interval): boolean =>
  subtract([wanted], known).length === 0;

/** Start of the unbroken known stretch that reaches `atMs`, or null when `atMs` itself is not known. */
export function knownSince(known: Interval[], atMs: number): number | null {
  return union(known).find(({ fromMs, toMs }) => fromMs <= atMs && toMs >= atMs)?.fromMs ?? null;
}
