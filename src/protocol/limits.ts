/**
 * Every published or measured limit of the venue, in one place. Each is per IP unless it says otherwise.
 * Read on 2026-10-05; a limit marked (measured) differs from the venue's documentation.
 * @see https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/rate-limits-and-user-limits
 */
export const LIMITS = {
  /** REST weight per sliding minute. */
  weightPerMinute: 1200,
  /** WebSocket connections open at once. */
  connections: 10,
  connectionsPerMinute: 30,
  subscriptions: 1000,
  /** Distinct users over all user subscriptions: 10 documented, 14 accepted (measured 2026-08-02). */
  users: 10,
  clientMessagesPerMinute: 2000,
  inflightPosts: 100,
  /** The venue closes a socket to which it has sent nothing for this long. */
  idleCloseMs: 60_000,
} as const;

/** Depth the venue keeps: what is older is not served any more. */
export const HORIZON = {
  /** Newest fills reachable by `userFillsByTime` (11.8–12 k seen). */
  fills: 10_000,
  /** Newest order rows in `historicalOrders` and `orderStatus`, by count. */
  orders: 2_000,
  /** Newest candles of each interval. */
  candles: 5_000,
} as const;

/** Most rows of a page. */
export const PAGE_ROWS_MAX = 2_000;

/**
 * A page of a time-ordered list with fewer rows than this is complete. Caps differ (2000, 500) and the documentation
 * speaks of 500 "elements or distinct blocks", so anything from the smallest cap on is read as "maybe more".
 */
export const PAGE_ROWS_MAYBE_FULL = 500;

/**
 * What a single value may be. Beyond its limit a value is not understood: it costs what `tolerance.ts` says. "Seen" is the
 * largest of all captures (2023 to 2026).
 */
export const VALUE_LIMITS = {
  /**
   * Characters of a text that a schema names: names, hashes, client ids, decimals. Seen: 66 (a hash), 23 (a decimal). Three
   * of them fit a btree row (2704 bytes), and arithmetic on so many digits is no work.
   */
  textLength: 128,
  /** What goes into an `integer` column. Seen: 100,000,010 (a token). */
  int32: 2_147_483_647,
  /** Row times, [from, to): the venue opened in 2023 (oldest seen: 2023-03-27). Catches seconds, microseconds, 0 and 2^53. */
  fromMs: Date.UTC(2023, 0, 1),
  toMs: Date.UTC(2100, 0, 1),
  /** Levels of nesting in one value. Seen: 9 in a whole answer; `JSON.stringify` overflows the stack below 5000. */
  depth: 64,
  /** Text of one value that no schema names. Seen: 1.2 k in a row that is stored. */
  rawLength: 65_536,
  /** Of a message in quarantine: what is kept of it, and of the reason. The longest frame that is stored whole has 10 k. */
  quarantineLength: 65_536,
  reasonLength: 500,
  /** Rows of one list or entries of one record. Seen: 2000 (a page), 5000 (candles). */
  rows: 10_000,
  /**
   * Values of one frame or answer, counted before it is parsed: millions of small ones take the parser and the collector ten
   * seconds, in which nothing else is done. As many rows as may be, of orders with all their keys, have half of them.
   */
  values: 400_000,
  /** Perp dexes: each takes two subscriptions per account, of 1000 per address. Seen: 9. */
  dexes: 400,
} as const;

/** Whether a row may be of this time, as far as the time alone tells. */
export const isPlausibleMs = (value: unknown): value is number =>
  Number.isSafeInteger(value) &&
  (value as number) >= VALUE_LIMITS.fromMs &&
  (value as number) < VALUE_LIMITS.toMs;

export const NETWORKS = {
  mainnet: { apiUrl: "https://api.hyperliquid.xyz", wsUrl: "wss://api.hyperliquid.xyz/ws" },
  testnet: { apiUrl: "https://api.hyperliquid-testnet.xyz", wsUrl: "wss://api.hyperliquid-testnet.xyz/ws" },
} as const;
export type Network = keyof typeof NETWORKS;

export const CANDLE_INTERVALS = [
  "1m",
  "3m",
  "5m",
  "15m",
  "30m",
  "1h",
  "2h",
  "4h",
  "8h",
  "12h",
  "1d",
  "3d",
  "1w",
  "1M",
] as const;

const CANDLE_UNIT_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  M: 31 * 86_400_000,
};
/** How long one of these intervals is: `15m` → 900000. A month counts as 31 days. */
export const candleMs = (interval: string): number =>
  Number.parseInt(interval, 10) * CANDLE_UNIT_MS[interval.at(-1)!]!;
