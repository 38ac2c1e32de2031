/**
 * Nothing depends on `search_path`: not with none at all, and not with a schema in front in which every name of ours, and a
 * better fitting overload of what is called, is a trap. A role that owns its schema and little else is enough.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import type { Command } from "../../src/cli/command.ts";
import { access, members, realtime } from "../../src/cli/commands/access.ts";
import { alerts } from "../../src/cli/commands/alerts.ts";
import { doctor } from "../../src/cli/commands/doctor.ts";
import { health } from "../../src/cli/commands/health.ts";
import { importLegacy } from "../../src/cli/commands/importLegacy.ts";
import { migrate as migrateCommand } from "../../src/cli/commands/migrate.ts";
import { quarantine } from "../../src/cli/commands/quarantine.ts";
import { status } from "../../src/cli/commands/status.ts";
import { sync } from "../../src/cli/commands/sync.ts";
import { uninstall } from "../../src/cli/commands/uninstall.ts";
import { verify } from "../../src/cli/commands/verify.ts";
import { webhooks } from "../../src/cli/commands/webhooks.ts";
import type { OptionName } from "../../src/config.ts";
import { EXPORTS, exportedColumns, exportedRows } from "../../src/outputs/exports.ts";
import * as reads from "../../src/outputs/http/reads.ts";
import { readOutputFigures } from "../../src/outputs/observation/outputFigures.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { openStore } from "../../src/store/store.ts";
import { type Running, simulate } from "../support/cli.ts";
import { runInProcess } from "../support/inProcess.ts";
import type { TestServer } from "../support/postgres.ts";
import { MEMBER, makeProject, startProjectServer } from "../support/supabase.ts";
import {
  ACCOUNT,
  balanceOf,
  contentOf,
  dashboardOf,
  fillOf,
  fundingOf,
  ledgerOf,
  orderEventOf,
  positionOf,
  T,
} from "./rows.ts";

const DAY_MS = 86_400_000;
const batch = {
  fills: [fillOf(), fillOf({ tradeId: 2, timeMs: T + 5, startPosition: "0.5" })],
  orderEvents: [orderEventOf()],
  positions: [positionOf()],
  balances: [balanceOf()],
  funding: [fundingOf()],
  ledger: [ledgerOf()],
  dashboard: [dashboardOf()],
  coverage: [
    {
      account: ACCOUNT,
      stream: "fills" as const,
      grade: "proven" as const,
      fromMs: T,
      toMs: T + 9,
      reason: null,
    },
  ],
  mids: [{ dex: "", coin: "BTC", mid: "83000.5", asOfMs: T }],
};

/** In front of everything: functions that would fit better than the server's own. Relations of every name of ours follow. */
const HOSTILE = `
  create schema hostile;
  create function hostile.to_timestamp(numeric) returns timestamptz language plpgsql as $$ begin raise exception 'trap'; end $$;
  create function hostile.to_timestamp(bigint) returns timestamptz language plpgsql as $$ begin raise exception 'trap'; end $$;
  create function hostile.uid() returns uuid language plpgsql as $$ begin raise exception 'trap'; end $$;`;
const NAMES = `select distinct c.relname as name from pg_class c where c.relkind in ('r', 'p', 'v')
  and c.relnamespace in ('public'::regnamespace, 'hl_internal'::regnamespace)`;

