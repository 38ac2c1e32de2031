/**
 * Health score v1: how far an account is from losing its positions, 0 (liquidatable now) to 100 (nothing at risk). Pure.
 *
 * Guarantees: the worst pool decides; 0 only when some pool is at or beyond the venue's threshold; what is not known
 * is null with a reason, never a guess; every part that went in is in `components`. Money stays decimal until it is
 * divided by money: a ratio, a distance and a score are measures, and are floats.
 *
 * ```
 *   ρ   maintenance ÷ equity of each pool (per dex, per collateral token, or the venue's portfolio ratio) and of each
 *       isolated position; θ the venue's threshold (0.95 for portfolio margin, else 1)
 *   B = 100 · (1 − max ρ/θ)                         margin in use
 *   L = f(u), u: daily moves until liquidation      the nearest of: one position alone, all coins together
 *   P = concentration (≤ 10) + drawdown (≤ 10) + missing stops (≤ 5)
 *   score = 0 when ρ ≥ θ, else max(1, round(min(B, L) − P))
 * ```
 */
import type { WireClearinghouseState, WirePosition, WireSpotState } from "../protocol/schemas.ts";
import { add, type Decimal, div, isZero, lt, neg, sign, sub, sum } from "../runtime/decimal.ts";
import type { AccountMode } from "./accountSnapshot.ts";
import { STREAMED } from "./freshness.ts";
import type { MarginTier } from "./markets.ts";
import type { Side } from "./rows.ts";

const HEALTH_VERSION = 1;

/** The venue liquidates portfolio-margin accounts above this ratio. */
const PORTFOLIO_THRESHOLD = 0.95;
/** Points that L takes at so many daily moves from liquidation; linear between, flat outside. */
const DISTANCE_POINTS: readonly (readonly [moves: number, points: number])[] = [
  [0, 0],
  [1, 20],
  [2, 45],
  [3, 65],
  [5, 85],
  [8, 100],
];
/** Leverage at which concentration and missing stops count in full. */
const FULL_LEVERAGE = 10;
const CONCENTRATION_MAX = 10;
const DRAWDOWN_MAX = 10;
const STOPS_MAX = 5;
/** A drawdown up to this costs nothing, and everything at `DRAWDOWN_FREE + DRAWDOWN_SPAN`. */
const DRAWDOWN_FREE = 0.05;
const DRAWDOWN_SPAN = 0.2;
/** Rounding of floats. */
const TINY = 1e-9;
/** USDC, the collateral of the first dex. */
const USDC_TOKEN = 0;

/** A resting stop that can only reduce a position. */
export interface StopOrder {
  coin: string;
  side: Side;
  /** Null covers whatever the position is (position TP/SL). */
  size: Decimal | null;
  triggerPrice: Decimal;
}

export interface HealthInputs {
  mode: AccountMode;
  /** By dex; "" is the first one. */
  perps: ReadonlyMap<string, WireClearinghouseState>;
  /** Dexes that must be in `perps`. */
  dexesInUse: ReadonlySet<string>;
  spot: WireSpotState | null;
  /** Equity by mode, as `dashboardRow` computes it. */
  equity: Decimal;
  /** Value of the tokens other than dollars that back a portfolio-margin account, by perp coin. */
  collateral: ReadonlyMap<string, Decimal>;
  /** Token that a dex posts as collateral; undefined while not known. */
  collateralToken(dex: string): number | undefined;
  /** Of a perp, the lowest bound first; null while they are not known: then its highest leverage counts. */
  marginTiers(coin: string): readonly MarginTier[] | null;
  /** Daily volatility as a fraction (0.025), or null when there are no candles. */
  volatility(coin: string): number | null;
  /** Null while the open orders are not known. */
  stops: readonly StopOrder[] | null;
  /**
   * Fraction below the highest net worth of the period, flows taken out; 0 at the peak. `unknown` when the database cannot
   * tell it: then it costs nothing. Null while not read.
   */
  drawdown: number | "unknown" | null;
  nowMs: number;
  /** Age of the oldest state the score rests on; null when nothing was received. */
  stateAgeMs: number | null;
  /** Parts that the caller knows to be missing, in words. */
  missing: readonly string[];
}

type HealthStatus = "excellent" | "good" | "fair" | "poor" | "critical" | "liquidatable" | "unknown";

