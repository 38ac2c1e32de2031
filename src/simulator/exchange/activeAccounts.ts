/**
 * Configured accounts that trade at a given rate, as a bot would: market orders, resting orders that are hit, orders
 * that are placed and canceled, sometimes several in one transaction. Guarantees: about `fillsPerSecond` fills a
 * second over time; positions stay within a few order sizes because every second trade leans against the position.
 */

import type { Decimal } from "../../runtime/decimal.ts";
import { type Random, seededRandom } from "../../runtime/random.ts";
import { type Account, positionOf } from "./account.ts";
import { bestAsk, bestBid } from "./book.ts";
import { end } from "./ending.ts";
import { type Fixed, fixed, toFloat, toTick } from "./fixed.ts";
import type { Market } from "./market.ts";
import { type Outcome, place } from "./matching.ts";
import type { Order } from "./order.ts";
import { paceAt } from "./pace.ts";
import { fund, type Ladder, lots, takeAt, usdcOf } from "./traders.ts";
import { mint } from "./transfers.ts";
import { startTwap } from "./twap.ts";
import { accountOf, beginTransaction, type World } from "./world.ts";

export interface ActiveAccount {
  user: string;
  fillsPerSecond: number;
  /** Orders placed and canceled without a fill, per second; as many as fills by default. */
  quietOrdersPerSecond?: number;
  /** TWAP orders of five minutes started per hour; none by default. */
  twapsPerHour?: number;
  /** Coins to trade; BTC, ETH and SOL by default. */
  coins?: readonly string[];
  /** Dollars per order. */
  orderUsd?: number;
  /** "0" for an account that has its money already. */
  depositUsd?: Decimal;
  /** Chance that a fill is of a resting (maker) order. */
  makerShare?: number;
  /** The part of half the spread that a resting order earns, 0 to 1; in the middle of the book by default. */
  edge?: number;
  /** Dollars of a position that trades lean against, and of each token of its pairs that it holds on average. */
  inventoryUsd?: number;
  /** Share of orders that carry a cloid. */
  cloidShare?: number;
}

const DEPOSIT_USD = "100000";
const ORDER_USD = 60;
const TOKENS_USD = 20_000;

interface Bot {
  world: World;
  account: Account;
  random: Random;
  ladders: Ladder[];
  orderUsd: number;
  makerShare: number;
  edge: bigint;
  /** See `inventoryUsd`. */
  leanUsd: number;
  tokensUsd: number;
  cloidShare: number;
  deposit: Fixed;
}

/** Starts the account; the first trade comes within one interval. */
export function startActiveAccount(
  world: World,
  ladders: ReadonlyMap<string, Ladder>,
  options: ActiveAccount,
  fromMs: number,
): void {
  const user = options.user.toLowerCase();
  const coins = options.coins ?? ["BTC", "ETH", "SOL"];
  const own = coins.flatMap((coin) => ladders.get(coin) ?? []);
  const account = accountOf(world, user);
  beginTransaction(world);
  equip(world, account, own, options);
  const bot: Bot = {
    world,
    account,
    random: seededRandom(`${world.seed}:active:${user}`),
    ladders: own,
    orderUsd: options.orderUsd ?? ORDER_USD,
    makerShare: options.makerShare ?? 0.4,
    edge: BigInt(Math.round(100 * (options.edge ?? 0))),
    leanUsd: options.inventoryUsd ?? 20 * (options.orderUsd ?? ORDER_USD),
    tokensUsd: options.inventoryUsd ?? TOKENS_USD,
    cloidShare: options.cloidShare ?? 0.5,
    deposit: fixed(options.depositUsd ?? DEPOSIT_USD),
  };
  if (own.length === 0) return;
  repeat(bot, fromMs, options.fillsPerSecond, () => tradeOnce(bot));
  repeat(bot, fromMs, (options.twapsPerHour ?? 0) / 3600, () => startTwapOnce(bot));
  repeat(bot, fromMs, options.quietOrdersPerSecond ?? options.fillsPerSecond, () => quoteOnce(bot));
}

/** Cash on the dexes and tokens of the pairs it will trade. */
function equip(world: World, account: Account, ladders: Ladder[], options: ActiveAccount): void {
  const cash = fixed(options.depositUsd ?? DEPOSIT_USD);
  if (cash === 0n) return;
  fund(world, account, cash, new Set(["", ...ladders.map((ladder) => ladder.market.dex)]));
  const pairs = ladders.filter((ladder) => ladder.market.spot !== null);
  if (pairs.length > 0) mint(world, account, usdcOf(world), cash);
  for (const { market } of pairs) {
    if (market.spot !== null)
      mint(world, account, market.spot.base, startingTokens(market, options.inventoryUsd ?? TOKENS_USD));
  }
}

/** Enough of the base token to sell some first. */
const startingTokens = (market: Market, usd: number): Fixed => lots(market, usd / toFloat(market.oraclePx));

