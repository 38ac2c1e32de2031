/**
 * The database held against the venue, row by row, and the proof of completeness. Reads only. Guarantees: compares
 * only what is old enough to be settled on both sides; a failed read is an error, never "no difference"; every finding
 * names its row.
 */
import { INFO } from "../protocol/infoRequests.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Decimal, eq, isDecimal, sub, sum } from "../runtime/decimal.ts";
import { fillKey, readWindow, type WindowReading, type WindowStream } from "./backfill.ts";
import { isPerp, linkChain, signedSize } from "./chain.ts";
import { type Interval, knownSince, subtract, union } from "./coverage.ts";
import type {
  Address,
  Applied,
  Batch,
  CoverageRow,
  FillRow,
  FundingRow,
  LedgerRow,
  OrderEventRow,
  OrderStatus,
} from "./events.ts";
import { TRACKED_STREAMS, type TrackedStream } from "./events.ts";
import { classifyStatus } from "./merge.ts";
import { orderEventRow } from "./normalize.ts";
import type { Doubt, MoneyTie, Store, StoredOrder, VenueInfo } from "./ports.ts";

export type FindingKind =
  /** The venue has the row, the database does not. */
  | "missing"
  /** The database has a row in a stretch that the venue serves, and the venue does not have it. */
  | "extra"
  /** Both have it, with different content. */
  | "changed"
  /** A link of the position chain does not follow from the one before. */
  | "chain_break"
  /** The chain does not end at the live position. */
  | "position"
  /** Time that is wanted and not proven. */
  | "gap"
  /** Time that the venue no longer serves: reported, not an error. */
  | "unprovable";

export interface Finding {
  kind: FindingKind;
  table: string;
  /** Which row: identity columns, or the interval. */
  row: string;
  detail: string;
  /** The time in question; null where it is not a question of time. */
  interval: Interval | null;
}

export interface Certificate {
  account: Address;
  checkedAtMs: number;
  findings: Finding[];
  /** Rows compared, by table. */
  compared: Record<string, number>;
  /** Per stream: since when everything up to the check is proven, or null. */
  completeSinceMs: Record<TrackedStream, number | null>;
  /** Chain links verified, by coin. */
  links: Record<string, number>;
  /** Equity held against fills, fees, funding and transfers; shown, not judged: entry prices are rounded. */
  money: MoneyTie | null;
  weight: number;
}

const STREAMS_OF: Record<string, readonly TrackedStream[]> = {
  hl_fills: ["fills", "twapFills"],
  hl_funding: ["funding"],
  hl_ledger: ["ledger"],
  hl_orders: ["orders"],
};

/** What the store must no longer take for known, so that the next reconcile repairs it. */
export function doubtsOf({ findings }: Certificate): Doubt[] {
  return findings.flatMap(({ kind, table, row, interval }) => {
    if (interval === null || kind === "gap" || kind === "unprovable") return [];
    // An order is derived: also a missing one comes back when its transitions are written again.
    const isRow = kind === "changed" || table === "hl_orders";
    const differs = isRow ? { table: table as Doubt["table"], row } : { table: null, row: null };
    return (STREAMS_OF[table] ?? []).map((stream) => ({ stream, ...interval, ...differs }));
  });
}

/** Rows younger than this are left alone: they may be on their way. */
const SETTLED_MS = 5_000;
/** Beyond this many findings of one kind in one table the rest is only counted. */
export const FINDINGS_MAX = 200;

export interface VerifyDeps {
  account: Address;
  dexes: readonly string[];
  store: Store;
  info: VenueInfo;
  clock: Clock;
  signal: AbortSignal;
}

/** True when nothing is wrong; what the venue no longer serves is no fault of the database. */
export const passed = (certificate: Certificate): boolean =>
  certificate.findings.every(({ kind }) => kind === "unprovable");

export async function verify(deps: VerifyDeps): Promise<Certificate> {
  const { account, store, clock } = deps;
  const status = await deps.info.request(
    INFO.exchangeStatus,
    {},
    { priority: "reconcile", signal: deps.signal },
  );
  const venueTimeMs = status.result.value.time;
  const toMs = venueTimeMs - SETTLED_MS;
  const certificate: Certificate = {
    account,
    checkedAtMs: clock.now(),
    findings: [],
    compared: {},
    completeSinceMs: { fills: null, twapFills: null, orders: null, funding: null, ledger: null },
    links: {},
    money: null,
    weight: 0,
  };
  const state = await store.openAccount(account, null, null);
  const sinceMs = state.sinceMs ?? 0;
  const window = { fromMs: sinceMs, toMs };

  const fills = await collect(deps, certificate, ["fills", "twapFills"], window);
  const stored = await store.fills(account, sinceMs, toMs);
  compare(certificate, "hl_fills", fills.fills ?? [], stored, fillKey, fillContent, window);
  const { funding = [], ledger = [] } = await collect(deps, certificate, ["funding", "ledger"], window);
  compare(
    certificate,
    "hl_funding",
    funding,
    await store.funding(account, sinceMs, toMs),
    fundingKey,
    fundingContent,
    window,
  );
  compare(
    certificate,
    "hl_ledger",
    ledger,
    await store.ledger(account, sinceMs, toMs),
    ledgerKey,
    ledgerContent,
    window,
  );

  const orders = await compareOrders(deps, certificate, toMs);
  await compareOpenOrders(deps, certificate, orders, toMs);
  await provePositions(deps, certificate, stored, state.coverage);
  proveCoverage(certificate, state.coverage, window);
  certificate.money = await store.moneyTie(account);
  return certificate;
}