/** All that the score was made of. Ratios and distances are texts, since one of them can be `infinite`. */
export interface HealthComponents {
  version: number;
  /** `nothing`, `margin`, `distance`, `shock`, `concentration`, `drawdown`, `stops` or `unknown`. */
  limiting: string;
  margin_points: number | null;
  distance_points: number | null;
  penalty_concentration: number | null;
  penalty_drawdown: number | null;
  penalty_stops: number | null;
  /** Daily moves to the nearest liquidation; null when none is possible. */
  daily_moves: string | null;
  /** The coin alone, or `all up` or `all down` for the joint shock. */
  nearest: string | null;
  leverage: string | null;
  concentration: string | null;
  /** Absent while it is not known. */
  drawdown?: string;
  stop_coverage: string | null;
  pools: { pool: string; ratio: string; threshold: string }[];
  /** `source` tells whether the volatility came from candles or from the maximum leverage. */
  positions: { coin: string; daily_moves: string | null; volatility: string; source: string }[];
}

export interface Health {
  score: number | null;
  status: HealthStatus;
  /** The limiting factor in words. */
  reason: string;
  components: HealthComponents;
}

export function statusOf(score: number | null): HealthStatus {
  if (score === null) return "unknown";
  if (score >= 80) return "excellent";
  if (score >= 60) return "good";
  if (score >= 40) return "fair";
  if (score >= 20) return "poor";
  return score >= 1 ? "critical" : "liquidatable";
}

/** What can be lost together: one equity, one maintenance requirement, several exposures. */
interface Pool {
  name: string;
  equity: Decimal;
  maintenance: Decimal;
  /** ρ, infinite when there is something to maintain and nothing to do it with. */
  ratio: number;
  threshold: number;
  /** Signed values, with what each of them requires. */
  exposures: { coin: string; value: number; maintenance: number }[];
}

interface Held {
  dex: string;
  position: WirePosition;
  isolated: boolean;
  /** Signed value. */
  value: Decimal;
  /** What it must keep. */
  maintenance: Decimal;
}

export function scoreHealth(inputs: HealthInputs): Health {
  const held = positionsOf(inputs);
  const missing = missingParts(inputs, held);
  if (missing.length > 0) return unknown(inputs, missing.join("; "));
  if (held.length === 0) return flat(inputs);

  const pools = poolsOf(inputs, held);
  const worst = pools.reduce((a, b) => (b.ratio / b.threshold > a.ratio / a.threshold ? b : a));
  const marginPoints = 100 * clamp(1 - worst.ratio / worst.threshold);
  const distances = held.map((one) => distanceOf(inputs, one));
  const shocks = pools.flatMap((pool) => shocksOf(inputs, pool));
  const nearest = [...distances, ...shocks].reduce((a, b) => (b.moves < a.moves ? b : a));
  const distancePoints = pointsAt(nearest.moves);

  const notional = sum(held.map(({ position }) => position.positionValue));
  const leverage = sign(inputs.equity) > 0 ? ratio(notional, inputs.equity) : Number.POSITIVE_INFINITY;
  const geared = Math.min(1, leverage / FULL_LEVERAGE);
  const shares = sharesByCoin(held, notional);
  const concentration = [...shares.values()].reduce((total, share) => total + share * share, 0);
  const coverage = stopCoverage(held, inputs.stops ?? [], notional);
  const drawdown = typeof inputs.drawdown === "number" ? inputs.drawdown : 0;
  const penalties = {
    concentration: CONCENTRATION_MAX * concentration * geared,
    drawdown: DRAWDOWN_MAX * clamp((drawdown - DRAWDOWN_FREE) / DRAWDOWN_SPAN),
    stops: STOPS_MAX * (1 - coverage) * geared,
  };
  const penalty = penalties.concentration + penalties.drawdown + penalties.stops;
  const liquidatable = worst.ratio >= worst.threshold;
  const score = liquidatable ? 0 : Math.max(1, Math.round(Math.min(marginPoints, distancePoints) - penalty));

  const factors: Factor[] = [
    { name: "margin", lost: liquidatable ? 101 : 100 - marginPoints, words: marginWords(worst) },
    { name: nearest.shock ? "shock" : "distance", lost: 100 - distancePoints, words: distanceWords(nearest) },
    { name: "concentration", lost: penalties.concentration, words: concentrationWords(shares, leverage) },
    {
      name: "drawdown",
      lost: penalties.drawdown,
      words: `net worth is ${percent(drawdown)} below its peak of 30 days`,
    },
    { name: "stops", lost: penalties.stops, words: `${percent(1 - coverage)} of the exposure has no stop` },
  ];
  const limiting = factors.reduce((a, b) => (b.lost > a.lost ? b : a));
  return {
    score,
    status: statusOf(score),
    reason: limiting.words,
    components: {
      version: HEALTH_VERSION,
      limiting: limiting.name,
      margin_points: tenth(marginPoints),
      distance_points: tenth(distancePoints),
      penalty_concentration: tenth(penalties.concentration),
      penalty_drawdown: inputs.drawdown === "unknown" ? null : tenth(penalties.drawdown),
      penalty_stops: tenth(penalties.stops),
      daily_moves: nearest.moves === Number.POSITIVE_INFINITY ? null : text(nearest.moves, 2),
      nearest: nearest.moves === Number.POSITIVE_INFINITY ? null : nearest.of,
      leverage: text(leverage, 4),
      concentration: text(concentration, 4),
      ...drawdownPart(inputs),
      stop_coverage: text(coverage, 4),
      pools: pools.map((pool) => ({
        pool: pool.name,
        ratio: text(pool.ratio, 6),
        threshold: text(pool.threshold, 2),
      })),
      positions: held.map(({ position }, place) => {
        const { moves } = distances[place]!;
        const fromCandles = inputs.volatility(position.coin) !== null;
        return {
          coin: position.coin,
          daily_moves: moves === Number.POSITIVE_INFINITY ? null : text(moves, 2),
          volatility: text(volatilityOf(inputs, position) as number, 6),
          source: fromCandles ? "candles" : "max leverage",
        };
      }),
    },
  };
}

