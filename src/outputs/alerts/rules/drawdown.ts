/** An account is below its peak. */
import { plainDecimal, plainNumber } from "../../words.ts";
import { condition, MINUTE, SNAPSHOT_HOLDS } from "./spec.ts";

export const drawdown = condition({
  of: "account",
  spec: {
    help: "Net worth below its peak, deposits and withdrawals taken out.",
    direction: "above",
    unit: "%",
    levels: [
      { severity: "warn", fire: 15, clear: 12 },
      { severity: "crit", fire: 30, clear: 25 },
    ],
    freshMs: SNAPSHOT_HOLDS,
    cooldownMs: 60 * MINUTE,
  },
  see: ({ components }) =>
    components?.drawdown === undefined || components.limiting === "unknown"
      ? null
      : { value: 100 * Number(components.drawdown) },
  words: ({ netWorth }, { value }) => [
    `net worth is ${plainNumber(value!, 1)} % below its peak`,
    netWorth === null ? "" : `Net worth ${plainDecimal(netWorth, 2)} USD.`,
  ],
});
