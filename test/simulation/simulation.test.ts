import { after, before, describe, it } from "node:test";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { runSeed } from "./runSeed.ts";
import { KEPT_SEEDS } from "./seeds.ts";

/** Always the same, so that a red run means a change; fresh ones come from `npm run simulate-seeds`. */
const SEEDS = Array.from({ length: 24 }, (_, i) => 1_000 + i);

describe("the engine in a world that fails", () => {
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

  for (const seed of SEEDS) {
    it(`loses nothing and invents nothing under seed ${seed}`, async (t) => {
      const { fills, commits, faults, kills, convergedMs } = await runSeed(seed, target.database);
      t.diagnostic(
        `${fills} fills, ${commits} commits, ${faults} faults, ${kills} kills, equal after ${convergedMs} ms`,
      );
    });
  }
  for (const { seed, bug, isPlain } of KEPT_SEEDS) {
    it(`seed ${seed} no longer fails: ${bug}`, async () => {
      await runSeed(seed, target.database, isPlain);
    });
  }
});
