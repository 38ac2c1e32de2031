/**
 * Orders of one account over REST: what is open on each dex, the newest transitions, and single orders by id.
 *
 * Guarantees: an order that we hold open and no list has is asked for by its id; what the venue has forgotten ends as
 * `unknown`, and is not asked for again; time is claimed only as far back as the list of transitions reaches.
 */

import { isWhole, lostRows } from "../../protocol/decode.ts";
import { answerFor, INFO } from "../../protocol/infoRequests.ts";
import { HORIZON } from "../../protocol/limits.ts";
import { allOf } from "../../runtime/allOf.ts";
import { hasPassed } from "../../runtime/due.ts";
import { type Interval, intersect, subtract, union } from "../coverage.ts";
import { ordersOf } from "../dexes.ts";
import { FORGOTTEN, openOrderRows, orderEventRow, unknownOrderRow } from "../normalize.ts";
import type { Store, VenueInfo } from "../ports.ts";
import type { Address, Applied, Batch, OrderEventRow } from "../rows.ts";
import type { SelfCheck } from "../selfCheck.ts";
import { claimsOf, placed, quarantineRows, toldTimesMs, withoutFuture } from "../windowReader.ts";
import type { Asking } from "./asking.ts";
import type { CoverageBook } from "./coverageBook.ts";

/** Orders known by their fills that the database is asked for at once. */
const UNLISTED_AT_ONCE = 100;
/** Orders asked for at the same time. */
const RESOLVE_PARALLEL = 8;
/** Where more than this many are missing, the list of transitions costs less than asking for each. */
const LIST_FROM = 40;
/** Liquidations and dust have order ids that the venue never knew; so many in a row are older than what it keeps. */
const FORGOTTEN_IN_A_ROW = 25;
/** Orders asked for in one catch-up; the rest is asked for beside it, where everything else goes first. */
const LOST_IN_CATCH_UP = 100;

/** The list of transitions is read again after so many of them, so that the next reading still reaches back to this one… */
const LIST_AGAIN_AFTER = 1_200;
/** … but not more often than this: it costs a tenth of a minute's budget. */
const LIST_AGAIN_MS = 20_000;
const UNLISTED = "older than the orders that the venue still lists (it keeps them by count)";
const UNLISTED_WATCHED = "watched live and no loss seen, but no longer listed by the venue: not confirmed";

interface OrderReaderDeps {
  account: Address;
  info: VenueInfo;
  store: Store;
  check: SelfCheck;
  book: CoverageBook;
  /** A row that is younger is stamped wrongly. */
  latestRowMs(): number;
  /** What is younger a reading may not know yet: it may be answered by a server that is behind. */
  claimableToMs(): number;
  commit(batch: Batch, receivedAtMs: number, asking?: Asking): Promise<Applied>;
  /** A whole list of one dex was read. */
  onListed(dex: string, rows: OrderEventRow[]): void;
}

export class OrderReader {
  readonly #deps: OrderReaderDeps;
  #askedUnlisted: Interval[] = [];
  /** Committed since the list was last read. */
  #transitions = 0;
  #listedAtMs = Number.NEGATIVE_INFINITY;
  /** Where the list began that was read last; null when it was not full. */
  #listBeginsMs: number | null = null;
  /** Held open and not listed, newest first: still to be asked for. */
  readonly #lost = new Set<number>();

  constructor(deps: OrderReaderDeps) {
    this.#deps = deps;
  }

