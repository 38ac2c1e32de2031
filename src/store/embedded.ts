/**
 * The embedded database: a native PostgreSQL in a folder, started on demand and shared by all hlsync processes that
 * open the folder. Nothing here is hlsync's schema.
 *
 *   <folder>/postgres/             the data folder, with hlsync.json (port, password; readable by its owner only)
 *   <folder>/postgres.log          the server's log, started afresh above 1 MB
 *   <folder>/init-<pid>-…/         a data folder in the making, renamed to postgres/ when whole
 *
 * Rules, none of which needs a lock file that could be left behind:
 * - *Making it*: every process may run initdb, each in its own folder; the rename decides, the losers throw theirs away.
 *   On Linux its files are brought to disk while it is in use already; hlsync.json says so until they are. A machine that
 *   went down before is told at the next start: nobody could tell such a folder from a whole one.
 * - *Starting it*: every process may start the server; postmaster.pid lets one win, the others connect to it. A server
 *   left by a killed process is adopted the same way. postmaster.pid is moved away only when its process is no server.
 * - *Sharing it*: each process holds one connection with a shared advisory lock while it uses the server. The server
 *   knows at once when a process dies, however it dies.
 * - *Stopping it*: `release` gives the shared lock back and asks for it exclusively. The process that gets it was the last, and
 *   stops the server before letting go. A process that comes meanwhile waits for the lock, sees the server go, and
 *   starts it again.
 * - *Losing it*: when the server dies while in use, each process tries to start it again at the same port.
 *
 * It listens on 127.0.0.1 at a port of its own (kept in hlsync.json) and asks for a random password (SCRAM), so other
 * users of the machine stay out; there is no unix socket, whose path could be too long.
 *
 * Root: PostgreSQL refuses to run as root. The server then runs as the owner of an existing data folder, or as
 * uid and gid 65534 (nobody; no user is created), which owns the data folder. A folder below a private home stays usable:
 * the server is started inside its data folder, which it calls /proc/self/cwd (Linux).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { open, readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import type pg from "pg";
import { ConfigError, StoreError } from "../errors.ts";
import { orAborted } from "../runtime/abort.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import { clientTo, cut } from "./client.ts";
import { isReachableByAll, postgresBinaries } from "./embeddedBinaries.ts";
import { isAlive, type Layout, layoutOf, NOBODY, prepareFolder } from "./embeddedFolder.ts";
import { type Environment, parseTarget } from "./target.ts";

interface EmbeddedOptions {
  clock: Clock;
  log: Log;
  /** Gives up opening it. */
  signal?: AbortSignal;
}

export interface EmbeddedDatabase {
  /** `postgres://…` for any client on this machine; holds the password. Opened here with `NO_ENVIRONMENT`. */
  readonly url: string;
  /**
   * Ends this process's use; stops the server when no other process uses it. Close your connections first. A server that
   * hangs is left behind after `withinMs`: the next start takes it over.
   */
  release(withinMs?: number): Promise<void>;
  /** What to say when the folder is not there any more, moved or deleted in use; null while it is. */
  gone(): StoreError | null;
  /** Rejects with that as soon as it is seen. */
  readonly failed: Promise<never>;
}

const USER = "hlsync";
const START_TIMEOUT_MS = 60_000;
/** A server in recovery after a crash may take much longer. */
const RECOVERY_TIMEOUT_MS = 600_000;
/** For `release`: what it takes at least, and what it takes by default. */
export const RELEASE_NEEDS_MS = 3_500;
const RELEASE_MS = 8_000;
/** Part of that time in which the server must say whether others use it. */
const ANSWER_SHARE = 0.35;
/** The end of that time is for stopping at once, which the next start recovers from. */
const STOP_AT_ONCE_MS = 600;
const KEEPER_CONNECT_MS = 5_000;
const POLL_MS = 20;
/** A server writes its postmaster.pid as soon as it has made it; one that stays empty was left by a crash. */
const PID_WRITTEN_MS = 3_000;
/** Between attempts to bring back a server that died in use. */
const RECOVER_DELAY_MS = 1_000;
/** The folder is looked for this often while it is in use. */
const WATCH_MS = 1_000;
/** Advisory lock of the processes that use the server: "hlsync" in ASCII. */
const KEEPER_LOCK = 0x686c73796e63;
const LOG_BYTES_MAX = 1_000_000;

/** What the shell has set is meant for other databases. */
export const NO_ENVIRONMENT: Environment = {};

