/**
 * What an attempt means for the next one. Pure. Guarantees: never earlier than the schedule and than `Retry-After`;
 * jitter only adds; a delivery ends after the last delay of the schedule.
 */

/** What came of one attempt. */
export interface Attempt {
  /** HTTP status; null when there was no complete answer. */
  status: number | null;
  /** Null when it was delivered; else why not, in one line without secrets. */
  error: string | null;
  retryAfterMs: number | null;
}

/** What came of an attempt, in few enough words to count by. */
export type AttemptOutcome = "delivered" | "throttled" | "refused" | "failed" | "unanswered";

export function outcomeOf({ status, error }: Attempt): AttemptOutcome {
  if (error === null) return "delivered";
  if (status === null) return "unanswered";
  if (status === 429) return "throttled";
  return status >= 500 ? "failed" : "refused";
}

export type Verdict =
  | { kind: "delivered" }
  | { kind: "retry"; delayMs: number }
  /** This event is given up; the next one may do better. */
  | { kind: "dead" }
  /** The receiver wants nothing more. */
  | { kind: "gone" };

/** An endpoint that asks for more is asked again after this. */
const RETRY_AFTER_MAX_MS = 86_400_000;
/** Delays are lengthened by up to this share. */
const JITTER = 0.2;
/** The receiver understands the request and finds the event wrong: asking it for days would hold up those behind. */
const REFUSES_EVENT = new Set([400, 413, 415, 422]);
const REFUSED_ATTEMPTS = 3;

/** `attempts`: made so far, this one included. `delaysMs`: before each attempt; the first was made at once. `random`: in [0, 1). */
export function judge(
  attempt: Attempt,
  attempts: number,
  delaysMs: readonly number[],
  random: number,
): Verdict {
  if (attempt.error === null) return { kind: "delivered" };
  if (attempt.status === 410) return { kind: "gone" };
  const delayMs = delaysMs[attempts];
  if (delayMs === undefined) return { kind: "dead" };
  if (attempts >= REFUSED_ATTEMPTS && REFUSES_EVENT.has(attempt.status ?? 0)) return { kind: "dead" };
  const askedMs = Math.min(attempt.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
  return { kind: "retry", delayMs: Math.ceil(Math.max(delayMs, askedMs) * (1 + JITTER * random)) };
}

/** `Retry-After` in milliseconds: seconds or an HTTP date; null when absent or unreadable. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  if (/^\d+(\.\d+)?$/.test(header.trim())) return Math.ceil(Number(header) * 1000);
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}
