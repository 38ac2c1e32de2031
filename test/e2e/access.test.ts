/** The commands that open and close a Supabase project, and the one that leaves it, as their user runs them. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { hlsync } from "../support/cli.ts";
import type { TestDatabase, TestServer } from "../support/postgres.ts";
import { MEMBER, makeProject, noPresets, startProjectServer } from "../support/supabase.ts";

const ACCOUNT = `0x${"a".repeat(40)}`;

describe("access to a Supabase project", () => {
  let server: TestServer;
  let target: TestDatabase;
  const run = (...args: string[]) => hlsync([...args, "--database", target.url, "--log-level", "warn"]);
  const ask = async (sql: string) => (await target.database.query<Record<string, unknown>>(sql))[0];

  before(async () => {
    // Roles belong to the server, and other tests make theirs.
    server = await startProjectServer();
    target = await server.newDatabase({ migrated: false });
    await makeProject(target.database, "old");
    const { code, stderr } = await run("migrate");
    assert.equal(code, 0, stderr);
  });
  after(async () => {
    await target?.close();
    await server?.stop();
  });

  it("is closed at first, and says so", async () => {
    const { code, stdout } = await run("access");
    assert.deepEqual([code, stdout.trim()], [0, "access is off: nothing is open beyond it"]);
    assert.deepEqual(await ask("select has_table_privilege('anon', 'hl_fills', 'select') as open"), {
      open: false,
    });
  });

  it("says why nothing can be opened", { skip: !noPresets && "it can" }, async () => {
    const { code, stderr } = await run("access", "members");
    assert.equal(code, 7);
    assert.match(
      stderr,
      /^hlsync: views cannot keep to row level security before PostgreSQL 15: upgrade the project \(55000\)$/m,
    );
  });

  it("opens by a preset, lists members, and prints what it would do", { skip: noPresets }, async () => {
    assert.equal((await run("access", "members")).code, 0);
    assert.equal((await run("members", "add", MEMBER, ACCOUNT.toUpperCase().replace("0X", "0x"))).code, 0);
    assert.match((await run("members", "list")).stdout, new RegExp(`${MEMBER} reads ${ACCOUNT}`));
    const printed = await run("members", "remove", MEMBER, ACCOUNT, "--print");
    assert.match(printed.stdout, /^delete from public\.hl_members where .*;\n$/);
    assert.match((await run("members", "list")).stdout, /reads/, "printing changes nothing");
    await target.database.query(printed.stdout);
    assert.equal((await run("members", "list")).stdout, "there are no members\n");
    assert.equal((await run("access")).stdout.trim(), "access is members: nothing is open beyond it");
  });

  it("says what somebody opened beyond it, and exits 2", async () => {
    await target.database.query("grant delete on hl_fills to anon");
    const { code, stdout } = await run("access");
    assert.equal(code, 2);
    assert.match(stdout, /open beyond it: anon may delete public\.hl_fills|anon may delete hl_fills/);
    assert.equal((await run("access", noPresets ? "off" : "members")).code, 0);
    assert.equal((await run("access")).code, 0);
  });

  it("puts five tables into Realtime and takes them out", async () => {
    const published = () =>
      ask("select count(*)::int as n from pg_publication_tables where pubname = 'supabase_realtime'");
    assert.equal((await run("realtime", "on")).code, 0);
    assert.deepEqual(await published(), { n: 5 });
    assert.equal((await run("realtime", "off")).code, 0);
    assert.deepEqual(await published(), { n: 0 });
  });

  it("refuses what it does not know, in one line and with exit 2", async () => {
    for (const args of [
      ["access", "everybody"],
      ["members", "invite"],
      ["members", "add", "me", ACCOUNT],
      ["members", "add", MEMBER, "0x1"],
      ["members", "remove", `${MEMBER}'; drop table hl_fills; --`, ACCOUNT],
      ["realtime", "maybe"],
      ["uninstall"],
    ]) {
      const { code, stderr } = await run(...args);
      assert.equal(code, 2, args.join(" "));
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
    }
  });

  it("leaves nothing behind, but for what is not its own", async () => {
    await target.database.query(
      "create view public.mine as select coin, size from public.hl_fills; create table public.hl_own (id int)",
    );
    const kept = await run("uninstall", "--yes");
    assert.equal(kept.code, 2);
    assert.match(kept.stderr, /drop them first: (public\.)?mine/);
    await target.database.query("drop view public.mine");
    const gone = await run("uninstall", "--yes");
    assert.equal(gone.code, 0, gone.stderr);
    assert.match(gone.stdout, /hl_fills/);
    const left = await target.database.query<{ name: string }>(
      `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname in ('public', 'hl_internal')
       union all select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where n.nspname in ('public', 'hl_internal')
       union all select nspname from pg_namespace where nspname = 'hl_internal'`,
    );
    assert.deepEqual(left, [{ name: "hl_own" }]);
    assert.equal((await run("migrate")).code, 0, "and can come back");
  });
});
