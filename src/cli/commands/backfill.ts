/** `backfill`: history only, from `--since` or from as far back as the venue serves; resumes where it stopped. */
import { WINDOW_STREAMS } from "../../sync/backfill.ts";
import { type Command, requireAccounts } from "../command.ts";
import { passes } from "./sync.ts";

export const backfill: Command = {
  name: "backfill",
  summary: "read the history of accounts, resumable",
  options: ["account", "network", "apiUrl", "wsUrl", "database", "since", "weight"],
  check: ({ options }) => void requireAccounts(options),
  run(context) {
    return passes({ ...context, options: { ...context.options, once: true } }, async (account) => {
      await account.catchUp("backfill", context.signal);
      await account.backfill("backfill", context.signal);
      for (const stream of WINDOW_STREAMS) {
        for (const { toMs } of account.known(stream, "unprovable")) {
          const until = new Date(toMs).toISOString();
          context.log.warn(`${stream} before ${until}: the venue does not serve them any more`);
        }
      }
    });
  },
};
