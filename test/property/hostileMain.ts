/**
 * `npm run hostile -- --count N [--from NUMBER]`: spoils N frames and answers, on a database of its own, and prints what it came
 * to. Exits with 1 at the first that breaks a promise, naming it and how to run it again.
 */
import { parseArgs } from "node:util";
import { withoutCaptures } from "../captures/captures.ts";
import { startServer } from "../support/postgres.ts";
import { hostileCorpus } from "./hostileCorpus.ts";
import { runHostile } from "./hostileRun.ts";

const { values } = parseArgs({
  options: { count: { type: "string", default: "100000" }, from: { type: "string", default: "1" } },
});
const [count, from] = [Number(values.count), Number(values.from)];

const print = (what: unknown) => process.stdout.write(`${what}\n`);

if (withoutCaptures) print(`${withoutCaptures}: spoiling what the simulator says only`);
const server = await startServer("real");
const target = await server.newDatabase();
const corpus = await hostileCorpus();
const startedMs = performance.now();
const seconds = () => Math.round((performance.now() - startedMs) / 1000);
try {
  let shown = 0;
  const report = await runHostile(corpus, target, from, count, (now) => {
    if (now.mutations - shown < 10_000) return;
    shown = now.mutations;
    print(`${now.mutations} in ${seconds()} s`);
  });
  const { mutations, rows, refused, unread } = report;
  print(
    `${mutations} mutations from ${from} of ${corpus.length} samples in ${seconds()} s: ${rows} rows written, ` +
      `${refused} refused by the database, ${unread} values not understood, nothing lost and nothing claimed in vain`,
  );
} catch (error) {
  print(error instanceof Error ? (error.stack ?? error.message) : error);
  if (error instanceof Error && error.cause) print(error.cause);
  print("again: npm run hostile -- --count 1 --from NUMBER");
  process.exitCode = 1;
} finally {
  await target.close();
  await server.stop();
}
