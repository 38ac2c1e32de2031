/**
 * An account with a history, made up from a seed and written through the store: fills whose positions chain and whose
 * profit follows from their prices, hourly funding, deposits, snapshots, orders, coverage, drift and latency. Money is
 * counted in whole cents and sizes in whole lots, so that every text is exact.
 */
import { seededRandom } from "../../src/runtime/random.ts";
import type { DatabaseStore } from "../../src/store/store.ts";
import { dexOfCoin } from "../../src/sync/dexes.ts";
import type {
  Batch,
  DashboardRow,
  FillRow,
  FundingRow,
  LedgerRow,
  OrderEventRow,
  PositionRow,
} from "../../src/sync/rows.ts";
import { TRACKED_STREAMS } from "../../src/sync/rows.ts";

export const ACCOUNT = `0x${"5a".repeat(20)}`;
const HOUR_MS = 3_600_000;
const START_USD = 100_000;
/** How much better than the price the account trades: it must earn its fees. */
const EDGE = 0.0007;

interface Market {
  coin: string;
  price: number;
  /** Decimals of the price and of the size. */
  priceDecimals: number;
  sizeDecimals: number;
  /** Typical size of one fill. */
  lot: number;
  leverage: number;
  hourlyMove: number;
}
const MARKETS: readonly Market[] = [
  {
    coin: "BTC",
    price: 81_250,
    priceDecimals: 0,
    sizeDecimals: 5,
    lot: 0.05,
    leverage: 20,
    hourlyMove: 0.004,
  },
  { coin: "ETH", price: 2_140, priceDecimals: 1, sizeDecimals: 4, lot: 1.4, leverage: 15, hourlyMove: 0.005 },
  { coin: "SOL", price: 86.4, priceDecimals: 3, sizeDecimals: 2, lot: 30, leverage: 10, hourlyMove: 0.006 },
  { coin: "HYPE", price: 41.2, priceDecimals: 3, sizeDecimals: 2, lot: 55, leverage: 5, hourlyMove: 0.007 },
];

interface Book {
  market: Market;
  price: number;
  /** Signed, in units of the coin. */
  size: number;
  entry: number;
  candles: [number, string, string, string, string, string][];
}

export interface MadeAccount {
  fills: number;
  candles(coin: string): [number, string, string, string, string, string][];
  /** A further fill, as if it came now. */
  nextFill(timeMs: number): FillRow;
}

