/**
 * Rows written in batches, against the same rows inserted plainly into the same tables (their copies): no joins, no
 * coverage, and what follows from a row known beforehand. Every turn writes one batch of each.
 *
 *   node bench/store.ts [--rows 60000] [--batch 1000] [--database URL]
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { stringify } from "../src/runtime/jsonText.ts";
import type { Database } from "../src/store/database.ts";
import { migrate } from "../src/store/migrate.ts";
import { openPostgres } from "../src/store/postgres.ts";
import { openStore } from "../src/store/store.ts";
import type { FillRow, OrderEventRow } from "../src/sync/rows.ts";
import { type Copier, openCopier } from "./copy.ts";
import { onDatabase } from "./database.ts";
import { ownMs, serverMeter } from "./processorTime.ts";
import { fill, transition } from "./storedRows.ts";

const { values: options } = parseArgs({
  options: {
    rows: { type: "string", default: "60000" },
    batch: { type: "string", default: "1000" },
    database: { type: "string" },
  },
});
const ROWS = Number(options.rows);
const BATCH = Number(options.batch);

const FILL_VALUES = `account, coin, to_timestamp("timeMs" / 1000.0), "timeMs", side, size, price, value, fee, "feeToken",
    "startPosition", "closedPnl", direction, "orderId", "tradeId", hash, crossed, cloid, "builderFee", "twapId",
    liquidation, raw, source, to_timestamp("seenAtMs" / 1000.0)`;
const FILL_COLUMNS: readonly (readonly [string, string])[] = [
  ...([
    ["account", "text"],
    ["coin", "text"],
    ["timeMs", "bigint"],
    ["side", "text"],
  ] as const),
  ...([
    ["size", "numeric"],
    ["price", "numeric"],
    ["value", "numeric"],
    ["fee", "numeric"],
  ] as const),
  ...([
    ["feeToken", "text"],
    ["startPosition", "text"],
    ["closedPnl", "numeric"],
  ] as const),
  ...([
    ["direction", "text"],
    ["orderId", "bigint"],
    ["tradeId", "bigint"],
    ["hash", "text"],
  ] as const),
  ...([
    ["crossed", "boolean"],
    ["cloid", "text"],
    ["builderFee", "numeric"],
    ["twapId", "bigint"],
  ] as const),
  ...([
    ["liquidation", "jsonb"],
    ["raw", "jsonb"],
    ["source", "text"],
    ["seenAtMs", "bigint"],
  ] as const),
];
const FILL_LIST = FILL_COLUMNS.map(([name, type]) => `"${name}" ${type}`).join(", ");
const EVENT_LIST = `account text, "orderId" bigint, "venueStatus" text, "statusTimeMs" bigint, coin text, side text,
  "limitPrice" numeric, size numeric, remaining numeric, "placedAtMs" bigint, "orderType" text, tif text,
  "triggerPrice" numeric, "reduceOnly" boolean, cloid text, raw jsonb, source text, "seenAtMs" bigint`;

const plainFills = (json: "json" | "jsonb", parameter = "$1") =>
  `insert into public.bench_fills select ${FILL_VALUES}
   from ${json}_to_recordset(${parameter}::${json}) as x(${FILL_LIST}) on conflict do nothing`;

const UNNESTED_FILLS = `insert into public.bench_fills select ${FILL_VALUES}
  from unnest(${FILL_COLUMNS.map(([, type], n) => `$${n + 1}::${type}[]`).join(", ")})
    as x(${FILL_COLUMNS.map(([name]) => `"${name}"`).join(", ")}) on conflict do nothing`;

/** For `copy`, which reckons nothing. */
const COPIED_COLUMNS = `account_address, coin, fill_time, fill_time_ms, side, size, price, value, fee, fee_token,
  start_position, closed_pnl, direction, order_id, trade_id, hash, crossed, cloid, builder_fee, twap_id, liquidation, raw_fill,
  source, first_seen_at`;
const copied = (row: FillRow): unknown[] => [
  ...[row.account, row.coin, new Date(row.timeMs).toISOString(), row.timeMs, row.side, row.size, row.price],
  ...[row.value, row.fee, row.feeToken, row.startPosition, row.closedPnl, row.direction, row.orderId],
  ...[row.tradeId, row.hash, row.crossed, row.cloid, row.builderFee, row.twapId, row.liquidation, row.raw],
  ...[row.source, new Date(row.seenAtMs).toISOString()],
];

