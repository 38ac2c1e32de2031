/**
 * Money that moves without a trade: deposits, withdrawals, transfers between accounts, classes and dexes. Guarantees:
 * every movement writes the venue's ledger delta on each account it touches (shapes: §2.8 and the real rows of
 * `gareth0712/node/*.misc_events`); a refusal is a text and changes nothing.
 */
import type { JsonObject } from "../contract.ts";
import { type Account, balanceOf, dexMargin, dexOf } from "./account.ts";
import { type Fixed, format, min, mul, mulDiv, truncate, units } from "./fixed.ts";
import { addressOf } from "./ids.ts";
import { freeBalance, giveToken, takeToken } from "./pockets.ts";
import { isUnified, rebalance } from "./unified.ts";
import type { TokenListing } from "./universe.ts";
import { accountOf, collect, priceOf, recordLedger, touch, type Vault, type World } from "./world.ts";

const WITHDRAWAL_FEE: Fixed = units(1);
/** Charged once, when the destination was never seen. */
const ACTIVATION_FEE: Fixed = units(1);
const USDC = 0;

export type Refused = string | null;

export function deposit(world: World, user: string, usd: Fixed): void {
  const account = accountOf(world, user);
  dexOf(account, "").usd += usd;
  account.cumLedger += usd;
  collect(world, USDC, -usd);
  rebalance(account);
  recordLedger(world, [user], { type: "deposit", usdc: format(usd) });
  touch(world, account);
}

/** Tokens out of nothing, as at genesis: for traders and scripts. */
export function mint(world: World, account: Account, token: TokenListing, amount: Fixed): void {
  const balance = balanceOf(account, token.index);
  balance.total += amount;
  balance.entryNtl += mulDiv(amount, priceOf(world, token.index), units(1));
  collect(world, token.index, -amount);
  recordLedger(world, [account.user], { type: "spotGenesis", token: token.name, amount: format(amount) });
  touch(world, account);
}

export const withdrawable = (account: Account, dex: string): Fixed => {
  const found = account.dexes.get(dex);
  return found === undefined ? 0n : dexMargin(account, found).withdrawable;
};

export function withdraw(world: World, account: Account, usd: Fixed, nonce: number): Refused {
  if (usd <= WITHDRAWAL_FEE || usd > freeDollars(account)) return "Insufficient balance for withdrawal.";
  takeDollars(account, usd);
  account.cumLedger -= usd;
  collect(world, USDC, usd);
  recordLedger(world, [account.user], {
    type: "withdraw",
    // What arrives; the fee is reported beside it.
    usdc: format(usd - WITHDRAWAL_FEE),
    nonce,
    fee: format(WITHDRAWAL_FEE),
  });
  return null;
}

export function classTransfer(world: World, account: Account, usd: Fixed, toPerp: boolean): Refused {
  if (isUnified(account)) return "Action disabled when unified account is active";
  if (usd <= 0n || usd > (toPerp ? freeBalance(account, USDC) : withdrawable(account, ""))) {
    return "Insufficient balance for transfer.";
  }
  const dex = dexOf(account, "");
  if (toPerp) {
    takeToken(account, USDC, usd);
    dex.usd += usd;
  } else {
    dex.usd -= usd;
    giveToken(account, USDC, usd, 0n);
  }
  recordLedger(world, [account.user], { type: "accountClassTransfer", usdc: format(usd), toPerp });
  return null;
}

/** The same between spot and one dex. */
export function dexClassTransfer(
  world: World,
  account: Account,
  dex: string,
  usd: Fixed,
  toPerp: boolean,
): Refused {
  if (isUnified(account)) return "Action disabled when unified account is active";
  if (!world.universe.dexes.some(({ name }) => name === dex)) return `Invalid dex ${JSON.stringify(dex)}.`;
  if (usd <= 0n || usd > (toPerp ? freeBalance(account, USDC) : withdrawable(account, dex)))
    return "Insufficient balance for transfer.";
  if (toPerp) takeToken(account, USDC, usd);
  else giveToken(account, USDC, usd, 0n);
  dexOf(account, dex).usd += toPerp ? usd : -usd;
  const amount = format(usd);
  recordLedger(world, [account.user], { type: "perpDexClassTransfer", amount, token: "USDC", dex, toPerp });
  return null;
}

/** What may leave the account in dollars: from spot where collateral is pooled. */
const freeDollars = (account: Account): Fixed =>
  isUnified(account) ? freeBalance(account, USDC) : withdrawable(account, "");

