/**
 * The self-checking stream: what the venue pushes every few seconds (positions, open orders) is held against what our
 * fills and order updates imply. Pure: times are passed in.
 *
 * Guarantees: a lost fill or order update becomes a ripe suspicion `graceMs` after the first push that contradicts it,
 * at no REST cost; a message that is merely late clears its own suspicion; the same unexplained difference is never
 * chased twice (the caller reports it, and the check goes on behind it). Suspicions name the narrowest window in which
 * something must be missing. Holds at most `FILLS_PER_COIN` fills a coin and one entry per open order.
 */
import { type Decimal, eq } from "../runtime/decimal.ts";
import type { CashSuspicion } from "./cashCheck.ts";
import {
  type ChainBreak,
  type ChainEnd,
  endPosition,
  isLinked,
  isPerp,
  type Link,
  linkChain,
} from "./chain.ts";
import { dexOfCoin } from "./dexes.ts";
import { FORGOTTEN } from "./normalize.ts";
import { classifyStatus } from "./orderStatus.ts";
import type { FillRow, OrderEventRow } from "./rows.ts";
import { fillKey } from "./windowReader.ts";

/** What can be contradicted; drift is counted by these. */
export const SUSPICION_KINDS = [
  "chain",
  "position",
  "order",
  "cash",
  "funding",
  "balance",
] as const satisfies readonly Suspicion["kind"][];

/** A contradiction that outlived its grace. */
export type FillSuspicion =
  | { kind: "chain"; key: string; coin: string; fromMs: number; toMs: number; missing: Decimal }
  | { kind: "position"; key: string; coin: string; fromMs: number; implied: Decimal; venue: Decimal };
/** An order that we hold open and the venue does not list, or that filled and was never announced. */
export interface OrderSuspicion {
  kind: "order";
  key: string;
  coin: string;
  orderId: number;
}
export type Suspicion = FillSuspicion | OrderSuspicion | CashSuspicion;

/** Fills of a coin kept for re-linking when a late one arrives; older ones are folded into the chain's start. */
const FILLS_PER_COIN = 4_000;
/** From here on fills that are settled are folded. */
const FOLD_AT = 500;
/** Fills younger than this, by venue time, are never folded: their neighbours may still be on the way. */
const UNSETTLED_MS = 10_000;
/** Orders whose end was seen, remembered so that a late `open` does not bring them back. */
const ENDED_ORDERS = 20_000;
/** Orders known by their fills alone; beyond it the oldest wait for the next reconcile. */
const UNANNOUNCED_ORDERS = 5_000;

/** What is kept of a fill: with its raw text, the whole frame that it came in would be kept. */
interface KeptFill extends Link {
  /** `fillKey`. */
  key: string;
}

interface Chain {
  start: ChainEnd | null;
  fills: KeptFill[];
  keys: Set<string>;
  breaks: ChainBreak[];
  end: ChainEnd | null;
}

interface OpenOrder {
  coin: string;
  seenAtMs: number;
  /** The venue says that it is open though its lists lack it: not chased again, but still held open. */
  isUnlisted: boolean;
}

/** Whether the fill is simply the next link of an unbroken chain. */
const isNext = ({ end, breaks }: Chain, fill: Link): boolean =>
  breaks.length === 0 &&
  (end === null || (fill.timeMs >= end.timeMs && eq(end.position, fill.startPosition)));

