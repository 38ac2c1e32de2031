/**
 * Liquidations. Guarantees, as observed (§5.2): below maintenance margin all orders go (`liquidatedCanceled`) and the
 * positions are sold into the book as the user's own market orders (`method: "market"`, ordinary fees, note on both
 * rows); below two thirds of it, or where the book could not take enough, the backstop takes them at the bankruptcy
 * price (`Liquidated … Long`, no fee, `method: "backstop"`). Positions of both sides still sum to zero. The ledger row
 * and the event tell what was liquidated; a price that moves on without a buyer says nothing.
 */
import type { JsonObject } from "../contract.ts";
import {
  type Account,
  applyPerpFill,
  dexMargin,
  isolatedEquity,
  type PerpDex,
  type Position,
  positionOf,
  positionValue,
} from "./account.ts";
import { endByVenue } from "./ending.ts";
import { abs, type Fixed, format, max, min, mul, TEN, toTick } from "./fixed.ts";
import { addressOf, tradeId } from "./ids.ts";
import { type Market, maintenanceMargin, markPx } from "./market.ts";
import { dropStaleReduceOnly, place } from "./matching.ts";
import { sideLetter } from "./order.ts";
import { isUnderwater, isUnified, poolOf, rebalance } from "./unified.ts";
import {
  accountOf,
  beginTransaction,
  hashOf,
  recordFill,
  recordLedger,
  recordLiquidation,
  takeOid,
  touch,
  type World,
} from "./world.ts";

/** The vault that takes what the book does not (HLP's liquidator on mainnet). */
export const backstopAddress = (world: World): string => addressOf(world.seed, "backstop liquidator");

/** Checks every account with a position in one of the moved markets. */
export function liquidateUnderwater(world: World, moved: ReadonlySet<Market>): void {
  const dexes = new Set([...moved].filter((m) => m.perp !== null).map((m) => m.dex));
  if (dexes.size === 0) return;
  for (const account of [...world.accounts.values()]) {
    if (account.isTrader) continue;
    // A hole in a shared pool is carried by the positions of every dex.
    const own = [...account.dexes.keys()];
    const concerned = own.filter((name) => dexes.has(name));
    for (const name of isUnified(account) && concerned.length > 0 ? own : concerned) {
      const dex = account.dexes.get(name);
      if (dex === undefined || dex.positions.size === 0) continue;
      rebalance(account);
      if (isUnified(account)) cancelUncovered(world, account, dex);
      liquidateIsolated(world, account, dex);
      liquidateCross(world, account, dex, name);
    }
  }
}

/** Spot orders reserve dollars of the pool that its positions may have lost since: they go, the newest first. */
function cancelUncovered(world: World, account: Account, dex: PerpDex): void {
  if ((account.spot.get(0)?.hold ?? 0n) === 0n) return;
  for (const order of [...account.orders.values()].reverse()) {
    if (standingOf(world, account, dex).dollars >= 0n) return;
    const reserves = order.resting && order.isBuy && order.market.spot !== null;
    if (reserves) endByVenue(world, account, order, "marginCanceled");
  }
}

function liquidateIsolated(world: World, account: Account, dex: PerpDex): void {
  for (const position of [...dex.positions.values()]) {
    if (position.isolatedUsd === null) continue;
    const margin = isolatedMargin(position);
    if (margin.equity >= margin.maintenance) continue;
    cancelOrders(world, account, (market) => market === position.market);
    liquidate(world, account, [position], margin.equity, "Isolated", () => {
      if (!isHopeless(margin.equity, margin.maintenance)) {
        sell(world, account, position, bankruptcyPx(position, position.isolatedUsd as Fixed));
      }
      const left = dex.positions.get(position.market.coin);
      if (left === undefined || left.isolatedUsd === null) return;
      // The sale moved the mark and left less to maintain.
      const after = isolatedMargin(left);
      if (isHopeless(after.equity, after.maintenance)) {
        backstop(world, account, left, bankruptcyPx(left, left.isolatedUsd), "Isolated");
      }
    });
  }
}

