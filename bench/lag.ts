/**
 * Received → committed, through the whole program: a simulator process, real sockets, the engine and an embedded
 * PostgreSQL with fsync on. Beside it, in the same run, a bare commit of one row. Prints milliseconds.
 *
 *   node bench/lag.ts [fillsPerSecond …]
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHttpPost } from "../src/connection/httpPost.ts";
import { createInfoClient } from "../src/connection/infoClient.ts";
import { createStreams } from "../src/connection/liveSocket.ts";
import { RateLimiter } from "../src/connection/rateLimiter.ts";
import { createSocketFactory } from "../src/connection/webSocket.ts";
import { systemClock as clock } from "../src/runtime/clock.ts";
import { silentLog as log } from "../src/runtime/log.ts";
import { systemRandom as random } from "../src/runtime/random.ts";
import { openEmbedded } from "../src/store/embedded.ts";
import { migrate } from "../src/store/migrate.ts";
import { openPostgres } from "../src/store/postgres.ts";
import { openStore } from "../src/store/store.ts";
import { Engine } from "../src/sync/engine.ts";
import type { OpenStream } from "../src/sync/ports.ts";

const SECONDS = 20;
const rates = process.argv.slice(2).map(Number);

const percentile = (values: number[], p: number): string => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN).toFixed(2);
};

const folder = mkdtempSync(join(tmpdir(), "hlsync-bench-"));
const server = await openEmbedded(join(folder, "db"), { clock, log });
const database = openPostgres(server.url);
await migrate(database);

await database.query("create table bare (id bigint primary key)");
const bare: number[] = [];
for (let i = 0; i < 1_000; i++) {
  const began = performance.now();
  await database.query("insert into bare values ($1)", [i]);
  bare.push(performance.now() - began);
}
console.log(`bare commit: p50 ${percentile(bare, 0.5)} ms, p99 ${percentile(bare, 0.99)} ms`);

for (const [index, rate] of (rates.length > 0 ? rates : [20, 200]).entries()) {
  const account = `0x${String(index + 1).repeat(40)}`;
  const args = ["simulate", "--port", "0", "--json", "--log-level", "error", "--account", account];
  const simulator = spawn(process.execPath, ["bin/hlsync.js", ...args, "--fills-per-second", String(rate)]);
  const apiUrl = await new Promise<string>((resolve) => {
    simulator.stdout.once("data", (text: Buffer) => resolve(JSON.parse(text.toString()).apiUrl as string));
  });
  const limiter = new RateLimiter(clock);
  const info = createInfoClient({ apiUrl, post: createHttpPost(), clock, random, limiter, log });
  const wsUrl = `${apiUrl.replace("http", "ws")}/ws`;
  const open = createStreams({ wsUrl, socketFactory: createSocketFactory(), clock, random, log });
  const receivedAt = new Map<number, number>();
  const lags: number[] = [];
  const openStream: OpenStream = (subscriptions, handler) =>
    open(subscriptions, {
      ...handler,
      onMessage(reading, channel, subscription, receivedAtMs) {
        if (reading.content.type === "fills" && !reading.isSnapshot) {
          const now = performance.now();
          for (const { value } of reading.content.rows) {
            if (!receivedAt.has(value.tid!)) receivedAt.set(value.tid!, now);
          }
        }
        handler.onMessage(reading, channel, subscription, receivedAtMs);
      },
    });
  const engine = new Engine(
    {
      ...{ store: openStore(database), info, openStream, clock, random, log },
      publish({ applied }) {
        const now = performance.now();
        for (const { type, data, source } of applied.events) {
          const received = receivedAt.get(Number(data.trade_id));
          if (type === "fill.created" && source === "stream" && received !== undefined)
            lags.push(now - received);
        }
      },
      onFatal: (error) => {
        throw error;
      },
    },
    { accounts: [{ address: account, alias: null }], sinceMs: null, market: null, webData2: false },
  );
  await engine.start();
  await clock.sleep(3_000);
  lags.length = 0;
  await clock.sleep(SECONDS * 1_000);
  console.log(
    `${rate} fills/s: received → committed p50 ${percentile(lags, 0.5)} ms, p99 ${percentile(lags, 0.99)} ms (${lags.length} fills)`,
  );
  await engine.stop();
  simulator.kill();
}
await database.close();
await server.release();
rmSync(folder, { recursive: true, force: true });