/** The rows that `apply` makes of transitions, as they are known beforehand: transition, order, event. */
const plainTransitions = (parameter: string) => `
  with sent as materialized (
    select x.*, case "venueStatus" when 'open' then 'open' else 'canceled' end as status
    from json_to_recordset(${parameter}::json) as x(${EVENT_LIST})
  ),
  transitions as (
    insert into public.bench_order_events
    select account, "orderId", "venueStatus", status, "statusTimeMs", remaining, coin, side, "limitPrice", size,
      "placedAtMs", "orderType", tif, "triggerPrice", "reduceOnly", cloid, raw, source, to_timestamp("seenAtMs" / 1000.0)
    from sent on conflict do nothing
  ),
  orders as (
    insert into public.bench_orders
    select account, "orderId", coin, side, "orderType", tif, size, "limitPrice", "triggerPrice", size - remaining, 0,
      status, "venueStatus", cloid, "reduceOnly", to_timestamp("placedAtMs" / 1000.0),
      to_timestamp("statusTimeMs" / 1000.0), "statusTimeMs", null, raw, source, to_timestamp("seenAtMs" / 1000.0)
    from sent
    on conflict (account_address, order_id) do update set
      status = excluded.status, venue_status = excluded.venue_status, status_at = excluded.status_at,
      status_time_ms = excluded.status_time_ms, raw_order = excluded.raw_order, updated_at = excluded.updated_at
  )
  insert into public.bench_outbox (event_key, type, account_address, time_ms, source, data)
  select concat_ws(':', 'order', account, "orderId", "venueStatus"), 'order.updated', account, "statusTimeMs", source, raw
  from sent`;

interface Rows {
  fills: FillRow[];
  orderEvents: OrderEventRow[];
}

interface Contender {
  name: string;
  /** Accounts written at once, each by its own connection. */
  writers: number;
  /** Of a batch. */
  shape: { fills: number; transitions: number };
  write(rows: Rows): Promise<unknown>;
  /** Writes rows that are there already. */
  repeat?: boolean;
  timesMs: number[];
  /** Of this process and of the server's. */
  cpuMs: number[];
}

/** Batch `number`: its fills, and transitions half of which open orders and half end those of the batch before. */
function rowsOf(account: string, number: number, { fills, transitions }: Contender["shape"]): Rows {
  const half = transitions / 2;
  const ofBatch = (n: number, status: "open" | "canceled") =>
    Array.from({ length: half }, (_, i) => transition(account, n * half + i, status));
  return {
    fills: Array.from({ length: fills }, (_, i) => fill(account, number * fills + i)),
    orderEvents: [...ofBatch(number + 1, "open"), ...ofBatch(number, "canceled")],
  };
}

/** One turn: every contender writes one batch, so that a busy moment of the machine hits all alike. */
async function turn(contenders: readonly Contender[], number: number, serverMs: () => number): Promise<void> {
  for (const [place, { writers, shape, write, repeat, timesMs, cpuMs }] of contenders.entries()) {
    const work = Array.from({ length: writers }, (_, w) =>
      rowsOf(`0x${String(place * 10 + w).padStart(40, "0")}`, repeat ? 0 : number, shape),
    );
    const usedMs = ownMs() + serverMs();
    const startedMs = performance.now();
    await Promise.all(work.map(write));
    timesMs.push(performance.now() - startedMs);
    cpuMs.push(ownMs() + serverMs() - usedMs);
  }
}

