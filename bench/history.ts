/** A history as the venue tells it, written as backfill writes it; and what it takes on disk. */
import type { Database } from "../src/store/database.ts";
import type { DatabaseStore } from "../src/store/store.ts";
import { fillRow, type Origin, orderEventRow } from "../src/sync/normalize.ts";
import type { FillRow, OrderEventRow } from "../src/sync/rows.ts";

const ACCOUNT = `0x${"ab".repeat(20)}`;
const DAY_MS = 86_400_000;
const PAGE = 2_000;
const COINS = ["BTC", "ETH", "SOL", "HYPE", "xyz:AAPL"];
/** A history of this many days. */
const DAYS = 100;

const hashOf = (n: number): string =>
  `0x${(n * 2_654_435_761).toString(16).padStart(20, "c")}04${n.toString(16).padStart(8, "0")}01${(n % 256).toString(16).padStart(2, "0")}${(n * 48_271).toString(16).padStart(30, "7")}`;

function fillOf(origin: Origin, n: number, timeMs: number): FillRow {
  const px = `${60_000 + (n % 997)}.5`;
  const wire = {
    coin: COINS[Math.floor(n / 5) % COINS.length]!,
    px,
    sz: `0.0${1 + (n % 9)}`,
    side: n % 4 < 2 ? "B" : "A",
    time: timeMs,
    startPosition: `${n % 50}.25`,
    dir: n % 4 < 2 ? "Open Long" : "Close Long",
    closedPnl: n % 4 < 2 ? "0.0" : `${n % 90}.125`,
    hash: hashOf(n),
    oid: 105_000_000_000 + Math.floor(n / 2.5),
    crossed: n % 3 === 0,
    fee: `0.${100_000 + (n % 7_919)}`,
    tid: 118_906_512_037_719 + n * 7_919,
    feeToken: "USDC",
    twapId: null,
  };
  return fillRow(origin, { value: wire as never, raw: wire });
}

function eventsOf(origin: Origin, fill: FillRow): OrderEventRow[] {
  const timestamp = fill.timeMs - 700;
  const order = {
    coin: fill.coin,
    side: fill.side === "buy" ? "B" : "A",
    limitPx: fill.price,
    sz: "0.1",
    oid: fill.orderId,
    timestamp,
    triggerCondition: "N/A",
    isTrigger: false,
    triggerPx: "0.0",
    children: [],
    isPositionTpsl: false,
    reduceOnly: false,
    orderType: "Limit",
    origSz: "0.1",
    tif: "Gtc",
    cloid: null,
  };
  const states = [
    { order, status: "open", statusTimestamp: timestamp },
    { order: { ...order, sz: "0.0" }, status: "filled", statusTimestamp: fill.timeMs + 300 },
  ];
  return states.map((state) => orderEventRow(origin, { value: state as never, raw: state }));
}

/** Pages of a backfill that read up to `nowMs`, the oldest first. */
export async function writeHistory(store: DatabaseStore, fills: number, nowMs: number): Promise<void> {
  const everyMs = Math.floor((DAYS * DAY_MS) / fills);
  const origin: Origin = { account: ACCOUNT, source: "backfill", seenAtMs: nowMs };
  await store.openAccount(ACCOUNT, null, nowMs - DAYS * DAY_MS);
  for (let from = 0; from < fills; from += PAGE) {
    const rows = Array.from({ length: Math.min(PAGE, fills - from) }, (_, n) =>
      fillOf(origin, from + n, nowMs - (fills - from - n) * everyMs),
    );
    const firsts = rows.filter((row, n) => n === 0 || row.orderId !== rows[n - 1]!.orderId);
    await store.apply({ fills: rows, orderEvents: firsts.flatMap((row) => eventsOf(origin, row)) });
  }
}

export interface DiskUse {
  table: string;
  rows: number;
  heap: number;
  toast: number;
  indexes: number;
}

/** Of the tables that a history is in. */
export async function diskUse(db: Database): Promise<DiskUse[]> {
  const uses = await db.query<DiskUse & Record<string, unknown>>(
    `select c.oid::regclass::text as "table", pg_relation_size(c.oid) as heap, pg_indexes_size(c.oid) as indexes,
       pg_table_size(c.oid) - pg_relation_size(c.oid) as toast, 0 as rows
     from pg_class c
     where c.oid = any (array['hl_fills', 'hl_order_events', 'hl_orders', 'hl_internal.outbox']::regclass[]) order by 1`,
  );
  for (const use of uses) {
    const [counted] = await db.query<{ rows: number }>(`select count(*) as rows from ${use.table}`);
    use.rows = counted!.rows;
  }
  return uses;
}
