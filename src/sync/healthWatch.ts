/**
 * What the health of one account rests on besides its states: volatilities, collateral tokens and their prices, stops,
 * drawdown and ages. Makes the account's snapshot out of all of it.
 *
 * Guarantees: what is learned over REST is asked with the lowest priority, so that it never delays what matters; what
 * could not be learned is missing, and the score says so or falls back as `health.ts` describes. Holds one entry per
 * dex and per stop order.
 */
import { INFO } from "../protocol/infoRequests.ts";
import type { WireOrder, WireSpotState } from "../protocol/schemas.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Decimal, isDecimal, isZero, mul, sign } from "../runtime/decimal.ts";
import type { Log } from "../runtime/log.ts";
import { type AccountStates, DOLLAR_TOKENS, dashboardRow, ownTotal } from "./dashboard.ts";
import type { Address, Batch, DashboardRow, OrderEventRow } from "./events.ts";
import { STREAMED } from "./freshness.ts";
import { type StopOrder, scoreHealth } from "./health.ts";
import type { InfoOptions, Store, VenueInfo } from "./ports.ts";
import { quarantineRows } from "./quarantine.ts";
import type { Volatilities } from "./volatility.ts";

const DAY_MS = 86_400_000;
const PRICES_KEPT_MS = 60_000;
/** Reads a month of equity by the hour. */
const DRAWDOWN_KEPT_MS = 300_000;
/** The drawdown is that from the highest equity of so many days. */
const DRAWDOWN_DAYS = 30;

/** Stops among open orders: reduce-only trigger orders that are no take-profit. */
export function stopOrders(rows: readonly OrderEventRow[]): StopOrder[] {
  return rows.flatMap((row): StopOrder[] => {
    if (!row.orderType?.startsWith("Stop") || row.triggerPrice === null) return [];
    const { order } = row.raw as { order?: Partial<WireOrder> };
    const wholePosition = order?.isPositionTpsl === true;
    if (row.reduceOnly !== true && !wholePosition) return [];
    const size = wholePosition && isZero(row.remaining) ? null : row.remaining;
    return [{ coin: row.coin, side: row.side, size, triggerPrice: row.triggerPrice }];
  });
}

/** Perp markets whose price a spot token follows: its own name, or what it wraps (UBTC → BTC). */
const perpsOf = (token: string): string[] => (token.startsWith("U") ? [token, token.slice(1)] : [token]);

/** Tokens that back a portfolio-margin account besides dollars. */
const collateralTokens = (spot: WireSpotState) =>
  spot.balances.filter(
    ({ coin, total, ltv }) => !DOLLAR_TOKENS.has(coin) && isDecimal(ltv) && sign(ltv) > 0 && !isZero(total),
  );

export interface HealthWatchDeps {
  account: Address;
  info: VenueInfo;
  store: Store;
  clock: Clock;
  log: Log;
  volatilities: Volatilities;
  commit(batch: Batch, receivedAtMs: number): Promise<unknown>;
}

/** The states as the account holds them. */
export interface WatchedStates extends Omit<AccountStates, "collateral"> {
  dexesInUse: ReadonlySet<string>;
  /** Newest time stamped by the venue. */
  venueTimeMs: number;
}

export class HealthWatch {
  readonly #deps: HealthWatchDeps;
  /** When each dex's state, and the spot state, were received. */
  #receivedAtMs = new Map<string, number>();
  #spotReceivedAtMs: number | null = null;
  #stops = new Map<string, StopOrder[]>();
  #collateralTokens = new Map<string, number>([["", 0]]);
  #mids: Record<string, Decimal> = {};
  #midsAtMs = Number.NEGATIVE_INFINITY;
  /** Null while it was not read: 0 would be a guess. */
  #drawdown: number | null = null;
  #drawdownAtMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | null = null;

  constructor(deps: HealthWatchDeps) {
    this.#deps = deps;
  }

