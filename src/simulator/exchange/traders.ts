/**
 * Simulated traders that keep markets alive. A seeded random walk moves each oracle price; makers quote a ladder
 * around it; takers hit the ladder at random times. Floats are used for the walk and for chances only: prices are
 * rounded to ticks and sizes to lots before they touch anything. Guarantees: same seed, same markets, same options
 * give the same orders; each market draws from its own random stream, so that adding one changes no other.
 */
import { type Random, seededRandom } from "../../runtime/random.ts";
import type { Account } from "./account.ts";
import { end } from "./ending.ts";
import { type Fixed, max, ONE, priceFromFloat, TEN, toFloat, toTick, units } from "./fixed.ts";
import { addressOf } from "./ids.ts";
import { isOutcome, type Market } from "./market.ts";
import { place } from "./matching.ts";
import type { Order } from "./order.ts";
import { dueAgain, paceAt } from "./pace.ts";
import { deposit, mint, sendAsset } from "./transfers.ts";
import type { TokenListing } from "./universe.ts";
import { accountOf, beginTransaction, type World } from "./world.ts";

export interface TraderOptions {
  /** Coins to quote; all that are not delisted by default. */
  coins?: readonly string[];
  /** Ms between two moves of the oracle and the ladder of one market. */
  stepMs: number;
  /** Standard deviation of one day's log return. */
  dailyVolatility: number;
  /** Trades per minute and market by takers among themselves and the makers. */
  takesPerMinute: number;
  /** Price levels of the ladder on each side, and value quoted per level in dollars. */
  levels: number;
  levelUsd: number;
  /** From the centre to the first level, in hundred-thousandths of the price. */
  halfSpread: number;
  /** A price that is already known, such as one of a planned past; null where the market walks by itself. */
  priceAt?: (coin: string, timeMs: number) => number | null;
}

export const DEFAULT_TRADERS: TraderOptions = {
  stepMs: 2000,
  dailyVolatility: 0.04,
  takesPerMinute: 6,
  levels: 8,
  levelUsd: 40_000,
  halfSpread: 5,
};

const MAKERS = 2;
const TAKERS = 4;
const DAY_MS = 86_400_000;
const WEALTH = units(1_000_000_000);

interface Desk {
  world: World;
  market: Market;
  options: TraderOptions;
  random: Random;
  makers: Account[];
  takers: Account[];
  quotes: Order[];
  /** Float state of the walk: fair price and the price it reverts to. */
  fair: number;
  anchor: number;
  /** How far the book leans from the oracle, in hundred-thousandths: what funding is made of. */
  basis: number;
}

/** Box–Muller; one draw of two numbers per sample keeps the stream simple. */
function gaussian(random: Random): number {
  const u = Math.max(random.next(), 1e-12);
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * random.next());
}

/** Gives a trader cash on every dex and every base token, through the ledger like everybody's. */
function endow(world: World, name: string): Account {
  const account = accountOf(world, addressOf(world.seed, name), true);
  fund(world, account, WEALTH, new Set(world.universe.dexes.map((dex) => dex.name)));
  for (const market of world.markets) {
    if (market.spot !== null) mint(world, account, market.spot.base, WEALTH);
  }
  mint(world, account, usdcOf(world), WEALTH);
  return account;
}

export const usdcOf = (world: World): TokenListing =>
  world.universe.tokens.find((token) => token.index === 0) as TokenListing;

/** Deposits `usd` for each dex and sends it there. */
export function fund(world: World, account: Account, usd: Fixed, dexes: ReadonlySet<string>): void {
  // One deposit: two of the same amount in one block could not be told apart.
  deposit(world, account.user, usd * BigInt(dexes.size));
  for (const dex of dexes) {
    if (dex === "") continue;
    sendAsset(world, account, {
      destination: account.user,
      sourceDex: "",
      destinationDex: dex,
      token: usdcOf(world),
      amount: usd,
      nonce: world.blockMs,
    });
  }
}

