/**
 * Events of a node as our rows. Pure. Guarantees: a row is the one that the venue's API gives for the same event, `raw` in the
 * API's shape, so that both meet in one; only accounts that are wanted get rows; an event that cannot be read is handed back
 * with the account, and the time it tells. What there is no table for is named.
 */
import { fillText } from "../../protocol/channels.ts";
import { isObject, isRead, lostRows, type Read, readOne, type Unread } from "../../protocol/decode.ts";
import {
  WireFill,
  WireFundingUpdate,
  WireLedgerUpdate,
  WireOrderTransition,
  WireTwapHistoryItem,
} from "../../protocol/schemas.ts";
import { JsonText } from "../../runtime/jsonText.ts";
import { fillRow, fundingUpdateRow, ledgerRow, type Origin, orderEventRow, twapRow } from "../normalize.ts";
import type { Address, Batch, FillRow, Source } from "../rows.ts";
import { toldTimesMs } from "../windowReader.ts";

const NODE_SOURCE: Source = "node";
/** What an event is, by what it is made of. */
export type EventKind = "fill" | "order" | "misc" | "twap" | "trade" | "unknown";

export interface LostEvent extends Unread {
  account: Address | null;
  /** The table that it was for. */
  table: string;
}

/** When a fill happened that could not be read; nothing where its account or its time is not known, or it may be no fill. */
export const lostFillTimesMs = (event: LostEvent): number[] =>
  event.account !== null && event.table === "hl_fills" ? toldTimesMs(lostRows([event])) : [];

/** Where rows go. */
export interface RowSink {
  rows(batch: Batch): void;
  lost(event: LostEvent): void;
  /** An event of an account that is wanted, for which there is no table. */
  leftOut(what: string): void;
  isWanted(account: Address): boolean;
  seenAtMs: number;
}

export function kindOf(event: unknown): EventKind {
  if (Array.isArray(event)) return typeof event[0] === "string" && isObject(event[1]) ? "fill" : "unknown";
  if (!isObject(event)) return "unknown";
  if (isObject(event.inner)) return "misc";
  if (isObject(event.order)) return "order";
  if ("twap_id" in event) return "twap";
  return "side_info" in event ? "trade" : "unknown";
}

export function readEvent(event: unknown, sink: RowSink): EventKind {
  const kind = kindOf(event);
  if (kind === "fill") readFill(event as [string, Record<string, unknown>], sink);
  else if (kind === "order") readOrder(event as Record<string, unknown>, sink);
  else if (kind === "misc") readMisc(event as MiscEvent, sink);
  else if (kind === "twap") readTwap(event as Record<string, unknown>, sink);
  else if (kind === "trade") sink.leftOut(kind);
  else
    sink.lost({ kind: "row", raw: event, reason: "an event of no known kind", account: null, table: "node" });
  return kind;
}

/** Null where the account is not wanted. */
function originOf(user: unknown, sink: RowSink): Origin | null {
  const account = typeof user === "string" ? user.toLowerCase() : "";
  return sink.isWanted(account) ? { account, source: NODE_SOURCE, seenAtMs: sink.seenAtMs } : null;
}

/** The row of what fits; what does not is handed back. */
function put<T>(
  { account }: Origin,
  table: string,
  read: Read<T> | Unread,
  toBatch: (read: Read<T>) => Batch,
  sink: RowSink,
): void {
  if (isRead(read)) sink.rows(toBatch(read));
  else sink.lost({ ...read, account, table });
}

/** A fill in the words of every day, read from its text in a fraction of the time; null where it is to be parsed. */
export function fillFromText(account: Address, text: string, { seenAtMs }: RowSink): FillRow | null {
  const value = fillText.read(text, 0);
  return value !== null && fillText.end === text.length
    ? fillRow({ account, source: NODE_SOURCE, seenAtMs }, { value, raw: new JsonText(text) })
    : null;
}

