/**
 * The whole of following: one lane per account, and market data beside it.
 *
 * Guarantees: it follows the accounts of its configuration and those of the roster, and a change of the roster without a
 * restart: what is new within `ROSTER_MS` and the time its start takes, what is removed is written to the end and left; a database that is away is waited for (`commit.ts`), with the stream buffered meanwhile; accounts beyond what
 * the venue's WebSocket serves from one address are polled in turn and say so.
 */

import { StoreError, TransportError } from "../errors.ts";
import type { Subscription } from "../protocol/channels.ts";
import { LIMITS } from "../protocol/limits.ts";
import { Bell } from "../runtime/bell.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Random } from "../runtime/random.ts";
import { repeat } from "../runtime/repeat.ts";
import { Tasks } from "../runtime/tasks.ts";
import { ACCOUNT_DEFAULTS, Account, type AccountOptions, type Progress } from "./account/account.ts";
import { Activity } from "./activity.ts";
import { type Commit, type Committed, committer, WriteState, type WritesRefused } from "./commit.ts";
import { Dexes } from "./dexes.ts";
import { grouped } from "./groupCommit.ts";
import { LANE_DEFAULTS, Lane, type LaneOptions, type LaneStatus } from "./lane/lane.ts";
import { accountSubscriptions } from "./lane/subscriptions.ts";
import { Market, type MarketChoice } from "./market.ts";
import { Markets } from "./markets.ts";
import type {
  Attended,
  EgressShare,
  Fleet,
  OpenStream,
  Roster,
  RosterEntry,
  Store,
  VenueInfo,
} from "./ports.ts";
import { Prices } from "./prices.ts";
import type { Address } from "./rows.ts";
import { type Duty, followDuty, Standby } from "./standby.ts";
import { newTurn, type Turn, Turns } from "./turns.ts";
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
  /** The processes that follow into the same database: then one of them follows each account. */
  shared?: Fleet;
  /** Hears the share of the egress that this process may use, whenever it changes. */
  onShare?(share: EgressShare): void;
  /** Accounts to follow beside those of the configuration. */
  roster?: Roster;
  /** Hears of all accounts that are to be followed, at the start and after every change. */
  onAccounts?(accounts: readonly FollowedAccount[]): void;
}

export interface FollowedAccount {
  address: Address;
  alias: string | null;
  /** `poll`: not to be streamed, even where there is room. */
  wish?: "stream" | "poll" | undefined;
  /** Start of the wanted history; without it, that of the configuration. */
  sinceMs?: number | null | undefined;
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
/** A stream changes hands among our accounts this often at most: only to one that is so much livelier. */
const SWAP_MS = 30_000;
const SWAP_FACTOR = 2;
const SWAP_MARGIN = 3;
/** Kept free for the fills of accounts that may be taken over at once from another process: a dozen, without many fills. */
const TAKE_OVER_WEIGHT = 300;
/** The roster is looked at this often. */
const ROSTER_MS = 1_000;

const pollOf = (address: Address): string => `poll of ${address}`;
const glanceOf = (address: Address): string => `glance at ${address}`;
const repairsOf = (address: Address): string => `repair of ${address}`;
const gapsOf = (address: Address): string => `backfill of ${address}`;
const moreOf = (address: Address): string => `what else of ${address}`;
const marketDuty = ({ coins, streams }: MarketChoice): string =>
  `market ${coins === "all" ? coins : [...coins].sort().join(",")} ${[...streams].sort().join(",")}`;

export function openAccount(
  deps: Pick<EngineDeps, "store" | "info" | "clock" | "log" | "onProgress"> & {
    volatilities: Volatilities;
    prices: Prices;
    markets: Markets;
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
    markets: deps.markets,
    options: { ...ACCOUNT_DEFAULTS, ...config.account },
    sinceMs: followed.sinceMs ?? config.sinceMs,
    ...(deps.onProgress ? { onProgress: deps.onProgress } : {}),
  });
}

/** Without other processes at the database everything is ours. */
const ALONE: Fleet = {
  name: "this process",
  attend: async ({ wants }) => ({
    held: wants.map((duty) => ({ duty, token: 1, isGiven: false })),
    others: new Map(),
    share: null,
    present: 1,
    wentBack: false,
  }),
  giveBack: async () => {},
  dismiss: async () => {},
};

