/** `demo`: see it work with nothing to configure. */
import { requireFree } from "../../outputs/http/listen.ts";
import type { Command } from "../command.ts";
import { DEMO_DATABASE } from "../lastDemo.ts";
import { openMigrated } from "../openDatabase.ts";

export const demo: Command = {
  name: "demo",
  summary: "see it work: simulated exchange, embedded database, nothing to configure",
  options: ["listen", "token", "seed", "database", "verbose"],
  // Simulated fills have no business in the database of a real account.
  flagsOnly: true,
  // What is there to see is not the log of a first start.
  defaults: { database: DEMO_DATABASE, logLevel: "warn" },
  async run(context) {
    await requireFree(context.options.listen);
    if (!context.options.json) context.print("making three months of simulated trading and a database …");
    // A server is made by other processes: meanwhile this one loads the rest and makes the past.
    const opening = openMigrated(context);
    opening.catch(() => {});
    const { showDemo } = await import("../demo.ts");
    return showDemo(context, opening);
  },
};
