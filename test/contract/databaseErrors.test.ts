/** What a user is told when the database cannot be used: one line, what to do, and no password in it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { TLSSocket, type TLSSocketOptions } from "node:tls";
import { fileURLToPath } from "node:url";
import { ConfigError, StoreError } from "../../src/errors.ts";
import { maskSecrets } from "../../src/runtime/safeText.ts";
import { openPostgres, type PostgresOptions } from "../../src/store/postgres.ts";
import { startServer, type TestServer } from "../support/postgres.ts";
import { PATIENCE_MS, until } from "../support/until.ts";

const PASSWORD = "s3cret-Pa55";

/** The error of a first query. */
async function failure(url: string, options: PostgresOptions = {}): Promise<StoreError> {
  const database = openPostgres(url, { connectTimeoutMs: 2_000, ...options });
  try {
    await database.query("select 1");
  } catch (error) {
    assert.ok(error instanceof StoreError);
    assert.doesNotMatch(error.message, /\n/);
    assert.ok(!error.message.includes(PASSWORD), error.message);
    return error;
  } finally {
    await database.close();
  }
  throw new assert.AssertionError({ message: "the query succeeded" });
}

/** A server that treats every connection with `handle`; resolves to its port. */
async function listen(handle: (socket: Socket) => void): Promise<{ port: number; server: Server }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    handle(socket);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return { port: address.port, server };
}