function isolatedMargin(position: Position): { equity: Fixed; maintenance: Fixed } {
  const mark = markPx(position.market);
  const maintenance = maintenanceMargin(position.market, positionValue(position, mark));
  return { equity: isolatedEquity(position, mark), maintenance };
}

/** Below two thirds of maintenance margin the book is no longer asked. */
const isHopeless = (equity: Fixed, maintenance: Fixed): boolean => equity * 3n < maintenance * 2n;

/** What stands behind cross positions, what it has to maintain, and what they are worth together. */
interface Standing {
  equity: Fixed;
  /** Of the equity, the dollars: what the positions are sold against. Other collateral stays. */
  dollars: Fixed;
  maintenance: Fixed;
  notional: Fixed;
}

/** Of one dex in the standard modes; of all of them where they share a pool, less what spot orders reserve. */
function standingOf(world: World, account: Account, dex: PerpDex): Standing {
  const { cross, crossMaintenance } = dexMargin(account, dex);
  if (!isUnified(account)) {
    const { accountValue, notional } = cross;
    return { equity: accountValue, dollars: accountValue, maintenance: crossMaintenance, notional };
  }
  const { equity, maintenance } = poolOf(world, account);
  const { total, hold } = account.spot.get(0) ?? { total: 0n, hold: 0n };
  let dollars = total - hold;
  let notional = 0n;
  for (const one of account.dexes.values()) {
    const { cross: other } = dexMargin(account, one);
    dollars += other.accountValue;
    notional += other.notional;
  }
  return { equity: equity - hold, dollars, maintenance, notional };
}

function liquidateCross(world: World, account: Account, dex: PerpDex, name: string): void {
  if (!isUnderwater(world, account, dex)) return;
  const before = standingOf(world, account, dex);
  const positions = () => [...dex.positions.values()].filter((p) => p.isolatedUsd === null);
  cancelOrders(world, account, (market) => market.perp !== null && market.dex === name);
  liquidate(world, account, positions(), before.equity, "Cross", () => {
    if (!isHopeless(before.equity, before.maintenance)) {
      for (const position of positions())
        sell(world, account, position, sharedBankruptcyPx(position, before));
    }
    const after = standingOf(world, account, dex);
    if (after.notional === 0n || !isHopeless(after.equity, after.maintenance)) return;
    for (const position of positions()) {
      backstop(world, account, position, sharedBankruptcyPx(position, after), "Cross");
    }
  });
}

/** Each cross position carries its share of the equity (or of the hole). */
function sharedBankruptcyPx(position: Position, standing: Standing): Fixed {
  const value = positionValue(position, markPx(position.market));
  const share = (standing.dollars * value) / standing.notional;
  return bankruptcyPx(position, share - (position.szi > 0n ? value : -value));
}

/** Price at which `cash` and the position are worth nothing together. */
function bankruptcyPx(position: Position, cash: Fixed): Fixed {
  const exact = (-cash * (TEN[8] as bigint)) / position.szi;
  const step = TEN[8 - position.market.pxDecimals] as bigint;
  const px = exact - (exact % step);
  // Rounded in the account's favour, so that it never ends below zero.
  return position.szi > 0n ? px + step : px > 0n ? px : step;
}