/** Writes `fills` fills that end at `nowMs`, `spacingMs` apart on average. */
export async function makeAccount(
  store: DatabaseStore,
  {
    fills: count,
    nowMs,
    seed,
    spacingMs = 430_000,
    account = ACCOUNT,
    alias = "main",
  }: { fills: number; nowMs: number; seed: number; spacingMs?: number; account?: string; alias?: string },
): Promise<MadeAccount> {
  const random = seededRandom(seed);
  const normal = () => (random.next() + random.next() + random.next() - 1.5) * 1.15;
  const books: Book[] = MARKETS.map((market) => ({
    market,
    price: market.price,
    size: 0,
    entry: 0,
    candles: [],
  }));
  const steps = Array.from({ length: count }, () =>
    Math.max(40, Math.round(spacingMs * (0.02 + random.next() ** 2 * 2.94))),
  );
  const startMs = nowMs - 4_000 - steps.reduce((sum, step) => sum + step, 0);
  const fills: FillRow[] = [];
  const funding: FundingRow[] = [];
  const dashboard: DashboardRow[] = [];
  const orderEvents: OrderEventRow[] = [];
  const flows = ledger(startMs, nowMs);
  let cash = 0;
  let flowed = 0;
  const flow = (untilMs: number) => {
    for (; flowed < flows.length && flows[flowed]!.timeMs <= untilMs; flowed++) cash += LEDGER[flowed]!.usdc;
  };
  let orderId = 556_000_100_000;

  const unrealized = () => books.reduce((sum, { size, price, entry }) => sum + size * (price - entry), 0);
  const snapshot = (asOfMs: number) => {
    const notional = books.reduce((sum, { size, price }) => sum + Math.abs(size) * price, 0);
    const margin = books.reduce(
      (sum, { size, price, market }) => sum + (Math.abs(size) * price) / market.leverage,
      0,
    );
    dashboard.push(dashboardRow(asOfMs, cash + unrealized(), notional, margin, unrealized(), books));
  };

  for (let index = 0, timeMs = startMs; index < count; index++) {
    const stepMs = steps[index]!;
    const nextMs = timeMs + stepMs;
    for (let hour = Math.ceil((timeMs + 1) / HOUR_MS) * HOUR_MS; hour <= nextMs; hour += HOUR_MS) {
      for (const book of books) {
        const paid = fundingRow(book, hour + 3, random.next());
        if (paid) {
          funding.push(paid);
          cash += Number(paid.usdc);
        }
      }
      flow(hour);
      snapshot(hour);
    }
    timeMs = nextMs;
    flow(timeMs);
    for (const book of books)
      move(book, timeMs, normal() * book.market.hourlyMove * Math.sqrt(stepMs / HOUR_MS));
    const book = books[Math.floor(random.next() ** 1.4 * books.length)]!;
    const fill = trade(book, timeMs, index, orderId, random.next(), random.next());
    cash += Number(fill.closedPnl) - Number(fill.fee);
    fills.push(fill);
    orderEvents.push(...orderOf(fill, orderId));
    orderId += 7 + Math.floor(random.next() * 40);
  }
  snapshot(nowMs - 3_000);

  const batches: Batch[] = [];
  for (let from = 0; from < fills.length; from += 2_000) {
    batches.push({
      fills: fills.slice(from, from + 2_000),
      orderEvents: orderEvents.slice(from * 2, (from + 2_000) * 2),
    });
  }
  batches.push({
    funding,
    dashboard,
    ledger: ledger(startMs, nowMs),
    positions: positions(books, nowMs - 3_000),
  });
  batches.push({ orderEvents: restingOrders(books, nowMs, orderId) });
  batches.push({ balances: balances(nowMs - 3_000) });
  const states = [...new Set(books.map(({ market }) => dexOfCoin(market.coin)))].map((dex) => ({
    account: ACCOUNT,
    kind: "perp" as const,
    dex,
    coins: null,
    asOfMs: nowMs - 3_000,
    receivedAtMs: nowMs,
  }));
  batches.push({ states });
  batches.push(proof(startMs, nowMs));
  await store.openAccount(account, alias, startMs);
  for (const batch of batches)
    await store.apply(JSON.parse(JSON.stringify(batch).replaceAll(ACCOUNT, account)) as Batch);
  await store.database.query(LATENCY_SQL, [nowMs - (nowMs % 60_000)]);
  return {
    fills: count,
    candles: (coin) => books.find(({ market }) => market.coin === coin)?.candles ?? [],
    nextFill(timeMs) {
      const book = books[Math.floor(random.next() * books.length)]!;
      move(book, timeMs, normal() * 0.0004);
      return trade(book, timeMs, count++, orderId++, random.next(), random.next());
    },
  };
}

/** Moves the price and keeps its candles of one minute, as far as they are recent enough to be looked at. */
function move(book: Book, timeMs: number, part: number): void {
  const { market, candles } = book;
  const before = book.price;
  book.price = Math.max(market.price * 0.4, before * (1 + part));
  const text = (value: number) => value.toFixed(market.priceDecimals);
  const openMs = timeMs - (timeMs % 900_000);
  const last = candles.at(-1);
  const close = book.price;
  if (last?.[0] === openMs) {
    last[2] = text(Math.max(Number(last[2]), close));
    last[3] = text(Math.min(Number(last[3]), close));
    last[4] = text(close);
  } else {
    const spread = Math.abs(close - before) * 0.3 + close * 0.0006;
    candles.push([
      openMs,
      text(before),
      text(Math.max(before, close) + spread),
      text(Math.min(before, close) - spread),
      text(close),
      "1",
    ]);
    if (candles.length > 1_000) candles.shift();
  }
}

