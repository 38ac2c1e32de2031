/**
 * Reading a window of a history until it is proven. Start, resume, repair and deep backfill all come down to this.
 *
 * Guarantees: every row the venue serves in the window is committed exactly once by identity; an interval is recorded
 * as proven in the same transaction as the rows that prove it; a failed read proves nothing and loses nothing (what was
 * committed before it stays, the rest is still a gap). What the venue no longer serves, and the milliseconds of rows that
 * could not be read, become `unprovable` with a reason, never silence.
 * Assumes of the venue: both bounds inclusive; a page is a contiguous run in time, so the inside of a full page is
 * complete while its outermost milliseconds may be cut. Cursors therefore repeat the boundary millisecond.
 */
import { ProtocolError } from "../errors.ts";
import { isObject, lostRows, type ReadRows, type Unread } from "../protocol/decode.ts";
import { INFO, type InfoRequest, type WindowParams } from "../protocol/infoRequests.ts";
import { HORIZON, isPlausibleMs, PAGE_ROWS_MAYBE_FULL } from "../protocol/limits.ts";
import { type Interval, intersect, subtract } from "./coverage.ts";
import { FUTURE_ROW } from "./futureRows.ts";
import { fillRow, fundingUpdateRow, ledgerRow, type Origin, twapSliceFillRow } from "./normalize.ts";
import type { RequestPriority, VenueInfo } from "./ports.ts";
import { quarantineRows } from "./quarantine.ts";
import type { Address, Applied, Batch, CoverageRow, FillRow, Source, TrackedStream } from "./rows.ts";

export { quarantineRows };

/** Streams that the venue serves by time window; orders are served by count and have their own reading. */
export type WindowStream = Exclude<TrackedStream, "orders">;
export const WINDOW_STREAMS: readonly WindowStream[] = ["fills", "twapFills", "funding", "ledger"];

export interface WindowReading {
  account: Address;
  source: Source;
  priority: RequestPriority;
  signal: AbortSignal;
  info: VenueInfo;
  /** Commits one page; rejects with `StoreError`. */
  commit(batch: Batch): Promise<Applied>;
  /** Fills stored after a time, either TWAP slices or all others: tells whether older ones are still within what the venue serves. */
  countFillsAfter(timeMs: number, twap: boolean): Promise<number>;
  /** The newest time stamped by the venue before this reading began. */
  venueTimeMs: number;
  /** A row that is younger is stamped wrongly: it is kept in quarantine, and its true time is not claimed. */
  latestRowMs: number;
  /** REST may answer this much behind the venue's clock: nothing younger than that is claimed as proven. */
  restLagMs: number;
}

interface WindowResult {
  rows: number;
  pages: number;
  /** How far the window was proven; less than asked when it reaches into the present. */
  provenToMs: number;
}

interface Page {
  batch: Batch;
  /** Times of all rows the venue sent, also of those that could not be read but tell their time. */
  times: number[];
  unread: Placed[];
  count: number;
  sentAtMs: number;
}

/** Which end of the window a full page starts from; `unknown` reads on at both ends. */
type Anchor = "start" | "unknown";

interface StreamReader {
  anchor: Anchor;
  /** Newest rows that the venue serves, or null when it serves all. */
  horizonRows: number | null;
  page(reading: WindowReading, window: Interval): Promise<Page>;
}

const READERS: Record<WindowStream, StreamReader> = {
  fills: {
    anchor: "start",
    horizonRows: HORIZON.fills,
    page: (reading, window) => fillsPage(reading, window, false),
  },
  twapFills: {
    anchor: "unknown",
    horizonRows: HORIZON.fills,
    page: (reading, window) =>
      readPage(
        reading,
        INFO.userTwapSliceFillsByTime,
        { ...bounds(reading, window), aggregateByTime: false },
        (rows, origin) => ({
          fills: rows.rows.map((row) => twapSliceFillRow(origin, row)),
        }),
      ),
  },
  funding: {
    anchor: "start",
    horizonRows: null,
    page: (reading, window) =>
      readPage(reading, INFO.userFunding, bounds(reading, window), (rows, origin) => ({
        funding: rows.rows.map((row) => fundingUpdateRow(origin, row)),
      })),
  },
  ledger: {
    anchor: "start",
    horizonRows: null,
    page: (reading, window) =>
      readPage(reading, INFO.userNonFundingLedgerUpdates, bounds(reading, window), (rows, origin) => ({
        ledger: rows.rows.map((row) => ledgerRow(origin, row)),
      })),
  },
};

