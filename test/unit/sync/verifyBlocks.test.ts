/** Block numbers against time and against the chain of positions. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type InBlock, outOfOrder } from "../../../src/sync/verify/blocks.ts";
import { passed } from "../../../src/sync/verify/certificate.ts";
import { holding, NOW, Rig, state, type Wire, wireFill, wireLedger } from "./verifyRig.ts";

const T = NOW - 600_000;

/** An account with these fills of BTC and ledger rows, each of [milliseconds after T, block]. */
async function account(
  fills: [ms: number, block: number | null, side: "A" | "B", size: string, start: string][],
  ledger: [ms: number, block: number][] = [],
  position = "0.0",
): Promise<Rig> {
  const rig = new Rig();
  const { venue, store } = rig;
  let hashes = 0;
  const placed = <T extends Wire>(row: T, ms: number, block: number | null): T => {
    const hash = `0x${(++hashes).toString(16).padStart(64, "a")}`;
    if (block !== null) store.blocks.set(hash, block);
    return { ...row, time: T + ms, hash };
  };
  venue.fills = fills.map(([ms, block, side, size, start]) =>
    placed(wireFill("BTC", side, size, start), ms, block),
  );
  venue.ledger = ledger.map(([ms, block]) => placed(wireLedger(T), ms, block));
  venue.perps[""] = state(position === "0.0" ? [] : [holding("BTC", position)]);
  return rig.sync();
}

const named = async (rig: Rig): Promise<string[]> =>
  (await rig.verify()).findings.map(({ kind, table, row, detail }) => `${kind} ${table} ${row}: ${detail}`);

describe("the order of blocks", () => {
  it("agrees: rising with time, shared by a millisecond, and by the chain where two blocks share one", async () => {
    const rig = await account(
      [
        [0, 10, "B", "1.0", "0.0"],
        [0, 10, "B", "1.0", "1.0"],
        [5, 11, "A", "2.0", "2.0"],
        // Two blocks of one millisecond, listed the other way round; the trail leaves a choice, which the blocks make.
        [9, 13, "B", "2.0", "0.0"],
        [9, 13, "A", "2.0", "2.0"],
        [9, 12, "B", "1.0", "0.0"],
        [9, 12, "A", "1.0", "1.0"],
      ],
      [
        [0, 10],
        [7, 12],
      ],
    );
    assert.deepEqual(await named(rig), []);
  });

  it("is a finding where the fills of one millisecond chain the other way round", async () => {
    const rig = await account(
      [
        [0, 10, "B", "1.0", "0.0"],
        [4, 12, "B", "1.0", "1.0"],
        [4, 11, "B", "1.0", "2.0"],
        [6, 13, "B", "1.0", "3.0"],
      ],
      [],
      "4.0",
    );
    assert.deepEqual(await named(rig), [
      `block_order hl_fills BTC|${T + 4}: fills of one millisecond chain in another order than that of their blocks 11, 12`,
    ]);
    assert.ok(!passed(await rig.verify()));
  });

  it("is a finding where a later fill or a ledger row lies in an earlier block, and names that row alone", async () => {
    const rig = await account(
      [
        [0, 10, "B", "1.0", "0.0"],
        [1, 99, "B", "1.0", "1.0"],
        [2, 12, "B", "1.0", "2.0"],
        [3, 13, "A", "3.0", "3.0"],
      ],
      [[5, 11]],
    );
    const [fill, ledger] = [rig.store.fills[1]!, rig.store.ledger[0]!];
    assert.deepEqual(await named(rig), [
      `block_order hl_fills BTC|${fill.tradeId}: of block 99, but a later row lies in block 12`,
      `block_order hl_ledger deposit|${ledger.hash}: of block 11, but an earlier row lies in block 13`,
    ]);
  });

  it("says nothing where the fills break, or one of the millisecond tells no block", async () => {
    const broken = await account(
      [
        [4, 12, "B", "1.0", "5.0"],
        [4, 11, "B", "1.0", "8.0"],
      ],
      [],
      "7.0",
    );
    assert.deepEqual((await broken.kinds()).toSorted(), ["chain_break", "position"]);
    const untold = await account(
      [
        [4, 12, "B", "1.0", "0.0"],
        [4, null, "B", "1.0", "1.0"],
        [4, 11, "B", "1.0", "2.0"],
      ],
      [],
      "3.0",
    );
    assert.deepEqual(await named(untold), []);
  });

  it("names the fewest rows, and without them blocks never fall", () => {
    const rows = fc.array(fc.record({ timeMs: fc.nat(9), block: fc.nat(9) }), { maxLength: 9 });
    const rises = (list: readonly InBlock[]) =>
      list
        .toSorted((a, b) => a.timeMs - b.timeMs || a.block - b.block)
        .every(({ block }, at, all) => at === 0 || all[at - 1]!.block <= block);
    fc.assert(
      fc.property(rows, (drawn) => {
        const list = drawn.map((row, at) => ({ ...row, table: "t", row: String(at) }));
        const out = new Set(outOfOrder(list).map(({ row }) => row));
        assert.ok(rises(list.filter(({ row }) => !out.has(row))));
        for (let kept = 0; kept < 2 ** list.length; kept++) {
          const some = list.filter((_, at) => (kept >> at) & 1);
          assert.ok(some.length <= list.length - out.size || !rises(some));
        }
      }),
      { numRuns: 100 },
    );
  });
});
