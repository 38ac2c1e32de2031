/**
 * Frames of one account folded into one batch. Guarantees: the batch is as old as its oldest frame, whatever that held.
 * Pure but for what the account notes of a state.
 */
import type { Content } from "../../protocol/channels.ts";
import type { Read } from "../../protocol/decode.ts";
import type { WireOrder } from "../../protocol/schemas.ts";
import type { Account } from "../account/account.ts";
import { append } from "../batch.ts";
import { ordersOf } from "../dexes.ts";
import { factRows, type Origin, openOrderRows } from "../normalize.ts";
import { quarantineRows } from "../quarantine.ts";
import type { Batch } from "../rows.ts";
import type { Frame } from "./inbox.ts";

/** What frames need of the account. */
export interface Reader extends Pick<Account, "address" | "openOrders" | "noteWebData" | "claimableOf"> {
  states: Pick<Account["states"], "perp" | "spot">;
}

export class Pending {
  readonly #account: Reader;
  readonly batch: Batch = {};
  /** Of the oldest frame; infinite while there is none. */
  receivedAtMs = Number.POSITIVE_INFINITY;

  constructor(account: Reader) {
    this.#account = account;
  }

  /** Takes a frame. Returns the time of the venue that it tells, when that is believed. */
  add(frame: Frame): number | null {
    const { receivedAtMs } = frame;
    const account = this.#account.address;
    this.receivedAtMs = Math.min(this.receivedAtMs, receivedAtMs);
    if (frame.type === "quarantine") {
      const { subject, reason, raw } = frame;
      this.#append({ quarantine: [{ account, subject, reason, raw, seenAtMs: receivedAtMs }] });
      return null;
    }
    const { content, unread, isSnapshot } = frame.reading;
    const source = isSnapshot ? "snapshot" : "stream";
    const origin: Origin = { account, source, seenAtMs: receivedAtMs };
    this.#append({ quarantine: quarantineRows(unread, frame.channel, account, receivedAtMs) });
    this.#append(factRows(content, origin) ?? {});
    return this.#addState(content, origin);
  }

  /**
   * Takes out the fills, with what else came of their orders: else an order would change twice. One that was placed in this
   * very batch has no row yet that could change, and stays here with its transitions.
   */
  takeFills(): Batch {
    const { fills = [], orderEvents = [] } = this.batch;
    if (fills.length === 0) return {};
    const orders = new Set(fills.map(({ orderId }) => orderId));
    for (const { orderId, venueStatus } of orderEvents) if (venueStatus === "open") orders.delete(orderId);
    this.batch.fills = [];
    this.batch.orderEvents = orderEvents.filter(({ orderId }) => !orders.has(orderId));
    return { fills, orderEvents: orderEvents.filter(({ orderId }) => orders.has(orderId)) };
  }

  #append(part: Batch): void {
    append(this.batch, part);
  }

  #addState(content: Content, origin: Origin): number | null {
    const account = this.#account;
    const { seenAtMs } = origin;
    switch (content.type) {
      case "openOrders": {
        this.#addOpenOrders(content.dex, content.rows, content.complete, origin);
        return null;
      }
      case "clearinghouseState":
        return this.#addPerp(content.dex, content.state, seenAtMs);
      case "spotState":
        this.#append(account.states.spot(content.state, seenAtMs));
        return null;
      case "webData3":
        this.#append(account.noteWebData(content.data));
        return null;
      case "webData2": {
        const { perp, spot, openOrders, complete } = content;
        const toldMs = perp ? this.#addPerp("", perp, seenAtMs) : null;
        this.#addOpenOrders("", openOrders, complete, origin);
        if (spot) this.#append(account.states.spot(spot, seenAtMs));
        return toldMs;
      }
      default:
        return null;
    }
  }

  #addOpenOrders(dex: string, rows: readonly Read<WireOrder>[], isComplete: boolean, origin: Origin): void {
    const { account, seenAtMs } = origin;
    const { own, stray } = ordersOf(dex, rows);
    this.#append({ quarantine: quarantineRows(stray, "openOrders", account, seenAtMs) });
    const isWhole = isComplete && stray.length === 0;
    this.#append(this.#account.openOrders(dex, openOrderRows(origin, own), isWhole, seenAtMs));
  }

  #addPerp(dex: string, state: Parameters<Reader["states"]["perp"]>[1], receivedAtMs: number): number | null {
    this.#append(this.#account.states.perp(dex, state, receivedAtMs));
    const { time } = state.value;
    return time ? this.#account.claimableOf(time) : null;
  }
}
