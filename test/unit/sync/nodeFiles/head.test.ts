/** Heads of blocks' lines, read from their bytes, held against parsing them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { headOf } from "../../../../src/sync/nodeFiles/head.ts";
import { blockMs } from "../../../../src/sync/nodeFiles/rows.ts";
import { blockLine, nodeTime } from "../../../support/nodeFiles.ts";

const MS = 1_775_001_599_923;

/** By parsing; null where it is no head. */
function parsed(line: string) {
  try {
    const { block_number: block, block_time: time, events } = JSON.parse(line);
    const timeMs = blockMs(time);
    return Array.isArray(events) && Number.isSafeInteger(block) && timeMs !== null ? { block, timeMs } : null;
  } catch {
    return null;
  }
}

/** Somewhere within other bytes. */
function read(line: string) {
  const before = Buffer.from("0,");
  const head = headOf(
    Buffer.concat([before, Buffer.from(`${line}\n{`)]),
    before.length,
    before.length + line.length,
  );
  if (head === null) return null;
  assert.equal(line[head.eventsFrom - before.length - 1], "[");
  return { block: head.block, timeMs: head.timeMs };
}

describe("the head of a block", () => {
  it("is read whatever its number and its time", () => {
    for (const block of [0, 7, 941_773_150, 999_999_999_999_999, 2 ** 53 - 1])
      for (const time of [
        nodeTime(MS),
        nodeTime(MS + 77),
        nodeTime(0),
        nodeTime(MS).slice(0, 23),
        nodeTime(MS).slice(0, 19),
      ]) {
        const line = blockLine(block, MS, [])
          .trimEnd()
          .replace(/("block_time":")[^"]*/, `$1${time}`);
        assert.ok(parsed(line) !== null);
        assert.deepEqual(read(line), parsed(line), line);
      }
  });

  it("is read in any order of its keys, and with blanks", () => {
    const { local_time, block_time, block_number, events } = JSON.parse(blockLine(7, MS, []));
    for (const head of [
      { block_number, block_time, local_time, events },
      { block_time, block_number, more: "x", events },
    ])
      for (const blank of [0, 1]) {
        const line = JSON.stringify(head, null, blank).replaceAll("\n", " ");
        assert.deepEqual(read(line), { block: 7, timeMs: MS });
      }
  });

  it("is none where a byte of it is another", () => {
    const line = blockLine(941_773_150, MS, []).trimEnd();
    const end = line.indexOf("[") + 1;
    const local = { from: line.indexOf('"2'), to: line.indexOf(',"block_time"') };
    for (let at = 0; at < end; at++) {
      // What the local time is, nothing depends on.
      if (at > local.from && at < local.to - 1) continue;
      for (const byte of ['"', "x", "0", " ", "}", "9"]) {
        const other = line.slice(0, at) + byte + line.slice(at + 1);
        assert.deepEqual(read(other), parsed(other), other);
      }
    }
  });
});
