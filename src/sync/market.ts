/**
 * Opt-in market data: trades, candles, books, mids and asset contexts of chosen coins into their tables. Guarantees:
 * what arrives is written, in batches; a full inbox drops frames and counts them (market data is not proven complete,
 * and its tables say so). Trades are identified by (time, coin, tid), so the burst after a reconnect doubles nothing.
 */
import type { Reading, Subscription } from "../protocol/channels.ts";
import { CANDLE_INTERVALS } from "../protocol/limits.ts";
import { BoundedQueue } from "../runtime/boundedQueue.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Commit } from "./account.ts";
import { quarantineRows } from "./backfill.ts";
import type { Batch } from "./events.ts";
import { assetCtxRow, bookRow, candleRow, midRows, tradeRow } from "./normalize.ts";
import type { OpenStream, Stream, StreamStatus } from "./ports.ts";

/** The market streams by the names of the venue's subscriptions; a candle interval may follow: `candle:1m`. */
export const MARKET_STREAMS = ["allMids", "l2Book", "trades", "candle", "activeAssetCtx"] as const;

const INBOX_FRAMES = 20_000;
const FRAMES_PER_BATCH = 1_000;
const CANDLE_INTERVAL_DEFAULT = "1m";

export interface MarketChoice {
  /** Coin names as the venue writes them. */
  coins: readonly string[];
  /** As in `MARKET_STREAMS`. */
  streams: readonly string[];
}

/** The subscriptions of a choice; throws `RangeError` for a stream or interval that does not exist. */
export function marketSubscriptions({ coins, streams }: MarketChoice): Subscription[] {
  return streams.flatMap((name): Subscription[] => {
    const [type, interval = CANDLE_INTERVAL_DEFAULT] = name.split(":");
    if (!(MARKET_STREAMS as readonly string[]).includes(type!)) {
      throw new RangeError(
        `no market stream ${JSON.stringify(name)}; there are ${MARKET_STREAMS.join(", ")}`,
      );
    }
    if (type === "allMids") return [{ type }];
    if (type !== "candle") return coins.map((coin) => ({ type: type!, coin }));
    if (!(CANDLE_INTERVALS as readonly string[]).includes(interval)) {
      throw new RangeError(
        `no candle interval ${JSON.stringify(interval)}; there are ${CANDLE_INTERVALS.join(", ")}`,
      );
    }
    return coins.map((coin) => ({ type, coin, interval }));
  });
}

export interface MarketDeps {
  openStream: OpenStream;
  choice: MarketChoice;
  commit: Commit;
  clock: Clock;
  log: Log;
  onFatal(error: unknown): void;
}

export class Market {
  readonly name = "market";
  readonly #deps: MarketDeps;
  readonly #inbox = new BoundedQueue<{ reading: Reading; channel: string; receivedAtMs: number }>(
    INBOX_FRAMES,
  );
  #stream: Stream | null = null;
  #running: Promise<void> = Promise.resolve();
  #dropped = 0;

  constructor(deps: MarketDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { openStream, choice, log, onFatal } = this.#deps;
    this.#stream = openStream(marketSubscriptions(choice), {
      onMessage: (reading, channel, _subscription, receivedAtMs) => {
        if (!this.#inbox.push({ reading, channel: channel.channel, receivedAtMs }) && this.#dropped++ === 0) {
          log.warn("market data is faster than the database: frames dropped", { limit: INBOX_FRAMES });
        }
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

  async stop(): Promise<void> {
    await this.#stream?.stop();
    this.#inbox.close();
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
    }
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
      batch.mids?.push(
        ...midRows(content.dex, content.mids, coins.length > 0 ? new Set(coins) : null, receivedAtMs),
      );
    }
  }
}
