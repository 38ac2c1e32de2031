/** Bad input and unreachable parts: one line on stderr, the documented exit code, and no password anywhere. */
import assert from "node:assert/strict";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { hlsync, type Running, simulate } from "../support/cli.ts";
import { freePort } from "../support/freePort.ts";
import { startServer, type TestServer, temporaryFolder } from "../support/postgres.ts";

const USER = `0x${"c".repeat(40)}`;
const SECRET = "hunter2hunter2";

describe("errors", () => {
  const folder = temporaryFolder();
  let server: TestServer;
  let exchange: Running & { apiUrl: string };
  let database: string;
  /** A port on which nothing listens. */
  let nowhere: number;

  before(async () => {
    server = await startServer("embedded");
    database = (await server.newDatabase({ migrated: false })).url;
    exchange = await simulate();
    nowhere = await freePort();
  });
  after(async () => {
    await exchange?.stop();
    await server?.stop();
    folder.remove();
  });

  async function fails(args: string[], code: number, says: RegExp): Promise<void> {
    const result = await hlsync([...args, "--log-level", "error"], { cwd: folder.path });
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, says);
    assert.equal(result.stderr.trim().split("\n").length, 1, result.stderr);
    assert.doesNotMatch(result.stderr + result.stdout, new RegExp(SECRET));
  }
  const sync = (...args: string[]) => ["sync", "--once", "--account", USER, ...args];

  it("a bad address is a usage error that shows it", () =>
    fails(["sync", "--once", "--account", "0x123"], 2, /--account "0x123": expected 0x and 40 hex digits/));
  it("no account at all is a usage error that says how to give one", () =>
    fails(["sync", "--once"], 2, /--account 0x… or set HLSYNC_ACCOUNTS/));
  it("a bad flag is a usage error", () => fails(["sync", "--wat"], 2, /unknown option '--wat'/));
  it("a bad value names the flag and the value", () =>
    fails(sync("--interval", "soon"), 2, /--interval "soon": expected a number/));
  it("a stream that does not exist, or that needs coins and has none, is a usage error before anything is opened", async () => {
    const run = ["run", "--account", USER, "--database", `postgres://me@127.0.0.1:${nowhere}/x`];
    await fails([...run, "--streams", "tades"], 2, /--streams "tades": "tades" is none of/);
    await fails([...run, "--streams", "trades"], 2, /--streams "trades": say of which coins with --markets/);
  });
  it("a coin that the venue does not list, and a rule that is none, are usage errors before anything is opened", async () => {
    const database = `postgres://me@127.0.0.1:${nowhere}/x`;
    const run = ["run", "--account", USER, "--database", database, "--api-url", exchange.apiUrl];
    await fails([...run, "--markets", "BTC,NOPE"], 2, /--markets "NOPE": the venue lists no such coin$/m);
    await fails([...run, "--markets", "btc"], 2, /--markets "btc": the venue lists no such coin, but BTC$/m);
    await fails([...run, "--markets", "@107,xyz:AAPL,#10"], 6, /./);
    await fails([...run, "--alert", "nope=1"], 2, /--alert "nope=1": unknown rule/);
  });
  it("another database than PostgreSQL is a usage error, and nothing is made of its name", async () => {
    await fails(
      sync("--database", `mysql://me:${SECRET}@host/db`),
      2,
      /^hlsync: --database: expected postgres:/,
    );
    assert.deepEqual(readdirSync(folder.path), []);
  });
  it("a simulator that cannot have its port says so and ends", async () => {
    const { port } = new URL(exchange.apiUrl);
    await fails(["simulate", "--port", port], 2, /--port \d+: the port is taken/);
    await fails(["simulate", "--port", "80.5"], 2, /--port "80.5": expected a whole number/);
  });
  it("an unknown command is a usage error", () => fails(["snyc"], 2, /unknown command 'snyc'/));
  it("a config file with an unknown key is a usage error", () =>
    fails(sync("--config", "/nowhere.json"), 2, /--config "\/nowhere.json": cannot be read/));
  it("an unreachable venue is 5", () =>
    fails(
      sync("--api-url", `http://127.0.0.1:${nowhere}`, "--database", database),
      5,
      /hlsync: 127\.0\.0\.1:\d+ does not answer .*(refused|ECONNREFUSED).*: the request perpDexs was not sent/,
    ));
  it("an unreachable database is 6", () =>
    fails(
      sync("--api-url", exchange.apiUrl, "--database", `postgres://me:${SECRET}@127.0.0.1:${nowhere}/x`),
      6,
      /127\.0\.0\.1/,
    ));
  it("a wrong password is 6, with the password masked", () => {
    const url = new URL(database);
    url.password = SECRET;
    return fails(sync("--api-url", exchange.apiUrl, "--database", url.href), 6, /password/);
  });
  it("a database folder that is not ours is a usage error", () =>
    fails(sync("--api-url", exchange.apiUrl, "--database", "/usr/bin"), 2, /\/usr\/bin/));
  it("a database folder that cannot be made is a usage error that says why", async () => {
    const file = join(folder.path, "file");
    writeFileSync(file, "");
    for (const [path, why] of [
      [file, /: it is a file/],
      [join(file, "x"), /file is a file/],
    ] as const)
      await fails(sync("--api-url", exchange.apiUrl, "--database", path), 2, why);
    rmSync(file);
  });
  const READERS = [
    ...[["status"], ["health"], ["export"], ["tail", "--once"], ["alerts", "list"], ["quarantine", "list"]],
    ...[
      ["webhooks", "list"],
      ["webhooks", "deliveries"],
      ["verify", "--account", USER],
    ],
  ];
  it("pending migrations are 3 for every command that only reads, and stay pending", async () => {
    const { url: empty, database: asked } = await server.newDatabase({ migrated: false });
    for (const reader of READERS)
      await fails(
        [...reader, "--database", empty],
        3,
        /migrations are pending \(0001_\S+ and \d+ more\); hlsync migrate/,
      );
    const [row] = await asked.query("select to_regnamespace('hl_internal') as schema");
    assert.equal(row!.schema, null);
  });
  it("a command that only reads makes no database where there is none", async () => {
    for (const reader of READERS) await fails(reader, 2, /there is no database in \S+: hlsync run makes one/);
    const { code, stdout } = await hlsync(["migrate", "--check"], { cwd: folder.path });
    assert.deepEqual([code, /^no database in \S+ yet, pending: 0001_/.test(stdout)], [3, true]);
    assert.deepEqual(readdirSync(folder.path), []);
  });
  it("a role that may read the tables, and no machinery but what views rest on, reads", async () => {
    const { url, database: owner } = await server.newDatabase();
    const role = `reader_${process.pid}`;
    // Everything is closed by default: what readers see is what is granted to them, functions of views included.
    await owner.query(`create role ${role} login password '${SECRET}'; grant usage on schema public, hl_internal to ${role};
      do $$ declare object record; begin
        for object in select * from hl_internal.wanted_access() w where w.is_shown and w.name not like '%quarantine%' loop
          execute format('grant %s %s to ${role}',
            case when object.is_function then 'execute on function' else 'select on table' end, object.name);
        end loop;
      end $$`);
    const asReader = new URL(url);
    [asReader.username, asReader.password] = [role, SECRET];
    for (const reader of [["status"], ["health"], ["export"]]) {
      const { code, stderr } = await hlsync([...reader, "--database", asReader.href, "--log-level", "error"]);
      assert.deepEqual([code, stderr], [0, ""], reader.join(" "));
    }
    await fails(
      ["quarantine", "list", "--database", asReader.href],
      7,
      /permission denied for table quarantine/,
    );
  });
  it("pending migrations are 3 for `migrate --check`, and 0 once applied", async () => {
    const { url: empty } = await server.newDatabase({ migrated: false });
    const pending = await hlsync(["migrate", "--check", "--database", empty]);
    assert.equal(pending.code, 3, pending.stderr);
    assert.match(pending.stdout, /^pending: 0001_/);
    assert.equal((await hlsync(["migrate", "--database", empty])).code, 0);
    assert.equal((await hlsync(["migrate", "--check", "--database", empty])).code, 0);
  });
});
