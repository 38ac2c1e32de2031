/**
 * The venue model: a pure, deterministic Hyperliquid. Guarantees: same options and same calls with the same times give
 * the same bytes; nothing here reads a clock, a random source or a socket. Time moves only by `advance`.
 *
 * Blocks: everything due is done in blocks 81–99 ms apart (on a fixed grid, so that idle time costs nothing).
 * An action executes at once, in a block of its own time; actions that follow each other without an `info`, `truth` or
 * `advance` in between share that block. A block is sent to listeners when it is closed by one of those three, and an
 * answer of `info` always contains everything that happened before it.
 */
import { InvariantError } from "../../errors.ts";
import type { Decimal } from "../../runtime/decimal.ts";
import type { Answer, Block, ExecuteOptions, Json, JsonObject, Truth, Venue } from "../contract.ts";
import type { Account } from "./account.ts";
import {
  accountFor,
  clearinghouseState,
  equityOf,
  frontendOpenOrders,
  recordedOf,
  spotState,
} from "./accountInfo.ts";
import { runAction } from "./actions.ts";
import { type ActiveAccount, startActiveAccount } from "./activeAccounts.ts";
import { chargeStale, countRequest } from "./addressLimits.ts";
import { fixed } from "./fixed.ts";
import { startFunding } from "./funding.ts";
import { answerInfo } from "./info.ts";
import { liquidateUnderwater } from "./liquidation.ts";
import type { Pace } from "./pace.ts";
import { normalizeRecorded, type RecordedAccount } from "./recorded.ts";
import { failed } from "./requestBody.ts";
import { runScript, type Script } from "./script.ts";
import { DEFAULT_SWITCHES, type Switches } from "./switches.ts";
import { fireTriggers } from "./tpsl.ts";
import { DEFAULT_TRADERS, joinDex, type Ladder, startTraders, type TraderOptions } from "./traders.ts";
import { deposit } from "./transfers.ts";
import { twapStates, watchTwaps } from "./twap.ts";
import { DEFAULT_UNIVERSE, type Universe } from "./universe.ts";
import { beginTransaction, closeBlock, newWorld, type World } from "./world.ts";

export interface VenueOptions {
  seed?: number;
  startMs?: number;
  /** Stretches of the past that are made in large steps, in order; none by default. */
  paces?: readonly Pace[];
  universe?: Universe;
  /** Simulated traders; false for empty books. */
  traders?: Partial<TraderOptions> | false;
  activeAccounts?: readonly ActiveAccount[];
  /** Accounts served from captured payloads, by address. */
  recorded?: Readonly<Record<string, RecordedAccount>>;
  switches?: Partial<Switches>;
}

/** The model with the controls that only a simulation has. */
export interface SimulatedVenue extends Venue {
  readonly switches: Readonly<Switches>;
  /** From now on; the past stays as it was reported. */
  setSwitches(change: Partial<Switches>): void;
  /** Starts trading for an account now, as `activeAccounts` does at the beginning. */
  addActiveAccount(account: ActiveAccount): void;
  setRecorded(user: string, recorded: RecordedAccount): void;
  /** Moves the oracle price; triggers, liquidations and quotes follow. */
  setOracle(coin: string, px: Decimal): void;
  /** Makes something happen that no user can: ADL, dust conversion, vaults, outcome settlement, ledger rows, new dexes. */
  script(script: Script): void;
}

/** 2026-09-25 18:00 UTC, the day of the newest captures. */
const DEFAULT_START_MS = 1_790_359_200_000;

const SLOT_MS = 90;
/** Slots lie 15–24 ms after a multiple of 90 ms, and so the first block of an hour 15–24 ms after it (§5.4). */
const SLOT_PHASE_MS = 15;
const HOUR_MS = 3_600_000;
/** Cascades of triggers and liquidations inside one block; more would be a loop. */
const MAX_CASCADE = 50;

const slotTime = (slot: number): number =>
  slot * SLOT_MS + SLOT_PHASE_MS + ((Math.imul(slot, 0x9e3779b1) >>> 16) % 10);

/** Time of the first slot at or after `timeMs`. */
function slotAtOrAfter(timeMs: number): number {
  let slot = Math.floor((timeMs - SLOT_PHASE_MS - 10) / SLOT_MS);
  while (slotTime(slot) < timeMs) slot++;
  return slotTime(slot);
}

