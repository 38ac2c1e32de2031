/** What a history takes on disk: the bytes of a row of each table, indexes inside (the table in BENCHMARKS.md). */
import assert from "node:assert/strict";
import { it } from "node:test";
import { diskUse, writeHistory } from "../../bench/history.ts";
import { startServer } from "../support/postgres.ts";

const FILLS = 6_000;

/** Bytes a row, a tenth above what is measured; of the outbox in all, per fill: it holds the last week only. */
const BYTES_MAX: Readonly<Record<string, number>> = {
  hl_fills: 735,
  hl_order_events: 330,
  hl_orders: 450,
};
const OUTBOX_PER_FILL_MAX = 130;

it("a row takes no more on disk than it should", async (t) => {
  const server = await startServer("real");
  const db = await server.newDatabase();
  await writeHistory(db.store, FILLS, Date.now());
  await db.database.query("vacuum analyze");
  const uses = await diskUse(db.database);
  await db.close();
  await server.stop();
  t.diagnostic(JSON.stringify(uses));
  for (const { table, rows, heap, toast, indexes } of uses) {
    const bytes = heap + toast + indexes;
    if (table === "hl_internal.outbox")
      assert.ok(bytes / FILLS <= OUTBOX_PER_FILL_MAX, `${table}: ${bytes / FILLS}`);
    else assert.ok(bytes / rows <= BYTES_MAX[table]!, `${table}: ${bytes / rows}`);
  }
});
