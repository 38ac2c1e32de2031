/**
 * Scripted events: what the venue does to an account that no action of a user can cause. Shapes are those of the
 * captures; where the real rules are not public only the visible rows are made.
 */
import { InvariantError } from "../../errors.ts";
import type { Decimal } from "../../runtime/decimal.ts";
import type { JsonObject } from "../contract.ts";
import { type Account, applyPerpFill, balanceOf, dexOf, positionOf } from "./account.ts";
import { deployDex } from "./deploy.ts";
import { endByVenue } from "./ending.ts";
import { abs, type Fixed, fixed, format, mul } from "./fixed.ts";
import { addressOf, tradeId, ZERO_HASH } from "./ids.ts";
import { backstopAddress, transferPosition } from "./liquidation.ts";
import { type Market, markPx } from "./market.ts";
import { sideLetter } from "./order.ts";
import { freeBalance, giveToken, takeToken } from "./pockets.ts";
import { rewardStake } from "./staking.ts";
import { mint, openVault, withdrawable } from "./transfers.ts";
import { rebalance } from "./unified.ts";
import type { TokenListing } from "./universe.ts";
import {
  accountOf,
  collect,
  recordFill,
  recordLedger,
  recordNotification,
  takeOid,
  touch,
  type World,
} from "./world.ts";

export type Script =
  /** Closes the position of `user` against a bankrupt account, as auto-deleveraging does. */
  | { type: "adl"; user: string; coin: string }
  /** Sells a spot remainder: tid 0, zero hash, an oid that `orderStatus` does not know. */
  | { type: "dustConversion"; user: string; coin: string }
  | { type: "createVault"; leader: string; name: string; usd: Decimal }
  /** Spot tokens out of nothing, with a `spotGenesis` row. */
  | { type: "mint"; user: string; token: string; amount: Decimal }
  /** A claimed reward; in USDC as old rows tell it, without a token. */
  | { type: "reward"; user: string; token: string; amount: Decimal }
  /** What a stake earned: compounded, without a ledger row. */
  | { type: "stakeReward"; user: string; amount: Decimal }
  | { type: "bonus"; user: string; usd: Decimal }
  /** Gas or an auction, paid from spot. */
  | { type: "cost"; user: string; cost: Cost; token: string; amount: Decimal }
  /** `amount` of both sides of an outcome, for USDC of the same amount that is taken. */
  | { type: "mintOutcome"; user: string; outcome: number; amount: Decimal }
  /** Any ledger row of the venue, verbatim: for deltas that nothing here produces. */
  | { type: "ledger"; users: string[]; delta: JsonObject }
  /** The outcome is settled: winners get 1, losers 0, open orders go. */
  | { type: "settleOutcome"; outcome: number; winner: 0 | 1 }
  /** Ends open orders of `user` (of one coin, if given) with any status, also one the venue has not invented yet. */
  | { type: "endOrders"; user: string; coin?: string; status: string }
  /** A HIP-3 dex is deployed, with these coins at these prices; `GOLD` of `abc` is traded as `abc:GOLD`. */
  | { type: "deployDex"; name: string; coins: Record<string, Decimal> }
  /** Delists a perp: orders go, positions are settled at the mark. */
  | { type: "delist"; coin: string }
  /** The open interest of a perp has reached its cap, or (`capped: false`) is below it again. */
  | { type: "openInterestCap"; coin: string; capped: boolean }
  | { type: "notification"; user: string; notification: string };

export const COSTS = [
  "accountActivationGas",
  "activateDexAbstraction",
  "deployGasAuction",
  "gossipPriorityGasAuction",
] as const;
export type Cost = (typeof COSTS)[number];

export function runScript(world: World, script: Script): void {
  if (script.type === "adl") deleverage(world, script.user.toLowerCase(), script.coin);
  else if (script.type === "dustConversion") convertDust(world, script.user.toLowerCase(), script.coin);
  else if (script.type === "mintOutcome") {
    mintOutcome(world, script.user.toLowerCase(), script.outcome, fixed(script.amount));
  } else if (script.type === "createVault") {
    scriptVault(world, script.leader.toLowerCase(), script.name, fixed(script.usd));
  } else if (script.type === "mint") {
    mintToken(world, script.user.toLowerCase(), script.token, fixed(script.amount));
  } else if (script.type === "reward") {
    reward(world, script.user.toLowerCase(), script.token, fixed(script.amount));
  } else if (script.type === "stakeReward") {
    rewardStake(world, script.user.toLowerCase(), fixed(script.amount));
  } else if (script.type === "bonus") giveBonus(world, script.user.toLowerCase(), fixed(script.usd));
  else if (script.type === "cost") {
    charge(world, script.user.toLowerCase(), script.cost, script.token, fixed(script.amount));
  } else if (script.type === "ledger") {
    const users = script.users.map((user) => user.toLowerCase());
    for (const user of users) accountOf(world, user);
    recordLedger(world, users, script.delta);
  } else if (script.type === "settleOutcome") settleOutcome(world, script.outcome, script.winner);
  else if (script.type === "endOrders") {
    endOrders(world, accountOf(world, script.user.toLowerCase()), script.coin ?? null, script.status);
  } else if (script.type === "delist") delist(world, script.coin);
  else if (script.type === "deployDex") deployDex(world, script.name, script.coins);
  else if (script.type === "openInterestCap") perpOf(world, script.coin).atInterestCap = script.capped;
  else recordNotification(world, accountOf(world, script.user.toLowerCase()), script.notification);
}

