/** Following until the program stops: the engine, its outputs, and a line for what happens. */
import { countLine, historyLine, jsonLine, textLine } from "../outputs/console.ts";
import { untilAborted } from "../runtime/abort.ts";
import { repeat } from "../runtime/repeat.ts";
import type { Progress } from "../sync/account/account.ts";
import type { Committed } from "../sync/engine.ts";
import { warnAtStart } from "./checks/atStart.ts";
import { listedOf } from "./checks/markets.ts";
import { type Context, EXIT } from "./command.ts";
import { type Following, follow } from "./compose.ts";
import { type MigratedDatabase, type OpenDatabase, openReaders, openToFollow } from "./openDatabase.ts";
import { startOutputs } from "./outputs.ts";

/** For people, history is a count: changes older than this are not told one by one. NDJSON has them all. */
const HISTORY_MS = 60_000;

/** Prints each committed change as one line. */
function printer(
  { options, print, color, clock }: Context,
  { aliases }: Following,
): (committed: Committed) => void {
  if (options.json) {
    return ({ applied }) => {
      for (const event of applied.events) print(jsonLine(event));
    };
  }
  return ({ applied }) => {
    const sinceMs = clock.now() - HISTORY_MS;
    const [history, news] = [
      applied.events.filter(({ timeMs }) => timeMs < sinceMs),
      applied.events.filter(({ timeMs }) => timeMs >= sinceMs),
    ];
    if (history.length > 0) print(historyLine(history));
    for (const event of news) print(textLine(event, { color, aliases }));
  };
}

const COUNTS_MS = 60_000;

/** What happened, as one line a minute, until the program stops. */
function counter({ print, clock, signal }: Context): (committed: Committed) => void {
  const counts = new Map<string, number>();
  void repeat(clock, COUNTS_MS, signal, () => {
    print(countLine(counts, clock.now()));
    counts.clear();
  });
  return ({ applied }) => {
    for (const { type } of applied.events) counts.set(type, (counts.get(type) ?? 0) + 1);
  };
}

interface FollowOptions {
  /** Each committed change, how many a minute, or nothing. */
  printing: "changes" | "counts" | null;
  /** Stand by while another process follows the same accounts into the same database. */
  sharing: boolean;
  /** False only looks: no dashboard, alerts, webhooks or metrics. */
  serving?: false;
  /** Runs before the engine starts: nothing that it commits is missed. */
  onFollowing?: (following: Following, opened: OpenDatabase) => void;
  onProgress?: (progress: Progress) => void;
  /** A database that is being opened already. */
  opening?: Promise<MigratedDatabase>;
  /** Runs once the engine does. */
  onStarted?: (following: Following, opened: OpenDatabase) => void;
}

/** Follows until the context's signal. Resolves with the exit code; what it opened is stopped with the program. */
export async function followUntilStopped(asked: Context, options: FollowOptions): Promise<number> {
  const { log, signal } = asked;
  const context = { ...asked, options: { ...asked.options, markets: await listedOf(asked) } };
  const opened = await (options.opening ?? openToFollow(context));
  const { onProgress } = options;
  const following = follow(context, opened, {
    sharing: options.sharing,
    ...(onProgress ? { onProgress } : {}),
  });
  const { engine, feed, failed } = following;
  options.onFollowing?.(following, opened);
  if (options.printing === "changes") feed.subscribe(printer(context, following));
  if (options.printing === "counts") feed.subscribe(counter(context));
  const begin = async () => {
    await engine.start();
    if (signal.aborted) return;
    const { accounts } = engine.status();
    const active = accounts.filter(({ role }) => role === "active").length;
    // A standby asks the venue nothing.
    if (active > 0) {
      const addresses = accounts.map(({ address }) => address);
      warnAtStart(context, { info: following.venue.info, database: opened.database, accounts: addresses });
    }
    const where = context.options.db ? opened.database.describe() : "none";
    log.info("following", { accounts: active, onStandby: accounts.length - active, database: where });
    if (options.serving !== false) await startOutputs({ context, following, ...openReaders(opened) });
    options.onStarted?.(following, opened);
  };
  try {
    await Promise.race([begin(), failed, opened.failed, untilAborted(signal)]);
    await Promise.race([untilAborted(signal), failed, opened.failed]);
  } catch (error) {
    // What cannot be found in a folder that is gone explains nothing.
    throw await opened.explain(error);
  }
  log.info("stopping in order, a second signal ends at once");
  // What still comes in would compete with the stopping of the outputs.
  void engine.stop();
  return EXIT.ok;
}
