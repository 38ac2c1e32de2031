/**
 * What a row costs on disk: a history of fills with their orders (2.5 fills an order, two transitions each), read by backfill
 * in pages of 2 000, then a day of snapshots of a busy account. Bytes of table, long values and indexes, as they lie there.
 *
 *   npm run bench -- disk [--fills 100000] [--database postgres://…]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../src/runtime/clock.ts";
import { silentLog } from "../src/runtime/log.ts";
import { openEmbedded } from "../src/store/embedded.ts";
import { migrate } from "../src/store/migrate.ts";
import { openPostgres } from "../src/store/postgres.ts";
import { openStore } from "../src/store/store.ts";
import { type DiskUse, diskUse, writeHistory } from "./history.ts";

const { values } = parseArgs({
  options: { fills: { type: "string", default: "100000" }, database: { type: "string" } },
});
const FILLS = Number(values.fills);

function print(uses: readonly DiskUse[]): void {
  console.log(
    "| table | rows | bytes a row | of them long values | indexes | MB |\n|---|---|---|---|---|---|",
  );
  let total = 0;
  for (const { table, rows, heap, toast, indexes } of uses) {
    const bytes = heap + toast + indexes;
    total += bytes;
    const each = (part: number) => (rows > 0 ? Math.round(part / rows).toString() : "");
    const mb = (bytes / 1e6).toFixed(1);
    console.log(`| ${table} | ${rows} | ${each(bytes)} | ${each(toast)} | ${each(indexes)} | ${mb} |`);
  }
  console.log(
    `${(total / 1e6).toFixed(0)} MB, ${((total / 1e6) * (100_000 / FILLS)).toFixed(0)} MB per 100 000 fills with their orders`,
  );
}

async function run(url: string): Promise<void> {
  const db = openPostgres(url);
  await migrate(db);
  await writeHistory(openStore(db), FILLS, Date.now());
  await db.query("vacuum analyze");
  print(await diskUse(db));
  await db.close();
}

if (values.database) {
  await run(values.database);
} else {
  const folder = mkdtempSync(join(tmpdir(), "hlsync-bench-"));
  const embedded = await openEmbedded(folder, { clock: systemClock, log: silentLog });
  await run(embedded.url);
  await embedded.release();
  rmSync(folder, { recursive: true });
}
