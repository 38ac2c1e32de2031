/**
 * The venue's limits per IP, as the server enforces them. Guarantees: a refused request, message or subscription costs
 * nothing; windows slide over exactly one minute (the venue's exact shape is unknown). Memory is bounded by the limits
 * themselves: a window holds at most as many entries as it admits.
 * @see https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/rate-limits-and-user-limits
 */
import { LIMITS } from "../../protocol/limits.ts";
import type { Json, JsonObject } from "../contract.ts";

const MINUTE_MS = 60_000;
/** Addresses remembered at once; beyond it the idle ones are forgotten, and with them what they spent. */
const MAX_IPS = 10_000;

export type VenueLimits = { [Name in keyof typeof LIMITS]: number };
export const VENUE_LIMITS: VenueLimits = LIMITS;

const LIGHT = new Set([
  "l2Book",
  "allMids",
  "clearinghouseState",
  "orderStatus",
  "spotClearinghouseState",
  "exchangeStatus",
]);
const ITEMS_PER_EXTRA_WEIGHT: Readonly<Record<string, number>> = {
  candleSnapshot: 60,
  recentTrades: 20,
  historicalOrders: 20,
  userFills: 20,
  userFillsByTime: 20,
  fundingHistory: 20,
  userFunding: 20,
  userNonFundingLedgerUpdates: 20,
  twapHistory: 20,
  userTwapSliceFills: 20,
  userTwapSliceFillsByTime: 20,
  delegatorHistory: 20,
  delegatorRewards: 20,
};

/** Weight of an info request before it is answered. */
export function infoWeight(type: string): number {
  if (type === "userRole") return 60;
  return LIGHT.has(type) ? 2 : 20;
}

/** What the answer costs on top, by the number of items in it. */
export function extraWeight(type: string, items: number): number {
  // The type is the client's text: `constructor` is no entry.
  const per = Object.hasOwn(ITEMS_PER_EXTRA_WEIGHT, type) ? ITEMS_PER_EXTRA_WEIGHT[type] : undefined;
  return per === undefined ? 0 : Math.floor(items / per);
}

const BATCH_KEYS = ["orders", "cancels", "modifies"] as const;

/** Weight of an action: one, and one more for every 40 in a batch. */
export function actionWeight(action: JsonObject): number {
  const batch = BATCH_KEYS.map((key): Json | undefined => action[key]).find(Array.isArray);
  return 1 + Math.floor((batch?.length ?? 0) / 40);
}

class SlidingMinute {
  #entries: { timeMs: number; cost: number }[] = [];
  #spent = 0;

  spent(nowMs: number): number {
    let stale = 0;
    while (stale < this.#entries.length && this.#entries[stale]!.timeMs <= nowMs - MINUTE_MS) {
      this.#spent -= this.#entries[stale]!.cost;
      stale++;
    }
    if (stale > 0) this.#entries.splice(0, stale);
    return this.#spent;
  }

  /** Spends unless that would exceed `limit`. */
  take(nowMs: number, cost: number, limit: number): boolean {
    if (this.spent(nowMs) + cost > limit) return false;
    this.add(nowMs, cost);
    return true;
  }

  /** Spends whatever it costs: what is only known afterwards. */
  add(nowMs: number, cost: number): void {
    if (cost === 0) return;
    this.#spent += cost;
    const last = this.#entries.at(-1);
    if (last?.timeMs === nowMs) last.cost += cost;
    else this.#entries.push({ timeMs: nowMs, cost });
  }
}

/** What one address spent, so that a test can check that a client keeps the limits. */
export interface WeightRecord {
  lastMinute: number;
  /** The most that any minute held. */
  peak: number;
  total: number;
  /** Requests answered with 429 for lack of weight. */
  refused: number;
  /** The most at once, and of new connections and messages the most in a minute. */
  most: Record<"connections" | "users" | "subscriptions" | "dials" | "messages", number>;
  /** Connections, messages and subscriptions beyond a limit. */
  turnedAway: number;
}

/** What one address has spent and holds. */
export class IpBudget {
  readonly #limits: VenueLimits;
  #weight = new SlidingMinute();
  #weightPeak = 0;
  #weightTotal = 0;
  #refused = 0;
  #dials = new SlidingMinute();
  #messages = new SlidingMinute();
  #connections = 0;
  #subscriptions = 0;
  #inflightPosts = 0;
  #users = new Map<string, number>();
  readonly #most = { connections: 0, users: 0, subscriptions: 0, dials: 0, messages: 0 };
  #turnedAway = 0;

