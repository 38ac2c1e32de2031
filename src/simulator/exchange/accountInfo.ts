/**
 * What the venue says about one account: states, open orders, histories. Guarantees: the order, caps, inclusive
 * bounds and retention of §3; recorded rows are served untouched and live rows follow them. An unknown address gets
 * empty answers, never an error.
 */
import type { Json, JsonObject } from "../contract.ts";
import {
  type Account,
  dexMargin,
  entryPx,
  formatLiquidationPx,
  isolatedEquity,
  leverageOf,
  liquidationPx,
  type Margin,
  newAccount,
  type Position,
  positionOf,
  positionValue,
  returnOnEquity,
  unrealizedPnl,
} from "./account.ts";
import {
  div,
  type Fixed,
  fixed,
  format,
  formatScaled,
  max,
  mul,
  ONE,
  parseFixed,
  truncate,
  units,
} from "./fixed.ts";
import { ZERO_HASH } from "./ids.ts";
import { suppliedOf } from "./lending.ts";
import { isOutcome, type Market, markPx } from "./market.ts";
import { basicOrder, frontendOrder, type Order } from "./order.ts";
import type { RecordedAccount } from "./recorded.ts";
import { shareOf } from "./transfers.ts";
import {
  borrowable,
  crossAvailable,
  debtValue,
  isUnified,
  loanToValue,
  poolOf,
  portfolioRatio,
  spendableUsdc,
  toldBalance,
} from "./unified.ts";
import { priceOf, type World } from "./world.ts";

const PAGE = 2000;
const FUNDING_PAGE = 500;
const USDC = 0;

/** The account, or an empty one that is not kept. */
export const accountFor = (world: World, user: string): Account =>
  world.accounts.get(user) ?? newAccount(user, false);

export const recordedOf = (world: World, user: string): RecordedAccount => world.recorded.get(user) ?? {};

// --- states -------------------------------------------------------------------------------------------------------

const summary = (margin: Margin): JsonObject => ({
  accountValue: format(margin.accountValue),
  totalNtlPos: format(margin.notional),
  totalRawUsd: format(margin.rawUsd),
  totalMarginUsed: format(margin.marginUsed),
});

const EMPTY_DEX = { usd: 0n, positions: new Map<string, Position>() };

export function clearinghouseState(world: World, account: Account, dexName: string): JsonObject {
  const recorded = recordedOf(world, account.user).clearinghouseState?.[dexName];
  if (recorded !== undefined) return recorded;
  const dex = account.dexes.get(dexName) ?? EMPTY_DEX;
  const margin = dexMargin(account, dex);
  const available = crossAvailable(world, account, margin);
  const positions = [...dex.positions.values()].sort((a, b) => a.market.asset - b.market.asset);
  return {
    marginSummary: summary(margin.total),
    crossMarginSummary: summary(margin.cross),
    crossMaintenanceMarginUsed: format(margin.crossMaintenance),
    withdrawable: format(margin.withdrawable),
    assetPositions: positions.map((position) => {
      const mark = markPx(position.market);
      const liquidation = formatLiquidationPx(liquidationPx(position, mark, available));
      return { type: "oneWay", position: positionWire(account, position, mark, liquidation) };
    }),
    time: Math.max(world.lastBlockMs, world.nowMs) - world.switches.stateTimeLagMs,
  };
}

function positionWire(
  account: Account,
  position: Position,
  mark: Fixed,
  liquidation: string | null,
): JsonObject {
  const { market, szi } = position;
  const leverage = leverageOf(account, market);
  const value = positionValue(position, mark);
  const pnl = unrealizedPnl(position, mark);
  const isolated = position.isolatedUsd !== null;
  return {
    coin: market.coin,
    szi: format(szi),
    leverage: isolated
      ? { type: "isolated", value: leverage.value, rawUsd: format(position.isolatedUsd as Fixed) }
      : { type: "cross", value: leverage.value },
    entryPx: format(entryPx(position)),
    positionValue: format(value),
    unrealizedPnl: format(pnl),
    returnOnEquity: formatScaled(returnOnEquity(pnl, position.cost, leverage.value), 10),
    liquidationPx: liquidation,
    marginUsed: format(
      isolated ? max(0n, isolatedEquity(position, mark)) : truncate(value / BigInt(leverage.value), 6),
    ),
    maxLeverage: market.perp?.maxLeverage ?? 1,
    cumFunding: {
      allTime: format(account.fundingAllTime.get(market.coin) ?? 0n),
      sinceOpen: format(position.fundingSinceOpen),
      sinceChange: format(position.fundingSinceChange),
    },
  };
}

