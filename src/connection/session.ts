/**
 * One socket's conversation, without the socket: no I/O, no clock, no timers. The owner reports what happened and when
 * (`opened`, `received`, `closed`, `tick`), performs the returned actions in order, and calls `tick` at `dueMs()`.
 *
 *   socket        opening ──opened──► open ── every subscription confirmed or refused ──► (allConfirmed, once)
 *                    │ no handshake    │ closed · ping unanswered · unconfirmed twice · silent twice
 *                    └────► over ◄─────┘
 *
 *   subscription  queued ──► sent ── echo, "Already subscribed", or data by the deadline ──► confirmed
 *                  ▲ ▲ ▲      │ │ │                                                           │   │
 *                  │ │ └ once ┘ │ └─ error text quotes it ─► refused (60 s, or for good)      │   └ remove ─► leaving
 *                  │ └── 60 s ──┴─── users or subscriptions of the IP used up ─► limited      │
 *                  └─────────────── no data for longer than the cadence: stale, asked anew ◄──┘
 *
 * Guarantees: every wanted subscription is asked for on this socket, never faster than the shared message budget
 * allows; a half-open socket is noticed within 10 s; a state channel that falls silent while the socket lives is
 * reported stale, asked anew, and, if that does not help, ends the socket. A subscription that ended the socket before
 * this one too (`blamed`) does not end this one: it stays stale or refused and is asked again at leisure, so that one
 * dead channel cannot keep the others from running. Data may come before the confirmation. Frames of another account
 * are quarantined. Memory: one entry per subscription; frames are not kept.
 * Assumes that subscriptions on one socket differ in what their frames name (user, dex, coin, interval).
 */
import { InvariantError } from "../errors.ts";
import { silentAfterMs } from "../protocol/cadence.ts";
import {
  type Channel,
  channelOfType,
  type ErrorText,
  echoes,
  type Frame,
  type Reading,
  readFrame,
  type Subscription,
  subscriptionKey,
} from "../protocol/channels.ts";
import type { SubscriptionStatus } from "../sync/ports.ts";
import type { SlidingWindow } from "./slidingWindow.ts";

/** From the start of the connection to the end of the handshake. */
const HANDSHAKE_MS = 12_000;
/** A ping after this long without any frame, and this long for anything at all to come back. */
const PING_AFTER_MS = 5_000;
const PONG_WITHIN_MS = 5_000;
const CONFIRM_WITHIN_MS = 10_000;
/** How long a refusal for lack of room stands, and how often a dead channel is asked anew. */
const RETRY_AFTER_MS = 60_000;
/** After "Cannot send more than 2000 messages per minute". */
const MESSAGE_PAUSE_MS = 10_000;
/** Subscriptions under way at once, so that the deadline of each means something. */
const MAX_UNCONFIRMED = 100;
/** Messages of the budget that subscribing leaves to pings, of all sockets together. */
const MESSAGES_FOR_PINGS = 200;
/**
 * A tick this late means that the process itself stood still: what it could not hear is not held against the venue, once,
 * until something is heard. What had come meanwhile is read well within the grace.
 */
const LATE_MS = 2_000;
const GRACE_MS = 1_000;
const MAX_RAW_LENGTH = 65_536;
const GREETING = "Websocket connection established";

/** What the owner must do, or pass on, in order. */
export type SessionAction =
  | { type: "send"; text: string }
  /** Drop the socket and make another. `blame`: keys of the subscriptions that made it necessary. */
  | { type: "terminate"; why: string; blame: string[] }
  | {
      type: "message";
      reading: Reading;
      channel: Channel;
      subscription: Subscription;
      receivedAtMs: number;
      /** Characters of the frame. */
      length: number;
    }
  | { type: "confirmed"; subscription: Subscription }
  | { type: "allConfirmed" }
  | { type: "refused"; subscription: Subscription; text: string; permanent: boolean }
  | { type: "limited"; subscription: Subscription; text: string }
  | { type: "stale"; subscription: Subscription; ageMs: number }
  | { type: "fresh"; subscription: Subscription }
  | { type: "quarantine"; subject: string; reason: string; raw: string };

export interface SessionOptions {
  startedAtMs: number;
  subscriptions: Iterable<Subscription>;
  /** Messages sent to the venue, by all sockets of this IP. */
  messages: SlidingWindow;
  /** Keys of subscriptions that ended an earlier socket and gave no data since. */
  blamed: ReadonlySet<string>;
  /** Keys of subscriptions whose type the venue does not know: never sent. */
  refused: ReadonlySet<string>;
}