/** What the venue serves of these streams, read by the same walk as backfill but kept instead of committed. */
async function collect(
  { account, store, info, signal }: VerifyDeps,
  certificate: Certificate,
  streams: readonly WindowStream[],
  window: Interval,
): Promise<Batch> {
  const kept: Required<Pick<Batch, "fills" | "funding" | "ledger">> = { fills: [], funding: [], ledger: [] };
  const counted: VenueInfo = {
    clockOffset: () => info.clockOffset(),
    reserve: (weight) => info.reserve(weight),
    async request(request, params, options) {
      const answer = await info.request(request, params, options);
      certificate.weight += answer.weight;
      return answer;
    },
  };
  const reading: WindowReading = {
    account,
    source: "reconcile",
    priority: "reconcile",
    signal,
    info: counted,
    restLagMs: 0,
    // Nothing is claimed here: the walk's claims are dropped with its commits.
    venueTimeMs: window.toMs,
    countFillsAfter: (timeMs, twap) => store.countFillsAfter(account, timeMs, twap),
    async commit(batch): Promise<Applied> {
      for (const { subject, raw, reason } of batch.quarantine ?? [])
        noteUnread(certificate, subject, raw, reason);
      kept.fills.push(...(batch.fills ?? []));
      kept.funding.push(...(batch.funding ?? []));
      kept.ledger.push(...(batch.ledger ?? []));
      return { events: [], written: {}, known: {} };
    },
  };
  for (const stream of streams) await readWindow(reading, stream, window);
  return kept;
}

/** A row that the venue serves and that cannot be read cannot be in the database either. */
function noteUnread(certificate: Certificate, table: string, raw: string, reason: string): void {
  add(certificate, {
    kind: "missing",
    table,
    row: raw.slice(0, 100),
    detail: `not understood: ${reason}`,
    interval: null,
  });
}

type Content = readonly (string | number | boolean | null)[];

const fundingKey = (row: FundingRow): string => `${row.coin}|${row.timeMs}`;
const fundingContent = (row: FundingRow): Content => [row.usdc, row.size, row.fundingRate, row.samples];
const ledgerKey = (row: LedgerRow): string => `${row.timeMs}|${row.hash}|${row.type}|${row.digest}`;
const ledgerContent = (row: LedgerRow): Content => [row.usdc, row.token, row.amount];
const fillContent = (row: FillRow): Content => [
  ...[row.price, row.size, row.value, row.fee, row.feeToken, row.closedPnl, row.startPosition, row.direction],
  ...[row.crossed, row.hash, row.cloid, row.builderFee, row.twapId],
];

/** Same text, or the same numbers written differently. What the venue left out here it may have told elsewhere. */
const sameContent = (venue: Content, own: Content): boolean =>
  venue.every((part, i) => {
    const other = own[i] ?? null;
    return part === null || part === other || (isDecimal(part) && isDecimal(other) && eq(part, other));
  });

const shown = (content: Content): string => content.map((part) => part ?? "").join("|");

function add(certificate: Certificate, finding: Finding): void {
  const same = certificate.findings.filter(
    ({ kind, table }) => kind === finding.kind && table === finding.table,
  );
  if (same.length < FINDINGS_MAX) certificate.findings.push(finding);
}

/** Joins both sides by identity; extras count only where the venue's list reaches. */
function compare<T extends { timeMs: number }>(
  certificate: Certificate,
  table: string,
  venue: readonly T[],
  stored: readonly T[],
  key: (row: T) => string,
  content: (row: T) => Content,
  window: Interval,
): void {
  const ours = new Map(stored.map((row) => [key(row), row]));
  const theirs = new Map(venue.filter((row) => row.timeMs <= window.toMs).map((row) => [key(row), row]));
  certificate.compared[table] = theirs.size;
  for (const [id, row] of theirs) {
    const own = ours.get(id);
    const interval = { fromMs: row.timeMs, toMs: row.timeMs };
    if (!own) add(certificate, { kind: "missing", table, row: id, detail: shown(content(row)), interval });
    else if (!sameContent(content(row), content(own))) {
      add(certificate, {
        kind: "changed",
        table,
        row: id,
        detail: `venue ${shown(content(row))}, database ${shown(content(own))}`,
        interval,
      });
    }
  }
  const reachesBackTo = Math.min(...venue.map((row) => row.timeMs));
  for (const [id, row] of ours) {
    if (!theirs.has(id) && row.timeMs > reachesBackTo) {
      add(certificate, { kind: "extra", table, row: id, detail: shown(content(row)), interval: null });
    }
  }
}

