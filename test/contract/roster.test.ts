/** The roster in the database. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  hasRoster,
  openRoster,
  pauseInRoster,
  putIntoRoster,
  readRoster,
  removeFromRoster,
} from "../../src/store/roster.ts";
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

  it("notices that one went and the same one came back otherwise between two looks", async () => {
    const { database: db } = target;
    const roster = openRoster(db);
    await roster.changed();
    await removeFromRoster(db, [B]);
    await putIntoRoster(db, [{ address: B, alias: "again" }]);
    assert.equal((await roster.changed())?.[0]?.alias, "again");
  });
});
