/**
 * What a page, alerts, metrics, the terminal and the export ask of the database, and how long each takes with 10⁴, 10⁵ and
 * 10⁶ fills of one account beside others: on a connection that has asked nothing yet, then the median of five, before
 * `analyze` and after it. The queries are those of the source: its functions are called. Where the server runs on this Linux,
 * its CPU time counts, which depends less on what else the machine does; else the time until the answer.
 *
 *   npm run bench -- views [--fills 10000,100000,1000000] [--database postgres://…] [--make | --keep] [--plans] [--exports]
 *                          [--only WORDS]
 *
 * `--database` names one of its own: everything in it is made anew, unless `--keep` measures what a run before left; `--make`
 * makes it and measures nothing. `--plans` prints the plan of whatever is slower than the bound. `--only` asks what has these
 * words in its name.
 */
import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { readDigest, readIncomplete, readSince } from "../src/outputs/alerts/alertStore.ts";
import { observeAccounts, observeSlowly } from "../src/outputs/alerts/observe.ts";
import { EXPORTS, exportedColumns, exportedRows } from "../src/outputs/exports.ts";
import { questions } from "../src/outputs/http/questions.ts";
import * as read from "../src/outputs/http/reads.ts";
import { COVERAGE_SQL, readKnowledge } from "../src/outputs/observation/knowledge.ts";
import { readOutputFigures } from "../src/outputs/observation/outputFigures.ts";
import { readToday } from "../src/outputs/terminal/gather.ts";
import type { Database, Queryable } from "../src/store/database.ts";
import { migrate } from "../src/store/migrate.ts";
import { openPostgres } from "../src/store/postgres.ts";
import { openStore } from "../src/store/store.ts";
import { makeBusyAccount } from "./busyAccount.ts";
import { onDatabase } from "./database.ts";

const { values } = parseArgs({
  options: {
    fills: { type: "string", default: "10000,100000,1000000" },
    database: { type: "string" },
    plans: { type: "boolean", default: false },
    exports: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    make: { type: "boolean", default: false },
    only: { type: "string", default: "" },
  },
});
const SIZES = values.fills.split(",").map(Number);
const ROUNDS = 5;
/** What a page asks is answered within this. */
const BOUND_MS = 50;
/** Given up after this. */
const PATIENCE_MS = 120_000;
const DAY_MS = 86_400_000;
const ACCOUNT = `0x${"1".repeat(40)}`;
const RARE = "RARE";
const NOW_MS = Date.now();

type Asked = (db: Queryable) => Promise<unknown>;
const PAGE: read.Page = { limit: 50, beforeMs: null, fromMs: null };
const MIDDLE: read.Page = { ...PAGE, beforeMs: NOW_MS - 180 * DAY_MS };
const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
const YEAR = [NOW_MS - 365 * DAY_MS, NOW_MS] as const;
const pnl =
  (by: read.PnlBy, days: number): Asked =>
  (db) =>
    read.readPnl(db, ACCOUNT, by, day(NOW_MS - days * DAY_MS), day(NOW_MS));
const ZONE = "Asia/Kolkata";
const zoned =
  (by: read.PnlBy, days: number): Asked =>
  (db) =>
    read.readPnlOfZone(db, ACCOUNT, { by, fromMs: NOW_MS - days * DAY_MS, toMs: NOW_MS, zone: ZONE });
const tripsSince = async (db: Queryable) => (await read.tripsSince(db, ACCOUNT, 0)).sinceMs;
/** The market with most fills beside one with few, whose newest is half a year old. */
const MARKETS = { "a busy market": "BTC", "a rare market": RARE };
/** As the page of a trade asks it: from where the trade began to where it ended. */
const ofMarket = (
  name: read.ListingName,
  coin: string,
  fromMs: number,
  beforeMs: number | null,
  withRaw = false,
): Asked => {
  const page = { ...PAGE, limit: 500, coin, fromMs, beforeMs, withRaw };
  return (db) => read.readPage(db, name, ACCOUNT, page);
};

