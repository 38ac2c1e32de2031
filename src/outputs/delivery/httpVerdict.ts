/**
 * One attempt over HTTP and what its answer means. Guarantees: 2xx is delivered, everything else is not (3xx too:
 * redirects are not followed); rejects only when aborted.
 */
import { DeliveryError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { HttpRequest, HttpSend } from "./httpSend.ts";
import type { Verdict } from "./sink.ts";

/** Of one attempt, from the first packet to the end of the answer. */
export const ATTEMPT_TIMEOUT_MS = 15_000;

export async function attemptHttp(
  http: HttpSend,
  clock: Clock,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<Verdict> {
  try {
    const { status, retryAfter } = await http.send(request, signal);
    const kind = kindOf(status);
    const why =
      status === 410 ? " Gone" : status >= 300 && status < 400 ? ": redirects are not followed" : "";
    const error = kind === "delivered" ? null : `answered ${status}${why}`;
    return { kind, code: status, error, retryAfterMs: retryAfterMs(retryAfter, clock.now()) };
  } catch (error) {
    if (signal.aborted) throw error;
    const message = error instanceof DeliveryError ? error.message : "the request failed";
    return { kind: "unanswered", code: null, error: message, retryAfterMs: null };
  }
}

/** The receiver understands the request and finds the event wrong. */
const UNFIT = [400, 413, 415, 422];

export function kindOf(status: number): Verdict["kind"] {
  if (status >= 200 && status < 300) return "delivered";
  if (status === 410) return "gone";
  if (status === 429) return "throttled";
  if (UNFIT.includes(status)) return "unfit";
  return status >= 500 ? "failed" : "refused";
}

/** `Retry-After` in milliseconds: seconds or an HTTP date; null when absent or unreadable. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  if (/^\d+(\.\d+)?$/.test(header.trim())) return Math.ceil(Number(header) * 1000);
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}
