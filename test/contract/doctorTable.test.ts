/** `doctor` against broken set-ups, each made here: what it finds, that it says what to do, and that no secret comes out. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { doctor } from "../../src/cli/commands/doctor.ts";
import type { OptionName } from "../../src/config.ts";
import { migrate } from "../../src/store/migrate.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { runInProcess } from "../support/inProcess.ts";
import { startServer, type TestDatabase, type TestServer, temporaryFolder } from "../support/postgres.ts";
import { makeProject, makeSupabaseRoles } from "../support/supabase.ts";
import { makeLegacyTables } from "./legacyTables.ts";
import { noPooler, type Pooler, startPooler } from "./pgbouncer.ts";
import { ACCOUNT } from "./rows.ts";

const SECRET = "Tr0ub4dor-horse";
/** No part of it may come out either. */
const PIECES = /Tr0ub4|dor-horse|horse-staple/;

interface Finding {
  check: string;
  status: string;
  says: string;
  why: string | null;
  fix: string | null;
  exit: number;
}

/** What a set-up has to work with. */
interface Bench {
  server: TestServer;
  /** An empty database, made for it. */
  db: TestDatabase;
  /** The same, migrated. */
  ready: TestDatabase;
  role: string;
  folder: string;
  /** The URL of a database with another user and password. */
  as(target: TestDatabase, user: string, password?: string): string;
}

interface Broken {
  name: string;
  /** Breaks it; the URL (or other options) to give to `doctor`. */
  make(bench: Bench): Promise<string | Partial<Record<OptionName, string>>>;
  /** The check that finds it; null where the command refuses before it looks. */
  check: string | null;
  status: "fail" | "warn" | "note";
  exit: number;
  says: RegExp;
  fix: RegExp;
}

const changed = (url: string, change: (url: URL) => void): string => {
  const result = new URL(url);
  change(result);
  return result.href;
};

