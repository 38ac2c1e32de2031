/**
 * The tables of an older program, as found in the wild: every value text, no keys, duplicates, and in each of the sixty rows
 * of fills another oddness. What each row comes to stands beside it.
 */
import type { Queryable } from "../../src/store/database.ts";
import { ACCOUNT, T } from "./rows.ts";

/** `taken`, `double` (of a row before it), or what is said of it. */
export type Outcome = "taken" | "double" | RegExp;
export type Cells = Record<string, string | null>;

const PLAIN: Cells = {
  account_address: ACCOUNT,
  coin: "BTC",
  fill_time: new Date(T).toISOString(),
  side: "buy",
  size: "0.5",
  price: "83000.0",
  value: "41500.00",
  fee: "18.675",
  fee_token: "USDC",
  start_position: "true",
  closed_pnl: "0.0",
  direction: "Open Long",
  order_id: "556696349186",
  trade_id: "1058238905423571",
  hash: `0x${"1".repeat(64)}`,
  crossed: "true",
  cloid: null,
  raw_fill: null,
};

const WIRE = {
  coin: "ETH",
  px: "3900.10",
  sz: "0.0100",
  side: "A",
  time: T + 50,
  startPosition: "0.0200",
  dir: "Close Long",
  closedPnl: "-1.5",
  hash: `0x${"2".repeat(64)}`,
  oid: 77,
  crossed: false,
  fee: "-0.01",
  tid: 5050,
  feeToken: "USDC",
};

const odd: [Cells, Outcome][] = [
  [{}, "taken"],
  [{}, "double"],
  [{ first_seen_at: "2026-09-26 10:00:00+00" }, "double"],
  [{ raw_fill: '{"coin": "BTC"}' }, "double"],
  [{ trade_id: "2", size: "1e-05" }, "taken"],
  [{ trade_id: "3", size: ".5", price: "83000." }, "taken"],
  [{ trade_id: "4", size: "+2", price: " 83000.0 " }, "taken"],
  [{ trade_id: "5", size: "0.123456789012345678901234567890" }, "taken"],
  [{ trade_id: "6.0", order_id: "556696349186.0" }, "taken"],
  [{ trade_id: "7", side: "B", start_position: "false" }, "taken"],
  [{ trade_id: "8", side: "A" }, "taken"],
  [{ trade_id: "9", side: "SELL" }, "taken"],
  [{ trade_id: "10", side: "Bid", start_position: null }, "taken"],
  [{ trade_id: "11", side: "ask", start_position: "" }, "taken"],
  [{ trade_id: "12", fill_time: "2026-09-25 20:17:36.851+02" }, "taken"],
  [{ trade_id: "13", fill_time: "2026-09-25 18:17:36.850999+00:00" }, "taken"],
  [{ trade_id: "14", fill_time: String(T) }, "taken"],
  [{ trade_id: "15", fill_time: "1790360256.851" }, "taken"],
  [{ trade_id: "16", fill_time: `${T}000` }, "taken"],
  [{ trade_id: "17", fill_time: "2026-09-25 18:17:36,851" }, "taken"],
  [{ trade_id: "18", fill_time: "2026-09-25T18:17:36" }, "taken"],
  [{ trade_id: "19", crossed: "f" }, "taken"],
  [{ trade_id: "20", crossed: null }, "taken"],
  [{ trade_id: "21", fee: "-1.2e-3", fee_token: null }, "taken"],
  [{ trade_id: "22", account_address: ACCOUNT.toUpperCase().replace("0X", "0x") }, "taken"],
  [{ trade_id: "23", closed_pnl: "nan" }, "taken"],
  [{ trade_id: "24", value: "not even a number" }, "taken"],
  [{ trade_id: "25", direction: null, hash: null }, "taken"],
  [{ trade_id: "26", coin: "@107", fee_token: "HYPE", start_position: "100.25" }, "taken"],
  [{ trade_id: "27", coin: "xyz:AAPL", cloid: `0x${"3".repeat(32)}` }, "taken"],
  [{ trade_id: "0", direction: "Spot Dust Conversion", coin: "PURR/USDC" }, "taken"],
  [{ raw_fill: JSON.stringify(WIRE), size: "garbage", fill_time: null, trade_id: null }, "taken"],
  [{ raw_fill: JSON.stringify(JSON.stringify({ ...WIRE, tid: 5051 })) }, "taken"],
  [{ trade_id: "28", raw_fill: "{'coin': 'BTC', 'px': '1'}" }, "taken"],
  [{ trade_id: "29", raw_fill: '{"coin": "BTC", "px"' }, "taken"],
  [{ trade_id: null }, /no trade_id/],
  [{ trade_id: "" }, /no trade_id/],
  [{ trade_id: "1.05823890542357e+15" }, /trade_id is no id/],
  [{ trade_id: "9007199254740993" }, /trade_id is no id/],
  [{ trade_id: "abc" }, /trade_id is no id/],
  [{ order_id: "None" }, /no order_id/],
  [{ trade_id: "40", size: "NaN" }, /no size/],
  [{ trade_id: "41", size: "0,5" }, /size is no number/],
  [{ trade_id: "42", size: "1e999" }, /size is no number/],
  [{ trade_id: "43", price: null }, /no price/],
  [{ trade_id: "44", size: "-0.5" }, /negative/],
  [{ trade_id: "45", side: "long" }, /side is neither/],
  [{ trade_id: "46", side: null }, /no side/],
  [{ trade_id: "47", fill_time: null }, /no fill_time/],
  [{ trade_id: "48", fill_time: "yesterday" }, /fill_time is no time/],
  [{ trade_id: "49", fill_time: "0" }, /fill_time is no time/],
  [{ trade_id: "50", fill_time: "9999-12-31 00:00:00+00" }, /fill_time is no time/],
  [{ trade_id: "51", account_address: null }, /no account_address/],
  [{ trade_id: "52", account_address: "0x123" }, /account_address is no address/],
  [{ trade_id: "53", fee: null }, /no fee$/],
  [{ trade_id: "54", closed_pnl: null, direction: "Close Long" }, /no closed_pnl/],
  [{ trade_id: "55", coin: "@107", fee_token: null }, /no fee_token/],
  [{ trade_id: "56", coin: " " }, /no coin/],
  [{ trade_id: "57", crossed: "maybe" }, /crossed is neither/],
  [{ trade_id: "58", hash: "x".repeat(200) }, /hash is too long/],
  [{ trade_id: "59", fee: "1.2.3" }, /fee is no number/],
];

