/**
 * Stored rows as CSV (RFC 4180) or NDJSON. Guarantees: decimals leave as the digits stored, because everything is read
 * from the `*_text` views; every row once, in a fixed order; in pages of bounded size, but for what is computed as a whole (`computed`); the
 * venue's raw objects stay where they are. Cells are the stored text; for spreadsheets, which would compute some of it, see
 * `spreadsheetText`.
 */

import { standsAt } from "../store/columns.ts";
import type { Queryable } from "../store/database.ts";
import type { Address } from "../sync/rows.ts";
import { described, JOINED_NAMES, type JoinedName, TABLE_NAMES, type TableName } from "../sync/tables.ts";

const PAGE_ROWS = 5_000;

interface Exported {
  /** Without `_text`. */
  view: string;
  /** Unique within an account; rows come in this order. */
  keys: readonly string[];
  /** Unix milliseconds that `--since` looks at; null where rows have no time. */
  timeMs: string | null;
  /** A timestamp that the index begins with, equal in order to the first key. */
  lead?: string;
  /** Computed as a whole: read at once. */
  computed?: true;
}

/** A table as it is described. */
function exported(name: TableName | JoinedName): [string, Exported] {
  const { table, key, time, index } = described(name);
  const keys = key.filter((member) => member !== "account");
  return [
    table.slice("hl_".length).replaceAll("_", "-"),
    {
      view: table,
      keys: keys.map((member) => standsAt(name, member)),
      timeMs: time === undefined ? null : standsAt(name, time),
      ...(index !== undefined && keys[0] === time && { lead: index }),
    },
  ];
}

export const EXPORTS: Readonly<Record<string, Exported>> = {
  ...Object.fromEntries(JOINED_NAMES.map(exported)),
  flows: {
    view: "hl_flows",
    keys: ["ledger_time_ms", "hash", "digest"],
    timeMs: "ledger_time_ms",
    computed: true,
  },
  equity: { view: "hl_equity", keys: ["as_of_ms"], timeMs: "as_of_ms", computed: true },
  "equity-daily": { view: "hl_equity_daily", keys: ["day"], timeMs: null, computed: true },
  "net-pnl-daily": { view: "hl_net_pnl_daily", keys: ["day"], timeMs: null, computed: true },
  "net-pnl-by-coin": { view: "hl_net_pnl_by_coin", keys: ["coin"], timeMs: null, computed: true },
  "net-pnl-daily-by-coin": {
    view: "hl_net_pnl_daily_by_coin",
    keys: ["day", "coin"],
    timeMs: null,
    computed: true,
  },
  fees: { view: "hl_fees", keys: ["coin", "fee_token"], timeMs: null, computed: true },
  "round-trips": { view: "hl_round_trips", keys: ["coin", "trip"], timeMs: null, computed: true },
  statistics: { view: "hl_statistics", keys: ["account_address"], timeMs: null, computed: true },
  "vault-equities": { view: "hl_vault_equities", keys: ["vault_address"], timeMs: null, computed: true },
  delegations: { view: "hl_delegations", keys: ["validator"], timeMs: null, computed: true },
  "account-limits": { view: "hl_account_limits", keys: ["account_address"], timeMs: null, computed: true },
  "twap-orders": { view: "hl_twap_orders", keys: ["twap_id"], timeMs: "started_ms", computed: true },
  "portfolio-check": {
    view: "hl_portfolio_check",
    keys: ["scope", "time_ms"],
    timeMs: "time_ms",
    computed: true,
  },
  ...Object.fromEntries(
    TABLE_NAMES.filter((name) => {
      const { columns } = described(name);
      return "account" in columns && Object.values(columns).includes("decimal");
    }).map(exported),
  ),
};

export type Cells = Record<string, unknown>;

/** Column names in their order, without the raw objects. */
export async function exportedColumns(db: Queryable, name: string): Promise<string[]> {
  const rows = await db.query<{ name: string }>(
    `select attname as name from pg_catalog.pg_attribute
     where attrelid = ('public.' || $1)::regclass and attnum > 0 and not attisdropped and attname not like 'raw%'
     order by attnum`,
    [`${EXPORTS[name]!.view}_text`],
  );
  return rows.map((row) => row.name);
}

/** Pages of rows of one account, oldest first. */
export async function* exportedRows(
  db: Queryable,
  name: string,
  columns: readonly string[],
  account: Address,
  sinceMs: number | null,
): AsyncGenerator<Cells[]> {
  const { view, keys, timeMs, lead, computed } = EXPORTS[name]!;
  const order = [...(lead ? [lead] : []), ...keys].join(", ");
  let last: Cells | null = null;
  for (;;) {
    const params: unknown[] = [account];
    const given = (value: unknown): string => `$${params.push(value)}`;
    const conditions = ["account_address = $1"];
    if (sinceMs !== null && timeMs !== null) conditions.push(`${timeMs} >= ${given(sinceMs)}::bigint`);
    if (last !== null) {
      const first = last[keys[0]!];
      if (lead) conditions.push(`${lead} >= pg_catalog.to_timestamp(${given(first)}::bigint / 1000.0)`);
      conditions.push(`(${keys.join(", ")}) > (${keys.map((key) => given(last![key])).join(", ")})`);
    }
    const limit = computed ? "" : ` limit ${PAGE_ROWS}`;
    const rows: Cells[] = await db.query<Cells>(
      `select ${columns.join(", ")} from public.${view}_text where ${conditions.join(" and ")} order by ${order}${limit}`,
      params,
    );
    if (rows.length > 0) yield rows;
    if (computed || rows.length < PAGE_ROWS) return;
    last = rows.at(-1)!;
  }
}

const plain = (value: unknown): string =>
  value === null || value === undefined
    ? ""
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value);

export const csvCell = (text: string): string =>
  /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i;
/** What a spreadsheet may take for a formula, in the letters of any keyboard. */
const FORMULA = /^[\s]*[=+\-@\uff1d\uff0b\uff0d\uff20]/;
/** A spreadsheet keeps 15 digits: the ids of orders and trades have more. */
const LONG_ID = /^-?\d{16,}$/;

/** A cell that a spreadsheet shows as it is: `'` in front, as people write a text there, where it would not. */
export const spreadsheetText = (text: string): string =>
  LONG_ID.test(text) || (FORMULA.test(text) && !NUMBER.test(text)) ? `'${text}` : text;

/** Tells a spreadsheet that the file is UTF-8. */
export const BYTE_ORDER_MARK = "\ufeff";

export const csvHeader = (columns: readonly string[]): string => columns.map(csvCell).join(",");

/** `of` says how a cell's text is written. */
export const csvLine = (
  columns: readonly string[],
  row: Cells,
  of: (text: string) => string = (text) => text,
): string => columns.map((column) => csvCell(of(plain(row[column])))).join(",");
