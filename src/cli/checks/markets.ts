/**
 * Does the venue list the coins of `--markets`? Guarantees: asked before anything is made or opened, at most for
 * `ASK_WITHIN_MS`; a venue that does not answer refuses nothing.
 */
import { ConfigError } from "../../errors.ts";
import { INFO } from "../../protocol/infoRequests.ts";
import { dexOfCoin } from "../../sync/dexes.ts";
import { spotMarkets } from "../../sync/markets.ts";
import { listedCoins } from "../../sync/universe.ts";
import type { Context } from "../command.ts";
import { connectVenue } from "../compose.ts";

const ASK_WITHIN_MS = 5_000;

/** Sides of outcomes stand in no list that is asked for here. */
const isOutcome = (coin: string): boolean => /^[#+]/.test(coin);

interface ListedMarket {
  /** As the venue writes it. */
  coin: string;
  /** What people call it: `HYPE/USDC` for `@107`. */
  name: string;
}

/** The coins of `--markets`, those named as people call them (`HYPE/USDC`) as the venue does. Throws `ConfigError`. */
export async function listedOf(context: Context): Promise<string[]> {
  const { options, log, signal } = context;
  const wanted = options.markets.filter((coin) => !isOutcome(coin));
  if (wanted.length === 0 || wanted.includes("all")) return options.markets;
  const within = AbortSignal.any([signal, AbortSignal.timeout(ASK_WITHIN_MS)]);
  const ask = { priority: "reconcile", signal: within } as const;
  let listed: ListedMarket[];
  try {
    const { info } = connectVenue(context);
    const coins = await listedCoins(info, [...new Set(wanted.map(dexOfCoin))], within);
    if (wanted.every((coin) => coins.includes(coin))) return options.markets;
    const pairs = (await info.request(INFO.spotMeta, {}, ask)).result.value;
    const names = new Map(spotMarkets(pairs).map(({ coin, name }) => [coin, name]));
    listed = coins.map((coin) => ({ coin, name: names.get(coin) ?? coin }));
  } catch (error) {
    log.debug("whether the venue lists the coins of --markets is not known", { error });
    return options.markets;
  }
  return options.markets.map((coin) => (isOutcome(coin) ? coin : coinNamed(coin, listed)));
}

/** Throws `ConfigError` where no coin, or more than one, is named so. Pure. */
export function coinNamed(wanted: string, listed: readonly ListedMarket[]): string {
  if (listed.some(({ coin }) => coin === wanted)) return wanted;
  const named = listed.filter(({ name }) => name === wanted).map(({ coin }) => coin);
  if (named.length === 1) return named[0]!;
  const like = (text: string) => text.toLowerCase() === wanted.toLowerCase();
  const meant = listed.flatMap(({ coin, name }) => [coin, name]).find(like);
  const hint = meant === undefined ? "" : `, but ${meant}`;
  const why =
    named.length > 1
      ? `the venue lists ${named.join(", ")} by this name`
      : `the venue lists no such coin${hint}`;
  throw new ConfigError(`--markets ${JSON.stringify(wanted)}: ${why}`);
}
