/**
 * Orders of one account over REST: what is open on each dex, the newest transitions, and single orders by id.
 *
 * Guarantees: an order that we hold open and no list has is asked for by its id; what the venue has forgotten ends as
 * `unknown`, and is not asked for again; time is claimed only as far back as the list of transitions reaches.
 */

import { isWhole, lostRows } from "../../protocol/decode.ts";
import { INFO } from "../../protocol/infoRequests.ts";
import { HORIZON } from "../../protocol/limits.ts";
import { hasPassed } from "../../runtime/due.ts";
import { claimsOf, placed, quarantineRows, toldTimesMs, withoutFuture } from "../backfill.ts";
import { type Interval, intersect, subtract, union } from "../coverage.ts";
import type { Address, Applied, Batch, OrderEventRow, Source } from "../events.ts";
import { FORGOTTEN, openOrderRows, orderEventRow, unknownOrderRow } from "../normalize.ts";
import type { RequestPriority, Store, VenueInfo } from "../ports.ts";
import type { SelfCheck } from "../selfCheck.ts";
import type { CoverageBook } from "./coverageBook.ts";

/** Orders asked for one by one in one catch-up; more than these are left to the next. */
const RESOLVE_ORDERS_MAX = 100;
/** Orders asked for at the same time. */
const RESOLVE_PARALLEL = 8;
/** Where more than this many are missing, the list of transitions costs less than asking for each. */
const LIST_FROM = 40;
/** Liquidations and dust have order ids that the venue never knew; so many in a row are older than what it keeps. */
const FORGOTTEN_IN_A_ROW = 25;

/** The list of transitions is read again after so many of them, so that the next reading still reaches back to this one… */
const LIST_AGAIN_AFTER = 1_200;
/** … but not more often than this: it costs a tenth of a minute's budget. */
const LIST_AGAIN_MS = 20_000;
const UNLISTED = "older than the orders that the venue still lists (it keeps them by count)";
const UNLISTED_WATCHED = "watched live and no loss seen, but no longer listed by the venue: not confirmed";

export interface Asking {
  priority: RequestPriority;
  source: Source;
  signal: AbortSignal;
}

interface OrderReaderDeps {
  account: Address;
  info: VenueInfo;
  store: Store;
  check: SelfCheck;
  book: CoverageBook;
  /** A row that is younger is stamped wrongly. */
  latestRowMs(): number;
  commit(batch: Batch, receivedAtMs: number): Promise<Applied>;
  /** A whole list of one dex was read. */
  onListed(dex: string, rows: OrderEventRow[]): void;
}