const bounds = (reading: WindowReading, window: Interval): WindowParams => ({
  user: reading.account,
  startTime: window.fromMs,
  endTime: window.toMs,
});

const fillsPage = (reading: WindowReading, window: Interval, reversed: boolean): Promise<Page> =>
  readPage(
    reading,
    INFO.userFillsByTime,
    { ...bounds(reading, window), aggregateByTime: false, ...(reversed ? { reversed: true as const } : {}) },
    (rows, origin) => ({ fills: rows.rows.map((row) => fillRow(origin, row)) }),
  );

async function readPage<P extends WindowParams, T>(
  reading: WindowReading,
  request: InfoRequest<P, ReadRows<T>>,
  params: P,
  toBatch: (rows: ReadRows<T>, origin: Origin) => Batch,
): Promise<Page> {
  const { account, source, priority, signal } = reading;
  const answer = await reading.info.request(request, params, { priority, signal });
  const origin = { account, source, seenAtMs: answer.receivedAtMs };
  const result = withoutFuture(answer.result, reading.latestRowMs);
  const batch = toBatch(result, origin);
  // A time outside the window that was asked for is a lie: it does not steer the walk.
  const asked = {
    fromMs: params.startTime,
    toMs: Math.min(params.endTime ?? Infinity, reading.latestRowMs),
  };
  const isAsked = (timeMs: number) => timeMs >= asked.fromMs && timeMs <= asked.toMs;
  const readMs = [...(batch.fills ?? []), ...(batch.funding ?? []), ...(batch.ledger ?? [])].map(
    (row) => row.timeMs,
  );
  const { rows } = result;
  // An answer to another question, as a cache may give it, proves nothing; what it tells is true for all that.
  if (readMs.length > 0 && !readMs.some(isAsked)) {
    await reading.commit(batch);
    throw new ProtocolError(
      `the answer of ${request.type} is of another time than was asked for`,
      rows[0]?.raw,
    );
  }
  const unread = placed(result.unread, readMs, asked);
  const quarantine = quarantineRows(unread, request.type, account, answer.receivedAtMs);
  return {
    batch: quarantine.length > 0 ? { ...batch, quarantine } : batch,
    times: [...readMs, ...toldTimesMs(lostRows(unread))].filter(isAsked),
    unread,
    count: rows.length + lostRows(unread).length,
    sentAtMs: answer.sentAtMs,
  };
}

/** Rows of a time that has not come are not believed: each is lost, in its place. */
export function withoutFuture<T>({ rows, unread }: ReadRows<T>, latestMs: number): ReadRows<T> {
  const isFuture = (raw: unknown) =>
    toldTimesMs([{ kind: "row", raw, reason: "" }]).some((ms) => ms > latestMs);
  if (!rows.some(({ raw }) => isFuture(raw))) return { rows, unread };
  const lost = new Set(lostRows(unread).map(({ index }) => index));
  const kept: ReadRows<T> = { rows: [], unread: [...unread] };
  let index = -1;
  for (const row of rows) {
    do index += 1;
    while (lost.has(index));
    if (isFuture(row.raw)) kept.unread.push({ kind: "row", raw: row.raw, reason: FUTURE_ROW, index });
    else kept.rows.push(row);
  }
  // A row's place follows from the rows before it, in the order of the list.
  kept.unread.sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
  return kept;
}

/** When rows that could not be read happened, by the venue's words for it; of those that say so plausibly. */
export const toldTimesMs = (unread: readonly Unread[]): number[] =>
  unread.flatMap(({ raw }) => {
    if (!isObject(raw)) return [];
    const row = isObject(raw.fill) ? raw.fill : raw;
    const timeMs = row.statusTimestamp ?? row.time;
    return isPlausibleMs(timeMs) ? [timeMs] : [];
  });

