/**
 * PgBouncer in front of a test server, as Supabase's pooler stands in front of a project: clients log in with a
 * password, few connections go to the server and each is lent for one transaction (or for a session). Guarantees: `stop`
 * ends the process. Assumes the program is installed (Debian: `apt-get install pgbouncer`).
 */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openPostgres } from "../../src/store/postgres.ts";
import { openStore } from "../../src/store/store.ts";
import { freePort } from "../support/freePort.ts";
import { startServer, type TestServer, temporaryFolder } from "../support/postgres.ts";

/** Debian puts it where only root's PATH looks. */
const PROGRAM = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"].find(existsSync);

/** What a test without PgBouncer says instead of running; false where it is installed. */
export const noPooler: string | false = PROGRAM ? false : "pgbouncer is not installed";

/** It refuses to run as root; this user needs nothing but to read its two files. */
const NOBODY = 65534;
const START_MS = 10_000;

export interface Pooler {
  /** The same database through the pooler. */
  urlOf(databaseUrl: string): string;
  stop(): Promise<void>;
}

export interface PoolerOptions {
  mode: "transaction" | "session";
  /** Connections to the server per database. */
  poolSize: number;
  /** How long a client waits for a connection; PgBouncer's default is 120. */
  waitSeconds?: number;
}

/** `serverUrl` names any database of the server; all of them can be reached. */
export async function startPooler(serverUrl: string, options: PoolerOptions): Promise<Pooler> {
  const { mode, poolSize, waitSeconds = 120 } = options;
  const server = new URL(serverUrl);
  const user = decodeURIComponent(server.username);
  // A server that trusts this machine asks for none, the pooler always does.
  const password = decodeURIComponent(server.password) || "pooled";
  const port = await freePort();
  const folder = temporaryFolder();
  const users = join(folder.path, "users.txt");
  const settings = join(folder.path, "pgbouncer.ini");
  writeFileSync(users, `"${user}" "${password}"\n`);
  writeFileSync(
    settings,
    [
      "[databases]",
      `* = host=${server.hostname} port=${server.port}`,
      "[pgbouncer]",
      ...["listen_addr = 127.0.0.1", `listen_port = ${port}`, "unix_socket_dir =", "pidfile ="],
      ...["auth_type = scram-sha-256", `auth_file = ${users}`],
      ...[`pool_mode = ${mode}`, `default_pool_size = ${poolSize}`, "max_client_conn = 100"],
      // A server that was restarted is tried again soon; 15 s is the default.
      ...[`query_wait_timeout = ${waitSeconds}`, "server_login_retry = 1", ""],
    ].join("\n"),
  );
  chmodSync(folder.path, 0o755);
  const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const child = spawn(PROGRAM!, [settings], { ...identity, stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let said = "";
    const late = setTimeout(() => reject(new Error(`pgbouncer did not start: ${said}`)), START_MS);
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (!/process up/.test(said)) return;
      clearTimeout(late);
      resolve();
    });
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`pgbouncer ended: ${said}`)));
  });
  return {
    urlOf(databaseUrl) {
      const url = new URL(databaseUrl);
      url.searchParams.delete("host");
      url.hostname = "127.0.0.1";
      url.port = String(port);
      url.password = encodeURIComponent(password);
      return url.href;
    },
    async stop() {
      child.kill("SIGINT");
      await ended;
      folder.remove();
    },
  };
}

/** The test server with every database behind a pooler. What makes and drops databases goes to it directly. */
export async function startPooledServer(mode: PoolerOptions["mode"]): Promise<TestServer> {
  const server = await startServer();
  const probe = await server.newDatabase();
  const pooler = await startPooler(probe.url, { mode, poolSize: 10 });
  await probe.close();
  return {
    admin: server.admin,
    async newDatabase({ migrated = true, ...options } = {}) {
      const direct = await server.newDatabase({ migrated });
      const url = pooler.urlOf(direct.url);
      const database = openPostgres(url, options);
      return {
        url,
        database,
        store: openStore(database),
        async close() {
          await database.close();
          await direct.close();
        },
      };
    },
    async stop() {
      await pooler.stop();
      await server.stop();
    },
  };
}
