/**
 * Quarantined messages, read again by a version that may understand them. Pure. Guarantees: what decodes becomes the
 * very rows it would have become when it came, to be committed as joins; what another account's frame holds, or what
 * still does not decode, stays where it is. States (positions, balances, prices) are superseded by newer ones: they
 * decode to nothing.
 */
import { CHANNELS, type Frame, type Reading, readFrame } from "../protocol/channels.ts";
import { isRead, type Read, readJson, readOne } from "../protocol/decode.ts";
import {
  WireFill,
  WireFunding,
  WireFundingUpdate,
  WireLedgerUpdate,
  WireOrder,
  WireOrderTransition,
  WireTwapHistoryItem,
  WireTwapSliceFill,
} from "../protocol/schemas.ts";
import { FUTURE_ROW } from "./futureRows.ts";
import {
  factRows,
  fillRow,
  fundingRow,
  fundingUpdateRow,
  ledgerRow,
  type Origin,
  openOrderRows,
  orderEventRow,
  twapRow,
  twapSliceFillRow,
} from "./normalize.ts";
import type { Doubt } from "./ports.ts";
import type { Batch, QuarantineRow, TrackedStream } from "./rows.ts";

type ReadRow = (raw: unknown, origin: Origin) => Batch | null;

/** One row of a list, by its schema. */
const rowOf =
  <T>(schema: Parameters<typeof readOne<T>>[0], toBatch: (origin: Origin, read: Read<T>) => Batch): ReadRow =>
  (raw, origin) => {
    const read = readOne(schema, raw);
    return isRead(read) ? toBatch(origin, read) : null;
  };

const fill = rowOf(WireFill, (origin, read) => ({ fills: [fillRow(origin, read)] }));
const slice = rowOf(WireTwapSliceFill, (origin, read) => ({ fills: [twapSliceFillRow(origin, read)] }));
const transition = rowOf(WireOrderTransition, (origin, read) => ({
  orderEvents: [orderEventRow(origin, read)],
}));
const openOrder = rowOf(WireOrder, (origin, read) => ({ orderEvents: openOrderRows(origin, [read]) }));
const funding = rowOf(WireFunding, (origin, read) => ({ funding: [fundingRow(origin, read)] }));
const fundingUpdate = rowOf(WireFundingUpdate, (origin, read) => ({
  funding: [fundingUpdateRow(origin, read)],
}));
const twap = rowOf(WireTwapHistoryItem, (origin, read) => ({ twaps: [twapRow(origin, read)] }));
const ledger = rowOf(WireLedgerUpdate, (origin, read) => ({ ledger: [ledgerRow(origin, read)] }));

/** How a row is read, by the channel or request it came in. */
const ROWS: Readonly<Record<string, readonly ReadRow[]>> = {
  userFills: [fill],
  userFillsByTime: [fill],
  userTwapSliceFills: [slice],
  userTwapSliceFillsByTime: [slice],
  // A user event does not say which of its lists a bad row was in.
  user: [fill, slice, funding, twap],
  orderUpdates: [transition],
  userHistoricalOrders: [transition],
  historicalOrders: [transition],
  openOrders: [openOrder],
  frontendOpenOrders: [openOrder],
  userFundings: [funding],
  userFunding: [fundingUpdate],
  userNonFundingLedgerUpdates: [ledger],
  orderStatus: [transition],
  // What the database refused: it may take it now.
  hl_fills: [slice, fill],
  hl_order_events: [transition],
  hl_funding: [funding, fundingUpdate],
  hl_ledger: [ledger],
  twapHistory: [twap],
  hl_twaps: [twap],
};

/** The rows of a quarantined message; null while it is not understood. */
export function replay({ account, subject, reason, raw, seenAtMs }: QuarantineRow): Batch | null {
  // It was understood, and not believed.
  if (reason === FUTURE_ROW) return null;
  const json = readJson(raw);
  if (account === null || !isRead(json)) return null;
  const origin: Origin = { account, source: "repair", seenAtMs };
  for (const read of ROWS[subject] ?? []) {
    const batch = read(json.value, origin);
    if (batch !== null) return batch;
  }
  const channel = CHANNELS.find((row) => row.channel === subject);
  if (channel !== undefined) {
    const batch = readingBatch(channel.read(json.value), origin);
    if (batch !== null) return batch;
  }
  return frameBatch(readFrame(raw), origin, subject);
}

/**
 * The time of these rows, to be read again: it was set down as unprovable for what was not understood, and who knows
 * whether this was all of it.
 */
export function doubtsAbout({ fills = [], orderEvents = [], funding = [], ledger = [] }: Batch): Doubt[] {
  const at = (stream: TrackedStream, timeMs: number): Doubt => ({
    stream,
    fromMs: timeMs,
    toMs: timeMs,
    table: null,
    row: null,
  });
  return [
    ...fills.flatMap(({ timeMs }) => [at("fills", timeMs), at("twapFills", timeMs)]),
    ...orderEvents.map(({ statusTimeMs }) => at("orders", statusTimeMs)),
    ...funding.map(({ timeMs }) => at("funding", timeMs)),
    ...ledger.map(({ timeMs }) => at("ledger", timeMs)),
  ];
}

/** A whole frame. One that came by the account's own socket under no known channel needs not name the account. */
function frameBatch(frame: Frame, origin: Origin, subject: string): Batch | null {
  if (frame.type !== "data") return null;
  const { user } = frame.reading;
  const isOurs = user === origin.account || (user === null && subject === "frame");
  return isOurs ? readingBatch(frame.reading, origin) : null;
}

function readingBatch({ content, unread, user }: Reading, origin: Origin): Batch | null {
  if (unread.length > 0 || content.type === "nothing" || content.type === "notice") return null;
  if (user !== null && user !== origin.account) return null;
  if (content.type === "openOrders") return { orderEvents: openOrderRows(origin, content.rows) };
  return factRows(content, origin) ?? {};
}
