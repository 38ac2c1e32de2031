/**
 * Actions that are not orders: money, agents, account modes, sub-accounts, the dead man's switch. Same guarantees as
 * `actions.ts`.
 */
import type { Answer, ExecuteOptions, Json, JsonObject } from "../contract.ts";
import {
  type Abstraction,
  type Account,
  type Agent,
  dexMargin,
  dexOf,
  isolatedEquity,
  leverageOf,
  positionOf,
  positionValue,
} from "./account.ts";
import { endByVenue } from "./ending.ts";
import { type Fixed, max, truncate } from "./fixed.ts";
import { addressOf } from "./ids.ts";
import { borrowLend, loanOf, OPERATIONS, suppliedOf } from "./lending.ts";
import { markPx } from "./market.ts";
import {
  address,
  boolean,
  decimal,
  defaultAnswer,
  done,
  failed,
  integer,
  Malformed,
  natural,
  text,
} from "./requestBody.ts";
import { delegate, stakeDeposit, stakeWithdraw } from "./staking.ts";
import {
  classTransfer,
  dexClassTransfer,
  openVault,
  type Refused,
  sendAsset,
  spotSend,
  subAccountTransfer,
  usdSend,
  vaultDistribute,
  vaultTransfer,
  withdraw,
  withdrawable,
} from "./transfers.ts";
import { isUnified, rebalance, spendableUsdc } from "./unified.ts";
import type { TokenListing } from "./universe.ts";
import { accountOf, collect, touch, type World } from "./world.ts";

const DAY_MS = 86_400_000;
const AGENT_LIFE_MS = 180 * DAY_MS;
const MAX_NAMED_AGENTS = 3;
const AGENTS_PER_SUB_ACCOUNT = 2;
/** A vault starts with a hundred dollars of its leader's. */
const MIN_VAULT_USD: Fixed = 100n * 100_000_000n;
const MIN_SCHEDULE_AHEAD_MS = 5000;
const MAX_SCHEDULED_CANCELS_PER_DAY = 10;

const answer = (refused: Refused): Answer => (refused === null ? defaultAnswer() : failed(refused));

/** Null when the action is unknown. */
export function accountAction(
  world: World,
  account: Account,
  action: JsonObject,
  options: ExecuteOptions,
): Answer | null {
  switch (action.type) {
    case "noop":
      return defaultAnswer();
    case "reserveRequestWeight":
      return reserveRequests(world, account, natural(action.weight));
    case "scheduleCancel":
      return scheduleCancel(world, account, action.time);
    case "updateIsolatedMargin":
      return updateIsolatedMargin(world, account, action);
    case "approveAgent":
      return approveAgent(world, account, action);
    case "approveBuilderFee":
      return approveBuilder(account, action);
    case "createSubAccount":
      return createSubAccount(world, account, text(action.name));
    case "userSetAbstraction": {
      const of = action.user === undefined ? account.user : address(action.user);
      const target = of === account.user ? account : ownSub(world, account, of);
      if (target === null) return failed("Invalid sub-account.");
      return setAbstraction(world, target, text(action.abstraction));
    }
    case "agentSetAbstraction":
      return setAbstraction(
        world,
        account,
        { u: "unifiedAccount", p: "portfolioMargin", i: "disabled" }[text(action.abstraction)] ?? "",
      );
    case "userDexAbstraction":
    case "agentEnableDexAbstraction":
      return defaultAnswer();
    default:
      return moneyAction(world, account, action, options);
  }
}

