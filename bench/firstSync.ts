/**
 * What a first sync weighs: one pass over an account that nobody knows yet, in virtual time, against its floor: the pages
 * and rows that must be read whatever the client. By request, for three sizes of account.
 */
import { createInfoClient } from "../src/connection/infoClient.ts";
import { RateLimiter, WHOLE_SHARES } from "../src/connection/rateLimiter.ts";
import { INFO } from "../src/protocol/infoRequests.ts";
import { silentLog } from "../src/runtime/log.ts";
import { seededRandom } from "../src/runtime/random.ts";
import type { JsonObject } from "../src/simulator/contract.ts";
import type { RecordedAccount } from "../src/simulator/exchange/recorded.ts";
import { createVenue } from "../src/simulator/exchange/venue.ts";
import { createWorld, VirtualClock } from "../src/simulator/virtualWorld.ts";
import { openStore } from "../src/store/store.ts";
import { committer } from "../src/sync/commit.ts";
import { Dexes } from "../src/sync/dexes.ts";
import { openAccount } from "../src/sync/engine.ts";
import { Markets } from "../src/sync/markets.ts";
import type { VenueInfo } from "../src/sync/ports.ts";
import { Prices } from "../src/sync/prices.ts";
import { Volatilities } from "../src/sync/volatility.ts";
import { startServer } from "../test/support/postgres.ts";

const NOW_MS = 1_790_359_200_000;
const HOUR_MS = 3_600_000;

interface Size {
  fills: number;
  orders: number;
  funding: number;
  ledger: number;
}
const SIZES: readonly Size[] = [
  { fills: 100, orders: 60, funding: 48, ledger: 6 },
  { fills: 4_600, orders: 1_050, funding: 850, ledger: 560 },
  { fills: 10_000, orders: 2_600, funding: 1_500, ledger: 120 },
];

/** Every order fills in equal parts, and shows as two transitions; times are spread over two months. */
function account({ fills, orders, funding, ledger }: Size): RecordedAccount {
  const spanMs = 60 * 24 * HOUR_MS;
  const at = (i: number, count: number) => NOW_MS - HOUR_MS - spanMs + Math.floor((i * spanMs) / count);
  const hash = (i: number) => `0x${i.toString(16).padStart(64, "0")}`;
  const oidOf = (i: number) => 1_000_000 + Math.floor((i * orders) / fills);
  let position = 0;
  const fillRows = Array.from({ length: fills }, (_, i): JsonObject => {
    const side = i % 2 === 0 ? "B" : "A";
    const startPosition = `${position}.0`;
    position += side === "B" ? 1 : -1;
    return {
      coin: "SOL",
      px: "150.0",
      sz: "1.0",
      side,
      time: at(i, fills),
      startPosition,
      dir: "Open Long",
      closedPnl: "0.0",
      hash: hash(i),
      oid: oidOf(i),
      crossed: true,
      fee: "0.06",
      tid: 5_000_000 + i,
      feeToken: "USDC",
      twapId: null,
    };
  });
  const historicalOrders = Array.from({ length: orders }, (_, i): JsonObject[] => {
    const timestamp = at(i, orders);
    const order = {
      coin: "SOL",
      side: "B",
      limitPx: "150.0",
      sz: "0.0",
      oid: 1_000_000 + i,
      timestamp,
      origSz: "1.0",
      cloid: null,
      triggerCondition: "N/A",
      isTrigger: false,
      triggerPx: "0.0",
      children: [],
      isPositionTpsl: false,
      reduceOnly: false,
      orderType: "Limit",
      tif: "Gtc",
    };
    return [
      { order: { ...order, sz: "1.0" }, status: "open", statusTimestamp: timestamp },
      { order, status: "filled", statusTimestamp: timestamp },
    ];
  }).flat();
  const fundingRows = Array.from(
    { length: funding },
    (_, i): JsonObject => ({
      time: at(i, funding),
      hash: hash(0),
      delta: {
        type: "funding",
        coin: "SOL",
        usdc: "-0.01",
        szi: "1.0",
        fundingRate: "0.0000125",
        nSamples: null,
      },
    }),
  );
  const ledgerRows = Array.from(
    { length: ledger },
    (_, i): JsonObject => ({
      time: at(i, ledger),
      hash: hash(900_000 + i),
      delta: { type: "deposit", usdc: `${100 + i}.0` },
    }),
  );
  return { fills: fillRows, historicalOrders, funding: fundingRows, ledger: ledgerRows };
}