const OF_PAGE: Record<string, Asked> = {
  accounts: (db) => read.readAccounts(db),
  "what is known": (db) => readKnowledge(db, NOW_MS),
  overview: (db) => read.readOverview(db, ACCOUNT, NOW_MS),
  "overview of a zone": (db) => read.readOverview(db, ACCOUNT, NOW_MS, ZONE),
  drawdown: (db) => read.readDrawdown(db, ACCOUNT),
  positions: (db) => read.readPositions(db, ACCOUNT),
  "open orders": (db) => read.readOpenOrders(db, ACCOUNT),
  balances: (db) => read.readBalances(db, ACCOUNT),
  ...Object.fromEntries(
    (Object.keys(read.LISTINGS) as read.ListingName[]).flatMap((name): [string, Asked][] => [
      [`${name}: newest`, (db) => read.readPage(db, name, ACCOUNT, PAGE)],
      [`${name}: half a year ago`, (db) => read.readPage(db, name, ACCOUNT, MIDDLE)],
      [
        `${name}: with what the venue said`,
        (db) => read.readPage(db, name, ACCOUNT, { ...PAGE, withRaw: true }),
      ],
      [`${name}: how many`, (db) => read.countRows(db, name, ACCOUNT, null)],
      [`${name}: how many since a month`, (db) => read.countRows(db, name, ACCOUNT, NOW_MS - 30 * DAY_MS)],
    ]),
  ),
  "order: what it went through": async (db) => read.readOrderEvents(db, ACCOUNT, await anOrder(db)),
  "order: itself": async (db) =>
    read.readPage(db, "orderHistory", ACCOUNT, { ...PAGE, orderId: await anOrder(db) }),
  "order: its fills": async (db) =>
    read.readPage(db, "fills", ACCOUNT, { ...PAGE, orderId: await anOrder(db) }),
  ...Object.fromEntries(
    Object.entries(MARKETS).flatMap(([what, coin]): [string, Asked][] => [
      [`fills of ${what} since a year`, ofMarket("fills", coin, YEAR[0], null)],
      [`fills of ${what} half a year ago`, ofMarket("fills", coin, YEAR[0], NOW_MS - 180 * DAY_MS)],
      [`orders of ${what} since a year`, ofMarket("orderHistory", coin, YEAR[0], null)],
      [`funding of ${what} since a year`, ofMarket("funding", coin, YEAR[0], null)],
      [`trade of ${what} now`, (db) => read.readTrip(db, ACCOUNT, coin, NOW_MS)],
      [`trade of ${what} half a year ago`, (db) => read.readTrip(db, ACCOUNT, coin, NOW_MS - 180 * DAY_MS)],
    ]),
  ),
  ...Object.fromEntries(
    (["fills", "orderHistory", "funding"] as const).map((name): [string, Asked] => [
      `${name} of a busy market: with what the venue said`,
      ofMarket(name, "BTC", YEAR[0], null, true),
    ]),
  ),
  "trade of a market never traded": (db) => read.readTrip(db, ACCOUNT, "NONE", NOW_MS),
  candles: (db) => read.readCandles(db, "BTC", "1h", ...YEAR),
  "equity of a day": (db) => read.readEquity(db, ACCOUNT, NOW_MS - DAY_MS, NOW_MS, 500),
  "equity of a year": (db) => read.readEquity(db, ACCOUNT, ...YEAR, 500),
  flows: (db) => read.readFlows(db, ACCOUNT, ...YEAR),
  "pnl of 30 days by day": pnl("day", 30),
  "pnl of 30 days by coin": pnl("coin", 30),
  "pnl of a year by day": pnl("day", 365),
  "pnl of all time by day": pnl("day", 20_000),
  "pnl of all time by coin": pnl("coin", 20_000),
  "pnl of 30 days of a zone by day": zoned("day", 30),
  "pnl of 30 days of a zone by coin": zoned("coin", 30),
  "pnl of a year of a zone by day": zoned("day", 365),
  "pnl of all time of a zone by coin": zoned("coin", 20_000),
  statistics: (db) => read.readStatistics(db, ACCOUNT),
  ...Object.fromEntries(
    read.TRADE_GROUPS.map((by): [string, Asked] => [
      `statistics by ${by}`,
      async (db) => {
        const { sinceMs } = await read.statisticsSince(db, ACCOUNT, 0, read.TRIP_FILLS);
        return read.readTradeStatistics(db, ACCOUNT, by, sinceMs, ZONE);
      },
    ]),
  ),
  "round trips": async (db) => read.readRoundTrips(db, ACCOUNT, await tripsSince(db)),
  particulars: (db) => read.readParticulars(db, ACCOUNT),
  "curve of the venue": (db) => read.readPortfolio(db, ACCOUNT, "all", ...YEAR),
  markets: (db) => read.readMarkets(db),
  coverage: (db) => read.readCoverage(db, ACCOUNT),
  drift: (db) => read.readDrift(db, ACCOUNT, PAGE),
  latency: (db) => read.readLatency(db, NOW_MS - 6 * 3_600_000),
  "alerts shown": (db) => read.readAlerts(db, ACCOUNT, PAGE),
  "alerts that fire": read.countFiring,
  deliveries: (db) => read.readDeliveries(db, PAGE),
};

