/**
 * Databases for tests: on the real server that `HLSYNC_TEST_POSTGRES` names (`postgres://` URL of a superuser; databases
 * are made and dropped on it; with `?host=FOLDER` the tests' own connections go by the socket in that folder, programs by the
 * port), or on an embedded one of the test file's own, in a temporary folder. The schema is migrated once for a server, into a
 * template; every test gets a clone of its own, in about 30 ms.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach } from "node:test";
import { systemClock } from "../../src/runtime/clock.ts";
import { silentLog } from "../../src/runtime/log.ts";
import type { Database } from "../../src/store/database.ts";
import { openEmbedded } from "../../src/store/embedded.ts";
import { migrate } from "../../src/store/migrate.ts";
import { openPostgres, type PostgresOptions } from "../../src/store/postgres.ts";
import { type DatabaseStore, openStore } from "../../src/store/store.ts";
import { freePort } from "./freePort.ts";

export interface TestDatabase {
  readonly url: string;
  readonly database: Database;
  readonly store: DatabaseStore;
  /** Closes the connections and drops the database. */
  close(): Promise<void>;
}

export interface TestServer {
  /** Connected to the server's own database, as superuser. */
  readonly admin: Database;
  /** A migrated database; an empty one when `migrated` is false; a copy of `from`, which nobody may be connected to then. */
  newDatabase(options?: PostgresOptions & { migrated?: boolean; from?: TestDatabase }): Promise<TestDatabase>;
  stop(): Promise<void>;
}

/** A folder that `remove` deletes with all that is in it. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "hlsync-test-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

const OUTSIDE = {
  embedded: undefined,
  real: process.env.HLSYNC_TEST_POSTGRES,
  project: process.env.HLSYNC_TEST_PROJECT,
};

/**
 * `"real"` is the server of `HLSYNC_TEST_POSTGRES`, or an embedded one where that is unset. `"embedded"` is for what is
 * about the embedded server, or makes roles and settings that other tests on a shared server would meet. `"project"` is for
 * what needs the roles of a Supabase project: an embedded one too, or the server of `HLSYNC_TEST_PROJECT`, on which no test of
 * another kind runs (so are other versions of PostgreSQL tried).
 */
export async function startServer(kind: keyof typeof OUTSIDE = "real"): Promise<TestServer> {
  const outside = OUTSIDE[kind];
  if (outside) return serverAt(outside, async () => {});
  const folder = temporaryFolder();
  try {
    const db = join(folder.path, "db");
    await copyCluster(db);
    const embedded = await openEmbedded(db, SILENT);
    return await serverAt(embedded.url, async () => {
      await embedded.release();
      folder.remove();
    });
  } catch (error) {
    folder.remove();
    throw error;
  }
}

const KEPT_MS = 86_400_000;
const SILENT = { clock: systemClock, log: silentLog };

/**
 * Puts an embedded database that is made, migrated (a template of it, that is) and stopped into a new folder: a tenth of what
 * making it costs. It is made once for a machine and a schema, and kept in the temporary folder of the machine; those that
 * nobody made for a day are of another schema, and go when the next is made.
 */
export async function copyCluster(folder: string): Promise<void> {
  const kept = join(tmpdir(), `hlsync-test-cluster-${schemaHash()}`);
  if (!existsSync(kept)) await makeCluster(kept);
  mkdirSync(folder, { recursive: true });
  // It keeps the owner, which is not the one who runs tests as root.
  execFileSync("cp", ["-a", join(kept, "postgres"), folder]);
  // The port of another copy may be in use: any number that is taken gives way to a free one at the start.
  const secrets = join(folder, "postgres", "hlsync.json");
  const { password } = JSON.parse(readFileSync(secrets, "utf8")) as { password: string };
  writeFileSync(secrets, JSON.stringify({ port: await freePort(), password }));
}

async function makeCluster(kept: string): Promise<void> {
  for (const old of globSync(join(tmpdir(), "hlsync-test-cluster-*")))
    if (Date.now() - statSync(old).mtimeMs > KEPT_MS) rmSync(old, { recursive: true, force: true });
  const making = temporaryFolder();
  const db = join(making.path, "db");
  const embedded = await openEmbedded(db, SILENT);
  // The machine does not fail during a test; without this, most of a test's time is waiting for the disk.
  const admin = openPostgres(embedded.url, { maxConnections: 1 });
  for (const setting of ["fsync", "full_page_writes"]) await admin.query(`alter system set ${setting} = off`);
  await admin.query("select pg_reload_conf()");
  await admin.close();
  // Makes the template.
  await (await serverAt(embedded.url, () => embedded.release())).stop();
  try {
    renameSync(db, kept);
  } catch (error) {
    // Another test file was faster.
    if (!existsSync(kept)) throw error;
  } finally {
    making.remove();
  }
}

