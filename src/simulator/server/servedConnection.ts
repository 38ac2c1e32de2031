/**
 * One WebSocket connection as the venue's side sees it: reads requests, keeps subscriptions, and sends frames through the
 * faults. Guarantees: everything it holds of the address's budget is given back when it ends; after it ends it sends
 * nothing and holds no timer. Knows no socket.
 *
 *   open ──receive/push──► open ──halfOpen──► dead (open to the client, deaf and mute) ──► ended
 *     └────────── idle 60 s, Expired, cut, closed by the client ─────────────────────────► ended
 */

import type { Clock } from "../../runtime/clock.ts";
import type { Answer, Json, JsonObject } from "../contract.ts";
import { isObject } from "../exchange/requestBody.ts";
import type { Faults, FiredFault } from "../faults.ts";
import { UNREADABLE } from "./actions.ts";
import { type BlockEvents, FEEDS, type FeedContext, type LiveSubscription } from "./feeds.ts";
import type { IpBudget, VenueLimits } from "./limits.ts";
import { channelOf, readSubscription, type Subscription } from "./subscriptions.ts";
import type { Switches } from "./switches.ts";

/** The transport's end that the server writes to. */
export interface Wire {
  send(text: string): void;
  close(code: number, reason: string): void;
  terminate(): void;
  /** From now on nothing is read or written, and the other side is not told. */
  freeze(): void;
}

interface SessionParts {
  ip: string;
  wire: Wire;
  clock: Clock;
  faults: Faults;
  budget: IpBudget;
  limits: VenueLimits;
  context: FeedContext;
  knowsCoin(coin: string): boolean;
  knowsDex(dex: string): boolean;
  /** Answers a post, to be sent `lateMs` from now; null when nothing answers at all. */
  post(kind: "info" | "action", payload: JsonObject): { answer: Answer | null; lateMs: number };
  onEnd(session: ServedConnection): void;
  /** Told what the model could not do; without it such an error is thrown. */
  failed?: Failed | undefined;
  overtakes: Overtakes;
}

/** Whether, this time, something comes before what it usually follows. */
export type Overtakes = (what: keyof Switches["unordered"]) => boolean;
export type Failed = (what: string, error: unknown) => void;

interface Held extends LiveSubscription {
  readonly channel: string;
  cancel(): void;
}

const DEFAULT_DELAY_MS = 250;
const DEFAULT_REORDER_MS = 1_000;
/** Frames on their way late; further ones are lost, as they would be in the venue's own buffers. */
const MAX_LATE_FRAMES = 10_000;

