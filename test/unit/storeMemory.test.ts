import assert from "node:assert/strict";
import { it } from "node:test";
import { createMemoryStore } from "../../src/store/memory.ts";
import type { CoverageRow } from "../../src/sync/events.ts";

it("remembers what is proven, as the database does: a reconcile asks for it again", async () => {
  const store = createMemoryStore();
  const account = `0x${"a".repeat(40)}`;
  const proven = (fromMs: number, toMs: number): CoverageRow => ({
    ...{ account, stream: "fills", grade: "proven", fromMs, toMs, reason: null },
  });
  await store.apply({ coverage: [proven(0, 10), { ...proven(5, 6), stream: "funding" }] });
  await store.apply({ coverage: [proven(11, 20), proven(30, 40)] });
  assert.deepEqual(await store.coverage(account, "fills"), [proven(0, 20), proven(30, 40)]);
  assert.deepEqual(await store.coverage(`0x${"b".repeat(40)}`, "fills"), []);
});
