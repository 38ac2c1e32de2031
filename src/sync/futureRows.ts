/**
 * Rows of a history that are stamped with a time that has not come. Pure.
 *
 * Guarantees (I12): such a row is in quarantine and in no table, where it would be the newest for as long as its stamp says
 * and a row too many afterwards; the same row under its true time is another one, and is stored.
 */

import { quarantineRows, tableOf } from "./quarantine.ts";
import type { Batch, QuarantineRow } from "./rows.ts";
import { described, isJoined, isTable } from "./tables.ts";

/** Rows may be this far ahead of every clock that is known: windows read so far past the present. */
export const ROW_AHEAD_MS = 3_600_000;

export const FUTURE_ROW = "a time that has not come";

/** The member that says when a row of this list happened. The time of a snapshot is judged where it is taken. */
const timeOfList = (list: keyof Batch): string | undefined =>
  list !== "dashboard" && (isTable(list) || isJoined(list)) ? described(list).time : undefined;

/** The batch with every row after `latestMs` in quarantine. */
export function withoutFutureRows(batch: Batch, latestMs: number, nowMs: number): Batch {
  const lists = batch as Record<string, readonly { account: string; raw: unknown }[]>;
  const kept: Record<string, readonly unknown[]> = {};
  const quarantine: QuarantineRow[] = [];
  for (const list of Object.keys(batch) as (keyof Batch)[]) {
    const time = timeOfList(list);
    if (time === undefined) continue;
    const timeOf = (row: object) => (row as Record<string, number>)[time]!;
    const future = lists[list]?.filter((row) => timeOf(row) > latestMs) ?? [];
    if (future.length === 0) continue;
    kept[list] = lists[list]!.filter((row) => timeOf(row) <= latestMs);
    for (const { account, raw } of future)
      quarantine.push(
        ...quarantineRows([{ kind: "row", raw, reason: FUTURE_ROW }], tableOf(list), account, nowMs),
      );
  }
  if (quarantine.length === 0) return batch;
  return { ...batch, ...kept, quarantine: [...(batch.quarantine ?? []), ...quarantine] };
}
