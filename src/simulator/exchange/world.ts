/**
 * The state of the whole venue and the events of the block being built. Guarantees: one place where things happen
 * to be seen (`emit…`, `record…`), so that what is streamed, what is listed and what is true are the same rows;
 * every row of one block carries the block's time. Simulated traders leave no private rows unless observed.
 */
import { type Random, seededRandom } from "../../runtime/random.ts";
import type { Block, JsonObject, VenueEvent } from "../contract.ts";
import { type Account, newAccount } from "./account.ts";
import { type Fixed, units } from "./fixed.ts";
import { transactionHash } from "./ids.ts";
import { listMarkets, type Market, markPx } from "./market.ts";
import { basicOrder, frontendOrder, type Order } from "./order.ts";
import type { Pace } from "./pace.ts";
import type { RecordedAccount } from "./recorded.ts";
import { Schedule } from "./schedule.ts";
import type { Switches } from "./switches.ts";
import type { Twap } from "./twap.ts";
import type { Universe } from "./universe.ts";
import type { HourTraded } from "./volumes.ts";

/** Orders per account that `orderStatus` still knows (§3.4). */
const ORDER_RETENTION = 2000;

export interface World {
  seed: number;
  switches: Switches;
  universe: Universe;
  startMs: number;
  paces: readonly Pace[];
  nowMs: number;
  /** True from the first action of a block until it is sent. */
  building: boolean;
  /** Time of the block being built, and of the last one that was sent. */
  blockMs: number;
  lastBlockMs: number;
  height: number;
  txIndex: number;
  /** Hash of the running transaction; made when first needed, most transactions trade nothing. */
  hash: string | null;
  markets: Market[];
  byCoin: Map<string, Market>;
  byAsset: Map<number, Market>;
  accounts: Map<string, Account>;
  agentOwners: Map<string, string>;
  recorded: Map<string, RecordedAccount>;
  schedule: Schedule;
  twaps: Map<number, Twap>;
  events: VenueEvent[];
  dirtyUsers: Set<string>;
  dirtyCoins: Set<string>;
  /** Markets whose mark price may have moved in this block. */
  moved: Set<Market>;
  nextOid: number;
  nextTwapId: number;
  nextLiquidationId: number;
  oidRandom: Random;
  /** Where fees and roundings went, by token index: the other side of the conservation law. */
  collected: Map<number, Fixed>;
  vaults: Vault[];
  /** Volume of all markets, each trade once. */
  traded: HourTraded[];
}

export interface Vault {
  address: string;
  name: string;
  leader: string;
  description: string;
  createdMs: number;
  /** By follower: `equity` is what was put in and not taken out again, `shares` a part of what the vault is worth. */
  followers: Map<string, { equity: Fixed; shares: Fixed; enteredMs: number }>;
}

export interface WorldOptions {
  seed: number;
  startMs: number;
  paces: readonly Pace[];
  universe: Universe;
  switches: Switches;
}

/** First oid handed out: the region of mainnet in autumn 2026. */
const FIRST_OID = 556_000_000_000;

export function newWorld(options: WorldOptions): World {
  // A copy: scripts change listings, and two worlds may be made of the same options.
  const universe = structuredClone(options.universe);
  const markets = listMarkets(universe);
  return {
    ...options,
    universe,
    nowMs: options.startMs,
    building: false,
    blockMs: options.startMs,
    lastBlockMs: options.startMs - 1,
    height: 1_200_000_000,
    txIndex: 0,
    hash: null,
    markets,
    byCoin: new Map(markets.map((m) => [m.coin, m])),
    byAsset: new Map(markets.map((m) => [m.asset, m])),
    accounts: new Map(),
    agentOwners: new Map(),
    recorded: new Map(),
    schedule: new Schedule(),
    twaps: new Map(),
    events: [],
    dirtyUsers: new Set(),
    dirtyCoins: new Set(),
    moved: new Set(),
    nextOid: FIRST_OID,
    nextTwapId: 16_000,
    nextLiquidationId: 1,
    oidRandom: seededRandom(`${options.seed}:oid`),
    collected: new Map(),
    vaults: [],
    traded: [],
  };
}

export function accountOf(world: World, user: string, isTrader = false): Account {
  let account = world.accounts.get(user);
  if (account === undefined) {
    account = newAccount(user, isTrader);
    account.abstraction = world.switches.defaultAbstraction;
    world.accounts.set(user, account);
  }
  return account;
}

/** Other people's orders take ids in between, so ours grow by irregular steps. */
export function takeOid(world: World): number {
  world.nextOid += 1 + Math.floor(world.oidRandom.next() * 7);
  return world.nextOid;
}

