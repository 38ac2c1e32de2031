/**
 * Reads the events of the transactional outbox, for all who tell them to others. The events of one account (a *sequence*; events of no account are one of
 * their own) are committed in the order of their ids, since its writers take turns; between accounts they are not. So
 * every reader keeps one cursor per sequence.
 *
 * Guarantees: the events of a sequence come in the order in which they were committed, none skipped and none twice, however
 * many processes write; pages are bounded, and no sequence waits for another. A reader of a database that went back in time (a
 * restored backup) goes on from where that ended. Never on the hot path. Assumes that a reader who wants history, which is
 * not put there when it is found, asks for it (`hl_internal.recall`).
 */
import { Bell } from "../runtime/bell.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Queryable, Row } from "../store/database.ts";
import type { Address } from "../sync/rows.ts";

/** Events are kept this long; a replay reaches back as far. */
export const OUTBOX_DAYS = 30;

/** One committed change, or what an output itself published (alerts, disabled endpoints). */
export interface OutboxEvent {
  /** Place in the outbox; grows with every commit of the same account. */
  id: number;
  /** Identity of the event: the same whichever source brought the row, however often. */
  key: string;
  type: string;
  /** Null for events that belong to no account. */
  account: Address | null;
  /** When it happened, by the venue's clock. */
  timeMs: number;
  source: string;
  /** When the transaction that wrote it began, by the database's clock. */
  committedAtMs: number;
  /** The row in snake case, decimals as strings. */
  data: Record<string, unknown>;
}

/** Name of the sequence of an account's events: the account, or "" for events that belong to none. */
export const sequenceOf = (account: Address | null): string => account ?? "";

/** Id of the last event read, by sequence. A sequence that is not in it is read from its beginning. */
export type Cursors = Map<string, number>;

/** Some sequences; null for all, also those of accounts that come later. */
export type Sequences = readonly string[] | null;

export interface Outbox {
  /** Id of the newest event of every sequence, 0 where there is none. */
  heads(): Promise<Cursors>;
  /** Id of the newest event of every sequence that was written before a time, by the database's clock; 0 for none. */
  headsBefore(timeMs: number): Promise<Cursors>;
  /** Events after the cursors, at most `perSequence` of each sequence, the lowest id first. */
  read(after: Cursors, sequences: Sequences, perSequence: number): Promise<OutboxEvent[]>;
  /** The newest events up to the cursors, at most `limit`, the lowest id first. */
  readLast(upTo: Cursors, limit: number): Promise<OutboxEvent[]>;
  /** How many events there are after the cursors, counted up to `limit`. */
  countAfter(after: Cursors, sequences: Sequences, limit: number): Promise<number>;
  /** Lowest id that is kept, 0 when none is. What is below is gone in all sequences. */
  oldest(): Promise<number>;
}

const EVENT = `o.id, o.event_key as key, o.type, nullif(o.account_address, '') as account, o.time_ms as "timeMs", o.source,
  (extract(epoch from o.created_at) * 1000)::bigint as "committedAtMs", o.data`;

/** Every sequence: `a.sequence`. */
export const SEQUENCES =
  "(select account_address as sequence from hl_internal.accounts union all select '') a";

/** Every sequence with the id of its newest event, 0 where there is none: for queries that need them inside. */
export const SEQUENCE_HEADS = `select a.sequence,
    coalesce((select max(o.id) from hl_internal.outbox o where o.account_address = a.sequence), 0) as head
  from ${SEQUENCES}`;

/** The wanted sequences with their cursors: $1 sequences and $2 cursors known, $3 sequences wanted or null. */
const WANTED = `(
    select a.sequence, coalesce(c.cursor, 0) as cursor
    from ${SEQUENCES} left join unnest($1::text[], $2::bigint[]) as c(sequence, cursor) using (sequence)
    where $3::text[] is null or a.sequence = any ($3)
  ) l`;

const ids = (cursors: Cursors): [string[], number[]] => [[...cursors.keys()], [...cursors.values()]];

