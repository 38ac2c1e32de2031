/**
 * A budget over a sliding window, as an account of what was spent and when. Pure: times are passed in. Guarantees: what
 * is spent within any `windowMs` is known exactly; memory is bounded by what fits the window. A clock stepped back does
 * not freeze the budget: what then lies in the future counts as spent now, so it expires one window later.
 */
export class SlidingWindow {
  /** May change; what was spent stays. */
  limit: number;
  readonly windowMs: number;
  /** Ascending by `atMs`; equal times share an entry. */
  #spent: { atMs: number; amount: number }[] = [];
  #used = 0;

  constructor(limit: number, windowMs: number) {
    this.limit = limit;
    this.windowMs = windowMs;
  }

  /** What was spent within the window that ends at `atMs`. */
  used(atMs: number): number {
    this.#forget(atMs);
    return this.#used;
  }

  spend(atMs: number, amount: number): void {
    this.#forget(atMs);
    this.#used += amount;
    const last = this.#spent.at(-1);
    if (last?.atMs === atMs) last.amount += amount;
    else this.#spent.push({ atMs, amount });
  }

  /** The first time not before `atMs` when at most `atMost` is left in the window, if nothing more is spent. */
  usedAtMostMs(atMs: number, atMost: number): number {
    let left = this.used(atMs);
    if (left <= atMost) return atMs;
    for (const entry of this.#spent) {
      left -= entry.amount;
      if (left <= atMost) return entry.atMs + this.windowMs;
    }
    return atMs + this.windowMs;
  }

  #forget(atMs: number): void {
    for (let i = this.#spent.length - 1; i >= 0 && this.#spent[i]!.atMs > atMs; i--)
      this.#spent[i]!.atMs = atMs;
    let gone = 0;
    while (gone < this.#spent.length && this.#spent[gone]!.atMs + this.windowMs <= atMs) {
      this.#used -= this.#spent[gone]!.amount;
      gone += 1;
    }
    if (gone > 0) this.#spent.splice(0, gone);
  }
}
