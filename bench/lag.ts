/**
 * Received → committed, through the whole program: a simulator process, real sockets, the engine and an embedded
 * PostgreSQL with fsync on; from the first frame that tells of a fill until the transaction with its row is committed.
 * Beside it, in the same run and just before each case, a bare commit of one row; and the cores that engine and server
 * used. Prints a table, in milliseconds.
 *
 *   node bench/lag.ts [<accounts>x<fills a second of each> …]
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { createHttpPost } from "../src/connection/httpPost.ts";
import { createInfoClient } from "../src/connection/infoClient.ts";
import { createStreams } from "../src/connection/liveSocket.ts";
import { RateLimiter } from "../src/connection/rateLimiter.ts";
import { createSocketFactory } from "../src/connection/webSocket.ts";
import { systemClock as clock } from "../src/runtime/clock.ts";
import { silentLog as log } from "../src/runtime/log.ts";
import { systemRandom as random } from "../src/runtime/random.ts";
import type { Database } from "../src/store/database.ts";
import { openEmbedded } from "../src/store/embedded.ts";
import { migrate } from "../src/store/migrate.ts";
import { openPostgres } from "../src/store/postgres.ts";
import { openStore } from "../src/store/store.ts";
import { Engine } from "../src/sync/engine.ts";
import type { OpenStream } from "../src/sync/ports.ts";
import type { Applied } from "../src/sync/rows.ts";
import { ownMs, serverMeter } from "./processorTime.ts";

const SECONDS = 15;
/** Between everything being live and the first sample. */
const SETTLE_MS = 3_000;
const LIVE_WITHIN_MS = 60_000;
const BARE_COMMITS = 500;
/** REST weight a minute, for venue and engine: at the venue's 1 200 ten new accounts take minutes until they are live. */
const WEIGHT_PER_MINUTE = 100_000;
const cases =
  process.argv.length > 2 ? process.argv.slice(2) : ["1x20", "1x200", "10x20", "1x1000", "10x100"];

function percentile(values: number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN;
}

let bareRows = 0;
async function bareCommits(database: Database): Promise<number[]> {
  const tookMs: number[] = [];
  for (let i = 0; i < BARE_COMMITS; i++) {
    const began = performance.now();
    await database.query("insert into bare values ($1)", [bareRows++]);
    tookMs.push(performance.now() - began);
  }
  return tookMs;
}

const processes = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of processes) child.kill("SIGKILL");
});

async function startVenue(accounts: readonly string[], fillsPerSecond: number) {
  const args = ["simulate", "--port", "0", "--json", "--weight", `${WEIGHT_PER_MINUTE}`];
  const flags = accounts.flatMap((account) => ["--account", account]);
  const own = [...args, ...flags, "--fills-per-second", String(fillsPerSecond)];
  const child = spawn(process.execPath, ["bin/hlsync.js", ...own], { stdio: ["ignore", "pipe", "ignore"] });
  processes.add(child);
  const apiUrl = await new Promise<string>((resolve) => {
    child.stdout.once("data", (text: Buffer) => resolve(JSON.parse(text.toString()).apiUrl as string));
  });
  return { apiUrl, child };
}

/** When the first frame told of each fill, and how long after it was committed. */
class Lags {
  readonly #receivedAt = new Map<string, number>();
  ms: number[] = [];

