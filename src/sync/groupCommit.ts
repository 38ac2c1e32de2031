/**
 * What the streams of several accounts tell at the same time, written by one call of the store: a call costs the database as
 * much as ten rows, and a block that concerns ten accounts would make ten of them, which stand in each other's way.
 *
 * Guarantees: a batch waits while a call of its kind is under way and quick, and where several came together last, a moment for
 * the others of its block; fills wait for fills alone. Each
 * batch is answered with the events of its account. A call of several that fails is made again for each by itself, so that a
 * row that is refused, or a lease that is lost, is a matter of its own account. A lock that is held on one of them holds the others of its
 * call as long, and calls after it for `PATIENCE_MS`. All that is not a small batch of what one account's stream told goes
 * its way as before. Bounded: an account has one batch under way in its lane.
 */
import type { Clock } from "../runtime/clock.ts";
import { append } from "./batch.ts";
import type { Store } from "./ports.ts";
import type { Address, Applied, Batch } from "./rows.ts";

/** Larger ones are worth a call of their own. */
const BATCH_ROWS_MAX = 200;
const GROUP_ROWS_MAX = 400;
/** The next call does not wait longer for the one before: a lock may be held for long. */
const PATIENCE_MS = 200;
/** Frames of one block come over many sockets within this. */
const BLOCK_MS = 2;

type Apply = Store["apply"];
const TOLD = ["fills", "orderEvents", "dashboard"] as const satisfies (keyof Batch)[];

interface Waiting {
  account: Address;
  batch: Batch;
  rows: number;
  resolve(applied: Applied): void;
  reject(error: unknown): void;
}

export function grouped(apply: Apply, clock: Pick<Clock, "after">): Apply {
  const fills = new Line(apply, clock);
  const others = new Line(apply, clock);
  return (batch) => {
    const account = streamOf(batch);
    if (account === null) return apply(batch);
    return (batch.fills?.length ? fills : others).put(account, batch);
  };
}

/** Whose stream alone told a batch, and little; null of any other. */
function streamOf(batch: Batch): Address | null {
  const { fills = [], orderEvents = [], dashboard = [], ...others } = batch;
  if (Object.values(others).some((rows) => rows.length > 0)) return null;
  const rows = [...fills, ...orderEvents];
  const account = rows[0]?.account;
  if (account === undefined || rows.length > BATCH_ROWS_MAX) return null;
  const isOwn = rows.every((row) => row.account === account && row.source === "stream");
  return isOwn && dashboard.every((row) => row.account === account) ? account : null;
}

const rowsOf = (batch: Batch): number => TOLD.reduce((rows, list) => rows + (batch[list]?.length ?? 0), 0);

/** One call after the other. */
class Line {
  readonly #apply: Apply;
  readonly #clock: Pick<Clock, "after">;
  #waiting: Waiting[] = [];
  #isBusy = false;
  /** Several accounts were written together last, or waited for it. */
  #isShared = false;

  constructor(apply: Apply, clock: Pick<Clock, "after">) {
    this.#apply = apply;
    this.#clock = clock;
  }

  put(account: Address, batch: Batch): Promise<Applied> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ account, batch, rows: rowsOf(batch), resolve, reject });
      if (this.#isBusy) return;
      this.#isBusy = true;
      if (this.#isShared) this.#clock.after(BLOCK_MS, () => this.#begin());
      else this.#begin();
    });
  }

  #begin(): void {
    const group = this.#takeGroup();
    this.#isShared = group.length > 1;
    let isOver = false;
    const over = () => {
      if (isOver) return;
      isOver = true;
      cancel();
      this.#isBusy = this.#waiting.length > 0;
      if (this.#isBusy) this.#begin();
    };
    const cancel = this.#clock.after(PATIENCE_MS, over);
    void this.#write(group).finally(over);
  }

  /** Those that waited longest, as many as fit, each account once. */
  #takeGroup(): Waiting[] {
    const group = new Map<Address, Waiting>();
    let rows = 0;
    this.#waiting = this.#waiting.filter((one) => {
      if (group.has(one.account) || (group.size > 0 && rows + one.rows > GROUP_ROWS_MAX)) return true;
      group.set(one.account, one);
      rows += one.rows;
      return false;
    });
    return [...group.values()];
  }

  /** Never rejects: what fails is told to those who wait. */
  async #write(group: readonly Waiting[]): Promise<void> {
    const [first, ...more] = group;
    if (first === undefined) return;
    if (more.length === 0) return this.#writeAlone(first);
    const together: Batch = {};
    for (const { batch } of group) append(together, batch);
    try {
      share(await this.#apply(together), group);
    } catch {
      await Promise.all(group.map((one) => this.#writeAlone(one)));
    }
  }

  #writeAlone({ batch, resolve, reject }: Waiting): Promise<void> {
    return this.#apply(batch).then(resolve, reject);
  }
}

/** Each gets the events of its account; how many rows were written is told of all, once. */
function share(applied: Applied, group: readonly Waiting[]): void {
  const events = Map.groupBy(applied.events, ({ account }) => account);
  const counts = { written: applied.written, known: applied.known };
  for (const [place, { account, resolve }] of group.entries())
    resolve({ ...(place === 0 ? counts : { written: {}, known: {} }), events: events.get(account) ?? [] });
}
