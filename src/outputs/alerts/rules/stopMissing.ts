/** A position has nothing that ends it. */
import { plainDecimal } from "../../words.ts";
import { condition, MINUTE, POSITION_HOLDS } from "./spec.ts";

export const stopMissing = condition({
  of: "position",
  spec: {
    help: "A position has no resting stop order.",
    loudness: "off",
    direction: "above",
    unit: "",
    levels: [{ severity: "warn", fire: 1, clear: 1 }],
    forMs: 5 * MINUTE,
    freshMs: POSITION_HOLDS,
    cooldownMs: 60 * MINUTE,
  },
  see: ({ hasStop }) => ({ value: hasStop ? 0 : 1 }),
  words: ({ coin, side, positionValue, hasStop }) =>
    `${coin} ${side} of ${plainDecimal(positionValue, 2)} USD has ${hasStop ? "a" : "no"} stop order`,
});
