/**
 * The stream of a busy account stays away while REST answers: between two polls more orders come and go than the venue
 * lists. The real engine and the real SQL, in virtual time.
 */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { createVenue } from "../../src/simulator/exchange/venue.ts";
import { createWorld, VirtualClock } from "../../src/simulator/virtualWorld.ts";
import { openStore } from "../../src/store/store.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import type { Plan } from "./plan.ts";
import { SimulatedProcess } from "./process.ts";

const START_MS = 1_790_359_200_000;
/** The budget that the first start took is back by then. */
const AWAY = { fromMs: START_MS + 65_000, untilMs: START_MS + 105_000 };
const EQUAL_WITHIN_MS = 60_000;
const USER = `0x${"5".repeat(40)}`;

let server: TestServer;
let target: TestDatabase;

before(async () => {
  server = await startServer();
  target = await server.newDatabase();
});
after(async () => {
  await target.close();
  await server.stop();
});

it("holds no order open that ended while the stream was away", async (t) => {
  const clock = new VirtualClock(START_MS);
  const venue = createVenue({
    seed: 5,
    startMs: START_MS,
    traders: { coins: ["BTC", "ETH", "SOL"] },
  });
  const faults = [
    { fault: "cut" as const, fromMs: AWAY.fromMs, untilMs: AWAY.fromMs + 1_000 },
    { fault: "refuseSockets" as const, ...AWAY },
  ];
  const world = createWorld({ venue, clock, seed: 5, blockMs: 500, faults });
  const followed = new SimulatedProcess({
    world,
    clock,
    database: target.database,
    startMs: START_MS,
    account: USER,
    name: "away",
    plan: { seed: 5 } as Plan,
    intervalMs: 300_000,
    faulty: () => false,
    afterCommit: async () => {},
    onExit: (error) => {
      throw error;
    },
  });
  const store = openStore(target.database);
  const differing = async () => {
    const open = new Set(venue.truth(USER).openOrders.map(({ oid }) => Number(oid)));
    const held = (await store.orders(USER)).filter(({ status }) => /^(open|partially_filled)$/.test(status));
    return open.symmetricDifference(new Set(held.map(({ orderId }) => orderId))).size;
  };

  followed.start();
  await clock.advanceTo(AWAY.fromMs);
  venue.addActiveAccount({ user: USER, fillsPerSecond: 15, quietOrdersPerSecond: 100 });
  await clock.advanceTo(AWAY.untilMs);
  world.time.stop();
  const meanwhile = await differing();
  let equalMs = 0;
  for (let left = meanwhile; left > 0 && equalMs < EQUAL_WITHIN_MS; left = await differing()) {
    equalMs += 5_000;
    await clock.advanceTo(AWAY.untilMs + equalMs);
  }
  t.diagnostic(`${meanwhile} orders differ at the end of the outage, none ${equalMs} ms later`);
  assert.ok(meanwhile > 100, `only ${meanwhile} orders differ at the end`);
  assert.equal(await differing(), 0);
  followed.kill();
  world.stop();
});
