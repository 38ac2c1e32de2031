/**
 * `status`: what the database holds, how it stands, how fast changes came and since when it is complete. Asks the
 * database only.
 */
import { StoreError } from "../../errors.ts";
import { type HopLately, readLatencySince } from "../../outputs/metrics/latencyHistory.ts";
import type { Queryable } from "../../store/database.ts";
import { byEgress, readHolders, readWorkers } from "../../store/fleet.ts";
import { NO_PRIVILEGE } from "../../store/postgres.ts";
import { readRoster } from "../../store/roster.ts";
import type { AccountRow, DatabaseStore } from "../../store/store.ts";
import { type Completeness, completeness, latestClaimMs, MONEY_STREAMS } from "../../sync/completeness.ts";
import { TRACKED_STREAMS, type TrackedStream } from "../../sync/rows.ts";
import { followDuty } from "../../sync/standby.ts";
import { type Command, type Context, EXIT } from "../command.ts";
import { openToRead } from "../openDatabase.ts";

/** The accounts named by the options, or all that the database knows. */
export async function chosenAccounts({ options }: Context, store: DatabaseStore): Promise<AccountRow[]> {
  const chosen = new Set(options.account.map(({ address }) => address));
  return (await store.accounts()).filter(({ account }) => chosen.size === 0 || chosen.has(account));
}

/** `main 0x1234…abcd` */
export const shortName = (account: string, alias: string | null): string =>
  `${alias ? `${alias} ` : ""}${account.slice(0, 6)}…${account.slice(-4)}`;

type StreamCoverage = Completeness & { stream: TrackedStream };

/** Latency covers the last hour. */
const LATENCY_MS = 3_600_000;

/** `latency   of the last hour, p50 / p99: received 80 / 230 ms, committed 3 / 9 ms, …` */
function latencyLine(hops: readonly HopLately[]): string {
  if (hops.length === 0)
    return "latency   no figures of the last hour (a running process writes them once a minute)";
  const parts = hops.map(({ hop, p50Ms, p99Ms }) => `${hop} ${p50Ms} / ${p99Ms} ms`);
  return `latency   of live changes in the last hour, p50 / p99: ${parts.join(", ")}`;
}

export const status: Command = {
  name: "status",
  summary: "what is stored, how it stands, and since when it is complete",
  options: ["account", "database", "fleet"],
  findsDemo: true,
  async run(context) {
    const { options, print } = context;
    const { store, database } = await openToRead(context);
    if (options.fleet) return sayFleet(context, database);
    const accounts = await chosenAccounts(context, store);
    const tables = await store.counts();
    if (options.json) print(JSON.stringify({ type: "database", database: database.describe(), tables }));
    else {
      print(`database  ${database.describe()}`);
      print(`rows      ${tables.map(({ table, rows }) => `${table} ${rows}`).join(", ")}`);
    }
    const hops = await ifGranted(readLatencySince(database, context.clock.now() - LATENCY_MS));
    if (!options.json && hops !== undefined) print(latencyLine(hops));
    else for (const hop of hops ?? []) print(JSON.stringify({ type: "latency", ...hop }));
    const holders = await ifGranted(readHolders(database));
    const roster = await ifGranted(readRoster(database));
    const paused = new Set(roster?.filter((row) => row.paused).map(({ address }) => address));
    for (const row of accounts) {
      const followedBy = holders && (holders.get(followDuty(row.account)) ?? null);
      const coverage = await store.coverage(row.account);
      const latestMs = latestClaimMs(context.clock.now());
      const streams = TRACKED_STREAMS.map((stream) => ({
        stream,
        ...completeness(coverage, stream, row.sinceMs ?? 0, latestMs),
      }));
      const [now] = await database.query<NowWithPositions>(
        `select as_of_ms, age_seconds, account_mode, account_value, account_value_reason, net_worth,
         net_worth_reason, total_positions, health_score, health_status,
           health_reason
         from public.hl_account_now where account_address = $1`,
        [row.account],
      );
      if (options.json) {
        const { account, alias } = row;
        print(
          JSON.stringify({
            type: "account",
            account,
            alias,
            followedBy,
            paused: paused.has(account),
            ...now,
          }),
        );
        for (const one of streams) print(JSON.stringify({ type: "coverage", account, alias, ...one }));
      } else
        for (const line of accountLines(row, now ?? null, followedBy, paused.has(row.account), streams))
          print(line);
    }
    if (accounts.length === 0 && !options.json) print("no account has been followed yet");
    return EXIT.ok;
  },
};

