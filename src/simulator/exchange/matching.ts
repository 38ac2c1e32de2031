/**
 * The life of an order: placed, matched, rested, canceled. Guarantees, each copied from the venue (§5.1, §5.2):
 * an accepted order is reported `open` even when it fully crosses; a fully filled one then `filled`; a no-match IOC is
 * a lone `iocCancelRejected`; a partly filled resting order is not reported; `canceled` keeps the remaining size.
 * Every trade writes two fills, buyer's first, with one tid; the trade itself goes to the market.
 */
import type { JsonObject } from "../contract.ts";
import { type Account, applyPerpFill, applySpotFill, positionOf } from "./account.ts";
import { crosses, insert, opposite, remove } from "./book.ts";
import { addToCandles } from "./candles.ts";
import { end, endByVenue, finish, hold } from "./ending.ts";
import { fillFee } from "./fees.ts";
import { div, type Fixed, format, max, min, mul, signOf } from "./fixed.ts";
import { tradeId, ZERO_HASH } from "./ids.ts";
import { type Market, markPx, recordTrade } from "./market.ts";
import { type Order, sideLetter, type Tif, type Trigger } from "./order.ts";
import { freeBalance, HYPE, takeToken } from "./pockets.ts";
import { rebalance } from "./unified.ts";
import { canOpen, reducible, refuse } from "./validation.ts";
import { addVolume } from "./volumes.ts";
import {
  accountOf,
  collect,
  hashOf,
  priceOf,
  recordFill,
  recordNotification,
  recordOrder,
  takeOid,
  touch,
  touchBook,
  type World,
} from "./world.ts";

export interface OrderSpec {
  market: Market;
  isBuy: boolean;
  limitPx: Fixed;
  sz: Fixed;
  tif: Tif;
  reduceOnly?: boolean;
  cloid?: string | null;
  trigger?: Trigger | null;
  isPositionTpsl?: boolean;
  parent?: Order | null;
  builder?: Order["builder"];
  priority?: bigint;
  twapId?: number | null;
  liquidation?: boolean;
}

export type Outcome =
  | { kind: "resting"; order: Order }
  | { kind: "filled"; order: Order; totalSz: Fixed; totalNtl: Fixed; avgPx: string }
  | { kind: "error"; text: string };

export function newOrder(world: World, account: Account, spec: OrderSpec): Order {
  return {
    oid: takeOid(world),
    user: account.user,
    market: spec.market,
    isBuy: spec.isBuy,
    limitPx: spec.limitPx,
    origSz: spec.sz,
    remaining: spec.sz,
    tif: spec.tif,
    reduceOnly: spec.reduceOnly ?? false,
    cloid: spec.cloid ?? null,
    trigger: spec.trigger ?? null,
    isPositionTpsl: spec.isPositionTpsl ?? false,
    timestamp: world.blockMs,
    parent: spec.parent ?? null,
    children: [],
    siblings: [],
    builder: spec.builder ?? null,
    priority: spec.priority ?? 0n,
    twapId: spec.twapId ?? null,
    liquidation: spec.liquidation ?? false,
    resting: false,
  };
}

export function place(world: World, account: Account, spec: OrderSpec): Outcome {
  const order = newOrder(world, account, spec);
  const refusal = refuse(account, order);
  if (refusal !== null) {
    if (refusal.status !== null && order.twapId === null) recordOrder(world, order, refusal.status);
    return { kind: "error", text: refusal.text };
  }
  if (order.trigger !== null) {
    armTrigger(world, account, order);
    return { kind: "resting", order };
  }
  if (order.twapId === null) recordOrder(world, order, "open");
  return run(world, account, order);
}

/** A trigger order is open but rests in no book until it fires. */
export function armTrigger(world: World, account: Account, order: Order): void {
  account.orders.set(order.oid, order);
  // Children of a parent that still waits are armed by its fill.
  if (order.parent === null) order.market.triggers.add(order);
  recordOrder(world, order, "open");
}

/** Matches an accepted order and settles what is left of it. */
export function run(world: World, account: Account, order: Order): Outcome {
  const { filled, cost } = match(world, account, order);
  if (order.remaining === 0n) {
    finish(world, account, order);
    return filledOutcome(order, filled, cost);
  }
  if (order.tif === "Gtc" || order.tif === "Alo") {
    // What is left of a reduce-only order after the position is gone would only open the other way; after a trade with an
    // order of the same account, which opens again what it closed, it would rest across the book.
    if (order.reduceOnly && (reducible(account, order) === 0n || isCrossing(order))) {
      end(world, account, order, "reduceOnlyCanceled");
      return filledOutcome(order, filled, cost);
    }
    rest(world, account, order);
    return { kind: "resting", order };
  }
  end(world, account, order, "canceled");
  return filled === 0n
    ? {
        kind: "error",
        text: `Order could not immediately match against any resting orders. asset=${order.market.asset}`,
      }
    : filledOutcome(order, filled, cost);
}

