/** Batches as values. Pure. */
import type { Batch } from "./rows.ts";

/** Appends the rows of `part` to `batch`. */
export function append(batch: Batch, part: Batch): void {
  const target = batch as Record<string, unknown[]>;
  for (const [table, rows] of Object.entries(part)) {
    target[table] ??= [];
    for (const row of rows) target[table].push(row);
  }
}

export const isEmpty = (batch: Batch): boolean => Object.values(batch).every((rows) => rows.length === 0);
