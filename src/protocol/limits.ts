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