interface Identity {
  uid: number;
  gid: number;
}

interface Secrets {
  port: number;
  password: string;
  /** The run of the machine in which the folder was made, while its files may not all be on disk. */
  unsyncedOf?: string;
}

interface Postmaster {
  pid: number;
  port: number;
  ready: boolean;
}

/**
 * Opens the database in `folder`, making the folder, the database and the server as needed. Throws `ConfigError` when
 * the folder cannot be used, `StoreError` when the server does not come up.
 */
export async function openEmbedded(folder: string, options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const layout = layoutOf(resolve(folder));
  prepareFolder(layout);
  const identity = serverIdentity(layout);
  const binaries = postgresBinaries(identity !== null);
  if (!existsSync(layout.secrets)) await initialize(layout, identity, binaries, options);
  refuseTorn(layout);
  const server = new EmbeddedServer(layout, identity, binaries, options);
  try {
    await server.open(options.signal ?? new AbortController().signal);
    void server.watch();
    server.onDisk = bringToDisk(layout, identity, options.log);
  } catch (error) {
    await server.release();
    throw error;
  }
  return server;
}

// --- making it -------------------------------------------------------------------------------------------------------

/** Who the server runs as, or null for ourselves. */
function serverIdentity(layout: Layout): Identity | null {
  if (process.getuid?.() !== 0) return null;
  const owner = existsSync(layout.data) ? statSync(layout.data) : null;
  const identity =
    owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : { uid: NOBODY, gid: NOBODY };
  if (process.platform !== "linux" && !isReachableByAll(layout.folder))
    throw new ConfigError(
      `${layout.folder} cannot be reached by the user the database runs as: give a folder outside private ones, or do not run as root (--database, DATABASE_URL)`,
    );
  return identity;
}

const give = (path: string, identity: Identity | null): void => {
  if (identity) chownSync(path, identity.uid, identity.gid);
};

/** The path under which a process started inside `data` finds it, as any user. */
const dataFromInside = (data: string, identity: Identity | null): string =>
  identity && process.platform === "linux" ? "/proc/self/cwd" : data;

const environment = (): NodeJS.ProcessEnv => ({
  LC_ALL: "C",
  TZ: "UTC",
  ...(process.env.PATH === undefined ? {} : { PATH: process.env.PATH }),
  ...(process.env.SystemRoot === undefined ? {} : { SystemRoot: process.env.SystemRoot }),
});

/** Runs initdb aside and renames. Another process may do the same; the first rename wins. */
async function initialize(
  layout: Layout,
  identity: Identity | null,
  binaries: string,
  { log, signal }: EmbeddedOptions,
): Promise<void> {
  const making = join(layout.folder, `init-${process.pid}-${randomBytes(4).toString("hex")}`);
  const passwordFile = `${making}.password`;
  const password = randomBytes(18).toString("base64url");
  try {
    mkdirSync(making, { mode: 0o700 });
    give(making, identity);
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    give(passwordFile, identity);
    await runInitdb(making, passwordFile, { identity, binaries, signal });
    signal?.throwIfAborted();
    const unsyncedOf = runOfMachine();
    const secrets: Secrets = { port: await freePort(), password, ...(unsyncedOf && { unsyncedOf }) };
    writeSecrets(join(making, "hlsync.json"), secrets, identity);
    renameSync(making, layout.data);
    log.info("made a database", { folder: layout.folder });
  } catch (error) {
    if (!existsSync(layout.secrets)) throw error;
  } finally {
    rmSync(making, { recursive: true, force: true });
    rmSync(passwordFile, { force: true });
  }
}

function runInitdb(
  data: string,
  passwordFile: string,
  {
    identity,
    binaries,
    signal,
  }: { identity: Identity | null; binaries: string; signal: AbortSignal | undefined },
): Promise<void> {
  // Handed over open: the server's user may be unable to walk to it.
  const handle = openSync(passwordFile, "r");
  const byHandle = process.platform === "linux";
  const child = spawn(
    join(binaries, "bin", "initdb"),
    [
      ...[
        "-D",
        dataFromInside(data, identity),
        "-U",
        USER,
        "--encoding=UTF8",
        "--locale=C",
        "--data-checksums",
      ],
      ...["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"],
      ...(runOfMachine() === null ? [] : ["--no-sync"]),
      ...["--auth=scram-sha-256", `--pwfile=${byHandle ? "/proc/self/fd/3" : passwordFile}`],
    ],
    { cwd: data, env: environment(), ...identity, stdio: ["ignore", "ignore", "pipe", handle] },
  );
  const onAbort = () => child.kill();
  signal?.addEventListener("abort", onAbort);
  let complaints = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    complaints = (complaints + chunk.toString()).slice(-4000);
  });
  return new Promise<void>((done, fail) => {
    child.once("error", (cause) => fail(notStarted(binaries, cause)));
    child.once("close", (code) => {
      if (code === 0) done();
      else if (signal?.aborted) fail(signal.reason);
      else if (/could not look up effective user ID/.test(complaints)) fail(namelessUser());
      else fail(new StoreError(`initdb failed: ${lastLine(complaints)}`, { transient: false }));
    });
  }).finally(() => {
    closeSync(handle);
    signal?.removeEventListener("abort", onAbort);
  });
}

