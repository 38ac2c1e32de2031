/**
 * The fleet in the database (sql/fleet.sql). Guarantees: one statement a second per process, whatever it follows, without
 * session state; a database that went back in time (a restored backup, a replica that lacked commits) is noticed when the
 * process is heard of again.
 */
import type { Attended, Fleet } from "../sync/ports.ts";
import type { Queryable, Row } from "./database.ts";

/** What a process brings into the fleet. */
interface Worker {
  /** Unique to this start of this process. */
  name: string;
  /** Where its requests leave from. */
  egress: string;
  /** What the venue allows one egress: connections, REST weight and new connections a minute, subscriptions. */
  slots: number;
  weight: number;
  dials: number;
  subscriptions: number;
  /** REST weight spent in the last minute. */
  spent(): number;
  /** Connections opened in the last minute. */
  dialled(): number;
}

/** Duties claimed, or given away, in one second: what must catch up at once is bounded. */
const MOVED_MAX = 20;
/** What a worker that died may have spent after it was last heard of. */
const LAST_WORDS_WEIGHT = 120;

interface Answer extends Omit<Attended, "others" | "wentBack"> {
  others: Record<string, string>;
  beforeMs: number | null;
  writtenMs: number;
}

export function openFleet(db: Queryable, worker: Worker): Fleet {
  const { name, egress, slots, weight, dials, subscriptions } = worker;
  /** The end of our lease, as written. A database that says less does not hold what was committed. */
  let writtenMs = Number.NEGATIVE_INFINITY;
  return {
    name,
    async attend({ wants, streams, subscribed, ttlMs, backMs }) {
      const told = {
        egress,
        slots,
        weight,
        dials,
        subscriptions,
        spent: worker.spent(),
        dialled: worker.dialled(),
        wants,
        streams,
        subscribed,
        ttlMs,
        backMs,
        most: MOVED_MAX,
        lastWords: LAST_WORDS_WEIGHT,
      };
      const [row] = await db.query<{ answer: Answer }>("select hl_internal.attend($1, $2) as answer", [
        name,
        JSON.stringify(told),
      ]);
      const { others, beforeMs, writtenMs: now, ...answer } = row!.answer;
      const wentBack = (beforeMs ?? Number.NEGATIVE_INFINITY) < writtenMs;
      writtenMs = now;
      return { ...answer, others: new Map(Object.entries(others)), wentBack };
    },
    async giveBack(duties) {
      await db.query("select hl_internal.give_back($1, $2)", [name, duties]);
    },
    async dismiss() {
      await db.query("select hl_internal.dismiss($1)", [name]);
    },
  };
}

/** One process of the fleet, as the database knows it. */
export interface WorkerRow {
  worker: string;
  egress: string;
  /** What it does, and how many of these are on their way to another. */
  duties: number;
  leaving: number;
  /** Connections open, and allowed. */
  streams: number;
  slots: number;
  /** REST weight of the last minute, and allowed. */
  spent: number;
  weight: number;
  /** Subscriptions, and allowed. */
  subscribed: number;
  subscriptions: number;
  /** Age of the newest states of its accounts, seconds; null where none is known. */
  freshP50: number | null;
  freshP90: number | null;
  freshMax: number | null;
  heardMsAgo: number;
}

/** What the processes behind one egress do together, of what they may. */
interface EgressRow
  extends Pick<
    WorkerRow,
    "egress" | "duties" | "streams" | "slots" | "spent" | "weight" | "subscribed" | "subscriptions"
  > {
  workers: number;
}

export function byEgress(workers: readonly WorkerRow[]): EgressRow[] {
  const rows = new Map<string, EgressRow>();
  for (const { egress, duties, streams, slots, spent, weight, subscribed, subscriptions } of workers) {
    const one = rows.get(egress);
    const own = { duties, streams, slots, spent, weight, subscribed, subscriptions };
    if (one === undefined) rows.set(egress, { egress, workers: 1, ...own });
    else {
      one.workers += 1;
      for (const key of Object.keys(own) as (keyof typeof own)[]) one[key] += own[key];
    }
  }
  return [...rows.values()];
}

/** Those that are alive, by egress. */
export const readWorkers = (db: Queryable): Promise<WorkerRow[]> =>
  db.query<WorkerRow & Row>(
    `select w.worker, w.egress, count(c.duty) as duties, count(c.heir) as leaving, w.streams, w.slots, w.spent, w.weight,
       w.subscribed, w.subscriptions,
       round(percentile_cont(0.5) within group (order by f.age)::numeric, 1)::float8 as "freshP50",
       round(percentile_cont(0.9) within group (order by f.age)::numeric, 1)::float8 as "freshP90",
       round(max(f.age)::numeric, 1)::float8 as "freshMax",
       floor(extract(epoch from clock_timestamp() - w.renewed_at) * 1000)::bigint as "heardMsAgo"
     from hl_internal.workers w
     left join hl_internal.claims c using (worker)
     left join lateral (
       select extract(epoch from now() - h.heard_at)::float8 as age
       from hl_internal.freshness(substr(c.duty, 8)) h where c.duty like 'follow %'
     ) f on true
     where w.expires_at > clock_timestamp()
     group by w.worker order by w.egress, w.worker`,
  );

/** The holder of each duty now, alive or not, by the name of the duty. */
export async function readHolders(db: Queryable): Promise<Map<string, string>> {
  const rows = await db.query<{ duty: string; worker: string }>(
    `select c.duty, c.worker from hl_internal.claims c join hl_internal.workers w using (worker)
     where w.expires_at > clock_timestamp() order by c.duty`,
  );
  return new Map(rows.map(({ duty, worker }) => [duty, worker]));
}
