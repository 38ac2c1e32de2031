/**
 * One seed, from first commit to proof: the real engine and the real SQL against the simulated venue in virtual time.
 *
 * Safety, after every commit: every fill written is one that happened, and every interval claimed as proven is
 * complete in the database at that moment. Convergence: after faults stop, within `CONVERGE_MS` of virtual time, the
 * tables equal the truth, every gap is closed, and `verify` passes.
 */
import assert from "node:assert/strict";
import { replayAll } from "../../src/cli/commands/quarantine.ts";
import { createInfoClient } from "../../src/connection/infoClient.ts";
import { RateLimiter } from "../../src/connection/rateLimiter.ts";
import { StoreError } from "../../src/errors.ts";
import { silentLog } from "../../src/runtime/log.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import type { JsonObject } from "../../src/simulator/contract.ts";
import { createVenue, type SimulatedVenue } from "../../src/simulator/exchange/venue.ts";
import { createWorld, VirtualClock, type World } from "../../src/simulator/virtualWorld.ts";
import type { Database } from "../../src/store/database.ts";
import { openStore } from "../../src/store/store.ts";
import { subtract, union } from "../../src/sync/coverage.ts";
import { ONLY_COUNTED } from "../../src/sync/quarantine.ts";
import { type Batch, type CoverageRow, TRACKED_STREAMS, type TrackedStream } from "../../src/sync/rows.ts";
import { doubtsOf, passed } from "../../src/sync/verify/certificate.ts";
import { listDexes } from "../../src/sync/verify/dexList.ts";
import { verify } from "../../src/sync/verify.ts";
import { MOVED_COINS, Moves } from "./moves.ts";
import { drawOddities, NO_ODDITIES, type Oddities } from "./oddities.ts";
import { drawPlan, type Plan } from "./plan.ts";
import { SimulatedProcess } from "./process.ts";
import { Spoiler } from "./spoiler.ts";
import { differencesOf, storedKey, wireKey } from "./truth.ts";

const COINS = ["BTC", "ETH", "SOL"];
const HOUR_MS = 3_600_000;
const CONVERGE_MS = 240_000;
const SETTLE_STEP_MS = 5_000;
/** The venue's clock stands still after the run, and what is younger than its last tick less the REST lag is not claimed. */
const UNCLAIMED_MS = 2_500;
const RESTART_AFTER_EXIT_MS = 1_000;
const VERIFY_EVERY_MS = 30_000;

/** To delegate leaves no row and moves nothing that is pushed: it is known when the stake is asked for again, after ten minutes. */
const ASKED_SELDOM = new Set(["hl_delegations", "hl_account_facts"]);

const ROWS_OF = {
  fills: rowsOf("hl_fills", "fill_time_ms", "twap_id is null"),
  twapFills: rowsOf("hl_fills", "fill_time_ms", "twap_id is not null"),
  funding: rowsOf("hl_funding", "funding_time_ms", "true"),
  ledger: rowsOf("hl_ledger", "ledger_time_ms", "true"),
};

/** Under which subjects a row of a history comes into quarantine when it is read over REST. */
const SUBJECTS_OF: Record<TrackedStream, string[]> = {
  fills: ["userFillsByTime"],
  twapFills: ["userTwapSliceFillsByTime"],
  orders: ["historicalOrders", "orderStatus", "frontendOpenOrders"],
  funding: ["userFunding"],
  ledger: ["userNonFundingLedgerUpdates"],
};

function rowsOf(table: string, time: string, condition: string): string {
  return `select count(*)::int as rows from ${table}
    where account_address = $1 and ${time} between $2 and $3 and ${condition}`;
}

export interface SeedReport {
  seed: number;
  fills: number;
  orderEvents: number;
  commits: number;
  kills: number;
  exits: number;
  faults: number;
  /** Answers and frames that were changed. */
  spoilt: number;
  /** Virtual time from the end of faults to equality. */
  convergedMs: number;
  realMs: number;
}

