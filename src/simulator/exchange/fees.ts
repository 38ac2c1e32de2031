/**
 * What a fill costs. Perp fees are truncated toward zero at six decimals of USDC, spot fees at eight of the token that
 * is received: the base for the buyer, the quote for the seller (50/50 and 10/10 real rows). Base rates, no tiers.
 */
import { type Fixed, mul, truncate } from "./fixed.ts";
import type { Market } from "./market.ts";
import type { Order } from "./order.ts";

/** Rates in 10⁻⁸. */
const RATES = {
  perp: { cross: 45_000n, add: 15_000n },
  spot: { cross: 70_000n, add: 40_000n },
} as const;

export interface Fee {
  amount: Fixed;
  builder: Fixed;
  token: number;
  tokenName: string;
}

export function fillFee(market: Market, px: Fixed, sz: Fixed, order: Order, crossed: boolean): Fee {
  const notional = mul(px, sz);
  const side = crossed ? "cross" : "add";
  // Tenths of a basis point: 1 = 0.001 %.
  const builderRate = order.builder === null ? 0n : order.builder.fee * 1000n;
  if (market.spot === null) {
    const builder = truncate(mul(notional, builderRate), 6);
    return {
      amount: truncate(mul(notional, RATES.perp[side]), 6) + builder,
      builder,
      token: 0,
      tokenName: "USDC",
    };
  }
  const { base, quote } = market.spot;
  const received = order.isBuy ? sz : notional;
  const token = order.isBuy ? base : quote;
  const builder = mul(received, builderRate);
  return {
    amount: truncate(mul(received, RATES.spot[side]), Math.min(8, token.weiDecimals)) + builder,
    builder,
    token: token.index,
    tokenName: token.name,
  };
}