/** Trades with the position towards a limit, then back: about 54 % of the ways are won. */
function trade(
  book: Book,
  timeMs: number,
  index: number,
  orderId: number,
  luck: number,
  share: number,
): FillRow {
  const { market } = book;
  const unit = 10 ** -market.sizeDecimals;
  const size = Math.max(unit, Math.round((market.lot * (0.3 + share * 1.4)) / unit) * unit);
  const limit = market.lot * 8;
  const isWinning = book.size * (book.price - book.entry) > 0;
  const away = Math.abs(book.size) < limit && (book.size === 0 || luck < (isWinning ? 0.38 : 0.52));
  const buys = book.size === 0 ? luck < 0.57 : away === book.size > 0;
  const before = book.size;
  const moved = buys ? size : -size;
  const price = Number((book.price * (buys ? 1 - EDGE : 1 + EDGE)).toFixed(market.priceDecimals));
  const closing =
    before !== 0 && Math.sign(before) !== Math.sign(moved) ? Math.min(Math.abs(before), size) : 0;
  const closedPnl = closing * (price - book.entry) * Math.sign(before);
  const after = Number((before + moved).toFixed(market.sizeDecimals));
  if (closing === 0) book.entry = (Math.abs(before) * book.entry + size * price) / (Math.abs(before) + size);
  else if (Math.sign(after) !== Math.sign(before)) book.entry = price;
  book.size = after;
  const crossed = luck > 0.45;
  const sizeText = size.toFixed(market.sizeDecimals);
  const priceText = price.toFixed(market.priceDecimals);
  const value = (BigInt(sizeText.replace(".", "")) * BigInt(priceText.replace(".", ""))).toString();
  const scale = market.sizeDecimals + market.priceDecimals;
  return {
    account: ACCOUNT,
    coin: market.coin,
    timeMs,
    side: buys ? "buy" : "sell",
    size: sizeText,
    price: priceText,
    value: `${value.padStart(scale + 1, "0").slice(0, -scale)}.${value.padStart(scale + 1, "0").slice(-scale)}`,
    fee: (size * price * (crossed ? 0.00045 : 0.00015)).toFixed(6),
    feeToken: "USDC",
    startPosition: before.toFixed(market.sizeDecimals),
    closedPnl: closedPnl.toFixed(6),
    direction: directionOf(before, moved, closing, size),
    orderId,
    tradeId: 900_000_000_000 + index,
    hash: `0x${(index + 1).toString(16).padStart(64, "0")}`,
    crossed,
    cloid: null,
    builderFee: null,
    twapId: null,
    liquidation: null,
    raw: null,
    source: "backfill",
    seenAtMs: timeMs + 180,
  };
}

function directionOf(before: number, moved: number, closing: number, size: number): string {
  const side = (value: number) => (value > 0 ? "Long" : "Short");
  if (closing === 0) return `Open ${side(moved)}`;
  return closing < size ? `${side(before)} > ${side(moved)}` : `Close ${side(before)}`;
}

const orderBase = (fill: FillRow) => ({
  account: ACCOUNT,
  coin: fill.coin,
  side: fill.side,
  limitPrice: fill.price,
  size: fill.size,
  orderType: "Limit",
  tif: fill.crossed ? "Ioc" : "Gtc",
  triggerPrice: "0.0",
  reduceOnly: fill.direction.startsWith("Close"),
  cloid: null,
  raw: null,
  source: "backfill" as const,
});

const orderOf = (fill: FillRow, orderId: number): OrderEventRow[] => {
  const placedAtMs = fill.timeMs - (fill.crossed ? 0 : 9_000);
  const base = { ...orderBase(fill), orderId, placedAtMs, seenAtMs: fill.seenAtMs };
  return [
    { ...base, venueStatus: "open", statusTimeMs: placedAtMs, remaining: fill.size },
    { ...base, venueStatus: "filled", statusTimeMs: fill.timeMs, remaining: "0.0" },
  ];
};

