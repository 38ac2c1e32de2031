/**
 * The role matrix: every role of an API × every object of hlsync × everything it could do with it, in every preset and with
 * every kind of default privileges, after a fresh migrate and after an upgrade that brings new objects. The upgrade is a
 * copy of the program with one migration and one definition more.
 */
import assert from "node:assert/strict";
import { appendFileSync, cpSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Database } from "../../src/store/database.ts";
import { migrate } from "../../src/store/migrate.ts";
import { type TestDatabase, type TestServer, temporaryFolder } from "../support/postgres.ts";
import {
  type DefaultPrivileges,
  MEMBER,
  makeProject,
  noPresets,
  STRANGER,
  startProjectServer,
} from "../support/supabase.ts";
import { ACCOUNT, fillOf, T } from "./rows.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));
const DAY_MS = 86_400_000;
type Preset = null | "off" | "members" | "single-user";
const PRESETS: Preset[] = [null, "off", ...(noPresets ? [] : (["members", "single-user"] as const))];

/** What the upgrade brings, in public and in hl_internal. */
const NEW_TABLES = `
  create table public.hl_new (id bigint generated always as identity primary key, account_address text, value numeric);
  comment on table public.hl_new is 'New.';
  create table hl_internal.new_machinery (id bigint generated always as identity primary key);`;
const NEW_DEFINITIONS = `
  create or replace function hl_internal.new_rule(value numeric) returns numeric language sql immutable return value + 1;
  create or replace view public.hl_new_view as select account_address, hl_internal.new_rule(value) as value from public.hl_new;
  create or replace function public.hl_new_function() returns bigint language sql stable return (select count(*) from public.hl_new);
  create or replace function hl_internal.new_machine() returns bigint language sql stable return (select count(*) from hl_internal.new_machinery);`;
const NEW = ["hl_new", "hl_new_view", "hl_new_id_seq", "new_machinery", "new_machinery_id_seq"];
const NEW_FUNCTIONS = ["hl_new_function", "new_rule", "new_machine"];

interface Right extends Record<string, unknown> {
  role: string;
  name: string;
  schema: string;
  kind: string;
  is_part: boolean;
  may: string;
}

/**
 * What each role is allowed: by the catalogue for every object, and for tables by trying it, with whatever comes of the
 * attempt taken back. `*` is a right of any kind to a column.
 */
const RIGHTS = `
  select r.role, c.relname as name, n.nspname as schema, c.relkind::text as kind, c.relispartition as is_part, p.may
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  cross join unnest(array['anon', 'authenticated', 'service_role', 'public']) as r(role)
  cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger', '*']
    || case when current_setting('server_version_num')::int >= 170000 then array['maintain'] else '{}' end) as p(may)
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname in ('public', 'hl_internal') and case p.may
    when '*' then has_any_column_privilege(r.role, c.oid, 'select, insert, update, references')
    else has_table_privilege(r.role, c.oid, p.may) end
  union all
  select r.role, c.relname, n.nspname, 'S', false, p.may
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  cross join unnest(array['anon', 'authenticated', 'service_role', 'public']) as r(role)
  cross join unnest(array['usage', 'select', 'update']) as p(may)
  where c.relkind = 'S' and n.nspname in ('public', 'hl_internal') and has_sequence_privilege(r.role, c.oid, p.may)
  union all
  select r.role, p.proname, n.nspname, 'function', false, 'execute'
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  cross join unnest(array['anon', 'authenticated', 'service_role', 'public']) as r(role)
  where n.nspname in ('public', 'hl_internal') and has_function_privilege(r.role, p.oid, 'execute')
  union all
  select r.role, n.nspname, n.nspname, 'schema', false, p.may from pg_namespace n
  cross join unnest(array['anon', 'authenticated', 'service_role', 'public']) as r(role)
  cross join unnest(array['usage', 'create']) as p(may)
  where n.nspname = 'hl_internal' and has_schema_privilege(r.role, n.oid, p.may)`;

const ATTEMPTS = `
create function pg_temp.attempts(acting text) returns table (name text, may text) language plpgsql as $$
declare
  rel record;
  action text;
begin
  for rel in
    select c.relname, c.oid::regclass::text as object from pg_class c
    where c.relkind in ('r', 'p') and c.relnamespace in ('public'::regnamespace, 'hl_internal'::regnamespace)
  loop
    foreach action in array array['select from %s', 'insert into %s default values', 'delete from %s', 'truncate %s cascade'] loop
      begin
        execute format('set local role %I', acting);
        execute format(action, rel.object);
        raise exception 'done' using errcode = 'HL001';
      exception
        when insufficient_privilege then null;
        when others then name := rel.relname; may := split_part(action, ' ', 1); return next;
      end;
    end loop;
  end loop;
end
$$`;

