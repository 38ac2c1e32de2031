/**
 * `run`: stream and reconcile until stopped. Stdout: NDJSON with `--json`, else nothing but what `monitor` would show
 * when there is no database to look into.
 */
import { requireFree } from "../../outputs/http/listen.ts";
import { checkAlerts } from "../alertsOutput.ts";
import type { Command } from "../command.ts";
import { requireFollowable } from "../openDatabase.ts";
import { checkPublish } from "../publishOutput.ts";

export const run: Command = {
  name: "run",
  summary: "follow accounts until stopped: stream, heal, reconcile",
  options: [
    "account",
    "network",
    "apiUrl",
    "wsUrl",
    "nodeUrl",
    "database",
    "db",
    "markets",
    "streams",
    "listen",
    "token",
    "interval",
    "snapshotDays",
    "marketDays",
    "since",
    "weight",
    "egress",
    "webhookRetry",
    "publish",
    "alertTo",
    "alert",
    "deadManUrl",
  ],
  check: ({ options }) => {
    requireFollowable({ options });
    checkAlerts(options);
    checkPublish(options);
  },
  async run(context) {
    await requireFree(context.options.listen);
    const { followUntilStopped } = await import("../following.ts");
    return followUntilStopped(context, {
      printing: context.options.json || !context.options.db ? "changes" : null,
      sharing: true,
    });
  },
};
