/**
 * What a lane has committed from its stream: the venue sends each fill and each order transition on two channels and again
 * after every reconnect, and the same content need not be written twice. Readings over REST do not come by here: they are
 * there to find what the database has lost. Pure. Bounded: the oldest rows are forgotten, and then written again for nothing.
 */
import type { Batch, FillRow, OrderEventRow } from "../events.ts";

const REMEMBERED_MAX = 20_000;

export class CommittedRows {
  readonly #max: number;
  readonly #prints = new Set<string>();

  constructor(max = REMEMBERED_MAX) {
    this.#max = max;
  }

  /** The batch without the rows whose very content was committed before, and without repetitions in itself. */
  without(batch: Batch): Batch {
    const inBatch = new Set<string>();
    const isNew = (row: FillRow | OrderEventRow): boolean => {
      const print = fingerprint(row);
      if (this.#prints.has(print) || inBatch.has(print)) return false;
      inBatch.add(print);
      return true;
    };
    return {
      ...batch,
      fills: (batch.fills ?? []).filter(isNew),
      orderEvents: (batch.orderEvents ?? []).filter(isNew),
    };
  }

  add({ fills = [], orderEvents = [] }: Batch): void {
    for (const row of [...fills, ...orderEvents]) this.#prints.add(fingerprint(row));
    for (const print of this.#prints) {
      if (this.#prints.size <= this.#max) break;
      this.#prints.delete(print);
    }
  }
}

const fingerprint = ({ source: _source, seenAtMs: _seenAtMs, ...content }: FillRow | OrderEventRow): string =>
  JSON.stringify(content);
