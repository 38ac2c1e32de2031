/** A large order was filled. */
import { type Decimal, div, lt, mul } from "../../../runtime/decimal.ts";
import { filledWords } from "./liquidation.ts";
import { type EventSpec, event } from "./spec.ts";

export const largeFill = event({
  of: "fills",
  spec: {
    help: "A filled order of at least this notional, or share of equity. One message per order.",
    severity: "info",
    least: 10_000,
    unit: "USD",
  },
  see({ value, equity, isLiquidation }, spec) {
    const threshold = leastOf(spec, equity);
    return isLiquidation || threshold === "unknown" || (threshold !== null && lt(value, threshold))
      ? null
      : { value, threshold };
  },
  words: filledWords,
});

/** In USD; null when every fill counts, unknown while a share is wanted of an equity that is not known. */
function leastOf({ least, unit }: EventSpec, equity: Decimal | null): Decimal | null | "unknown" {
  if (least === null) return null;
  if (unit !== "%") return String(least);
  return equity === null ? "unknown" : div(mul(equity, String(least)), "100", 2);
}