/** A lost row with the time in which it must lie. */
interface Placed extends Unread {
  within?: Interval;
}

/**
 * Says of each lost row that tells no time in `asked` when it must have happened: between its neighbours in the list, or
 * anywhere in `asked` where the list has no order. `readMs`: times of the rows that were read, in the order of the list.
 */
export function placed(unread: readonly Unread[], readMs: readonly number[], asked: Interval): Placed[] {
  const isFalling = readMs.length > 1 && readMs[0]! > readMs.at(-1)!;
  const isRising = readMs.length > 1 && readMs[0]! < readMs.at(-1)!;
  let lost = 0;
  return unread.map((one): Placed => {
    if (one.kind !== "row") return one;
    const before = lost++;
    const [toldMs] = toldTimesMs([one]);
    if (toldMs !== undefined && toldMs >= asked.fromMs && toldMs <= asked.toMs) return one;
    if (one.index === undefined || !(isRising || isFalling)) return { ...one, within: asked };
    const [previous, next] = [readMs[one.index - before - 1], readMs[one.index - before]];
    const [older, younger] = isRising ? [previous, next] : [next, previous];
    return { ...one, within: { fromMs: older ?? asked.fromMs, toMs: younger ?? asked.toMs } };
  });
}

export const REFUSED = "the database refused a row of this time: it is kept or counted in quarantine";
const NOT_UNDERSTOOD = "a row of this time could not be understood: it is kept or counted in quarantine";

/**
 * What a reading of [fromMs, toMs] shows: all of it proven but for the milliseconds of rows that could not be read, and
 * the time in which a row must lie that tells none. Empty when the interval is.
 */
export function claimsOf(
  account: Address,
  stream: TrackedStream,
  { fromMs, toMs }: Interval,
  unread: readonly Placed[],
  reason = NOT_UNDERSTOOD,
): CoverageRow[] {
  if (fromMs > toMs) return [];
  const lost = lostRows(unread);
  const window = [{ fromMs, toMs }];
  const doubtful = intersect(
    window,
    lost.flatMap((row) => placeOf(row) ?? window),
  );
  const row = { account, stream };
  return [
    ...subtract(window, doubtful).map(
      (part): CoverageRow => ({ ...row, ...part, grade: "proven", reason: null }),
    ),
    ...doubtful.map((part): CoverageRow => ({ ...row, ...part, grade: "unprovable", reason })),
  ];
}

/** When a lost row happened, as far as that is known. */
function placeOf(row: Placed): Interval | null {
  if (row.within) return row.within;
  const [ms] = toldTimesMs([row]);
  return ms === undefined ? null : { fromMs: ms, toMs: ms };
}

/**
 * Reads `window` of one stream completely and commits it page by page, a large page in parts. The window may reach into the present or
 * beyond; what is younger than the venue's clock less `restLagMs` is stored but not claimed.
 */
