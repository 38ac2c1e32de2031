/**
 * Spoilt frames and answers through the real readers, `normalize`, the window walk, the committer and the real SQL.
 *
 * Holds for every one of them: nothing throws and nothing ends; rows that were not spoilt are stored; a row that is not stored
 * was reported, and its millisecond is not claimed as proven; a state with an entry that cannot be read closes nothing.
 * Every sample belongs to an account of its own, so that hundreds of them share one transaction and none can hide another.
 */
import assert from "node:assert/strict";
import { ProtocolError } from "../../src/errors.ts";
import { readFrame } from "../../src/protocol/channels.ts";
import { isRead, isWhole, readJson, type Unread } from "../../src/protocol/decode.ts";
import { INFO } from "../../src/protocol/infoRequests.ts";
import { isPlausibleMs } from "../../src/protocol/limits.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { abs, eq, isDecimal } from "../../src/runtime/decimal.ts";
import { silentLog } from "../../src/runtime/log.ts";
import { seededRandom, systemRandom } from "../../src/runtime/random.ts";
import { ACCOUNT_DEFAULTS, Account } from "../../src/sync/account/account.ts";
import { append } from "../../src/sync/batch.ts";
import { committer } from "../../src/sync/commit.ts";
import { Dexes } from "../../src/sync/dexes.ts";
import { Markets } from "../../src/sync/markets.ts";
import {
  assetCtxRow,
  bookRow,
  candleRow,
  factRows,
  midRows,
  openOrderRows,
  orderEventRow,
  tradeRow,
} from "../../src/sync/normalize.ts";
import type { Store, VenueInfo } from "../../src/sync/ports.ts";
import { Prices } from "../../src/sync/prices.ts";
import type { Applied, Batch } from "../../src/sync/rows.ts";
import { Volatilities } from "../../src/sync/volatility.ts";
import { claimsOf, quarantineRows, readWindow, type WindowStream } from "../../src/sync/windowReader.ts";
import type { Any } from "../captures/captures.ts";
import type { TestDatabase } from "../support/postgres.ts";
import type { Sample } from "./hostileCorpus.ts";
import { REFUSED, spoil, textOf } from "./hostileMutation.ts";

/** Samples in one transaction. */
const TOGETHER = 200;
const NOW = 1_800_000_000_000;
const MINUTE_MS = 60_000;
const WINDOWS: Partial<Record<Sample["kind"], WindowStream>> = {
  fills: "fills",
  twapFills: "twapFills",
  funding: "funding",
  ledger: "ledger",
};

/** One spoilt sample, and what was made of it. */
interface Trial {
  index: number;
  sample: Sample;
  done: string[];
  account: string;
  /** The spoilt body, as it was read. */
  body: unknown;
  batch: Batch;
  unread: Unread[];
  /** What was read is about the rows of the sample. */
  isRead: boolean;
}

const at = (body: unknown, path: readonly (string | number)[]): Any =>
  path.reduce<Any>((inner, key) => inner?.[key], body);
const isObject = (value: unknown): value is Any =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const noInfo: VenueInfo = {
  clockOffset: () => null,
  reserve: () => () => {},
  request: () => Promise.reject(new Error("nothing is asked")),
};

function accountOf(address: string): Account {
  const deps = { info: noInfo, clock: systemClock, log: silentLog };
  return new Account({
    ...deps,
    account: address,
    alias: null,
    store: {} as Store,
    commit: () => Promise.reject(new Error("nothing is written")),
    dexes: new Dexes(deps),
    volatilities: new Volatilities(deps),
    prices: new Prices(deps),
    markets: new Markets(deps),
    options: ACCOUNT_DEFAULTS,
    sinceMs: null,
  });
}

