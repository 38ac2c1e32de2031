/**
 * The paths that ask the database alone: a server answers them, and so does the page of a Supabase project, which has none
 * (docs/supabase.md). Guarantees: every list of a history is bounded by `LIMIT_MAX`; what is now is told whole; decimals are strings.
 */
import type { Clock } from "../../runtime/clock.ts";
import { askedBy, type Queryable } from "../../store/database.ts";
import { type HttpRequest, json, type Reply } from "./answer.ts";
import {
  accountOf,
  anyCoinOf,
  coinOf,
  type Followed,
  oneOf,
  orderIdOf,
  timeOf,
  whole,
  zoneOf,
} from "./parameters.ts";
import * as read from "./reads.ts";

export interface ReadDeps {
  reads: Queryable;
  clock: Pick<Clock, "now">;
  /** Followed now; the first one is meant when a request names none. */
  followed(): Followed;
}

type ReadHandler = (request: HttpRequest) => Promise<Reply>;

const LIMIT_DEFAULT = 200;
const LIMIT_MAX = 5_000;
const POINTS_DEFAULT = 500;
const POINTS_MAX = 5_000;
const DAY_MS = 86_400_000;

export function readRoutes(deps: ReadDeps): [string, ReadHandler][] {
  const { clock } = deps;
  const asked = asking(deps);
  const { readsOf, account, listing, rows, pages } = asked;
  return [
    [
      "GET /api/overview",
      async (request) => {
        const who = account(request);
        const [overview, drawdown] = await Promise.all([
          read.readOverview(readsOf(request), who, clock.now(), zoneOf(request)),
          read.readDrawdown(readsOf(request), who),
        ]);
        return json({ account_address: who, ...overview, ...drawdown });
      },
    ],
    ["GET /api/positions", rows(read.readPositions)],
    ["GET /api/orders", rows(read.readOpenOrders)],
    ["GET /api/balances", rows(read.readBalances)],
    ["GET /api/markets", async (request) => json({ rows: await read.readMarkets(readsOf(request)) })],
    ["GET /api/orders/history", listing("orderHistory")],
    [
      "GET /api/orders/events",
      async (request) =>
        json({ rows: await read.readOrderEvents(readsOf(request), account(request), orderIdOf(request)) }),
    ],
    ["GET /api/fills", listing("fills")],
    ["GET /api/funding", listing("funding")],
    ["GET /api/ledger", listing("ledger")],
    ["GET /api/twaps", listing("twaps")],
    ["GET /api/staking-rewards", listing("stakingRewards")],
    ["GET /api/lending-interest", listing("lendingInterest")],
    [
      "GET /api/particulars",
      async (request) => json(await read.readParticulars(readsOf(request), account(request))),
    ],
    ...tradingRoutes(asked, clock),
    ["GET /api/coverage", rows(read.readCoverage)],
    ["GET /api/drift", pages(read.readDrift)],
    ["GET /api/alerts", pages(read.readAlerts)],
  ];
}

export type Asking = ReturnType<typeof asking>;

/** What the account made, and how. */
function tradingRoutes(asked: Asking, clock: ReadDeps["clock"]): [string, ReadHandler][] {
  const { readsOf, account } = asked;
  return [
    ["GET /api/portfolio", portfolio(asked)],
    ["GET /api/equity", equity(asked, clock)],
    ["GET /api/pnl", pnl(asked, clock)],
    ["GET /api/statistics", statistics(asked)],
    [
      "GET /api/round-trips",
      async (request) => {
        const [who, reads] = [account(request), readsOf(request)];
        const { fromMs } = asked.span(request);
        const { rows, sinceMs, isWhole } = await read.readRoundTrips(
          reads,
          who,
          fromMs,
          timeOf(request, "before"),
        );
        return json({ rows, since_ms: sinceMs, is_whole: isWhole });
      },
    ],
    [
      "GET /api/trade",
      async (request) =>
        json({
          row: await read.readTrip(
            readsOf(request),
            account(request),
            coinOf(request),
            timeOf(request, "at") ?? clock.now(),
          ),
        }),
    ],
  ];
}

