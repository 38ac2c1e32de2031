/** Rows to write in tests of the store, and the content of all tables to compare. */
import type { Database } from "../../src/store/database.ts";
import type {
  BalanceRow,
  Batch,
  ChangeEvent,
  DashboardRow,
  FillRow,
  FundingRow,
  LedgerRow,
  OrderEventRow,
  PositionRow,
  TradeRow,
} from "../../src/sync/rows.ts";

export const ACCOUNT = `0x${"a".repeat(40)}`;
export const OTHER = `0x${"b".repeat(40)}`;
/** A block time. */
export const T = 1_790_360_256_851;

export function fillOf(change: Partial<FillRow> = {}): FillRow {
  return {
    account: ACCOUNT,
    coin: "BTC",
    timeMs: T,
    side: "buy",
    size: "0.5",
    price: "83000.0",
    value: "41500.00",
    fee: "18.675",
    feeToken: "USDC",
    startPosition: "0.0",
    closedPnl: "0.0",
    direction: "Open Long",
    orderId: 556_696_349_186,
    tradeId: 1_058_238_905_423_571,
    hash: `0x${"1".repeat(64)}`,
    crossed: true,
    cloid: null,
    builderFee: null,
    twapId: null,
    liquidation: null,
    raw: { coin: "BTC", px: "83000.0", sz: "0.5" },
    source: "stream",
    seenAtMs: T + 120,
    ...change,
  };
}

export function orderEventOf(change: Partial<OrderEventRow> = {}): OrderEventRow {
  return {
    account: ACCOUNT,
    orderId: 556_696_349_186,
    venueStatus: "open",
    statusTimeMs: T,
    coin: "BTC",
    side: "buy",
    limitPrice: "83000.0",
    size: "2.0",
    remaining: "2.0",
    placedAtMs: T,
    orderType: null,
    tif: null,
    triggerPrice: null,
    reduceOnly: null,
    cloid: null,
    raw: { status: change.venueStatus ?? "open" },
    source: "stream",
    seenAtMs: T + 120,
    ...change,
  };
}

export function positionOf(change: Partial<PositionRow> = {}): PositionRow {
  return {
    account: ACCOUNT,
    dex: "",
    coin: "BTC",
    szi: "0.5",
    entryPrice: "83000.0",
    markPrice: "83100.0",
    liquidationPrice: null,
    positionValue: "41550.0",
    marginUsed: "2077.5",
    unrealizedPnl: "50.0",
    returnOnEquity: "0.024",
    leverageType: "cross",
    leverageValue: 20,
    maxLeverage: 40,
    liquidationDistancePct: null,
    fundingSinceOpen: "0.0",
    fundingAllTime: "1.5",
    raw: { coin: "BTC", szi: change.szi ?? "0.5" },
    asOfMs: T,
    ...change,
  };
}

export function balanceOf(change: Partial<BalanceRow> = {}): BalanceRow {
  return {
    account: ACCOUNT,
    coin: "USDC",
    token: 0,
    total: "1000.0",
    hold: "0.0",
    entryNotional: "0.0",
    raw: { coin: "USDC", total: change.total ?? "1000.0" },
    asOfMs: T,
    ...change,
  };
}

export function fundingOf(change: Partial<FundingRow> = {}): FundingRow {
  return {
    account: ACCOUNT,
    coin: "ETH",
    timeMs: T,
    usdc: "-3.625312",
    size: "49.1477",
    fundingRate: "0.0000417",
    samples: null,
    raw: { coin: "ETH", usdc: "-3.625312" },
    source: "stream",
    seenAtMs: T + 40,
    ...change,
  };
}

export function ledgerOf(change: Partial<LedgerRow> = {}): LedgerRow {
  return {
    account: ACCOUNT,
    timeMs: T,
    hash: `0x${"2".repeat(64)}`,
    type: "deposit",
    token: null,
    amount: null,
    digest: "0123456789abcdef",
    raw: { time: T, hash: `0x${"2".repeat(64)}`, delta: { type: "deposit", usdc: "100.0" } },
    source: "stream",
    seenAtMs: T + 40,
    ...change,
  };
}