/** What a frame becomes, as lane and market make it. */
function frameBatch(account: Account, text: string): { batch: Batch; unread: Unread[]; isRead: boolean } {
  const frame = readFrame(text);
  if (frame.type !== "data") return { batch: {}, unread: [], isRead: false };
  const { content, unread } = frame.reading;
  const origin = { account: account.address, source: "stream", seenAtMs: NOW } as const;
  const batch: Batch = { quarantine: quarantineRows(unread, frame.channel.channel, account.address, NOW) };
  append(batch, factRows(content, origin) ?? {});
  switch (content.type) {
    case "openOrders":
      append(
        batch,
        account.openOrders(content.dex, openOrderRows(origin, content.rows), content.complete, NOW),
      );
      break;
    case "clearinghouseState":
      append(batch, account.states.perp(content.dex, content.state, NOW));
      break;
    case "spotState":
      append(batch, account.states.spot(content.state, NOW));
      break;
    case "webData2":
      if (content.perp) append(batch, account.states.perp("", content.perp, NOW));
      if (content.spot) append(batch, account.states.spot(content.spot, NOW));
      append(batch, account.openOrders("", openOrderRows(origin, content.openOrders), content.complete, NOW));
      break;
    case "trades":
      append(batch, { trades: content.rows.map(tradeRow) });
      break;
    case "candle":
      append(batch, { candles: content.rows.map((row) => candleRow(row, NOW)) });
      break;
    case "book":
      append(batch, { books: [bookRow(content.book)] });
      break;
    case "assetCtx":
      append(batch, { assetCtxs: [assetCtxRow(content.ctx, NOW)] });
      break;
    // Dexes of their own, so that one sample's prices are told from another's.
    case "mids":
      append(batch, { mids: midRows(account.address, content.mids, null, NOW) });
      break;
  }
  return { batch, unread, isRead: content.type !== "nothing" && content.type !== "notice" };
}

/** The window around the rows of a sample. */
function windowOf({ body, rows }: Sample) {
  const times = (at(body, rows) as Any[]).map((row) => row.statusTimestamp ?? row.time ?? row.fill.time);
  return { fromMs: Math.min(...times) - 10, toMs: Math.max(...times) + 10 };
}

/** What an answer becomes, as the walk over a history, the reader of orders and the account make it. */
async function answerBatch(account: Account, sample: Sample, body: unknown) {
  const row = INFO[sample.request!];
  const origin = { account: account.address, source: "backfill", seenAtMs: NOW } as const;
  const batch: Batch = {};
  const first = row.read(body) as Any;
  if ("reason" in first && !("value" in first)) return { batch, unread: [first as Unread], isRead: false };
  const { unread } = first as { unread: Unread[] };
  const stream = WINDOWS[sample.kind];
  if (stream) {
    const window = windowOf(sample);
    let asked = 0;
    const info: VenueInfo = {
      ...noInfo,
      async request(request) {
        const result = request.read(asked++ === 0 ? body : []) as Any;
        if ("reason" in result) throw new ProtocolError(result.reason, result.raw);
        return { result, sentAtMs: NOW, receivedAtMs: NOW, weight: 20 };
      },
    };
    await readWindow(
      {
        account: account.address,
        source: "backfill",
        priority: "backfill",
        info,
        signal: new AbortController().signal,
        venueTimeMs: window.toMs,
        restLagMs: 0,
        latestRowMs: Number.POSITIVE_INFINITY,
        countFillsAfter: async () => 0,
        async commit(part): Promise<Applied> {
          append(batch, part);
          return { events: [], written: {}, known: {} };
        },
      },
      stream,
      window,
    );
    assert.ok(asked < 20, "the walk ends");
    return { batch, unread, isRead: true };
  }
  append(batch, { quarantine: quarantineRows(unread, row.type, account.address, NOW) });
  if (sample.request === "historicalOrders") {
    append(batch, { orderEvents: first.rows.map((read: Any) => orderEventRow(origin, read)) });
    append(batch, { coverage: claimsOf(account.address, "orders", windowOf(sample), unread) });
  } else if (sample.request === "frontendOpenOrders")
    append(batch, { orderEvents: openOrderRows(origin, first.rows) });
  else if (sample.request === "clearinghouseState") append(batch, account.states.perp("", first, NOW));
  else if (sample.request === "spotClearinghouseState") append(batch, account.states.spot(first, NOW));
  else if (sample.request === "allMids")
    append(batch, { mids: midRows(account.address, new Map(Object.entries(first.value)), null, NOW) });
  return { batch, unread, isRead: true };
}

