/**
 * Since when a history is complete, and what is open in it: the one place where this is computed outside the database
 * (inside it is `hl_gaps`, by the same rule). Pure. The rule, for the wanted time up to the newest proven moment:
 *
 * | known as                       | means                                            | complete? | a fault? |
 * |--------------------------------|--------------------------------------------------|-----------|----------|
 * | proven                         | read over REST                                   | yes       | no       |
 * | unprovable, not proven         | the venue can no longer tell, with the reason     | no        | no       |
 * | streamed, nothing of the above | watched live without a known loss, not yet read    | no        | no       |
 * | nothing                        | a gap                                            | no        | yes      |
 *
 * A streamed stretch is no gap: no loss is known in it, and the self-check would have seen one. It does not count as
 * complete either: only a reading confirms it. Most are confirmed by the next reconcile; stretches of `orders` whose
 * transitions the venue no longer lists stay what they are. After the newest proven moment nothing is judged: the next
 * reconcile proves it.
 */
import { TIME_LIMITS } from "./account/venueTime.ts";
import { type Interval, knownSince, subtract, union } from "./coverage.ts";
import type { CoverageRow, TrackedStream } from "./rows.ts";

interface Unprovable extends Interval {
  reason: string;
}

export interface Completeness {
  /** Start of the unbroken proven stretch that ends at `provenToMs`; null while nothing is proven. */
  completeSinceMs: number | null;
  provenToMs: number | null;
  gaps: Interval[];
  streamed: Interval[];
  /** Each stretch with its own reason; where two reasons are on record, both. */
  unprovable: Unprovable[];
}

/** The histories that money is counted from. The venue keeps orders by count only, so they are listed separately. */
export const MONEY_STREAMS: readonly TrackedStream[] = ["fills", "twapFills", "funding", "ledger"];

/**
 * A claim that reaches beyond this is one on the future. Wider than the 10 s that are claimed ahead (`venueTime.ts`), for this
 * is the reader's clock, and the claim another machine's: what is so far ahead without reason is withdrawn at the next start.
 */
export const latestClaimMs = (nowMs: number): number => nowMs + TIME_LIMITS.aheadMaxMs;

/** What completeness needs of a `CoverageRow`. */
export type KnownStretch = Pick<CoverageRow, "stream" | "grade" | "fromMs" | "toMs" | "reason">;

/**
 * A claim that reaches beyond `latestMs` counts for nothing (I12): what happened until its end was never read, and up to
 * where it was is not on record.
 */
export function completeness(
  coverage: readonly KnownStretch[],
  stream: TrackedStream,
  sinceMs: number,
  latestMs: number,
): Completeness {
  const known = coverage.filter((row) => row.stream === stream && row.toMs <= latestMs);
  const graded = (grade: CoverageRow["grade"]) => union(known.filter((row) => row.grade === grade));
  const proven = graded("proven");
  const provenToMs = proven.at(-1)?.toMs ?? null;
  const wanted = [{ fromMs: sinceMs, toMs: provenToMs ?? sinceMs }];
  const told = union(proven, graded("unprovable"));
  const open = subtract(wanted, told);
  const gaps = subtract(open, graded("streamed"));
  return {
    completeSinceMs: provenToMs === null ? null : knownSince(proven, provenToMs),
    provenToMs,
    gaps: provenToMs === null ? [] : gaps,
    streamed: provenToMs === null ? [] : subtract(open, gaps),
    unprovable: unprovableOf(known, proven),
  };
}

function unprovableOf(known: readonly KnownStretch[], proven: Interval[]): Unprovable[] {
  const byReason = Map.groupBy(
    known.filter(({ grade }) => grade === "unprovable"),
    ({ reason }) => reason ?? "",
  );
  return [...byReason]
    .flatMap(([reason, rows]) => subtract(rows, proven).map((part) => ({ ...part, reason })))
    .sort((a, b) => a.fromMs - b.fromMs);
}