function moneyAction(
  world: World,
  account: Account,
  action: JsonObject,
  options: ExecuteOptions,
): Answer | null {
  switch (action.type) {
    case "usdSend":
      return answer(usdSend(world, account, address(action.destination), decimal(action.amount)));
    case "withdraw3":
      return answer(withdraw(world, account, decimal(action.amount), options.nonce));
    case "usdClassTransfer":
      return classTransferAction(world, account, action);
    case "spotSend":
      return answer(
        spotSend(
          world,
          account,
          address(action.destination),
          token(world, action.token),
          decimal(action.amount),
          options.nonce,
        ),
      );
    case "sendAsset":
      return sendAssetAction(world, account, action, options);
    case "subAccountTransfer":
      return subAccountAction(world, account, action);
    case "subAccountSpotTransfer":
      return subAccountSpotAction(world, account, action, options);
    case "PerpDexClassTransfer":
      return answer(
        dexClassTransfer(world, account, text(action.dex), decimal(action.amount), boolean(action.toPerp)),
      );
    case "cDeposit":
      return answer(stakeDeposit(world, account, wei(action.wei)));
    case "cWithdraw":
      return answer(stakeWithdraw(world, account, wei(action.wei)));
    case "tokenDelegate":
      return answer(
        delegate(world, account, address(action.validator), wei(action.wei), boolean(action.isUndelegate)),
      );
    case "borrowLend":
      return borrowLendAction(world, account, action);
    case "createVault":
      return createVaultAction(world, account, action);
    case "vaultDistribute":
      return distributeAction(world, account, action);
    case "vaultTransfer":
      return vaultAction(world, account, action);
    default:
      return null;
  }
}

/** `NAME:0xid`, as the venue's front end sends it; the name alone is enough. */
function token(world: World, value: Json | undefined): TokenListing {
  const name = text(value).split(":")[0];
  const found = world.universe.tokens.find((t) => t.name === name);
  if (found === undefined) throw new Malformed();
  return found;
}

function sendAssetAction(
  world: World,
  account: Account,
  action: JsonObject,
  options: ExecuteOptions,
): Answer {
  const sub = action.fromSubAccount;
  let from = account;
  if (typeof sub === "string" && sub !== "") {
    const own = ownSub(world, account, sub);
    if (own === null) return failed("Invalid sub-account.");
    from = own;
  }
  return answer(
    sendAsset(world, from, {
      destination: address(action.destination),
      sourceDex: text(action.sourceDex),
      destinationDex: text(action.destinationDex),
      token: token(world, action.token),
      amount: decimal(action.amount),
      nonce: options.nonce,
    }),
  );
}

/** More requests for 0.0005 USDC each. */
function reserveRequests(world: World, account: Account, weight: number): Answer {
  const cost = BigInt(weight) * 50_000n;
  if (cost > withdrawable(account, "")) return failed("Insufficient balance to reserve request weight.");
  dexOf(account, "").usd -= cost;
  collect(world, 0, cost);
  account.reservedRequests += weight;
  return defaultAnswer();
}

/** HYPE has eight decimals. */
const wei = (value: Json | undefined): Fixed => BigInt(natural(value));

/** A token by its index; without an amount, all of it. */
function borrowLendAction(world: World, account: Account, action: JsonObject): Answer {
  const operation = OPERATIONS.find((one) => one === action.operation);
  const index = natural(action.token);
  const listed = world.universe.tokens.find((one) => one.index === index);
  if (operation === undefined || listed === undefined) throw new Malformed();
  const loan = loanOf(account, index);
  const whole = operation === "repay" ? loan.owed : suppliedOf(account, index);
  const amount = action.amount === null || action.amount === undefined ? whole : decimal(action.amount);
  return answer(borrowLend(world, account, operation, listed, amount));
}

/** By the leader, as the vault's master does it. */
function distributeAction(world: World, account: Account, action: JsonObject): Answer {
  const at = address(action.vaultAddress);
  const vault = world.vaults.find((v) => v.address === at && v.leader === account.user);
  if (vault === undefined) return failed(`Vault not registered: ${at}`);
  return answer(vaultDistribute(world, vault, micros(action.usd)));
}

const micros = (value: Json | undefined): Fixed => BigInt(integer(value)) * 100n;

