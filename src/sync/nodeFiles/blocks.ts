/**
 * The numbers of blocks that files hold, as unbroken runs. Pure. Guarantees: a run goes on only from a block to itself (a node
 * may write a block in several lines) or to the next number; whatever is else between two lines ends it. Assumes nothing of
 * what a file leaves out: blocks without events may be lines or not, and then the runs are short and prove little.
 */
import type { Interval } from "../coverage.ts";

/** Blocks without a hole, and the time of the first and of the last. */
export interface BlockRun {
  fromBlock: number;
  toBlock: number;
  fromMs: number;
  toMs: number;
}

/** The runs of one file, while it is read. */
export class BlockRuns {
  readonly runs: BlockRun[] = [];
  #isBroken = true;

  note(block: number, timeMs: number): void {
    const last = this.runs.at(-1);
    const goesOn =
      !this.#isBroken && last !== undefined && (block === last.toBlock || block === last.toBlock + 1);
    this.#isBroken = false;
    if (goesOn && timeMs >= last.toMs) {
      last.toBlock = block;
      last.toMs = timeMs;
    } else this.runs.push({ fromBlock: block, toBlock: block, fromMs: timeMs, toMs: timeMs });
  }

  /** A line that could not be read: what it held is not known. */
  break(): void {
    this.#isBroken = true;
  }
}

/** Runs of several files made one where they overlap or follow each other. */
export function unitedRuns(runs: readonly BlockRun[]): BlockRun[] {
  const united: BlockRun[] = [];
  for (const run of runs.toSorted((a, b) => a.fromBlock - b.fromBlock)) {
    const last = united.at(-1);
    if (last === undefined || run.fromBlock > last.toBlock + 1) united.push({ ...run });
    else if (run.toBlock > last.toBlock) {
      last.toBlock = run.toBlock;
      last.toMs = run.toMs;
    }
  }
  return united;
}

/**
 * The time that runs hold wholly: their outermost milliseconds may be those of neighbouring blocks too.
 */
export const wholeTime = (runs: readonly BlockRun[]): Interval[] =>
  runs.flatMap(({ fromMs, toMs }) => (toMs - fromMs < 2 ? [] : [{ fromMs: fromMs + 1, toMs: toMs - 1 }]));
