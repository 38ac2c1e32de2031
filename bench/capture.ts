/**
 * The whole market written down: 200 coins with trades, books, contexts and candles, at the pace of the venue and at multiples
 * of it, until something is lost. The program's own way from the socket to the committed row: sockets, reading, batches,
 * an embedded PostgreSQL with fsync on (or `--database`); the venue is a process of its own. Prints the cores that hlsync and
 * the server used, rows sent and stored, frames dropped, and the most frames that waited. `bbo` is not among what hlsync stores.
 *
 *   npm run bench -- capture [--factors 1,10,20] [--seconds 20] [--database postgres://…]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { createStreams } from "../src/connection/liveSocket.ts";
import { createSocketFactory } from "../src/connection/webSocket.ts";
import { systemClock as clock } from "../src/runtime/clock.ts";
import { silentLog as log } from "../src/runtime/log.ts";
import { systemRandom as random } from "../src/runtime/random.ts";
import type { Database } from "../src/store/database.ts";
import { migrate } from "../src/store/migrate.ts";
import { openPostgres } from "../src/store/postgres.ts";
import { openStore } from "../src/store/store.ts";
import { committer } from "../src/sync/commit.ts";
import { Market } from "../src/sync/market.ts";
import { onDatabase } from "./database.ts";
import { ownMs, serverMeter } from "./processorTime.ts";

const { values } = parseArgs({
  options: {
    factors: { type: "string", default: "1,10,20" },
    seconds: { type: "string", default: "20" },
    database: { type: "string" },
  },
});
const COINS = Array.from({ length: 200 }, (_, n) => `COIN${n}`);
const SECONDS = Number(values.seconds);
const SETTLE_MS = 12_000;
const ROOM = 1_000;
const DRAIN_WITHIN_MS = 30_000;

type Sent = Record<"trades" | "l2Book" | "activeAssetCtx" | "candle", number>;
/** Candles replace each other: what was stored of them cannot be counted. */
const STORED = `select (select count(*) from public.hl_trades) as trades, (select count(*) from public.hl_books) as "l2Book",
  (select count(*) from public.hl_asset_ctxs) as "activeAssetCtx"`;

async function measure(database: Database, factor: number) {
  const feed = fork(new URL("marketFeed.ts", import.meta.url));
  const [port] = (await once(feed, "message")) as [number];
  const ask = async (order: "stop" | "count"): Promise<Sent> => {
    feed.send(order);
    return ((await once(feed, "message")) as [Sent])[0];
  };
  const abort = new AbortController();
  const store = openStore(database);
  const market = new Market({
    openStream: createStreams({
      wsUrl: `ws://127.0.0.1:${port}/ws?factor=${factor}`,
      socketFactory: createSocketFactory(),
      clock,
      random,
      log,
    }),
    info: null as never,
    dexes: [""],
    choice: { coins: COINS, streams: ["trades", "l2Book", "activeAssetCtx", "candle"] },
    room: ROOM,
    commit: committer({ store, clock, random, log, publish: () => {} }, abort.signal),
    clock,
    log,
    onFatal: (error) => {
      throw error;
    },
  });
  await market.start(abort.signal);
  await clock.sleep(SETTLE_MS);
  const before = await ask("count");
  const meters = [ownMs, await serverMeter(database)];
  const began = meters.map((meter) => meter());
  const beganMs = performance.now();
  let waiting = 0;
  while (performance.now() < beganMs + SECONDS * 1_000) {
    await clock.sleep(50);
    waiting = Math.max(waiting, market.status().queued);
  }
  const tookMs = performance.now() - beganMs;
  const cores = meters.map((meter, n) => (meter() - began[n]!) / tookMs);
  const sent = await ask("stop");
  const giveUpMs = performance.now() + DRAIN_WITHIN_MS;
  while (market.status().queued > 0 && performance.now() < giveUpMs) await clock.sleep(50);
  await clock.sleep(1_000);
  const { dropped } = market.status();
  await market.stop();
  feed.kill();
  const rows = (of: Sent) => Object.values(of).reduce((sum, one) => sum + one, 0);
  return { sent, rate: ((rows(sent) - rows(before)) * 1_000) / tookMs, cores, waiting, dropped };
}

await onDatabase(values.database, async (url) => {
  const database = openPostgres(url);
  await migrate(database);
  console.log(
    `${COINS.length} coins, ${SECONDS} s each; Node ${process.version}, load ${loadavg()[0]!.toFixed(1)}\n`,
  );
  console.log(
    "| factor | rows/s | cores: hlsync, server | most frames waiting | frames dropped | rows lost: trades, books, contexts |\n|---|---|---|---|---|---|",
  );
  for (const factor of values.factors.split(",").map(Number)) {
    await database.query(
      "truncate public.hl_trades, public.hl_books, public.hl_asset_ctxs, public.hl_candles",
    );
    const { sent, rate, cores, waiting, dropped } = await measure(database, factor);
    const [stored] = await database.query<Omit<Sent, "candle">>(STORED);
    const lost = (["trades", "l2Book", "activeAssetCtx"] as const).map((one) => sent[one] - stored![one]);
    const used = cores.map((core) => core.toFixed(2)).join(", ");
    console.log(`| ${[factor, Math.round(rate), used, waiting, dropped, lost.join(", ")].join(" | ")} |`);
  }
  await database.close();
});
