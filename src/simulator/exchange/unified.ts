/**
 * Unified and portfolio-margin accounts: collateral lives in the spot USDC balance and only what positions need is
 * posted to a perp dex, so that `clearinghouseState` of a flat account is all zeros (§2.9). The standard modes keep
 * their collateral where it was deposited.
 *
 * Guarantees: what is posted moves cash between two pockets of one account and changes no sum; the venue's spot `total`
 * is reported with the equity of every dex inside and `hold` with the margin that is posted, so that `total − hold` is free.
 * A dex gets its maintenance margin before any dex gets more than that: as long as the pool covers all of it, no dex is
 * under water. Assumes that every dex takes USDC, as those of the default universe do.
 */
import { type Account, balanceOf, type DexMargin, dexMargin, type PerpDex } from "./account.ts";
import { div, type Fixed, max, min, mul } from "./fixed.ts";
import { priceOf, type World } from "./world.ts";

const USDC = 0;
/** Percent of a token's value that portfolio margin lends, by name; of the rest, half counts before liquidation. */
const LOAN_TO_VALUE = new Map([
  ["HYPE", 50n],
  ["UBTC", 50n],
]);
/** Ratio above which the venue liquidates a portfolio-margin account: 0.95. */
const PORTFOLIO_THRESHOLD: Fixed = 95_000_000n;

export const isUnified = (account: Account): boolean =>
  account.abstraction === "unifiedAccount" || account.abstraction === "portfolioMargin";

/** Percent; 0 for what is no collateral. */
export const loanToValue = (token: string): Fixed => LOAN_TO_VALUE.get(token) ?? 0n;

/** Spot USDC that may back perps: none in the standard modes. */
export function spendableUsdc(account: Account): Fixed {
  if (!isUnified(account)) return 0n;
  const balance = account.spot.get(USDC);
  return balance === undefined ? 0n : max(0n, balance.total - balance.hold);
}

/**
 * Posts to (or takes back from) each dex so that its cross value is what its positions use; moves cash only. When the
 * pool is too small for all, maintenance margins come first, in the order of the dexes; a hole stays with the first.
 */
export function rebalance(account: Account): void {
  if (!isUnified(account)) return;
  const balance = balanceOf(account, USDC);
  const dexes = [...account.dexes.values()].map((dex) => {
    const { cross, crossMaintenance } = dexMargin(account, dex);
    return { dex, value: cross.accountValue, least: crossMaintenance, wanted: cross.marginUsed, posted: 0n };
  });
  const pool = dexes.reduce((sum, { value }) => sum + value, balance.total - balance.hold);
  let rest = pool;
  for (const one of dexes) {
    one.posted = min(one.least, max(0n, rest));
    rest -= one.posted;
  }
  for (const one of dexes) {
    const more = min(max(0n, one.wanted - one.posted), max(0n, rest));
    one.posted += more;
    rest -= more;
  }
  if (rest < 0n && dexes[0] !== undefined) dexes[0].posted += rest;
  for (const { dex, value, posted } of dexes) {
    dex.usd += posted - value;
    balance.total -= posted - value;
  }
  balance.entryNtl = balance.total > 0n ? min(balance.entryNtl, balance.total) : 0n;
}

/** A spot balance as the venue tells it: in the pooled modes USDC contains the equity of every dex, and holds the margin. */
export function toldBalance(account: Account, token: number): { total: Fixed; hold: Fixed } {
  const { total, hold } = account.spot.get(token) ?? { total: 0n, hold: 0n };
  const told = { total, hold };
  if (token !== USDC || !isUnified(account)) return told;
  for (const dex of account.dexes.values()) {
    const { accountValue, marginUsed } = dexMargin(account, dex).total;
    told.total += accountValue;
    told.hold += max(0n, min(marginUsed, accountValue));
  }
  return told;
}

export interface Pool {
  /** All that backs the cross positions; other collateral of portfolio margin at its liquidation value. */
  equity: Fixed;
  /** Of the cross positions of every dex. */
  maintenance: Fixed;
}

export function poolOf(world: World, account: Account): Pool {
  const pool = { equity: account.spot.get(USDC)?.total ?? 0n, maintenance: 0n };
  for (const dex of account.dexes.values()) {
    const { cross, crossMaintenance } = dexMargin(account, dex);
    pool.equity += cross.accountValue;
    pool.maintenance += crossMaintenance;
  }
  if (account.abstraction !== "portfolioMargin") return pool;
  // Half of what is not lent counts too: 0.5 + 0.5 · LTV. Read off the real sub-account: 3012.93 against 2008.62 lent.
  pool.equity += collateralValue(world, account, (ltv) => 50n + ltv / 2n) - debtValue(world, account);
  return pool;
}

/** What portfolio margin would lend against the tokens held. */
export const borrowable = (world: World, account: Account): Fixed =>
  account.abstraction === "portfolioMargin"
    ? max(0n, collateralValue(world, account, (ltv) => ltv) - debtValue(world, account))
    : 0n;

/** What is owed, at its price. */
export function debtValue(world: World, account: Account): Fixed {
  let value = 0n;
  for (const [token, { owed }] of account.loans) value += mul(owed, priceOf(world, token));
  return value;
}

function collateralValue(world: World, account: Account, percent: (ltv: bigint) => bigint): Fixed {
  let value = 0n;
  for (const { name, index } of world.universe.tokens) {
    const ltv = loanToValue(name);
    const held = account.spot.get(index)?.total ?? 0n;
    if (ltv > 0n) value += (mul(held, priceOf(world, index)) * percent(ltv)) / 100n;
  }
  return value;
}

/** Maintenance over equity; null when there is something to maintain and nothing to do it with. */
export function portfolioRatio(world: World, account: Account): Fixed | null {
  const { equity, maintenance } = poolOf(world, account);
  if (maintenance === 0n) return 0n;
  return equity > 0n ? div(maintenance, equity) : null;
}

/** What the cross positions of a dex can lose before they are liquidated. */
export function crossAvailable(world: World, account: Account, margin: DexMargin): Fixed {
  if (!isUnified(account)) return margin.cross.accountValue - margin.crossMaintenance;
  const { equity, maintenance } = poolOf(world, account);
  if (account.abstraction !== "portfolioMargin") return equity - maintenance;
  return mul(equity, PORTFOLIO_THRESHOLD) - maintenance;
}

/** Whether the cross positions of `dex` are due: by what the dex has in the standard modes, by the pool in the others. */
export function isUnderwater(world: World, account: Account, dex: PerpDex): boolean {
  const margin = dexMargin(account, dex);
  return margin.crossMaintenance > 0n && crossAvailable(world, account, margin) < 0n;
}