/** Members read these of hl_internal through views; they have no way to ask them directly. */
const VIEWED =
  /^(accounts|coverage|drift|equity_stretches|latency_minutes|quarantine|settled|settled_days|settled_slots|settled_trades|states|token_prices)$/;
/** Rules that views rest on: they read nothing of the account that the reader could not. */
const CALLED =
  /^(block_number|bound_ms|chain_order|count_fills|count_funding|count_orders|day_start|decimal_of|dollar_tokens|drawdown_pct|earnings|fallen_before|fresh_for|freshness|gas_price|history_days|latest_claim_ms|ledger_block|ledger_effect|told_fill|told_order_event|new_rule|no_money|orders_of_market|own_liquidation|page_\w+|peak_day|reader_accounts|settled_trips|settled_until|time_of|trade_statistics|trip_fills|trips|trips_at|trips_told|unsettled_days|unsettled_sums|unsettled_trades|unsettled_trips|zone_coins|zone_days)$/;

function assertRights(rights: readonly Right[], preset: Preset): void {
  const isOpen = preset === "members" || preset === "single-user";
  const beyond = rights.filter(({ role, name, schema, kind, is_part: isPart, may }) => {
    if (role === "service_role") return false;
    const shown = schema === "public" || (kind === "function" ? CALLED : VIEWED).test(name);
    const allowed =
      kind === "function" ? may === "execute" : kind !== "S" && !isPart && (may === "select" || may === "*");
    return !(role === "authenticated" && isOpen && shown && allowed);
  });
  const words = beyond.map(
    ({ role, may, kind, schema, name }) => `${role} may ${may} ${kind} ${schema}.${name}`,
  );
  assert.deepEqual(words, [], String(preset));
}

