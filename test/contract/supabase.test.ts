/** Who reads what under each access preset, through every table and view, with the claims of a request as PostgREST sets them. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { accessFinding } from "../../src/cli/checks/database.ts";
import { StoreError } from "../../src/errors.ts";
import { migrate } from "../../src/store/migrate.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { openStore } from "../../src/store/store.ts";
import type { Batch } from "../../src/sync/rows.ts";
import type { TestDatabase, TestServer } from "../support/postgres.ts";
import { MEMBER, makeProject, noPresets, STRANGER, startProjectServer } from "../support/supabase.ts";
import { ACCOUNT, batchOf, dashboardOf, fillOf, OTHER, T, tradeOf } from "./rows.ts";

const DAY_MS = 86_400_000;

/** With a second snapshot. */
const rowsOf = (account: string): Batch => ({
  ...batchOf(account),
  dashboard: [dashboardOf({ account }), dashboardOf({ account, asOfMs: T + 60_000 })],
});

const nameOf = (url: string): string => new URL(url).pathname.slice(1);

interface Relation extends Record<string, unknown> {
  name: string;
  is_table: boolean;
  is_part: boolean;
  has_account: boolean;
}

describe("access through Supabase", { skip: noPresets }, () => {
  let server: TestServer;
  let db: TestDatabase;
  let relations: Relation[];

  /** Migrated, with rows of two accounts; nobody is connected to it. */
  let project: TestDatabase;

  before(async () => {
    server = await startProjectServer();
    project = await server.newDatabase({ migrated: false });
    const { database, store } = project;
    await makeProject(database, "old");
    await migrate(database);
    for (const account of [ACCOUNT, OTHER]) {
      await store.openAccount(account, null, T - DAY_MS);
      await store.apply(rowsOf(account));
      await database.query(
        `insert into hl_alerts (key, rule, account_address, state, severity, message, started_at)
         values ($1, 'x', $1, 'firing', 'warn', 'x', now())`,
        [account],
      );
    }
    relations = await database.query<Relation>(
      `select format('%I.%I', n.nspname, c.relname) as name, c.relkind in ('r', 'p') as is_table,
         c.relispartition as is_part, exists (select from pg_attribute a where a.attrelid = c.oid
           and a.attname = 'account_address' and not a.attisdropped) as has_account
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p', 'v') and (n.nspname = 'hl_internal' or n.nspname = 'public') order by 1`,
    );
    assert.ok(relations.length > 60);
    await database.close();
  });
  after(async () => {
    await project?.close();
    await server?.stop();
  });

  beforeEach(async () => {
    db = await server.newDatabase({ from: project });
  });
  afterEach(() => db.close());
  const partOfTrades = `hl_trades_${new Date(T).toISOString().slice(0, 10).replaceAll("-", "")}`;

  const hasMaintain = async () =>
    (await db.database.query("select where current_setting('server_version_num')::int >= 170000")).length > 0;
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
      await assert.rejects(
        as(NOBODY.role, NOBODY.claims, "select * from hl_fills"),
        /permission denied for table hl_fills/,
      );
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
    await db.store.apply({
      trades: [tradeOf({ timeMs: T + DAY_MS })],
      fills: [fillOf({ tradeId: 77, timeMs: T + 5 })],
    });
    const [part] = await db.database.query<{ name: string }>(
      "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'hl_trades'::regclass order by 1 desc limit 1",
    );
    for (const who of [signedIn(MEMBER), NOBODY])
      for (const sql of [`select from ${part!.name}`, `delete from ${part!.name}`, `truncate ${part!.name}`])
        await isRefused(who, sql);
    const through = await as("authenticated", { sub: MEMBER }, "select count(*)::int as n from hl_trades");
    assert.deepEqual(through, [{ n: 2 }], "the row is read through its table");
  });

  it("keeps its own rules: views with the reader's rights, functions without a search path to bend", async () => {
    await choose("members");
    // What the project's advisor warns of (function_search_path_mutable), whatever the body of a function is; an older advisor
    // takes nothing but an empty path.
    const bent = await db.database.query(
      `select p.oid::regprocedure::text as name from pg_proc p
       where p.pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'auth'::regnamespace)
         and not coalesce('search_path=""' = any (p.proconfig), false)
         and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')`,
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
    // auth_rls_initplan, as the project's advisor looks for it.
    for (const preset of ["single-user", "members", "off"]) {
      await choose(preset);
      const perRow = await db.database.query(
        `select tablename, qual from pg_policies where lower(qual) ~ 'auth\\.(uid|jwt|role|email)\\(\\)'
           and regexp_count(lower(qual), 'auth\\.\\w+\\(\\)') > regexp_count(lower(qual), 'select\\s+auth\\.\\w+\\(\\)')`,
      );
      assert.deepEqual(perRow, [], preset);
    }
    const open = await db.database.query(
      `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p') and not c.relrowsecurity
         and (n.nspname = 'hl_internal' or (n.nspname = 'public' and c.relname like 'hl\\_%'))`,
    );
    assert.deepEqual(open, []);
  });

  it("is what doctor holds against the rights as they are", async () => {
    const openings: [sql: string, says: RegExp][] = [
      ["grant select on hl_fills to anon", /1 object.* anon may select public\.hl_fills/],
      ["grant update (size) on hl_orders to authenticated", /authenticated may update public\.hl_orders/],
      ["grant select on hl_exposure_text to public", /public may select public\.hl_exposure_text/],
      ["grant truncate on hl_internal.outbox to authenticated", /truncate hl_internal\.outbox/],
      ["grant usage on schema hl_internal to anon", /anon may use schema hl_internal/],
      ["grant execute on function hl_internal.doubt to public", /execute hl_internal\.doubt/],
      ["grant usage on sequence hl_alerts_id_seq to anon", /use public\.hl_alerts_id_seq/],
      ["alter table hl_funding disable row level security", /every row.* public\.hl_funding/],
      ["grant select on hl_trades_20250901 to authenticated", /select public\.hl_trades_20250901/],
      ["grant create on schema hl_internal to authenticated", /create objects in schema hl_internal/],
      [
        "drop policy hlsync_anon on hl_funding; grant select (usdc) on hl_funding to anon",
        /anon may select public\.hl_funding/,
      ],
    ];
    // Rights that are there and mean more than they should.
    const open: typeof openings = [
      [
        "alter policy hlsync_read on hl_fills using (true)",
        /authenticated may see rows past the .* policy of public\.hl_fills/,
      ],
      ["alter policy hlsync_read on hl_orders to service_role", /rows past .* public\.hl_orders/],
      ["drop policy hlsync_read on hl_alerts", /rows past .* public\.hl_alerts/],
      [
        "alter view hl_exposure reset (security_invoker)",
        /authenticated may see every row of public\.hl_exposure/,
      ],
      ["alter function hl_page(text, jsonb) security definer", /every row of public\.hl_page\(/],
    ];
    if (await hasMaintain())
      openings.push(["grant maintain on hl_fills to anon", /anon may maintain public\.hl_fills/]);
    for (const preset of ["off", "members"]) {
      if (preset !== "off") {
        await choose(preset);
        openings.push(...open);
      }
      const closed = await accessFinding(db.database);
      assert.equal(closed?.status, "ok", closed?.says);
      assert.match(closed!.says, new RegExp(preset));
      for (const [sql, says] of openings) {
        await db.database.query(sql.replace(/hl_trades_\d+/, partOfTrades));
        const found = await accessFinding(db.database);
        assert.equal(found?.status, "fail", sql);
        assert.equal(found.exit, 2);
        assert.match(found.says.replace(partOfTrades, "hl_trades_20250901"), says, sql);
        assert.match(found.fix!, new RegExp(`hlsync access ${preset}`));
        await choose(preset);
        assert.equal((await accessFinding(db.database))?.status, "ok", sql);
      }
    }
  });

  it("is told which role has rights that no preset can take", async () => {
    await choose("members");
    const [{ owner } = { owner: "" }] = await db.database.query<{ owner: string }>(
      "select current_user as owner",
    );
    const cases: [given: string, says: RegExp, fix: string][] = [
      [
        "alter role anon bypassrls",
        /anon may bypass row level security/,
        'alter role "anon" nosuperuser nobypassrls',
      ],
      [
        `create role between in role "${owner}" inherit; alter role authenticated inherit; grant between to authenticated`,
        /authenticated may act as role between/,
        'revoke "between" from "authenticated"',
      ],
    ];
    for (const [given, says, fix] of cases) {
      await db.database.query(given);
      try {
        const found = await accessFinding(db.database);
        assert.equal(found?.status, "fail", given);
        assert.match(found.says, says);
        assert.ok(found.fix!.startsWith(fix), found.fix!);
      } finally {
        await db.database.query(
          "alter role anon nobypassrls; alter role authenticated noinherit; drop role if exists between",
        );
      }
    }
    assert.equal((await accessFinding(db.database))?.status, "ok");
  });

  it("is not opened to `anon` by rights and a policy of somebody else", async () => {
    for (const preset of ["members", "single-user"]) {
      await choose(preset);
      await db.database.query(
        "create policy careless on hl_fills using (true); grant select on hl_fills to anon",
      );
      assert.deepEqual(await as("anon", {}, "select count(*)::int as n from hl_fills"), [{ n: 0 }]);
      await db.database.query("drop policy careless on hl_fills");
    }
  });

  it("leaves objects of the user alone, whatever they are called", async () => {
    await choose("members");
    await db.database.query(
      "create table public.hl_mine (account_address text); grant select on public.hl_mine to anon",
    );
    await choose("off");
    await db.database.query("update hl_internal.definitions set checksum = 'before'");
    await migrate(db.database);
    assert.equal((await accessFinding(db.database))?.status, "ok");
    assert.deepEqual(await as("anon", {}, "select * from public.hl_mine"), []);
  });

  it("lets other roles have what they were given, but not through the roles of the API", async () => {
    await server.admin.query("create role reader; create role insider in role authenticated inherit");
    try {
      await db.database.query("grant select on hl_fills to reader");
      const ask = "select count(*)::int as n from hl_fills";
      assert.deepEqual(await as("reader", {}, ask), [{ n: 2 }]);
      await choose("members");
      await admit(MEMBER, ACCOUNT);
      assert.deepEqual(await as("reader", {}, ask), [{ n: 2 }]);
      assert.deepEqual(await as("insider", { sub: STRANGER }, ask), [{ n: 0 }]);
      assert.deepEqual(await as("insider", { sub: MEMBER }, ask), [{ n: 1 }]);
    } finally {
      await db.database.query("drop owned by reader; drop role reader, insider");
    }
  });

  it("is not opened further by a policy of somebody else, nor by the loss of its own", async () => {
    await choose("members");
    await admit(MEMBER, ACCOUNT);
    await db.database.query("create policy careless on hl_fills to authenticated using (true)");
    const ask = "select count(*)::int as n from hl_fills";
    assert.deepEqual(await as("authenticated", { sub: MEMBER }, ask), [{ n: 1 }]);
    assert.deepEqual(await as("authenticated", { sub: STRANGER }, ask), [{ n: 0 }]);
    // Not by careless ones for everybody together with the rights to ask, either.
    await db.database.query(
      "create policy all_of_them on hl_fills using (true); grant select on hl_fills to authenticated",
    );
    assert.deepEqual(await as("authenticated", { sub: STRANGER }, ask), [{ n: 0 }]);
    await db.database.query(
      "drop policy careless on hl_fills; drop policy all_of_them on hl_fills; drop policy hlsync_read on hl_fills",
    );
    assert.deepEqual(await as("authenticated", { sub: MEMBER }, ask), [{ n: 0 }]);
    await choose("members");
    assert.deepEqual(await as("authenticated", { sub: MEMBER }, ask), [{ n: 1 }]);
  });

  it("forgets who is no user any more", async () => {
    await admit(STRANGER, ACCOUNT);
    await admit("33333333-3333-4333-8333-333333333333", ACCOUNT);
    await choose("members");
    const members = () => db.database.query("select user_id from hl_members");
    assert.deepEqual(await members(), [{ user_id: STRANGER }]);
    await db.database.query("delete from auth.users where id = $1", [STRANGER]);
    assert.deepEqual(await members(), []);
  });

  it("refuses an unknown preset, and on a server that is not a Supabase project all but off", async () => {
    await assert.rejects(choose("everybody"), /expected single-user, members or off/);
    await assert.rejects(
      db.database.query("select hl_internal.set_access(null)"),
      /expected single-user, members or off/,
    );
    await choose("members");
    await db.database.query("drop schema auth cascade");
    for (const preset of ["members", "single-user"])
      await assert.rejects(choose(preset), /not a Supabase project/);
    await choose("off");
    assert.equal((await accessFinding(db.database))?.status, "ok");
  });

  it("stays closed where the users have gone, with the preset still stored", async () => {
    await choose("single-user");
    await db.database.query(
      "drop schema auth cascade; update hl_internal.definitions set checksum = 'before'",
    );
    await migrate(db.database);
    await isRefused(signedIn(MEMBER), "select from hl_fills");
  });

  it("publishes five tables to Realtime, and no other of hlsync, however often it is run", async () => {
    await db.database.query("create table public.todos (id integer primary key)");
    await db.database.query("create publication supabase_realtime for table public.todos, public.hl_funding");
    for (let i = 0; i < 2; i++) await db.database.query("select hl_internal.set_realtime(true)");
    const tables = await db.database.query(
      "select tablename from pg_publication_tables where pubname = 'supabase_realtime' order by 1",
    );
    assert.deepEqual(
      tables.map(({ tablename }) => tablename),
      ["hl_alerts", "hl_dashboard", "hl_fills", "hl_orders", "hl_positions", "todos"],
    );
    await db.database.query("select hl_internal.set_realtime(false)");
    const left = await db.database.query(
      "select tablename from pg_publication_tables where pubname = 'supabase_realtime'",
    );
    assert.deepEqual(left, [{ tablename: "todos" }]);
  });
});
