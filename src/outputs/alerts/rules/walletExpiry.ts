/** A wallet that may act for the account ends: a bot stops. */
import { word } from "../../words.ts";
import { condition, MINUTE, PARTICULARS_HOLD } from "./spec.ts";

const DAY = 24 * 60 * MINUTE;

export const walletExpiry = condition({
  of: "wallet",
  spec: {
    help: "Days until the first API wallet of the account ends.",
    direction: "below",
    unit: "d",
    levels: [
      { severity: "warn", fire: 7, clear: 8 },
      { severity: "crit", fire: 1, clear: 2 },
    ],
    freshMs: PARTICULARS_HOLD,
    cooldownMs: DAY,
  },
  see: ({ untilMs, nowMs }) => ({ value: untilMs === null ? null : Math.max(0, (untilMs - nowMs) / DAY) }),
  words({ name, address, untilMs }) {
    if (untilMs === null) return "no API wallet ends";
    const called = name === null ? `${address?.slice(0, 10)}…` : word(name);
    return `API wallet ${called} ends at ${new Date(untilMs).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  },
});
