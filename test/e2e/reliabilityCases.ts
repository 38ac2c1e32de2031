/**
 * The scenarios as a table: what is done, what is shown of it, and what must hold. The test runs those that end soon,
 * the script all of them.
 */
import {
  lostFunding,
  lostLedgerRow,
  lostOrderUpdates,
  lostSpotFills,
  MOVE_NAMES,
} from "./reliabilityLosses.ts";
import type { Cluster, Difference } from "./reliabilityRig.ts";
import {
  beyondHorizon,
  crowd,
  databaseTrouble,
  droppedFrames,
  halfOpen,
  kills,
  liveRepair,
  outage,
  quarantineReplay,
  standbys,
  TROUBLE_NAMES,
  tampering,
} from "./reliabilityScenarios.ts";

/** The venue's budget of one address, weight a minute. */
const WEIGHT_PER_MINUTE = 1_200;
const NOTICED_WITHIN_MS = 15_000;
const HEALED_WITHIN_MS = 10_000;
const TAKEN_OVER_WITHIN_MS = 10_000;
const MONEY_FOUND_WITHIN_MS = 30_000;

/** What one run of a scenario showed. */
export interface Shown {
  /** Fills that happened, that are lost, and that are stored without having happened; null where fills are not the point. */
  fills: Pick<Difference, "happened" | "missing" | "extra"> | null;
  /** Figures in words. */
  figures: string;
  /** What does not hold; empty when all is well. */
  failures: string[];
}

