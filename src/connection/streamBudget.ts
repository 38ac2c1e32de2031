/**
 * What all streams of a process share: new connections and messages a minute. Guarantees: the part of its IP's budget that the
 * process has is kept from the moment it is set; what was spent before counts.
 */
import { LIMITS } from "../protocol/limits.ts";
import { ConnectionLimiter, DIALS_PER_MINUTE } from "./backoff.ts";
import { SlidingWindow } from "./slidingWindow.ts";

/** Messages are counted by the venue as they arrive, a moment after we sent them. */
const MESSAGE_WINDOW_MS = 61_000;

export class StreamBudget {
  readonly connections = new ConnectionLimiter(DIALS_PER_MINUTE);
  readonly messages = new SlidingWindow(LIMITS.clientMessagesPerMinute, MESSAGE_WINDOW_MS);

  /** `dials`: new connections a minute; `workers`: processes that share the rest evenly. */
  share({ dials, workers }: { dials: number; workers: number }): void {
    this.connections.setLimit(Math.max(1, dials));
    this.messages.limit = Math.floor(LIMITS.clientMessagesPerMinute / workers);
  }
}
