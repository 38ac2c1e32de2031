/** The day went badly. */
import { plainDecimal, plainNumber } from "../../words.ts";
import type { DayFacts } from "./facts.ts";
import { condition, MINUTE, SNAPSHOT_HOLDS } from "./spec.ts";

export const dailyLoss = condition({
  of: "day",
  spec: {
    help: "Loss since midnight UTC in % of the net worth then, deposits and withdrawals taken out.",
    direction: "above",
    unit: "%",
    levels: [
      { severity: "warn", fire: 5, clear: 4 },
      { severity: "crit", fire: 10, clear: 8 },
    ],
    freshMs: SNAPSHOT_HOLDS,
    cooldownMs: 60 * MINUTE,
  },
  see(day) {
    const open = Number(day.openValue);
    return open > 0 && day.flow !== null ? { value: (-100 * madeOf(day)) / open } : null;
  },
  words: (day, { value }) => [
    `${plainNumber(Math.abs(value!), 1)} % ${value! > 0 ? "lost" : "made"} today`,
    `${plainNumber(madeOf(day), 2)} USD, net worth ${plainDecimal(day.closeValue, 2)}.`,
  ],
});

const madeOf = ({ openValue, closeValue, flow }: DayFacts): number =>
  Number(closeValue) - Number(openValue) - Number(flow);