/** The last transition that the venue lists of each order, against `hl_orders`, which it gives back as it was read. */
async function compareOrders(
  deps: VerifyDeps,
  certificate: Certificate,
  toMs: number,
): Promise<ReadonlyMap<number, StoredOrder>> {
  const { account, info, clock, signal } = deps;
  const ask = { priority: "reconcile", signal } as const;
  const answer = await info.request(INFO.historicalOrders, { user: account }, ask);
  certificate.weight += answer.weight;
  const origin = { account, source: "reconcile", seenAtMs: clock.now() } as const;
  const last = new Map<number, ReturnType<typeof orderEventRow>>();
  for (const row of answer.result.rows.map((read) => orderEventRow(origin, read))) {
    const before = last.get(row.orderId);
    const newer = !before || row.statusTimeMs > before.statusTimeMs;
    // Within one millisecond the end of an order beats its beginning.
    if (newer || (row.statusTimeMs === before.statusTimeMs && before.venueStatus === "open"))
      last.set(row.orderId, row);
  }
  const stored = await storedOrders(deps);
  let compared = 0;
  for (const [orderId, row] of last) {
    if (row.statusTimeMs > toMs) continue;
    compared += 1;
    const own = stored.get(orderId);
    const wanted = classifyStatus(row.venueStatus);
    const finding = {
      table: "hl_orders",
      row: String(orderId),
      interval: { fromMs: row.statusTimeMs, toMs: row.statusTimeMs },
    } as const;
    if (!own) add(certificate, { kind: "missing", ...finding, detail: row.venueStatus });
    else if (wanted.terminal && !isSameOrder(own, row)) {
      const detail = `venue ${row.venueStatus} ${row.size}, database ${own.status} ${own.venueStatus} ${own.size}`;
      add(certificate, { kind: "changed", ...finding, detail });
    }
  }
  certificate.compared.hl_orders = compared;
  return stored;
}

const storedOrders = async ({ account, store }: VerifyDeps): Promise<ReadonlyMap<number, StoredOrder>> =>
  new Map((await store.orders(account)).map((order) => [order.orderId, order]));

/**
 * What is open, whatever its age: the list of transitions ends with the newest. Where the two sides differ the venue is
 * asked for the order itself, since either may have changed between the answers.
 */
async function compareOpenOrders(
  deps: VerifyDeps,
  certificate: Certificate,
  stored: ReadonlyMap<number, StoredOrder>,
  toMs: number,
): Promise<void> {
  const { account, dexes, info, signal } = deps;
  const ask = { priority: "reconcile", signal } as const;
  const listed = new Set<number>();
  for (const dex of dexes) {
    const answer = await info.request(INFO.frontendOpenOrders, { user: account, dex }, ask);
    certificate.weight += answer.weight;
    for (const { value } of answer.result.rows) if (value.timestamp <= toMs) listed.add(value.oid);
  }
  const open = new Set<number>();
  for (const { orderId, status, statusTimeMs } of stored.values())
    if (isOpen(status) && statusTimeMs <= toMs) open.add(orderId);
  const differing = [...open.difference(listed), ...listed.difference(open)];
  const found = new Set(
    certificate.findings.filter(({ table }) => table === "hl_orders").map(({ row }) => Number(row)),
  );
  const answers = new Map<number, { venueStatus: string; timeMs: number | null }>();
  for (const orderId of differing.filter((id) => !found.has(id)).slice(0, FINDINGS_MAX)) {
    const { weight, result } = await info.request(INFO.orderStatus, { user: account, oid: orderId }, ask);
    certificate.weight += weight;
    const { order, status } = result.value;
    answers.set(orderId, {
      venueStatus: order?.status ?? status,
      timeMs: order?.statusTimestamp ?? null,
    });
  }
  if (answers.size === 0) return;
  const now = await storedOrders(deps);
  for (const [orderId, { venueStatus, timeMs }] of answers) {
    const own = now.get(orderId);
    const differs = isOpen(classifyStatus(venueStatus).status) !== isOpen(own?.status);
    if (!differs || (timeMs ?? 0) > toMs) continue;
    const atMs = timeMs ?? own!.statusTimeMs;
    add(certificate, {
      kind: own ? "changed" : "missing",
      table: "hl_orders",
      row: String(orderId),
      detail: own ? `venue ${venueStatus}, database ${own.status} ${own.venueStatus}` : venueStatus,
      interval: { fromMs: atMs, toMs: atMs },
    });
  }
}