/** Reads one sample, spoilt or not. */
async function read(account: Account, sample: Sample, text: string) {
  const json = readJson(text);
  assert.ok(isRead(json));
  const made =
    sample.request === null ? frameBatch(account, text) : await answerBatch(account, sample, json.value);
  return { ...made, body: json.value };
}

const addressOf = (index: number): string => `0x${(index + 1).toString(16).padStart(40, "0")}`;

export interface HostileReport {
  mutations: number;
  /** Rows that the database was given, refused, and values that could not be read. */
  rows: number;
  refused: number;
  unread: number;
}

/** Spoils `count` samples from number `from` on, and throws at the first that breaks a promise. */
export async function runHostile(
  corpus: readonly Sample[],
  target: Pick<TestDatabase, "database" | "store">,
  from: number,
  count: number,
  onProgress: (report: HostileReport) => void = () => {},
): Promise<HostileReport> {
  const report: HostileReport = { mutations: 0, rows: 0, refused: 0, unread: 0 };
  let nowMs = NOW;
  const log = {
    ...silentLog,
    warn(_: string, fields?: Readonly<Record<string, unknown>>) {
      if (fields && "first" in fields) report.refused += Number(fields.rows);
    },
  };
  const clock = { ...systemClock, now: () => nowMs };
  const deps = { store: target.store, clock, random: systemRandom, log, publish: () => {} };
  const commit = committer(deps, new AbortController().signal, 1);
  await target.database.query(
    `alter table hl_fills drop constraint if exists hostile, add constraint hostile check (direction <> '${REFUSED}')`,
  );
  for (let done = 0; done < count; done += TOGETHER) {
    const trials: Trial[] = [];
    const before: Batch = {};
    const batch: Batch = {};
    for (let i = 0; i < Math.min(TOGETHER, count - done); i++) {
      const index = from + done + i;
      const random = seededRandom(`hostile ${index}`);
      const sample = corpus[Math.floor(random.next() * corpus.length)]!;
      const account = accountOf(addressOf(index));
      if (sample.kind === "perp" || sample.kind === "spot")
        append(before, (await read(account, sample, textOf(sample.body))).batch);
      const root = { value: aged(sample) };
      const what = spoil(root, random);
      const made = await read(account, sample, textOf(root.value)).catch((error: unknown) => {
        throw new Error(`mutation ${index} of ${sample.name} (${what.join("; ")}) is thrown at`, {
          cause: error,
        });
      });
      trials.push({ index, sample, done: what, account: account.address, ...made });
      append(batch, made.batch);
      report.unread += made.unread.length;
    }
    // A minute for each transaction, so that the quarantine's budget hides nothing.
    for (const part of [before, batch]) {
      nowMs += MINUTE_MS;
      await commit(part, nowMs);
    }
    await commit(
      { states: batch.states?.map((row) => ({ ...row, asOfMs: row.asOfMs + 5_000 })) ?? [] },
      nowMs,
    );
    report.mutations += trials.length;
    report.rows += Object.values(batch).reduce((sum, rows) => sum + rows.length, 0);
    await check(target, trials);
    onProgress(report);
  }
  return report;
}

/** A state that comes a moment after the one that was stored. */
function aged({ kind, body, request }: Sample): unknown {
  const copy = structuredClone(body) as Any;
  const state = request === null ? copy.data?.clearinghouseState : copy;
  if (kind === "perp" && isObject(state) && typeof state.time === "number") state.time += 1_000;
  return copy;
}

// --- what must hold -------------------------------------------------------------------------------------------------

type Stored = Map<string, Any[]>;

