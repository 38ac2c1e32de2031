import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { MigrationError } from "../../src/errors.ts";
import { knownDefinitions } from "../../src/store/definitions.ts";
import {
  allMigrations,
  knownMigrations,
  migrate,
  pendingMigrations,
  printMigrations,
} from "../../src/store/migrate.ts";
import { startServer, type TestServer } from "../support/postgres.ts";
import { schemaText } from "../support/schema.ts";
import { fillOf } from "./rows.ts";

/** How the last migration is taken back, with what rests on it. */
const UNDONE: Readonly<Record<string, string>> = {
  "0027_plain_events.sql": "alter table hl_internal.outbox alter column data type jsonb using data::jsonb",
  "0028_roster_subs.sql": "alter table hl_internal.roster drop column with_subs",
  "0029_settled_trades.sql":
    "drop table hl_internal.settled_trades cascade; alter table hl_internal.settled_days drop column trip_direction cascade",
};

for (const kind of ["embedded", "real"] as const) {
  describe(`migrations on the ${kind} server`, () => {
    let server: TestServer;
    before(async () => {
      server = await startServer(kind);
    });
    after(() => server?.stop());
    const names = allMigrations();

    it("are all pending on an empty database and none afterwards", async () => {
      const db = await server.newDatabase({ migrated: false });
      assert.deepEqual(await pendingMigrations(db.database), names);
      assert.deepEqual(names, [...knownMigrations().map((m) => m.name), "sql/"]);
      assert.deepEqual(await migrate(db.database), names);
      assert.deepEqual(await pendingMigrations(db.database), []);
      assert.deepEqual(await migrate(db.database), []);
      await db.close();
    });

    it("are applied once when several programs start together", async () => {
      const db = await server.newDatabase({ migrated: false, maxConnections: 5 });
      const done = await Promise.all(Array.from({ length: 5 }, () => migrate(db.database)));
      assert.deepEqual(done.flat().sort(), [...names].sort());
      await db.store.apply({ fills: [fillOf()] });
      await db.close();
    });

    it("leave nothing behind when one of them fails", async () => {
      const db = await server.newDatabase({ migrated: false });
      // Has the name of a function with another result: every table is made before it.
      const name = "public.hl_equity_since(followed text, since timestamptz)";
      await db.database.query(`create function ${name} returns integer language sql return 1`);
      await assert.rejects(migrate(db.database), /cannot change return type/);
      const [row] = await db.database.query(
        "select to_regclass('public.hl_fills') as fills, to_regnamespace('hl_internal') as internal",
      );
      assert.deepEqual(row, { fills: null, internal: null });
      await db.database.query("drop function public.hl_equity_since");
      assert.deepEqual(await migrate(db.database), names);
      await db.close();
    });

    it("overwrite nothing: what has a name of theirs and is not ours is named, with what to do", async () => {
      const db = await server.newDatabase({ migrated: false });
      for (const [made, says] of [
        [
          "table public.hl_fills (id integer)",
          /hl_fills of another program: hlsync import-legacy moves it aside/,
        ],
        ["table public.hl_funding (id integer)", /hl_funding, not made by hlsync: rename or drop that first/],
        ["view public.hl_exposure as select 1 as id", /hl_exposure, not made by hlsync/],
        ["view public.hl_fills_text as select 1 as id", /hl_fills_text, not made by hlsync/],
        ["sequence public.hl_orders", /hl_orders, not made by hlsync/],
      ] as const) {
        await db.database.query(`create ${made}`);
        await assert.rejects(migrate(db.database), (error: unknown) => {
          assert.ok(error instanceof MigrationError);
          assert.match(error.message, says);
          return true;
        });
        await db.database.query(`drop ${made.replace(/ (as|\().*/, "")}`);
      }
      assert.deepEqual(await migrate(db.database), names);
      await db.close();
    });

    it("are refused on a schema with a breaking one that the program does not know", async () => {
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

    it("go on beside one that is not breaking, and leave the definitions of the newer program alone", async () => {
      const db = await server.newDatabase();
      await db.database.query(
        `insert into hl_internal.migrations (id, name, checksum, breaking) values (9999, '9999_future.sql', 'x', false);
         update hl_internal.definitions set checksum = 'of a newer program'`,
      );
      assert.deepEqual(await pendingMigrations(db.database), []);
      assert.deepEqual(await migrate(db.database), []);
      await db.store.apply({ fills: [fillOf()] });
      await db.close();
    });

    it("record which of them are breaking", async () => {
      const db = await server.newDatabase();
      assert.deepEqual(
        await db.database.query("select name, breaking from hl_internal.migrations order by id"),
        knownMigrations().map(({ name, breaking }) => ({ name, breaking })),
      );
      await db.close();
    });

    it("are refused when an applied one had other content", async () => {
      const db = await server.newDatabase();
      await db.database.query("update hl_internal.migrations set checksum = 'x' where id = 2");
      await assert.rejects(pendingMigrations(db.database), /0002_.* was applied .* with other content/);
      await db.close();
    });

    it("are refused on a database of the time before the first release", async () => {
      const db = await server.newDatabase({ migrated: false });
      await db.database.query(
        `create schema hl_internal;
         create table hl_internal.migrations (id integer primary key, name text not null, checksum text not null,
           applied_at timestamptz not null default now());
         insert into hl_internal.migrations (id, name, checksum) values (1, '0001_account_tables.sql', 'x')`,
      );
      for (const attempt of [migrate, pendingMigrations])
        await assert.rejects(attempt(db.database), (error: unknown) => {
          assert.ok(error instanceof MigrationError);
          assert.match(error.message, /never released: start with a new database$/);
          return true;
        });
      await db.close();
    });

    it("can be printed as one script, after which nothing is pending", async () => {
      const db = await server.newDatabase({ migrated: false });
      await db.database.query(printMigrations());
      assert.deepEqual(await pendingMigrations(db.database), []);
      await db.store.apply({ fills: [fillOf()] });
      await db.close();
    });

    it("need no right to create schemas where hl_internal is there", async () => {
      const db = await server.newDatabase({ migrated: false });
      const role = `hlsync_owner_${process.pid}`;
      await db.database.query(
        `create role ${role}; create schema hl_internal authorization ${role}; grant create on schema public to ${role}`,
      );
      try {
        await db.database.query(`begin; set local role ${role}; ${printMigrations().slice("begin;".length)}`);
        assert.deepEqual(await pendingMigrations(db.database), []);
      } finally {
        await db.close();
        await server.admin.query(`drop role ${role}`);
      }
    });
  });

  describe(`definitions on the ${kind} server`, () => {
    let server: TestServer;
    before(async () => {
      server = await startServer(kind);
    });
    after(() => server?.stop());

    it("are applied again when they changed, and give the same schema", async () => {
      const db = await server.newDatabase();
      const whole = () => schemaText(db.database, { bodies: true });
      const fresh = await whole();
      await db.database.query(
        `update hl_internal.definitions set checksum = 'before';
         create or replace view public.hl_coverage as select null::text as account_address, null::text as stream,
           null::text as grade, null::text as reason, null::bigint as from_ms, null::bigint as to_ms,
           null::timestamptz as from_time, null::timestamptz as to_time;
         create or replace function hl_internal.order_status(venue_status text) returns text language sql immutable return 'x';
         drop trigger follow_updated on public.hl_ledger; drop function hl_internal.doubt`,
      );
      assert.notEqual(await whole(), fresh);
      assert.deepEqual(await pendingMigrations(db.database), ["sql/"]);
      assert.deepEqual(await migrate(db.database), ["sql/"]);
      assert.equal(await whole(), fresh);
      assert.deepEqual(await pendingMigrations(db.database), []);
      await db.close();
    });

    it("are applied again after a migration, although they did not change", async () => {
      const db = await server.newDatabase();
      const last = knownMigrations().at(-1)!;
      const undo = UNDONE[last.name];
      assert.ok(undo !== undefined, `say here how ${last.name} is undone`);
      await db.database.query(`${undo}; delete from hl_internal.migrations where id = ${last.id}`);
      assert.deepEqual(await migrate(db.database), [last.name, "sql/"]);
      assert.deepEqual(await db.database.query("select checksum from hl_internal.definitions"), [
        { checksum: knownDefinitions().checksum },
      ]);
      await db.store.apply({ fills: [fillOf()] });
      await db.close();
    });

    it("are applied once when several programs bring new ones together", async () => {
      const db = await server.newDatabase({ maxConnections: 4 });
      await db.database.query("update hl_internal.definitions set checksum = 'before'");
      const done = await Promise.all(Array.from({ length: 4 }, () => migrate(db.database)));
      assert.deepEqual(done.flat(), ["sql/"]);
      await db.close();
    });

    it("of a newer program stay as they are", async () => {
      const db = await server.newDatabase();
      for (const [version, pending] of [
        ["999.0.0", []],
        ["0.1.1-beta.1", []],
        ["0.0.9", ["sql/"]],
        ["0.1.0-beta.9", ["sql/"]],
      ] as const) {
        await db.database.query(
          `update hl_internal.definitions set checksum = 'other', version = '${version}'`,
        );
        assert.deepEqual(await pendingMigrations(db.database), pending, version);
      }
      await db.close();
    });

    it("leave a view of the user alone, though it is called like ours", async () => {
      const db = await server.newDatabase();
      await db.database.query(
        `create view public.hl_mine as select coin, size::text from public.hl_fills_text;
         update hl_internal.definitions set checksum = 'before'`,
      );
      await migrate(db.database);
      assert.deepEqual(await db.database.query("select reloptions from pg_class where relname = 'hl_mine'"), [
        { reloptions: null },
      ]);
      await db.close();
    });
  });
}
