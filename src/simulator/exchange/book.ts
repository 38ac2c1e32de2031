/**
 * A price-time book of one market. Guarantees: best price first, first come first served within a price, O(log levels)
 * to find a price; a level holds only orders with size left. It knows nothing of accounts or margin.
 */
import type { Fixed } from "./fixed.ts";
import type { Order } from "./order.ts";

export interface Level {
  px: Fixed;
  /** Oldest first. */
  orders: Order[];
}

/** Bids are kept ascending too: the best bid is the last element, the best ask the last of `asks`, so that both pop. */
export interface Book {
  bids: Level[];
  asks: Level[];
}

export const emptyBook = (): Book => ({ bids: [], asks: [] });

const sideOf = (book: Book, isBuy: boolean): Level[] => (isBuy ? book.bids : book.asks);

/** Index of the level at `px`, or where it belongs: bids ascend, asks descend. */
function find(levels: Level[], px: Fixed, isBuy: boolean): number {
  let low = 0;
  let high = levels.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = (levels[middle] as Level).px;
    if (isBuy ? at < px : at > px) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function insert(book: Book, order: Order): void {
  const levels = sideOf(book, order.isBuy);
  const index = find(levels, order.limitPx, order.isBuy);
  const level = levels[index];
  if (level !== undefined && level.px === order.limitPx) level.orders.push(order);
  else levels.splice(index, 0, { px: order.limitPx, orders: [order] });
}

/** False when the order does not rest here. */
export function remove(book: Book, order: Order): boolean {
  const levels = sideOf(book, order.isBuy);
  const index = find(levels, order.limitPx, order.isBuy);
  const level = levels[index];
  if (level === undefined || level.px !== order.limitPx) return false;
  const at = level.orders.indexOf(order);
  if (at < 0) return false;
  level.orders.splice(at, 1);
  if (level.orders.length === 0) levels.splice(index, 1);
  return true;
}

export const bestBid = (book: Book): Level | undefined => book.bids[book.bids.length - 1];
export const bestAsk = (book: Book): Level | undefined => book.asks[book.asks.length - 1];
/** Best level that an order of side `isBuy` would trade against. */
export const opposite = (book: Book, isBuy: boolean): Level | undefined =>
  isBuy ? bestAsk(book) : bestBid(book);

/** True when an order of side `isBuy` at `px` would trade with a level at `levelPx`. */
export const crosses = (isBuy: boolean, px: Fixed, levelPx: Fixed): boolean =>
  isBuy ? levelPx <= px : levelPx >= px;

export interface DepthLevel {
  px: Fixed;
  sz: Fixed;
  n: number;
}

/** Up to `limit` levels, best first; prices may be coarsened by `bucket` (which maps a price to its bucket). */
export function depth(levels: Level[], limit: number, bucket: (px: Fixed) => Fixed): DepthLevel[] {
  const out: DepthLevel[] = [];
  for (let i = levels.length - 1; i >= 0; i--) {
    const level = levels[i] as Level;
    const px = bucket(level.px);
    let last = out[out.length - 1];
    if (last === undefined || last.px !== px) {
      if (out.length === limit) break;
      last = { px, sz: 0n, n: 0 };
      out.push(last);
    }
    for (const order of level.orders) last.sz += order.remaining;
    last.n += level.orders.length;
  }
  return out;
}
