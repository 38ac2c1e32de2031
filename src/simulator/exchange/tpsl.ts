/** Trigger orders fire. Guarantees: a trigger order keeps its oid through `triggered` to its fill. */
import { positionOf } from "./account.ts";
import { endByVenue } from "./ending.ts";
import { abs } from "./fixed.ts";
import { type Market, markPx } from "./market.ts";
import { run } from "./matching.ts";
import type { Order } from "./order.ts";
import { reducible, refuseUnfunded } from "./validation.ts";
import { accountOf, recordOrder, type World } from "./world.ts";

/** Fires every trigger order of `market` that the mark price has reached. */
export function fireTriggers(world: World, market: Market): void {
  if (market.triggers.size === 0) return;
  const mark = markPx(market);
  for (const order of [...market.triggers]) {
    const trigger = order.trigger as NonNullable<Order["trigger"]>;
    if (!market.triggers.has(order) || !(trigger.above ? mark >= trigger.px : mark <= trigger.px)) continue;
    fire(world, order);
  }
}

function fire(world: World, order: Order): void {
  const account = accountOf(world, order.user);
  const trigger = order.trigger as NonNullable<Order["trigger"]>;
  trigger.fired = true;
  order.market.triggers.delete(order);
  if (order.isPositionTpsl && order.origSz === 0n) {
    // Whole-position TP/SL takes its size when it fires.
    order.origSz = abs(positionOf(account, order.market)?.szi ?? 0n);
    order.remaining = order.origSz;
  }
  recordOrder(world, order, "triggered");
  if (order.reduceOnly && reducible(account, order) === 0n) {
    endByVenue(world, account, order, "reduceOnlyCanceled");
    return;
  }
  const unfunded = refuseUnfunded(account, order);
  if (unfunded !== null) {
    endByVenue(world, account, order, unfunded);
    return;
  }
  order.tif = trigger.isMarket ? "Ioc" : "Gtc";
  run(world, account, order);
}
