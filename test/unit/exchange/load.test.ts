/** Loading node files into ClickHouse: what is handed over, and what a value that cannot be read costs. The engine is a list. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ClickHouse, codeIn, Refused, tabSeparated } from "../../../src/exchange/engine.ts";
import { loadFile, UNREAD_MAX } from "../../../src/exchange/load.ts";
import type { EventKind } from "../../../src/sync/nodeFiles/rows.ts";
import { blockLine } from "../../support/nodeFiles.ts";

const T = 1_775_001_599_923;
const user = (n: number) => `0x${n.toString(16).padStart(40, "0")}`;
const fill = (n: number, px = "1.5") => [user(n), { coin: "BTC", px, closedPnl: "0.0", time: T }];

/** Takes what it can read: a price that is `bad` is refused, as ClickHouse does, the whole insert. */
function list() {
  const taken: string[] = [];
  const unread: { line: string; reason: string }[] = [];
  let inserts = 0;
  const engine: ClickHouse = {
    async insertLines(table, lines) {
      inserts += 1;
      const text = lines.toString("utf8");
      assert.ok(text.endsWith("\n"), "whole lines");
      assert.doesNotMatch(text, /^\s*$|\n\s*\n/, "blank lines");
      if (text.includes("full")) throw new Refused("Code: 243. No space", 243);
      if (/bad|no json/.test(text))
        throw new Refused("Code: 6. Cannot parse", codeIn("Code: 6. Cannot parse"));
      taken.push(
        ...text
          .trimEnd()
          .split("\n")
          .map((line) => `${table} ${line}`),
      );
    },
    async insertRows(table, rows) {
      assert.equal(table, "hl.unread");
      unread.push(...(rows as typeof unread));
    },
    run: async () => {},
    rows: async () => [],
    read: () => assert.fail("nothing is read"),
    close: async () => {},
  };
  return { engine, taken, unread, inserts: () => inserts };
}

async function* inPieces(text: string, length: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

const load = (engine: ClickHouse, text: string, kind: EventKind | null = "fill", length = 100) =>
  loadFile(
    { path: "f", kind, content: inPieces(text, length) },
    { engine, database: "hl", signal: new AbortController().signal },
  );

describe("loading the exchange", () => {
  it("hands over lines as they came, however they were cut", async () => {
    const lines = [1, 2, 3].map((n) => blockLine(n, T + n, [fill(n), fill(n + 10)]));
    for (const length of [7, 100, 100_000]) {
      const { engine, taken } = list();
      const { lines: count, bytes, unread } = await load(engine, lines.join(""), "fill", length);
      assert.deepEqual(
        taken,
        lines.map((line) => `hl.fill_lines ${line.trimEnd()}`),
      );
      assert.deepEqual([count, bytes, unread], [3, lines.join("").length, 0]);
    }
  });

  it("leaves blank lines out: an empty one would end the data, and SQL begin", async () => {
    const [one, two] = [blockLine(1, T, [fill(1)]), blockLine(2, T, [fill(2)])];
    const text = `\n\r\n${one}\n \t\r\n\n${two}\n\n`;
    for (const length of [1, 100_000]) {
      const { engine, taken } = list();
      const { lines, bytes, unread } = await load(engine, text, null, length);
      assert.deepEqual(
        taken,
        [one, two].map((line) => `hl.fill_lines ${line.trimEnd()}`),
      );
      assert.deepEqual([lines, bytes, unread], [2, text.length, 0]);
    }
    assert.equal(tabSeparated(Buffer.from(text)).toString(), one + two);
    assert.equal(tabSeparated(Buffer.from("\n")).length, 0);
  });

  it("reads a last line that lacks its break, and leaves one that is not finished", async () => {
    const [one, two] = [blockLine(1, T, [fill(1)]), blockLine(2, T, [fill(2)])];
    for (const [rest, count] of [
      [two.trimEnd(), 2],
      [two.slice(0, -5), 1],
    ] as const) {
      const { engine, taken } = list();
      await load(engine, one + rest);
      assert.equal(taken.length, count);
    }
  });

  it("takes everything but the event that cannot be read, and keeps that with the reason", async () => {
    const { engine, taken, unread } = list();
    const lines = Array.from({ length: 40 }, (_, n) =>
      blockLine(n, T, [fill(n), fill(n + 100, n === 17 ? "bad" : "1.5"), fill(n + 200)]),
    );
    lines[33] = "{no json\n";
    assert.equal((await load(engine, lines.join(""))).unread, 2);
    const events = taken.flatMap(
      (line) => JSON.parse(line.slice("hl.fill_lines ".length)).events as unknown[],
    );
    assert.equal(events.length, 40 * 3 - 1 - 3);
    assert.deepEqual(unread.map(({ line }) => line.includes("bad")).sort(), [false, true]);
    assert.ok(unread.every(({ reason }) => reason.includes("Cannot parse")));
    assert.match(unread.find(({ line }) => line.includes("bad"))!.line, new RegExp(user(117)));
  });

  it("ends where it is not a value that is refused, or where nothing can be read", async () => {
    const full = list();
    await assert.rejects(load(full.engine, `${blockLine(1, T, [fill(1, "full")])}`.repeat(50)), /No space/);
    assert.equal(full.inserts(), 1, "no line is blamed");
    const rubbish = list();
    await assert.rejects(load(rubbish.engine, "no json\n".repeat(UNREAD_MAX + 1)), /more than 1000 lines/);
  });

  it("knows by its lines what a file without a name holds, and leaves what has no table", async () => {
    const misc = blockLine(1, T, [
      { time: "2026-04-01T00:00:00", hash: "0x0", inner: { Funding: { deltas: [] } } },
    ]);
    for (const [text, kind, first] of [
      [misc, null, "hl.misc_lines"],
      [blockLine(1, T, [fill(1)]), null, "hl.fill_lines"],
      [`${JSON.stringify(fill(1))}\n`, null, "hl.fill_lines"],
      [misc, "order", undefined],
      ['{"coin":"BTC","side_info":[]}\n', null, undefined],
    ] as const) {
      const { engine, taken } = list();
      const { isWanted } = await load(engine, text, kind);
      assert.equal(isWanted, first !== undefined);
      assert.equal(taken[0]?.split(" ")[0], first);
    }
  });

  it("escapes what ClickHouse's format would read as its own", () => {
    const line = Buffer.from('{"a":"b\\"c\\\\d"}\n');
    assert.equal(tabSeparated(line).toString(), '{"a":"b\\\\"c\\\\\\\\d"}\n');
    const plain = Buffer.from('{"a":"é"}\n');
    assert.equal(tabSeparated(plain), plain);
    assert.equal(tabSeparated(Buffer.from('{"a":\t"é\\n"}\n')).toString(), '{"a":\\t"é\\\\n"}\n');
  });
});
