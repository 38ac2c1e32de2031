/** The outbox under a race: writers of many accounts, readers with a cursor per account, and one with a single cursor. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { EventHub, type Sink } from "../../src/outputs/http/eventHub.ts";
import { readEventId } from "../../src/outputs/http/eventId.ts";
import {
  advance,
  backlog,
  type Cursors,
  changes,
  openOutbox,
  sequenceOf,
  stepBack,
} from "../../src/outputs/outbox.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { silentLog } from "../../src/runtime/log.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import type { Database } from "../../src/store/database.ts";
import { openLeases } from "../../src/store/leases.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { fillOf } from "./rows.ts";

const ACCOUNTS = Array.from({ length: 8 }, (_, n) => `0x${String(n + 1).repeat(40)}`);
const COMMITS = 40;
const SEED = Number(process.env.HLSYNC_SEED ?? 7);

let server: TestServer;
before(async () => {
  server = await startServer("real");
});
after(() => server.stop());

/** Commits of one writer: mostly of its account alone, each kept open for a moment after its events have their ids. */
async function write(database: Database, writer: number): Promise<void> {
  const random = seededRandom(SEED + writer);
  for (let n = 0; n < COMMITS; n++) {
    const other = (writer + 1 + Math.floor(random.next() * 7)) % 8;
    const accounts = random.next() < 0.2 ? [ACCOUNTS[other]!, ACCOUNTS[writer]!] : [ACCOUNTS[writer]!];
    const fills = accounts.map((account) => fillOf({ account, tradeId: writer * 1_000 + n }));
    const names = `array[${accounts.map((account) => `'${account}'`).join()}]`;
    await database.query(
      `select hl_internal.apply(${names}, fills => '${JSON.stringify(fills)}'::json);
       select hl_internal.publish('[{"key": "own:${writer}:${n}", "type": "webhook.test", "timeMs": 1, "data": {}}]')
       where ${n % 5 === 0};
       select pg_sleep(${(random.next() * 0.012).toFixed(4)})`,
    );
  }
}

/** A page that follows all accounts. Its connection is cut after some changes, also between two frames; it goes on with its last id. */
class Page implements Sink {
  readonly heard: string[] = [];
  readonly resets: string[] = [];
  readonly #hub: EventHub;
  readonly #cutAfter: number;
  #lastId: string | null = null;
  #ofConnection = 0;
  #leave = () => {};

