/**
 * Reads the transactional outbox: its one reader. The events of one account (a *lane*; events of no account are one of
 * their own) are committed in the order of their ids, since its writers take turns; between accounts they are not. So
 * every reader keeps one cursor per lane.
 *
 * Guarantees: the events of a lane come in the order in which they were committed, none skipped and none twice, however
 * many processes write; pages are bounded, and no lane waits for another. A reader of a database that went back in time (a
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

/** The account in cursors and lanes: "" for events that belong to none. */
export const laneOf = (account: Address | null): string => account ?? "";

/** Id of the last event read, by lane. A lane that is not in it is read from its beginning. */
export type Cursors = Map<string, number>;

/** Some lanes; null for all, also those of accounts that come later. */
export type Lanes = readonly string[] | null;

export interface Outbox {
  /** Id of the newest event of every lane, 0 where there is none. */
  heads(): Promise<Cursors>;
  /** Id of the newest event of every lane that was written before a time, by the database's clock; 0 for none. */
  headsBefore(timeMs: number): Promise<Cursors>;
  /** Events after the cursors, at most `perLane` of each lane, the lowest id first. */
  read(after: Cursors, lanes: Lanes, perLane: number): Promise<OutboxEvent[]>;
  /** The newest events up to the cursors, at most `limit`, the lowest id first. */
  readLast(upTo: Cursors, limit: number): Promise<OutboxEvent[]>;
  /** How many events there are after the cursors, counted up to `limit`. */
  countAfter(after: Cursors, lanes: Lanes, limit: number): Promise<number>;
  /** Lowest id that is kept, 0 when none is. What is below is gone in all lanes. */
  oldest(): Promise<number>;
}

const EVENT = `o.id, o.event_key as key, o.type, nullif(o.account_address, '') as account, o.time_ms as "timeMs", o.source,
  (extract(epoch from o.created_at) * 1000)::bigint as "committedAtMs", o.data`;

const LANES = "(select account_address as lane from hl_internal.accounts union all select '') a";

/** Every lane with the id of its newest event, 0 where there is none: for queries that need them inside. */
export const LANE_HEADS = `select a.lane,
    coalesce((select max(o.id) from hl_internal.outbox o where o.account_address = a.lane), 0) as head
  from ${LANES}`;

/** The wanted lanes with their cursors: $1 lanes and $2 cursors known, $3 lanes wanted or null. */
const WANTED = `(
    select a.lane, coalesce(c.cursor, 0) as cursor
    from ${LANES} left join unnest($1::text[], $2::bigint[]) as c(lane, cursor) using (lane)
    where $3::text[] is null or a.lane = any ($3)
  ) l`;

const ids = (cursors: Cursors): [string[], number[]] => [[...cursors.keys()], [...cursors.values()]];

