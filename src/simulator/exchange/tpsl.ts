/**
 * Trigger orders and TP/SL families. Guarantees: a trigger order keeps its oid through `triggered` to its fill; a
 * child waits until its parent is filled to the end and goes with a canceled parent; the first sibling to fill cancels
 * the others as `siblingFilledCanceled`.
 */
import { type Account, positionOf } from "./account.ts";
import { abs } from "./fixed.ts";
import { type Market, markPx } from "./market.ts";
import { end, endByVenue, run } from "./matching.ts";
import type { Order } from "./order.ts";
import { reducible, refuseUnfunded } from "./validation.ts";
import { accountOf, recordOrder, type World } from "./world.ts";

/** An order left the living: it is no longer anybody's child or sibling. */
export function dropFromFamily(order: Order): void {
  if (order.parent !== null) order.parent.children = order.parent.children.filter((c) => c !== order);
}

/** A filled parent arms its children; a filled child ends its siblings. */
export function afterFilled(world: World, account: Account, order: Order): void {
  for (const child of order.children.splice(0)) {
    child.parent = null;
    child.market.triggers.add(child);
    world.moved.add(child.market);
  }
  for (const sibling of order.siblings) {
    if (sibling !== order && account.orders.has(sibling.oid)) {
      endByVenue(world, account, sibling, "siblingFilledCanceled");
    }
  }
}

/** Children of a parent that will never be filled. */
export function endChildren(world: World, account: Account, order: Order, status: string): void {
  for (const child of order.children.splice(0)) {
    child.parent = null;
    end(world, account, child, status === "liquidatedCanceled" ? status : "canceled");
  }
}

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
