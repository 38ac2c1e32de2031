/**
 * Daily volatility of coins from a month of candles, for all accounts of a process, since they share them.
 *
 * Guarantees: a coin is asked for once, however many accounts hold it, with the lowest priority, and kept for hours;
 * what could not be learned is null and asked again later. Holds at most `COINS_MAX` coins; beyond it all are learned
 * anew.
 */

import { INFO } from "../protocol/infoRequests.ts";
import type { Clock } from "../runtime/clock.ts";
import { isDue } from "../runtime/due.ts";
import { SharedWork } from "../runtime/sharedWork.ts";
import type { InfoOptions, VenueInfo } from "./ports.ts";

const DAY_MS = 86_400_000;
const DAYS = 30;
/** Fewer daily returns than this say nothing. */
const RETURNS_MIN = 7;
const KEPT_MS = 6 * 3_600_000;
/** What could not be learned is asked again after this. */
const RETRY_MS = 600_000;
const COINS_MAX = 500;

/** Standard deviation of the daily log returns, as a fraction; null when there are too few, or no price ever moved. */
export function dailyVolatility(closes: readonly number[]): number | null {
  const returns = closes.slice(1).map((close, day) => Math.log(close / closes[day]!));
  if (returns.length < RETURNS_MIN || !returns.every(Number.isFinite)) return null;
  const mean = returns.reduce((sum, one) => sum + one, 0) / returns.length;
  const variance = returns.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (returns.length - 1);
  return variance > 0 ? Math.sqrt(variance) : null;
}

interface Known {
  value: number | null;
  /** When it is to be asked again; 0 before the venue has answered or refused. */
  untilMs: number;
  reading: SharedWork<void>;
}

export class Volatilities {
  readonly #info: VenueInfo;
  readonly #clock: Clock;
  readonly #coins = new Map<string, Known>();

  constructor({ info, clock }: { info: VenueInfo; clock: Clock }) {
    this.#info = info;
    this.#clock = clock;
  }

  /** As a fraction of the price; null when it is not known. */
  get(coin: string): number | null {
    return this.#coins.get(coin)?.value ?? null;
  }

  /** Whether the venue was asked, whatever it said. */
  has(coin: string): boolean {
    return (this.#coins.get(coin)?.untilMs ?? 0) > 0;
  }

  /** Learns what is missing or has grown old; waits for a question of another account. Rejects as `request` does. */
  async learn(coin: string, options: InfoOptions): Promise<void> {
    const known = this.#coins.get(coin) ?? this.#add(coin);
    if (!isDue(known.untilMs, this.#clock.now(), KEPT_MS)) return;
    await known.reading.join((signal) => this.#note(known, coin, { ...options, signal }), options.signal);
  }

  #add(coin: string): Known {
    if (this.#coins.size >= COINS_MAX) this.#coins.clear();
    const added: Known = { value: null, untilMs: 0, reading: new SharedWork() };
    this.#coins.set(coin, added);
    return added;
  }

  async #note(known: Known, coin: string, options: InfoOptions): Promise<void> {
    try {
      known.value = await this.#read(coin, options);
      known.untilMs = this.#clock.now() + KEPT_MS;
    } catch (error) {
      // When all who asked went away, that says nothing about the coin.
      if (!options.signal?.aborted) known.untilMs = this.#clock.now() + RETRY_MS;
      throw error;
    }
  }

  async #read(coin: string, options: InfoOptions): Promise<number | null> {
    const startTime = this.#clock.now() - (DAYS + 1) * DAY_MS;
    const params = { req: { coin, interval: "1d", startTime, endTime: this.#clock.now() } };
    const answer = await this.#info.request(INFO.candleSnapshot, params, options);
    // The last candle is still forming.
    const closes = answer.result.rows.slice(0, -1).map(({ value }) => Number(value.c));
    return dailyVolatility(closes.slice(-DAYS - 1));
  }
}
