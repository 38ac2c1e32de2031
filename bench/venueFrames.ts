/** Frames as the venue sends them, keys in its order and of its usual lengths; a fill has 420 bytes, every trade id is there once. */

export const USER = `0x${"1".repeat(40)}` as const;

const HASH = `0x${"e2".repeat(32)}`;
const NOW_MS = 1_781_528_065_899;

const times = <T>(count: number, one: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => one(i));

const fill = (n: number) => ({
  coin: "BTC",
  px: "66653.0",
  sz: "0.001",
  side: "A",
  time: NOW_MS + n,
  startPosition: "-0.0213",
  dir: "Open Short",
  closedPnl: "0.0",
  hash: HASH,
  oid: 55030848197 + n,
  crossed: false,
  fee: "0.009997",
  tid: 745210434703679 + n,
  feeToken: "USDC",
  twapId: null,
});

/** Frame number `index` of those that hold `fillsPerFrame` each. */
export function fillFrame(index: number, fillsPerFrame: number): string {
  const fills = times(fillsPerFrame, (i) => fill(index * fillsPerFrame + i));
  return JSON.stringify({ channel: "userFills", data: { user: USER, fills } });
}

/** The short form. */
const transition = (n: number) => ({
  order: {
    coin: "ETH",
    side: n % 2 === 0 ? "B" : "A",
    limitPx: `${2_300 + (n % 90)}.5`,
    sz: "0.25",
    oid: 556_696_349_186 + n,
    timestamp: NOW_MS + n,
    origSz: "0.5",
    cloid: `0x${n.toString(16).padStart(32, "0")}`,
  },
  status: n % 3 === 0 ? "open" : "canceled",
  statusTimestamp: NOW_MS + n,
});

const openOrder = (n: number) => ({
  coin: "ETH",
  side: "B",
  limitPx: `${2_300 + (n % 90)}.5`,
  sz: "0.25",
  oid: 556_696_349_186 + n,
  timestamp: NOW_MS + n,
  triggerCondition: "N/A",
  isTrigger: false,
  triggerPx: "0.0",
  children: [],
  isPositionTpsl: false,
  reduceOnly: false,
  orderType: "Limit",
  origSz: "0.5",
  tif: "Gtc",
  cloid: null,
});

/** The long form. */
const longTransition = (n: number) => ({
  order: openOrder(n),
  status: n % 3 === 0 ? "open" : "canceled",
  statusTimestamp: NOW_MS + n,
});

const level = (n: number) => ({ px: `${83_757 + n}.0`, sz: `0.0${1_000 + n}`, n: 1 + n });

const trade = (n: number) => ({
  coin: "BTC",
  side: n % 2 === 0 ? "B" : "A",
  px: "83770.0",
  sz: "0.00819",
  time: NOW_MS + n,
  hash: HASH,
  tid: 437_413_095_582_311 + n,
  users: [USER, `0x${"2".repeat(40)}`],
});

const margin = {
  accountValue: "5000.123456",
  totalNtlPos: "10100.5",
  totalRawUsd: "-5100.25",
  totalMarginUsed: "505.025",
};

const position = (n: number) => ({
  type: "oneWay",
  position: {
    coin: `COIN${n}`,
    szi: n % 2 === 0 ? "0.12345" : "-17.5",
    leverage: { type: "cross", value: 20 },
    entryPx: "100123.4",
    positionValue: "12360.23123",
    unrealizedPnl: "-100.123456",
    returnOnEquity: "-0.2012345",
    liquidationPx: "83211.4512345",
    marginUsed: "618.0115615",
    maxLeverage: 40,
    cumFunding: { allTime: "12.345678", sinceOpen: "1.234567", sinceChange: "0.123456" },
  },
});

const mids = Object.fromEntries(
  times(500, (n) => [n < 200 ? `COIN${n}` : `@${n}`, `${80 + n}.${1_000 + n}`]),
);

/** By channel, frame number `n`, of as many rows as are usual. */
export const FRAMES: Readonly<Record<string, (n: number) => object>> = {
  orderUpdates: (n) => times(10, (i) => transition(n * 10 + i)),
  userHistoricalOrders: (n) => ({ user: USER, orderHistory: times(10, (i) => longTransition(n * 10 + i)) }),
  openOrders: (n) => ({ dex: "", user: USER, orders: times(50, (i) => openOrder(n + i)) }),
  l2Book: (n) => ({ coin: "BTC", time: NOW_MS + n, levels: [times(20, level), times(20, level)] }),
  trades: (n) => times(5, (i) => trade(n * 5 + i)),
  allMids: () => ({ mids }),
  clearinghouseState: (n) => ({
    dex: "",
    user: USER,
    clearinghouseState: {
      marginSummary: margin,
      crossMarginSummary: margin,
      crossMaintenanceMarginUsed: "252.5125",
      withdrawable: "4495.098456",
      assetPositions: times(20, position),
      time: NOW_MS + n,
    },
  }),
};

export const frameOf = (channel: string, n: number): string =>
  JSON.stringify({ channel, data: FRAMES[channel]!(n) });
