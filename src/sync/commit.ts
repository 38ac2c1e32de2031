/**
 * The one way of committing. Pure but for waiting.
 *
 * Guarantees: every committed change is handed to `publish` after its transaction and never before; a database that is away
 * is waited for, without end or `attempts` times. A row that the database refuses by its content (a value out of range, a user's
 * own CHECK or trigger) costs itself: the batch is cut down until the row stands alone, which goes into quarantine with the
 * database's words, and all others are written. What the batch claims is written after its rows, and does not contain the
 * millisecond of a row that was refused: that becomes unprovable. Any other refusal (no privilege, no schema) is thrown.
 *
 * Bounded: `n` rows take at most `2n − 1` transactions, when all of them are refused; the search can be aborted between two.
 */
import { StoreError } from "../errors.ts";
import type { Unread } from "../protocol/decode.ts";
import { type BackoffLimits, fullJitterMs } from "../runtime/backoff.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Random } from "../runtime/random.ts";
import { subtract } from "./coverage.ts";
import type { Store } from "./ports.ts";
import { QuarantineBudget, quarantineRows, tableOf } from "./quarantine.ts";
import { type RowSource, rowSources } from "./rowSources.ts";
import type { Address, Applied, Batch, CoverageRow, QuarantineRow, TrackedStream } from "./rows.ts";
import { claimsOf, REFUSED } from "./windowReader.ts";

/** Commits a batch for good: retries while the database is away, so it rejects only on abort or on a bug. */
export type Commit = (batch: Batch, receivedAtMs: number) => Promise<Applied>;

/** One commit, as outputs see it. */
export interface Committed {
  applied: Applied;
  /** Which source brought the rows, by table. */
  sources: Record<string, RowSource>;
  /** When the oldest of its rows was received. */
  receivedAtMs: number;
  committedAtMs: number;
}

interface CommitDeps {
  store: Pick<Store, "apply">;
  clock: Clock;
  random: Random;
  log: Log;
  publish(committed: Committed): void;
}

/** Since when the database takes no writes, and in which words it says so; null while it takes them. */
export interface WritesRefused {
  sinceMs: number;
  reason: string;
}

/** What the retries of a committer know. */
export class WriteState {
  #refused: WritesRefused | null = null;

  get refused(): WritesRefused | null {
    return this.#refused;
  }
  noteRefused(nowMs: number, reason: string): void {
    this.#refused = { sinceMs: this.#refused?.sinceMs ?? nowMs, reason };
  }
  noteTaken(): void {
    this.#refused = null;
  }
}

/** Between two tries of a database that is away. */
const RETRY: BackoffLimits = { baseMs: 100, capMs: 5_000 };

export function committer(
  deps: CommitDeps,
  signal: AbortSignal,
  attempts = Number.POSITIVE_INFINITY,
  state = new WriteState(),
): Commit {
  const budget = new QuarantineBudget();
  const write = patientWrite(deps, signal, attempts, state);
  return async (given, receivedAtMs) => {
    const nowMs = deps.clock.now();
    const batch = given.quarantine?.length
      ? { ...given, quarantine: budget.admit(given.quarantine, nowMs) }
      : given;
    try {
      return await write(batch, receivedAtMs);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const admit = (rows: QuarantineRow[]) => budget.admit(rows, nowMs);
      const cut = new CutBatch((part) => write(part, receivedAtMs), admit, signal);
      const applied = await cut.write(batch, nowMs);
      deps.log.warn("the database refused rows by their content: kept in quarantine", {
        rows: cut.refused.length,
        first: cut.refused[0]?.reason ?? "",
      });
      return applied;
    }
  };
}

const isRefusal = (error: unknown): error is StoreError =>
  error instanceof StoreError && error.refusesContent;

/** Writes one batch or rejects; a database that is away is waited for. */
function patientWrite(deps: CommitDeps, signal: AbortSignal, attempts: number, state: WriteState): Commit {
  const { store, clock, random, log, publish } = deps;
  return async (batch, receivedAtMs) => {
    for (let attempt = 1; ; attempt++) {
      try {
        const applied = await store.apply(batch);
        state.noteTaken();
        if (attempt > 1) log.info("database is back", { afterAttempts: attempt });
        const unread = applied.written.quarantine ?? 0;
        if (unread > 0) log.warn("not understood, kept in quarantine", { messages: unread });
        publish({ applied, sources: rowSources(batch), receivedAtMs, committedAtMs: clock.now() });
        return applied;
      } catch (error) {
        if (!(error instanceof StoreError && error.transient) || attempt >= attempts) throw error;
        state.noteRefused(clock.now(), error.message);
        if (attempt === 1) log.warn("database does not take writes, holding them", { error });
        await clock.sleep(fullJitterMs(random, attempt - 1, RETRY), signal);
      }
    }
  };
}

