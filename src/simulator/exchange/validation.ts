/**
 * Why an order is refused, in the venue's own words (§6). Guarantees: checks in one fixed order, each with the order
 * status it is recorded under; texts carry the suffix ` asset=N`.
 */
import {
  type Account,
  balanceOf,
  dexMargin,
  dexOf,
  isolatedEquity,
  leverageOf,
  positionOf,
  positionValue,
} from "./account.ts";
import { tradedVolume } from "./addressLimits.ts";
import { bestAsk, bestBid, crosses, opposite } from "./book.ts";
import {
  abs,
  type Fixed,
  format,
  isTickPrice,
  max,
  min,
  mul,
  ONE,
  signOf,
  TEN,
  truncate,
  units,
} from "./fixed.ts";
import { type Market, markPx, tierAt } from "./market.ts";
import type { Order } from "./order.ts";
import { spendableUsdc } from "./unified.ts";

export interface Refusal {
  /** Status of the order row; null when the venue never gave the order an id. */
  status: string | null;
  text: string;
}

const MIN_NOTIONAL = units(10);

/** How much of `order` reduces the position rather than opening one. */
export function reducible(account: Account, order: Order): Fixed {
  const szi = positionOf(account, order.market)?.szi ?? 0n;
  if (szi === 0n || signOf(szi) === (order.isBuy ? 1n : -1n)) return 0n;
  return abs(szi);
}

export function refuse(account: Account, order: Order): Refusal | null {
  const refusal = check(account, order);
  return refusal === null
    ? null
    : { status: refusal.status, text: `${refusal.text} asset=${order.market.asset}` };
}

function check(account: Account, order: Order): Refusal | null {
  const { market } = order;
  if (market.halted) return { status: null, text: "Trading is halted." };
  if (order.origSz <= 0n && !order.isPositionTpsl) return { status: null, text: "Order has zero size." };
  if (order.origSz % (TEN[8 - market.szDecimals] as bigint) !== 0n) {
    return { status: null, text: "Order has invalid size." };
  }
  if (!isTickPrice(order.limitPx, market.pxDecimals)) {
    return { status: "tickRejected", text: "Price must be divisible by tick size." };
  }
  if (order.trigger !== null) return checkTrigger(account, order);
  return (
    checkMinimum(account, order) ??
    checkReduceOnly(account, order) ??
    checkBand(order) ??
    checkInterestCap(account, order) ??
    checkBook(order) ??
    checkTooMany(account, order) ??
    checkFunds(account, order)
  );
}

/** A trigger must still lie ahead of the mark; whether it can trade is asked when it fires. */
function checkTrigger(account: Account, order: Order): Refusal | null {
  const trigger = order.trigger as NonNullable<Order["trigger"]>;
  const bad = { status: "badTriggerPxRejected", text: "Invalid TP/SL price." };
  if (!isTickPrice(trigger.px, order.market.pxDecimals)) return bad;
  const mark = markPx(order.market);
  if (trigger.above ? mark >= trigger.px : mark <= trigger.px) return bad;
  if (
    order.parent === null &&
    order.reduceOnly &&
    !order.isPositionTpsl &&
    reducible(account, order) === 0n
  ) {
    return { status: "reduceOnlyRejected", text: "Reduce only order would increase position." };
  }
  return order.isPositionTpsl ? null : (checkMinimum(account, order) ?? checkTooMany(account, order));
}

function checkMinimum(account: Account, order: Order): Refusal | null {
  if (order.liquidation || order.twapId !== null) return null;
  if (mul(order.limitPx, order.origSz) >= MIN_NOTIONAL) return null;
  const { spot } = order.market;
  if (spot !== null) {
    return {
      status: "minTradeSpotNtlRejected",
      text: `Order must have minimum value of 10 ${spot.quote.name}.`,
    };
  }
  // Closing the whole position is allowed at any value, else dust could never be closed.
  if (order.reduceOnly && order.origSz >= reducible(account, order) && reducible(account, order) > 0n)
    return null;
  return { status: "minTradeNtlRejected", text: "Order must have minimum value of $10." };
}

function checkReduceOnly(account: Account, order: Order): Refusal | null {
  if (!order.reduceOnly || reducible(account, order) > 0n) return null;
  return { status: "reduceOnlyRejected", text: "Reduce only order would increase position." };
}

function checkBand(order: Order): Refusal | null {
  if (order.liquidation || order.twapId !== null) return null;
  const reference = markPx(order.market);
  if (order.limitPx * 5n >= reference && order.limitPx * 5n <= reference * 9n) return null;
  return {
    status: "oracleRejected",
    text: "Order price cannot be more than 80% away from the reference price",
  };
}

/**
 * At the open interest cap positions are closed only, and only near the oracle. Which text goes with which status is
 * not documented; the family is.
 */
function checkInterestCap(account: Account, order: Order): Refusal | null {
  const { market } = order;
  if (!market.atInterestCap || order.liquidation) return null;
  const closing = min(order.origSz, reducible(account, order));
  if (order.reduceOnly || closing === order.origSz) {
    const away = abs(order.limitPx - market.oraclePx);
    return away * 100n <= market.oraclePx
      ? null
      : { status: "tooAggressiveAtOpenInterestCapRejected", text: "Order price too far from oracle" };
  }
  return {
    status:
      closing > 0n ? "positionFlipAtOpenInterestCapRejected" : "positionIncreaseAtOpenInterestCapRejected",
    text: "Order would increase open interest while open interest is capped",
  };
}

