/** Who does what among the processes that share a database: the rules of sql/fleet.sql, by the database's own clock. */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { byEgress, openFleet, readHolders, readWorkers } from "../../src/store/fleet.ts";
import { putIntoRoster, removeFromRoster } from "../../src/store/roster.ts";
import { STANDBY_DEFAULTS } from "../../src/sync/standby.ts";
import { useDatabase } from "../support/postgres.ts";

const { ttlMs, backMs } = STANDBY_DEFAULTS;
const account = (n: number): string => `0x${n.toString(16).padStart(40, "0")}`;

describe("the fleet", () => {
  const target = useDatabase("all");
  beforeEach(() =>
    target.database.query("truncate hl_internal.roster, hl_internal.workers, hl_internal.claims"),
  );

  interface Said {
    egress?: string;
    wants?: string[];
    spent?: number;
    dialled?: number;
    streams?: number;
    subscribed?: number;
  }
  /** A process, and what it says of itself each second. */
  function worker(name: string, said: Said = {}) {
    const { egress = name, wants = [] } = said;
    const port = openFleet(target.database, {
      name,
      egress,
      slots: 10,
      weight: 1_200,
      dials: 29,
      subscriptions: 1_000,
      spent: () => said.spent ?? 0,
      dialled: () => said.dialled ?? 0,
    });
    const used = () => ({ streams: said.streams ?? 0, subscribed: said.subscribed ?? 0 });
    return {
      said,
      port,
      attend: () => port.attend({ wants, ...used(), ttlMs, backMs }),
      async holds() {
        const { held } = await port.attend({ wants, ...used(), ttlMs, backMs });
        return held.filter(({ isGiven }) => !isGiven).map(({ duty }) => duty);
      },
      /** Leaves at once what it gives away. */
      async turn() {
        const { held, share } = await port.attend({ wants, ...used(), ttlMs, backMs });
        await port.giveBack(held.filter(({ isGiven }) => isGiven).map(({ duty }) => duty));
        return { count: held.filter(({ isGiven }) => !isGiven).length, share };
      },
    };
  }
  /** Makes it later than it is, for those workers (all, where none is named). */
  const later = (ms: number, ...names: string[]) =>
    target.database.query(
      `update hl_internal.workers set renewed_at = renewed_at - $1 * interval '1 ms', expires_at = expires_at - $1 * interval '1 ms',
         steady_at = steady_at - $1 * interval '1 ms'
       where cardinality($2::text[]) = 0 or worker = any ($2)`,
      [ms, names],
    );
  /** Each is heard of in turn until nothing changes any more. */
  async function settled(...workers: ReturnType<typeof worker>[]): Promise<number[]> {
    let before = "";
    for (let round = 0; round < 50; round++) {
      const counts: number[] = [];
      for (const one of workers) counts.push((await one.turn()).count);
      if (JSON.stringify(counts) === before) return counts;
      before = JSON.stringify(counts);
    }
    return assert.fail("it never settles");
  }
  const roster = (count: number) =>
    putIntoRoster(
      target.database,
      Array.from({ length: count }, (_, n) => ({ address: account(n) })),
    );

  it("shares the accounts of the roster, with who comes, who stops and who dies", async () => {
    await roster(30);
    const [a, b, c] = [worker("a"), worker("b"), worker("c")];
    assert.equal((await a.holds()).length, 20, "so many at once");
    assert.deepEqual(await settled(a), [30]);
    assert.deepEqual(await settled(a, b, c), [10, 10, 10]);
    const all = await readHolders(target.database);
    assert.equal(all.size, 30);

    // In order: at once.
    await c.port.dismiss();
    assert.deepEqual(await settled(a, b), [15, 15]);
    // Without a word: when its time is over, not before.
    await later(ttlMs - 500, "b");
    assert.equal((await a.turn()).count, 15);
    await later(2 * backMs, "a");
    await a.turn();
    await later(600, "b");
    assert.deepEqual(await settled(a), [15], "a worker that was not steady itself calls nobody dead");
    for (let second = 0; second < 3; second++) {
      await later(1_000);
      await a.turn();
    }
    assert.deepEqual(await settled(a), [30]);
    const held = (await a.attend()).held;
    assert.ok(
      held.some(({ token }) => token >= 3),
      "the token grows with every change of hands",
    );
    const { share } = await b.turn();
    assert.equal(share?.workers, 1);
    assert.deepEqual(await settled(a, b), [15, 15]);
  });

  it("takes what is added, and lets go what is removed", async () => {
    await roster(4);
    const [a, b] = [worker("a"), worker("b")];
    assert.deepEqual(await settled(a, b), [2, 2]);
    await putIntoRoster(target.database, [{ address: account(9) }]);
    assert.deepEqual((await settled(a, b)).sort(), [2, 3]);
    await removeFromRoster(target.database, [account(9), account(0)]);
    for (const one of [a, b]) await one.port.giveBack([`follow ${account(9)}`, `follow ${account(0)}`]);
    assert.deepEqual((await settled(a, b)).sort(), [1, 2]);
  });

  it("leaves to each what only it was started with, and shares what several were", async () => {
    const own = (...numbers: number[]) => numbers.map((n) => `follow ${account(n)}`);
    const a = worker("a", { wants: own(1, 2, 3) });
    const b = worker("b", { wants: own(4) });
    assert.deepEqual(await settled(a, b), [3, 1]);
    const c = worker("c", { wants: own(1, 2, 3, 4) });
    assert.deepEqual(await settled(a, b, c), [2, 1, 1]);
    const { others } = await c.attend();
    assert.equal(others.size, 3);
  });

  it("never has an account twice, whoever gives it to whom meanwhile", async () => {
    await roster(7);
    const [a, b] = [worker("a"), worker("b")];
    assert.deepEqual(await settled(a), [7]);
    assert.deepEqual(await b.holds(), [], "all is another's");
    const given = (await a.attend()).held.filter(({ isGiven }) => isGiven).map(({ duty }) => duty);
    assert.equal(given.length, 3);
    assert.deepEqual(await b.holds(), [], "not before it is left");
    const other = worker("c");
    await a.port.giveBack(given);
    assert.deepEqual(await other.holds(), [], "it is meant for b");
    assert.deepEqual(
      (await b.attend()).held.map(({ duty }) => duty),
      given,
    );
  });

  it("moves nothing after an outage in which all were silent", async () => {
    await roster(6);
    const workers = [worker("a"), worker("b"), worker("c")];
    await settled(...workers);
    const before = await readHolders(target.database);
    for (const silentMs of [ttlMs + 100, 1.5 * ttlMs, 2 * ttlMs - 100]) {
      await later(silentMs);
      for (let second = 0; second < 3; second++) {
        for (const one of workers) await one.turn();
        await later(900);
      }
      for (const one of workers) await one.turn();
      assert.deepEqual(await readHolders(target.database), before);
    }
  });

  it("divides new connections, with what each opened in the last minute, also of one that is gone", async () => {
    await roster(4);
    const a = worker("a", { egress: "here", dialled: 20 });
    const b = worker("b", { egress: "here" });
    assert.equal((await a.turn()).share!.dials, 29);
    assert.equal((await b.turn()).share!.dials, 0, "the other has all of it still");
    assert.equal((await a.turn()).share!.dials, 14);
    assert.equal((await b.turn()).share!.dials, 9, "the other opened twenty before it knew");
    a.said.dialled = 3;
    await a.turn();
    assert.equal((await b.turn()).share!.dials, 14);
    a.said.dialled = 12;
    await a.turn();
    // Gone without a word, and called dead: what it opened counts for a minute.
    await later(ttlMs, "a");
    b.said.dialled = 1;
    for (let second = 0; second < 4; second++) {
      await later(1_000);
      await b.turn();
    }
    assert.equal((await b.turn()).share!.dials, 17);
    await later(61_000, "a");
    assert.equal((await b.turn()).share!.dials, 29);
    assert.equal((await worker("c").turn()).share!.dials, 29, "another egress");
  });

  it("divides subscriptions, never more than the others leave", async () => {
    await roster(4);
    const a = worker("a", { egress: "here" });
    const b = worker("b", { egress: "here" });
    assert.equal((await a.turn()).share!.subscriptions, 1_000);
    // It begins with market data before the other is there.
    a.said.subscribed = 870;
    await a.turn();
    assert.equal((await b.turn()).share!.subscriptions, 0);
    assert.equal((await a.turn()).share!.subscriptions, 500);
    assert.equal((await b.turn()).share!.subscriptions, 130, "what the other has is not given away");
    a.said.subscribed = 13;
    await a.turn();
    assert.equal((await b.turn()).share!.subscriptions, 500);
    assert.equal((await worker("c").turn()).share!.subscriptions, 1_000, "another egress");
    await a.port.dismiss();
    assert.equal((await b.turn()).share!.subscriptions, 1_000);
  });

  it("divides connections and weight among those behind one egress, never more than there is", async () => {
    await roster(30);
    const a = worker("a", { egress: "here", spent: 900, streams: 10 });
    const b = worker("b", { egress: "here" });
    const elsewhere = worker("c");
    await settled(a);
    let first = (await a.turn()).share!;
    assert.deepEqual(first, { slots: 10, weight: 1_200, dials: 29, subscriptions: 1_000, workers: 1 });
    let second = (await b.turn()).share!;
    assert.deepEqual([second.slots, second.weight], [0, 0], "the other still has all of it");
    for (let round = 0; round < 5; round++) {
      first = (await a.turn()).share!;
      second = (await b.turn()).share!;
      assert.ok(Math.max(first.slots, a.said.streams!) + second.slots <= 10);
      assert.ok(Math.max(first.weight, a.said.spent!) + second.weight <= 1_200);
      assert.equal((await elsewhere.turn()).share?.weight, 1_200);
      // What it has too much of is closed a while later, and spent less and less.
      if (round === 2) Object.assign(a.said, { streams: first.slots, spent: 300 });
    }
    assert.deepEqual([first.slots, second.slots], [5, 5]);
    assert.ok(first.weight >= 500 && second.weight >= 500, JSON.stringify([first, second]));

    // What a dead one spent counts for a minute.
    b.said.spent = 500;
    await b.turn();
    await later(ttlMs + 1_000, "b");
    for (let second = 0; second < 4; second++) {
      await later(1_000, "a");
      first = (await a.turn()).share!;
    }
    assert.equal(first.slots, 10);
    assert.ok(first.weight <= 1_200 - 500, JSON.stringify(first));
    await later(61_000, "b");
    assert.equal((await a.turn()).share!.weight, 1_200);
  });

  it("notices that the database lacks what was committed, once", async () => {
    await roster(1);
    const a = worker("a");
    const wentBack = async () => (await a.attend()).wentBack;
    assert.equal(await wentBack(), false);
    const [backup] = await target.database.query("select expires_at from hl_internal.workers");
    await target.database.query("select pg_sleep(0.01)");
    for (let i = 0; i < 3; i++) assert.equal(await wentBack(), false);
    await target.database.query("update hl_internal.workers set expires_at = $1", [backup!.expires_at]);
    assert.equal(await wentBack(), true);
    assert.equal(await wentBack(), false);
    await target.database.query("delete from hl_internal.workers");
    assert.equal(await wentBack(), true, "a backup from before the first start");
  });

  it("says what the processes of an egress use together", async () => {
    await roster(6);
    const a = worker("a", { egress: "here", spent: 300, streams: 3, subscribed: 39 });
    const b = worker("b", { egress: "here", spent: 100, streams: 2, subscribed: 26 });
    const c = worker("c", { spent: 5 });
    await settled(a, b, c);
    const rows = byEgress(await readWorkers(target.database));
    assert.deepEqual(
      rows.map(({ egress, workers, duties, streams, spent, subscribed }) => [
        ...[egress, workers, duties, streams, spent, subscribed],
      ]),
      [
        ["c", 1, 2, 0, 5, 0],
        ["here", 2, 4, 5, 400, 65],
      ],
    );
    for (const { slots, weight, subscriptions } of rows)
      assert.ok(slots <= 10 && weight <= 1_200 && subscriptions <= 1_000);
  });

  it("renews one row, however many accounts it has, and says how it stands", async () => {
    const a = worker("a", { streams: 3, spent: 77 });
    const written = async (count: number) => {
      await roster(count);
      await settled(a);
      const told = JSON.stringify({
        egress: "a",
        slots: 10,
        weight: 1_200,
        spent: 77,
        wants: [],
        streams: 3,
        ttlMs,
        backMs,
        most: 20,
        lastWords: 120,
      });
      const bytes: number[] = [];
      for (let second = 0; second < 20; second++) {
        const [row] = await target.database.query<{ "QUERY PLAN": [{ Plan: { "WAL Bytes": number } }] }>(
          "explain (analyze, wal, format json) select hl_internal.attend('a', $1)",
          [told],
        );
        bytes.push(row!["QUERY PLAN"][0].Plan["WAL Bytes"]);
      }
      // The least: now and then a page is written whole.
      return Math.min(...bytes);
    };
    const [few, many] = [await written(2), await written(400)];
    assert.ok(
      few > 0 && many <= few + 200 && many < 1_000,
      `${few} bytes a second with 2 accounts, ${many} with 400`,
    );
    const [row] = await readWorkers(target.database);
    assert.deepEqual(
      [row?.worker, row?.egress, row?.duties, row?.streams, row?.spent, row?.weight],
      ["a", "a", 400, 3, 77, 1_200],
    );
  });
});
