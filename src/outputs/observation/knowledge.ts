/**
 * What the database knows of each account that is followed: how complete its histories are, when the venue was last heard,
 * the newest snapshot. One statement; the rules are `sync/completeness.ts` and `hl_internal.freshness`.
 */
import type { Queryable } from "../../store/database.ts";
import {
  type Completeness,
  completeness,
  type KnownStretch,
  latestClaimMs,
  MONEY_STREAMS,
} from "../../sync/completeness.ts";
import { type Address, TRACKED_STREAMS, type TrackedStream } from "../../sync/rows.ts";

/** What is known of one stream. */
export type StreamKnowledge = Completeness & { stream: TrackedStream };

/** When the newest states of an account were read (`hl_internal.freshness`), by whichever process. */
export interface Heard {
  atMs: number | null;
  /** How often it is polled; null while it is streamed. */
  pollMs: number | null;
}

/** The last snapshot of an account's equity, for metrics. */
export interface Snapshot {
  asOfMs: number;
  accountValue: string | null;
  netWorth: string | null;
  healthScore: number | null;
}

interface AccountKnowledge {
  account: Address;
  streams: StreamKnowledge[];
  heard: Heard;
  snapshot: Snapshot | null;
}

interface CoverageAnswer extends Record<string, unknown> {
  account: Address;
  sinceMs: number | null;
  ranges: KnownStretch[] | null;
  heardMs: number | null;
  pollMs: number | null;
  snapshot: Snapshot | null;
}

export async function readKnowledge(reads: Queryable, nowMs: number): Promise<AccountKnowledge[]> {
  const rows = await reads.query<CoverageAnswer>(COVERAGE_SQL);
  const latestMs = latestClaimMs(nowMs);
  return rows.map(({ account, sinceMs, ranges, heardMs, pollMs, snapshot }) => ({
    account,
    streams: TRACKED_STREAMS.map((stream) => ({
      stream,
      ...completeness(ranges ?? [], stream, sinceMs ?? 0, latestMs),
    })),
    heard: { atMs: heardMs, pollMs },
    snapshot,
  }));
}

/** Null when there is none, or when one is not known. */
const allOf = (values: (number | null)[], fold: (...values: number[]) => number): number | null => {
  const known = values.filter((value) => value !== null);
  return known.length === 0 || known.length < values.length ? null : fold(...known);
};

/** The same as a status says it; whole are the histories that money is counted from. */
export function knowledgeWords(knowledge: readonly StreamKnowledge[]) {
  const money = knowledge.filter(({ stream }) => MONEY_STREAMS.includes(stream));
  return {
    complete_since_ms: allOf(
      money.map(({ completeSinceMs }) => completeSinceMs),
      Math.max,
    ),
    proven_to_ms: allOf(
      money.map(({ provenToMs }) => provenToMs),
      Math.min,
    ),
    gaps: knowledge.reduce((count, { gaps }) => count + gaps.length, 0),
    streams: knowledge.map(({ stream, completeSinceMs, provenToMs, gaps }) => ({
      stream,
      complete_since_ms: completeSinceMs,
      proven_to_ms: provenToMs,
      gaps: gaps.length,
    })),
  };
}

export const COVERAGE_SQL = `
  select a.account_address as account, a.since_ms as "sinceMs",
    (select json_agg(json_build_object('stream', c.stream, 'grade', c.grade, 'fromMs', c.from_ms, 'toMs', c.to_ms,
       'reason', c.reason))
     from public.hl_coverage c where c.account_address = a.account_address) as ranges,
    (extract(epoch from f.heard_at) * 1000)::bigint as "heardMs", f.poll_ms as "pollMs",
    (select json_build_object('asOfMs', d.as_of_ms, 'accountValue', d.account_value::text,
       'netWorth', d.net_worth::text, 'healthScore', d.health_score)
     from public.hl_dashboard d where d.account_address = a.account_address
     order by d.as_of desc limit 1) as snapshot
  from hl_internal.accounts a cross join lateral hl_internal.freshness(a.account_address) f`;