export class ServedConnection {
  readonly #parts: SessionParts;
  #held = new Map<string, Held>();
  #state: "open" | "dead" | "ended" = "open";
  #lastSentMs: number;
  #overtaken: { text: string; cancel(): void } | null = null;
  #late = new Set<() => void>();
  #cancelIdle: () => void = () => {};
  #cancelRotation: () => void = () => {};

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#lastSentMs = parts.clock.now();
    this.#watchIdle();
    const { rotateAfterMs } = parts.context.switches;
    if (rotateAfterMs !== null) {
      this.#cancelRotation = parts.clock.after(rotateAfterMs, () => this.#close(1000, "Expired"));
    }
  }

  get ip(): string {
    return this.#parts.ip;
  }

  get subscriptions(): Subscription[] {
    return [...this.#held.values()].map((held) => held.subscription);
  }

  /** The other side is gone. */
  closed(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    for (const held of this.#held.values()) this.#release(held);
    this.#held.clear();
    this.#cancelIdle();
    this.#cancelRotation();
    this.#overtaken?.cancel();
    for (const cancel of this.#late) cancel();
    this.#late.clear();
    this.#parts.onEnd(this);
  }

  /** Breaks the connection without a close frame. */
  cut(): void {
    if (this.#state === "ended") return;
    this.#parts.wire.terminate();
    this.closed();
  }

  /** Leaves the connection open and dead. */
  freeze(): void {
    if (this.#state !== "open") return;
    this.#state = "dead";
    this.#parts.wire.freeze();
  }

  expire(): void {
    this.#close(1000, "Expired");
  }

  receive(text: string): void {
    if (this.#state === "open") this.#guard("message", () => this.#read(text));
  }

  /** An error of the model ends the connection whose message brought it up, and nothing else. */
  #guard(what: string, run: () => void): void {
    const { failed } = this.#parts;
    if (failed === undefined) {
      run();
      return;
    }
    try {
      run();
    } catch (error) {
      failed(what, error);
      this.#close(1011, "Internal error");
    }
  }

  #read(text: string): void {
    const { budget, clock, limits } = this.#parts;
    if (!budget.takeMessage(clock.now())) {
      this.#error(`Cannot send more than ${limits.clientMessagesPerMinute} messages per minute.`);
      return;
    }
    const request = parse(text);
    const method = request?.method;
    if (method === "ping") this.#send("pong", null, '{"channel":"pong"}');
    else if (method === "subscribe" || method === "unsubscribe") this.#subscription(method, request!, text);
    else if (method === "post") this.#post(request!, text);
    else this.#notUnderstood(text);
  }

  /** Pushes what a block changed to its subscribers. */
  block(events: BlockEvents): void {
    if (this.#state !== "open" || this.#held.size === 0) return;
    this.#guard("block", () => this.#pushBlock(events));
  }

  #pushBlock(events: BlockEvents): void {
    const { context } = this.#parts;
    // No order between channels is promised; where to start changes from block to block.
    const held = [...this.#held.values()];
    const start = events.height % held.length;
    const order = [...held.slice(start), ...held.slice(0, start)];
    if (this.#parts.overtakes("fillsBeforeOrders")) order.sort((a, b) => fillsFirst(a) - fillsFirst(b));
    for (const live of order) {
      const feed = FEEDS[live.subscription.type]!;
      for (const data of feed.block?.(live, context, events) ?? []) this.#push(live, data);
      const { user } = live.subscription;
      if (feed.state && context.switches.promptStates && events.ofUser(user!).length > 0) {
        this.#push(live, feed.first!(live, context));
      }
    }
  }

  #subscription(method: "subscribe" | "unsubscribe", request: JsonObject, text: string): void {
    const { context, knowsCoin, knowsDex } = this.#parts;
    // What already happened is in the first message, not after it: the block being built ends here.
    context.venue.advance(context.venue.nowMs);
    const reading = readSubscription(request.subscription, {
      allowWebData2: context.switches.allowWebData2,
      knowsCoin,
      knowsDex,
    });
    if (reading.kind === "unparsed") this.#notUnderstood(text);
    else if (reading.kind === "invalid")
      this.#error(`Invalid subscription ${JSON.stringify(request.subscription)}`);
    else if (method === "subscribe") this.#subscribe(reading.key, reading.subscription);
    else this.#unsubscribe(reading.key, reading.subscription);
  }

  #subscribe(key: string, subscription: Subscription): void {
    const refusal = this.#held.has(key)
      ? `Already subscribed: ${key}`
      : this.#parts.budget.addSubscription(subscription.user ?? null);
    if (refusal !== null) this.#error(refusal);
    else {
      const snapshotFirst = this.#parts.overtakes("snapshotBeforeAck");
      if (!snapshotFirst) this.#acknowledge("subscribe", subscription);
      this.#begin(key, subscription);
      if (snapshotFirst) this.#acknowledge("subscribe", subscription);
    }
  }

  #unsubscribe(key: string, subscription: Subscription): void {
    const held = this.#held.get(key);
    if (held === undefined) this.#error(`Already unsubscribed: ${key}`);
    else {
      this.#held.delete(key);
      this.#release(held);
      this.#acknowledge("unsubscribe", subscription);
    }
  }

  #acknowledge(method: "subscribe" | "unsubscribe", subscription: Subscription): void {
    const echo = { method, subscription: subscription as unknown as JsonObject };
    this.#send("subscriptionResponse", null, frame("subscriptionResponse", echo));
  }

  #begin(key: string, subscription: Subscription): void {
    const { context, clock } = this.#parts;
    const feed = FEEDS[subscription.type]!;
    let cancelNext = () => {};
    const held: Held = {
      subscription,
      channel: channelOf(subscription),
      memory: null,
      cancel: () => cancelNext(),
    };
    this.#held.set(key, held);
    if (feed.first !== undefined) this.#push(held, feed.first(held, context));
    const periodMs = typeof feed.everyMs === "function" ? feed.everyMs(subscription) : feed.everyMs;
    if (periodMs === undefined) return;
    const again = feed.again ?? feed.first!;
    const repeat = () => {
      cancelNext = clock.after(periodMs, repeat);
      if (this.#state === "open") this.#guard("feed", () => this.#push(held, again(held, context)));
    };
    cancelNext = clock.after(periodMs, repeat);
  }

  #release(held: Held): void {
    held.cancel();
    this.#parts.budget.removeSubscription(held.subscription.user ?? null);
  }

  #post(request: JsonObject, text: string): void {
    const { id, request: inner } = request;
    const { type, payload } = isObject(inner) ? inner : {};
    const isKnown = type === "info" || type === "action";
    const known = isKnown && isObject(payload) ? { type: type as "info" | "action", payload } : null;
    if (typeof id !== "number" || known === null) this.#notUnderstood(text);
    else if (!this.#parts.budget.openPost()) this.#error(`too many pending post requests id=${id}`);
    else this.#answerPost(id, known.type, known.payload, text);
  }

  #answerPost(id: number, type: "info" | "action", payload: JsonObject, text: string): void {
    const { answer, lateMs } = this.#parts.post(type, payload);
    const finish = () => {
      this.#parts.budget.closePost();
      // What does not deserialise comes back without its id; what has no answer does not come back.
      if (answer === null) return;
      if (answer.status === UNREADABLE.status) this.#notUnderstood(text);
      else
        this.#send("post", null, frame("post", { id, response: this.#postResponse(type, payload, answer) }));
    };
    if (lateMs === 0) finish();
    else this.#parts.clock.after(lateMs, finish);
  }

  #postResponse(type: "info" | "action", payload: JsonObject, answer: Answer): Json {
    if (answer.status !== 200) {
      const status = `${answer.status} ${STATUS_TEXT[answer.status] ?? "Error"}`;
      const withBody = this.#parts.context.switches.postErrorText === "statusAndBody";
      return { type: "error", payload: withBody ? `${status}: ${bodyText(answer.body)}` : status };
    }
    if (type === "action") return { type, payload: answer.body };
    return { type, payload: { type: payload.type ?? null, data: answer.body } };
  }

  #push(live: Held, data: Json): void {
    if (data !== null) this.#send(live.channel, live.subscription.user ?? null, frame(live.channel, data));
  }

  #notUnderstood(text: string): void {
    this.#error(`Error parsing JSON into valid websocket request: ${text}`);
  }

  #error(text: string): void {
    this.#send("error", null, frame("error", text));
  }

  #send(channel: string, user: string | null, text: string): void {
    if (this.#state !== "open") return;
    const fired = this.#parts.faults.frame({ channel, user, ip: this.ip });
    if (fired === null) this.#write(text);
    else this.#misbehave(fired, text);
  }

  #misbehave({ fault, ms, variant }: FiredFault, text: string): void {
    switch (fault) {
      case "duplicate":
        this.#write(text);
        this.#write(text);
        break;
      case "delay":
        // Up to twice the given time, so that late frames also overtake each other.
        this.#writeLate(text, (ms ?? DEFAULT_DELAY_MS) * (0.5 + (variant % 1000) / 1000));
        break;
      case "reorder":
        this.#overtake(text, ms ?? DEFAULT_REORDER_MS);
        break;
      case "malform":
        this.#write(malformed(text, variant));
        break;
      case "unknownShape":
        this.#write(frame("somethingNew", { version: 2, items: [{ what: "unknown" }] }));
        this.#write(withUnknownKeys(text));
        break;
      case "cut":
        this.cut();
        break;
      case "expire":
        this.expire();
        break;
      case "halfOpen":
        this.freeze();
        break;
      default:
      // `drop`: the frame is lost.
    }
  }

  #writeLate(text: string, ms: number): void {
    if (this.#late.size >= MAX_LATE_FRAMES) return;
    const cancel = this.#parts.clock.after(ms, () => {
      this.#late.delete(cancel);
      this.#write(text);
    });
    this.#late.add(cancel);
  }

  #overtake(text: string, ms: number): void {
    if (this.#overtaken !== null) {
      this.#write(text);
      return;
    }
    const cancel = this.#parts.clock.after(ms, () => {
      this.#overtaken = null;
      this.#write(text);
    });
    this.#overtaken = { text, cancel };
  }

  #write(text: string): void {
    if (this.#state !== "open") return;
    this.#lastSentMs = this.#parts.clock.now();
    this.#parts.wire.send(text);
    const overtaken = this.#overtaken;
    if (overtaken === null) return;
    this.#overtaken = null;
    overtaken.cancel();
    this.#parts.wire.send(overtaken.text);
  }

  #close(code: number, reason: string): void {
    if (this.#state === "open") this.#parts.wire.close(code, reason);
    this.closed();
  }

  /** The venue closes a socket to which it has itself sent nothing for a minute. */
  #watchIdle(): void {
    const { clock, limits } = this.#parts;
    const restMs = this.#lastSentMs + limits.idleCloseMs - clock.now();
    this.#cancelIdle = clock.after(restMs, () => {
      // A dead connection is forgotten on this side only: the client is not told.
      if (this.#state === "dead") this.closed();
      else if (clock.now() - this.#lastSentMs >= limits.idleCloseMs) this.#close(1000, "Inactive");
      else this.#watchIdle();
    });
  }
}

