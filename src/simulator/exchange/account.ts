/**
 * One account: balances, positions and margin, and what a fill does to them. Guarantees: every unit of money that
 * enters leaves somewhere (the conservation test counts them); cost bases are exact, so that closed and unrealized
 * PnL always add up to cash. Formulas are those of §5.7 of the venue facts, measured on real captures.
 */
import type { JsonObject } from "../contract.ts";
import {
  abs,
  type Fixed,
  formatScaled,
  max,
  min,
  mul,
  mulDiv,
  roundDiv,
  signOf,
  TEN,
  truncate,
} from "./fixed.ts";
import { type Market, maintenanceMargin, markPx } from "./market.ts";
import type { Order } from "./order.ts";
import type { HourTraded } from "./volumes.ts";

export interface Position {
  market: Market;
  /** Signed size; never 0 while listed. */
  szi: Fixed;
  /** What the open size cost, positive: |szi| · entry price. */
  cost: Fixed;
  /** Own cash of an isolated position, negative for a long; null when cross. */
  isolatedUsd: Fixed | null;
  /** Positive was paid by the user. */
  fundingSinceOpen: Fixed;
  fundingSinceChange: Fixed;
}

/** Leverage chosen for a coin; kept while flat. */
export interface Leverage {
  isCross: boolean;
  value: number;
}

export interface PerpDex {
  /** Raw cash: deposits + realized PnL − fees − cost of longs + proceeds of shorts. May be negative. */
  usd: Fixed;
  positions: Map<string, Position>;
}

interface SpotBalance {
  total: Fixed;
  /** Reserved by open orders. */
  hold: Fixed;
  /** Cost of what is held, in the quote currency. */
  entryNtl: Fixed;
}

/** HYPE of the staking account. */
export interface Stake {
  free: Fixed;
  /** By validator. */
  delegations: Map<string, { amount: Fixed; lockedUntilMs: number }>;
  /** On its way to spot, oldest first. */
  pending: Fixed[];
  history: JsonObject[];
  rewards: JsonObject[];
}

export interface Loan {
  /** Never more than the balance. */
  supplied: Fixed;
  owed: Fixed;
  /** Interest since the last operation: earned, and owed. */
  earned: Fixed;
  charged: Fixed;
}

export type Abstraction = "default" | "disabled" | "unifiedAccount" | "portfolioMargin";

export interface Agent {
  address: string;
  /** "" for the unnamed one. */
  name: string;
  validUntil: number;
}

interface OrderRow {
  order: JsonObject;
  status: string;
  statusTimestamp: number;
}

export interface Account {
  user: string;
  /** Simulated traders are never liquidated and, unless observed, send no private events and keep no history. */
  isTrader: boolean;
  dexes: Map<string, PerpDex>;
  leverages: Map<string, Leverage>;
  spot: Map<number, SpotBalance>;
  stake: Stake;
  /** What is lent and owed, by token. */
  loans: Map<number, Loan>;
  /** Open orders, oldest first; children of waiting parents included. */
  orders: Map<number, Order>;
  abstraction: Abstraction;
  master: string | null;
  subAccounts: { name: string; user: string }[];
  isVault: boolean;
  agents: Agent[];
  approvedBuilders: Map<string, bigint>;
  scheduledCancelMs: number | null;
  cancelDay: number;
  cancelsToday: number;
  /** Ledger total as the venue's `cumLedger`: deposits less withdrawals. */
  cumLedger: Fixed;
  fundingAllTime: Map<string, Fixed>;
  /** Of a lifetime, and by the hour. */
  volume: { cross: Fixed; add: Fixed; perp: Fixed };
  traded: HourTraded[];
  /** Actions sent, what was bought on top of the allowance, and the last one beyond it (§4). */
  requests: number;
  reservedRequests: number;
  lastRequestOverMs: number;
  /** Everything that happened, oldest first; capped by the switch `historyLimit`. */
  fills: JsonObject[];
  twapFills: { fill: JsonObject; twapId: number }[];
  orderRows: OrderRow[];
  twapHistory: JsonObject[];
  liquidations: JsonObject[];
  notifications: { time: number; notification: string }[];
  funding: JsonObject[];
  ledger: JsonObject[];
  /** Of loans, by the hour. */
  interest: JsonObject[];
  /** Newest status row by oid, and oid by cloid, of the newest placed orders. */
  statusByOid: Map<number, OrderRow>;
  oidByCloid: Map<string, number>;
  /** Hourly samples of the account value, for `portfolio`. */
  equity: { timeMs: number; total: Fixed; perp: Fixed; deposited: Fixed }[];
}

export function newAccount(user: string, isTrader: boolean): Account {
  return {
    user,
    isTrader,
    dexes: new Map(),
    leverages: new Map(),
    spot: new Map(),
    stake: { free: 0n, delegations: new Map(), pending: [], history: [], rewards: [] },
    loans: new Map(),
    orders: new Map(),
    abstraction: "default",
    master: null,
    subAccounts: [],
    isVault: false,
    agents: [],
    approvedBuilders: new Map(),
    scheduledCancelMs: null,
    cancelDay: 0,
    cancelsToday: 0,
    cumLedger: 0n,
    fundingAllTime: new Map(),
    volume: { cross: 0n, add: 0n, perp: 0n },
    traded: [],
    requests: 0,
    reservedRequests: 0,
    lastRequestOverMs: 0,
    fills: [],
    twapFills: [],
    orderRows: [],
    twapHistory: [],
    liquidations: [],
    notifications: [],
    funding: [],
    ledger: [],
    interest: [],
    statusByOid: new Map(),
    oidByCloid: new Map(),
    equity: [],
  };
}

