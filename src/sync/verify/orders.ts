/**
 * Orders: the transitions that the venue still lists against `hl_orders` and `hl_order_events`, and what is open on each
 * dex, whatever its age. Transitions are listed by count, so that the absence of one says nothing; open orders are listed
 * whole, and where the two sides differ the venue is asked for the order itself, since either may have changed between
 * the answers.
 */
import { answerFor, INFO } from "../../protocol/infoRequests.ts";
import { eq } from "../../runtime/decimal.ts";
import { ordersOf } from "../dexes.ts";
import { orderEventRow } from "../normalize.ts";
import { classifyStatus, isOpenStatus } from "../orderStatus.ts";
import type { StoredOrder } from "../ports.ts";
import type { OrderEventRow } from "../rows.ts";
import { add, FINDINGS_MAX } from "./certificate.ts";
import { ask, noteUnread, type Run, unlessUnreadable } from "./witness.ts";

export type StoredOrders = ReadonlyMap<number, StoredOrder>;

export async function compareOrders(run: Run, dexes: readonly string[], toMs: number): Promise<StoredOrders> {
  const stored = await compareTransitions(run, toMs);
  await compareOpenOrders(run, dexes, stored, toMs);
  return stored;
}

const storedOrders = async ({ account, store }: Run): Promise<StoredOrders> =>
  new Map((await store.orders(account)).map((order) => [order.orderId, order]));

/** Every transition that the venue lists is stored, and the last of each order is what `hl_orders` says. */
async function compareTransitions(run: Run, toMs: number): Promise<StoredOrders> {
  const { account, certificate, clock, info, store } = run;
  const answer = await unlessUnreadable(info.request(INFO.historicalOrders, { user: account }, ask(run)));
  const origin = { account, source: "reconcile", seenAtMs: clock.now() } as const;
  const listed = (answer?.result.rows ?? [])
    .map((read) => orderEventRow(origin, read))
    .filter(({ statusTimeMs }) => statusTimeMs <= toMs);
  const stored = await storedOrders(run);
  const last = lastTransitions(listed);
  certificate.compared.hl_orders = last.size;
  for (const row of last.values()) compareOrder(run, row, stored.get(row.orderId));
  const events = new Set((await store.orderEvents(account, [...last.keys()])).map(eventKey));
  certificate.compared.hl_order_events = listed.length;
  for (const row of listed) {
    // Of an order that is missing, all of its transitions are.
    if (events.has(eventKey(row)) || !stored.has(row.orderId)) continue;
    if (run.toCome.takes("orders", row.statusTimeMs)) continue;
    const interval = { fromMs: row.statusTimeMs, toMs: row.statusTimeMs };
    const finding = { table: "hl_order_events", row: eventKey(row), detail: row.venueStatus, interval };
    add(certificate, { kind: "missing", ...finding });
  }
  return stored;
}

const eventKey = ({ orderId, statusTimeMs, venueStatus }: OrderEventRow): string =>
  `${orderId}|${statusTimeMs}|${venueStatus}`;

function lastTransitions(rows: readonly OrderEventRow[]): Map<number, OrderEventRow> {
  const last = new Map<number, OrderEventRow>();
  for (const row of rows) {
    const before = last.get(row.orderId);
    const newer = !before || row.statusTimeMs > before.statusTimeMs;
    // Within one millisecond the end of an order beats its beginning.
    if (newer || (row.statusTimeMs === before.statusTimeMs && before.venueStatus === "open"))
      last.set(row.orderId, row);
  }
  return last;
}

function compareOrder({ certificate, toCome }: Run, row: OrderEventRow, own: StoredOrder | undefined): void {
  const finding = {
    table: "hl_orders",
    row: String(row.orderId),
    interval: { fromMs: row.statusTimeMs, toMs: row.statusTimeMs },
  } as const;
  if (!own && toCome.takes("orders", row.statusTimeMs)) return;
  if (!own) add(certificate, { kind: "missing", ...finding, detail: row.venueStatus });
  else if (classifyStatus(row.venueStatus).terminal && !isSameOrder(own, row)) {
    const detail = `venue ${row.venueStatus} ${row.size}, database ${own.status} ${own.venueStatus} ${own.size}`;
    add(certificate, { kind: "changed", ...finding, detail });
  }
}

