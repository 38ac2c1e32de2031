import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CoverageBook } from "../../../../src/sync/account/coverageBook.ts";
import type { CoverageGrade, CoverageRow, TrackedStream } from "../../../../src/sync/rows.ts";

const row = (
  grade: CoverageGrade,
  fromMs: number,
  toMs: number,
  stream: TrackedStream = "fills",
): CoverageRow => ({ account: "0x1", stream, grade, fromMs, toMs, reason: null });

function book(sinceMs: number, ...rows: CoverageRow[]): CoverageBook {
  const book = new CoverageBook();
  book.open(sinceMs, rows, 1_000);
  return book;
}

describe("the coverage of an account", () => {
  it("has gaps where the wanted time is neither proven nor unprovable; streamed closes none", () => {
    const known = book(100, row("proven", 200, 300), row("unprovable", 400, 450), row("streamed", 500, 600));
    assert.deepEqual(known.gaps("fills", 700), [
      { fromMs: 100, toMs: 199 },
      { fromMs: 301, toMs: 399 },
      { fromMs: 451, toMs: 700 },
    ]);
    assert.deepEqual(known.gaps("funding", 700), [{ fromMs: 100, toMs: 700 }]);
    assert.deepEqual(known.gaps("fills", 99), []);
  });

  it("is old where something newer is proven: the rest is the present, which every catch-up reads", () => {
    const known = book(100, row("proven", 200, 300), row("proven", 500, 600));
    assert.deepEqual(known.oldGaps("fills", 900), [
      { fromMs: 100, toMs: 199 },
      { fromMs: 301, toMs: 499 },
    ]);
    assert.equal(known.provenToMs("fills"), 600);
    assert.deepEqual(known.oldGaps("ledger", 900), []);
    assert.equal(known.provenToMs("ledger"), null);
  });

  it("joins what it is told, by grade and stream", () => {
    const known = book(0, row("proven", 1, 5));
    for (const one of [row("proven", 6, 9), row("streamed", 4, 7), row("proven", 3, 3, "ledger")])
      known.note(one);
    assert.deepEqual(known.known("fills", "proven"), [{ fromMs: 1, toMs: 9 }]);
    assert.deepEqual(known.known("fills", "streamed"), [{ fromMs: 4, toMs: 7 }]);
    assert.deepEqual(known.known("ledger", "proven"), [{ fromMs: 3, toMs: 3 }]);
    assert.deepEqual(known.known("orders", "proven"), []);
  });

  it("drops an interval that reaches into the future as a whole, and hands it back", () => {
    const known = new CoverageBook();
    const future = [row("proven", 50, 1_001), row("streamed", 2_000, 3_000)];
    assert.deepEqual(known.open(0, [row("proven", 1, 1_000), ...future], 1_000), future);
    assert.equal(known.provenToMs("fills"), 1_000);
  });

  it("forgets what the database no longer holds", () => {
    const known = book(0, row("proven", 1, 5), row("unprovable", 7, 8, "orders"));
    known.open(3, [row("proven", 4, 5)], 1_000);
    assert.deepEqual(known.known("fills", "proven"), [{ fromMs: 4, toMs: 5 }]);
    assert.deepEqual(known.known("orders", "unprovable"), []);
    assert.equal(known.sinceMs, 3);
  });
});
