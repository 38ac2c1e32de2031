/** `backfill`: history only, from `--since` or from as far back as the venue serves; resumes where it stopped. */
import { Lifecycle } from "../../runtime/lifecycle.ts";
import type { Account } from "../../sync/account/account.ts";
import { WINDOW_STREAMS } from "../../sync/windowReader.ts";
import { type Command, type Context, requireAccounts } from "../command.ts";
import { passes } from "./sync.ts";

const once = (context: Context): Context => ({ ...context, options: { ...context.options, once: true } });

async function readHistory(account: Account, { signal }: Context): Promise<void> {
  await account.catchUp("backfill", signal);
  await account.backfill("backfill", signal);
}

/** The same for these accounts, within another command. Leaves nothing open. */
export async function backfillOf(context: Context, addresses: readonly string[]): Promise<void> {
  const lifecycle = new Lifecycle(context.clock, context.log);
  const account = addresses.map((address) => ({ address, alias: null }));
  const inner = once({ ...context, lifecycle, options: { ...context.options, account } });
  try {
    await passes(inner, (one) => readHistory(one, context));
  } finally {
    await lifecycle.stopAll(STOP_WITHIN_MS);
  }
}

/** What it opened has so long to end. */
const STOP_WITHIN_MS = 5_000;

export const backfill: Command = {
  name: "backfill",
  summary: "read the history of accounts, resumable",
  options: ["account", "network", "apiUrl", "wsUrl", "database", "since", "weight"],
  check: ({ options }) => void requireAccounts(options),
  run(context) {
    return passes(once(context), async (account) => {
      await readHistory(account, context);
      for (const stream of WINDOW_STREAMS) {
        for (const { toMs } of account.known(stream, "unprovable")) {
          const until = new Date(toMs).toISOString();
          context.log.warn(`${stream} before ${until}: the venue does not serve them any more`);
        }
      }
    });
  },
};