export function dexOf(account: Account, dex: string): PerpDex {
  let found = account.dexes.get(dex);
  if (found === undefined) {
    found = { usd: 0n, positions: new Map() };
    account.dexes.set(dex, found);
  }
  return found;
}

export function balanceOf(account: Account, token: number): SpotBalance {
  let found = account.spot.get(token);
  if (found === undefined) {
    found = { total: 0n, hold: 0n, entryNtl: 0n };
    account.spot.set(token, found);
  }
  return found;
}

export const positionOf = (account: Account, market: Market): Position | undefined =>
  account.dexes.get(market.dex)?.positions.get(market.coin);

/** The venue starts everyone at 20x cross, or the most the market allows. */
export function leverageOf(account: Account, market: Market): Leverage {
  const chosen = account.leverages.get(market.coin);
  if (chosen !== undefined) return chosen;
  const listing = market.perp;
  const isCross = listing?.onlyIsolated !== true && listing?.marginMode === undefined;
  return { isCross, value: Math.min(20, listing?.maxLeverage ?? 20) };
}

interface PerpFillResult {
  startPosition: Fixed;
  closedPnl: Fixed;
  dir: string;
}

function direction(start: Fixed, end: Fixed, isBuy: boolean): string {
  if (start === 0n || signOf(start) === (isBuy ? 1n : -1n)) return isBuy ? "Open Long" : "Open Short";
  if (end !== 0n && signOf(end) !== signOf(start)) return start > 0n ? "Long > Short" : "Short > Long";
  return start > 0n ? "Close Long" : "Close Short";
}

/**
 * Applies one side of a perp trade: cash, cost basis, isolated pocket and fee. The pocket of an isolated position
 * receives `notional / leverage` when it grows and gives back its share of equity when it shrinks.
 */
export function applyPerpFill(
  account: Account,
  market: Market,
  isBuy: boolean,
  px: Fixed,
  sz: Fixed,
  fee: Fixed,
): PerpFillResult {
  const dex = dexOf(account, market.dex);
  const before = dex.positions.get(market.coin);
  const start = before?.szi ?? 0n;
  const signed = isBuy ? sz : -sz;
  const end = start + signed;
  const opposes = start !== 0n && signOf(start) !== signOf(signed);
  const closing = opposes ? min(sz, abs(start)) : 0n;
  const opening = sz - closing;

  let position = before;
  let closedPnl = 0n;
  if (position !== undefined && closing > 0n) {
    // Six decimals, like the venue's closedPnl; a full close takes the whole cost so that nothing is left over.
    const freed =
      closing === abs(start) ? position.cost : truncate(mulDiv(position.cost, closing, abs(start)), 6);
    const proceeds = mul(px, closing);
    closedPnl = start > 0n ? proceeds - freed : freed - proceeds;
    if (position.isolatedUsd !== null) releaseIsolated(dex, position, px, closing, isBuy);
    else dex.usd += isBuy ? -proceeds : proceeds;
    position.cost -= freed;
    position.szi += isBuy ? closing : -closing;
  }
  if (position !== undefined && position.szi === 0n) {
    dex.positions.delete(market.coin);
    position = undefined;
  }
  if (opening > 0n) {
    position = openPosition(account, dex, market, position);
    const notional = mul(px, opening);
    if (position.isolatedUsd !== null) {
      const margin = truncate(notional / BigInt(leverageOf(account, market).value), 6);
      dex.usd -= margin;
      position.isolatedUsd += margin + (isBuy ? -notional : notional);
    } else dex.usd += isBuy ? -notional : notional;
    position.cost += notional;
    position.szi += isBuy ? opening : -opening;
  }
  dex.usd -= fee;
  if (position !== undefined) position.fundingSinceChange = 0n;
  market.openInterest += (abs(end) - abs(start)) / 2n;
  return { startPosition: start, closedPnl, dir: direction(start, end, isBuy) };
}

function openPosition(
  account: Account,
  dex: PerpDex,
  market: Market,
  existing: Position | undefined,
): Position {
  if (existing !== undefined) return existing;
  const position: Position = {
    market,
    szi: 0n,
    cost: 0n,
    isolatedUsd: leverageOf(account, market).isCross ? null : 0n,
    fundingSinceOpen: 0n,
    fundingSinceChange: 0n,
  };
  dex.positions.set(market.coin, position);
  return position;
}

