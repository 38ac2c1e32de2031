/**
 * Alerts that are told once: fills, liquidations, rejections, withdrawals, … Pure but for what it remembers; times are
 * passed in. Guarantees: one message per order, however many partial fills it has; what happened more than `OLD_MS` ago
 * is never told, so a backfill pages nobody; in a cooldown further ones are counted and told in one message at its end,
 * which is news of that moment. Holds at most `REMEMBERED` orders, positions and cooldowns; beyond it the oldest are
 * forgotten (an order forgotten while it is filled would count from zero again, a position would count as flat).
 */
import { add, type Decimal, div, gt, isDecimal, lt, mul, neg, round, sign } from "../../runtime/decimal.ts";
import type { Address } from "../../sync/events.ts";
import { tradeText } from "../eventText.ts";
import type { OutboxEvent } from "../outbox.ts";
import { age, duration, plainDecimal, word } from "../words.ts";
import { type EventRule, type RuleSet, severityWord } from "./rules.ts";

/** Nothing older than this ever pages. */
export const OLD_MS = 300_000;
/** An order is looked at when it had no fill for so long, or has been filling for so much longer. */
const QUIET_MS = 2_000;
const GROUP_MS = 15_000;
const REMEMBERED = 10_000;

/** Something to tell once. */
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

/** To be told, if nothing speaks against it. */
interface Offer extends Omit<EventAlert, "message"> {
  /** The message without its age. */
  words: string;
}

interface FillGroup {
  account: Address;
  coin: string;
  subject: string;
  side: string;
  fills: number;
  size: Decimal;
  value: Decimal;
  liquidation: boolean;
  /** First and last fill since it was last looked at, by arrival. */
  openedMs: number;
  touchedMs: number;
  /** The venue's time of the newest fill. */
  atMs: number;
  waiting: boolean;
  told: boolean;
}

interface Cooldown {
  untilMs: number;
  suppressed: number;
  last: Offer;
}

export interface EventContext {
  /** Newest known equity of an account; null while unknown. */
  equity(account: Address): Decimal | null;
  /** All positions of the account had been read when this was committed: one that was never seen was flat. */
  wasRead(account: Address, committedAtMs: number): boolean;
}

