/**
 * The JSON API: one handler per path, all of them reads. Guarantees: every list is bounded by `LIMIT_MAX`; a parameter
 * that makes no sense is answered with 400 and says which; decimals are strings. `docs/dashboard.md` lists the paths.
 */
import { errorText } from "../../errors.ts";
import { INFO } from "../../protocol/infoRequests.ts";
import { CANDLE_INTERVALS } from "../../protocol/limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import { askedBy, type Queryable } from "../../store/database.ts";
import type { VenueInfo } from "../../sync/ports.ts";
import type { Address } from "../../sync/rows.ts";
import type { LatencyReport } from "../metrics/latency.ts";
import { HOPS } from "../metrics/latency.ts";
import type { Status } from "../observation/status.ts";
import { LAYOUTS, type LayoutName } from "../tax/layouts.ts";
import { leftOutText, taxLines } from "../tax/taxExport.ts";
import * as read from "./reads.ts";
import { type Handler, type HttpRequest, json, RequestError } from "./server.ts";

export type Followed = readonly { address: Address; alias: string | null }[];

export interface ApiDeps {
  reads: Queryable;
  clock: Clock;
  info: VenueInfo;
  /** Followed now; the first one is meant when a request names none. */
  followed(): Followed;
  status(): Status;
  latency(): LatencyReport;
  /** Fires when the server stops: nothing waits for the venue any more. */
  stopping: AbortSignal;
  /** A dashboard painted changes this many milliseconds after they were published. */
  onPainted(lagsMs: readonly number[]): void;
}

const LIMIT_DEFAULT = 200;
const LIMIT_MAX = 5_000;
const POINTS_DEFAULT = 500;
const POINTS_MAX = 5_000;
/** Held in memory for one answer. */
const TAX_LINES_MAX = 200_000;
const DAY_MS = 86_400_000;
const LATENCY_HOURS_MAX = 24 * 30;
/** A page reports at most this often and this much; more is refused. */
const PAINTED_MAX = 1_000;
/** One answer of the venue serves every reader of the same market meanwhile. */
const CANDLES_FRESH_MS = 20_000;
const CANDLES_KEPT = 50;
/** The venue serves this many. */
const CANDLES_MAX = 5_000;
/** A reader gets an error after this time; the budget may be used up for a minute. */
const CANDLES_WAIT_MS = 10_000;
/**
 * So many questions a minute go before backfill, which may use the budget for hours while a reader looks at an empty
 * chart: about a tenth of it. Further ones get what the rest leaves over.
 */
const CANDLES_URGENT_PER_MINUTE = 4;

export function apiRoutes(deps: ApiDeps): [string, Handler][] {
  const { clock } = deps;
  const asked = asking(deps);
  const { readsOf, account, page, listing, rows, pages } = asked;
  return [
    ["GET /api/status", () => json(deps.status())],
    [
      "GET /api/accounts",
      async (request) => json({ rows: await read.readAccounts(readsOf(request)), followed: deps.followed() }),
    ],
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
    [
      "GET /api/latency",
      async (request) => {
        const hours = whole(request, "hours", 1, LATENCY_HOURS_MAX, 6);
        const minutes = await read.readLatency(readsOf(request), clock.now() - hours * 3_600_000);
        return json({ hops: HOPS, since_start: deps.latency(), minutes });
      },
    ],
    ["GET /api/alerts", pages(read.readAlerts)],
    [
      "GET /api/deliveries",
      async (request) => json({ rows: await read.readDeliveries(readsOf(request), page(request)) }),
    ],
    ["GET /api/tax", tax(asked)],
    ["GET /api/candles", candles(deps)],
    [
      "POST /api/painted",
      (request) => {
        deps.onPainted(lagsOf(request.body));
        return { status: 204, type: "text/plain", body: "" };
      },
    ],
  ];
}

type Asking = ReturnType<typeof asking>;