const store = (db: Queryable) => openStore(db as Database);
const OF_OTHERS: Record<string, Asked> = {
  "alerts: accounts": (db) => observeAccounts(db, [], [ACCOUNT]),
  "alerts: slow ones": (db) => observeSlowly(db, [ACCOUNT], NOW_MS),
  "alerts: days not complete": (db) => readIncomplete(db, [ACCOUNT], day(NOW_MS - 100 * DAY_MS)),
  "alerts: digest of a day": (db) => readDigest(db, ACCOUNT, day(NOW_MS - 100 * DAY_MS)),
  "alerts: since": (db) => readSince(db, ACCOUNT),
  "metrics: outputs": (db) => readOutputFigures(db, NOW_MS - DAY_MS),
  "metrics: coverage": (db) => db.query(COVERAGE_SQL),
  "terminal: today": (db) => readToday(db, ACCOUNT, null, NOW_MS),
  "engine: open account": (db) => store(db).openAccount(ACCOUNT, null, null),
  "engine: orders known by fills": (db) =>
    store(db).ordersKnownByFills(ACCOUNT, NOW_MS - 3_600_000, NOW_MS, Number.MAX_SAFE_INTEGER, 100),
  "engine: drawdown of 30 days": (db) => store(db).drawdownPct(ACCOUNT, NOW_MS - 30 * DAY_MS),
  "engine: fills of a day": (db) => store(db).fills(ACCOUNT, NOW_MS - DAY_MS, NOW_MS),
  "verify: money tie": (db) => store(db).moneyTie(ACCOUNT),
};

/** A page of each table; a computed view as a whole. */
const OF_EXPORT: Record<string, Asked> = Object.fromEntries(
  Object.keys(EXPORTS).map((name): [string, Asked] => [
    `export: ${name}`,
    async (db) => exportedRows(db, name, await exportedColumns(db, name), ACCOUNT, null).next(),
  ]),
);

/** One of half a year ago. */
async function anOrder(db: Queryable): Promise<number> {
  const [row] = await db.query<{ id: number }>(
    `select order_id as id from public.hl_fills where account_address = $1 and fill_time < to_timestamp($2::bigint / 1000.0)
     order by fill_time desc limit 1`,
    [ACCOUNT, NOW_MS - 180 * DAY_MS],
  );
  return row!.id;
}

/** Fails when the page can ask something that is not measured here. */
async function isWhole(db: Queryable): Promise<void> {
  const asked = new Set<string>();
  const recorder: Queryable = {
    query(sql, params, patience) {
      asked.add(sql);
      return db.query(sql, params, patience);
    },
  };
  for (const ask of Object.values(OF_PAGE)) await ask(recorder);
  const missing = (await questions()).filter(({ sql }) => !asked.has(sql)).map(({ name }) => name);
  if (missing.length > 0) throw new Error(`not measured: ${missing.join(", ")}`);
}

