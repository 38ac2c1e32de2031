/**
 * One piece of work for all who want its outcome at the same time. Guarantees: at most one is under way; whoever waits is
 * released by a signal of his own, and that costs nobody else the outcome; what nobody waits for any more is given up, and
 * the next who wants it begins anew.
 */
import { orAborted } from "./abort.ts";

export class SharedWork<T> {
  #current: { outcome: Promise<T>; waiting: number; abort: AbortController } | null = null;

  /** Joins what is under way, else begins `work`. Rejects as the work does, or with the signal's reason. */
  async join(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted();
    const mine = this.#current ?? this.#begin(work);
    mine.waiting += 1;
    try {
      return await orAborted(mine.outcome, signal);
    } finally {
      mine.waiting -= 1;
      if (mine.waiting === 0) {
        // Over, or left by the last who waited.
        if (this.#current === mine) this.#current = null;
        mine.abort.abort(new Error("nobody waits"));
      }
    }
  }

  #begin(work: (signal: AbortSignal) => Promise<T>) {
    const abort = new AbortController();
    const begun = { outcome: work(abort.signal), waiting: 0, abort };
    this.#current = begun;
    const over = () => {
      if (this.#current === begun) this.#current = null;
    };
    begun.outcome.then(over, over);
    return begun;
  }
}