function takeDollars(account: Account, usd: Fixed): void {
  if (isUnified(account)) takeToken(account, USDC, usd);
  else dexOf(account, "").usd -= usd;
}

/** USDC between the perp accounts of two users. */
export function usdSend(world: World, from: Account, destination: string, usd: Fixed): Refused {
  const fee = world.accounts.has(destination) ? 0n : ACTIVATION_FEE;
  if (usd <= 0n || usd + fee > freeDollars(from)) return "Insufficient balance for transfer.";
  const to = accountOf(world, destination);
  takeDollars(from, usd + fee);
  dexOf(to, "").usd += usd;
  rebalance(to);
  collect(world, USDC, fee);
  recordLedger(world, [from.user, destination], {
    type: "internalTransfer",
    usdc: format(usd),
    user: from.user,
    destination,
    fee: format(fee),
  });
  return null;
}

export function spotSend(
  world: World,
  from: Account,
  destination: string,
  token: TokenListing,
  amount: Fixed,
  nonce: number,
): Refused {
  const fee = world.accounts.has(destination) ? 0n : ACTIVATION_FEE;
  const feeOfToken = token.index === USDC ? fee : 0n;
  if (amount <= 0n || amount + feeOfToken > freeBalance(from, token.index)) {
    return "Insufficient balance for token transfer.";
  }
  if (feeOfToken === 0n && fee > freeBalance(from, USDC)) return "Insufficient balance for token transfer.";
  const to = accountOf(world, destination);
  const worth = truncate(mul(amount, priceOf(world, token.index)), 6);
  const entry = takeToken(from, token.index, amount);
  if (fee > 0n) takeToken(from, USDC, fee);
  giveToken(to, token.index, amount, token.index === USDC ? 0n : entry);
  collect(world, USDC, fee);
  recordLedger(world, [from.user, destination], {
    type: "spotTransfer",
    token: token.name,
    amount: format(amount),
    usdcValue: format(worth),
    user: from.user,
    destination,
    fee: format(fee),
    nativeTokenFee: "0.0",
    nonce,
    feeToken: fee > 0n ? "USDC" : "",
  });
  return null;
}

/** Between users, dexes and spot: `sourceDex` and `destinationDex` are a dex name, "" or "spot". */
interface AssetMove {
  destination: string;
  sourceDex: string;
  destinationDex: string;
  token: TokenListing;
  amount: Fixed;
  nonce: number;
}

export function sendAsset(world: World, from: Account, move: AssetMove): Refused {
  const { destination, sourceDex, destinationDex, token, amount } = move;
  const isDex = (name: string) => world.universe.dexes.some((d) => d.name === name);
  const perpSide = (name: string) => name !== "spot";
  for (const name of [sourceDex, destinationDex]) {
    if (perpSide(name) && (!isDex(name) || token.index !== USDC))
      return `Invalid dex ${JSON.stringify(name)}.`;
  }
  const fee = world.accounts.has(destination) ? 0n : ACTIVATION_FEE;
  // A new account costs a dollar; it comes from where the dollars come from, else from spot.
  const feeInside = token.index === USDC ? fee : 0n;
  const available = perpSide(sourceDex) ? withdrawable(from, sourceDex) : freeBalance(from, token.index);
  if (amount <= 0n || amount + feeInside > available || fee - feeInside > freeBalance(from, USDC))
    return "Insufficient balance for token transfer.";
  const to = accountOf(world, destination);
  let entry = 0n;
  if (perpSide(sourceDex)) dexOf(from, sourceDex).usd -= amount + feeInside;
  else {
    entry = takeToken(from, token.index, amount);
    if (fee > 0n) takeToken(from, USDC, fee);
  }
  collect(world, USDC, fee);
  if (perpSide(destinationDex)) dexOf(to, destinationDex).usd += amount;
  else giveToken(to, token.index, amount, entry);
  rebalance(to);
  recordLedger(world, [from.user, destination], {
    type: "send",
    user: from.user,
    destination,
    sourceDex,
    destinationDex,
    token: token.name,
    amount: format(amount),
    usdcValue: format(truncate(mul(amount, priceOf(world, token.index)), 6)),
    fee: format(fee),
    nativeTokenFee: "0.0",
    nonce: move.nonce,
    feeToken: fee > 0n ? "USDC" : "",
  });
  return null;
}

/** Perp USDC between a master and its sub-account. */
export function subAccountTransfer(world: World, from: Account, to: Account, usd: Fixed): Refused {
  if (usd <= 0n || usd > freeDollars(from)) return "Insufficient balance for transfer.";
  takeDollars(from, usd);
  dexOf(to, "").usd += usd;
  rebalance(to);
  recordLedger(world, [from.user, to.user], {
    type: "subAccountTransfer",
    usdc: format(usd),
    user: from.user,
    destination: to.user,
  });
  return null;
}

