/**
 * A HIP-3 dex that appears while the venue runs, as by its auction. Guarantees: it is listed last, so that the asset ids of
 * all others stay what they were; a name or coin that is taken, or that no dex can have, is refused and changes nothing.
 */
import type { Decimal } from "../../runtime/decimal.ts";
import { fixed } from "./fixed.ts";
import { listPerps, type Market } from "./market.ts";
import type { World } from "./world.ts";

const MAX_LEVERAGE = 10;
const SIZE_DECIMALS = 3;

/** The markets of a dex, all of them new. */
export function deployDex(world: World, name: string, coins: Record<string, Decimal>): Market[] {
  const { universe } = world;
  if (!/^[a-z][a-z0-9]{1,5}$/.test(name)) throw new RangeError(`no dex can be named ${JSON.stringify(name)}`);
  if (universe.dexes.some((dex) => dex.name === name)) throw new RangeError(`there is a dex ${name} already`);
  const perps = Object.entries(coins).map(([coin, price]) => {
    if (fixed(price) <= 0n) throw new RangeError(`the price of ${coin} is not positive`);
    const margin = { maxLeverage: MAX_LEVERAGE, marginTableId: MAX_LEVERAGE };
    return { name: `${name}:${coin}`, szDecimals: SIZE_DECIMALS, price, ...margin };
  });
  universe.dexes.push({ name, fullName: name.toUpperCase(), collateralToken: 0, perps });
  const markets = listPerps(universe, universe.dexes.length - 1);
  for (const market of markets) {
    world.markets.push(market);
    world.byCoin.set(market.coin, market);
    world.byAsset.set(market.asset, market);
  }
  return markets;
}
