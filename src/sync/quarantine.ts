/**
 * What was not understood, as rows to keep. Pure. Guarantees: one row is of bounded length, whatever it holds: `raw` is cut
 * behind `VALUE_LIMITS.quarantineLength` characters, and then no JSON any more.
 */
import type { Unread } from "../protocol/decode.ts";
import { VALUE_LIMITS } from "../protocol/limits.ts";
import type { Address, QuarantineRow } from "./events.ts";

export const quarantineRows = (
  unread: readonly Unread[],
  subject: string,
  account: Address | null,
  seenAtMs: number,
): QuarantineRow[] =>
  unread.map(({ raw, reason }) => ({
    account,
    subject,
    reason: reason.slice(0, VALUE_LIMITS.reasonLength),
    raw: rawText(raw),
    seenAtMs,
  }));

/** The venue's own words, as far as they can be written down. */
export function rawText(raw: unknown): string {
  if (typeof raw === "string") return raw.slice(0, VALUE_LIMITS.quarantineLength);
  try {
    return (JSON.stringify(raw) ?? "undefined").slice(0, VALUE_LIMITS.quarantineLength);
  } catch {
    return "(nested too deep to be written down)";
  }
}