const BROKEN: Broken[] = [
  {
    name: "nothing listens at the port",
    make: async ({ db }) => changed(db.url, (url) => Object.assign(url, { port: "9", password: SECRET })),
    check: "database",
    status: "fail",
    exit: 6,
    says: /connection refused/,
    fix: /start the server, or correct host and port/,
  },
  {
    name: "the host does not exist",
    make: async ({ db }) =>
      changed(db.url, (url) => Object.assign(url, { hostname: "no-such-host.invalid", password: SECRET })),
    check: "database",
    status: "fail",
    exit: 6,
    says: /no such host|cannot be resolved/,
    fix: /correct the host/,
  },
  {
    name: "the direct host of a Supabase project without IPv6",
    make: async () => `postgres://postgres:${SECRET}@db.abcdefghijklmnopqrst.supabase.co:5432/postgres`,
    check: "database",
    status: "fail",
    exit: 6,
    says: /no such host|cannot be resolved|unreachable/,
    fix: /session pooler.*postgres\.abcdefghijklmnopqrst/,
  },
  {
    name: "the password is wrong",
    make: async ({ db, as, role }) => as(db, role, `${SECRET}-not`),
    check: "database",
    status: "fail",
    exit: 6,
    says: /wrong password/,
    fix: /percent-encode special characters/,
  },
  {
    name: "the database does not exist",
    make: async ({ as, role, db }) =>
      changed(as(db, role), (url) => Object.assign(url, { pathname: "/nowhere" })),
    check: "database",
    status: "fail",
    exit: 6,
    says: /there is no database nowhere/,
    fix: /create database/,
  },
  {
    name: "[YOUR-PASSWORD] was left in",
    make: async () => "postgres://postgres:[YOUR-PASSWORD]@db.example.com:5432/postgres",
    check: null,
    status: "fail",
    exit: 2,
    says: /\[YOUR-PASSWORD\]/,
    fix: /put the password in the place of/,
  },
  {
    name: "the URL lacks its colon",
    make: async () => `postgres//me:${SECRET}@host/db`,
    check: null,
    status: "fail",
    exit: 2,
    says: /expected postgres:\/\//,
    fix: /a URL begins with postgres:\/\//,
  },
  {
    name: "the URL is of another kind of database",
    make: async () => `mysql://me:${SECRET}@host/db`,
    check: null,
    status: "fail",
    exit: 2,
    says: /only PostgreSQL/,
    fix: /expected postgres:\/\//,
  },
  {
    name: "a # in the password is not encoded",
    make: async () => "postgres://me:12#horse-staple@127.0.0.1:9/db",
    check: "database",
    status: "fail",
    exit: 2,
    says: /# .*%23/,
    fix: /percent-encode/,
  },
  {
    name: "a / in the password is not encoded",
    make: async () => "postgres://me:12/horse-staple@127.0.0.1:9/db",
    check: "database",
    status: "fail",
    exit: 2,
    says: /%2F/,
    fix: /percent-encode/,
  },
  {
    name: "a ? in the password is not encoded",
    make: async () => "postgres://me:12?horse-staple@127.0.0.1:9/db",
    check: "database",
    status: "fail",
    exit: 2,
    says: /%3F/,
    fix: /percent-encode/,
  },
  {
    name: "a % in the password is not encoded",
    make: async () => `postgres://me:100%zz${SECRET}@127.0.0.1:9/db`,
    check: "database",
    status: "fail",
    exit: 2,
    says: /cannot be read/,
    fix: /percent-encode/,
  },
  {
    name: "sslmode is no mode",
    make: async ({ db }) => changed(db.url, (url) => Object.assign(url, { search: "?sslmode=yes" })),
    check: "database",
    status: "fail",
    exit: 2,
    says: /unknown sslmode "yes"/,
    fix: /require, verify-ca or verify-full/,
  },
  {
    name: "the root certificate is not there",
    make: async ({ db, folder }) =>
      changed(db.url, (url) =>
        Object.assign(url, { search: `?sslmode=verify-full&sslrootcert=${folder}/absent.crt` }),
      ),
    check: "database",
    status: "fail",
    exit: 2,
    says: /cannot read sslrootcert/,
    fix: /sslrootcert/,
  },
  {
    name: "the server offers no TLS",
    make: async ({ db }) => changed(db.url, (url) => Object.assign(url, { search: "?sslmode=require" })),
    check: "database",
    status: "fail",
    exit: 6,
    says: /does not offer TLS/,
    fix: /sslmode=disable/,
  },
  {
    name: "the role may make nothing",
    make: async ({ db, as, role }) => as(db, role),
    check: "grants",
    status: "fail",
    exit: 3,
    says: /may not make schemas or tables in schema public/,
    fix: /grant create on database/,
  },
  {
    name: "a role may not write a table of another schema",
    async make({ db, role, as }) {
      const there = openPostgres(db.url, { schema: "trading" });
      await migrate(there);
      await there.close();
      await db.database.query(
        `grant usage on schema hl_internal, trading to ${role}; grant all on all tables in schema hl_internal, trading to ${role};
         grant all on all sequences in schema hl_internal to ${role}; grant execute on all functions in schema hl_internal to ${role};
         revoke insert on trading.hl_fills from ${role}`,
      );
      return { database: as(db, role), schema: "trading" };
    },
    check: "grants",
    status: "fail",
    exit: 6,
    says: /may not use 1 of \d+ tables and views/,
    fix: /on schema "trading", hl_internal to .* on "trading"\.hl_fills to/,
  },
  {
    name: "the role may not use what is there",
    make: async ({ ready, as, role }) => as(ready, role),
    check: "grants",
    status: "fail",
    exit: 6,
    says: /may not use/,
    fix: /grant usage on schema public, hl_internal/,
  },
  {
    name: "row level security holds the role back",
    async make({ ready, as, role }) {
      await ready.database.query(
        `grant usage on schema public, hl_internal to ${role}; grant all on all tables in schema public, hl_internal to ${role};
         grant execute on all functions in schema hl_internal to ${role};
         grant usage on all sequences in schema hl_internal to ${role}; grant authenticated to ${role} with inherit true`,
      );
      return as(ready, role);
    },
    check: "grants",
    status: "fail",
    exit: 6,
    says: /row level security holds .* back/,
    fix: /bypassrls; or use the role that owns/,
  },
  {
    name: "the database is read-only",
    async make({ ready, server }) {
      const name = new URL(ready.url).pathname.slice(1);
      await server.admin.query(`alter database ${name} set default_transaction_read_only = on`);
      return ready.url;
    },
    check: "writable",
    status: "fail",
    exit: 6,
    says: /read-only by default/,
    fix: /set default_transaction_read_only = off/,
  },
  {
    name: "the schema is of a newer version",
    async make({ ready }) {
      await ready.database.query(
        "insert into hl_internal.migrations (id, name, checksum) values (9999, '9999_future.sql', 'x')",
      );
      return ready.url;
    },
    check: "migrations",
    status: "fail",
    exit: 3,
    says: /9999_future\.sql/,
    fix: /newer/,
  },
  {
    name: "an applied migration had other content",
    async make({ ready }) {
      await ready.database.query("update hl_internal.migrations set checksum = 'x' where id = 2");
      return ready.url;
    },
    check: "migrations",
    status: "fail",
    exit: 3,
    says: /with other content/,
    fix: /version of hlsync that made it/,
  },
  {
    name: "migrations are pending and the tables are another role's",
    async make({ ready, as, role }) {
      await ready.database.query(
        `update hl_internal.definitions set checksum = 'x'; grant usage on schema hl_internal to ${role};
         grant select on all tables in schema hl_internal to ${role}`,
      );
      return as(ready, role);
    },
    check: "migrations",
    status: "fail",
    exit: 3,
    says: /pending/,
    fix: /URL of the owning role/,
  },
  {
    name: "tables of an older program stand in the way",
    async make({ db }) {
      await makeLegacyTables(db.database, "text");
      return db.url;
    },
    check: "migrations",
    status: "fail",
    exit: 3,
    says: /public\.hl_fills.* of another program/,
    fix: /hlsync import-legacy/,
  },
  {
    name: "a view of the user stands in the way",
    async make({ db }) {
      await db.database.query("create view public.hl_equity as select 1 as mine");
      return db.url;
    },
    check: "migrations",
    status: "fail",
    exit: 3,
    says: /public\.hl_equity, not made by hlsync/,
    fix: /rename to/,
  },
  {
    name: "a table is open to the world",
    async make({ ready }) {
      await makeProject(ready.database, "new");
      await ready.database.query("grant select on public.hl_fills to anon");
      return ready.url;
    },
    check: "access",
    status: "fail",
    exit: 2,
    says: /anon may select public\.hl_fills/,
    fix: /hlsync access off/,
  },
  {
    name: "a policy was altered, and a view runs with its owner's rights",
    async make({ ready }) {
      await makeProject(ready.database, "old");
      await ready.database.query("select hl_internal.set_access('members')");
      await ready.database.query(
        "alter policy hlsync_read on public.hl_orders using (true); alter view public.hl_round_trips reset (security_invoker)",
      );
      return ready.url;
    },
    check: "access",
    status: "fail",
    exit: 2,
    says: /2 objects are open beyond the preset members: authenticated may see rows past .* public\.hl_orders/,
    fix: /hlsync access members/,
  },
  {
    name: "the role of signed-in users acts as the owner",
    async make({ ready, server, role }) {
      await makeProject(ready.database, "new");
      await server.admin.query(
        `alter role ${role} superuser; grant ${role} to authenticated with inherit true`,
      );
      const name = new URL(ready.url).pathname.slice(1);
      await server.admin.query(`alter database ${name} owner to ${role}`);
      await ready.database.query(
        `do $$ declare r record; begin for r in select w.name from hl_internal.wanted_access() w where w.is_table and not w.is_part
         loop execute format('alter table %s owner to ${role}', r.name); end loop; end $$`,
      );
      return ready.url;
    },
    check: "access",
    status: "fail",
    exit: 2,
    says: /authenticated may act as role broken_/,
    fix: /revoke "broken_\w+" from "authenticated"; then hlsync access off/,
  },
  {
    name: "somebody dropped a table",
    async make({ ready }) {
      await ready.database.query("drop table public.hl_positions cascade");
      return ready.url;
    },
    check: "objects",
    status: "fail",
    exit: 3,
    says: /missing: table public\.hl_positions and \d+ more/,
    fix: /pg_restore --table=hl_positions/,
  },
  {
    name: "somebody dropped a function that others rest on",
    async make({ ready }) {
      await ready.database.query("drop function hl_internal.ledger_effect cascade");
      return ready.url;
    },
    check: "objects",
    status: "fail",
    exit: 3,
    says: /missing: function hl_internal\.ledger_\w+ and \d+ more/,
    fix: /delete from hl_internal\.definitions; then hlsync migrate/,
  },
  {
    name: "statements of the database end after a moment",
    async make({ ready, server }) {
      await server.admin.query(
        `alter database ${new URL(ready.url).pathname.slice(1)} set statement_timeout = '3s'`,
      );
      return ready.url;
    },
    check: "settings",
    status: "warn",
    exit: 0,
    says: /statement_timeout is 3000 ms/,
    fix: /alter role .* reset statement_timeout/,
  },
  {
    name: "transactions of the database are serializable",
    async make({ ready, server }) {
      await server.admin.query(
        `alter database ${new URL(ready.url).pathname.slice(1)} set default_transaction_isolation = serializable`,
      );
      return ready.url;
    },
    check: "settings",
    status: "warn",
    exit: 0,
    says: /default_transaction_isolation is serializable/,
    fix: /reset default_transaction_isolation/,
  },
  {
    name: "the database takes no connections",
    async make({ ready, server, as, role }) {
      await server.admin.query(
        `alter database ${new URL(ready.url).pathname.slice(1)} allow_connections false`,
      );
      return as(ready, role);
    },
    check: "database",
    status: "fail",
    exit: 6,
    says: /not currently accepting connections/,
    fix: /./,
  },
  {
    name: "the root certificate is no certificate",
    async make({ db, folder }) {
      writeFileSync(join(folder, "not.crt"), `password ${SECRET}`);
      return changed(db.url, (url) =>
        Object.assign(url, { search: `?sslmode=verify-full&sslrootcert=${folder}/not.crt` }),
      );
    },
    check: "database",
    status: "fail",
    exit: 2,
    says: /sslrootcert .*not\.crt .* is not in PEM format/,
    fix: /sslrootcert/,
  },
  {
    name: "a host was given without the rest",
    make: async () => "aws-0-eu-west-1.pooler.supabase.com:6543/postgres",
    check: null,
    status: "fail",
    exit: 2,
    says: /a host alone is none/,
    fix: /postgres:\/\//,
  },
  {
    name: "the database has no UTF-8",
    async make({ server, db }) {
      const name = `${new URL(db.url).pathname.slice(1)}_ascii`;
      await server.admin.query(
        `create database ${name} encoding 'SQL_ASCII' locale_provider libc lc_collate 'C' lc_ctype 'C' template template0`,
      );
      return changed(db.url, (url) => Object.assign(url, { pathname: `/${name}` }));
    },
    check: "version",
    status: "warn",
    exit: 0,
    says: /encoding SQL_ASCII/,
    fix: /encoding 'UTF8'/,
  },
  {
    name: "the role may open one connection only",
    async make({ server, ready, as, role }) {
      await server.admin.query(`alter role ${role} connection limit 1`);
      await ready.database.query(`grant usage on schema hl_internal to ${role}`);
      return as(ready, role);
    },
    check: "pooler",
    status: "warn",
    exit: 6,
    says: /a second connection cannot be had/,
    fix: /alter role … connection limit/,
  },
  {
    name: "an alert channel cannot be read",
    make: async ({ ready }) => ({ database: ready.url, alertTo: `nowhere://${SECRET}` }),
    check: "alerts",
    status: "fail",
    exit: 2,
    says: /./,
    fix: /./,
  },
  {
    name: "the folder of the embedded database is a file",
    async make({ folder }) {
      writeFileSync(join(folder, "file"), "x");
      return join(folder, "file");
    },
    check: "database",
    status: "fail",
    exit: 2,
    says: /file/,
    fix: /./,
  },
];