/** Tells the runs of a machine apart; null where the system has no name for them: then all is on disk before it is used. */
function runOfMachine(): string | null {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim() || null;
  } catch {
    return null;
  }
}

function writeSecrets(path: string, secrets: Secrets, identity: Identity | null): void {
  writeFileSync(path, `${JSON.stringify(secrets)}\n`, { mode: 0o600, flush: true });
  give(path, identity);
}

const readSecrets = (layout: Layout): Secrets => JSON.parse(readFileSync(layout.secrets, "utf8")) as Secrets;

/** Throws when the machine went down before all files of a new folder were on disk. */
function refuseTorn(layout: Layout): void {
  const { unsyncedOf } = readSecrets(layout);
  if (unsyncedOf === undefined || unsyncedOf === runOfMachine()) return;
  throw new ConfigError(
    `the machine went down before the new database in ${layout.folder} was on disk, so it may not be whole: delete ${layout.data} and start again, hlsync reads anew what the venue tells (--database, DATABASE_URL)`,
  );
}

/** Brings the files of a new folder to disk, those of the server included. Never rejects: the next start tries again. */
async function bringToDisk(layout: Layout, identity: Identity | null, log: Log): Promise<void> {
  try {
    const { unsyncedOf, ...secrets } = readSecrets(layout);
    if (unsyncedOf === undefined) return;
    const entries = await readdir(layout.data, { recursive: true, withFileTypes: true });
    for (const entry of entries)
      if (entry.isFile() || entry.isDirectory()) await sync(join(entry.parentPath, entry.name));
    const written = `${layout.secrets}.${process.pid}`;
    writeSecrets(written, secrets, identity);
    renameSync(written, layout.secrets);
    for (const folder of [layout.data, layout.folder]) await sync(folder);
  } catch (error) {
    log.warn("the new database could not be brought to disk whole; the next start tries again", { error });
  }
}

/** A file or a folder; one that is gone meanwhile needs it no more. */
async function sync(path: string): Promise<void> {
  const handle = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  try {
    await handle?.sync();
  } finally {
    await handle?.close();
  }
}

/** As in a container with an arbitrary uid. initdb asks for the name of its user; the server does not. */
const namelessUser = (): ConfigError =>
  new ConfigError(
    "the embedded PostgreSQL needs a user with a name, and /etc/passwd has none for this one: add an entry, run as root, or give --database postgres://… (DATABASE_URL)",
  );

const notStarted = (binaries: string, cause: Error): StoreError =>
  new StoreError(`cannot run the embedded PostgreSQL in ${binaries}: ${cause.message}`, {
    cause,
    transient: false,
  });

const lastLine = (text: string): string => text.trim().split("\n").at(-1)?.trim() || "no reason given";

/** A port that is free now. It may be taken before it is used; the start then takes another. */
function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once("error", fail);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => done(typeof address === "object" && address ? address.port : 0));
    });
  });
}

// --- the process ----------------------------------------------------------------------------------------------------

/** Whether `pid` is a running postgres. Elsewhere than on Linux any living process is taken for one. */
function isPostmaster(pid: number): boolean {
  if (!isAlive(pid)) return false;
  if (process.platform !== "linux") return true;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [, name, state] = /\((.*)\) (\S)/s.exec(stat) ?? [];
    // A zombie whose parent never waits for it stays, and serves no client.
    return name === "postgres" && state !== "Z" && state !== "X";
  } catch {
    return false;
  }
}

