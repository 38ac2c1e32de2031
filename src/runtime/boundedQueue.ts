/**
 * A first-in first-out queue with a hard limit (invariant I9). Guarantees: holds at most `limit` items; `push`
 * answers false and drops the *new* item when full, so that the caller can record a gap; one consumer at a time.
 */
export class BoundedQueue<T> {
  readonly limit: number;
  #items: T[] = [];
  #wake: (() => void) | null = null;
  #closed = false;

  constructor(limit: number) {
    this.limit = limit;
  }

  get length(): number {
    return this.#items.length;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** False when the item was dropped: the queue is full or closed. */
  push(item: T): boolean {
    if (this.#closed || this.#items.length >= this.limit) return false;
    this.#items.push(item);
    this.poke();
    return true;
  }

  /** Everything queued, at most `max` items, without waiting. */
  takeUpTo(max: number): T[] {
    return this.#items.splice(0, max);
  }

  /** Resolves when there is something to take, the queue is closed or the consumer is poked. */
  ready(): Promise<void> {
    if (this.#items.length > 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** No further item is accepted; what is queued may still be taken. */
  close(): void {
    this.#closed = true;
    this.poke();
  }

  /** Wakes the consumer although nothing arrived, for its timed duties. */
  poke(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
