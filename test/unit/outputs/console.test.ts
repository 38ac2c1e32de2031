/** Lines of the console that no single change makes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { countLine } from "../../../src/outputs/console.ts";

test("a minute is told by counts, in a fixed order, one and many apart", () => {
  const at = Date.UTC(2026, 10, 28, 14, 3, 59);
  const line = (counts: Record<string, number>) => countLine(new Map(Object.entries(counts)), at);
  assert.equal(
    line({ "order.updated": 96, "fill.created": 41, "ledger.created": 2, "gap.opened": 1 }),
    "14:03 41 fills, 96 order updates, 3 other changes",
  );
  assert.equal(
    line({ "position.updated": 1, "funding.created": 1, "ledger.created": 1 }),
    "14:03 1 position change, 1 funding payment, 1 other change",
  );
  assert.equal(line({}), "14:03 nothing happened");
});
