import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { StoreError } from "../../../src/errors.ts";
import { grouped } from "../../../src/sync/groupCommit.ts";
import type { Applied, Batch } from "../../../src/sync/rows.ts";
import { HandClock, settle } from "../connection/handClock.ts";
import { fill, transition } from "./rows.ts";

const accountOf = (n: number) => `0x${n.toString(16).padStart(40, "0")}`;
const fillsOf = (n: number, ...ids: number[]): Batch => ({
  fills: ids.map((tradeId) => fill({ account: accountOf(n), timeMs: 1, tradeId })),
});
const ordersOf = (n: number, orderId: number): Batch => ({
  orderEvents: [transition(orderId, "open", { account: accountOf(n) })],
});
const idsOf = ({ fills = [], orderEvents = [] }: Batch): number[] => [
  ...fills.map(({ tradeId }) => tradeId),
  ...orderEvents.map(({ orderId }) => orderId),
];

/** A store whose calls end when told to, and what it was asked to write. */
function rig() {
  const clock = new HandClock(0);
  const calls: { batch: Batch; ids: number[]; end(error?: Error): Promise<void> }[] = [];
  const apply = grouped(
    (batch) =>
      new Promise<Applied>((resolve, reject) => {
        const events = (batch.fills ?? []).map(({ account, tradeId }) => ({ account, key: `${tradeId}` }));
        const applied = { events, written: { rows: idsOf(batch).length }, known: { rows: 1 } };
        const end = (error?: Error) => {
          if (error) reject(error);
          else resolve(applied as unknown as Applied);
          return settle();
        };
        calls.push({ batch, ids: idsOf(batch), end });
      }),
    clock,
  );
  return { clock, calls, apply, asked: () => calls.map(({ ids }) => ids) };
}

describe("batches of several accounts", () => {
  it("wait for the call under way and are then written by one, each answered with its own events", async () => {
    const { calls, apply, asked } = rig();
    const answers = [apply(fillsOf(1, 11)), apply(fillsOf(2, 21, 22)), apply(fillsOf(3, 31))];
    assert.deepEqual(asked(), [[11]]);
    await calls[0]!.end();
    assert.deepEqual(asked(), [[11], [21, 22, 31]]);
    await calls[1]!.end();
    const told = await Promise.all(answers);
    assert.deepEqual(
      told.map(({ events, written }) => [events.map(({ key }) => key), written]),
      [
        [["11"], { rows: 1 }],
        [["21", "22"], { rows: 3 }],
        [["31"], {}],
      ],
    );
  });

  it("wait a moment for each other where they came together before, and no longer where they did not", async () => {
    const { clock, calls, apply, asked } = rig();
    void apply(fillsOf(1, 1));
    void apply(fillsOf(2, 2));
    void apply(fillsOf(3, 3));
    await calls[0]!.end();
    await calls[1]!.end();
    void apply(fillsOf(1, 4));
    void apply(fillsOf(2, 5));
    assert.equal(calls.length, 2);
    await clock.advance(2);
    assert.deepEqual(asked()[2], [4, 5]);
    await calls[2]!.end();
    void apply(fillsOf(1, 6));
    await clock.advance(2);
    await calls[3]!.end();
    void apply(fillsOf(1, 7));
    assert.deepEqual(asked().slice(3), [[6], [7]]);
  });

  it("let fills go beside what else is written, and two of one account one after the other", async () => {
    const { calls, apply, asked } = rig();
    void apply(ordersOf(1, 1));
    void apply(ordersOf(2, 2));
    void apply(ordersOf(2, 3));
    void apply(fillsOf(3, 4));
    assert.deepEqual(asked(), [[1], [4]]);
    await calls[0]!.end();
    assert.deepEqual(asked(), [[1], [4], [2]]);
    await calls[2]!.end();
    assert.deepEqual(asked().at(-1), [3]);
  });

  it("are written each by itself when they cannot be together, and only the guilty one fails", async () => {
    const { calls, apply, asked } = rig();
    const first = apply(fillsOf(1, 1));
    const [good, bad] = [apply(fillsOf(2, 2)), apply(fillsOf(3, 3))];
    const refused = assert.rejects(bad, /out of range/);
    await calls[0]!.end();
    const refusal = () => new StoreError("out of range", { transient: false, sqlState: "22003" });
    await calls[1]!.end(refusal());
    assert.deepEqual(asked(), [[1], [2, 3], [2], [3]]);
    await calls[3]!.end(refusal());
    await calls[2]!.end();
    await first;
    assert.deepEqual((await good).events.length, 1);
    await refused;
  });

  it("do not wait for a call that lasts", async () => {
    const { clock, calls, apply, asked } = rig();
    const locked = apply(fillsOf(1, 1));
    const free = apply(fillsOf(2, 2));
    await clock.advance(200);
    assert.deepEqual(asked(), [[1], [2]]);
    await calls[1]!.end();
    await free;
    await calls[0]!.end();
    assert.deepEqual((await locked).written, { rows: 1 });
  });

  it("go alone when they are large, claim something, or were not told by the stream", () => {
    const { apply, asked, calls } = rig();
    void apply(fillsOf(1, 1));
    const many = Array.from({ length: 201 }, (_, i) => i);
    void apply(fillsOf(2, ...many));
    void apply({ ...fillsOf(3, 3), coverage: [{ account: accountOf(3) } as never] });
    void apply({ fills: [fill({ account: accountOf(4), timeMs: 1, tradeId: 4, source: "backfill" })] });
    void apply({ fills: [...fillsOf(5, 5).fills!, ...fillsOf(6, 6).fills!] });
    assert.deepEqual(asked(), [[1], many, [3], [4], [5, 6]]);
    assert.equal(calls[2]!.batch.coverage!.length, 1);
  });

  it("are written once each, in the order of their account, whatever the calls do", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ account: fc.integer({ min: 1, max: 4 }), isFill: fc.boolean() }), {
          maxLength: 30,
        }),
        fc.array(fc.boolean(), { maxLength: 10 }),
        async (batches, failures) => {
          const clock = new HandClock(0);
          const written: number[] = [];
          let under = 0;
          const apply = grouped(async (batch) => {
            under += 1;
            assert.ok(under <= 8, "more calls at a time than batches fail together");
            await clock.sleep(3);
            under -= 1;
            if (
              new Set([...(batch.fills ?? []), ...(batch.orderEvents ?? [])].map((row) => row.account)).size >
              1
            )
              if (failures.pop()) throw new StoreError("away", { transient: true });
            written.push(...idsOf(batch));
            return { events: [], written: {}, known: {} };
          }, clock);
          const done = batches.map(({ account, isFill }, n) =>
            apply(isFill ? fillsOf(account, n) : ordersOf(account, n)),
          );
          await clock.advance(3_000);
          await Promise.all(done);
          assert.deepEqual(
            written.toSorted((a, b) => a - b),
            batches.map((_, n) => n),
          );
          for (const account of [1, 2, 3, 4])
            for (const kind of [true, false]) {
              const own = (n: number) => batches[n]!.account === account && batches[n]!.isFill === kind;
              const order = written.filter(own);
              assert.deepEqual(
                order,
                order.toSorted((a, b) => a - b),
              );
            }
        },
      ),
      { numRuns: 100 },
    );
  });
});