interface Factor {
  name: string;
  lost: number;
  words: string;
}

function positionsOf({ perps, marginTiers }: HealthInputs): Held[] {
  return [...perps].flatMap(([dex, state]) =>
    state.assetPositions
      .filter(({ position }) => !isZero(position.szi))
      .map(({ position }) => ({
        dex,
        position,
        isolated: position.leverage?.type === "isolated",
        value: sign(position.szi) > 0 ? position.positionValue : neg(position.positionValue),
        maintenance: maintenanceOf(position, marginTiers(position.coin)),
      })),
  );
}

function missingParts(inputs: HealthInputs, held: Held[]): string[] {
  const { mode, perps, spot, stateAgeMs } = inputs;
  const missing = [...inputs.missing];
  for (const dex of inputs.dexesInUse) {
    if (!perps.has(dex)) missing.push(`the state of ${dex === "" ? "the first dex" : dex} is not known yet`);
  }
  if (perps.size === 0 && inputs.dexesInUse.size === 0) missing.push("no state was received yet");
  if (mode !== "standard" && spot === null) missing.push("the spot state is not known yet");
  if (held.length === 0) return missing;
  if (stateAgeMs === null) missing.push("no state was received yet");
  else if (stateAgeMs > STREAMED.staleMs)
    missing.push(`no state since ${clockTime(inputs.nowMs - stateAgeMs)} UTC`);
  if (inputs.drawdown === null) missing.push("the drawdown is not read yet");
  if (inputs.stops === null) missing.push("the open orders are not known yet");
  for (const { dex, position, isolated } of held) {
    if (volatilityOf(inputs, position) === null) missing.push(`no volatility is known for ${position.coin}`);
    // Told as null where there is none, and absent where it could not be read.
    if (position.liquidationPx === undefined)
      missing.push(`the liquidation price of ${position.coin} is not told`);
    if (!position.leverage) missing.push(`the leverage of ${position.coin} is not told`);
    if (isolated && !position.leverage?.rawUsd)
      missing.push(`the isolated margin of ${position.coin} is not told`);
    if (!isolated && perps.get(dex)?.crossMaintenanceMarginUsed == null)
      missing.push(`the maintenance margin of ${dex === "" ? "the first dex" : dex} is not told`);
    if (mode === "unified" && inputs.collateralToken(dex) === undefined)
      missing.push(`the collateral of ${dex} is not known yet`);
  }
  if (mode === "portfolio_margin" && spot !== null && spot.portfolioMarginRatio == null)
    missing.push("the venue tells no portfolio margin ratio");
  return [...new Set(missing)];
}

