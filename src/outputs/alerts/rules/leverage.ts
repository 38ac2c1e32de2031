/** All positions are large against the equity. */
import { plainDecimal } from "../../words.ts";
import { equityWords } from "./marginRatio.ts";
import { condition, MINUTE, SNAPSHOT_HOLDS } from "./spec.ts";

export const leverage = condition({
  of: "account",
  spec: {
    help: "Value of all positions ÷ equity.",
    loudness: "off",
    direction: "above",
    unit: "×",
    levels: [{ severity: "warn", fire: 10, clear: 9 }],
    freshMs: SNAPSHOT_HOLDS,
    cooldownMs: 60 * MINUTE,
  },
  see: (account) => ({ value: account.leverage === null ? null : Number(account.leverage) }),
  words: (account, { value }) => [
    value === null ? "leverage is not defined" : `leverage ${plainDecimal(account.leverage, 1)}×`,
    equityWords(account),
  ],
});
