/** Files of a node in a folder: which they are, in which order they are read, and what tells them apart. */
import assert from "node:assert/strict";
import { appendFileSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { findNodeFiles } from "../../../src/cli/nodeFolder.ts";
import { BrokenArchive } from "../../../src/sync/nodeFiles/lz4Frames.ts";
import { writeFiles } from "../../support/nodeFiles.ts";
import { temporaryFolder } from "../../support/postgres.ts";

describe("a folder of a node's files", () => {
  const folder = temporaryFolder();
  after(() => folder.remove());
  const at = (...names: string[]) => join(folder.path, ...names);
  const digestOf = async (path: string) => (await (await findNodeFiles(path)).files[0]!.open()).digest;

  it("is read by kind and time, whatever else lies in it", async () => {
    const names = [
      "misc_events_by_block/hourly/20260401/9",
      "node_fills_by_block/hourly/20260401/10.lz4",
      "node_fills_by_block/hourly/20260401/9",
      "node_trades/hourly/20260401/9",
      "visor.log",
    ];
    writeFiles(at("all"), new Map(names.map((name) => [name, "x"])));
    const { files, others } = await findNodeFiles(at("all"));
    assert.deepEqual(
      files.map(({ path, kind }) => [path, kind]),
      [
        [at("all", names[2]!), "fill"],
        [at("all", names[1]!), "fill"],
        [at("all", names[0]!), "misc"],
      ],
    );
    assert.equal(others, 2);
    const { fromMs, toMs } = files[1]!.hour!;
    assert.deepEqual([fromMs, toMs], [Date.UTC(2026, 3, 1, 10), Date.UTC(2026, 3, 1, 11) - 1]);
  });

  it("tells a copy from one that grew, and an empty archive from an empty hour", async () => {
    writeFiles(
      at("some"),
      new Map(["a", "empty", "empty.lz4"].map((name) => [name, name === "a" ? "line\n" : ""])),
    );
    copyFileSync(at("some", "a"), at("some", "b"));
    const before = await digestOf(at("some", "a"));
    assert.equal(await digestOf(at("some", "b")), before);
    appendFileSync(at("some", "b"), "more");
    assert.notEqual(await digestOf(at("some", "b")), before);
    assert.notEqual(await digestOf(at("some", "empty.lz4")), await digestOf(at("some", "empty")));
  });

  it("is read as far as a file went when it was looked at; an empty archive is broken", async () => {
    writeFiles(
      at("growing"),
      new Map([
        ["a", "line\n"],
        ["empty.lz4", ""],
      ]),
    );
    const read = async (name: string) => {
      const opened = await (await findNodeFiles(at("growing", name))).files[0]!.open();
      appendFileSync(at("growing", name), "later");
      const parts: Buffer[] = [];
      for await (const part of opened.content()) parts.push(Buffer.from(part));
      return Buffer.concat(parts).toString();
    };
    assert.equal(await read("a"), "line\n");
    await assert.rejects(read("empty.lz4"), BrokenArchive);
  });
});