export interface Case {
  name: string;
  /** Too long for every test run. */
  isLong: boolean;
  /** Stops or refuses with the whole server: no other case may use it meanwhile. */
  troublesServer?: true;
  run(cluster: Cluster): Promise<Shown>;
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(ms < 9_950 ? 2 : 0)} s`;

/** The checks that failed, of pairs of a claim and whether it holds. */
const broken = (...claims: [string, boolean][]): string[] =>
  claims.flatMap(([text, ok]) => (ok ? [] : [text]));

function compared(difference: Difference, figures: string, ...failures: string[]): Shown {
  const { happened, missing, extra, other, unlistedOrders } = difference;
  const unlisted =
    unlistedOrders > 0 ? `; ${unlistedOrders} orders no longer listed, their time unprovable` : "";
  return {
    fills: { happened, missing, extra },
    figures: figures + unlisted,
    failures: [
      ...broken(
        [`${missing} of ${happened} fills lost`, missing === 0],
        [`${extra} fills doubled or invented`, extra === 0],
        ["no fill happened", happened > 0],
      ),
      ...other.slice(0, 5),
      ...failures,
    ],
  };
}

const outageCase = (
  outageMs: number,
  isLong: boolean,
  what: "everything" | "stream" = "everything",
): Case => ({
  name: `outage of ${outageMs / 1_000} s${what === "stream" ? ", of the stream alone" : ""}`,
  isLong,
  async run(cluster) {
    const r = await outage(cluster, outageMs, what);
    return compared(
      r,
      `${r.missedLive} fills meanwhile; reconnected after ${seconds(r.reconnectedMs)}, complete ${seconds(r.completeMs)} later, proven ${seconds(r.provenMs)}`,
      ...r.metrics,
    );
  },
});

const droppedCase = (...channels: string[]): Case => ({
  name: `${channels.join(" and ")} frame dropped`,
  isLong: channels.length > 1,
  async run(cluster) {
    const r = await droppedFrames(cluster, channels);
    return compared(
      r,
      `healed after ${seconds(r.healedMs)} for a weight of ${r.weight}`,
      ...broken([`healed only after ${r.healedMs} ms`, r.healedMs <= HEALED_WITHIN_MS]),
      ...r.metrics,
    );
  },
});

const lostOrdersCase = (coin: string, isLong: boolean): Case => ({
  name: `all order updates dropped for 15 s, fills of ${coin} arriving`,
  isLong,
  async run(cluster) {
    const { orders, worstMs, lostFrames } = await lostOrderUpdates(cluster, coin);
    return {
      fills: null,
      figures: `${orders} orders filled; hl_orders said so after ${seconds(worstMs)} at most`,
      failures: broken(
        [`only ${orders} orders, ${lostFrames} frames lost`, orders >= 5 && lostFrames >= 5],
        [`filled only after ${seconds(worstMs)}`, worstMs <= HEALED_WITHIN_MS],
      ),
    };
  },
});

const lostMoneyCase = (
  name: string,
  isLong: boolean,
  run: (cluster: Cluster) => Promise<{ foundMs: number; lostFrames: number }>,
): Case => ({
  name: `${name} dropped`,
  isLong,
  async run(cluster) {
    const { foundMs, lostFrames } = await run(cluster);
    return {
      fills: null,
      figures: `found after ${seconds(foundMs)}`,
      failures: broken(
        ["no frame was lost", lostFrames > 0],
        [`found only after ${seconds(foundMs)}`, foundMs <= MONEY_FOUND_WITHIN_MS],
      ),
    };
  },
});

const killsCase = (count: number, isLong: boolean): Case => ({
  name: `kill -9 at ${count} random moments, a standby beside it`,
  isLong,
  async run(cluster) {
    const r = await kills(cluster, count, count);
    const worst = r.takeoverMs.at(-1)!;
    return compared(
      r,
      `taken over after ${seconds(r.takeoverMs[count >> 1]!)} (median), ${seconds(worst)} (worst); verify exits ${r.verifyExit}`,
      ...broken(
        [`taken over only after ${worst} ms`, worst <= TAKEN_OVER_WITHIN_MS],
        [`verify exits ${r.verifyExit}`, r.verifyExit === 0],
      ),
    );
  },
});

export const CASES: readonly Case[] = [
  outageCase(500, true),
  outageCase(3_000, false),
  outageCase(10_000, true),
  outageCase(45_000, true),
  outageCase(45_000, true, "stream"),
  outageCase(300_000, true, "stream"),
  {
    name: "outage of 300 s: more fills than the venue serves afterwards",
    isLong: true,
    async run(cluster) {
      const r = await beyondHorizon(cluster, 300_000);
      return {
        fills: { happened: r.happened, missing: r.happened - r.stored, extra: r.extra },
        figures: `the ${r.served} that the venue still served are stored after ${seconds(r.completeMs)}; the time of the others is named unprovable`,
        failures: broken(
          [`${r.silent} fills lost in silence`, r.silent === 0],
          [`${r.extra} fills doubled or invented`, r.extra === 0],
        ),
      };
    },
  },
  {
    name: "half-open socket",
    isLong: false,
    async run(cluster) {
      const r = await halfOpen(cluster);
      return compared(
        r,
        `noticed after ${seconds(r.noticedMs)}, complete after ${seconds(r.completeMs)}`,
        ...broken([`noticed only after ${r.noticedMs} ms`, r.noticedMs <= NOTICED_WITHIN_MS]),
      );
    },
  },
  droppedCase("userFills"),
  droppedCase("userFills", "user"),
  droppedCase("orderUpdates"),
  droppedCase("orderUpdates", "userHistoricalOrders"),
  lostOrdersCase("BTC", false),
  lostOrdersCase("xyz:AAPL", true),
  ...MOVE_NAMES.map((move, i) =>
    lostMoneyCase(`ledger row of ${move}`, i > 0, (cluster) => lostLedgerRow(cluster, move)),
  ),
  lostMoneyCase("fills of spot and all order updates for 3 s", false, (cluster) =>
    lostSpotFills(cluster, "disabled"),
  ),
  lostMoneyCase("fills of spot of a unified account and all order updates for 3 s", true, (cluster) =>
    lostSpotFills(cluster, "unifiedAccount"),
  ),
  lostMoneyCase("funding payment", true, (cluster) => lostFunding(cluster, "disabled", "BTC")),
  lostMoneyCase("funding payment of a unified account", true, (cluster) =>
    lostFunding(cluster, "unifiedAccount", "BTC"),
  ),
  lostMoneyCase("funding payment on a HIP-3 dex", true, (cluster) =>
    lostFunding(cluster, "disabled", "xyz:AAPL"),
  ),
  killsCase(3, false),
  killsCase(100, true),
  {
    name: "two instances, the active one stopped, then the next killed",
    isLong: false,
    async run(cluster) {
      const r = await standbys(cluster);
      return compared(
        r,
        `taken over ${seconds(r.afterStopMs)} after SIGTERM, ${seconds(r.afterKillMs)} after kill -9; first row written ${seconds(r.writtenAfterKillMs)} after it`,
        ...broken(
          [`the standby spent ${r.standbyWeight} weight`, r.standbyWeight === 0],
          [`${r.connections} connections`, r.connections === 1],
          ["status does not name the active one", r.statusNamesHolder],
          [`taken over only after ${r.afterKillMs} ms`, r.afterKillMs <= TAKEN_OVER_WITHIN_MS],
        ),
      );
    },
  },
  ...TROUBLE_NAMES.map(
    (trouble): Case => ({
      name: `database ${trouble} for 5 s`,
      isLong: trouble !== "crashed",
      troublesServer: true,
      run: (cluster) => databaseCase(cluster, trouble, 5_000),
    }),
  ),
  {
    name: "database stopped for 60 s",
    isLong: true,
    troublesServer: true,
    run: (cluster) => databaseCase(cluster, "stopped", 60_000),
  },
  {
    name: "rows deleted and changed by hand",
    isLong: false,
    async run(cluster) {
      const results = await tampering(cluster);
      const failures = results.flatMap(({ what, found, named, synced, verified, differences }) =>
        broken(
          [`${what}: verify exits ${found}`, found === 4],
          [`${what}: not named`, named],
          [`${what}: sync --once exits ${synced}`, synced === 0],
          [`${what}: verify then exits ${verified}`, verified === 0],
          [`${what}: ${differences} rows still differ`, differences === 0],
        ),
      );
      const figures = `${results.length} kinds: verify 4 and named, sync --once 0, verify 0, tables equal`;
      return { fills: null, figures: failures.length === 0 ? figures : "", failures };
    },
  },
  {
    name: "a fill and its order deleted under a running process",
    isLong: true,
    async run(cluster) {
      const { found, verified, ...difference } = await liveRepair(cluster);
      return compared(
        difference,
        `verify exits ${found}, the next reconcile repairs, verify exits ${verified}`,
        ...broken([`verify exits ${found}`, found === 4], [`verify then exits ${verified}`, verified === 0]),
      );
    },
  },
  {
    name: "quarantine replayed after an upgrade",
    isLong: false,
    async run(cluster) {
      const { listed, applied, left, restored } = await quarantineReplay(cluster);
      return {
        fills: null,
        figures: `${applied} applied, ${left} still not understood`,
        failures: broken(
          ["not listed", listed],
          [`${applied} applied, ${left} left`, applied === 1 && left === 1],
          ["the row is not back", restored],
        ),
      };
    },
  },
  {
    name: "ten accounts back at once after 10 s",
    isLong: true,
    async run(cluster) {
      const r = await crowd(cluster, 10, 10_000);
      return compared(
        r,
        `fills of all complete ${seconds(r.fillsCompleteMs)} after the end, everything else ${seconds(r.allEqualMs)} later; at most ${r.weightPeak} weight in a minute`,
        ...broken(
          [`${r.weightPeak} weight in a minute`, r.weightPeak <= WEIGHT_PER_MINUTE],
          [`${r.refused} requests refused`, r.refused === 0],
        ),
      );
    },
  },
];

async function databaseCase(
  cluster: Cluster,
  trouble: (typeof TROUBLE_NAMES)[number],
  downMs: number,
): Promise<Shown> {
  const r = await databaseTrouble(cluster, trouble, downMs);
  return compared(
    r,
    `complete ${seconds(r.completeMs)} after it was back${r.sameHolder ? "" : "; the standby took over"}`,
    ...broken(
      [`a process ended: ${r.ended}`, r.ended === null],
      [`${r.following} connections follow`, r.following === 1],
    ),
  );
}
