/**
 * Block numbers against the other two orders that the venue tells: of time, and of positions. A later row lies in no earlier
 * block, whichever stream it is of; fills of one millisecond chain in the order of their blocks. Pure, but for what it names.
 *
 * Guarantees: of rows that contradict each other the fewest are named that must be wrong; where the fills break anyway, or a
 * fill of the millisecond tells no block, nothing is said of their order. Rows without a block number are left out: system
 * rows, funding, and the hashes of the bridge, which are another chain's (`hl_internal.block_number`).
 */
import { type ChainEnd, type LinkedFill, linkChain } from "../chain.ts";
import type { StoredFill, StoredLedger } from "../ports.ts";
import { add } from "./certificate.ts";
import type { Run } from "./witness.ts";

/** A stored row in its place. */
export interface InBlock {
  table: string;
  row: string;
  timeMs: number;
  block: number;
}

/** Names rows that lie in an earlier block than older ones. */
export function proveBlocks(
  { certificate }: Run,
  fills: readonly StoredFill[],
  ledger: readonly StoredLedger[],
): void {
  const rows = [
    ...fills.map((fill) => ({ ...fill, table: "hl_fills", row: `${fill.coin}|${fill.tradeId}` })),
    ...ledger.map((update) => ({ ...update, table: "hl_ledger", row: `${update.type}|${update.hash}` })),
  ].flatMap(({ table, row, timeMs, blockNumber: block }): InBlock[] =>
    block === null ? [] : [{ table, row, timeMs, block }],
  );
  for (const { table, row, timeMs, block, against } of outOfOrder(rows)) {
    const detail = `of block ${block}, but ${against}`;
    add(certificate, { kind: "block_order", table, row, detail, interval: { fromMs: timeMs, toMs: timeMs } });
  }
}

interface OutOfOrder extends InBlock {
  /** What it contradicts, in words. */
  against: string;
}

/** The fewest rows without which blocks never fall with time; each with a neighbour that it contradicts. */
export function outOfOrder(rows: readonly InBlock[]): OutOfOrder[] {
  const sorted = rows.toSorted((a, b) => a.timeMs - b.timeMs || a.block - b.block);
  // Patience sorting: the end of the best run of each length, and what came before each row in its run.
  const ends: number[] = [];
  const previous = sorted.map(({ block }, index): number | null => {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[ends[middle]!]!.block <= block) low = middle + 1;
      else high = middle;
    }
    ends[low] = index;
    return low === 0 ? null : ends[low - 1]!;
  });
  const run = new Set<number>();
  for (let at = ends.at(-1) ?? null; at !== null; at = previous[at]!) run.add(at);
  // The last row of the run before each row, and the first one after it.
  const befores = neighbours(sorted, run);
  const afters = neighbours(sorted.toReversed(), new Set([...run].map((at) => sorted.length - 1 - at)));
  return sorted.flatMap((one, index): OutOfOrder[] => {
    if (run.has(index)) return [];
    const [before, after] = [befores[index], afters[sorted.length - 1 - index]];
    return before && before.block > one.block
      ? [{ ...one, against: `an earlier row lies in block ${before.block}` }]
      : [{ ...one, against: `a later row lies in block ${after!.block}` }];
  });
}

const neighbours = (rows: readonly InBlock[], run: ReadonlySet<number>): (InBlock | null)[] => {
  let last: InBlock | null = null;
  return rows.map((row, index) => {
    const before = last;
    if (run.has(index)) last = row;
    return before;
  });
};

/** Milliseconds in which fills of ONE coin chain, but not in the order of their blocks. */
export function againstChain(
  fills: readonly (StoredFill & LinkedFill)[],
  start: ChainEnd | null,
): { timeMs: number; blocks: number[] }[] {
  const blocks = new Map<number, Set<number | null>>();
  for (const { timeMs, blockNumber } of fills)
    blocks.set(timeMs, (blocks.get(timeMs) ?? new Set()).add(blockNumber));
  const crowded = (timeMs: number) => {
    const own = blocks.get(timeMs)!;
    return own.size > 1 && !own.has(null);
  };
  if (![...blocks.keys()].some(crowded)) return [];
  // Each block of such a millisecond by itself: ranks take the place of times.
  const ranked = fills.toSorted(
    (a, b) => a.timeMs - b.timeMs || (crowded(a.timeMs) ? (a.blockNumber ?? 0) - (b.blockNumber ?? 0) : 0),
  );
  const times: number[] = [];
  let [rank, last] = [0, ""];
  const split = ranked.map((fill) => {
    const key = `${fill.timeMs}|${crowded(fill.timeMs) ? fill.blockNumber : ""}`;
    if (key !== last) rank += 1;
    last = key;
    times[rank] = fill.timeMs;
    return { ...fill, timeMs: rank };
  });
  const broken = new Set(linkChain(fills, start).breaks.map(({ toMs }) => toMs));
  const suspected = new Set(linkChain(split, start).breaks.map(({ toMs }) => times[toMs]!));
  return [...suspected]
    .filter((timeMs) => crowded(timeMs) && !broken.has(timeMs))
    .map((timeMs) => ({ timeMs, blocks: [...blocks.get(timeMs)!].map(Number).sort((a, b) => a - b) }));
}
