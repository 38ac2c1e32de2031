/**
 * One description per table. Batches, the store, exports, the API, counts, metrics and the quarantine read it here. Pure.
 *
 * The tables of `TABLES` hold versions: of two rows with one key the database keeps the later one (`sql/put/versions.sql`). A
 * description is all that a new table of this kind needs besides its migration and the function that makes its rows.
 * Those of `JOINED` have a rule of joining of their own (`sql/put/`), and row types with their meaning in `rows.ts`.
 *
 * Keys are our names; the column is the same in snake case, `account` is `account_address`. A `?` may be null. `ms` is a time in
 * Unix milliseconds, `decimal` a string.
 */
import type { Decimal } from "../runtime/decimal.ts";
import type {
  BalanceRow,
  DashboardRow,
  FillRow,
  FundingRow,
  LedgerRow,
  OrderEventRow,
  PositionRow,
} from "./rows.ts";

type Kind = "account" | "text" | "decimal" | "integer" | "id" | "ms" | "boolean" | "json";

/** Every member of a row, so that none is forgotten. */
type Columns<Row = Record<string, unknown>> = { readonly [Name in keyof Row]: Kind | `${Kind}?` };

interface Described<Row = Record<string, unknown>> {
  table: `hl_${string}`;
  /** Unique; rows of an export come in this order. */
  key: readonly (keyof Row & string)[];
  /** When a row happened: the future is not believed, `--since` and the API's pages look at it. Absent where rows have no time. */
  time?: keyof Row & string;
  /** The timestamp that says the same as `time`, where an index begins with it. */
  index?: string;
  columns: Columns<Row>;
  /** Columns that are called otherwise, or read otherwise than they stand. */
  sql?: Readonly<Partial<Record<keyof Row, string>>>;
  /** What readers get besides the columns, and which of the columns they do not get. */
  readers?: { with: readonly string[]; without?: readonly (keyof Row)[] };
}

/** By the name of the list in a batch. Of two versions an ended one wins, then the one with the later `asOfMs`, then by content. */
export const TABLES = {
  markets: {
    table: "hl_markets",
    key: ["coin"],
    columns: {
      coin: "text",
      dex: "text?",
      kind: "text",
      name: "text",
      base: "text?",
      quote: "text?",
      sizeDecimals: "integer?",
      maxLeverage: "integer?",
      marginTiers: "json?",
      collateralToken: "text?",
      isDelisted: "boolean",
      settlement: "decimal?",
      asOfMs: "ms",
      raw: "json",
    },
  },
  /** The venue's own curves. */
  portfolio: {
    table: "hl_portfolio",
    key: ["account", "scope", "timeMs"],
    time: "timeMs",
    columns: { account: "account", scope: "text", timeMs: "ms", accountValue: "decimal", pnl: "decimal?" },
  },
  twaps: {
    table: "hl_twaps",
    key: ["account", "twapId"],
    time: "asOfMs",
    columns: {
      account: "account",
      twapId: "id",
      coin: "text",
      side: "text",
      size: "decimal",
      executedSize: "decimal",
      executedValue: "decimal",
      minutes: "integer?",
      randomize: "boolean?",
      reduceOnly: "boolean?",
      stopPrice: "decimal?",
      triggerPrice: "decimal?",
      triggerAbove: "boolean?",
      status: "text",
      error: "text?",
      isEnded: "boolean",
      startedMs: "ms",
      asOfMs: "ms",
      raw: "json",
    },
  },
  stakingRewards: {
    table: "hl_staking_rewards",
    key: ["account", "timeMs", "kind"],
    time: "timeMs",
    index: "reward_time",
    columns: { account: "account", timeMs: "ms", kind: "text", amount: "decimal", raw: "json" },
  },
  lendingInterest: {
    table: "hl_lending_interest",
    key: ["account", "timeMs", "token"],
    time: "timeMs",
    index: "interest_time",
    columns: {
      account: "account",
      timeMs: "ms",
      token: "text",
      charged: "decimal",
      earned: "decimal",
      raw: "json",
    },
  },
  /** Present states that the venue sends whole, one object each. */
  facts: {
    table: "hl_account_facts",
    key: ["account", "fact"],
    columns: { account: "account", fact: "text", value: "json", asOfMs: "ms" },
  },
} as const satisfies Record<string, Described>;

