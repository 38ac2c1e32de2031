/**
 * The prices of a past that is planned: trends of some days, and noise around them. Pure. Guarantees: the same seed gives
 * the same path of a coin whatever else is planned; a path ends at the price that it is given. Only floats: prices become
 * ticks in the market.
 */
import { type Random, seededRandom } from "../../runtime/random.ts";

/** Between two known prices; in between they are joined by a line. */
const KNOT_MS = 300_000;
const DAY_MS = 86_400_000;
/** How long a trend holds on average. */
const TREND_DAYS = 5;

export interface Movement {
  /** Where the path ends. */
  price: number;
  /** Standard deviation of a day's log return: of the noise, and of the trends. */
  daily: number;
  trend: number;
  /** Part of the noise that all coins share, 0 to 1. */
  shared: number;
}

/** Price of a coin at a time of the past; null outside of it. */
export type PriceAt = (coin: string, timeMs: number) => number | null;

export function planPrices(
  seed: number,
  movements: Readonly<Record<string, Movement>>,
  fromMs: number,
  untilMs: number,
): PriceAt {
  const count = Math.ceil((untilMs - fromMs) / KNOT_MS) + 1;
  const market = noise(seededRandom(`${seed}:plan`), count);
  const paths = new Map(
    Object.entries(movements).map(([coin, movement]) => [
      coin,
      pathOf(seededRandom(`${seed}:plan:${coin}`), movement, market),
    ]),
  );
  return (coin, timeMs) => {
    const path = paths.get(coin);
    if (path === undefined || timeMs < fromMs || timeMs >= untilMs) return null;
    const at = (timeMs - fromMs) / KNOT_MS;
    const [before, after] = [path[Math.floor(at)]!, path[Math.ceil(at)]!];
    return before + (after - before) * (at % 1);
  };
}

/** Two of these numbers are as good as one of a normal distribution here, and are made faster. */
function noise(random: Random, count: number): Float64Array {
  const scale = Math.sqrt(6);
  return Float64Array.from({ length: count }, () => (random.next() + random.next() - 1) * scale);
}

function pathOf(random: Random, movement: Movement, market: Float64Array): Float64Array {
  const perStep = KNOT_MS / DAY_MS;
  const own = noise(random, market.length);
  const [together, alone] = [Math.sqrt(movement.shared), Math.sqrt(1 - movement.shared)];
  const sigma = movement.daily * Math.sqrt(perStep);
  const path = new Float64Array(market.length);
  let height = 0;
  let trend = 0;
  for (let i = 0; i < path.length; i++) {
    if (i === 0 || random.next() < perStep / TREND_DAYS)
      trend = movement.trend * (random.next() + random.next() - 1) * 2;
    height += trend * perStep + sigma * (together * market[i]! + alone * own[i]!);
    path[i] = height;
  }
  return path.map((log) => movement.price * Math.exp(log - height));
}
