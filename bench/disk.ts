import { parseArgs } from "node:util";
import { migrate } from "../src/store/migrate.ts";
import { openPostgres } from "../src/store/postgres.ts";
import { openStore } from "../src/store/store.ts";
import { onDatabase } from "./database.ts";
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

await onDatabase(values.database, run);
