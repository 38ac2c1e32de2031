/**
 * The venue's markets, one list for all accounts of a process: what people call `@107`, how many decimals a size has, at which
 * value of a position which leverage ends.
 *
 * Guarantees: a market once listed stays in the table; one that goes is said to be delisted only where the venue says so of it
 * (an outcome that is no longer listed is asked for by itself). What cannot be read leaves the rest as it was. At most one
 * reading at a time, one in `KEPT_MS`, with the priority of the one that asks; the markets of one reading are one commit.
 */
import { ProtocolError } from "../errors.ts";
import { INFO } from "../protocol/infoRequests.ts";
import type { WireMeta, WireOutcomeMeta, WireSpotMeta } from "../protocol/schemas.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Decimal, sub } from "../runtime/decimal.ts";
import { hasPassed } from "../runtime/due.ts";
import type { Log } from "../runtime/log.ts";
import { SharedWork } from "../runtime/sharedWork.ts";
import { dexOfCoin } from "./dexes.ts";
import type { InfoOptions, VenueInfo } from "./ports.ts";
import { type Keep, keepUnread } from "./quarantine.ts";
import type { RowOf } from "./tables.ts";

/** Accounts make their thorough catch-ups once an hour, each for itself. */
const KEPT_MS = 1_800_000;
/** More are not believed: the first ones are kept. */
const MARKETS_MAX = 50_000;
/** Outcomes that vanished and are asked for in one reading. */
const SETTLED_ASKED_MAX = 20;

type MarketRow = RowOf<"markets">;
type Market = Omit<MarketRow, "asOfMs">;
type Outcome = WireOutcomeMeta["outcomes"][number];

/** From this value of a position on, this leverage is the highest. */
export interface MarginTier {
  lowerBound: Decimal;
  maxLeverage: number;
}

interface MarketsDeps {
  info: VenueInfo;
  clock: Clock;
  log: Log;
}

export class Markets {
  readonly #deps: MarketsDeps;
  readonly #rows = new Map<string, { row: MarketRow; content: string }>();
  /** Listed now, as far as it could be read. */
  readonly #outcomes = new Map<number, Outcome>();
  #readAtMs = Number.NEGATIVE_INFINITY;
  readonly #reading = new SharedWork<void>();

  constructor(deps: MarketsDeps) {
    this.#deps = deps;
  }

