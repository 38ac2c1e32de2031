/** States as the venue words them, for accounts whose risk is computed by hand. */
import type { WireClearinghouseState, WirePosition, WireSpotState } from "../../../src/protocol/schemas.ts";
import { abs, add, type Decimal, div, mul, sign, sub, sum } from "../../../src/runtime/decimal.ts";
import { type HealthInputs, type StopOrder, scoreHealth } from "../../../src/sync/healthScore.ts";

export interface Holding {
  coin: string;
  /** Signed. */
  size: Decimal;
  mark: Decimal;
  maxLeverage: number;
  leverage?: number;
  /** Own cash of an isolated position. */
  isolatedUsd?: Decimal;
  /** Given by the venue where it cannot be recomputed. */
  liquidation?: Decimal | null;
}

const value = ({ size, mark }: Holding): Decimal => mul(abs(size), mark);
const signed = (one: Holding): Decimal => mul(one.size, one.mark);
const maintenance = (one: Holding): Decimal => div(value(one), String(2 * one.maxLeverage));

/** The venue's formula (§5.7): mark − side·available/|szi|/(1 − side/(2·maxLeverage)); null where no price would do. */
export function liquidationPrice(one: Holding, available: Decimal): Decimal | null {
  const long = sign(one.size) > 0;
  const l = div("1", String(2 * one.maxLeverage));
  const shift = div(div(available, abs(one.size)), long ? sub("1", l) : add("1", l));
  const price = long ? sub(one.mark, shift) : add(one.mark, shift);
  return sign(price) > 0 ? price : null;
}

/** A dex whose cross part is worth `equity`. */
export function perpState(equity: Decimal, holdings: readonly Holding[], timeMs = 0): WireClearinghouseState {
  const cross = holdings.filter(({ isolatedUsd }) => isolatedUsd === undefined);
  const crossMaintenance = sum(cross.map(maintenance));
  const isolatedValue = sum(
    holdings.filter((one) => one.isolatedUsd !== undefined).map((one) => add(one.isolatedUsd!, signed(one))),
  );
  const positions = holdings.map((one): WirePosition => {
    const isolated = one.isolatedUsd !== undefined;
    const available = isolated
      ? sub(add(one.isolatedUsd!, signed(one)), maintenance(one))
      : sub(equity, crossMaintenance);
    const leverage = one.leverage ?? one.maxLeverage;
    return {
      coin: one.coin,
      szi: one.size,
      positionValue: value(one),
      unrealizedPnl: "0",
      entryPx: one.mark,
      liquidationPx: one.liquidation !== undefined ? one.liquidation : liquidationPrice(one, available),
      marginUsed: isolated ? add(one.isolatedUsd!, signed(one)) : div(value(one), String(leverage)),
      maxLeverage: one.maxLeverage,
      leverage: isolated
        ? { type: "isolated", value: leverage, rawUsd: one.isolatedUsd! }
        : { type: "cross", value: leverage },
    };
  });
  const notional = sum(holdings.map(value));
  const used = sum(positions.map(({ marginUsed }) => marginUsed));
  const summary = (accountValue: Decimal) => ({
    accountValue,
    totalNtlPos: notional,
    totalRawUsd: sub(accountValue, sum(holdings.map(signed))),
    totalMarginUsed: used,
  });
  return {
    marginSummary: summary(add(equity, isolatedValue)),
    crossMarginSummary: summary(equity),
    crossMaintenanceMarginUsed: crossMaintenance,
    withdrawable: "0",
    assetPositions: positions.map((position) => ({ position })),
    time: timeMs,
  };
}

export const spotState = (
  balances: readonly {
    coin: string;
    token: number;
    total: Decimal;
    hold?: Decimal;
    ltv?: Decimal;
    borrowed?: Decimal;
    supplied?: Decimal;
  }[],
  extra: Partial<WireSpotState> = {},
): WireSpotState => ({ balances: balances.map((one) => ({ hold: "0", ...one })), ...extra });

export const SIGMAS: Record<string, number> = { BTC: 0.025, MEME: 0.09, ETH: 0.035, HYPE: 0.05 };

/** Every position stopped, everything known, nothing lost yet. */
export function inputs(given: Partial<HealthInputs>): HealthInputs {
  const perps = given.perps ?? new Map<string, WireClearinghouseState>();
  const stops: StopOrder[] = [...perps.values()].flatMap((state) =>
    state.assetPositions.map(({ position }): StopOrder => {
      const long = sign(position.szi) > 0;
      return {
        coin: position.coin,
        side: long ? "sell" : "buy",
        size: null,
        triggerPrice: long ? "1000000000" : "0",
      };
    }),
  );
  return {
    mode: "standard",
    perps,
    dexesInUse: new Set(perps.keys()),
    spot: null,
    equity: sum([...perps.values()].map((state) => state.marginSummary.accountValue)),
    collateral: new Map(),
    collateralToken: (dex) => (dex === "" ? 0 : undefined),
    marginTiers: () => null,
    volatility: (coin) => SIGMAS[coin] ?? null,
    stops,
    drawdown: 0,
    nowMs: Date.UTC(2026, 0, 1, 12, 0, 30),
    stateAgeMs: 0,
    missing: [],
    ...given,
  };
}

export const score = (given: Partial<HealthInputs>) => scoreHealth(inputs(given));
