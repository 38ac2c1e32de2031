/**
 * What is kept of rows for long must not keep the frames they came in: V8 cuts a piece out of a long text by pointing into it,
 * and so does whoever joins such a piece to another.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { JsonText } from "../../../src/runtime/jsonText.ts";
import { CommittedRows } from "../../../src/sync/lane/committedRows.ts";
import type { FillRow } from "../../../src/sync/rows.ts";
import { SelfCheck } from "../../../src/sync/selfCheck.ts";
import { fill } from "./rows.ts";

const FRAMES = 400;
const FRAME_BYTES = 100_000;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes that live after `take` has seen the fills of all frames. */
function keptBy(take: (fills: FillRow[]) => void): number {
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < FRAMES; index += 1) {
    const texts = [`"hash":"0x${String(index).padStart(64, "0")}"`, "x".repeat(FRAME_BYTES)];
    // As it comes from a socket: one flat text.
    const frame = Buffer.from(`{${texts.join(",")}}`).toString("latin1");
    const [hash, raw] = [frame.slice(9, 75), new JsonText(frame.slice(0, 200))];
    take([fill({ timeMs: index, tradeId: index, startPosition: String(index), hash, raw })]);
  }
  collect();
  return process.memoryUsage().heapUsed - before;
}

for (const [name, make] of [
  ["the rows that a lane committed", () => new CommittedRows()],
  ["the chain of the self-check", () => new SelfCheck(1)],
] as const) {
  test(`${name} keep no frames`, () => {
    const keeper = make();
    const bytes = keptBy((fills) =>
      keeper instanceof SelfCheck ? keeper.noteFills(fills, 1) : keeper.add({ fills }),
    );
    assert.ok(bytes < (FRAMES * FRAME_BYTES) / 10, `${bytes} bytes`);
    // It is still there.
    assert.ok(keeper);
  });
}
