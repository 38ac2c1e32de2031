/**
 * Reading a day of a node's fills: a synthetic archive at the real shape (blocks of 14 rows, 40 000 accounts, an account as
 * likely as another), read for 1, 10 and 1 000 accounts up to the rows, against decoding the archive alone, in turns in one run.
 * Prints MB/s of JSON and the ratio, by the clock and by CPU time (on a shared machine the latter says more).
 *
 *   npm run bench -- import [MB]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findNodeFiles } from "../src/cli/nodeFolder.ts";
import { seededRandom } from "../src/runtime/random.ts";
import { Addresses } from "../src/sync/nodeFiles/addresses.ts";
import { importFile } from "../src/sync/nodeFiles/importFile.ts";
import { blockLine, packed } from "../test/support/nodeFiles.ts";

const MEGABYTES = Number(process.argv[2] ?? 200);
const ROUNDS = 5;
/** Until the code is compiled for what it does. */
const WARM_UPS = 2;
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

interface Speed {
  wall: number;
  cpu: number;
}

async function speedOf(megabytes: number, work: () => Promise<void>): Promise<Speed> {
  const [beganMs, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return {
    wall: megabytes / ((performance.now() - beganMs) / 1e3),
    cpu: megabytes / ((user + system) / 1e6),
  };
}

const folder = mkdtempSync(join(tmpdir(), "hlsync-bench-"));
try {
  const content = day(MEGABYTES * 1e6);
  for (const options of [["-B7"], ["-B4", "-BD"]]) {
    const path = join(folder, `${options.join("")}.lz4`);
    const archive = packed(content, ...options);
    writeFileSync(path, archive);
    const megabytes = content.length / 1e6;
    const opened = await (await findNodeFiles(path)).files[0]!.open();
    const decode = async () => {
      for await (const _ of opened.content());
    };
    let rows = 0;
    const read = (accounts: number) => async () => {
      const addresses = new Addresses(users.slice(0, accounts));
      rows = 0;
      const commit = async (batch: { fills?: unknown[] }) => {
        rows += batch.fills?.length ?? 0;
        return { events: [], written: {}, known: {} };
      };
      await importFile(opened.content(), null, {
        addresses,
        commit,
        now: () => 0,
        signal: new AbortController().signal,
      });
    };
    console.log(
      `${Math.round(megabytes)} MB in an archive of ${Math.round(archive.length / 1e6)} MB (lz4 ${options.join(" ")})`,
    );
    for (const accounts of [1, 10, 1_000]) {
      const speeds: { alone: Speed; ours: Speed }[] = [];
      for (let round = 0; round < WARM_UPS + ROUNDS; round++) {
        const [alone, ours] = [await speedOf(megabytes, decode), await speedOf(megabytes, read(accounts))];
        if (round >= WARM_UPS) speeds.push({ alone, ours });
      }
      const median = (pick: (one: (typeof speeds)[0]) => number) =>
        speeds.map(pick).sort((a, b) => a - b)[speeds.length >> 1]!;
      const say = (by: keyof Speed) =>
        `${median(({ ours }) => ours[by]).toFixed(0)} of ${median(({ alone }) => alone[by]).toFixed(0)} MB/s, ratio ${median(({ ours, alone }) => ours[by] / alone[by]).toFixed(2)}`;
      console.log(
        `${String(accounts).padStart(5)} accounts, ${rows} rows: by the clock ${say("wall")}; by CPU ${say("cpu")}`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
