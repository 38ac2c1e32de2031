/** The same store behind a transaction pooler (PgBouncer), where a session is lost after every statement. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { migrate, pendingMigrations } from "../../src/store/migrate.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { openStore } from "../../src/store/store.ts";
import type { Batch } from "../../src/sync/rows.ts";
import { startServer, temporaryFolder } from "../support/postgres.ts";
import { PATIENCE_MS, untilDespiteErrors } from "../support/until.ts";
import { contentOf, fillOf, orderEventOf, T } from "./rows.ts";

function hasPgbouncer(): boolean {
  try {
    execFileSync("pgbouncer", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Two server connections for all clients, handed out per transaction, without any memory of the client before. */
async function startPooler(target: URL): Promise<{ url: string; stop(): Promise<void> }> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  assert.ok(address !== null && typeof address === "object");
  probe.close();
  await once(probe, "close");
  const folder = temporaryFolder();
  chmodSync(folder.path, 0o755);
  const config = join(folder.path, "pgbouncer.ini");
  const server = `host=${target.hostname} port=${target.port} user=${target.username} password=${target.password}`;
  writeFileSync(
    config,
    `[databases]\n* = ${server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${address.port}\n` +
      "unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\nserver_reset_query_always = 1\n" +
      "server_reset_query = discard all\n",
  );
  const user = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
  const pooler = spawn("pgbouncer", ["-q", ...user, config], { stdio: "ignore" });
  const url = `postgres://anyone@127.0.0.1:${address.port}${target.pathname}`;
  const database = openPostgres(url, { maxConnections: 1, connectTimeoutMs: 1_000 });
  await untilDespiteErrors("the pooler to start", PATIENCE_MS, () => database.query("select 1"));
  await database.close();
  return {
    url,
    async stop() {
      pooler.kill("SIGKILL");
      await once(pooler, "exit");
      folder.remove();
    },
  };
}

const batch = (from: number): Batch => {
  const numbers = Array.from({ length: 30 }, (_, i) => from + i);
  return {
    fills: numbers.map((n) =>
      fillOf({ orderId: n % 5, tradeId: n, timeMs: T + n, size: "0.1", seenAtMs: T + from }),
    ),
    orderEvents: numbers.map((n) => orderEventOf({ orderId: n % 5, statusTimeMs: T + (n % 3) })),
    mids: [{ dex: "", coin: "BTC", mid: "1.0", asOfMs: T + from * 10_000_000 }],
  };
};

describe("behind a transaction pooler", { skip: !hasPgbouncer() && "needs pgbouncer" }, () => {
  it("migrates, writes from many clients at once, and lends leases as on a direct connection", async () => {
    const server = await startServer("embedded");
    const direct = await server.newDatabase();
    const pooled = await server.newDatabase({ migrated: false });
    const pooler = await startPooler(new URL(pooled.url));
    const clients = Array.from({ length: 6 }, () => openPostgres(pooler.url, { maxConnections: 2 }));
    try {
      await Promise.all(clients.slice(0, 3).map((client) => migrate(client)));
      assert.deepEqual(await pendingMigrations(clients[0]!), []);
      const batches = Array.from({ length: 12 }, (_, i) => batch(i * 11));
      await Promise.all(batches.map((b, i) => openStore(clients[i % 6]!).apply(b)));
      for (const b of batches) await direct.store.apply(b);
      assert.deepEqual(await contentOf(pooled.database), await contentOf(direct.database));
      const tokens = await Promise.all(
        clients.map((client, i) => openStore(client).takeLeases(["alerts"], `holder ${i}`, 60_000)),
      );
      assert.deepEqual(
        tokens.flatMap(([lease]) => lease!.token ?? []),
        [1],
      );
    } finally {
      for (const client of clients) await client.close();
      await pooler.stop();
      await pooled.close();
      await direct.close();
      await server.stop();
    }
  });
});
