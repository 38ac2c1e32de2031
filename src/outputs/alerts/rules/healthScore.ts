/** The health score of an account fell. */
import { word } from "../../words.ts";
import { condition, MINUTE, SNAPSHOT_HOLDS } from "./spec.ts";

export const healthScore = condition({
  of: "account",
  spec: {
    help: "Health score, 0 to 100.",
    direction: "below",
    unit: "",
    most: 100,
    levels: [
      { severity: "warn", fire: 40, clear: 50 },
      { severity: "crit", fire: 20, clear: 30 },
    ],
    freshMs: SNAPSHOT_HOLDS,
    cooldownMs: 15 * MINUTE,
  },
  see: ({ score }) => (score === null ? null : { value: score }),
  words: ({ reason }, { value }) => [`health ${value} of 100`, reason === null ? "" : `${word(reason)}.`],
});
