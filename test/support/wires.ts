/** The venue's objects as captured, for tests that spoil them. */
export const USER = `0x${"a".repeat(40)}`;
export const T = 1_790_000_000_000;

export const position = (coin: string, over: object = {}) => ({
  type: "oneWay",
  position: {
    coin,
    szi: "0.1",
    leverage: { type: "cross", value: 20 },
    entryPx: "100000.0",
    positionValue: "10100.0",
    unrealizedPnl: "100.0",
    returnOnEquity: "0.2",
    liquidationPx: null,
    marginUsed: "505.0",
    maxLeverage: 40,
    cumFunding: { allTime: "0.0", sinceChange: "0.0", sinceOpen: "0.0" },
    ...over,
  },
});

const margin = {
  accountValue: "5000.0",
  totalNtlPos: "10100.0",
  totalRawUsd: "-5100.0",
  totalMarginUsed: "505.0",
};

export const perpState = (assetPositions: unknown, over: object = {}) => ({
  marginSummary: margin,
  crossMarginSummary: { ...margin, accountValue: "4000.0" },
  crossMaintenanceMarginUsed: "100.0",
  withdrawable: "1.0",
  assetPositions,
  time: T,
  ...over,
});

export const balance = (coin: string, over: object = {}) => ({
  coin,
  token: 1,
  total: "5.0",
  hold: "0.0",
  entryNtl: "10.0",
  ...over,
});

export const fill = (over: object = {}) => ({
  coin: "BTC",
  px: "83000.0",
  sz: "0.001",
  side: "B",
  time: T,
  startPosition: "0.0",
  dir: "Open Long",
  closedPnl: "0.0",
  hash: `0x${"1".repeat(64)}`,
  oid: 7,
  crossed: true,
  fee: "0.03",
  tid: 11,
  feeToken: "USDC",
  ...over,
});

export const order = (over: object = {}) => ({
  coin: "BTC",
  side: "B",
  limitPx: "83000.0",
  sz: "0.01",
  oid: 5,
  timestamp: T,
  origSz: "0.01",
  orderType: "Limit",
  tif: "Gtc",
  isTrigger: false,
  triggerPx: "0.0",
  reduceOnly: false,
  children: [],
  ...over,
});

export const transition = (over: object = {}, orderOver: object = {}) => ({
  order: order(orderOver),
  status: "open",
  statusTimestamp: T,
  ...over,
});

/** One more level of nesting than a stack takes. */
export function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = { x: value };
  return value;
}
