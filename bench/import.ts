/**
 * Reading a day of a node's fills: a synthetic archive at the real shape (blocks of 14 rows, 40 000 accounts, an account as
 * likely as another), read for 1, 10 and 1 000 accounts up to the rows, in a process that does nothing else, against decoding the
 * archive alone: by our own reader, in turns, and by the `lz4` program. Prints MB/s of JSON by CPU time, medians, and the ratios.
 *
 *   npm run bench -- import [MB]
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { findNodeFiles } from "../src/cli/nodeFolder.ts";
import { seededRandom } from "../src/runtime/random.ts";
import { Addresses } from "../src/sync/nodeFiles/addresses.ts";
import { importFile } from "../src/sync/nodeFiles/importFile.ts";
import { blockLine, packed } from "../test/support/nodeFiles.ts";
import { ownMs } from "./processorTime.ts";

const MEGABYTES = Number(process.argv[2] ?? 200);
const ROUNDS = 15;
/** Until the code is compiled for what it does. */
const WARM_UPS = 4;
/** In the environment of the process that reads: where the archive lies, and for how many accounts. */
const [ARCHIVE, ACCOUNTS] = ["HLSYNC_BENCH_ARCHIVE", "HLSYNC_BENCH_ACCOUNTS"];
const USERS = 40_000;
const FILLS_PER_BLOCK = 7;

const random = seededRandom(1);
const below = (n: number): number => Math.floor(random.next() * n);
const hex = (n: number): string =>
  Array.from({ length: Math.ceil(n / 8) }, () =>
    below(2 ** 32)
      .toString(16)
      .padStart(8, "0"),
  )
    .join("")
    .slice(0, n);
const users = Array.from({ length: USERS }, () => `0x${hex(40)}`);
const COINS = ["BTC", "ETH", "SOL", "HYPE", "xyz:NFLX", "@107"];

function sideOf(side: "B" | "A", time: number, px: string, sz: string, hash: string, tid: number) {
  return [
    users[below(USERS)]!,
    {
      coin: COINS[below(COINS.length)],
      px,
      sz,
      side,
      time,
      startPosition: `${below(1e7)}.0`,
      dir: "Open Long",
      closedPnl: "0.0",
      hash,
      oid: 366_968_000_000 + below(1e6),
      crossed: side === "B",
      fee: `0.${below(1e6)}`,
      tid,
      ...(random.next() < 0.6 ? { cloid: `0x${hex(32)}` } : {}),
      feeToken: "USDC",
      twapId: null,
    },
  ];
}

function day(bytes: number): Buffer {
  const lines: string[] = [];
  let length = 0;
  for (let block = 941_773_150, time = 1_775_001_599_923; length < bytes; block++, time += 70) {
    // An order that sweeps the book gives several fills one hash.
    const hashes = [`0x${hex(64)}`, `0x${hex(64)}`, `0x${hex(64)}`];
    const events = Array.from({ length: FILLS_PER_BLOCK }, () => {
      const shared = [time, `${below(1e5)}.5`, `${below(1e3)}.0`, hashes[below(3)]!, below(2 ** 49)] as const;
      return [sideOf("B", ...shared), sideOf("A", ...shared)];
    }).flat();
    const line = blockLine(block, time, events);
    lines.push(line);
    length += line.length;
  }
  return Buffer.from(lines.join(""));
}

type Costs = { alone: number[]; read: number[]; rows: number };

/** Milliseconds of CPU a round. */
async function measure(path: string, accounts: number): Promise<Costs> {
  const opened = await (await findNodeFiles(path)).files[0]!.open();
  const costs: Costs = { alone: [], read: [], rows: 0 };
  const commit = async (batch: { fills?: unknown[] }) => {
    costs.rows += batch.fills?.length ?? 0;
    return { events: [], written: {}, known: {} };
  };
  const addresses = new Addresses(users.slice(0, accounts));
  const { signal } = new AbortController();
  for (let round = 0; round < WARM_UPS + ROUNDS; round++) {
    const began = ownMs();
    for await (const _ of opened.content());
    const decoded = ownMs();
    costs.rows = 0;
    await importFile(opened.content(), null, { addresses, commit, now: () => 0, signal });
    if (round < WARM_UPS) continue;
    costs.alone.push(decoded - began);
    costs.read.push(ownMs() - decoded);
  }
  return costs;
}

function costsOfProgram(path: string): number[] {
  const script = 'TIMEFORMAT="%U %S"; time lz4 -dc "$0" >/dev/null';
  return Array.from({ length: ROUNDS }, () => {
    const { stderr } = spawnSync("bash", ["-c", script, path], { encoding: "utf8" });
    const [user, system] = stderr.trim().split(" ").map(Number);
    return (user! + system!) * 1e3;
  });
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

function compare(path: string, megabytes: number): void {
  for (const accounts of [1, 10, 1_000]) {
    const env = { ...process.env, [ARCHIVE!]: path, [ACCOUNTS!]: String(accounts) };
    const told = execFileSync(process.execPath, [import.meta.filename], { env, encoding: "utf8" });
    const { alone, read, rows } = JSON.parse(told) as Costs;
    const speed = (costs: readonly number[]) => Math.round(megabytes / (median(costs) / 1e3));
    const program = costsOfProgram(path);
    const own = median(alone.map((cost, round) => cost / read[round]!)).toFixed(2);
    const against = (median(program) / median(read)).toFixed(2);
    console.log(
      `${String(accounts).padStart(5)} accounts, ${rows} rows: ${speed(read)} MB/s; lz4 -dc ${speed(program)}, ratio ${against}; our decoding alone ${speed(alone)}, ratio ${own}`,
    );
  }
}

if (process.env[ARCHIVE!] !== undefined) {
  console.log(JSON.stringify(await measure(process.env[ARCHIVE!]!, Number(process.env[ACCOUNTS!]))));
} else {
  const folder = mkdtempSync(join(tmpdir(), "hlsync-bench-"));
  try {
    const content = day(MEGABYTES * 1e6);
    for (const options of [["-B7"], ["-B4", "-BD"]]) {
      const path = join(folder, `${options.join("")}.lz4`);
      const archive = packed(content, ...options);
      writeFileSync(path, archive);
      console.log(
        `${MEGABYTES} MB in an archive of ${Math.round(archive.length / 1e6)} MB (lz4 ${options.join(" ")}), load ${loadavg()[0]!.toFixed(1)}`,
      );
      compare(path, content.length / 1e6);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