export function openOutbox(db: Queryable): Outbox {
  const sequencesTo = async (sql: string, params: readonly unknown[] = []): Promise<Cursors> => {
    const rows = await db.query<{ sequence: string; head: number }>(sql, params);
    return new Map(rows.map(({ sequence, head }) => [sequence, head]));
  };
  return {
    heads: () => sequencesTo(SEQUENCE_HEADS),

    headsBefore: (timeMs) =>
      sequencesTo(
        `select a.sequence, coalesce(h.id, 0) as head from ${SEQUENCES} left join lateral (
           select o.id from hl_internal.outbox o
           where o.account_address = a.sequence and o.created_at < pg_catalog.to_timestamp($1::bigint / 1000.0)
           order by o.id desc limit 1
         ) h on true`,
        [timeMs],
      ),

    read: (after, sequences, perSequence) =>
      db.query<OutboxEvent & Row>(
        `select e.* from ${WANTED} cross join lateral (
           select ${EVENT} from hl_internal.outbox o
           where o.account_address = l.sequence and o.id > l.cursor order by o.id limit $4
         ) e order by e.id`,
        [...ids(after), sequences, perSequence],
      ),

    async readLast(upTo, limit) {
      const events = await db.query<OutboxEvent & Row>(
        `select e.* from unnest($1::text[], $2::bigint[]) as l(sequence, head) cross join lateral (
           select ${EVENT} from hl_internal.outbox o
           where o.account_address = l.sequence and o.id <= l.head order by o.id desc limit $3
         ) e order by e.id desc limit $3`,
        [...ids(upTo), limit],
      );
      return events.reverse();
    },

    async countAfter(after, sequences, limit) {
      const [row] = await db.query<{ count: number }>(
        `select count(*) as count from (
           select from ${WANTED} cross join lateral (
             select from hl_internal.outbox o where o.account_address = l.sequence and o.id > l.cursor limit $4
           ) e limit $4
         ) counted`,
        [...ids(after), sequences, limit],
      );
      return row!.count;
    },

    async oldest() {
      const [row] = await db.query<{ oldest: number }>(
        "select coalesce(min(id), 0)::bigint as oldest from hl_internal.outbox",
      );
      return row!.oldest;
    },
  };
}

/** Few events at first, since there is often only one, then more. */
const PAGE_MIN = 25;
const PAGE_MAX = 500;
/** Also where there are many sequences each gets this much of a page. */
const PER_SEQUENCE_MIN = 10;

export interface Reading {
  outbox: Outbox;
  /** Where to begin. Moved on by each page, once the reader asks for the next one. */
  after: Cursors;
  sequences?: Sequences;
}

/** Pages of events after the cursors, until no sequence has any more. Rejects as a query does. */
export async function* backlog({ outbox, after, sequences = null }: Reading): AsyncGenerator<OutboxEvent[]> {
  for (let page = PAGE_MIN; ; page = Math.min(PAGE_MAX, page * 4)) {
    const perSequence = Math.max(
      PER_SEQUENCE_MIN,
      Math.floor(page / Math.max(1, (sequences ?? [...after]).length)),
    );
    const events = await outbox.read(after, sequences, perSequence);
    if (events.length > 0) yield events;
    const counts = new Map<string, number>();
    for (const { account, id } of events) {
      const sequence = sequenceOf(account);
      advance(after, sequence, id);
      counts.set(sequence, (counts.get(sequence) ?? 0) + 1);
    }
    if (![...counts.values()].some((count) => count >= perSequence)) return;
  }
}

/**
 * A restored backup counts on from ids that a reader has passed: it would hear nothing until they are passed again. Sets
 * the cursors that are beyond the end of their sequence back to what was committed before `seenMs`, the newest event that was
 * read, or to the end where none was. Answers whether there were any.
 */
export async function stepBack({ outbox, after }: Reading, seenMs: number | null): Promise<boolean> {
  // A commit may move a cursor on while the heads are read.
  const before = [...after];
  const heads = await outbox.heads();
  const isPassed = ([sequence, cursor]: [string, number]) => cursor > (heads.get(sequence) ?? cursor);
  if (!before.some(isPassed)) return false;
  // What is below the oldest was deleted for its age.
  const keptFrom = await outbox.oldest();
  const passed = before.filter((entry) => entry[1] >= keptFrom && isPassed(entry));
  const ends = seenMs === null ? heads : await outbox.headsBefore(seenMs + 1);
  for (const [sequence] of passed) after.set(sequence, ends.get(sequence) ?? 0);
  return passed.length > 0;
}

export interface Following extends Reading {
  clock: Clock;
  signal: AbortSignal;
  /** All wanted sequences are looked at this often. */
  pollMs: number;
  /** Rings with sequences that have news: only they are read then. */
  news?: Bell<string>;
  /** Hears when the database went back in time; what was committed since then follows. */
  onWentBack?(): void;
}

/** Pages of events after the cursors, and then of those to come; ends when the signal is aborted. */
export async function* changes(following: Following): AsyncGenerator<OutboxEvent[]> {
  const { clock, signal, pollMs, sequences = null, news = new Bell<string>(), onWentBack } = following;
  let wanted = sequences;
  let pollAtMs = clock.now() + pollMs;
  let seenMs: number | null = null;
  while (!signal.aborted) {
    if (wanted?.length !== 0)
      for await (const events of backlog({ ...following, sequences: wanted })) {
        seenMs = Math.max(seenMs ?? 0, ...events.map(({ committedAtMs }) => committedAtMs));
        yield events;
      }
    const rung = await news.wait(clock, Math.max(0, pollAtMs - clock.now()), signal);
    wanted = rung.filter((sequence) => sequences?.includes(sequence) ?? true);
    if (clock.now() < pollAtMs) continue;
    if (await stepBack(following, seenMs)) onWentBack?.();
    wanted = sequences;
    pollAtMs = clock.now() + pollMs;
  }
}

/** Never goes back. */
export function advance(cursors: Cursors, sequence: string, id: number): void {
  if (id > (cursors.get(sequence) ?? 0)) cursors.set(sequence, id);
}
