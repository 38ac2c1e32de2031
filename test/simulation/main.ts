/**
 * `npm run simulate-seeds -- --count N [--from SEED]`: runs seeds one after the other on an embedded database of its
 * own and prints a summary. Exits with 1 when a seed failed, naming it and how to run it again.
 */
import { parseArgs } from "node:util";
import { startServer } from "../support/postgres.ts";
import { runSeed, type SeedReport } from "./runSeed.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "100" },
    from: { type: "string" },
    verbose: { type: "boolean" },
  },
});
const count = Number(values.count);
const from = values.from === undefined ? Math.floor(Date.now() / 1000) : Number(values.from);

const server = await startServer();
const { database } = await server.newDatabase();

const reports: SeedReport[] = [];
const failed: { seed: number; error: unknown }[] = [];
for (let seed = from; seed < from + count; seed++) {
  try {
    const report = await runSeed(seed, database);
    reports.push(report);
    if (values.verbose) console.log(JSON.stringify(report));
  } catch (error) {
    failed.push({ seed, error });
    console.log(`seed ${seed} FAILED: ${error instanceof Error ? error.message : error}`);
    if (values.verbose && error instanceof Error) console.log(error.stack);
  }
}
await server.stop();

const total = (pick: (report: SeedReport) => number) =>
  reports.reduce((sum, report) => sum + pick(report), 0);
const sorted = reports.map(({ convergedMs }) => convergedMs).sort((a, b) => a - b);
console.log(`seeds ${from}..${from + count - 1}: ${reports.length} passed, ${failed.length} failed`);
console.log(
  `fills ${total((r) => r.fills)}, order events ${total((r) => r.orderEvents)}, commits ${total((r) => r.commits)}, ` +
    `faults ${total((r) => r.faults)}, spoilt ${total((r) => r.spoilt)}, kills ${total((r) => r.kills)}, exits ${total((r) => r.exits)}`,
);
console.log(
  `virtual ms from end of faults to equality: median ${sorted[sorted.length >> 1] ?? 0}, worst ${sorted.at(-1) ?? 0}; ` +
    `real ms a seed: ${Math.round(total((r) => r.realMs) / Math.max(1, reports.length))}`,
);
for (const { seed } of failed)
  console.log(`again: npm run simulate-seeds -- --from ${seed} --count 1 --verbose`);
process.exitCode = failed.length > 0 ? 1 : 0;
