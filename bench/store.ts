import { parseArgs } from "node:util";
import type { Database } from "../src/store/database.ts";
import { migrate } from "../src/store/migrate.ts";
import { openPostgres } from "../src/store/postgres.ts";
import { openStore } from "../src/store/store.ts";
import type { FillRow, OrderEventRow } from "../src/sync/events.ts";
import { onDatabase } from "./database.ts";

const { values: options } = parseArgs({
  options: {
    rows: { type: "string", default: "60000" },
    batch: { type: "string", default: "1000" },
    database: { type: "string" },
  },
});
const ROWS = Number(options.rows);
const BATCH = Number(options.batch);
const FILLS_PER_ORDER = 4;

const START_MS = 1_790_000_000_000;
const COINS = ["BTC", "ETH", "SOL", "HYPE", "xyz:AAPL"];

function fill(account: string, n: number): FillRow {
  const timeMs = START_MS + n * 3;
  const wire = {
    coin: COINS[n % COINS.length]!,
    px: `${60_000 + (n % 997)}.5`,
    sz: `0.0${1 + (n % 9)}`,
    side: n % 2 ? "A" : "B",
    time: timeMs,
    startPosition: `${n % 50}.25`,
    dir: "Open Long",
    closedPnl: "0.0",
    hash: `0x${(n * 7919).toString(16).padStart(64, "0")}`,
    oid: 5_000_000_000 + Math.floor(n / FILLS_PER_ORDER),
    crossed: n % 3 === 0,
    fee: "0.123456",
    tid: 900_000_000_000 + n,
    feeToken: "USDC",
    twapId: null,
  };
  return {
    ...{ account, coin: wire.coin, timeMs, side: n % 2 ? "sell" : "buy", size: wire.sz, price: wire.px },
    ...{ value: "1234.56789", fee: wire.fee, feeToken: "USDC", startPosition: wire.startPosition },
    ...{ closedPnl: "0.0", direction: wire.dir, orderId: wire.oid, tradeId: wire.tid, hash: wire.hash },
    ...{ crossed: wire.crossed, cloid: null, builderFee: null, twapId: null, liquidation: null, raw: wire },
    ...{ source: "stream", seenAtMs: timeMs + 80 },
  };
}

function openEvent(row: FillRow): OrderEventRow {
  return {
    ...{ account: row.account, orderId: row.orderId, venueStatus: "open", statusTimeMs: row.timeMs },
    ...{ coin: row.coin, side: row.side, limitPrice: row.price, size: "1.0", remaining: "1.0" },
    ...{
      placedAtMs: row.timeMs,
      orderType: null,
      tif: null,
      triggerPrice: null,
      reduceOnly: null,
      cloid: null,
    },
    ...{ raw: { coin: row.coin, oid: row.orderId, origSz: "1.0" }, source: "stream", seenAtMs: row.seenAtMs },
  };
}

const BARE_INSERT = `insert into public.bench_fills
  select account, coin, to_timestamp("timeMs" / 1000.0), "timeMs", side, size, price, value, fee, "feeToken",
    "startPosition", "closedPnl", direction, "orderId", "tradeId", hash, crossed, cloid, "builderFee", "twapId",
    liquidation, raw, source, to_timestamp("seenAtMs" / 1000.0)
  from json_to_recordset($1::json) as x(
    account text, coin text, "timeMs" bigint, side text, size numeric, price numeric, value numeric, fee numeric,
    "feeToken" text, "startPosition" text, "closedPnl" numeric, direction text, "orderId" bigint,
    "tradeId" bigint, hash text, crossed boolean, cloid text, "builderFee" numeric, "twapId" bigint,
    liquidation jsonb, raw jsonb, source text, "seenAtMs" bigint)
  on conflict do nothing`;

interface Contender {
  name: string;
  /** Accounts written at once, each by its own connection. */
  writers: number;
  write(rows: FillRow[]): Promise<unknown>;
  /** Writes rows that are there already. */
  repeat?: boolean;
  timesMs: number[];
}

const batch = (account: string, from: number): FillRow[] =>
  Array.from({ length: BATCH }, (_, i) => fill(account, from + i));

/** One turn: every contender writes one batch, so that a busy moment of the machine hits all alike. */
async function turn(contenders: Contender[], number: number): Promise<void> {
  for (const [place, contender] of contenders.entries()) {
    const from = contender.repeat ? 0 : number * BATCH;
    const work = Array.from({ length: contender.writers }, (_, w) =>
      batch(`0x${String(place * 10 + w).padStart(40, "0")}`, from),
    );
    const startedMs = performance.now();
    await Promise.all(work.map((rows) => contender.write(rows)));
    contender.timesMs.push(performance.now() - startedMs);
  }
}

async function run(database: Database): Promise<void> {
  await migrate(database);
  await database.query("drop table if exists public.bench_fills");
  await database.query("create table public.bench_fills (like public.hl_fills including all)");
  const store = openStore(database);
  const bare = (rows: FillRow[]) => database.query(BARE_INSERT, [JSON.stringify(rows)]);
  const apply = (rows: FillRow[]) => store.apply({ fills: rows });
  const withOrders = (rows: FillRow[]) =>
    store.apply({
      fills: rows,
      orderEvents: rows.filter((_, i) => i % FILLS_PER_ORDER === 0).map(openEvent),
    });
  const contenders: Contender[] = [
    { name: "bare insert (baseline)", writers: 1, write: bare, timesMs: [] },
    { name: "apply: fills", writers: 1, write: apply, timesMs: [] },
    { name: "apply: fills already known", writers: 1, write: apply, repeat: true, timesMs: [] },
    { name: "apply: fills and their orders", writers: 1, write: withOrders, timesMs: [] },
    { name: "bare insert, 2 writers", writers: 2, write: bare, timesMs: [] },
    { name: "apply: fills, 2 writers", writers: 2, write: apply, timesMs: [] },
  ];
  const [version] = await database.query<{ v: string }>("select split_part(version(), ' on ', 1) as v");
  const turns = Math.ceil(ROWS / BATCH);
  console.log(`${version?.v}, ${turns} turns, batches of ${BATCH}; fills/s by the median batch`);
  for (let number = 0; number < turns; number++) await turn(contenders, number);
  let baseline = 0;
  for (const { name, writers, timesMs } of contenders) {
    timesMs.sort((a, b) => a - b);
    const at = (share: number) => timesMs[Math.min(timesMs.length - 1, Math.floor(timesMs.length * share))]!;
    const rate = (writers * BATCH * 1000) / at(0.5);
    baseline ||= rate;
    const columns = [
      name.padEnd(32),
      Math.round(rate).toString().padStart(8),
      `${(rate / baseline).toFixed(2)} x`,
    ];
    console.log(
      `${columns.join("  ")}   ms per batch: p50 ${at(0.5).toFixed(1)}  p99 ${at(0.99).toFixed(1)}`,
    );
  }
  await database.query("drop table public.bench_fills");
}

await onDatabase(options.database, async (url) => {
  const database = openPostgres(url);
  await run(database);
  await database.close();
});
