/**
 * Fills, funding and ledger, row by row in both directions. Guarantees: a stored row counts as extra only where the
 * reading proves that the venue's list is whole, and only after a second reading lacks it too (ADR 0005).
 */
import { eq, isDecimal } from "../../runtime/decimal.ts";
import { covers, type Interval, intersect, union } from "../coverage.ts";
import { digest } from "../normalize.ts";
import type { StoredFill, StoredLedger } from "../ports.ts";
import type { Applied, Batch, FillRow, FundingRow, LedgerRow } from "../rows.ts";
import { fillKey, readWindow, type WindowReading, type WindowStream } from "../windowReader.ts";
import { add } from "./certificate.ts";
import { type Run, unlessUnreadable } from "./witness.ts";

/** The present is read too, though not judged: which of the oldest rows the venue still serves depends on the newest. */
const READ_AHEAD_MS = 3_600_000;

type Content = readonly (string | number | boolean | null)[];

/** One table, and how its rows are identified and compared. */
interface History<T extends { timeMs: number }, S extends T = T> {
  table: string;
  /** The histories of the venue whose rows it holds. */
  streams: readonly WindowStream[];
  streamOf(row: T): WindowStream;
  rowsOf(batch: Batch): readonly T[];
  stored(run: Run, window: Interval): Promise<S[]>;
  key(row: T): string;
  content(row: T): Content;
}

const FILLS: History<FillRow, StoredFill> = {
  table: "hl_fills",
  streams: ["fills", "twapFills"],
  streamOf: ({ twapId }) => (twapId === null ? "fills" : "twapFills"),
  rowsOf: ({ fills }) => fills ?? [],
  stored: ({ store, account }, { fromMs, toMs }) => store.fills(account, fromMs, toMs),
  key: fillKey,
  content: (row) => [
    ...[row.price, row.size, row.value, row.fee, row.feeToken, row.closedPnl, row.startPosition],
    ...[row.direction, row.crossed, row.hash, row.cloid, row.builderFee, row.twapId],
    row.liquidation === null ? null : digest(row.liquidation),
  ],
};

const FUNDING: History<FundingRow> = {
  table: "hl_funding",
  streams: ["funding"],
  streamOf: () => "funding",
  rowsOf: ({ funding }) => funding ?? [],
  stored: ({ store, account }, { fromMs, toMs }) => store.funding(account, fromMs, toMs),
  key: (row) => `${row.coin}|${row.timeMs}`,
  content: (row) => [row.usdc, row.size, row.fundingRate, row.samples],
};

const LEDGER: History<LedgerRow, StoredLedger> = {
  table: "hl_ledger",
  streams: ["ledger"],
  streamOf: () => "ledger",
  rowsOf: ({ ledger }) => ledger ?? [],
  stored: ({ store, account }, { fromMs, toMs }) => store.ledger(account, fromMs, toMs),
  key: (row) => `${row.timeMs}|${row.hash}|${row.type}|${row.digest}`,
  content: (row) => [row.token, row.amount, row.raw === null ? null : digest(row.raw)],
};

/** The stored rows of the three, for the checks that follow. */
export interface StoredHistories {
  fills: readonly StoredFill[];
  funding: readonly FundingRow[];
  ledger: readonly StoredLedger[];
}

export async function compareHistories(run: Run, window: Interval): Promise<StoredHistories> {
  const fills = await compareHistory(run, FILLS, window);
  const funding = await compareHistory(run, FUNDING, window);
  const ledger = await compareHistory(run, LEDGER, window);
  return { fills, funding, ledger };
}

