/**
 * How much of `src/` the tests of units, properties and contracts run: lines and branches, by folder, and the files with
 * the most left. Arguments are folders or files under `test/`. What only simulation and end-to-end tests run counts as not
 * run. Guarantees: exits non-zero when a test fails.
 */
import { globSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { run } from "node:test";

const wanted = process.argv.slice(2);
const patterns = (wanted.length > 0 ? wanted : ["test/unit", "test/property", "test/contract"]).map((path) =>
  path.endsWith(".ts") ? path : `${path.replace(/\/$/, "")}/**/*.test.ts`,
);
/** A file of types alone is never loaded, and has nothing to run; another that is not loaded is not in the summary. */
const HAS_CODE = /^export (?!type|interface)/m;
/** Files named in the end. */
const SHOWN = 25;

interface Counts {
  lines: number;
  linesRun: number;
  branches: number;
  branchesRun: number;
}

// A module from the cache of compiled ones is counted by functions alone.
process.env.NODE_DISABLE_COMPILE_CACHE = "1";
const failures: string[] = [];
const stream = run({
  files: globSync(patterns, { exclude: ["**/node_modules/**"] }).sort(),
  concurrency: availableParallelism(),
  execArgv: ["--import", join(import.meta.dirname, "lingering.ts")],
  coverage: true,
  coverageIncludeGlobs: ["src/**/*.ts"],
});
stream.on("test:fail", ({ name, file, details }) => {
  if (details.type !== "suite") failures.push(`failed: ${file ?? ""}: ${name}\n`);
});
stream.on("test:coverage", ({ summary }) => {
  const byFile = new Map<string, Counts>();
  for (const file of summary.files)
    byFile.set(relative(summary.workingDirectory, file.path), {
      lines: file.totalLineCount,
      linesRun: file.coveredLineCount,
      branches: file.totalBranchCount,
      branchesRun: file.coveredBranchCount,
    });
  for (const path of globSync("src/**/*.ts")) {
    const text = readFileSync(path, "utf8");
    if (byFile.has(path) || !HAS_CODE.test(text)) continue;
    byFile.set(path, { lines: text.split("\n").length, linesRun: 0, branches: 0, branchesRun: 0 });
  }
  process.stdout.write(report(byFile));
});
stream.on("end", () => {
  process.stdout.write(failures.join(""));
  process.exitCode = failures.length > 0 ? 1 : 0;
});
stream.resume();

const sum = (all: readonly Counts[]): Counts =>
  all.reduce(
    (a, b) => ({
      lines: a.lines + b.lines,
      linesRun: a.linesRun + b.linesRun,
      branches: a.branches + b.branches,
      branchesRun: a.branchesRun + b.branchesRun,
    }),
    { lines: 0, linesRun: 0, branches: 0, branchesRun: 0 },
  );

const percent = (part: number, whole: number): string =>
  `${whole === 0 ? "–" : ((100 * part) / whole).toFixed(1)}`.padStart(6);

const row = (name: string, { lines, linesRun, branches, branchesRun }: Counts): string =>
  `${percent(linesRun, lines)}  ${percent(branchesRun, branches)}  ${String(lines - linesRun).padStart(6)}  ${name}\n`;

function report(byFile: ReadonlyMap<string, Counts>): string {
  const folders = new Map<string, Counts[]>();
  for (const [path, counts] of byFile) {
    const folder = path.split("/").slice(0, -1).join("/");
    folders.set(folder, [...(folders.get(folder) ?? []), counts]);
  }
  const left = ({ lines, linesRun }: Counts) => lines - linesRun;
  const worst = [...byFile].sort(([, a], [, b]) => left(b) - left(a)).slice(0, SHOWN);
  return [
    "line %  branch %  left  folder\n",
    ...[...folders].sort(([a], [b]) => (a < b ? -1 : 1)).map(([folder, all]) => row(folder, sum(all))),
    row("all", sum([...byFile.values()])),
    "most left:\n",
    ...worst.map(([path, counts]) => row(path, counts)),
  ].join("");
}
