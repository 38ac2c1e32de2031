/** The venue's objects come back as they were told, whether they are kept or told by the columns of their row (ADR 0016). */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { JsonText } from "../../src/runtime/jsonText.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import { fillRow, type Origin, orderEventRow } from "../../src/sync/normalize.ts";
import { type Any, capturePath, withoutCaptures } from "../captures/captures.ts";
import { useDatabase } from "../support/postgres.ts";
import { T } from "./rows.ts";

const FILL = {
  ...{
    coin: "BTC",
    px: "83000.50",
    sz: "0.010",
    side: "B",
    time: T,
    startPosition: "-1.25",
    dir: "Open Long",
  },
  ...{ closedPnl: "0.0", hash: `0x${"ab".repeat(32)}`, oid: 105, crossed: true, fee: "-0.0012", tid: 7 },
  ...{ feeToken: "USDC", twapId: null },
};
const SHORT = { coin: "BTC", side: "A", limitPx: "83000.0", sz: "0.5", oid: 9, timestamp: T, origSz: "1.50" };
const LONG = {
  ...{ coin: "ETH", side: "B", limitPx: "2000.10", sz: "0.0", oid: 8, timestamp: T, triggerCondition: "N/A" },
  ...{ isTrigger: false, triggerPx: "0.0", children: [], isPositionTpsl: false, reduceOnly: false },
  ...{ orderType: "Limit", origSz: "1.0", tif: "Gtc", cloid: null },
};
const without = (object: object, ...keys: string[]) =>
  Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
const reversed = (object: object) => Object.fromEntries(Object.entries(object).reverse());

/** Neighbours of what the venue usually says, and whether the columns tell them. */
const FILLS: [fill: object, isMarked: boolean][] = [
  [FILL, true],
  [without(FILL, "twapId"), true],
  [{ ...without(FILL, "feeToken", "twapId"), cloid: "0x1", feeToken: "HYPE", twapId: null }, true],
  [{ ...without(FILL, "tid", "feeToken", "twapId"), ...{ tid: 7, cloid: "0x1", feeToken: "HYPE" } }, true],
  [
    {
      ...without(FILL, "tid", "feeToken", "twapId"),
      ...{ builderFee: "0.10", tid: 3, feeToken: "USDC", twapId: null },
    },
    true,
  ],
  [{ ...FILL, twapId: 5 }, false],
  [{ ...FILL, closedPnl: "-0.0" }, false],
  [{ ...FILL, closedPnl: "-0.50" }, true],
  [{ ...FILL, px: "083000.5" }, false],
  [{ ...FILL, startPosition: "-0.0" }, true],
  [{ ...FILL, coin: 'a"b' }, false],
  [{ ...FILL, coin: "Ω\\u" }, false],
  [{ ...FILL, dir: "Ünder\tTab" }, false],
  [{ ...FILL, coin: "xyz:Ω" }, true],
  [{ ...FILL, hash: null }, true],
  [without(FILL, "hash"), false],
  [without(FILL, "tid", "feeToken", "twapId"), false],
  [{ ...FILL, priorityGas: "0.5" }, false],
  [{ ...FILL, liquidation: { liquidatedUser: "0x1", markPx: "1.0", method: "market" } }, false],
  [{ ...FILL, newKey: [1, { a: null }] }, false],
  [reversed(FILL), false],
];
const EVENTS: [event: object, isMarked: boolean][] = [
  [{ order: SHORT, status: "open", statusTimestamp: T }, true],
  [{ order: { ...SHORT, cloid: "0xabc" }, status: "canceled", statusTimestamp: T + 1 }, true],
  [{ order: { ...SHORT, reduceOnly: true }, status: "open", statusTimestamp: T }, true],
  [{ order: { ...SHORT, reduceOnly: true, cloid: "0xa" }, status: "open", statusTimestamp: T }, true],
  [{ order: { ...SHORT, cloid: "0xa", reduceOnly: true }, status: "open", statusTimestamp: T }, true],
  [{ order: { ...SHORT, cloid: null }, status: "open", statusTimestamp: T }, false],
  [{ order: without(SHORT, "origSz"), status: "open", statusTimestamp: T }, false],
  [{ order: LONG, status: "filled", statusTimestamp: T + 2 }, true],
  [
    { order: { ...LONG, cloid: "0xb", tif: null, reduceOnly: true }, status: "open", statusTimestamp: T },
    true,
  ],
  [
    {
      order: { ...LONG, isTrigger: true, triggerPx: "1.5", triggerCondition: "Price above 1.5" },
      ...{ status: "open", statusTimestamp: T },
    },
    false,
  ],
  [{ order: { ...LONG, children: [{ oid: 1 }] }, status: "open", statusTimestamp: T }, false],
  [{ order: { ...LONG, isPositionTpsl: true }, status: "open", statusTimestamp: T }, false],
  [{ status: "open", order: LONG, statusTimestamp: T }, false],
  [{ order: LONG, status: 'od"d', statusTimestamp: T }, false],
];