describe("doctor on a broken set-up", () => {
  const folder = temporaryFolder();
  let server: TestServer;
  /** A port that answers every request to the venue at once, with nothing. */
  let venue: Server;
  let apiUrl: string;
  before(async () => {
    // Its own: roles of other tests on a shared server would be findings.
    server = await startServer("embedded");
    await makeSupabaseRoles(server.admin);
    venue = createServer((socket) => {
      socket.on("error", () => {});
      socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    });
    await new Promise<void>((resolve) => venue.listen(0, "127.0.0.1", resolve));
    apiUrl = `http://127.0.0.1:${(venue.address() as { port: number }).port}`;
  });
  after(async () => {
    venue.close();
    await server?.stop();
    folder.remove();
  });

  async function examine(given: string | Partial<Record<OptionName, string>>) {
    const flags = typeof given === "string" ? { database: given } : given;
    const { code, lines, error } = await runInProcess(doctor, {
      apiUrl,
      account: ACCOUNT,
      json: "true",
      ...flags,
    });
    assert.doesNotMatch(lines.join("\n") + error, PIECES);
    const findings = lines
      .map((line) => JSON.parse(line) as Finding & { type: string })
      .filter(({ type }) => type === "check");
    return { code, error, findings };
  }

  it("is tried with twenty of them at least", () => assert.ok(BROKEN.length >= 20));

  for (const [index, { name, make, check, status, exit, says, fix }] of BROKEN.entries())
    it(`where ${name}`, async () => {
      const role = `broken_${process.pid}_${index}`;
      await server.admin.query(`create role ${role} login password '${SECRET}'`);
      const [db, ready] = [await server.newDatabase({ migrated: false }), await server.newDatabase()];
      const as = (target: TestDatabase, user: string, password = SECRET) =>
        changed(target.url, (url) => Object.assign(url, { username: user, password }));
      try {
        const { code, error, findings } = await examine(
          await make({ server, db, ready, role, folder: folder.path, as }),
        );
        if (check === null) {
          assert.equal(code, exit);
          assert.match(error, says);
          assert.match(error, fix);
          return;
        }
        const found = findings.find((one) => one.check === check && one.status === status);
        assert.ok(
          found,
          JSON.stringify(
            findings.filter((one) => one.status !== "ok"),
            null,
            1,
          ),
        );
        assert.match(found.says, says);
        assert.match(found.fix!, fix);
        assert.ok(found.why);
        assert.equal(found.exit, status === "fail" ? exit : 0);
      } finally {
        await db.close();
        await ready.close();
        await server.admin.query(`drop role ${role}`);
      }
    });

  it("where the password or the name is wrong behind a pooler", { skip: noPooler }, async () => {
    const db = await server.newDatabase();
    const pooler: Pooler = await startPooler(db.url, { mode: "transaction", poolSize: 2 });
    try {
      for (const url of [
        changed(pooler.urlOf(db.url), (one) => Object.assign(one, { password: SECRET })),
        changed(pooler.urlOf(db.url), (one) => Object.assign(one, { pathname: "/nowhere" })),
      ]) {
        const { findings } = await examine(url);
        const found = findings.find((one) => one.check === "database")!;
        assert.equal(found.status, "fail");
        assert.match(found.says + found.fix, /password|database/);
        assert.match(found.fix!, /correct|create|check/i);
      }
    } finally {
      await pooler.stop();
      await db.close();
    }
  });
});
