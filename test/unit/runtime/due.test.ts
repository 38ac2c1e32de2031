import assert from "node:assert/strict";
import { it } from "node:test";
import { isDue } from "../../../src/runtime/due.ts";

it("is due at its time, not before, and at once where a clock that was set back would make it wait longer than ever", () => {
  const cases: [dueMs: number, nowMs: number, expected: boolean][] = [
    [100, 99, false],
    [100, 100, true],
    [100, 101, true],
    [100, 50, false],
    [100, 49, true],
    [Number.NEGATIVE_INFINITY, 0, true],
  ];
  for (const [dueMs, nowMs, expected] of cases)
    assert.equal(isDue(dueMs, nowMs, 50), expected, `${dueMs} at ${nowMs}`);
});
