/**
 * Real processes for reliability tests: a PostgreSQL server of our own that can be stopped at will, the simulated venue,
 * and hlsync itself. Guarantees: everything started is ended by `close`, and at the latest when this process exits; ports
 * are the system's choice; nothing is read from the caller's environment or `.env`.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/runtime/clock.ts";
import { eq } from "../../src/runtime/decimal.ts";
import type { JsonObject, Truth } from "../../src/simulator/contract.ts";
import type { FaultRule } from "../../src/simulator/faults.ts";
import type { WeightRecord } from "../../src/simulator/server/limits.ts";
import type { Database } from "../../src/store/database.ts";
import { postgresBinaries } from "../../src/store/embeddedBinaries.ts";
import { migrate } from "../../src/store/migrate.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { openStore } from "../../src/store/store.ts";
import { PROGRAM } from "../support/cli.ts";
import { freePort } from "../support/freePort.ts";
import { hlsyncHere } from "../support/inProcess.ts";
import { PATIENCE_MS, untilDespiteErrors } from "../support/until.ts";

/** REST weight a minute, as the venue has it. */
const VENUE_WEIGHT = 1_200;

/** Children of this process, ended with it whatever happens. */
const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

function launch(
  command: string,
  args: readonly string[],
  options: Parameters<typeof spawn>[2],
): ChildProcess {
  const child = spawn(command, args, options);
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once("exit", () => resolve()));

// ---- PostgreSQL ----

/** Debian's newest server, else the embedded one. `embedded` tells which flags initdb takes. */
function serverBinaries(): { folder: string; isEmbedded: boolean } {
  const debian = globSync("/usr/lib/postgresql/*/bin").sort(
    (a, b) => Number(b.split("/")[4]) - Number(a.split("/")[4]),
  );
  if (debian[0]) return { folder: debian[0], isEmbedded: false };
  return { folder: join(postgresBinaries(process.getuid?.() === 0), "bin"), isEmbedded: true };
}

