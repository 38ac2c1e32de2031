/** A node's folder, read as it is written: real files, and a clock on which nobody waits long. */
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { followFolder } from "../../../src/cli/importFollow.ts";
import { findNodeFiles } from "../../../src/cli/nodeFolder.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { temporaryFolder } from "../../support/postgres.ts";
import { PATIENCE_MS, until } from "../../support/until.ts";

describe("following a node's folder", () => {
  const folder = temporaryFolder();
  after(() => folder.remove());
  const at = (hour: number) => join(folder.path, `node_fills_by_block/hourly/20260401/${hour}`);
  const append = (hour: number, text: string) => {
    mkdirSync(dirname(at(hour)), { recursive: true });
    appendFileSync(at(hour), text);
  };
  /** Nothing was appended for long. */
  const quiet = (hour: number) => utimesSync(at(hour), new Date(0), new Date(0));

  it("reads what is appended, the next hour too, and counts a file as read when it is over", async () => {
    const seen = new Map<string, string>();
    const over: string[] = [];
    let proofs = 0;
    let isFailing = true;
    const stopping = new AbortController();
    append(0, "one\ntw");
    const following = followFolder({
      find: async () => (await findNodeFiles(folder.path)).files,
      async read({ path }, content) {
        let text = "";
        for await (const piece of content) {
          text += piece.toString();
          seen.set(path, text);
          if (text.includes("spoiled") && isFailing) {
            isFailing = false;
            throw new Error("the database is away");
          }
        }
        over.push(`${path} ${text.length}`);
      },
      onOver: async () => void proofs++,
      clock: { ...systemClock, sleep: (_, signal) => systemClock.sleep(2, signal) },
      log: silentLog,
      signal: stopping.signal,
    });
    const reads = (hour: number, text: string) =>
      until(`${hour} to hold ${text}`, PATIENCE_MS, () => seen.get(at(hour)) === text);
    await reads(0, "one\ntw");
    append(0, "o\n");
    await reads(0, "one\ntwo\n");
    // Quiet, but the last there is: more may come.
    quiet(0);
    append(1, "three\n");
    await reads(1, "three\n");
    await until("the first hour to be over", PATIENCE_MS, () => over.length === 1 && proofs === 1);
    assert.deepEqual(over, [`${at(0)} 8`]);
    // A node's buffer that is written late: the file is another now, and read from its beginning.
    append(0, "late\n");
    await reads(0, "one\ntwo\nlate\n");
    quiet(0);
    await until("it to be over again", PATIENCE_MS, () => over.length === 2);
    // What cannot be read is tried again, from the beginning.
    append(2, "spoiled\n");
    await reads(2, "spoiled\n");
    append(2, "four\n");
    await reads(2, "spoiled\nfour\n");
    assert.equal(isFailing, false);
    stopping.abort(new Error("stopped"));
    await following;
    assert.equal(
      over.length,
      2 + (over.some((one) => one.startsWith(at(1))) ? 1 : 0),
      "what goes on is not over",
    );
  });

  it("is content with an empty folder until something comes", async () => {
    const empty = temporaryFolder();
    const stopping = new AbortController();
    const read: string[] = [];
    const path = join(empty.path, "node_fills/hourly/20260401/5");
    const following = followFolder({
      find: async () => (await findNodeFiles(empty.path)).files,
      async read(file, content) {
        for await (const piece of content) if (piece.length > 0) read.push(`${file.kind} ${piece}`);
      },
      onOver: async () => {},
      clock: { ...systemClock, sleep: (_, signal) => systemClock.sleep(2, signal) },
      log: silentLog,
      signal: stopping.signal,
    });
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "x\n");
    await until("the first file", PATIENCE_MS, () => read.length === 1);
    stopping.abort(new Error("stopped"));
    await following;
    assert.deepEqual(read, ["fill x\n"]);
    empty.remove();
  });

  it("goes on when a look at the folder fails", async () => {
    const pruned = temporaryFolder();
    const stopping = new AbortController();
    const read: string[] = [];
    let looks = 0;
    const hour = (n: number) => join(pruned.path, `node_fills/hourly/20260401/${n}`);
    mkdirSync(dirname(hour(0)), { recursive: true });
    writeFileSync(hour(0), "x\n");
    const following = followFolder({
      async find() {
        looks += 1;
        if (looks % 2 === 0) throw new Error("a file is gone");
        return (await findNodeFiles(pruned.path)).files;
      },
      async read(_file, content) {
        for await (const piece of content) if (piece.length > 0) read.push(String(piece));
      },
      onOver: async () => {},
      clock: { ...systemClock, sleep: (_, signal) => systemClock.sleep(2, signal) },
      log: silentLog,
      signal: stopping.signal,
    });
    await until("a failed look", PATIENCE_MS, () => looks > 2);
    writeFileSync(hour(1), "y\n");
    await until("the next hour", PATIENCE_MS, () => read.length === 2);
    stopping.abort(new Error("stopped"));
    await following;
    assert.deepEqual(read, ["x\n", "y\n"]);
    pruned.remove();
  });
});
