/** Scenarios of reliability that end soon, with real processes, sockets and PostgreSQL; `npm run reliability` has all. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CASES } from "./reliabilityCases.ts";
import { Cluster } from "./reliabilityRig.ts";

/** They wait most of the time: for an outage to end, for a heal. */
const AT_ONCE = 2;

const quick = CASES.filter(({ isLong }) => !isLong);
const troubles = quick.filter(({ troublesServer }) => troublesServer);
const others = quick.filter(({ troublesServer }) => !troublesServer);

for (const [what, cases, concurrency] of [
  ["nothing is lost and nothing doubled", others, AT_ONCE],
  ["nothing is lost and nothing doubled when the database is away", troubles, 1],
] as const)
  describe(what, { concurrency }, () => {
    let cluster: Cluster;
    before(async () => {
      cluster = await Cluster.start();
    });
    after(() => cluster?.close());

    for (const { name, run } of cases)
      it(`by: ${name}`, async (t) => {
        const { fills, figures, failures } = await run(cluster);
        t.diagnostic(`${fills ? `${fills.happened} fills; ` : ""}${figures}`);
        assert.deepEqual(failures, []);
      });
  });
