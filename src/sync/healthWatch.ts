/**
 * What the snapshot of one account rests on besides its states: prices, vault equity and stake for the net worth; volatilities,
 * collateral, stops, drawdown and ages for the health. Makes the account's snapshot out of all of it.
 *
 * Guarantees: what is learned over REST is asked with the lowest priority, so that it never delays what matters; what
 * could not be learned is missing: then the net worth is null and says so, and the score says so or falls back as
 * `healthScore.ts` describes. Holds one entry per dex and per stop order.
 */

import { INFO } from "../protocol/infoRequests.ts";
import type { WireOrder, WireSpotState } from "../protocol/schemas.ts";
import { allOf } from "../runtime/allOf.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Decimal, isDecimal, isZero, mul, sign } from "../runtime/decimal.ts";
import { hasPassed } from "../runtime/due.ts";
import { parsed } from "../runtime/jsonText.ts";
import type { Log } from "../runtime/log.ts";
import { type AccountStates, DOLLAR_TOKENS, dashboardRow, ownTotal } from "./accountSnapshot.ts";
import { answeredAt, Belongings } from "./belongings.ts";
import { STREAMED } from "./freshness.ts";
import { type StopOrder, scoreHealth } from "./healthScore.ts";
import type { Markets } from "./markets.ts";
import { heldTokens, MODE_UNKNOWN, netWorthOf, type ReadAt, STAKED_TOKEN } from "./netWorth.ts";
import type { InfoOptions, Store, VenueInfo } from "./ports.ts";
import type { Prices, Token } from "./prices.ts";
import type { Keep } from "./quarantine.ts";
import type { Address, DashboardRow, LedgerRow, OrderEventRow } from "./rows.ts";
import type { Volatilities } from "./volatility.ts";

const DAY_MS = 86_400_000;
/** Reads a month of equity by the hour. */
const DRAWDOWN_KEPT_MS = 300_000;
/** The drawdown is that from the highest net worth of so many days. */
const DRAWDOWN_DAYS = 30;

/** Stops among open orders: reduce-only trigger orders that are no take-profit. */
export function stopOrders(rows: readonly OrderEventRow[]): StopOrder[] {
  return rows.flatMap((row): StopOrder[] => {
    if (!row.orderType?.startsWith("Stop") || row.triggerPrice === null) return [];
    const { order } = parsed(row.raw) as { order?: Partial<WireOrder> };
    const wholePosition = order?.isPositionTpsl === true;
    if (row.reduceOnly !== true && !wholePosition) return [];
    const size = wholePosition && isZero(row.remaining) ? null : row.remaining;
    return [{ coin: row.coin, side: row.side, size, triggerPrice: row.triggerPrice }];
  });
}

/** Perp markets whose price a spot token follows: its own name, or what it wraps (UBTC → BTC). */
const perpsOf = (token: string): string[] => (token.startsWith("U") ? [token, token.slice(1)] : [token]);

const isCollateral = ({ ltv }: { coin: string; ltv?: unknown }): boolean => isDecimal(ltv) && sign(ltv) > 0;

/** Tokens that back a portfolio-margin account besides dollars. */
const collateralTokens = (spot: WireSpotState) =>
  heldTokens(spot).filter((balance) => !DOLLAR_TOKENS.has(balance.coin) && isCollateral(balance));

/** All whose price the net worth needs. */
const pricedTokens = ({ spot }: WatchedStates, stake: Decimal | undefined): Token[] => [
  ...heldTokens(spot),
  ...(stake === undefined || isZero(stake) ? [] : [{ coin: STAKED_TOKEN }]),
];

interface HealthWatchDeps {
  account: Address;
  info: VenueInfo;
  store: Store;
  clock: Clock;
  log: Log;
  volatilities: Volatilities;
  commit: Keep;
  prices: Prices;
  markets: Pick<Markets, "marginTiers">;
}

/** The states as the account holds them. */
export interface WatchedStates extends Omit<AccountStates, "collateral" | "missing"> {
  dexesInUse: ReadonlySet<string>;
  /** Newest time stamped by the venue. */
  venueTimeMs: number;
  /** What its clock shows now. */
  venueNowMs: number;
  isModeKnown: boolean;
  /** The ledger could be read when it was last asked for. */
  areFlowsKnown: boolean;
}

export class HealthWatch {
  readonly #deps: HealthWatchDeps;
  /** When each dex's state, and the spot state, were received. */
  #receivedAtMs = new Map<string, number>();
  #spotReceivedAtMs: number | null = null;
  #stops = new Map<string, StopOrder[]>();
  #collateralTokens = new Map<string, number>([["", 0]]);
  readonly #belongings: Belongings;
  #spotRead: ReadAt | null = null;
  /** Null while it was not read: 0 would be a guess. */
  #drawdown: number | "unknown" | null = null;
  #drawdownAtMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | null = null;