function subAccountAction(world: World, account: Account, action: JsonObject): Answer {
  const sub = ownSub(world, account, action.subAccountUser);
  if (sub === null) return failed("Invalid sub-account.");
  const usd = micros(action.usd);
  const [from, to] = boolean(action.isDeposit) ? [account, sub] : [sub, account];
  return answer(subAccountTransfer(world, from, to, usd));
}

function subAccountSpotAction(
  world: World,
  account: Account,
  action: JsonObject,
  options: ExecuteOptions,
): Answer {
  const sub = ownSub(world, account, action.subAccountUser);
  if (sub === null) return failed("Invalid sub-account.");
  const [from, to] = boolean(action.isDeposit) ? [account, sub] : [sub, account];
  return answer(
    spotSend(world, from, to.user, token(world, action.token), decimal(action.amount), options.nonce),
  );
}

/** The sub-account at an address, when it is one of this account's. */
function ownSub(world: World, account: Account, at: Json | undefined): Account | null {
  const sub = world.accounts.get(address(at));
  return sub !== undefined && sub.master === account.user ? sub : null;
}

/** `"1 subaccount:0x…"` moves money of a sub-account. */
function classTransferAction(world: World, account: Account, action: JsonObject): Answer {
  const [amount, of] = text(action.amount).split(/\s+subaccount:/);
  const target = of === undefined ? account : ownSub(world, account, of);
  if (target === null) return failed("Invalid sub-account.");
  return answer(classTransfer(world, target, decimal(amount), boolean(action.toPerp)));
}

function createVaultAction(world: World, account: Account, action: JsonObject): Answer {
  const usd = micros(action.initialUsd);
  if (usd < MIN_VAULT_USD || usd > withdrawable(account, ""))
    return failed("Insufficient balance to create vault.");
  const vault = openVault(world, account, text(action.name), text(action.description), usd);
  return done({ type: "createVault", data: vault });
}

function vaultAction(world: World, account: Account, action: JsonObject): Answer {
  const at = address(action.vaultAddress);
  const vault = world.vaults.find((v) => v.address === at);
  if (vault === undefined) return failed(`Vault not registered: ${at}`);
  return answer(vaultTransfer(world, account, vault, micros(action.usd), boolean(action.isDeposit)));
}

function createSubAccount(world: World, account: Account, name: string): Answer {
  if (account.subAccounts.some((s) => s.name === name)) return failed("Sub-account name already in use.");
  const user = addressOf(world.seed, `sub:${account.user}:${account.subAccounts.length}`);
  accountOf(world, user).master = account.user;
  account.subAccounts.push({ name, user });
  return done({ type: "createSubAccount", data: user });
}

function setAbstraction(world: World, account: Account, wanted: string): Answer {
  if (!["disabled", "unifiedAccount", "portfolioMargin"].includes(wanted)) throw new Malformed();
  if (account.orders.size > 0) return failed("Cannot change abstraction with open orders.");
  // The venue's words for it are not known.
  if (wanted !== "portfolioMargin" && [...account.loans.values()].some(({ owed }) => owed > 0n))
    return failed("Cannot change abstraction with borrowed tokens.");
  const wasUnified = isUnified(account);
  account.abstraction = wanted as Abstraction;
  // Collateral of every dex comes home to spot; back in standard mode it stays there until transferred.
  if (!wasUnified) rebalance(account);
  touch(world, account);
  return defaultAnswer();
}

// --- agents -------------------------------------------------------------------------------------------------------