async function check(
  target: Pick<TestDatabase, "database" | "store">,
  trials: readonly Trial[],
): Promise<void> {
  const accounts = trials.map(({ account }) => account);
  const by = async (sql: string): Promise<Stored> => {
    const found = await target.database.query<Any>(sql, [accounts]);
    return Map.groupBy(found, ({ account }: Any) => account as string);
  };
  const stored = {
    fills:
      await by(`select account_address as account, concat_ws('|', coin, fill_time_ms, order_id, side) as key, trade_id as tid
      from hl_fills where account_address = any ($1)`),
    orders:
      await by(`select account_address as account, concat_ws('|', order_id, status_time_ms, venue_status) as key
      from hl_order_events where account_address = any ($1)`),
    funding: await by(`select account_address as account, concat_ws('|', coin, funding_time_ms) as key
      from hl_funding where account_address = any ($1)`),
    ledger: await by(`select account_address as account, concat_ws('|', ledger_time_ms, hash, type) as key
      from hl_ledger where account_address = any ($1)`),
    perp: await by(`select account_address as account, coin as key, side, size, as_of_ms from hl_positions
      where account_address = any ($1)`),
    spot: await by(`select account_address as account, coin as key, total, hold, as_of_ms from hl_balances
      where account_address = any ($1)`),
    mids: await by("select dex as account, coin as key, mid from hl_mids where dex = any ($1)"),
  };
  const proven = await by(`select account_address as account, stream, from_ms, to_ms from hl_coverage
    where grade = 'proven' and account_address = any ($1)`);
  const kept = await by(`select account_address as account, subject from hl_internal.quarantine
    where account_address = any ($1)`);
  const refusals = await target.database.query(
    "select subject, reason, left(raw, 300) as raw from hl_internal.quarantine where reason like 'refused%' and reason not like '%\"hostile\"%'",
  );
  assert.deepEqual(refusals, [], "what the schemas let through, the columns hold");
  for (const trial of trials) {
    const { sample, account } = trial;
    const name = sample.kind === "twapFills" ? "fills" : sample.kind;
    const rows = name === "other" ? [] : (stored[name].get(account) ?? []);
    try {
      if (name === "other" || !trial.isRead) continue;
      if (name === "perp" || name === "spot") checkState(trial, rows);
      else if (name === "mids") checkMids(trial, rows);
      else checkRows(trial, rows, proven.get(account) ?? [], kept.get(account) ?? []);
    } catch (error) {
      const spoilt = safeText(at(trial.body, sample.rows) ?? trial.body).slice(0, 1_500);
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(
        `mutation ${trial.index} of ${sample.name} (${trial.done.join("; ")}): ${why}\n${spoilt}`,
      );
    }
  }
}

/** Rows as the venue sent them, and which of them nobody touched. */
function rowsOf({ sample, body }: Trial): { untouched: Any[]; touched: Any[]; inPlace: boolean } | null {
  const given = at(body, sample.rows);
  if (!Array.isArray(given)) return null;
  const originals = new Map(
    (at(aged(sample), sample.rows) as Any[]).map((row, place) => [JSON.stringify(row), place]),
  );
  const untouched: Any[] = [];
  const touched: Any[] = [];
  let inPlace = given.length === originals.size;
  for (const [i, row] of given.entries()) {
    const place = originals.get(safeText(row));
    if (place === undefined) touched.push(row);
    else {
      untouched.push(row);
      inPlace &&= place === i;
    }
  }
  return { untouched, touched, inPlace };
}

function safeText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return "(too deep)";
  }
}

const sideOf = (side: unknown): string | null => (side === "A" ? "sell" : side === "B" ? "buy" : null);

/** Identity of a row, without the trade id of a fill, which may be ours. Storable text only. */
function keyOf(kind: Sample["kind"], row: Any): string | null {
  if (!isObject(row)) return null;
  const parts = {
    fills: () => [row.coin, row.time, row.oid, sideOf(row.side)],
    twapFills: () =>
      isObject(row.fill) ? [row.fill.coin, row.fill.time, row.fill.oid, sideOf(row.fill.side)] : [],
    orders: () => (isObject(row.order) ? [row.order.oid, row.statusTimestamp, row.status] : []),
    funding: () => [isObject(row.delta) ? row.delta.coin : row.coin, row.time],
    ledger: () => (isObject(row.delta) ? [row.time, row.hash, row.delta.type] : []),
  }[kind as "fills"]?.();
  const isWhole =
    parts && parts.length > 0 && parts.every((part) => typeof part === "string" || typeof part === "number");
  return isWhole ? parts.join("|").replaceAll("\u0000", "\ufffd").toWellFormed() : null;
}

