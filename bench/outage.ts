/**
 * What arrives of an account that trades on while the venue cannot be reached for three seconds, and how long a socket
 * that is open and dead goes unnoticed: each client with a simulated venue of its own, all at the same time, same seed.
 * For the clients it is the fills they hand to their user; for hlsync the rows in its database. Takes four minutes, most
 * of them waiting. Prints a table.
 *
 *   node bench/outage.ts [outages]
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock as clock } from "../src/runtime/clock.ts";
import { silentLog as log } from "../src/runtime/log.ts";
import { type EmbeddedDatabase, openEmbedded } from "../src/store/embedded.ts";
import { openPostgres } from "../src/store/postgres.ts";
import { Program, SimulatedVenue } from "../test/e2e/reliabilityRig.ts";
import { untilDespiteErrors } from "../test/support/until.ts";
import type { Order } from "./receive.ts";

const FILLS_PER_SECOND = 50;
/** One loss says little: how long a client waits before it tries again is a matter of chance. */
const OUTAGES = Number(process.argv[2] ?? 3);
const OUTAGE_MS = 3_000;
/** Before each outage: whoever waits longer after each failure has forgotten the last ones by then. */
const STABLE_MS = 35_000;
const LOOK_EVERY_MS = 250;
/** REST weight a minute, as the venue has it. */
const VENUE_WEIGHT = 1_200;
/** For what is still under way when it is counted. */
const GRACE_MS = 3_000;
const START_WITHIN_MS = 30_000;
const HALF_OPEN_CAP_MS = 90_000;
const ACCOUNT = `0x${"a11ce".padStart(40, "0")}` as const;

/** What a client has brought to its user. */
interface Follower {
  /** Trade ids. */
  delivered(): Promise<ReadonlySet<number>>;
  isRunning(): boolean;
  end(): Promise<void>;
}

const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

