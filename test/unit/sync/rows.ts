/** Rows for tests, with what a test does not care about filled in. */
import type { FillRow, OrderEventRow } from "../../../src/sync/rows.ts";

export const ACCOUNT = `0x${"1".repeat(40)}`;

export function fill(over: Partial<FillRow> & Pick<FillRow, "timeMs">): FillRow {
  return {
    account: ACCOUNT,
    coin: "BTC",
    side: "buy",
    size: "1",
    price: "10",
    value: "10",
    fee: "0",
    feeToken: "USDC",
    startPosition: "0",
    closedPnl: "0",
    direction: "Open Long",
    orderId: over.timeMs,
    tradeId: over.timeMs,
    hash: null,
    crossed: true,
    cloid: null,
    builderFee: null,
    twapId: null,
    liquidation: null,
    raw: {},
    source: "stream",
    seenAtMs: over.timeMs,
    ...over,
  };
}

export function transition(
  orderId: number,
  venueStatus: string,
  over: Partial<OrderEventRow> = {},
): OrderEventRow {
  return {
    account: ACCOUNT,
    orderId,
    venueStatus,
    statusTimeMs: 1_000,
    coin: "BTC",
    side: "buy",
    limitPrice: "10",
    size: "1",
    remaining: "1",
    placedAtMs: 1_000,
    orderType: null,
    tif: null,
    triggerPrice: null,
    reduceOnly: null,
    cloid: null,
    raw: {},
    source: "stream",
    seenAtMs: 1_000,
    ...over,
  };
}