/** One line per process and per account, as the database knows them. */
async function sayFleet({ options, print }: Context, database: Queryable): Promise<number> {
  const workers = await readWorkers(database);
  const holders = await readHolders(database);
  if (options.json) {
    for (const one of byEgress(workers)) print(JSON.stringify({ type: "egress", ...one }));
    for (const worker of workers) print(JSON.stringify({ type: "worker", ...worker }));
    for (const [duty, worker] of holders) print(JSON.stringify({ type: "duty", duty, worker }));
    return EXIT.ok;
  }
  for (const { egress, workers: count, duties, ...used } of byEgress(workers)) {
    const { streams, slots, subscribed, subscriptions, spent, weight } = used;
    print(`egress ${egress}: ${count} process${count === 1 ? "" : "es"}, ${duties} duties`);
    print(
      `  ${streams} of ${slots} connections, ${subscribed} of ${subscriptions} subscriptions, ${spent} of ${weight} weight in the last minute`,
    );
  }
  const seconds = (age: number | null) => (age === null ? "–" : `${age} s`);
  for (const one of workers) {
    print(`${one.worker}  at ${one.egress}`);
    const leaving = one.leaving > 0 ? ` (${one.leaving} on their way to another)` : "";
    print(`  does       ${one.duties} duties${leaving}, heard of ${one.heardMsAgo} ms ago`);
    print(
      `  its part   ${one.streams} of ${one.slots} connections, ${one.spent} of ${one.weight} weight in the last minute`,
    );
    const [p50, p90, max] = [one.freshP50, one.freshP90, one.freshMax].map(seconds);
    print(`  freshness  half within ${p50}, nine in ten within ${p90}, all within ${max}`);
    for (const [duty, worker] of holders) if (worker === one.worker) print(`    ${duty}`);
  }
  if (workers.length === 0) print("no process follows into this database now");
  return EXIT.ok;
}

/** What is read from the machinery; undefined where this role may not. */
async function ifGranted<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof StoreError && error.sqlState === NO_PRIVILEGE) return undefined;
    throw error;
  }
}

/** What `hl_account_now` says of an account. */
export interface Now extends Record<string, unknown> {
  as_of_ms: number;
  age_seconds: string;
  account_mode: string;
  account_value: string | null;
  account_value_reason: string | null;
  net_worth: string | null;
  net_worth_reason: string | null;
  health_score: number | null;
  health_status: string;
  health_reason: string | null;
}
interface NowWithPositions extends Now {
  total_positions: number;
}

function accountLines(
  { account, alias }: AccountRow,
  now: NowWithPositions | null,
  followedBy: string | null | undefined,
  isPaused: boolean,
  streams: StreamCoverage[],
): string[] {
  const money = streams.filter(({ stream }) => MONEY_STREAMS.includes(stream));
  const since = money.map(({ completeSinceMs }) => completeSinceMs);
  const gaps = money.reduce((count, one) => count + one.gaps.length, 0);
  const lines = [
    "",
    `${shortName(account, alias)}  ${
      since.some((ms) => ms === null)
        ? "nothing proven yet"
        : `complete since ${moment(Math.max(...(since as number[])))}, ${gaps} gap${gaps === 1 ? "" : "s"}`
    }`,
  ];
  if (followedBy !== undefined)
    lines.push(
      `  followed   ${followedBy === null ? `by nobody now${isPaused ? ": paused" : ""}` : `by ${followedBy}`}`,
    );
  if (now) {
    const health = now.health_score === null ? "unknown" : `${now.health_score} ${now.health_status}`;
    lines.push(
      `  equity     ${now.account_value ?? `unknown: ${now.account_value_reason}`} (${now.account_mode}), ${now.total_positions} positions, as of ${moment(now.as_of_ms)} (${Math.round(Number(now.age_seconds))} s ago)`,
      `  net worth  ${now.net_worth ?? `unknown: ${now.net_worth_reason}`}`,
      `  health     ${health}: ${now.health_reason ?? ""}`,
    );
  }
  return [...lines, ...streams.map((one) => `  ${one.stream.padEnd(10)} ${sentence(one)}`)];
}

const moment = (ms: number): string =>
  ms === 0 ? "the beginning" : `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;

function sentence({ completeSinceMs, provenToMs, gaps, streamed, unprovable }: StreamCoverage): string {
  if (completeSinceMs === null || provenToMs === null) return "nothing proven yet";
  const counted = `${gaps.length} gap${gaps.length === 1 ? "" : "s"}`;
  const watched =
    streamed.length > 0 ? `; watched live before ${moment(streamed.at(-1)!.toMs)}, not confirmed` : "";
  const horizon = unprovable.at(-1);
  const older = horizon ? `; not provable before ${moment(horizon.toMs)}: ${horizon.reason}` : "";
  return `complete since ${moment(completeSinceMs)} up to ${moment(provenToMs)}, ${counted}${watched}${older}`;
}
