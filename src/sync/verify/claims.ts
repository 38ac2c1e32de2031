/**
 * What the database claims to know: gaps, stretches that were only watched, what the venue can no longer tell, and claims
 * and rows from the future. The rule is that of `completeness`.
 */
import { completeness } from "../completeness.ts";
import { type Interval, subtract } from "../coverage.ts";
import { type CoverageRow, TRACKED_STREAMS } from "../rows.ts";
import { add, type FindingKind } from "./certificate.ts";
import type { StoredOrders } from "./orders.ts";
import { FUTURE_MS } from "./states.ts";
import type { Stretch } from "./toCome.ts";
import type { Run } from "./witness.ts";

/** `coverage` was read before the venue told the time, so that no honest claim lies much beyond it. */
export function proveCoverage(
  { certificate, toCome }: Run,
  coverage: readonly CoverageRow[],
  sinceMs: number,
  venueTimeMs: number,
): void {
  for (const stream of TRACKED_STREAMS) {
    const say = (kind: FindingKind, detail: string, { fromMs, toMs }: Interval) =>
      add(certificate, {
        kind,
        table: stream,
        row: `${fromMs}..${toMs}`,
        detail,
        interval: { fromMs, toMs },
      });
    const latestMs = venueTimeMs + FUTURE_MS;
    const known = completeness(coverage, stream, sinceMs, latestMs);
    certificate.completeSinceMs[stream] = known.completeSinceMs;
    certificate.provenToMs[stream] = known.provenToMs;
    for (const stretch of toCome.stretches())
      if (stretch.stream === stream) say("gap", `not read yet${rowsIn(stretch)}`, stretch);
    const untold =
      known.provenToMs === null
        ? subtract([{ fromMs: sinceMs, toMs: venueTimeMs }], known.unprovable)
        : known.gaps;
    for (const gap of toCome.isOpen ? [] : untold) say("gap", "not proven", gap);
    for (const stretch of known.streamed)
      say("streamed", "streamed, not yet confirmed by a reading", stretch);
    for (const stretch of known.unprovable) say("unprovable", stretch.reason, stretch);
    for (const claim of coverage.filter((row) => row.stream === stream && row.toMs > latestMs))
      say("future", `${claim.grade}, up to after the venue's present`, claim);
  }
}

const rowsIn = ({ rows }: Stretch): string =>
  rows === 0 ? "" : `, ${rows} ${rows === 1 ? "row" : "rows"} of the venue lie${rows === 1 ? "s" : ""} there`;

/** Rows that happened after the venue's present. */
export async function findFutureRows(
  { account, certificate, store }: Run,
  orders: StoredOrders,
  venueTimeMs: number,
): Promise<void> {
  const afterMs = venueTimeMs + FUTURE_MS;
  const reach = [account, afterMs + 1, Number.MAX_SAFE_INTEGER] as const;
  const snapshot = await store.latestDashboard(account);
  const stamped = [
    ...(await store.fills(...reach)).map(({ coin, tradeId, timeMs }) => [
      "hl_fills",
      `${coin}|${tradeId}`,
      timeMs,
    ]),
    ...(await store.funding(...reach)).map(({ coin, timeMs }) => ["hl_funding", coin, timeMs]),
    ...(await store.ledger(...reach)).map(({ hash, timeMs }) => ["hl_ledger", hash, timeMs]),
    ...[...orders.values()].map(({ orderId, statusTimeMs }) => ["hl_orders", `${orderId}`, statusTimeMs]),
    ...(snapshot ? [["hl_dashboard", "newest snapshot", snapshot.asOfMs]] : []),
  ] as [table: string, row: string, timeMs: number][];
  for (const [table, row, timeMs] of stamped) {
    if (timeMs <= afterMs) continue;
    const detail = `of ${new Date(timeMs).toISOString()}, after the venue's present`;
    add(certificate, { kind: "future", table, row, detail, interval: { fromMs: timeMs, toMs: timeMs } });
  }
}