/** 1/maxLeverage where there are no candles: what the venue itself reckons with. */
function volatilityOf({ volatility }: HealthInputs, { coin, maxLeverage }: WirePosition): number | null {
  return volatility(coin) ?? (maxLeverage ? 1 / maxLeverage : null);
}

/** What a position must keep: of each tier that its value reaches into, half of the initial margin at the leverage of the tier. */
function maintenanceOf(
  { positionValue, maxLeverage }: WirePosition,
  tiers: readonly MarginTier[] | null,
): Decimal {
  const reached = (tiers ?? []).filter(({ lowerBound }) => lt(lowerBound, positionValue));
  if (reached.length === 0) return maxLeverage ? div(positionValue, String(2 * maxLeverage)) : "0";
  return sum(
    reached.map(({ lowerBound, maxLeverage: leverage }, index) =>
      div(sub(reached[index + 1]?.lowerBound ?? positionValue, lowerBound), String(2 * leverage)),
    ),
  );
}

// --- pools ----------------------------------------------------------------------------------------------------------

function poolsOf(inputs: HealthInputs, held: Held[]): Pool[] {
  const cross = held.filter(({ isolated }) => !isolated);
  const isolated = held.filter((one) => one.isolated).map(isolatedPool);
  if (inputs.mode === "portfolio_margin") return [portfolioPool(inputs, cross), ...isolated];
  if (inputs.mode === "unified") return [...unifiedPools(inputs, held), ...isolated];
  const dexes = [...new Set(cross.map(({ dex }) => dex))];
  const standard = dexes.map((dex) => {
    const state = inputs.perps.get(dex)!;
    const ofDex = cross.filter((one) => one.dex === dex);
    const { accountValue } = state.crossMarginSummary;
    return pool(
      dex === "" ? "cross" : `cross ${dex}`,
      accountValue,
      state.crossMaintenanceMarginUsed!,
      ofDex,
    );
  });
  return [...standard, ...isolated];
}

function isolatedPool(held: Held): Pool {
  const { position, value, maintenance } = held;
  return pool(`isolated ${position.coin}`, add(position.leverage!.rawUsd!, value), maintenance, [held]);
}

/** One pool per collateral token: what is held of it, less what isolated positions keep for themselves. */
function unifiedPools(inputs: HealthInputs, held: Held[]): Pool[] {
  const byToken = Map.groupBy(held, ({ dex }) => inputs.collateralToken(dex)!);
  return [...byToken].flatMap(([token, ofToken]) => {
    const dexes = new Set(ofToken.map(({ dex }) => dex));
    const maintenance = sum(
      [...dexes].map((dex) => inputs.perps.get(dex)!.crossMaintenanceMarginUsed ?? "0"),
    );
    const cross = ofToken.filter(({ isolated }) => !isolated);
    if (cross.length === 0 && isZero(maintenance)) return [];
    const apart = ofToken.filter(({ isolated }) => isolated).map(({ position }) => position.marginUsed);
    const balance = inputs.spot!.balances.find((one) => one.token === token);
    const name = `unified ${balance?.coin ?? (token === USDC_TOKEN ? "USDC" : `token ${token}`)}`;
    return [pool(name, sub(balance?.total ?? "0", sum(apart)), maintenance, cross)];
  });
}

/** The venue tells the ratio; what moves is the perps and the collateral that is not dollars. */
function portfolioPool(inputs: HealthInputs, cross: Held[]): Pool {
  const maintenance = sum([...inputs.perps.values()].map((state) => state.crossMaintenanceMarginUsed ?? "0"));
  const made = pool("portfolio", inputs.equity, maintenance, cross);
  made.ratio = Number(inputs.spot!.portfolioMarginRatio);
  made.threshold = PORTFOLIO_THRESHOLD;
  for (const [coin, value] of inputs.collateral)
    made.exposures.push({ coin, value: Number(value), maintenance: 0 });
  return made;
}