export function createVenue(options: VenueOptions = {}): SimulatedVenue {
  const seed = (options.seed ?? 1) >>> 0;
  const world = newWorld({
    seed,
    startMs: options.startMs ?? DEFAULT_START_MS,
    paces: options.paces ?? [],
    universe: options.universe ?? DEFAULT_UNIVERSE,
    switches: { ...DEFAULT_SWITCHES, ...options.switches },
  });
  const venue = new VenueModel(world);
  for (const [user, recorded] of Object.entries(options.recorded ?? {})) venue.setRecorded(user, recorded);
  venue.begin(options);
  return venue;
}

const EXPIRED = "Action expired.";

class VenueModel implements SimulatedVenue {
  readonly #world: World;
  #listeners = new Set<(block: Block) => void>();
  #ladders: Map<string, Ladder> = new Map();
  /** Null without a quote. */
  #traders: TraderOptions | null = null;

  constructor(world: World) {
    this.#world = world;
  }

  begin(options: VenueOptions): void {
    const world = this.#world;
    this.#open();
    startFunding(world);
    if (options.traders !== false) {
      this.#traders = { ...DEFAULT_TRADERS, ...options.traders };
      this.#ladders = startTraders(world, this.#traders);
    }
    for (const account of options.activeAccounts ?? []) {
      startActiveAccount(world, this.#ladders, account, world.startMs);
    }
    this.#sampleEquity((Math.floor(world.startMs / HOUR_MS) + 1) * HOUR_MS);
    this.#flush();
  }

  get nowMs(): number {
    return Math.max(this.#world.nowMs, this.#world.lastBlockMs);
  }

  get switches(): Readonly<Switches> {
    return this.#world.switches;
  }

  setSwitches(change: Partial<Switches>): void {
    Object.assign(this.#world.switches, change);
  }

  advance(toMs: number): void {
    const world = this.#world;
    this.#flush();
    for (;;) {
      const due = world.schedule.nextMs;
      if (due > toMs) break;
      const blockMs = slotAtOrAfter(Math.max(due, world.lastBlockMs + 1));
      if (blockMs > toMs) break;
      world.nowMs = Math.max(world.nowMs, blockMs);
      world.building = true;
      world.blockMs = blockMs;
      beginTransaction(world);
      world.schedule.runDue(blockMs);
      this.#flush();
    }
    world.nowMs = Math.max(world.nowMs, toMs);
  }

  execute(user: string, action: JsonObject, options: ExecuteOptions): Answer {
    const world = this.#world;
    const isStale = options.expiresAfter != null && this.nowMs > options.expiresAfter;
    const account = this.#actor(user.toLowerCase(), options.vaultAddress ?? null);
    if (typeof account === "string") return failed(isStale ? EXPIRED : account);
    if (isStale) {
      chargeStale(account, action);
      return failed(EXPIRED);
    }
    this.#open();
    beginTransaction(world);
    const tooMany = world.switches.addressLimits ? countRequest(account, action, this.nowMs) : null;
    if (tooMany !== null) return failed(tooMany);
    const answer = runAction(world, account, action, options);
    this.#settle();
    return answer;
  }

  /** The account that acts, or the reason why none does. */
  #actor(user: string, vaultAddress: string | null): Account | string {
    const world = this.#world;
    const account = world.accounts.get(user);
    if (account === undefined) return `Must deposit before performing actions. User: ${user}`;
    if (vaultAddress === null) return account;
    const target = vaultAddress.toLowerCase();
    const owned = world.accounts.get(target);
    const led = world.vaults.some((v) => v.address === target && v.leader === user);
    if (owned === undefined || !(owned.master === user || led)) return `Vault not registered: ${target}`;
    return owned;
  }

  actsFor(signer: string): string | null {
    const address = signer.toLowerCase();
    if (this.#world.accounts.has(address)) return address;
    const owner = this.#world.agentOwners.get(address);
    const agent =
      owner === undefined
        ? undefined
        : accountFor(this.#world, owner).agents.find((a) => a.address === address);
    return agent !== undefined && agent.validUntil > this.nowMs ? (owner as string) : null;
  }

  info(request: Json): Answer {
    this.#flush();
    return answerInfo(this.#world, request);
  }

  onBlock(listener: (block: Block) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  truth(user: string): Truth {
    this.#flush();
    const world = this.#world;
    const account = accountFor(world, user.toLowerCase());
    const recorded = recordedOf(world, account.user);
    const slices = (recorded.twapSliceFills ?? []) as unknown as Truth["twapSliceFills"];
    const deltas = (recorded.funding ?? []).map((row): JsonObject => {
      const { type: _, ...delta } = row.delta as JsonObject;
      return { time: row.time as number, ...delta };
    });
    return {
      user: account.user,
      fills: [...(recorded.fills ?? []), ...account.fills],
      twapSliceFills: [...slices, ...account.twapFills],
      twapHistory: [...(recorded.twapHistory ?? []), ...account.twapHistory],
      liquidations: [...account.liquidations],
      notifications: [...account.notifications],
      orderEvents: [...(recorded.historicalOrders ?? []), ...(account.orderRows as unknown as JsonObject[])],
      openOrders: world.universe.dexes.flatMap((dex) => frontendOpenOrders(world, account, dex.name)),
      funding: [...deltas, ...account.funding],
      ledger: [...(recorded.ledger ?? []), ...account.ledger],
      positions: world.universe.dexes.flatMap(({ name }) => {
        const state = clearinghouseState(world, account, name) as {
          assetPositions?: { position: JsonObject }[];
        };
        return (state.assetPositions ?? []).map(({ position }) => ({
          dex: name,
          coin: position.coin as string,
          szi: position.szi as string,
        }));
      }),
      balances: ((spotState(world, account).balances ?? []) as JsonObject[]).map((balance) => ({
        coin: balance.coin as string,
        total: balance.total as string,
      })),
    };
  }

  twapStates(user: string, dex: string): Json[] {
    this.#flush();
    return twapStates(this.#world, user.toLowerCase(), dex);
  }

  users(): string[] {
    const world = this.#world;
    const real = [...world.accounts.values()].filter((a) => !a.isTrader || world.switches.observeTraders);
    return [...new Set([...real.map((a) => a.user), ...world.recorded.keys()])];
  }

  coins(): string[] {
    return this.#world.markets.map((m) => m.coin);
  }

  deposit(user: string, usd: Decimal): void {
    this.#open();
    beginTransaction(this.#world);
    deposit(this.#world, user.toLowerCase(), fixed(usd));
  }

  addActiveAccount(account: ActiveAccount): void {
    this.#open();
    startActiveAccount(this.#world, this.#ladders, account, this.nowMs);
  }

  setRecorded(user: string, recorded: RecordedAccount): void {
    this.#world.recorded.set(user.toLowerCase(), normalizeRecorded(recorded));
  }

  setOracle(coin: string, px: Decimal): void {
    const market = this.#world.byCoin.get(coin);
    if (market === undefined) throw new InvariantError(`no market ${JSON.stringify(coin)}: see coins()`);
    this.#open();
    market.oraclePx = fixed(px);
    this.#world.moved.add(market);
    this.#ladders.get(coin)?.requote();
    this.#settle();
  }

  script(script: Script): void {
    this.#open();
    beginTransaction(this.#world);
    runScript(this.#world, script);
    if (script.type === "deployDex" && this.#traders !== null) {
      const listed = this.#world.markets.filter(({ dex }) => dex === script.name);
      joinDex(this.#world, this.#ladders, listed, this.#traders);
    }
    this.#settle();
  }

  /** Starts a block at the present, strictly after the last one. */
  #open(): void {
    const world = this.#world;
    if (world.building) return;
    world.building = true;
    world.blockMs = Math.max(world.nowMs, world.lastBlockMs + 1);
  }

  /** Follows the prices that moved: triggers, TWAP conditions, liquidations, until nothing moves any more. */
  #settle(): void {
    const world = this.#world;
    for (let round = 0; world.moved.size > 0; round++) {
      if (round === MAX_CASCADE)
        throw new InvariantError(`triggers and liquidations did not settle at ${world.blockMs}`);
      const moved = world.moved;
      world.moved = new Set();
      for (const market of moved) {
        fireTriggers(world, market);
        if (world.twaps.size > 0) watchTwaps(world, market);
      }
      liquidateUnderwater(world, moved);
    }
  }

  #flush(): void {
    const world = this.#world;
    if (!world.building) return;
    this.#settle();
    world.building = false;
    const block = closeBlock(world);
    if (block === null) return;
    for (const listener of this.#listeners) listener(block);
  }

  /** Hourly samples for `portfolio`; at most a year of them per account. */
  #sampleEquity(dueMs: number): void {
    const world = this.#world;
    world.schedule.at(dueMs, () => {
      for (const account of world.accounts.values()) {
        if (account.isTrader) continue;
        const { cumLedger: deposited } = account;
        account.equity.push({ timeMs: world.blockMs, ...equityOf(world, account), deposited });
        if (account.equity.length > 8784) account.equity.shift();
      }
      this.#sampleEquity(dueMs + HOUR_MS);
    });
  }
}
