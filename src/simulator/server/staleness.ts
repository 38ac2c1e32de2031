/**
 * Answers of a while ago. The model only knows the present, so lists that only grow are cut at the asked time, which is
 * exact, and states are answered from samples. Guarantees: a sample is never newer than asked for, unless there is none
 * that old, which only happens for a request that was not asked before. Bounded: at most `MAX_WATCHED` requests are sampled at
 * each block, `MAX_SAMPLES` kept of each, about `SAMPLE_MS` apart.
 */
import type { Answer, Json, JsonObject, Venue } from "../contract.ts";

const MAX_WATCHED = 64;
const MAX_SAMPLES = 40;
const SAMPLE_MS = 500;
/** A request that is not repeated within this time is not sampled any more. */
const FORGET_MS = 60_000;

/** Lists that only grow, and where a row has its time. */
const GROWING: Readonly<Record<string, (row: JsonObject) => Json | undefined>> = {
  userFills: (row) => row.time,
  userFillsByTime: (row) => row.time,
  userTwapSliceFills: (row) => (row.fill as JsonObject).time,
  userTwapSliceFillsByTime: (row) => (row.fill as JsonObject).time,
  userFunding: (row) => row.time,
  userNonFundingLedgerUpdates: (row) => row.time,
  historicalOrders: (row) => row.statusTimestamp,
  fundingHistory: (row) => row.time,
  recentTrades: (row) => row.time,
};

interface Sample {
  timeMs: number;
  answer: Answer;
}

export class Staleness {
  readonly #venue: Venue;
  #watched = new Map<string, { request: Json; askedMs: number; samples: Sample[] }>();

  constructor(venue: Venue) {
    this.#venue = venue;
  }

  info(request: Json, agoMs: number): Answer {
    const asOfMs = this.#venue.nowMs - agoMs;
    const type =
      typeof request === "object" && request !== null && !Array.isArray(request) ? request.type : null;
    const timeOf = typeof type === "string" && Object.hasOwn(GROWING, type) ? GROWING[type] : undefined;
    if (timeOf === undefined) return this.#sampled(request, asOfMs);
    const answer = this.#venue.info(request);
    if (answer.status !== 200 || !Array.isArray(answer.body)) return answer;
    const body = answer.body.filter((row) => Number(timeOf(row as JsonObject)) <= asOfMs);
    return { status: 200, body, items: body.length };
  }

  /** To be called once per block: takes the samples that are due. */
  block(): void {
    const { nowMs } = this.#venue;
    for (const [key, { request, askedMs, samples }] of this.#watched) {
      if (nowMs - askedMs > FORGET_MS) this.#watched.delete(key);
      const before = samples.at(-2);
      // The newest sample is always of the newest block; those before it are spaced.
      if (before !== undefined && nowMs - before.timeMs < SAMPLE_MS) samples.pop();
      samples.push({ timeMs: nowMs, answer: this.#venue.info(request) });
      if (samples.length > MAX_SAMPLES) samples.shift();
    }
  }

  #sampled(request: Json, asOfMs: number): Answer {
    const key = JSON.stringify(request);
    const { nowMs } = this.#venue;
    const watched = this.#watched.get(key);
    if (watched !== undefined) {
      watched.askedMs = nowMs;
      const { samples } = watched;
      return (samples.findLast(({ timeMs }) => timeMs <= asOfMs) ?? samples[0]!).answer;
    }
    if (this.#watched.size >= MAX_WATCHED) this.#watched.delete(this.#watched.keys().next().value!);
    const answer = this.#venue.info(request);
    this.#watched.set(key, { request, askedMs: nowMs, samples: [{ timeMs: nowMs, answer }] });
    return answer;
  }
}