interface Entry {
  readonly key: string;
  readonly subscription: Subscription;
  readonly channel: Channel;
  /** What its frames can be told by. */
  readonly route: string;
  state: SubscriptionStatus["state"];
  /** Messages still to be sent for it, at most two. */
  unsent: ("subscribe" | "unsubscribe")[];
  /** By state: of the confirmation, of the next data, of the next try, of the farewell; Infinity when there is none. */
  deadlineMs: number;
  /** When it was last sent on this socket; null while the venue has not heard of it. */
  askedAtMs: number | null;
  /** Sent a second time for lack of an answer. */
  resent: boolean;
  /** Asked anew for lack of data, and no data since. */
  renewed: boolean;
  lastDataMs: number | null;
  stale: boolean;
  /** The refusal that was last reported: the same is not reported again. */
  refusal: string | null;
}

export class Session {
  readonly #messages: SlidingWindow;
  readonly #blamed: ReadonlySet<string>;
  readonly #refused: ReadonlySet<string>;
  readonly #entries = new Map<string, Entry>();
  readonly #routes = new Map<string, Entry>();
  /** Users of whom a subscription was confirmed on this socket: they have a place among the venue's users. */
  readonly #admitted = new Set<string>();
  #state: "opening" | "open" | "over" = "opening";
  #handshakeDeadlineMs: number;
  #lastReceivedMs: number;
  /** What the heartbeat counts from: the last frame, unless the process itself stood still since. */
  #heardMs: number;
  #pingedAtMs: number | null = null;
  #isForgiven = false;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  /** When the message budget lets the next unsent message go; null when none waits for that. */
  #sendableMs: number | null = null;
  #announced = false;
  #nowMs: number;
  #roundTripMs: number | null = null;
  #actions: SessionAction[] = [];

  constructor(options: SessionOptions) {
    this.#messages = options.messages;
    this.#blamed = options.blamed;
    this.#refused = options.refused;
    this.#nowMs = options.startedAtMs;
    this.#lastReceivedMs = options.startedAtMs;
    this.#heardMs = options.startedAtMs;
    this.#handshakeDeadlineMs = options.startedAtMs + HANDSHAKE_MS;
    for (const subscription of options.subscriptions) this.#want(subscription);
  }

  /** When the last frame came; the start before the first. */
  get lastReceivedMs(): number {
    return this.#lastReceivedMs;
  }

  /** Last ping to pong; null before the first. */
  get roundTripMs(): number | null {
    return this.#roundTripMs;
  }

