/** One position is a large part of the equity. */
import { plainDecimal, plainNumber } from "../../words.ts";
import { condition, MINUTE, POSITION_HOLDS } from "./spec.ts";

export const exposure = condition({
  of: "position",
  spec: {
    help: "Value of one position in % of equity.",
    loudness: "off",
    direction: "above",
    unit: "%",
    levels: [{ severity: "warn", fire: 300, clear: 270 }],
    freshMs: POSITION_HOLDS,
    cooldownMs: 60 * MINUTE,
  },
  see: ({ positionValue, equity }) =>
    Number(equity) > 0 ? { value: (100 * Number(positionValue)) / Number(equity) } : null,
  words: ({ coin, side, positionValue, equity }, { value }) => [
    `${coin} ${side} is ${plainNumber(value!, 0)} % of equity`,
    `Value ${plainDecimal(positionValue, 2)} USD, equity ${plainDecimal(equity, 2)}.`,
  ],
});