export async function readWindow(
  given: WindowReading,
  stream: WindowStream,
  window: Interval,
): Promise<WindowResult> {
  const reading = mindfulOfRefused(given, stream);
  const { anchor } = READERS[stream];
  const claimableToMs = Math.min(window.toMs, reading.venueTimeMs - reading.restLagMs);
  const open: Interval[] = [window];
  const result: WindowResult = { rows: 0, pages: 0, provenToMs: claimableToMs };
  let firstRowMs = Number.POSITIVE_INFINITY;
  // The millisecond of the first row and what lies before it are claimed at the end only, when it is known whether the
  // horizon was reached: rows of that very millisecond may lie beyond it.
  let head: CoverageRow[] = [];
  const claim = (fromMs: number, toMs: number, unread: readonly Unread[]): CoverageRow[] => {
    const part = { fromMs: Math.max(fromMs, firstRowMs), toMs: Math.min(toMs, claimableToMs) };
    if (part.fromMs > part.toMs || part.fromMs > firstRowMs)
      return claimsOf(reading.account, stream, part, unread);
    head = claimsOf(reading.account, stream, { fromMs: firstRowMs, toMs: firstRowMs }, unread);
    return claimsOf(reading.account, stream, { ...part, fromMs: firstRowMs + 1 }, unread);
  };

  let greatest: PageSize = { rows: 0, moments: 0 };
  // The venue serves them too. One at the edge of two pages counts twice: what could be proven is then called unprovable, not the reverse.
  let lost = 0;
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    const page = await READERS[stream].page(reading, part);
    const first = Math.min(...page.times);
    const last = Math.max(...page.times);
    const size: PageSize = { rows: page.count, moments: new Set(page.times).size };
    const isWhole = size.rows < PAGE_ROWS_MAYBE_FULL || isBelow(size, greatest);
    greatest = {
      rows: Math.max(greatest.rows, size.rows),
      moments: Math.max(greatest.moments, size.moments),
    };
    // A row without a time may be older than all that tell theirs.
    const placesMs = lostRows(page.unread).map((row) => (placeOf(row) ?? part).fromMs);
    const oldest = Math.min(first, ...placesMs);
    // An older page shows that the list goes on: what was the first row's millisecond is like any other.
    const passed = oldest < firstRowMs ? head.splice(0) : [];
    firstRowMs = Math.min(firstRowMs, oldest);
    result.pages += 1;
    result.rows += page.count;
    lost += lostRows(page.unread).length;
    if (isWhole || page.times.length === 0) {
      const coverage = [...passed, ...claim(part.fromMs, part.toMs, page.unread)];
      await commitPage(reading, page.batch, coverage);
      continue;
    }
    const { fromMs, toMs } = part;
    const saturated = first === last;
    const coverage = [...passed, ...claim(anchor === "start" ? fromMs : first + 1, last - 1, page.unread)];
    if (saturated) {
      const read = await readSaturatedMs(reading, stream, first);
      if (first === firstRowMs) head = read;
      else coverage.push(...read);
    }
    await commitPage(reading, page.batch, coverage);
    if (anchor === "unknown" && first > fromMs) open.push({ fromMs, toMs: saturated ? first - 1 : first });
    // The youngest millisecond of a full page may be cut, also where the window ends with it.
    if (!saturated) open.push({ fromMs: last, toMs });
    else if (last < toMs) open.push({ fromMs: last + 1, toMs });
  }
  await settleHead(
    reading,
    stream,
    { fromMs: window.fromMs, toMs: Math.min(firstRowMs - 1, claimableToMs) },
    head,
    lost,
  );
  return result;
}

/**
 * Rows that are committed at once, and those of their last millisecond. A process that lives shorter than a whole page takes (a
 * crash after every start, on a slow machine) would read the same page for ever, and the venue would forget what comes after it.
 */
const COMMIT_ROWS = 500;

/** Commits a page, oldest rows first, and claims of `coverage` each time what the rows so far prove. */
async function commitPage(
  reading: WindowReading,
  { quarantine, ...batch }: Batch,
  coverage: readonly CoverageRow[],
): Promise<void> {
  const { fills = [], funding = [], ledger = [] } = batch;
  const times = [...fills, ...funding, ...ledger].map(({ timeMs }) => timeMs).sort((a, b) => a - b);
  const starts = [Number.NEGATIVE_INFINITY];
  let first = 0;
  for (const [at, timeMs] of times.entries())
    if (at - first >= COMMIT_ROWS && timeMs !== times[at - 1]) {
      starts.push(timeMs);
      first = at;
    }
  for (const [at, fromMs] of starts.entries()) {
    const part: Interval = { fromMs, toMs: (starts[at + 1] ?? Number.POSITIVE_INFINITY) - 1 };
    const within = ({ timeMs }: { timeMs: number }) => timeMs >= part.fromMs && timeMs <= part.toMs;
    await reading.commit({
      ...batch,
      ...(batch.fills && { fills: fills.filter(within) }),
      ...(batch.funding && { funding: funding.filter(within) }),
      ...(batch.ledger && { ledger: ledger.filter(within) }),
      ...(quarantine && at === 0 && { quarantine }),
      coverage: coverage.flatMap((row) => intersect([row], [part]).map((known) => ({ ...row, ...known }))),
    });
  }
}

