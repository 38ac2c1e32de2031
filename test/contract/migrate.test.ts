import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { MigrationError } from "../../src/errors.ts";
import { knownMigrations, migrate, pendingMigrations, printMigrations } from "../../src/store/migrate.ts";
import { startServer, type TestServer } from "../support/postgres.ts";
import { fillOf } from "./rows.ts";

for (const kind of ["embedded", "real"] as const) {
  describe(`migrations on the ${kind} server`, () => {
    let server: TestServer;
    before(async () => {
      server = await startServer(kind);
    });
    after(() => server?.stop());
    const names = knownMigrations().map((m) => m.name);

    it("are all pending on an empty database and none afterwards", async () => {
      const db = await server.newDatabase({ migrated: false });
      assert.deepEqual(
        (await pendingMigrations(db.database)).map((m) => m.name),
        names,
      );
      assert.deepEqual(await migrate(db.database), names);
      assert.deepEqual(await pendingMigrations(db.database), []);
      assert.deepEqual(await migrate(db.database), []);
      await db.close();
    });

    it("are applied once when several programs start together", async () => {
      const db = await server.newDatabase({ migrated: false, maxConnections: 5 });
      const done = await Promise.all(Array.from({ length: 5 }, () => migrate(db.database)));
      assert.deepEqual(done.flat().sort(), names);
      await db.store.apply({ fills: [fillOf()] });
      await db.close();
    });

    it("leave nothing behind when one of them fails", async () => {
      const db = await server.newDatabase({ migrated: false });
      // Takes the name of a table of the first migration.
      await db.database.query("create table public.hl_orders (id integer)");
      await assert.rejects(migrate(db.database), /hl_orders/);
      const [row] = await db.database.query("select to_regclass('public.hl_fills') as fills");
      assert.equal(row?.fills, null);
      await db.database.query("drop table public.hl_orders");
      assert.deepEqual(await migrate(db.database), names);
      await db.close();
    });

    it("are refused on a schema that is newer than the program", async () => {
      const db = await server.newDatabase();
      await db.database.query(
        "insert into hl_internal.migrations (id, name, checksum) values (9999, '9999_future.sql', 'x')",
      );
      await assert.rejects(migrate(db.database), (error: unknown) => {
        assert.ok(error instanceof MigrationError);
        assert.match(error.message, /9999_future\.sql.*upgrade hlsync/);
        return true;
      });
      await db.close();
    });

    it("are refused when an applied one had other content", async () => {
      const db = await server.newDatabase();
      await db.database.query("update hl_internal.migrations set checksum = 'x' where id = 2");
      await assert.rejects(pendingMigrations(db.database), /0002_.* was applied .* with other content/);
      await db.close();
    });

    it("can be printed as one script, after which nothing is pending", async () => {
      const db = await server.newDatabase({ migrated: false });
      await db.database.query(printMigrations());
      assert.deepEqual(await pendingMigrations(db.database), []);
      await db.store.apply({ fills: [fillOf()] });
      await db.close();
    });
  });
}