/** Whether what is left of an order would still trade with the other side. */
function isCrossing({ market, isBuy, limitPx }: Order): boolean {
  const level = opposite(market.book, isBuy);
  return level !== undefined && crosses(isBuy, limitPx, level.px);
}

function filledOutcome(order: Order, filled: Fixed, cost: Fixed): Outcome {
  // The average may need more figures than a price; the venue rounds it to the market's decimals.
  const average = filled === 0n ? 0n : (cost * 100_000_000n) / filled;
  return { kind: "filled", order, totalSz: filled, totalNtl: cost, avgPx: format(average) };
}

function rest(world: World, account: Account, order: Order): void {
  order.resting = true;
  insert(order.market.book, order);
  account.orders.set(order.oid, order);
  hold(account, order, order.remaining);
  touch(world, account);
  touchBook(world, order.market);
}

function match(world: World, account: Account, taker: Order): { filled: Fixed; cost: Fixed } {
  const { market } = taker;
  let filled = 0n;
  let cost = 0n;
  while (taker.remaining > 0n) {
    const level = opposite(market.book, taker.isBuy);
    if (level === undefined || !crosses(taker.isBuy, taker.limitPx, level.px)) break;
    const maker = level.orders[0] as Order;
    const owner = accountOf(world, maker.user);
    let sz = min(taker.remaining, maker.remaining);
    const verdict = makerVerdict(world, owner, maker, taker, sz);
    if (verdict !== null) {
      endByVenue(world, owner, maker, verdict);
      continue;
    }
    if (maker.reduceOnly) sz = min(sz, reducible(owner, maker));
    if (taker.reduceOnly) sz = min(sz, reducible(account, taker));
    if (sz === 0n) break;
    const { px } = level;
    const makerReduced = maker.reduceOnly && sz < min(taker.remaining, maker.remaining);
    trade(world, account, taker, owner, maker, sz);
    filled += sz;
    cost += mul(px, sz);
    // Two orders trade at most once, or their tid would repeat: the side that could not give more steps aside.
    if (taker.remaining === 0n || maker.remaining === 0n || !owner.orders.has(maker.oid)) continue;
    if (!makerReduced) break;
    endByVenue(world, owner, maker, "reduceOnlyCanceled");
  }
  return { filled, cost };
}

/** Status under which a resting order must go instead of trading, or null when it may trade. */
function makerVerdict(world: World, owner: Account, maker: Order, taker: Order, sz: Fixed): string | null {
  if (maker.user === taker.user && world.switches.selfTrades === "cancelResting") return "selfTradeCanceled";
  if (maker.market.perp === null) return null;
  if (maker.reduceOnly) return reducible(owner, maker) === 0n ? "reduceOnlyCanceled" : null;
  if (maker.market.atInterestCap && sz > reducible(owner, maker)) return "openInterestCapCanceled";
  if (owner.isTrader || canOpen(owner, maker, sz, maker.limitPx)) return null;
  return "marginCanceled";
}

function trade(
  world: World,
  takerOf: Account,
  taker: Order,
  makerOf: Account,
  maker: Order,
  sz: Fixed,
): void {
  const { market } = taker;
  const px = maker.limitPx;
  const buyer = taker.isBuy ? taker : maker;
  const seller = taker.isBuy ? maker : taker;
  const tid = tradeId(buyer.oid, seller.oid);
  // Slices and triggered orders are executed by the venue, in no transaction: their hash is zero on both sides.
  const hash = taker.twapId !== null || taker.trigger !== null ? ZERO_HASH : hashOf(world);
  hold(makerOf, maker, -sz);
  taker.remaining -= sz;
  maker.remaining -= sz;
  const liquidated = taker.liquidation ? liquidationNote(taker, market) : null;
  const context: TradeContext = { world, market, px, sz, tid, hash, liquidated };
  settle(context, taker.isBuy ? takerOf : makerOf, buyer, buyer === taker);
  settle(context, taker.isBuy ? makerOf : takerOf, seller, seller === taker);
  const side = sideLetter(taker.isBuy);
  const users = [buyer.user, seller.user];
  const wire: JsonObject = {
    coin: market.coin,
    side,
    px: format(px),
    sz: format(sz),
    time: world.blockMs,
    hash,
    tid,
    users,
  };
  recordTrade(market, px, sz, world.blockMs, wire);
  addVolume(world.traded, world.blockMs, mul(px, sz), { crossed: true, perp: market.perp !== null });
  addToCandles(market, px, sz, world.blockMs);
  world.events.push({ type: "trade", coin: market.coin, trade: wire });
  touchBook(world, market);
  if (maker.remaining === 0n) {
    maker.resting = false;
    remove(market.book, maker);
    finish(world, makerOf, maker);
    notifyFilled(world, makerOf, maker);
  } else if (world.switches.partialFillUpdates) recordOrder(world, maker, "open");
  else touch(world, makerOf);
  if (market.perp !== null) {
    dropStaleReduceOnly(world, takerOf, market, taker);
    dropStaleReduceOnly(world, makerOf, market, maker);
  }
}