export function openOutbox(db: Queryable): Outbox {
  const lanesTo = async (sql: string, params: readonly unknown[] = []): Promise<Cursors> => {
    const rows = await db.query<{ lane: string; head: number }>(sql, params);
    return new Map(rows.map(({ lane, head }) => [lane, head]));
  };
  return {
    heads: () => lanesTo(LANE_HEADS),

    headsBefore: (timeMs) =>
      lanesTo(
        `select a.lane, coalesce(h.id, 0) as head from ${LANES} left join lateral (
           select o.id from hl_internal.outbox o
           where o.account_address = a.lane and o.created_at < pg_catalog.to_timestamp($1::bigint / 1000.0)
           order by o.id desc limit 1
         ) h on true`,
        [timeMs],
      ),

    read: (after, lanes, perLane) =>
      db.query<OutboxEvent & Row>(
        `select e.* from ${WANTED} cross join lateral (
           select ${EVENT} from hl_internal.outbox o
           where o.account_address = l.lane and o.id > l.cursor order by o.id limit $4
         ) e order by e.id`,
        [...ids(after), lanes, perLane],
      ),

    async readLast(upTo, limit) {
      const events = await db.query<OutboxEvent & Row>(
        `select e.* from unnest($1::text[], $2::bigint[]) as l(lane, head) cross join lateral (
           select ${EVENT} from hl_internal.outbox o
           where o.account_address = l.lane and o.id <= l.head order by o.id desc limit $3
         ) e order by e.id desc limit $3`,
        [...ids(upTo), limit],
      );
      return events.reverse();
    },

    async countAfter(after, lanes, limit) {
      const [row] = await db.query<{ count: number }>(
        `select count(*) as count from (
           select from ${WANTED} cross join lateral (
             select from hl_internal.outbox o where o.account_address = l.lane and o.id > l.cursor limit $4
           ) e limit $4
         ) counted`,
        [...ids(after), lanes, limit],
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
/** Also where there are many lanes each gets this much of a page. */
const PER_LANE_MIN = 10;

export interface Reading {
  outbox: Outbox;
  /** Where to begin. Moved on by each page, once the reader asks for the next one. */
  after: Cursors;
  lanes?: Lanes;
}

/** Pages of events after the cursors, until no lane has any more. Rejects as a query does. */
export async function* backlog({ outbox, after, lanes = null }: Reading): AsyncGenerator<OutboxEvent[]> {
  for (let page = PAGE_MIN; ; page = Math.min(PAGE_MAX, page * 4)) {
    const perLane = Math.max(PER_LANE_MIN, Math.floor(page / Math.max(1, (lanes ?? [...after]).length)));
    const events = await outbox.read(after, lanes, perLane);
    if (events.length > 0) yield events;
    const counts = new Map<string, number>();
    for (const { account, id } of events) {
      const lane = laneOf(account);
      advance(after, lane, id);
      counts.set(lane, (counts.get(lane) ?? 0) + 1);
    }
    if (![...counts.values()].some((count) => count >= perLane)) return;
  }
}

/**
 * A restored backup counts on from ids that a reader has passed: it would hear nothing until they are passed again. Sets
 * the cursors that are beyond the end of their lane back to what was committed before `seenMs`, the newest event that was
 * read, or to the end where none was. Answers whether there were any.
 */
export async function stepBack({ outbox, after }: Reading, seenMs: number | null): Promise<boolean> {
  // A commit may move a cursor on while the heads are read.
  const before = [...after];
  const heads = await outbox.heads();
  const isPassed = ([lane, cursor]: [string, number]) => cursor > (heads.get(lane) ?? cursor);
  if (!before.some(isPassed)) return false;
  // What is below the oldest was deleted for its age.
  const keptFrom = await outbox.oldest();
  const passed = before.filter((entry) => entry[1] >= keptFrom && isPassed(entry));
  const ends = seenMs === null ? heads : await outbox.headsBefore(seenMs + 1);
  for (const [lane] of passed) after.set(lane, ends.get(lane) ?? 0);
  return passed.length > 0;
}

export interface Following extends Reading {
  clock: Clock;
  signal: AbortSignal;
  /** All wanted lanes are looked at this often. */
  pollMs: number;
  /** Rings with lanes that have news: only they are read then. */
  news?: Bell<string>;
  /** Hears when the database went back in time; what was committed since then follows. */
  onWentBack?(): void;
}

/** Pages of events after the cursors, and then of those to come; ends when the signal is aborted. */
export async function* changes(following: Following): AsyncGenerator<OutboxEvent[]> {
  const { clock, signal, pollMs, lanes = null, news = new Bell<string>(), onWentBack } = following;
  let wanted = lanes;
  let pollAtMs = clock.now() + pollMs;
  let seenMs: number | null = null;
  while (!signal.aborted) {
    if (wanted?.length !== 0)
      for await (const events of backlog({ ...following, lanes: wanted })) {
        seenMs = Math.max(seenMs ?? 0, ...events.map(({ committedAtMs }) => committedAtMs));
        yield events;
      }
    const rung = await news.wait(clock, Math.max(0, pollAtMs - clock.now()), signal);
    wanted = rung.filter((lane) => lanes?.includes(lane) ?? true);
    if (clock.now() < pollAtMs) continue;
    if (await stepBack(following, seenMs)) onWentBack?.();
    wanted = lanes;
    pollAtMs = clock.now() + pollMs;
  }
}

/** Never goes back. */
export function advance(cursors: Cursors, lane: string, id: number): void {
  if (id > (cursors.get(lane) ?? 0)) cursors.set(lane, id);
}
