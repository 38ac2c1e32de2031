/**
 * Does the venue list the coins of `--markets`? Guarantees: asked before anything is made or opened, at most for
 * `ASK_WITHIN_MS`; a venue that does not answer refuses nothing.
 */
import { ConfigError } from "../../errors.ts";
import { dexOfCoin } from "../../sync/dexes.ts";
import { listedCoins } from "../../sync/universe.ts";
import type { Context } from "../command.ts";
import { connectVenue } from "../compose.ts";

const ASK_WITHIN_MS = 5_000;

/** Sides of outcomes stand in no list that is asked for here. */
const isOutcome = (coin: string): boolean => /^[#+]/.test(coin);

/** Throws `ConfigError`. */
export async function refuseUnlisted(context: Context): Promise<void> {
  const { options, log, signal } = context;
  const wanted = options.markets.filter((coin) => !isOutcome(coin));
  if (wanted.length === 0 || wanted.includes("all")) return;
  const within = AbortSignal.any([signal, AbortSignal.timeout(ASK_WITHIN_MS)]);
  let listed: string[];
  try {
    listed = await listedCoins(connectVenue(context).info, [...new Set(wanted.map(dexOfCoin))], within);
  } catch (error) {
    log.debug("whether the venue lists the coins of --markets is not known", { error });
    return;
  }
  const refused = unlisted(wanted, listed);
  if (refused !== null) throw new ConfigError(refused);
}

/** What is wrong with the first coin that is not listed; null when all are. Pure. */
export function unlisted(wanted: readonly string[], listed: readonly string[]): string | null {
  const known = new Set(listed);
  const coin = wanted.find((one) => !known.has(one));
  if (coin === undefined) return null;
  const meant = listed.find((one) => one.toLowerCase() === coin.toLowerCase());
  const hint = meant === undefined ? "" : `, but ${meant}`;
  return `--markets ${JSON.stringify(coin)}: the venue lists no such coin${hint}`;
}