interface Followed extends FollowedAccount {
  /** Beyond what the venue streams to one address, accounts are polled. */
  mode: "stream" | "poll";
  /** How it is followed as the database was told; null before that. While it changes the old way counts, here as there. */
  noted: { pollMs: number | null } | null;
  /** Null while another process follows the account. */
  account: Account | null;
  lane: Lane | null;
  /** While it is polled from here. */
  turn: Turn | null;
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
  /** In the order in which they are shown. What is no longer wanted stays until it is left. */
  #followed: Followed[] = [];
  /** Addresses of those that are wanted. */
  #wanted = new Set<Address>();
  /** What is ours, by the names of duties; null before the first answer. */
  #held: ReadonlySet<string> | null = null;
  #share: EgressShare | null = null;
  /** Gives back the weight kept for accounts of others; null where there are none. */
  #release: (() => void) | null = null;
  /** Accounts that may be streamed from here now. */
  #usersMax: number;
  readonly #activity: Activity;
  /** From then on a livelier account may take the stream of another. */
  #swapDueMs = Number.NEGATIVE_INFINITY;
  readonly #volatilities: Volatilities;
  readonly #prices: Prices;
  readonly #markets: Markets;
  readonly #dexes: Dexes;
  readonly #standby: Standby;
  #market: Market | null = null;
  #loops: Promise<unknown> = Promise.resolve();
  /** Rings when a turn ended, or an account was begun. */
  readonly #pollBell = new Bell<"look">();
  #stopping: Promise<void> | null = null;
  readonly #pollMs: number;
  readonly #polls: Tasks;
  readonly #turns: Turns;

