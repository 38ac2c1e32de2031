/** Tokens in and out of the spot balance of an account, with what they cost. Who takes also collects or gives. */
import { type Account, balanceOf } from "./account.ts";
import { type Fixed, min, mulDiv } from "./fixed.ts";

/** Staked, and burned for priority. */
export const HYPE = 150;

export function freeBalance(account: Account, token: number): Fixed {
  const balance = account.spot.get(token);
  return balance === undefined ? 0n : balance.total - balance.hold;
}

/** Takes tokens; returns their part of the cost. */
export function takeToken(account: Account, token: number, amount: Fixed): Fixed {
  const balance = balanceOf(account, token);
  const entry =
    balance.total > 0n ? min(balance.entryNtl, mulDiv(balance.entryNtl, amount, balance.total)) : 0n;
  balance.total -= amount;
  balance.entryNtl -= entry;
  return entry;
}

export function giveToken(account: Account, token: number, amount: Fixed, entryNtl: Fixed): void {
  const balance = balanceOf(account, token);
  balance.total += amount;
  balance.entryNtl += entryNtl;
}