function perpOf(world: World, coin: string): Market & { perp: NonNullable<Market["perp"]> } {
  const market = marketOf(world, coin);
  if (market.perp === null) throw new InvariantError(`${coin} is not a perp`);
  return market as Market & { perp: NonNullable<Market["perp"]> };
}

function marketOf(world: World, coin: string) {
  const market = world.byCoin.get(coin);
  if (market === undefined) throw new InvariantError(`no market ${JSON.stringify(coin)} to script`);
  return market;
}

/**
 * The bankrupt account holds the opposite position and gives it to `user`: for the user the row says
 * `Auto-Deleveraging`, crossed, no fee, method backstop, liquidatedUser = the other one [HM capture].
 */
function deleverage(world: World, user: string, coin: string): void {
  const market = marketOf(world, coin);
  const account = accountOf(world, user);
  const position = positionOf(account, market);
  if (position === undefined) throw new InvariantError(`${user} has no position in ${coin} to deleverage`);
  const px = markPx(market);
  const bankrupt = accountOf(world, addressOf(world.seed, `bankrupt:${world.nextOid}`), true);
  const liquidator = accountOf(world, backstopAddress(world), true);
  // The bankrupt account first gets its position from the liquidator, so that positions sum to zero throughout.
  const opposite = { ...position, szi: -position.szi };
  openAgainst(world, bankrupt, liquidator, opposite, px);
  const held = positionOf(bankrupt, market);
  if (held === undefined) throw new InvariantError("the deleveraged position was not made");
  transferPosition(world, held, bankrupt, account, px, { from: null, to: "Auto-Deleveraging" });
}

function openAgainst(
  world: World,
  account: Account,
  other: Account,
  position: Parameters<typeof transferPosition>[1],
  px: Fixed,
): void {
  transferPosition(world, position, other, account, px, { from: null, to: null });
}

/** What is the same in all fills that the venue makes by itself. */
const ofVenue = (oid: number, tid: number) => ({
  ...{ hash: ZERO_HASH, oid, crossed: false, fee: "0.0", tid, feeToken: "USDC", twapId: null },
});

function convertDust(world: World, user: string, coin: string): void {
  const market = marketOf(world, coin);
  const spot = market.spot;
  if (spot === null) throw new InvariantError(`${coin} is not a spot pair`);
  const account = accountOf(world, user);
  const base = balanceOf(account, spot.base.index);
  const amount = base.total - base.hold;
  if (amount <= 0n) throw new InvariantError(`${user} has no ${spot.base.name} to convert`);
  const px = markPx(market);
  const worth = mul(amount, px);
  const fill: JsonObject = {
    coin,
    px: format(px),
    sz: format(amount),
    side: "A",
    time: world.blockMs,
    startPosition: format(base.total),
    dir: "Spot Dust Conversion",
    closedPnl: format(worth - base.entryNtl),
    ...ofVenue(takeOid(world), 0),
  };
  base.total -= amount;
  base.entryNtl = 0n;
  balanceOf(account, spot.quote.index).total += worth;
  collect(world, spot.base.index, amount);
  collect(world, spot.quote.index, -worth);
  recordFill(world, account, fill, null);
}

function scriptVault(world: World, user: string, name: string, usd: Fixed): void {
  const leader = accountOf(world, user);
  if (usd <= 0n || usd > withdrawable(leader, ""))
    throw new InvariantError(`${user} has no ${format(usd)} USDC to open a vault with`);
  openVault(world, leader, name, "", usd);
}

function tokenOf(world: World, name: string): TokenListing {
  const token = world.universe.tokens.find((t) => t.name === name);
  if (token === undefined) throw new InvariantError(`no token ${JSON.stringify(name)}`);
  return token;
}

const mintToken = (world: World, user: string, name: string, amount: Fixed): void =>
  mint(world, accountOf(world, user), tokenOf(world, name), amount);

