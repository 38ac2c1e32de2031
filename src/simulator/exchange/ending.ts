/**
 * Orders leave the book: filled, canceled, taken out by the venue. Guarantees: what an order reserved is free again; a
 * filled parent arms its children, a filled child ends its siblings (`siblingFilledCanceled`), a parent that is taken
 * out takes its children with it.
 */
import { type Account, balanceOf } from "./account.ts";
import { remove } from "./book.ts";
import { type Fixed, mul } from "./fixed.ts";
import type { Order } from "./order.ts";
import { isQuiet, recordOrder, touchBook, type World } from "./world.ts";

/** Reserves (or, with a negative size, frees) the spot balance an order needs. */
export function hold(account: Account, order: Order, sz: Fixed): void {
  const { spot } = order.market;
  if (spot === null || sz === 0n) return;
  const balance = balanceOf(account, order.isBuy ? spot.quote.index : spot.base.index);
  balance.hold += order.isBuy ? mul(order.limitPx, sz) : sz;
}

/** The order was filled to the end. */
export function finish(world: World, account: Account, order: Order): void {
  detach(world, account, order);
  if (order.twapId === null) recordOrder(world, order, "filled");
  dropFromFamily(order);
  afterFilled(world, account, order);
}

function detach(world: World, account: Account, order: Order): void {
  if (order.resting) {
    remove(order.market.book, order);
    order.resting = false;
    hold(account, order, -order.remaining);
    touchBook(world, order.market);
  }
  order.market.triggers.delete(order);
  account.orders.delete(order.oid);
}

/** Takes an open order out with a terminal status; its children go with it. */
export function end(world: World, account: Account, order: Order, status: string): void {
  detach(world, account, order);
  if (order.twapId === null) recordOrder(world, order, status);
  dropFromFamily(order);
  endChildren(world, account, order, status);
}

/** Orders the venue took out by itself are also announced as `nonUserCancel`. */
export function endByVenue(world: World, account: Account, order: Order, status: string): void {
  end(world, account, order, status);
  if (isQuiet(world, account)) return;
  world.events.push({ type: "nonUserCancel", user: order.user, coin: order.market.coin, oid: order.oid });
}

/** An order left the living: it is no longer anybody's child or sibling. */
function dropFromFamily(order: Order): void {
  if (order.parent !== null) order.parent.children = order.parent.children.filter((c) => c !== order);
}

/** A filled parent arms its children; a filled child ends its siblings. */
function afterFilled(world: World, account: Account, order: Order): void {
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
function endChildren(world: World, account: Account, order: Order, status: string): void {
  for (const child of order.children.splice(0)) {
    child.parent = null;
    end(world, account, child, status === "liquidatedCanceled" ? status : "canceled");
  }
}
