/** Files of a node, read: real lines field by field, and everything that may be wrong with a line. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parsed as parsedText } from "../../../../src/runtime/jsonText.ts";
import { seededRandom } from "../../../../src/runtime/random.ts";
import { Addresses } from "../../../../src/sync/nodeFiles/addresses.ts";
import { Lines } from "../../../../src/sync/nodeFiles/lines.ts";
import { NodeFileReader } from "../../../../src/sync/nodeFiles/nodeFile.ts";
import { type LostEvent, readEvent } from "../../../../src/sync/nodeFiles/rows.ts";
import type { Batch, FillRow } from "../../../../src/sync/rows.ts";
import { capturePath, withoutCaptures } from "../../../captures/captures.ts";
import { blockLine, nodeTime } from "../../../support/nodeFiles.ts";

const ME = `0x${"a1".repeat(20)}`;
const OTHER = `0x${"b2".repeat(20)}`;
const MS = 1_775_001_599_923;

const fill = (over: Record<string, unknown> = {}) => ({
  coin: "S",
  px: "0.040883",
  sz: "481.0",
  side: "B",
  time: MS,
  startPosition: "2423569.0",
  dir: "Open Long",
  closedPnl: "0.0",
  hash: `0x${"f1".repeat(32)}`,
  oid: 366_968_521_024,
  crossed: true,
  fee: "0.0",
  tid: 843_853_381_927_238,
  feeToken: "USDC",
  twapId: null,
  ...over,
});

function read(text: string, { accounts = [ME], pieces = 1 << 20, lineMax = 1 << 26 } = {}) {
  const batches: Batch[] = [];
  const lost: LostEvent[] = [];
  const reader = new NodeFileReader(
    {
      addresses: new Addresses(accounts),
      now: () => 5,
      onRows: (batch) => batches.push(batch),
      onLost: (event) => lost.push(event),
    },
    null,
    new Lines(lineMax),
  );
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieces) reader.push(bytes.subarray(at, at + pieces));
  reader.end();
  const { blocks, ...result } = reader.result;
  const rows = <K extends keyof Batch>(table: K) =>
    batches.flatMap((batch) => (batch[table] ?? []) as never[]);
  return { ...result, runs: blocks.runs, batches, lost, fills: rows("fills") as FillRow[], rows };
}

const runsOf = (text: string) => read(text).runs.map(({ fromBlock, toBlock }) => [fromBlock, toBlock]);

describe("a file of a node", () => {
  it("gives the rows of the accounts that are wanted, in pieces of any size", () => {
    const text =
      blockLine(7, MS, [
        [OTHER, fill()],
        [ME, fill({ side: "A" })],
      ]) +
      blockLine(8, MS + 70, []) +
      blockLine(9, MS + 140, [
        [ME, fill({ time: MS + 140, builder: OTHER })],
        [OTHER, fill({ builder: ME })],
      ]);
    for (const pieces of [1, 3, 100, 1 << 20]) {
      const { fills, runs, lines, kind, lost } = read(text, { pieces });
      assert.deepEqual(
        fills.map(({ account, side, timeMs, source, seenAtMs }) => [account, side, timeMs, source, seenAtMs]),
        [
          [ME, "sell", MS, "node", 5],
          [ME, "buy", MS + 140, "node", 5],
        ],
      );
      assert.deepEqual(runs, [{ fromBlock: 7, toBlock: 9, fromMs: MS, toMs: MS + 140 }]);
      assert.deepEqual([lines, kind, lost], [3, "fill", []]);
    }
  });

  it("is read whatever blanks its JSON has, and in either case of an address", () => {
    const line = JSON.stringify(
      JSON.parse(blockLine(7, MS, [[ME.toUpperCase().replace("0X", "0x"), fill()]])),
      null,
      1,
    );
    const { fills, runs } = read(`${line.replaceAll("\n", " ")}\n`);
    assert.deepEqual([fills.length, fills[0]?.account, runs.length], [1, ME, 1]);
  });

  it("tells a TWAP slice by its own row", () => {
    const zero = `0x${"0".repeat(64)}`;
    const { fills } = read(blockLine(7, MS, [[ME, fill({ hash: zero, twapId: 1_430_699 })]]));
    assert.deepEqual([fills[0]?.twapId, fills[0]?.hash], [1_430_699, zero]);
  });

  it("has runs of blocks that end at every hole", () => {
    const line = (block: number) => blockLine(block, MS + block * 70, []);
    assert.deepEqual(runsOf([7, 8, 8, 9].map(line).join("")), [[7, 9]]);
    assert.deepEqual(runsOf([7, 9, 10].map(line).join("")), [
      [7, 7],
      [9, 10],
    ]);
    // Numbers that go back, and a time that does.
    assert.deepEqual(runsOf([7, 8, 7].map(line).join("")), [
      [7, 8],
      [7, 7],
    ]);
    assert.deepEqual(runsOf(blockLine(7, MS, []) + blockLine(8, MS - 1, [])), [
      [7, 7],
      [8, 8],
    ]);
  });

  it("loses a bad line alone, and its block from the run", () => {
    const good = (block: number) => blockLine(block, MS + block, [[ME, fill({ tid: block })]]);
    const torn = good(8).slice(0, 300);
    for (const bad of [
      torn,
      `${torn}${good(9).trimEnd()}`,
      '{"block_number":8,"events":[]}',
      "\u0000\u0000\u0000",
      "not JSON",
      good(8).replace('"oid":366968521024', '"oid":3669685,21024').trimEnd(),
    ]) {
      const { fills, runs, badLines, lost } = read(`${good(7)}${bad}\n${good(9)}`);
      assert.ok(
        fills.some(({ tradeId }) => tradeId === 7) && fills.some(({ tradeId }) => tradeId === 9),
        bad,
      );
      assert.deepEqual([badLines, lost.length, runs.length], [1, 1, 2], bad);
      assert.ok(lost[0]!.table === "node" && String(lost[0]!.raw).length > 0);
    }
  });

  it("loses a fill that cannot be read, with its account and time; its neighbours stay", () => {
    const bad = fill({ px: "much" });
    const { fills, lost, runs } = read(
      blockLine(7, MS, [
        [ME, bad],
        [ME, fill()],
      ]) + blockLine(8, MS + 70, []),
    );
    assert.deepEqual([fills.length, runs.length], [1, 1]);
    assert.deepEqual([lost[0]?.account, lost[0]?.table, lost[0]?.raw], [ME, "hl_fills", bad]);
    // One that does not even tell its time may be of any: its block is not whole.
    assert.equal(
      read(blockLine(7, MS, [[ME, fill({ time: "now" })]]) + blockLine(8, MS, [])).runs[0]?.fromBlock,
      8,
    );
  });

  it("has no block in a run of which an event may be anyone's fill, whatever time it tells", () => {
    const good = (block: number) => blockLine(block, MS + block, [[ME, fill({ tid: block })]]);
    for (const event of [{ user: ME, ...fill() }, { user: ME, fill: fill() }, [ME, 7, fill()]]) {
      const { lost, runs, fills } = read(good(7) + blockLine(8, MS + 8, [event]) + good(9));
      assert.deepEqual([lost[0]?.account, lost[0]?.table, fills.length], [null, "node", 2]);
      assert.deepEqual(
        runs.map(({ fromBlock, toBlock }) => [fromBlock, toBlock]),
        [
          [7, 7],
          [9, 9],
        ],
      );
    }
  });

  it("may end in a line that is not finished, or only lacks its break", () => {
    const [a, b] = [blockLine(7, MS, []), blockLine(8, MS + 70, [[ME, fill()]])];
    const cut = read(a + b.slice(0, 200));
    assert.deepEqual([cut.unfinished, cut.badLines, cut.runs[0]?.toBlock, cut.fills.length], [200, 0, 7, 0]);
    const whole = read(a + b.trimEnd());
    assert.deepEqual([whole.unfinished, whole.runs[0]?.toBlock, whole.fills.length], [0, 8, 1]);
    const { lines, kind, runs } = read("");
    assert.deepEqual([lines, kind, runs], [0, null, []]);
  });

  it("passes over a line that is longer than memory allows, and tells it", () => {
    const long = blockLine(8, MS, [[ME, fill({ dir: "x".repeat(5_000) })]]);
    const text = blockLine(7, MS, []) + long + blockLine(9, MS + 1, [[ME, fill()]]);
    for (const pieces of [100, 1 << 20]) {
      const { badLines, fills, lost } = read(text, { lineMax: 2_000, pieces });
      if (pieces === 100)
        assert.deepEqual([badLines, fills.length, lost[0]?.reason], [1, 1, "a line that is too long"]);
      else assert.equal(badLines, 0);
    }
  });

  it("reads funding and ledger of each address they are of, as the API tells them", () => {
    const paid = (user: string) => ({
      user,
      coin: "SOL",
      funding_amount: "9.330246",
      szi: "280.0",
      funding_rate: "-0.0000810249",
    });
    const send = { type: "send", user: OTHER, destination: ME, token: "USDC", amount: "5.0" };
    const hash = `0x${"c3".repeat(32)}`;
    const event = (inner: unknown) => ({ time: nodeTime(MS), hash, inner });
    const text = blockLine(7, MS, [
      event({ Funding: { deltas: [paid(OTHER), paid(ME)] } }),
      event({ LedgerUpdate: { users: [OTHER, ME, ME], delta: send } }),
      event({ CDeposit: { user: ME, amount: "1.0" } }),
    ]);
    const { rows, leftOut, kind } = read(text);
    assert.deepEqual([kind, leftOut], ["misc", { CDeposit: 1 }]);
    const [funding, ...more] = rows("funding");
    assert.deepEqual(more, []);
    assert.deepEqual(funding, {
      account: ME,
      source: "node",
      seenAtMs: 5,
      coin: "SOL",
      timeMs: MS,
      usdc: "9.330246",
      size: "280.0",
      fundingRate: "-0.0000810249",
      samples: null,
      raw: {
        time: MS,
        hash,
        delta: { type: "funding", coin: "SOL", usdc: "9.330246", szi: "280.0", fundingRate: "-0.0000810249" },
      },
    });
    assert.deepEqual(
      rows("ledger").map((row: { raw: unknown }) => row.raw),
      [{ time: MS, hash, delta: send }],
    );
    assert.equal(read(text, { accounts: [ME, OTHER] }).rows("ledger").length, 2);
  });
});

/** Rows by parsing everything: what a prefilter must not lose. */
function parsedWhole(text: string, accounts: readonly string[]) {
  const fills: unknown[] = [];
  for (const line of text.trimEnd().split("\n")) {
    const value = JSON.parse(line);
    for (const event of Array.isArray(value) ? [value] : value.events)
      readEvent(event, {
        seenAtMs: 5,
        isWanted: (account) => accounts.includes(account),
        rows: (batch) => fills.push(...(batch.fills ?? [])),
        lost: ({ reason }) => assert.fail(reason),
        leftOut: () => {},
      });
  }
  return fills;
}
const plain = (rows: readonly unknown[]) => rows.map((row) => JSON.parse(JSON.stringify(row)));