/** The server refuses to run as root. */
function serverUser(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const users = readFileSync("/etc/passwd", "utf8").split("\n");
  const entry =
    users.find((line) => line.startsWith("postgres:")) ?? users.find((line) => line.startsWith("nobody:"));
  const [, , uid, gid] = entry!.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

/** Of hlsync's role, and of the database that all others are copies of. */
const ROLE = "reliability";

/** One PostgreSQL server in a folder of its own. hlsync gets a role without special rights, as in real life. */
export class Cluster {
  readonly #folder: string;
  readonly #binaries = serverBinaries();
  readonly #user = serverUser();
  readonly #port: number;
  readonly admin: Database;
  readonly version: string;
  #server: ChildProcess | null = null;
  #databases = 0;
  #template: Promise<void> | null = null;

  static async start(): Promise<Cluster> {
    const cluster = new Cluster(await freePort());
    await cluster.start();
    return cluster;
  }

  private constructor(port: number) {
    this.#port = port;
    this.#folder = mkdtempSync(join(tmpdir(), "hlsync-cluster-"));
    if (this.#user.uid !== undefined) chownSync(this.#folder, this.#user.uid, this.#user.gid!);
    const { folder, isEmbedded } = this.#binaries;
    const locale = isEmbedded ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] : [];
    execFileSync(
      join(folder, "initdb"),
      ["-D", this.#data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", ...locale],
      { stdio: "ignore", cwd: this.#folder, ...this.#user },
    );
    this.version = execFileSync(join(folder, "postgres"), ["--version"], { encoding: "utf8" }).trim();
    this.admin = openPostgres(`postgres://postgres@127.0.0.1:${port}/postgres`, { maxConnections: 2 });
  }

  get #data(): string {
    return join(this.#folder, "data");
  }

  /** Resolves when the server takes connections. */
  async start(): Promise<void> {
    const settings = {
      listen_addresses: "127.0.0.1",
      unix_socket_directories: this.#folder,
      max_connections: "200",
      // It changes no plan and no answer. Each case asks each statement a few times: compiling would cost more than all of them.
      jit: "off",
      log_min_messages: "fatal",
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    this.#server = launch(
      join(this.#binaries.folder, "postgres"),
      ["-D", this.#data, "-p", `${this.#port}`, ...flags],
      {
        cwd: this.#folder,
        stdio: "ignore",
        ...this.#user,
      },
    );
    await untilDespiteErrors("PostgreSQL to start", PATIENCE_MS, () => this.admin.query("select 1"));
  }

  /** `fast` rolls back what is under way and says good-bye; `immediate` is a crash. */
  async stop(how: "fast" | "immediate"): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    server.kill(how === "fast" ? "SIGINT" : "SIGQUIT");
    await ended(server);
  }

  /** A migrated database of the role without special rights. */
  async newDatabase(): Promise<{ name: string; url: string }> {
    this.#template ??= this.#makeTemplate();
    await this.#template;
    this.#databases += 1;
    const name = `${ROLE}_${this.#databases}`;
    await this.admin.query(`create database ${name} template ${ROLE} owner ${ROLE}`);
    return { name, url: this.#urlOf(name) };
  }

  /** Migrated once: that each case does it itself would be half of what it costs. */
  async #makeTemplate(): Promise<void> {
    await this.admin.query(`create role ${ROLE} login`);
    await this.admin.query(`create database ${ROLE} owner ${ROLE}`);
    const database = openPostgres(this.#urlOf(ROLE));
    await migrate(database);
    await database.close();
  }

  readonly #urlOf = (name: string): string =>
    `postgres://${ROLE}@127.0.0.1:${this.#port}/${name}?host=${this.#folder}`;

  /** Breaks every connection to the database, as a failover does. */
  async disconnectAll(name: string): Promise<void> {
    await this.admin.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [
      name,
    ]);
  }

  async close(): Promise<void> {
    await this.admin.close();
    await this.stop("immediate");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

// ---- hlsync ----

export interface LogLine {
  atMs: number;
  level: string;
  message: string;
  [field: string]: unknown;
}

export interface Ended {
  code: number | null;
  /** Stdout, then stderr. */
  output: string;
}

/** Lines kept of one process's log. */
const LOG_LINES = 2_000;

/** One `hlsync …` process. */
export class Program {
  readonly child: ChildProcess;
  readonly log: LogLine[] = [];
  readonly #output: string[] = [];

  constructor(args: readonly string[]) {
    const cwd = mkdtempSync(join(tmpdir(), "hlsync-cwd-"));
    this.child = launch(process.execPath, [PROGRAM, ...args], {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, HOME: cwd },
    });
    this.child.once("exit", () => rmSync(cwd, { recursive: true, force: true }));
    readLines(this.child.stderr!, (line) => {
      this.log.push(readLog(line));
      if (this.log.length > LOG_LINES) this.log.shift();
    });
    readLines(this.child.stdout!, (line) => {
      this.#output.push(line);
      if (this.#output.length > LOG_LINES) this.#output.shift();
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  get output(): readonly string[] {
    return this.#output;
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** When a line with this message was logged, for the first time after `sinceMs`; undefined when it was not. */
  logged(message: string, sinceMs = 0): LogLine | undefined {
    return this.log.find((line) => line.message === message && line.atMs >= sinceMs);
  }

  async kill(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.child.kill(signal);
    await ended(this.child);
  }
}

function readLines(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) take(line);
  });
}

function readLog(text: string): LogLine {
  const atMs = systemClock.now();
  try {
    return { ...(JSON.parse(text) as { level: string; message: string }), atMs };
  } catch {
    return { level: "text", message: text, atMs };
  }
}

// ---- the simulated venue ----

export interface VenueState {
  venueTimeMs: number;
  connections: { ip: string; subscriptions: { type: string; user?: string }[] }[];
  weights: Record<string, WeightRecord>;
  faults: { counts: Record<string, number> };
}

export class SimulatedVenue {
  readonly url: string;
  readonly accounts: readonly string[];
  readonly #end: () => Promise<void>;

  static async start(
    accounts: readonly string[],
    fillsPerSecond: number,
    weightPerMinute: number,
  ): Promise<SimulatedVenue> {
    const flags = accounts.flatMap((account) => ["--account", account]);
    const program = new Program([
      ...["simulate", "--json", "--port", "0", "--fills-per-second", String(fillsPerSecond)],
      ...["--weight", String(weightPerMinute)],
      ...flags,
    ]);
    const { value } = await untilDespiteErrors(
      "the simulator to start",
      PATIENCE_MS,
      () => program.output[0],
    );
    const { apiUrl } = JSON.parse(value) as { apiUrl: string };
    return new SimulatedVenue(apiUrl, accounts, () => program.kill("SIGKILL"));
  }

  /** `end` stops what serves it. */
  constructor(url: string, accounts: readonly string[], end: () => Promise<void>) {
    this.url = url;
    this.accounts = accounts;
    this.#end = end;
  }

  async #get<T>(path: string): Promise<T> {
    const answer = await fetch(`${this.url}/control/${path}`);
    return (await answer.json()) as T;
  }

  async control(path: string, body: unknown): Promise<void> {
    const answer = await fetch(`${this.url}/control/${path}`, { method: "POST", body: JSON.stringify(body) });
    assert.equal(answer.status, 200, await answer.text());
  }

  truth(account = this.accounts[0]!): Promise<Truth> {
    return this.#get(`truth?user=${account}`);
  }

  state(): Promise<VenueState> {
    return this.#get("state");
  }

  /** Connections on which something of the account is subscribed to. */
  async followers(account = this.accounts[0]!): Promise<number> {
    const { connections } = await this.state();
    return connections.filter(({ subscriptions }) => subscriptions.some(({ user }) => user === account))
      .length;
  }

  async weight(): Promise<Omit<WeightRecord, "most" | "turnedAway">> {
    const { weights } = await this.state();
    return Object.values(weights).reduce(
      (sum, one) => ({
        lastMinute: sum.lastMinute + one.lastMinute,
        peak: sum.peak + one.peak,
        total: sum.total + one.total,
        refused: sum.refused + one.refused,
      }),
      { lastMinute: 0, peak: 0, total: 0, refused: 0 },
    );
  }

  /** Cuts what is open and refuses everything new for so long, or new sockets only. */
  async outage(forMs: number, what: "everything" | "stream" = "everything"): Promise<void> {
    const fault: FaultRule["fault"] = what === "stream" ? "refuseSockets" : "refuse";
    await this.control("faults", { fault, forMs });
    await this.control("connections", { do: "cut" });
  }

  /** Time stands still: nobody trades any more; answers and pushes go on. */
  freeze(): Promise<void> {
    return this.control("clock", { skewMs: -86_400_000 });
  }

  async close(): Promise<void> {
    await this.#end();
  }
}

// ---- database against truth ----

const fillsOf = ({ fills, twapSliceFills }: Truth): JsonObject[] => [
  ...fills,
  ...twapSliceFills.map(({ fill }) => fill),
];

const wireKey = (fill: JsonObject): string => [fill.coin, fill.time, fill.oid, fill.tid, fill.side].join("|");

export interface Difference {
  /** Fills that happened. */
  happened: number;
  missing: number;
  /** Stored fills that never happened: doubled under another identity, or invented. */
  extra: number;
  /**
   * Orders that came or ended while the venue could not be seen, that it no longer lists, and whose time `hl_coverage`
   * calls unprovable: the venue keeps them by count.
   */
  unlistedOrders: number;
  /** Everything else in which tables and truth differ. */
  other: string[];
}

const NO_DIFFERENCE: Difference = { happened: 0, missing: 0, extra: 0, unlistedOrders: 0, other: [] };

export const isEqual = ({ missing, extra, other }: Difference): boolean =>
  missing === 0 && extra === 0 && other.length === 0;

/** One venue, one database, and the processes between them. */
export class Rig {
  readonly venue: SimulatedVenue;
  readonly database: Database;
  readonly databaseUrl: string;
  readonly databaseName: string;
  readonly #programs: Program[] = [];

  static async start(
    cluster: Cluster,
    accounts: readonly string[],
    fillsPerSecond: number,
    weightPerMinute = VENUE_WEIGHT,
  ): Promise<Rig> {
    return Rig.at(cluster, await SimulatedVenue.start(accounts, fillsPerSecond, weightPerMinute));
  }

  /** A new database for a venue that is there. */
  static async at(cluster: Cluster, venue: SimulatedVenue): Promise<Rig> {
    const { name, url } = await cluster.newDatabase();
    return new Rig(venue, name, url);
  }

  private constructor(venue: SimulatedVenue, name: string, url: string) {
    this.venue = venue;
    this.databaseName = name;
    this.databaseUrl = url;
    this.database = openPostgres(url, { maxConnections: 2 });
  }

  get #accountFlags(): string[] {
    return this.venue.accounts.flatMap((account) => ["--account", account]);
  }

  /** Any command on this database and these accounts. */
  hlsync(command: string, ...flags: string[]): Program {
    const own = ["--json", "--database", this.databaseUrl, ...this.#accountFlags];
    const program = new Program([command, ...own, ...flags]);
    this.#programs.push(program);
    return program;
  }

  /** `hlsync run`, with the reconcile far away so that only healing can repair. */
  run(...flags: string[]): Program {
    const own = ["--listen", "127.0.0.1:0", "--interval", "300", "--api-url", this.venue.url];
    return this.hlsync("run", ...own, ...flags);
  }

  /** A command that asks the database only, to its end; as the next two, in this process. */
  async command(...args: string[]): Promise<Ended> {
    const { code, stdout, stderr } = await hlsyncHere([...args, "--json", "--database", this.databaseUrl]);
    return { code, output: stdout + stderr };
  }

  /** `hlsync verify`, to its end. */
  verify(): Promise<Ended> {
    return this.command("verify", ...this.#accountFlags, "--api-url", this.venue.url);
  }

  /** `hlsync sync --once`, to its end. */
  syncOnce(): Promise<Ended> {
    return this.command("sync", "--once", ...this.#accountFlags, "--api-url", this.venue.url);
  }

  /** Waits until every fill that has happened by now is stored. */
  async complete(timeoutMs: number): Promise<number> {
    const truths = await Promise.all(this.venue.accounts.map((account) => this.venue.truth(account)));
    const { tookMs } = await untilDespiteErrors("the fills to be complete", timeoutMs, async () => {
      const missing = await Promise.all(truths.map((truth) => this.#missing(truth)));
      return missing.every((count) => count === 0);
    });
    return tookMs;
  }

  async #missing(truth: Truth): Promise<number> {
    const happened = fillsOf(truth).map(wireKey);
    const short = happened.length - (await this.storedFills(truth.user, 0, Number.MAX_SAFE_INTEGER));
    // Counting is cheap: which ones they are is asked when there are enough.
    if (short > 0) return short;
    const stored = await this.#storedKeys(truth.user);
    return happened.filter((key) => !stored.has(key)).length;
  }

  async #storedKeys(account: string): Promise<Set<string>> {
    const rows = await this.database.query<{ key: string }>(
      `select concat_ws('|', coin, fill_time_ms, order_id, trade_id, case side when 'buy' then 'B' else 'A' end) as key
       from hl_fills where account_address = $1`,
      [account],
    );
    return new Set(rows.map(({ key }) => key));
  }

  /** Waits until all of these fills are stored. */
  holds(account: string, fills: readonly JsonObject[], timeoutMs: number): Promise<{ tookMs: number }> {
    return untilDespiteErrors("the fills to be stored", timeoutMs, async () => {
      const stored = await this.#storedKeys(account);
      return fills.every((fill) => stored.has(wireKey(fill)));
    });
  }

  /** Fills that are not stored and whose time is not called unprovable. */
  async silentLosses(account: string, fills: readonly JsonObject[]): Promise<number> {
    const stored = await this.#storedKeys(account);
    const named = (await openStore(this.database).coverage(account, "fills")).filter(
      ({ grade }) => grade === "unprovable",
    );
    return fills.filter((fill) => {
      const timeMs = Number(fill.time);
      return (
        !stored.has(wireKey(fill)) && !named.some(({ fromMs, toMs }) => timeMs >= fromMs && timeMs <= toMs)
      );
    }).length;
  }

  /** Gaps in the fills that touch this stretch, as `hl_gaps` tells them. */
  async gaps(account: string, fromMs: number, toMs: number): Promise<number> {
    const [row] = await this.database.query<{ rows: number }>(
      `select count(*)::int as rows from hl_gaps
       where account_address = $1 and stream = 'fills' and from_ms <= $3 and to_ms >= $2`,
      [account, fromMs, toMs],
    );
    return row!.rows;
  }

  /** Gaps of any account and stream that begin more than ten minutes ago and can still be closed. */
  async oldGaps(): Promise<number> {
    const [row] = await this.database.query<{ rows: number }>(
      `select count(*)::int as rows from hl_gaps
       where kind <> 'unprovable' and from_time < now() - interval '10 minutes'`,
    );
    return row!.rows;
  }

  async orderEvents(): Promise<number> {
    const [row] = await this.database.query<{ rows: number }>(
      "select count(*)::int as rows from hl_order_events",
    );
    return row!.rows;
  }

  /** Stored fills of a stretch of venue time. */
  async storedFills(account: string, fromMs: number, toMs: number): Promise<number> {
    const [row] = await this.database.query<{ rows: number }>(
      "select count(*)::int as rows from hl_fills where account_address = $1 and fill_time_ms between $2 and $3",
      [account, fromMs, toMs],
    );
    return row!.rows;
  }

  /** Stops the venue's time and waits until the tables equal the truth; what still differs at the end. */
  async settle(timeoutMs: number): Promise<Difference> {
    await this.venue.freeze();
    const startedMs = performance.now();
    await this.complete(timeoutMs).catch(() => {});
    let difference: Difference = { ...NO_DIFFERENCE, other: ["never compared"] };
    const leftMs = timeoutMs - (performance.now() - startedMs);
    await untilDespiteErrors("the tables to equal the truth", leftMs, async () => {
      difference = await this.difference();
      return isEqual(difference);
    }).catch(() => {});
    return difference;
  }

  async difference(): Promise<Difference> {
    const sum: Difference = { ...NO_DIFFERENCE, other: [] };
    for (const account of this.venue.accounts) {
      const one = await this.#differenceOf(await this.venue.truth(account));
      sum.happened += one.happened;
      sum.missing += one.missing;
      sum.extra += one.extra;
      sum.unlistedOrders += one.unlistedOrders;
      sum.other.push(...one.other);
    }
    return sum;
  }

  async #differenceOf(truth: Truth): Promise<Difference> {
    const account = truth.user;
    const store = openStore(this.database);
    const wire = new Map(fillsOf(truth).map((fill) => [wireKey(fill), fill]));
    const stored = await store.fills(account, 0, Number.MAX_SAFE_INTEGER);
    const other: string[] = [];
    let extra = 0;
    const seen = new Set<string>();
    for (const row of stored) {
      const key = [row.coin, row.timeMs, row.orderId, row.tradeId, row.side === "buy" ? "B" : "A"].join("|");
      const fill = wire.get(key);
      seen.add(key);
      if (!fill) extra += 1;
      else if (
        !eq(row.price, fill.px as string) ||
        !eq(row.size, fill.sz as string) ||
        !eq(row.fee, fill.fee as string)
      )
        other.push(`fill ${key} differs`);
    }
    const unlistedOrders = await this.#compareOrders(truth, other);
    const live = new Map(truth.positions.map(({ coin, szi }) => [coin, szi]));
    for (const { coin, szi } of await store.positions(account))
      if (!eq(szi, live.get(coin) ?? "0"))
        other.push(`position ${coin}: ${szi}, is ${live.get(coin) ?? "flat"}`);
    const funding = await store.funding(account, 0, Number.MAX_SAFE_INTEGER);
    if (funding.length !== truth.funding.length)
      other.push(`funding: ${funding.length} rows, are ${truth.funding.length}`);
    const ledger = await store.ledger(account, 0, Number.MAX_SAFE_INTEGER);
    if (ledger.length !== truth.ledger.length)
      other.push(`ledger: ${ledger.length} rows, are ${truth.ledger.length}`);
    const missing = [...wire.keys()].filter((key) => !seen.has(key)).length;
    return { happened: wire.size, missing, extra, unlistedOrders, other };
  }

  /** Adds the orders that differ to `other`; how many the venue itself no longer lists. */
  async #compareOrders(truth: Truth, other: string[]): Promise<number> {
    const store = openStore(this.database);
    const unprovable = (await store.coverage(truth.user, "orders")).filter(
      ({ grade }) => grade === "unprovable",
    );
    const last = new Map<number, { status: string; timeMs: number }>();
    for (const { order, status, statusTimestamp } of truth.orderEvents)
      last.set((order as { oid: number }).oid, { status: String(status), timeMs: Number(statusTimestamp) });
    const orders = new Map((await store.orders(truth.user)).map((order) => [order.orderId, order]));
    let unlisted = 0;
    for (const [oid, { status, timeMs }] of last) {
      const own = orders.get(oid);
      if (own?.venueStatus === status) continue;
      const isUnlisted = unprovable.some(({ fromMs, toMs }) => timeMs >= fromMs && timeMs <= toMs);
      // Its end was not seen, but its fills add up to it.
      const byFills = own?.status === "filled" && status === "filled";
      if (isUnlisted && (own === undefined || own.venueStatus === "unknownOid" || byFills)) unlisted += 1;
      else other.push(`order ${oid}: ${own?.venueStatus ?? "missing"}, is ${status}`);
    }
    for (const oid of orders.keys()) if (!last.has(oid)) other.push(`order ${oid} never happened`);
    return unlisted;
  }

  async close(): Promise<void> {
    for (const program of this.#programs) if (program.isAlive) await program.kill("SIGKILL");
    await this.venue.close();
    await this.database.close();
  }
}

/** Account number `n`; the same in every run. */
export const accountNumber = (n: number): string => `0x${(0xa11ce000 + n).toString(16).padStart(40, "0")}`;

export function machine(): string {
  const cpu = existsSync("/proc/cpuinfo")
    ? (/model name\s*: (.*)/.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "unknown CPU")
    : "unknown CPU";
  return cpu;
}