/** Joins both sides by identity, and names what differs. Answers what is stored. */
async function compareHistory<T extends { timeMs: number }, S extends T>(
  run: Run,
  history: History<T, S>,
  window: Interval,
): Promise<S[]> {
  const { certificate, toCome } = run;
  const { table, key, content, streamOf } = history;
  const served = await serve(run, history, window);
  const stored = await history.stored(run, window);
  const ours = new Map(stored.map((row) => [key(row), row]));
  const theirs = new Map(
    served.rows.filter(({ timeMs }) => timeMs <= window.toMs).map((row) => [key(row), row]),
  );
  certificate.compared[table] = theirs.size;
  for (const [id, row] of theirs) {
    const own = ours.get(id);
    const interval = { fromMs: row.timeMs, toMs: row.timeMs };
    if (!own && toCome.takes(streamOf(row), row.timeMs)) continue;
    if (!own) add(certificate, { kind: "missing", table, row: id, detail: shown(content(row)), interval });
    else if (!sameContent(content(row), content(own))) {
      const detail = `venue ${shown(content(row))}, database ${shown(content(own))}`;
      add(certificate, { kind: "changed", table, row: id, detail, interval });
    }
  }
  const unserved = stored.filter((row) => !theirs.has(key(row)) && isIn(served.whole, row));
  for (const row of await stillUnserved(run, history, unserved)) {
    add(certificate, { kind: "extra", table, row: key(row), detail: shown(content(row)), interval: null });
  }
  return stored;
}

const isIn = (known: Interval[], { timeMs }: { timeMs: number }): boolean =>
  covers(known, { fromMs: timeMs, toMs: timeMs });

/** Those of `rows` that a second reading of their time lacks too. */
async function stillUnserved<T extends { timeMs: number }>(
  run: Run,
  history: History<T>,
  rows: readonly T[],
): Promise<readonly T[]> {
  if (rows.length === 0) return rows;
  const times = rows.map(({ timeMs }) => timeMs);
  const again = await serve(run, history, {
    fromMs: times.reduce((a, b) => Math.min(a, b)),
    toMs: times.reduce((a, b) => Math.max(a, b)),
  });
  const found = new Set(again.rows.map(history.key));
  return rows.filter((row) => !found.has(history.key(row)));
}

interface Served<T> {
  rows: T[];
  /** Where these are all that the venue has. */
  whole: Interval[];
}

/** What the venue serves, by the same walk as backfill, kept instead of committed. */
async function serve<T extends { timeMs: number }>(
  run: Run,
  history: History<T>,
  window: Interval,
): Promise<Served<T>> {
  const rows: T[] = [];
  let whole: Interval[] = [window];
  for (const stream of history.streams) {
    const served = await unlessUnreadable(serveStream(run, history, stream, window));
    rows.push(...(served?.rows ?? []));
    // A row of a table with two histories may be of either.
    whole = intersect(whole, served?.whole ?? []);
  }
  return { rows, whole };
}

async function serveStream<T extends { timeMs: number }>(
  { account, info, signal }: Run,
  { rowsOf, key }: History<T>,
  stream: WindowStream,
  window: Interval,
): Promise<Served<T>> {
  // Pages overlap by their outermost milliseconds.
  const rows = new Map<string, T>();
  let proven: Interval[] = [];
  const reading: WindowReading = {
    account,
    source: "reconcile",
    priority: "reconcile",
    signal,
    info,
    restLagMs: 0,
    // What the venue serves is held against what is stored, whatever its stamp.
    latestRowMs: Number.POSITIVE_INFINITY,
    venueTimeMs: window.toMs,
    // Whether the horizon was reached follows from what came.
    countFillsAfter: async (timeMs) => [...rows.values()].filter((row) => row.timeMs > timeMs).length,
    async commit(batch): Promise<Applied> {
      for (const row of rowsOf(batch)) rows.set(key(row), row);
      proven = union(
        proven,
        (batch.coverage ?? []).filter(({ grade }) => grade === "proven"),
      );
      return { events: [], written: {}, known: {} };
    },
  };
  await readWindow(reading, stream, { fromMs: window.fromMs, toMs: window.toMs + READ_AHEAD_MS });
  return { rows: [...rows.values()], whole: proven };
}

/** Same text, or the same numbers written differently. What the venue left out here it may have told elsewhere. */
const sameContent = (venue: Content, own: Content): boolean =>
  venue.every((part, i) => {
    const other = own[i] ?? null;
    return part === null || part === other || (isDecimal(part) && isDecimal(other) && eq(part, other));
  });

const shown = (content: Content): string => content.map((part) => part ?? "").join("|");
