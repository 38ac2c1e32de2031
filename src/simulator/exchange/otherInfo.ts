/**
 * The less busy requests about accounts: portfolio, fees, limits, roles, sub-accounts, vaults, webData2.
 */
import type { Json, JsonObject } from "../contract.ts";
import type { Account } from "./account.ts";
import * as about from "./accountInfo.ts";
import { requestCap, tradedVolume } from "./addressLimits.ts";
import { type Fixed, format, formatScaled, units } from "./fixed.ts";
import { fundingRate, premium } from "./funding.ts";
import * as markets from "./marketInfo.ts";
import { shareOf, vaultEquity } from "./transfers.ts";
import { twapStates } from "./twap.ts";
import { dayOf, volumeBetween } from "./volumes.ts";
import type { Vault, World } from "./world.ts";

export const RECENT_TRADES_SHOWN = 30;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

// --- portfolio ----------------------------------------------------------------------------------------------------

const PERIODS: [string, number][] = [
  ["day", DAY_MS],
  ["week", 7 * DAY_MS],
  ["month", 30 * DAY_MS],
  ["allTime", Number.POSITIVE_INFINITY],
];

/** Samples of every hour, and the moment itself. */
export function portfolio(world: World, account: Account): Json[] {
  const now = Math.max(world.nowMs, world.lastBlockMs);
  const equity = about.equityOf(world, account);
  // The running hour counts whole.
  const volume = (lengthMs: number, perp: boolean): Fixed => {
    if (lengthMs === Number.POSITIVE_INFINITY) return perp ? account.volume.perp : tradedVolume(account);
    const inside = volumeBetween(account.traded, now - lengthMs, now + 1);
    return perp ? inside.perp : inside.cross + inside.add;
  };
  const latest = { timeMs: now, ...equity, deposited: account.cumLedger };
  const samples = [...account.equity, latest];
  const series = (lengthMs: number, perp: boolean): JsonObject => {
    const inside = samples.filter((s) => s.timeMs >= now - lengthMs);
    const value = (s: { total: Fixed; perp: Fixed }) => (perp ? s.perp : s.total);
    // What was paid in is no profit; of the moves between perps and the rest no sum is kept.
    const made = (s: typeof latest) => value(s) - (perp ? 0n : s.deposited);
    const base = made(inside[0] ?? latest);
    return {
      accountValueHistory: inside.map((s) => [s.timeMs, format(value(s))]),
      pnlHistory: inside.map((s) => [s.timeMs, format(made(s) - base)]),
      vlm: format(volume(lengthMs, perp)),
    };
  };
  return [false, true].flatMap((perp) =>
    PERIODS.map(([name, lengthMs]): Json => {
      const label = perp ? `perp${name[0]?.toUpperCase()}${name.slice(1)}` : name;
      return [label, series(lengthMs, perp)];
    }),
  );
}

// --- fees and limits ----------------------------------------------------------------------------------------------

const tier = (
  ntlCutoff: string,
  cross: string,
  add: string,
  spotCross: string,
  spotAdd: string,
): JsonObject => ({
  ntlCutoff,
  cross,
  add,
  spotCross,
  spotAdd,
});

/** The schedule of the capture `gareth0712/info/userFees.json`; only base rates are charged here. */
const FEE_SCHEDULE: JsonObject = {
  cross: "0.00045",
  add: "0.00015",
  spotCross: "0.0007",
  spotAdd: "0.0004",
  tiers: {
    vip: [
      tier("5000000.0", "0.0004", "0.00012", "0.0006", "0.0003"),
      tier("25000000.0", "0.00035", "0.00008", "0.0005", "0.0002"),
      tier("100000000.0", "0.0003", "0.00004", "0.0004", "0.0001"),
      tier("500000000.0", "0.00028", "0.0", "0.00035", "0.0"),
      tier("2000000000.0", "0.00026", "0.0", "0.0003", "0.0"),
      tier("7000000000.0", "0.00024", "0.0", "0.00025", "0.0"),
    ],
    mm: [
      { makerFractionCutoff: "0.005", add: "-0.00001" },
      { makerFractionCutoff: "0.015", add: "-0.00002" },
      { makerFractionCutoff: "0.03", add: "-0.00003" },
    ],
  },
  referralDiscount: "0.04",
  stakingDiscountTiers: [
    { bpsOfMaxSupply: "0.0", discount: "0.0" },
    { bpsOfMaxSupply: "0.0001", discount: "0.05" },
    { bpsOfMaxSupply: "0.001", discount: "0.1" },
    { bpsOfMaxSupply: "0.01", discount: "0.15" },
    { bpsOfMaxSupply: "0.1", discount: "0.2" },
    { bpsOfMaxSupply: "1.0", discount: "0.3" },
    { bpsOfMaxSupply: "5.0", discount: "0.4" },
  ],
};