  noteState(dex: string, receivedAtMs: number): void {
    this.#receivedAtMs.set(dex, receivedAtMs);
  }

  noteSpot(receivedAtMs: number): void {
    this.#spotReceivedAtMs = receivedAtMs;
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

  /** The snapshot, scored. */
  row(states: WatchedStates): DashboardRow {
    const { collateral, missing } = this.#collateral(states);
    const row = dashboardRow({ ...states, collateral });
    const { score, status, reason, components } = scoreHealth({
      mode: states.mode,
      perps: states.perps,
      dexesInUse: states.dexesInUse,
      spot: states.spot,
      equity: row.accountValue,
      collateral,
      collateralToken: (dex) => this.#collateralTokens.get(dex),
      volatility: (coin) => this.#deps.volatilities.get(coin),
      stops: heldDexes(states).every((dex) => this.#stops.has(dex)) ? [...this.#stops.values()].flat() : null,
      drawdown: this.#drawdown,
      nowMs: this.#deps.clock.now(),
      stateAgeMs: this.#ageMs(states),
      missing,
    });
    return {
      ...row,
      healthScore: score,
      healthStatus: status,
      healthReason: reason,
      healthComponents: components,
    };
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
      const coin = perpsOf(balance.coin).find((name) => this.#mids[name] !== undefined);
      if (coin) collateral.set(coin, mul(ownTotal(balance), this.#mids[coin]!));
      else missing.push(`no price is known for ${balance.coin}`);
    }
    return { collateral, missing };
  }

  /**
   * Whether a coin with an open position was never asked for, or a dex for its collateral, or collateral for its price, or
   * whether positions are open and the drawdown was never read.
   */
  lacks(states: WatchedStates): boolean {
    return (
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
    const { clock } = this.#deps;
    const options = { priority: "niceToHave", signal } as const;
    const nowMs = clock.now();
    const wantsPrices =
      states.mode === "portfolio_margin" && states.spot !== null && collateralTokens(states.spot).length > 0;
    await Promise.all([
      ...heldCoins(states).map((coin) =>
        this.#quietly(() => this.#deps.volatilities.learn(coin, options), signal),
      ),
      ...this.#unknownCollateral(states).map((dex) =>
        this.#quietly(() => this.#readCollateral(dex, options), signal),
      ),
      wantsPrices && nowMs - this.#midsAtMs >= PRICES_KEPT_MS
        ? this.#quietly(() => this.#readMids(options), signal)
        : null,
      nowMs - this.#drawdownAtMs >= DRAWDOWN_KEPT_MS
        ? this.#quietly(() => this.#readDrawdown(), signal)
        : null,
    ]);
  }

  async #quietly(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) this.#deps.log.debug("a part of the health score could not be read", { error });
    }
  }

  async #readCollateral(dex: string, options: InfoOptions): Promise<void> {
    const answer = await this.#deps.info.request(INFO.meta, { dex }, options);
    this.#collateralTokens.set(dex, answer.result.value.collateralToken ?? 0);
  }

  async #readMids(options: InfoOptions): Promise<void> {
    const answer = await this.#deps.info.request(INFO.allMids, { dex: "" }, options);
    this.#mids = answer.result.value;
    const { unread } = answer.result;
    if (unread.length > 0)
      await this.#deps.commit(
        { quarantine: quarantineRows(unread, INFO.allMids.type, null, answer.receivedAtMs) },
        answer.receivedAtMs,
      );
    this.#midsAtMs = this.#deps.clock.now();
  }

  async #readDrawdown(): Promise<void> {
    const { store, account, clock } = this.#deps;
    const askedAtMs = clock.now();
    const percent = await store.drawdownPct(account, askedAtMs - DRAWDOWN_DAYS * DAY_MS);
    // Nothing to fall from: there is no snapshot yet.
    this.#drawdown = percent === null ? 0 : Number(percent) / 100;
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
