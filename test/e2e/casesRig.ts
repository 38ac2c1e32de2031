/**
 * Drives the real program against a scripted venue: one venue and one database a test, wire objects as the venue writes them.
 * Guarantees: `close` ends every process, server and database; waiting is for a condition and fails with the last answer.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, beforeEach } from "node:test";
import { type Finished, hlsync, type Running, start } from "../support/cli.ts";
import { hlsyncHere } from "../support/inProcess.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { ScriptedVenue, type Wire } from "../support/scriptedVenue.ts";
import { PATIENCE_MS, until } from "../support/until.ts";
import * as wires from "../support/wires.ts";

export const USER = `0x${"c".repeat(40)}`;
export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;

/** A public report as a file: what the venue answered, and what came of it. */
export function caseFile<T>(name: string): T {
  const path = new URL(`../fixtures/cases/${name}.json`, import.meta.url);
  return recent(JSON.parse(readFileSync(path, "utf8")) as T);
}

/** The rows of a case happened when it was found: here they happened `agoMs` ago, so that they are young for ever. */
function recent<T>(value: T, agoMs = 10 * MINUTE_MS): T {
  const keys = ["time", "timestamp", "statusTimestamp"];
  const times: number[] = [];
  const text = JSON.stringify(value, (key, inner: unknown) => {
    if (keys.includes(key) && typeof inner === "number") times.push(inner);
    return inner;
  });
  const shiftMs = Date.now() - agoMs - Math.max(...times);
  return JSON.parse(text, (key, inner: unknown) =>
    keys.includes(key) && typeof inner === "number" ? inner + shiftMs : inner,
  ) as T;
}

export class CaseRig {
  readonly venue: ScriptedVenue;
  readonly target: TestDatabase;
  account = USER;
  readonly #running: Running[] = [];

  static async start(server: TestServer): Promise<CaseRig> {
    return new CaseRig(await ScriptedVenue.start(), await server.newDatabase());
  }

  private constructor(venue: ScriptedVenue, target: TestDatabase) {
    this.venue = venue;
    this.target = target;
  }

  #args(command: string, flags: readonly string[]): string[] {
    return [
      ...[command, ...flags, "--account", this.account, "--api-url", this.venue.url],
      ...["--database", this.target.url, "--weight", "100000"],
    ];
  }

  /** Whether finite commands are processes of their own: for what must not rest on memory. */
  inProcesses = false;

  /** A command to its end; fails when it ends otherwise than with this code. */
  async does(code: number, command: string, ...flags: string[]): Promise<Finished> {
    const args = this.#args(command, flags);
    const done = await (this.inProcesses ? hlsync(args) : hlsyncHere(args));
    assert.equal(done.code, code, `${command} ${flags.join(" ")}: ${done.stdout}${done.stderr}`);
    return done;
  }

  /** One pass. */
  once(code = 0): Promise<Finished> {
    return this.does(code, "sync", "--once");
  }

  /** `verify`, which must end with this code and print these lines. */
  async verify(code: number, ...lines: RegExp[]): Promise<string> {
    const { stdout } = await this.does(code, "verify");
    for (const line of lines) assert.match(stdout, line);
    return stdout;
  }

  /** A command that goes on until the test ends it. */
  runs(command: string, ...flags: string[]): Running {
    const running = start(this.#args(command, flags));
    this.#running.push(running);
    return running;
  }

  /** `run` with the reconcile far away: what it then shows it was told by the stream, or asked for at once. */
  async streams(...flags: string[]): Promise<Running> {
    const running = this.runs("run", "--interval", "300", "--listen", "127.0.0.1:0", ...flags);
    await this.until("the first snapshot", async () => {
      return (await this.rows("select 1 from hl_dashboard limit 1")).length > 0;
    });
    return running;
  }

  rows<R extends Wire = Wire>(sql: string, ...params: unknown[]): Promise<R[]> {
    return this.target.database.query<R>(sql, params);
  }

  /** The position as people say it: `long 0.1`, `flat`, or `none` when there is no row. */
  async position(coin: string): Promise<string> {
    const [row] = await this.rows<{ side: string; size: string; closed: boolean }>(
      "select side, size::text as size, closed_at is not null as closed from hl_positions where coin = $1",
      coin,
    );
    if (row === undefined) return "none";
    if (row.side !== "flat")
      return row.closed ? `${row.side} ${row.size} though closed` : `${row.side} ${row.size}`;
    return row.closed ? "flat" : "flat without closed_at";
  }

  /** Totals by token, without those that are zero. */
  async balances(): Promise<Record<string, number>> {
    const rows = await this.rows<{ coin: string; total: string }>(
      "select coin, total::text as total from hl_balances where total <> 0 order by coin",
    );
    return Object.fromEntries(rows.map(({ coin, total }) => [coin, Number(total)]));
  }

  /** Waits for what must come. The reconcile of `streams` is farther away: what comes, came by the stream or was asked for at once. */
  async until(what: string, holds: () => Promise<boolean>, timeoutMs = PATIENCE_MS): Promise<number> {
    const said = () => this.#running.map((running) => running.stderr().slice(-1_500)).join("\n");
    return (await until(() => `${what}\n${said()}`, timeoutMs, holds)).tookMs;
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.map((running) => running.stop("SIGKILL")));
    await this.venue.close();
    await this.target.close();
  }
}

// ---- the venue's objects ----

export const position = (coin: string, szi: string, over: object = {}): Wire =>
  wires.position(coin, { szi, ...over });

export const state = (assetPositions: readonly unknown[], over: object = {}): Wire =>
  wires.perpState(assetPositions, { time: "<now>", ...over });

export const balance = (coin: string, total: unknown, over: object = {}): Wire =>
  wires.balance(coin, { token: coin === "USDC" ? 0 : 150, total, entryNtl: "0.0", ...over });

let fillCount = 0;

/** `signed` is what the fill adds: negative sells. Every fill has ids of its own. */
export function fill(
  coin: string,
  time: number,
  startPosition: string,
  signed: number,
  over: object = {},
): Wire {
  const id = ++fillCount;
  return wires.fill({
    coin,
    px: "100000.0",
    sz: String(Math.abs(signed)),
    side: signed > 0 ? "B" : "A",
    time,
    startPosition,
    hash: hashOf(id),
    oid: 500_000_000_000 + id,
    tid: 800_000_000_000_000 + id,
    ...over,
  });
}

export const hashOf = (id: number): string => `0x${id.toString(16).padStart(64, "0")}`;

/** To be called in a `describe`: one server for all of its tests, one rig for each. A test may `renew` its rig, once closed. */
export function eachWithRig(use: (rig: CaseRig) => void): { renew(): Promise<void> } {
  let server: TestServer;
  let rig: CaseRig | undefined;
  const renew = async () => {
    rig = await CaseRig.start(server);
    use(rig);
  };
  before(async () => {
    server = await startServer("real");
  });
  beforeEach(renew);
  afterEach(() => rig?.close());
  after(() => server?.stop());
  return { renew };
}
