/** The venue liquidated. */
import { div, round, sign } from "../../../runtime/decimal.ts";
import { tradeText } from "../../eventText.ts";
import { plainDecimal } from "../../words.ts";
import type { FillsHappening } from "./facts.ts";
import { event } from "./spec.ts";

export const liquidation = event({
  of: "fills",
  spec: { help: "The venue liquidated (a part of) a position.", severity: "crit", unit: "USD" },
  see: ({ isLiquidation, value }) => (isLiquidation ? { value, threshold: null } : null),
  words: (fills) => `LIQUIDATED: ${filledWords(fills)}`,
});

/** `bought 0.4 BTC at 83000 (33200 USD, 40 fills, order 55)`, at the average price. */
export function filledWords({ side, size, name, value, fills, subject }: FillsHappening): string {
  const price = round(sign(size) > 0 ? div(value, size) : "0", 6);
  const count = fills === 1 ? "1 fill" : `${fills} fills`;
  return `${tradeText(side, size, name, price)} (${plainDecimal(value, 2)} USD, ${count}, ${subject})`;
}
