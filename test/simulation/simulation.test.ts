import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { systemClock } from "../../src/runtime/clock.ts";
import { silentLog } from "../../src/runtime/log.ts";
import type { Database } from "../../src/store/database.ts";
import { openEmbedded } from "../../src/store/embedded.ts";
import { migrate } from "../../src/store/migrate.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { runSeed } from "./runSeed.ts";
import { KEPT_SEEDS } from "./seeds.ts";

/** Always the same, so that a red run means a change; fresh ones come from `npm run simulate-seeds`. */
const SEEDS = Array.from({ length: 24 }, (_, i) => 1_000 + i);

describe("the engine in a world that fails", { timeout: 900_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "hlsync-simulation-"));
  let database: Database;
  let release: () => Promise<void>;

  before(async () => {
    const server = await openEmbedded(folder, { clock: systemClock, log: silentLog });
    release = () => server.release();
    database = openPostgres(server.url);
    await migrate(database);
    await database.query("alter role current_user set synchronous_commit = off");
  });
  after(async () => {
    await database.close();
    await release();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const seed of SEEDS) {
    it(`loses nothing and invents nothing under seed ${seed}`, async (t) => {
      const { fills, commits, faults, kills, convergedMs } = await runSeed(seed, database);
      t.diagnostic(
        `${fills} fills, ${commits} commits, ${faults} faults, ${kills} kills, equal after ${convergedMs} ms`,
      );
    });
  }
  for (const { seed, bug } of KEPT_SEEDS) {
    it(`seed ${seed} no longer fails: ${bug}`, async () => {
      await runSeed(seed, database);
    });
  }
});
