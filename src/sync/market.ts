/**
 * Opt-in market data: trades, candles, books, mids and asset contexts of chosen coins into their tables. Guarantees:
 * what arrives is written, in batches; a full inbox drops frames and counts them (market data is not proven complete,
 * and its tables say so). Trades are identified by (time, coin, tid), so the burst after a reconnect doubles nothing.
 */
import type { Reading, Subscription } from "../protocol/channels.ts";
import { BoundedQueue } from "../runtime/boundedQueue.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Commit } from "./account/account.ts";
import { dexOfCoin } from "./dexes.ts";
import { assetCtxRow, bookRow, candleRow, midRows, tradeRow } from "./normalize.ts";
import type { OpenStream, Stream, StreamStatus, VenueInfo } from "./ports.ts";
import type { Batch } from "./rows.ts";
import { listedCoins } from "./universe.ts";
import { quarantineRows } from "./windowReader.ts";

/** What waits for the database at most: frames, and characters of them. All asset contexts have 177 k. */
const INBOX_LIMITS = { items: 20_000, weight: 32 * 1024 * 1024 };
const FRAMES_PER_BATCH = 1_000;
/** Frames are collected so long between two commits: a call costs the database as much as ten of their rows. */
const COLLECT_MS = 100;
const CANDLE_INTERVAL_DEFAULT = "1m";
/** Names in the line that says what was left out. */
const LEFT_OUT_SHOWN = 20;

export interface MarketChoice {
  /** Coin names as the venue writes them; `all` is what it lists when following starts. */
  coins: readonly string[] | "all";
  /** As in `MARKET_STREAMS`. */
  streams: readonly string[];
}

/** What a choice comes to. */
interface Subscribed {
  subscriptions: Subscription[];
  /** Coins for which there is no room, in the order of those before them. */
  leftOut: readonly string[];
}

/** Mids come for a whole dex at once. */
const midSubscriptions = (dexes: Iterable<string>): Subscription[] =>
  [...dexes].map((dex) => (dex === "" ? { type: "allMids" } : { type: "allMids", dex }));

function coinSubscription(stream: string, coin: string): Subscription {
  const [type = "", interval = CANDLE_INTERVAL_DEFAULT] = stream.split(":");
  return type === "candle" ? { type, coin, interval } : { type, coin };
}

/** The subscriptions of coins, as many of these as fit into `room` subscriptions: the first ones. */
export function marketSubscriptions(
  coins: readonly string[],
  streams: readonly string[],
  dexes: Iterable<string>,
  room: number,
): Subscribed {
  const mids = streams.includes("allMids") ? midSubscriptions(dexes) : [];
  const perCoin = streams.filter((name) => name !== "allMids");
  const count =
    perCoin.length === 0 ? coins.length : Math.max(0, Math.floor((room - mids.length) / perCoin.length));
  const ofCoins = coins
    .slice(0, count)
    .flatMap((coin) => perCoin.map((name) => coinSubscription(name, coin)));
  return { subscriptions: [...mids, ...ofCoins], leftOut: coins.slice(count) };
}

interface MarketDeps {
  openStream: OpenStream;
  /** Asked what there is when all is wanted. */
  info: VenueInfo;
  /** All perp dexes, "" first. */
  dexes: readonly string[];
  choice: MarketChoice;
  /** Subscriptions that the venue grants this address and accounts do not need. */
  room: number;
  commit: Commit;
  clock: Clock;
  log: Log;
  onFatal(error: unknown): void;
}