export const FILLS: { cells: Cells; outcome: Outcome }[] = odd.map(([change, outcome]) => ({
  cells: { ...PLAIN, ...change },
  outcome,
}));

const ORDER: Cells = {
  account_address: ACCOUNT,
  order_id: "1",
  coin: "BTC",
  side: "buy",
  order_type: "Limit",
  size: "2.0",
  limit_price: "83000.0",
  filled: "0.5",
  status: "canceled",
  placed_at: new Date(T - 60_000).toISOString(),
  status_at: new Date(T).toISOString(),
  updated_at: new Date(T + 9_000).toISOString(),
  reduce_only: "false",
};
export const ORDERS: { cells: Cells; outcome: Outcome }[] = (
  [
    [{}, "taken"],
    [{}, "double"],
    [{ order_id: "2", status: "cancelled" }, "taken"],
    [{ order_id: "3", status: "filled", filled: null }, "taken"],
    [{ order_id: "4", status: "open", status_at: null, filled: "0" }, "taken"],
    [{ order_id: "5", status: "partially_filled" }, "taken"],
    [{ order_id: "6", status: "filled", status_at: null }, /no status_at/],
    [{ order_id: "7", status: "resting" }, /status is no word/],
    [{ order_id: null }, /no order_id/],
  ] as [Cells, Outcome][]
).map(([change, outcome]) => ({ cells: { ...ORDER, ...change }, outcome }));

const SNAPSHOT: Cells = {
  account_address: ACCOUNT,
  created_at: new Date(T).toISOString(),
  account_value: "38252.7",
  withdrawable: "486.0",
  total_margin_used: "37766.7",
  total_notional_position: "1000000.0",
  total_raw_usd: "-961747.3",
  maintenance_margin: "12500.0",
  total_positions: "1",
  total_unrealized_pnl: "50.0",
  health_score: "88",
};
export const SNAPSHOTS: { cells: Cells; outcome: Outcome }[] = (
  [
    [{}, "taken"],
    [{}, "double"],
    [{ created_at: new Date(T + 60_000).toISOString(), account_value: "NaN" }, "taken"],
    [{ created_at: null }, /no created_at/],
    [{ created_at: new Date(T + 1).toISOString(), withdrawable: null }, /no withdrawable/],
  ] as [Cells, Outcome][]
).map(([change, outcome]) => ({ cells: { ...SNAPSHOT, ...change }, outcome }));

async function makeTable(
  db: Queryable,
  name: string,
  rows: readonly Cells[],
  types: Cells = {},
): Promise<void> {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  await db.query(
    `create table public.${name} (${columns.map((c) => `${c} ${types[c] ?? "text"}`).join(", ")})`,
  );
  await db.query(
    `insert into public.${name} select * from json_populate_recordset(null::public.${name}, $1::json)`,
    [JSON.stringify(rows)],
  );
}

/** With the indexes and the view that came with them; `startPosition` is the type of that column. */
export async function makeLegacyTables(db: Queryable, startPosition: "boolean" | "text"): Promise<void> {
  const fills = FILLS.map(({ cells }) => {
    const value = cells.start_position ?? null;
    const isWord = value === "true" || value === "false";
    return startPosition === "boolean" && !isWord ? { ...cells, start_position: null } : cells;
  });
  await makeTable(db, "hl_fills", fills, { start_position: startPosition });
  await makeTable(
    db,
    "hl_orders",
    ORDERS.map(({ cells }) => cells),
  );
  await makeTable(
    db,
    "hl_dashboard",
    SNAPSHOTS.map(({ cells }) => cells),
  );
  await makeTable(db, "hl_positions", [{ account_address: ACCOUNT, coin: "BTC", size: "1" }]);
  await db.query(
    `create index idx_hl_fills_account_time on public.hl_fills (account_address, fill_time);
     create index idx_hl_orders_account_status on public.hl_orders (account_address, status);
     create view public.my_report as select coin, count(*)::int as n from public.hl_fills group by coin`,
  );
}
