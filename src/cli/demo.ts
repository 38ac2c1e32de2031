/**
 * What the demo shows: a simulated exchange with three accounts that have traded for three months, followed as a real one is.
 * Every demo follows new accounts, so that what an earlier one stored stays true.
 */
import { type Options, USUAL_STREAMS } from "../config.ts";
import { hash32 } from "../runtime/random.ts";
import { type DemoPast, PAST_DAYS, planPast } from "../simulator/demo/past.ts";
import { startSimulator } from "../simulator/server/server.ts";
import { liveThrough } from "../simulator/server/venueTime.ts";
import { keepAliasesOf } from "../store/roster.ts";
import type { Context } from "./command.ts";
import { addReceiver, makeIncidents, planMove, startReceiver } from "./demoIncidents.ts";
import { followUntilStopped } from "./following.ts";
import { DEMO_DATABASE, noteDemo } from "./lastDemo.ts";
import type { MigratedDatabase } from "./openDatabase.ts";

/** Market data that is followed, and the coin whose price makes an alert. */
const MARKETS = ["BTC", "ETH", "SOL", "HYPE"];
const ALERT_COIN = "ETH";
/** The simulated venue allows ten times the requests of the real one: three months are read in seconds. */
const WEIGHT = 12_000;

/** So near to the present begins the venue: a slow machine is not waited for. */
const NEAR_MS = 300;

/** What there is to see, and how it ends. The page's address stands above it. */
function banner(databaseUrl: string, { database, verbose }: Options): string[] {
  const found =
    database === DEMO_DATABASE
      ? ["terminal:  npx hlsync monitor", "and:       npx hlsync status | health | verify | tail | export"]
      : [];
  return [
    `three simulated accounts with ${PAST_DAYS} days behind them (swing, maker, vault); nothing of it is real`,
    "soon:      maker loses its connection, then a fill: both are healed (its Sync page); a price alert fires and is over; a webhook is delivered",
    ...found,
    `SQL:       psql '${databaseUrl}' -c 'select * from hl_fills order by fill_time desc limit 5'`,
    `${verbose ? "every change is printed below" : "one line a minute below (every change with --verbose)"}; Ctrl-C stops`,
  ];
}

/** Makes the past piece by piece, and what passed meanwhile. */
async function liveToNow(past: DemoPast, { clock, signal }: Context): Promise<void> {
  while (past.live()) await clock.sleep(0, signal);
  await liveThrough(past.venue, clock, signal, NEAR_MS);
}

/** Makes the past while the database is opened, then follows it until the program stops. Resolves with the exit code. */
export async function showDemo(context: Context, opening: Promise<MigratedDatabase>): Promise<number> {
  const { options, clock, log, print, signal, lifecycle } = context;
  const startMs = clock.now();
  const past = planPast(options.seed, startMs, hash32(`demo ${startMs}`).toString(16).padStart(8, "0"));
  const { venue, cast } = past;
  await liveToNow(past, context);
  const limits = { weightPerMinute: WEIGHT };
  const simulator = await startSimulator({
    ...{ venue, limits, clock, isPresent: true },
    log: log.with({ part: "simulator" }),
  });
  lifecycle.add({ name: "simulator", stop: () => simulator.stop() });
  const receiver = lifecycle.add(await startReceiver());
  const move = planMove(venue, ALERT_COIN);
  const endpoint = { apiUrl: simulator.url, wsUrl: simulator.wsUrl };
  const market = { markets: MARKETS, streams: [...USUAL_STREAMS, "allMids"] };
  const demoOptions = {
    ...options,
    ...endpoint,
    ...market,
    account: [...cast],
    weight: WEIGHT,
    alert: [move.alert],
  };
  return followUntilStopped(
    { ...context, options: demoOptions, simulated: true },
    {
      printing: options.json || options.verbose ? "changes" : "counts",
      sharing: true,
      opening,
      onStarted({ engine }, opened) {
        const account = cast.map(({ address, alias }) => `${address}=${alias}`).join(",");
        noteDemo({ ...endpoint, account, database: options.database, weight: String(WEIGHT) });
        const user = cast[1]!.address;
        const happen = async () => {
          // Those of an earlier demo in this folder had the same.
          await keepAliasesOf(
            opened.database,
            cast.map(({ address }) => address),
          );
          await addReceiver(opened.database, receiver.url, clock.now());
          const accounts = () => engine.status().accounts;
          const isReady = () => accounts().every(({ lane }) => lane !== null && lane.lastCatchUpMs !== null);
          const healed = () => accounts().find(({ address }) => address === user)?.lane?.healed ?? 0;
          await makeIncidents({ clock, signal, simulator, venue, user, move, isReady, healed });
        };
        happen().catch((error: unknown) => {
          if (!signal.aborted) log.warn("the demo's incidents did not happen", { error });
        });
        if (options.json) return;
        for (const line of banner(opened.url, options)) print(line);
      },
    },
  );
}
