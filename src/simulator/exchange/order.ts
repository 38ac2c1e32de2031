/**
 * One order, its life and its wire forms. Wire forms hold exactly the keys of the real captures
 * (`misc/small_payloads.json`, `python-sdk-cassettes/historical_orders`), in the venue's key order.
 */
import type { JsonObject } from "../contract.ts";
import { type Fixed, format } from "./fixed.ts";
import type { Market } from "./market.ts";

export type Tif = "Gtc" | "Ioc" | "Alo" | "FrontendMarket" | "LiquidationMarket";

export interface Trigger {
  isMarket: boolean;
  px: Fixed;
  kind: "tp" | "sl";
  /** True when it fires at or above `px`, false at or below. */
  above: boolean;
  fired: boolean;
}

export interface Order {
  oid: number;
  user: string;
  market: Market;
  isBuy: boolean;
  limitPx: Fixed;
  origSz: Fixed;
  remaining: Fixed;
  tif: Tif;
  reduceOnly: boolean;
  cloid: string | null;
  trigger: Trigger | null;
  isPositionTpsl: boolean;
  /** Placement time: block time of the `open`. */
  timestamp: number;
  /** A TP/SL child has its parent here until the parent's fill arms it. */
  parent: Order | null;
  /** Waiting children, while they live. */
  children: Order[];
  /** All of one TP/SL family, this one included: the first to fill cancels the others. */
  siblings: Order[];
  builder: { address: string /** Tenths of a basis point. */; fee: bigint } | null;
  /** The taker's tip, in tenths of a basis point, burned in HYPE; 0 for none. */
  priority: bigint;
  /** Set on slices of a TWAP. */
  twapId: number | null;
  /** Set on the market orders of a liquidation. */
  liquidation: boolean;
  resting: boolean;
}

const orderType = (order: Order): string => {
  if (order.twapId !== null) return "Twap Slice";
  if (order.trigger !== null) {
    return `${order.trigger.kind === "tp" ? "Take Profit" : "Stop"} ${order.trigger.isMarket ? "Market" : "Limit"}`;
  }
  return order.tif === "FrontendMarket" || order.tif === "LiquidationMarket" ? "Market" : "Limit";
};

export const sideLetter = (isBuy: boolean): "B" | "A" => (isBuy ? "B" : "A");

/** The long form: history, status and frontend open orders. `children` only while they live. */
export function frontendOrder(order: Order): JsonObject {
  return {
    coin: order.market.coin,
    side: sideLetter(order.isBuy),
    limitPx: format(order.limitPx),
    sz: format(order.remaining),
    oid: order.oid,
    timestamp: order.timestamp,
    triggerCondition:
      order.trigger === null
        ? "N/A"
        : `Price ${order.trigger.above ? "above" : "below"} ${format(order.trigger.px).replace(/\.0$/, "")}`,
    isTrigger: order.trigger !== null,
    triggerPx: order.trigger === null ? "0.0" : format(order.trigger.px),
    children: order.children.map(frontendOrder),
    isPositionTpsl: order.isPositionTpsl,
    reduceOnly: order.reduceOnly,
    orderType: orderType(order),
    origSz: format(order.origSz),
    tif: order.trigger === null ? order.tif : null,
    cloid: order.cloid,
  };
}

/** The short form: `orderUpdates` and `openOrders`. `cloid` and `reduceOnly` only where they say something. */
export function basicOrder(order: Order): JsonObject {
  const wire: JsonObject = {
    coin: order.market.coin,
    side: sideLetter(order.isBuy),
    limitPx: format(order.limitPx),
    sz: format(order.remaining),
    oid: order.oid,
    timestamp: order.timestamp,
    origSz: format(order.origSz),
  };
  if (order.cloid !== null) wire.cloid = order.cloid;
  if (order.reduceOnly) wire.reduceOnly = true;
  return wire;
}
