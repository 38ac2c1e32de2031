/** `status`: what the database holds and since when it is complete. Asks the database only. */

import { knownSince, subtract, union } from "../../sync/coverage.ts";
import { followLease } from "../../sync/engine.ts";
import { TRACKED_STREAMS } from "../../sync/events.ts";
import { type Command, EXIT } from "../command.ts";
import { openMigrated } from "../wire.ts";

export const status: Command = {
  name: "status",
  summary: "what is stored, and since when it is complete",
  options: ["account", "database"],
  async run(context) {
    const { options, print } = context;
    const { store, database, close } = await openMigrated(context);
    try {
      const chosen = new Set(options.account.map(({ address }) => address));
      const accounts = (await store.accounts()).filter(
        ({ account }) => chosen.size === 0 || chosen.has(account),
      );
      const tables = await store.counts();
      if (!options.json) {
        print(`database  ${database.describe()}`);
        print(`rows      ${tables.map(({ table, rows }) => `${table} ${rows}`).join(", ")}`);
      } else print(JSON.stringify({ type: "database", database: database.describe(), tables }));
      const leases = new Map((await store.heldLeases("follow ")).map((lease) => [lease.name, lease]));
      for (const { account, alias, sinceMs } of accounts) {
        const who = alias ?? `${account.slice(0, 6)}…${account.slice(-4)}`;
        const holder = leases.get(followLease(account))?.holder ?? null;
        if (options.json) print(JSON.stringify({ type: "account", account, alias, followedBy: holder }));
        else print(`${who}  ${holder === null ? "followed by nobody now" : `followed by ${holder}`}`);
        for (const stream of TRACKED_STREAMS) {
          const coverage = await store.coverage(account, stream);
          const proven = union(coverage.filter(({ grade }) => grade === "proven"));
          const settled = union(
            proven,
            coverage.filter(({ grade }) => grade === "unprovable"),
          );
          const provenToMs = proven.at(-1)?.toMs ?? null;
          const since = provenToMs === null ? null : knownSince(proven, provenToMs);
          const gaps = subtract([{ fromMs: sinceMs ?? 0, toMs: provenToMs ?? 0 }], settled);
          if (options.json) {
            const row = {
              type: "coverage",
              account,
              alias,
              stream,
              completeSinceMs: since,
              provenToMs,
              gaps,
            };
            print(JSON.stringify(row));
          } else {
            print(`${who}  ${stream.padEnd(9)} ${sentence(since, provenToMs, gaps.length)}`);
          }
        }
      }
      if (accounts.length === 0 && !options.json) print("no account has been followed yet");
      return EXIT.ok;
    } finally {
      await close();
    }
  },
};

function sentence(sinceMs: number | null, toMs: number | null, gaps: number): string {
  if (sinceMs === null || toMs === null) return "nothing proven yet";
  const since = sinceMs === 0 ? "the beginning" : new Date(sinceMs).toISOString();
  return `complete since ${since} up to ${new Date(toMs).toISOString()}, ${gaps} gap${gaps === 1 ? "" : "s"}`;
}