/** Ended by the venue although nobody asked for it. What follows from another order or a closed position is not. */
const isRefusal = (venueStatus: string): boolean =>
  /rejected$/i.test(venueStatus) ||
  (/Canceled$/.test(venueStatus) && !["siblingFilledCanceled", "reduceOnlyCanceled"].includes(venueStatus));

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
    else if (event.type === "order.updated") this.#order(event, nowMs);
    else if (event.type === "ledger.created") this.#ledger(event, nowMs);
    else if (event.type === "funding.created") this.#funding(event, nowMs);
    else if (event.type === "webhook.disabled") this.#webhookDisabled(event, nowMs);
  }

  /** What is to be told now. */
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

  #rule(name: string): EventRule | null {
    const rule = this.#rules.rules.get(name);
    return rule?.kind === "event" && rule.loudness !== "off" ? rule : null;
  }

  #fill({ account, data, timeMs }: OutboxEvent, nowMs: number): void {
    if (account === null) return;
    // Slices of a TWAP have order ids of their own, and are one order to whoever placed it.
    const subject = data.twap_id ? `twap ${data.twap_id}` : `order ${data.order_id}`;
    const [coin, key] = [word(data.coin), `${account} ${word(data.coin)} ${subject}`];
    const size = decimalOf(data.size);
    const value = decimalOf(data.value);
    const before = this.#groups.get(key);
    const group: FillGroup = before ?? {
      ...{
        account,
        coin,
        subject,
        side: word(data.side),
        fills: 0,
        size: "0",
        value: "0",
        liquidation: false,
      },
      ...{ openedMs: nowMs, touchedMs: nowMs, atMs: timeMs, waiting: true, told: false },
    };
    if (!group.waiting) group.openedMs = nowMs;
    group.waiting = true;
    group.touchedMs = nowMs;
    group.fills += 1;
    group.size = add(group.size, size);
    group.value = add(group.value, value);
    group.atMs = Math.max(group.atMs, timeMs);
    group.liquidation ||= data.liquidated === true;
    remember(this.#groups, key, group);
  }

  #close(group: FillGroup, nowMs: number): void {
    group.waiting = false;
    if (group.told || nowMs - group.atMs > OLD_MS) return;
    const rule = this.#rule(group.liquidation ? "liquidation" : "large_fill");
    const least = rule === null ? null : this.#leastFill(rule, group.account);
    if (rule === null || least === "unknown" || (least !== null && lt(group.value, least))) return;
    group.told = true;
    const { account, coin, subject, atMs, value } = group;
    const price = round(sign(group.size) > 0 ? div(value, group.size) : "0", 6);
    const what = group.liquidation ? "LIQUIDATED: " : "";
    const fills = group.fills === 1 ? "1 fill" : `${group.fills} fills`;
    const limit = least === null ? "" : ` Threshold ${plainDecimal(least, 2)} USD.`;
    const words = `${severityWord(rule.severity)} ${what}${tradeText(group.side, group.size, coin, price)} (${plainDecimal(value, 2)} USD, ${fills}, ${subject}).${limit}`;
    this.#offer({ rule, account, coin, subject, words, value, threshold: least, atMs }, nowMs);
  }

  /** In USD; null when every fill counts, unknown while a share is wanted of an equity that is not known. */
  #leastFill(rule: EventRule, account: Address): Decimal | null | "unknown" {
    if (rule.least === null) return null;
    if (rule.unit !== "%") return String(rule.least);
    const equity = this.#context.equity(account);
    return equity === null ? "unknown" : div(mul(equity, String(rule.least)), "100", 2);
  }

  #order({ account, data, timeMs, key }: OutboxEvent, nowMs: number): void {
    const rule = this.#rule("order_rejected");
    const status = word(data.venue_status);
    if (rule === null || !isRefusal(status)) return;
    const coin = word(data.coin);
    const ended = data.status === "rejected" ? "rejected" : "canceled by the venue";
    const words = `${severityWord(rule.severity)} ${coin} order ${data.order_id} ${ended} (${status}): ${word(data.side)} ${plainDecimal(data.size)} at ${plainDecimal(data.limit_price)}, ${plainDecimal(data.filled)} filled.`;
    this.#offer(
      { rule, account, coin, subject: key, words, value: null, threshold: null, atMs: timeMs },
      nowMs,
    );
  }

  #ledger({ account, data, timeMs, key }: OutboxEvent, nowMs: number): void {
    const rule = this.#rule("withdrawal");
    if (rule === null || account === null) return;
    // The database says whether something left (hl_internal.ledger_effect).
    if (data.leaves !== true) return;
    const { type, usdc, token, amount } = data;
    const isTold = isDecimal(usdc) && sign(usdc) < 0;
    const what = isTold ? `${plainDecimal(neg(usdc), 2)} USD` : `${plainDecimal(amount)} ${word(token)}`;
    const words = `${severityWord(rule.severity)} ${what} left the account (${word(type)}).`;
    const value = isTold ? neg(usdc) : null;
    this.#offer(
      { rule, account, coin: null, subject: key, words, value, threshold: null, atMs: timeMs },
      nowMs,
    );
  }

  #position(event: OutboxEvent, nowMs: number, tell: boolean): void {
    const { account, data, timeMs, key } = event;
    if (account === null) return;
    const [coin, side] = [word(data.coin), word(data.side)];
    const known = this.#sides.get(`${account} ${coin}`);
    const unseen = this.#context.wasRead(account, event.committedAtMs) ? "flat" : null;
    const before = known === undefined ? unseen : known;
    this.notePosition(account, coin, side);
    const rule = this.#rule("position");
    if (!tell || rule === null || before === null || before === side) return;
    const what =
      side === "flat"
        ? `${before} closed`
        : before === "flat"
          ? `${side} opened: ${plainDecimal(data.size)} at ${plainDecimal(data.entry_price)}`
          : `flipped from ${before} to ${side}: ${plainDecimal(data.size)} at ${plainDecimal(data.entry_price)}`;
    const words = `${severityWord(rule.severity)} ${coin} ${what}.`;
    this.#offer(
      { rule, account, coin, subject: key, words, value: null, threshold: null, atMs: timeMs },
      nowMs,
    );
  }

  #funding({ account, data, timeMs, key }: OutboxEvent, nowMs: number): void {
    if (account === null || !isDecimal(data.usdc)) return;
    const [coin, usdc] = [word(data.coin), data.usdc];
    const event = { account, coin, subject: key, atMs: timeMs };
    const before = this.#fundingSigns.get(`${account} ${coin}`);
    this.noteFunding(account, coin, usdc);
    const flip = this.#rule("funding_flip");
    if (flip !== null && before !== undefined && sign(usdc) !== 0 && before !== sign(usdc)) {
      const now = sign(usdc) < 0 ? "is paid now" : "is received now";
      const words = `${severityWord(flip.severity)} ${coin} funding ${now}: ${plainDecimal(usdc, 4)} USDC at ${plainDecimal(data.funding_rate)}.`;
      this.#offer({ ...event, rule: flip, words, value: usdc, threshold: null }, nowMs);
    }
    const cost = this.#rule("funding_cost");
    const least = String(cost?.least ?? 0);
    if (cost !== null && gt(neg(usdc), "0") && !lt(neg(usdc), least)) {
      const words = `${severityWord(cost.severity)} ${coin} funding cost ${plainDecimal(neg(usdc), 2)} USDC at ${plainDecimal(data.funding_rate)}. Threshold ${least} USD.`;
      this.#offer({ ...event, rule: cost, words, value: neg(usdc), threshold: least }, nowMs);
    }
  }

  #webhookDisabled({ data, timeMs, key }: OutboxEvent, nowMs: number): void {
    const rule = this.#rule("webhook_disabled");
    if (rule === null) return;
    const words = `${severityWord(rule.severity)} webhook ${word(data.endpoint)} was disabled: ${word(data.reason)}. hlsync webhooks enable ${word(data.endpoint)} starts it again.`;
    const event = { account: null, coin: null, subject: key, value: null, threshold: null, atMs: timeMs };
    this.#offer({ ...event, rule, words }, nowMs);
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

const decimalOf = (value: unknown): Decimal => (isDecimal(value) ? value : "0");

/** Sets a key as the newest one, and forgets the oldest beyond the limit. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= REMEMBERED) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}