function pool(name: string, equity: Decimal, maintenance: Decimal, held: Held[]): Pool {
  // The venue's total may rest on margin tiers that are not known: shared out in their proportion.
  const simple = sum(held.map((one) => one.maintenance));
  const scale = isZero(simple) ? 1 : ratio(maintenance, simple);
  return {
    name,
    equity,
    maintenance,
    ratio: isZero(maintenance)
      ? 0
      : sign(equity) <= 0
        ? Number.POSITIVE_INFINITY
        : ratio(maintenance, equity),
    threshold: 1,
    exposures: held.map((one) => ({
      coin: one.position.coin,
      value: Number(one.value),
      maintenance: scale * Number(one.maintenance),
    })),
  };
}

// --- distance to liquidation ----------------------------------------------------------------------------------------

interface Distance {
  /** Daily moves. */
  moves: number;
  of: string;
  shock: boolean;
}

/** One coin alone, to the venue's own liquidation price. */
function distanceOf(inputs: HealthInputs, { position }: Held): Distance {
  const { liquidationPx, positionValue, szi, coin } = position;
  const size = sign(szi) > 0 ? szi : neg(szi);
  if (!liquidationPx || sign(liquidationPx) <= 0 || isZero(positionValue))
    return { moves: Number.POSITIVE_INFINITY, of: coin, shock: false };
  const mark = div(positionValue, size);
  const gap = Math.abs(ratio(sub(mark, liquidationPx), mark));
  // A long that dies at a price of nothing does not die.
  const moves =
    sign(szi) > 0 && gap > 1 - TINY ? Number.POSITIVE_INFINITY : gap / volatilityOf(inputs, position)!;
  return { moves, of: coin, shock: false };
}

/** Every coin of a pool moves by k of its own daily moves, up or down: the smallest k that leaves too little. */
function shocksOf(inputs: HealthInputs, { equity, exposures }: Pool): Distance[] {
  if (exposures.length === 0) return [];
  const moving = exposures.map((exposure) => ({ ...exposure, sigma: sigmaOf(inputs, exposure.coin) }));
  return (["down", "up"] as const).map((way) => {
    const left = (k: number): number => {
      let spare = Number(equity);
      for (const { value, maintenance, sigma } of moving) {
        // A price falls to nothing and no further.
        const factor = way === "up" ? 1 + k * sigma : Math.max(0, 1 - k * sigma);
        spare += value * (factor - 1) - maintenance * factor;
      }
      return spare;
    };
    const bends = way === "up" ? [] : moving.map(({ sigma }) => 1 / sigma).sort((a, b) => a - b);
    return { moves: firstRoot(left, bends), of: `all ${way}`, shock: true };
  });
}

const sigmaOf = (inputs: HealthInputs, coin: string): number => {
  for (const state of inputs.perps.values()) {
    const found = state.assetPositions.find(({ position }) => position.coin === coin);
    if (found) return volatilityOf(inputs, found.position)!;
  }
  // Collateral without a position of its own and without candles: the most volatile thing there is.
  return inputs.volatility(coin) ?? 1;
};

/**
 * Where a function that is linear between `bends` (ascending) first goes below zero; infinite when it never does. To
 * touch zero where it bends is not to go below: a long without leverage is worth nothing at a price of nothing.
 */
function firstRoot(at: (k: number) => number, bends: readonly number[]): number {
  let from = 0;
  if (at(0) <= 0) return 0;
  for (const to of [...bends, Number.POSITIVE_INFINITY]) {
    const end = to === Number.POSITIVE_INFINITY ? from + 1 : to;
    if (end <= from) continue;
    const [start, slope] = [at(from), (at(end) - at(from)) / (end - from)];
    const root = slope < 0 ? from - start / slope : Number.POSITIVE_INFINITY;
    if (root < to * (1 - TINY)) return root;
    from = to;
  }
  return Number.POSITIVE_INFINITY;
}

function pointsAt(moves: number): number {
  for (let place = 1; place < DISTANCE_POINTS.length; place++) {
    const [[fromMoves, fromPoints], [toMoves, toPoints]] = [
      DISTANCE_POINTS[place - 1]!,
      DISTANCE_POINTS[place]!,
    ];
    if (moves < toMoves)
      return fromPoints + ((toPoints - fromPoints) * (moves - fromMoves)) / (toMoves - fromMoves);
  }
  return 100;
}

