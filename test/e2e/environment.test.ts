/**
 * What the shell has set for other databases. The embedded server neither breaks on it nor stays behind; a database
 * that is given as a URL takes it as libpq does.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openPostgres } from "../../src/store/postgres.ts";
import { hlsync } from "../support/cli.ts";
import { startServer, type TestDatabase, type TestServer, temporaryFolder } from "../support/postgres.ts";

const HOSTILE: Record<string, string> = {
  PGHOST: "192.0.2.1",
  PGHOSTADDR: "192.0.2.1",
  PGPORT: "1",
  PGDATABASE: "none",
  PGUSER: "nobody",
  PGPASSWORD: "wrong",
  PGPASSFILE: "/nonexistent",
  PGSERVICE: "none",
  PGSERVICEFILE: "/nonexistent",
  PGSSLMODE: "require",
  PGSSLNEGOTIATION: "direct",
  PGREQUIRESSL: "1",
  PGSSLROOTCERT: "/nonexistent",
  PGOPTIONS: "-c default_transaction_read_only=on",
  PGAPPNAME: "other",
  PGREPLICATION: "database",
  PGDATA: "/nonexistent",
  PGTZ: "Mars/Olympus",
  PGDATESTYLE: "German",
  PGGEQO: "maybe",
  PGCLIENTENCODING: "SJIS",
  PGCLIENT_ENCODING: "SJIS",
  PGCONNECT_TIMEOUT: "1",
  PGBINARY: "1",
  LC_ALL: "de_DE.UTF-8",
  LANG: "xx_XX",
  LC_MESSAGES: "ja_JP",
  TZ: "Asia/Tokyo",
  PGSYSCONFDIR: "/nonexistent",
};

describe("the shell's environment and the embedded database", () => {
  const folder = temporaryFolder();
  after(() => folder.remove());
  const isRunning = (path: string) => existsSync(join(path, "postgres", "postmaster.pid"));

  const sets: [string, Record<string, string>][] = [
    ["all of it at once", HOSTILE],
    ...["PGSSLMODE", "PGSSLNEGOTIATION", "PGOPTIONS", "PGSERVICE", "PGTZ", "PGREPLICATION"].map(
      (name): [string, Record<string, string>] => [name, { [name]: HOSTILE[name]! }],
    ),
    ["PGOPTIONS that no server understands", { PGOPTIONS: "--nonsense" }],
  ];
  for (const [name, env] of sets) {
    it(`makes it, uses it and stops it with ${name}`, async () => {
      const path = join(folder.path, name.replaceAll(" ", "-"));
      for (const args of [["migrate"], ["status"], ["tail", "--once"]]) {
        const { code, stderr } = await hlsync([...args, "--database", path], { cwd: folder.path, env });
        assert.equal(code, 0, stderr);
        assert.ok(!isRunning(path), `${args[0]} left the server running`);
      }
    });
  }
});

describe("the shell's environment and a database by URL", () => {
  let server: TestServer;
  let database: TestDatabase;
  before(async () => {
    server = await startServer("embedded");
    database = await server.newDatabase();
  });
  after(() => server?.stop());

  const status = (url: string, env: Record<string, string>) =>
    hlsync(["status", "--json", "--database", url], { env });

  it("completes the URL", async () => {
    const { hostname, port, username, password, pathname } = new URL(database.url);
    const env = {
      PGHOST: hostname,
      PGPORT: port,
      PGUSER: username,
      PGPASSWORD: password,
      PGDATABASE: pathname.slice(1),
    };
    const { code, stderr, stdout } = await status("postgres://", env);
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`"postgres://${username}:\\*\\*\\*@${hostname}:${port}${pathname}"`));
    const wrong = await status("postgres://", { ...env, PGPASSWORD: "wrong-secret" });
    assert.equal(wrong.code, 6);
    assert.match(wrong.stderr, /wrong password/);
    assert.doesNotMatch(wrong.stderr, /wrong-secret/);
  });

  it("asks for TLS where PGSSLMODE does, and the URL has the last word", async () => {
    const url = database.url.replace(/\?.*/, "");
    const refused = await status(url, { PGSSLMODE: "require" });
    assert.equal(refused.code, 6);
    assert.match(refused.stderr, /does not offer TLS/);
    assert.equal((await status(`${url}?sslmode=disable`, { PGSSLMODE: "require" })).code, 0);
    const unknown = await status(url, { PGSSLMODE: "mybe" });
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /unknown sslmode "mybe"/);
    assert.equal((await status(url, { PGSERVICE: "none" })).code, 2);
  });

  it("refuses what libpq refuses", async () => {
    const url = database.url.replace(/\?.*/, "");
    const rows: [env: Record<string, string>, code: number, says: RegExp][] = [
      [{ PGTARGETSESSIONATTRS: "read-write" }, 0, /^$/],
      [{ PGTARGETSESSIONATTRS: "primary" }, 0, /^$/],
      [{ PGTARGETSESSIONATTRS: "prefer-standby" }, 0, /^$/],
      [{ PGTARGETSESSIONATTRS: "standby" }, 6, /target_session_attrs=standby: it is no standby/],
      [{ PGTARGETSESSIONATTRS: "read-only" }, 6, /target_session_attrs=read-only: it takes writes/],
      [{ PGTARGETSESSIONATTRS: "read-only", PGOPTIONS: "-c default_transaction_read_only=on" }, 0, /^$/],
      [
        { PGTARGETSESSIONATTRS: "read-write", PGOPTIONS: "-c default_transaction_read_only=on" },
        6,
        /target_session_attrs=read-write: it takes no writes/,
      ],
      [{ PGSSLNEGOTIATION: "direct" }, 2, /sslnegotiation=direct goes with .*, not with prefer/],
      [{ PGSSLNEGOTIATION: "direct", PGSSLMODE: "disable" }, 2, /not with disable/],
      [{ PGCHANNELBINDING: "require" }, 6, /channel binding is required/],
      [{ PGREQUIREAUTH: "none" }, 2, /require_auth "none" cannot be kept to/],
      [{ PGHOSTADDR: "127.0.0.2", PGCONNECT_TIMEOUT: "2" }, 6, /cannot reach/],
    ];
    for (const [env, code, says] of rows) {
      const done = await status(url, env);
      const what = JSON.stringify(env);
      assert.equal(done.code, code, `${what} ${done.stderr}`);
      assert.match(done.stderr.trim(), says, what);
      assert.ok(done.stderr.trim().split("\n").length === 1, done.stderr);
    }
    const elsewhere = url.replace(new URL(url).hostname, "nowhere.invalid");
    assert.equal((await status(elsewhere, { PGHOSTADDR: new URL(url).hostname })).code, 0);
  });

  it("sets options, the application's name and the time zone of its sessions", async () => {
    const environment = {
      PGOPTIONS: "-c default_transaction_read_only=on",
      PGAPPNAME: "mine",
      PGTZ: "America/New_York",
    };
    const connection = openPostgres(database.url, { environment });
    const [row] = await connection.query(
      `select current_setting('default_transaction_read_only') as read_only, current_setting('TimeZone') as zone,
         current_setting('application_name') as name`,
    );
    await connection.close();
    assert.deepEqual(row, { read_only: "on", zone: "America/New_York", name: "mine" });
  });
});