export class Market {
  readonly name = "market";
  readonly #deps: MarketDeps;
  readonly #inbox = new BoundedQueue<{ reading: Reading; channel: string; receivedAtMs: number }>(
    INBOX_LIMITS,
  );
  #stream: Stream | null = null;
  #running: Promise<void> = Promise.resolve();
  #dropped = 0;
  #endCollecting: () => void = () => {};

  constructor(deps: MarketDeps) {
    this.#deps = deps;
  }

  /** Rejects when all is wanted and the venue does not say what that is. */
  async start(signal: AbortSignal): Promise<void> {
    const { openStream, log, onFatal } = this.#deps;
    const { subscriptions, leftOut } = await this.#subscribed(signal);
    signal.throwIfAborted();
    if (leftOut.length > 0)
      log.warn("not all market data fits into the venue's limit of subscriptions: the rest is left out", {
        subscriptions: subscriptions.length,
        leftOut: leftOut.length,
        coins: leftOut.slice(0, LEFT_OUT_SHOWN).join(",") + (leftOut.length > LEFT_OUT_SHOWN ? ",…" : ""),
      });
    this.#stream = openStream(subscriptions, {
      onMessage: (reading, { channel }, _subscription, receivedAtMs, length) => {
        if (!this.#inbox.push({ reading, channel, receivedAtMs }, length) && this.#dropped++ === 0)
          log.warn("market data is faster than the database: frames dropped", INBOX_LIMITS);
      },
      onConnected() {},
      onConfirmed() {},
      onDisconnected: (_atMs, why) => log.warn("market stream lost, reconnecting", { why }),
      onRefused: (subscription, text) =>
        log.warn("subscription refused by the venue", { ...subscription, text }),
      onLimited: (subscription, text) => log.warn("too many subscriptions", { ...subscription, text }),
      onStale: (subscription, ageMs) => log.warn("stream is silent", { ...subscription, ageMs }),
      onFresh() {},
      onQuarantine: (subject, reason) => log.warn("market frame not understood", { subject, reason }),
    });
    this.#running = this.#run().catch(onFatal);
  }

  async #subscribed(signal: AbortSignal): Promise<Subscribed> {
    const { info, dexes, room, choice } = this.#deps;
    const streams = [...new Set(choice.streams)];
    if (choice.coins !== "all") {
      const { coins } = choice;
      return marketSubscriptions(coins, streams, new Set(coins.map(dexOfCoin)), room);
    }
    const needsCoins = streams.some((name) => name !== "allMids");
    const coins = needsCoins ? await listedCoins(info, dexes, signal) : [];
    return marketSubscriptions(coins, streams, dexes, room);
  }

  async stop(): Promise<void> {
    await this.#stream?.stop();
    this.#inbox.close();
    this.#endCollecting();
    await this.#running;
  }

  status(): { stream: StreamStatus | null; queued: number; dropped: number } {
    return { stream: this.#stream?.status() ?? null, queued: this.#inbox.length, dropped: this.#dropped };
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#inbox.ready();
      const frames = this.#inbox.takeUpTo(FRAMES_PER_BATCH);
      if (frames.length === 0 && this.#inbox.closed) return;
      const batch = { trades: [], candles: [], mids: [], books: [], assetCtxs: [], quarantine: [] };
      for (const frame of frames) this.#interpret(batch, frame.reading, frame.channel, frame.receivedAtMs);
      await this.#deps.commit(batch, frames[0]?.receivedAtMs ?? this.#deps.clock.now());
      if (!this.#inbox.closed && this.#inbox.length < FRAMES_PER_BATCH) await this.#collect();
    }
  }

  async #collect(): Promise<void> {
    const stopped = new AbortController();
    this.#endCollecting = () => stopped.abort();
    await this.#deps.clock.sleep(COLLECT_MS, stopped.signal).catch(() => {});
  }

  #interpret(batch: Batch, { content, unread }: Reading, channel: string, receivedAtMs: number): void {
    batch.quarantine?.push(...quarantineRows(unread, channel, null, receivedAtMs));
    if (content.type === "trades") batch.trades?.push(...content.rows.map(tradeRow));
    else if (content.type === "candle")
      batch.candles?.push(...content.rows.map((row) => candleRow(row, receivedAtMs)));
    else if (content.type === "book") batch.books?.push(bookRow(content.book));
    else if (content.type === "assetCtx") batch.assetCtxs?.push(assetCtxRow(content.ctx, receivedAtMs));
    else if (content.type === "mids") {
      const { coins } = this.#deps.choice;
      const wanted = coins === "all" ? null : new Set(coins);
      batch.mids?.push(...midRows(content.dex, content.mids, wanted, receivedAtMs));
    }
  }
}