  /**
   * What is open on these dexes, then the newest transitions (which show what was placed and ended unseen), then the
   * newest orders that we hold open and no list has; `hasLost` when there are more. `claimableToMs`: up to where time may
   * be claimed.
   */
  async read(dexes: readonly string[], claimableToMs: number, asking: Asking): Promise<void> {
    const { check } = this.#deps;
    const heldOpen = new Set(check.openOrderIds);
    const open = new Set<number>();
    /** Their lists say nothing about the orders that they lack. */
    const untold = new Set<string>();
    const answers = await Promise.allSettled(dexes.map((dex) => this.readOpen(dex, asking)));
    for (const [at, answer] of answers.entries()) {
      const list = answer.status === "fulfilled" ? answer.value : null;
      for (const { orderId } of list?.rows ?? []) open.add(orderId);
      if (!list?.isComplete) untold.add(dexes[at]!);
    }
    // A list that is refused keeps neither the transitions nor the orders of other dexes from being read.
    await this.readTransitions(claimableToMs, asking);
    const isTold = (orderId: number) => !untold.has(check.dexOf(orderId) ?? "");
    for (const orderId of this.#lost) if (isTold(orderId)) this.#lost.delete(orderId);
    const lost = [...heldOpen].filter(
      (orderId) => check.isOpen(orderId) && !open.has(orderId) && isTold(orderId),
    );
    for (const orderId of newestFirst(lost)) this.#lost.add(orderId);
    await this.resolveLost(asking, LOST_IN_CATCH_UP);
    const failed = answers.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
  }

  /** What is open on one dex. */
  async readOpen(
    dex: string,
    { priority, source, signal }: Asking,
  ): Promise<{ rows: OrderEventRow[]; isComplete: boolean }> {
    const { info, account, commit, onListed } = this.#deps;
    const answer = await info.request(INFO.frontendOpenOrders, { user: account, dex }, { priority, signal });
    const { receivedAtMs, result } = answer;
    const { own, stray } = ordersOf(dex, result.rows);
    const rows = openOrderRows({ account, source, seenAtMs: receivedAtMs }, own);
    const unread = [...result.unread, ...stray];
    const isComplete = isWhole(unread);
    if (isComplete) onListed(dex, rows);
    const quarantine = quarantineRows(unread, "frontendOpenOrders", account, receivedAtMs);
    if (rows.length + quarantine.length > 0) await commit({ orderEvents: rows, quarantine }, receivedAtMs);
    return { rows, isComplete };
  }

  /** The newest transitions, which the venue keeps by count. */
  async readTransitions(claimableToMs: number, asking: Asking): Promise<void> {
    const { priority, source, signal } = asking;
    const { info, account, book, check, commit } = this.#deps;
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
    await commit({ orderEvents, coverage, quarantine }, answer.receivedAtMs, asking);
    this.#transitions = 0;
    this.#listedAtMs = answer.receivedAtMs;
    this.#listBeginsMs = isFull ? oldestMs : null;
    // What filled before it is asked for with all that is no longer listed.
    if (isFull) check.dropUnannounced(oldestMs);
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
    await allOf(Array.from({ length: RESOLVE_PARALLEL }, next));
  }

  /** Whether orders that we hold open and no list has are still to be asked for. */
  get hasLost(): boolean {
    return this.#lost.size > 0;
  }

  /** Whether the order is among them. */
  isLost(orderId: number): boolean {
    return this.#lost.has(orderId);
  }

  /**
   * Asks for them, newest first, for all or for at most so many. The venue keeps orders by count: once it has forgotten
   * many in a row, it has forgotten those that are older than its list.
   */
  async resolveLost(asking: Asking, max = Number.POSITIVE_INFINITY): Promise<void> {
    for (let left = max; left > 0 && this.hasLost; ) {
      const { asked, forgottenAtMs } = await this.#askLost(asking, left);
      if (forgottenAtMs !== null) await this.#forgetOlder(forgottenAtMs, asking);
      left -= asked;
    }
  }

  /** Until at most so many were asked for, or many in a row are forgotten: then when the last of these was asked for. */
  async #askLost(asking: Asking, max: number): Promise<{ asked: number; forgottenAtMs: number | null }> {
    const { check } = this.#deps;
    let [asked, inARow] = [0, 0];
    let forgottenAtMs: number | null = null;
    const next = async (): Promise<void> => {
      while (asked < max && inARow < FORGOTTEN_IN_A_ROW) {
        const [orderId] = this.#lost;
        if (orderId === undefined) return;
        this.#lost.delete(orderId);
        if (!check.isOpen(orderId)) continue;
        asked += 1;
        forgottenAtMs = await this.resolveOne(orderId, asking).catch((error: unknown) => {
          this.#lost.add(orderId);
          throw error;
        });
        inARow = forgottenAtMs === null ? 0 : inARow + 1;
      }
    };
    await allOf(Array.from({ length: RESOLVE_PARALLEL }, next));
    return { asked, forgottenAtMs: inARow < FORGOTTEN_IN_A_ROW ? null : forgottenAtMs };
  }

