/** The columns of every table, in the order in which the exchange's own page has them. */

import type { Column } from "./arrange.ts";
import { digits, dollars, sideCell, signedCell, time, wholes, words } from "./cells.tsx";
import { compare, isDecimal, multiply, negate, sign, subtract, trim } from "./decimal.ts";
import { clock, direction, exact, NOTHING, percent, ratioPercent, short, signed, usd } from "./format.ts";
import { marketName, type Row } from "./model.ts";

const coin: Column = words("coin", "Coin", {
  facet: "All coins",
  value: (row) => marketName(row.coin),
  saved: (row) => row.coin,
  also: (row) => row.coin,
  show: (row) => <strong title={row.coin}>{marketName(row.coin)}</strong>,
});
const hash: Column = words("hash", "Hash", {
  hidden: true,
  show: (row) => <span title={row.hash}>{short(row.hash)}</span>,
});
const source: Column = words("source", "Source", { hidden: true, hint: "How hlsync first saw it" });

export const POSITIONS: Column[] = [
  words("coin", "Coin", {
    facet: "All coins",
    show: (row) => [
      <strong>{row.coin}</strong>,
      <span class="tag">{`${row.leverage_value ?? NOTHING}×${row.leverage_type === "isolated" ? " iso" : ""}`}</span>,
    ],
  }),
  {
    id: "size",
    title: "Size",
    value: (row) => (row.side === "short" ? negate(row.size) : row.size),
    show: (row) => [sideCell(row.side), " ", exact(row.size)],
  },
  dollars("position_value", "Position Value", { hint: "USD" }),
  digits("entry_price", "Entry Price"),
  digits("mark_price", "Mark Price"),
  {
    id: "unrealized_pnl",
    title: "PNL (ROE %)",
    value: (row) => row.unrealized_pnl,
    show: (row) => (
      <span class={direction(row.unrealized_pnl)}>
        {signed(row.unrealized_pnl)}
        {` (${ratioPercent(row.return_on_equity, 1)})`}
      </span>
    ),
  },
  digits("liquidation_price", "Liq. Price", { show: (row) => liquidationPrice(row) }),
  {
    id: "liquidation_distance_pct",
    title: "Distance",
    hint: "From mark to liquidation, in percent of mark",
    value: (row) => row.liquidation_distance_pct,
    show: (row) => distance(row.liquidation_distance_pct),
  },
  dollars("margin_used", "Margin"),
  {
    id: "funding_since_open",
    title: "Funding",
    hint: "Since the position was opened; negative was paid",
    value: (row) => (isDecimal(row.funding_since_open) ? negate(row.funding_since_open) : null),
    show: (row) => signedCell(isDecimal(row.funding_since_open) ? negate(row.funding_since_open) : null),
  },
  words("side", "Side", { hidden: true, facet: "Both sides", show: (row) => sideCell(row.side) }),
  digits("max_leverage", "Max lev.", { hidden: true, show: (row) => row.max_leverage ?? NOTHING }),
  words("dex", "Dex", { hidden: true, show: (row) => row.dex || "main" }),
  time("as_of_ms", "As of", { hidden: true }),
];

/** A price with more digits than the mark has is noise. */
function liquidationPrice({ liquidation_price: price, mark_price: mark }: Row) {
  if (!isDecimal(price)) return NOTHING;
  const places = Math.max(2, isDecimal(mark) ? (mark.split(".")[1]?.length ?? 0) : 2);
  return (price.split(".")[1]?.length ?? 0) > places ? usd(price, places) : exact(price);
}

/** Near liquidation is said in a word, not only in color. */
function distance(pct: unknown) {
  if (!isDecimal(pct)) return NOTHING;
  if (compare(pct, "1000") > 0) return "> 1,000%";
  const isNear = compare(pct, "10") < 0;
  return isNear ? <span class="warn">{`${percent(pct)} near`}</span> : percent(pct);
}

/** A market order carries the worst price it would take: that is no price of the order. */
const isMarket = ({ order_type, tif }: Row) => /Market$/.test(order_type ?? "") || tif === "FrontendMarket";
const orderPrice = (row: Row) => (isMarket(row) ? null : row.limit_price);
const orderValue = (row: Row) => {
  const price = orderPrice(row) ?? trigger(row);
  return isDecimal(row.size) && isDecimal(price) ? trim(multiply(row.size, price)) : null;
};
const trigger = ({ trigger_price }: Row) =>
  isDecimal(trigger_price) && sign(trigger_price) !== 0 ? trigger_price : null;