/**
 * Pages of the venue's size, the rows in them, one question for each state and list, and one for each order that filled and
 * is no longer listed.
 */
function floor({ fills, orders, funding, ledger }: Size): number {
  const paged = (rows: number, page: number) => Math.max(1, Math.ceil(rows / page)) * 20 + rows / 20;
  const listed = Math.min(2 * orders, 2_000);
  const history = paged(fills, 2_000) + paged(0, 2_000) + paged(funding, 500) + paged(ledger, 2_000);
  const lists = 20 + listed / 20 + INFO.frontendOpenOrders.weight;
  const unlisted = (orders - listed / 2) * INFO.orderStatus.weight;
  // What else the account owns: net worth cannot be told without it.
  const owned = INFO.userVaultEquities.weight + INFO.delegatorSummary.weight;
  const dexes = 2;
  return Math.ceil(
    history + lists + unlisted + owned + INFO.perpDexs.weight + (dexes + 1) * 2 + INFO.userAbstraction.weight,
  );
}

async function measure(size: Size, user: string): Promise<void> {
  const { database } = await server.newDatabase();
  const clock = new VirtualClock(NOW_MS);
  const venue = createVenue({
    seed: 1,
    startMs: NOW_MS,
    recorded: { [user]: account(size) },
    traders: { coins: ["SOL"] },
  });
  const world = createWorld({ venue, clock, seed: 1, latencyMs: [20, 60] });
  const random = seededRandom("first sync");
  const { post } = world.network();
  const limiter = new RateLimiter(clock, { shares: WHOLE_SHARES });
  const client = createInfoClient({ apiUrl: world.apiUrl, post, clock, random, limiter, log: silentLog });
  const spent = new Map<string, { requests: number; weight: number }>();
  const info: VenueInfo = {
    clockOffset: () => client.clockOffset(),
    reserve: (reserved) => client.reserve(reserved),
    async request(request, params, options) {
      const answer = await client.request(request, params, options);
      const sum = spent.get(request.type) ?? { requests: 0, weight: 0 };
      spent.set(request.type, { requests: sum.requests + 1, weight: sum.weight + answer.weight });
      return answer;
    },
  };
  const query = (sql: string, params?: readonly unknown[]) => clock.track(database.query(sql, params));
  const store = openStore({ ...database, query } as typeof database);
  const deps = { store, info, clock, random, log: silentLog, publish: () => {} };
  const { signal } = new AbortController();
  const commit = committer(deps, signal);
  const dexes = new Dexes(deps);
  const config = { accounts: [], sinceMs: null, market: null, webData2: false };
  let done: unknown = null;
  const pass = (async () => {
    await dexes.open(signal);
    const followed = { address: user, alias: null };
    const known = openAccount(
      {
        ...deps,
        dexes,
        volatilities: new Volatilities(deps),
        prices: new Prices(deps),
        markets: new Markets(deps),
      },
      config,
      followed,
      commit,
    );
    await known.open();
    await known.catchUp("poll", signal);
    await known.backfill("poll", signal);
  })().then(
    () => {
      done = "read";
    },
    (error: unknown) => {
      done = error;
    },
  );
  await clock.runUntil(() => done !== null, NOW_MS + HOUR_MS);
  await pass;
  if (done !== "read") throw done;
  const weight = [...spent.values()].reduce((sum, one) => sum + one.weight, 0);
  const seconds = ((clock.now() - NOW_MS) / 1000).toFixed(0);
  const least = floor(size);
  console.log(
    `${size.fills} fills, ${size.orders} orders, ${size.funding} funding, ${size.ledger} ledger: weight ${weight}, floor ${least}, ${(weight / least).toFixed(2)} ×, ${seconds} s`,
  );
  for (const [type, { requests, weight: part }] of [...spent].sort((a, b) => b[1].weight - a[1].weight))
    console.log(`  ${type.padEnd(30)} ${String(requests).padStart(4)} requests ${String(part).padStart(5)}`);
  world.stop();
}

const server = await startServer();
for (const [index, size] of SIZES.entries()) await measure(size, `0x${String(index + 1).padStart(40, "0")}`);
await server.stop();