function restingOrders(books: readonly Book[], nowMs: number, orderId: number): OrderEventRow[] {
  return books.flatMap(({ market, price, size }, index) =>
    [-0.012, 0.009, 0.024].map((away, step): OrderEventRow => {
      const isStop = step === 0;
      const reduces = isStop || (size > 0 ? away > 0 : away < 0);
      const text = (price * (1 + (size > 0 ? away : -away))).toFixed(market.priceDecimals);
      const open = (market.lot * (1 + step)).toFixed(market.sizeDecimals);
      return {
        account: ACCOUNT,
        orderId: orderId + index * 10 + step,
        venueStatus: "open",
        statusTimeMs: nowMs - (index * 3 + step + 1) * 1_900_000,
        coin: market.coin,
        side: size > 0 ? "sell" : "buy",
        limitPrice: text,
        size: open,
        remaining: open,
        placedAtMs: nowMs - (index * 3 + step + 1) * 1_900_000,
        orderType: isStop ? "Stop Market" : "Limit",
        tif: isStop ? null : "Gtc",
        triggerPrice: isStop ? text : "0.0",
        reduceOnly: reduces,
        cloid: null,
        raw: null,
        source: "stream",
        seenAtMs: nowMs - 1_000,
      };
    }),
  );
}

function fundingRow(book: Book, timeMs: number, luck: number): FundingRow | null {
  if (book.size === 0) return null;
  const rate = (luck - 0.42) * 0.00003;
  return {
    account: ACCOUNT,
    coin: book.market.coin,
    timeMs,
    usdc: (-book.size * book.price * rate).toFixed(6),
    size: String(book.size),
    fundingRate: rate.toFixed(10),
    samples: null,
    raw: null,
    source: "backfill",
    seenAtMs: timeMs + 400,
  };
}

const LEDGER = [
  { part: 0, type: "deposit", usdc: START_USD },
  { part: 0.34, type: "deposit", usdc: 15_000 },
  { part: 0.71, type: "withdraw", usdc: -8_000 },
] as const;

const ledger = (startMs: number, nowMs: number): LedgerRow[] =>
  LEDGER.map(({ part, type, usdc }, index) => {
    const timeMs = Math.round(startMs - 60_000 + (nowMs - startMs) * part);
    return {
      account: ACCOUNT,
      timeMs,
      hash: `0x${(index + 9).toString(16).repeat(64).slice(0, 64)}`,
      type,
      token: null,
      amount: null,
      digest: `${index}`.padStart(16, "0"),
      raw: { delta: { type, usdc: String(Math.abs(usdc)), ...(usdc < 0 ? { fee: "0" } : {}) } },
      source: "backfill",
      seenAtMs: timeMs,
    };
  });

function dashboardRow(
  asOfMs: number,
  equity: number,
  notional: number,
  margin: number,
  unrealizedPnl: number,
  books: readonly Book[],
): DashboardRow {
  const text = (value: number) => value.toFixed(6);
  return {
    account: ACCOUNT,
    asOfMs,
    accountValue: text(equity),
    withdrawable: text(equity - margin),
    totalMarginUsed: text(margin),
    totalNotionalPosition: text(notional),
    totalRawUsd: text(equity),
    maintenanceMargin: text(margin / 2),
    actualLeverage: text(notional / equity),
    marginUsagePct: text((100 * margin) / equity),
    freeMargin: text(equity - margin),
    marginLevel: margin === 0 ? null : text(equity / (margin / 2)),
    liquidationBufferPct: text(100 - (50 * margin) / equity),
    totalPositions: books.filter(({ size }) => size !== 0).length,
    totalUnrealizedPnl: text(unrealizedPnl),
    healthScore: 91,
    healthStatus: "excellent",
    healthReason: "SOL is 6.8 daily moves from liquidation",
    accountMode: "standard",
    accountValueReason: null,
    netWorth: text(equity),
    netWorthReason: null,
    raw: null,
  };
}