  /** In the order they were added. `lastDataMs` is of this socket alone. */
  subscriptions(): SubscriptionStatus[] {
    return [...this.#entries.values()].map(({ subscription, state, lastDataMs, stale }) => ({
      subscription,
      state,
      lastDataMs,
      stale,
    }));
  }

  /** When `tick` must be called at the latest; null when there is nothing to wait for. */
  dueMs(): number | null {
    if (this.#state === "over") return null;
    if (this.#state === "opening") return this.#handshakeDeadlineMs;
    let dueMs = this.#pingedAtMs === null ? this.#heardMs + PING_AFTER_MS : this.#pingedAtMs + PONG_WITHIN_MS;
    for (const entry of this.#entries.values()) dueMs = Math.min(dueMs, entry.deadlineMs);
    return Math.min(dueMs, this.#sendableMs ?? dueMs);
  }

  opened(atMs: number): SessionAction[] {
    if (this.#state !== "opening") return [];
    this.#moveTo(atMs);
    this.#state = "open";
    this.#lastReceivedMs = atMs;
    this.#heardMs = atMs;
    this.#goOn();
    return this.#take();
  }

  received(atMs: number, text: string): SessionAction[] {
    if (this.#state !== "open") return [];
    this.#moveTo(atMs);
    this.#lastReceivedMs = atMs;
    this.#heardMs = atMs;
    this.#isForgiven = false;
    const frame = readFrame(text);
    if (frame.type === "pong" && this.#pingedAtMs !== null) this.#roundTripMs = atMs - this.#pingedAtMs;
    // Whatever comes proves that the socket lives.
    this.#pingedAtMs = null;
    this.#read(frame, text);
    return this.#take();
  }

  /** The socket is gone: nothing is due any more. */
  closed(): void {
    this.#state = "over";
  }

  tick(atMs: number): SessionAction[] {
    if (this.#state === "over") return [];
    this.#moveTo(atMs);
    const dueMs = this.dueMs();
    if (dueMs === null || atMs < dueMs) return [];
    if (atMs - dueMs > LATE_MS && !this.#isForgiven) {
      this.#isForgiven = true;
      this.#postpone(atMs + GRACE_MS);
      return [];
    }
    if (this.#state === "opening") {
      this.#end(`no handshake within ${HANDSHAKE_MS} ms`, []);
      return this.#take();
    }
    this.#beat();
    for (const entry of [...this.#entries.values()]) {
      if (this.#isOpen() && entry.deadlineMs <= atMs) this.#expire(entry);
    }
    this.#goOn();
    return this.#take();
  }

  /** Idempotent. */
  add(atMs: number, subscription: Subscription): SessionAction[] {
    if (this.#state === "over") return [];
    this.#moveTo(atMs);
    const known = this.#entries.get(subscriptionKey(subscription));
    if (known === undefined) this.#want(subscription);
    else if (known.state === "leaving") this.#queue(known, [...known.unsent, "subscribe"]);
    this.#goOn();
    return this.#take();
  }

  /** Idempotent. Frames that are still on their way are dropped. */
  remove(atMs: number, subscription: Subscription): SessionAction[] {
    if (this.#state === "over") return [];
    this.#moveTo(atMs);
    const entry = this.#entries.get(subscriptionKey(subscription));
    if (entry === undefined || entry.state === "leaving") return [];
    const isAsked = entry.askedAtMs !== null && entry.state !== "refused" && entry.state !== "limited";
    if (this.#isOpen() && isAsked) {
      entry.state = "leaving";
      entry.unsent = ["unsubscribe"];
      entry.deadlineMs = Number.POSITIVE_INFINITY;
    } else this.#forget(entry);
    this.#goOn();
    return this.#take();
  }

  #isOpen(): boolean {
    return this.#state === "open";
  }

  #take(): SessionAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  /** Sends what may be sent now, and says when all is confirmed. */
  #goOn(): void {
    if (!this.#isOpen()) return;
    this.#sendUnsent();
    this.#announce();
  }

  #end(why: string, blame: string[]): void {
    this.#state = "over";
    this.#actions.push({ type: "terminate", why, blame });
  }

  // ---- time ----

  /** A clock stepped back takes the deadlines with it, else they would never come. */
  #moveTo(atMs: number): void {
    if (atMs < this.#nowMs) this.#shift(atMs - this.#nowMs);
    this.#nowMs = atMs;
  }

  /** Nothing is due before `untilMs`. */
  #postpone(untilMs: number): void {
    this.#handshakeDeadlineMs = Math.max(this.#handshakeDeadlineMs, untilMs);
    this.#heardMs = Math.max(this.#heardMs, untilMs - PING_AFTER_MS);
    if (this.#pingedAtMs !== null) this.#pingedAtMs = Math.max(this.#pingedAtMs, untilMs - PONG_WITHIN_MS);
    for (const entry of this.#entries.values()) entry.deadlineMs = Math.max(entry.deadlineMs, untilMs);
  }

  #shift(byMs: number): void {
    this.#handshakeDeadlineMs += byMs;
    this.#heardMs += byMs;
    if (this.#pingedAtMs !== null) this.#pingedAtMs += byMs;
    this.#pausedUntilMs += byMs;
    if (this.#sendableMs !== null) this.#sendableMs += byMs;
    for (const entry of this.#entries.values()) entry.deadlineMs += byMs;
  }

  /** Pings a quiet venue; ends the socket when not even that is answered. */
  #beat(): void {
    const atMs = this.#nowMs;
    if (this.#pingedAtMs !== null) {
      if (atMs >= this.#pingedAtMs + PONG_WITHIN_MS)
        this.#end(`no answer to a ping within ${PONG_WITHIN_MS} ms`, []);
    } else if (atMs >= this.#heardMs + PING_AFTER_MS) {
      this.#pingedAtMs = atMs;
      this.#send({ method: "ping" });
    }
  }

  #expire(entry: Entry): void {
    switch (entry.state) {
      case "sent":
        this.#expireUnconfirmed(entry);
        break;
      case "confirmed":
        this.#expireSilent(entry);
        break;
      case "limited":
      case "refused":
        entry.resent = false;
        this.#queue(entry, ["subscribe"]);
        break;
      case "leaving":
        this.#forget(entry);
        break;
      default:
        throw new InvariantError(`a ${entry.state} subscription has no deadline: ${entry.key}`);
    }
  }

  #expireUnconfirmed(entry: Entry): void {
    const why = `no answer to the subscription ${entry.key}`;
    if (entry.lastDataMs !== null && entry.lastDataMs >= (entry.askedAtMs ?? 0)) this.#confirm(entry);
    else if (!entry.resent) {
      entry.resent = true;
      this.#queue(entry, ["subscribe"]);
    } else if (this.#blamed.has(entry.key)) this.#refuse(entry, why, false);
    else this.#end(why, [entry.key]);
  }

  #expireSilent(entry: Entry): void {
    const ageMs = this.#nowMs - (entry.lastDataMs ?? entry.askedAtMs ?? this.#nowMs);
    if (!entry.stale) {
      entry.stale = true;
      this.#actions.push({ type: "stale", subscription: entry.subscription, ageMs });
    }
    if (entry.renewed && !this.#blamed.has(entry.key)) {
      const silent = [...this.#entries.values()].filter(({ renewed }) => renewed);
      this.#end(
        `no data on ${entry.key} for ${ageMs} ms, though asked anew`,
        silent.map(({ key }) => key),
      );
    } else {
      entry.renewed = true;
      entry.resent = false;
      this.#queue(entry, ["unsubscribe", "subscribe"]);
    }
  }

  // ---- frames ----

  #read(frame: Frame, text: string): void {
    switch (frame.type) {
      case "pong":
        break;
      case "data":
        this.#readData(frame.channel, frame.reading, text);
        break;
      case "ack":
        if (frame.method === "subscribe") this.#confirm(this.#answeredBy(frame.subscription));
        else this.#farewell(this.#answeredBy(frame.subscription));
        this.#goOn();
        break;
      case "error":
        if (!this.#readError(frame.error)) this.#quarantine("error", frame.error.text, text);
        this.#goOn();
        break;
      case "unknown":
        this.#quarantine("frame", `unknown channel ${frame.channel}`, text);
        break;
      case "post":
        this.#quarantine("frame", "an answer to a post that was never sent", text);
        break;
      case "unreadable":
        if (!text.startsWith(GREETING)) this.#quarantine("frame", frame.reason, text);
        break;
    }
  }

  #readData(channel: Channel, reading: Reading, text: string): void {
    const entry = this.#routes.get(routeOfReading(channel, reading)) ?? this.#onlyOneOf(channel, reading);
    if (entry === undefined) this.#quarantine(channel.type, "no subscription of ours", text);
    if (entry === undefined || entry.state === "leaving") return;
    const { subscription } = entry;
    if (reading.content.type !== "nothing") {
      // What could not be read is no data: a channel whose shape changed goes stale.
      entry.lastDataMs = this.#nowMs;
      entry.renewed = false;
      if (entry.state === "confirmed") entry.deadlineMs = this.#silenceDeadlineMs(entry);
      if (entry.stale) {
        entry.stale = false;
        this.#actions.push({ type: "fresh", subscription });
      }
    }
    const { length } = text;
    this.#actions.push({
      type: "message",
      reading,
      channel,
      subscription,
      receivedAtMs: this.#nowMs,
      length,
    });
  }

  /** The subscription of a frame that does not say which of its type it is, where there is only one (of that user). */
  #onlyOneOf(channel: Channel, reading: Reading): Entry | undefined {
    const { content } = reading;
    const isSilent = content.type === "nothing" || ("rows" in content && content.rows.length === 0);
    if (!isSilent) return undefined;
    const entries = [...this.#entries.values()].filter(
      (entry) =>
        entry.channel.type === channel.type &&
        (reading.user === null || !channel.namesUser || userOf(entry.subscription) === reading.user),
    );
    return entries.length === 1 ? entries[0] : undefined;
  }

  /** False when the text concerns nothing that we asked. */
  #readError(error: ErrorText): boolean {
    const quoted = error.subscription === null ? undefined : this.#answeredBy(error.subscription);
    switch (error.kind) {
      case "alreadySubscribed":
        this.#confirm(quoted);
        return quoted !== undefined;
      case "alreadyUnsubscribed":
        this.#farewell(quoted);
        return true;
      case "refused":
        if (quoted?.state !== "sent") return false;
        // A request that does not parse never will; one refused as it stands may be accepted another day.
        this.#refuse(quoted, error.text, error.text.startsWith("Error parsing"));
        return true;
      case "userLimit":
      case "subscriptionLimit": {
        const entry = this.#overLimit(error.kind);
        if (entry !== undefined) this.#limit(entry, error.text);
        return entry !== undefined;
      }
      case "messageLimit":
        this.#pause();
        return true;
      case "other":
        return false;
    }
  }

  /** Of all that the echo fits, the one that says most: `{user}` fits the echo of `{user, dex}` too. */
  #answeredBy(echoed: Subscription): Entry | undefined {
    let best: Entry | undefined;
    let most = -1;
    for (const entry of this.#entries.values()) {
      if (entry.subscription.type !== echoed.type || !echoes(entry.subscription, echoed)) continue;
      const said = Object.keys(entry.subscription).length;
      if (said > most) {
        best = entry;
        most = said;
      }
    }
    return best;
  }

  /** These texts quote nothing: the oldest unanswered one that can be meant. */
  #overLimit(kind: "userLimit" | "subscriptionLimit"): Entry | undefined {
    for (const entry of this.#entries.values()) {
      if (entry.state !== "sent") continue;
      if (kind === "subscriptionLimit" || this.#isUnadmitted(entry)) return entry;
    }
    return undefined;
  }

  #quarantine(subject: string, reason: string, raw: string): void {
    this.#actions.push({ type: "quarantine", subject, reason, raw: raw.slice(0, MAX_RAW_LENGTH) });
  }

  // ---- subscriptions ----

  #want(subscription: Subscription): void {
    const key = subscriptionKey(subscription);
    if (this.#entries.has(key)) return;
    const route = routeOf(subscription);
    if (this.#routes.has(route)) {
      throw new InvariantError(
        `frames of ${key} and ${this.#routes.get(route)?.key} cannot be told apart on one socket`,
      );
    }
    const isRefused = this.#refused.has(key);
    const entry: Entry = {
      key,
      subscription,
      channel: channelOfType(subscription.type),
      route,
      state: isRefused ? "refused" : "queued",
      unsent: isRefused ? [] : ["subscribe"],
      deadlineMs: Number.POSITIVE_INFINITY,
      askedAtMs: null,
      resent: false,
      renewed: false,
      lastDataMs: null,
      stale: false,
      refusal: null,
    };
    this.#entries.set(key, entry);
    this.#routes.set(route, entry);
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.key);
    this.#routes.delete(entry.route);
  }

  #queue(entry: Entry, unsent: Entry["unsent"]): void {
    entry.state = "queued";
    entry.unsent = unsent;
    entry.deadlineMs = Number.POSITIVE_INFINITY;
  }

  #confirm(entry: Entry | undefined): void {
    if (entry === undefined || entry.state === "confirmed" || entry.state === "leaving") return;
    entry.state = "confirmed";
    entry.unsent = [];
    entry.refusal = null;
    entry.deadlineMs = this.#silenceDeadlineMs(entry);
    const user = userOf(entry.subscription);
    if (user !== null) this.#admitted.add(user);
    if (!entry.renewed) this.#actions.push({ type: "confirmed", subscription: entry.subscription });
  }

  #silenceDeadlineMs(entry: Entry): number {
    const { cadenceMs } = entry.channel;
    if (cadenceMs === null) return Number.POSITIVE_INFINITY;
    const isDead = entry.renewed && this.#blamed.has(entry.key);
    return this.#nowMs + (isDead ? RETRY_AFTER_MS : silentAfterMs(cadenceMs));
  }

  #farewell(entry: Entry | undefined): void {
    if (entry?.state === "leaving" && entry.unsent.length === 0) this.#forget(entry);
  }

  #refuse(entry: Entry, text: string, permanent: boolean): void {
    this.#setAside(entry, "refused", permanent ? Number.POSITIVE_INFINITY : this.#nowMs + RETRY_AFTER_MS);
    if (entry.refusal === text) return;
    entry.refusal = text;
    this.#actions.push({ type: "refused", subscription: entry.subscription, text, permanent });
  }

  #limit(entry: Entry, text: string): void {
    this.#setAside(entry, "limited", this.#nowMs + RETRY_AFTER_MS);
    if (entry.refusal === text) return;
    entry.refusal = text;
    this.#actions.push({ type: "limited", subscription: entry.subscription, text });
  }

  #setAside(entry: Entry, state: "refused" | "limited", retryMs: number): void {
    entry.state = state;
    entry.unsent = [];
    entry.deadlineMs = retryMs;
  }

  /** Too many messages: what is unanswered may have been dropped, so it is asked again after a pause. */
  #pause(): void {
    this.#pausedUntilMs = this.#nowMs + MESSAGE_PAUSE_MS;
    for (const entry of this.#entries.values()) {
      if (entry.state === "sent") this.#queue(entry, ["subscribe"]);
    }
  }

  #announce(): void {
    if (this.#announced) return;
    for (const { state } of this.#entries.values()) {
      if (state !== "confirmed" && state !== "refused" && state !== "leaving") return;
    }
    this.#announced = true;
    this.#actions.push({ type: "allConfirmed" });
  }

  // ---- sending ----

  #send(message: object): void {
    this.#messages.spend(this.#nowMs, 1);
    this.#actions.push({ type: "send", text: JSON.stringify(message) });
  }

  #sendUnsent(): void {
    this.#sendableMs = null;
    let unconfirmed = 0;
    let asking: string | null = null;
    for (const entry of this.#entries.values()) {
      if (entry.state !== "sent") continue;
      unconfirmed += 1;
      if (this.#isUnadmitted(entry)) asking ??= userOf(entry.subscription);
    }
    const budget = this.#messages.limit - MESSAGES_FOR_PINGS;
    for (const entry of this.#entries.values()) {
      if (entry.unsent.length === 0) continue;
      const isSubscribing = entry.state === "queued";
      if (isSubscribing && unconfirmed >= MAX_UNCONFIRMED) continue;
      // "Cannot track more than N total users" names no user: new users are asked for one at a time.
      const isNewUser = isSubscribing && this.#isUnadmitted(entry);
      if (isNewUser && asking !== null && asking !== userOf(entry.subscription)) continue;
      const freeMs = this.#messages.usedAtMostMs(this.#nowMs, budget - entry.unsent.length);
      const sendableMs = Math.max(freeMs, this.#pausedUntilMs);
      if (sendableMs > this.#nowMs) {
        this.#sendableMs = sendableMs;
        return;
      }
      for (const method of entry.unsent) this.#send({ method, subscription: entry.subscription });
      entry.unsent = [];
      entry.deadlineMs = this.#nowMs + CONFIRM_WITHIN_MS;
      if (!isSubscribing) continue;
      entry.state = "sent";
      entry.askedAtMs = this.#nowMs;
      unconfirmed += 1;
      if (isNewUser) asking = userOf(entry.subscription);
    }
  }

  #isUnadmitted(entry: Entry): boolean {
    const user = userOf(entry.subscription);
    return user !== null && !this.#admitted.has(user);
  }
}

