/**
 * What is sent of the venue's object of a row: a mark where the columns of the row tell it to the letter, the object itself
 * otherwise (sql/raw.sql makes it again, ADR 0016). Pure. Guarantees: a marked object is the one that the database gives back,
 * byte for byte as jsonb; whatever is in doubt is not marked.
 */
import { stringify } from "../runtime/jsonText.ts";
import type { FillRow, OrderEventRow } from "../sync/rows.ts";

/** Decimals that `numeric` gives back as they were: no sign of a zero, no needless zero in front, no exponent. */
const STABLE = /^(?!-0(?:\.0+)?$)-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/;
const areStable = (...decimals: readonly string[]): boolean => decimals.every((text) => STABLE.test(text));

/** Nothing is escaped: a text that needs it is not what the venue wrote, and the object is kept. */
const quoted = (text: string | null): string => (text === null ? "null" : `"${text}"`);
const wireSide = (side: "buy" | "sell"): string => (side === "buy" ? "B" : "A");

/** The venue's text of such a fill, but for its end: `,"twapId":null}` or `}`. */
function toldFill(row: FillRow): string {
  const builderFee = row.builderFee === null ? "" : `"builderFee":"${row.builderFee}",`;
  const cloid = row.cloid === null ? "" : `"cloid":"${row.cloid}",`;
  return (
    `{"coin":"${row.coin}","px":"${row.price}","sz":"${row.size}","side":"${wireSide(row.side)}","time":${row.timeMs},` +
    `"startPosition":"${row.startPosition}","dir":"${row.direction}","closedPnl":"${row.closedPnl}",` +
    `"hash":${quoted(row.hash)},"oid":${row.orderId},"crossed":${row.crossed},"fee":"${row.fee}",${builderFee}` +
    `"tid":${row.tradeId},${cloid}"feeToken":${quoted(row.feeToken)}`
  );
}

export function markedFill(row: FillRow): FillRow {
  if (row.raw === null || row.liquidation !== null) return row;
  if (!areStable(row.price, row.size, row.closedPnl, row.fee, row.builderFee ?? "0")) return row;
  const raw = stringify(row.raw);
  const told = toldFill(row);
  if (!raw.startsWith(told)) return row;
  const end = raw.slice(told.length);
  return end === ',"twapId":null}' ? { ...row, raw: true } : end === "}" ? { ...row, raw: false } : row;
}

/** The venue's texts of such an order: the long form, or the short one, where the place of what is told rarely is not known. */
function toldOrders(row: OrderEventRow): readonly string[] {
  const head =
    `{"coin":"${row.coin}","side":"${wireSide(row.side)}","limitPx":"${row.limitPrice}","sz":"${row.remaining}",` +
    `"oid":${row.orderId},"timestamp":${row.placedAtMs},`;
  if (row.orderType !== null)
    return [
      `${head}"triggerCondition":"N/A","isTrigger":false,"triggerPx":"0.0","children":[],"isPositionTpsl":false,` +
        `"reduceOnly":${row.reduceOnly},"orderType":"${row.orderType}","origSz":"${row.size}","tif":${quoted(row.tif)},` +
        `"cloid":${quoted(row.cloid)}}`,
    ];
  const cloid = row.cloid === null ? "" : `,"cloid":"${row.cloid}"`;
  const reduceOnly = row.reduceOnly === null ? "" : `,"reduceOnly":${row.reduceOnly}`;
  const body = `${head}"origSz":"${row.size}"`;
  return [`${body}${cloid}${reduceOnly}}`, `${body}${reduceOnly}${cloid}}`];
}

export function markedOrderEvent(row: OrderEventRow): OrderEventRow {
  if (row.raw === null || !areStable(row.limitPrice, row.remaining, row.size)) return row;
  const raw = stringify(row.raw);
  const end = `,"status":"${row.venueStatus}","statusTimestamp":${row.statusTimeMs}}`;
  return toldOrders(row).some((order) => raw === `{"order":${order}${end}`) ? { ...row, raw: true } : row;
}
