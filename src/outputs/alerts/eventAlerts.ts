/**
 * Alerts that are sent once: fills, liquidations, rejections, withdrawals, … Pure but for its memory; times are
 * passed in. Guarantees: one message per order, however many partial fills it has; an event older than `OLD_MS` is
 * never sent, so a backfill sends no pages; during a cooldown further events are counted and sent in one message at its end,
 * dated then. Holds at most `REMEMBERED` orders, positions and cooldowns; beyond it the oldest are
 * forgotten (an order forgotten while it is filled would count from zero again, a position would count as flat).
 */
import { add, type Decimal, isDecimal, sign } from "../../runtime/decimal.ts";
import type { Address } from "../../sync/rows.ts";
import { marketName } from "../eventText.ts";
import type { OutboxEvent } from "../outbox.ts";
import { age, duration, plainDecimal, word } from "../words.ts";
import { type EventRule, eventOn, type RuleSet } from "./ruleSet.ts";
import type { FillsHappening, Happenings } from "./rules/facts.ts";
import { eventsOf } from "./rules/index.ts";
import { severityWord } from "./rules/spec.ts";

/** Nothing older than this ever pages. */
export const OLD_MS = 300_000;
/** An order is looked at when it had no fill for so long, or has been filling for so much longer. */
const QUIET_MS = 2_000;
const GROUP_MS = 15_000;
const REMEMBERED = 10_000;

/** An alert that is sent once. */
export interface EventAlert {
  rule: EventRule;
  account: Address | null;
  coin: string | null;
  /** With rule, account and coin: the identity of the alert. */
  subject: string;
  message: string;
  value: Decimal | null;
  threshold: string | null;
  /** When it happened; of what sums several up, when it was summed up. */
  atMs: number;
}

/** An alert to send unless a silence or cooldown applies. */
interface Offer extends Omit<EventAlert, "message"> {
  /** The message without its age. */
  words: string;
}

interface FillGroup {
  facts: FillsHappening;
  /** First and last fill since it was last looked at, by arrival. */
  openedMs: number;
  touchedMs: number;
  waiting: boolean;
  told: boolean;
}

interface Cooldown {
  untilMs: number;
  suppressed: number;
  last: Offer;
}

interface EventContext {
  /** Newest known equity of an account; null while unknown. */
  equity(account: Address): Decimal | null;
  /** All positions of the account had been read when this was committed: one that was never seen was flat. */
  wasRead(account: Address, committedAtMs: number): boolean;
}

export class EventWatch {
  readonly #rules: RuleSet;
  readonly #context: EventContext;
  #groups = new Map<string, FillGroup>();
  /** Null: not known. */
  #sides = new Map<string, string | null>();
  #fundingSigns = new Map<string, number>();
  #cooldowns = new Map<string, Cooldown>();
  #ready: EventAlert[] = [];

  constructor(rules: RuleSet, context: EventContext) {
    this.#rules = rules;
    this.#context = context;
  }

