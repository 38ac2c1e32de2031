/** The database is away. Told to the channels directly (`databaseAlarm.ts`). */
import { duration } from "../../words.ts";
import { condition, MINUTE, OWN_HOLDS } from "./spec.ts";

export const databaseDown = condition({
  of: "database",
  spec: {
    help: "The database does not answer. Told directly, since nothing can be stored.",
    direction: "above",
    unit: "s",
    levels: [{ severity: "crit", fire: 30, clear: 1 }],
    freshMs: OWN_HOLDS,
    cooldownMs: 5 * MINUTE,
  },
  see: ({ silentMs }) => ({ value: silentMs / 1000 }),
  words: ({ silentMs, isBack }) =>
    isBack ? "the database answers again" : `the database has not answered for ${duration(silentMs)}`,
});