/** Today and the fourteen days before, oldest first. */
function dailyVolumes(world: World, account: Account): JsonObject[] {
  const today = dayOf(world.nowMs);
  return Array.from({ length: 15 }, (_, index): JsonObject => {
    const fromMs = today - (14 - index) * DAY_MS;
    const own = volumeBetween(account.traded, fromMs, fromMs + DAY_MS);
    return {
      date: new Date(fromMs).toISOString().slice(0, 10),
      userCross: format(own.cross),
      userAdd: format(own.add),
      exchange: format(volumeBetween(world.traded, fromMs, fromMs + DAY_MS).cross),
    };
  });
}

export function userFees(world: World, account: Account): JsonObject {
  return {
    dailyUserVlm: dailyVolumes(world, account),
    feeSchedule: FEE_SCHEDULE,
    userCrossRate: "0.00045",
    userAddRate: "0.00015",
    userSpotCrossRate: "0.0007",
    userSpotAddRate: "0.0004",
    activeReferralDiscount: "0.0",
    trial: null,
    feeTrialEscrow: "0.0",
    nextTrialAvailableTimestamp: null,
    stakingLink: null,
    activeStakingDiscount: { bpsOfMaxSupply: "0.0", discount: "0.0" },
  };
}

/** One request per USDC traded, and 10 000 to begin with. */
export function userRateLimit(account: Account): JsonObject {
  return {
    cumVlm: format(tradedVolume(account)),
    nRequestsUsed: account.requests,
    nRequestsCap: requestCap(account),
    nRequestsSurplus: 0,
  };
}

// --- who is who ---------------------------------------------------------------------------------------------------

export function userRole(world: World, user: string): JsonObject {
  const owner = world.agentOwners.get(user);
  if (owner !== undefined) return { role: "agent", data: { user: owner } };
  const account = world.accounts.get(user);
  if (account === undefined) return world.recorded.has(user) ? { role: "user" } : { role: "missing" };
  if (account.master !== null) return { role: "subAccount", data: { master: account.master } };
  return { role: account.isVault ? "vault" : "user" };
}

const livingAgents = (world: World, account: Account) =>
  account.agents.filter((a) => a.validUntil > world.nowMs);

export const extraAgents = (world: World, account: Account): JsonObject[] =>
  livingAgents(world, account)
    .filter((a) => a.name !== "")
    .map(({ name, address, validUntil }) => ({ name, address, validUntil }));

export function subAccounts(world: World, account: Account): JsonObject[] | null {
  if (account.subAccounts.length === 0) return null;
  return account.subAccounts.map(({ name, user }) => {
    const sub = about.accountFor(world, user);
    return {
      name,
      subAccountUser: user,
      master: account.user,
      clearinghouseState: about.clearinghouseState(world, sub, ""),
      spotState: about.spotState(world, sub),
    };
  });
}

export function subAccounts2(world: World, account: Account): JsonObject[] | null {
  if (account.subAccounts.length === 0) return null;
  return account.subAccounts.map(({ name, user }) => {
    const sub = about.accountFor(world, user);
    const dexes = new Set(["", ...sub.dexes.keys()]);
    return {
      name,
      subAccountUser: user,
      master: account.user,
      dexToClearinghouseState: [...dexes].map((dex) => [dex, about.clearinghouseState(world, sub, dex)]),
      spotState: about.spotState(world, sub),
      ...(sub.abstraction === "default" ? {} : { abstraction: sub.abstraction }),
    };
  });
}

export function referral(account: Account): JsonObject {
  const volume = tradedVolume(account);
  return {
    referredBy: null,
    cumVlm: format(volume),
    unclaimedRewards: "0.0",
    claimedRewards: "0.0",
    builderRewards: "0.0",
    referrerState:
      volume >= units(10_000)
        ? { stage: "needToCreateCode" }
        : { stage: "needToTrade", data: { required: format(units(10_000) - volume) } },
    rewardHistory: [],
    tokenToState: [],
  };
}

// --- vaults -------------------------------------------------------------------------------------------------------

const LOCKUP_MS = DAY_MS;

export function userVaultEquities(world: World, account: Account): JsonObject[] {
  return world.vaults
    .filter((v) => v.followers.has(account.user))
    .map((v) => ({
      vaultAddress: v.address,
      equity: format(shareOf(world, v, account.user)),
      lockedUntilTimestamp: (v.followers.get(account.user)?.enteredMs ?? 0) + LOCKUP_MS,
    }));
}