const ORDER_HEAD: Column[] = [
  words("order_type", "Type", { show: (row) => row.order_type ?? NOTHING }),
  coin,
  words("side", "Direction", { facet: "Both sides", show: (row) => sideCell(row.side) }),
];
const ORDER_TAIL: Column[] = [
  { id: "order_value", title: "Order Value", value: orderValue, show: (row) => usd(orderValue(row)) },
  digits("limit_price", "Price", {
    aligned: true,
    value: orderPrice,
    show: (row) =>
      isMarket(row) ? (
        <span title={`At worst ${exact(row.limit_price)}`}>Market</span>
      ) : (
        exact(row.limit_price)
      ),
  }),
  words("reduce_only", "Reduce Only", {
    value: (row) =>
      row.reduce_only === null || row.reduce_only === undefined ? null : row.reduce_only ? "Yes" : "No",
  }),
  {
    id: "trigger_price",
    title: "Trigger",
    value: trigger,
    aligned: true,
    show: (row) => exact(trigger(row)),
  },
];
const ORDER_REST: Column[] = [
  words("tif", "TIF", { hidden: true, show: (row) => row.tif ?? NOTHING }),
  words("cloid", "Client id", {
    hidden: true,
    show: (row) => <span title={row.cloid}>{short(row.cloid)}</span>,
  }),
  source,
];

export const OPEN_ORDERS: Column[] = [
  time("placed_at_ms", "Time"),
  ...ORDER_HEAD,
  {
    id: "remaining",
    title: "Size",
    hint: "Still open",
    aligned: true,
    value: (row) => trim(subtract(row.size, row.filled)),
    show: (row) => exact(subtract(row.size, row.filled)),
  },
  digits("size", "Original Size", { aligned: true }),
  ...ORDER_TAIL,
  words("status", "Status", { facet: "Every status", show: (row) => statusWords(row.status) }),
  wholes("order_id", "Order ID", { hidden: true }),
  ...ORDER_REST,
];

export const ORDER_HISTORY: Column[] = [
  time("status_time_ms", "Time"),
  ...ORDER_HEAD,
  digits("size", "Size", { aligned: true }),
  digits("filled", "Filled Size", { aligned: true }),
  ...ORDER_TAIL,
  words("status", "Status", {
    facet: "Every status",
    show: (row) => <span title={row.venue_status}>{statusWords(row.status)}</span>,
  }),
  wholes("order_id", "Order ID"),
  words("venue_status", "Venue status", { hidden: true }),
  time("placed_at_ms", "Placed", { hidden: true }),
  ...ORDER_REST,
];

const statusWords = (status: string) => {
  const text = status.replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
};

export const FILLS: Column[] = [
  time("fill_time_ms", "Time"),
  coin,
  words("direction", "Direction", {
    facet: "Every direction",
    show: (row) => (
      <span class={row.side === "buy" ? "up" : "down"} title={row.side}>
        {row.direction || row.side}
      </span>
    ),
  }),
  digits("price", "Price", { aligned: true }),
  digits("size", "Size", { aligned: true }),
  dollars("value", "Trade Value"),
  {
    id: "fee",
    title: "Fee",
    hint: "Negative is a rebate",
    value: (row) => row.fee,
    show: (row) => [usd(row.fee, 4), row.fee_token && row.fee_token !== "USDC" ? ` ${row.fee_token}` : ""],
  },
  {
    id: "closed_pnl",
    title: "Closed PNL",
    hint: "Gross of fees",
    value: (row) => row.closed_pnl,
    show: (row) => (sign(row.closed_pnl) === 0 ? NOTHING : signedCell(row.closed_pnl)),
  },
  words("role", "Role", {
    hidden: true,
    value: (row) => (row.crossed === null ? null : row.crossed ? "taker" : "maker"),
  }),
  words("liquidated", "Liquidation", { hidden: true, value: (row) => (row.liquidation ? "yes" : "") }),
  wholes("order_id", "Order ID", { hidden: true }),
  wholes("trade_id", "Trade ID", { hidden: true }),
  digits("start_position", "Position before", { hidden: true }),
  words("fee_token", "Fee token", { hidden: true }),
  words("cloid", "Client id", { hidden: true, show: (row) => short(row.cloid) }),
  hash,
  source,
];

export const FUNDING: Column[] = [
  time("funding_time_ms", "Time"),
  coin,
  digits("size", "Size", { aligned: true, value: (row) => row.size.replace("-", "") }),
  words("position_side", "Position Side", {
    facet: "Both sides",
    value: (row) => (sign(row.size) < 0 ? "Short" : "Long"),
    show: (row) => sideCell(sign(row.size) < 0 ? "short" : "long"),
  }),
  {
    id: "usdc",
    title: "Payment",
    hint: "Negative was paid",
    value: (row) => row.usdc,
    show: (row) => signedCell(row.usdc, 4),
  },
  {
    id: "funding_rate",
    title: "Rate",
    value: (row) => row.funding_rate,
    show: (row) => ratioPercent(row.funding_rate, 4),
  },
  source,
];

