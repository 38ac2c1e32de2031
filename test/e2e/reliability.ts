/**
 * `npm run reliability [-- WORD …]`: every scenario of reliability with real processes, sockets and PostgreSQL, one
 * after the other, as a table; with words, those whose names contain one of them. Exits with 1 when anything did not
 * hold. All of it takes about 45 minutes.
 */
import { CASES } from "./reliabilityCases.ts";
import { Cluster, machine } from "./reliabilityRig.ts";
import { FILLS_PER_SECOND } from "./reliabilityScenarios.ts";

const words = process.argv.slice(2);
const chosen = CASES.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
const cluster = await Cluster.start();
console.log(
  `${cluster.version}, Node ${process.version}, ${machine()}, ${new Date().toISOString().slice(0, 10)}`,
);
console.log(`${FILLS_PER_SECOND} fills/s, reconcile every 300 s\n`);
console.log("| case | fills | lost | doubled | seen |\n|---|---|---|---|---|");
let failed = 0;
for (const { name, run } of chosen) {
  const shown = await run(cluster).catch((error: unknown) => ({
    fills: null,
    figures: "",
    failures: [String(error)],
  }));
  const { happened = "–", missing = "–", extra = "–" } = shown.fills ?? {};
  const seen = [shown.figures, ...shown.failures.map((text) => `**${text}**`)].filter(Boolean).join("; ");
  console.log(`| ${name} | ${happened} | ${missing} | ${extra} | ${seen} |`);
  if (shown.failures.length > 0) failed += 1;
}
console.log(`\n${chosen.length - failed} held, ${failed} did not`);
await cluster.close();
process.exitCode = failed > 0 || chosen.length === 0 ? 1 : 0;
