/** Scenarios of reliability that end soon, with real processes, sockets and PostgreSQL; `npm run reliability` has all. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CASES } from "./reliabilityCases.ts";
import { Cluster } from "./reliabilityRig.ts";

describe("nothing is lost and nothing doubled", { timeout: 900_000 }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start();
  });
  after(() => cluster?.close());

  for (const { name, isLong, run } of CASES) {
    if (isLong) continue;
    it(`by: ${name}`, { timeout: 240_000 }, async (t) => {
      const { fills, figures, failures } = await run(cluster);
      t.diagnostic(`${fills ? `${fills.happened} fills; ` : ""}${figures}`);
      assert.deepEqual(failures, []);
    });
  }
});
