/**
 * What a lane received and has not written yet, in order: frames, and marks between them.
 *
 * Guarantees: bounded by frames and by their length; a frame beyond that is dropped, and a `dropped` mark stands where it was
 * missing (I9). Marks are never dropped: of those between two frames the last of each type is kept.
 */
import type { Reading } from "../../protocol/channels.ts";
import { BoundedQueue, type QueueLimits } from "../../runtime/boundedQueue.ts";

export type Frame =
  | { type: "message"; reading: Reading; channel: string; receivedAtMs: number }
  | { type: "quarantine"; subject: string; reason: string; raw: string; receivedAtMs: number };

/** One connection of the stream: marked at once, while its frames may still wait. */
export interface Connection {
  isOver: boolean;
  /** Types of the subscriptions that the venue refused on it: what they would bring was not watched. */
  readonly refused: Set<string>;
}

export type Mark =
  | { type: "connected"; connection: Connection }
  | { type: "disconnected"; why: string }
  | { type: "dropped" };

export type Input = { type: "marks"; marks: readonly Mark[] } | Frame;

/** What was read of a long frame takes up to thirty times its text: small arrays do. */
const LONG_FRAME = 256 * 1024;
const LONG_FRAME_WEIGHT = 8;
const weightOf = (length: number): number => (length > LONG_FRAME ? length * LONG_FRAME_WEIGHT : length);

export class Inbox {
  readonly #queue: BoundedQueue<Input>;
  /** The marks behind the last frame that waits. */
  #tail: Mark[] | null = null;
  #dropped = 0;

  constructor(limits: QueueLimits) {
    this.#queue = new BoundedQueue(limits);
  }

  get length(): number {
    return this.#queue.length;
  }

  get isClosed(): boolean {
    return this.#queue.closed;
  }

  /** Frames dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** False when it was dropped: the inbox is full. `length`: characters of the frame. */
  push(frame: Frame, length: number): boolean {
    if (this.#queue.push(frame, weightOf(length))) this.#tail = null;
    else if (!this.#queue.closed) {
      this.#dropped += 1;
      this.mark({ type: "dropped" });
      return false;
    }
    return true;
  }

  mark(mark: Mark): void {
    if (this.#tail === null) {
      const marks = [mark];
      if (this.#queue.pushAnyway({ type: "marks", marks })) this.#tail = marks;
      return;
    }
    const same = this.#tail.findIndex(({ type }) => type === mark.type);
    if (same >= 0) this.#tail.splice(same, 1);
    this.#tail.push(mark);
  }

  take(max: number): Input[] {
    const inputs = this.#queue.takeUpTo(max);
    if (this.#queue.length === 0) this.#tail = null;
    return inputs;
  }

  /** Resolves when there is something to take, the inbox is closed or poked. */
  ready(): Promise<void> {
    return this.#queue.ready();
  }

  poke(): void {
    this.#queue.poke();
  }

  /** Takes nothing more in; what waits may still be taken. */
  close(): void {
    this.#queue.close();
  }
}
