/**
 * What the live screen shows, as plain data: made anew for every frame out of the engine, and out of the events that
 * were committed meanwhile. Pure. Holds at most `TAPE_MAX` events and `NOTES_MAX` log lines.
 */

import { channelOfType } from "../../protocol/channels.ts";
import { sub } from "../../runtime/decimal.ts";
import { channelBounds, freshnessOf, STREAMED } from "../../sync/freshness.ts";
import type { LaneStatus } from "../../sync/lane/lane.ts";
import { isOpenStatus } from "../../sync/orderStatus.ts";
import type { SubscriptionStatus } from "../../sync/ports.ts";
import type { Address, ChangeEvent, DashboardRow, OrderEventRow, PositionRow } from "../../sync/rows.ts";

/** Events remembered for the tape. */
export const TAPE_MAX = 1_000;
/** Log lines remembered. */
export const NOTES_MAX = 200;

export type Word = "live" | "delayed" | "stale" | "down";

export interface StreamLine {
  name: string;
  dex: string;
  word: Word;
  /** Of its last data; null before the first. */
  ageMs: number | null;
  /** Whether silence is normal: streams of events are quiet when nothing happens. */
  quiet: boolean;
}

/** Where reading a history stands. */
export interface HistoryLine {
  stream: string;
  fromMs: number;
  toMs: number;
  rows: number;
  /** Reading now. */
  active: boolean;
  /** Proven without a gap since then; null when nothing is. */
  completeSinceMs: number | null;
  gaps: number;
  /** What is older the venue serves no more; null when it serves all. */
  horizonMs: number | null;
}

export interface Today {
  closedPnl: string;
  fees: string;
  funding: string;
  net: string;
  fills: number;
  drawdownPct: string | null;
  /** Equity of the last day, oldest first; null where it is not known. */
  equity: readonly (string | null)[];
}

export interface AccountModel {
  address: Address;
  alias: string | null;
  /** `standby`: another process follows it. `stored`: the database is looked at, whoever fills it. */
  role: "active" | "standby" | "stored";
  phase: string;
  /** Age of the newest data of any stream. */
  feedAgeMs: number | null;
  /** What is older counts as stale, for the way the account is followed. */
  staleAfterMs: number;
  word: Word;
  queued: number;
  dropped: number;
  reconnects: number;
  lastReconcileMs: number | null;
  healed: number;
  unexplained: number;
  snapshot: DashboardRow | null;
  positions: PositionRow[];
  openOrders: OrderEventRow[];
  streams: StreamLine[];
  histories: HistoryLine[];
  /** Null without a database. */
  today: Today | null;
}

export type View = "overview" | "positions" | "orders" | "tape" | "streams" | "log";
export const VIEWS: readonly View[] = ["overview", "positions", "orders", "tape", "streams", "log"];

export interface Note {
  level: string;
  text: string;
}

export interface Screen {
  nowMs: number;
  network: string;
  /** Null while starting. */
  starting: string | null;
  accounts: AccountModel[];
  selected: number;
  view: View;
  filter: string;
  /** The filter is being typed. */
  typing: boolean;
  paused: boolean;
  help: boolean;
  /** The row of a list that is looked at. */
  scroll: number;
  /** All there is to say of that row. */
  detail: boolean;
  /** How lists are sorted: which of the orders that a view has. */
  sort: number;
  /** Newest last. */
  tape: ChangeEvent[];
  notes: Note[];
  weight: { used: number; perMinute: number; waiting: number } | null;
  database: string;
  /** Names of markets for people, where the venue's own is a number. */
  names: ReadonlyMap<string, string>;
}

