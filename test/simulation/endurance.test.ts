/** An hour of following, compressed: nothing stays behind. `npm run endurance` runs a day, and measures memory. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { startServer } from "../support/postgres.ts";
import { endure } from "./endurance.ts";

it("follows for a virtual hour with a cut in it and leaves no timer and no socket behind", async (t) => {
  const server = await startServer();
  try {
    const { database } = await server.newDatabase();
    const { hours, fills, stored, left } = await endure(
      { seed: 7, hours: 1, fillsPerSecond: 0.1, accounts: 1 },
      database,
    );
    t.diagnostic(`${fills} fills; open timers at each hour: ${hours.map(({ timers }) => timers).join(", ")}`);
    assert.ok(fills > 50);
    assert.equal(stored, fills);
    assert.deepEqual(left, { timers: 0, sockets: 0 });
    // The tick, the watchdog of the socket, and at most a request under way.
    for (const { timers, sockets } of hours) assert.ok(timers < 10 && sockets === 1, `${timers} timers`);
  } finally {
    await server.stop();
  }
});