interface Times {
  cold: number;
  usual: number;
}

/** CPU time of the server's process behind a connection, milliseconds; null where it cannot be seen. */
function cpuMs(pid: number): number | null {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    return null;
  }
}

const timed = async (asked: Asked, db: Queryable, pid: number): Promise<number> => {
  const began = performance.now();
  const before = cpuMs(pid);
  try {
    await asked(db);
  } catch (error) {
    if (performance.now() - began < PATIENCE_MS) throw error;
    return Number.POSITIVE_INFINITY;
  }
  const after = cpuMs(pid);
  return before === null || after === null ? performance.now() - began : after - before;
};

async function measure(url: string, asked: Asked): Promise<Times> {
  // One process of the server, so that all it does is seen.
  const fresh = openPostgres(url, { statementTimeoutMs: PATIENCE_MS, maxConnections: 1 });
  const [{ pid } = { pid: 0 }] = await fresh.query<{ pid: number }>("select pg_backend_pid() as pid");
  const cold = await timed(asked, fresh, pid);
  const times: number[] = [];
  // One that takes seconds tells enough the first time.
  for (let round = 0; round < (cold > 3_000 ? 0 : ROUNDS); round++)
    times.push(await timed(asked, fresh, pid));
  await fresh.close();
  times.sort((a, b) => a - b);
  return { cold, usual: times.length > 0 ? times[times.length >> 1]! : cold };
}

/** Prints what the server does for one question. */
async function explain(db: Database, asked: Asked): Promise<void> {
  const explained: Queryable = {
    async query(sql, params, patience) {
      const plan = await db.query(`explain (analyze, buffers) ${sql}`, params, { timeoutMs: PATIENCE_MS });
      console.log(sql, "\n", plan.map((row) => Object.values(row)[0]).join("\n"));
      return db.query(sql, params, patience);
    },
  };
  await asked(explained).catch(console.error);
}

async function fill(db: Database, fills: number): Promise<void> {
  await makeBusyAccount(db, ACCOUNT, { fills, coins: 40, days: 365, nowMs: NOW_MS });
  // A trade of a market that is seldom traded, opened and closed half a year ago.
  await db.query(
    `insert into public.hl_fills
     select p.* from generate_series(0, 1) n
     cross join lateral (
       select * from public.hl_fills where account_address = $1 and fill_time < to_timestamp($3::bigint / 1000.0) - n * interval '1 hour'
       order by fill_time desc limit 1
     ) f
     cross join lateral jsonb_populate_record(null::public.hl_fills, to_jsonb(f) || jsonb_build_object('coin', $2::text, 'trade_id', f.trade_id + 1, 'order_id', 7 + n,
       'side', case n when 1 then 'buy' else 'sell' end, 'start_position', case n when 1 then '0.0' else '0.5' end)) p`,
    [ACCOUNT, RARE, NOW_MS - 181 * DAY_MS],
  );
  await makeBusyAccount(db, `0x${"2".repeat(40)}`, { fills: fills / 10, coins: 10, days: 60, nowMs: NOW_MS });
  for (let n = 0; n < 20; n++)
    await makeBusyAccount(db, `0x3${String(n).padStart(39, "0")}`, {
      fills: 100,
      coins: 5,
      days: 3,
      nowMs: NOW_MS,
    });
}

/** What tells how far the price went in a trade: a year of hours of every market, a month of minutes of those traded most. */
async function storeCandles(db: Database): Promise<void> {
  await db.query(
    `insert into public.hl_candles (coin, "interval", open_time, open_time_ms, close_time_ms, open, high, low, close, volume, trades, as_of_ms)
     select c.coin, i.name, to_timestamp(o.ms / 1000.0), o.ms, o.ms + i.ms - 1, 100, 100 + o.ms / i.ms % 7, 100 - o.ms / i.ms % 5, 100, 1, 1, o.ms
     from (
       select coin, row_number() over (order by count(*) desc, coin) as place from public.hl_fills where account_address = $1 group by coin
     ) c
     join (values ('1h', 3600000::bigint, 365, 1000), ('1m', 60000, 30, 4)) i(name, ms, days, markets) on c.place <= i.markets
     cross join lateral (select ($2 / i.ms - n) * i.ms as ms from generate_series(1, i.days * 86400000::bigint / i.ms) n) o`,
    [ACCOUNT, NOW_MS],
  );
}