/** Every action is a transaction with its own hash. */
export function beginTransaction(world: World): void {
  world.txIndex++;
  world.hash = null;
}

export function hashOf(world: World): string {
  world.hash ??= transactionHash(world.seed, world.height + 1, world.txIndex);
  return world.hash;
}

export const isQuiet = (world: World, account: Account): boolean =>
  account.isTrader && !world.switches.observeTraders;

export function collect(world: World, token: number, amount: Fixed): void {
  world.collected.set(token, (world.collected.get(token) ?? 0n) + amount);
}

export function touch(world: World, account: Account): void {
  if (!isQuiet(world, account)) world.dirtyUsers.add(account.user);
}

export function touchBook(world: World, market: Market): void {
  world.dirtyCoins.add(market.coin);
  world.moved.add(market);
}

/** Appends to a history, which the switch `historyLimit` may cut to its newest rows. */
export function keep<T>(world: World, rows: T[], row: T): void {
  rows.push(row);
  const limit = world.switches.historyLimit;
  if (limit !== null && rows.length >= 2 * limit) rows.splice(0, rows.length - limit);
}

/** One transition of one order: history row, status index and event. */
export function recordOrder(world: World, order: Order, status: string): void {
  const account = accountOf(world, order.user);
  touch(world, account);
  if (isQuiet(world, account)) return;
  const full = frontendOrder(order);
  if (status === "filled" && world.switches.filledRowsKeepSize) full.sz = full.origSz as string;
  const row = { order: full, status, statusTimestamp: world.blockMs };
  keep(world, account.orderRows, row);
  if (order.cloid !== null) account.oidByCloid.set(order.cloid, order.oid);
  account.statusByOid.set(order.oid, row);
  if (account.statusByOid.size > ORDER_RETENTION) forgetOldest(account);
  world.events.push({
    type: "orderUpdate",
    user: order.user,
    order: basicOrder(order),
    full,
    status,
    statusTimestamp: world.blockMs,
  });
}

function forgetOldest(account: Account): void {
  for (const [oid, row] of account.statusByOid) {
    if (account.orders.has(oid)) continue;
    account.statusByOid.delete(oid);
    const cloid = row.order.cloid;
    if (typeof cloid === "string" && account.oidByCloid.get(cloid) === oid) account.oidByCloid.delete(cloid);
    return;
  }
}

export function recordFill(world: World, account: Account, fill: JsonObject, twapId: number | null): void {
  touch(world, account);
  if (isQuiet(world, account)) return;
  if (twapId === null) {
    keep(world, account.fills, fill);
    world.events.push({ type: "fill", user: account.user, fill });
  } else {
    keep(world, account.twapFills, { fill, twapId });
    world.events.push({ type: "twapSliceFill", user: account.user, fill, twapId });
  }
}

/** Appends a ledger row to every listed account; `delta` is the venue's object. */
export function recordLedger(world: World, users: readonly string[], delta: JsonObject): void {
  for (const user of new Set(users)) {
    const account = world.accounts.get(user);
    if (account === undefined) continue;
    touch(world, account);
    if (isQuiet(world, account)) continue;
    const update: JsonObject = { time: world.blockMs, hash: hashOf(world), delta };
    keep(world, account.ledger, update);
    world.events.push({ type: "ledger", user, update });
  }
}

export function recordNotification(world: World, account: Account, notification: string): void {
  if (isQuiet(world, account)) return;
  keep(world, account.notifications, { time: world.blockMs, notification });
  world.events.push({ type: "notification", user: account.user, notification });
}

export function recordLiquidation(world: World, account: Account, liquidation: JsonObject): void {
  keep(world, account.liquidations, { time: world.blockMs, ...liquidation });
  world.events.push({ type: "liquidation", user: account.user, liquidation });
}

/** Closes the block being built; null when nothing happened in it. */
export function closeBlock(world: World): Block | null {
  for (const coin of world.dirtyCoins) world.events.push({ type: "book", coin });
  for (const user of world.dirtyUsers) world.events.push({ type: "state", user });
  world.dirtyCoins.clear();
  world.dirtyUsers.clear();
  if (world.events.length === 0) return null;
  world.height++;
  world.txIndex = 0;
  world.lastBlockMs = world.blockMs;
  const block = { height: world.height, timeMs: world.blockMs, events: world.events };
  world.events = [];
  return block;
}

const USDC = 0;

/** USDC worth of one token: 1 for USDC, else the mark of its USDC pair, else 0. */
export function priceOf(world: World, token: number): Fixed {
  if (token === USDC) return units(1);
  const market = world.markets.find((m) => m.spot?.base.index === token && m.spot.quote.index === USDC);
  return market === undefined ? 0n : markPx(market);
}