// --- penalties ------------------------------------------------------------------------------------------------------

function sharesByCoin(held: Held[], notional: Decimal): Map<string, number> {
  const shares = new Map<string, number>();
  if (isZero(notional)) return shares;
  for (const { position } of held)
    shares.set(position.coin, (shares.get(position.coin) ?? 0) + ratio(position.positionValue, notional));
  return shares;
}

/** Share of the notional that a stop closes before the venue would. */
function stopCoverage(held: Held[], stops: readonly StopOrder[], notional: Decimal): number {
  if (isZero(notional)) return 1;
  let covered = 0;
  for (const { position } of held) {
    const long = sign(position.szi) > 0;
    const size = Number(position.szi) * (long ? 1 : -1);
    const liquidation = position.liquidationPx ? Number(position.liquidationPx) : null;
    const effective = stops.filter(({ coin, side, triggerPrice }) => {
      if (coin !== position.coin || side !== (long ? "sell" : "buy")) return false;
      if (liquidation === null) return true;
      return long ? Number(triggerPrice) > liquidation : Number(triggerPrice) < liquidation;
    });
    const closing = effective.reduce(
      (total, stop) => total + (stop.size === null ? size : Number(stop.size)),
      0,
    );
    covered += Math.min(1, closing / size) * Number(position.positionValue);
  }
  return covered / Number(notional);
}

// --- words ----------------------------------------------------------------------------------------------------------

function marginWords({ name, ratio: rho, threshold }: Pool): string {
  if (rho >= threshold) return `${name}: maintenance margin is not covered, the venue may liquidate now`;
  return `${name}: ${percent(rho / threshold)} of the way to liquidation by margin`;
}

function distanceWords({ moves, of, shock }: Distance): string {
  if (moves === Number.POSITIVE_INFINITY) return "no liquidation is possible";
  const far = `${moves.toFixed(1)} daily ${moves.toFixed(1) === "1.0" ? "move" : "moves"}`;
  return shock ? `${of} together by ${far} liquidates` : `${of} is ${far} from liquidation`;
}

function concentrationWords(shares: ReadonlyMap<string, number>, leverage: number): string {
  const [coin, share] = [...shares].reduce((a, b) => (b[1] > a[1] ? b : a), ["", 0]);
  return `${percent(share)} of the exposure is ${coin}, at ${leverage.toFixed(1)}x leverage`;
}

function flat(inputs: HealthInputs): Health {
  const components = {
    ...NOTHING,
    limiting: "nothing",
    margin_points: 100,
    distance_points: 100,
    penalty_concentration: 0,
    penalty_drawdown: 0,
    penalty_stops: 0,
    leverage: "0",
    ...drawdownPart(inputs),
  };
  return { score: 100, status: "excellent", reason: "no open position", components };
}

function unknown(inputs: HealthInputs, reason: string): Health {
  const components = { ...NOTHING, limiting: "unknown", ...drawdownPart(inputs) };
  return { score: null, status: "unknown", reason, components };
}

const drawdownPart = ({ drawdown }: HealthInputs): Pick<HealthComponents, "drawdown"> =>
  typeof drawdown === "number" ? { drawdown: text(drawdown, 4) } : {};

const NOTHING: HealthComponents = {
  version: HEALTH_VERSION,
  limiting: "unknown",
  margin_points: null,
  distance_points: null,
  penalty_concentration: null,
  penalty_drawdown: null,
  penalty_stops: null,
  daily_moves: null,
  nearest: null,
  leverage: null,
  concentration: null,
  stop_coverage: null,
  pools: [],
  positions: [],
};

const clamp = (x: number): number => Math.min(1, Math.max(0, x));
const ratio = (part: Decimal, whole: Decimal): number => Number(div(part, whole));
const tenth = (x: number): number => Math.round(x * 10) / 10;
/** `14:03:11`: an age would be wrong as soon as it is written down. */
export const clockTime = (ms: number): string => new Date(ms).toISOString().slice(11, 19);
const percent = (x: number): string => `${(x * 100).toFixed(x < 0.1 ? 1 : 0)} %`;
const text = (x: number, places: number): string =>
  x === Number.POSITIVE_INFINITY ? "infinite" : String(Number(x.toFixed(places)));