/** Ladder of one market: used by active accounts to make sure there is something to trade with. */
export interface Ladder {
  market: Market;
  requote(): void;
  /** A trader who will take the other side of a resting order. */
  taker(): Account;
}

const named = <T>(kind: string, count: number, make: (name: string) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(`${kind} ${i}`));

export function startTraders(world: World, options: TraderOptions): Map<string, Ladder> {
  const makers = named("maker", MAKERS, (name) => endow(world, name));
  const takers = named("taker", TAKERS, (name) => endow(world, name));
  const ladders = new Map<string, Ladder>();
  for (const market of world.markets) {
    if (market.halted) continue;
    if (options.coins !== undefined && !options.coins.includes(market.coin)) continue;
    ladders.set(market.coin, openDesk(world, market, options, makers, takers));
  }
  return ladders;
}

/** Makers and takers come to a dex that was not there when they started. */
export function joinDex(
  world: World,
  ladders: Map<string, Ladder>,
  markets: readonly Market[],
  options: TraderOptions,
): void {
  const trader = (name: string) => accountOf(world, addressOf(world.seed, name), true);
  const makers = named("maker", MAKERS, trader);
  const takers = named("taker", TAKERS, trader);
  for (const account of [...makers, ...takers])
    fund(world, account, WEALTH, new Set(markets.map(({ dex }) => dex)));
  for (const market of markets) ladders.set(market.coin, openDesk(world, market, options, makers, takers));
}

function openDesk(
  world: World,
  market: Market,
  options: TraderOptions,
  makers: Account[],
  takers: Account[],
): Ladder {
  const random = seededRandom(`${world.seed}:desk:${market.coin}`);
  const fromMs = Math.max(world.startMs, world.nowMs);
  const planned = options.priceAt?.(market.coin, fromMs) ?? null;
  if (planned !== null) market.oraclePx = priceFromFloat(planned, market.pxDecimals);
  const price = toFloat(market.oraclePx);
  const desk: Desk = {
    world,
    market,
    options,
    random,
    makers,
    takers,
    quotes: [],
    fair: price,
    anchor: price,
    basis: 0,
  };
  requote(desk);
  scheduleStep(desk, fromMs + Math.floor(random.next() * options.stepMs));
  // Until then trades come with the steps.
  scheduleTake(desk, Math.max(fromMs, world.paces.at(-1)?.untilMs ?? 0));
  return { market, requote: () => requote(desk), taker: () => pick(desk.takers, random) };
}

const pick = (accounts: Account[], random: Random): Account =>
  accounts[Math.floor(random.next() * accounts.length)] as Account;

function scheduleStep(desk: Desk, dueMs: number): void {
  desk.world.schedule.at(dueMs, () => {
    if (desk.market.halted) return;
    step(desk, dueMs);
    scheduleStep(desk, dueAgain(desk.world.paces, dueMs, desk.options.stepMs));
  });
}

/** Geometric walk with a weak pull to the anchor, so that months of virtual time keep prices plausible. */
function step(desk: Desk, dueMs: number): void {
  const { market, options, random, world } = desk;
  const sigma = options.dailyVolatility * Math.sqrt(options.stepMs / DAY_MS);
  // The oracle may have been set from outside: walk on from where it is.
  const current = toFloat(market.oraclePx);
  if (Math.abs(current / desk.fair - 1) > 0.001) {
    desk.fair = current;
    desk.anchor = current;
  }
  const pull = (0.05 * options.stepMs * Math.log(desk.anchor / desk.fair)) / DAY_MS;
  desk.basis = 0.98 * desk.basis + 3 * gaussian(random);
  desk.fair = within(world, market, desk.fair * Math.exp(pull + sigma * gaussian(random)));
  const planned = options.priceAt?.(market.coin, dueMs) ?? null;
  if (planned !== null) {
    desk.fair = planned;
    desk.anchor = planned;
  }
  market.oraclePx = priceFromFloat(desk.fair, market.pxDecimals);
  world.moved.add(market);
  requote(desk);
  for (let takes = paceAt(world.paces, dueMs)?.takes ?? 0; takes > 0; takes--) take(desk);
}