export class OrderReader {
  readonly #deps: OrderReaderDeps;
  #askedUnlisted: Interval[] = [];
  /** Committed since the list was last read. */
  #transitions = 0;
  #listedAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: OrderReaderDeps) {
    this.#deps = deps;
  }

  /**
   * What is open on these dexes, then the newest transitions (which show what was placed and ended unseen), then each
   * order that we hold open and the venue does not. `claimableToMs`: up to where time may be claimed.
   */
  async read(dexes: readonly string[], claimableToMs: number, asking: Asking): Promise<void> {
    const { check } = this.#deps;
    const heldOpen = new Set(check.openOrderIds);
    const open = new Set<number>();
    const answers = await Promise.allSettled(dexes.map((dex) => this.readOpen(dex, asking)));
    const lists = answers.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    for (const { rows } of lists) for (const { orderId } of rows) open.add(orderId);
    // A list that is refused does not keep the transitions from being read.
    await this.readTransitions(claimableToMs, asking);
    const failed = answers.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
    if (!lists.every(({ isComplete }) => isComplete)) return;
    const stillHeld = new Set(check.openOrderIds);
    const lost = [...heldOpen].filter((orderId) => stillHeld.has(orderId) && !open.has(orderId));
    await this.resolve(lost.slice(0, RESOLVE_ORDERS_MAX), asking);
  }

  /** What is open on one dex. */
  async readOpen(
    dex: string,
    { priority, source, signal }: Asking,
  ): Promise<{ rows: OrderEventRow[]; isComplete: boolean }> {
    const { info, account, commit, onListed } = this.#deps;
    const answer = await info.request(INFO.frontendOpenOrders, { user: account, dex }, { priority, signal });
    const { receivedAtMs, result } = answer;
    const rows = openOrderRows({ account, source, seenAtMs: receivedAtMs }, result.rows);
    const isComplete = isWhole(result.unread);
    if (isComplete) onListed(dex, rows);
    const quarantine = quarantineRows(result.unread, "frontendOpenOrders", account, receivedAtMs);
    if (rows.length + quarantine.length > 0) await commit({ orderEvents: rows, quarantine }, receivedAtMs);
    return { rows, isComplete };
  }

  /** The newest transitions, which the venue keeps by count. */
  async readTransitions(claimableToMs: number, { priority, source, signal }: Asking): Promise<void> {
    const { info, account, book, commit } = this.#deps;
    const answer = await info.request(INFO.historicalOrders, { user: account }, { priority, signal });
    const origin = { account, source, seenAtMs: answer.receivedAtMs };
    const latestMs = this.#deps.latestRowMs();
    const result = withoutFuture(answer.result, latestMs);
    const orderEvents = result.rows.map((row) => orderEventRow(origin, row));
    const rowTimes = orderEvents.map((row) => row.statusTimeMs);
    const unread = placed(result.unread, rowTimes, { fromMs: book.sinceMs, toMs: latestMs });
    const times = [...rowTimes, ...toldTimesMs(unread).filter((ms) => ms <= latestMs)];
    const isFull = orderEvents.length + lostRows(unread).length >= HORIZON.orders;
    // The oldest millisecond of a full list may be cut. Where the list begins is no claim on time that was not read.
    const oldestMs = Math.min(...times) + (isFull ? 1 : 0);
    const fromMs = times.length === 0 ? book.sinceMs : Math.min(oldestMs, claimableToMs + 1);
    const coverage = claimsOf(account, "orders", { fromMs, toMs: claimableToMs }, unread);
    const beyond = subtract([{ fromMs: book.sinceMs, toMs: fromMs - 1 }], book.known("orders", "proven"));
    const watched = intersect(beyond, book.known("orders", "streamed"));
    const claim = { account, stream: "orders", grade: "unprovable" } as const;
    for (const gap of watched) coverage.push({ ...claim, ...gap, reason: UNLISTED_WATCHED });
    for (const gap of subtract(beyond, watched)) coverage.push({ ...claim, ...gap, reason: UNLISTED });
    const quarantine = quarantineRows(unread, "historicalOrders", account, answer.receivedAtMs);
    await commit({ orderEvents, coverage, quarantine }, answer.receivedAtMs);
    this.#transitions = 0;
    this.#listedAtMs = answer.receivedAtMs;
  }

  /** Transitions that were committed: the venue lists the newest 2000 only. */
  noteTransitions(count: number): void {
    this.#transitions += count;
  }

  /** Whether the list is about to be cut before the next reconcile reads it. */
  isListDue(nowMs: number): boolean {
    return this.#transitions >= LIST_AGAIN_AFTER && hasPassed(this.#listedAtMs, LIST_AGAIN_MS, nowMs);
  }

  /** Asks for these orders: by one list where they are many, the rest of them by id. */
  async resolve(orderIds: readonly number[], asking: Asking, claimableToMs?: number): Promise<void> {
    let left = [...orderIds];
    if (left.length >= LIST_FROM && claimableToMs !== undefined) {
      await this.readTransitions(claimableToMs, asking);
      const { check } = this.#deps;
      left = left.filter((orderId) => check.isSuspected(orderId));
    }
    const next = async (): Promise<void> => {
      for (let orderId = left.shift(); orderId !== undefined; orderId = left.shift())
        await this.resolveOne(orderId, asking);
    };
    await Promise.all(Array.from({ length: RESOLVE_PARALLEL }, next));
  }

  /** Asks for one order; what the venue has forgotten ends as `unknown`. False when it has. */
  async resolveOne(orderId: number, { priority, source, signal }: Asking): Promise<boolean> {
    const { info, account, store, check, commit } = this.#deps;
    const ask = { priority, signal };
    const answer = await info.request(INFO.orderStatus, { user: account, oid: orderId }, ask);
    const origin = { account, source, seenAtMs: answer.receivedAtMs };
    const status = answer.result.value;
    let row: OrderEventRow | undefined;
    if (status.order) row = orderEventRow(origin, { value: status.order, raw: status.order });
    else if (status.status === FORGOTTEN) {
      const last = (await store.orderEvents(account, [orderId])).at(-1);
      if (last) row = unknownOrderRow(origin, last, answer.sentAtMs);
      else check.noteForgotten(orderId);
    }
    const { unread } = answer.result;
    const quarantine = quarantineRows(unread, INFO.orderStatus.type, account, answer.receivedAtMs);
    if (row || unread.length > 0)
      await commit({ orderEvents: row ? [row] : [], quarantine }, answer.receivedAtMs);
    return Boolean(status.order) || unread.length > 0;
  }

  /**
   * Times whose orders the venue no longer lists, and of which it was not yet asked one by one. Only where the fills are
   * complete: they are what such orders are known by.
   */
  unlisted(): Interval[] {
    const { book } = this.#deps;
    const filled = intersect(book.known("fills", "proven"), book.known("twapFills", "proven"));
    return subtract(intersect(book.known("orders", "unprovable"), filled), this.#askedUnlisted);
  }

  /**
   * Of the orders that came and went unseen, those that filled are known by their fills and can be asked for, newest
   * first. The venue keeps orders by count: once it has forgotten many in a row, it has forgotten all that are older.
   */
  async resolveUnlisted(window: Interval, asking: Asking): Promise<void> {
    const { store, account } = this.#deps;
    const { fromMs, toMs } = window;
    let forgotten = 0;
    let belowId = Number.MAX_SAFE_INTEGER;
    while (forgotten < FORGOTTEN_IN_A_ROW) {
      const ids = await store.ordersKnownByFills(account, fromMs, toMs, belowId, RESOLVE_ORDERS_MAX);
      for (const orderId of ids) {
        forgotten = (await this.resolveOne(orderId, asking)) ? 0 : forgotten + 1;
        if (forgotten >= FORGOTTEN_IN_A_ROW) break;
      }
      if (ids.length < RESOLVE_ORDERS_MAX) break;
      belowId = ids.at(-1)!;
    }
    this.#askedUnlisted = union(this.#askedUnlisted, [window]);
  }
}
