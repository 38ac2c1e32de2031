/**
 * The whole of following: one lane per account, and market data beside it.
 *
 * Guarantees: a database that is away is waited for (`commit.ts`), with the stream buffered meanwhile; accounts beyond what
 * the venue's WebSocket serves from one address are polled in turn and say so.
 */

import type { Subscription } from "../protocol/channels.ts";
import { LIMITS } from "../protocol/limits.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Random } from "../runtime/random.ts";
import { Tasks } from "../runtime/tasks.ts";
import { ACCOUNT_DEFAULTS, Account, type AccountOptions, type Progress } from "./account/account.ts";
import { type Commit, type Committed, committer, WriteState, type WritesRefused } from "./commit.ts";
import { Dexes } from "./dexes.ts";
import type { Address } from "./events.ts";
import { LANE_DEFAULTS, Lane, type LaneOptions, type LaneStatus } from "./lane/lane.ts";
import { accountSubscriptions } from "./lane/subscriptions.ts";
import { Market, type MarketChoice } from "./market.ts";
import type { Leases, OpenStream, Store, VenueInfo } from "./ports.ts";
import { Prices } from "./prices.ts";
import { type Duty, Standby } from "./standby.ts";
import { Volatilities } from "./volatility.ts";

export type { Committed };

export interface EngineDeps {
  store: Store;
  info: VenueInfo;
  openStream: OpenStream;
  clock: Clock;
  random: Random;
  log: Log;
  publish(committed: Committed): void;
  onProgress?(progress: Progress): void;
  onFatal(error: unknown): void;
  /** Shared with other processes that follow into the same database: then one of them follows each account. */
  shared?: { leases: Leases; holder: string };
}

export interface FollowedAccount {
  address: Address;
  alias: string | null;
}

export interface EngineConfig {
  accounts: readonly FollowedAccount[];
  /** Start of the wanted history; null for all that the venue serves. */
  sinceMs: number | null;
  market: MarketChoice | null;
  /** Also try the former `webData2` subscription; its meaning comes from other channels either way. */
  webData2: boolean;
  /** Users that may be streamed from this address. */
  usersMax?: number;
  account?: Partial<AccountOptions>;
  lane?: Partial<LaneOptions>;
}

export interface EngineStatus {
  /** Null while the database takes what is written. */
  writesRefused: WritesRefused | null;
  accounts: {
    address: Address;
    alias: string | null;
    mode: "stream" | "poll";
    /** How often it is read over REST; null while it is streamed. */
    pollMs: number | null;
    /** Null while polled, and on standby. */
    lane: LaneStatus | null;
    /** `standby`: another process follows the account, this one would take over. */
    role: "active" | "standby";
    /** Which process follows the account; null when it is not known, or when there can be no other. */
    holder: string | null;
  }[];
}

/** An account whose poll failed misses no turn for it at first; the wait is never longer than from turn to turn. */
const POLL_RETRY_MS = 1_000;
/** Polled accounts that are read at the same time: one that cannot be read, or not soon, holds up no other. */
const POLLS_AT_ONCE = 4;

/** Lease names. */
export const followLease = (address: Address): string => `follow ${address}`;
const marketLease = ({ coins, streams }: MarketChoice): string =>
  `market ${coins === "all" ? coins : [...coins].sort().join(",")} ${[...streams].sort().join(",")}`;

export function openAccount(
  deps: Pick<EngineDeps, "store" | "info" | "clock" | "log" | "onProgress"> & {
    volatilities: Volatilities;
    prices: Prices;
    dexes: Dexes;
  },
  config: EngineConfig,
  followed: FollowedAccount,
  commit: Commit,
): Account {
  return new Account({
    account: followed.address,
    alias: followed.alias,
    info: deps.info,
    store: deps.store,
    commit,
    clock: deps.clock,
    log: deps.log.with({ account: followed.alias ?? followed.address }),
    dexes: deps.dexes,
    volatilities: deps.volatilities,
    prices: deps.prices,
    options: { ...ACCOUNT_DEFAULTS, ...config.account },
    sinceMs: config.sinceMs,
    ...(deps.onProgress ? { onProgress: deps.onProgress } : {}),
  });
}

interface Followed extends FollowedAccount {
  /** Beyond what the venue streams to one address, accounts are polled. */
  mode: "stream" | "poll";
  /** Null while another process follows the account. */
  account: Account | null;
  lane: Lane | null;
}

export class Engine {
  readonly name = "engine";
  readonly #deps: EngineDeps;
  readonly #config: EngineConfig;
  readonly #abort = new AbortController();
  /** Stopping begins: what is being started is given up. */
  readonly #ending = new AbortController();
  readonly #commit: Commit;
  readonly #writes = new WriteState();
  readonly #followed: Followed[];
  readonly #volatilities: Volatilities;
  readonly #prices: Prices;
  readonly #dexes: Dexes;
  #standby: Standby | null = null;
  #market: Market | null = null;
  #polling: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | null = null;
  readonly #pollMs: number;
  readonly #polls: Tasks;

