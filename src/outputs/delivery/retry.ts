/**
 * What an attempt means for the next one. Pure. Guarantees: never earlier than the schedule and than the receiver asked
 * for; jitter only adds; a delivery ends after the last delay of the schedule.
 */
import type { Verdict } from "./sink.ts";

type Next =
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
/** The receiver finds the event wrong: asking it for days would hold up those behind. */
const UNFIT_ATTEMPTS = 3;

/** `attempts`: made so far, this one included. `delaysMs`: before each attempt; the first was made at once. `random`: in [0, 1). */
export function whatNext(
  { kind, retryAfterMs }: Verdict,
  attempts: number,
  delaysMs: readonly number[],
  random: number,
): Next {
  if (kind === "delivered" || kind === "gone") return { kind };
  const delayMs = delaysMs[attempts];
  if (delayMs === undefined) return { kind: "dead" };
  if (kind === "unfit" && attempts >= UNFIT_ATTEMPTS) return { kind: "dead" };
  const askedMs = Math.min(retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
  return { kind: "retry", delayMs: Math.ceil(Math.max(delayMs, askedMs) * (1 + JITTER * random)) };
}
