/**
 * What is done to real processes, and what is measured. Each scenario brings its own venue and database, puts the load
 * on, does its damage, stops the venue's time, and holds every table against what really happened. The tests assert
 * bounds on the results; the script prints them.
 */

import { HORIZON } from "../../src/protocol/limits.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import { ACCOUNT_DEFAULTS } from "../../src/sync/account/account.ts";
import { PATIENCE_MS, untilDespiteErrors } from "../support/until.ts";
import { accountNumber, type Cluster, type Difference, type Program, Rig } from "./reliabilityRig.ts";

export const FILLS_PER_SECOND = 50;
const ACCOUNT = accountNumber(1);

async function withRig<T>(
  cluster: Cluster,
  accounts: readonly string[],
  fillsPerSecond: number,
  work: (rig: Rig) => Promise<T>,
  weightPerMinute?: number,
): Promise<T> {
  const rig = await Rig.start(cluster, accounts, fillsPerSecond, weightPerMinute);
  try {
    return await work(rig);
  } finally {
    await rig.close();
  }
}

/** The same under full load on one account. */
const underLoad = <T>(cluster: Cluster, work: (rig: Rig) => Promise<T>, weight?: number): Promise<T> =>
  withRig(cluster, [ACCOUNT], FILLS_PER_SECOND, work, weight);

/** For scenarios that start processes faster than any account could pay for at 1200 a minute. */
const AMPLE_WEIGHT = 1_000_000;

const passes = (ms: number): Promise<unknown> => {
  const endMs = performance.now() + ms;
  return untilDespiteErrors(`${ms} ms to pass`, ms + PATIENCE_MS, () => performance.now() >= endMs);
};

/** Waits until every account is streamed and everything so far is stored. */
async function live(rig: Rig, timeoutMs = 30_000): Promise<void> {
  for (const account of rig.venue.accounts)
    await untilDespiteErrors(
      `${account} to be streamed`,
      timeoutMs,
      async () => (await rig.venue.followers(account)) > 0,
    );
  await rig.complete(timeoutMs);
}