  constructor(deps: EngineDeps, config: EngineConfig) {
    this.#deps = deps;
    this.#config = config;
    this.#pollMs = config.lane?.pollMs ?? LANE_DEFAULTS.pollMs;
    this.#polls = new Tasks({ ...deps, backoff: { baseMs: POLL_RETRY_MS, capMs: this.#pollMs } });
    this.#commit = committer(deps, this.#abort.signal, Number.POSITIVE_INFINITY, this.#writes);
    this.#volatilities = new Volatilities(deps);
    this.#prices = new Prices(deps);
    this.#dexes = new Dexes(deps);
    this.#dexes.onAdded((added) => {
      for (const { lane } of this.#followed) lane?.addDexes(added);
    });
    // Each account takes a connection of its own, and so does market data.
    const connections = LIMITS.connections - (config.market ? 1 : 0);
    const usersMax = config.usersMax ?? Math.min(LIMITS.users, connections);
    this.#followed = config.accounts.map((followed, index) => ({
      ...followed,
      mode: index < usersMax ? "stream" : "poll",
      account: null,
      lane: null,
    }));
  }

  /** Rejects when the venue or the database cannot be reached now; after that nothing stops it but `stop`. */
  async start(): Promise<void> {
    const { shared, onFatal } = this.#deps;
    const { signal } = this.#abort;
    const duties = this.#duties();
    if (shared) {
      this.#standby = new Standby({ ...this.#deps, ...shared, duties });
      await this.#standby.start();
    } else for (const duty of duties) await duty.begin(this.#ending.signal);
    this.#polling = this.#poll().catch((error: unknown) => {
      if (!signal.aborted) onFatal(error);
    });
  }

  #duties(): Duty[] {
    const duties = this.#followed.map((followed): Duty => {
      const begin = (signal: AbortSignal) => this.#begin(followed, signal);
      return { name: followLease(followed.address), begin, leave: () => this.#leave(followed) };
    });
    const choice = this.#config.market;
    if (choice === null) return duties;
    const begin = async (signal: AbortSignal) => {
      const dexes = await this.#dexes.open(signal);
      const room = LIMITS.subscriptions - this.#subscriptionsOfAccounts(dexes);
      const market = new Market({ ...this.#deps, dexes, choice, room, commit: this.#commit });
      await market.start(signal);
      this.#market = market;
    };
    const leave = async () => {
      await this.#market?.stop();
      this.#market = null;
    };
    return [...duties, { name: marketLease(choice), begin, leave }];
  }

  /** What the venue's limit is used for first, whether this process follows them or another of this address. */
  #subscriptionsOfAccounts(dexes: readonly string[]): number {
    const streamed = this.#followed.filter(({ mode }) => mode === "stream");
    return streamed.flatMap(({ address }) => this.#subscriptions(address, dexes)).length;
  }

  #subscriptions(user: Address, dexes: readonly string[]): Subscription[] {
    const subscriptions = accountSubscriptions(user, dexes);
    return this.#config.webData2 ? [...subscriptions, { type: "webData2", user }] : subscriptions;
  }

  async #begin(followed: Followed, signal: AbortSignal): Promise<void> {
    await this.#dexes.open(signal);
    const deps = {
      ...this.#deps,
      volatilities: this.#volatilities,
      prices: this.#prices,
      dexes: this.#dexes,
    };
    const account = openAccount(deps, this.#config, followed, this.#commit);
    await account.open();
    await this.#deps.store.noteFollowed(account.address, this.#pollMsOf(followed));
    signal.throwIfAborted();
    followed.account = account;
    if (followed.mode === "poll") return;
    followed.lane = this.#lane(account, this.#dexes.names);
    followed.lane.start();
  }

  /** Stops intake, writes what was received, then lets go. */
  async #leave(followed: Followed): Promise<void> {
    await followed.lane?.stop();
    followed.lane = null;
    followed.account = null;
  }

  #lane(account: Account, dexes: readonly string[]): Lane {
    return new Lane({
      ...this.#deps,
      account,
      subscriptions: this.#subscriptions(account.address, dexes),
      options: { ...LANE_DEFAULTS, ...this.#config.lane },
    });
  }

  /** How often it is read over REST; null while it is streamed. */
  #pollMsOf({ mode }: Followed): number | null {
    return mode === "stream" ? null : this.#pollMs;
  }

  /** Accounts without a stream take turns, each as often as the budget allows but not more than every `pollMs`. */
  async #poll(): Promise<void> {
    const { signal } = this.#abort;
    const { clock } = this.#deps;
    const turns = this.#followed
      .filter(({ mode }) => mode === "poll")
      .map((followed) => ({ followed, dueMs: clock.now() }));
    const serve = async () => {
      for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
        await clock.sleep(Math.max(0, turn.dueMs - clock.now()), signal);
        turn.dueMs = clock.now() + this.#pollMs;
        const { address, account } = turn.followed;
        if (account) await this.#polls.run(`poll of ${address}`, (given) => account.catchUp("poll", given));
        turns.push(turn);
      }
    };
    await Promise.all(Array.from({ length: Math.min(POLLS_AT_ONCE, turns.length) }, serve));
  }

  status(): EngineStatus {
    const duties = new Map(this.#standby?.status().map((duty) => [duty.name, duty]));
    return {
      writesRefused: this.#writes.refused,
      accounts: this.#followed.map((followed) => ({
        address: followed.address,
        alias: followed.alias,
        mode: followed.mode,
        pollMs: this.#pollMsOf(followed),
        lane: followed.lane?.status() ?? null,
        role: followed.account === null ? "standby" : "active",
        holder: duties.get(followLease(followed.address))?.holder ?? null,
      })),
    };
  }

  /** Those that this process follows now. */
  accounts(): Account[] {
    return this.#followed.flatMap(({ account }) => account ?? []);
  }

  /** Stops intake, writes what was received, then lets go; a standby takes over at once. Called again, it is the same stop. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#ending.abort(new Error("stopped"));
    if (this.#standby !== null) await this.#standby.stop();
    else
      await Promise.all([...this.#followed.map((followed) => this.#leave(followed)), this.#market?.stop()]);
    this.#abort.abort(new Error("stopped"));
    await Promise.all([this.#polls.stop(), this.#polling]);
  }
}
