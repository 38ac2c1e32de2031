/**
 * A stream that lives on: one session after another over a socket factory, until stopped.
 *
 *   waiting ──► connecting ──opened──► subscribing ──all confirmed──► live
 *      ▲            │                      │                            │
 *      └─ back-off ─┴──── any close, silence or failed handshake ───────┘          stop: any ──► stopped
 *
 * Guarantees: whatever the close code, it reconnects, with jittered back-off, within the process's limit of new
 * connections, one stream at a time while the venue cannot be reached; everything is reported to one handler in the
 * order it happened, and a disconnect is reported once, before anything of the next socket; after `stop` nothing is
 * reported. Nothing is buffered.
 * Assumes that the handler is quick and does not throw; it may call `subscribe`, `unsubscribe` and `stop`.
 */
import { InvariantError } from "../errors.ts";
import { type Subscription, subscriptionKey } from "../protocol/channels.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { ClientSocket, SocketFactory } from "../runtime/net.ts";
import type { Random } from "../runtime/random.ts";
import type { OpenStream, Stream, StreamHandler, StreamState, StreamStatus } from "../sync/ports.ts";
import { Backoff, type ConnectionLimiter } from "./backoff.ts";
import { Scouting, type Waiting } from "./scout.ts";
import { routeOf, Session, type SessionAction } from "./session.ts";
import type { SlidingWindow } from "./slidingWindow.ts";
import { StreamBudget } from "./streamBudget.ts";

/** The venue has enough of us: a refused handshake, or a close right after it (which of the two is not documented). */
const TOO_MANY = /\b429\b|too many/i;
/** The least wait after that; it doubles while nothing else is heard, so that it does not use up the new connections. */
const TOO_MANY_FLOOR_MS = 10_000;
const TOO_MANY_FLOOR_MAX_MS = 60_000;
/** How long `stop` waits for the closing handshake. */
const CLOSE_WITHIN_MS = 1_000;
/** Streams that come back together spread over this. */
const FOLLOW_MS = 500;

/** What all streams of one IP share. */
interface StreamOptions {
  wsUrl: string;
  socketFactory: SocketFactory;
  clock: Clock;
  random: Random;
  log: Log;
  connections?: ConnectionLimiter;
  /** Messages sent to the venue per minute, by all streams together. */
  messages?: SlidingWindow;
  /** So that one of them at a time tries an unreachable venue. */
  scouting?: Scouting;
}

/** Opens streams that share one budget of connections and messages. Make one per process. */
export function createStreams(options: StreamOptions): OpenStream {
  const budget = new StreamBudget();
  const shared = {
    ...options,
    connections: options.connections ?? budget.connections,
    messages: options.messages ?? budget.messages,
    scouting: options.scouting ?? new Scouting(),
  };
  return (subscriptions, handler) => new LiveSocket(shared, subscriptions, handler);
}

class LiveSocket implements Stream, Waiting {
  readonly #options: Required<StreamOptions>;
  readonly #handler: StreamHandler;
  readonly #backoff: Backoff;
  readonly #wanted = new Map<string, Subscription>();
  /** See `SessionOptions`: what one socket learns for the next. Only wanted keys are kept. */
  readonly #blamed = new Set<string>();
  readonly #refused = new Set<string>();
  readonly #lastDataMs = new Map<Subscription, number>();
  #state: StreamState = "waiting";
  #socket: ClientSocket | null = null;
  #session: Session | null = null;
  #cancelTimer: (() => void) | null = null;
  #openedAtMs: number | null = null;
  #connectedSinceMs: number | null = null;
  #nextAttemptMs: number | null = null;
  #lastReceivedMs: number | null = null;
  #lastError: Error | null = null;
  #lastEnd: string | null = null;
  #sockets = 0;
  /** Times in a row that the venue had too many connections. */
  #tooMany = 0;

  constructor(
    options: Required<StreamOptions>,
    subscriptions: readonly Subscription[],
    handler: StreamHandler,
  ) {
    this.#options = options;
    this.#handler = handler;
    this.#backoff = new Backoff(options.random);
    for (const subscription of subscriptions) this.#want(subscription);
    this.#connectIn(0);
  }

