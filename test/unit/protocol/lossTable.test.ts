/** The table of docs/reading.md, tried out: every field that it names costs what it says, and no field is left out. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import type { z } from "zod";
import { readParts, readRows } from "../../../src/protocol/decode.ts";
import * as wire from "../../../src/protocol/schemas.ts";
import { balance, fill, order, perpState, position, T, transition } from "../../support/wires.ts";

type Wire = Record<string, unknown>;
/** An object that fits, its schema as a row, and all the fields that the schema names. */
const OBJECTS: Record<string, { row: Wire; read(rows: unknown[]): { rows: number; fields: number } }> = {
  fill: asRows(wire.WireFill, fill({ twapId: null, liquidation: {} })),
  order: asRows(wire.WireOrder, order()),
  transition: asRows(wire.WireOrderTransition, transition()),
  funding: asRows(wire.WireFunding, {
    time: T,
    coin: "BTC",
    usdc: "1",
    szi: "1",
    fundingRate: "0.1",
    nSamples: 1,
  }),
  ledger: asRows(wire.WireLedgerUpdate, { time: T, hash: "0x1", delta: { type: "deposit" } }),
  trade: asRows(wire.WireTrade, { coin: "BTC", side: "A", px: "1", sz: "1", time: T, hash: "0x1", tid: 1 }),
  candle: asRows(wire.WireCandle, {
    t: T,
    T,
    s: "BTC",
    i: "1m",
    o: "1",
    c: "1",
    h: "1",
    l: "1",
    v: "1",
    n: 1,
  }),
  position: {
    row: position("BTC").position,
    read: (rows) =>
      lostOf(wire.WireClearinghouseState, perpState(rows.map((inner) => ({ position: inner })))),
  },
  balance: { row: balance("X"), read: (balances) => lostOf(wire.WireSpotState, { balances }) },
  level: {
    row: { px: "1", sz: "1", n: 1 },
    read: (rows) => lostOf(wire.WireBook, { coin: "BTC", time: T, levels: [rows, []] }),
  },
  context: {
    row: { markPx: "1" },
    read: ([ctx]) => lostOf(wire.WireAssetCtx, { coin: "BTC", ctx }),
  },
  market: {
    row: { name: "BTC", szDecimals: 1, maxLeverage: 5 },
    read: (universe) => lostOf(wire.WireMeta, { universe }),
  },
};

function asRows(schema: z.ZodType, row: Wire) {
  const read = (rows: unknown[]) => lost(readRows(schema, rows).unread);
  return { row, read };
}

const lost = (unread: readonly { kind: string }[]) => ({
  rows: unread.filter(({ kind }) => kind === "row").length,
  fields: unread.filter(({ kind }) => kind === "field").length,
});

function lostOf(schema: z.ZodType, data: unknown) {
  const read = readParts(schema, data);
  assert.ok("value" in read, "reason" in read ? read.reason : "");
  return lost(read.unread);
}

const table = readFileSync(new URL("../../../docs/reading.md", import.meta.url), "utf8")
  .split("\n")
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .filter((cells) => cells[1] !== undefined && cells[1] in OBJECTS);
const namesIn = (cell: string | undefined): string[] =>
  [...(cell ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => name!);

/** Nothing that any field takes. */
const SPOILT = [Symbol("odd")];

for (const [name, { row, read }] of Object.entries(OBJECTS)) {
  it(`${name}: each field costs what the table says`, () => {
    const cells = table.find((one) => one[1] === name);
    assert.ok(cells, "in the table");
    assert.deepEqual(read([row]), { rows: 0, fields: 0 });
    const [own, whole] = [namesIn(cells[2]), namesIn(cells[3])];
    for (const field of own)
      assert.deepEqual(read([{ ...row, [field]: SPOILT }]), { rows: 0, fields: 1 }, field);
    for (const field of whole)
      assert.deepEqual(read([{ ...row, [field]: SPOILT }]), { rows: 1, fields: 0 }, field);
    for (const field of Object.keys(row))
      assert.ok(own.includes(field) || whole.includes(field) || field === "children", field);
  });
}
