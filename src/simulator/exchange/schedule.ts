/**
 * What has to happen when: a binary heap of (dueMs, order of insertion). Guarantees: runs due tasks in that order, so
 * that two worlds with the same calls do the same; nothing is polled.
 */
interface Task {
  dueMs: number;
  sequence: number;
  run: () => void;
}

const before = (a: Task, b: Task): boolean =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.sequence < b.sequence);

export class Schedule {
  #heap: Task[] = [];
  #sequence = 0;

  /** Time of the next task, or Infinity. */
  get nextMs(): number {
    return this.#heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  at(dueMs: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ dueMs, sequence: this.#sequence++, run });
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(heap[at] as Task, heap[parent] as Task)) break;
      [heap[at], heap[parent]] = [heap[parent] as Task, heap[at] as Task];
      at = parent;
    }
  }

  /** Runs everything due at `nowMs`; tasks may add tasks. */
  runDue(nowMs: number): void {
    while (this.nextMs <= nowMs) this.#pop().run();
  }

  #pop(): Task {
    const heap = this.#heap;
    const top = heap[0] as Task;
    const last = heap.pop() as Task;
    if (heap.length === 0) return top;
    heap[0] = last;
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && before(heap[child] as Task, heap[least] as Task)) least = child;
      }
      if (least === at) return top;
      [heap[at], heap[least]] = [heap[least] as Task, heap[at] as Task];
      at = least;
    }
  }
}
