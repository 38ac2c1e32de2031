/**
 * Wakes one waiter before its time. Guarantees: a ring without a waiter is heard by the next wait; what rings
 * often before that is heard once.
 */
import type { Clock } from "./clock.ts";

export class Bell<T> {
  #rung = new Set<T>();
  #wake: () => void = () => {};

  ring(...items: readonly T[]): void {
    for (const item of items) this.#rung.add(item);
    this.#wake();
  }

  /** What rang, at once or as soon as something does; nothing when `ms` passed without, or the signal was aborted. */
  async wait(clock: Clock, ms: number, signal?: AbortSignal): Promise<T[]> {
    if (this.#rung.size === 0 && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          cancel();
          signal?.removeEventListener("abort", done);
          this.#wake = () => {};
          resolve();
        };
        const cancel = clock.after(ms, done);
        signal?.addEventListener("abort", done);
        this.#wake = done;
      });
    }
    const rung = [...this.#rung];
    this.#rung.clear();
    return rung;
  }
}
