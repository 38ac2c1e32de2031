/**
 * `supabase/*.sql` on a server with Supabase's roles: who reads what under each preset, through every table and view.
 * `auth.uid()` and `auth.jwt()` are made as Supabase makes them, from the claims that PostgREST sets for a request.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { accessFinding } from "../../src/cli/checks/database.ts";
import { StoreError } from "../../src/errors.ts";
import { migrate } from "../../src/store/migrate.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { openStore } from "../../src/store/store.ts";
import type { Batch } from "../../src/sync/events.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import {
  ACCOUNT,
  balanceOf,
  dashboardOf,
  fillOf,
  fundingOf,
  ledgerOf,
  OTHER,
  orderEventOf,
  positionOf,
  T,
} from "./rows.ts";

const file = (name: string): string =>
  readFileSync(new URL(`../../supabase/${name}`, import.meta.url), "utf8");

const MEMBER = "11111111-1111-4111-8111-111111111111";
const STRANGER = "22222222-2222-4222-8222-222222222222";
const DAY_MS = 86_400_000;

/** What a project has before hlsync comes; the default privileges are those of projects made before 2026. */
const PROJECT = `
  create schema auth;
  create table auth.users (id uuid primary key);
  insert into auth.users values ('${MEMBER}'), ('${STRANGER}');
  create function auth.jwt() returns jsonb language sql stable
    as $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
  create function auth.uid() returns uuid language sql stable as $$ select (auth.jwt() ->> 'sub')::uuid $$;
  grant usage on schema auth, public to anon, authenticated, service_role;
  alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
  alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
`;

/** One row of everything of one account, and market data. */
const batchOf = (account: string): Batch => ({
  fills: [fillOf({ account })],
  orderEvents: [orderEventOf({ account })],
  positions: [positionOf({ account })],
  balances: [balanceOf({ account })],
  funding: [fundingOf({ account })],
  ledger: [ledgerOf({ account })],
  dashboard: [dashboardOf({ account }), dashboardOf({ account, asOfMs: T + 60_000 })],
  coverage: [{ account, stream: "fills", grade: "proven", fromMs: T, toMs: T + 9, reason: null }],
  trades: [tradeAt(T)],
  candles: [
    {
      ...{ coin: "BTC", interval: "1m", openTimeMs: T, closeTimeMs: T + 59_999, open: "1.0", high: "2.0" },
      ...{ low: "0.5", close: "1.5", volume: "10.0", trades: 3, asOfMs: T },
    },
  ],
  mids: [{ dex: "", coin: "BTC", mid: "83000.5", asOfMs: T }],
  books: [{ coin: "BTC", asOfMs: T, bids: [["1.0", "2.0", 3]], asks: [] }],
});

const nameOf = (url: string): string => new URL(url).pathname.slice(1);

const tradeAt = (timeMs: number) => ({
  ...{ coin: "BTC", timeMs, tradeId: 5, side: "sell" as const, price: "83000.0", size: "1.0" },
  ...{ hash: null, raw: {} },
});

interface Relation extends Record<string, unknown> {
  name: string;
  is_table: boolean;
  is_part: boolean;
  has_account: boolean;
}

