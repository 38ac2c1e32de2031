/**
 * A first-in first-out queue with hard limits (invariant I9). Guarantees: holds at most `items` items which together weigh
 * at most `weight`, or a single one that alone weighs more; `push` answers false and drops the *new* item when full, so
 * that the caller can record a gap; one consumer at a time.
 */
export interface QueueLimits {
  items: number;
  weight: number;
}

export class BoundedQueue<T> {
  readonly #limits: QueueLimits;
  #items: { item: T; weight: number }[] = [];
  #weight = 0;
  #wake: (() => void) | null = null;
  #closed = false;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#items.length;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** False when the item was dropped: the queue is full or closed. */
  push(item: T, weight: number): boolean {
    const { items, weight: weightMax } = this.#limits;
    const isFull =
      this.#items.length >= items || (this.#items.length > 0 && this.#weight + weight > weightMax);
    return !isFull && this.pushAnyway(item, weight);
  }

  /** Beyond the limits: the caller bounds what comes this way. False when the queue is closed. */
  pushAnyway(item: T, weight = 0): boolean {
    if (this.#closed) return false;
    this.#items.push({ item, weight });
    this.#weight += weight;
    this.poke();
    return true;
  }

  /** Everything queued, at most `max` items, without waiting. */
  takeUpTo(max: number): T[] {
    return this.#items.splice(0, max).map(({ item, weight }) => {
      this.#weight -= weight;
      return item;
    });
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
