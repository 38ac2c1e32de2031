/**
 * One account snapshot out of the states of all perp dexes and the spot state. Pure; `healthScore.ts` scores it. Guarantees:
 * mode-aware equity (an account whose collateral lives in spot never reads zero), null with the reason when a part of it
 * is missing; a ratio without a denominator is null, never zero.
 *
 * In unified and portfolio-margin mode the venue's spot totals already contain the equity of the perps, margin posted
 * to dexes included: the two are never added.
 */

import type { WireClearinghouseState, WireSpotState } from "../protocol/schemas.ts";
import {
  add,
  type Decimal,
  div,
  isDecimal,
  isZero,
  max,
  mul,
  sign,
  sub,
  sum,
  trunc,
} from "../runtime/decimal.ts";
import type { Address, DashboardRow } from "./rows.ts";

/** `standard`: collateral is posted per dex. In the two others it lives in the spot state. */
export type AccountMode = "standard" | "unified" | "portfolio_margin";

/** From the venue's `abstraction`, an open set: whatever is not known to pool collateral does not. */
export function accountMode(abstraction: string | null, spot: WireSpotState | null): AccountMode {
  if (abstraction === "portfolioMargin" || spot?.portfolioMarginEnabled === true) return "portfolio_margin";
  return abstraction === "unifiedAccount" ? "unified" : "standard";
}

export interface AccountStates {
  account: Address;
  asOfMs: number;
  mode: AccountMode;
  /** By dex; "" is the first one. */
  perps: ReadonlyMap<string, WireClearinghouseState>;
  /** The same as the venue wrote them, where that says more. */
  rawPerps?: ReadonlyMap<string, unknown>;
  spot: WireSpotState | null;
  /** Value of the tokens other than dollars that back a portfolio-margin account. */
  collateral?: ReadonlyMap<string, Decimal>;
  /** Parts of the equity that are known to be missing, in words. */
  missing?: readonly string[];
  /** The state of a dex that may hold positions was not read yet. */
  isPartial?: boolean;
}

/** Tokens that count as dollars, one for one: `hl_internal.dollar_tokens`, which a test holds equal. */
export const DOLLAR_TOKENS: ReadonlySet<string> = new Set(["USDC", "USDT0", "USDT", "USDE", "USDH"]);

/** What is held and not owed. */
export const ownTotal = ({ total, borrowed }: WireSpotState["balances"][number]): Decimal =>
  isDecimal(borrowed) ? sub(total, borrowed) : total;

/** What orders and positions tie up. Under portfolio margin `hold` is net of what could be borrowed, `spotHold` is not. */
const tiedUp = ({ hold, spotHold }: WireSpotState["balances"][number]): Decimal =>
  isDecimal(spotHold) ? spotHold : hold;

/** The snapshot, not scored yet. */
export function dashboardRow(states: AccountStates): DashboardRow {
  const perps = [...states.perps.values()];
  const total = (pick: (state: WireClearinghouseState) => Decimal): Decimal => sum(perps.map(pick));
  const positions = perps.flatMap((state) => state.assetPositions.map(({ position }) => position));
  const balances = (states.spot?.balances ?? []).filter(({ coin }) => DOLLAR_TOKENS.has(coin));
  const pooled = states.mode !== "standard";
  const totalMarginUsed = total((state) => state.marginSummary.totalMarginUsed);
  const totalNotional = total((state) => state.marginSummary.totalNtlPos);
  const maintenance = total((state) => state.crossMaintenanceMarginUsed ?? "0");
  const missing = [...(states.missing ?? [])];
  if (pooled && states.spot === null) missing.push("the spot state is not known yet");
  const equity = pooled
    ? sum([...balances.map(ownTotal), ...(states.collateral?.values() ?? [])])
    : total((state) => state.marginSummary.accountValue);
  const accountValue = missing.length === 0 ? equity : null;
  const withdrawable = pooled
    ? sum(balances.map((balance) => max("0", sub(ownTotal(balance), tiedUp(balance)))))
    : total((state) => state.withdrawable);
  // Pooled dollars are told by spot; what they back on a dex that was not read is not.
  const backing = states.isPartial ? null : accountValue;
  const solvent = backing !== null && sign(backing) > 0;
  const ratio = (part: Decimal, whole: Decimal, scale: Decimal, places: number): Decimal | null =>
    isZero(whole) ? null : trunc(mul(div(part, whole), scale), places);
  return {
    account: states.account,
    asOfMs: states.asOfMs,
    accountValue,
    withdrawable,
    totalMarginUsed,
    totalNotionalPosition: totalNotional,
    totalRawUsd: total((state) => state.marginSummary.totalRawUsd),
    maintenanceMargin: maintenance,
    actualLeverage: solvent ? ratio(totalNotional, backing, "1", 6) : null,
    marginUsagePct: solvent ? ratio(totalMarginUsed, backing, "100", 6) : null,
    freeMargin: backing === null ? null : sub(backing, totalMarginUsed),
    marginLevel: backing === null ? null : ratio(backing, maintenance, "1", 6),
    liquidationBufferPct: solvent ? ratio(sub(backing, maintenance), backing, "100", 6) : null,
    totalPositions: positions.length,
    totalUnrealizedPnl: positions.reduce((pnl, { unrealizedPnl }) => add(pnl, unrealizedPnl), "0"),
    healthScore: null,
    healthStatus: "unknown",
    healthReason: "not scored",
    accountMode: states.mode,
    accountValueReason: missing.length === 0 ? null : missing.join("; "),
    netWorth: null,
    netWorthReason: "not counted",
    raw: { perps: Object.fromEntries(states.rawPerps ?? states.perps), spot: states.spot },
  };
}