export function spotState(world: World, account: Account): JsonObject {
  const recorded = recordedOf(world, account.user).spotClearinghouseState;
  if (recorded !== undefined) return recorded;
  const balances: JsonObject[] = [];
  for (const [index, balance] of [...account.spot].sort(([a], [b]) => a - b)) {
    const listed = world.universe.tokens.find((t) => t.index === index);
    const { total, hold } = toldBalance(account, index);
    const amounts = {
      total: format(total),
      hold: format(hold),
      entryNtl: format(index === USDC ? 0n : balance.entryNtl),
    };
    // Outcome balances have a name of their own and no token index.
    if (listed === undefined) balances.push({ coin: `+${index - 100_000_000}`, ...amounts });
    else balances.push({ coin: listed.name, token: index, ...amounts });
  }
  for (const balance of balances) {
    const { token } = balance;
    const supplied = typeof token === "number" ? suppliedOf(account, token) : 0n;
    if (supplied > 0n) balance.supplied = format(supplied);
  }
  if (!isUnified(account)) return { balances };
  // Isolated margin and the maintenance of the rest are not available; orders are. [three real answers]
  const { equity, maintenance } = poolOf(world, account);
  const after = format(max(0n, equity - maintenance));
  if (account.abstraction === "unifiedAccount")
    return { balances, tokenToAvailableAfterMaintenance: [[USDC, after]] };
  return portfolioState(world, account, balances, after);
}

/** Dollars and what is collateral earn when they lie there; a token that is neither is not supplied [real sub-account]. */
const isLendable = ({ token, coin }: JsonObject): boolean => token === USDC || loanToValue(String(coin)) > 0n;

/** `hold` is net of what could be borrowed, `spotHold` is not, and missing where nothing is held [real sub-account]. */
function portfolioState(
  world: World,
  account: Account,
  balances: JsonObject[],
  usdcAfter: string,
): JsonObject {
  const lent = borrowable(world, account);
  return {
    portfolioMarginEnabled: true,
    balances: balances.map((b) => {
      const [total, held] = [fixed(b.total as string), fixed(b.hold as string)];
      const owed = account.loans.get(b.token as number)?.owed ?? 0n;
      const borrowed = owed + (total < 0n ? -total : 0n);
      const net = b.token === USDC ? held - lent : held;
      return {
        ...b,
        // Losses beyond the dollars are lent by the venue against the other tokens.
        total: format(max(0n, total)),
        hold: format(net),
        ...(net === 0n ? {} : { spotHold: format(held) }),
        ltv: format((loanToValue(b.coin as string) * ONE) / 100n),
        ...(borrowed > 0n ? { borrowed: format(borrowed) } : {}),
        ...(isLendable(b) && total > held ? { supplied: format(total - held) } : {}),
      };
    }),
    // No equity at all is reported as a multiple of the threshold.
    portfolioMarginRatio: format(portfolioRatio(world, account) ?? units(100)),
    tokenToPortfolioBorrowRatio: [],
    tokenToPortfolioSupplyRatio: [],
    tokenToAvailableAfterMaintenance: balances
      .filter((b) => b.token !== undefined)
      .map((b) => [b.token as number, b.token === USDC ? usdcAfter : (b.total as string)]),
  };
}

/** Perp value of all dexes, and with the spot tokens at their marks and the shares of vaults: as the venue's own page sums it. */
export function equityOf(world: World, account: Account): { total: Fixed; perp: Fixed } {
  let perp = 0n;
  for (const dex of account.dexes.values()) perp += dexMargin(account, dex).total.accountValue;
  let spot = 0n;
  for (const [token, balance] of account.spot) spot += mul(balance.total, priceOf(world, token));
  const vaults = world.vaults.reduce((sum, vault) => sum + shareOf(world, vault, account.user), 0n);
  return { total: perp + spot + vaults - debtValue(world, account), perp };
}

// --- open orders --------------------------------------------------------------------------------------------------

