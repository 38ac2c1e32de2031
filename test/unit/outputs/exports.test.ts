import assert from "node:assert/strict";
import { test } from "node:test";
import { csvHeader, csvLine, spreadsheetText } from "../../../src/outputs/exports.ts";
import { createLineWriter, type Sink } from "../../../src/outputs/terminal/lineWriter.ts";

test("a CSV cell is quoted only when it must be, and nothing is null, not the word", () => {
  const columns = ["coin", "note", "fee", "crossed", "liquidation"];
  assert.equal(csvHeader(columns), "coin,note,fee,crossed,liquidation");
  assert.equal(
    csvLine(columns, {
      coin: "BTC",
      note: 'said "no", twice\n',
      fee: "-0.10",
      crossed: false,
      liquidation: { a: 1 },
    }),
    'BTC,"said ""no"", twice\n",-0.10,false,"{""a"":1}"',
  );
  assert.equal(csvLine(columns, { coin: "BTC", note: null }), "BTC,,,,");
});

test("a spreadsheet computes no cell and rounds no id", () => {
  const shown = (text: unknown) => csvLine(["x"], { x: text }, spreadsheetText);
  const kept = [
    "BTC",
    "-0.10",
    "5",
    "-1e-7",
    "1E+3",
    "xyz:GOLD",
    "#123",
    "a=b",
    "123456789012345",
    null,
    true,
  ];
  for (const text of kept) assert.equal(shown(text), text === null ? "" : String(text));
  for (const text of ["@107", "+10", "=1+1", "-2+3", "@SUM(1)", " =1", "\uff1d1", "1234567890123456"])
    assert.equal(shown(text), `'${text}`);
  assert.equal(shown('=cmd|"/c calc"!A1'), `"'=cmd|""/c calc""!A1"`);
  assert.equal(shown("\t=1\r"), `"'\t=1\r"`);
  assert.equal(csvLine(["x"], { x: "@107" }), "@107", "without it, as stored");
});

type Ending = "drain" | "close" | "error";
interface SlowSink extends Sink {
  written: string[];
  writableLength: number;
  listeners: Record<Ending, (() => void)[]>;
  drain(): void;
  emit(event: Ending): void;
}

/** A reader that takes nothing until told. */
function slowSink(): SlowSink {
  const sink: SlowSink = {
    written: [],
    writableLength: 0,
    listeners: { drain: [], close: [], error: [] },
    write(text) {
      sink.written.push(text);
      sink.writableLength += text.length;
      return sink.writableLength < 10;
    },
    once(event, listener) {
      sink.listeners[event].push(listener);
    },
    off(event, listener) {
      sink.listeners[event] = sink.listeners[event].filter((known) => known !== listener);
    },
    drain() {
      sink.writableLength = 0;
      sink.emit("drain");
    },
    emit(event) {
      for (const listener of sink.listeners[event].splice(0)) listener();
    },
  };
  return sink;
}

test("lines that the reader does not take are dropped whole beyond the limit, counted and told", () => {
  const sink = slowSink();
  const writer = createLineWriter(sink, (count) => `${count} dropped`, { limitBytes: 20 });
  const taken = ["aaaaaaaaa", "bbbbbbbbb", "ccccccccc", "ddddddddd"].map((line) => writer.offer(line));
  assert.deepEqual(taken, [true, true, false, false]);
  sink.drain();
  assert.equal(writer.offer("eeee"), true);
  assert.deepEqual(sink.written.join("").split("\n"), ["aaaaaaaaa", "bbbbbbbbb", "2 dropped", "eeee", ""]);
});

test("whoever can wait is held until the reader is back, and loses nothing", async () => {
  const sink = slowSink();
  const writer = createLineWriter(sink, String);
  let written = 0;
  const all = (async () => {
    for (let line = 0; line < 3; line++) {
      await writer.write("0123456789");
      written += 1;
    }
  })();
  await Promise.resolve();
  assert.equal(written, 0);
  for (let round = 0; round < 3; round++) {
    sink.drain();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await all;
  assert.equal(sink.written.length, 3);
});

test("nobody waits for a reader that has left, nor after the signal to stop", async () => {
  for (const end of ["close", "error", "abort"] as const) {
    const sink = slowSink();
    const abort = new AbortController();
    const writing = createLineWriter(sink, String, { signal: abort.signal }).write("0123456789");
    if (end === "abort") abort.abort();
    else sink.emit(end);
    await writing;
    assert.deepEqual(sink.listeners, { drain: [], close: [], error: [] }, end);
  }
  const stopped = createLineWriter(slowSink(), String, { signal: AbortSignal.abort() });
  await stopped.write("0123456789");
});