const isSameOrder = (own: StoredOrder, venue: OrderEventRow): boolean =>
  own.venueStatus === venue.venueStatus &&
  own.status === classifyStatus(venue.venueStatus).status &&
  own.coin === venue.coin &&
  eq(own.size, venue.size);

async function compareOpenOrders(
  run: Run,
  dexes: readonly string[],
  stored: StoredOrders,
  toMs: number,
): Promise<void> {
  const { account, certificate, info } = run;
  const listed = new Set<number>();
  /** Listed, and in a time of which nothing was read yet. */
  const early = new Set<number>();
  for (const dex of dexes) {
    const asked = info.request(INFO.frontendOpenOrders, { user: account, dex }, ask(run));
    const answer = await unlessUnreadable(asked);
    const { own, stray } = ordersOf(dex, answer?.result.rows ?? []);
    noteUnread(run, INFO.frontendOpenOrders.type, stray);
    for (const { value } of own) {
      if (value.timestamp > toMs) continue;
      const placed = { fromMs: value.timestamp, toMs: value.timestamp };
      const isEarly = !stored.has(value.oid) && run.toCome.touches(["orders"], placed);
      (isEarly ? early : listed).add(value.oid);
    }
  }
  const open = new Set<number>();
  for (const { orderId, status, statusTimeMs } of stored.values())
    if (isOpenStatus(status) && statusTimeMs <= toMs) open.add(orderId);
  const found = new Set(
    certificate.findings.filter(({ table }) => table === "hl_orders").map(({ row }) => Number(row)),
  );
  const differing = [...open.symmetricDifference(listed)].filter((id) => !found.has(id) && !early.has(id));
  await settleOpenOrders(run, differing.slice(0, FINDINGS_MAX), toMs);
  // So many are no coincidence of two moments: they are not asked for one by one.
  for (const orderId of differing.slice(FINDINGS_MAX)) {
    const detail = listed.has(orderId) ? "open at the venue only" : "open in the database only";
    add(certificate, { kind: "changed", table: "hl_orders", row: String(orderId), detail, interval: null });
  }
}

async function settleOpenOrders(run: Run, orderIds: readonly number[], toMs: number): Promise<void> {
  const { account, certificate, info } = run;
  const answers = new Map<number, { venueStatus: string; timeMs: number | null }>();
  for (const oid of orderIds) {
    const answer = await unlessUnreadable(info.request(INFO.orderStatus, { user: account, oid }, ask(run)));
    if (answer === null) continue;
    const { value, unread } = answerFor(oid, answer.result);
    const { order, status } = value;
    noteUnread(run, INFO.orderStatus.type, unread);
    // A finding.
    if (!order && unread.length > 0) continue;
    answers.set(oid, { venueStatus: order?.status ?? status, timeMs: order?.statusTimestamp ?? null });
  }
  if (answers.size === 0) return;
  const now = await storedOrders(run);
  for (const [orderId, { venueStatus, timeMs }] of answers) {
    const own = now.get(orderId);
    const differs = isOpenStatus(classifyStatus(venueStatus).status) !== isOpenStatus(own?.status);
    if (!differs || (timeMs ?? 0) > toMs) continue;
    const atMs = timeMs ?? own?.statusTimeMs ?? toMs;
    add(certificate, {
      kind: own ? "changed" : "missing",
      table: "hl_orders",
      row: String(orderId),
      detail: own ? `venue ${venueStatus}, database ${own.status} ${own.venueStatus}` : venueStatus,
      interval: { fromMs: atMs, toMs: atMs },
    });
  }
}
