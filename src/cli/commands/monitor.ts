/** `monitor`: the same engine, with one line per committed change on stdout. */
import type { Command } from "../command.ts";
import { followUntilStopped, run } from "./run.ts";

export const monitor: Command = {
  name: "monitor",
  summary: "follow accounts and print every change as it is committed",
  options: run.options.filter((name) => name !== "listen"),
  run: (context) => followUntilStopped(context, { printing: true, sharing: false }),
};
