/**
 * Takes rows of an older program into the store. Guarantees: joins only, so a second run changes nothing; nothing is claimed
 * to be complete; a row inside time that the venue proved is taken only when the venue has it too, which makes it known;
 * every row is counted once, and one that is not taken has its reason.
 */
import { StoreError } from "../../errors.ts";
import { covers, type Interval, intersect, union } from "../coverage.ts";
import type { Store } from "../ports.ts";
import type { Address, Batch, DashboardRow, FillRow, OrderEventRow } from "../rows.ts";
import { JOINED } from "../tables.ts";
import { type LegacyRow, Unread } from "./cells.ts";

/** Rows of one transaction. */
const BATCH_ROWS = 1_000;
/** Of a row that could not be read, what is shown. */
const EXAMPLE_LENGTH = 200;

interface Unreadable {
  reason: string;
  rows: number;
  /** The first of them, cut. */
  example: string;
}

export interface Taken {
  read: number;
  /** New to the database. */
  taken: number;
  /** There already: from the venue, from an earlier run, or twice in the table. */
  known: number;
  unread: Unreadable[];
}

interface TakeOverDeps {
  store: Pick<Store, "apply" | "coverage" | "orderEvents">;
  /** Which of these fills are stored, by their place in the list. */
  heldFills(fills: readonly FillRow[]): Promise<Set<number>>;
}

interface Read<T> {
  from: LegacyRow;
  row: T;
}

type Kind = "fills" | "orderEvents" | "dashboard";

export class TakeOver {
  readonly #deps: TakeOverDeps;
  readonly #unread = new Map<string, Unreadable>();
  readonly #proven = new Map<Address, { fills: Interval[]; slices: Interval[] }>();
  #read = 0;
  #taken = 0;

  constructor(deps: TakeOverDeps) {
    this.#deps = deps;
  }

  get result(): Taken {
    const unread = [...this.#unread.values()];
    const lost = unread.reduce((sum, { rows }) => sum + rows, 0);
    return { read: this.#read, taken: this.#taken, known: this.#read - this.#taken - lost, unread };
  }

  async fills(rows: readonly LegacyRow[], readRow: (row: LegacyRow) => FillRow): Promise<void> {
    const read = this.#readAll(rows, readRow);
    const held = await this.#deps.heldFills(read.map(({ row }) => row));
    const known = new Set<string>();
    const toWrite: Read<FillRow>[] = [];
    for (const [i, one] of read.entries()) {
      if (held.has(i)) known.add(keyOfFill(one.row));
      if (!(await this.#isProven(one.row))) toWrite.push(one);
      else if (!held.has(i))
        this.#note(one.from, "the venue has no such fill at a time of which it told all");
    }
    await this.#write("fills", toWrite, keyOfFill, known);
  }

  /** Of orders whose transitions the venue told there is nothing to add. */
  async orders(rows: readonly LegacyRow[], readRow: (row: LegacyRow) => OrderEventRow): Promise<void> {
    const read = this.#readAll(rows, readRow);
    const told = new Set<string>();
    const known = new Set<string>();
    for (const [account, own] of Map.groupBy(read, ({ row }) => row.account)) {
      const ids = [...new Set(own.map(({ row }) => row.orderId))];
      for (const event of await this.#deps.store.orderEvents(account, ids)) {
        known.add(keyOfEvent(event));
        if (event.source !== "legacy") told.add(keyOfOrder(event));
      }
    }
    const untold = read.filter(({ row }) => !told.has(keyOfOrder(row)));
    await this.#write("orderEvents", untold, keyOfEvent, known);
  }

  async snapshots(rows: readonly LegacyRow[], readRow: (row: LegacyRow) => DashboardRow): Promise<void> {
    // The first of a moment stays, so what is written is new.
    const { written } = await this.#apply("dashboard", this.#readAll(rows, readRow));
    this.#taken += written;
  }

  #readAll<T>(rows: readonly LegacyRow[], readRow: (row: LegacyRow) => T): Read<T>[] {
    const read: Read<T>[] = [];
    for (const from of rows) {
      this.#read += 1;
      try {
        read.push({ from, row: readRow(from) });
      } catch (error) {
        if (!(error instanceof Unread)) throw error;
        this.#note(from, error.message);
      }
    }
    return read;
  }

  #note(from: LegacyRow, reason: string): void {
    const before = this.#unread.get(reason);
    if (before) before.rows += 1;
    else {
      const told = Object.fromEntries(Object.entries(from).filter(([, value]) => value !== null));
      this.#unread.set(reason, { reason, rows: 1, example: JSON.stringify(told).slice(0, EXAMPLE_LENGTH) });
    }
  }

  /** A slice of a TWAP order is in a history of its own; what does not say which it is may be in either. */
  async #isProven({ account, timeMs, twapId }: FillRow): Promise<boolean> {
    let known = this.#proven.get(account);
    if (!known) {
      const rows = await this.#deps.store.coverage(account);
      const of = (name: string) =>
        union(rows.filter(({ stream, grade }) => stream === name && grade === "proven"));
      known = { slices: of("twapFills"), fills: intersect(of("fills"), of("twapFills")) };
      this.#proven.set(account, known);
    }
    return covers(twapId === null ? known.fills : known.slices, { fromMs: timeMs, toMs: timeMs });
  }

  async #write<T>(
    kind: Kind,
    read: readonly Read<T>[],
    keyOf: (row: T) => string,
    known: ReadonlySet<string>,
  ): Promise<void> {
    const { refused } = await this.#apply(kind, read);
    const there = read.filter((one) => !refused.has(one)).map(({ row }) => keyOf(row));
    this.#taken += new Set(there.filter((key) => !known.has(key))).size;
  }

  /** Halves a batch in which the database refuses a row, until the row stands alone. */
  async #apply<T>(kind: Kind, read: readonly Read<T>[]): Promise<{ written: number; refused: Set<Read<T>> }> {
    const refused = new Set<Read<T>>();
    let written = 0;
    const parts: (readonly Read<T>[])[] = [];
    for (let at = 0; at < read.length; at += BATCH_ROWS) parts.push(read.slice(at, at + BATCH_ROWS));
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      const batch: Batch = { [kind]: part.map(({ row }) => row) };
      try {
        written += (await this.#deps.store.apply(batch)).written[JOINED[kind].table] ?? 0;
      } catch (error) {
        if (!(error instanceof StoreError && error.refusesContent)) throw error;
        const half = Math.ceil(part.length / 2);
        const [one] = part;
        if (part.length > 1) parts.unshift(part.slice(0, half), part.slice(half));
        else if (one) {
          refused.add(one);
          this.#note(one.from, `the database refuses it: ${error.message}`);
        }
      }
    }
    return { written, refused };
  }
}

const keyOfFill = ({ account, coin, timeMs, orderId, tradeId, side }: FillRow): string =>
  [account, coin, timeMs, orderId, tradeId, side].join("|");
const keyOfOrder = ({ account, orderId }: OrderEventRow): string => `${account}|${orderId}`;
const keyOfEvent = ({ account, orderId, statusTimeMs, venueStatus }: OrderEventRow): string =>
  [account, orderId, statusTimeMs, venueStatus].join("|");