const listed = (account: Account, dex: string): Order[] =>
  [...account.orders.values()].filter((o) => o.market.dex === dex).reverse();

/** Captured lists are in one form; it serves both requests. `dex:COIN` belongs to its dex, the rest to the first. */
function recordedOrders(world: World, account: Account, dex: string, frontend: boolean): JsonObject[] {
  const { openOrders: short, frontendOpenOrders: long } = recordedOf(world, account.user);
  const rows = (frontend ? (long ?? short) : (short ?? long)) ?? [];
  return rows.filter((order) => {
    const coin = String(order.coin);
    return (coin.includes(":") ? coin.slice(0, coin.indexOf(":")) : "") === dex;
  });
}

/** The same orders as the frontend form, triggers included, in the short form. */
export const openOrders = (world: World, account: Account, dex: string): JsonObject[] => [
  ...listed(account, dex).map(basicOrder),
  ...recordedOrders(world, account, dex, false),
];

/** Newest first; children appear nested in their parent and again on their own [cassette]. */
export const frontendOpenOrders = (world: World, account: Account, dex: string): JsonObject[] => [
  ...listed(account, dex).map(frontendOrder),
  ...recordedOrders(world, account, dex, true),
];

/** Newest 2000 transitions, newest first. */
export function historicalOrders(world: World, account: Account): JsonObject[] {
  const recorded = recordedOf(world, account.user).historicalOrders ?? [];
  return newest(recorded, account.orderRows as unknown as JsonObject[], PAGE);
}

export function orderStatus(world: World, account: Account, id: number | string): JsonObject {
  const oid = typeof id === "string" ? account.oidByCloid.get(id.toLowerCase()) : id;
  const row = oid === undefined ? undefined : account.statusByOid.get(oid);
  if (row !== undefined) return { status: "order", order: { ...row } };
  const recorded = recordedOf(world, account.user).historicalOrders ?? [];
  for (let i = recorded.length - 1; i >= 0; i--) {
    const candidate = recorded[i] as JsonObject;
    const order = candidate.order as JsonObject;
    if (order.oid === id || (typeof id === "string" && order.cloid === id))
      return { status: "order", order: candidate };
  }
  return { status: "unknownOid" };
}

/** The newest `count` of recorded then live rows, newest first. */
function newest(recorded: readonly JsonObject[], live: readonly JsonObject[], count: number): JsonObject[] {
  const out: JsonObject[] = [];
  for (let i = live.length - 1; i >= 0 && out.length < count; i--) out.push(live[i] as JsonObject);
  for (let i = recorded.length - 1; i >= 0 && out.length < count; i--) out.push(recorded[i] as JsonObject);
  return out;
}

// --- fills --------------------------------------------------------------------------------------------------------

export function userFills(world: World, account: Account, aggregate: boolean): JsonObject[] {
  const rows = newest(
    recordedOf(world, account.user).fills ?? [],
    account.fills,
    world.switches.fillRetention,
  );
  return aggregate ? aggregateByTime(rows.reverse()).reverse().slice(0, PAGE) : rows.slice(0, PAGE);
}

export interface Window {
  startMs: number;
  endMs: number;
}

/** Ascending from `startMs`, at most 2000; only the newest ~10 000 fills are reachable. */
export function userFillsByTime(
  world: World,
  account: Account,
  window: Window,
  options: { aggregate: boolean; reversed: boolean },
): JsonObject[] {
  const kept = newest(
    recordedOf(world, account.user).fills ?? [],
    account.fills,
    world.switches.fillRetention,
  );
  let rows = kept.reverse().filter((f) => within(window, f.time));
  if (options.aggregate) rows = aggregateByTime(rows);
  return options.reversed ? rows.reverse().slice(0, PAGE) : rows.slice(0, PAGE);
}

const within = (window: Window, time: Json | undefined): boolean =>
  Number(time) >= window.startMs && Number(time) <= window.endMs;

/**
 * Merges the fills of one crossing order in one block: one of their tids, summed size and fee, average price with
 * more digits than any tick, and no marker that says so (§5.2).
 */
