/**
 * From the command to the first committed row, and how much memory ten followed accounts take: the program itself (`hlsync run`) as a
 * process, bundled as it is published, against a simulated venue. Beside the first: an empty `node` in the same run.
 *
 *   npm run bench -- start [--sources] [--rounds 5] [--accounts 10] [--fills-per-second 2] [--minutes 3]
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { layOutProgram } from "../test/support/program.ts";
import { usedMsOf } from "./processorTime.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    accounts: { type: "string", default: "10" },
    "fills-per-second": { type: "string", default: "2" },
    minutes: { type: "string", default: "3" },
    sources: { type: "boolean", default: false },
  },
});
const ACCOUNTS = Array.from(
  { length: Number(values.accounts) },
  (_, n) => `0x${(0xbe570000 + n).toString(16).padStart(40, "0")}`,
);
const MINUTES = Number(values.minutes);
const WEIGHT_PER_MINUTE = "100000";
const SAMPLES = 6;

const processes = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of processes) child.kill("SIGKILL");
});

function begin(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
  processes.add(child);
  return child;
}

const root = mkdtempSync(join(tmpdir(), "hlsync-bench-"));
const program = values.sources ? "bin/hlsync.js" : await layOutProgram(join(root, "program"));
const hlsync = (...args: readonly string[]) => begin([program, ...args]);
const flags = (accounts: readonly string[]) => accounts.flatMap((account) => ["--account", account]);

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode === null) {
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  processes.delete(child);
}

const follow = (apiUrl: string, folder: string, accounts: readonly string[]) =>
  hlsync(
    "run",
    "--json",
    "--listen",
    "127.0.0.1:21900",
    "--database",
    folder,
    "--api-url",
    apiUrl,
    "--weight",
    WEIGHT_PER_MINUTE,
    ...flags(accounts),
  );

/** Milliseconds until the first change was told, which is after its transaction. */
async function firstRow(apiUrl: string, folder: string): Promise<number> {
  const beganMs = performance.now();
  const child = follow(apiUrl, folder, ACCOUNTS.slice(0, 1));
  for await (const line of createInterface({ input: child.stdout! }))
    if (line.includes('"fill.created"')) break;
  const tookMs = performance.now() - beganMs;
  await end(child);
  return tookMs;
}

async function emptyNode(): Promise<number> {
  const beganMs = performance.now();
  await once(begin(["-e", "0"]), "exit");
  return performance.now() - beganMs;
}

/** Resident memory of a process that is not shared with others, and all of it, in MB. */
function memoryOf(pid: number): { own: number; all: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const megabytes = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1_024;
  return { own: megabytes("RssAnon"), all: megabytes("VmRSS") };
}

const middle = (list: number[]): string => {
  const sorted = list.toSorted((a, b) => a - b);
  return `${sorted[sorted.length >> 1]!.toFixed(0)} (${sorted[0]!.toFixed(0)}–${sorted.at(-1)!.toFixed(0)})`;
};

async function start(apiUrl: string, root: string): Promise<void> {
  const [empty, fresh, again]: number[][] = [[], [], []];
  for (let round = 0; round < Number(values.rounds); round++) {
    const folder = join(root, `db${round}`);
    empty!.push(await emptyNode());
    fresh!.push(await firstRow(apiUrl, folder));
    again!.push(await firstRow(apiUrl, folder));
  }
  console.log("| from the command | ms, median (least–most) |\n|---|---|");
  console.log(`| an empty node | ${middle(empty!)} |`);
  console.log(`| first row, new folder (server and tables are made) | ${middle(fresh!)} |`);
  console.log(`| first row, known folder | ${middle(again!)} |`);
}

async function memory(apiUrl: string, folder: string): Promise<void> {
  const child = follow(apiUrl, folder, ACCOUNTS);
  let fills = 0;
  createInterface({ input: child.stdout! }).on("line", (line) => {
    if (line.includes('"fill.created"')) fills += 1;
  });
  console.log(`\n${ACCOUNTS.length} accounts, ${values["fills-per-second"]} fills/s of each\n`);
  console.log("| after | fills | memory of hlsync, MB | of it its own | cores |\n|---|---|---|---|---|");
  for (let sample = 1; sample <= SAMPLES; sample++) {
    const before = usedMsOf(child.pid!);
    await sleep((MINUTES * 60_000) / SAMPLES);
    const cores = (usedMsOf(child.pid!) - before) / ((MINUTES * 60_000) / SAMPLES);
    const { all, own } = memoryOf(child.pid!);
    const after = `${((sample * MINUTES * 60) / SAMPLES).toFixed(0)} s`;
    console.log(`| ${[after, fills, all.toFixed(0), own.toFixed(0), cores.toFixed(2)].join(" | ")} |`);
  }
  await end(child);
}

console.log(`Node ${process.version}, load ${loadavg()[0]!.toFixed(1)}\n`);
const venue = hlsync(
  "simulate",
  "--port",
  "0",
  "--json",
  "--weight",
  WEIGHT_PER_MINUTE,
  "--fills-per-second",
  values["fills-per-second"],
  ...flags(ACCOUNTS),
);
const [told] = (await once(venue.stdout!, "data")) as [Buffer];
const { apiUrl } = JSON.parse(told.toString()) as { apiUrl: string };
try {
  await start(apiUrl, root);
  await memory(apiUrl, join(root, "memory"));
} finally {
  await end(venue);
  rmSync(root, { recursive: true, force: true });
}