export function dashboardOf(change: Partial<DashboardRow> = {}): DashboardRow {
  return {
    account: ACCOUNT,
    asOfMs: T,
    accountValue: "38252.7",
    withdrawable: "486.0",
    totalMarginUsed: "37766.7",
    totalNotionalPosition: "1000000.0",
    totalRawUsd: "-961747.3",
    maintenanceMargin: "12500.0",
    actualLeverage: "26.14",
    marginUsagePct: "98.7",
    freeMargin: "486.0",
    marginLevel: "3.06",
    liquidationBufferPct: "67.3",
    totalPositions: 1,
    totalUnrealizedPnl: "50.0",
    healthScore: 12,
    healthStatus: "critical",
    healthReason: "margin usage",
    accountMode: "standard",
    accountValueReason: null,
    // An account with nothing but perps.
    netWorth: change.accountValue ?? "38252.7",
    netWorthReason: null,
    netWorthParts: null,
    raw: { marginSummary: {} },
    ...change,
  };
}

export function tradeOf(change: Partial<TradeRow> = {}): TradeRow {
  return {
    ...{
      coin: "BTC",
      timeMs: T,
      tradeId: 5,
      side: "sell",
      price: "83000.0",
      size: "1.0",
      hash: null,
      raw: {},
    },
    ...change,
  };
}

/** A row or more of every table that an account has, and market data. */
export const batchOf = (account = ACCOUNT) =>
  ({
    fills: [fillOf({ account })],
    orderEvents: [orderEventOf({ account })],
    positions: [positionOf({ account })],
    balances: [balanceOf({ account })],
    funding: [fundingOf({ account })],
    ledger: [ledgerOf({ account })],
    dashboard: [dashboardOf({ account })],
    coverage: [{ account, stream: "fills", grade: "proven", fromMs: T, toMs: T + 9, reason: null }],
    trades: [tradeOf()],
    candles: [
      {
        coin: "BTC",
        interval: "1m",
        openTimeMs: T,
        closeTimeMs: T + 59_999,
        open: "1.0",
        high: "2.0",
        low: "0.5",
        close: "1.5",
        volume: "10.0",
        trades: 3,
        asOfMs: T,
      },
    ],
    mids: [{ dex: "", coin: "BTC", mid: "83000.5", asOfMs: T }],
    books: [{ coin: "BTC", asOfMs: T, bids: [["1.0", "2.0", 3]], asks: [] }],
  }) satisfies Batch;

const TABLES = [
  "public.hl_fills",
  "public.hl_orders",
  "public.hl_order_events",
  "public.hl_positions",
  "public.hl_balances",
  "public.hl_dashboard",
  "public.hl_funding",
  "public.hl_ledger",
  "public.hl_trades",
  "public.hl_candles",
  "public.hl_mids",
  "public.hl_books",
  "public.hl_asset_ctxs",
  "hl_internal.accounts",
  "hl_internal.coverage",
  "hl_internal.drift",
  "hl_internal.quarantine",
];

/** Rows of every table as text without what the database's clock or a sequence wrote. */
export async function contentOf(database: Database): Promise<Record<string, string[]>> {
  const result: Record<string, string[]> = {};
  for (const table of TABLES) {
    const derived = table === "public.hl_orders" ? "'{}'" : "'{updated_at,created_at,id}'";
    const rows = await database.query<{ row: string }>(
      `select (to_jsonb(t) - ${derived}::text[])::text as row from ${table} t order by 1`,
    );
    if (rows.length > 0) result[table] = rows.map((r) => r.row);
  }
  return result;
}

/** What is in the outbox, in the order of the ids, as `apply` answers it. */
export const outboxOf = (database: Database): Promise<ChangeEvent[]> =>
  database.query<ChangeEvent & Record<string, unknown>>(
    `select id::text as id, event_key as key, type, account_address as account, time_ms as "timeMs", source, data
     from hl_internal.outbox o order by o.id`,
  );

/** Which transaction wrote each row, and where it lies: differs when a row was rewritten, even with the same content. */
export async function versionsOf(database: Database): Promise<Record<string, string[]>> {
  const result: Record<string, string[]> = {};
  for (const table of [...TABLES, "hl_internal.outbox"]) {
    // A lock leaves its mark in xmax only; the accounts are locked by every write.
    const rows = await database.query<{ v: string }>(
      `select t.tableoid::regclass || ' ' || t.ctid || ' ' || t.xmin as v from ${table} t order by 1`,
    );
    result[table] = rows.map((r) => r.v);
  }
  return result;
}
