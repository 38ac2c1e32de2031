/** What the day before brought. */
import { plainDecimal } from "../../words.ts";
import { event } from "./spec.ts";

const money = (value: string): string => plainDecimal(value, 2);

export const dailyDigest = event({
  of: "day",
  spec: {
    help: "Once a day after midnight UTC: what the day before brought.",
    loudness: "off",
    severity: "info",
  },
  see: ({ digest }) => ({ value: digest?.netPnl ?? null, threshold: null }),
  words({ subject, digest, isComplete }) {
    const day = isComplete ? subject : `${subject}, of which not all is known yet`;
    if (digest === null) return `${day}: no fills and no funding`;
    const { netPnl, closedPnl, fees, funding, fills, unpricedFees, netWorth } = digest;
    const parts = `closed ${money(closedPnl)}, fees ${money(fees)}, funding ${money(funding)}`;
    const unpriced = unpricedFees > 0 ? `, ${unpricedFees} fees not priced` : "";
    const worth = netWorth === null ? "unknown" : `${money(netWorth)} USD`;
    return `${day}: net PnL ${money(netPnl)} USD (${parts}), ${fills} fills${unpriced}, net worth ${worth}`;
  },
});