/** Runs a liquidation of `positions` and tells how much of them went, if anything did. */
function liquidate(
  world: World,
  account: Account,
  positions: readonly Position[],
  accountValue: Fixed,
  leverageType: "Cross" | "Isolated",
  run: () => void,
): void {
  beginTransaction(world);
  const before = positions.map(({ market, szi }) => ({ market, szi, mark: markPx(market) }));
  run();
  const gone = before.flatMap(({ market, szi, mark }) => {
    const sold = szi - (positionOf(account, market)?.szi ?? 0n);
    return sold === 0n ? [] : [{ market, szi: sold, mark }];
  });
  if (gone.length === 0) return;
  const notional = gone.reduce((sum, { szi, mark }) => sum + mul(abs(szi), mark), 0n);
  recordLedger(world, [account.user], {
    type: "liquidation",
    liquidatedNtlPos: format(notional),
    accountValue: format(accountValue),
    leverageType,
    liquidatedPositions: gone.map(({ market, szi }) => ({ coin: market.coin, szi: format(szi) })),
  });
  recordLiquidation(world, account, {
    lid: world.nextLiquidationId++,
    liquidator: backstopAddress(world),
    liquidated_user: account.user,
    liquidated_ntl_pos: format(notional),
    liquidated_account_value: format(accountValue),
  });
}

function cancelOrders(world: World, account: Account, applies: (market: Market) => boolean): void {
  for (const order of [...account.orders.values()]) {
    if (applies(order.market) && account.orders.has(order.oid)) {
      endByVenue(world, account, order, "liquidatedCanceled");
    }
  }
}

/** Into the book, but not below the price at which nothing would be left, nor 10 % from the mark. */
function sell(world: World, account: Account, position: Position, worst: Fixed): void {
  const { market } = position;
  const isBuy = position.szi < 0n;
  const mark = markPx(market);
  const limit = isBuy ? min(worst, (mark * 11n) / 10n) : max(worst, (mark * 9n) / 10n);
  place(world, account, {
    market,
    isBuy,
    limitPx: toTick(limit, market.pxDecimals, !isBuy),
    sz: abs(position.szi),
    tif: "LiquidationMarket",
    reduceOnly: true,
    liquidation: true,
  });
}

function backstop(
  world: World,
  account: Account,
  position: Position,
  px: Fixed,
  kind: "Cross" | "Isolated",
): void {
  const label = position.szi > 0n ? `Liquidated ${kind} Long` : `Liquidated ${kind} Short`;
  const liquidator = accountOf(world, backstopAddress(world), true);
  transferPosition(world, position, account, liquidator, px, { from: label, to: null });
}

/**
 * Moves the whole position from one account to another at `px`, without book or fee: backstop and ADL. The account
 * that gives is never `crossed`; a null label means the ordinary direction of the fill.
 */
export function transferPosition(
  world: World,
  position: Position,
  from: Account,
  to: Account,
  px: Fixed,
  labels: { from: string | null; to: string | null },
): void {
  const { market } = position;
  const sz = abs(position.szi);
  const buys = position.szi < 0n;
  const oids = { from: takeOid(world), to: takeOid(world) };
  const tid = buys ? tradeId(oids.from, oids.to) : tradeId(oids.to, oids.from);
  const note: JsonObject = { liquidatedUser: from.user, markPx: format(markPx(market)), method: "backstop" };
  const side = (account: Account, isBuy: boolean, oid: number, label: string | null, crossed: boolean) => {
    const result = applyPerpFill(account, market, isBuy, px, sz, 0n);
    rebalance(account);
    touch(world, account);
    const fill: JsonObject = {
      coin: market.coin,
      px: format(px),
      sz: format(sz),
      side: sideLetter(isBuy),
      time: world.blockMs,
      startPosition: format(result.startPosition),
      dir: label ?? result.dir,
      closedPnl: format(result.closedPnl),
      hash: hashOf(world),
      oid,
      crossed,
      fee: "0.0",
      tid,
      liquidation: { ...note },
      feeToken: "USDC",
      twapId: null,
    };
    recordFill(world, account, fill, null);
  };
  const give = () => side(from, buys, oids.from, labels.from, false);
  const take = () => side(to, !buys, oids.to, labels.to, true);
  if (buys) {
    give();
    take();
  } else {
    take();
    give();
  }
  for (const account of [from, to]) dropStaleReduceOnly(world, account, market, null);
  world.moved.add(market);
}
