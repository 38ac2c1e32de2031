/** `backfill`: history only, from `--since` or from as far back as the venue serves; resumes where it stopped. */
import type { LimiterStats } from "../../connection/rateLimiter.ts";
import type { Progress } from "../../sync/account/account.ts";
import { WINDOW_STREAMS } from "../../sync/backfill.ts";
import { type Command, requireAccounts } from "../command.ts";
import { passes } from "./sync.ts";

/** `fills  2026-01-01 00:00:00 … 2026-02-03 10:11:12  2000 rows, weight 140 of 1200 this minute` */
export function progressLine({ stream, fromMs, toMs, rows }: Progress, used: LimiterStats): string {
  const at = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
  const weight = `weight ${Math.round(used.usedLastMinute)} of ${used.weightPerMinute} this minute`;
  return `${stream.padEnd(9)} ${at(fromMs)} … ${at(toMs)}  ${rows} ${rows === 1 ? "row" : "rows"}, ${weight}`;
}

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