describe("nothing is lost by not parsing", () => {
  const known = [ME, OTHER, `0x${"0".repeat(40)}`];
  const users = [...known, `0x${"c".repeat(40)}`, `${ME.slice(0, 40)}ff`, ME.toUpperCase().replace("X", "x")];
  const odd: Record<string, unknown>[] = [
    {},
    { cloid: ME, builder: OTHER, builderFee: "0.1" },
    { liquidation: { liquidatedUser: ME, markPx: "1.0", method: "market" } },
    { dir: 'a]}] "["0x', coin: "xyz:Ü[" },
    { others: [[OTHER, {}], OTHER], deployerFee: "0.001902" },
    { twapId: 7, tid: undefined, hash: `0x${"0".repeat(64)}` },
    { feeToken: "\u2028", crossed: false },
  ];
  const random = seededRandom(11);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random.next() * from.length)]!;
  const event = (index: number) => [pick(users), fill({ oid: index, ...pick(odd) })];
  const events = (index: number) => Array.from({ length: index % 5 }, (_, nth) => event(10 * index + nth));
  /** As other programs write JSON. */
  const spaced = (text: string) => text.replaceAll('[["', '[ ["').replaceAll("],[", "], [");

  it("of blocks, however they are written and wherever they are cut", () => {
    const lines = Array.from({ length: 60 }, (_, index) => blockLine(index, MS + index, events(index)));
    for (const text of [lines.join(""), lines.map((line, at) => (at % 3 ? line : spaced(line))).join("")]) {
      const wanted = plain(parsedWhole(text, known));
      assert.ok(wanted.length > 40);
      for (const pieces of [1 << 20, 4_096, 257, 31]) {
        const { fills, badLines, lost } = read(text, { accounts: known, pieces });
        assert.deepEqual([plain(fills), badLines, lost], [wanted, 0, []]);
      }
    }
  });

  it("of a line cut at each of its bytes", () => {
    const text = blockLine(7, MS, [event(1), [ME, fill()], event(2)]) + blockLine(8, MS, [[OTHER, fill()]]);
    const wanted = plain(parsedWhole(text, known));
    for (let at = 1; at < text.length; at++)
      assert.deepEqual(plain(read(text, { accounts: known, pieces: at }).fills), wanted, String(at));
  });

  it("of fills alone in their lines", () => {
    const text = Array.from({ length: 200 }, (_, index) => `${JSON.stringify(event(index))}\n`).join("");
    const wanted = plain(parsedWhole(text, known));
    assert.ok(wanted.length > 50);
    for (const one of [text, text.replaceAll(',{"', ', {"')])
      assert.deepEqual(plain(read(one, { accounts: known, pieces: 300 }).fills), wanted);
  });
});