export class SelfCheck {
  readonly #graceMs: number;
  #chains = new Map<string, Chain>();
  #venue = new Map<string, { timeMs: number; szi: Decimal }>();
  #orders = new Map<number, OpenOrder>();
  #ended = new Set<number>();
  /** Orders of which a fill came and no transition. */
  #unannounced = new Map<number, { coin: string; timeMs: number }>();
  #raised = new Map<string, number>();
  /** Fills up to here are none of its business. */
  #knownToMs = Number.NEGATIVE_INFINITY;

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  get openOrderIds(): number[] {
    return [...this.#orders.keys()];
  }

  /** Whether we hold the order open. */
  isOpen(orderId: number): boolean {
    return this.#orders.has(orderId);
  }

  /** The dex of an order that we hold open, or null. */
  dexOf(orderId: number): string | null {
    const order = this.#orders.get(orderId);
    return order === undefined ? null : dexOfCoin(order.coin);
  }

  /**
   * What happened up to here is known, or is being read as history: a snapshot shows but a few of its fills, and between
   * them nothing is missing.
   */
  beginAfter(knownToMs: number, nowMs: number): void {
    this.#knownToMs = knownToMs;
    for (const [coin, chain] of this.#chains) {
      const fills = chain.fills.filter(({ timeMs }) => timeMs > knownToMs);
      if (fills.length < chain.fills.length) this.#goOn(coin, { start: null, fills, known: fills }, nowMs);
    }
    this.dropUnannounced(knownToMs + 1);
  }

  /** Orders that are known by fills before this time alone are none of its business. */
  dropUnannounced(beforeMs: number): void {
    for (const [orderId, { timeMs }] of this.#unannounced) {
      if (timeMs >= beforeMs) continue;
      this.#unannounced.delete(orderId);
      this.#raised.delete(`order:${orderId}`);
    }
  }

  /** Where our fills say the position of a coin is, or null when nothing is known of it. */
  chainEnd(coin: string): ChainEnd | null {
    return this.#chains.get(coin)?.end ?? null;
  }

  /** Whether the order is suspected, ripe or not. */
  isSuspected(orderId: number): boolean {
    return this.#raised.has(`order:${orderId}`);
  }

  /** The venue does not know the order, and no transition of it was ever told: it is not asked for again. */
  noteForgotten(orderId: number): void {
    this.#unannounced.delete(orderId);
    this.#raised.delete(`order:${orderId}`);
    this.#noteEnded(orderId);
  }

  #noteEnded(orderId: number): void {
    this.#ended.add(orderId);
    if (this.#ended.size > ENDED_ORDERS) this.#ended.delete(this.#ended.values().next().value!);
  }

  noteOpenOrder(orderId: number, coin: string, nowMs: number): void {
    if (!this.#ended.has(orderId) && !this.#orders.has(orderId))
      this.#orders.set(orderId, { coin, seenAtMs: nowMs, isUnlisted: false });
  }

  noteOrderEvents(rows: readonly OrderEventRow[], nowMs: number): void {
    for (const row of rows) {
      if (this.#unannounced.delete(row.orderId)) this.#raised.delete(`order:${row.orderId}`);
      const isForgotten = row.venueStatus === FORGOTTEN;
      if (!classifyStatus(row.venueStatus).terminal && !isForgotten) {
        this.noteOpenOrder(row.orderId, row.coin, nowMs);
        continue;
      }
      this.#orders.delete(row.orderId);
      this.#raised.delete(`order:${row.orderId}`);
      // Should a list have it after all, it is held open again.
      if (!isForgotten) this.#noteEnded(row.orderId);
    }
  }

  noteFills(rows: readonly FillRow[], nowMs: number): void {
    const touched = new Map<string, boolean>();
    for (const fill of rows) {
      if (fill.timeMs <= this.#knownToMs) continue;
      this.#noteOrderOf(fill, nowMs);
      if (!isPerp(fill.coin) || !isLinked(fill)) continue;
      const chain = this.#chain(fill.coin);
      const key = fillKey(fill);
      // Older than the start of what is kept: it was linked, or rebased over, before.
      if (chain.keys.has(key) || (chain.start !== null && fill.timeMs <= chain.start.timeMs)) continue;
      chain.keys.add(key);
      const { coin, timeMs, side, size, startPosition } = fill;
      chain.fills.push({ coin, timeMs, side, size, startPosition, key });
      // The common case by far: the next fill follows from the last one. All others are linked afresh.
      const follows = isNext(chain, fill);
      if (follows) chain.end = { timeMs: fill.timeMs, position: endPosition(fill) };
      touched.set(fill.coin, (touched.get(fill.coin) ?? true) && follows);
    }
    for (const [coin, linked] of touched) {
      const chain = this.#chain(coin);
      if (!linked) this.#relink(coin, nowMs);
      this.#judge(`position:${coin}`, this.#differs(coin), nowMs);
      if (chain.fills.length > FOLD_AT && chain.breaks.length === 0) this.#fold(chain);
    }
  }

  #noteOrderOf({ orderId, coin, timeMs, twapId }: FillRow, nowMs: number): void {
    // Whether the venue announces the orders of a TWAP's slices is not known: their silence shows no loss.
    if (twapId !== null) return;
    if (this.#orders.has(orderId) || this.#ended.has(orderId) || this.#unannounced.has(orderId)) return;
    this.#unannounced.set(orderId, { coin, timeMs });
    this.#judge(`order:${orderId}`, true, nowMs);
    if (this.#unannounced.size > UNANNOUNCED_ORDERS)
      this.noteForgotten(this.#unannounced.keys().next().value!);
  }

  /** A pushed or fetched state of one dex. `positions`: coin → signed size; what is absent is flat. */
  noteState(dex: string, timeMs: number, positions: ReadonlyMap<string, Decimal>, nowMs: number): void {
    for (const coin of this.#chains.keys()) {
      if (dexOfCoin(coin) === dex && !positions.has(coin)) this.#notePosition(coin, timeMs, "0", nowMs);
    }
    for (const [coin, szi] of positions) this.#notePosition(coin, timeMs, szi, nowMs);
  }

  #notePosition(coin: string, timeMs: number, szi: Decimal, nowMs: number): void {
    const last = this.#venue.get(coin);
    if (last === undefined || timeMs >= last.timeMs) this.#venue.set(coin, { timeMs, szi });
    const chain = this.#chain(coin);
    if (chain.end === null) this.#rebase(coin);
    else this.#judge(`position:${coin}`, this.#differs(coin), nowMs);
  }

  /** A complete list of the open orders of one dex. */
  noteOpenOrders(dex: string, orderIds: ReadonlySet<number>, nowMs: number): void {
    for (const [orderId, order] of this.#orders) {
      if (dexOfCoin(order.coin) !== dex) continue;
      const isListed = orderIds.has(orderId);
      order.isUnlisted &&= !isListed;
      // Seen later than now: the clock was set back, and the grace begins anew.
      order.seenAtMs = Math.min(order.seenAtMs, nowMs);
      const missing = !isListed && !order.isUnlisted && nowMs - order.seenAtMs >= this.#graceMs;
      this.#judge(`order:${orderId}`, missing, nowMs);
    }
  }

  /** Suspicions that outlived their grace, or another one, judged afresh. It begins anew where the clock was set back. */
  ripe(nowMs: number, graceMs = this.#graceMs): (FillSuspicion | OrderSuspicion)[] {
    const result: (FillSuspicion | OrderSuspicion)[] = [];
    for (const [key, sinceMs] of this.#raised) {
      if (sinceMs > nowMs) this.#raised.set(key, nowMs);
      if (nowMs - sinceMs < graceMs) continue;
      const suspicion = this.#describe(key);
      if (suspicion === null) this.#raised.delete(key);
      else result.push(suspicion);
    }
    return result;
  }

  /** When the next suspicion ripens, or null. */
  dueMs(): number | null {
    const since = [...this.#raised.values()];
    return since.length === 0 ? null : Math.min(...since) + this.#graceMs;
  }

  /**
   * To be called after the repair of a suspicion. True when it is explained; else the check goes on behind it, from what
   * the venue says, so that the same difference is not chased again. Other breaks of the same chain stay suspicious.
   */
  settle(suspicion: FillSuspicion | OrderSuspicion, nowMs: number): boolean {
    if (suspicion.kind === "chain") return this.#settleChain(suspicion, nowMs);
    const explained = this.#describe(suspicion.key) === null;
    this.#raised.delete(suspicion.key);
    if (!explained && suspicion.kind === "position") this.#rebase(suspicion.coin);
    if (!explained && suspicion.kind === "order") {
      const open = this.#orders.get(suspicion.orderId);
      if (open) open.isUnlisted = true;
      else this.noteForgotten(suspicion.orderId);
    }
    return explained;
  }

  #settleChain({ coin, fromMs, toMs }: FillSuspicion & { kind: "chain" }, nowMs: number): boolean {
    const { fills, breaks } = this.#chain(coin);
    const left = breaks.findLast((one) => one.fromMs >= fromMs && one.toMs <= toMs);
    if (left !== undefined) {
      const behind = fills.findLastIndex(
        (fill, i) =>
          i > 0 && fill.timeMs === left.toMs && !eq(endPosition(fills[i - 1]!), fill.startPosition),
      );
      const rest = fills.slice(Math.max(behind, 0));
      const start = { timeMs: left.toMs - 1, position: rest[0]!.startPosition };
      // What is left behind of the same millisecond may be read again.
      const known = fills.filter(({ timeMs }) => timeMs > start.timeMs);
      this.#goOn(coin, { start, fills: rest, known }, nowMs);
    }
    this.#judge(`chain:${coin}`, this.#chain(coin).breaks.length > 0, nowMs);
    return left === undefined;
  }

  #describe(key: string): FillSuspicion | OrderSuspicion | null {
    const [kind, subject] = [key.slice(0, key.indexOf(":")), key.slice(key.indexOf(":") + 1)];
    if (kind === "order") {
      const order = this.#orders.get(Number(subject)) ?? this.#unannounced.get(Number(subject));
      return order ? { kind, key, coin: order.coin, orderId: Number(subject) } : null;
    }
    const chain = this.#chains.get(subject);
    if (kind === "chain") {
      const first = chain?.breaks[0];
      return first ? { kind, key, ...first } : null;
    }
    if (!this.#differs(subject) || !chain?.end) return null;
    const venue = this.#venue.get(subject)!.szi;
    return {
      kind: "position",
      key,
      coin: subject,
      fromMs: chain.end.timeMs,
      implied: chain.end.position,
      venue,
    };
  }

  /** The venue's state is at least as young as our last fill, and disagrees with it. */
  #differs(coin: string): boolean {
    const venue = this.#venue.get(coin);
    const end = this.#chains.get(coin)?.end;
    return venue !== undefined && !!end && venue.timeMs > end.timeMs && !eq(venue.szi, end.position);
  }

  #judge(key: string, suspicious: boolean, nowMs: number): void {
    if (!suspicious) this.#raised.delete(key);
    else if (!this.#raised.has(key)) this.#raised.set(key, nowMs);
  }

  #chain(coin: string): Chain {
    let chain = this.#chains.get(coin);
    if (chain === undefined) {
      chain = { start: null, fills: [], keys: new Set(), breaks: [], end: null };
      this.#chains.set(coin, chain);
    }
    return chain;
  }

  #relink(coin: string, nowMs: number): void {
    const chain = this.#chain(coin);
    const { ordered, breaks, end } = linkChain(chain.fills, chain.start);
    Object.assign(chain, { fills: ordered, breaks, end });
    this.#judge(`chain:${coin}`, breaks.length > 0, nowMs);
  }

  /** Folds what is settled into the chain's start; of a burst too great to keep, the older half all the same. */
  #fold(chain: Chain): void {
    const settledToMs = chain.end!.timeMs - UNSETTLED_MS;
    const settled = chain.fills.findIndex((fill) => fill.timeMs > settledToMs);
    const crowded = chain.fills.length > FILLS_PER_COIN;
    const count = Math.max(settled, crowded ? Math.floor(chain.fills.length / 2) : 0);
    if (count === 0) return;
    const folded = chain.fills.splice(0, count);
    for (const { key } of folded) chain.keys.delete(key);
    chain.start = linkChain(folded, chain.start).end;
  }

  /** The chain of these fills alone, from `start` on; those in `known` are not taken again. */
  #goOn(
    coin: string,
    { start, fills, known }: { start: ChainEnd | null; fills: KeptFill[]; known: KeptFill[] },
    nowMs: number,
  ): void {
    const keys = new Set(known.map(({ key }) => key));
    this.#chains.set(coin, { start, fills, keys, breaks: [], end: start });
    this.#relink(coin, nowMs);
  }

  /** Takes the venue's word for the position and starts the chain there. */
  #rebase(coin: string): void {
    const venue = this.#venue.get(coin);
    const chain = this.#chain(coin);
    const position = venue?.szi ?? chain.end?.position;
    if (position === undefined) return;
    const timeMs = Math.max(venue?.timeMs ?? 0, chain.end?.timeMs ?? 0);
    const start = { timeMs, position };
    this.#chains.set(coin, { start, fills: [], keys: new Set(), breaks: [], end: start });
    this.#raised.delete(`chain:${coin}`);
    this.#raised.delete(`position:${coin}`);
  }
}