const fillsFirst = ({ subscription: { type } }: Held): number =>
  type === "userFills" || type === "userEvents" ? 0 : 1;

const STATUS_TEXT: Readonly<Record<number, string>> = {
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
};

/** As it would be on the wire: a text is not JSON. */
const bodyText = (body: Json): string => (typeof body === "string" ? body : JSON.stringify(body));

function parse(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

const frame = (channel: string, data: Json): string => JSON.stringify({ channel, data });

const GARBAGE: readonly ((text: string) => string)[] = [
  (text) => text.slice(0, Math.floor(text.length / 2)),
  () => "Websocket connection established.",
  () => "",
  (text) => `${text}${text}`,
  () => "null",
  () => '{"channel":"userFills","data":{"fills":"none"}}',
  () => '{"channel":42,"data":{}}',
  () => '{"channel":"orderUpdates","data":[{"order":{"oid":"x"},"status":7}]}',
];

const malformed = (text: string, variant: number): string => GARBAGE[variant % GARBAGE.length]!(text);

/** The same frame, as a later version of the venue might send it. */
function withUnknownKeys(text: string): string {
  const { channel, data } = JSON.parse(text) as { channel: string; data?: Json };
  const extend = (value: Json): Json => (isObject(value) ? { ...value, addedLater: { n: 1 } } : value);
  const extended = Array.isArray(data) ? data.map(extend) : data === undefined ? data : extend(data);
  return JSON.stringify({ channel, data: extended, seq: 1 });
}
