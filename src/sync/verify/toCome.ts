/**
 * What the first reading of an account has still to read. Pure, but for what it counts.
 *
 * Guarantees: a row of the venue is excused only where nothing is claimed of its time, in its own history, and only until the
 * wanted history was once read whole (`FollowedAs.readSinceMs`): after that the same stretch is a gap, and its rows are missing.
 */
import { type Interval, subtract } from "../coverage.ts";
import type { FollowedAs } from "../ports.ts";
import { type CoverageRow, TRACKED_STREAMS, type TrackedStream } from "../rows.ts";

/** The present is always on its way: a stretch that is shorter, and holds no row, is not named. */
const NAMED_FROM_MS = 60_000;

export interface Stretch extends Interval {
  stream: TrackedStream;
  /** Of the venue, as far as they were asked for. */
  rows: number;
}

const overlap = (a: Interval, b: Interval): boolean => a.fromMs <= b.toMs && a.toMs >= b.fromMs;

export class ToCome {
  readonly isOpen: boolean;
  readonly #stretches: readonly Stretch[];

  constructor({ sinceMs, readSinceMs }: FollowedAs, coverage: readonly CoverageRow[], toMs: number) {
    this.isOpen = sinceMs !== null && (readSinceMs === null || readSinceMs > sinceMs);
    const wanted = sinceMs === null || sinceMs > toMs ? [] : [{ fromMs: sinceMs, toMs }];
    this.#stretches = (this.isOpen ? TRACKED_STREAMS : []).flatMap((stream) =>
      subtract(
        wanted,
        coverage.filter((row) => row.stream === stream),
      ).map((open) => ({ ...open, stream, rows: 0 })),
    );
  }

  /** Whether this row of the venue was not read yet; then it is counted. */
  takes(stream: TrackedStream, timeMs: number): boolean {
    const stretch = this.#stretches.find(
      (one) => one.stream === stream && timeMs >= one.fromMs && timeMs <= one.toMs,
    );
    if (stretch) stretch.rows += 1;
    return stretch !== undefined;
  }

  /** Whether a part of this time was not read yet. */
  touches(streams: readonly TrackedStream[], time: Interval): boolean {
    return this.#stretches.some((one) => streams.includes(one.stream) && overlap(one, time));
  }

  /**
   * Whether a state of ours, as of then, is older than rows that are still to be read, and nothing renews it: the account may have
   * moved on since. Where it is streamed, both are as young as the present.
   */
  outruns(streams: readonly TrackedStream[], time: Interval): boolean {
    const long = this.#stretches.filter(({ fromMs, toMs }) => toMs - fromMs >= NAMED_FROM_MS);
    return long.some((one) => streams.includes(one.stream) && overlap(one, time));
  }

  /** What is worth naming, after all rows were looked at. */
  stretches(): readonly Stretch[] {
    return this.#stretches.filter(({ fromMs, toMs, rows }) => rows > 0 || toMs - fromMs >= NAMED_FROM_MS);
  }
}
