/**
 * `gap.opened` and `gap.closed`: history is missing for too long, and it is complete again. They are facts for machines,
 * so no rule, silence or cooldown of alerts touches them. What was published is in the database, in the same transaction.
 */

import type { Queryable } from "../../store/database.ts";
import type { Address } from "../../sync/rows.ts";
import type { AlertLease, Publication } from "./alertStore.ts";
import type { Seen } from "./observe.ts";

/** The life of a gap in one stream. */
export interface Gap {
  sinceMs: number;
  /** When `gap.opened` was published; null before. */
  openedMs: number | null;
}

export interface GapStep {
  /** Null when nothing is missing. */
  after: Gap | null;
  publish: "opened" | "closed" | null;
}

/** Pure. `forMs`: a gap that is repaired within this is not published. */
export function stepGap(
  before: Gap | null,
  seen: Pick<Seen, "value" | "sinceMs">,
  nowMs: number,
  forMs: number,
): GapStep {
  if (!((seen.value ?? 0) > 0)) {
    return { after: null, publish: before !== null && before.openedMs !== null ? "closed" : null };
  }
  const now = before ?? { sinceMs: seen.sinceMs ?? nowMs, openedMs: null };
  if (now.openedMs !== null || nowMs - now.sinceMs < forMs) return { after: now, publish: null };
  return { after: { ...now, openedMs: nowMs }, publish: "opened" };
}

/** Gaps of an account that were published as open, by stream. */
export async function readGaps(db: Queryable, account: Address): Promise<Map<string, Gap>> {
  const rows = await db.query<{ stream: string; openedMs: number }>(
    `select stream, opened_at_ms as "openedMs" from hl_internal.gaps_published where account_address = $1`,
    [account],
  );
  return new Map(rows.map(({ stream, openedMs }) => [stream, { sinceMs: openedMs, openedMs }]));
}

/** Rejects when the lease is lost. `openedMs`: also of one that is closed. */
export async function putGap(
  db: Queryable,
  lease: AlertLease,
  seen: Seen,
  openedMs: number,
  closedMs: number | null,
): Promise<void> {
  const { account, subject: stream } = seen;
  const publish = [gapPublication(seen, openedMs, closedMs)];
  await db.query("select hl_internal.put_gap($1::json)", [
    JSON.stringify({ ...lease, account, stream, openedMs, closedMs, publish }),
  ]);
}

function gapPublication(
  { account, subject: stream, value, words }: Seen,
  openedMs: number,
  closedMs: number | null,
): Publication {
  return {
    key: `gap:${account}:${stream}:${openedMs}:${closedMs === null ? "opened" : "closed"}`,
    type: closedMs === null ? "gap.opened" : "gap.closed",
    account,
    timeMs: closedMs ?? openedMs,
    data: {
      account_address: account,
      stream,
      missing_ms: Math.round((value ?? 0) * 1000),
      message: words,
      opened_at_ms: openedMs,
      closed_at_ms: closedMs,
    },
  };
}