describe("closed by default", () => {
  let server: TestServer;
  const upgraded = temporaryFolder();
  let upgrade: (database: Database) => Promise<string[]>;

  before(async () => {
    server = await startProjectServer();
    for (const folder of ["src", "migrations", "sql", "package.json"])
      cpSync(join(CHECKOUT, folder), join(upgraded.path, folder), { recursive: true });
    symlinkSync(join(CHECKOUT, "node_modules"), join(upgraded.path, "node_modules"));
    writeFileSync(join(upgraded.path, "migrations", "9000_new.sql"), NEW_TABLES);
    writeFileSync(join(upgraded.path, "sql", "new.sql"), NEW_DEFINITIONS);
    const order = join(upgraded.path, "sql", "order.txt");
    writeFileSync(order, "");
    const { definitionFiles } = await import("../../src/store/definitions.ts");
    for (const name of definitionFiles())
      appendFileSync(order, name === "closing.sql" ? `new.sql\n${name}\n` : `${name}\n`);
    const module = await import(pathToFileURL(join(upgraded.path, "src/store/migrate.ts")).href);
    upgrade = module.migrate;
  });
  after(async () => {
    await server?.stop();
    upgraded.remove();
  });

  const projects = new Map<DefaultPrivileges, TestDatabase>();
  /** A project with such defaults, migrated; nobody is connected to it. */
  async function migratedProject(defaults: DefaultPrivileges): Promise<TestDatabase> {
    const present = projects.get(defaults);
    if (present) return present;
    const project = await server.newDatabase({ migrated: false });
    await makeProject(project.database, defaults);
    await migrate(project.database);
    await project.database.close();
    projects.set(defaults, project);
    return project;
  }

  const market = (timeMs: number) => ({ mids: [{ dex: "", coin: "BTC", mid: "83000.5", asOfMs: timeMs }] });

  /** Everything that can be said of one state of the database. */
  async function check(db: TestDatabase, preset: Preset): Promise<Right[]> {
    const rights = await db.database.query<Right>(RIGHTS);
    assertRights(rights, preset);
    assert.deepEqual(await db.database.query("select * from hl_internal.open_beyond_access()"), []);
    const unsecured = await db.database.query(
      `select c.oid::regclass::text as name from pg_class c where c.relkind in ('r', 'p') and not c.relrowsecurity
       and c.relnamespace in ('public'::regnamespace, 'hl_internal'::regnamespace)`,
    );
    assert.deepEqual(unsecured, []);
    // What the catalogue says is what happens.
    for (const role of ["anon", "authenticated"]) {
      const done = await db.database.query<{ name: string; may: string }>(
        `${ATTEMPTS}; select a.name, a.may from pg_temp.attempts('${role}') a; drop function pg_temp.attempts`,
      );
      const isOpen = role === "authenticated" && (preset === "members" || preset === "single-user");
      if (!isOpen) assert.deepEqual(done, [], `${preset}: ${role}`);
      for (const { name, may } of done)
        assert.ok(may === "select" && name.startsWith("hl_"), `${preset}: ${role} did ${may} ${name}`);
    }
    return rights;
  }

  const serviceMay = (rights: readonly Right[], name: string): string[] =>
    rights
      .filter((right) => right.role === "service_role" && right.name === name && right.may !== "*")
      .map(({ may }) => may)
      .sort();

  for (const defaults of ["old", "new", "careless"] as const satisfies DefaultPrivileges[])
    for (const preset of PRESETS)
      it(`with ${defaults} default privileges and ${preset ?? "no"} preset, before and after an upgrade`, async () => {
        const db = await server.newDatabase({ from: await migratedProject(defaults) });
        if (preset) await db.database.query("select hl_internal.set_access($1)", [preset]);
        await db.store.openAccount(ACCOUNT, null, T - DAY_MS);
        await db.store.apply({ fills: [fillOf()], ...market(T) });
        await db.database.query("insert into hl_members values ($1, $2)", [MEMBER, ACCOUNT]);
        const before = await check(db, preset);

        assert.deepEqual(await upgrade(db.database), ["9000_new.sql", "sql/"]);
        await db.store.apply({ fills: [fillOf({ tradeId: 2 })], ...market(T + DAY_MS) });
        await db.database.query("insert into hl_new (account_address, value) values ($1, 1)", [ACCOUNT]);
        const rights = await check(db, preset);

        const everything = ["delete", "insert", "references", "select", "trigger", "truncate", "update"];
        if (rights.some(({ may }) => may === "maintain")) everything.splice(2, 0, "maintain");
        for (const name of ["hl_fills", "hl_new", "hl_new_view", "outbox", "new_machinery"])
          assert.deepEqual(serviceMay(rights, name), everything, name);
        for (const name of NEW_FUNCTIONS) assert.deepEqual(serviceMay(rights, name), ["execute"], name);
        const seen = rights.filter(({ role }) => role === "authenticated").map(({ name }) => name);
        const shown = [...NEW, ...NEW_FUNCTIONS].filter((name) => seen.includes(name));
        const isOpen = preset === "members" || preset === "single-user";
        assert.deepEqual(
          shown.sort(),
          isOpen ? ["hl_new", "hl_new_function", "hl_new_view", "new_rule"] : [],
        );
        assert.ok(rights.length > before.length);

        if (isOpen) {
          const asUser = (user: string, sql: string) =>
            db.database.query(
              `set local role authenticated; select set_config('request.jwt.claims', '{"sub": "${user}"}', true); ${sql}`,
            );
          const own = "select account_address, value from hl_new_view";
          const row = [{ account_address: ACCOUNT, value: "2" }];
          assert.deepEqual(await asUser(MEMBER, own), row);
          assert.deepEqual(await asUser(STRANGER, own), preset === "members" ? [] : row);
          assert.deepEqual(await asUser(MEMBER, "select hl_new_function() as n"), [{ n: 1 }]);
        }
        await db.close();
      });

  it("a role that owns only its schemas and tables goes on working, and makes partitions that are closed too", async () => {
    const db = await server.newDatabase({ migrated: false });
    await makeProject(db.database, "old");
    await db.database.query(
      `create role modest; create schema hl_internal authorization modest; grant create, usage on schema public to modest;
       alter default privileges for role modest grant all on tables to anon, public`,
    );
    await db.database.query(
      `alter role current_user in database ${new URL(db.url).pathname.slice(1)} set role = modest`,
    );
    const { openPostgres } = await import("../../src/store/postgres.ts");
    const { openStore } = await import("../../src/store/store.ts");
    const modest = openPostgres(db.url, { maxConnections: 1 });
    try {
      assert.deepEqual(await modest.query("select current_user as role"), [{ role: "modest" }]);
      await migrate(modest);
      const store = openStore(modest);
      await store.openAccount(ACCOUNT, null, T - DAY_MS);
      const { written } = await store.apply({ fills: [fillOf()], ...market(T) });
      assert.deepEqual([written.hl_fills, written.hl_mids], [1, 1]);
      assert.deepEqual(await modest.query("select count(*)::int as n from hl_fills_text"), [{ n: 1 }]);
      assert.deepEqual(await upgrade(modest), ["9000_new.sql", "sql/"]);
      const open = () => modest.query("select hl_internal.set_access('members')");
      await assert.rejects(open, /grant usage on schema auth to "modest"/);
      await check(db, null);
      await db.database.query("reset role; grant usage on schema auth to modest");
      if (noPresets) await assert.rejects(open, /before PostgreSQL 15: upgrade the project/);
      else await open();
      await check(db, noPresets ? null : "members");
    } finally {
      await modest.close();
      await db.database.query("reset role; drop owned by modest cascade; drop role modest");
      await db.close();
    }
  });
});
