/**
 * Someone to deliver to. The bridge knows how to wait, retry and give up; a target knows what to send. Guarantees of
 * every target: `deliver` answers what came of one attempt and never throws but when aborted.
 */
import { DeliveryError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Aliases } from "../eventText.ts";
import type { OutboxEvent } from "../outbox.ts";
import type { Endpoint, Format } from "./endpoints.ts";
import type { HttpRequest, HttpSend } from "./httpSend.ts";
import { BODIES } from "./payload.ts";
import { type Attempt, retryAfterMs } from "./retry.ts";
import { type Secret, signedHeaders } from "./signature.ts";

export interface Target {
  /** The endpoint's row in the database. */
  id: string;
  /** Delay before each attempt. */
  delaysMs: readonly number[];
  deliver(event: OutboxEvent, webhookId: string, signal: AbortSignal): Promise<Attempt>;
}

/** Of one attempt, from the first packet to the end of the answer. */
export const ATTEMPT_TIMEOUT_MS = 15_000;

/** Sends over HTTP; 2xx is delivered, everything else is not (3xx too: redirects are not followed). */
export async function attemptHttp(
  http: HttpSend,
  clock: Clock,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<Attempt> {
  try {
    const { status, retryAfter } = await http.send(request, signal);
    const error =
      status >= 200 && status < 300
        ? null
        : status >= 300 && status < 400
          ? `answered ${status}: redirects are not followed`
          : `answered ${status}`;
    return { status, error, retryAfterMs: retryAfterMs(retryAfter, clock.now()) };
  } catch (error) {
    if (signal.aborted) throw error;
    const message = error instanceof DeliveryError ? error.message : "the request failed";
    return { status: null, error: message, retryAfterMs: null };
  }
}

export interface TargetDeps {
  http: HttpSend;
  clock: Clock;
  aliases: Aliases;
  delaysMs: readonly number[];
  timeoutMs: number;
}

/** A webhook that was added: signed with all valid secrets, whatever the format. */
export function webhookTarget(
  { http, clock, aliases, delaysMs, timeoutMs }: TargetDeps,
  endpoint: Endpoint & { url: Secret },
  secrets: readonly Secret[],
): Target {
  const render = BODIES[endpoint.format as Format];
  return {
    id: endpoint.id,
    delaysMs,
    deliver(event, webhookId, signal) {
      const { contentType, text } = render(event, webhookId, aliases);
      const headers = {
        "content-type": contentType,
        ...signedHeaders(webhookId, text, clock.now(), secrets),
      };
      const { url, allowPrivate } = endpoint;
      return attemptHttp(http, clock, { url, headers, body: text, allowPrivate, timeoutMs }, signal);
    },
  };
}