/** Pays the closed share of the pocket's equity (valued at the fill price) back to the dex. */
function releaseIsolated(dex: PerpDex, position: Position, px: Fixed, closing: Fixed, isBuy: boolean): void {
  const size = abs(position.szi);
  const pocket = position.isolatedUsd as Fixed;
  const equity = pocket + mul(px, position.szi);
  const cash = mul(px, closing);
  const released = closing === size ? equity : truncate(mulDiv(equity, closing, size), 6);
  position.isolatedUsd = pocket + (isBuy ? -cash : cash) - released;
  dex.usd += released;
}

/** Applies one side of a spot trade. The buyer pays the fee in the base token, the seller in the quote. */
export function applySpotFill(
  account: Account,
  market: Market,
  isBuy: boolean,
  px: Fixed,
  sz: Fixed,
  fee: Fixed,
): PerpFillResult {
  const { base, quote } = market.spot as NonNullable<Market["spot"]>;
  const bases = balanceOf(account, base.index);
  const quotes = balanceOf(account, quote.index);
  const start = bases.total;
  const notional = mul(px, sz);
  if (isBuy) {
    bases.total += sz - fee;
    bases.entryNtl += notional;
    quotes.total -= notional;
    return { startPosition: start, closedPnl: 0n, dir: "Buy" };
  }
  const freed = start > 0n ? min(bases.entryNtl, mulDiv(bases.entryNtl, sz, start)) : 0n;
  bases.total -= sz;
  bases.entryNtl -= freed;
  quotes.total += notional - fee;
  return { startPosition: start, closedPnl: notional - freed, dir: "Sell" };
}

export interface Margin {
  accountValue: Fixed;
  notional: Fixed;
  rawUsd: Fixed;
  marginUsed: Fixed;
}

export interface DexMargin {
  total: Margin;
  cross: Margin;
  crossMaintenance: Fixed;
  withdrawable: Fixed;
}

export const positionValue = (position: Position, mark: Fixed): Fixed => mul(abs(position.szi), mark);

export const isolatedEquity = (position: Position, mark: Fixed): Fixed =>
  (position.isolatedUsd as Fixed) + mul(position.szi, mark);

/** withdrawable = max(0, value − max(margin used, 10 % of notional)) of the cross part [capture 38252.7 → 486.0]. */
export function dexMargin(account: Account, dex: PerpDex): DexMargin {
  const cross: Margin = { accountValue: dex.usd, notional: 0n, rawUsd: dex.usd, marginUsed: 0n };
  const total: Margin = { accountValue: dex.usd, notional: 0n, rawUsd: dex.usd, marginUsed: 0n };
  let crossMaintenance = 0n;
  for (const position of dex.positions.values()) {
    const mark = markPx(position.market);
    const value = positionValue(position, mark);
    const signed = position.szi > 0n ? value : -value;
    total.notional += value;
    total.accountValue += signed;
    if (position.isolatedUsd !== null) {
      total.accountValue += position.isolatedUsd;
      total.rawUsd += position.isolatedUsd;
      total.marginUsed += max(0n, position.isolatedUsd + signed);
      continue;
    }
    const used = truncate(value / BigInt(leverageOf(account, position.market).value), 6);
    cross.notional += value;
    cross.accountValue += signed;
    cross.marginUsed += used;
    total.marginUsed += used;
    crossMaintenance += maintenanceMargin(position.market, value);
  }
  const needed = max(cross.marginUsed, cross.notional / 10n);
  return { total, cross, crossMaintenance, withdrawable: max(0n, cross.accountValue - needed) };
}

/**
 * Price at which the position is liquidated, ten decimals, or null where no price would do it. `crossAvailable` is what
 * cross positions can lose; an isolated one has its own pocket.
 */
export function liquidationPx(position: Position, mark: Fixed, crossAvailable: Fixed): bigint | null {
  const long = position.szi > 0n;
  const value = positionValue(position, mark);
  const available =
    position.isolatedUsd === null
      ? crossAvailable
      : isolatedEquity(position, mark) - maintenanceMargin(position.market, value);
  const maxLeverage = BigInt(position.market.perp?.maxLeverage ?? 1);
  // mark − side·available/|szi|/(1 − side/(2·maxLeverage)), kept at ten decimals.
  const denominator = abs(position.szi) * (2n * maxLeverage - (long ? 1n : -1n));
  const shift = roundDiv(available * (TEN[10] as bigint) * 2n * maxLeverage, denominator);
  const px = mark * 100n - (long ? shift : -shift);
  return px > 0n ? px : null;
}

export const formatLiquidationPx = (px: bigint | null): string | null =>
  px === null ? null : formatScaled(px, 10);

/** Return on equity at ten decimals: uPnL / (cost / leverage). */
export const returnOnEquity = (pnl: Fixed, cost: Fixed, leverage: number): bigint =>
  cost === 0n ? 0n : roundDiv(pnl * (TEN[10] as bigint) * BigInt(leverage), cost);

/** Displayed entry price: cost per unit, truncated to the price decimals of the market. */
export const entryPx = (position: Position): Fixed =>
  truncate((position.cost * (TEN[8] as bigint)) / abs(position.szi), position.market.pxDecimals);

export const unrealizedPnl = (position: Position, mark: Fixed): Fixed => {
  const value = positionValue(position, mark);
  return position.szi > 0n ? value - position.cost : position.cost - value;
};
