/**
 * How far the venue's clock is ahead of ours, for lags. Pure. Two facts bound it: a message cannot be received before it
 * was stamped, and the venue's answer to "what time is it" is as old as its last block, at most. Guarantees: 0 as long
 * as the facts allow it, since most clocks are kept right; else the offset nearest to 0 that they allow. So with right
 * clocks lags are true, and with wrong ones they may be too small by the fastest way into the database. After our clock was
 * stepped nothing of before counts.
 */

export interface MeasuredOffset {
  /** Venue minus ours, by the stamp of its last block. */
  offsetMs: number;
  /** Half the round trip. */
  uncertaintyMs: number;
}

/** Blocks come every 0.1 s; a venue that stands still for longer than this would read as a wrong clock. */
const BLOCK_AGE_MAX_MS = 1_000;
/** A bound is forgotten after one to two of these, since clocks are stepped and drift. */
const WINDOW_MS = 600_000;

export class ClockOffset {
  /** Greatest (stamp − receipt) of the present window and of the one before. */
  #present = Number.NEGATIVE_INFINITY;
  #before = Number.NEGATIVE_INFINITY;
  #windowEndMs = Number.NEGATIVE_INFINITY;
  /** Measured before our clock was stepped. */
  #outdated: MeasuredOffset | null = null;

  /** Our clock was stepped; `measured` is what was measured before. */
  stepped(measured: MeasuredOffset | null): void {
    this.#outdated = measured;
    this.#present = Number.NEGATIVE_INFINITY;
    this.#before = Number.NEGATIVE_INFINITY;
    this.#windowEndMs = Number.NEGATIVE_INFINITY;
  }

  /** Something stamped by the venue was here at `receivedMs`, or earlier. */
  note(stampMs: number, receivedMs: number): void {
    if (receivedMs >= this.#windowEndMs) {
      const isNext = receivedMs < this.#windowEndMs + WINDOW_MS;
      this.#before = isNext ? this.#present : Number.NEGATIVE_INFINITY;
      this.#present = Number.NEGATIVE_INFINITY;
      this.#windowEndMs = receivedMs + WINDOW_MS;
    }
    this.#present = Math.max(this.#present, stampMs - receivedMs);
  }

  /** Venue minus ours, milliseconds. */
  estimateMs(latest: MeasuredOffset | null): number {
    const measured = latest === this.#outdated ? null : latest;
    const seenLeast = Math.max(this.#present, this.#before);
    const least = measured ? Math.max(seenLeast, measured.offsetMs - measured.uncertaintyMs) : seenLeast;
    if (least > 0) return least;
    const most = measured
      ? Math.max(least, measured.offsetMs + measured.uncertaintyMs + BLOCK_AGE_MAX_MS)
      : Number.POSITIVE_INFINITY;
    return Math.min(0, most);
  }
}
