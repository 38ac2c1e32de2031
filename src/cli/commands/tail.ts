/**
 * `tail`: what another process commits, as it is committed, out of the database's outbox. Guarantees: the events of
 * every account in the order of their commits, none skipped; a slow reader slows it down and loses nothing.
 */
import { jsonLine, textLine } from "../../outputs/console.ts";
import { backlog, type Cursors, changes, type OutboxEvent, openOutbox } from "../../outputs/outbox.ts";
import { createLineWriter } from "../../outputs/terminal/lineWriter.ts";
import { visible, visiblePainted } from "../../runtime/safeText.ts";
import { type Command, EXIT } from "../command.ts";
import { openToRead } from "../openDatabase.ts";
import { chosenAccounts } from "./status.ts";

const POLL_MS = 300;
/** Events shown before those to come, like its namesake. */
const LAST = 10;

export const tail: Command = {
  name: "tail",
  summary: "print what another process commits, as it is committed",
  options: ["account", "database", "since", "once"],
  findsDemo: true,
  async run(context) {
    const { options, clock, color, signal } = context;
    const opened = await openToRead(context);
    const { database } = opened;
    const writer = createLineWriter(process.stdout, String, {
      signal,
      shown: color ? visiblePainted : visible,
    });
    try {
      const known = await opened.store.accounts();
      const aliases = new Map(known.flatMap(({ account, alias }) => (alias ? [[account, alias]] : [])));
      const wanted = new Set((await chosenAccounts(context, opened.store)).map(({ account }) => account));
      const sequences = options.account.length === 0 ? null : [...wanted];
      const say = (event: OutboxEvent) =>
        writer.write(options.json ? jsonLine(event) : textLine(event, { color, aliases }));

      const outbox = openOutbox(database);
      const heads = await (options.since === null ? outbox.heads() : outbox.headsBefore(options.since));
      const after: Cursors = new Map(
        [...heads].filter(([sequence]) => sequences?.includes(sequence) ?? true),
      );
      if (options.since === null) for (const event of await outbox.readLast(after, LAST)) await say(event);
      const reading = { outbox, after, sequences };
      const pages = options.once ? backlog(reading) : changes({ ...reading, clock, signal, pollMs: POLL_MS });
      for await (const events of pages) {
        for (const event of events) {
          signal.throwIfAborted();
          await say(event);
        }
      }
      return EXIT.ok;
    } catch (error) {
      // Stopping is how following ends.
      if (signal.aborted && !options.once) return EXIT.ok;
      throw error;
    }
  },
};