/** What postmaster.pid says (pid 0 while nothing is written into it): pid, folder, start, port, socket, address, shared memory, status, one per line. */
function readPostmaster(layout: Layout): Postmaster | null {
  let text: string;
  try {
    text = readFileSync(layout.pidFile, "utf8");
  } catch {
    return null;
  }
  const lines = text.split("\n");
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  return { pid, port: Math.max(port, 0), ready: lines[7]?.trim() === "ready" };
}

class EmbeddedServer implements EmbeddedDatabase {
  readonly #layout: Layout;
  readonly #identity: Identity | null;
  readonly #binaries: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #secrets: Secrets;
  /** When a new database is on disk whole; never rejects. */
  onDisk: Promise<void> = Promise.resolve();
  /** Aborted by `release`. */
  readonly #leaving = new AbortController();
  /** Our connection with the shared lock; null while the server is away. */
  #keeper: pg.Client | null = null;
  /** Port of this process's `url`; fixed once known. */
  #port: number | null = null;
  #released: Promise<void> | null = null;
  #recovering: Promise<void> | null = null;
  /** Of the server that we hold: its folder may be moved, and postmaster.pid with it. */
  #pid: number | null = null;
  /** Of the data folder. */
  readonly #inode: number;
  readonly failed: Promise<never>;
  #fail: (error: StoreError) => void = () => {};
  /** The server that this process started last. */
  #started: { child: ChildProcess; exited: Promise<boolean> } | null = null;