function reward(world: World, user: string, name: string, amount: Fixed): void {
  const token = tokenOf(world, name);
  giveToken(accountOf(world, user), token.index, amount, 0n);
  collect(world, token.index, -amount);
  const told = token.index === 0 ? "" : name;
  recordLedger(world, [user], { type: "rewardsClaim", amount: format(amount), token: told });
}

function giveBonus(world: World, user: string, usd: Fixed): void {
  const account = accountOf(world, user);
  dexOf(account, "").usd += usd;
  collect(world, 0, -usd);
  rebalance(account);
  recordLedger(world, [user], { type: "welcomeBonus", usdc: format(usd) });
}

function charge(world: World, user: string, cost: Cost, name: string, amount: Fixed): void {
  const account = accountOf(world, user);
  const token = tokenOf(world, name);
  if (amount > freeBalance(account, token.index))
    throw new InvariantError(`${user} has no ${format(amount)} ${name} to pay with`);
  takeToken(account, token.index, amount);
  collect(world, token.index, amount);
  const dex = cost === "activateDexAbstraction" ? { dex: "xyz" } : {};
  recordLedger(world, [user], { type: cost, ...dex, token: name, amount: format(amount) });
}

function mintOutcome(world: World, user: string, outcome: number, amount: Fixed): void {
  const account = accountOf(world, user);
  const dollars = balanceOf(account, 0);
  if (amount <= 0n || amount > dollars.total - dollars.hold)
    throw new InvariantError(`${user} has no ${format(amount)} USDC to mint an outcome with`);
  for (const side of [0, 1]) {
    const { spot } = marketOf(world, `#${10 * outcome + side}`);
    if (spot !== null) mint(world, account, spot.base, amount);
  }
  dollars.total -= amount;
  collect(world, 0, amount);
}

function settleOutcome(world: World, outcome: number, winner: 0 | 1): void {
  const listing = world.universe.outcomes.find((one) => one.outcome === outcome);
  if (listing === undefined || listing.winner !== undefined)
    throw new InvariantError(`no outcome ${outcome} to settle`);
  for (const side of [0, 1] as const) {
    const market = marketOf(world, `#${10 * outcome + side}`);
    const spot = market.spot;
    if (spot === null) continue;
    const px = side === winner ? 100_000_000n : 0n;
    for (const account of world.accounts.values()) {
      for (const order of [...account.orders.values()]) {
        if (order.market === market) endByVenue(world, account, order, "outcomeSettledCanceled");
      }
      const held = account.spot.get(spot.base.index);
      if (held === undefined || held.total === 0n) continue;
      const fill: JsonObject = {
        coin: market.coin,
        px: format(px),
        sz: format(held.total),
        side: "A",
        time: world.blockMs,
        startPosition: format(held.total),
        dir: "Settlement",
        closedPnl: format(mul(held.total, px) - held.entryNtl),
        ...ofVenue(takeOid(world), 0),
      };
      const paid = mul(held.total, px);
      collect(world, spot.base.index, held.total);
      collect(world, spot.quote.index, -paid);
      account.spot.delete(spot.base.index);
      balanceOf(account, spot.quote.index).total += paid;
      touch(world, account);
      recordFill(world, account, fill, null);
    }
    market.oraclePx = px;
    market.halted = true;
  }
  listing.winner = winner;
}

function endOrders(world: World, account: Account, coin: string | null, status: string): void {
  for (const order of [...account.orders.values()]) {
    if (coin !== null && order.market.coin !== coin) continue;
    if (account.orders.has(order.oid)) endByVenue(world, account, order, status);
  }
}

/** Everybody's position is closed at the same price, so cash still sums to what it was. */
function delist(world: World, coin: string): void {
  const market = perpOf(world, coin);
  const px = markPx(market);
  for (const account of world.accounts.values()) {
    endOrders(world, account, coin, "delistedCanceled");
    const position = positionOf(account, market);
    if (position === undefined) continue;
    const isBuy = position.szi < 0n;
    const sz = abs(position.szi);
    const result = applyPerpFill(account, market, isBuy, px, sz, 0n);
    const oid = takeOid(world);
    recordFill(
      world,
      account,
      {
        coin,
        px: format(px),
        sz: format(sz),
        side: sideLetter(isBuy),
        time: world.blockMs,
        startPosition: format(result.startPosition),
        dir: "Settlement",
        closedPnl: format(result.closedPnl),
        ...ofVenue(oid, tradeId(oid, oid)),
      },
      null,
    );
    touch(world, account);
  }
  market.halted = true;
  market.perp.isDelisted = true;
  const listing = world.universe.dexes.flatMap((dex) => dex.perps).find((perp) => perp.name === coin);
  if (listing !== undefined) listing.isDelisted = true;
}