function checkBook(order: Order): Refusal | null {
  const { book } = order.market;
  const level = opposite(book, order.isBuy);
  const wouldMatch = level !== undefined && crosses(order.isBuy, order.limitPx, level.px);
  if (order.tif === "Alo" && wouldMatch) {
    const text = `${priceText(bestBid(book)?.px)}@${priceText(bestAsk(book)?.px)}`;
    return {
      status: "badAloPxRejected",
      text: `Post only order would have immediately matched, bbo was ${text}.`,
    };
  }
  if (order.tif === "Gtc" || order.tif === "Alo" || wouldMatch) return null;
  if (level === undefined && order.tif === "FrontendMarket") {
    return { status: "marketOrderNoLiquidityRejected", text: "No liquidity available for market order." };
  }
  return {
    status: "iocCancelRejected",
    text: "Order could not immediately match against any resting orders.",
  };
}

const priceText = (px: Fixed | undefined): string =>
  px === undefined ? "0" : format(px).replace(/\.0$/, "");

/** 1000 open orders, one more per 5 M of volume, at most 5000. */
function openOrderLimit(account: Account): number {
  return Math.min(5000, 1000 + Number(tradedVolume(account) / units(5_000_000)));
}

function checkTooMany(account: Account, order: Order): Refusal | null {
  if (account.isTrader || order.tif === "Ioc" || order.tif === "FrontendMarket") return null;
  const restricted = order.reduceOnly || order.trigger !== null ? 1000 : openOrderLimit(account);
  if (account.orders.size < restricted) return null;
  return { status: "tooManyOpenOrdersRejected", text: "Too many open orders." };
}

function checkFunds(account: Account, order: Order): Refusal | null {
  if (order.liquidation || (account.isTrader && order.market.spot === null)) return null;
  if (order.market.spot !== null) return checkBalance(account, order);
  if (canOpen(account, order, order.origSz, expectedPx(order))) {
    return exceedsTier(account, order)
      ? {
          status: "perpMaxPositionRejected",
          text: "Order would cause position to exceed margin tier limit at current leverage",
        }
      : null;
  }
  return { status: "perpMarginRejected", text: "Insufficient margin to place order." };
}

/** Status under which a trigger that fires is refused, or null: whether it can be paid for is asked only then. */
export function refuseUnfunded(account: Account, order: Order): string | null {
  if (order.market.spot !== null) return checkBalance(account, order)?.status ?? null;
  const capped = checkInterestCap(account, order);
  if (capped !== null) return capped.status;
  return canOpen(account, order, order.remaining, order.limitPx) ? null : "perpMarginRejected";
}

/** A crossing order is valued at the mark, since its limit may only be slippage. */
function expectedPx(order: Order): Fixed {
  const mark = markPx(order.market);
  return order.isBuy ? min(order.limitPx, mark) : max(order.limitPx, mark);
}

function checkBalance(account: Account, order: Order): Refusal | null {
  const { base, quote } = order.market.spot as NonNullable<Market["spot"]>;
  const balance = balanceOf(account, order.isBuy ? quote.index : base.index);
  const needed = order.isBuy ? mul(order.limitPx, order.remaining) : order.remaining;
  if (balance.total - balance.hold >= needed) return null;
  return {
    status: "insufficientSpotBalanceRejected",
    text: "Order has insufficient spot balance to trade",
  };
}

/** True when the part of `sz` that opens a position is covered by free margin. Closing is always allowed. */
export function canOpen(account: Account, order: Order, sz: Fixed, px: Fixed): boolean {
  if (order.reduceOnly) return true;
  const { market } = order;
  const opening = sz - min(sz, reducible(account, order));
  if (opening === 0n) return true;
  const leverage = BigInt(leverageOf(account, market).value);
  const needed = truncate(mul(px, opening) / leverage, 6);
  const margin = dexMargin(account, dexOf(account, market.dex));
  const free = margin.cross.accountValue - margin.cross.marginUsed + spendableUsdc(account);
  return free + (opening < sz ? marginOf(account, market) : 0n) >= needed;
}

/** What the position binds, and frees when it is closed: the first half of an order that turns it round. */
function marginOf(account: Account, market: Market): Fixed {
  const position = positionOf(account, market);
  if (position === undefined) return 0n;
  const mark = markPx(market);
  if (position.isolatedUsd !== null) return max(0n, isolatedEquity(position, mark));
  return truncate(positionValue(position, mark) / BigInt(leverageOf(account, market).value), 6);
}

function exceedsTier(account: Account, order: Order): boolean {
  const szi = positionOf(account, order.market)?.szi ?? 0n;
  const after = abs(szi + (order.isBuy ? order.origSz : -order.origSz));
  if (order.reduceOnly || after <= abs(szi)) return false;
  const tier = tierAt(order.market, (after * markPx(order.market)) / ONE);
  return tier.maxLeverage < BigInt(leverageOf(account, order.market).value);
}
