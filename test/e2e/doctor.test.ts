/** `doctor` on sound and on broken surroundings: the finding, its exit code, and that its remedy is one. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ExchangeClient, HttpTransport, InfoClient } from "@nktkas/hyperliquid";
import { privateKeyToAccount } from "viem/accounts";
import { type Finished, hlsync, type Running, simulate, start } from "../support/cli.ts";
import { freePort } from "../support/freePort.ts";
import { hlsyncHere } from "../support/inProcess.ts";
import { startServer, type TestDatabase, type TestServer, temporaryFolder } from "../support/postgres.ts";

const OWNER = privateKeyToAccount(`0x${"55".repeat(32)}`);
const USER = OWNER.address.toLowerCase();
const AGENT = `0x${"9".repeat(40)}`;
const STRANGER = `0x${"8".repeat(40)}`;
const SECRET = "hunter2hunter2";

interface Finding {
  check: string;
  account: string | null;
  status: string;
  says: string;
  why: string | null;
  fix: string | null;
  exit: number;
}

describe("doctor", () => {
  const folder = temporaryFolder();
  let server: TestServer;
  let db: TestDatabase;
  let exchange: Running & { apiUrl: string };
  /** A port on which nothing listens. */
  let nowhere: number;

  before(async () => {
    // Its own: roles of other tests on a shared server would be findings.
    server = await startServer("embedded");
    db = await server.newDatabase();
    exchange = await simulate("--weight", "100000");
    nowhere = await freePort();
    await control("deposit", { user: USER, usd: "10000" });
    const transport = new HttpTransport({ apiUrl: exchange.apiUrl });
    const client = new ExchangeClient({ transport, wallet: OWNER });
    await client.approveAgent({ agentAddress: AGENT as `0x${string}`, agentName: "bot" });
  });
  after(async () => {
    await exchange?.stop();
    await server?.stop();
    folder.remove();
  });

  async function control(path: string, body: object, { apiUrl } = exchange): Promise<void> {
    const response = await fetch(`${apiUrl}/control/${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    });
    assert.equal(response.status, 200, await response.text());
  }

  /** Runs it with a sound venue, account and database, unless `args` say otherwise. */
  async function examine(...args: string[]) {
    const given = (flag: string, value: string) => (args.includes(flag) ? [] : [flag, value]);
    const sound = [
      ...given("--api-url", exchange.apiUrl),
      ...given("--account", USER),
      ...(args.includes("--no-db") ? [] : given("--database", db.url)),
    ];
    const ended = await hlsyncHere(["doctor", "--json", "--log-level", "error", ...sound, ...args]);
    assert.doesNotMatch(ended.stdout + ended.stderr, new RegExp(SECRET));
    const rows = ended.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Finding & { type: string });
    const last = rows.pop();
    assert.equal(last?.type, "doctor", ended.stderr);
    assert.equal(last?.exit, ended.code);
    for (const row of rows) {
      assert.equal(row.type, "check");
      assert.ok(row.status === "ok" || row.why, `${row.check} says why`);
      assert.ok(!["warn", "fail"].includes(row.status) || row.fix, `${row.check} says what to do`);
    }
    return { code: ended.code, rows, get: (check: string) => rows.find((row) => row.check === check)! };
  }

  it("finds nothing on sound surroundings, says so for every check, and exits 0", async () => {
    const { code, rows } = await examine();
    assert.equal(code, 0);
    assert.deepEqual(
      rows.map(({ check, status }) => `${check} ${status}`),
      [
        ...["network ok", "venue ok", "clock ok", "socket ok", "account ok", "mode ok", "history ok"],
        ...["budget ok", "database ok", "latency ok", "version ok", "writable ok", "migrations ok"],
        ...["grants ok", "objects ok", "instance ok", "tls ok", "pooler ok"],
      ],
    );
  });

  it("speaks to people too: a line per check, and a count", async () => {
    const args = ["--api-url", exchange.apiUrl, "--account", AGENT, "--no-db"];
    const { stdout, code }: Finished = await hlsync(["doctor", ...args], { cwd: folder.path });
    assert.equal(code, 2);
    assert.match(stdout, /^ok {4}venue {8}127\.0\.0\.1:\d+ answers in \d+ ms$/m);
    assert.match(stdout, /^FAIL {2}account .* is an agent wallet \(API wallet\) of 0x[0-9a-f]{40}$/m);
    assert.match(stdout, new RegExp(`^ +fix {2}--account ${USER}$`, "m"));
    assert.match(stdout, /1 failure: exit 2\n$/);
  });

  it("tells an agent wallet and a stranger from an account", async () => {
    const { code, rows } = await examine(
      "--account",
      AGENT,
      "--account",
      STRANGER,
      "--account",
      USER,
      "--no-db",
    );
    assert.equal(code, 2);
    const [agent, stranger, user] = rows.filter(({ check }) => check === "account");
    assert.equal(agent?.account, AGENT);
    assert.equal(agent?.fix, `--account ${USER}`);
    assert.match(stranger!.says, new RegExp(`the venue does not know ${STRANGER}`));
    assert.equal(stranger!.status, "fail");
    assert.equal(user?.status, "ok");
  });

  it("finds endpoints of different networks before asking them for anything", async () => {
    const official = ["--api-url", `http://127.0.0.1:${nowhere}`];
    const { get } = await examine(...official, "--ws-url", "wss://api.hyperliquid-testnet.xyz/ws", "--no-db");
    assert.equal(get("network").status, "fail");
    assert.match(get("network").fix!, /--network testnet/);
  });

  it("tells how far the clock is off", async () => {
    const other = await simulate();
    const skewed = ["--api-url", other.apiUrl, "--no-db"];
    await control("deposit", { user: USER, usd: "10000" }, other);
    // The model's clock moves a few seconds at a time.
    const info = new InfoClient({ transport: new HttpTransport({ apiUrl: other.apiUrl }) });
    const ahead = async (ms: number) => {
      while ((await info.exchangeStatus()).time - Date.now() < ms)
        await new Promise((next) => setTimeout(next, 50));
    };
    await control("clock", { skewMs: 5_000 }, other);
    await ahead(4_500);
    const small = await examine(...skewed);
    assert.equal(small.code, 0);
    assert.equal(small.get("clock").status, "warn");
    assert.match(small.get("clock").says, /clock is [45]\.\d s behind the venue's/);
    await control("clock", { skewMs: 60_000 }, other);
    await ahead(55_000);
    const large = await examine(...skewed);
    assert.equal(large.code, 2);
    assert.equal(large.get("clock").status, "fail");
    await other.stop();
  });

  it("an unreachable venue is 5, and so is a stream that cannot be had", async () => {
    const none = await examine("--api-url", `http://127.0.0.1:${nowhere}`, "--no-db");
    assert.equal(none.code, 5);
    assert.match(none.get("venue").says, /refuses connections/);
    const deaf = await examine("--ws-url", `ws://127.0.0.1:${nowhere}/ws`, "--no-db");
    assert.equal(deaf.code, 5);
    assert.equal(deaf.get("venue").status, "ok");
    assert.match(deaf.get("socket").says, /ECONNREFUSED/);
  });

  it("an endpoint that is not the venue is 5", async () => {
    const { code, get } = await examine("--api-url", `${exchange.apiUrl}/elsewhere`, "--no-db");
    assert.equal(code, 5);
    assert.equal(get("venue").status, "fail");
  });

  it("warns when the budget does not suffice for the interval, with one that does", async () => {
    const accounts = Array.from({ length: 9 }, (_, i) => ["--account", `0x${String(i).repeat(40)}`]).flat();
    const { get } = await examine(...accounts, "--interval", "10", "--no-db");
    assert.equal(get("budget").status, "warn");
    const [, interval] = /--interval (\d+)/.exec(get("budget").fix!)!;
    const mended = await examine(...accounts, "--interval", interval!, "--no-db");
    assert.equal(mended.get("budget").status, "ok");
  });

  it("an unreachable database is 6, and one that does not exist too", async () => {
    const none = await examine("--database", `postgres://me:${SECRET}@127.0.0.1:${nowhere}/x`);
    assert.equal(none.code, 6);
    assert.match(none.get("database").says, /connection refused/);
    const url = new URL(db.url);
    url.pathname = "/nothing_of_that_name";
    const absent = await examine("--database", url.href);
    assert.equal(absent.code, 6);
    assert.match(absent.get("database").fix!, /create database/);
  });

  it("a role without rights is told which, and they suffice", async () => {
    const role = `limited_${process.pid}`;
    const empty = await server.newDatabase({ migrated: false });
    const migrated = await server.newDatabase();
    await server.admin.query(`create role ${role} login password '${SECRET}'`);
    try {
      for (const target of [empty, migrated]) {
        const url = new URL(target.url);
        url.username = role;
        url.password = SECRET;
        const before = await examine("--database", url.href);
        const grants =
          before.get("grants").status === "fail" ? before.get("grants") : before.get("migrations");
        assert.equal(grants.status, "fail");
        await apply(target, grants.fix!);
        const between = await examine("--database", url.href);
        if (between.get("grants").status === "fail") await apply(target, between.get("grants").fix!);
        const mended = await examine("--database", url.href);
        assert.equal(mended.get("grants").status, "ok", mended.get("grants").says);
      }
      const url = new URL(migrated.url);
      url.username = role;
      url.password = SECRET;
      const sync = ["sync", "--once", "--account", USER, "--api-url", exchange.apiUrl];
      const synced = await hlsyncHere([...sync, "--database", url.href, "--log-level", "error"]);
      assert.equal(synced.code, 0, synced.stderr);
    } finally {
      await empty.close();
      await migrated.close();
      await server.admin.query(`drop role if exists ${role}`);
    }
  });

  /** Runs the statements of a remedy as the owner. */
  async function apply(target: TestDatabase, fix: string): Promise<void> {
    const statements = fix.replace(/^[^:]*: /, "").split("; ");
    for (const statement of statements.filter((text) => /^(grant|alter) /.test(text)))
      await target.database.query(statement);
  }

  it("a schema of a newer version is 3; one that is not there yet is none", async () => {
    const future = await server.newDatabase();
    await future.database.query(
      "insert into hl_internal.migrations (id, name, checksum) values (9999, '9999_future.sql', 'x')",
    );
    const { code, get } = await examine("--database", future.url);
    assert.equal(code, 3);
    assert.match(get("migrations").says, /9999_future/);
    await future.close();
    const empty = await server.newDatabase({ migrated: false });
    const fresh = await examine("--database", empty.url);
    assert.equal(fresh.code, 0);
    assert.equal(fresh.get("migrations").status, "note");
    assert.equal(
      (await empty.database.query("select 1 from pg_namespace where nspname = 'hl_internal'")).length,
      0,
    );
    await empty.close();
  });

  it("a read-only database is 6, and the remedy mends it", async () => {
    const full = await server.newDatabase();
    const name = new URL(full.url).pathname.slice(1);
    await server.admin.query(`alter database ${name} set default_transaction_read_only = on`);
    const { code, get } = await examine("--database", full.url);
    assert.equal(code, 6);
    await server.admin.query(get("writable").fix!.split("then: ")[1]!);
    assert.equal((await examine("--database", full.url)).code, 0);
    await full.close();
  });

  it("reads the alert settings without sending, and tells which deliveries fail", async () => {
    const topic = "ntfy://127.0.0.1:9/topic";
    const bad = await examine("--alert-to", `nowhere://${SECRET}`, "--no-db");
    assert.equal(bad.code, 2);
    assert.equal(bad.get("alerts").status, "fail");
    const good = await examine("--alert-to", topic);
    assert.equal(good.code, 0);
    assert.equal(good.get("alerts").status, "ok");
    assert.equal(good.get("webhooks"), undefined);
    const hook = ["webhooks", "add", `https://127.0.0.1:9/${SECRET}`, "--allow-private", "--json"];
    const added = await hlsyncHere([...hook, "--database", db.url]);
    assert.equal(added.code, 0, added.stderr);
    const { endpoint } = JSON.parse(added.stdout) as { endpoint: string };
    assert.equal((await examine()).get("webhooks").status, "ok");
    await hlsyncHere(["webhooks", "disable", endpoint, "--database", db.url]);
    const disabled = (await examine()).get("webhooks");
    assert.equal(disabled.status, "warn");
    assert.match(disabled.says, new RegExp(`webhook ${endpoint} is disabled: disabled by the user`));
    assert.match(disabled.fix!, new RegExp(`webhooks enable ${endpoint}`));
  });

  it("tells that another process follows the account already", async () => {
    const following = start([
      ...["run", "--account", USER, "--api-url", exchange.apiUrl, "--database", db.url],
      ...["--listen", "127.0.0.1:0", "--log-level", "info"],
    ]);
    await following.line((line) => (line.startsWith("dashboard:") ? line : undefined));
    const { code, get } = await examine();
    assert.equal(code, 0);
    assert.equal(get("instance").status, "note");
    assert.match(get("instance").says, new RegExp(`:${following.child.pid}:`));
    assert.equal((await following.stop()).code, 0);
  });

  it("looks at the embedded database without making one", async () => {
    const database = join(folder.path, "embedded");
    const first = await examine("--database", database);
    assert.equal(first.code, 0);
    assert.match(first.get("database").says, /no database in .*embedded yet/);
    const args = ["--account", USER, "--api-url", exchange.apiUrl, "--database", database];
    const synced = await hlsyncHere(["sync", "--once", ...args]);
    assert.equal(synced.code, 0, synced.stderr);
    const second = await examine("--database", database);
    assert.equal(second.code, 0);
    assert.match(second.get("database").says, /answers/);
    const file = await examine("--database", "/dev/null/db");
    assert.equal(file.code, 2);
  });

  it("`run` warns at its start of what is cheap to find, and runs", async () => {
    const following = start([
      ...["run", "--account", AGENT, "--api-url", exchange.apiUrl, "--no-db"],
      ...["--listen", "127.0.0.1:0", "--log-level", "warn"],
    ]);
    await following.complaint(/is an agent wallet/);
    const { code, stderr } = await following.stop();
    assert.equal(code, 0, stderr);
    assert.match(stderr, new RegExp(`fix="--account ${USER}"`));
  });
});
