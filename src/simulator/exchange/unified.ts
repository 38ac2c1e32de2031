/**
 * Unified and portfolio-margin accounts: collateral lives in the spot USDC balance and only what positions need is
 * posted to a perp dex, so that `clearinghouseState` of a flat account is all zeros (§2.9). The standard modes keep
 * their collateral where it was deposited.
 */
import { type Account, balanceOf, dexMargin } from "./account.ts";
import { type Fixed, max, min } from "./fixed.ts";

const USDC = 0;

export const isUnified = (account: Account): boolean =>
  account.abstraction === "unifiedAccount" || account.abstraction === "portfolioMargin";

/** Spot USDC that may back perps: none in the standard modes. */
export function spendableUsdc(account: Account): Fixed {
  if (!isUnified(account)) return 0n;
  const balance = account.spot.get(USDC);
  return balance === undefined ? 0n : max(0n, balance.total - balance.hold);
}

/** Posts to (or takes back from) each dex so that its cross value is what its positions use; moves cash only. */
export function rebalance(account: Account): void {
  if (!isUnified(account)) return;
  const balance = balanceOf(account, USDC);
  for (const dex of account.dexes.values()) {
    const { cross } = dexMargin(account, dex);
    const missing = cross.marginUsed - cross.accountValue;
    const moved = missing > 0n ? min(missing, max(0n, balance.total - balance.hold)) : missing;
    dex.usd += moved;
    balance.total -= moved;
    balance.entryNtl = balance.total > 0n ? min(balance.entryNtl, balance.total) : 0n;
  }
}