/** Exponential waiting times; none for a rate of zero. They have no memory: each stretch of the past draws its own. */
function repeat(bot: Bot, fromMs: number, perSecond: number, run: () => void): void {
  if (perSecond <= 0) return;
  const pace = paceAt(bot.world.paces, fromMs);
  const meanMs = (1000 * (pace?.slower ?? 1)) / perSecond;
  const dueMs = fromMs - Math.log(Math.max(bot.random.next(), 1e-12)) * meanMs;
  if (pace !== null && dueMs > pace.untilMs) {
    repeat(bot, pace.untilMs, perSecond, run);
    return;
  }
  bot.world.schedule.at(dueMs, () => {
    run();
    repeat(bot, dueMs, perSecond, run);
  });
}

function tradeOnce(bot: Bot): void {
  const { world, account, random } = bot;
  account.requests++;
  const ladder = bot.ladders[Math.floor(random.next() * bot.ladders.length)] as Ladder;
  const { market } = ladder;
  const isBuy = lean(bot, market);
  const sz = lots(market, (bot.orderUsd * (0.5 + random.next())) / toFloat(market.oraclePx));
  if (bestBid(market.book) === undefined || bestAsk(market.book) === undefined) ladder.requote();
  beginTransaction(world);
  if (random.next() < bot.makerShare) {
    const outcome = quote(bot, market, isBuy, sz, true);
    if (outcome.kind === "resting") {
      beginTransaction(world);
      takeAt(world, ladder.taker(), market, !isBuy, sz);
      cancelLater(bot, outcome.order);
    } else refill(bot, market, outcome);
    return;
  }
  refill(bot, market, takeAt(world, account, market, isBuy, sz));
}

/** Fees eat any deposit in the end: who runs dry brings the first deposit again. */
function refill(bot: Bot, market: Market, outcome: Outcome): void {
  if (bot.deposit === 0n || outcome.kind !== "error" || !outcome.text.startsWith("Insufficient margin"))
    return;
  beginTransaction(bot.world);
  fund(bot.world, bot.account, bot.deposit, new Set([market.dex]));
}

/** Half of the trades reduce the position, once it is a few orders large. */
function lean(bot: Bot, market: Market): boolean {
  const { account, random } = bot;
  const held: Fixed =
    market.spot === null
      ? (positionOf(account, market)?.szi ?? 0n)
      : (account.spot.get(market.spot.base.index)?.total ?? 0n) - startingTokens(market, bot.tokensUsd);
  const worth = toFloat(held) * toFloat(market.oraclePx);
  const toward = 0.5 - Math.max(-0.45, Math.min(0.45, worth / bot.leanUsd));
  return random.next() < toward;
}

/** A resting order at the touch (`inside`) or a little away from it. */
function quote(bot: Bot, market: Market, isBuy: boolean, sz: Fixed, inside: boolean): Outcome {
  const bid = bestBid(market.book)?.px ?? market.oraclePx;
  const ask = bestAsk(market.book)?.px ?? market.oraclePx;
  const touch = isBuy ? bid : ask;
  const away = inside ? 0n : (touch * BigInt(1 + Math.floor(bot.random.next() * 40))) / 10_000n;
  // Inside: in front of everybody, up to halfway into the spread, so that the next taker meets it first.
  const into = ((ask - bid) * (100n - bot.edge)) / 200n;
  const px = isBuy ? touch + (inside ? into : -away) : touch - (inside ? into : -away);
  return place(bot.world, bot.account, {
    market,
    isBuy,
    limitPx: toTick(px, market.pxDecimals, !isBuy),
    sz,
    tif: bot.random.next() < 0.5 ? "Gtc" : "Alo",
    cloid: bot.random.next() < bot.cloidShare ? cloidOf(bot) : null,
  });
}

function cloidOf(bot: Bot): string {
  let hex = "";
  for (let i = 0; i < 4; i++)
    hex += Math.floor(bot.random.next() * 4294967296)
      .toString(16)
      .padStart(8, "0");
  return `0x${hex}`;
}

/** Places an order away from the touch, canceled some seconds later. */
function quoteOnce(bot: Bot): void {
  const { world, account, random } = bot;
  const { market } = bot.ladders[Math.floor(random.next() * bot.ladders.length)] as Ladder;
  const isBuy = random.next() < 0.5;
  const sz = lots(market, (bot.orderUsd * (0.5 + random.next())) / toFloat(market.oraclePx));
  account.requests++;
  beginTransaction(world);
  const outcome = quote(bot, market, isBuy, sz, false);
  if (outcome.kind === "resting") cancelLater(bot, outcome.order);
}

function cancelLater({ world, account, random }: Bot, order: Order): void {
  if (!account.orders.has(order.oid)) return;
  world.schedule.at(world.blockMs + 200 + Math.floor(random.next() * 10_000), () => {
    if (!account.orders.has(order.oid)) return;
    beginTransaction(world);
    end(world, account, order, "canceled");
  });
}

const TWAP_MINUTES = 5;

/** Large enough for the venue: ten dollars a minute, and a little more. */
function startTwapOnce({ world, account, random, ladders }: Bot): void {
  const { market } = ladders[Math.floor(random.next() * ladders.length)] as Ladder;
  account.requests++;
  beginTransaction(world);
  startTwap(world, account, {
    market,
    isBuy: random.next() < 0.5,
    sz: lots(market, (TWAP_MINUTES * 40) / toFloat(market.oraclePx)),
    minutes: TWAP_MINUTES,
    reduceOnly: false,
    randomize: random.next() < 0.5,
    trigger: null,
    stopPx: null,
  });
}
