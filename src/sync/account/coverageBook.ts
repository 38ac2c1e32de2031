/**
 * What time of each stream of one account is known, as committed. Pure.
 *
 * Guarantees: a gap is `wanted − proven − unprovable`; what claims the future is not known at all (invariant I12): such an
 * interval is dropped whole, since its true end cannot be told, and handed back to be withdrawn from the database.
 */
import { type Interval, subtract, union } from "../coverage.ts";
import type { CoverageGrade, CoverageRow, TrackedStream } from "../rows.ts";

export class CoverageBook {
  #sinceMs = 0;
  #known = new Map<TrackedStream, Record<CoverageGrade, Interval[]>>();

  /** Start of the wanted history. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Takes what the database holds in place of all that was known. Returns the rows that reach beyond `latestMs`. */
  open(sinceMs: number, rows: readonly CoverageRow[], latestMs: number): CoverageRow[] {
    this.#sinceMs = sinceMs;
    this.#known.clear();
    const future = rows.filter(({ toMs }) => toMs > latestMs);
    for (const row of rows) if (row.toMs <= latestMs) this.note(row);
    return future;
  }

  note(row: CoverageRow): void {
    const grades = this.#known.get(row.stream) ?? { streamed: [], proven: [], unprovable: [] };
    grades[row.grade] = union(grades[row.grade], [row]);
    this.#known.set(row.stream, grades);
  }

  known(stream: TrackedStream, grade: CoverageGrade): Interval[] {
    return this.#known.get(stream)?.[grade] ?? [];
  }

  /** End of what is proven, or null. */
  provenToMs(stream: TrackedStream): number | null {
    return this.known(stream, "proven").at(-1)?.toMs ?? null;
  }

  /** What is wanted up to `toMs` and neither proven nor unprovable, oldest first. */
  gaps(stream: TrackedStream, toMs: number): Interval[] {
    if (this.#sinceMs > toMs) return [];
    const settled = union(this.known(stream, "proven"), this.known(stream, "unprovable"));
    return subtract([{ fromMs: this.#sinceMs, toMs }], settled);
  }

  /** Gaps that end before the newest proven moment; the one after it is the present, which every catch-up reads. */
  oldGaps(stream: TrackedStream, toMs: number): Interval[] {
    const provenToMs = this.provenToMs(stream);
    return provenToMs === null ? [] : this.gaps(stream, toMs).filter((gap) => gap.toMs < provenToMs);
  }
}
