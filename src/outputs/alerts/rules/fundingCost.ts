/** Funding was expensive. */
import { gt, lt, neg } from "../../../runtime/decimal.ts";
import { plainDecimal } from "../../words.ts";
import { event } from "./spec.ts";

export const fundingCost = event({
  of: "funding",
  spec: {
    help: "A funding payment of at least this was paid.",
    loudness: "off",
    severity: "info",
    least: 100,
    unit: "USD",
  },
  see({ usdc }, spec) {
    const [value, threshold] = [neg(usdc), String(spec.least ?? 0)];
    return gt(value, "0") && !lt(value, threshold) ? { value, threshold } : null;
  },
  words: ({ coin, data }, { value }) =>
    `${coin} funding cost ${plainDecimal(value, 2)} USDC at ${plainDecimal(data.funding_rate)}`,
});
