/**
 * What the engine knows now, as the screen wants it. Reads memory only, but for the figures of the day, which come from
 * the database every few seconds; while it does not answer there are none, never old ones.
 */

import type { Queryable } from "../../store/database.ts";
import type { Account, Progress } from "../../sync/account/account.ts";
import { type Completeness, completeness, type KnownStretch } from "../../sync/completeness.ts";
import type { Engine, EngineStatus } from "../../sync/engine.ts";
import { boundsOf, freshnessOf } from "../../sync/freshness.ts";
import type { Address } from "../../sync/rows.ts";
import { WINDOW_STREAMS } from "../../sync/windowReader.ts";
import { readOverview } from "../http/reads.ts";
import { type AccountModel, type HistoryLine, streamLines, type Today, type Word, worst } from "./model.ts";

/** A history of which a page was committed within this time is being read. */
const READING_MS = 3_000;
const DAY_MS = 86_400_000;

/** Progress by account and stream, with the time it was told. */
export type ProgressBook = Map<string, { progress: Progress; atMs: number }>;

export const noteProgress = (book: ProgressBook, progress: Progress, atMs: number): void =>
  void book.set(`${progress.account} ${progress.stream}`, { progress, atMs });

export function gather(
  engine: Engine,
  book: ProgressBook,
  today: ReadonlyMap<Address, Today>,
  nowMs: number,
): AccountModel[] {
  const accounts = new Map(engine.accounts().map((account) => [account.address, account]));
  return engine.status().accounts.map((status) => {
    const account = accounts.get(status.address);
    const { snapshot = null, positions = [], openOrders = [] } = account?.look() ?? {};
    const { lane } = status;
    const streams = lane ? streamLines(lane, nowMs) : [];
    const dataMs = lane
      ? latest(streams.map(({ ageMs }) => ageMs))
      : snapshot
        ? nowMs - snapshot.asOfMs
        : null;
    return {
      address: status.address,
      alias: status.alias,
      role: status.role,
      phase: phaseOf(status),
      feedAgeMs: dataMs,
      staleAfterMs: boundsOf(status.pollMs).staleMs,
      word: lane ? worst(streams) : polledWord(dataMs, status.pollMs),
      queued: lane?.queued ?? 0,
      dropped: lane?.dropped ?? 0,
      reconnects: lane?.stream.reconnects ?? 0,
      lastReconcileMs: lane?.lastCatchUpMs ?? null,
      healed: lane?.healed ?? 0,
      unexplained: lane?.unexplained ?? 0,
      snapshot,
      positions,
      openOrders,
      streams,
      histories: account ? histories(account, book, nowMs) : [],
      today: today.get(status.address) ?? null,
    };
  });
}

const latest = (ages: readonly (number | null)[]): number | null => {
  const known = ages.filter((ms) => ms !== null);
  return known.length === 0 ? null : Math.min(...known);
};

export const polledWord = (ageMs: number | null, pollMs: number | null): Word => {
  const word = freshnessOf(ageMs, boundsOf(pollMs));
  return word === "fresh" ? "live" : word;
};

function phaseOf({ role, mode, holder, lane }: EngineStatus["accounts"][number]): string {
  if (role === "standby") return holder === null ? "on standby" : `on standby, ${holder} follows it`;
  if (mode === "poll") return "polled";
  return (lane?.phase ?? "connecting").replace("_", " ");
}

const GRADES = ["proven", "streamed", "unprovable"] as const;

function histories(account: Account, book: ProgressBook, nowMs: number): HistoryLine[] {
  return WINDOW_STREAMS.map((stream) => {
    const told = book.get(`${account.address} ${stream}`);
    const stretches = GRADES.flatMap((grade) =>
      account.known(stream, grade).map((part): KnownStretch => ({ stream, grade, ...part, reason: null })),
    );
    // What the account keeps in mind does not reach into the future.
    const known = completeness(stretches, stream, account.sinceMs, Number.POSITIVE_INFINITY);
    const isOpen = known.gaps.length > 0 || known.provenToMs === null;
    return {
      ...historyLine(stream, known),
      fromMs: told?.progress.fromMs ?? 0,
      toMs: told?.progress.toMs ?? 0,
      rows: told?.progress.rows ?? 0,
      active: told !== undefined && nowMs - told.atMs < READING_MS && isOpen,
    };
  });
}

/** Of a history that is not being read. */
export const historyLine = (stream: string, known: Completeness): HistoryLine => ({
  stream,
  fromMs: 0,
  toMs: 0,
  rows: 0,
  active: false,
  completeSinceMs: known.completeSinceMs,
  gaps: known.gaps.length,
  horizonMs: known.unprovable.at(-1)?.toMs ?? null,
});

/** Points of the line of equity, and the time it spans: the venue's own curve has one point an hour. */
const EQUITY_POINTS = 24;
const EQUITY_MS = DAY_MS;

/**
 * The last known equity of each part of the day, oldest first; from before the first snapshot as the venue's curve of the perps
 * has it, which is the same number where collateral is not pooled. Rejects with `StoreError`.
 */
async function readEquity(db: Queryable, account: Address, nowMs: number): Promise<(string | null)[]> {
  const stepMs = EQUITY_MS / EQUITY_POINTS;
  const rows = await db.query<{ point: number; equity: string | null }>(
    `select distinct on (point) (($2::bigint - ms) / $3::bigint)::int as point, trim_scale(account_value)::text as equity
     from (
       select as_of_ms as ms, account_value, true as is_own from public.hl_dashboard where account_address = $1
       union all
       select p.time_ms, p.account_value, false from public.hl_portfolio p
       where p.account_address = $1 and p.scope = 'perp'
         and (select account_mode from public.hl_account_now where account_address = $1) = 'standard'
     ) known
     where ms > $2::bigint - $4::bigint and ms <= $2
     order by point, is_own desc, ms desc`,
    [account, nowMs, stepMs, EQUITY_MS],
  );
  const known = new Map(rows.map(({ point, equity }) => [point, equity]));
  return Array.from({ length: EQUITY_POINTS }, (_, at) => known.get(EQUITY_POINTS - 1 - at) ?? null);
}

/** Names of markets for people, where the venue's own is another. Rejects with `StoreError`. */
export async function readNames(db: Queryable): Promise<Map<string, string>> {
  const rows = await db.query<{ coin: string; name: string }>(
    "select coin, name from public.hl_markets where name <> coin",
  );
  return new Map(rows.map(({ coin, name }) => [coin, name]));
}

/** The money of the UTC day, the drawdown of the last 30 days and the equity of one. Rejects with `StoreError`. */
export async function readToday(
  db: Queryable,
  account: Address,
  drawdownPct: string | null,
  nowMs: number,
): Promise<Today> {
  const day = await readOverview(db, account, nowMs);
  const equity = await readEquity(db, account, nowMs);
  return {
    closedPnl: day.day_gross,
    fees: day.day_fees,
    funding: day.day_funding,
    net: day.day_net,
    fills: day.day_fills,
    drawdownPct,
    equity,
  };
}
