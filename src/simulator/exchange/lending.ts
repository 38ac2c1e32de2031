/**
 * Lending: what an account supplied earns, what it borrowed costs, by the hour.
 *
 * Guarantees: supplying moves no balance, what is supplied is inside the total [real sub-account]; borrowing adds to the
 * balance and to what is owed beside it. Interest grows what is supplied (and the total), and what is owed; the venue
 * writes no ledger row for it, only the next operation tells what came together. Assumes rates: the real ones are not known.
 */
import type { JsonObject } from "../contract.ts";
import type { Account, Loan } from "./account.ts";
import { type Fixed, format, min, mul, truncate } from "./fixed.ts";
import { freeBalance, giveToken, takeToken } from "./pockets.ts";
import type { Refused } from "./transfers.ts";
import { borrowable, loanToValue } from "./unified.ts";
import type { TokenListing } from "./universe.ts";
import { collect, keep, priceOf, recordLedger, touch, type World } from "./world.ts";

/** Per hour, of 10⁸. */
const SUPPLY_RATE = 500n;
const BORROW_RATE = 1_000n;
const USDC = 0;

export const OPERATIONS = ["supply", "withdraw", "borrow", "repay"] as const;
type Operation = (typeof OPERATIONS)[number];

export function loanOf(account: Account, token: number): Loan {
  let found = account.loans.get(token);
  if (found === undefined) {
    found = { supplied: 0n, owed: 0n, earned: 0n, charged: 0n };
    account.loans.set(token, found);
  }
  return found;
}

/** Dollars and what is collateral can be lent; tokens that are neither cannot. */
const isLendable = ({ index, name }: TokenListing): boolean => index === USDC || loanToValue(name) > 0n;

const totalOf = (account: Account, token: number): Fixed => account.spot.get(token)?.total ?? 0n;
/** The supplied amount that is reported: never more than is there. */
export const suppliedOf = (account: Account, token: number): Fixed =>
  min(account.loans.get(token)?.supplied ?? 0n, totalOf(account, token) > 0n ? totalOf(account, token) : 0n);

export function borrowLend(
  world: World,
  account: Account,
  operation: Operation,
  token: TokenListing,
  amount: Fixed,
): Refused {
  if (!isLendable(token) || amount <= 0n) return "Token cannot be lent.";
  const refused = move(world, account, operation, token.index, amount);
  if (refused !== null) return refused;
  const loan = loanOf(account, token.index);
  const isOwn = operation === "supply" || operation === "withdraw";
  recordLedger(world, [account.user], {
    type: "borrowLend",
    token: token.name,
    operation,
    amount: format(amount),
    interestAmount: format(isOwn ? loan.earned : loan.charged),
  });
  if (isOwn) loan.earned = 0n;
  else loan.charged = 0n;
  touch(world, account);
  return null;
}

function move(world: World, account: Account, operation: Operation, token: number, amount: Fixed): Refused {
  const loan = loanOf(account, token);
  const supplied = suppliedOf(account, token);
  if (operation === "supply") {
    if (amount > freeBalance(account, token) - supplied) return "Insufficient balance to supply.";
    loan.supplied = supplied + amount;
  } else if (operation === "withdraw") {
    if (amount > supplied) return "Insufficient supplied balance.";
    loan.supplied = supplied - amount;
  } else if (operation === "borrow") {
    if (account.abstraction !== "portfolioMargin") return "Borrowing needs portfolio margin.";
    if (mul(amount, priceOf(world, token)) > borrowable(world, account))
      return "Insufficient collateral to borrow.";
    loan.owed += amount;
    giveToken(account, token, amount, 0n);
    collect(world, token, -amount);
  } else {
    if (amount > loan.owed || amount > freeBalance(account, token)) return "Insufficient balance to repay.";
    loan.owed -= amount;
    takeToken(account, token, amount);
    collect(world, token, amount);
  }
  return null;
}

/** To be run once an hour, by funding. */
export function payInterest(world: World): void {
  for (const account of world.accounts.values()) {
    for (const [token, loan] of account.loans) {
      const earned = truncate(mul(suppliedOf(account, token), SUPPLY_RATE), 8);
      const charged = truncate(mul(loan.owed, BORROW_RATE), 8);
      if (earned === 0n && charged === 0n) continue;
      loan.supplied = suppliedOf(account, token) + earned;
      giveToken(account, token, earned, 0n);
      collect(world, token, -earned);
      loan.earned += earned;
      loan.owed += charged;
      loan.charged += charged;
      const name = world.universe.tokens.find(({ index }) => index === token)?.name ?? String(token);
      const row: JsonObject = {
        time: world.blockMs,
        token: name,
        borrow: format(charged),
        supply: format(earned),
      };
      keep(world, account.interest, row);
      touch(world, account);
    }
  }
}

export const userState = (account: Account): JsonObject => ({
  tokenToState: [...account.loans].map(([token, { owed }]) => [
    token,
    {
      borrow: { basis: format(owed), value: format(owed) },
      supply: { basis: format(suppliedOf(account, token)), value: format(suppliedOf(account, token)) },
    },
  ]),
  health: "healthy",
  healthFactor: null,
});
