/** The requests of an address run out: it may then send one in ten seconds. */
import { plainNumber } from "../../words.ts";
import { condition, MINUTE, PARTICULARS_HOLD } from "./spec.ts";

export const requestsLeft = condition({
  of: "limits",
  spec: {
    help: "Requests that the venue still takes from the address; each USDC traded gives one more.",
    direction: "below",
    unit: "",
    levels: [
      { severity: "warn", fire: 2_000, clear: 4_000 },
      { severity: "crit", fire: 200, clear: 1_000 },
    ],
    freshMs: PARTICULARS_HOLD,
    cooldownMs: 60 * MINUTE,
  },
  see: ({ left }) => (left === null ? null : { value: Number(left) }),
  words: ({ cap }, { value }) => [
    `${plainNumber(value!, 0)} requests left`,
    cap === null ? "" : `Of ${plainNumber(Number(cap), 0)}.`,
  ],
});