  watch(open: OpenStream): OpenStream {
    return (subscriptions, handler) =>
      open(subscriptions, {
        ...handler,
        onMessage: (reading, channel, subscription, receivedAtMs, length) => {
          if (reading.content.type === "fills" && !reading.isSnapshot) {
            const now = performance.now();
            for (const { value } of reading.content.rows) {
              const key = `${subscription.user} ${value.tid}`;
              if (!this.#receivedAt.has(key)) this.#receivedAt.set(key, now);
            }
          }
          handler.onMessage(reading, channel, subscription, receivedAtMs, length);
        },
      });
  }

  committed({ events }: Applied): void {
    const now = performance.now();
    for (const { type, account, data, source } of events) {
      const received = this.#receivedAt.get(`${account} ${data.trade_id}`);
      if (type === "fill.created" && source === "stream" && received !== undefined)
        this.ms.push(now - received);
    }
  }
}

async function measure(database: Database, accounts: readonly string[], fillsPerSecond: number) {
  const { apiUrl, child } = await startVenue(accounts, fillsPerSecond);
  const limiter = new RateLimiter(clock, { weightPerMinute: WEIGHT_PER_MINUTE });
  const info = createInfoClient({ apiUrl, post: createHttpPost(), clock, random, limiter, log });
  const wsUrl = `${apiUrl.replace("http", "ws")}/ws`;
  const lags = new Lags();
  const openStream = lags.watch(
    createStreams({ wsUrl, socketFactory: createSocketFactory(), clock, random, log }),
  );
  const engine = new Engine(
    {
      store: openStore(database),
      info,
      openStream,
      clock,
      random,
      log,
      publish: ({ applied }) => lags.committed(applied),
      onFatal: (error) => {
        throw error;
      },
    },
    {
      accounts: accounts.map((address) => ({ address, alias: null })),
      sinceMs: null,
      market: null,
      webData2: false,
    },
  );
  await engine.start();
  const isLive = () => engine.status().accounts.every(({ lane }) => lane?.phase === "live");
  const giveUpMs = clock.now() + LIVE_WITHIN_MS;
  while (!isLive()) {
    if (clock.now() > giveUpMs) throw new Error("not every account is live");
    await clock.sleep(100);
  }
  await clock.sleep(SETTLE_MS);
  lags.ms = [];
  const meters = [ownMs, await serverMeter(database)];
  const before = meters.map((meter) => meter());
  await clock.sleep(SECONDS * 1_000);
  const cores = meters.map((meter, n) => (meter() - before[n]!) / (SECONDS * 1_000));
  const { ms } = lags;
  const waiting = engine.status().accounts.reduce((frames, { lane }) => frames + (lane?.queued ?? 0), 0);
  await engine.stop();
  child.kill();
  return { ms, cores, waiting };
}

async function run(): Promise<void> {
  await migrate(database);
  await database.query("create table bare (id bigint primary key)");
  console.log(`${SECONDS} s each; Node ${process.version}, load ${loadavg()[0]!.toFixed(1)}\n`);
  console.log(
    "| accounts | fills/s in all | fills seen | bare commit p50 / p99 | received → committed p50 / p99 | ratio | cores: engine, server | frames waiting at the end |",
  );
  console.log("|---|---|---|---|---|---|---|---|");
  let begun = 0;
  for (const name of cases) {
    const [count, rate] = name.split("x").map(Number) as [number, number];
    const accounts = Array.from(
      { length: count },
      () => `0x${(0xbe4c0000 + begun++).toString(16).padStart(40, "0")}`,
    );
    const bare = await bareCommits(database);
    const { ms: lags, cores, waiting } = await measure(database, accounts, rate);
    const both = (values: number[]) =>
      `${percentile(values, 0.5).toFixed(2)} / ${percentile(values, 0.99).toFixed(2)} ms`;
    const ratios = [0.5, 0.99].map((p) => (percentile(lags, p) / percentile(bare, p)).toFixed(1)).join(" / ");
    const used = cores.map((core) => core.toFixed(2)).join(", ");
    console.log(
      `| ${[count, count * rate, lags.length, both(bare), both(lags), ratios, used, waiting].join(" | ")} |`,
    );
  }
}

const folder = mkdtempSync(join(tmpdir(), "hlsync-bench-"));
const server = await openEmbedded(join(folder, "db"), { clock, log });
const database = openPostgres(server.url);
try {
  await run();
} finally {
  await database.close();
  await server.release();
  rmSync(folder, { recursive: true, force: true });
}
