/** Reads that take long: they keep no writer waiting, they end when their reader leaves, and too many are refused. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createFeed } from "../../../src/outputs/feed.ts";
import { type HttpService, startHttp } from "../../../src/outputs/http/start.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import type { Database } from "../../../src/store/database.ts";
import { openPostgres } from "../../../src/store/postgres.ts";
import type { Committed } from "../../../src/sync/engine.ts";
import { fillOf } from "../../contract/rows.ts";
import { startServer, type TestDatabase, type TestServer } from "../../support/postgres.ts";
import { until } from "../../support/until.ts";

const ACCOUNT = `0x${"a".repeat(40)}`;
const WAITING_MAX = 3;
const WITHIN_MS = 5_000;

describe("reads that take long", () => {
  let server: TestServer;
  let target: TestDatabase;
  let http: HttpService;
  const pools: Database[] = [];
  before(async () => {
    server = await startServer("real");
    target = await server.newDatabase();
    await target.store.openAccount(ACCOUNT, null, null);
    const open = (waitingMax = Number.POSITIVE_INFINITY) => {
      const pool = openPostgres(target.url, { maxConnections: 2, waitingMax });
      pools.push(pool);
      return pool;
    };
    http = await startHttp({
      listen: { host: "127.0.0.1", port: 0 },
      token: null,
      version: "0",
      engine: { status: () => ({ accounts: [], writesRefused: null }) },
      feed: createFeed<Committed>(silentLog),
      limiter: {
        stats: () => ({ usedLastMinute: 0, weightPerMinute: 1, waiting: 0, inflight: 0, throttled429: 0 }),
      },
      info: {
        request: () => Promise.reject(new Error("no venue")),
        clockOffset: () => null,
        reserve: () => () => {},
      },
      own: open(),
      watch: open(),
      reads: open(WAITING_MAX),
      clock: systemClock,
      log: silentLog,
      tell: null,
    });
  });
  after(async () => {
    await http?.stop();
    for (const pool of pools) await pool.close();
    await server?.stop();
  });

  /** Statements of the reads that the server works on. */
  const underWay = async (): Promise<number> => {
    const [row] = await server.admin.query<{ count: number }>(
      `select count(*) as count from pg_stat_activity
       where state = 'active' and query like '%public.hl_funding%' and query not like 'begin%' and datname = $1`,
      [new URL(target.url).pathname.slice(1)],
    );
    return row!.count;
  };
  /** As long as `work` takes, nothing can be read from the table of funding. */
  async function locked(work: () => Promise<void>): Promise<void> {
    const holder = openPostgres(target.url, { maxConnections: 1 });
    const held = holder.query(
      "begin; lock table public.hl_funding in access exclusive mode; select pg_sleep(60)",
    );
    held.catch(() => {});
    await until("the table is locked", WITHIN_MS, async () => {
      const [row] = await server.admin.query<{ count: number }>(
        "select count(*) as count from pg_locks where mode = 'AccessExclusiveLock' and granted and database = (select oid from pg_database where datname = $1)",
        [new URL(target.url).pathname.slice(1)],
      );
      return row!.count > 0;
    });
    try {
      await work();
    } finally {
      await holder.close();
    }
  }
  const ask = (signal: AbortSignal) =>
    fetch(`${http.url}/api/funding?account=${ACCOUNT}`, { signal }).then(
      async (response) => ({
        status: response.status,
        body: await response.text(),
        headers: response.headers,
      }),
      () => null,
    );

  it("keep no writer and no probe waiting, refuse what is too much, and are cancelled when their readers leave", () =>
    locked(async () => {
      const left = new AbortController();
      const waiting = Array.from({ length: 2 + WAITING_MAX }, () => ask(left.signal));
      await until("two are under way", WITHIN_MS, async () => (await underWay()) === 2);
      await systemClock.sleep(100);
      const refused = await ask(new AbortController().signal);
      assert.equal(refused?.status, 503);
      assert.match(
        refused!.body,
        /too much is asked at once: 3 queries wait for the database already; try again/,
      );
      assert.equal(refused!.headers.get("retry-after"), "1");
      const writtenAtMs = Date.now();
      await target.store.apply({ fills: [fillOf({ account: ACCOUNT })] });
      assert.ok(Date.now() - writtenAtMs < 1_000);
      const fills = await fetch(`${http.url}/api/status`);
      assert.equal((await fills.json()).database.up, true);
      left.abort();
      assert.deepEqual(
        await Promise.all(waiting),
        waiting.map(() => null),
      );
      await until("the server works for nobody", WITHIN_MS, async () => (await underWay()) === 0);
      const others = await fetch(`${http.url}/api/fills?account=${ACCOUNT}`);
      const told = await others.text();
      assert.equal(others.status, 200, told);
      assert.equal(JSON.parse(told).rows.length, 1);
    }));

  it("are cancelled when hlsync stops", () =>
    locked(async () => {
      const asked = ask(new AbortController().signal);
      await until("it is under way", WITHIN_MS, async () => (await underWay()) === 1);
      await http.stop();
      assert.equal(await asked, null);
      await until("the server works for nobody", WITHIN_MS, async () => (await underWay()) === 0);
    }));
});
