/**
 * What the venue says about its markets: metadata, contexts, books, prices. Shapes are those of the captures; a
 * delisted perp keeps its index, with null premium, mid and impact prices.
 */
import type { JsonObject } from "../contract.ts";
import { type DepthLevel, depth } from "./book.ts";
import { type Fixed, fixed, format, formatScaled, TEN } from "./fixed.ts";
import { fundingRate, premium } from "./funding.ts";
import { addressOf } from "./ids.ts";
import { dayVolume, formatOrNull, impactPx, isOutcome, type Market, markPx, midPx } from "./market.ts";
import type { DexListing, OutcomeListing, TokenListing } from "./universe.ts";
import type { World } from "./world.ts";

const BOOK_LEVELS = 20;
const FAST_LEVELS = 5;
const IMPACT_NOTIONAL = fixed("20000");

export const dexNamed = (world: World, name: string): DexListing | undefined =>
  world.universe.dexes.find((d) => d.name === name);

/** Perps of a dex in index order. */
export const perpsOf = (world: World, dex: string): Market[] =>
  world.markets.filter((m) => m.perp !== null && m.dex === dex);
export const atInterestCap = (world: World, dex: string): string[] =>
  perpsOf(world, dex).flatMap((market) => (market.atInterestCap ? [market.coin] : []));
export const spotPairs = (world: World): Market[] =>
  world.markets.filter((m) => m.spot !== null && !isOutcome(m));

export function meta(world: World, dex: DexListing): JsonObject {
  const used = new Set(dex.perps.map((p) => p.marginTableId));
  const tables = world.universe.marginTables.filter((t) => used.has(t.id));
  return {
    universe: dex.perps.map(
      ({
        szDecimals,
        name,
        maxLeverage,
        marginTableId,
        isDelisted,
        onlyIsolated,
        marginMode,
      }): JsonObject => ({
        szDecimals,
        name,
        maxLeverage,
        marginTableId,
        ...(onlyIsolated === undefined ? {} : { onlyIsolated }),
        ...(isDelisted === undefined ? {} : { isDelisted }),
        ...(marginMode === undefined ? {} : { marginMode }),
      }),
    ),
    marginTables: tables.map((t) => [
      t.id,
      {
        description: t.description,
        marginTiers: t.tiers.map((tier) => ({ lowerBound: tier.lowerBound, maxLeverage: tier.maxLeverage })),
      },
    ]),
    collateralToken: dex.collateralToken,
  };
}

/** A table of one tier is not listed in `marginTables`: its id is its leverage. */
export function marginTable(world: World, id: number): JsonObject | null {
  const listed = world.universe.marginTables.find((t) => t.id === id);
  if (listed !== undefined)
    return { description: listed.description, marginTiers: listed.tiers.map((t) => ({ ...t })) };
  if (id < 1 || id >= 50) return null;
  return { description: "", marginTiers: [{ lowerBound: "0.0", maxLeverage: id }] };
}

export function perpContext(world: World, market: Market): JsonObject {
  const volume = dayVolume(market, world.nowMs);
  const delisted = market.perp?.isDelisted === true;
  const bid = impactPx(market, false, IMPACT_NOTIONAL);
  const ask = impactPx(market, true, IMPACT_NOTIONAL);
  const running = market.premiums[market.premiums.length - 1] ?? premium(market);
  return {
    funding: delisted ? "0.0" : formatScaled(fundingRate(running), 10),
    openInterest: format(market.openInterest),
    prevDayPx: format(volume.prevDayPx),
    dayNtlVlm: format(volume.notional),
    premium: delisted ? null : formatScaled(premium(market), 10),
    oraclePx: format(market.oraclePx),
    markPx: format(markPx(market)),
    midPx: delisted ? null : formatOrNull(midPx(market)),
    impactPxs: bid === null || ask === null ? null : [format(bid), format(ask)],
    dayBaseVlm: format(volume.base),
  };
}

export function spotContext(world: World, market: Market): JsonObject {
  const volume = dayVolume(market, world.nowMs);
  const supply = format(fixed(market.spot?.base.supply ?? "0"));
  return {
    prevDayPx: format(volume.prevDayPx),
    dayNtlVlm: format(volume.notional),
    markPx: format(markPx(market)),
    midPx: formatOrNull(midPx(market)),
    circulatingSupply: supply,
    coin: market.coin,
    totalSupply: supply,
    dayBaseVlm: format(volume.base),
  };
}

const tokenId = (world: World, token: TokenListing): string =>
  addressOf(world.seed, `token:${token.index}`).slice(0, 34);

