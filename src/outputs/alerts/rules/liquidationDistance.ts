/** A position is near its liquidation. */
import { plainDecimal, plainNumber } from "../../words.ts";
import type { PositionFacts } from "./facts.ts";
import { condition, MINUTE, POSITION_HOLDS } from "./spec.ts";

export const liquidationDistance = condition({
  of: "position",
  spec: {
    help: "Distance of the mark price to the liquidation price, in % or in daily moves of the coin.",
    direction: "below",
    unit: "%",
    levels: [
      { severity: "warn", fire: 10, clear: 12, fireMoves: 2, clearMoves: 2.4 },
      { severity: "crit", fire: 5, clear: 6, fireMoves: 1, clearMoves: 1.2 },
    ],
    freshMs: POSITION_HOLDS,
    cooldownMs: 15 * MINUTE,
  },
  see(position) {
    if (position.distancePct === null) return { value: null };
    const move = dailyMovePct(position);
    const value = Number(position.distancePct);
    return move === null ? { value } : { value, dailyMovePct: move };
  },
  words({ coin, side, markPrice, liquidationPrice }, { value, dailyMovePct: move }) {
    if (value === null) return `${coin} ${side} has no liquidation price`;
    const moves = move === undefined ? "" : ` (${plainNumber(value / move, 1)} daily moves)`;
    return [
      `${coin} ${side} ${plainNumber(value, 1)} % from liquidation${moves}`,
      `Mark ${plainDecimal(markPrice)}, liq ${plainDecimal(liquidationPrice)}.`,
    ];
  },
});

/** A coin moves by about 1 ÷ its maximum leverage a day, where no candles say better. */
function dailyMovePct({ volatility, maxLeverage }: PositionFacts): number | null {
  const known = volatility === null ? Number.NaN : Number(volatility);
  if (known > 0) return 100 * known;
  return maxLeverage === null ? null : 100 / maxLeverage;
}
