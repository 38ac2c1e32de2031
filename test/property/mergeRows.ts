/**
 * Rows that collide: few keys, few values, every optional field now known and now not. Numbers differ in their digits
 * (1.0 and 1.00), raw objects in size, nesting and order of keys, so that every rule of the joins has to decide.
 */
import fc from "fast-check";
import type {
  BalanceRow,
  FillRow,
  FundingRow,
  LedgerRow,
  OrderEventRow,
  PositionRow,
  Source,
} from "../../src/sync/rows.ts";

const T = 1_790_360_256_000;

const decimal = fc.constantFrom("0", "0.0", "0.5", "0.50", "1", "1.0", "1.00", "1.25", "2.0", "3", "10.75");
const signed = fc
  .tuple(fc.boolean(), decimal)
  .map(([negative, d]) => (negative && Number(d) !== 0 ? `-${d}` : d));
const optional = <V>(value: fc.Arbitrary<V>) => fc.option(value, { nil: null });
const source = fc.constantFrom<Source>("stream", "snapshot", "backfill", "reconcile", "repair", "poll");
const timeMs = fc.integer({ min: T, max: T + 3 });
const seen = { source, seenAtMs: fc.integer({ min: T + 100, max: T + 102 }) };
const coin = fc.constantFrom("BTC", "xyz:AAPL", "@107");
const text = fc.constantFrom("a", "B", "é", "😀", "\uffee", "Open Long");
const raw: fc.Arbitrary<unknown> = fc.constantFrom(
  null,
  { a: "1" },
  { b: "1" },
  { a: "2" },
  { sz: "1.0", coin: "BTC" },
  { coin: "BTC", sz: "1.0" },
  { order: { z: [1, "x", null, true], yy: {} }, status: "open" },
  { order: { z: [1, "x", null, false], yy: {} }, status: "open" },
  { é: "ü", 'quote"': "back\\slash", e: 1.5 },
);

/** Every generator makes rows of one account; the property gives it a name. */
export const fillRow = (account: string): fc.Arbitrary<FillRow> =>
  fc.record({
    account: fc.constant(account),
    coin,
    timeMs,
    side: fc.constantFrom("buy", "sell"),
    size: decimal,
    price: decimal,
    value: decimal,
    fee: signed,
    feeToken: optional(text),
    startPosition: signed,
    closedPnl: signed,
    direction: text,
    orderId: fc.integer({ min: 1, max: 3 }),
    tradeId: fc.integer({ min: 0, max: 1 }),
    hash: optional(text),
    crossed: fc.boolean(),
    cloid: optional(text),
    builderFee: optional(decimal),
    twapId: optional(fc.integer({ min: 1, max: 2 })),
    liquidation: optional(fc.constantFrom({ method: "market" }, { method: "backstop", markPx: "1.0" })),
    raw,
    ...seen,
  });

export const orderEventRow = (account: string): fc.Arbitrary<OrderEventRow> =>
  fc.record({
    account: fc.constant(account),
    orderId: fc.integer({ min: 1, max: 3 }),
    venueStatus: fc.constantFrom(
      ...["open", "accepted", "triggered", "filled", "canceled", "marginCanceled", "scheduledCancel"],
      ...["rejected", "iocCancelRejected", "brandNew", "Zebra", "open", "open"],
    ),
    statusTimeMs: timeMs,
    coin,
    side: fc.constantFrom("buy", "sell"),
    limitPrice: decimal,
    size: decimal,
    remaining: decimal,
    placedAtMs: timeMs,
    orderType: optional(text),
    tif: optional(text),
    triggerPrice: optional(decimal),
    reduceOnly: optional(fc.boolean()),
    cloid: optional(text),
    raw,
    ...seen,
  });

export const positionRow = (account: string): fc.Arbitrary<PositionRow> =>
  fc.record({
    account: fc.constant(account),
    dex: fc.constantFrom("", "xyz"),
    coin,
    szi: signed,
    entryPrice: optional(decimal),
    markPrice: optional(decimal),
    liquidationPrice: optional(decimal),
    positionValue: decimal,
    marginUsed: decimal,
    unrealizedPnl: signed,
    returnOnEquity: optional(signed),
    leverageType: optional(fc.constantFrom("cross", "isolated")),
    leverageValue: optional(fc.integer({ min: 1, max: 3 })),
    maxLeverage: optional(fc.integer({ min: 1, max: 3 })),
    liquidationDistancePct: optional(decimal),
    fundingSinceOpen: optional(signed),
    fundingAllTime: optional(signed),
    raw,
    asOfMs: timeMs,
  });

export const balanceRow = (account: string): fc.Arbitrary<BalanceRow> =>
  fc.record({
    account: fc.constant(account),
    coin,
    token: optional(fc.integer({ min: 0, max: 2 })),
    total: decimal,
    hold: signed,
    entryNotional: decimal,
    raw,
    asOfMs: timeMs,
  });

export const fundingRow = (account: string): fc.Arbitrary<FundingRow> =>
  fc.record({
    account: fc.constant(account),
    coin,
    timeMs,
    usdc: signed,
    size: signed,
    fundingRate: signed,
    samples: optional(fc.integer({ min: 1, max: 3 })),
    raw,
    ...seen,
  });

export const ledgerRow = (account: string): fc.Arbitrary<LedgerRow> =>
  fc.record({
    account: fc.constant(account),
    timeMs,
    hash: fc.constantFrom("0x0", "0x1"),
    type: fc.constantFrom("deposit", "send"),
    token: optional(text),
    amount: optional(decimal),
    digest: fc.constantFrom("d1", "d2"),
    raw,
    ...seen,
  });

export const keyOf = {
  fills: (r: FillRow) => [r.coin, r.timeMs, r.orderId, r.tradeId, r.side].join("|"),
  orderEvents: (r: OrderEventRow) => [r.orderId, r.statusTimeMs, r.venueStatus].join("|"),
  positions: (r: PositionRow) => [r.dex, r.coin].join("|"),
  balances: (r: BalanceRow) => r.coin,
  funding: (r: FundingRow) => [r.coin, r.timeMs].join("|"),
  ledger: (r: LedgerRow) => [r.timeMs, r.hash, r.type, r.digest].join("|"),
};

/** What a table holds after these rows, by the pure rule. */
export function joined<R>(
  rows: readonly R[],
  key: (row: R) => string,
  join: (a: R, b: R) => R,
): Map<string, R> {
  const table = new Map<string, R>();
  for (const row of rows) {
    const old = table.get(key(row));
    table.set(key(row), old === undefined ? row : join(old, row));
  }
  return table;
}
