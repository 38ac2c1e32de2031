/**
 * One file of a node into the database. Pure but for waiting. Guarantees: rows are committed in batches of bounded size, while
 * the next ones are read; what could not be read is in quarantine before the file counts as read; the result says which fills of
 * which account are missing, so that no claim contains their time. A file that breaks off leaves what was read before it.
 */
import { append } from "../batch.ts";
import type { Commit } from "../commit.ts";
import { quarantineRows } from "../quarantine.ts";
import type { Address, Applied, Batch } from "../rows.ts";
import type { Addresses } from "./addresses.ts";
import { NodeFileReader, type NodeFileResult } from "./nodeFile.ts";
import { type EventKind, type LostEvent, lostFillTimesMs } from "./rows.ts";

/** Rows of one transaction, about. */
const BATCH_ROWS = 2_000;
/** Beyond this many lost fills a file is taken for one without any block. */
export const LOST_MAX = 10_000;

/** A fill that is in a file and not in the database. */
export interface LostFill {
  account: Address;
  timeMs: number;
}

interface ImportDeps {
  addresses: Addresses;
  commit: Commit;
  now(): number;
  signal: AbortSignal;
}

export interface ImportedFile extends NodeFileResult {
  /** Rows that are new or changed, and rows that were there, by table. */
  written: Record<string, number>;
  known: Record<string, number>;
  lost: LostFill[];
}

export async function importFile(
  content: AsyncIterable<Buffer>,
  kind: EventKind | null,
  { addresses, commit, now, signal }: ImportDeps,
): Promise<ImportedFile> {
  const writer = new Writer(commit, now);
  const reader = new NodeFileReader(
    {
      addresses,
      now,
      onRows: (batch) => writer.add(batch),
      onLost: (event) => writer.lose(event),
    },
    kind,
  );
  try {
    for await (const chunk of content) {
      signal.throwIfAborted();
      reader.push(chunk);
      // An empty piece: nothing more is there for now, so nothing waits for more.
      await writer.flush(chunk.length === 0 ? 0 : BATCH_ROWS);
    }
    reader.end();
  } finally {
    await writer.flush(0);
    await writer.settled();
  }
  const { written, known, lost } = writer;
  return { ...reader.result, written, known, lost };
}

/** Collects rows, and has one batch under way at most. */
class Writer {
  readonly written: Record<string, number> = {};
  readonly known: Record<string, number> = {};
  readonly lost: LostFill[] = [];
  readonly #commit: Commit;
  readonly #now: () => number;
  #pending: Batch = {};
  #rows = 0;
  #underWay: Promise<void> = Promise.resolve();

  constructor(commit: Commit, now: () => number) {
    this.#commit = commit;
    this.#now = now;
  }

  add(batch: Batch): void {
    append(this.#pending, batch);
    for (const rows of Object.values(batch)) this.#rows += rows.length;
  }

  lose(event: LostEvent): void {
    const { account, table } = event;
    this.add({ quarantine: quarantineRows([event], table, account, this.#now()) });
    for (const timeMs of lostFillTimesMs(event)) this.lost.push({ account: account!, timeMs });
  }

  /** Commits what is pending when it is more than `rows`; waits for the batch before it. */
  async flush(rows: number): Promise<void> {
    if (this.#rows <= rows) return;
    const batch = this.#pending;
    this.#pending = {};
    this.#rows = 0;
    await this.#underWay;
    this.#underWay = this.#write(batch);
    // Told when it is waited for.
    this.#underWay.catch(() => {});
  }

  settled(): Promise<void> {
    return this.#underWay;
  }

  async #write(batch: Batch): Promise<void> {
    const applied = await this.#commit(batch, this.#now());
    this.#note(applied);
    const refusedMs = new Set(applied.refused?.map(({ timeMs }) => timeMs));
    // Which of the fills of a millisecond it was, the answer does not say: the time is open for all of their accounts.
    for (const { account, timeMs } of batch.fills ?? [])
      if (refusedMs.has(timeMs)) this.lost.push({ account, timeMs });
  }

  #note({ written, known }: Applied): void {
    for (const [sums, counts] of [
      [this.written, written],
      [this.known, known],
    ] as const)
      for (const [table, rows] of Object.entries(counts)) sums[table] = (sums[table] ?? 0) + rows;
  }
}
