/** Nothing new comes from the venue. */
import { duration } from "../../words.ts";
import { condition, MINUTE, OWN_HOLDS } from "./spec.ts";

export const feedStale = condition({
  of: "feed",
  spec: {
    help: "Age of the newest data of an account.",
    direction: "above",
    unit: "s",
    levels: [
      { severity: "warn", fire: 30, clear: 10 },
      { severity: "crit", fire: 120, clear: 10 },
    ],
    freshMs: OWN_HOLDS,
    cooldownMs: 5 * MINUTE,
  },
  see: ({ ageMs, normalMs }) => ({ value: Math.max(0, ageMs - normalMs) / 1000 }),
  words({ ageMs, normalMs }) {
    const normal = normalMs > 0 ? ` (polled, ${duration(normalMs)} are normal)` : "";
    return `newest data from the venue is ${duration(ageMs)} old${normal}`;
  },
});
