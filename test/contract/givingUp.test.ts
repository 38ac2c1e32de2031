/** Statements that are given up: the caller has its answer at once, and the server does not go on for nobody. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { BusyError, StoreError } from "../../src/errors.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Database } from "../../src/store/database.ts";
import { openPostgres, type PostgresOptions } from "../../src/store/postgres.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { startTlsServer } from "../support/tlsServer.ts";
import { noPooler, startPooler } from "./pgbouncer.ts";

/** What no reader waits for. */
const LONG = "select pg_sleep(120), $1::text as mark";

describe("a statement that is given up", () => {
  let server: TestServer;
  let target: TestDatabase;
  before(async () => {
    server = await startServer("real");
    target = await server.newDatabase({ migrated: false });
  });
  after(() => server?.stop());

  let marks = 0;
  const newMark = () => `mark-${process.pid}-${++marks}`;
  /** Resolves when the server works on no such statement any more. */
  async function gone(): Promise<void> {
    const untilMs = Date.now() + 5_000;
    for (;;) {
      const [row] = await server.admin.query<{ count: number }>(
        `select count(*) as count from pg_stat_activity
         where state = 'active' and query like 'select pg_sleep%' and datname = $1`,
        [new URL(target.url).pathname.slice(1)],
      );
      if (row!.count === 0) return;
      assert.ok(Date.now() < untilMs, "the server goes on");
      await systemClock.sleep(50);
    }
  }
  const opened = (url: string, options: PostgresOptions = {}): Database =>
    openPostgres(url, { maxConnections: 1, ...options });

  /** One after the other on one connection: what is given up leaves room for the next. */
  async function isGivenUp(database: Database): Promise<void> {
    for (let round = 0; round < 3; round++) {
      const abort = new AbortController();
      const answer = database.query(LONG, [newMark()], { signal: abort.signal });
      setTimeout(() => abort.abort(new Error("gone")), 200);
      await assert.rejects(answer, /^Error: gone$/);
      await gone();
      assert.deepEqual(await database.query("select 1 as n"), [{ n: 1 }]);
    }
    const late = database.query(LONG, [newMark()], { timeoutMs: 200 });
    await assert.rejects(late, (error) => {
      assert.ok(error instanceof StoreError && error.transient);
      assert.match(error.message, /^no answer from PostgreSQL at \S+ within 200 ms$/);
      return true;
    });
    await gone();
    assert.deepEqual(await database.query("select 1 as n"), [{ n: 1 }]);
  }

  it("by its signal or its time-out is cancelled at the server", async () => {
    const database = opened(target.url);
    await isGivenUp(database);
    await database.close();
  });

  it("is cancelled through a transaction pooler too", { skip: noPooler }, async () => {
    const pooler = await startPooler(target.url, { mode: "transaction", poolSize: 2 });
    const database = opened(pooler.urlOf(target.url));
    await isGivenUp(database);
    await database.close();
    await pooler.stop();
  });

  it("is cancelled when the database is closed", async () => {
    const database = opened(target.url);
    const answer = database.query(LONG, [newMark()]);
    answer.catch(() => {});
    await systemClock.sleep(200);
    const startedMs = Date.now();
    await database.close();
    assert.ok(Date.now() - startedMs < 2_000);
    await assert.rejects(answer);
    await gone();
  });

  it("may wait for a connection still, and takes none then", async () => {
    const database = opened(target.url);
    const first = database.query("select pg_sleep(0.5)");
    const abort = new AbortController();
    const second = database.query(LONG, [newMark()], { signal: abort.signal });
    setTimeout(() => abort.abort(new Error("gone")), 100);
    await assert.rejects(second, /^Error: gone$/);
    await first;
    assert.deepEqual(await database.query("select 1 as n"), [{ n: 1 }]);
    await assert.rejects(
      database.query(LONG, [newMark()], { signal: AbortSignal.abort(new Error("gone")) }),
      /gone/,
    );
    await database.close();
  });

  it("is refused at once when enough wait already", async () => {
    const database = opened(target.url, { waitingMax: 2 });
    const under = [1, 2, 3].map(() => database.query("select pg_sleep(0.2)"));
    await assert.rejects(database.query("select 1"), (error) => {
      assert.ok(error instanceof BusyError && error.transient);
      assert.match(error.message, /2 queries wait for the database already/);
      return true;
    });
    await Promise.all(under);
    assert.deepEqual(await database.query("select 1 as n"), [{ n: 1 }]);
    await database.close();
  });

  it("leaves the statements of others alone", async () => {
    const database = opened(target.url, { maxConnections: 4 });
    for (let round = 0; round < 10; round++) {
      const abort = new AbortController();
      const left = database.query(LONG, [newMark()], { signal: abort.signal });
      const others = [1, 2, 3].map(() => database.query("select pg_sleep(0.15), 1 as n"));
      setTimeout(() => abort.abort(new Error("gone")), 30 + round);
      await assert.rejects(left, /gone/);
      const next = await database.query("select pg_sleep(0.05), 2 as n");
      assert.equal(next[0]!.n, 2);
      for (const rows of await Promise.all(others)) assert.equal(rows[0]!.n, 1);
    }
    await gone();
    await database.close();
  });

  it("is cancelled over TLS, either way of beginning it, and without asking for it where it is offered", async () => {
    const own = await startTlsServer();
    try {
      const made = await own.newDatabase({ migrated: false });
      const url = made.url.replace(/\?.*/, "");
      for (const asked of ["", "sslmode=require", "sslmode=require&sslnegotiation=direct"]) {
        const database = opened(`${url}?${asked}`);
        const [row] = await database.query("select ssl from pg_stat_ssl where pid = pg_backend_pid()");
        assert.equal(row!.ssl, true);
        const startedMs = Date.now();
        await assert.rejects(database.query(LONG, ["tls"], { timeoutMs: 200 }), /within 200 ms/);
        for (let count = 1; count > 0; ) {
          const [active] = await made.database.query<{ count: number }>(
            "select count(*) as count from pg_stat_activity where state = 'active' and query like 'select pg_sleep%'",
          );
          count = active!.count;
          assert.ok(Date.now() - startedMs < 5_000, `${asked}: the server goes on`);
        }
        await database.close();
      }
    } finally {
      await own.stop();
    }
  });
});
