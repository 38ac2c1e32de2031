/** Which source brought the rows of a batch, by table: what the metrics count. Pure. */
import type { Batch, Source } from "./events.ts";
import { TABLE_NAMES, TABLES } from "./tables.ts";

/** `mixed`: rows of several sources in one batch. `own`: what hlsync itself concluded. */
export type RowSource = Source | "mixed" | "own";

const common = (rows: readonly { source: Source }[]): RowSource => {
  const [first, ...more] = new Set(rows.map(({ source }) => source));
  return first === undefined || more.length > 0 ? "mixed" : first;
};

/** By the names that `Applied` counts by; orders follow from fills and transitions. */
export function rowSources({
  fills = [],
  orderEvents = [],
  funding = [],
  ledger = [],
}: Batch): Record<string, RowSource> {
  return {
    hl_fills: common(fills),
    hl_order_events: common(orderEvents),
    hl_orders: common([...fills, ...orderEvents]),
    hl_funding: common(funding),
    hl_ledger: common(ledger),
    // Whole states, from any source.
    hl_positions: "snapshot",
    hl_balances: "snapshot",
    ...Object.fromEntries(TABLE_NAMES.map((name) => [TABLES[name].table, "snapshot" as const])),
    hl_dashboard: "own",
    coverage: "own",
    drift: "own",
    quarantine: "own",
    hl_trades: "stream",
    hl_candles: "stream",
    hl_mids: "stream",
    hl_books: "stream",
    hl_asset_ctxs: "stream",
  };
}
