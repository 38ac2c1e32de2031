/**
 * What a spot token is worth in USD, for all accounts of a process, since they share it.
 *
 * A dollar is a dollar (`DOLLAR_TOKENS`, one for one). The balance `+N` of an outcome has the price of its market `#N`. Any
 * other token has the price of its pair: against USDC where there is one, else against another dollar, else against a token
 * that itself has such a pair.
 *
 * Guarantees: what could not be read, or not lately, is null, never an older or a smaller number; one odd price costs that
 * price only. The list of pairs is asked for once an hour, and at most every ten minutes for a token that it lacks; prices at
 * most once in `KEPT_MS`, however many accounts want them, with the priority of the one that asks.
 */

import { ProtocolError } from "../errors.ts";
import { INFO } from "../protocol/infoRequests.ts";
import type { WireSpotMeta } from "../protocol/schemas.ts";
import { allOf } from "../runtime/allOf.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Decimal, isDecimal, mul, normal, sign } from "../runtime/decimal.ts";
import { hasPassed, isDue } from "../runtime/due.ts";
import { SharedWork } from "../runtime/sharedWork.ts";
import { DOLLAR_TOKENS } from "./accountSnapshot.ts";
import type { InfoOptions, VenueInfo } from "./ports.ts";
import { type Keep, keepUnread } from "./quarantine.ts";

/** Prices are read anew after this, and believed no longer than the other. */
const KEPT_MS = 30_000;
const BELIEVED_MS = 180_000;
const PAIRS_KEPT_MS = 3_600_000;
const UNKNOWN_RETRY_MS = 600_000;
const USDC_TOKEN = 0;

/** A token as balances name it. */
export interface Token {
  coin: string;
  token?: number | null | undefined;
}

/** A dollar needs no price. */
const isPriced = ({ coin }: Token): boolean => !DOLLAR_TOKENS.has(coin);

interface Pair {
  /** As prices name it. */
  name: string;
  quote: number;
}

export class Prices {
  readonly #info: VenueInfo;
  readonly #clock: Clock;
  #mids: Record<string, unknown> = {};
  #midsAtMs = Number.NEGATIVE_INFINITY;
  #indexes = new Map<string, number>();
  #names = new Map<number, string>();
  /** Of each token as base, the best quote first. */
  #pairs = new Map<number, Pair[]>();
  #pairsAtMs = Number.NEGATIVE_INFINITY;
  #pairsRetryAtMs = 0;
  /** Questions under way, shared by all who ask meanwhile. */
  readonly #readingMids = new SharedWork<void>();
  readonly #readingPairs = new SharedWork<void>();

  constructor({ info, clock }: { info: VenueInfo; clock: Clock }) {
    this.#info = info;
    this.#clock = clock;
  }

  /** In USD; null when it is not known. */
  of({ coin, token }: Token): Decimal | null {
    if (DOLLAR_TOKENS.has(coin)) return "1";
    if (coin.startsWith("+")) return this.mid(`#${coin.slice(1)}`);
    const index = token ?? this.#indexes.get(coin);
    if (index === undefined) return null;
    for (const { name, quote } of this.#pairs.get(index) ?? []) {
      const [mid, price] = [this.mid(name), this.#ofQuote(quote)];
      if (mid !== null && price !== null) return normal(mul(mid, price));
    }
    return null;
  }

  #ofQuote(quote: number): Decimal | null {
    if (this.#isDollar(quote)) return "1";
    const pair = this.#pairs.get(quote)?.find((one) => this.#isDollar(one.quote));
    return pair ? this.mid(pair.name) : null;
  }

  #isDollar(token: number): boolean {
    return token === USDC_TOKEN || DOLLAR_TOKENS.has(this.#names.get(token) ?? "");
  }

  /** Of a market as the venue names it; null when it is not known. */
  mid(market: string): Decimal | null {
    const isOld = hasPassed(this.#midsAtMs, BELIEVED_MS, this.#clock.now());
    if (isOld || !Object.hasOwn(this.#mids, market)) return null;
    const mid = this.#mids[market];
    return isDecimal(mid) && sign(mid) > 0 ? mid : null;
  }

  /** Whether `learn` would ask for the prices of these. */
  areOld(tokens: readonly Token[]): boolean {
    return hasPassed(this.#midsAtMs, KEPT_MS, this.#clock.now()) && tokens.some(isPriced);
  }

  /** Learns what these are worth where that is missing or has grown old. Rejects as `request` does, after all had their turn. */
  async learn(tokens: readonly Token[], options: InfoOptions, commit: Keep): Promise<void> {
    const wanted = tokens.filter(isPriced);
    if (wanted.length === 0) return;
    const isPaired = ({ coin, token }: Token) =>
      coin.startsWith("+") || this.#pairs.has(token ?? this.#indexes.get(coin) ?? -1);
    const nowMs = this.#clock.now();
    const keptMs = wanted.every(isPaired) ? PAIRS_KEPT_MS : UNKNOWN_RETRY_MS;
    await allOf([
      wanted.every(({ coin }) => coin.startsWith("+")) || !hasPassed(this.#pairsAtMs, keptMs, nowMs)
        ? null
        : this.#learnPairs(options, commit),
      this.areOld(wanted) ? this.#learnMids(options, commit) : null,
    ]);
  }

  #learnPairs(options: InfoOptions, commit: Keep): Promise<void> | null {
    if (!isDue(this.#pairsRetryAtMs, this.#clock.now(), UNKNOWN_RETRY_MS)) return null;
    const read = (signal: AbortSignal) =>
      this.#readPairs({ ...options, signal }, commit).catch((error: unknown) => {
        const waitMs = error instanceof ProtocolError ? UNKNOWN_RETRY_MS : KEPT_MS;
        if (!signal.aborted) this.#pairsRetryAtMs = this.#clock.now() + waitMs;
        throw error;
      });
    return this.#readingPairs.join(read, options.signal);
  }

  #learnMids(options: InfoOptions, commit: Keep): Promise<void> {
    return this.#readingMids.join((signal) => this.#readMids({ ...options, signal }, commit), options.signal);
  }

  async #readPairs(options: InfoOptions, commit: Keep): Promise<void> {
    const answer = await this.#info.request(INFO.spotMeta, {}, options);
    const { tokens, universe }: WireSpotMeta = answer.result.value;
    this.#names = new Map(tokens.map(({ index, name }) => [index, name]));
    this.#indexes = new Map(tokens.map(({ index, name }) => [name, index]));
    this.#pairs.clear();
    for (const { name, tokens: pair } of universe) {
      const [base, quote] = pair;
      if (base === undefined || quote === undefined) continue;
      const known = this.#pairs.get(base);
      if (known) known.push({ name, quote });
      else this.#pairs.set(base, [{ name, quote }]);
    }
    const rank = ({ quote }: Pair) => (quote === USDC_TOKEN ? 0 : this.#isDollar(quote) ? 1 : 2);
    for (const pairs of this.#pairs.values()) pairs.sort((a, b) => rank(a) - rank(b));
    this.#pairsAtMs = this.#clock.now();
    await keepUnread(answer, INFO.spotMeta.type, null, commit);
  }

  /** Spot and outcomes are priced with the first dex. */
  async #readMids(options: InfoOptions, commit: Keep): Promise<void> {
    const answer = await this.#info.request(INFO.allMids, { dex: "" }, options);
    this.#mids = answer.result.value;
    this.#midsAtMs = this.#clock.now();
    await keepUnread(answer, INFO.allMids.type, null, commit);
  }
}