  /** Of a perp, the lowest bound first; null while they are not known. */
  marginTiers(coin: string): readonly MarginTier[] | null {
    return (this.#rows.get(coin)?.row.marginTiers as MarginTier[] | null | undefined) ?? null;
  }

  /** Reads the markets again unless they are fresh. Rejects as `request` does. */
  async renew(options: InfoOptions, commit: Keep): Promise<void> {
    if (!hasPassed(this.#readAtMs, KEPT_MS, this.#deps.clock.now())) return;
    await this.#reading.join((signal) => this.#read({ ...options, signal }, commit), options.signal);
  }

  async #read(options: InfoOptions, commit: Keep): Promise<void> {
    const { info, clock } = this.#deps;
    const spot = await info.request(INFO.spotMeta, {}, options);
    await keepUnread(spot, INFO.spotMeta.type, null, commit);
    const tokens = new Map(spot.result.value.tokens.map((token) => [token.index, token]));
    const perps = await this.#askOrNull(INFO.allPerpMetas.type, () =>
      info.request(INFO.allPerpMetas, {}, options),
    );
    if (perps) await keepUnread(perps, INFO.allPerpMetas.type, null, commit);
    const markets = [
      ...(perps?.result.rows.flatMap(({ value }) => perpMarkets(value, tokens)) ?? []),
      ...spotMarkets(spot.result.value),
      ...(await this.#readOutcomes(options, commit)),
    ];
    const nowMs = clock.now();
    this.#readAtMs = nowMs;
    for (const market of markets) this.#note(market, nowMs);
    // All of them: the database may have gone back in time. What it has, it does not write again.
    await commit({ markets: [...this.#rows.values()].map(({ row }) => row) }, nowMs);
  }

  /** A market keeps the time when it was first seen like this. */
  #note(market: Market, asOfMs: number): void {
    const content = JSON.stringify(market);
    const known = this.#rows.get(market.coin);
    if (known?.content === content || (!known && this.#rows.size >= MARKETS_MAX)) return;
    this.#rows.set(market.coin, { row: { ...market, asOfMs }, content });
  }

  async #readOutcomes(options: InfoOptions, commit: Keep): Promise<Market[]> {
    const { info } = this.#deps;
    const answer = await this.#askOrNull(INFO.outcomeMeta.type, () =>
      info.request(INFO.outcomeMeta, {}, options),
    );
    if (answer === null) return [];
    await keepUnread(answer, INFO.outcomeMeta.type, null, commit);
    const listed = new Map(answer.result.value.outcomes.map((one) => [one.outcome, one]));
    const gone = [...this.#outcomes.keys()].filter((outcome) => !listed.has(outcome));
    const markets = [...listed.values()].flatMap((one) => outcomeMarkets(one, null));
    for (const outcome of gone.slice(0, SETTLED_ASKED_MAX)) {
      const settled = await this.#askOrNull(INFO.settledOutcome.type, () =>
        info.request(INFO.settledOutcome, { outcome }, options),
      );
      const told = settled?.result.value;
      if (!told) continue;
      this.#outcomes.delete(outcome);
      markets.push(...outcomeMarkets(told.spec, told.settleFraction));
    }
    for (const [outcome, one] of listed) this.#outcomes.set(outcome, one);
    return markets;
  }

  /** Null where the endpoint does not know the question: an own node answers few. */
  async #askOrNull<T>(type: string, ask: () => Promise<T>): Promise<T | null> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#deps.log.debug("the venue does not tell its markets", { type, error });
      return null;
    }
  }
}

type Token = WireSpotMeta["tokens"][number];
type Tokens = ReadonlyMap<number, Token>;

const NOTHING = {
  dex: null,
  base: null,
  quote: null,
  sizeDecimals: null,
  maxLeverage: null,
  marginTiers: null,
  collateralToken: null,
  isDelisted: false,
  settlement: null,
} as const satisfies Partial<Market>;

function perpMarkets({ universe, marginTables, collateralToken }: WireMeta, tokens: Tokens): Market[] {
  const tables = new Map(marginTables?.map(([id, { marginTiers }]) => [id, marginTiers ?? null]));
  const collateral = tokens.get(collateralToken ?? 0)?.name ?? null;
  return universe.flatMap((market): Market[] => {
    if (market === null) return [];
    const { name, szDecimals, isDelisted } = market;
    const maxLeverage = market.maxLeverage ?? null;
    const table = market.marginTableId == null ? undefined : tables.get(market.marginTableId);
    // A table of one tier is not listed.
    const single = maxLeverage === null ? null : [{ lowerBound: "0.0", maxLeverage }];
    return [
      {
        ...NOTHING,
        coin: name,
        dex: dexOfCoin(name),
        kind: "perp",
        name,
        sizeDecimals: szDecimals,
        maxLeverage,
        marginTiers: table === undefined ? single : table,
        collateralToken: collateral,
        isDelisted: isDelisted === true,
        raw: market,
      },
    ];
  });
}

/** Of the venue's list of pairs, with what people call them. */
export function spotMarkets({ tokens, universe }: WireSpotMeta): Market[] {
  const byIndex = new Map(tokens.map((token) => [token.index, token]));
  return universe.map((pair) => {
    const [base, quote] = pair.tokens.map((index) => byIndex.get(index));
    return {
      ...NOTHING,
      coin: pair.name,
      kind: "spot",
      name: base && quote ? `${base.name}/${quote.name}` : pair.name,
      base: base?.name ?? null,
      quote: quote?.name ?? null,
      sizeDecimals: base?.szDecimals ?? null,
      raw: pair,
    };
  });
}

/** `fraction`: what one of the first side was paid, null while it trades. */
function outcomeMarkets(outcome: Outcome, fraction: Decimal | null): Market[] {
  return outcome.sideSpecs.flatMap((side, index): Market[] => {
    const key = 10 * outcome.outcome + index;
    const common = {
      ...NOTHING,
      name: `${outcome.name}: ${side.name}`,
      quote: outcome.quoteToken ?? null,
      isDelisted: fraction !== null,
      settlement: fraction === null || index === 0 ? fraction : sub("1", fraction),
      raw: outcome,
    };
    return [
      { ...common, coin: `#${key}`, kind: "outcome" },
      { ...common, coin: `+${key}`, kind: "token" },
    ];
  });
}