function follow(name: string, venue: SimulatedVenue): Follower {
  const path = new URL("receive.ts", import.meta.url).pathname;
  const child = fork(path, [name], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
  children.add(child);
  const ids = new Set<number>();
  child.on("message", (some: number[]) => {
    for (const id of some) ids.add(id);
  });
  const wsUrl = `${venue.url.replace("http", "ws")}/ws`;
  const order: Order = {
    do: "follow",
    venue: { apiUrl: venue.url, wsUrl, user: ACCOUNT },
    fills: 0,
    channel: "userFills",
  };
  child.send(order);
  return {
    delivered: async () => ids,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    async end() {
      child.kill("SIGKILL");
    },
  };
}

function followByDatabase(server: EmbeddedDatabase, venue: SimulatedVenue): Follower {
  const program = new Program([
    ...["run", "--json", "--database", server.url, "--account", ACCOUNT],
    ...["--listen", "127.0.0.1:0", "--api-url", venue.url],
  ]);
  const database = openPostgres(server.url, { maxConnections: 1 });
  return {
    async delivered() {
      const rows = await database.query<{ id: string }>("select trade_id as id from hl_fills");
      return new Set(rows.map(({ id }) => Number(id)));
    },
    isRunning: () => program.isAlive,
    async end() {
      await program.kill("SIGTERM");
      await database.close();
    },
  };
}

const tradeIds = async (venue: SimulatedVenue): Promise<number[]> =>
  (await venue.truth()).fills.map(({ tid }) => Number(tid));

/** Waits until a fill has arrived that happened after the call; null when none does. */
async function untilFillsFlow(
  venue: SimulatedVenue,
  follower: Follower,
  capMs: number,
): Promise<number | null> {
  const old = new Set(await tradeIds(venue));
  return untilDespiteErrors("fills", capMs, async () =>
    [...(await follower.delivered())].some((id) => !old.has(id)),
  ).then(
    ({ tookMs }) => tookMs,
    () => null,
  );
}

/** Waits for one connection more than there is now. A dead one is forgotten by the venue after a minute. */
function untilNewConnection(venue: SimulatedVenue, capMs: number): Promise<number | null> {
  let least = Number.POSITIVE_INFINITY;
  return untilDespiteErrors("a new connection", capMs, async () => {
    const { connections } = await venue.state();
    least = Math.min(least, connections.length);
    return connections.length > least;
  }).then(
    ({ tookMs }) => tookMs,
    () => null,
  );
}

interface Outage {
  lost: number;
  /** From its end until all that happened before is there; null when it never is. */
  completeMs: number | null;
}

/** One outage on a connection that has stood for long; `happened` are the fills from then until long after. */
async function outage(venue: SimulatedVenue, follower: Follower): Promise<Outage & { happened: number }> {
  const begin = (await tradeIds(venue)).length;
  await venue.outage(OUTAGE_MS);
  await clock.sleep(OUTAGE_MS);
  const during = (await tradeIds(venue)).slice(begin);
  const endMs = performance.now();
  let completeMs: number | null = null;
  while (performance.now() - endMs < STABLE_MS) {
    await clock.sleep(LOOK_EVERY_MS);
    if (completeMs !== null) continue;
    const ids = await follower.delivered();
    if (during.every((id) => ids.has(id))) completeMs = performance.now() - endMs;
  }
  const happened = (await tradeIds(venue)).slice(begin);
  await clock.sleep(GRACE_MS);
  const delivered = await follower.delivered();
  return { happened: happened.length, lost: happened.filter((id) => !delivered.has(id)).length, completeMs };
}

interface Observed {
  happened: number;
  outages: Outage[];
  isAlive: boolean;
  /** From the moment that the socket was dead. Null when it did not happen within the cap. */
  newConnectionMs: number | null;
  fillsAgainMs: number | null;
}

async function halfOpen(venue: SimulatedVenue, follower: Follower) {
  await venue.control("connections", { do: "halfOpen" });
  const newConnectionMs = await untilNewConnection(venue, HALF_OPEN_CAP_MS);
  if (newConnectionMs === null) return { newConnectionMs, fillsAgainMs: null };
  const fillsMs = await untilFillsFlow(venue, follower, HALF_OPEN_CAP_MS - newConnectionMs);
  return { newConnectionMs, fillsAgainMs: fillsMs === null ? null : newConnectionMs + fillsMs };
}

async function observe(start: (venue: SimulatedVenue) => Follower): Promise<Observed> {
  const venue = await SimulatedVenue.start([ACCOUNT], FILLS_PER_SECOND, VENUE_WEIGHT);
  const follower = start(venue);
  try {
    if ((await untilFillsFlow(venue, follower, START_WITHIN_MS)) === null) throw new Error("no fills came");
    await clock.sleep(STABLE_MS);
    const outages: (Outage & { happened: number })[] = [];
    for (let i = 0; i < OUTAGES; i++) outages.push(await outage(venue, follower));
    const happened = outages.reduce((sum, one) => sum + one.happened, 0);
    const isAlive = follower.isRunning() && (await untilFillsFlow(venue, follower, GRACE_MS)) !== null;
    const seen = isAlive ? await halfOpen(venue, follower) : { newConnectionMs: null, fillsAgainMs: null };
    return { happened, outages, isAlive, ...seen };
  } finally {
    await follower.end();
    await venue.close();
  }
}

const seconds = (ms: number | null): string => (ms === null ? "never" : `${(ms / 1_000).toFixed(1)} s`);

const folder = mkdtempSync(join(tmpdir(), "hlsync-bench-"));
const server = await openEmbedded(join(folder, "db"), { clock, log });
const contenders: { name: string; start: (venue: SimulatedVenue) => Follower }[] = [
  { name: "hlsync (rows in the database)", start: (venue) => followByDatabase(server, venue) },
  ...["@nktkas/hyperliquid", "@nktkas/hyperliquid, tuned", "hyperliquid (nomeida)", "ccxt pro"].map(
    (name) => ({
      name,
      start: (venue: SimulatedVenue) => follow(name, venue),
    }),
  ),
];
console.log(
  `${FILLS_PER_SECOND} fills/s, ${OUTAGES} outages of ${OUTAGE_MS / 1_000} s; "never": not within ${STABLE_MS / 1_000} s, of the half-open socket ${HALF_OPEN_CAP_MS / 1_000} s; Node ${process.version}, load ${loadavg()[0]!.toFixed(1)}\n`,
);
const heads = ["client", "fills that happened", "delivered", "lost in each outage", "complete again after"];
console.log(`| ${[...heads, "alive", "half-open socket: new connection", "fills again"].join(" | ")} |`);
console.log("|---|---|---|---|---|---|---|---|");
try {
  const observed = await Promise.all(
    contenders.map(async ({ name, start }) => ({ name, ...(await observe(start)) })),
  );
  for (const { name, happened, outages, isAlive, newConnectionMs, fillsAgainMs } of observed) {
    const lost = outages.map((one) => one.lost);
    const cells = [
      ...[name, happened, happened - lost.reduce((sum, one) => sum + one, 0), lost.join(", ")],
      ...[outages.map(({ completeMs }) => seconds(completeMs)).join(", "), isAlive ? "yes" : "no"],
      ...(isAlive ? [seconds(newConnectionMs), seconds(fillsAgainMs)] : ["–", "–"]),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
} finally {
  await server.release();
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
