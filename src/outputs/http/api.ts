/**
 * The JSON API: one handler per path, all of them reads; here those that need the process, the others are `readRoutes.ts`. A
 * parameter that makes no sense is answered with 400 and says which. `docs/dashboard.md` lists the paths.
 */
import { errorText } from "../../errors.ts";
import { INFO } from "../../protocol/infoRequests.ts";
import { CANDLE_INTERVALS, candleMs } from "../../protocol/limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import { askedBy } from "../../store/database.ts";
import type { VenueInfo } from "../../sync/ports.ts";
import type { LatencyReport } from "../metrics/latency.ts";
import { HOPS } from "../metrics/latency.ts";
import type { Status } from "../observation/status.ts";
import { LAYOUTS, type LayoutName } from "../tax/layouts.ts";
import { leftOutText, taxLines } from "../tax/taxExport.ts";
import { json, RequestError } from "./answer.ts";
import { coinOf, oneOf, timeOf, whole } from "./parameters.ts";
import { type Asking, asking, type ReadDeps, readRoutes } from "./readRoutes.ts";
import * as read from "./reads.ts";
import type { Handler } from "./server.ts";

export interface ApiDeps extends ReadDeps {
  clock: Clock;
  info: VenueInfo;
  status(): Status;
  latency(): LatencyReport;
  /** Fires when the server stops: nothing waits for the venue any more. */
  stopping: AbortSignal;
  /** A dashboard painted changes this many milliseconds after they were published. */
  onPainted(lagsMs: readonly number[]): void;
}

/** Held in memory for one answer. */
const TAX_LINES_MAX = 200_000;
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
  const { readsOf, page } = asked;
  return [
    ...readRoutes(deps),
    ["GET /api/status", () => json(deps.status())],
    [
      "GET /api/accounts",
      async (request) => json({ rows: await read.readAccounts(readsOf(request)), followed: deps.followed() }),
    ],
    [
      "GET /api/latency",
      async (request) => {
        const hours = whole(request, "hours", 1, LATENCY_HOURS_MAX, 6);
        const minutes = await read.readLatency(readsOf(request), clock.now() - hours * 3_600_000);
        return json({ hops: HOPS, since_start: deps.latency(), minutes });
      },
    ],
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
    const stepMs = candleMs(interval);
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
