/**
 * Many hours of ordinary work in virtual time, to see what stays behind: the real engine and the real SQL follow
 * accounts that trade, with a cut and a short outage every hour. The venue model lives in the same process and
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
/** What happened so long ago has arrived. */
const ARRIVED_MS = 5_000;
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

/** What is to be endured. */
export interface Load {
  seed: number;
  hours: number;
  /** Of each account. */
  fillsPerSecond: number;
  accounts: number;
}

function build({ seed, fillsPerSecond, hours, accounts }: Load) {
  const clock = new VirtualClock(START_MS);
  const users = Array.from(
    { length: accounts },
    (_, n) => `0x${(0xe0000000 + seed + n * 0x10000).toString(16).padStart(40, "0")}`,
  );
  const venue = createVenue({
    seed,
    startMs: START_MS,
    traders: { coins: ["BTC", "ETH", "SOL"] },
    activeAccounts: users.map((user) => ({ user, fillsPerSecond })),
  });
  const faults = Array.from({ length: hours }, (_, hour) => {
    const fromMs = START_MS + hour * HOUR_MS + HOUR_MS / 2;
    return [
      { fault: "cut" as const, fromMs, untilMs: fromMs + OUTAGE_MS },
      { fault: "refuse" as const, fromMs, untilMs: fromMs + OUTAGE_MS },
    ];
  }).flat();
  const world = createWorld({ venue, clock, seed, blockMs: 500, faults });
  return { clock, users, venue, world };
}

/** Follows for so many hours. */
export async function endure(load: Load, database: Database): Promise<Endured> {
  const { seed, hours } = load;
  const { clock, users, venue, world } = build(load);
  let commits = 0;
  const followed = new SimulatedProcess({
    world,
    clock,
    database,
    startMs: START_MS,
    account: users[0]!,
    others: users.slice(1),
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
  // What happens while it stops may be read by who comes next.
  const endMs = clock.now() - ARRIVED_MS;
  let stopped = false;
  const stopping = followed.stop().then(() => {
    stopped = true;
  });
  await clock.runUntil(() => stopped, clock.now() + 60_000);
  await stopping;
  world.stop();
  let [fills, stored] = [0, 0];
  for (const user of users) {
    const { fills: told, twapSliceFills } = venue.truth(user);
    const times = [...told, ...twapSliceFills.map((slice) => slice.fill)].map(({ time }) => Number(time));
    fills += times.filter((time) => time <= endMs).length;
    stored += (await openStore(database).fills(user, 0, endMs)).length;
  }
  return {
    hours: seen,
    fills,
    stored,
    commits,
    left: { timers: followed.timers, sockets: followed.sockets },
  };
}

/** The heap at the end of each hour when nobody but a mere listener is there. */
export async function listenOnly(load: Load): Promise<number[]> {
  const { clock, users, world } = build(load);
  for (const user of users) listen(world, clock, user);
  const heaps: number[] = [];
  for (let hour = 1; hour <= load.hours; hour++) {
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
