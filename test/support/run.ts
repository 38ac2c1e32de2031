/**
 * Runs the tests and ends with the plain line `N passed, N failed`. Arguments are folders or files under
 * `test/`; default all. `HLSYNC_TEST_FILES` says how many files run at once. Guarantees: exits non-zero on any failure and
 * when no test ran; ends, whatever a test leaves running; says before that line how long each part took and which files
 * were the slowest.
 */
import { chmodSync, globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { layOutProgram } from "./program.ts";

const wanted = process.argv.slice(2);
const patterns = (wanted.length > 0 ? wanted : ["test"]).map((path) =>
  path.endsWith(".ts") ? path : `${path.replace(/\/$/, "")}/**/*.test.ts`,
);
/** The longest files come first, then the parts with the longest: at the end short ones keep every core busy. */
const LONGEST =
  /(reliability|simulation|stopping|dashboard|webhooks|casesStates|alertsWatch|store)\.test\.ts$/;
const PARTS = ["e2e", "contract", "simulation", "property", "unit", "captures", "tidy"];
const placeOf = (path: string): number =>
  LONGEST.test(path) ? -1 : PARTS.indexOf(path.split(/[\\/]/)[1] ?? "");
const files = globSync(patterns, { exclude: ["**/node_modules/**"] }).sort(
  (a, b) => placeOf(a) - placeOf(b) || (a < b ? -1 : 1),
);
/**
 * Files of these folders share a process by folder: loading what they test would be a third of what they cost. Each is a suite
 * of its own there, with hooks of its own. Long ones stay alone, so that others run beside them.
 */
const TOGETHER = /^test\/(unit\/\w+|contract|tidy)\/\w+\.test\.ts$/;
const ALONE =
  /(access|doctorTable|embedded|equity|legacy|migrate|pooler\w*|settled|sslmode|supabase|views|httpApi|webhooksBridge)\.test\.ts$/;
/** Processes of a folder, where one would take as long as all the rest. */
const PROCESSES: Readonly<Record<string, number>> = { "test/contract": 5, "test/unit/outputs": 2 };
/** Most files wait for half of their time: for a process, a heal, a lease that ends. With more, no core is idle, and what must come within seconds comes too late. */
const FILES_PER_CORE = 2;
/** A test or a suite that takes longer has hung: the one bound of its kind, since how long work takes is the machine's matter. */
const HUNG_MS = 1_800_000;
/** All of it: what has not ended then is named. */
const GIVEN_UP_MS = 4_500_000;
const counts = { passed: 0, failed: 0, skipped: 0 };
/** Milliseconds by path of a file, and what each group took as a whole. */
const tookMs = new Map<string, number>();
const failures: string[] = [];

// Each file is a process of its own, and starts others: compiled modules are shared between them.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), "node-compile-cache");
const folder = mkdtempSync(join(tmpdir(), "hlsync-tests-"));
// Some tests start the program as another user.
chmodSync(folder, 0o755);
process.env.HLSYNC_TEST_PROGRAM ??= await layOutProgram(join(folder, "program"));
const unended = new Set(processes());
const stream = run({
  files: [...unended],
  concurrency: Number(process.env.HLSYNC_TEST_FILES) || Math.ceil(availableParallelism() * FILES_PER_CORE),
  timeout: HUNG_MS,
  execArgv: ["--import", join(import.meta.dirname, "lingering.ts")],
});
stream.on("test:pass", ({ name, skip, details }) => {
  if (details.type === "suite") return note(name, details.duration_ms);
  counts[skip === undefined ? "passed" : "skipped"] += 1;
});
stream.on("test:fail", ({ name, file, details }) => {
  if (details.type === "suite") {
    note(name, details.duration_ms);
    const { cause, failureType } = details.error as Error & { failureType?: string };
    // What failed in it was told already.
    if (cause === undefined || failureType === "subtestsFailed") return;
  }
  unended.delete(name);
  counts.failed += 1;
  failures.push(`${file ?? ""}: ${name}`);
});
stream.on("test:summary", ({ file, duration_ms }) => {
  if (file === undefined) return;
  unended.delete(relative(process.cwd(), file));
  unended.delete(file);
  if (dirname(file) !== folder) note(relative(process.cwd(), file), duration_ms);
});
stream.on("end", finish);
setTimeout(() => {
  counts.failed += 1;
  failures.push(`not ended after ${GIVEN_UP_MS / 60_000} minutes: ${[...unended].join(", ")}`);
  finish();
  process.exit();
}, GIVEN_UP_MS).unref();
stream.compose(spec).pipe(process.stdout, { end: false });

function finish(): void {
  rmSync(folder, { recursive: true, force: true });
  process.stdout.write(times());
  process.stdout.write(failures.map((line) => `failed: ${line}\n`).join(""));
  process.stdout.write(`${counts.skipped} skipped\n${counts.passed} passed, ${counts.failed} failed\n`);
  process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
}

/** Of a file: one of a group is a suite by the name of its path. */
function note(path: string, ms: number): void {
  if (path.startsWith("test/")) tookMs.set(path, ms);
}

/** The files to run, each in a process: those that share one are loaded by a file of the temporary folder. */
function processes(): string[] {
  let turn = 0;
  const together = Map.groupBy(files, (path) => {
    if (!TOGETHER.test(path) || LONGEST.test(path) || ALONE.test(path)) return path;
    turn += 1;
    return `${dirname(path)}-${turn % (PROCESSES[dirname(path)] ?? 1)}`;
  });
  // It kills in the end what a test left running: in the end of the process, not of the first file that loads it.
  const cli = JSON.stringify(join(import.meta.dirname, "cli.ts"));
  return [...together].map(([name, paths]) => {
    if (paths.length === 1) return paths[0]!;
    const suites = paths.map(
      (path) =>
        `describe(${JSON.stringify(path)}, async () => { await import(${JSON.stringify(resolve(path))}); });`,
    );
    const group = join(folder, `${name.replaceAll("/", "-")}.test.mjs`);
    writeFileSync(group, `import { describe } from "node:test";\nimport ${cli};\n${suites.join("\n")}\n`);
    return group;
  });
}

/** Seconds by part (`test/<part>`) and of the slowest files: where a check of ten minutes is won or lost. */
function times(): string {
  const parts = new Map<string, number>();
  for (const [file, ms] of tookMs) {
    const part = file.split("/").slice(0, 2).join("/");
    parts.set(part, (parts.get(part) ?? 0) + ms);
  }
  const line = ([name, ms]: [string, number]) => `${(ms / 1_000).toFixed(1).padStart(8)} s  ${name}\n`;
  const slowest = [...tookMs].sort((a, b) => b[1] - a[1]).slice(0, 15);
  return `by part:\n${[...parts].map(line).join("")}slowest files:\n${slowest.map(line).join("")}`;
}