/** What the account made, and how. */
function tradingRoutes(asked: Asking, clock: Clock): [string, Handler][] {
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
        const { sinceMs, isWhole } = await read.tripsSince(reads, who, asked.span(request).fromMs);
        const rows = await read.readRoundTrips(reads, who, sinceMs);
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
function asking({ reads, clock, followed }: ApiDeps) {
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
    (name: read.ListingName): Handler =>
    async (request) => {
      const asked = page(request);
      const who = account(request);
      const counts = whole(request, "total", 0, 1, 0) === 1;
      const [rows, total] = await Promise.all([
        read.readPage(readsOf(request), name, who, asked),
        counts ? read.countRows(readsOf(request), name, who, asked.fromMs) : null,
      ]);
      return json({ rows, more: rows.length >= asked.limit, ...(counts ? { total } : {}) });
    };
  const rows =
    (readRows: (reads: Queryable, account: string) => Promise<unknown>): Handler =>
    async (request) =>
      json({ rows: await readRows(readsOf(request), account(request)) });
  const pages =
    (readRows: (reads: Queryable, account: string, page: read.Page) => Promise<unknown>): Handler =>
    async (request) =>
      json({ rows: await readRows(readsOf(request), account(request), page(request)) });
  const span = (request: HttpRequest) => ({
    fromMs: timeOf(request, "from") ?? 0,
    toMs: timeOf(request, "to") ?? clock.now() + DAY_MS,
  });
  return { readsOf, account, page, listing, rows, pages, span };
}

const equity =
  ({ readsOf, account, span }: Asking, clock: Clock): Handler =>
  async (request) => {
    const who = account(request);
    const drawdown = await read.readDrawdown(readsOf(request), who);
    const capturedMs = drawdown === null ? null : Number(drawdown.captured_since_ms);
    const { fromMs, toMs } = span(request);
    const points = whole(request, "points", 2, POINTS_MAX, POINTS_DEFAULT);
    const startMs = Math.max(fromMs, capturedMs ?? fromMs);
    const endMs = Math.min(toMs, clock.now() + DAY_MS);
    const [rows, flows] = await Promise.all([
      read.readEquity(readsOf(request), who, startMs, Math.min(endMs, clock.now() + 60_000), points),
      read.readFlows(readsOf(request), who, startMs, endMs),
    ]);
    return json({ rows, flows, captured_since_ms: capturedMs, drawdown });
  };

/** Of the account, from its first day; or what its round trips since `from` come to, by a group. */
const statistics =
  ({ readsOf, account, span }: Asking): Handler =>
  async (request) => {
    const [who, reads] = [account(request), readsOf(request)];
    if (!request.query.has("by")) return json(await read.readStatistics(reads, who));
    const by = oneOf(request, "by", read.TRADE_GROUPS);
    const { sinceMs, isWhole } = await read.tripsSince(reads, who, span(request).fromMs);
    const rows = await read.readTradeStatistics(reads, who, by, sinceMs, zoneOf(request));
    return json({ rows, since_ms: sinceMs, is_whole: isWhole });
  };

/** The venue's own curve: a series of its own, never mixed with what was measured here. */
const portfolio =
  ({ readsOf, account, span }: Asking): Handler =>
  async (request) => {
    const scope = oneOf(request, "scope", ["all", "perp"] as const);
    const { fromMs, toMs } = span(request);
    const curve = await read.readPortfolio(readsOf(request), account(request), scope, fromMs, toMs);
    return json({ source: "imported", scope, ...curve });
  };

const pnl =
  ({ readsOf, account, span }: Asking, clock: Clock): Handler =>
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

/** The file of a tax program, whole: what must be left out is in a header that the page shows. */
const tax =
  ({ readsOf, account }: Asking): Handler =>
  async (request) => {
    const format = oneOf(request, "format", Object.keys(LAYOUTS) as LayoutName[]);
    const year = request.query.has("year") ? whole(request, "year", 2_020, 2_999, 0) : null;
    const who = account(request);
    const leftOut = new Map<string, number>();
    const lines: string[] = [];
    for await (const line of taxLines(
      readsOf(request),
      { account: who, year, layout: LAYOUTS[format] },
      leftOut,
    )) {
      if (lines.push(line) > TAX_LINES_MAX)
        throw new RequestError(`more than ${TAX_LINES_MAX} rows: ask by year, or use hlsync export`, 413);
    }
    const name = ["hyperliquid", format, year, who].filter((part) => part !== null).join("-");
    return {
      status: 200,
      type: "text/csv; charset=utf-8",
      body: `${lines.join("\r\n")}\r\n`,
      headers: {
        "content-disposition": `attachment; filename="${name}.csv"`,
        ...(leftOut.size > 0 ? { "x-hlsync-left-out": encodeURIComponent(leftOutText(leftOut)) } : {}),
      },
    };
  };

/** Candles that are streamed into our own table; else as the venue serves them, kept for a moment. */
function candles({ reads, info, clock, stopping }: ApiDeps): Handler {
  const kept = new Map<string, { atMs: number; rows: unknown }>();
  let urgent: number[] = [];
  const priority = (nowMs: number) => {
    urgent = urgent.filter((askedMs) => nowMs - askedMs < 60_000);
    if (urgent.length >= CANDLES_URGENT_PER_MINUTE) return "niceToHave";
    urgent.push(nowMs);
    return "reconcile";
  };
  return async (request) => {
    const coin = coinOf(request);
    const interval = oneOf(request, "interval", CANDLE_INTERVALS);
    const count = whole(request, "count", 1, CANDLES_MAX, 300);
    const nowMs = clock.now();
    const asked = timeOf(request, "to");
    const endTime = Math.min(asked ?? nowMs, nowMs);
    const key = `${coin} ${interval} ${count} ${endTime === nowMs ? "" : endTime}`;
    const known = kept.get(key);
    if (known && nowMs - known.atMs < CANDLES_FRESH_MS) return json({ rows: known.rows });
    const stepMs = intervalMs(interval);
    const startTime = endTime - count * stepMs;
    const late = new AbortController();
    const cancel = clock.after(CANDLES_WAIT_MS, () =>
      late.abort(new Error("no room in the request budget for the moment")),
    );
    const signal = AbortSignal.any([late.signal, stopping]);
    const fromVenue = async () => {
      signal.throwIfAborted();
      const req = { coin, interval, startTime, endTime };
      const { result } = await info.request(
        INFO.candleSnapshot,
        { req },
        { priority: priority(nowMs), signal },
      );
      return result.rows.map(({ value: { t, o, h, l, c, v } }) => [t, o, h, l, c, v]);
    };
    try {
      const own = await read
        .readCandles(askedBy(reads, request.signal), coin, interval, startTime, endTime)
        .catch(() => []);
      // Whole from end to end: a table that began yesterday, or has a hole, does not stand for the venue.
      if (own.length >= count - 1 && own.at(-1)![0] > endTime - 2 * stepMs) return json({ rows: own });
      const rows = await fromVenue();
      kept.delete(key);
      kept.set(key, { atMs: nowMs, rows });
      if (kept.size > CANDLES_KEPT) kept.delete(kept.keys().next().value!);
      return json({ rows });
    } catch (cause) {
      throw new RequestError(`the venue gave no candles: ${errorText(cause)}`, 502);
    } finally {
      cancel();
    }
  };
}

const UNIT_MS: Record<string, number> = {
  m: 60_000,
  h: 3_600_000,
  d: DAY_MS,
  w: 7 * DAY_MS,
  M: 31 * DAY_MS,
};
/** `15m` → 900000. A month counts as 31 days. */
const intervalMs = (interval: string): number =>
  Number(interval.slice(0, -1)) * (UNIT_MS[interval.at(-1)!] ?? DAY_MS);

export function accountOf({ query }: Pick<HttpRequest, "query">, followed: Followed): Address {
  const asked = query.get("account");
  if (asked !== null) return accountNamed(asked, followed);
  if (!followed[0]) throw new RequestError("no account is followed");
  return followed[0].address;
}

/** By address or by alias. */
export function accountNamed(asked: string, followed: Followed): Address {
  const found = followed.find(({ address, alias }) => address === asked.toLowerCase() || alias === asked);
  // History of an account that is not followed any more is still worth reading.
  if (!found && /^0x[0-9a-f]{40}$/i.test(asked)) return asked.toLowerCase();
  if (!found)
    throw new RequestError("account: expected 0x and 40 hex digits, or the alias of a followed account");
  return found.address;
}

function whole({ query }: HttpRequest, name: string, least: number, most: number, fallback: number): number {
  const given = query.get(name);
  if (given === null) return fallback;
  const value = Number(given);
  if (!/^\d{1,16}$/.test(given) || value < least || value > most) {
    throw new RequestError(`${name}: expected a whole number from ${least} to ${most}`);
  }
  return value;
}

/** What is stored as a coin may hold anything but NUL, which no text of the database can. */
function anyCoinOf({ query }: HttpRequest): string | null {
  const coin = query.get("coin");
  if (coin?.includes("\0")) throw new RequestError("coin: expected a market, for example BTC");
  return coin;
}

function coinOf({ query }: HttpRequest): string {
  const coin = query.get("coin") ?? "";
  if (!/^[\w:@/#.+-]{1,40}$/.test(coin)) throw new RequestError("coin: expected a market, for example BTC");
  return coin;
}

const orderIdOf = (request: HttpRequest): number => whole(request, "order_id", 0, Number.MAX_SAFE_INTEGER, 0);

/** Whose days are meant: a name as `Europe/Berlin`. */
function zoneOf({ query }: HttpRequest): string {
  const zone = query.get("zone") ?? "UTC";
  const isKnown = () => {
    try {
      return Boolean(new Intl.DateTimeFormat("en-US", { timeZone: zone }));
    } catch {
      return false;
    }
  };
  // A bare offset means its opposite to PostgreSQL.
  if (!/^[a-z]/i.test(zone) || !isKnown())
    throw new RequestError("zone: expected a time zone, for example Europe/Berlin");
  return zone;
}

const LATEST_MS = 253_402_300_799_999;
const timeOf = (request: HttpRequest, name: string): number | null =>
  request.query.has(name) ? whole(request, name, 0, LATEST_MS, 0) : null;

function oneOf<T extends string>({ query }: HttpRequest, name: string, choices: readonly T[]): T {
  const given = query.get(name) ?? choices[0];
  if (!choices.includes(given as T)) throw new RequestError(`${name}: expected one of ${choices.join(", ")}`);
  return given as T;
}

/** `{"lags_ms": [12, 9]}` */
function lagsOf(body: string): number[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw new RequestError("expected JSON");
  }
  const lags = (parsed as { lags_ms?: unknown } | null)?.lags_ms;
  const isLag = (lag: unknown) => typeof lag === "number" && lag >= 0 && lag <= 3_600_000;
  if (!Array.isArray(lags) || lags.length > PAINTED_MAX || !lags.every(isLag)) {
    throw new RequestError(`lags_ms: expected at most ${PAINTED_MAX} milliseconds`);
  }
  return lags;
}
