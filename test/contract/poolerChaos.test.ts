/**
 * Many writers behind PgBouncer while connections break and the server is restarted: nothing lost, nothing doubled. A write
 * that failed is tried again as the engine does it; what became of it before is unknown to the writer.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { StoreError } from "../../src/errors.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { migrate } from "../../src/store/migrate.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { type DatabaseStore, openStore } from "../../src/store/store.ts";
import type { Batch } from "../../src/sync/rows.ts";
import { Cluster } from "../e2e/reliabilityRig.ts";
import { noPooler, startPooler } from "./pgbouncer.ts";
import { ACCOUNT, contentOf, fillOf, OTHER, orderEventOf, positionOf, T } from "./rows.ts";

const WRITERS = 4;
const BATCHES = 24;
const ROWS = 25;
const RETRY_MS = 50;
const TRIES_MAX = 400;

/** Writers overlap: each row is sent by two of them. */
function batchOf(writer: number, round: number): Batch {
  const account = writer % 2 === 0 ? ACCOUNT : OTHER;
  const numbers = Array.from({ length: ROWS }, (_, i) => round * ROWS + i);
  return {
    fills: numbers.map((n) => fillOf({ account, orderId: n % 20, tradeId: n, timeMs: T + n, size: "0.1" })),
    orderEvents: numbers.map((n) => orderEventOf({ account, orderId: n % 20, statusTimeMs: T + (n % 7) })),
    positions: [positionOf({ account, szi: `0.${round + 1}`, asOfMs: T + round })],
  };
}

/** How often it had to be tried again. */
async function persist(store: DatabaseStore, batch: Batch): Promise<number> {
  for (let tries = 0; ; tries++) {
    try {
      await store.apply(batch);
      return tries;
    } catch (error) {
      assert.ok(error instanceof StoreError && error.transient, String(error));
      assert.ok(tries < TRIES_MAX, `no end: ${error.message}`);
      await systemClock.sleep(RETRY_MS);
    }
  }
}

describe("writers behind a pooler, through broken connections and restarts", {
  skip: noPooler,
}, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start();
  });
  after(() => cluster?.close());

  for (const mode of ["transaction", "session"] as const)
    it(`lose and double nothing in ${mode} mode`, async () => {
      const [chaotic, calm] = [await cluster.newDatabase(), await cluster.newDatabase()];
      const pooler = await startPooler(chaotic.url, { mode, poolSize: 8 });
      const url = pooler.urlOf(chaotic.url);
      const direct = openPostgres(calm.url, { maxConnections: 2 });
      const clients = Array.from({ length: WRITERS }, () =>
        openPostgres(url, { maxConnections: 2, connectTimeoutMs: 5_000 }),
      );
      try {
        await migrate(clients[0]!);
        await migrate(direct);
        let written = 0;
        const writing = clients.map(async (client, writer) => {
          let retries = 0;
          for (let round = 0; round < BATCHES; round++) {
            retries += await persist(openStore(client), batchOf(writer, round));
            written += 1;
          }
          return retries;
        });
        /** Half-way through its share, so that each breakage meets writers at work. */
        const at = async (share: number) => {
          while (written < share * WRITERS * BATCHES) await systemClock.sleep(5);
        };
        const breaking = async () => {
          await at(0.1);
          await cluster.disconnectAll(chaotic.name);
          await at(0.3);
          await cluster.stop("immediate");
          await cluster.start();
          await at(0.6);
          await cluster.disconnectAll(chaotic.name);
          await at(0.8);
          await cluster.stop("fast");
          await cluster.start();
        };
        const [retries] = await Promise.all([Promise.all(writing), breaking()]);
        assert.ok(
          retries.some((count) => count > 0),
          "something was broken",
        );

        for (let writer = 0; writer < 2; writer++)
          for (let round = 0; round < BATCHES; round++)
            await persist(openStore(direct), batchOf(writer, round));
        const reader = clients[0]!;
        assert.deepEqual(await contentOf(reader), await contentOf(direct));
        const doubled = await reader.query(
          "select event_key from hl_internal.outbox where type = 'fill.created' group by 1 having count(*) > 1",
        );
        assert.deepEqual(doubled, []);
        const [events] = await reader.query<{ n: number }>(
          "select count(*)::int as n from hl_internal.outbox where type = 'fill.created'",
        );
        assert.equal(events!.n, 2 * BATCHES * ROWS);
        const leases = await Promise.all(
          clients.map((client, i) => openStore(client).takeLeases(["alerts"], `holder ${i}`, 60_000)),
        );
        assert.equal(leases.filter(([lease]) => lease!.token !== null).length, 1);
      } finally {
        for (const client of clients) await client.close();
        await direct.close();
        await pooler.stop();
      }
    });
});
