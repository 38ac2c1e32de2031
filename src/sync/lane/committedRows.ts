/**
 * What a lane has committed from its stream: the venue sends each fill and each order transition on two channels and again
 * after every reconnect, and the same content need not be written twice. Readings over REST do not come by here: they are
 * there to find what the database has lost. Pure. Bounded: the oldest rows are forgotten, and then written again for nothing;
 * of a row its hash is kept, since its text would keep the whole frame that it is a part of.
 */
import { hash } from "node:crypto";
import { JsonText } from "../../runtime/jsonText.ts";
import type { Batch, FillRow, OrderEventRow } from "../rows.ts";
import { withoutShortForms } from "./shortForms.ts";

/** More than the snapshots of a reconnect hold, 2 000 fills and as many transitions. */
const REMEMBERED_MAX = 6_000;

export class CommittedRows {
  readonly #max: number;
  readonly #prints = new Set<string>();
  /** Of rows that are on their way, so that each is printed once. */
  readonly #printOf = new WeakMap<FillRow | OrderEventRow, string>();

  constructor(max = REMEMBERED_MAX) {
    this.#max = max;
  }

  /** The batch without the rows whose very content was committed before, and without repetitions in itself. */
  without(batch: Batch): Batch {
    const inBatch = new Set<string>();
    const isNew = (row: FillRow | OrderEventRow): boolean => {
      const print = this.#print(row);
      if (this.#prints.has(print) || inBatch.has(print)) return false;
      inBatch.add(print);
      return true;
    };
    return {
      ...batch,
      fills: (batch.fills ?? []).filter(isNew),
      orderEvents: withoutShortForms((batch.orderEvents ?? []).filter(isNew)),
    };
  }

  add({ fills = [], orderEvents = [] }: Batch): void {
    for (const row of [...fills, ...orderEvents]) this.#prints.add(this.#print(row));
    for (const print of this.#prints) {
      if (this.#prints.size <= this.#max) break;
      this.#prints.delete(print);
    }
  }

  #print(row: FillRow | OrderEventRow): string {
    let print = this.#printOf.get(row);
    if (print === undefined) {
      print = hash("sha256", content(row), "binary");
      this.#printOf.set(row, print);
    }
    return print;
  }
}

/** Of two rows of one account: equal only if their contents are, and always if they were read the same way. */
function content(row: FillRow | OrderEventRow): string {
  const { raw } = row;
  // All else in the row follows from it, but for the id beside a TWAP slice.
  if (raw instanceof JsonText) return `${"twapId" in row ? row.twapId : ""} ${raw.text}`;
  const { source: _source, seenAtMs: _seenAtMs, ...rest } = row;
  return JSON.stringify(rest);
}