export function aggregateByTime(rows: readonly JsonObject[]): JsonObject[] {
  const out: JsonObject[] = [];
  for (const row of rows) {
    const last = out[out.length - 1];
    const same =
      last !== undefined &&
      row.crossed === true &&
      last.oid === row.oid &&
      last.time === row.time &&
      last.dir === row.dir;
    if (same) out[out.length - 1] = merged(last, row);
    else out.push(row);
  }
  return out;
}

function merged(a: JsonObject, b: JsonObject): JsonObject {
  const read = (row: JsonObject, key: string): Fixed => parseFixed(String(row[key] ?? "0")) ?? 0n;
  const sz = read(a, "sz") + read(b, "sz");
  const cost = mul(read(a, "px"), read(a, "sz")) + mul(read(b, "px"), read(b, "sz"));
  return {
    ...a,
    px: format(div(cost, sz)),
    sz: format(sz),
    closedPnl: format(read(a, "closedPnl") + read(b, "closedPnl")),
    fee: format(read(a, "fee") + read(b, "fee")),
  };
}

export function userTwapSliceFills(world: World, account: Account, window: Window | null): JsonObject[] {
  const live = account.twapFills as unknown as JsonObject[];
  const rows = newest(
    recordedOf(world, account.user).twapSliceFills ?? [],
    live,
    world.switches.fillRetention,
  );
  if (window === null) return rows.slice(0, PAGE);
  const inside = rows.filter((r) => within(window, (r.fill as JsonObject).time));
  if (world.switches.twapByTimeOrder === "oldestFirst") inside.reverse();
  return inside.slice(0, PAGE);
}

export const twapHistory = (world: World, account: Account): JsonObject[] =>
  newest(recordedOf(world, account.user).twapHistory ?? [], account.twapHistory, PAGE);

// --- funding and ledger -------------------------------------------------------------------------------------------

/** Ascending, 500 from `startMs`. */
export function userFunding(world: World, account: Account, window: Window): JsonObject[] {
  const live = account.funding.map(
    ({ time, coin, usdc, szi, fundingRate, nSamples }): JsonObject => ({
      time: time as number,
      hash: ZERO_HASH,
      delta: {
        type: "funding",
        coin: coin as string,
        usdc: usdc as string,
        szi: szi as string,
        fundingRate: fundingRate as string,
        nSamples: nSamples as null,
      },
    }),
  );
  return [...(recordedOf(world, account.user).funding ?? []), ...live]
    .filter((row) => within(window, row.time))
    .slice(0, FUNDING_PAGE);
}

export function ledgerUpdates(world: World, account: Account, window: Window): JsonObject[] {
  return [...(recordedOf(world, account.user).ledger ?? []), ...account.ledger]
    .filter((row) => within(window, row.time))
    .slice(0, world.switches.ledgerPageSize);
}

// --- trading limits -----------------------------------------------------------------------------------------------

/** Null for spot and outcome markets: the request is for perps. */
export function activeAssetData(account: Account, market: Market): JsonObject | null {
  if (market.perp === null || isOutcome(market)) return null;
  const mark = markPx(market);
  const leverage = leverageOf(account, market);
  const position = positionOf(account, market);
  const margin = dexMargin(account, account.dexes.get(market.dex) ?? EMPTY_DEX);
  const free = max(0n, margin.cross.accountValue - margin.cross.marginUsed);
  const opening = (free + spendableUsdc(account)) * BigInt(leverage.value);
  const closing = position === undefined ? 0n : positionValue(position, mark);
  const side = (isBuy: boolean): Fixed => {
    const reduces = position !== undefined && position.szi > 0n !== isBuy;
    return reduces ? opening + 2n * closing : opening;
  };
  const size = (ntl: Fixed): string => format(truncate(div(ntl, mark), market.szDecimals));
  return {
    user: account.user,
    coin: market.coin,
    leverage:
      position?.isolatedUsd != null
        ? { type: "isolated", value: leverage.value, rawUsd: format(position.isolatedUsd) }
        : leverage.isCross
          ? { type: "cross", value: leverage.value }
          : { type: "isolated", value: leverage.value, rawUsd: "0.0" },
    maxTradeSzs: [size(side(true)), size(side(false))],
    availableToTrade: [
      format(truncate(side(true) / BigInt(leverage.value), 6)),
      format(truncate(side(false) / BigInt(leverage.value), 6)),
    ],
    markPx: format(mark),
  };
}
