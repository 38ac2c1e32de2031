/** Which source brought the rows of a batch, by table: what the metrics count. Pure. */
import type { Batch, Source } from "./rows.ts";
import { described, JOINED, TABLE_NAMES } from "./tables.ts";

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
  const states = [...TABLE_NAMES, "positions", "balances"] as const;
  return {
    ...Object.fromEntries(states.map((name) => [described(name).table, "snapshot" as const])),
    [JOINED.fills.table]: common(fills),
    [JOINED.orderEvents.table]: common(orderEvents),
    [JOINED.orders.table]: common([...fills, ...orderEvents]),
    [JOINED.funding.table]: common(funding),
    [JOINED.ledger.table]: common(ledger),
    [JOINED.dashboard.table]: "own",
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