/** A figure that the process tells Prometheus, summed over its series; `labels` as written there, to choose among them. */
async function metric(program: Program, name: string, labels = ""): Promise<number> {
  await untilDespiteErrors("the process to listen", PATIENCE_MS, () => program.logged("listening"));
  const text = await (await fetch(`${program.logged("listening")!.url}/metrics`)).text();
  const lines = text
    .split("\n")
    .filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

/** Longer than anything that a start still wants a little later. */
const QUIET_MS = 5_000;

/** Waits until nothing was asked of the venue for a while. The weight spent so far. */
async function steady(rig: Rig): Promise<number> {
  let [spent, sinceMs] = [-1, 0];
  await untilDespiteErrors("the process to want nothing of the venue", 300_000, async () => {
    const { total } = await rig.venue.weight();
    if (total !== spent) [spent, sinceMs] = [total, performance.now()];
    return performance.now() - sinceMs >= QUIET_MS;
  });
  return spent;
}

/** Waits until the whole history of every account is proven. */
const proven = (rig: Rig): Promise<unknown> =>
  untilDespiteErrors("a proven history of every account", 600_000, async () => (await rig.oldGaps()) === 0);

/**
 * What the metrics of the only process say, against the database, which equals the truth by now: each figure that
 * does not agree.
 */
async function metricsAgainstTruth(rig: Rig, program: Program): Promise<string[]> {
  let wrong: string[] = [];
  // What is still to be confirmed may have to wait for a minute's budget.
  await untilDespiteErrors("the metrics to agree", PATIENCE_MS, async () => {
    const [stored] = await rig.database.query<{ fills: number; found: number; repaired: number }>(
      `select (select count(*)::int from hl_fills) as fills, count(*)::int as found,
         count(repaired_at_ms)::int as repaired from hl_internal.drift`,
    );
    const expected: [string, string, number][] = [
      ["hlsync_events_total", 'type="fill.created"', stored!.fills],
      ["hlsync_drift_found_total", "", stored!.found],
      ["hlsync_drift_repaired_total", "", stored!.repaired],
      ["hlsync_gaps_open", "", 0],
      ["hlsync_inbox_dropped_total", "", 0],
      ["hlsync_rest_throttled_total", "", 0],
    ];
    wrong = [];
    for (const [name, labels, truth] of expected) {
      const told = await metric(program, name, labels);
      if (told !== truth) wrong.push(`${name}: ${told}, is ${truth}`);
    }
    return wrong.length === 0;
  }).catch(() => {});
  return wrong;
}

// ---- the network ----

export interface Outage extends Difference {
  outageMs: number;
  /** Fills that happened while nothing was connected. */
  missedLive: number;
  /** From the end of the outage to a connection with subscriptions. */
  reconnectedMs: number;
  /** From there until everything that happened before is stored. */
  completeMs: number;
  /** From there until `hl_gaps` names no gap in the outage any more. */
  provenMs: number;
  /** `hl_gaps` named the gap while it was open. */
  gapWasNamed: boolean;
  /** Metrics that do not agree with what happened. */
  metrics: string[];
}

/** The venue, or its stream alone, is cut off for so long, at full load. */
export const outage = (
  cluster: Cluster,
  outageMs: number,
  what: "everything" | "stream" = "everything",
): Promise<Outage> =>
  underLoad(cluster, async (rig) => {
    const program = rig.run();
    await live(rig);
    const fromMs = (await rig.venue.state()).venueTimeMs;
    await rig.venue.outage(outageMs, what);
    await passes(outageMs);
    const endedMs = performance.now();
    const gapWasNamed = (await rig.gaps(ACCOUNT, fromMs, fromMs + outageMs)) > 0;
    await untilDespiteErrors("a connection", PATIENCE_MS, async () => (await rig.venue.followers()) > 0);
    const reconnectedMs = performance.now() - endedMs;
    const { fills } = await rig.venue.truth();
    const { tookMs: completeMs } = await rig.holds(ACCOUNT, fills, PATIENCE_MS);
    const { tookMs } = await untilDespiteErrors("the gap to be proven closed", PATIENCE_MS, async () => {
      return (await rig.gaps(ACCOUNT, fromMs, fromMs + outageMs)) === 0;
    });
    const missedLive = fills.filter(
      ({ time }) => Number(time) >= fromMs && Number(time) < fromMs + outageMs,
    ).length;
    // Orders that the venue no longer lists are asked for one by one, which may take several minutes' budget.
    const difference = await rig.settle(2 * PATIENCE_MS);
    const metrics = await metricsAgainstTruth(rig, program);
    return {
      metrics,
      outageMs,
      missedLive,
      reconnectedMs,
      completeMs,
      provenMs: completeMs + tookMs,
      gapWasNamed,
      ...difference,
    };
  });

export interface Horizon {
  /** Fills that happened, that the venue surely still served when it was back, and that are stored. */
  happened: number;
  served: number;
  stored: number;
  /** Stored fills that never happened. */
  extra: number;
  /** Fills that are not stored and whose time `hl_gaps` does not call unprovable: silent losses. */
  silent: number;
  /** From a connection until all that the venue serves is stored and the rest is named. */
  completeMs: number;
}

/** Everything is cut off for so long that the venue has forgotten fills when it is back. */
export const beyondHorizon = (cluster: Cluster, outageMs: number): Promise<Horizon> =>
  underLoad(cluster, async (rig) => {
    rig.run();
    await live(rig);
    await rig.venue.outage(outageMs);
    await passes(outageMs);
    await untilDespiteErrors("a connection", PATIENCE_MS, async () => (await rig.venue.followers()) > 0);
    const connectedMs = performance.now();
    const { fills } = await rig.venue.truth();
    // Those that it goes on serving while they are read and new ones come.
    const served = fills.slice(-(HORIZON.fills - 20 * FILLS_PER_SECOND));
    await rig.holds(ACCOUNT, served, PATIENCE_MS);
    const { tookMs } = await untilDespiteErrors("what is lost to be named", PATIENCE_MS, async () => {
      return (await rig.silentLosses(ACCOUNT, fills)) === 0;
    }).catch(() => ({ tookMs: Number.NaN }));
    const completeMs = performance.now() - connectedMs;
    const silent = Number.isNaN(tookMs) ? await rig.silentLosses(ACCOUNT, fills) : 0;
    await rig.venue.freeze();
    const { happened, missing, extra } = await rig.difference();
    return { happened, served: served.length, stored: happened - missing, extra, silent, completeMs };
  });

export interface HalfOpen extends Difference {
  noticedMs: number;
  /** From the failure until everything that happened before it was noticed is stored. */
  completeMs: number;
}

/** The socket stays open, and nothing comes any more. */
export const halfOpen = (cluster: Cluster): Promise<HalfOpen> =>
  underLoad(cluster, async (rig) => {
    const program = rig.run();
    await live(rig);
    const atMs = systemClock.now();
    await rig.venue.control("connections", { do: "halfOpen" });
    const { value } = await untilDespiteErrors("the silence to be noticed", PATIENCE_MS, () =>
      program.logged("stream lost, reconnecting", atMs),
    );
    await rig.complete(PATIENCE_MS);
    const completeMs = systemClock.now() - atMs;
    return { noticedMs: value.atMs - atMs, completeMs, ...(await rig.settle(PATIENCE_MS)) };
  });

export interface DroppedFrames extends Difference {
  channels: readonly string[];
  /** From the loss until the tables equal the truth. */
  healedMs: number;
  weight: number;
  /** Metrics that do not agree with what happened. */
  metrics: string[];
}

/** One frame of each channel is lost on a healthy socket; then the account stands still, so that nothing else tells. */
export const droppedFrames = (cluster: Cluster, channels: readonly string[]): Promise<DroppedFrames> =>
  withRig(cluster, [ACCOUNT], 0.5, async (rig) => {
    const program = rig.run();
    await live(rig);
    const before = await steady(rig);
    const rules = channels.map((channel) => ({ fault: "drop", channel, user: ACCOUNT, times: 1 }));
    await rig.venue.control("faults", rules);
    await untilDespiteErrors("the frames to be lost", PATIENCE_MS, async () => {
      const { faults } = await rig.venue.state();
      return faults.counts.drop === channels.length;
    });
    const lostMs = performance.now();
    const difference = await rig.settle(PATIENCE_MS);
    const healedMs = performance.now() - lostMs;
    const weight = (await rig.venue.weight()).total - before;
    const metrics = await metricsAgainstTruth(rig, program);
    return { channels, healedMs, weight, metrics, ...difference };
  });

export interface Crowd extends Difference {
  accounts: number;
  outageMs: number;
  reconnectedMs: number;
  /** From the end of the outage until the fills of all accounts are complete. */
  fillsCompleteMs: number;
  /** From there until every table of every account equals the truth. */
  allEqualMs: number;
  weightPeak: number;
  refused: number;
}

/** Many accounts lose the venue together, and come back together. */
export const crowd = (cluster: Cluster, accounts: number, outageMs: number): Promise<Crowd> =>
  withRig(
    cluster,
    Array.from({ length: accounts }, (_, i) => accountNumber(i + 1)),
    FILLS_PER_SECOND / accounts,
    async (rig) => {
      rig.run();
      await live(rig, 300_000);
      await proven(rig);
      await rig.venue.outage(outageMs);
      await passes(outageMs);
      const endedMs = performance.now();
      await untilDespiteErrors("all connections", PATIENCE_MS, async () => {
        return (
          (await rig.venue.state()).connections.filter(({ subscriptions }) => subscriptions.length > 0)
            .length >= accounts
        );
      });
      const reconnectedMs = performance.now() - endedMs;
      await rig.complete(300_000);
      const fillsCompleteMs = performance.now() - endedMs;
      const difference = await rig.settle(300_000);
      const allEqualMs = performance.now() - endedMs - fillsCompleteMs;
      const { peak, refused } = await rig.venue.weight();
      return {
        accounts,
        outageMs,
        reconnectedMs,
        fillsCompleteMs,
        allEqualMs,
        weightPeak: peak,
        refused,
        ...difference,
      };
    },
  );

// ---- the process ----

const isActive = (program: Program): boolean => program.logged("active") !== undefined;

/** Everything is up, and another process is active. */
async function standsBy(program: Program): Promise<void> {
  await untilDespiteErrors(
    "the standby to wait",
    PATIENCE_MS,
    () => program.logged("standing by") && program.logged("listening"),
  );
}

export interface Kills extends Difference {
  kills: number;
  /** From each kill until another process is active: sorted. */
  takeoverMs: number[];
  verifyExit: number | null;
}

/** Two processes; whichever is active is killed at a random moment, and replaced by a new standby. */
export const kills = (cluster: Cluster, count: number, seed: number): Promise<Kills> =>
  underLoad(
    cluster,
    async (rig) => {
      const random = seededRandom(`kills ${seed}`);
      const run = () => rig.run("--weight", String(AMPLE_WEIGHT));
      let active = run();
      await live(rig);
      let standby = run();
      const takeoverMs: number[] = [];
      for (let i = 0; i < count; i++) {
        await standsBy(standby);
        // Also while it catches up, and before it has begun.
        await passes(random.next() * 3_000);
        const killedMs = performance.now();
        await active.kill("SIGKILL");
        // The one that starts now may be the one that takes over.
        const [waiting, fresh] = [standby, run()];
        await untilDespiteErrors("a takeover", PATIENCE_MS, () => isActive(waiting) || isActive(fresh));
        takeoverMs.push(performance.now() - killedMs);
        [active, standby] = isActive(waiting) ? [waiting, fresh] : [fresh, waiting];
      }
      // Orders that ended unseen and are no longer listed are asked for one by one: thousands by now.
      const difference = await rig.settle(2 * PATIENCE_MS);
      const { code } = await rig.verify();
      return { kills: count, takeoverMs: takeoverMs.sort((a, b) => a - b), verifyExit: code, ...difference };
    },
    AMPLE_WEIGHT,
  );

export interface Standbys extends Difference {
  /** Weight that the standby has spent at the venue. */
  standbyWeight: number;
  /** Connections to the venue with both running. */
  connections: number;
  /** From SIGTERM to the active one until the standby is active. */
  afterStopMs: number;
  /** From SIGKILL of the active one until the standby is active, and until it has written. */
  afterKillMs: number;
  writtenAfterKillMs: number;
  /** What `status` says while the first is active. */
  statusNamesHolder: boolean;
}

/** Two instances, one active: a clean stop, then a kill. */
export const standbys = (cluster: Cluster): Promise<Standbys> =>
  underLoad(cluster, (rig) => stopThenKill(rig), AMPLE_WEIGHT);

async function stopThenKill(rig: Rig): Promise<Standbys> {
  const run = () => rig.run("--weight", String(AMPLE_WEIGHT));
  const first = run();
  await live(rig);
  const second = run();
  await standsBy(second);
  await passes(3_000);
  const standbyWeight = await metric(second, "hlsync_rest_weight_used");
  const connections = await rig.venue.followers();
  const { output } = await rig.command("status");
  const statusNamesHolder = output.includes(`:${first.pid}:`);

  const stoppedMs = performance.now();
  const stopped = first.kill("SIGTERM");
  await untilDespiteErrors("the standby to take over", PATIENCE_MS, () => isActive(second));
  const afterStopMs = performance.now() - stoppedMs;
  await stopped;

  const third = run();
  await standsBy(third);
  await live(rig);
  const killedMs = performance.now();
  await second.kill("SIGKILL");
  const newest = (await rig.venue.state()).venueTimeMs;
  await untilDespiteErrors("the standby to take over", PATIENCE_MS, () => isActive(third));
  const afterKillMs = performance.now() - killedMs;
  await untilDespiteErrors("the standby to write", PATIENCE_MS, async () => {
    return (await rig.storedFills(ACCOUNT, newest, Number.MAX_SAFE_INTEGER)) > 0;
  });
  const writtenAfterKillMs = performance.now() - killedMs;
  const difference = await rig.settle(PATIENCE_MS);
  return {
    standbyWeight,
    connections,
    afterStopMs,
    afterKillMs,
    writtenAfterKillMs,
    statusNamesHolder,
    ...difference,
  };
}

// ---- the database ----

export interface DatabaseTrouble extends Difference {
  trouble: string;
  downMs: number;
  /** From the end of the trouble until everything that happened before it is stored. */
  completeMs: number;
  /** The last words of a process that ended; null when none did. */
  ended: string | null;
  /** With a standby beside it: how many follow afterwards, and whether it is still the same one. */
  following: number;
  sameHolder: boolean;
}

/** What goes wrong with the database, and how it is put right. `cluster` is the scenario's own. */
const TROUBLES = {
  /** An ordinary stop and start. */
  stopped: {
    begin: (cluster: Cluster) => cluster.stop("fast"),
    end: (cluster: Cluster) => cluster.start(),
  },
  /** A crash in the middle of whatever was under way, and recovery. */
  crashed: {
    begin: (cluster: Cluster) => cluster.stop("immediate"),
    end: (cluster: Cluster) => cluster.start(),
  },
  "read-only": {
    begin: async (cluster: Cluster, name: string) => {
      await cluster.admin.query(`alter database ${name} set default_transaction_read_only = on`);
      await cluster.disconnectAll(name);
    },
    end: async (cluster: Cluster, name: string) => {
      await cluster.admin.query(`alter database ${name} reset default_transaction_read_only`);
      await cluster.disconnectAll(name);
    },
  },
  "out of connections": {
    begin: async (cluster: Cluster, name: string) => {
      await cluster.admin.query(`alter role ${name} connection limit 0`);
      await cluster.disconnectAll(name);
    },
    end: async (cluster: Cluster, name: string) => {
      await cluster.admin.query(`alter role ${name} connection limit -1`);
    },
  },
} as const;
export type Trouble = keyof typeof TROUBLES;
export const TROUBLE_NAMES = Object.keys(TROUBLES) as Trouble[];

export const databaseTrouble = (
  cluster: Cluster,
  trouble: Trouble,
  downMs: number,
  times = 1,
): Promise<DatabaseTrouble> =>
  underLoad(cluster, async (rig) => {
    const active = rig.run();
    await live(rig);
    const standby = rig.run();
    await standsBy(standby);
    for (let i = 0; i < times; i++) {
      await TROUBLES[trouble].begin(cluster, rig.databaseName);
      await passes(downMs);
      await TROUBLES[trouble].end(cluster, rig.databaseName);
    }
    const { fills } = await rig.venue.truth();
    const { tookMs: completeMs } = await rig.holds(ACCOUNT, fills, PATIENCE_MS);
    // Long enough for a lease that ran out to be taken.
    await passes(7_000);
    const following = await rig.venue.followers();
    const sameHolder = !isActive(standby);
    const difference = await rig.settle(PATIENCE_MS);
    const dead = [active, standby].find((program) => !program.isAlive);
    const ended = dead ? JSON.stringify(dead.log.slice(-3)) : null;
    return { trouble, downMs, completeMs, ended, following, sameHolder, ...difference };
  });

// ---- hands ----

export interface Tampering {
  what: string;
  /** Exit code of `verify` before, whether it named the row, of `sync --once`, and of `verify` afterwards. */
  found: number | null;
  named: boolean;
  synced: number | null;
  verified: number | null;
  /** Rows that differ from the truth in the end. */
  differences: number;
}

/** Order transitions that the venue lists: its newest. */
const VENUE_LISTS_ORDERS = 2_000;

/** One change by hand, and the text by which `verify` must name the row. `id` is the order of a settled fill. */
const TAMPERINGS: readonly {
  what: string;
  sql: string;
  names: (id: number) => string;
  /** Done to the oldest order, which the venue no longer lists, instead of a young one. */
  isOld?: boolean;
}[] = [
  { what: "a fill deleted", sql: "delete from hl_fills where order_id = $1", names: (id) => `${id}` },
  {
    what: "a price raised",
    sql: "update hl_fills set price = price * 9 where order_id = $1",
    names: (id) => `${id}`,
  },
  {
    what: "a price lowered",
    sql: "update hl_fills set price = price / 9 where order_id = $1",
    names: (id) => `${id}`,
  },
  {
    what: "a fill's raw object and fee replaced by a longer one",
    sql: `update hl_fills set fee = 999, raw_fill = jsonb_build_object('px', repeat('9', 1000)) where order_id = $1`,
    names: (id) => `${id}`,
  },
  {
    what: "a transaction hash replaced by a greater one",
    sql: "update hl_fills set hash = 'zzz' where order_id = $1",
    names: (id) => `${id}`,
  },
  {
    what: "an order reopened",
    sql: "update hl_orders set status = 'open', venue_status = 'open' where order_id = $1",
    names: (id) => `hl_orders","row":"${id}`,
  },
  {
    what: "an order reopened that the venue no longer lists",
    sql: "update hl_orders set status = 'open', venue_status = 'open' where order_id = $1",
    names: (id) => `hl_orders","row":"${id}`,
    isOld: true,
  },
  {
    what: "an order deleted",
    sql: "delete from hl_orders where order_id = $1",
    names: (id) => `hl_orders","row":"${id}`,
  },
  {
    what: "an order's transitions deleted, and the order",
    sql: `with gone as (delete from hl_order_events where order_id = $1 returning order_id)
          delete from hl_orders where order_id in (select order_id from gone)`,
    names: (id) => `hl_orders","row":"${id}`,
  },
  {
    what: "a deposit changed",
    sql: "update hl_ledger set usdc = usdc + 1 where $1::bigint > 0",
    names: () => "hl_ledger",
  },
  { what: "a deposit deleted", sql: "delete from hl_ledger where $1::bigint > 0", names: () => "hl_ledger" },
];

/** Rows are deleted and changed by hand: found, named, repaired, verified. Nothing runs meanwhile. */
export const tampering = (cluster: Cluster): Promise<Tampering[]> =>
  underLoad(
    cluster,
    async (rig) => {
      const program = rig.run();
      await live(rig);
      // Until there are orders that the venue no longer lists, and others that are settled by its own measure.
      await untilDespiteErrors(
        "many orders",
        PATIENCE_MS,
        async () => (await rig.orderEvents()) > 2 * VENUE_LISTS_ORDERS,
      );
      await rig.settle(PATIENCE_MS);
      await program.kill("SIGTERM");
      const results: Tampering[] = [];
      for (const { what, sql, names, isOld } of TAMPERINGS) {
        const orderId = await settledOrder(rig, isOld ? "asc" : "desc");
        await rig.database.query(sql, [orderId]);
        const found = await rig.verify();
        const synced = await rig.syncOnce();
        const verified = await rig.verify();
        const { missing, extra, other } = await rig.difference();
        results.push({
          what,
          found: found.code,
          named: found.output.includes(names(orderId)),
          synced: synced.code,
          verified: verified.code,
          differences: missing + extra + other.length,
        });
      }
      return results;
    },
    AMPLE_WEIGHT,
  );

export interface LiveRepair extends Difference {
  found: number | null;
  verified: number | null;
}

/** A fill and an order are deleted by hand under a running process, which reconciles every few seconds. */
export const liveRepair = (cluster: Cluster): Promise<LiveRepair> =>
  underLoad(
    cluster,
    async (rig) => {
      rig.run("--interval", "5", "--weight", String(AMPLE_WEIGHT));
      await live(rig);
      // Older than what every reconcile reads again.
      await passes(ACCOUNT_DEFAULTS.overlapMs + 15_000);
      const orderId = await settledOrder(rig, "asc");
      await rig.database.query("delete from hl_fills where order_id = $1", [orderId]);
      await rig.database.query("delete from hl_orders where order_id = $1", [orderId]);
      const { code: found } = await rig.verify();
      const difference = await rig.settle(PATIENCE_MS);
      // The rows come back before the claim over their time does.
      let verified: number | null = null;
      await untilDespiteErrors("verify to pass", PATIENCE_MS, async () => {
        verified = (await rig.verify()).code;
        return verified === 0;
      }).catch(() => {});
      return { found, verified, ...difference };
    },
    AMPLE_WEIGHT,
  );

/** An order that filled in one piece, long enough ago to be held against the venue. */
async function settledOrder(rig: Rig, order: "asc" | "desc"): Promise<number> {
  const [row] = await rig.database.query<{ id: number }>(
    `select o.order_id as id from hl_orders o join hl_fills f using (account_address, order_id)
     where o.status = 'filled' and f.fill_time_ms < (select max(fill_time_ms) - 6000 from hl_fills)
     group by 1 having count(*) = 1 order by max(f.fill_time_ms) ${order} limit 1`,
  );
  return row!.id;
}

export interface Replay {
  listed: boolean;
  applied: number;
  left: number;
  /** The fill is back, and quarantine is empty of it. */
  restored: boolean;
}

/** A version that could not read a fill put it into quarantine; the next one can. Beside it, something nobody can. */
export const quarantineReplay = (cluster: Cluster): Promise<Replay> =>
  underLoad(cluster, async (rig) => {
    const program = rig.run();
    await live(rig);
    await rig.settle(PATIENCE_MS);
    await program.kill("SIGTERM");
    await rig.database.query(
      `with victim as (
         delete from hl_fills f where f.ctid = (select ctid from hl_fills order by fill_time_ms limit 1)
         returning f.account_address, hl_raw_fill(f) as raw)
       insert into hl_internal.quarantine (
         digest, account_address, subject, reason, raw, count, first_seen_at, last_seen_at)
       select 'a', account_address, 'userFills', 'crossed: unknown key', raw::text, 1, now(), now() from victim
       union all select 'b', account_address, 'frame', 'not JSON', '{', 1, now(), now() from victim`,
    );
    const listed = await rig.command("quarantine", "list");
    const replayed = await rig.command("quarantine", "replay");
    const { applied, left } = JSON.parse(replayed.output.split("\n")[0]!) as {
      applied: number;
      left: number;
    };
    const rest = await rig.database.query<{ digest: string }>("select digest from hl_quarantine");
    const { missing, extra, other } = await rig.difference();
    return {
      listed: listed.output.includes("crossed: unknown key"),
      applied,
      left,
      restored: missing + extra + other.length === 0 && rest.length === 1 && rest[0]!.digest === "b",
    };
  });