/** Both sides of an outcome are worth 1 together: the second follows the first. */
function within(world: World, market: Market, fair: number): number {
  if (!isOutcome(market)) return fair;
  const first = market.asset % 10 === 0 ? undefined : world.byAsset.get(market.asset - 1);
  const px = first === undefined ? fair : 1 - toFloat(first.oraclePx);
  return Math.min(0.95, Math.max(0.05, px));
}

/** Cancels the old ladder and quotes a new one around the oracle, level by level further apart. */
function requote(desk: Desk): void {
  const { market, options, random, world } = desk;
  beginTransaction(world);
  for (const order of desk.quotes) {
    const owner = accountOf(world, order.user);
    if (owner.orders.has(order.oid)) end(world, owner, order, "canceled");
  }
  desk.quotes = [];
  const levels = paceAt(world.paces, world.blockMs)?.levels ?? options.levels;
  for (let level = 0; level < levels; level++) {
    const owner = desk.makers[level % desk.makers.length] as Account;
    for (const isBuy of [true, false]) {
      const px = levelPx(desk, isBuy, level);
      const sz = lots(market, (options.levelUsd * (0.5 + random.next())) / toFloat(px));
      const outcome = place(world, owner, { market, isBuy, limitPx: px, sz, tif: "Alo" });
      if (outcome.kind === "resting") desk.quotes.push(outcome.order);
    }
  }
}

/** `halfSpread` from the centre at the top (at least one tick), two basis points more per level. */
function levelPx({ market, basis, options }: Desk, isBuy: boolean, level: number): Fixed {
  const centre = (market.oraclePx * BigInt(100_000 + Math.round(basis))) / 100_000n;
  const tick = tickAt(market);
  const distance = max(
    (centre * BigInt(options.halfSpread + 20 * level)) / 100_000n,
    tick * BigInt(level + 1),
  );
  const px = isBuy ? max(tick, centre - distance) : centre + distance;
  return toTick(px, market.pxDecimals, !isBuy);
}

const tickAt = (market: Market): Fixed => {
  const figures = market.oraclePx.toString().length - 5;
  const coarse = TEN[Math.max(0, Math.min(figures, 8))] as bigint;
  return max(coarse, TEN[8 - market.pxDecimals] as bigint);
};

/** A size in whole lots, worth at least the smallest order. */
export function lots(market: Market, size: number): Fixed {
  const lot = TEN[8 - market.szDecimals] as bigint;
  const wanted = BigInt(Math.max(0, Math.round(size * 1e8)));
  const least = (units(11) * ONE) / market.oraclePx;
  const sz = max(wanted, least);
  return sz - (sz % lot) + (sz % lot === 0n ? 0n : lot);
}

function scheduleTake(desk: Desk, fromMs: number): void {
  const { options, random, world } = desk;
  if (options.takesPerMinute <= 0) return;
  const waitMs = (-Math.log(Math.max(random.next(), 1e-12)) * 60_000) / options.takesPerMinute;
  const dueMs = fromMs + Math.max(1, Math.round(waitMs));
  world.schedule.at(dueMs, () => {
    if (desk.market.halted) return;
    take(desk);
    scheduleTake(desk, dueMs);
  });
}

function take(desk: Desk): void {
  const { market, options, random, world } = desk;
  const isBuy = random.next() < 0.5;
  const usd = Math.min(options.levelUsd * 2, 200 * Math.exp(2 * Math.abs(gaussian(random))));
  beginTransaction(world);
  takeAt(world, pick(desk.takers, random), market, isBuy, lots(market, usd / toFloat(market.oraclePx)));
}

/** A market order within 1 % of the oracle. */
export function takeAt(world: World, account: Account, market: Market, isBuy: boolean, sz: Fixed) {
  const limit = (market.oraclePx * (isBuy ? 101n : 99n)) / 100n;
  return place(world, account, {
    market,
    isBuy,
    limitPx: toTick(limit, market.pxDecimals, isBuy),
    sz,
    tif: "FrontendMarket",
  });
}