/** One unnamed agent, three named ones and two more for each sub-account; one of the same name replaces the old. */
function approveAgent(world: World, account: Account, action: JsonObject): Answer {
  const agent = address(action.agentAddress);
  const [name = "", until] = (typeof action.agentName === "string" ? action.agentName : "").split(
    " valid_until ",
  );
  const validUntil = Math.min(
    until === undefined ? Number.POSITIVE_INFINITY : Number(until),
    world.blockMs + AGENT_LIFE_MS,
  );
  if (world.accounts.has(agent)) return failed("Cannot approve an existing user as an agent.");
  // The venue's words for it are not known.
  if ((world.agentOwners.get(agent) ?? account.user) !== account.user)
    return failed("Extra agent already used.");
  const named = account.agents.filter((a) => a.name !== "" && a.name !== name);
  const most = MAX_NAMED_AGENTS + AGENTS_PER_SUB_ACCOUNT * account.subAccounts.length;
  if (name !== "" && named.length >= most) return failed("Too many extra agents.");
  for (const old of account.agents) {
    if (old.name === name || old.address === agent) dropAgent(world, account, old);
  }
  const approved: Agent = { address: agent, name, validUntil };
  account.agents.push(approved);
  world.agentOwners.set(agent, account.user);
  world.schedule.at(validUntil, () => {
    if (account.agents.includes(approved)) dropAgent(world, account, approved);
  });
  touch(world, account);
  return defaultAnswer();
}

/** Replaced or expired: from now on its address belongs to no account. */
function dropAgent(world: World, account: Account, agent: Agent): void {
  account.agents = account.agents.filter((other) => other !== agent);
  world.agentOwners.delete(agent.address);
  touch(world, account);
}

function approveBuilder(account: Account, action: JsonObject): Answer {
  const rate = /^(\d+(?:\.\d+)?)%$/.exec(text(action.maxFeeRate));
  if (rate === null) throw new Malformed();
  // Percent to tenths of a basis point: 0.001 % is 1.
  account.approvedBuilders.set(address(action.builder), decimal(rate[1]) / 100_000n);
  return defaultAnswer();
}

// --- dead man's switch --------------------------------------------------------------------------------------------

function scheduleCancel(world: World, account: Account, time: Json | undefined): Answer {
  if (time === undefined || time === null) {
    account.scheduledCancelMs = null;
    return defaultAnswer();
  }
  const dueMs = integer(time);
  if (dueMs < world.blockMs + MIN_SCHEDULE_AHEAD_MS) {
    return failed("Scheduled cancel time too early, must be at least 5 seconds from now.");
  }
  const day = Math.floor(world.blockMs / DAY_MS);
  if (account.cancelDay !== day) {
    account.cancelDay = day;
    account.cancelsToday = 0;
  }
  if (account.cancelsToday >= MAX_SCHEDULED_CANCELS_PER_DAY) {
    return failed("Cannot set scheduled cancel time: too many triggers today.");
  }
  account.scheduledCancelMs = dueMs;
  world.schedule.at(dueMs, () => {
    // A later call moved or removed the switch.
    if (account.scheduledCancelMs !== dueMs) return;
    account.scheduledCancelMs = null;
    account.cancelsToday++;
    for (const order of [...account.orders.values()]) {
      if (account.orders.has(order.oid)) endByVenue(world, account, order, "scheduledCancel");
    }
  });
  return defaultAnswer();
}

// --- isolated margin ----------------------------------------------------------------------------------------------

/** Adds (or with a negative `ntli` removes) margin of an isolated position; `ntli` counts millionths of a dollar. */
function updateIsolatedMargin(world: World, account: Account, action: JsonObject): Answer {
  const market = world.byAsset.get(integer(action.asset));
  const position = market === undefined ? undefined : positionOf(account, market);
  if (market === undefined || position === undefined || position.isolatedUsd === null) {
    return failed("No isolated position to update.");
  }
  const usd = micros(action.ntli);
  const dex = dexOf(account, market.dex);
  const mark = markPx(market);
  const needed = truncate(positionValue(position, mark) / BigInt(leverageOf(account, market).value), 6);
  const { cross } = dexMargin(account, dex);
  const free = max(0n, cross.accountValue - cross.marginUsed) + spendableUsdc(account);
  if (usd > 0n && usd > free) return failed("Insufficient margin to add.");
  if (usd < 0n && isolatedEquity(position, mark) + usd < needed)
    return failed("Insufficient isolated margin to remove.");
  dex.usd -= usd;
  position.isolatedUsd += usd;
  rebalance(account);
  touch(world, account);
  return defaultAnswer();
}
