/**
 * Rows as the store is given them, made without a venue: numbered, all different, in the order of their time. The venue's object
 * is its text, as it is where a frame was read.
 */

import { JsonText } from "../src/runtime/jsonText.ts";
import { orderEventRow } from "../src/sync/normalize.ts";
import type { FillRow, OrderEventRow } from "../src/sync/rows.ts";

const FILLS_PER_ORDER = 4;
const START_MS = 1_790_000_000_000;
const COINS = ["BTC", "ETH", "SOL", "HYPE", "xyz:AAPL"];

export function fill(account: string, n: number): FillRow {
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
    account,
    coin: wire.coin,
    timeMs,
    side: n % 2 ? "sell" : "buy",
    size: wire.sz,
    price: wire.px,
    value: "1234.56789",
    fee: wire.fee,
    feeToken: "USDC",
    startPosition: wire.startPosition,
    closedPnl: "0.0",
    direction: wire.dir,
    orderId: wire.oid,
    tradeId: wire.tid,
    hash: wire.hash,
    crossed: wire.crossed,
    cloid: null,
    builderFee: null,
    twapId: null,
    liquidation: null,
    raw: new JsonText(JSON.stringify(wire)),
    source: "stream",
    seenAtMs: timeMs + 80,
  };
}

/** A transition of order `n`. */
export function transition(account: string, n: number, status: "open" | "canceled"): OrderEventRow {
  const timestamp = START_MS + n * 3;
  const order = {
    coin: COINS[n % COINS.length]!,
    side: n % 2 ? "A" : "B",
    limitPx: `${60_000 + (n % 997)}.5`,
    sz: "0.1",
    oid: 105_000_000_000 + n,
    timestamp,
    origSz: "0.1",
  };
  const statusTimestamp = status === "open" ? timestamp : timestamp + 1_500;
  const raw = { order, status, statusTimestamp };
  return orderEventRow(
    { account, source: "stream", seenAtMs: statusTimestamp + 80 },
    { value: raw as never, raw: new JsonText(JSON.stringify(raw)) },
  );
}