export const leadingVaults = (world: World, user: string): JsonObject[] =>
  world.vaults.filter((v) => v.leader === user).map((v) => ({ address: v.address, name: v.name }));

export const vaultSummaries = (world: World): JsonObject[] =>
  world.vaults.map((v) => ({
    name: v.name,
    vaultAddress: v.address,
    leader: v.leader,
    tvl: format(vaultEquity(world, v)),
    isClosed: false,
    relationship: { type: "normal" },
    createTimeMillis: v.createdMs,
  }));

function follower(world: World, vault: Vault, user: string): JsonObject {
  const held = vault.followers.get(user);
  const equity = shareOf(world, vault, user);
  const enteredMs = held?.enteredMs ?? vault.createdMs;
  const pnl = format(equity - (held?.equity ?? 0n));
  return {
    user: user === vault.leader ? "Leader" : user,
    vaultEquity: format(equity),
    pnl,
    allTimePnl: pnl,
    daysFollowing: Math.floor((world.nowMs - enteredMs) / DAY_MS),
    vaultEntryTime: enteredMs,
    lockupUntil: enteredMs + LOCKUP_MS,
  };
}

export function vaultDetails(world: World, address: string, user: string | null): JsonObject | null {
  const vault = world.vaults.find((v) => v.address === address);
  if (vault === undefined) return null;
  const total = vaultEquity(world, vault);
  const leaders = shareOf(world, vault, vault.leader);
  return {
    name: vault.name,
    vaultAddress: vault.address,
    leader: vault.leader,
    description: vault.description,
    portfolio: portfolio(world, about.accountFor(world, vault.address)),
    apr: 0,
    followerState:
      user !== null && vault.followers.has(user) ? { ...follower(world, vault, user), user } : null,
    leaderFraction: total === 0n ? 0 : Number((leaders * 10_000n) / total) / 10_000,
    leaderCommission: 0.1,
    followers: [...vault.followers.keys()].map((f) => follower(world, vault, f)),
    maxDistributable: 0,
    maxWithdrawable: 0,
    isClosed: false,
    relationship: { type: "normal" },
    allowDeposits: true,
    alwaysCloseOnWithdraw: false,
  };
}

// --- the rest -----------------------------------------------------------------------------------------------------

export function predictedFundings(world: World): Json[] {
  const nextFundingTime = (Math.floor(world.nowMs / HOUR_MS) + 1) * HOUR_MS;
  return markets
    .perpsOf(world, "")
    .filter((m) => m.perp?.isDelisted !== true)
    .map((m): Json => {
      const rate = formatScaled(fundingRate(premium(m)), 10);
      return [m.coin, [["HlPerp", { fundingRate: rate, nextFundingTime, fundingIntervalHours: 1 }]]];
    });
}

/** Null for the first dex and for unknown ones: only builder dexes have limits. */
export function perpDexLimits(world: World, dex: string): JsonObject | null {
  const found = markets.dexNamed(world, dex);
  if (dex === "" || found === undefined) return null;
  return {
    totalOiCap: "1000000000.0",
    oiSzCapPerPerp: "20000000000.0",
    maxTransferNtl: "1000000000.0",
    coinToOiCap: found.perps.map((p) => [p.name, "100000000.0"]),
  };
}

/** The one big object, key by key as in `gareth0712/ws/*webData2*`: only the first dex. */
export function webData2(world: World, account: Account): JsonObject {
  const unnamed = livingAgents(world, account).find((a) => a.name === "");
  const dex = world.universe.dexes[0];
  const equities = userVaultEquities(world, account);
  const total = world.vaults.reduce((sum, v) => sum + shareOf(world, v, account.user), 0n);
  return {
    clearinghouseState: about.clearinghouseState(world, account, ""),
    leadingVaults: leadingVaults(world, account.user),
    totalVaultEquity: equities.length === 0 ? "0.0" : format(total),
    openOrders: about.frontendOpenOrders(world, account, ""),
    agentAddress: unnamed?.address ?? null,
    agentValidUntil: unnamed?.validUntil ?? null,
    cumLedger: format(account.cumLedger),
    meta: dex === undefined ? null : markets.meta(world, dex),
    assetCtxs: markets.perpsOf(world, "").map((m) => markets.perpContext(world, m)),
    serverTime: Math.max(world.nowMs, world.lastBlockMs),
    isVault: account.isVault,
    user: account.user,
    twapStates: twapStates(world, account.user, ""),
    ...(account.spot.size === 0 ? {} : { spotState: about.spotState(world, account) }),
    spotAssetCtxs: markets.spotPairs(world).map((m) => markets.spotContext(world, m)),
    perpsAtOpenInterestCap: markets.atInterestCap(world, ""),
  };
}
