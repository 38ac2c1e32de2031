/**
 * What is odd about one seed, beyond the faults of `plan.ts`: what the venue says wrongly, what the database will not take,
 * what is deployed meanwhile, and how money moves. Guarantees: a pure function of the seed, drawn apart from the plan, so
 * that a seed kept from before there were oddities still means what it meant.
 */
import { seededRandom } from "../../src/runtime/random.ts";

/** What is changed in an answer or a frame of one process; `spoiler.ts` says how. */
export const SPOILS = [
  /** An entry of a state that cannot be read. */
  "unreadableEntry",
  /** A field of a state that is only shown and does not fit. */
  "oddDisplay",
  /** A list in a state lacks some or all of its entries, once. */
  "shortList",
  /** A state or the venue's clock with a stamp of another century, a day ahead, 0 or negative. */
  "wrongStamp",
  /** The same of one row of a history. */
  "rowStamp",
  /** One row with more digits than a schema lets through. */
  "rowDigits",
  /** One row with an integer that is none. */
  "rowInteger",
] as const;
export type SpoilKind = (typeof SPOILS)[number];

export interface Spoil {
  kind: SpoilKind;
  rate: number;
  /** Fires at most this often. */
  times: number;
  fromMs: number;
  untilMs: number;
}

/** One kind of question is answered with an error for a while. */
export interface RefusedRequest {
  request: string;
  status: 422 | 500;
  fromMs: number;
  untilMs: number;
}

export interface Oddities {
  /** Dexes that are deployed at these times; the account trades there at once. */
  deploys: { atMs: number; name: string }[];
  spoils: Spoil[];
  refusedRequests: RefusedRequest[];
  /** A user's own CHECK, by table: what a row of it must satisfy. Gone when the faults end. */
  checks: { table: string; condition: string }[];
  /** How the account moves money; null for not at all. */
  moves: { everyMs: number; mode: Mode } | null;
}

export const MODES = ["disabled", "unifiedAccount", "portfolioMargin"] as const;
export type Mode = (typeof MODES)[number];

export const NO_ODDITIES: Oddities = {
  deploys: [],
  spoils: [],
  refusedRequests: [],
  checks: [],
  moves: null,
};

const REQUESTS = [
  ...["clearinghouseState", "spotClearinghouseState", "perpDexs", "exchangeStatus"],
  ...["userFillsByTime", "userTwapSliceFillsByTime", "userFunding", "userNonFundingLedgerUpdates"],
  ...["historicalOrders", "frontendOpenOrders", "orderStatus", "userAbstraction"],
];

const CHECKS = [
  { table: "hl_fills", condition: "order_id % 5 <> 0" },
  { table: "hl_order_events", condition: "order_id % 5 <> 1" },
  { table: "hl_funding", condition: "coin <> 'ETH'" },
  { table: "hl_ledger", condition: "ledger_time_ms % 3 <> 0" },
  { table: "hl_positions", condition: "coin <> 'SOL'" },
  { table: "hl_balances", condition: "coin <> 'HYPE'" },
];

/** Nothing odd is said in the last seconds, so that what it did can be undone by a later state. */
const SOBER_MS = 5_000;

export function drawOddities(seed: number, durationMs: number): Oddities {
  const random = seededRandom(`oddities ${seed}`);
  const chance = (p: number) => random.next() < p;
  const between = (least: number, most: number) => least + random.next() * (most - least);
  const whole = (least: number, most: number) => Math.floor(between(least, most + 1));
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random.next() * values.length)]!;
  const lastMs = durationMs - SOBER_MS;
  return {
    deploys: Array.from({ length: chance(0.35) ? whole(1, 2) : 0 }, (_, i) => ({
      atMs: whole(0, lastMs),
      name: `dx${i}`,
    })),
    spoils: SPOILS.filter(() => chance(0.3)).map((kind) => {
      const isOnce = kind === "shortList" || chance(0.3);
      return {
        kind,
        rate: isOnce ? 0.2 : 10 ** -between(0.5, 2),
        times: isOnce ? 1 : Number.POSITIVE_INFINITY,
        fromMs: chance(0.5) ? 0 : whole(0, lastMs),
        untilMs: lastMs,
      };
    }),
    refusedRequests: Array.from({ length: chance(0.25) ? whole(1, 2) : 0 }, () => {
      const fromMs = chance(0.3) ? 0 : whole(0, lastMs);
      return {
        request: pick(REQUESTS),
        status: pick([422, 500] as const),
        fromMs,
        untilMs: Math.min(lastMs, fromMs + whole(1, 60) * 1000),
      };
    }),
    checks: chance(0.25) ? [pick(CHECKS)] : [],
    moves: chance(0.5) ? { everyMs: whole(1, 8) * 1000, mode: pick(MODES) } : null,
  };
}