const userOf = (subscription: Subscription): string | null =>
  typeof subscription.user === "string" ? subscription.user.toLowerCase() : null;

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

const routeText = (
  channel: Channel,
  user: string | null,
  dex: string,
  coin: string,
  interval: string,
): string =>
  [channel.type, channel.namesUser ? (user ?? "") : "", channel.perDex ? dex : "", coin, interval].join(" ");

/** What the frames of a subscription can be told by. Throws `RangeError` for a type without a channel. */
export function routeOf(subscription: Subscription): string {
  const { type, dex, coin, interval } = subscription;
  return routeText(channelOfType(type), userOf(subscription), textOf(dex), textOf(coin), textOf(interval));
}

function routeOfReading(channel: Channel, { user, content }: Reading): string {
  const dex = "dex" in content ? content.dex : "";
  switch (content.type) {
    case "trades":
      return routeText(channel, user, dex, content.rows[0]?.value.coin ?? "", "");
    case "candle":
      return routeText(channel, user, dex, content.rows[0]?.value.s ?? "", content.rows[0]?.value.i ?? "");
    case "book":
      return routeText(channel, user, dex, content.book.coin, "");
    case "assetCtx":
      return routeText(channel, user, dex, content.ctx.value.coin, "");
    default:
      return routeText(channel, user, dex, "", "");
  }
}