/** Each against the first of its group. */
function groupsOf(database: Database, copier: Copier): Contender[][] {
  const store = openStore(database);
  const ask = (sql: string, ...lists: readonly unknown[][]) =>
    database.query(
      sql,
      lists.map((list) => stringify(list)),
    );
  const columns = FILL_COLUMNS.map(([name]) => name as keyof FillRow);
  const unnested = ({ fills }: Rows) =>
    database.query(
      UNNESTED_FILLS,
      columns.map((name) =>
        fills.map((row) => (name === "raw" || name === "liquidation" ? jsonOrNull(row[name]) : row[name])),
      ),
    );
  const one = (name: string, fills: number, transitions: number, write: Contender["write"]): Contender => ({
    name,
    writers: 1,
    shape: { fills, transitions },
    write,
    timesMs: [],
    cpuMs: [],
  });
  const fills = (name: string, write: Contender["write"]) => one(name, BATCH, 0, write);
  const both = [BATCH / 10, BATCH] as const;
  return [
    [
      fills("plain insert, json", (rows) => ask(plainFills("json"), rows.fills)),
      fills("plain insert, jsonb", (rows) => ask(plainFills("jsonb"), rows.fills)),
      fills("plain insert, unnest", unnested),
      fills("copy, which stops at a row that is there", (rows) =>
        copier.write(COPIED_COLUMNS, rows.fills.map(copied)),
      ),
      fills("apply", (rows) => store.apply({ fills: rows.fills })),
      { ...fills("apply, already known", (rows) => store.apply({ fills: rows.fills })), repeat: true },
      { ...fills("plain insert, 2 writers", (rows) => ask(plainFills("json"), rows.fills)), writers: 2 },
      { ...fills("apply, 2 writers", (rows) => store.apply({ fills: rows.fills })), writers: 2 },
    ],
    [
      one("plain insert", 0, BATCH, (rows) => ask(plainTransitions("$1"), rows.orderEvents)),
      one("apply", 0, BATCH, ({ orderEvents }) => store.apply({ orderEvents })),
    ],
    [
      one("plain insert", ...both, ({ fills, orderEvents }) =>
        ask(
          `with fills as (${plainFills("json", "$2")}) ${withMore(plainTransitions("$1"))}`,
          orderEvents,
          fills,
        ),
      ),
      one("apply", ...both, (rows) => store.apply(rows)),
    ],
  ];
}

const jsonOrNull = (value: unknown): string | null => (value === null ? null : stringify(value));

/** A statement that begins with `with`, to stand behind other parts of one. */
const withMore = (sql: string): string => sql.trim().replace(/^with/, ",");

const TITLES = ["fills", "order transitions", "fills, ten transitions each"];
const TABLES = ["fills", "order_events", "orders"];

function print(title: string, contenders: readonly Contender[]): void {
  console.log(
    `\n| ${title} | rows/s by the median batch | ratio | ms a batch, p50 / p99 | CPU µs a row (middle half) | ratio by CPU |\n|---|---|---|---|---|---|`,
  );
  const baseline = { rate: 0, cpuUs: 0 };
  for (const { name, writers, shape, timesMs, cpuMs } of contenders) {
    const rows = writers * (shape.fills + shape.transitions);
    const at = (sorted: readonly number[], share: number) =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
    const times = timesMs.toSorted((a, b) => a - b);
    const cpuUs = cpuMs.map((ms) => (ms * 1_000) / rows).toSorted((a, b) => a - b);
    const rate = (rows * 1_000) / at(times, 0.5);
    baseline.rate ||= rate;
    baseline.cpuUs ||= at(cpuUs, 0.5);
    const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => at(cpuUs, share).toFixed(0));
    console.log(
      `| ${name} | ${Math.round(rate)} | ${(rate / baseline.rate).toFixed(2)} | ${at(times, 0.5).toFixed(1)} / ${at(times, 0.99).toFixed(1)} ` +
        `| ${middle} (${low}–${high}) | ${(baseline.cpuUs / at(cpuUs, 0.5)).toFixed(2)} |`,
    );
  }
}

async function run(database: Database, url: string): Promise<void> {
  await migrate(database);
  const made = [
    ...TABLES.map((name) => [`bench_${name}`, `public.hl_${name}`]),
    ["bench_outbox", "hl_internal.outbox"],
  ];
  for (const [name, like] of made) {
    await database.query(`drop table if exists public.${name}`);
    await database.query(`create table public.${name} (like ${like} including all)`);
  }
  const [version] = await database.query<{ v: string }>("select split_part(version(), ' on ', 1) as v");
  const turns = Math.ceil(ROWS / BATCH);
  console.log(`${version?.v}, ${turns} turns, batches of ${BATCH}, load ${loadavg()[0]!.toFixed(1)}`);
  const copier = await openCopier(url, "public.bench_fills");
  const groups = groupsOf(database, copier);
  const serverMs = await serverMeter(database);
  // The first turn warms up.
  for (let number = 0; number <= turns; number++) {
    await turn(groups.flat(), number, serverMs);
    if (number === 0)
      for (const { timesMs, cpuMs } of groups.flat()) {
        timesMs.pop();
        cpuMs.pop();
      }
  }
  await copier.end();
  for (const [n, group] of groups.entries()) print(TITLES[n]!, group);
  for (const [name] of made) await database.query(`drop table public.${name}`);
}

await onDatabase(options.database, async (url) => {
  const database = openPostgres(url);
  await run(database, url);
  await database.close();
});