export function spotMeta(world: World): JsonObject {
  return {
    universe: world.universe.spot.map(({ tokens, name, index, isCanonical }) => ({
      tokens,
      name,
      index,
      isCanonical,
    })),
    tokens: world.universe.tokens.map((token) => ({
      name: token.name,
      szDecimals: token.szDecimals,
      weiDecimals: token.weiDecimals,
      index: token.index,
      tokenId: tokenId(world, token),
      isCanonical: token.isCanonical,
      evmContract: null,
      fullName: token.fullName,
      deployerTradingFeeShare: "0.0",
    })),
  };
}

export function tokenDetails(world: World, id: string): JsonObject | null {
  const token = world.universe.tokens.find((t) => tokenId(world, t) === id);
  if (token === undefined) return null;
  const market = world.markets.find((m) => m.spot?.base.index === token.index);
  const px = market === undefined ? "1.0" : format(markPx(market));
  const supply = format(fixed(token.supply));
  return {
    name: token.name,
    maxSupply: supply,
    totalSupply: supply,
    circulatingSupply: supply,
    szDecimals: token.szDecimals,
    weiDecimals: token.weiDecimals,
    midPx: px,
    markPx: px,
    prevDayPx: px,
    genesis: null,
    deployer: null,
    deployGas: null,
    deployTime: null,
    seededUsdc: "0.0",
    nonCirculatingUserBalances: [],
    futureEmissions: "0.0",
  };
}

export function perpDexs(world: World): (JsonObject | null)[] {
  return world.universe.dexes.map((dex, index) => {
    if (index === 0) return null;
    const deployer = addressOf(world.seed, `deployer:${dex.name}`);
    return {
      name: dex.name,
      fullName: dex.fullName,
      deployer,
      oracleUpdater: null,
      feeRecipient: deployer,
      assetToStreamingOiCap: dex.perps.map((p) => [p.name, "100000000.0"]),
      subDeployers: [],
      deployerFeeScale: "1.0",
      lastDeployerFeeScaleChangeTime: "1970-01-01T00:00:00",
      assetToFundingMultiplier: dex.perps.map((p) => [p.name, "1.0"]),
      assetToFundingInterestRate: [],
    };
  });
}

const outcomeSpec = ({ outcome, name, description, sides }: OutcomeListing): JsonObject => ({
  outcome,
  name,
  description,
  sideSpecs: sides.map((side) => ({ name: side })),
  quoteToken: "USDC",
});

/** Settled ones are no longer in it. */
export const outcomeMeta = (world: World): JsonObject => ({
  outcomes: world.universe.outcomes.filter((o) => o.winner === undefined).map(outcomeSpec),
  questions: [],
});

/** Null while it is not settled. The fraction is what the first side was paid. */
export function settledOutcome(world: World, outcome: number): JsonObject | null {
  const found = world.universe.outcomes.find((o) => o.outcome === outcome);
  if (found?.winner === undefined) return null;
  return { spec: outcomeSpec(found), settleFraction: found.winner === 0 ? "1.0" : "0.0", details: "" };
}

/** Mid prices by coin; the mark where a book has no two sides. Spot rides with the first dex. */
export function allMids(world: World, dex: string): JsonObject {
  const mids: JsonObject = {};
  for (const market of world.markets) {
    if (market.dex !== dex || market.halted) continue;
    mids[market.coin] = format(midPx(market) ?? markPx(market));
  }
  return mids;
}

interface BookOptions {
  nSigFigs: number | null;
  mantissa: number | null;
  fast: boolean;
}

export function l2Book(world: World, market: Market, options: BookOptions): JsonObject {
  const limit = options.fast ? FAST_LEVELS : BOOK_LEVELS;
  const wire = (level: DepthLevel): JsonObject => ({
    px: format(level.px),
    sz: format(level.sz),
    n: level.n,
  });
  return {
    coin: market.coin,
    time: Math.max(world.lastBlockMs, world.nowMs),
    levels: [
      depth(market.book.bids, limit, coarsen(options, false)).map(wire),
      depth(market.book.asks, limit, coarsen(options, true)).map(wire),
    ],
    ...(options.fast ? { fast: true } : {}),
  };
}

/** Prices grouped to `nSigFigs` figures, away from the mid; with five figures in steps of `mantissa`. */
function coarsen(options: BookOptions, up: boolean): (px: Fixed) => Fixed {
  const { nSigFigs, mantissa } = options;
  if (nSigFigs === null) return (px) => px;
  return (px) => {
    const step = (TEN[Math.max(0, px.toString().length - nSigFigs)] as bigint) * BigInt(mantissa ?? 1);
    const rest = px % step;
    return rest === 0n ? px : up ? px - rest + step : px - rest;
  };
}
