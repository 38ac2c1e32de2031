import assert from "node:assert/strict";
import { it } from "node:test";
import { bySteps } from "../../../src/store/bySteps.ts";

it("deletes until less went than may go, and ends where it never does", async () => {
  let left = 25_000;
  const asked: number[] = [];
  const gone = await bySteps(async (most) => {
    asked.push(most);
    const rows = Math.min(most, left);
    left -= rows;
    return rows;
  });
  assert.deepEqual([gone, left, asked.length], [25_000, 0, 3]);
  let calls = 0;
  await bySteps(async (most) => {
    calls += 1;
    return most;
  });
  assert.equal(calls, 100);
});
