/**
 * `demo`: a simulated exchange with a trading account, an embedded database and `run`, with nothing to configure.
 * Every demo follows a new account, so that what an earlier one stored stays true.
 */
import { createHash } from "node:crypto";
import { type Options, USUAL_STREAMS } from "../../config.ts";
import { createVenue } from "../../simulator/exchange/venue.ts";
import { startSimulator } from "../../simulator/server/server.ts";
import { liveThrough } from "../../simulator/server/venueTime.ts";
import type { Command } from "../command.ts";
import { DEMO_DATABASE, noteDemo } from "../lastDemo.ts";
import { followUntilStopped } from "./run.ts";

/** A small account that trades much for its size, so that there is something to see. */
const TRADING = { fillsPerSecond: 1, depositUsd: "5000", orderUsd: 900, makerShare: 0.7, twapsPerHour: 12 };
const MARKETS = ["BTC", "ETH", "SOL"];
/** The account has a past when the demo opens. */
const PAST_MS = 600_000;

/** What there is to see, and how it ends. The page's address stands above it. */
function banner(databaseUrl: string, { database, verbose }: Options): string[] {
  const found =
    database === DEMO_DATABASE
      ? ["terminal:  npx hlsync monitor", "and:       npx hlsync status | health | verify | tail | export"]
      : [];
  return [
    "a simulated account that trades by itself; nothing of it is real",
    ...found,
    `SQL:       psql '${databaseUrl}' -c 'select * from hl_fills order by fill_time desc limit 5'`,
    `${verbose ? "every change is printed below" : "one line a minute below (every change with --verbose)"}; Ctrl-C stops`,
  ];
}

export const demo: Command = {
  name: "demo",
  summary: "see it work: simulated exchange, embedded database, nothing to configure",
  options: ["listen", "token", "seed", "database", "verbose"],
  // Simulated fills have no business in the database of a real account.
  flagsOnly: true,
  defaults: { database: DEMO_DATABASE },
  async run(context) {
    const { options, clock, log, print, signal, lifecycle } = context;
    const startMs = clock.now() - PAST_MS;
    const address = `0x${createHash("sha256").update(`demo ${startMs}`).digest("hex").slice(0, 40)}`;
    const activeAccounts = [{ user: address, coins: MARKETS, ...TRADING }];
    const venue = createVenue({ seed: options.seed, startMs, activeAccounts });
    await liveThrough(venue, clock, signal);
    const simulator = await startSimulator({ venue, clock, log: log.with({ part: "simulator" }) });
    lifecycle.add({ name: "simulator", stop: () => simulator.stop() });
    const account = [{ address, alias: "demo" }];
    const endpoint = { apiUrl: simulator.url, wsUrl: simulator.wsUrl };
    const market = { markets: MARKETS, streams: [...USUAL_STREAMS] };
    const demoOptions = { ...options, ...endpoint, ...market, account };
    return followUntilStopped(
      { ...context, options: demoOptions },
      {
        printing: options.json || options.verbose ? "changes" : "counts",
        sharing: true,
        onStarted(_following, opened) {
          noteDemo({ ...endpoint, account: `${address}=demo`, database: options.database });
          if (options.json) return;
          for (const line of banner(opened.url, options)) print(line);
        },
      },
    );
  },
};