describe("access through Supabase", { timeout: 120_000 }, () => {
  let server: TestServer;
  let db: TestDatabase;
  let relations: Relation[];
  /** Roles belong to the server, not to a database. */
  const made: string[] = [];

  before(async () => {
    server = await startServer("real");
    for (const [role, options] of [
      ["anon", "nologin noinherit"],
      ["authenticated", "nologin noinherit"],
      ["service_role", "nologin noinherit bypassrls"],
    ]) {
      const known = await server.admin.query("select 1 from pg_roles where rolname = $1", [role]);
      if (known.length > 0) continue;
      await server.admin.query(`create role ${role} ${options}`);
      made.push(role!);
    }
  });
  after(async () => {
    for (const role of made) await server.admin.query(`drop role ${role}`);
    await server?.stop();
  });

  beforeEach(async () => {
    db = await server.newDatabase({ migrated: false });
    await db.database.query(PROJECT);
    await migrate(db.database);
    for (const account of [ACCOUNT, OTHER]) {
      await db.store.openAccount(account, null, T - DAY_MS);
      await db.store.apply(batchOf(account));
      await db.database.query(
        `insert into hl_alerts (key, rule, account_address, state, severity, message, started_at)
         values ($1, 'x', $1, 'firing', 'warn', 'x', now())`,
        [account],
      );
    }
    await db.database.query(file("access.sql"));
    relations = await db.database.query<Relation>(
      `select format('%I.%I', n.nspname, c.relname) as name, c.relkind in ('r', 'p') as is_table,
         c.relispartition as is_part, exists (select from pg_attribute a where a.attrelid = c.oid
           and a.attname = 'account_address' and not a.attisdropped) as has_account
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p', 'v') and (n.nspname = 'hl_internal' or n.nspname = 'public') order by 1`,
    );
    assert.ok(relations.length > 60);
  });
  afterEach(() => db.close());

  const choose = (preset: string) => db.database.query("select hl_internal.set_access($1)", [preset]);
  const admit = (user: string, account: string) =>
    db.database.query("insert into hl_members values ($1, $2)", [user, account]);

  /** Runs a statement as PostgREST would for a request with this token. All of one text is one transaction. */
  const as = (role: string, claims: object, sql: string) =>
    db.database.query(
      `set local role ${role}; select set_config('request.jwt.claims', '${JSON.stringify(claims)}', true); ${sql}`,
    );
  const signedIn = (user: string) => ({ role: "authenticated", claims: { sub: user, is_anonymous: false } });
  const NOBODY = { role: "anon", claims: {} };

  /** What somebody sees of a relation: the accounts, or the number of rows; "denied" where he may not even ask. */
  async function seen({ role, claims }: { role: string; claims: object }, relation: Relation) {
    const what = relation.has_account
      ? "coalesce(json_agg(distinct account_address order by account_address), '[]')"
      : "to_json(count(*)::int)";
    try {
      const [row] = await as(role, claims, `select ${what} as seen from ${relation.name}`);
      return row?.seen;
    } catch (error) {
      assert.ok(error instanceof StoreError && error.sqlState === "42501", String(error));
      return "denied";
    }
  }

  async function isRefused(who: { role: string; claims: object }, sql: string): Promise<void> {
    await assert.rejects(as(who.role, who.claims, sql), (error: unknown) => {
      assert.ok(error instanceof StoreError && error.sqlState === "42501", `${sql}: ${error}`);
      return true;
    });
  }

  const isInternal = ({ name }: Relation) => name.startsWith("hl_internal.");
  /** Tables and views that a page asks: all of hlsync's in public that are no partitions. */
  const asked = () =>
    relations.filter(
      (relation) => !isInternal(relation) && !relation.is_part && relation.name !== "public.hl_members",
    );
  /** Each is filled by `batchOf`, so that seeing nothing in it means something. */
  const FILLED =
    /hl_(fills|orders|order_events|positions|balances|dashboard|funding|ledger|alerts|coverage|equity|gaps)$/;

  it("shows a member his own accounts, in every table and every view", async () => {
    await choose("members");
    await admit(MEMBER, ACCOUNT);
    let filled = 0;
    for (const relation of asked()) {
      const own = await seen(signedIn(MEMBER), relation);
      if (!relation.has_account) assert.notEqual(own, "denied", relation.name);
      else if (FILLED.test(relation.name)) {
        filled += 1;
        assert.deepEqual(own, [ACCOUNT], relation.name);
      } else
        assert.ok(JSON.stringify(own) === `["${ACCOUNT}"]` || JSON.stringify(own) === "[]", relation.name);
    }
    assert.equal(filled, 12);
    const market = asked().find(({ name }) => name === "public.hl_trades")!;
    assert.equal(await seen(signedIn(MEMBER), market), 1);
    const own = await as("authenticated", { sub: MEMBER }, "select user_id, account_address from hl_members");
    assert.deepEqual(own, [{ user_id: MEMBER, account_address: ACCOUNT }]);
  });

  it("shows a signed-in user who is no member nothing at all", async () => {
    await choose("members");
    await admit(MEMBER, ACCOUNT);
    for (const relation of asked()) {
      const nothing = relation.has_account ? [] : 0;
      assert.deepEqual(await seen(signedIn(STRANGER), relation), nothing, relation.name);
    }
  });

  it("shows every signed-in user of a single user's project everything, and anonymous sign-ins nothing", async () => {
    await choose("single-user");
    const anonymous = { role: "authenticated", claims: { sub: STRANGER, is_anonymous: true } };
    for (const relation of asked()) {
      const all = await seen(signedIn(MEMBER), relation);
      if (FILLED.test(relation.name)) assert.deepEqual(all, [ACCOUNT, OTHER], relation.name);
      assert.deepEqual(await seen(anonymous, relation), relation.has_account ? [] : 0, relation.name);
    }
  });

  it("shows nothing to `anon`, nor the machinery to anybody, in every preset; nobody of them writes", async () => {
    for (const preset of ["single-user", "members", "off"]) {
      await choose(preset);
      await db.database.query("insert into hl_members values ($1, $2) on conflict do nothing", [
        MEMBER,
        ACCOUNT,
      ]);
      for (const relation of relations) {
        assert.equal(await seen(NOBODY, relation), "denied", `${preset}: ${relation.name}`);
        if (isInternal(relation) || relation.is_part || preset === "off")
          assert.equal(await seen(signedIn(MEMBER), relation), "denied", `${preset}: ${relation.name}`);
        if (!relation.is_table) continue;
        for (const who of [NOBODY, signedIn(MEMBER)]) {
          await isRefused(who, `insert into ${relation.name} default values`);
          await isRefused(who, `delete from ${relation.name}`);
          await isRefused(who, `truncate ${relation.name}`);
        }
      }
      for (const who of [NOBODY, signedIn(MEMBER)]) {
        await isRefused(who, "select hl_internal.apply('{}'::json)");
        await isRefused(who, "select hl_internal.set_access('off')");
      }
      await isRefused(NOBODY, `select hl_equity_since('${ACCOUNT}', '-infinity')`);
    }
  });

  it("lets the service role write and read everything", async () => {
    for (const preset of ["members", "off"]) {
      await choose(preset);
      for (const relation of relations)
        assert.notEqual(await seen({ role: "service_role", claims: {} }, relation), "denied", relation.name);
    }
    await db.database.query(`alter role current_user in database ${nameOf(db.url)} set role = service_role`);
    const service = openPostgres(db.url, { maxConnections: 1 });
    assert.deepEqual(await service.query("select current_user as role"), [{ role: "service_role" }]);
    const { written } = await openStore(service).apply({ fills: [fillOf({ tradeId: 78, timeMs: T + 6 })] });
    assert.equal(written.hl_fills, 1);
    await service.close();
  });

  it("leaves hlsync free to write, and new partitions closed whatever the default privileges say", async () => {
    await choose("members");
    await admit(MEMBER, ACCOUNT);
    await db.store.apply({ trades: [tradeAt(T + DAY_MS)], fills: [fillOf({ tradeId: 77, timeMs: T + 5 })] });
    const [part] = await db.database.query<{ name: string }>(
      "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'hl_trades'::regclass order by 1 desc limit 1",
    );
    const [{ n }] = (await as(
      "authenticated",
      { sub: MEMBER },
      `select count(*)::int as n from ${part!.name}`,
    )) as [{ n: number }];
    assert.equal(n, 0);
    await as("anon", {}, `delete from ${part!.name}`);
    const through = await as("authenticated", { sub: MEMBER }, "select count(*)::int as n from hl_trades");
    assert.deepEqual(through, [{ n: 2 }], "the row is still there, and is read through its table");
  });

  it("keeps its own rules: views with the reader's rights, functions without a search path to bend", async () => {
    await choose("members");
    const bent = await db.database.query(
      `select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where (n.nspname = 'hl_internal' or (n.nspname = 'public' and p.proname like 'hl\\_%'))
         and p.prosqlbody is null and not coalesce('search_path=""' = any (p.proconfig), false)`,
    );
    assert.deepEqual(bent, []);
    const definers = await db.database.query(
      `select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where n.nspname in ('hl_internal', 'public') and p.prosecdef`,
    );
    assert.deepEqual(definers, []);
    const views = await db.database.query(
      `select c.relname from pg_class c where c.relkind = 'v' and c.relname like 'hl\\_%'
         and not coalesce('security_invoker=true' = any (c.reloptions), false)`,
    );
    assert.deepEqual(views, []);
    const open = await db.database.query(
      `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p') and not c.relrowsecurity
         and (n.nspname = 'hl_internal' or (n.nspname = 'public' and c.relname like 'hl\\_%'))`,
    );
    assert.deepEqual(open, []);
  });

  it("is asked for by doctor until a preset is chosen, and after an upgrade that brings a table", async () => {
    const before = await accessFinding(db.database);
    assert.equal(before?.status, "warn");
    assert.match(before!.says, /\d+ tables .* hl_alerts/);
    assert.match(before!.fix!, /set_access/);
    await choose("members");
    assert.equal((await accessFinding(db.database))?.status, "ok");
    await db.database.query("create table public.hl_new (account_address text)");
    assert.match((await accessFinding(db.database))!.says, /1 table .* hl_new/);
    await choose("members");
    assert.equal((await accessFinding(db.database))?.status, "ok");
  });

  it("refuses an unknown preset, and a server that is not a Supabase project", async () => {
    await assert.rejects(choose("everybody"), /expected single-user, members or off/);
    await db.database.query("drop schema auth cascade");
    await assert.rejects(choose("off"), /not a Supabase project/);
  });

  it("publishes five tables to Realtime, and no other of hlsync, however often it is run", async () => {
    await db.database.query("create table public.todos (id integer primary key)");
    await db.database.query("create publication supabase_realtime for table public.todos, public.hl_funding");
    for (let i = 0; i < 2; i++) await db.database.query(file("realtime.sql"));
    const tables = await db.database.query(
      "select tablename from pg_publication_tables where pubname = 'supabase_realtime' order by 1",
    );
    assert.deepEqual(
      tables.map(({ tablename }) => tablename),
      ["hl_alerts", "hl_dashboard", "hl_fills", "hl_orders", "hl_positions", "todos"],
    );
  });
});
