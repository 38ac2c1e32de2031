/** The database and the venue differ. */
import { condition, MINUTE, OWN_HOLDS } from "./spec.ts";

export const drift = condition({
  of: "drift",
  spec: {
    help: "Differences to the venue of the last day that were not repaired.",
    direction: "above",
    unit: "",
    levels: [{ severity: "warn", fire: 1, clear: 1 }],
    forMs: MINUTE,
    freshMs: OWN_HOLDS,
    cooldownMs: 60 * MINUTE,
  },
  see: ({ found }) => ({ value: found }),
  words({ found, older, streams }) {
    if (found > 0) return `${found} differences to the venue are not repaired (${streams})`;
    if (older === 0) return "no difference to the venue";
    return `no new difference to the venue, but ${older} of more than a day ago not repaired`;
  },
});