  constructor(deps: HealthWatchDeps) {
    this.#deps = deps;
    this.#belongings = new Belongings(deps);
  }

  noteState(dex: string, receivedAtMs: number): void {
    this.#receivedAtMs.set(dex, receivedAtMs);
  }

  /** `venueMs`: the venue's time then; the state has none of its own. */
  noteSpot(receivedAtMs: number, venueMs: number): void {
    this.#spotReceivedAtMs = receivedAtMs;
    this.#spotRead = answeredAt(venueMs, 0);
  }

  /** Equity in vaults, as pushed. */
  noteVaults(equity: Decimal, venueMs: number): void {
    this.#belongings.noteVaults(equity, venueMs);
  }

  noteLedger(rows: readonly LedgerRow[]): void {
    this.#belongings.noteLedger(rows);
  }

  /** Looks in the database for what `verify` may have taken back. */
  recall(): Promise<void> {
    return this.#belongings.recall();
  }

  /** All open orders of a dex. */
  noteOpenOrders(dex: string, rows: readonly OrderEventRow[]): void {
    this.#stops.set(dex, stopOrders(rows));
  }

  /** Whether a part of the equity has no price: then no equity is known. */
  isUnpriced(states: WatchedStates): boolean {
    return this.#collateral(states).missing.length > 0;
  }

  /** Whether the states are too old for the positions that are open. */
  isStale(states: WatchedStates): boolean {
    return heldDexes(states).length > 0 && (this.#ageMs(states) ?? 0) > STREAMED.staleMs;
  }

  /** The snapshot, valued and scored. */
  row(states: WatchedStates): DashboardRow {
    const { collateral, missing: unpriced } = this.#collateral(states);
    const unvalued = [...unpriced, ...(states.isModeKnown ? [] : [MODE_UNKNOWN])];
    const unread = [...states.dexesInUse].filter((dex) => !states.perps.has(dex));
    const missing = [
      ...unvalued,
      ...(states.mode === "standard" ? unread : []).map(
        (dex) => `the state of ${dex === "" ? "the first dex" : dex} is not known yet`,
      ),
    ];
    const row = dashboardRow({ ...states, collateral, missing, isPartial: unread.length > 0 });
    const { score, status, reason, components } = scoreHealth({
      mode: states.mode,
      perps: states.perps,
      dexesInUse: states.dexesInUse,
      spot: states.spot,
      // Without it there is no score either.
      equity: row.accountValue ?? "0",
      collateral,
      collateralToken: (dex) => this.#collateralTokens.get(dex),
      marginTiers: (coin) => this.#deps.markets.marginTiers(coin),
      volatility: (coin) => this.#deps.volatilities.get(coin),
      stops: heldDexes(states).every((dex) => this.#stops.has(dex)) ? [...this.#stops.values()].flat() : null,
      drawdown: this.#drawdown,
      nowMs: this.#deps.clock.now(),
      stateAgeMs: this.#ageMs(states),
      missing: unvalued,
    });
    const worth = this.#netWorth(states);
    return {
      ...row,
      netWorth: worth.value,
      netWorthReason: worth.reason,
      netWorthParts: worth.parts,
      healthScore: score,
      healthStatus: status,
      healthReason: reason,
      healthComponents: components,
    };
  }

  #netWorth(states: WatchedStates) {
    const { venueNowMs } = states;
    return netWorthOf({
      ...states,
      spotRead: this.#spotRead,
      vaults: this.#belongings.vaults(venueNowMs),
      stake: this.#belongings.stake(venueNowMs),
      priceOf: (token) => this.#priceOf(token),
    });
  }

  /** Of a token as spot trades it; what backs portfolio margin has, failing that, the price of its perp. */
  #priceOf(token: Token & { ltv?: unknown }): Decimal | null {
    const { prices } = this.#deps;
    const price = prices.of(token);
    if (price !== null || !isCollateral(token)) return price;
    for (const coin of perpsOf(token.coin)) {
      const mid = prices.mid(coin);
      if (mid !== null) return mid;
    }
    return null;
  }