  constructor(hub: EventHub, cutAfter: number) {
    this.#hub = hub;
    this.#cutAfter = cutAfter;
  }
  connect(): void {
    this.#ofConnection = 0;
    const since = this.#lastId === null ? null : readEventId(this.#lastId);
    this.#leave = this.#hub.connect(this, null, since);
  }
  write(text: string): void {
    for (const frame of text.split("\n\n")) {
      if (this.#ofConnection >= this.#cutAfter) return;
      const { id, event, data } = Object.fromEntries(frame.split("\n").map((line) => line.split(/: (.*)/s)));
      if (id !== undefined) this.#lastId = id;
      if (event === "reset") this.resets.push(JSON.parse(data).reason);
      if (event !== "change") continue;
      this.heard.push(named(JSON.parse(data)));
      this.#ofConnection += 1;
      if (this.#ofConnection === this.#cutAfter) setImmediate(() => this.#leave());
    }
  }
  buffered(): number {
    return 0;
  }
  close(): void {
    if (this.#ofConnection >= this.#cutAfter) setImmediate(() => this.connect());
  }
}

describe("the outbox", () => {
  let db: TestDatabase;
  before(async () => {
    db = await server.newDatabase({ maxConnections: 12 });
  });
  after(() => db.close());

  it("loses, repeats and disorders nothing for a reader with a cursor per account; one cursor for all does lose", async () => {
    const outbox = openOutbox(db.database);
    let isWriting = true;
    const stop = new AbortController();

    const followed: string[] = [];
    const follower = (async () => {
      const reading = { outbox, after: new Map(), clock: systemClock, signal: stop.signal, pollMs: 3 };
      for await (const events of changes(reading)) followed.push(...events.map(named));
    })();

    // Stops in the middle of pages, and goes on with the cursors it had then.
    const resumed: string[] = [];
    const resuming = (async () => {
      const cursors: Cursors = new Map();
      for (let rest = false; !rest; ) {
        rest = !isWriting;
        let taken = 0;
        for await (const events of backlog({ outbox, after: new Map(cursors) })) {
          for (const event of events.slice(0, rest ? undefined : 3)) {
            taken += 1;
            resumed.push(named(event));
            advance(cursors, sequenceOf(event.account), event.id);
          }
          if (!rest) break;
        }
        if (taken === 0) await systemClock.sleep(2);
      }
    })();

    const single: string[] = [];
    const control = (async () => {
      for (let cursor = 0, last = false; !last; ) {
        last = !isWriting;
        const rows = await db.database.query<{ id: number; key: string; account: string }>(
          `select id, event_key as key, account_address as account from hl_internal.outbox where id > $1 order by id`,
          [cursor],
        );
        single.push(...rows.map(named));
        cursor = rows.at(-1)?.id ?? cursor;
        await systemClock.sleep(2);
      }
    })();

    const hub = new EventHub({
      outbox,
      clock: systemClock,
      log: silentLog,
      onPublished() {},
      onDropped() {},
    });
    await hub.start();
    const pages = [new Page(hub, Number.POSITIVE_INFINITY), new Page(hub, 17)];
    for (const page of pages) page.connect();

    await Promise.all(ACCOUNTS.map((_, writer) => write(db.database, writer)));
    isWriting = false;
    await Promise.all([resuming, control]);
    const total = await db.database.query<{ account: string; key: string }>(
      "select account_address as account, event_key as key from hl_internal.outbox order by id",
    );
    const isBehind = () =>
      [followed, ...pages.map(({ heard }) => heard)].some((one) => one.length < total.length);
    for (let waits = 0; isBehind() && waits < 400; waits++) await systemClock.sleep(10);
    stop.abort();
    await Promise.all([follower, hub.stop()]);

    const expected = bySequence(total.map(named));
    assert.ok(total.length >= 8 * COMMITS * 1.1, `${total.length} events`);
    assert.deepEqual(bySequence(followed), expected);
    assert.deepEqual(bySequence(resumed), expected);
    for (const { heard, resets } of pages) {
      assert.deepEqual(bySequence(heard), expected);
      assert.deepEqual(resets, ["first connection"]);
    }
    assert.ok(single.length < total.length, "the control is a race that loses");
    assert.equal(new Set(single).size, single.length);
  });

  it("is read sequence by sequence, in pages, without one sequence waiting for another", async () => {
    const target = await server.newDatabase();
    const outbox = openOutbox(target.database);
    const [busy, idle, quiet] = ACCOUNTS as [string, string, string];
    await target.store.apply({
      fills: Array.from({ length: 900 }, (_, n) => fillOf({ account: busy, tradeId: n })),
    });
    await target.store.apply({ fills: [fillOf({ account: idle })] });
    await target.store.openAccount(quiet, null, null);
    assert.deepEqual(
      await outbox.heads(),
      new Map([
        [busy, 900],
        [idle, 901],
        [quiet, 0],
        ["", 0],
      ]),
    );
    const pages: number[] = [];
    const cursors: Cursors = new Map([[idle, 0]]);
    for await (const events of backlog({ outbox, after: cursors })) {
      if (pages.length === 0) assert.ok(events.some(({ account }) => account === idle));
      pages.push(events.length);
    }
    assert.equal(
      pages.reduce((sum, count) => sum + count, 0),
      901,
    );
    assert.ok(pages.length > 2 && Math.max(...pages) <= 501, `pages of ${pages}`);
    assert.deepEqual(
      cursors,
      new Map([
        [busy, 900],
        [idle, 901],
      ]),
    );
    assert.equal(await outbox.countAfter(new Map([[busy, 880]]), [busy], 15), 15);
    assert.equal(await outbox.countAfter(new Map([[busy, 890]]), null, 15), 11);
    const last = await outbox.readLast(
      new Map([
        [busy, 899],
        [idle, 901],
      ]),
      3,
    );
    assert.deepEqual(
      last.map(({ id }) => id),
      [898, 899, 901],
    );
    assert.deepEqual(await outbox.read(new Map(), ["0xnobody"], 10), []);
    await target.database.query(
      "update hl_internal.outbox set created_at = now() - interval '1 hour' where id <= 700",
    );
    assert.equal((await outbox.headsBefore(Date.now() - 60_000)).get(busy), 700);
    assert.equal((await outbox.headsBefore(Date.now() - 60_000)).get(idle), 0);
    await target.close();
  });

  it("is pruned from its beginning only, so that its lowest id says what is gone", async () => {
    const target = await server.newDatabase();
    await target.store.apply({ fills: [1, 2, 3, 4].map((tradeId) => fillOf({ tradeId })) });
    await target.database.query(
      "update hl_internal.outbox set created_at = created_at - interval '2 days' where id in (1, 2, 4)",
    );
    const retention = { outboxDays: 1, quarantineDays: 1, marketDays: 1, snapshotDays: 1e5 };
    assert.equal((await target.store.prune(retention, Date.now())).outbox, 2);
    assert.equal(await openOutbox(target.database).oldest(), 3);
    await target.close();
  });
});

describe("the outbox of a restored backup", () => {
  it("is read on from its end by readers who had come farther, each sequence by itself", async () => {
    const target = await server.newDatabase();
    const outbox = openOutbox(target.database);
    const [busy, quiet] = ACCOUNTS as [string, string];
    const trade = (account: string, ...ids: number[]) =>
      target.store.apply({ fills: ids.map((tradeId) => fillOf({ account, tradeId })) });
    await trade(quiet, 1);
    await trade(busy, 2, 3, 4, 5, 6);
    await target.database.query("update hl_internal.outbox set created_at = created_at - interval '1 hour'");

    const clock = systemClock;
    const stop = new AbortController();
    const heard: number[] = [];
    let wentBack = 0;
    const reading = { outbox, after: new Map(), clock, signal: stop.signal, pollMs: 3 };
    const follower = (async () => {
      for await (const events of changes({ ...reading, onWentBack: () => (wentBack += 1) }))
        heard.push(...events.map(({ data }) => Number(data.trade_id)));
    })();
    // A process that writes nothing itself.
    const hub = new EventHub({ outbox, clock, log: silentLog, onPublished() {}, onDropped() {} });
    await hub.start();
    const page = new Page(hub, Number.POSITIVE_INFINITY);
    page.connect();
    const until = async (what: () => boolean) => {
      for (let waits = 0; !what() && waits < 1_000; waits++) await clock.sleep(10);
    };
    await until(() => heard.length === 6);

    // Ids 3 to 6 are taken back, two of them given anew before anyone looks.
    await target.database.query(
      `with lost as (delete from hl_internal.outbox where id > 2)
       select setval('hl_internal.outbox_id_seq', 2)`,
    );
    await target.database.query("delete from public.hl_fills where trade_id > 2");
    await trade(busy, 11, 12);
    await until(() => heard.length === 8 && page.resets.length === 2);
    await trade(busy, 13);
    await trade(quiet, 14);
    await until(() => heard.length === 10 && page.heard.length === 2);
    stop.abort();
    await Promise.all([follower, hub.stop()]);

    assert.deepEqual(heard, [1, 2, 3, 4, 5, 6, 11, 12, 13, 14]);
    assert.equal(wentBack, 1);
    assert.deepEqual(page.resets, ["first connection", "the database went back"]);
    assert.equal(page.heard.length, 2);
    await target.close();
  });

  for (const [name, seenMs, expected] of [
    ["nothing was read yet: from the end", null, 4],
    ["all that was committed since the last event", Date.now() - 30 * 60_000, 2],
    ["nothing is left from before it", 0, 0],
  ] as const)
    it(`sets a cursor back, ${name}`, async () => {
      const target = await server.newDatabase();
      const [account, other] = ACCOUNTS as [string, string];
      await target.store.apply({ fills: [1, 2, 3, 4].map((tradeId) => fillOf({ account, tradeId })) });
      await target.database.query(
        "update hl_internal.outbox set created_at = created_at - interval '1 hour' where id <= 2",
      );
      const after: Cursors = new Map([
        [account, 9],
        [other, 9],
      ]);
      const reading = { outbox: openOutbox(target.database), after };
      assert.equal(await stepBack(reading, seenMs), true);
      assert.deepEqual([...after.values()], [expected, 9], "an account that is not there has no end");
      assert.equal(await stepBack(reading, seenMs), false);
      // Deleted for their age, which is no step back.
      await target.database.query(
        `delete from hl_internal.outbox;
         select setval('hl_internal.outbox_id_seq', 20);
         select hl_internal.publish('[{"key": "own", "type": "webhook.test", "timeMs": 1, "data": {}}]')`,
      );
      after.set(account, 4);
      assert.equal(await stepBack(reading, seenMs), false);
      await target.close();
    });
});

describe("leases", () => {
  it("are taken and given back by many processes, each in its own order, without a deadlock", async () => {
    const target = await server.newDatabase({ maxConnections: 1 });
    const clients = Array.from({ length: 8 }, () => openPostgres(target.url, { maxConnections: 1 }));
    const names = Array.from({ length: 40 }, (_, n) => `follow ${n}`);
    const random = seededRandom(SEED);
    const shuffled = () =>
      names
        .map((name) => ({ name, place: random.next() }))
        .sort((a, b) => a.place - b.place)
        .map(({ name }) => name);
    await Promise.all(
      clients.map(async (client, n) => {
        const leases = openLeases(client);
        for (let turn = 0; turn < 12; turn++) {
          const states = await leases.takeLeases(shuffled(), `holder ${n}`, 60_000);
          assert.deepEqual(
            states.map(({ name }) => name),
            [...names].sort(),
          );
          await leases.releaseLeases(shuffled(), `holder ${n}`);
        }
      }),
    );
    for (const client of clients) await client.close();
    await target.close();
  });
});

const named = ({ account, key }: { account: string | null; key: string }): string =>
  `${sequenceOf(account)} ${key}`;

function bySequence(names: readonly string[]): Map<string, string[]> {
  const sequences = new Map<string, string[]>();
  for (const name of names) {
    const sequence = name.slice(0, name.indexOf(" "));
    sequences.set(sequence, [...(sequences.get(sequence) ?? []), name]);
  }
  return new Map([...sequences].sort(([a], [b]) => (a < b ? -1 : 1)));
}