/** What every request may ask for: of which account, which page, which time. */
export function asking({ reads, clock, followed }: ReadDeps) {
  // A question without a reader is cancelled, at the database too.
  const readsOf = ({ signal }: HttpRequest) => askedBy(reads, signal);
  const account = (request: HttpRequest) => accountOf(request, followed());
  const page = (request: HttpRequest): read.Page => ({
    limit: whole(request, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT),
    beforeMs: timeOf(request, "before"),
    fromMs: timeOf(request, "from"),
    coin: anyCoinOf(request),
    orderId: request.query.has("order_id") ? orderIdOf(request) : null,
    withRaw: whole(request, "raw", 0, 1, 0) === 1,
  });
  const listing =
    (name: read.ListingName): ReadHandler =>
    async (request) => {
      const asked = page(request);
      const who = account(request);
      const counts = whole(request, "total", 0, 1, 0) === 1;
      const isOfSome = asked.coin != null || asked.orderId != null;
      const [rows, counted] = await Promise.all([
        read.readPage(readsOf(request), name, who, asked),
        counts && !isOfSome ? read.countRows(readsOf(request), name, who, asked.fromMs) : null,
      ]);
      const more = rows.length >= asked.limit;
      // Of one market or order no index counts the rows: a page that holds all of them tells how many there are.
      const total = isOfSome && !more && asked.beforeMs === null ? rows.length : counted;
      return json({ rows, more, ...(counts ? { total } : {}) });
    };
  const rows =
    (readRows: (reads: Queryable, account: string) => Promise<unknown>): ReadHandler =>
    async (request) =>
      json({ rows: await readRows(readsOf(request), account(request)) });
  const pages =
    (readRows: (reads: Queryable, account: string, page: read.Page) => Promise<unknown>): ReadHandler =>
    async (request) =>
      json({ rows: await readRows(readsOf(request), account(request), page(request)) });
  const span = (request: HttpRequest) => ({
    fromMs: timeOf(request, "from") ?? 0,
    toMs: timeOf(request, "to") ?? clock.now() + DAY_MS,
  });
  return { readsOf, account, page, listing, rows, pages, span };
}

const equity =
  ({ readsOf, account, span }: Asking, clock: ReadDeps["clock"]): ReadHandler =>
  async (request) => {
    const who = account(request);
    const drawdown = await read.readDrawdown(readsOf(request), who);
    const capturedMs = drawdown === null ? null : Number(drawdown.captured_since_ms);
    const { fromMs, toMs } = span(request);
    const points = whole(request, "points", 2, POINTS_MAX, POINTS_DEFAULT);
    const startMs = Math.max(fromMs, capturedMs ?? fromMs);
    const endMs = Math.min(toMs, clock.now() + DAY_MS);
    const [rows, before, flows] = await Promise.all([
      read.readEquity(
        readsOf(request),
        who,
        startMs,
        Math.min(endMs, clock.now() + 60_000),
        points,
        (drawdown?.fallen_before as string | null | undefined) ?? null,
      ),
      // Of the time that only the venue's own curve tells of: a deposit looks like a profit there without its mark.
      fromMs < startMs ? read.readFlows(readsOf(request), who, fromMs, Math.min(startMs - 1, endMs)) : [],
      read.readFlows(readsOf(request), who, startMs, endMs),
    ]);
    return json({ rows, flows: [...before, ...flows], captured_since_ms: capturedMs, drawdown });
  };

/** Of the account, from its first day; or what its round trips since `from` come to, by a group. */
const statistics =
  ({ readsOf, account, span }: Asking): ReadHandler =>
  async (request) => {
    const [who, reads] = [account(request), readsOf(request)];
    if (!request.query.has("by")) return json(await read.readStatistics(reads, who));
    const by = oneOf(request, "by", read.TRADE_GROUPS);
    const fills = whole(request, "fills", 1, read.TRIP_FILLS_MAX, read.TRIP_FILLS);
    const { sinceMs, isWhole } = await read.statisticsSince(reads, who, span(request).fromMs, fills);
    const rows = await read.readTradeStatistics(reads, who, by, sinceMs, zoneOf(request));
    return json({ rows, since_ms: sinceMs, is_whole: isWhole });
  };

/** The venue's own curve: a series of its own, never mixed with what was measured here. */
const portfolio =
  ({ readsOf, account, span }: Asking): ReadHandler =>
  async (request) => {
    const scope = oneOf(request, "scope", ["all", "perp"] as const);
    const { fromMs, toMs } = span(request);
    const curve = await read.readPortfolio(readsOf(request), account(request), scope, fromMs, toMs);
    return json({ source: "imported", scope, ...curve });
  };

const pnl =
  ({ readsOf, account, span }: Asking, clock: ReadDeps["clock"]): ReadHandler =>
  async (request) => {
    const by = oneOf(request, "by", ["day", "coin"] as const);
    const { fromMs, toMs } = span(request);
    const zone = zoneOf(request);
    if (zone !== "UTC") {
      const asked = { by, fromMs, toMs: Math.min(toMs, clock.now()), zone };
      const { rows, sinceMs } = await read.readPnlOfZone(readsOf(request), account(request), asked);
      return json({ rows, since_ms: sinceMs ?? fromMs, is_whole: sinceMs === null });
    }
    const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
    const rows = await read.readPnl(readsOf(request), account(request), by, day(fromMs), day(toMs));
    return json({ rows });
  };