/** A line's event as it is written (the real one of the reference), with another user. */
const twap = (status: unknown) => ({
  time: nodeTime(MS),
  twap_id: 1_430_699,
  status,
  state: {
    coin: "HYPE",
    user: ME,
    side: "B",
    sz: "10.0",
    executedSz: "0.0",
    executedNtl: "0.0",
    minutes: 10,
    reduceOnly: false,
    randomize: false,
    timestamp: MS,
  },
});

it("reads the statuses of TWAP orders, an error too", () => {
  const { rows, kind, lost } = read(
    blockLine(7, MS, [twap("activated"), twap({ error: "Insufficient margin" })]),
  );
  assert.deepEqual([kind, lost], ["twap", []]);
  assert.deepEqual(
    rows("twaps").map((row: Record<string, unknown>) => [row.account, row.twapId, row.status, row.error]),
    [
      [ME, 1_430_699, "activated", null],
      [ME, 1_430_699, "error", "Insufficient margin"],
    ],
  );
});

const capture = (name: string) =>
  readFileSync(capturePath(`gareth0712/node/20250716.${name}.ndjson`), "utf8");
// biome-ignore lint/suspicious/noExplicitAny: real lines are what is found out here
const parsed = (text: string): any[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("real lines of a node, field by field", { skip: withoutCaptures }, () => {
  it("fills, each for its own account", () => {
    const text = capture("node_fills");
    const events = parsed(text);
    const { fills, kind, runs, badLines } = read(text, {
      accounts: [...new Set(events.map(([user]) => user))],
    });
    assert.deepEqual([kind, runs, badLines, fills.length], ["fill", [], 0, events.length]);
    for (const [index, row] of fills.entries()) {
      const [user, wire] = events[index];
      const { raw, value: _, source: __, seenAtMs: ___, ...told } = row;
      assert.deepEqual(parsedText(raw), wire);
      assert.deepEqual(told, {
        account: user,
        coin: wire.coin,
        timeMs: wire.time,
        side: wire.side === "B" ? "buy" : "sell",
        size: wire.sz,
        price: wire.px,
        fee: wire.fee,
        feeToken: wire.feeToken,
        closedPnl: wire.closedPnl,
        startPosition: wire.startPosition,
        direction: wire.dir,
        orderId: wire.oid,
        tradeId: wire.tid,
        hash: wire.hash,
        crossed: wire.crossed,
        cloid: wire.cloid ?? null,
        builderFee: wire.builderFee ?? null,
        twapId: null,
        liquidation: null,
      });
    }
  });

  it("order statuses", () => {
    const text = capture("node_order_statuses");
    const events = parsed(text);
    const { rows } = read(text, { accounts: events.map(({ user }) => user) });
    const told = rows("orderEvents") as NonNullable<Batch["orderEvents"]>;
    assert.equal(told.length, events.length);
    for (const [index, row] of told.entries()) {
      const { order, status, user, time } = events[index];
      const { raw, source: _, seenAtMs: __, ...rest } = row;
      const statusTimeMs = Date.parse(`${time.slice(0, 23)}Z`);
      assert.deepEqual(raw, { order, status, statusTimestamp: statusTimeMs });
      assert.deepEqual(rest, {
        account: user,
        orderId: order.oid,
        venueStatus: status,
        statusTimeMs,
        coin: order.coin,
        side: order.side === "B" ? "buy" : "sell",
        limitPrice: order.limitPx,
        size: order.origSz,
        remaining: order.sz,
        placedAtMs: order.timestamp,
        orderType: order.orderType,
        tif: order.tif,
        triggerPrice: null,
        reduceOnly: order.reduceOnly,
        cloid: order.cloid,
      });
    }
  });

  it("ledger updates, one row for each of their users; staking is left out by name", () => {
    const text = capture("misc_events");
    const events = parsed(text);
    const updates = events.flatMap((event) => {
      const update = event.inner.LedgerUpdate;
      return update ? update.users.map((user: string) => ({ ...event, user, delta: update.delta })) : [];
    });
    const { rows, leftOut } = read(text, { accounts: updates.map(({ user }) => user) });
    const told = rows("ledger") as NonNullable<Batch["ledger"]>;
    assert.deepEqual(
      told.map(({ account, timeMs, hash, type, raw }) => ({ account, timeMs, hash, type, raw })),
      updates.map(({ user: account, time, hash, delta }) => {
        const timeMs = Date.parse(`${time.slice(0, 23)}Z`);
        return { account, timeMs, hash, type: delta.type, raw: { time: timeMs, hash, delta } };
      }),
    );
    const others = events
      .flatMap(({ inner }) => Object.keys(inner))
      .filter((name) => name !== "LedgerUpdate");
    assert.equal(
      Object.values(leftOut).reduce((a, b) => a + b, 0),
      others.length,
    );
  });

  it("trades tell no fee and no PnL: they are left out", () => {
    const text = capture("node_trades");
    const { leftOut, batches } = read(text, {
      accounts: parsed(text).flatMap((t) => t.side_info.map((s: { user: string }) => s.user)),
    });
    assert.deepEqual([leftOut, batches], [{ trade: parsed(text).length }, []]);
  });
});