describe("statements", () => {
  let server: TestServer;
  let exchange: Running & { apiUrl: string };
  before(async () => {
    // Its own: it makes the roles of a Supabase project.
    server = await startProjectServer();
    exchange = await simulate("--weight", "100000");
  });
  after(async () => {
    await exchange?.stop();
    await server?.stop();
  });

  it("name the schema of every relation", () => {
    const bare = globSync(["src/**/*.ts", "sql/**/*.sql", "migrations/*.sql"]).filter(
      (path) => !path.endsWith("schema.sql"),
    );
    const found = bare.flatMap((path) =>
      readFileSync(path, "utf8")
        .split("\n")
        .filter((line) =>
          /\b(from|join|into|update|table|truncate)\s+(only\s+)?hl_(?!internal\b)[a-z]/i.test(line),
        )
        // What people are shown to type, and to read.
        .filter((line) => !/psql '|^comment on/.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    );
    assert.deepEqual(found, []);
  });

  /** Every command that reads or changes the database, with what it is called with. */
  async function runAll(url: string, schema = "public"): Promise<void> {
    const calls: [Command, Partial<Record<OptionName, string>>, string[], number[]][] = [
      [migrateCommand, {}, [], [0]],
      [migrateCommand, { check: "true" }, [], [0]],
      [importLegacy, {}, [], [0]],
      [status, {}, [], [0]],
      [health, {}, [], [0, 4, 5]],
      [alerts, {}, ["list"], [0]],
      [webhooks, {}, ["list"], [0]],
      [quarantine, {}, ["list"], [0]],
      [access, {}, ["members"], [0]],
      [access, {}, [], [0]],
      [members, {}, ["add", MEMBER, ACCOUNT], [0]],
      [members, {}, ["list"], [0]],
      [realtime, {}, ["on"], [0]],
      [realtime, {}, ["off"], [0]],
      [sync, { once: "true", account: ACCOUNT, apiUrl: exchange.apiUrl }, [], [0]],
      [verify, { account: ACCOUNT, apiUrl: exchange.apiUrl }, [], [0, 4]],
    ];
    for (const [command, flags, args, codes] of calls) {
      const { code, error } = await runInProcess(command, { database: url, schema, ...flags }, args);
      assert.ok(codes.includes(code), `${command.name} ${args.join(" ")}: ${code} ${error}`);
      assert.doesNotMatch(error, /does not exist|trap/, command.name);
    }
    const { lines } = await runInProcess(doctor, {
      database: url,
      schema,
      account: ACCOUNT,
      apiUrl: exchange.apiUrl,
      json: "true",
    });
    const bad = lines
      .map((line) => JSON.parse(line))
      .filter(({ status: found, check }) => found === "fail" && check !== "account");
    assert.deepEqual(bad, []);
  }

  async function readAll(url: string, schema = "public"): Promise<void> {
    const db = openPostgres(url, { maxConnections: 2, schema });
    try {
      const page = {
        fromMs: 0,
        toMs: T + DAY_MS,
        limit: 10,
        before: null,
        filters: {},
      } as unknown as Parameters<typeof reads.readDrift>[2];
      await reads.readOpenOrders(db, ACCOUNT);
      await reads.readPositions(db, ACCOUNT);
      await reads.readBalances(db, ACCOUNT);
      await reads.readOverview(db, ACCOUNT, T + 1_000);
      await reads.readDrawdown(db, ACCOUNT);
      await reads.readFlows(db, ACCOUNT, 0, T);
      await reads.readStatistics(db, ACCOUNT);
      await reads.readCoverage(db, ACCOUNT);
      await reads.readDrift(db, ACCOUNT, page);
      await reads.readLatency(db, 0);
      await reads.readAccounts(db);
      await reads.readDeliveries(db, page);
      await reads.readAlerts(db, ACCOUNT, page);
      await readOutputFigures(db, 0);
      for (const table of Object.keys(EXPORTS)) {
        const columns = await exportedColumns(db, table);
        for await (const rows of exportedRows(db, table, columns, ACCOUNT, null)) assert.ok(rows.length > 0);
      }
      const store = openStore(db);
      assert.ok((await store.counts()).find(({ table }) => table === "hl_fills")!.rows >= 2);
      await store.prune(
        { outboxDays: 1_000, quarantineDays: 1_000, marketDays: 100_000, snapshotDays: 1e5 },
        T,
      );
      await store.takeLeases(["alerts"], "me", 1_000);
      await store.moneyTie(ACCOUNT);
      await store.drawdownPct(ACCOUNT, 0);
    } finally {
      await db.close();
    }
  }

  for (const [name, path] of Object.entries({ none: "''", "a hostile schema": "hostile, public" }))
    it(`do the same with ${name} in search_path`, async () => {
      const [db, plain] = [await server.newDatabase({ migrated: false }), await server.newDatabase()];
      await makeProject(db.database, "old");
      await db.database.query(HOSTILE);
      for (const { name: trap } of await plain.database.query<{ name: string }>(NAMES))
        await db.database.query(`create table hostile."${trap}" (trap integer not null)`);
      await server.admin.query(
        `alter database ${new URL(db.url).pathname.slice(1)} set search_path = ${path}`,
      );
      const bent = openPostgres(db.url, { maxConnections: 2 });
      try {
        assert.equal((await runInProcess(migrateCommand, { database: db.url })).code, 0);
        await openStore(bent).openAccount(ACCOUNT, null, T - DAY_MS);
        await openStore(bent).apply(batch);
        await openStore(plain.database).openAccount(ACCOUNT, null, T - DAY_MS);
        await openStore(plain.database).apply(batch);
        assert.deepEqual(await contentOf(bent), await contentOf(plain.database));
        await readAll(db.url);
        await runAll(db.url);
        assert.equal((await runInProcess(uninstall, { database: db.url, yes: "true" })).code, 0);
        const left = await bent.query(
          "select c.relname from pg_catalog.pg_class c where c.relnamespace = 'public'::regnamespace and c.relname ~ '^hl_'",
        );
        assert.deepEqual(left, []);
      } finally {
        await bent.close();
        for (const one of [db, plain]) await one.close();
      }
    });

  it("do the same in another schema, and leave public alone", async () => {
    const [db, plain] = [await server.newDatabase({ migrated: false }), await server.newDatabase()];
    await makeProject(db.database, "old");
    await db.database.query(
      "create table public.hl_fills (mine text); insert into public.hl_fills values ('mine')",
    );
    const schema = "user";
    const elsewhere = openPostgres(db.url, { maxConnections: 2, schema });
    try {
      const migrated = await runInProcess(migrateCommand, { database: db.url, schema });
      assert.equal(migrated.code, 0, migrated.error);
      for (const store of [openStore(elsewhere), plain.store]) {
        await store.openAccount(ACCOUNT, null, T - DAY_MS);
        await store.apply(batch);
      }
      assert.deepEqual(await contentOf(elsewhere), await contentOf(plain.database));
      await readAll(db.url, schema);
      await runAll(db.url, schema);
      const other = await runInProcess(status, { database: db.url });
      assert.equal(other.code, 3);
      assert.match(other.error, /are in schema user of .*: --schema user/);
      const open = await db.database.query("select * from hl_internal.open_beyond_access()");
      assert.deepEqual(open, []);
      assert.equal((await runInProcess(uninstall, { database: db.url, schema, yes: "true" })).code, 0);
      const left = await db.database.query(
        `select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relname like 'hl\\_%'`,
      );
      assert.deepEqual(left, [{ name: "public.hl_fills" }]);
      assert.deepEqual(await db.database.query("select * from public.hl_fills"), [{ mine: "mine" }]);
      // The script for an SQL editor makes the same.
      const { lines } = await runInProcess(migrateCommand, { schema, print: "true" });
      await db.database.query(lines.join("\n"), undefined, { timeoutMs: 60_000 });
      assert.equal((await runInProcess(migrateCommand, { database: db.url, schema, check: "true" })).code, 0);
    } finally {
      await elsewhere.close();
      for (const one of [db, plain]) await one.close();
    }
  });

  it("need no more than a role that owns its schema: migrate, sync, doctor, access, uninstall", async () => {
    const db = await server.newDatabase({ migrated: false });
    await makeProject(db.database, "old");
    const role = `owner_${process.pid}`;
    const name = new URL(db.url).pathname.slice(1);
    await db.database.query(
      `create role ${role} login password 'secret-of-owner'; revoke create, temporary on database ${name} from public;
       create schema hl_internal authorization ${role}; grant usage, create on schema public to ${role};
       grant usage on schema auth to ${role}`,
    );
    const url = new URL(db.url);
    Object.assign(url, { username: role, password: "secret-of-owner" });
    try {
      assert.equal((await runInProcess(migrateCommand, { database: url.href })).code, 0);
      const owner = openPostgres(url.href, { maxConnections: 1 });
      await openStore(owner).openAccount(ACCOUNT, null, T - DAY_MS);
      await openStore(owner).apply(batch);
      await owner.close();
      await readAll(url.href);
      // Realtime belongs to the owner of the project.
      await db.database
        .query(`create publication supabase_realtime; alter publication supabase_realtime owner to ${role}`)
        .catch(() => {});
      await runAll(url.href);
      assert.equal((await runInProcess(uninstall, { database: url.href, yes: "true" })).code, 0);
    } finally {
      await db.database.query(`drop owned by ${role} cascade; drop role ${role}`);
      await db.close();
    }
  });
});