  /** Ends as `unknown` what was last heard of before the list begins, where that is cut. */
  async #forgetOlder(forgottenAtMs: number, { source }: Asking): Promise<void> {
    const { account, store, check, commit } = this.#deps;
    if (this.#listBeginsMs === null) return;
    const held = [...this.#lost].filter((orderId) => check.isOpen(orderId));
    const last = new Map((await store.orderEvents(account, held)).map((row) => [row.orderId, row]));
    const origin = { account, source, seenAtMs: forgottenAtMs };
    const older = [...last.values()].filter(({ statusTimeMs }) => statusTimeMs < this.#listBeginsMs!);
    for (const { orderId } of older) this.#lost.delete(orderId);
    const orderEvents = older.map((row) => unknownOrderRow(origin, row, forgottenAtMs));
    await commit({ orderEvents }, forgottenAtMs);
  }

  /**
   * Asks for one order; what the venue has forgotten ends as `unknown`, unless it was heard of so lately that a server may not
   * know it yet: then it stays as it is. When it was asked, if it has forgotten; else null.
   */
  async resolveOne(orderId: number, { priority, source, signal }: Asking): Promise<number | null> {
    const { info, account, store, check, commit } = this.#deps;
    const ask = { priority, signal };
    // Before it is asked: what may be claimed meanwhile says nothing about this answer.
    const claimableToMs = this.#deps.claimableToMs();
    const answer = await info.request(INFO.orderStatus, { user: account, oid: orderId }, ask);
    const origin = { account, source, seenAtMs: answer.receivedAtMs };
    const { value: status, unread } = answerFor(orderId, answer.result);
    let row: OrderEventRow | undefined;
    if (status.order) row = orderEventRow(origin, { value: status.order, raw: status.order });
    else if (status.status === FORGOTTEN) {
      const last = (await store.orderEvents(account, [orderId])).at(-1);
      if (last && last.statusTimeMs > claimableToMs) return null;
      if (last) row = unknownOrderRow(origin, last, answer.sentAtMs);
      else check.noteForgotten(orderId);
    }
    const quarantine = quarantineRows(unread, INFO.orderStatus.type, account, answer.receivedAtMs);
    if (row || unread.length > 0)
      await commit({ orderEvents: row ? [row] : [], quarantine }, answer.receivedAtMs);
    return status.order || unread.length > 0 ? null : answer.sentAtMs;
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
  async resolveUnlisted(asking: Asking): Promise<void> {
    const left = this.unlisted();
    let forgotten = 0;
    for (let window = left.pop(); window !== undefined; window = left.pop()) {
      for await (const orderId of this.#knownByFills(window)) {
        forgotten = (await this.resolveOne(orderId, asking)) === null ? 0 : forgotten + 1;
        if (forgotten >= FORGOTTEN_IN_A_ROW) break;
      }
      const isOver = forgotten >= FORGOTTEN_IN_A_ROW;
      this.#askedUnlisted = union(this.#askedUnlisted, [window, ...(isOver ? left.splice(0) : [])]);
    }
  }

  /** Orders of which fills are stored and no transition, newest first. */
  async *#knownByFills({ fromMs, toMs }: Interval): AsyncGenerator<number> {
    const { store, account } = this.#deps;
    let belowId = Number.MAX_SAFE_INTEGER;
    for (;;) {
      const ids = await store.ordersKnownByFills(account, fromMs, toMs, belowId, UNLISTED_AT_ONCE);
      yield* ids;
      if (ids.length < UNLISTED_AT_ONCE) return;
      belowId = ids.at(-1)!;
    }
  }
}

const newestFirst = (orderIds: number[]): number[] => orderIds.sort((a, b) => b - a);
