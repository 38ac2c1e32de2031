/**
 * Many hours of ordinary work in virtual time, to see what stays behind: the real engine and the real SQL follow an
 * account that trades, with a cut and a short outage every hour. The venue model lives in the same process and
 * remembers all that happened, so the same hours are run once more with a client that only listens; what hlsync holds
 * is the difference.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createVenue } from "../../src/simulator/exchange/venue.ts";
import { createWorld, VirtualClock, type World } from "../../src/simulator/virtualWorld.ts";
import type { Database } from "../../src/store/database.ts";
import { openStore } from "../../src/store/store.ts";
import { accountSubscriptions } from "../../src/sync/lane/subscriptions.ts";
import type { Plan } from "./plan.ts";
import { SimulatedProcess } from "./process.ts";

const HOUR_MS = 3_600_000;
const START_MS = 1_790_359_200_000;
const OUTAGE_MS = 5_000;
const DEXES = ["", "xyz"];

export interface Hour {
  hour: number;
  /** Of this process, after a full collection. */
  heapBytes: number;
  /** Timers that the followed process has set and that have neither fired nor been cancelled. */
  timers: number;
  sockets: number;
}

export interface Endured {
  hours: Hour[];
  fills: number;
  stored: number;
  commits: number;
  /** After an orderly stop. */
  left: { timers: number; sockets: number };
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

async function heapBytes(): Promise<number> {
  // What finalizers and settled promises still hold goes with the second one.
  collect();
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  return process.memoryUsage().heapUsed;
}

function account(seed: number): string {
  return `0x${(0xe0000000 + seed).toString(16).padStart(40, "0")}`;
}

function build(seed: number, fillsPerSecond: number, hours: number) {
  const clock = new VirtualClock(START_MS);
  const user = account(seed);
  const venue = createVenue({
    seed,
    startMs: START_MS,
    traders: { coins: ["BTC", "ETH", "SOL"] },
    activeAccounts: [{ user, fillsPerSecond }],
  });
  const faults = Array.from({ length: hours }, (_, hour) => {
    const fromMs = START_MS + hour * HOUR_MS + HOUR_MS / 2;
    return [
      { fault: "cut" as const, fromMs, untilMs: fromMs + OUTAGE_MS },
      { fault: "refuse" as const, fromMs, untilMs: fromMs + OUTAGE_MS },
    ];
  }).flat();
  const world = createWorld({ venue, clock, seed, blockMs: 500, faults });
  return { clock, user, venue, world };
}

/** Follows for so many hours. */
export async function endure(
  seed: number,
  hours: number,
  fillsPerSecond: number,
  database: Database,
): Promise<Endured> {
  const { clock, user, venue, world } = build(seed, fillsPerSecond, hours);
  let commits = 0;
  const followed = new SimulatedProcess({
    world,
    clock,
    database,
    startMs: START_MS,
    account: user,
    name: "endurance",
    plan: { seed } as Plan,
    faulty: () => false,
    afterCommit: async () => {
      commits += 1;
    },
    onExit: (error) => {
      throw error;
    },
  });
  followed.start();
  const seen: Hour[] = [];
  for (let hour = 1; hour <= hours; hour++) {
    await clock.advanceTo(START_MS + hour * HOUR_MS);
    const { timers, sockets } = followed;
    seen.push({ hour, heapBytes: await heapBytes(), timers, sockets });
  }
  let stopped = false;
  const stopping = followed.stop().then(() => {
    stopped = true;
  });
  await clock.runUntil(() => stopped, clock.now() + 60_000);
  await stopping;
  world.stop();
  const { fills, twapSliceFills } = venue.truth(user);
  const stored = await openStore(database).fills(user, 0, Number.MAX_SAFE_INTEGER);
  return {
    hours: seen,
    fills: fills.length + twapSliceFills.length,
    stored: stored.length,
    commits,
    left: { timers: followed.timers, sockets: followed.sockets },
  };
}

/** The heap at the end of each hour when nobody but a mere listener is there. */
export async function listenOnly(seed: number, hours: number, fillsPerSecond: number): Promise<number[]> {
  const { clock, user, world } = build(seed, fillsPerSecond, hours);
  listen(world, clock, user);
  const heaps: number[] = [];
  for (let hour = 1; hour <= hours; hour++) {
    await clock.advanceTo(START_MS + hour * HOUR_MS);
    heaps.push(await heapBytes());
  }
  world.stop();
  return heaps;
}

function listen(world: World, clock: VirtualClock, user: string): void {
  const { connect } = world.network();
  const socket = connect(world.wsUrl, {
    onOpen() {
      for (const subscription of accountSubscriptions(user, DEXES))
        socket.send(JSON.stringify({ method: "subscribe", subscription }));
      const ping = () => {
        socket.send(JSON.stringify({ method: "ping" }));
        clock.after(30_000, ping);
      };
      ping();
    },
    onMessage() {},
    onClose: () => void clock.after(OUTAGE_MS, () => listen(world, clock, user)),
    onError() {},
  });
}