export const LEDGER: Column[] = [
  time("ledger_time_ms", "Time"),
  words("type", "Action", { facet: "Every action" }),
  {
    id: "usdc",
    title: "USDC",
    hint: "Effect on the account",
    value: (row) => row.usdc,
    show: (row) => signedCell(row.usdc),
  },
  words("token", "Token", { show: (row) => row.token ?? NOTHING }),
  digits("amount", "Amount"),
  { ...hash, hidden: false },
  source,
];

export const BALANCES: Column[] = [
  coin,
  digits("total", "Total Balance"),
  {
    id: "available",
    title: "Available Balance",
    value: (row) => trim(subtract(row.total, row.hold)),
    show: (row) => exact(subtract(row.total, row.hold)),
  },
  digits("hold", "In Orders"),
  dollars("entry_notional", "Cost (USDC)"),
];

/** What was found, in words: `BTC: 0.041 missing, 12:03:11 to 12:03:14`. */
export function driftWords({ cause, detail }: Row) {
  const { coin, missing, fromMs, toMs, implied, venue, orderId } = detail ?? {};
  if (cause === "chain") return `${coin}: ${exact(missing)} missing, ${clock(fromMs)} to ${clock(toMs)}`;
  if (cause === "position")
    return `${coin}: fills say ${exact(implied)}, the venue ${exact(venue)}, since ${clock(fromMs)}`;
  if (cause === "order") return `${coin}: order ${orderId} is not open at the venue`;
  const parts = Object.entries(detail ?? {}).map(
    ([name, value]) => `${name} ${/Ms$/.test(name) ? clock(value as number) : value}`,
  );
  return parts.join(", ");
}

export const DRIFT: Column[] = [
  time("found_at_ms", "Found"),
  words("stream", "Stream"),
  words("cause", "Noticed by"),
  words("detail", "What", {
    value: driftWords,
    tellsAmounts: true,
    show: (row) => <span title={JSON.stringify(row.detail)}>{driftWords(row)}</span>,
  }),
  words("outcome", "Outcome", {
    value: (row) => (row.repaired_at_ms === null ? "not explained" : "healed"),
    show: (row) =>
      row.repaired_at_ms === null ? (
        <span class="warn">▲ not explained</span>
      ) : (
        <span class="good">{`✓ healed in ${((row.repaired_at_ms - row.found_at_ms) / 1000).toFixed(1)} s`}</span>
      ),
  }),
];

const SEVERITIES: Record<string, [string, string]> = {
  crit: ["✕ Critical", "down"],
  warn: ["▲ Warning", "warn"],
  info: ["ℹ Info", ""],
};

export const ALERTS: Column[] = [
  time("updated_ms", "Time"),
  words("severity", "Severity", {
    facet: "Every severity",
    show: (row) => {
      const [text, tone] = SEVERITIES[row.severity] ?? [row.severity, ""];
      return <span class={tone}>{text}</span>;
    },
  }),
  words("state", "State", { facet: "Every state", show: (row) => statusWords(row.state) }),
  words("rule", "Rule", { facet: "Every rule" }),
  words("coin", "Coin", { show: (row) => row.coin || NOTHING }),
  words("message", "Message", { tellsAmounts: true }),
  time("started_ms", "Started", { hidden: true }),
  time("fired_ms", "Fired", { hidden: true }),
  time("resolved_ms", "Resolved", { hidden: true }),
  digits("value", "Value", { hidden: true }),
  digits("threshold", "Threshold", { hidden: true }),
];

const DELIVERY_MARKS: Record<string, string> = { delivered: "✓ ", retrying: "↻ ", dead: "✕ ", expired: "– " };
export const DELIVERIES: Column[] = [
  time("last_attempt_ms", "Last attempt"),
  words("endpoint_id", "Endpoint", { facet: "Every endpoint" }),
  words("type", "Event", { facet: "Every event" }),
  time("event_time_ms", "Event time"),
  words("status", "Status", {
    facet: "Every status",
    show: (row) => (
      <span
        class={row.status === "delivered" ? "good" : row.status === "dead" ? "down" : "warn"}
      >{`${DELIVERY_MARKS[row.status] ?? ""}${row.status}`}</span>
    ),
  }),
  wholes("attempts", "Attempts"),
  wholes("status_code", "HTTP"),
  {
    id: "duration_ms",
    title: "Took",
    value: (row) => row.duration_ms,
    show: (row) => (row.duration_ms === null ? NOTHING : `${row.duration_ms} ms`),
  },
  words("error", "Error", { show: (row) => row.error ?? "" }),
  words("webhook_id", "Webhook id", { hidden: true }),
];