function readFill([user, fill]: [string, Record<string, unknown>], sink: RowSink): void {
  const origin = originOf(user, sink);
  if (origin === null) return;
  put(origin, "hl_fills", readOne(WireFill, fill), (read) => ({ fills: [fillRow(origin, read)] }), sink);
}

function readOrder({ time, user, ...rest }: Record<string, unknown>, sink: RowSink): void {
  const origin = originOf(user, sink);
  if (origin === null) return;
  const transition = { ...rest, statusTimestamp: blockMs(time) };
  const toBatch = (read: Read<WireOrderTransition>) => ({ orderEvents: [orderEventRow(origin, read)] });
  put(origin, "hl_order_events", readOne(WireOrderTransition, transition), toBatch, sink);
}

/** The status is a word, or `{"error": …}`; times of TWAP orders are in seconds. */
function readTwap({ time, twap_id: twapId, state, status }: Record<string, unknown>, sink: RowSink): void {
  const origin = originOf(isObject(state) ? state.user : null, sink);
  if (origin === null) return;
  const ms = blockMs(time);
  const told = isObject(status) ? { status: "error", description: status.error } : { status };
  const item = { time: ms === null ? null : Math.floor(ms / 1000), state, status: told, twapId };
  const toBatch = (read: Read<WireTwapHistoryItem>) => ({ twaps: [twapRow(origin, read)] });
  put(origin, "hl_twaps", readOne(WireTwapHistoryItem, item), toBatch, sink);
}

interface MiscEvent {
  time: unknown;
  hash: unknown;
  inner: Record<string, unknown>;
}

function readMisc({ time, hash, inner }: MiscEvent, sink: RowSink): void {
  const about = { time: blockMs(time), hash };
  for (const [name, body] of Object.entries(inner)) {
    if (name === "Funding" && isObject(body) && Array.isArray(body.deltas))
      for (const delta of body.deltas) readFunding(about, delta, sink);
    else if (name === "LedgerUpdate" && isObject(body) && Array.isArray(body.users)) {
      for (const user of new Set(body.users)) {
        const origin = originOf(user, sink);
        const update = { ...about, delta: body.delta };
        const toBatch = (read: Read<WireLedgerUpdate>) => ({ ledger: [ledgerRow(origin!, read)] });
        if (origin) put(origin, "hl_ledger", readOne(WireLedgerUpdate, update), toBatch, sink);
      }
    } else sink.leftOut(name);
  }
}

function readFunding(about: { time: number | null; hash: unknown }, paid: unknown, sink: RowSink): void {
  if (!isObject(paid)) return;
  const origin = originOf(paid.user, sink);
  if (origin === null) return;
  const { coin, funding_amount: usdc, szi, funding_rate: fundingRate } = paid;
  const update = { ...about, delta: { type: "funding", coin, usdc, szi, fundingRate } };
  const toBatch = (read: Read<WireFundingUpdate>) => ({ funding: [fundingUpdateRow(origin, read)] });
  put(origin, "hl_funding", readOne(WireFundingUpdate, update), toBatch, sink);
}

/** The second that was read last: the lines of a file repeat it. */
const lastSecond = { text: "", ms: 0 };
const SECOND_LENGTH = "2026-03-31T23:59:59".length;

/** `2026-03-31T23:59:59.923939163`, UTC without a zone: the API tells its milliseconds, cut. Null where it is no such text. */
export function blockMs(time: unknown): number | null {
  if (typeof time !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?$/.test(time)) return null;
  const second = time.slice(0, SECOND_LENGTH);
  if (second !== lastSecond.text) {
    lastSecond.text = second;
    lastSecond.ms = Date.parse(`${second}Z`);
  }
  const ms = lastSecond.ms + Number(time.slice(SECOND_LENGTH + 1, SECOND_LENGTH + 4).padEnd(3, "0"));
  return Number.isNaN(ms) ? null : ms;
}
