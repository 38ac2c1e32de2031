/**
 * Reconnecting together. Guarantees: of the streams that wait for a new connection one tries, the scout, and the others
 * wait for its outcome; when it opens they all follow. So an outage costs the process one attempt at a time, whatever
 * the number of its streams, and leaves room within the limit of new connections for all of them to come back at once.
 */

/** A stream without a connection. */
export interface Waiting {
  /** Try again now: the venue can be reached, or it is your turn to find out. */
  wake(): void;
}

export class Scouting {
  #scout: Waiting | null = null;
  readonly #parked = new Set<Waiting>();

  /** The stream lost its connection, or failed to open one. True: it is the scout; false: it will be woken. */
  lost(stream: Waiting): boolean {
    this.#scout ??= stream;
    if (this.#scout === stream) return true;
    this.#parked.add(stream);
    return false;
  }

  /** The stream has a connection. */
  opened(stream: Waiting): void {
    if (this.#scout === stream) this.#scout = null;
    this.#parked.delete(stream);
    const parked = [...this.#parked];
    this.#parked.clear();
    for (const other of parked) other.wake();
  }

  /** The stream does not try any more, or not for a long time: another takes its turn. */
  gone(stream: Waiting): void {
    this.#parked.delete(stream);
    if (this.#scout !== stream) return;
    const [next] = this.#parked;
    this.#scout = next ?? null;
    if (next === undefined) return;
    this.#parked.delete(next);
    next.wake();
  }
}
