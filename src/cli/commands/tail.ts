/**
 * `tail`: what another process commits, as it is committed, out of the database's outbox. Guarantees: the events of
 * every account in the order of their commits, none skipped; a slow reader slows it down and loses nothing.
 */
import { jsonLine, textLine } from "../../outputs/console.ts";
import { LANE_HEADS, laneOf, type OutboxEvent, readOutbox } from "../../outputs/outbox.ts";
import { createLineWriter } from "../../outputs/terminal/lineWriter.ts";
import { type Address, CHANGE_TYPES, type ChangeEvent, type Source } from "../../sync/events.ts";
import { type Command, EXIT } from "../command.ts";
import { openToRead } from "../wire.ts";
import { chosenAccounts } from "./status.ts";

const POLL_MS = 300;
/** Accounts that came later are looked for this often. */
const LANES_MS = 5_000;
const PAGE = 1_000;
/** Events shown before those to come, like its namesake. */
const LAST = 10;

export const tail: Command = {
  name: "tail",
  summary: "print what another process commits, as it is committed",
  options: ["account", "database", "since", "once"],
  async run(context) {
    const { options, clock, color, signal } = context;
    const opened = await openToRead(context);
    const { database } = opened;
    const writer = createLineWriter(process.stdout, String, { signal });
    try {
      const known = await opened.store.accounts();
      const aliases = new Map(known.flatMap(({ account, alias }) => (alias ? [[account, alias]] : [])));
      const wanted = new Set((await chosenAccounts(context, opened.store)).map(({ account }) => account));
      const isWanted = (lane: string) => options.account.length === 0 || wanted.has(lane);
      const say = (event: OutboxEvent) =>
        writer.write(options.json ? jsonLine(changeOf(event)) : lineOf(event, { color, aliases }));

      const cursors = new Map<string, number>();
      for (const { lane, head } of await database.query<{ lane: string; head: number }>(LANE_HEADS))
        if (isWanted(lane)) cursors.set(lane, head);
      if (options.since !== null) {
        for (const lane of cursors.keys()) cursors.set(lane, await headBefore(database, lane, options.since));
      } else {
        for (const event of await lastOf(database, cursors)) await say(event);
      }

      for (let lanesAtMs = clock.now(); ; ) {
        let found = 0;
        for (const [lane, cursor] of cursors) {
          const events = await readOutbox(database, lane, cursor, PAGE);
          for (const event of events) {
            signal.throwIfAborted();
            await say(event);
          }
          found += events.length;
          cursors.set(lane, events.at(-1)?.id ?? cursor);
        }
        if (found > 0) continue;
        if (options.once) return EXIT.ok;
        if (clock.now() - lanesAtMs >= LANES_MS) {
          lanesAtMs = clock.now();
          for (const { lane } of await database.query<{ lane: string }>(LANE_HEADS))
            if (isWanted(lane) && !cursors.has(lane)) cursors.set(lane, 0);
        }
        await clock.sleep(POLL_MS, signal);
      }
    } catch (error) {
      // Stopping is how following ends.
      if (signal.aborted && !options.once) return EXIT.ok;
      throw error;
    }
  },
};

type Reader = Parameters<typeof readOutbox>[0];

/** Id of the newest event of a lane that was committed before a time; 0 when there is none. */
async function headBefore(database: Reader, lane: string, beforeMs: number): Promise<number> {
  const match = lane === "" ? "account_address is null" : "account_address = $2";
  const [row] = await database.query<{ id: number | null }>(
    `select max(id) as id from hl_internal.outbox where created_at < to_timestamp($1::bigint / 1000.0) and ${match}`,
    lane === "" ? [beforeMs] : [beforeMs, lane],
  );
  return row?.id ?? 0;
}

/** The newest events up to each lane's cursor, oldest first. */
async function lastOf(database: Reader, cursors: ReadonlyMap<string, number>): Promise<OutboxEvent[]> {
  const rows: OutboxEvent[] = [];
  for (const [lane, head] of cursors) {
    const match = lane === "" ? "account_address is null" : "account_address = $2";
    const [row] = await database.query<{ id: number | null }>(
      `select min(id) as id from (
         select id from hl_internal.outbox where id <= $1 and ${match} order by id desc limit ${LAST}) last`,
      lane === "" ? [head] : [head, lane],
    );
    if (row?.id) rows.push(...(await readOutbox(database, lane, row.id - 1, LAST)));
  }
  return rows
    .filter((event) => event.id <= (cursors.get(laneOf(event.account)) ?? 0))
    .sort((a, b) => a.id - b.id)
    .slice(-LAST);
}

const changeOf = (event: OutboxEvent): ChangeEvent => ({
  ...event,
  id: String(event.id),
  type: event.type as ChangeEvent["type"],
  source: event.source as Source,
});

/** Types that other parts publish (alerts, endpoints) have no line of their own: their data is shown as it is. */
function lineOf(
  event: OutboxEvent,
  style: { color: boolean; aliases: ReadonlyMap<Address, string> },
): string {
  if ((CHANGE_TYPES as readonly string[]).includes(event.type)) return textLine(changeOf(event), style);
  return `${new Date(event.timeMs).toISOString().slice(11, 23)} ${event.type} ${JSON.stringify(event.data)}`;
}