/** The same reading, whose claims leave out what the database refused before them: a claim may come after its rows. They count as told. */
function mindfulOfRefused(reading: WindowReading, stream: WindowStream): WindowReading {
  const refused: Unread[] = [];
  const claimed = (row: CoverageRow) =>
    row.grade === "proven" ? claimsOf(row.account, stream, row, refused, REFUSED) : [row];
  return {
    ...reading,
    countFillsAfter: async (timeMs, twap) => refused.length + (await reading.countFillsAfter(timeMs, twap)),
    commit: async ({ coverage, ...batch }) => {
      const applied = await reading.commit(
        coverage ? { ...batch, coverage: coverage.flatMap(claimed) } : batch,
      );
      for (const { stream: of, timeMs } of applied.refused ?? [])
        if (of === stream) refused.push({ kind: "row", raw: { time: timeMs }, reason: REFUSED });
      return applied;
    },
  };
}

/** A page is cut by a number of rows, or by one of distinct times ("500 elements or distinct blocks"). */
interface PageSize {
  rows: number;
  moments: number;
}

/** Whether an earlier page of the same walk had more of both: then neither limit has cut this one. */
const isBelow = (size: PageSize, earlier: PageSize): boolean =>
  size.rows < earlier.rows && size.moments < earlier.moments;

/**
 * Claims what lies before the first row, with the millisecond of that row (`head`, as it was read), or says that the venue
 * no longer serves it. `lost`: rows of this reading that it served and that could not be read.
 */
async function settleHead(
  reading: WindowReading,
  stream: WindowStream,
  before: Interval,
  head: readonly CoverageRow[],
  lost: number,
): Promise<void> {
  const toMs = head.at(-1)?.toMs ?? before.toMs;
  if (before.fromMs > toMs) return;
  const { horizonRows } = READERS[stream];
  const reached =
    horizonRows !== null &&
    lost + (await reading.countFillsAfter(before.toMs, stream === "twapFills")) >= horizonRows;
  const row = { account: reading.account, stream, fromMs: before.fromMs };
  const reason = `older than the ${horizonRows} newest rows, or at their edge: the venue serves no more`;
  const proven: CoverageRow[] =
    before.fromMs > before.toMs ? [] : [{ ...row, toMs: before.toMs, grade: "proven", reason: null }];
  await reading.commit({
    coverage: reached ? [{ ...row, toMs, grade: "unprovable", reason }] : [...proven, ...head],
  });
}

/**
 * A page full of one millisecond: the cursor cannot advance past rows it has not seen. For fills the same millisecond
 * is read from both ends; where the two pages meet, it is complete.
 */
async function readSaturatedMs(
  reading: WindowReading,
  stream: WindowStream,
  timeMs: number,
): Promise<CoverageRow[]> {
  const ms = { fromMs: timeMs, toMs: timeMs };
  const row = { account: reading.account, stream, ...ms };
  if (stream === "fills") {
    const [oldest, newest] = [await fillsPage(reading, ms, false), await fillsPage(reading, ms, true)];
    await reading.commit(oldest.batch);
    await reading.commit(newest.batch);
    const seen = new Set((oldest.batch.fills ?? []).map(fillKey));
    const met = (newest.batch.fills ?? []).some((fill) => seen.has(fillKey(fill)));
    if (met || newest.count < PAGE_ROWS_MAYBE_FULL)
      return claimsOf(row.account, stream, ms, [...oldest.unread, ...newest.unread]);
  }
  return [{ ...row, grade: "unprovable", reason: "one millisecond holds more rows than the venue serves" }];
}

/** Identity of a fill (invariant I2). */
export const fillKey = (fill: FillRow): string =>
  `${fill.account}|${fill.coin}|${fill.timeMs}|${fill.orderId}|${fill.tradeId}|${fill.side}`;
