/**
 * Commits a second of writers of different accounts, each with a connection of its own, on a disk that takes 5 ms for
 * a flush (`commit_delay`; flushes that come together are one). The baseline is `hl_internal.apply` with one lock over
 * all accounts, held until the commit is on disk: what a single cursor over the outbox would need. Both take turns.
 *
 *   npm run bench -- commits [--seconds 1] [--rounds 7]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../src/runtime/clock.ts";
import { silentLog } from "../src/runtime/log.ts";
import type { Database } from "../src/store/database.ts";
import { openEmbedded } from "../src/store/embedded.ts";
import { migrate } from "../src/store/migrate.ts";
import { openPostgres } from "../src/store/postgres.ts";
import { type DatabaseStore, openStore } from "../src/store/store.ts";
import type { FillRow } from "../src/sync/rows.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "1" }, rounds: { type: "string", default: "7" } },
});
const SECONDS = Number(values.seconds);
const ROUNDS = Number(values.rounds);
const FLUSH_MS = 5;
const WRITERS = [1, 8, 16];
const START_MS = 1_790_000_000_000;

let fills = 0;
function fill(account: string): FillRow {
  fills += 1;
  const timeMs = START_MS + fills;
  return {
    account,
    coin: "BTC",
    timeMs,
    side: "buy",
    size: "0.01",
    price: "60000.5",
    value: "600.005",
    fee: "0.12",
    feeToken: "USDC",
    startPosition: "1.0",
    closedPnl: "0.0",
    direction: "Open Long",
    orderId: fills,
    tradeId: fills,
    hash: `0x${fills}`,
    crossed: true,
    cloid: null,
    builderFee: null,
    twapId: null,
    liquidation: null,
    raw: { tid: fills },
    source: "stream",
    seenAtMs: timeMs,
  };
}

/** Commits a second of `writers` loops that each commit one fill of their account, over and over. */
async function rate(store: DatabaseStore, writers: number): Promise<number> {
  let commits = 0;
  const began = performance.now();
  const endsAt = began + SECONDS * 1_000;
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      const account = `0x${String(writer).padStart(40, "0")}`;
      while (performance.now() < endsAt) {
        await store.apply({ fills: [fill(account)] });
        commits += 1;
      }
    }),
  );
  return (commits * 1_000) / (performance.now() - began);
}

/** The lock before the ids of the outbox are taken, as it was until writers of different accounts were let pass. */
async function lockAll(database: Database): Promise<void> {
  const [row] = await database.query<{ text: string }>(
    "select pg_get_functiondef('hl_internal.apply'::regproc) as text",
  );
  const text = row!.text.replace(
    "with told as materialized (",
    "perform pg_advisory_xact_lock(hashtext('hl_internal.outbox'));\n    with told as materialized (",
  );
  if (text === row!.text) throw new Error("apply has changed: the place of the lock is not found");
  await database.query(text);
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;
const whole = (number: number): string => Math.round(number).toString();

const folder = mkdtempSync(join(tmpdir(), "hlsync-bench-"));
const embedded = await openEmbedded(folder, { clock: systemClock, log: silentLog });
const admin = openPostgres(embedded.url, { maxConnections: 1 });
const opened: Database[] = [admin];

async function newStore(name: string): Promise<DatabaseStore> {
  await admin.query(`create database ${name}`);
  for (const setting of [`commit_delay = ${FLUSH_MS * 1_000}`, "commit_siblings = 0"])
    await admin.query(`alter database ${name} set ${setting}`);
  const url = new URL(embedded.url);
  url.pathname = `/${name}`;
  const database = openPostgres(url.href, { maxConnections: Math.max(...WRITERS) });
  opened.push(database);
  await migrate(database);
  return openStore(database);
}

const now = await newStore("per_account");
const before = await newStore("one_lock");
await lockAll(before.database);

const [version] = await admin.query<{ v: string }>("select split_part(version(), ' on ', 1) as v");
console.log(
  `${version!.v}, a flush takes ${FLUSH_MS} ms; ${ROUNDS} rounds of ${SECONDS} s, load ${loadavg()[0]!.toFixed(1)}; commits/s, median (least–most)`,
);
console.log("| writers | one lock over all | a lock per account | ratio (least–most) |\n|---|---|---|---|");
for (const writers of WRITERS) {
  const rates: [number, number][] = [];
  // The first round warms up.
  for (let round = 0; round <= ROUNDS; round++) {
    const pair: [number, number] = [0, 0];
    for (const turn of round % 2 ? [0, 1] : [1, 0])
      pair[turn] = await rate(turn === 0 ? before : now, writers);
    if (round > 0) rates.push(pair);
  }
  const spread = (numbers: number[], shown = whole) =>
    `${shown(median(numbers))} (${shown(Math.min(...numbers))}–${shown(Math.max(...numbers))})`;
  const ratios = rates.map(([one, each]) => each / one);
  console.log(
    `| ${writers} | ${spread(rates.map(([one]) => one))} | ${spread(rates.map(([, each]) => each))} | ${spread(ratios, (ratio) => ratio.toFixed(2))} |`,
  );
}

for (const database of opened) await database.close();
await embedded.release();
rmSync(folder, { recursive: true });