const toldMs = (row: Any): unknown =>
  isObject(row) ? (row.statusTimestamp ?? (isObject(row.fill) ? row.fill.time : row.time)) : null;

function checkRows(trial: Trial, rows: Any[], proven: Any[], kept: Any[]): void {
  const { sample, unread } = trial;
  const given = rowsOf(trial);
  if (given === null) return;
  const keys = new Set(rows.map(({ key }) => key));
  const refused = (row: Any) => (row.fill ?? row).dir === REFUSED;
  for (const row of given.untouched)
    assert.ok(
      keys.has(keyOf(sample.kind, row)),
      `a row that was not spoilt is not stored: ${safeText(row).slice(0, 300)}`,
    );
  const stream = sample.kind === "orders" ? "orders" : sample.kind;
  const isProven = (ms: number) =>
    proven.some((claim) => claim.stream === stream && claim.from_ms <= ms && ms <= claim.to_ms);
  const originals = at(sample.body, sample.rows) as Any[];
  const untouched = new Set(given.untouched.map(safeText));
  const gone = originals.filter((row) => !untouched.has(safeText(row)));
  for (const row of given.touched) {
    const key = keyOf(sample.kind, row);
    if (key !== null && keys.has(key)) continue;
    assert.ok(
      unread.length > 0 || (isObject(row) && refused(row)) || kept.length > 0,
      "a row is lost in silence",
    );
    const ms = toldMs(row);
    if (isPlausibleMs(ms)) assert.ok(!isProven(ms), `the time of a row that is not stored is proven: ${ms}`);
    // Where one row was spoilt, and all others are in their places, it is known which one it was.
    else if (given.touched.length === 1 && gone.length === 1 && given.inPlace && given.untouched.length > 1) {
      const trueMs = toldMs(gone[0]) as number;
      assert.ok(!isProven(trueMs), `the time of a row that cannot be read is proven: ${trueMs}`);
    }
  }
}

function checkState(trial: Trial, rows: Any[]): void {
  const { sample, batch } = trial;
  const [state] = batch.states ?? [];
  if (!state) return;
  const byCoin = new Map(rows.map((row) => [row.key, row]));
  const given = rowsOf(trial);
  const inner = (entry: Any): Any => (sample.kind === "perp" ? entry?.position : entry);
  if (given !== null) {
    const spoilt = new Set(
      given.touched.map((entry) => safeText(isObject(entry) ? inner(entry)?.coin : null)),
    );
    for (const entry of given.untouched.map(inner)) {
      if (spoilt.has(safeText(entry.coin))) continue;
      const row = byCoin.get(entry.coin);
      assert.ok(row, `an entry that was not spoilt is not stored: ${entry.coin}`);
      const [size, own] = sample.kind === "perp" ? [abs(entry.szi), row.size] : [entry.total, row.total];
      assert.ok(isDecimal(own) && eq(size, own), `${entry.coin} is ${own}`);
    }
  }
  if (isWhole(trial.unread)) return;
  assert.equal(state.coins, null, "a list that was not read whole says nothing by what it lacks");
  const entries = (at(sample.body, sample.rows) as Any[]).map(inner);
  for (const { coin } of entries) {
    const row = byCoin.get(coin);
    const isClosed = sample.kind === "perp" ? row?.side === "flat" : false;
    const isSaid = (given?.touched ?? []).some((entry) => isObject(entry) && inner(entry)?.coin === coin);
    assert.ok(row && (!isClosed || isSaid), `${coin} was closed by a list that was not read whole`);
  }
}

function checkMids({ sample, body }: Trial, rows: Any[]): void {
  const [given, original] = [at(body, sample.rows), at(sample.body, sample.rows)];
  if (!isObject(given)) return;
  const byCoin = new Map(rows.map(({ key, mid }) => [key, mid]));
  for (const [coin, mid] of Object.entries(given))
    if (original[coin] === mid)
      assert.ok(eq(byCoin.get(coin) ?? "-1", mid as string), `the price of ${coin} is lost`);
}
