/**
 * One description per table whose rows are versions: of two rows with one key the database keeps the later one
 * (`sql/put/versions.sql`). A description is all that a new table of this kind needs besides its migration and the function that
 * makes its rows: batches, the store, exports, the API, counts and the quarantine read it here. Pure.
 *
 * Keys are our names; the column is the same in snake case, `account` is `account_address`. A `?` may be null. `ms` is a time in
 * Unix milliseconds, `decimal` a string.
 */
import type { Decimal } from "../runtime/decimal.ts";

type Kind = "account" | "text" | "decimal" | "integer" | "id" | "ms" | "boolean" | "json";

interface Described {
  table: `hl_${string}`;
  /** Unique; rows of an export come in this order. */
  key: readonly string[];
  /** When a row happened: the future is not believed, `--since` and the API's pages look at it. Absent where rows have no time. */
  time?: string;
  columns: Readonly<Record<string, Kind | `${Kind}?`>>;
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
    columns: { account: "account", timeMs: "ms", kind: "text", amount: "decimal", raw: "json" },
  },
  lendingInterest: {
    table: "hl_lending_interest",
    key: ["account", "timeMs", "token"],
    time: "timeMs",
    columns: {
      account: "account",
      timeMs: "ms",
      token: "text",
      charged: "decimal",
      earned: "decimal",
      raw: "json",
    },
  },
  /** Present states that are told as a whole, one object each. */
  facts: {
    table: "hl_account_facts",
    key: ["account", "fact"],
    columns: { account: "account", fact: "text", value: "json", asOfMs: "ms" },
  },
} as const satisfies Record<string, Described>;

export type TableName = keyof typeof TABLES;
export const TABLE_NAMES = Object.keys(TABLES) as TableName[];

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

export const described = (name: TableName): Described => TABLES[name];

export const isTable = (list: string): list is TableName => Object.hasOwn(TABLES, list);

export const columnOf = (name: string): string =>
  name === "account" ? "account_address" : name.replace(/[A-Z]/g, (upper) => `_${upper.toLowerCase()}`);