describe("a database that cannot be used", () => {
  let server: TestServer;
  let real: URL;
  before(async () => {
    server = await startServer("embedded");
    const db = await server.newDatabase();
    real = new URL(db.url);
    await db.close();
  });
  after(() => server?.stop());

  const at = (change: (url: URL) => void): string => {
    const url = new URL(real);
    url.pathname = "/postgres";
    change(url);
    return url.href;
  };

  it("because nothing listens there is worth another try", async () => {
    const { port, server: closed } = await listen(() => {});
    await new Promise((done) => closed.close(done));
    const error = await failure(`postgres://me:${PASSWORD}@127.0.0.1:${port}/db`);
    assert.match(error.message, /^cannot reach PostgreSQL at 127\.0\.0\.1:\d+: connection refused\./);
    assert.equal(error.transient, true);
  });

  it("because the host has no address says so", async () => {
    const error = await failure(`postgres://me:${PASSWORD}@no-such-host.invalid/db`);
    assert.match(error.message, /no-such-host\.invalid:5432: (no such host|name cannot be resolved)/);
  });

  it("because the password is wrong is final", async () => {
    const error = await failure(
      at((url) => {
        url.password = PASSWORD;
      }),
    );
    assert.match(error.message, /refused user hlsync: wrong password/);
    assert.equal(error.transient, false);
    assert.equal(error.sqlState, "28P01");
  });

  it("because it does not exist is final", async () => {
    const error = await failure(
      at((url) => {
        url.pathname = "/nowhere";
      }),
    );
    assert.match(error.message, /there is no database nowhere at/);
    assert.equal(error.transient, false);
  });

  it("because it does not offer TLS names the option", async () => {
    const error = await failure(
      at((url) => {
        url.searchParams.set("sslmode", "require");
      }),
    );
    assert.match(error.message, /does not offer TLS: use sslmode=disable/);
  });

  const certified = (name: string, options: TLSSocketOptions = {}) => {
    const pem = readFileSync(new URL(`../fixtures/tls/${name}.pem`, import.meta.url));
    return (socket: Socket) => {
      socket.write("S");
      const secured = new TLSSocket(socket, { isServer: true, key: pem, cert: pem, ...options });
      secured.on("error", () => {});
    };
  };
  const root = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}.pem`, import.meta.url));
  const tlsFaults: [
    what: string,
    mode: string,
    serve: (socket: Socket) => void,
    says: RegExp,
    transient: boolean,
  ][] = [
    [
      "garbage",
      "require",
      (socket) => {
        socket.write("S");
        socket.once("data", () => socket.write("\u001b[2J garbage".repeat(20)));
      },
      /speaks no TLS that can be understood/,
      true,
    ],
    [
      "the end",
      "require",
      (socket) => socket.end("S"),
      /connection reset|terminated unexpectedly|disconnected/,
      true,
    ],
    ["nothing", "require", (socket) => void socket.write("S"), /connection timeout/, true],
    [
      "an old protocol",
      "require",
      certified("other", { minVersion: "TLSv1", maxVersion: "TLSv1.1" }),
      /speaks no TLS/,
      true,
    ],
    ["a certificate of nobody", "verify-full", certified("other"), /was not accepted: self-signed/, false],
    [
      "a certificate of another",
      `verify-full&sslrootcert=${root("other")}`,
      certified("other"),
      /was not accepted: Hostname/,
      false,
    ],
    [
      "a certificate of last year",
      `verify-full&sslrootcert=${root("expired")}`,
      certified("expired"),
      /was not accepted: certificate has expired/,
      false,
    ],
  ];
  for (const [what, mode, serve, says, transient] of tlsFaults) {
    it(`because TLS begins with ${what} says so in one visible line`, async () => {
      const sockets: Socket[] = [];
      const { port, server: faulty } = await listen((socket) => {
        sockets.push(socket);
        socket.once("data", () => serve(socket));
      });
      try {
        const error = await failure(`postgres://me:${PASSWORD}@127.0.0.1:${port}/db?sslmode=${mode}`, {
          connectTimeoutMs: 1_000,
        });
        assert.match(error.message, says);
        assert.doesNotMatch(error.message, /\p{Cc}/u);
        assert.equal(error.transient, transient);
      } finally {
        for (const socket of sockets) socket.destroy();
        await new Promise((done) => faulty.close(done));
      }
    });
  }

  it("because a web server answers is told apart from a database that is away", async () => {
    const { port, server: web } = await listen((socket) =>
      socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")),
    );
    const error = await failure(`postgres://me:${PASSWORD}@127.0.0.1:${port}/db`);
    assert.match(error.message, /what answers at 127\.0\.0\.1:\d+ is not a PostgreSQL server/);
    assert.equal(error.transient, false);
    await new Promise((done) => web.close(done));
  });

  it("because it hangs up is worth another try: servers and poolers that are stopping do so", async () => {
    const { port, server: stopping } = await listen((socket) => void socket.once("data", () => socket.end()));
    const error = await failure(`postgres://me:${PASSWORD}@127.0.0.1:${port}/db`);
    assert.match(error.message, /^cannot connect to PostgreSQL at 127\.0\.0\.1:\d+: /);
    assert.equal(error.transient, true);
    await new Promise((done) => stopping.close(done));
  });

  it("because something silent listens there is told within the time limit", async () => {
    const sockets: Socket[] = [];
    const { port, server: mute } = await listen((socket) => void sockets.push(socket));
    const error = await failure(`postgres://me:${PASSWORD}@127.0.0.1:${port}/db`, { connectTimeoutMs: 200 });
    assert.match(error.message, /not a PostgreSQL server, or one that hangs/);
    assert.equal(error.transient, true);
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => mute.close(done));
  });

  it("because all connections are busy is worth another try", async () => {
    const database = openPostgres(real.href.replace(real.pathname, "/postgres"), {
      maxConnections: 1,
      connectTimeoutMs: 100,
    });
    // Connecting has the same time, and takes longer where the machine is busy.
    await until("a connection", PATIENCE_MS, () =>
      database.query("select 1").then(
        () => true,
        () => false,
      ),
    );
    const busy = database.query("select pg_sleep(0.6)");
    await assert.rejects(database.query("select 1"), (error: unknown) => {
      assert.ok(error instanceof StoreError);
      assert.match(error.message, /all 1 connections .* were busy for 100 ms/);
      assert.equal(error.transient, true);
      return true;
    });
    await busy;
    await database.close();
  });

  it("because a statement takes too long gives up, and the next one has a fresh connection", async () => {
    const database = openPostgres(real.href.replace(real.pathname, "/postgres"), {
      maxConnections: 1,
      statementTimeoutMs: 150,
    });
    await assert.rejects(database.query("select pg_sleep(3)"), (error: unknown) => {
      assert.ok(error instanceof StoreError);
      assert.match(error.message, /no answer from PostgreSQL at .* within 150 ms/);
      assert.equal(error.transient, true);
      return true;
    });
    assert.deepEqual(await database.query("select 1 as one"), [{ one: 1 }]);
    await database.close();
  });

  it("because the connection was cut is worth another try, and the try succeeds", async () => {
    const database = openPostgres(real.href.replace(real.pathname, "/postgres"), { maxConnections: 1 });
    const [own] = await database.query("select pg_backend_pid() as pid");
    // Awaited for from here: the connection can be gone before the one that cuts it has its answer.
    const cut = assert.rejects(
      database.query("select pg_sleep(5)"),
      (error: unknown) => error instanceof StoreError && error.transient,
    );
    const running = "select 1 from pg_stat_activity where pid = $1 and state = 'active'";
    while ((await server.admin.query(running, [own?.pid])).length === 0);
    await server.admin.query("select pg_terminate_backend($1)", [own?.pid]);
    await cut;
    assert.deepEqual(await database.query("select 1 as one"), [{ one: 1 }]);
    // An idle connection that is cut must not end the process.
    const [again] = await database.query("select pg_backend_pid() as pid");
    await server.admin.query("select pg_terminate_backend($1)", [again?.pid]);
    assert.deepEqual(await database.query("select 1 as one").catch(() => database.query("select 1 as one")), [
      { one: 1 },
    ]);
    await database.close();
  });

  it("because it is read-only is worth another try", async () => {
    const db = await server.newDatabase();
    const name = new URL(db.url).pathname.slice(1);
    await server.admin.query(`alter database ${name} set default_transaction_read_only = on`);
    const database = openPostgres(db.url);
    await assert.rejects(database.query("create table x (y int)"), (error: unknown) => {
      assert.ok(error instanceof StoreError);
      assert.equal(error.sqlState, "25006");
      assert.equal(error.transient, true);
      return true;
    });
    await database.close();
    await db.close();
  });

  it("because its URL cannot be read is a configuration error that does not repeat the URL", () => {
    for (const url of [
      `postgres://me:${PASSWORD}/#@host/db`,
      `mysql://me:${PASSWORD}@host/db`,
      `postgres://h/db?sslmode=maybe`,
    ])
      assert.throws(
        () => openPostgres(url),
        (error: unknown) => error instanceof ConfigError && !error.message.includes(PASSWORD),
      );
  });

  it("is described without its password", async () => {
    const database = openPostgres(`postgres://me:${PASSWORD}@db.example.com/main`);
    assert.equal(database.describe(), "postgres://me:***@db.example.com:5432/main");
    await database.close();
    await assert.rejects(database.query("select 1"), /is closed/);
    const libpq = openPostgres(`postgres://db.example.com/?user=me&password=${PASSWORD}&dbname=main`);
    assert.equal(libpq.describe(), "postgres://me:***@db.example.com:5432/main");
    await libpq.close();
    const shown = maskSecrets(`postgres://h/db?user=me&password=${PASSWORD}&sslmode=require`);
    assert.equal(shown, "postgres://h/db?user=me&password=***&sslmode=require");
  });

  it("is none where user and password stand behind the question mark, as libpq takes them", async () => {
    const { url, close } = await server.newDatabase();
    const given = new URL(url);
    for (const [key, value] of [
      ["user", given.username],
      ["password", given.password],
    ] as const)
      given.searchParams.set(key, decodeURIComponent(value));
    [given.username, given.password] = ["", ""];
    const database = openPostgres(given.href);
    assert.deepEqual(await database.query("select 1 as one"), [{ one: 1 }]);
    await database.close();
    await close();
  });
});