  constructor(layout: Layout, identity: Identity | null, binaries: string, options: EmbeddedOptions) {
    this.#layout = layout;
    this.#identity = identity;
    this.#binaries = binaries;
    this.#clock = options.clock;
    this.#log = options.log.with({ part: "embedded database" });
    this.#secrets = readSecrets(layout);
    this.#inode = statSync(layout.data).ino;
    this.failed = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {});
  }

  gone(): StoreError | null {
    const { data, folder } = this.#layout;
    if (statSync(data, { throwIfNoEntry: false })?.ino === this.#inode) return null;
    return new StoreError(
      `the embedded database was moved away from ${folder} or deleted while in use: put it back, or name its new place (--database, DATABASE_URL), and start again`,
      { transient: false },
    );
  }

  async watch(): Promise<void> {
    const { signal } = this.#leaving;
    while (!signal.aborted) {
      const error = this.gone();
      if (error !== null) return this.#fail(error);
      await this.#clock.sleep(WATCH_MS, signal).catch(() => {});
    }
  }

  get url(): string {
    return this.#urlAt(this.#port ?? this.#secrets.port);
  }

  #urlAt(port: number, application?: string): string {
    const named = application === undefined ? "" : `&application_name=${encodeURIComponent(application)}`;
    return `postgres://${USER}:${this.#secrets.password}@127.0.0.1:${port}/postgres?sslmode=disable${named}`;
  }

  /**
   * Ends with a connection that holds the shared lock, on a server that was running or that this call started. Leaves
   * no server behind that it started in vain.
   */
  async open(signal: AbortSignal): Promise<void> {
    const deadlineMs = this.#clock.now() + START_TIMEOUT_MS;
    let failure = "it did not become ready";
    let emptyUntilMs: number | null = null;
    while (this.#clock.now() < deadlineMs) {
      signal.throwIfAborted();
      const running = readPostmaster(this.#layout);
      emptyUntilMs = running?.pid === 0 ? (emptyUntilMs ?? this.#clock.now() + PID_WRITTEN_MS) : null;
      if (emptyUntilMs !== null && this.#clock.now() < emptyUntilMs) {
        // Another process starts it at this moment: without the file it would run unseen.
        await this.#clock.sleep(POLL_MS, signal);
      } else if (running !== null && isPostmaster(running.pid)) {
        failure = running.ready ? ((await this.#hold(running, signal)) ?? "") : failure;
        if (failure === "") return;
        await this.#clock.sleep(POLL_MS, signal);
      } else {
        if (running !== null) this.#moveAwayStalePidFile(running.pid);
        failure = (await this.#start(signal)) ?? failure;
      }
    }
    throw this.#notStarted(failure);
  }

  release(withinMs = RELEASE_MS): Promise<void> {
    this.#leaving.abort(new Error("released"));
    this.#released ??= this.#end(withinMs);
    return this.#released;
  }

  /** Whoever ends in order leaves no new database behind that is not on disk, as far as the time reaches. */
  async #end(withinMs: number): Promise<void> {
    const over = new AbortController();
    const late = this.#clock.sleep(withinMs, over.signal).catch(() => {});
    await Promise.all([this.#letGo(withinMs), Promise.race([this.onDisk, late])]);
    over.abort(new Error("ended"));
  }

  #notStarted(why: string): StoreError {
    return new StoreError(
      `the embedded database in ${this.#layout.folder} did not start: ${why} (see ${this.#layout.log})`,
      { transient: false },
    );
  }

  /** Connects and takes the shared lock. Null when it has it, else why not: it is not ready or going away, look again. */
  async #hold({ pid, port }: Postmaster, signal: AbortSignal): Promise<string | null> {
    const target = parseTarget(this.#urlAt(port, "hlsync keeper"), NO_ENVIRONMENT);
    const keeper = new (clientTo(target))({
      ...target.config,
      connectionTimeoutMillis: KEEPER_CONNECT_MS,
      keepAlive: true,
    });
    keeper.on("error", () => {});
    try {
      await orAborted(keeper.connect(), signal);
      await orAborted(keeper.query(`select pg_advisory_lock_shared(${KEEPER_LOCK})`), signal);
    } catch (error) {
      cut(keeper);
      signal.throwIfAborted();
      const { code, message } = error as Error & { code?: string };
      if (code === "28P01")
        throw this.#notStarted(`another server with another password answers at port ${port}`);
      return message;
    }
    if (this.#port !== null && this.#port !== port)
      this.#log.error("the database came back at another port; restart hlsync", { port });
    this.#port ??= port;
    this.#pid = pid;
    this.#keeper = keeper;
    keeper.once("end", () => this.#lost(keeper));
    return null;
  }

  /**
   * Postgres removes a left-over postmaster.pid itself, unless another process has the number by now (or a zombie).
   * Renaming is safe where deleting is not: what was moved is looked at again, and a fresh file is put back.
   */
  #moveAwayStalePidFile(pid: number): void {
    if (!isAlive(pid)) return;
    const aside = `${this.#layout.pidFile}.stale-${process.pid}`;
    try {
      renameSync(this.#layout.pidFile, aside);
      if (Number(readFileSync(aside, "utf8").split("\n")[0]) === pid) rmSync(aside);
      else linkSync(aside, this.#layout.pidFile);
    } catch (error) {
      this.#log.debug("postmaster.pid changed meanwhile", { error });
    }
  }

  /** Starts a server. Null when it is up or another process was first; else why it failed, after a moment's wait. */
  async #start(signal: AbortSignal): Promise<string | null> {
    const port = this.#port ?? this.#secrets.port;
    const { child, exited, output } = this.#spawn(port);
    const startedMs = this.#clock.now();
    for (let isOver = false; !isOver; ) {
      const running = readPostmaster(this.#layout);
      const waitedMs = this.#clock.now() - startedMs;
      if (running?.pid === child.pid && running?.ready) {
        this.#started = { child, exited };
        this.#log.info("started the database", { port, pid: child.pid, ms: waitedMs });
        return null;
      }
      // Once it has its pid file it is not stuck but busy: with what it has to recover.
      const patienceMs = running?.pid === child.pid ? RECOVERY_TIMEOUT_MS : START_TIMEOUT_MS;
      if (signal.aborted || waitedMs > patienceMs) {
        await this.#undo(child, exited);
        signal.throwIfAborted();
        throw this.#notStarted(`it did not become ready within ${patienceMs / 1000} s`);
      }
      isOver = await Promise.race([exited, this.#clock.sleep(POLL_MS).then(() => false)]);
    }
    const fatal = output()
      .split("\n")
      .filter((line) => /FATAL|PANIC/.test(line))
      .at(-1)
      ?.replace(/^.*?(FATAL|PANIC):\s*/, "");
    if (fatal === undefined) throw this.#notStarted(lastLine(output()));
    if (/could not create any TCP\/IP sockets/.test(fatal)) {
      // Somebody else has our port. Who already told it to others must have it back; who has not takes another.
      if (this.#port === null) this.#secrets.port = await freePort();
      else await this.#clock.sleep(RECOVER_DELAY_MS, signal);
      return `port ${port} is taken`;
    }
    // Another process was first, or the processes of a killed server are still on their way out.
    if (!/lock file|shared memory block/.test(fatal)) throw this.#notStarted(fatal);
    await this.#clock.sleep(POLL_MS, signal);
    return fatal;
  }

  /** Ends a server that this process started and cannot use. */
  async #undo(child: ChildProcess, exited: Promise<boolean>): Promise<void> {
    child.kill("SIGINT");
    const waitMs = RELEASE_NEEDS_MS - STOP_AT_ONCE_MS;
    if (await Promise.race([exited, this.#clock.sleep(waitMs).then(() => false)])) return;
    child.kill("SIGQUIT");
    await Promise.race([exited, this.#clock.sleep(STOP_AT_ONCE_MS)]);
  }

  #spawn(port: number): { child: ChildProcess; exited: Promise<boolean>; output(): string } {
    const { log: logFile, data } = this.#layout;
    if (existsSync(logFile) && statSync(logFile).size > LOG_BYTES_MAX) renameSync(logFile, `${logFile}.1`);
    const handle = openSync(logFile, "a", 0o600);
    const before = statSync(logFile).size;
    const settings = {
      listen_addresses: "127.0.0.1",
      port,
      unix_socket_directories: "",
      timezone: "UTC",
      log_timezone: "UTC",
      jit: "off",
      // Failed statements are reported to their senders; the log keeps the life of the server only.
      log_min_messages: "log",
      log_checkpoints: "off",
    };
    const child = spawn(
      join(this.#binaries, "bin", "postgres"),
      [
        ...["-D", dataFromInside(data, this.#identity)],
        ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ],
      {
        cwd: data,
        env: environment(),
        ...this.#identity,
        // A session of its own: Ctrl-C reaches hlsync, which stops the server when it is done with it.
        detached: true,
        stdio: ["ignore", handle, handle],
      },
    );
    closeSync(handle);
    child.unref();
    const exited = new Promise<boolean>((done) => {
      child.once("exit", () => done(true));
      child.once("error", () => done(true));
    });
    return { child, exited, output: () => readFileSync(logFile).subarray(before).toString() };
  }

  /** The server died or dropped us while in use. */
  #lost(keeper: pg.Client): void {
    if (this.#keeper !== keeper) return;
    this.#keeper = null;
    if (this.#released) return;
    this.#log.warn("lost the database, starting it again");
    this.#recovering = this.#recover();
  }

  async #recover(): Promise<void> {
    const { signal } = this.#leaving;
    while (!signal.aborted && this.#keeper === null && this.gone() === null) {
      try {
        await this.open(signal);
        this.#log.info("the database is back");
      } catch (error) {
        if (signal.aborted) return;
        this.#log.error("the database does not come back", { error });
        await this.#clock.sleep(RECOVER_DELAY_MS, signal).catch(() => {});
      }
    }
  }

  async #letGo(withinMs: number): Promise<void> {
    const deadlineMs = this.#clock.now() + withinMs;
    await this.#recovering;
    const keeper = this.#keeper;
    this.#keeper = null;
    if (keeper === null) {
      // One that cannot be used is of no use to others either; who uses it all the same starts it again.
      if (this.#started !== null) await this.#undo(this.#started.child, this.#started.exited);
      return;
    }
    try {
      const query_timeout = (withinMs * ANSWER_SHARE) / 2;
      const ask = (text: string) => keeper.query({ text, query_timeout } as pg.QueryConfig);
      await ask(`select pg_advisory_unlock_shared(${KEEPER_LOCK})`);
      const { rows } = await ask(`select pg_try_advisory_lock(${KEEPER_LOCK}) as last`);
      if (rows[0]?.last === true) await this.#stop(deadlineMs);
      await keeper.end();
    } catch (error) {
      // Gone, or it hangs: then it may have other users, and the next start finds it.
      this.#log.debug("the database did not answer when we let go", { error });
      // A server whose folder was deleted is of no use.
      if (this.gone() !== null) await this.#stop(deadlineMs);
    } finally {
      cut(keeper);
    }
  }

  /** Fast shutdown: open connections are ended, everything committed is kept. */
  async #stop(deadlineMs: number): Promise<void> {
    const pid = this.#pid;
    if (pid === null || !isPostmaster(pid)) return;
    const startedMs = this.#clock.now();
    const isGone = async (untilMs: number): Promise<boolean> => {
      while (isPostmaster(pid)) {
        if (this.#clock.now() > untilMs) return false;
        await this.#clock.sleep(POLL_MS);
      }
      return true;
    };
    process.kill(pid, "SIGINT");
    if (!(await isGone(deadlineMs - STOP_AT_ONCE_MS))) {
      process.kill(pid, "SIGQUIT");
      if (!(await isGone(deadlineMs)))
        return this.#log.warn("the database does not stop; leaving it", { pid });
    }
    this.#log.info("stopped the database", { ms: this.#clock.now() - startedMs });
  }
}
