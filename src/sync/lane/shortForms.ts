/**
 * The venue tells most transitions twice, in a short and in a long form. Where a batch has both, and the long one tells all
 * that the short one does, the short one is left out: the database would make them one, at the price of several. Pure.
 * Guarantees: the rows that are left join into what all of them join into (sql/joins/order_events.sql).
 */
import { stringify } from "../../runtime/jsonText.ts";
import type { OrderEventRow } from "../rows.ts";

export function withoutShortForms(rows: OrderEventRow[]): OrderEventRow[] {
  const longForms = new Map<string, OrderEventRow>();
  for (const row of rows) if (row.orderType !== null) longForms.set(keyOf(row), row);
  if (longForms.size === 0 || longForms.size === rows.length) return rows;
  const firstSightings = new Map<OrderEventRow, OrderEventRow>();
  const left = rows.filter((row) => {
    const long = longForms.get(keyOf(row));
    if (long === undefined || !isToldBy(row, long)) return true;
    if (isSeenBefore(row, firstSightings.get(long) ?? long)) firstSightings.set(long, row);
    return false;
  });
  return left.map((row) => {
    const { seenAtMs, source } = firstSightings.get(row) ?? row;
    return seenAtMs === row.seenAtMs && source === row.source ? row : { ...row, seenAtMs, source };
  });
}

const keyOf = ({ account, orderId, statusTimeMs, venueStatus }: OrderEventRow): string =>
  `${account} ${orderId} ${statusTimeMs} ${venueStatus}`;

function isToldBy(short: OrderEventRow, long: OrderEventRow): boolean {
  return (
    short.orderType === null &&
    short.tif === null &&
    short.triggerPrice === null &&
    (short.reduceOnly === null || short.reduceOnly === long.reduceOnly) &&
    (short.cloid === null || short.cloid === long.cloid) &&
    short.coin === long.coin &&
    short.side === long.side &&
    short.limitPrice === long.limitPrice &&
    short.size === long.size &&
    short.remaining === long.remaining &&
    short.placedAtMs === long.placedAtMs &&
    isLighter(short.raw, long.raw)
  );
}

/** As `hl_internal.weightier` has it, which measures them written its own way: an escape would change the length. */
function isLighter(short: unknown, long: unknown): boolean {
  if (short === null || long === null) return false;
  const text = stringify(long);
  return stringify(short).length < text.length && !text.includes("\\");
}

/** As `hl_internal.seen_before` has it. */
const isSeenBefore = (a: OrderEventRow, b: OrderEventRow): boolean =>
  a.seenAtMs < b.seenAtMs || (a.seenAtMs === b.seenAtMs && a.source < b.source);
