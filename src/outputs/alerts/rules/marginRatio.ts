/** The margin of an account runs out. */
import { plainDecimal, plainNumber, word } from "../../words.ts";
import type { AccountFacts } from "./facts.ts";
import { condition, MINUTE, SNAPSHOT_HOLDS } from "./spec.ts";

export const marginRatio = condition({
  of: "account",
  spec: {
    help: "Maintenance margin in % of what the venue liquidates at, in the worst pool of the account's mode.",
    direction: "above",
    unit: "%",
    levels: [
      { severity: "warn", fire: 60, clear: 50 },
      { severity: "crit", fire: 80, clear: 70 },
    ],
    freshMs: SNAPSHOT_HOLDS,
    cooldownMs: 15 * MINUTE,
  },
  see(account) {
    const worst = worstPool(account);
    if (worst !== null) return { value: worst.pct };
    // Nothing is left of the equity either: there is no ratio, and nothing that could be liquidated.
    return account.positions === 0 ? { value: null } : null;
  },
  words(account, { value }) {
    if (value === null) return "no position is open";
    return [`margin ratio ${plainNumber(value, 1)} %${worstPool(account)!.pool}`, equityWords(account)];
  },
});

/** In % of the venue's threshold; without pools, of the whole account. */
function worstPool({ components, bufferPct }: AccountFacts): { pct: number; pool: string } | null {
  let worst: { pct: number; pool: string } | null = null;
  for (const { pool, ratio, threshold } of components?.pools ?? []) {
    const pct =
      ratio === "infinite" ? Number.POSITIVE_INFINITY : (100 * Number(ratio)) / (Number(threshold) || 1);
    if (worst === null || pct > worst.pct) worst = { pct: Math.min(pct, 1_000), pool: ` (${word(pool)})` };
  }
  if (worst !== null) return worst;
  return bufferPct === null ? null : { pct: 100 - Number(bufferPct), pool: "" };
}

export const equityWords = ({ accountValue }: AccountFacts): string =>
  accountValue === null ? "" : `Equity ${plainDecimal(accountValue, 2)} USD.`;