export type TableName = keyof typeof TABLES;
export const TABLE_NAMES = Object.keys(TABLES) as TableName[];

/** What we wrote it down with. It is kept to the millisecond, so this is exact. */
const SEEN = { source: "text", seenAtMs: "ms" } as const;
const SEEN_AT = "(extract(epoch from first_seen_at) * 1000)::bigint";

const FILLS = {
  table: "hl_fills",
  key: ["account", "timeMs", "coin", "orderId", "tradeId", "side"],
  time: "timeMs",
  index: "fill_time",
  columns: {
    account: "account",
    coin: "text",
    timeMs: "ms",
    side: "text",
    size: "decimal",
    price: "decimal",
    value: "decimal",
    fee: "decimal",
    feeToken: "text?",
    startPosition: "text?",
    closedPnl: "decimal",
    direction: "text",
    orderId: "id",
    tradeId: "id",
    hash: "text?",
    crossed: "boolean?",
    cloid: "text?",
    builderFee: "decimal?",
    twapId: "id?",
    liquidation: "json?",
    raw: "json?",
    ...SEEN,
  },
  sql: { timeMs: "fill_time_ms", raw: "public.hl_raw_fill(hl_fills)", seenAtMs: SEEN_AT },
} as const satisfies Described<FillRow>;

/** Made by the database, of transitions and fills (ADR 0002): no list of a batch. */
const ORDERS = {
  table: "hl_orders",
  key: ["account", "orderId"],
  time: "statusTimeMs",
  index: "status_at",
  columns: {
    account: "account",
    orderId: "id",
    coin: "text",
    side: "text",
    orderType: "text?",
    tif: "text?",
    size: "decimal",
    limitPrice: "decimal",
    triggerPrice: "decimal?",
    filled: "decimal",
    fillPercentage: "decimal?",
    status: "text",
    venueStatus: "text",
    cloid: "text?",
    reduceOnly: "boolean?",
    placedAtMs: "ms",
    statusTimeMs: "ms",
    lastFillTimeMs: "ms?",
    raw: "json?",
    source: "text",
  },
  sql: {
    placedAtMs: "(extract(epoch from placed_at) * 1000)::bigint",
    raw: "public.hl_raw_order(hl_orders)",
  },
} as const satisfies Described;

const ORDER_EVENTS = {
  table: "hl_order_events",
  key: ["account", "orderId", "statusTimeMs", "venueStatus"],
  time: "statusTimeMs",
  columns: {
    account: "account",
    orderId: "id",
    venueStatus: "text",
    statusTimeMs: "ms",
    coin: "text",
    side: "text",
    limitPrice: "decimal",
    size: "decimal",
    remaining: "decimal",
    placedAtMs: "ms",
    orderType: "text?",
    tif: "text?",
    triggerPrice: "decimal?",
    reduceOnly: "boolean?",
    cloid: "text?",
    raw: "json?",
    ...SEEN,
  },
  sql: { raw: "public.hl_raw_event(hl_order_events)", seenAtMs: SEEN_AT },
} as const satisfies Described<OrderEventRow>;

const POSITIONS = {
  table: "hl_positions",
  key: ["account", "dex", "coin"],
  columns: {
    account: "account",
    dex: "text",
    coin: "text",
    szi: "decimal",
    entryPrice: "decimal?",
    markPrice: "decimal?",
    liquidationPrice: "decimal?",
    positionValue: "decimal",
    marginUsed: "decimal",
    unrealizedPnl: "decimal",
    returnOnEquity: "decimal?",
    leverageType: "text?",
    leverageValue: "integer?",
    maxLeverage: "integer?",
    liquidationDistancePct: "decimal?",
    fundingSinceOpen: "decimal?",
    fundingAllTime: "decimal?",
    raw: "json?",
    asOfMs: "ms",
  },
  sql: { szi: "case side when 'short' then -size else size end", raw: "raw_position" },
  readers: { with: ["side", "size"], without: ["szi"] },
} as const satisfies Described<PositionRow>;