  constructor(limits: VenueLimits) {
    this.#limits = limits;
  }

  idle(nowMs: number): boolean {
    return this.#connections === 0 && this.#weight.spent(nowMs) === 0 && this.#dials.spent(nowMs) === 0;
  }

  weightSpent(nowMs: number): number {
    return this.#weight.spent(nowMs);
  }

  weightRecord(nowMs: number): WeightRecord {
    return {
      lastMinute: this.weightSpent(nowMs),
      peak: this.#weightPeak,
      total: this.#weightTotal,
      refused: this.#refused,
      most: { ...this.#most },
      turnedAway: this.#turnedAway,
    };
  }

  #note(what: keyof WeightRecord["most"], count: number): void {
    this.#most[what] = Math.max(this.#most[what], count);
  }

  #turnAway(): false {
    this.#turnedAway += 1;
    return false;
  }

  takeWeight(nowMs: number, weight: number): boolean {
    if (this.#weight.spent(nowMs) + weight > this.#limits.weightPerMinute) {
      this.#refused += 1;
      return false;
    }
    this.addWeight(nowMs, weight);
    return true;
  }

  addWeight(nowMs: number, weight: number): void {
    this.#weight.add(nowMs, weight);
    this.#weightTotal += weight;
    this.#weightPeak = Math.max(this.#weightPeak, this.#weight.spent(nowMs));
  }

  takeMessage(nowMs: number): boolean {
    if (!this.#messages.take(nowMs, 1, this.#limits.clientMessagesPerMinute)) return this.#turnAway();
    this.#note("messages", this.#messages.spent(nowMs));
    return true;
  }

  openConnection(nowMs: number): boolean {
    if (this.#connections >= this.#limits.connections) return this.#turnAway();
    if (!this.#dials.take(nowMs, 1, this.#limits.connectionsPerMinute)) return this.#turnAway();
    this.#connections++;
    this.#note("connections", this.#connections);
    this.#note("dials", this.#dials.spent(nowMs));
    return true;
  }

  closeConnection(): void {
    this.#connections--;
  }

  openPost(): boolean {
    if (this.#inflightPosts >= this.#limits.inflightPosts) return false;
    this.#inflightPosts++;
    return true;
  }

  closePost(): void {
    this.#inflightPosts--;
  }

  /** The refusal's exact text, or null when the subscription is admitted and counted. */
  addSubscription(user: string | null): string | null {
    if (this.#subscriptions >= this.#limits.subscriptions) {
      this.#turnAway();
      return `Cannot subscribe to more than ${this.#limits.subscriptions} channels.`;
    }
    if (user !== null) {
      const held = this.#users.get(user) ?? 0;
      if (held === 0 && this.#users.size >= this.#limits.users) {
        this.#turnAway();
        return `Cannot track more than ${this.#limits.users} total users.`;
      }
      this.#users.set(user, held + 1);
      this.#note("users", this.#users.size);
    }
    this.#subscriptions++;
    this.#note("subscriptions", this.#subscriptions);
    return null;
  }

  removeSubscription(user: string | null): void {
    this.#subscriptions--;
    if (user === null) return;
    const held = this.#users.get(user) ?? 0;
    if (held <= 1) this.#users.delete(user);
    else this.#users.set(user, held - 1);
  }
}

export class IpBudgets {
  readonly #limits: VenueLimits;
  #byIp = new Map<string, IpBudget>();

  constructor(limits: VenueLimits) {
    this.#limits = limits;
  }

  /** What each address that is remembered has spent. */
  weightRecords(nowMs: number): Record<string, WeightRecord> {
    return Object.fromEntries([...this.#byIp].map(([ip, budget]) => [ip, budget.weightRecord(nowMs)]));
  }

  of(ip: string, nowMs: number): IpBudget {
    const known = this.#byIp.get(ip);
    if (known !== undefined) return known;
    if (this.#byIp.size >= MAX_IPS) {
      for (const [other, budget] of this.#byIp) if (budget.idle(nowMs)) this.#byIp.delete(other);
    }
    const budget = new IpBudget(this.#limits);
    this.#byIp.set(ip, budget);
    return budget;
  }
}