/** One word for a stream, from what the session knows of it. */
export function streamLine(
  { subscription, state, lastDataMs, stale }: SubscriptionStatus,
  socket: { live: boolean; lastReceivedMs: number | null },
  nowMs: number,
): StreamLine {
  const { cadenceMs } = channelOfType(subscription.type);
  const ageMs = lastDataMs === null ? null : Math.max(0, nowMs - lastDataMs);
  const socketAgeMs =
    socket.lastReceivedMs === null ? Number.POSITIVE_INFINITY : nowMs - socket.lastReceivedMs;
  const word = ((): Word => {
    if (!socket.live || state === "refused" || state === "limited") return "down";
    // A socket brings something of an account every few seconds.
    const socketWord = freshnessOf(socketAgeMs, STREAMED);
    if (stale || socketWord === "stale") return "stale";
    if (state !== "confirmed" || socketWord === "delayed") return "delayed";
    const late = cadenceMs !== null && freshnessOf(ageMs, channelBounds(cadenceMs)) !== "fresh";
    return late ? "delayed" : "live";
  })();
  const dex = typeof subscription.dex === "string" ? subscription.dex : "";
  return { name: subscription.type, dex, word, ageMs, quiet: cadenceMs === null };
}

export function streamLines({ stream }: LaneStatus, nowMs: number): StreamLine[] {
  const live = stream.state === "live" || stream.state === "subscribing";
  const socket = { live, lastReceivedMs: stream.lastReceivedMs };
  return stream.subscriptions.map((subscription) => streamLine(subscription, socket, nowMs));
}

const RANK: Record<Word, number> = { live: 0, delayed: 1, stale: 2, down: 3 };

/** The worst word; `down` when there is nothing. */
export const worst = (lines: readonly Pick<StreamLine, "word">[]): Word =>
  lines.reduce<Word | null>(
    (word, line) => (word === null || RANK[line.word] > RANK[word] ? line.word : word),
    null,
  ) ?? "down";

/** Adds to a list that forgets its oldest beyond `limit`. */
export function append<T>(list: T[], items: readonly T[], limit: number): void {
  list.push(...items.slice(-limit));
  if (list.length > limit) list.splice(0, list.length - limit);
}

/** The tape goes by when things happened: history that is read late does not stand before what is new. */
export function addToTape(tape: ChangeEvent[], events: readonly ChangeEvent[]): void {
  tape.push(...events);
  tape.sort((a, b) => a.timeMs - b.timeMs);
  if (tape.length > TAPE_MAX) tape.splice(0, tape.length - TAPE_MAX);
}

/** The venue lists open orders every few seconds: what was placed since then is known from its own event. */
const LISTED_WITHIN_MS = 15_000;

/** Open orders as last listed, less those that ended since, with those that were placed since, as committed. */
export function openNow(
  listed: readonly OrderEventRow[],
  tape: readonly ChangeEvent[],
  account: Address,
  nowMs: number,
): OrderEventRow[] {
  const orders = new Map(listed.map((order) => [order.orderId, order]));
  for (const event of tape) {
    if (event.type !== "order.updated" || event.account !== account) continue;
    const orderId = Number(event.data.order_id);
    if (!isOpenStatus(event.data.status)) orders.delete(orderId);
    else if (!orders.has(orderId) && nowMs - event.timeMs < LISTED_WITHIN_MS)
      orders.set(orderId, orderOf(event, orderId));
  }
  return [...orders.values()];
}

/** The row of an order as its event tells it. */
function orderOf({ data, account, timeMs, source }: ChangeEvent, orderId: number): OrderEventRow {
  const text = (key: string): string | null => (typeof data[key] === "string" ? (data[key] as string) : null);
  const size = text("size") ?? "0";
  return {
    account: account ?? "",
    orderId,
    venueStatus: text("venue_status") ?? "open",
    statusTimeMs: timeMs,
    coin: text("coin") ?? "",
    side: data.side === "sell" ? "sell" : "buy",
    limitPrice: text("limit_price") ?? "0",
    size,
    remaining: sub(size, text("filled") ?? "0"),
    placedAtMs: timeMs,
    orderType: text("order_type"),
    tif: text("tif"),
    triggerPrice: text("trigger_price"),
    reduceOnly: data.reduce_only === true,
    cloid: text("cloid"),
    raw: null,
    source,
    seenAtMs: timeMs,
  };
}
