/** Funding of a position turned. */
import { sign } from "../../../runtime/decimal.ts";
import { plainDecimal } from "../../words.ts";
import { event } from "./spec.ts";

export const fundingFlip = event({
  of: "funding",
  spec: {
    help: "Funding of a position changed from received to paid, or back.",
    loudness: "off",
    severity: "info",
  },
  see: ({ usdc, before }) =>
    before !== null && sign(usdc) !== 0 && sign(usdc) !== before ? { value: usdc, threshold: null } : null,
  words({ coin, usdc, data }) {
    const now = sign(usdc) < 0 ? "is paid now" : "is received now";
    return `${coin} funding ${now}: ${plainDecimal(usdc, 4)} USDC at ${plainDecimal(data.funding_rate)}`;
  },
});