  /** Of the oldest state that the open positions rest on, by our clock and by the venue's. */
  #ageMs(states: WatchedStates): number | null {
    const nowMs = this.#deps.clock.now();
    const ages = heldDexes(states).flatMap((dex) => {
      const receivedAtMs = this.#receivedAtMs.get(dex);
      if (receivedAtMs === undefined) return [];
      const timeMs = states.perps.get(dex)?.time ?? states.venueTimeMs;
      return [Math.max(nowMs - receivedAtMs, states.venueTimeMs - timeMs)];
    });
    if (states.mode !== "standard" && this.#spotReceivedAtMs !== null)
      ages.push(nowMs - this.#spotReceivedAtMs);
    return ages.length === 0 ? null : Math.max(...ages);
  }

  #collateral({ mode, spot }: WatchedStates): { collateral: Map<string, Decimal>; missing: string[] } {
    const collateral = new Map<string, Decimal>();
    const missing: string[] = [];
    if (mode !== "portfolio_margin" || spot === null) return { collateral, missing };
    for (const balance of collateralTokens(spot)) {
      const price = this.#priceOf(balance);
      // By the coin whose moves it follows.
      const coins = perpsOf(balance.coin);
      const coin = coins.find((name) => this.#deps.prices.mid(name) !== null) ?? coins.at(-1)!;
      if (price !== null) collateral.set(coin, mul(ownTotal(balance), price));
      else missing.push(`no price is known for ${balance.coin}`);
    }
    return { collateral, missing };
  }

  /**
   * Whether the net worth is not known or its prices have grown old, or a coin with an open position was never asked for, or a dex for its collateral,
   * or whether positions are open and the drawdown was never read.
   */
  lacks(states: WatchedStates): boolean {
    return (
      this.#netWorth(states).value === null ||
      this.#deps.prices.areOld(pricedTokens(states, this.#belongings.stake(states.venueNowMs)?.amount)) ||
      (this.#drawdown === null && heldDexes(states).length > 0) ||
      heldCoins(states).some((coin) => !this.#deps.volatilities.has(coin)) ||
      this.#unknownCollateral(states).length > 0 ||
      this.isUnpriced(states)
    );
  }

  #unknownCollateral(states: WatchedStates): string[] {
    return states.mode === "unified"
      ? heldDexes(states).filter((dex) => !this.#collateralTokens.has(dex))
      : [];
  }

  /** Learns what is missing or has grown old. Never rejects; at most one at a time. */
  refresh(states: WatchedStates, signal: AbortSignal): Promise<void> {
    this.#refreshing ??= this.#refresh(states, signal).finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #refresh(states: WatchedStates, signal: AbortSignal): Promise<void> {
    const options = { priority: "niceToHave", signal } as const;
    const isDrawdownOld = hasPassed(this.#drawdownAtMs, DRAWDOWN_KEPT_MS, this.#deps.clock.now());
    await Promise.all([
      this.#quietly(() => this.#readNetWorth(states, options), signal),
      ...heldCoins(states).map((coin) =>
        this.#quietly(() => this.#deps.volatilities.learn(coin, options), signal),
      ),
      ...this.#unknownCollateral(states).map((dex) =>
        this.#quietly(() => this.#readCollateral(dex, options), signal),
      ),
      isDrawdownOld ? this.#quietly(() => this.#readDrawdown(), signal) : null,
    ]);
  }

  async #readNetWorth(states: WatchedStates, options: InfoOptions): Promise<void> {
    const { venueNowMs } = states;
    const priced = (stake: Decimal | undefined) =>
      this.#deps.prices.learn(pricedTokens(states, stake), options, this.#deps.commit);
    await allOf([
      priced(this.#belongings.stake(venueNowMs)?.amount),
      // A stake that was not known before needs the price of its token.
      this.#belongings
        .refresh(venueNowMs, options)
        .finally(() => priced(this.#belongings.stake(venueNowMs)?.amount)),
    ]);
  }

  async #quietly(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) this.#deps.log.debug("a part of the snapshot could not be read", { error });
    }
  }

  async #readCollateral(dex: string, options: InfoOptions): Promise<void> {
    const answer = await this.#deps.info.request(INFO.meta, { dex }, options);
    this.#collateralTokens.set(dex, answer.result.value.collateralToken ?? 0);
  }

  async #readDrawdown(): Promise<void> {
    const { store, account, clock } = this.#deps;
    const askedAtMs = clock.now();
    const percent = await store.drawdownPct(account, askedAtMs - DRAWDOWN_DAYS * DAY_MS);
    this.#drawdown = percent === null ? "unknown" : Number(percent) / 100;
    this.#drawdownAtMs = askedAtMs;
  }
}

const heldDexes = ({ perps }: WatchedStates): string[] =>
  [...perps].flatMap(([dex, state]) =>
    state.assetPositions.some(({ position }) => !isZero(position.szi)) ? [dex] : [],
  );

const heldCoins = ({ perps }: WatchedStates): string[] =>
  [...perps.values()].flatMap((state) =>
    state.assetPositions.flatMap(({ position }) => (isZero(position.szi) ? [] : [position.coin])),
  );
