/**
 * `quarantine`: what the venue sent and hlsync did not understand, and another try at it after an upgrade. Guarantees:
 * a message leaves quarantine only when what it says is committed; replaying is repeatable.
 */
import { ConfigError, StoreError } from "../../errors.ts";
import type { DatabaseStore, Quarantined } from "../../store/store.ts";
import { doubtsAbout, replay } from "../../sync/replay.ts";
import type { Batch } from "../../sync/rows.ts";
import { type Command, type Context, EXIT } from "../command.ts";
import { openExisting, openToRead } from "../openDatabase.ts";

/** Messages read at once. */
const PAGE = 200;
const SHOWN_LENGTH = 100;

const ACTIONS: Record<string, (context: Context, store: DatabaseStore) => Promise<void>> = {
  list,
  replay: again,
};

export const quarantine: Command = {
  name: "quarantine",
  args: "<action>",
  summary: "list what was not understood, or replay it after an upgrade",
  options: ["database", "limit"],
  check({ args: [action = ""] }) {
    if (!Object.hasOwn(ACTIONS, action))
      throw new ConfigError(
        `quarantine ${JSON.stringify(action)}: expected ${Object.keys(ACTIONS).join(" or ")}`,
      );
  },
  async run(context) {
    const [action = ""] = context.args;
    const { store } = await (action === "list" ? openToRead : openExisting)(context);
    await ACTIONS[action]!(context, store);
    return EXIT.ok;
  },
};

async function list({ options, print }: Context, store: DatabaseStore): Promise<void> {
  const rows = await store.quarantined("", options.limit);
  if (rows.length === 0 && !options.json) print("nothing is in quarantine");
  for (const row of rows) {
    if (options.json) print(JSON.stringify({ type: "quarantine", ...row }));
    else print(line(row));
  }
}

function line({ account, subject, reason, raw, count, seenAtMs }: Quarantined): string {
  const who = account === null ? "-" : `${account.slice(0, 6)}…${account.slice(-4)}`;
  const at = new Date(seenAtMs).toISOString().slice(0, 19).replace("T", " ");
  const shown = raw.length > SHOWN_LENGTH ? `${raw.slice(0, SHOWN_LENGTH)}…` : raw;
  return `${at}  ${who}  ${subject}  ${count}×  ${reason}: ${shown.replace(/\s+/g, " ")}`;
}

/** False when the database refuses what is in the batch, as it may have done before. */
async function isTaken(store: DatabaseStore, batch: Batch): Promise<boolean> {
  try {
    await store.apply(batch);
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.refusesContent) return false;
    throw error;
  }
}

async function again({ options, print }: Context, store: DatabaseStore): Promise<void> {
  const { applied, left } = await replayAll(store);
  if (options.json) print(JSON.stringify({ type: "replay", applied, left }));
  else print(`${applied} applied, ${left} still not understood`);
}

/** Reads everything again that is in quarantine: what is understood now goes where it belongs. */
export async function replayAll(store: DatabaseStore): Promise<{ applied: number; left: number }> {
  let [applied, left, after] = [0, 0, ""];
  for (;;) {
    const rows = await store.quarantined(after, PAGE);
    for (const row of rows) {
      const batch = replay(row);
      if (batch === null || !(await isTaken(store, batch))) left += 1;
      else {
        if (row.account !== null) await store.doubt(row.account, doubtsAbout(batch));
        await store.releaseQuarantined(row.digest);
        applied += 1;
      }
    }
    if (rows.length < PAGE) break;
    after = rows.at(-1)!.digest;
  }
  return { applied, left };
}