class SeedRun {
  readonly #plan: Plan;
  readonly #oddities: Oddities;
  readonly #spoiler: Spoiler;
  readonly #moves: Moves | null;
  readonly #database: Database;
  readonly #clock: VirtualClock;
  readonly #venue: SimulatedVenue;
  readonly #world: World;
  readonly #account: string;
  readonly #startMs: number;
  #faulty = true;
  #commits = 0;
  #exits = 0;
  #generation = 0;
  readonly #processes = new Map<string, SimulatedProcess>();
  #violation: unknown = null;
  /** What happened, by stream: times ascending, as the venue's own listener saw it. */
  readonly #truth = { fills: new Map<string, number>(), twapFills: new Map<string, number>() };

  constructor(plan: Plan, oddities: Oddities, database: Database) {
    this.#plan = plan;
    this.#oddities = oddities;
    this.#database = database;
    this.#startMs = 1_790_359_200_000 + HOUR_MS - plan.beforeHourMs;
    this.#account = `0x${plan.seed.toString(16).padStart(40, "0")}`;
    this.#clock = new VirtualClock(this.#startMs);
    this.#venue = createVenue({
      seed: plan.seed,
      startMs: this.#startMs,
      traders: { coins: [...COINS, ...(oddities.moves === null ? [] : MOVED_COINS)] },
      activeAccounts: [{ user: this.#account, fillsPerSecond: plan.fillsPerSecond }],
    });
    this.#spoiler = new Spoiler(plan.seed, oddities, this.#startMs);
    this.#moves = oddities.moves === null ? null : new Moves(this.#venue, this.#account, oddities.moves.mode);
    this.#venue.onBlock(({ events }) => {
      for (const event of events) {
        if (!("user" in event) || event.user !== this.#account) continue;
        if (event.type === "fill") this.#truth.fills.set(wireKey(event.fill), Number(event.fill.time));
        if (event.type === "twapSliceFill")
          this.#truth.twapFills.set(wireKey(event.fill), Number(event.fill.time));
      }
    });
    this.#world = createWorld({
      venue: this.#venue,
      clock: this.#clock,
      seed: plan.seed,
      latencyMs: plan.latencyMs,
      faults: plan.faults.map((rule) => ({
        ...rule,
        ...(rule.fromMs === undefined ? {} : { fromMs: this.#startMs + rule.fromMs }),
        ...(rule.untilMs === undefined ? {} : { untilMs: this.#startMs + rule.untilMs }),
      })),
    });
  }

  async run(): Promise<SeedReport> {
    // A promise that fails while nothing waits for it would end a real process.
    const onUnhandled = (error: unknown) => {
      this.#violation ??= new Error("a rejection that nothing handles", { cause: error });
    };
    process.on("unhandledRejection", onUnhandled);
    try {
      return await this.#run();
    } finally {
      process.off("unhandledRejection", onUnhandled);
    }
  }

  async #run(): Promise<SeedReport> {
    const beganMs = performance.now();
    const { durationMs } = this.#plan;
    await this.#database.query("delete from hl_internal.quarantine");
    await this.#setChecks("add");
    this.#begin("first");
    this.#schedule();
    const end = this.#startMs + durationMs;
    await this.#clock.runUntil(() => this.#violation !== null, end);
    this.#rethrow();
    const faults = Object.values(this.#world.gateway.faults.counts()).reduce((sum, count) => sum + count, 0);

    this.#faulty = false;
    this.#world.gateway.faults.clear();
    await this.#setChecks("drop");
    // The account stands still from here on; states and lists go on being served and pushed.
    this.#world.time.stop();
    const convergedMs = await this.#converge(end);
    for (const process of this.#processes.values()) process.kill();
    this.#world.stop();
    const { fills, twapSliceFills, orderEvents } = this.#venue.truth(this.#account);
    return {
      seed: this.#plan.seed,
      fills: fills.length + twapSliceFills.length,
      orderEvents: orderEvents.length,
      commits: this.#commits,
      kills: this.#plan.kills.length,
      exits: this.#exits,
      faults,
      spoilt: this.#spoiler.count,
      convergedMs,
      realMs: Math.round(performance.now() - beganMs),
    };
  }

  /** Starts the process of this name; one that ends by itself is started again, as a supervisor would. */
  #begin(name: string): void {
    const process = new SimulatedProcess({
      world: this.#world,
      clock: this.#clock,
      database: this.#database,
      plan: this.#plan,
      startMs: this.#startMs,
      account: this.#account,
      name: `${name} ${this.#generation++}`,
      faulty: () => this.#faulty,
      spoiler: this.#spoiler,
      afterCommit: (batch) => this.#checkCommit(batch),
      onExit: (error) => {
        this.#exits += 1;
        // Only the database and the venue may end a process; anything else is a bug of ours.
        const expected =
          error instanceof StoreError ? error.transient : (error as Error)?.name?.endsWith("Error");
        if (!expected || (error as Error).name === "InvariantError" || error instanceof TypeError)
          this.#violation = error;
        this.#clock.after(RESTART_AFTER_EXIT_MS, () => this.#begin(name));
      },
    });
    this.#processes.set(name, process);
    process.start();
  }

  /** Kills, restarts, the second process, clock jumps and hand-made actions. */
  #schedule(): void {
    const { kills, secondFromMs, clockJumps, actionEveryMs, seed } = this.#plan;
    for (const { atMs, restartMs } of kills) {
      this.#clock.after(atMs, () => {
        this.#processes.get("first")?.kill();
        this.#clock.after(restartMs, () => this.#begin("first"));
      });
    }
    if (secondFromMs !== null) this.#clock.after(secondFromMs, () => this.#begin("second"));
    for (const { atMs, byMs } of clockJumps) {
      this.#clock.after(atMs, () => {
        for (const process of this.#processes.values()) process.clockSkewMs += byMs;
      });
    }
    const random = seededRandom(`actions ${seed}`);
    const act = (nonce: number) => {
      if (!this.#faulty) return;
      this.#act(random.next(), random.next(), nonce);
      this.#clock.after(actionEveryMs, () => act(nonce + 1));
    };
    if (actionEveryMs > 0) this.#clock.after(actionEveryMs, () => act(1));
    this.#scheduleOddities();
  }

  #scheduleOddities(): void {
    const { deploys, moves } = this.#oddities;
    for (const { atMs, name } of deploys)
      this.#clock.after(atMs, () => {
        this.#venue.script({ type: "deployDex", name, coins: { GOLD: "100" } });
        // Of two bots of one account only one may name its orders: both draw the same names.
        this.#venue.addActiveAccount({
          user: this.#account,
          coins: [`${name}:GOLD`],
          fillsPerSecond: 0.4,
          cloidShare: 0,
          depositUsd: "1000",
        });
      });
    if (moves === null) return;
    const random = seededRandom(`moves ${this.#plan.seed}`);
    const move = () => {
      if (!this.#faulty) return;
      this.#moves?.move(random);
      this.#clock.after(moves.everyMs, move);
    };
    this.#clock.after(moves.everyMs, move);
  }

  /** What the user's own CHECKs refuse is this account's only. */
  async #setChecks(what: "add" | "drop"): Promise<void> {
    for (const { table, condition } of this.#oddities.checks)
      await this.#database.query(
        what === "drop"
          ? `alter table ${table} drop constraint users_own_${this.#plan.seed}`
          : `alter table ${table} add constraint users_own_${this.#plan.seed} check (account_address <> '${this.#account}' or ${condition})`,
      );
  }

  /** What a trader does besides the account's steady trading. Refused actions are fine: they are events too. */
  #act(draw: number, size: number, nonce: number): void {
    const open = this.#venue.truth(this.#account).openOrders;
    const px = Math.round(83_000 * (0.97 + 0.02 * size));
    const order = (extra: JsonObject): JsonObject => ({
      a: 0,
      b: true,
      p: String(px),
      s: "0.001",
      r: false,
      ...extra,
    });
    const gtc = { t: { limit: { tif: "Gtc" } } };
    const resting = open[Math.floor(size * open.length)] as { oid: number } | undefined;
    const action = ((): JsonObject => {
      if (draw < 0.25)
        return { type: "twapOrder", twap: { a: 0, b: size < 0.5, s: "0.1", r: false, m: 5, t: false } };
      if (draw < 0.45) return { type: "order", orders: [order(gtc)], grouping: "na" };
      if (draw < 0.65 && resting) return { type: "modify", oid: resting.oid, order: order(gtc) };
      if (draw < 0.75 && resting) return { type: "cancel", cancels: [{ a: 0, o: resting.oid }] };
      if (draw < 0.85)
        return { type: "order", orders: [order({ t: { limit: { tif: "Ioc" } } })], grouping: "na" };
      const trigger = { isMarket: true, triggerPx: String(px), tpsl: "sl" };
      return { type: "order", orders: [order({ b: false, t: { trigger } })], grouping: "na" };
    })();
    this.#venue.execute(this.#account, action, { nonce: this.#clock.now() + nonce });
  }

  /** Something was refused or said in words that cannot be read. */
  get #isSpoilt(): boolean {
    const { spoils, refusedRequests, checks } = this.#oddities;
    return spoils.length + refusedRequests.length + checks.length > 0;
  }

  #rethrow(): void {
    if (this.#violation !== null) throw this.#violation;
  }

  async #checkCommit(batch: Batch): Promise<void> {
    this.#commits += 1;
    try {
      for (const fill of batch.fills ?? []) {
        const key = storedKey(fill);
        assert.ok(this.#truth.fills.has(key) || this.#truth.twapFills.has(key), `invented fill ${key}`);
      }
      for (const row of batch.coverage ?? []) {
        assert.ok(
          row.toMs <= this.#venue.nowMs,
          `claimed ${row.stream} up to ${row.toMs}, which has not come`,
        );
        if (row.grade === "proven") await this.#checkClaim(row);
        else if (row.reason?.includes("quarantine")) await this.#checkNamed(row);
      }
    } catch (error) {
      this.#violation ??= error;
    }
  }

  /** A claim is true at the moment it is made: what happened in the interval is in the database. */
  async #checkClaim({ stream, fromMs, toMs }: CoverageRow): Promise<void> {
    if (stream === "orders") return;
    const happened = this.#timesOf(stream).filter((timeMs) => timeMs >= fromMs && timeMs <= toMs);
    const [stored] = await this.#database.query<{ rows: number }>(ROWS_OF[stream], [
      this.#account,
      fromMs,
      toMs,
    ]);
    assert.equal(
      stored?.rows,
      happened.length,
      `claimed ${stream} ${fromMs}..${toMs} as proven, of ${happened}`,
    );
  }

  #timesOf(stream: Exclude<TrackedStream, "orders">): number[] {
    if (stream === "fills" || stream === "twapFills") return [...this.#truth[stream].values()];
    return this.#venue.truth(this.#account)[stream].map(({ time }) => Number(time));
  }

  /**
   * What is said to be in quarantine is there, or counted where there are too many. A row may not tell its time: it came
   * in an answer of its history.
   */
  async #checkNamed({ stream, fromMs, toMs, reason }: CoverageRow): Promise<void> {
    const named = await this.#database.query(
      `select from hl_internal.quarantine
       where account_address = $1 and (subject = any ($2) or raw like $3 or reason = $4) limit 1`,
      [this.#account, SUBJECTS_OF[stream], `%${fromMs}%`, ONLY_COUNTED],
    );
    assert.equal(named.length, 1, `${stream} ${fromMs}..${toMs} is not in quarantine: ${reason}`);
  }

  async #converge(sinceMs: number): Promise<number> {
    let difference: string[] = [];
    for (let waitedMs = SETTLE_STEP_MS; waitedMs <= CONVERGE_MS; waitedMs += SETTLE_STEP_MS) {
      await this.#clock.advanceTo(sinceMs + waitedMs);
      this.#rethrow();
      difference = await this.#differences();
      if (difference.length === 0) return waitedMs;
      if (!this.#isSpoilt || waitedMs % VERIFY_EVERY_MS !== 0) continue;
      // What the database refused is taken out of quarantine; what could not be read when it was served is asked for again
      // where `verify` finds it missing.
      if (this.#oddities.checks.length > 0) await replayAll(openStore(this.#database));
      await this.#verify();
    }
    assert.fail(
      `not converged after ${CONVERGE_MS} ms: ${difference.length} differences:\n${difference.slice(0, 20).join("\n")}`,
    );
  }

  /** Everything in which tables and truth differ; empty when they are equal and nothing is unproven. */
  async #differences(): Promise<string[]> {
    const store = openStore(this.#database);
    const found = await differencesOf(store, this.#venue, this.#account);
    if (found.length > 0) return found;
    for (const stream of TRACKED_STREAMS) {
      const coverage = await store.coverage(this.#account, stream);
      const settled = coverage.filter(({ grade }) => grade !== "streamed");
      const gaps = subtract(
        [{ fromMs: this.#startMs - 60_000, toMs: this.#startMs + this.#plan.durationMs - UNCLAIMED_MS }],
        union(settled),
      );
      if (gaps.length > 0) found.push(`${stream}: ${gaps.length} gaps`);
      // The time of a row that could not be read stays named, also when the row came by another way.
      if (stream !== "orders" && !this.#isSpoilt && coverage.some(({ grade }) => grade === "unprovable"))
        found.push(`${stream}: unprovable`);
    }
    if (found.length === 0) found.push(...(await this.#verify()));
    return found;
  }

  /** The product's own proof must agree. */
  async #verify(): Promise<string[]> {
    const { post } = this.#world.network("10.0.0.9");
    const clock = this.#clock;
    const random = seededRandom(1);
    const limiter = new RateLimiter(clock);
    const info = createInfoClient({
      apiUrl: this.#world.apiUrl,
      post,
      clock,
      random,
      limiter,
      log: silentLog,
    });
    const signal = new AbortController().signal;
    const store = openStore({
      ...this.#database,
      query: (sql, params) => clock.track(this.#database.query(sql, params)),
    });
    let lines: string[] | null = null;
    const proof = async () =>
      verify({
        account: this.#account,
        dexes: await listDexes(info, signal),
        store,
        info,
        clock,
        signal,
      });
    proof().then(
      async (certificate) => {
        const doubts = doubtsOf(certificate);
        if (doubts.length > 0) await store.doubt(this.#account, doubts);
        const isFault = ({ table }: { table: string }) => !ASKED_SELDOM.has(table);
        const faults = { ...certificate, counts: certificate.counts.filter(isFault) };
        const findings = certificate.findings.filter(isFault);
        lines = passed(faults) ? [] : findings.map((finding) => JSON.stringify(finding));
      },
      (error: unknown) => {
        lines = [`verify failed: ${error}`];
      },
    );
    await clock.runUntil(() => lines !== null, clock.now() + 60_000);
    return lines ?? ["verify did not end"];
  }
}

/**
 * Runs one seed in a database that other seeds may share: every seed has its own account. `isPlain`: without oddities, as
 * seeds were before there were any. Rejects on a violation.
 */
export const runSeed = (seed: number, database: Database, isPlain = false): Promise<SeedReport> => {
  const plan = drawPlan(seed);
  const oddities = isPlain ? NO_ODDITIES : drawOddities(seed, plan.durationMs);
  return new SeedRun(plan, oddities, database).run();
};
