/** The roster in the database. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accounts } from "../../src/cli/commands/accounts.ts";
import { status } from "../../src/cli/commands/status.ts";
import {
  hasRoster,
  keepAliasesOf,
  openRoster,
  pauseInRoster,
  putIntoRoster,
  readRoster,
  removeFromRoster,
} from "../../src/store/roster.ts";
import { runInProcess } from "../support/inProcess.ts";
import { useDatabase } from "../support/postgres.ts";

const A = `0x${"a".repeat(40)}`;
const B = `0x${"b".repeat(40)}`;

describe("the roster", () => {
  const target = useDatabase("all");

  it("is not there before hlsync was", async () => {
    const empty = await target.server.newDatabase({ migrated: false });
    assert.equal(await hasRoster(empty.database), false);
    await empty.close();
  });

  it("changes only what is said, and tells each reader once", async () => {
    const { database: db } = target;
    assert.equal(await hasRoster(db), false);
    const [one, two] = [openRoster(db), openRoster(db)];
    assert.deepEqual(await one.changed(), []);
    assert.equal(await one.changed(), null);
    await target.store.openAccount(A, null, null);
    const added = await putIntoRoster(db, [
      { address: A, alias: "main", tags: ["desk"], wish: "poll", sinceMs: 5 },
      { address: B, withSubs: true },
    ]);
    assert.equal(added, 2);
    assert.equal(await putIntoRoster(db, [{ address: A }, { address: B, tags: ["x"] }]), 0);
    const said = (rows: readonly { address: string }[] | null) =>
      rows?.map((row) => ({ ...row, addedAtMs: null }));
    const entry = { addedAtMs: null, paused: false };
    const expected = [
      { ...entry, address: A, alias: "main", tags: ["desk"], wish: "poll", sinceMs: 5, withSubs: false },
      { ...entry, address: B, alias: null, tags: ["x"], wish: "stream", sinceMs: null, withSubs: true },
    ];
    assert.deepEqual(said(await readRoster(db)), expected);
    assert.deepEqual(said(await one.changed()), expected);
    assert.deepEqual(said(await two.changed()), expected);
    assert.equal((await target.store.accounts())[0]?.alias, "main");

    await pauseInRoster(db, [B], true);
    assert.equal((await one.changed())?.[1]?.paused, true);
    assert.equal(await one.changed(), null);
    await removeFromRoster(db, [A]);
    assert.deepEqual(
      (await one.changed())?.map(({ address }) => address),
      [B],
    );
    assert.deepEqual(
      (await target.store.accounts()).map(({ account }) => account),
      [A],
    );
    assert.equal(await hasRoster(db), true);
  });

  it("refuses an alias that is another's, or that is an address, and changes nothing", async () => {
    const command = (...args: string[]) => runInProcess(accounts, { database: target.url }, args);
    assert.equal((await command("add", `${A}=desk`)).code, 0);
    for (const [args, why] of [
      [[`${B}=desk`], new RegExp(`"desk" is the alias of ${A}`)],
      [[`${A}=other`, `${B}=other`], /"other" is the alias of 0x/],
      [[`${B}=one`, `${B}=two`], new RegExp(`${B} is named twice, and not in the same words`)],
      [[`${B}=${A}`], new RegExp(`an alias is no address: ${A}`)],
      [[`${B}=x,y`], /alias "x,y": expected a name/],
    ] as const) {
      const { code, error } = await command("add", ...args);
      assert.equal(code, 2, args.join());
      assert.match(error, why);
    }
    assert.equal((await command("add", `${A}=desk`, `${B}=second`, `${B}=second`)).code, 0);
    const named = (await readRoster(target.database)).map(({ alias }) => alias).sort();
    assert.deepEqual(named, ["desk", "second"]);
    // Who is paused is told so, and found by what is wished of it.
    await command("pause", "second");
    await target.store.openAccount(B, "second", null);
    const { lines } = await runInProcess(status, { database: target.url }, []);
    const at = lines.findIndex((line) => line.startsWith("second"));
    assert.match(lines[at + 1]!, /by nobody now: paused/);
    const polled = await runInProcess(accounts, { database: target.url, wish: "poll" }, ["list"]);
    assert.deepEqual(polled.lines, []);
    await removeFromRoster(target.database, [A, B]);
  });

  it("says of a known account that it is called otherwise now", async () => {
    const other = await target.server.newDatabase();
    const added = async (account: string, json = "false") =>
      (await runInProcess(accounts, { database: other.url, json }, ["add", account])).lines;
    assert.deepEqual(await added(`${A}=main`), [
      "1 added, 0 known already: each running hlsync follows within seconds",
    ]);
    assert.equal((await added(`${A}=main`)).length, 1);
    assert.deepEqual(await added(`${A}=foo`), [
      "renamed main → foo",
      "0 added, 1 known already: each running hlsync follows within seconds",
    ]);
    // One that only a command line named is known too.
    await other.store.openAccount(B, "own", null);
    const [told] = await added(`${B}=other`, "true");
    assert.deepEqual(JSON.parse(told!), {
      ...{ type: "accounts", added: 1, changed: 0 },
      renamed: [{ address: B, from: "own", to: "other" }],
    });
    await other.close();
  });

  it("takes the aliases of all but some", async () => {
    const { database: db, store } = target;
    await store.openAccount(A, "main", null);
    await store.openAccount(B, "main", null);
    await keepAliasesOf(db, [B]);
    const named = (await store.accounts()).map(({ account, alias }) => [account, alias]);
    assert.deepEqual(named, [
      [A, null],
      [B, "main"],
    ]);
  });

  it("notices that one went and the same one came back otherwise between two looks", async () => {
    const { database: db } = target;
    const roster = openRoster(db);
    await roster.changed();
    await removeFromRoster(db, [B]);
    await putIntoRoster(db, [{ address: B, alias: "again" }]);
    assert.equal((await roster.changed())?.[0]?.alias, "again");
  });
});
