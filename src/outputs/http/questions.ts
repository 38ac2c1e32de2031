/**
 * The statements of a page as questions to the database: `hl_page(question, args)` (`sql/page.sql`, which `npm run schema`
 * writes from here). So the page of a Supabase project reads what the server reads, as the signed-in user, and there is one
 * text of each statement. Left out is what is the server's own: webhook deliveries, latency, silences.
 *
 * Guarantees: `questioner` is a `Queryable` of these statements alone; another one is refused before anything is sent.
 */
import type { Queryable, Row } from "../../store/database.ts";
import { readKnowledge } from "../observation/knowledge.ts";
import * as read from "./reads.ts";

export interface Question {
  name: string;
  sql: string;
  /** Values that the statement can be tried with. */
  params: readonly unknown[];
}

const WHO = "0x0";
const PAGE: read.Page = { limit: 1, beforeMs: null, fromMs: null };
const SPAN = { fromMs: 0, toMs: 1, zone: "UTC" };
const HOUR_MS = 3_600_000;

/** By names that a reader of `sql/page.sql` understands; a second statement of one gets a number. */
const ASKS: Readonly<Record<string, (reads: Queryable) => Promise<unknown>>> = {
  accounts: read.readAccounts,
  knowledge: (reads) => readKnowledge(reads, 0),
  overview: (reads) => read.readOverview(reads, WHO, 0),
  drawdown: (reads) => read.readDrawdown(reads, WHO),
  positions: (reads) => read.readPositions(reads, WHO),
  open_orders: (reads) => read.readOpenOrders(reads, WHO),
  balances: (reads) => read.readBalances(reads, WHO),
  particulars: (reads) => read.readParticulars(reads, WHO),
  order_events: (reads) => read.readOrderEvents(reads, WHO, 0),
  order: (reads) => read.readPage(reads, "orderHistory", WHO, { ...PAGE, orderId: 0 }),
  order_fills: (reads) => read.readPage(reads, "fills", WHO, { ...PAGE, orderId: 0 }),
  coverage: (reads) => read.readCoverage(reads, WHO),
  drift: (reads) => read.readDrift(reads, WHO, PAGE),
  alerts: (reads) => read.readAlerts(reads, WHO, PAGE),
  firing: read.countFiring,
  candles: (reads) => read.readCandles(reads, "", "", 0, 0),
  round_trips_since: (reads) => read.tripsSince(reads, WHO, 0),
  round_trips: (reads) => read.readRoundTrips(reads, WHO, 0),
  round_trip: (reads) => read.readTrip(reads, WHO, "", 0),
  statistics_since: (reads) => read.statisticsSince(reads, WHO, 0, read.TRIP_FILLS),
  trade_statistics: (reads) => read.readTradeStatistics(reads, WHO, "all", 0),
  statistics: (reads) => read.readStatistics(reads, WHO),
  portfolio: (reads) => read.readPortfolio(reads, WHO, "all", 0, 1),
  equity: (reads) => read.readEquity(reads, WHO, 0, 10 * HOUR_MS, 2),
  equity_fine: (reads) => read.readEquity(reads, WHO, 0, 10, 2),
  flows: (reads) => read.readFlows(reads, WHO, 0, 1),
  pnl_by_day: (reads) => read.readPnl(reads, WHO, "day", "2026-01-01", "2026-01-01"),
  pnl_by_coin: (reads) => read.readPnl(reads, WHO, "coin", "2026-01-01", "2026-01-01"),
  pnl_of_zone_by_day: (reads) => read.readPnlOfZone(reads, WHO, { ...SPAN, by: "day" }),
  pnl_of_zone_by_coin: (reads) => read.readPnlOfZone(reads, WHO, { ...SPAN, by: "coin" }),
};

/** Of each history: a page, the same with what the venue said, and how many rows there are. */
const HISTORIES: readonly [string, read.ListingName][] = [
  ["fills", "fills"],
  ["orders", "orderHistory"],
  ["funding", "funding"],
  ["ledger", "ledger"],
];

function asked(): [string, (reads: Queryable) => Promise<unknown>][] {
  return [
    ...Object.entries(ASKS),
    ...HISTORIES.flatMap(([name, listing]): [string, (reads: Queryable) => Promise<unknown>][] => [
      [name, (reads) => read.readPage(reads, listing, WHO, PAGE)],
      [`${name}_raw`, (reads) => read.readPage(reads, listing, WHO, { ...PAGE, withRaw: true })],
      [`${name}_of_market`, (reads) => read.readPage(reads, listing, WHO, { ...PAGE, coin: "" })],
      [
        `${name}_of_market_raw`,
        (reads) => read.readPage(reads, listing, WHO, { ...PAGE, coin: "", withRaw: true }),
      ],
      [`${name}_count`, (reads) => read.countRows(reads, listing, WHO, null)],
    ]),
  ];
}

/** Each statement once, as the reading functions send it. */
export async function questions(): Promise<Question[]> {
  const found = new Map<string, Question>();
  for (const [name, ask] of asked()) {
    let count = 0;
    const recorder: Queryable = {
      async query<R extends Row>(sql: string, params: readonly unknown[] = []) {
        if (!found.has(sql)) {
          count += 1;
          found.set(sql, { name: count === 1 ? name : `${name}_${count}`, sql, params });
        }
        // What some of them look at before they go on.
        return [{ first_ms: 0, since_ms: 0, total: 0, ranges: null }] as unknown as R[];
      },
    };
    await ask(recorder);
  }
  return [...found.values()];
}

/** A `Queryable` whose statements are sent as a question and its arguments. */
export async function questioner(
  send: (question: string, args: readonly unknown[], signal?: AbortSignal) => Promise<Row[]>,
): Promise<Queryable> {
  const names = new Map((await questions()).map(({ name, sql }) => [sql, name]));
  return {
    async query<R extends Row>(
      sql: string,
      params: readonly unknown[] = [],
      patience?: { signal?: AbortSignal },
    ) {
      const name = names.get(sql);
      if (name === undefined) throw new Error("this is read by hlsync's own server only");
      return (await send(name, params, patience?.signal)) as R[];
    },
  };
}
