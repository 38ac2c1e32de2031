/**
 * What is in quarantine for the account: counted, and a finding where it holds a row of a tracked history that is in no
 * table. A message whose row arrived by another way hides nothing; neither does one that does not tell which row it is, since
 * the reading of its time shows what is there. Rows outside the window that was compared are not judged.
 */
import { isObject, readJson } from "../../protocol/decode.ts";
import { isPlausibleMs } from "../../protocol/limits.ts";
import type { Interval } from "../coverage.ts";
import { FUTURE_ROW } from "../futureRows.ts";
import { digest } from "../normalize.ts";
import { add } from "./certificate.ts";
import type { StoredHistories } from "./histories.ts";
import type { StoredOrders } from "./orders.ts";
import { type Run, TABLE_OF } from "./witness.ts";

/** Messages looked into; all are counted. */
const LOOKED_INTO_MAX = 1_000;

type Wire = Record<string, unknown>;

export async function lookIntoQuarantine(
  { account, certificate, store, unread }: Run,
  stored: StoredHistories & { orders: StoredOrders },
  { fromMs, toMs }: Interval,
): Promise<void> {
  const known = new Set([
    // An order may fill twice in a millisecond, and a transaction make two updates: where the message tells which one it is, that counts.
    ...stored.fills.flatMap(({ orderId, timeMs, tradeId }) =>
      [`${orderId}|${timeMs}`, `${orderId}|${timeMs}|${tradeId}`].map((key) => `hl_fills ${key}`),
    ),
    ...stored.funding.map(({ coin, timeMs }) => `hl_funding ${coin}|${timeMs}`),
    ...stored.ledger.flatMap((row) =>
      [`${row.hash}|${row.timeMs}`, `${row.hash}|${row.timeMs}|${row.digest}`].map(
        (key) => `hl_ledger ${key}`,
      ),
    ),
    ...[...stored.orders.keys()].map((orderId) => `hl_orders ${orderId}`),
  ]);
  const messages = await store.quarantineOf(account, LOOKED_INTO_MAX);
  for (const { subject, reason, raw, ofSubject } of messages) {
    certificate.quarantine[subject] = ofSubject;
    const table = TABLE_OF[subject];
    const row = table === undefined ? null : rowOf(table, raw, subject);
    // What was served a moment ago is a finding already.
    if (table === undefined || row === null || unread.has(raw)) continue;
    // Nothing happened at the time it tells, also when that has come.
    if (reason === FUTURE_ROW) continue;
    if (row.timeMs !== null && (row.timeMs < fromMs || row.timeMs > toMs)) continue;
    if (known.has(`${table} ${row.key}`)) continue;
    const detail = `in quarantine only, as ${subject}: ${reason}`;
    add(certificate, { kind: "quarantined", table, row: row.key, detail, interval: null });
  }
}

/** A number that an order can have: what was spoilt is often just this. */
const isId = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

/** Which row a message is, as far as it can be read; null when it does not say, or says what cannot be. */
function rowOf(table: string, raw: string, subject: string): { key: string; timeMs: number | null } | null {
  const read = readJson(raw);
  if (!("value" in read) || !isObject(read.value)) return null;
  const wire = inner(read.value, table === "hl_orders" ? "order" : "fill");
  const { oid, coin, hash, tid, delta } = { ...inner(wire, "delta"), ...wire };
  if (table === "hl_orders") return isId(oid) ? { key: `${oid}`, timeMs: null } : null;
  const { time: timeMs } = wire;
  const identity = { hl_fills: oid, hl_funding: coin, hl_ledger: hash }[table];
  const isTold = table === "hl_fills" ? isId(identity) : typeof identity === "string";
  if (!isPlausibleMs(timeMs) || !isTold) return null;
  // An update that could not be read may be another one in the very part that tells updates apart; one that the database refused is not.
  const update = subject === table && isObject(delta) ? digest(delta) : null;
  const which = table === "hl_ledger" ? update : isId(tid) ? tid : null;
  return { key: [identity, timeMs, ...(which === null ? [] : [which])].join("|"), timeMs };
}

const inner = (wire: Wire, key: string): Wire => (isObject(wire[key]) ? wire[key] : wire);