  /** Which way a position points already, so that the next change can be named. */
  notePosition(account: Address, coin: string, side: string | null): void {
    remember(this.#sides, `${account} ${coin}`, side);
  }

  /** Which way funding was paid last, so that the next change of it is seen. */
  noteFunding(account: Address, coin: string, usdc: Decimal): void {
    if (sign(usdc) !== 0) remember(this.#fundingSigns, `${account} ${coin}`, sign(usdc));
  }

  take(event: OutboxEvent, nowMs: number): void {
    const old = nowMs - event.timeMs > OLD_MS;
    if (event.type === "position.updated") this.#position(event, nowMs, !old);
    else if (old) return;
    else if (event.type === "fill.created") this.#fill(event, nowMs);
    else if (event.type === "funding.created") this.#funding(event, nowMs);
    else if (event.type === "order.updated")
      this.#see("order", { ...aboutOf(event), coin: word(event.data.coin) }, nowMs);
    else if (event.type === "ledger.created") this.#see("ledger", aboutOf(event), nowMs);
    else if (event.type === "webhook.disabled") this.#see("endpoint", aboutOf(event), nowMs);
  }

  /** The alerts that are due now. */
  due(nowMs: number): EventAlert[] {
    for (const group of this.#groups.values()) {
      const ripe = nowMs - group.touchedMs >= QUIET_MS || nowMs - group.openedMs >= GROUP_MS;
      if (group.waiting && ripe) this.#close(group, nowMs);
    }
    for (const [key, cooldown] of this.#cooldowns) {
      if (nowMs < cooldown.untilMs) continue;
      this.#cooldowns.delete(key);
      if (cooldown.suppressed > 0) this.#tellSummary(cooldown, nowMs);
    }
    return this.#ready.splice(0);
  }

  /** Offers what the rules that are on make of it; answers whether there was anything. */
  #see<Kind extends keyof Happenings>(kind: Kind, facts: Happenings[Kind], nowMs: number): boolean {
    let offers = 0;
    for (const [name, module] of eventsOf(kind)) {
      const rule = eventOn(this.#rules, name);
      const sum = rule === null ? null : module.see(facts, rule);
      if (rule === null || sum === null) continue;
      const { value, threshold } = sum;
      const limit = threshold === null ? "" : ` Threshold ${plainDecimal(threshold, 2)} USD.`;
      const words = `${severityWord(rule.severity)} ${module.words(facts, sum)}.${limit}`;
      const { account, coin, subject, atMs } = facts;
      this.#offer({ rule, account, coin, subject: subject!, words, value, threshold, atMs }, nowMs);
      offers += 1;
    }
    return offers > 0;
  }

  #fill({ account, data, timeMs }: OutboxEvent, nowMs: number): void {
    if (account === null) return;
    // Slices of a TWAP have order ids of their own, but the trader placed one order.
    const subject = data.twap_id ? `twap ${data.twap_id}` : `order ${data.order_id}`;
    const [coin, key] = [word(data.coin), `${account} ${word(data.coin)} ${subject}`];
    const group: FillGroup = this.#groups.get(key) ?? {
      facts: {
        account,
        coin,
        name: marketName(data),
        subject,
        side: word(data.side),
        fills: 0,
        size: "0",
        value: "0",
        isLiquidation: false,
        equity: null,
        atMs: timeMs,
      },
      openedMs: nowMs,
      touchedMs: nowMs,
      waiting: true,
      told: false,
    };
    const { facts } = group;
    if (!group.waiting) group.openedMs = nowMs;
    group.waiting = true;
    group.touchedMs = nowMs;
    facts.fills += 1;
    facts.size = add(facts.size, decimalOf(data.size));
    facts.value = add(facts.value, decimalOf(data.value));
    facts.atMs = Math.max(facts.atMs, timeMs);
    facts.isLiquidation ||= data.liquidated === true;
    remember(this.#groups, key, group);
  }

  #close(group: FillGroup, nowMs: number): void {
    const { facts } = group;
    group.waiting = false;
    if (group.told || nowMs - facts.atMs > OLD_MS) return;
    facts.equity = this.#context.equity(facts.account);
    group.told = this.#see("fills", facts, nowMs);
  }

  #position(event: OutboxEvent, nowMs: number, tell: boolean): void {
    const { account, data } = event;
    if (account === null) return;
    const [coin, side] = [word(data.coin), word(data.side)];
    const known = this.#sides.get(`${account} ${coin}`);
    const unseen = this.#context.wasRead(account, event.committedAtMs) ? "flat" : null;
    const before = known === undefined ? unseen : known;
    this.notePosition(account, coin, side);
    if (tell) this.#see("position", { ...aboutOf(event), coin, side, before }, nowMs);
  }

  #funding(event: OutboxEvent, nowMs: number): void {
    const { account, data } = event;
    if (account === null || !isDecimal(data.usdc)) return;
    const [coin, usdc] = [word(data.coin), data.usdc];
    const before = this.#fundingSigns.get(`${account} ${coin}`) ?? null;
    this.noteFunding(account, coin, usdc);
    this.#see("funding", { ...aboutOf(event), coin, usdc, before }, nowMs);
  }

  /** Tells it, or counts it while the last one of its kind is too near. */
  #offer(offer: Offer, nowMs: number): void {
    const { rule, account, coin } = offer;
    const cooldown = this.#cooldowns.get(`${rule.name} ${account} ${coin}`);
    if (cooldown) {
      cooldown.suppressed += 1;
      cooldown.last = offer;
      return;
    }
    this.#tell(offer, `${offer.words} ${age(offer.atMs, nowMs)}`, nowMs);
  }

  #tellSummary({ suppressed, last }: Cooldown, nowMs: number): void {
    const more =
      suppressed > 1 ? ` And ${suppressed - 1} more in the last ${duration(last.rule.cooldownMs)}.` : "";
    this.#tell({ ...last, atMs: nowMs }, `${last.words} ${age(last.atMs, nowMs)}${more}`, nowMs);
  }

  #tell(offer: Offer, message: string, nowMs: number): void {
    const { words: _words, ...alert } = offer;
    const { rule, account, coin } = alert;
    this.#ready.push({ ...alert, message });
    if (rule.cooldownMs === 0) return;
    const cooldown = { untilMs: nowMs + rule.cooldownMs, suppressed: 0, last: offer };
    remember(this.#cooldowns, `${rule.name} ${account} ${coin}`, cooldown);
  }
}

const aboutOf = ({ account, key, data, timeMs }: OutboxEvent) => ({
  account,
  coin: null,
  subject: key,
  data,
  atMs: timeMs,
});

const decimalOf = (value: unknown): Decimal => (isDecimal(value) ? value : "0");

/** Sets a key as the newest one, and forgets the oldest beyond the limit. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= REMEMBERED) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}