const isOpen = (status: OrderStatus | undefined): boolean =>
  status === "open" || status === "partially_filled" || status === "triggered";

const isSameOrder = (own: StoredOrder, venue: OrderEventRow): boolean =>
  own.venueStatus === venue.venueStatus &&
  own.status === classifyStatus(venue.venueStatus).status &&
  own.coin === venue.coin &&
  eq(own.size, venue.size);

/** Every perp coin's chain, link by link, and its end against the live position of every dex. */
async function provePositions(
  { account, dexes, info, store, clock, signal }: VerifyDeps,
  certificate: Certificate,
  fills: readonly FillRow[],
  coverage: readonly CoverageRow[],
): Promise<void> {
  const live = new Map<string, { szi: Decimal; timeMs: number }>();
  for (const dex of dexes) {
    const answer = await info.request(
      INFO.clearinghouseState,
      { user: account, dex },
      { priority: "reconcile", signal },
    );
    certificate.weight += answer.weight;
    for (const { position } of answer.result.value.assetPositions) {
      live.set(position.coin, { szi: position.szi, timeMs: answer.result.value.time ?? answer.sentAtMs });
    }
  }
  const provenFrom = union(
    coverage.filter(({ stream, grade }) => stream === "fills" && grade === "proven"),
  )[0]?.fromMs;
  const byCoin = new Map<string, FillRow[]>();
  for (const fill of fills) {
    if (!isPerp(fill.coin) || (provenFrom !== undefined && fill.timeMs < provenFrom)) continue;
    const rows = byCoin.get(fill.coin);
    if (rows) rows.push(fill);
    else byCoin.set(fill.coin, [fill]);
  }
  for (const [coin, rows] of byCoin) {
    certificate.links[coin] = rows.length;
    const szi = live.get(coin)?.szi ?? "0";
    if (reaches(rows, szi)) continue;
    const { breaks, end } = linkChain(rows, null);
    for (const { fromMs, toMs, missing } of breaks) {
      const detail = `${missing} ${coin} traded between ${fromMs} and ${toMs} is not there`;
      const row = `${coin}|${fromMs}..${toMs}`;
      add(certificate, { kind: "chain_break", table: "hl_fills", row, detail, interval: { fromMs, toMs } });
    }
    const traded = async () => {
      const since = await store.fills(account, end!.timeMs + 1, Number.MAX_SAFE_INTEGER);
      return since.some((fill) => fill.coin === coin);
    };
    if (eq(end!.position, szi) || (await traded())) continue;
    // The state may hold a fill that is still on its way into the database.
    await clock.sleep(SETTLED_MS, signal);
    if (await traded()) continue;
    const detail = `fills end at ${end!.position}, venue has ${szi}`;
    const interval = { fromMs: end!.timeMs, toMs: clock.now() };
    add(certificate, { kind: "position", table: "hl_fills", row: coin, detail, interval });
  }
}

/**
 * Whether the fills chain without a break to this position. Where they begin follows from where they end, which also
 * decides between the orders that fills of one millisecond leave open.
 */
function reaches(rows: readonly FillRow[], position: Decimal): boolean {
  const start = sub(position, sum(rows.map(signedSize)));
  const { breaks, end } = linkChain(rows, { timeMs: 0, position: start });
  return breaks.length === 0 && eq(end!.position, position);
}

function proveCoverage(certificate: Certificate, coverage: readonly CoverageRow[], window: Interval): void {
  for (const stream of TRACKED_STREAMS) {
    const of = (grade: CoverageRow["grade"]) =>
      union(coverage.filter((row) => row.stream === stream && row.grade === grade));
    const proven = of("proven");
    const unprovable = subtract(of("unprovable"), proven);
    // The newest stretch is proven by the next reconcile; what counts is that nothing before it is open.
    const provenTo = proven.at(-1)?.toMs ?? window.fromMs;
    for (const gap of subtract([{ fromMs: window.fromMs, toMs: provenTo }], union(proven, unprovable))) {
      add(certificate, {
        kind: "gap",
        table: stream,
        row: `${gap.fromMs}..${gap.toMs}`,
        detail: "not proven",
        interval: gap,
      });
    }
    for (const { fromMs, toMs } of unprovable) {
      const reason = coverage.find((row) => row.stream === stream && row.reason !== null)?.reason ?? "";
      const row = `${fromMs}..${toMs}`;
      add(certificate, {
        kind: "unprovable",
        table: stream,
        row,
        detail: reason,
        interval: { fromMs, toMs },
      });
    }
    certificate.completeSinceMs[stream] = knownSince(proven, provenTo);
  }
}