type List = keyof Batch;
type Row = Record<string, unknown>;

interface Refused {
  list: List;
  row: Row;
  reason: string;
}

/** A batch that the database refused as a whole, written in parts. */
class CutBatch {
  readonly refused: Refused[] = [];
  readonly #write: (part: Batch) => Promise<Applied>;
  readonly #admit: (rows: QuarantineRow[]) => QuarantineRow[];
  readonly #signal: AbortSignal;
  readonly #applied: Required<Omit<Applied, "coverage" | "refused">> = {
    events: [],
    written: {},
    known: {},
    lacking: [],
  };

  constructor(
    write: (part: Batch) => Promise<Applied>,
    admit: (rows: QuarantineRow[]) => QuarantineRow[],
    signal: AbortSignal,
  ) {
    this.#write = write;
    this.#admit = admit;
    this.#signal = signal;
  }

  async write(batch: Batch, nowMs: number): Promise<Applied> {
    const { coverage = [], states = [], ...rows } = batch;
    for (const [list, part] of Object.entries(rows)) await this.#put(list as List, part);
    // What a state no longer holds is judged by the fills that came with it.
    await this.#put("states", states);
    const claims = coverage.flatMap((claim) => withoutRefused(claim, this.refused));
    const quarantine = this.#admit(this.refused.map((one) => quarantined(one, nowMs)));
    await this.#putClaims(claims, quarantine);
    return { ...this.#applied, coverage: claims, refused: this.refused.flatMap(momentsOf) };
  }

  /** The claims and what they leave out, together; one by one where even these are refused. */
  async #putClaims(coverage: CoverageRow[], quarantine: QuarantineRow[]): Promise<void> {
    try {
      this.#note(await this.#write({ coverage, quarantine }));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await this.#put("quarantine", quarantine);
      await this.#put("coverage", coverage);
    }
  }

  async #put(list: List, rows: readonly unknown[]): Promise<void> {
    if (rows.length === 0) return;
    this.#signal.throwIfAborted();
    try {
      this.#note(await this.#write({ [list]: rows }));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (rows.length === 1) {
        this.refused.push({ list, row: rows[0] as Row, reason: error.message });
        return;
      }
      const half = rows.length >> 1;
      await this.#put(list, rows.slice(0, half));
      await this.#put(list, rows.slice(half));
    }
  }

  #note({ events, written, known, lacking = [] }: Applied): void {
    this.#applied.events.push(...events);
    this.#applied.lacking.push(...lacking);
    for (const [sum, counts] of [
      [this.#applied.written, written],
      [this.#applied.known, known],
    ] as const) {
      for (const [table, rows] of Object.entries(counts)) sum[table] = (sum[table] ?? 0) + rows;
    }
  }
}

function quarantined({ list, row, reason }: Refused, nowMs: number): QuarantineRow {
  const account = typeof row.account === "string" ? row.account : null;
  const raw = row.raw ?? row;
  // A slice keeps what tells it from other fills.
  const isSlice = list === "fills" && row.twapId != null;
  const told = isSlice ? { fill: raw, twapId: row.twapId } : raw;
  const unread: Unread = { kind: "row", raw: told, reason: `refused by the database: ${reason}` };
  return quarantineRows([unread], tableOf(list), account, nowMs)[0]!;
}

interface Moment {
  account: Address;
  stream: TrackedStream;
  timeMs: number;
}

/** The streams that a row is of, and when it happened; none for rows of no history. */
function momentsOf({ list, row }: Refused): Moment[] {
  const account = row.account as Address;
  const at = (timeMs: unknown, ...streams: TrackedStream[]) =>
    streams.map((stream) => ({ account, stream, timeMs: timeMs as number }));
  switch (list) {
    case "fills":
      // Where it was read tells a slice from other fills, and the row does not say it.
      return at(row.timeMs, "fills", "twapFills");
    case "orderEvents":
      return at(row.statusTimeMs, "orders");
    case "funding":
      return at(row.timeMs, "funding");
    case "ledger":
      return at(row.timeMs, "ledger");
    default:
      return [];
  }
}

/** A claim without the milliseconds of rows that are not there. */
function withoutRefused(claim: CoverageRow, refused: readonly Refused[]): CoverageRow[] {
  const { account, stream, grade } = claim;
  const missing = refused
    .flatMap(momentsOf)
    .flatMap((one) => (one.account === account && one.stream === stream ? [one.timeMs] : []));
  if (missing.length === 0 || grade === "unprovable") return [claim];
  if (grade === "proven") {
    const unread = missing.map((time): Unread => ({ kind: "row", raw: { time }, reason: REFUSED }));
    return claimsOf(account, stream, claim, unread, REFUSED);
  }
  const holes = missing.map((ms) => ({ fromMs: ms, toMs: ms }));
  return subtract([claim], holes).map((part) => ({ ...claim, ...part }));
}