/** All objects anywhere in a value that look like the ones that `isOne` knows. */
function* found(value: unknown, isOne: (object: Any) => boolean): Generator<object> {
  if (typeof value !== "object" || value === null) return;
  if (isOne(value)) yield value;
  for (const inner of Object.values(value)) yield* found(inner, isOne);
}

const isFill = (object: Any) => "closedPnl" in object && "px" in object && "startPosition" in object;
const isEvent = (object: Any) =>
  typeof object.order === "object" && object.order?.limitPx && "statusTimestamp" in object;

function* captured(isOne: (object: Any) => boolean): Generator<object> {
  for (const path of globSync("**/*.{json,ndjson}", { cwd: fileURLToPath(capturePath(".")) })) {
    const text = readFileSync(capturePath(path), "utf8");
    for (const part of path.endsWith(".json") ? [text] : text.split("\n").filter(Boolean))
      yield* found(JSON.parse(part), isOne);
  }
}

describe("the venue's object of a row", () => {
  const db = useDatabase("all");
  let accounts = 0;

  /** Each object has an account of its own, so that none meets another. */
  const origin = (): Origin => ({
    ...{ account: `0x${(++accounts).toString(16).padStart(40, "0")}`, source: "stream", seenAtMs: T },
  });
  const read = (raw: object): Any => ({
    value: raw,
    // As a frame gives it, or as an answer does.
    raw: accounts % 2 === 0 ? new JsonText(JSON.stringify(raw)) : raw,
  });

  interface Kept extends Record<string, unknown> {
    account: string;
    kept: string;
    same: boolean;
  }
  const kept = (table: string, column: string, given: string, told: Map<string, object>) =>
    db.database.query<Kept>(
      `select g.key as account, t.${column}::text as kept, ${given}::text is not distinct from g.value::text as same
       from jsonb_each($1::jsonb) g left join ${table} t on t.account_address = g.key order by g.key`,
      [JSON.stringify(Object.fromEntries(told))],
    );

  async function assertTold(
    fills: readonly object[],
    events: readonly object[],
  ): Promise<Map<object, boolean>> {
    const [ofFills, ofEvents] = [new Map<string, object>(), new Map<string, object>()];
    const batch = {
      fills: fills.map((raw) => {
        const from = origin();
        ofFills.set(from.account, raw);
        return fillRow(from, read(raw));
      }),
      orderEvents: events.map((raw) => {
        const from = origin();
        ofEvents.set(from.account, raw);
        return orderEventRow(from, read(raw));
      }),
    };
    await db.store.apply(batch);
    const marked = new Map<object, boolean>();
    for (const [told, rows] of [
      [ofFills, await kept("hl_fills", "raw_fill", "hl_raw_fill(t)", ofFills)],
      [ofFills, await kept("hl_fills_text", "raw_fill", "t.raw_fill", ofFills)],
      [ofEvents, await kept("hl_order_events", "raw_event", "hl_raw_event(t)", ofEvents)],
      [ofEvents, await kept("hl_orders", "raw_order", "hl_raw_order(t)", ofEvents)],
      [ofEvents, await kept("hl_orders_text", "raw_order", "t.raw_order", ofEvents)],
    ] as const)
      for (const { account, kept, same } of rows) {
        assert.ok(same, `${JSON.stringify(told.get(account))} is kept as ${kept}`);
        if (kept === "true" || kept === "false") marked.set(told.get(account)!, true);
      }
    // What is read for a verification is the object too, and the same again changes nothing.
    const [first] = batch.fills;
    if (first !== undefined) {
      const [stored] = await db.store.fills(first.account, first.timeMs, first.timeMs);
      assert.deepEqual(stored!.raw, JSON.parse(JSON.stringify(first.raw)));
    }
    const { written } = await db.store.apply(batch);
    for (const [table, rows] of Object.entries(written)) assert.equal(rows, 0, table);
    return marked;
  }

  it("is told by the columns where they can, and kept where not", async () => {
    const marked = await assertTold(
      FILLS.map(([fill]) => fill),
      EVENTS.map(([event]) => event),
    );
    for (const [object, isMarked] of [...FILLS, ...EVENTS])
      assert.equal(marked.get(object) ?? false, isMarked, JSON.stringify(object));
  });

  it("comes back for every object of the venue's that was recorded", { skip: withoutCaptures }, async () => {
    const fills = [...captured(isFill)];
    const events = [...captured(isEvent)];
    assert.ok(fills.length > 1_000 && events.length > 5, `${fills.length}, ${events.length}`);
    await assertTold(fills, events);
  });

  it("comes back whatever keys are lacking, new, or in another order", async (t) => {
    const seed = Number(process.env.HLSYNC_SEED ?? Date.now() % 2 ** 31);
    t.diagnostic(`seed ${seed}`);
    const { next: random } = seededRandom(seed);
    const pick = <V>(...values: V[]): V => values[Math.floor(random() * values.length)]!;
    const decimal = () =>
      pick("0", "0.0", "-0.0", "-1.50", "12", "0.00000001", "100000000000000000.5", "7.10");
    const shuffled = (object: object) =>
      Object.fromEntries(
        Object.entries(object)
          .map((entry) => [random(), entry] as const)
          .sort(([a], [b]) => a - b)
          .map(([, entry]) => entry),
      );
    const bent = (object: Record<string, unknown>) => {
      const lacking =
        random() < 0.2 ? without(object, pick("twapId", "hash", "feeToken", "dir", "cloid", "tif")) : object;
      const more = random() < 0.1 ? { ...lacking, extra: pick<unknown>(1.5, "x", null, []) } : lacking;
      return random() < 0.1 ? shuffled(more) : more;
    };
    const fills = Array.from({ length: 300 }, () =>
      bent({
        ...FILL,
        px: decimal(),
        sz: decimal(),
        fee: decimal(),
        closedPnl: decimal(),
        startPosition: decimal(),
      }),
    );
    const events = Array.from({ length: 300 }, () => ({
      order: bent({
        ...pick<object>(SHORT, { ...SHORT, cloid: "0x1" }, LONG, {
          ...LONG,
          cloid: "0x2",
          reduceOnly: pick(true, false),
        }),
        ...{ limitPx: decimal(), sz: decimal(), origSz: decimal() },
      }),
      ...{ status: pick("open", "filled", "canceled"), statusTimestamp: T + 5 },
    }));
    const marked = await assertTold(fills, events);
    assert.ok(marked.size > 150, `${marked.size} marked`);
  });

  it("is the richest that was told, whatever comes first, and is marked after a join too", async () => {
    const legacy = { ...fillRow(origin(), read(FILL)), raw: null, feeToken: null, source: "legacy" as const };
    const told = { ...fillRow(origin(), read(FILL)), account: legacy.account };
    await db.store.apply({ fills: [legacy] });
    await db.store.apply({ fills: [told] });
    const short = { ...SHORT, oid: 77 };
    const long = { ...LONG, ...short, cloid: null };
    const of = (order: object, account: string) => ({
      ...orderEventRow(origin(), read({ order, status: "open", statusTimestamp: T })),
      account,
    });
    const [one, other] = [origin().account, origin().account];
    for (const orders of [
      [of(short, one), of(long, other)],
      [of(long, one), of(short, other)],
    ])
      await db.store.apply({ orderEvents: orders });
    const rows = await db.database.query<{ raw: string; whole: unknown }>(
      `select raw_fill::text as raw, hl_raw_fill(f) as whole from hl_fills f where account_address = $1
       union all
       select raw_event::text, hl_raw_event(e) from hl_order_events e where account_address = any ($2)`,
      [legacy.account, [one, other]],
    );
    assert.deepEqual(
      rows.map(({ raw }) => raw),
      ["true", "true", "true"],
    );
    assert.deepEqual(rows[0]!.whole, FILL);
    for (const { whole } of rows.slice(1))
      assert.deepEqual(whole, { order: long, status: "open", statusTimestamp: T });
  });
});