const positions = (books: readonly Book[], asOfMs: number): PositionRow[] =>
  books
    .filter(({ size }) => size !== 0)
    .map(({ market, size, price, entry }) => {
      const mark = price.toFixed(market.priceDecimals);
      const value = Math.abs(size) * Number(mark);
      const margin = value / market.leverage;
      const pnl = size * (Number(mark) - entry);
      const liquidation = price * (size > 0 ? 0.31 : 1.74);
      return {
        account: ACCOUNT,
        dex: "",
        coin: market.coin,
        szi: size.toFixed(market.sizeDecimals),
        entryPrice: entry.toFixed(market.priceDecimals + 1),
        markPrice: mark,
        liquidationPrice: liquidation.toFixed(market.priceDecimals + 1),
        positionValue: value.toFixed(6),
        marginUsed: margin.toFixed(6),
        unrealizedPnl: pnl.toFixed(6),
        returnOnEquity: (pnl / margin).toFixed(10),
        leverageType: "cross",
        leverageValue: market.leverage,
        maxLeverage: market.leverage * 2,
        liquidationDistancePct: (size > 0 ? 69 : 74).toFixed(6),
        fundingSinceOpen: (size * 0.9).toFixed(6),
        fundingAllTime: (size * 2).toFixed(6),
        raw: null,
        asOfMs,
      };
    });

const balances = (asOfMs: number): NonNullable<Batch["balances"]> =>
  [
    { coin: "USDC", token: 0, total: "2418.330071", hold: "120.5", entryNotional: "0.0" },
    { coin: "HYPE", token: 150, total: "84.21", hold: "0.0", entryNotional: "3341.02" },
  ].map((row) => ({ account: ACCOUNT, ...row, raw: null, asOfMs }));

function proof(startMs: number, nowMs: number): Batch {
  const ordersFromMs = nowMs - 9 * 86_400_000;
  const base = { account: ACCOUNT, reason: null };
  const coverage: Batch["coverage"] = TRACKED_STREAMS.flatMap((stream) => {
    const fromMs = stream === "orders" ? ordersFromMs : startMs;
    return [
      { ...base, stream, grade: "proven" as const, fromMs, toMs: nowMs - 140_000 },
      { ...base, stream, grade: "streamed" as const, fromMs: nowMs - 6 * HOUR_MS, toMs: nowMs - 500 },
    ];
  });
  const reason = "older than the orders that the venue still lists (it keeps them by count)";
  coverage.push({
    account: ACCOUNT,
    stream: "orders",
    grade: "unprovable",
    reason,
    fromMs: startMs,
    toMs: ordersFromMs - 1,
  });
  const found = [19.4, 11.2, 3.1].map((hours, index) => ({
    account: ACCOUNT,
    stream: index === 1 ? "orders" : "fills",
    cause: index === 1 ? "order" : "chain",
    detail:
      index === 1
        ? { coin: "ETH", orderId: 556_000_100_777 }
        : {
            coin: "BTC",
            missing: "0.041",
            fromMs: Math.round(nowMs - hours * HOUR_MS - 3_400),
            toMs: Math.round(nowMs - hours * HOUR_MS),
          },
    foundAtMs: Math.round(nowMs - hours * HOUR_MS),
    repairedAtMs: Math.round(nowMs - hours * HOUR_MS + 430 + index * 210),
  }));
  return { coverage, drift: found };
}

const LATENCY_SQL = `
  insert into hl_internal.latency_minutes (minute_ms, hop, instance, samples, p50_ms, p90_ms, p99_ms, max_ms)
  select $1::bigint - m * 60000, hop, 'made', 20 + m % 17, base, (base * 1.4)::int, (base * (1.5 + 1.9 * (((hashint4(m) & 1023) / 1023.0) ^ 4)))::int,
    (base * 3.1)::int
  from generate_series(1, 330) m
  cross join (values ('received', 212), ('committed', 5), ('published', 1), ('painted', 14), ('total', 220)) as h(hop, base)
  on conflict do nothing`;
