/**
 * The staking account: HYPE moves in from spot at once and back out after a queue, and is delegated to validators between.
 *
 * Guarantees: HYPE is in spot, free in the staking account, delegated or on its way out, and in one of them only; rewards
 * are added to what is delegated, without a ledger row, as the venue compounds them. Shapes: `delegatorHistory` of the
 * captures, `cStakingTransfer` of `gareth0712/node/*.misc_events`. Whether the venue writes the row of a withdrawal when it
 * begins or when it arrives is not known: here when it arrives, with the money.
 */
import type { JsonObject } from "../contract.ts";
import type { Account, Stake } from "./account.ts";
import { type Fixed, format } from "./fixed.ts";
import { freeBalance, giveToken, HYPE, takeToken } from "./pockets.ts";
import type { Refused } from "./transfers.ts";
import { accountOf, collect, hashOf, keep, recordLedger, touch, type World } from "./world.ts";

/** Delegated HYPE stays for a day. */
const LOCKED_MS = 86_400_000;

const sumOf = (amounts: Iterable<Fixed>): Fixed => [...amounts].reduce((sum, amount) => sum + amount, 0n);
const delegated = ({ delegations }: Stake): Fixed =>
  sumOf([...delegations.values()].map(({ amount }) => amount));

/** All of it. */
export const staked = (stake: Stake): Fixed => stake.free + delegated(stake) + sumOf(stake.pending);

function record(world: World, account: Account, delta: JsonObject): void {
  keep(world, account.stake.history, { time: world.blockMs, hash: hashOf(world), delta });
}

export function stakeDeposit(world: World, account: Account, amount: Fixed): Refused {
  if (amount <= 0n || amount > freeBalance(account, HYPE)) return "Insufficient balance for staking deposit.";
  takeToken(account, HYPE, amount);
  account.stake.free += amount;
  record(world, account, { cDeposit: { amount: format(amount) } });
  recordLedger(world, [account.user], {
    type: "cStakingTransfer",
    token: "HYPE",
    amount: format(amount),
    isDeposit: true,
  });
  return null;
}

export function stakeWithdraw(world: World, account: Account, amount: Fixed): Refused {
  const { stake } = account;
  if (amount <= 0n || amount > stake.free) return "Insufficient staking balance.";
  stake.free -= amount;
  stake.pending.push(amount);
  record(world, account, { withdrawal: { amount: format(amount), phase: "initiated" } });
  touch(world, account);
  world.schedule.at(world.blockMs + world.switches.unstakeMs, () => {
    stake.pending.splice(stake.pending.indexOf(amount), 1);
    giveToken(account, HYPE, amount, 0n);
    record(world, account, { withdrawal: { amount: format(amount), phase: "finalized" } });
    recordLedger(world, [account.user], {
      type: "cStakingTransfer",
      token: "HYPE",
      amount: format(amount),
      isDeposit: false,
    });
    touch(world, account);
  });
  return null;
}

export function delegate(
  world: World,
  account: Account,
  validator: string,
  amount: Fixed,
  isUndelegate: boolean,
): Refused {
  const { stake } = account;
  const held = stake.delegations.get(validator);
  if (isUndelegate) {
    if (held === undefined || amount <= 0n || amount > held.amount) return "Insufficient delegation.";
    if (held.lockedUntilMs > world.blockMs) return "Delegation is locked.";
    held.amount -= amount;
    if (held.amount === 0n) stake.delegations.delete(validator);
    stake.free += amount;
  } else {
    if (amount <= 0n || amount > stake.free) return "Insufficient staking balance.";
    stake.free -= amount;
    stake.delegations.set(validator, {
      amount: (held?.amount ?? 0n) + amount,
      lockedUntilMs: world.blockMs + LOCKED_MS,
    });
  }
  record(world, account, { delegate: { validator, amount: format(amount), isUndelegate } });
  touch(world, account);
  return null;
}

/** What delegating earned: to the first validator, else to what is free. */
export function rewardStake(world: World, user: string, amount: Fixed): void {
  const { stake } = accountOf(world, user);
  const [first] = stake.delegations.values();
  if (first === undefined) stake.free += amount;
  else first.amount += amount;
  collect(world, HYPE, -amount);
  keep(world, stake.rewards, { time: world.blockMs, source: "delegation", totalAmount: format(amount) });
}

export const delegatorSummary = ({ stake }: Account): JsonObject => ({
  delegated: format(delegated(stake)),
  undelegated: format(stake.free),
  totalPendingWithdrawal: format(sumOf(stake.pending)),
  nPendingWithdrawals: stake.pending.length,
});

export const delegations = ({ stake }: Account): JsonObject[] =>
  [...stake.delegations].map(([validator, { amount, lockedUntilMs }]) => ({
    validator,
    amount: format(amount),
    lockedUntilTimestamp: lockedUntilMs,
  }));