export function vaultTransfer(
  world: World,
  account: Account,
  vault: Vault,
  usd: Fixed,
  isDeposit: boolean,
): Refused {
  const traded = accountOf(world, vault.address);
  const pool = dexOf(traded, "");
  const held = vault.followers.get(account.user);
  if (isDeposit) {
    const [worth, shares] = [vaultEquity(world, vault), allShares(vault)];
    if (usd <= 0n || usd > freeDollars(account) || (shares > 0n && worth <= 0n))
      return "Insufficient balance for vault deposit.";
    takeDollars(account, usd);
    pool.usd += usd;
    traded.cumLedger += usd;
    // At what a share is worth now: a deposit takes nothing of what the others made.
    vault.followers.set(account.user, {
      equity: (held?.equity ?? 0n) + usd,
      shares: (held?.shares ?? 0n) + (shares === 0n ? usd : mulDiv(usd, shares, worth)),
      enteredMs: held?.enteredMs ?? world.blockMs,
    });
    const delta = { type: "vaultDeposit", vault: vault.address, usdc: format(usd) };
    recordLedger(world, [account.user, vault.address], delta);
    return null;
  }
  const worth = shareOf(world, vault, account.user);
  if (held === undefined || usd <= 0n || usd > min(worth, withdrawable(traded, ""))) {
    return "Insufficient vault equity.";
  }
  pool.usd -= usd;
  traded.cumLedger -= usd;
  dexOf(account, "").usd += usd;
  rebalance(account);
  // What was put in goes in proportion to what is taken out.
  if (usd === worth) vault.followers.delete(account.user);
  else {
    held.equity -= mulDiv(held.equity, usd, worth);
    held.shares -= mulDiv(held.shares, usd, worth);
  }
  const delta: JsonObject = {
    type: "vaultWithdraw",
    vault: vault.address,
    user: account.user,
    requestedUsd: format(usd),
    commission: "0.0",
    closingCost: "0.0",
    basis: format(usd),
    netWithdrawnUsd: format(usd),
  };
  recordLedger(world, [account.user, vault.address], delta);
  return null;
}

/** Pays a part of the vault to all followers, by their shares. */
export function vaultDistribute(world: World, vault: Vault, usd: Fixed): Refused {
  const account = accountOf(world, vault.address);
  if (usd <= 0n || usd > withdrawable(account, "")) return "Insufficient vault equity.";
  const total = allShares(vault);
  for (const [user, { shares }] of vault.followers) {
    const share = truncate(mulDiv(usd, shares, total), 6);
    if (share === 0n) continue;
    const follower = accountOf(world, user);
    dexOf(account, "").usd -= share;
    dexOf(follower, "").usd += share;
    rebalance(follower);
    const delta = { type: "vaultDistribution", vault: vault.address, usdc: format(share) };
    recordLedger(world, [user, vault.address], delta);
  }
  return null;
}

const allShares = ({ followers }: Vault): Fixed =>
  [...followers.values()].reduce((sum, { shares }) => sum + shares, 0n);

export function vaultEquity(world: World, vault: Vault): Fixed {
  const account = accountOf(world, vault.address);
  return dexMargin(account, dexOf(account, "")).total.accountValue;
}

/** A follower's share of what the vault is worth now. */
export function shareOf(world: World, vault: Vault, follower: string): Fixed {
  const held = vault.followers.get(follower)?.shares ?? 0n;
  const total = allShares(vault);
  return total === 0n ? 0n : (vaultEquity(world, vault) * held) / total;
}

/** Address of the new vault; the leader's first deposit is not checked here. */
export function openVault(
  world: World,
  leader: Account,
  name: string,
  description: string,
  usd: Fixed,
): string {
  const address = addressOf(world.seed, `vault:${world.vaults.length}:${name}`);
  const vault = accountOf(world, address);
  vault.isVault = true;
  dexOf(leader, "").usd -= usd;
  dexOf(vault, "").usd += usd;
  vault.cumLedger += usd;
  world.vaults.push({
    address,
    name,
    leader: leader.user,
    description,
    createdMs: world.blockMs,
    followers: new Map([[leader.user, { equity: usd, shares: usd, enteredMs: world.blockMs }]]),
  });
  const delta: JsonObject = { type: "vaultCreate", vault: address, usdc: format(usd), fee: "0.0" };
  recordLedger(world, [leader.user, address], delta);
  return address;
}