const BALANCES = {
  table: "hl_balances",
  key: ["account", "coin"],
  columns: {
    account: "account",
    coin: "text",
    token: "integer?",
    total: "decimal",
    hold: "decimal",
    entryNotional: "decimal",
    raw: "json?",
    asOfMs: "ms",
  },
  sql: { raw: "raw_balance" },
} as const satisfies Described<BalanceRow>;

const FUNDING = {
  table: "hl_funding",
  key: ["account", "timeMs", "coin"],
  time: "timeMs",
  index: "funding_time",
  columns: {
    account: "account",
    coin: "text",
    timeMs: "ms",
    usdc: "decimal",
    size: "decimal",
    fundingRate: "decimal",
    samples: "integer?",
    raw: "json?",
    ...SEEN,
  },
  sql: { timeMs: "funding_time_ms", raw: "raw_funding", seenAtMs: SEEN_AT },
} as const satisfies Described<FundingRow>;

const LEDGER = {
  table: "hl_ledger",
  key: ["account", "timeMs", "hash", "type", "digest"],
  time: "timeMs",
  index: "ledger_time",
  columns: {
    account: "account",
    timeMs: "ms",
    hash: "text",
    type: "text",
    token: "text?",
    amount: "decimal?",
    digest: "text",
    raw: "json?",
    ...SEEN,
  },
  sql: { timeMs: "ledger_time_ms", raw: "raw_ledger", seenAtMs: SEEN_AT },
  readers: { with: ["usdc"] },
} as const satisfies Described<LedgerRow>;

const DASHBOARD = {
  table: "hl_dashboard",
  key: ["account", "asOfMs"],
  time: "asOfMs",
  index: "as_of",
  columns: {
    account: "account",
    asOfMs: "ms",
    accountValue: "decimal?",
    withdrawable: "decimal",
    totalMarginUsed: "decimal",
    totalNotionalPosition: "decimal",
    totalRawUsd: "decimal",
    maintenanceMargin: "decimal",
    actualLeverage: "decimal?",
    marginUsagePct: "decimal?",
    freeMargin: "decimal?",
    marginLevel: "decimal?",
    liquidationBufferPct: "decimal?",
    totalPositions: "integer",
    totalUnrealizedPnl: "decimal",
    healthScore: "integer?",
    healthStatus: "text",
    healthReason: "text?",
    healthComponents: "json?",
    accountMode: "text",
    accountValueReason: "text?",
    netWorth: "decimal?",
    netWorthReason: "text?",
    netWorthParts: "json?",
    raw: "json?",
    source: "text?",
  },
  sql: { raw: "raw_user_state" },
} as const satisfies Described<Required<DashboardRow>>;

export const JOINED = {
  fills: FILLS,
  orders: ORDERS,
  orderEvents: ORDER_EVENTS,
  positions: POSITIONS,
  balances: BALANCES,
  funding: FUNDING,
  ledger: LEDGER,
  dashboard: DASHBOARD,
} as const;

export type JoinedName = keyof typeof JOINED;
export const JOINED_NAMES = Object.keys(JOINED) as JoinedName[];

interface Values {
  account: string;
  text: string;
  decimal: Decimal;
  integer: number;
  id: number;
  ms: number;
  boolean: boolean;
  json: unknown;
}
type ValueOf<K> = K extends `${infer Kind extends keyof Values}?`
  ? Values[Kind] | null
  : K extends keyof Values
    ? Values[K]
    : never;

/** A row of a described table. */
export type RowOf<T extends TableName> = {
  -readonly [C in keyof (typeof TABLES)[T]["columns"]]: ValueOf<(typeof TABLES)[T]["columns"][C]>;
};

export const described = (name: TableName | JoinedName): Described =>
  isTable(name) ? TABLES[name] : (JOINED[name] as Described);

export const isTable = (list: string): list is TableName => Object.hasOwn(TABLES, list);
export const isJoined = (list: string): list is JoinedName => Object.hasOwn(JOINED, list);

export const columnOf = (name: string): string =>
  name === "account" ? "account_address" : name.replace(/[A-Z]/g, (upper) => `_${upper.toLowerCase()}`);