const short = (value: Fixed): string => format(value).replace(/\.0$/, "");

/** Worded as the venue does: `Resting order filled: Sold 7262 MON at $0.023038`. */
function notifyFilled(world: World, account: Account, order: Order): void {
  const what = `${order.isBuy ? "Bought" : "Sold"} ${short(order.origSz)} ${order.market.coin}`;
  recordNotification(world, account, `Resting order filled: ${what} at $${short(order.limitPx)}`);
}

const liquidationNote = (taker: Order, market: Market): JsonObject => ({
  liquidatedUser: taker.user,
  markPx: format(markPx(market)),
  method: "market",
});

interface TradeContext {
  world: World;
  market: Market;
  px: Fixed;
  sz: Fixed;
  tid: number;
  hash: string;
  liquidated: JsonObject | null;
}

/** One side of a trade: money, position, fee and the fill row. */
function settle(context: TradeContext, account: Account, order: Order, crossed: boolean): void {
  const { world, market, px, sz } = context;
  const fee = fillFee(market, px, sz, order, crossed);
  const apply = market.spot === null ? applyPerpFill : applySpotFill;
  const result = apply(account, market, order.isBuy, px, sz, fee.amount);
  collect(world, fee.token, fee.amount);
  const notional = mul(px, sz);
  if (crossed) account.volume.cross += notional;
  else account.volume.add += notional;
  const perp = market.perp !== null;
  if (perp) account.volume.perp += notional;
  addVolume(account.traded, world.blockMs, notional, { crossed, perp });
  const fill: JsonObject = {
    coin: market.coin,
    px: format(px),
    sz: format(sz),
    side: sideLetter(order.isBuy),
    time: world.blockMs,
    startPosition: format(result.startPosition),
    dir: result.dir,
    closedPnl: format(result.closedPnl),
    hash: context.hash,
    oid: order.oid,
    crossed,
    fee: format(fee.amount),
  };
  if (fee.builder > 0n) fill.builderFee = format(fee.builder);
  fill.tid = context.tid;
  if (order.cloid !== null) fill.cloid = order.cloid;
  if (context.liquidated !== null) fill.liquidation = { ...context.liquidated };
  fill.feeToken = fee.tokenName;
  const gas = crossed && order.priority > 0n ? burnGas(world, account, notional, order.priority) : 0n;
  if (gas > 0n) fill.priorityGas = format(gas);
  fill.twapId = null;
  rebalance(account);
  recordFill(world, account, fill, order.twapId);
}

/** Takes the tip in HYPE, as much of it as there is; it is no part of the fee. */
function burnGas(world: World, account: Account, notional: Fixed, rate: bigint): Fixed {
  const price = priceOf(world, HYPE);
  if (price === 0n) return 0n;
  const gas = min(max(0n, freeBalance(account, HYPE)), div(mul(notional, rate * 1_000n), price));
  takeToken(account, HYPE, gas);
  collect(world, HYPE, gas);
  return gas;
}

/** After the position closed or flipped, resting reduce-only orders that could only increase it are canceled. */
export function dropStaleReduceOnly(
  world: World,
  account: Account,
  market: Market,
  traded: Order | null,
): void {
  if (account.isTrader) return;
  const szi = positionOf(account, market)?.szi ?? 0n;
  for (const order of [...account.orders.values()]) {
    if (order === traded || order.market !== market || !order.reduceOnly || order.parent !== null) continue;
    // A filled order ends its own siblings, under their own status.
    if (traded?.remaining === 0n && traded.siblings.includes(order)) continue;
    const reduces = szi !== 0n && signOf(szi) !== (order.isBuy ? 1n : -1n);
    if (!reduces && account.orders.has(order.oid)) endByVenue(world, account, order, "reduceOnlyCanceled");
  }
}