/**
 * The hooks of tests that need one server and a migrated database: one for `"each"` test, or one for `"all"` that stand in the
 * same `describe` or file. What it returns is there once the hooks have run.
 */
export function useDatabase(
  tests: "each" | "all",
  start: () => Promise<TestServer> = startServer,
): Omit<TestDatabase, "close"> & { readonly server: TestServer } {
  let server: TestServer | undefined;
  let made: TestDatabase | undefined;
  // One hook each: those of a file (not of a `describe`) do not wait for each other.
  const begin = async () => {
    server ??= await start();
    made = await server.newDatabase();
  };
  const drop = async () => made?.close();
  if (tests === "each") {
    beforeEach(begin);
    afterEach(drop);
  } else before(begin);
  after(async () => {
    if (tests === "all") await drop();
    await server?.stop();
  });
  return {
    get server() {
      return server!;
    },
    get url() {
      return made!.url;
    },
    get database() {
      return made!.database;
    },
    get store() {
      return made!.store;
    },
  };
}

const ROOT = join(import.meta.dirname, "../..");

/** Of all that the schema is made of, and of who makes it. */
function schemaHash(): string {
  const hash = createHash("sha256").update(String(process.getuid?.()));
  for (const path of globSync(["migrations/*", "sql/**/*.*", "src/store/*.ts", "package.json"], {
    cwd: ROOT,
  }).sort())
    hash.update(path).update(readFileSync(join(ROOT, path)));
  return hash.digest("hex").slice(0, 16);
}

/** The migrated database to clone. Made by whichever test file comes first, and named by what the schema is made of. */
async function templateOn(admin: Database, urlOf: (name: string) => string): Promise<string> {
  const name = `hlsync_template_${schemaHash()}`;
  const exists = async () =>
    (await admin.query("select from pg_database where datname = $1", [name])).length > 0;
  if (await exists()) return name;
  // Held by this connection until it is closed, or until below: others wait for the finished template.
  await admin.query("select pg_advisory_lock(hashtext('hlsync test template'))");
  try {
    if (await exists()) return name;
    const unfinished = `${name}_${process.pid}`;
    await admin.query(`create database ${unfinished}`);
    const seed = openPostgres(urlOf(unfinished));
    await migrate(seed);
    await seed.close();
    await admin.query(`alter database ${unfinished} rename to ${name}`);
    return name;
  } finally {
    await admin.query("select pg_advisory_unlock(hashtext('hlsync test template'))");
  }
}

async function serverAt(url: string, release: () => Promise<void>): Promise<TestServer> {
  const admin = openPostgres(url, { maxConnections: 1 });
  const prefix = `hlsync_test_${process.pid}_${Date.now() % 1_000_000}`;
  const urlOf = (name: string): string => {
    const result = new URL(url);
    result.pathname = `/${name}`;
    return result.href;
  };
  const template = await templateOn(admin, urlOf);
  // Copying the files is half the work where they are in memory, and twice the work where they are not. It came with 15.
  const [place] = await admin.query(
    "select from pg_settings where name = 'data_directory' and setting like '/dev/shm/%' and current_setting('server_version_num')::int >= 150000",
  );
  const copying = (name: string) => `template ${name}${place ? " strategy file_copy" : ""}`;
  const open = new Set<TestDatabase>();
  let count = 0;
  return {
    admin,
    async newDatabase({ migrated = true, from, ...options } = {}) {
      count += 1;
      const name = `${prefix}_${count}`;
      const source = from ? new URL(from.url).pathname.slice(1) : migrated && template;
      await admin.query(`create database ${name} ${source ? copying(source) : ""}`);
      const database = openPostgres(urlOf(name), options);
      const byPort = new URL(urlOf(name));
      byPort.searchParams.delete("host");
      const made: TestDatabase = {
        url: byPort.href,
        database,
        store: openStore(database),
        async close() {
          open.delete(made);
          await database.close();
          await admin.query(`drop database if exists ${name} with (force)`);
        },
      };
      open.add(made);
      return made;
    },
    async stop() {
      for (const database of open) await database.close();
      await admin.close();
      await release();
    },
  };
}