async function makeAnew(db: Database, fills: number): Promise<void> {
  await db.query(
    "drop schema if exists hl_internal cascade; drop schema public cascade; create schema public",
  );
  await migrate(db);
  // Otherwise the server may look at the tables by itself in the middle.
  for (const table of [
    "hl_fills",
    "hl_orders",
    "hl_order_events",
    "hl_funding",
    "hl_dashboard",
    "hl_candles",
  ])
    await db.query(`alter table public.${table} set (autovacuum_enabled = off)`);
  const began = performance.now();
  await fill(db, fills);
  await storeCandles(db);
  const made = performance.now();
  while (await openStore(db).settle(ACCOUNT, NOW_MS));
  const seconds = (from: number, to: number) => ((to - from) / 1_000).toFixed(0);
  console.error(
    `${fills} fills: made in ${seconds(began, made)} s, settled in ${seconds(made, performance.now())} s`,
  );
}

const shown = (ms: number) =>
  ms === Number.POSITIVE_INFINITY ? `> ${PATIENCE_MS / 1_000} s` : ms >= 10 ? ms.toFixed(0) : ms.toFixed(1);

async function run(url: string): Promise<void> {
  const slow: string[] = [];
  const questions = Object.fromEntries(
    Object.entries({ ...OF_PAGE, ...OF_OTHERS, ...(values.exports ? OF_EXPORT : {}) }).filter(([name]) =>
      name.includes(values.only),
    ),
  );
  const columns = Object.fromEntries(Object.keys(questions).map((name): [string, string[]] => [name, []]));
  const db = openPostgres(url, { statementTimeoutMs: 10 * 60_000 });
  const [version] = await db.query<{ v: string }>("select split_part(version(), ' on ', 1) as v");
  console.log(
    `${version!.v}, load ${loadavg()[0]!.toFixed(1)}; milliseconds: first call of a connection, then the median of ${ROUNDS}`,
  );
  const heads: string[] = [];
  for (const fills of SIZES) {
    if (!values.keep) await makeAnew(db, fills);
    if (values.make) continue;
    await isWhole(db);
    for (const isAnalyzed of values.keep ? [true] : [false, true]) {
      if (isAnalyzed && !values.keep) await db.query("vacuum analyze");
      heads.push(`${fills.toExponential(0).replace("e+", "·10^")}${isAnalyzed ? ", analyzed" : ""}`);
      for (const [name, asked] of Object.entries(questions)) {
        const { cold, usual } = await measure(url, asked);
        columns[name]!.push(`${shown(cold)} / ${shown(usual)}`);
        if (!(usual <= BOUND_MS)) {
          console.error(
            `${fills} ${isAnalyzed ? "analyzed" : "not analyzed"}: ${name} ${shown(cold)} / ${shown(usual)}`,
          );
          if (name in OF_PAGE && fills === SIZES.at(-1) && isAnalyzed) slow.push(name);
          if (values.plans) await explain(db, asked);
        }
      }
    }
  }
  await db.close();
  if (values.make) return;
  console.log(`| asked | ${heads.join(" | ")} |\n|---|${heads.map(() => "---|").join("")}`);
  for (const [name, cells] of Object.entries(columns)) console.log(`| ${name} | ${cells.join(" | ")} |`);
  console.log(
    slow.length === 0
      ? `All that a page asks: within ${BOUND_MS} ms.`
      : `Beyond ${BOUND_MS} ms: ${slow.join(", ")}.`,
  );
}

await onDatabase(values.database, run);