  constructor(deps: EngineDeps, config: EngineConfig) {
    this.#deps = deps;
    this.#config = config;
    this.#pollMs = config.lane?.pollMs ?? LANE_DEFAULTS.pollMs;
    this.#polls = new Tasks({
      ...deps,
      backoff: { baseMs: POLL_RETRY_MS, capMs: this.#pollMs },
    });
    this.#turns = new Turns(this.#pollMs);
    this.#activity = new Activity();
    const counted = {
      ...deps,
      store: { apply: grouped((batch) => deps.store.apply(batch), deps.clock) },
      publish: (committed: Committed) => this.#publish(committed),
    };
    this.#commit = committer(counted, this.#abort.signal, Number.POSITIVE_INFINITY, this.#writes);
    this.#volatilities = new Volatilities(deps);
    this.#prices = new Prices(deps);
    this.#markets = new Markets(deps);
    this.#dexes = new Dexes(deps);
    this.#dexes.onAdded((added) => {
      for (const { lane } of this.#followed) lane?.addDexes(added);
    });
    this.#usersMax = this.#usersIn(LIMITS.connections);
    this.#standby = new Standby({
      ...deps,
      fleet: deps.shared ?? ALONE,
      used: () => this.#used(),
      onAttended: (held, attended) => this.#attended(held, attended),
    });
    this.#want([]);
  }

  /** Rejects when the venue or the database cannot be reached now; after that nothing stops it but `stop`. */
  async start(): Promise<void> {
    const { roster, clock, onFatal } = this.#deps;
    const { signal } = this.#abort;
    if (roster) this.#want((await roster.changed()) ?? []);
    await this.#standby.start();
    const loops = [this.#poll()];
    if (roster) loops.push(repeat(clock, ROSTER_MS, signal, () => this.#lookAtRoster(roster)));
    this.#loops = Promise.all(loops).catch((error: unknown) => {
      if (!signal.aborted) onFatal(error);
    });
  }

  #publish(committed: Committed): void {
    const nowMs = this.#deps.clock.now();
    for (const { account, timeMs } of committed.applied.events)
      if (account !== null) this.#activity.note(account, timeMs, nowMs);
    this.#deps.publish(committed);
  }

  /** How many accounts so many connections stream: each takes one of its own, and so does market data. */
  #usersIn(connections: number): number {
    const { market, usersMax } = this.#config;
    const isMarketOurs = market !== null && (this.#held?.has(marketDuty(market)) ?? true);
    return Math.max(0, Math.min(usersMax ?? LIMITS.users, connections - (isMarketOurs ? 1 : 0)));
  }

  get #streams(): number {
    return this.#followed.filter(({ lane }) => lane !== null).length;
  }

  #used(): { streams: number; subscribed: number } {
    const perAccount = this.#subscriptions("0x", this.#dexes.names).length;
    const market = this.#market?.status().stream?.subscriptions.length ?? 0;
    return {
      streams: this.#streams + (this.#market === null ? 0 : 1),
      subscribed: this.#streams * perAccount + market,
    };
  }

  #attended(held: ReadonlySet<string>, { share, present }: Pick<Attended, "share" | "present">): void {
    this.#held = held;
    this.#share = share;
    if (present > 1) this.#release ??= this.#deps.info.reserve(TAKE_OVER_WEIGHT);
    else {
      this.#release?.();
      this.#release = null;
    }
    this.#usersMax = this.#usersIn(share?.slots ?? LIMITS.connections);
    if (share !== null) this.#deps.onShare?.(share);
    this.#assignModes();
  }

  async #lookAtRoster(roster: Roster): Promise<void> {
    try {
      const entries = await roster.changed();
      if (entries !== null && !this.#ending.signal.aborted) this.#want(entries);
    } catch (error) {
      // A database that is away changes nothing.
      if (!(error instanceof StoreError && error.transient)) throw error;
    }
  }

  /** Follows the accounts of the configuration and these, from now on. What the configuration says of one goes first. */
  #want(roster: readonly RosterEntry[]): void {
    const { onAccounts } = this.#deps;
    const wanted = new Map<Address, FollowedAccount>();
    for (const { paused, ...entry } of roster) if (!paused) wanted.set(entry.address, entry);
    for (const own of this.#config.accounts) {
      const listed = wanted.get(own.address);
      wanted.delete(own.address);
      wanted.set(own.address, { ...listed, ...own, alias: own.alias ?? listed?.alias ?? null });
    }
    const before = new Map(this.#followed.map((followed) => [followed.address, followed]));
    const leaving = this.#followed.filter(({ address, account }) => account !== null && !wanted.has(address));
    const next = [...wanted.values()].map((entry): Followed => {
      const known = before.get(entry.address);
      if (known === undefined)
        return { ...entry, mode: entry.wish ?? "stream", noted: null, account: null, lane: null, turn: null };
      if (known.sinceMs !== entry.sinceMs) this.#standby.renew(followDuty(entry.address));
      return Object.assign(known, { wish: undefined, sinceMs: undefined }, entry);
    });
    this.#wanted = new Set(wanted.keys());
    this.#followed = [...next, ...leaving];
    this.#standby.want(this.#duties(next));
    this.#assignModes();
    onAccounts?.([...wanted.values()]);
  }

  /** Streams the liveliest of what is ours; one that is streamed keeps its place unless another is much livelier. */
  #assignModes(): void {
    const nowMs = this.#deps.clock.now();
    const maySwap = nowMs >= this.#swapDueMs;
    if (maySwap) this.#swapDueMs = nowMs + SWAP_MS;
    const rank = ({ mode, account, address }: Followed): number => {
      const score = this.#activity.of(address, nowMs);
      if (mode === "poll" || account === null) return score;
      return maySwap ? SWAP_FACTOR * score + SWAP_MARGIN : Number.POSITIVE_INFINITY;
    };
    const isOurs = ({ address }: Followed) => this.#held?.has(followDuty(address)) ?? true;
    const wishes = this.#followed
      .filter((one) => one.wish !== "poll" && this.#wanted.has(one.address) && isOurs(one))
      .map((followed) => ({ followed, rank: rank(followed) }))
      // Of equals, the first.
      .sort((a, b) => (a.rank === b.rank ? 0 : b.rank - a.rank));
    const chosen = new Set(wishes.slice(0, this.#usersMax).map(({ followed }) => followed));
    for (const followed of this.#followed.filter(isOurs)) {
      const mode = chosen.has(followed) ? "stream" : "poll";
      if (followed.mode !== mode && followed.account !== null)
        this.#standby.renew(followDuty(followed.address));
      followed.mode = mode;
    }
  }

  #duties(accounts: readonly Followed[]): Duty[] {
    const duties = accounts.map((followed): Duty => {
      const begin = (signal: AbortSignal) => this.#begin(followed, signal);
      const isOwn = this.#config.accounts.some(({ address }) => address === followed.address);
      const isShared = this.#deps.shared !== undefined && !isOwn;
      return { name: followDuty(followed.address), isShared, begin, leave: () => this.#leave(followed) };
    });
    const choice = this.#config.market;
    if (choice === null) return duties;
    const begin = async (signal: AbortSignal) => {
      const dexes = await this.#dexes.open(signal);
      const most = this.#share?.subscriptions ?? LIMITS.subscriptions;
      const room = Math.max(0, most - this.#subscriptionsOfAccounts(dexes));
      const market = new Market({ ...this.#deps, dexes, choice, room, commit: this.#commit });
      await market.start(signal);
      this.#market = market;
    };
    const leave = async () => {
      await this.#market?.stop();
      this.#market = null;
    };
    return [...duties, { name: marketDuty(choice), isShared: false, begin, leave }];
  }

  /** What the venue's limit is used for first, whether this process follows them or another of this address. */
  #subscriptionsOfAccounts(dexes: readonly string[]): number {
    // With a roster, or with others behind the same address, more of them may come.
    const streamed = this.#followed.filter(({ mode }) => mode === "stream").length;
    const users = this.#deps.shared ? this.#usersIn(LIMITS.connections) : streamed;
    return users * this.#subscriptions("0x", dexes).length;
  }

  #subscriptions(user: Address, dexes: readonly string[]): Subscription[] {
    const subscriptions = accountSubscriptions(user, dexes);
    return this.#config.webData2 ? [...subscriptions, { type: "webData2", user }] : subscriptions;
  }

  async #begin(followed: Followed, signal: AbortSignal): Promise<void> {
    await this.#dexes.open(signal);
    // One that is polled from now on may still have its stream.
    if (followed.mode === "stream" && this.#streams >= this.#usersMax)
      throw new TransportError("another account's stream is not closed yet");
    const deps = {
      ...this.#deps,
      volatilities: this.#volatilities,
      prices: this.#prices,
      markets: this.#markets,
      dexes: this.#dexes,
    };
    const account = openAccount(deps, this.#config, followed, this.#commit);
    await account.open();
    const pollMs = this.#pollMsOf(followed);
    await this.#deps.store.noteFollowed(account.address, pollMs);
    followed.noted = { pollMs };
    signal.throwIfAborted();
    followed.account = account;
    if (followed.mode === "poll") {
      followed.turn = newTurn(this.#deps.clock.now());
      this.#pollBell.ring("look");
      return;
    }
    followed.lane = this.#lane(account, this.#dexes.names);
    followed.lane.start();
  }

  /** Stops intake, writes what was received, then lets go. */
  async #leave(followed: Followed): Promise<void> {
    for (const task of [pollOf, glanceOf, repairsOf, gapsOf, moreOf])
      this.#polls.giveUp(task(followed.address));
    followed.turn = null;
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

  /** Accounts without a stream take turns (`turns.ts`). */
  async #poll(): Promise<void> {
    const { signal } = this.#abort;
    const { clock } = this.#deps;
    while (!signal.aborted) {
      const nowMs = clock.now();
      const polled = this.#followed.flatMap(({ address, account, turn }) =>
        account && turn ? [{ address, account, turn, score: this.#activity.of(address, nowMs) }] : [],
      );
      for (let next = this.#turns.next(polled, nowMs); next; next = this.#turns.next(polled, nowMs))
        this.#take(next.one, next.isGlance, nowMs);
      await this.#pollBell.wait(clock, this.#turns.nextDueMs(polled, nowMs) - nowMs, signal);
    }
  }

  #take(
    { address, account, turn }: { address: Address; account: Account; turn: Turn },
    isGlance: boolean,
    nowMs: number,
  ): void {
    const glance = async (signal: AbortSignal) => {
      if (await account.glance(signal)) this.#turns.moved({ turn }, this.#deps.clock.now());
    };
    const read = async (signal: AbortSignal) => {
      await this.#read(address, account, signal);
      this.#turns.read({ turn, score: this.#activity.of(address, nowMs) }, nowMs);
    };
    void this.#polls.run((isGlance ? glanceOf : pollOf)(address), isGlance ? glance : read).then(() => {
      if (isGlance) turn.isGlanced = false;
      else turn.reading = null;
      this.#pollBell.ring("look");
    });
  }

  async #read(address: Address, account: Account, signal: AbortSignal): Promise<void> {
    await account.catchUp(account.isTakenOver ? "takeOver" : "poll", signal);
    // Beside the turns: neither a loss nor a long history holds up an account.
    void this.#polls.run(repairsOf(address), (lost) => account.repairs.runLasting(lost));
    if (account.hasOldGaps())
      void this.#polls.run(gapsOf(address), (older) => account.backfill("backfill", older));
    if (account.isMoreDue()) void this.#polls.run(moreOf(address), (more) => account.learnMore(more));
  }

  /** This process, as the others know it. */
  get worker(): string {
    return (this.#deps.shared ?? ALONE).name;
  }

  /** Fencing tokens of what is ours, by the names of duties. */
  tokens(): Map<string, number> {
    const duties = this.#standby.status();
    return new Map(duties.flatMap(({ name, token }) => (token === null ? [] : [[name, token] as const])));
  }

  status(): EngineStatus {
    const duties = new Map(this.#standby.status().map((duty) => [duty.name, duty]));
    const holderOf = (address: Address) => duties.get(followDuty(address))?.holder ?? null;
    return {
      writesRefused: this.#writes.refused,
      accounts: this.#followed
        .filter(({ address }) => this.#wanted.has(address))
        .map((followed) => ({ ...followed, ...(followed.noted ?? { pollMs: this.#pollMsOf(followed) }) }))
        .map(({ pollMs, ...followed }) => ({
          address: followed.address,
          alias: followed.alias,
          mode: pollMs === null ? "stream" : "poll",
          pollMs,
          lane: followed.lane?.status() ?? null,
          role: followed.account === null ? "standby" : "active",
          holder: this.#deps.shared ? holderOf(followed.address) : null,
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
    await this.#standby.stop();
    this.#abort.abort(new Error("stopped"));
    await Promise.all([this.#polls.stop(), this.#loops]);
  }
}
