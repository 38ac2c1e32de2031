/**
 * Somewhere to deliver events to. The bridge knows how to order, wait, retry and give up; a sink knows what to send and
 * what an answer means.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../runtime/clock.ts";
import type { Aliases } from "../eventText.ts";
import type { OutboxEvent } from "../outbox.ts";
import type { Endpoint } from "./endpoints.ts";
import type { HttpSend } from "./httpSend.ts";
import type { Secret } from "./secret.ts";

export interface Sink {
  /**
   * One attempt. `id` is the same for every attempt, source and process, so that the receiver can tell a repetition.
   * Never rejects but when aborted.
   */
  deliver(event: OutboxEvent, id: string, signal: AbortSignal): Promise<Verdict>;
}

/** A sink of the configuration, with its own schedule: an alert channel. */
export interface ConfiguredSink extends Sink {
  /** Its row among the endpoints. */
  id: string;
  /** Delay before each attempt. */
  delaysMs: readonly number[];
}

/** What came of one attempt. */
export interface Verdict {
  /**
   * `throttled`: not so fast. `failed`: its fault. `unanswered`: nothing, or not in time. `refused`: not from us, as things
   * are. `unfit`: not this event, the next one may do better. `gone`: nothing more, ever.
   */
  kind: "delivered" | "throttled" | "failed" | "unanswered" | "refused" | "unfit" | "gone";
  /** The receiver's own code, for the log; null where it gave none. */
  code: number | null;
  /** Why it was not delivered, in one line without secrets; null when it was. */
  error: string | null;
  /** Not to be asked again before this; null when it did not say. */
  retryAfterMs: number | null;
}

export interface SinkDeps {
  http: HttpSend;
  clock: Clock;
  aliases: Aliases;
  /** Of one attempt. */
  timeoutMs: number;
}

/** An endpoint that was added; channels of the configuration have no URL in the database. */
export type AddedEndpoint = Endpoint & { url: Secret };

export interface SinkKind {
  /** As `URL` has them: `https:`. */
  schemes: readonly string[];
  formats: readonly string[];
  /** The format that suits the address when the user names none. */
  formatOf(url: URL): string;
  /** People read what comes in this format: it is not signed, and brings less and nothing old unless they ask for it. */
  isChat(format: string): boolean;
  /** Why nothing can be delivered there, whatever the address answers; null when it can. */
  refusal(url: URL, allowPrivate: boolean): string | null;
  open(deps: SinkDeps, endpoint: AddedEndpoint, secrets: readonly Secret[]): Sink;
}

/** The identity of a delivery, made from the identity of its event. */
export const deliveryId = (eventKey: string): string =>
  `msg_${createHash("sha256").update(eventKey).digest("hex").slice(0, 32)}`;
