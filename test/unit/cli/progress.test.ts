import assert from "node:assert/strict";
import { test } from "node:test";
import { progressLine } from "../../../src/cli/progress.ts";

test("progress of a backfill is a covered range, its rows and the weight used", () => {
  const used = { usedLastMinute: 139.6, weightPerMinute: 1200, waiting: 0, inflight: 1, throttled429: 0 };
  const progress = {
    account: `0x${"a".repeat(40)}`,
    stream: "fills",
    fromMs: Date.UTC(2026, 0, 1),
    toMs: Date.UTC(2026, 1, 3, 10, 11, 12),
    rows: 2000,
  } as const;
  assert.equal(
    progressLine(progress, used),
    "fills     2026-01-01 00:00:00 … 2026-02-03 10:11:12  2000 rows, weight 140 of 1200 this minute",
  );
});
