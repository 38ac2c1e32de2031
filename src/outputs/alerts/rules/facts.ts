/** What rules look at, by kind: states that are read again and again, and happenings, each seen once. Types only. */
import type { Decimal } from "../../../runtime/decimal.ts";
import type { Address } from "../../../sync/rows.ts";
import type { OutboxEvent } from "../../outbox.ts";

interface About {
  account: Address | null;
  coin: string | null;
  /** What else it is about: the order of a fill, the stream of a gap. */
  subject: string | null;
  /** When it was true, or happened. */
  atMs: number;
}

export interface PositionFacts extends About {
  coin: string;
  side: string;
  markPrice: string | null;
  liquidationPrice: string | null;
  positionValue: string;
  distancePct: string | null;
  maxLeverage: number | null;
  hasStop: boolean;
  volatility: string | null;
  equity: string | null;
}

/** The newest snapshot of an account. */
export interface AccountFacts extends About {
  account: Address;
  accountValue: string | null;
  /** All that the account owns. */
  netWorth: string | null;
  bufferPct: string | null;
  positions: number;
  leverage: string | null;
  score: number | null;
  reason: string | null;
  components: {
    drawdown?: string;
    limiting?: string;
    pools?: { pool: string; ratio: string; threshold: string }[];
  } | null;
}

export interface FeedFacts extends About {
  /** Of the newest data. */
  ageMs: number;
  /** How much of it is in the nature of polling; 0 while streamed. */
  normalMs: number;
}

export interface DriftFacts extends About {
  /** Not repaired: of the last day, and older. */
  found: number;
  older: number;
  streams: string | null;
}

export interface GapFacts extends About {
  subject: string;
  missingMs: number;
  /** Null when nothing is missing. */
  fromMs: number | null;
  nowMs: number;
}

/** The UTC day so far. */
export interface DayFacts extends About {
  /** Net worth at the last snapshot before midnight UTC, else at the first one after. */
  openValue: string;
  closeValue: string;
  /** Null when the value of one is not known. */
  flow: string | null;
}

export interface PriceFacts extends About {
  coin: string;
  /** For people; null where the venue told none. */
  name: string | null;
  price: string;
}

/** The API wallet that ends first; all null where none does. */
export interface WalletFacts extends About {
  name: string | null;
  address: string | null;
  untilMs: number | null;
  nowMs: number;
}

/** Requests that change something; null where the venue did not tell. */
export interface LimitFacts extends About {
  left: string | null;
  cap: string | null;
}

interface DatabaseFacts extends About {
  silentMs: number;
  isBack: boolean;
}

export interface Facts {
  position: PositionFacts;
  account: AccountFacts;
  feed: FeedFacts;
  drift: DriftFacts;
  gap: GapFacts;
  day: DayFacts;
  price: PriceFacts;
  wallet: WalletFacts;
  limits: LimitFacts;
  database: DatabaseFacts;
}

interface Happening extends About {
  subject: string;
  data: OutboxEvent["data"];
}

/** The fills of one order, or of one TWAP, so far. */
export interface FillsHappening extends About {
  account: Address;
  coin: string;
  /** Of the market, for people. */
  name: string;
  subject: string;
  side: string;
  fills: number;
  size: Decimal;
  value: Decimal;
  isLiquidation: boolean;
  /** Newest known equity of the account; null while unknown. */
  equity: Decimal | null;
}

interface PositionHappening extends Happening {
  coin: string;
  side: string;
  /** Side before; null where that is not known. */
  before: string | null;
}

interface FundingHappening extends Happening {
  coin: string;
  usdc: Decimal;
  /** Sign of the payment before; null before the first. */
  before: number | null;
}

/** What a UTC day brought. */
export interface Digest {
  fills: number;
  closedPnl: string;
  fees: string;
  funding: string;
  netPnl: string;
  /** Fees that are in none of the sums. */
  unpricedFees: number;
  /** At the end of the day; null when there is no snapshot of the day. */
  netWorth: string | null;
}

interface DayHappening extends About {
  /** YYYY-MM-DD. */
  subject: string;
  /** Null when nothing happened. */
  digest: Digest | null;
  /** Whether all of the day is known. */
  isComplete: boolean;
}

export interface Happenings {
  fills: FillsHappening;
  order: Happening & { coin: string };
  ledger: Happening;
  position: PositionHappening;
  funding: FundingHappening;
  endpoint: Happening;
  day: DayHappening;
}
