import assert from "node:assert/strict";
import { it } from "node:test";
import { TransportError } from "../../../src/errors.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { createVenue } from "../../../src/simulator/exchange/venue.ts";
import type { RosterEntry } from "../../../src/sync/ports.ts";
import { SubAccounts } from "../../../src/sync/subAccounts.ts";
import { HandClock } from "../connection/handClock.ts";
import { type Answers, NOW, USER, venue } from "./account/rig.ts";

const address = (digit: string) => `0x${digit.repeat(40)}`;
const [SUB, VAULT, OTHER] = [address("1"), address("2"), address("3")];
const entry = (of: string, alias: string): RosterEntry => ({
  address: of,
  alias,
  wish: "stream",
  sinceMs: null,
  paused: false,
});
const sub = (name: string, of: string) => ({
  name,
  subAccountUser: of,
  master: USER,
  clearinghouseState: {},
});

function follow(answers: Answers, listed: (RosterEntry[] | null)[] = []) {
  const clock = new HandClock(NOW);
  const given: Answers = { subAccounts: null, leadingVaults: [], ...answers };
  const at = venue(clock, given);
  const inner = { changed: async () => listed.shift() ?? null };
  const own = { info: at.info, clock, log: silentLog, asking: { priority: "heal" } as const };
  const roster = new SubAccounts(inner, [{ address: USER, alias: "fund" }], own);
  const named = async () => (await roster.changed())?.map(({ address: of, alias }) => [of, alias]) ?? null;
  return { ...at, given, clock, roster, named };
}

it("lists the sub-accounts of a master and the vaults it leads, at the first question", async () => {
  const { named } = follow({
    subAccounts: [sub("hedge", SUB.toUpperCase().replace("X", "x"))],
    leadingVaults: [{ address: VAULT, name: "v" }],
  });
  assert.deepEqual(await named(), [
    [SUB, "fund/hedge"],
    [VAULT, "fund/v"],
  ]);
  assert.equal(await named(), null, "as it was");
});

it("follows one that is made later within the hour, and forgets none that an answer lacks", async () => {
  const { named, given, clock, asked } = follow({ subAccounts: [sub("one", SUB)] });
  assert.deepEqual(await named(), [[SUB, "fund/one"]]);
  given.subAccounts = [sub("two", OTHER)];
  assert.equal(await named(), null);
  assert.equal(asked.length, 2, "not asked again so soon");
  await clock.advance(3_600_000);
  assert.equal(await named(), null, "it is looked up beside the roster");
  await clock.advance(0);
  assert.deepEqual(await named(), [
    [SUB, "fund/one"],
    [OTHER, "fund/two"],
  ]);
  given.subAccounts = null;
  await clock.advance(3_600_000);
  await named();
  await clock.advance(0);
  assert.equal(await named(), null);
});

it("goes on without an answer, and asks again in a minute", async () => {
  const { named, given, clock } = follow({ subAccounts: new TransportError("away") });
  assert.deepEqual(await named(), []);
  given.subAccounts = [sub("one", SUB)];
  await clock.advance(60_000);
  await named();
  await clock.advance(0);
  assert.deepEqual(await named(), [[SUB, "fund/one"]]);
});

it("follows the vaults where the sub-accounts cannot be read, and says what could not", async () => {
  const { named, roster } = follow({
    subAccounts: new TransportError("away"),
    leadingVaults: [{ address: VAULT, name: "v" }],
  });
  assert.deepEqual(await named(), [[VAULT, "fund/v"]]);
  assert.deepEqual(roster.failures.map(String), ["TransportError: away"]);
});

it("leaves the other roster what it says, also of a sub-account", async () => {
  const own = { ...entry(SUB, "mine"), paused: true };
  const { roster } = follow({ subAccounts: [sub("one", SUB)] }, [[own], null, [entry(OTHER, "x")]]);
  assert.deepEqual(await roster.changed(), [own]);
  assert.equal(await roster.changed(), null);
  assert.deepEqual(await roster.changed(), [entry(SUB, "fund/one"), entry(OTHER, "x")]);
});

it("looks them up for masters of the other roster, for as long as these are followed", async () => {
  const { clock, given, asked, ...at } = follow({});
  const master = { ...entry(USER, "fund"), withSubs: true };
  let listed: RosterEntry[] | null = [entry(OTHER, "x")];
  const inner = {
    changed: async () => {
      const now = listed;
      listed = null;
      return now;
    },
  };
  const own = { info: at.info, clock, log: silentLog, asking: { priority: "heal" } as const };
  const roster = new SubAccounts(inner, [], own);
  const names = async () => (await roster.changed())?.map(({ alias }) => alias) ?? null;
  assert.deepEqual([await names(), asked.length], [["x"], 0], "nobody is asked about");
  given.subAccounts = [sub("one", SUB)];
  listed = [entry(OTHER, "x"), master];
  assert.deepEqual(await names(), ["x", "fund"], "which waits for no answer");
  await clock.advance(0);
  assert.deepEqual(await names(), ["fund/one", "x", "fund"]);
  assert.equal(await names(), null);
  assert.equal(asked.length, 2);
  // Within the hour only about the new one.
  const second = { ...entry(VAULT, "second"), withSubs: true };
  given.subAccounts = null;
  listed = [master, second];
  await names();
  await clock.advance(0);
  assert.equal(asked.length, 4);
  for (const left of [[second], [{ ...master, paused: true }, second]]) {
    listed = left;
    assert.equal((await names())?.includes("fund/one"), false);
  }
});

it("asks again about a master that failed, whatever another one answers meanwhile", async () => {
  const master = { ...entry(OTHER, "second"), withSubs: true };
  const { named, given, clock, roster } = follow({ subAccounts: new TransportError("away") }, [
    null,
    [master],
  ]);
  assert.deepEqual(await named(), []);
  given.subAccounts = null;
  assert.deepEqual(await named(), [[OTHER, "second"]]);
  await clock.advance(0);
  assert.equal(roster.failures.length, 1, "of the first");
  given.subAccounts = [sub("one", SUB)];
  await clock.advance(60_000);
  await named();
  await clock.advance(0);
  assert.deepEqual(await named(), [
    [SUB, "fund/one"],
    [OTHER, "second"],
  ]);
  assert.equal(roster.failures.length, 0);
});

it("reads what the simulated venue tells", async () => {
  const exchange = createVenue({ seed: 1, startMs: NOW });
  const tell = (type: string) => (params: object) => exchange.info({ type, ...params } as never).body;
  const { info } = venue(new HandClock(NOW), {
    subAccounts: tell("subAccounts"),
    leadingVaults: tell("leadingVaults"),
  });
  const own = { info, clock: new HandClock(NOW), log: silentLog, asking: { priority: "heal" } as const };
  const roster = new SubAccounts({ changed: async () => null }, [{ address: USER, alias: null }], own);
  assert.deepEqual([await roster.changed(), roster.failures], [[], []]);
});