  subscribe(subscription: Subscription): void {
    if (this.#state === "stopped" || !this.#want(subscription)) return;
    const session = this.#session;
    if (session !== null) this.#perform(session, session.add(this.#options.clock.now(), subscription));
  }

  unsubscribe(subscription: Subscription): void {
    const key = subscriptionKey(subscription);
    const wanted = this.#wanted.get(key);
    if (wanted === undefined) return;
    for (const memory of [this.#wanted, this.#blamed, this.#refused]) memory.delete(key);
    this.#lastDataMs.delete(wanted);
    const session = this.#session;
    if (session !== null) this.#perform(session, session.remove(this.#options.clock.now(), wanted));
  }

  /** False when it is wanted already. Throws when its frames could not be told from those of another. */
  #want(subscription: Subscription): boolean {
    const key = subscriptionKey(subscription);
    if (this.#wanted.has(key)) return false;
    const other = [...this.#wanted.values()].find((wanted) => routeOf(wanted) === routeOf(subscription));
    if (other !== undefined) {
      throw new InvariantError(
        `one socket cannot tell frames of ${key} and ${subscriptionKey(other)} apart; open a stream for each`,
      );
    }
    this.#wanted.set(key, subscription);
    return true;
  }

  status(): StreamStatus {
    const now = new Map(
      this.#session?.subscriptions().map((status) => [subscriptionKey(status.subscription), status]),
    );
    return {
      state: this.#state,
      connectedSinceMs: this.#connectedSinceMs,
      reconnects: Math.max(0, this.#sockets - 1),
      lastReceivedMs: this.#lastReceivedMs,
      lastEnd: this.#lastEnd,
      nextAttemptMs: this.#nextAttemptMs,
      roundTripMs: this.#session?.roundTripMs ?? null,
      subscriptions: [...this.#wanted].map(([key, subscription]) => ({
        subscription,
        state: now.get(key)?.state ?? (this.#refused.has(key) ? "refused" : "queued"),
        lastDataMs: this.#lastDataMs.get(subscription) ?? null,
        stale: now.get(key)?.stale ?? false,
      })),
    };
  }

  async stop(): Promise<void> {
    if (this.#state === "stopped") return;
    const socket = this.#socket;
    this.#state = "stopped";
    this.#options.scouting.gone(this);
    this.#session?.closed();
    this.#session = null;
    this.#connectedSinceMs = null;
    this.#nextAttemptMs = null;
    this.#setTimer(null);
    if (socket === null) return;
    socket.close(1000, "stopped");
    await new Promise<void>((resolve) => {
      this.#onGone = resolve;
      this.#cancelTimer = this.#options.clock.after(CLOSE_WITHIN_MS, () => {
        socket.terminate();
        resolve();
      });
    });
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  /** Called when the socket that `stop` closes is gone. */
  #onGone: () => void = () => {};

  // ---- one socket after another ----

  /** The venue can be reached again, or it is this stream's turn to find out. */
  wake(): void {
    if (this.#state !== "waiting") return;
    this.#connectIn(this.#options.random.next() * FOLLOW_MS);
  }

  #connectIn(waitMs: number): void {
    const { clock, connections } = this.#options;
    const nowMs = clock.now();
    const startMs = connections.book(nowMs + waitMs);
    this.#state = "waiting";
    this.#nextAttemptMs = startMs;
    this.#setTimer(startMs, () => this.#connect());
  }

  #connect(): void {
    const { clock, wsUrl, socketFactory, messages } = this.#options;
    this.#state = "connecting";
    this.#nextAttemptMs = null;
    this.#lastError = null;
    this.#sockets += 1;
    const session = new Session({
      startedAtMs: clock.now(),
      subscriptions: this.#wanted.values(),
      messages,
      blamed: this.#blamed,
      refused: this.#refused,
    });
    const socket = socketFactory(wsUrl, {
      onOpen: () => this.#onOpen(session),
      onMessage: (text) => this.#onMessage(session, text),
      onClose: (code, reason) => {
        if (this.#socket === socket) {
          this.#socket = null;
          this.#onGone();
        }
        const text = reason === "" ? "" : ` (${reason})`;
        this.#end(session, this.#lastError?.message ?? `closed with code ${code}${text}`);
      },
      onError: (error) => {
        if (this.#session === session) this.#lastError = error;
      },
    });
    this.#session = session;
    this.#socket = socket;
    this.#wake(session);
  }

  #onOpen(session: Session): void {
    if (this.#session !== session) return;
    const nowMs = this.#options.clock.now();
    this.#state = "subscribing";
    this.#openedAtMs = nowMs;
    this.#lastReceivedMs = nowMs;
    this.#options.scouting.opened(this);
    this.#perform(session, session.opened(nowMs));
  }

  #onMessage(session: Session, text: string): void {
    if (this.#session !== session) return;
    const nowMs = this.#options.clock.now();
    this.#lastReceivedMs = nowMs;
    this.#tooMany = 0;
    const actions = session.received(nowMs, text);
    if (actions.length > 0) this.#perform(session, actions);
  }

  /** Reports the end of this socket, once, and starts the wait for the next. */
  #end(session: Session, why: string): void {
    if (this.#session !== session) return;
    const nowMs = this.#options.clock.now();
    const aliveMs = this.#openedAtMs === null ? 0 : nowMs - this.#openedAtMs;
    const wasOpen = this.#openedAtMs !== null;
    session.closed();
    this.#session = null;
    this.#openedAtMs = null;
    this.#connectedSinceMs = null;
    this.#lastEnd = why;
    this.#options.log.info("stream ended", { why, aliveMs });
    this.#connectAgain(aliveMs, this.#floorMs(why));
    if (wasOpen) this.#handler.onDisconnected(nowMs, why, session.lastReceivedMs);
  }

  #connectAgain(aliveMs: number, floorMs: number): void {
    const { scouting } = this.#options;
    const waitMs = this.#backoff.nextMs(aliveMs, floorMs);
    // One with a long wait is no scout, and needs none.
    if (floorMs > 0) scouting.gone(this);
    if (floorMs > 0 || scouting.lost(this)) this.#connectIn(waitMs);
    else {
      this.#state = "waiting";
      this.#nextAttemptMs = null;
      this.#setTimer(null);
    }
  }

  #floorMs(why: string): number {
    if (!TOO_MANY.test(why)) return 0;
    const floorMs = Math.min(TOO_MANY_FLOOR_MAX_MS, TOO_MANY_FLOOR_MS * 2 ** Math.min(this.#tooMany, 10));
    this.#tooMany += 1;
    return floorMs;
  }

  // ---- what the session asks for ----

  #perform(session: Session, actions: SessionAction[]): void {
    const nowMs = this.#options.clock.now();
    let isSending = false;
    for (const action of actions) {
      // The handler may have stopped this stream meanwhile.
      if (this.#session !== session) return;
      isSending ||= action.type === "send";
      this.#act(session, action, nowMs);
    }
    // Of all that a session does only sending can bring its next deadline nearer.
    if (isSending && this.#session === session) this.#wake(session);
  }

  #act(session: Session, action: SessionAction, nowMs: number): void {
    const handler = this.#handler;
    switch (action.type) {
      case "send":
        this.#socket?.send(action.text);
        break;
      case "terminate":
        for (const key of action.blame) this.#blamed.add(key);
        this.#drop();
        this.#end(session, action.why);
        break;
      case "message":
        if (action.reading.content.type !== "nothing") this.#noteData(action.subscription, nowMs);
        handler.onMessage(
          action.reading,
          action.channel,
          action.subscription,
          action.receivedAtMs,
          action.length,
        );
        break;
      case "confirmed":
        handler.onConfirmed(action.subscription, nowMs);
        break;
      case "allConfirmed":
        this.#state = "live";
        this.#connectedSinceMs = nowMs;
        handler.onConnected(nowMs);
        break;
      case "refused":
        if (action.permanent) this.#refused.add(subscriptionKey(action.subscription));
        handler.onRefused(action.subscription, action.text, action.permanent, nowMs);
        break;
      case "limited":
        handler.onLimited(action.subscription, action.text, nowMs);
        break;
      case "stale":
        handler.onStale(action.subscription, action.ageMs, nowMs);
        break;
      case "fresh":
        handler.onFresh(action.subscription, nowMs);
        break;
      case "quarantine":
        handler.onQuarantine(action.subject, action.reason, action.raw, nowMs);
        break;
    }
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.terminate();
  }

  #noteData(subscription: Subscription, atMs: number): void {
    this.#lastDataMs.set(subscription, atMs);
    if (this.#blamed.size > 0) this.#blamed.delete(subscriptionKey(subscription));
  }

  #wake(session: Session): void {
    const dueMs = session.dueMs();
    this.#setTimer(dueMs, () => {
      if (this.#session !== session) return;
      this.#perform(session, session.tick(this.#options.clock.now()));
      if (this.#session === session) this.#wake(session);
    });
  }

  #setTimer(atMs: number | null, run: () => void = () => {}): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (atMs === null) return;
    const { clock } = this.#options;
    this.#cancelTimer = clock.after(Math.max(0, atMs - clock.now()), run);
  }
}
