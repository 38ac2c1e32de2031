/**
 * `POST /info`, asked with patience. Guarantees: an answer is returned only when it is complete, JSON and what the
 * request's row promises; every other outcome is an error, never an empty list. Retries what may pass by itself (5xx,
 * html and truncated bodies, resets, time-outs) at most `maxAttempts` times, with full jitter, each attempt within the rate
 * limit, and 429 for as long as the minute of somebody else's weight may last; never retries what cannot (422 and other
 * 4xx, an answer that does not fit). While the venue answers nothing at all, it is asked a cheap question first: a lost
 * answer costs as if it had been given.
 * Assumes that info requests change nothing, so that repeating one is always safe.
 */
import { ProtocolError, RateLimitError, rootMessage, TransportError } from "../errors.ts";
import { isRead, NOT_JSON, readMessage, type Unread } from "../protocol/decode.ts";
import { INFO, type InfoRequest } from "../protocol/infoRequests.ts";
import { VALUE_LIMITS } from "../protocol/limits.ts";
import { fullJitterMs } from "../runtime/backoff.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { HttpAnswer, HttpPost } from "../runtime/net.ts";
import type { Random } from "../runtime/random.ts";
import { SharedWork } from "../runtime/sharedWork.ts";
import type { ClockOffset, InfoAnswer, InfoOptions, VenueInfo } from "../sync/ports.ts";
import type { Permit, RateLimiter } from "./rateLimiter.ts";

interface InfoClientOptions {
  /** Without `/info`. */
  apiUrl: string;
  post: HttpPost;
  clock: Clock;
  random: Random;
  limiter: RateLimiter;
  log: Log;
  /** Attempts per request, the first included. */
  maxAttempts?: number;
  /** Of one attempt. */
  timeoutMs?: number;
  /** Ends every wait: for budget, for an answer, for the next attempt. */
  signal?: AbortSignal;
}

const MAX_ATTEMPTS = 5;
const TIMEOUT_MS = 15_000;
/** The window in which the venue counts weight, and a little: what another process has spent is over then. */
const THROTTLED_MAX_MS = 65_000;
const RETRY = { baseMs: 500, capMs: 10_000 };
/** So many requests in a row without any answer: the venue is taken to be away. */
const AWAY_AFTER = 3;

interface Question {
  bodyText: string;
  /** Most weight that its answer can add to that of the request. */
  extra: number;
}

/** What one attempt came to. `again` carries the error that the caller gets when no attempt is left. */
type Outcome<R> =
  | { type: "answer"; result: R }
  | { type: "again"; error: TransportError }
  | { type: "final"; error: ProtocolError | TransportError };

interface Attempt<R> {
  outcome: Outcome<R>;
  sentAtMs: number;
  receivedAtMs: number;
  weight: number;
}

export const createInfoClient = (options: InfoClientOptions): VenueInfo => new InfoClient(options);

class InfoClient implements VenueInfo {
  readonly #options: InfoClientOptions;
  readonly #url: string;
  /** Named in errors, unlike the rest: paths and users of an endpoint may be secrets. */
  readonly #host: string;
  #offset: ClockOffset | null = null;
  #unanswered = 0;
  readonly #probe = new SharedWork<Attempt<unknown>>();

  constructor(options: InfoClientOptions) {
    this.#options = options;
    this.#url = `${options.apiUrl.replace(/\/+$/, "")}/info`;
    this.#host = new URL(this.#url).host;
  }

  async request<P, R>(row: InfoRequest<P, R>, params: P, asked: InfoOptions): Promise<InfoAnswer<R>> {
    const ends = linked(asked.signal, this.#options.signal);
    try {
      return await this.#request(row, params, { ...asked, signal: ends.signal });
    } finally {
      ends.release();
    }
  }

  clockOffset(): ClockOffset | null {
    return this.#offset;
  }

  reserve(weight: number): () => void {
    return this.#options.limiter.reserve(weight);
  }

  async #request<P, R>(row: InfoRequest<P, R>, params: P, asked: InfoOptions): Promise<InfoAnswer<R>> {
    const bodyText = JSON.stringify({ type: row.type, ...row.body(params) });
    const extra = row.itemsPerWeight === null ? 0 : Math.ceil(row.itemsMax(params) / row.itemsPerWeight);
    const question: Question = { bodyText, extra };
    let weight = 0;
    const attempts = this.#options.maxAttempts ?? MAX_ATTEMPTS;
    let throttledSinceMs: number | null = null;
    for (let failures = 0; ; failures++) {
      const { outcome, sentAtMs, receivedAtMs, weight: spent } = await this.#attempt(row, question, asked);
      weight += spent;
      if (outcome.type === "answer") {
        if (row.type === INFO.exchangeStatus.type) this.#noteClock(outcome.result, sentAtMs, receivedAtMs);
        return { result: outcome.result, sentAtMs, receivedAtMs, weight };
      }
      const isThrottled = outcome.error instanceof RateLimitError;
      if (isThrottled) throttledSinceMs ??= receivedAtMs;
      const isPatient = isThrottled && attempts > 1 && receivedAtMs - throttledSinceMs! < THROTTLED_MAX_MS;
      if (outcome.type === "final" || (!isPatient && failures + 1 >= attempts)) throw outcome.error;
      this.#options.log.debug("info request tried again", {
        request: row.type,
        failures,
        error: outcome.error,
      });
      // After a 429 the limiter itself makes every request wait.
      if (isThrottled) continue;
      await this.#options.clock.sleep(fullJitterMs(this.#options.random, failures, RETRY), asked.signal);
    }
  }

  /** One attempt within the budget. Rejects only with the signal's reason or when too many wait. */
  async #attempt<P, R>(row: InfoRequest<P, R>, question: Question, asked: InfoOptions): Promise<Attempt<R>> {
    if (this.#unanswered >= AWAY_AFTER) {
      const { outcome, sentAtMs, receivedAtMs } = await this.#probed(asked.signal);
      if (this.#unanswered >= AWAY_AFTER && outcome.type !== "answer")
        return {
          outcome: { type: "again", error: awayError(this.#host, row.type, outcome.error) },
          sentAtMs,
          receivedAtMs,
          weight: 0,
        };
    }
    return this.#send(row, question, asked);
  }

  /** One question for all who wait for it, given up when none is left. */
  #probed(signal: AbortSignal | undefined): Promise<Attempt<unknown>> {
    const bodyText = JSON.stringify({ type: INFO.exchangeStatus.type });
    const question: Question = { bodyText, extra: 0 };
    const ask = (own: AbortSignal) =>
      this.#send(INFO.exchangeStatus, question, { priority: "heal", signal: own });
    return this.#probe.join(ask, signal);
  }

  async #send<P, R>(row: InfoRequest<P, R>, question: Question, asked: InfoOptions): Promise<Attempt<R>> {
    const { bodyText, extra } = question;
    const signal = asked.signal;
    const permit = await this.#options.limiter.acquire({
      priority: asked.priority,
      weight: row.weight,
      extra,
      ...(signal && { signal }),
    });
    if (signal?.aborted) {
      permit.abandoned(0);
      throw signal.reason;
    }
    const sentAtMs = this.#options.clock.now();
    const deadline = withDeadline(
      this.#options.clock,
      asked.timeoutMs ?? this.#options.timeoutMs ?? TIMEOUT_MS,
      signal,
    );
    try {
      const answer = await this.#options.post(this.#url, bodyText, deadline.signal);
      this.#unanswered = 0;
      const { outcome, weight } = judge(this.#host, row, answer, permit);
      return { outcome, sentAtMs, receivedAtMs: this.#options.clock.now(), weight };
    } catch (error) {
      // The venue may have served it all the same.
      const weight = row.weight + extra;
      permit.abandoned(weight);
      signal?.throwIfAborted();
      this.#unanswered += 1;
      const what = `no answer from ${this.#host} to the request ${row.type}: ${rootMessage(error)}`;
      const failed = new TransportError(what, { cause: error });
      return {
        outcome: { type: "again", error: failed },
        sentAtMs,
        receivedAtMs: this.#options.clock.now(),
        weight,
      };
    } finally {
      deadline.clear();
    }
  }

  #noteClock(result: unknown, sentAtMs: number, receivedAtMs: number): void {
    const { value } = result as { value: { time: number } };
    const uncertaintyMs = (receivedAtMs - sentAtMs) / 2;
    this.#offset = {
      offsetMs: Math.round(value.time - (sentAtMs + uncertaintyMs)),
      uncertaintyMs,
      measuredAtMs: receivedAtMs,
    };
  }
}

const awayError = (host: string, type: string, cause: Error): TransportError =>
  new TransportError(`${host} does not answer (${rootMessage(cause)}): the request ${type} was not sent`, {
    cause,
  });

/** What an HTTP answer means; settles the permit. */
function judge<P, R>(
  host: string,
  row: InfoRequest<P, R>,
  { status, text }: HttpAnswer,
  permit: Permit,
): { outcome: Outcome<R>; weight: number } {
  if (status === 429) {
    permit.refused(row.weight);
    const error = new RateLimitError(
      `${host} answers 429 (over its rate limit) to the request ${row.type}`,
      60_000,
    );
    return { outcome: { type: "again", error }, weight: row.weight };
  }
  const body = readMessage(text);
  // What is no list of the venue any more has not cost that much either: a minute would pass in which nothing is asked.
  const items =
    row.itemsPerWeight !== null && isRead(body) && Array.isArray(body.value)
      ? Math.min(body.value.length, VALUE_LIMITS.rows)
      : 0;
  const weight = row.weight + (row.itemsPerWeight === null ? 0 : Math.ceil(items / row.itemsPerWeight));
  permit.answered(weight);
  return { outcome: outcomeOf(host, row, status, text, body), weight };
}

function outcomeOf<P, R>(
  host: string,
  row: InfoRequest<P, R>,
  status: number,
  text: string,
  body: { value: unknown } | Unread,
): Outcome<R> {
  const start = text.slice(0, 200);
  const whose = `${host} to the request ${row.type}`;
  if (status === 422) {
    const error = new ProtocolError(
      `${host} refuses the request ${row.type} as malformed (HTTP 422): ${start}`,
      text,
      { isRefusal: true },
    );
    return { type: "final", error };
  }
  if (status < 200 || status >= 300) {
    const error = new TransportError(`HTTP ${status} from ${whose}: ${start}`, { status });
    const mayPass = status >= 500 || status === 408 || status === 425;
    return { type: mayPass ? "again" : "final", error };
  }
  if (isUnread(body)) {
    if (body.reason !== NOT_JSON)
      return {
        type: "final",
        error: new ProtocolError(`the answer of ${whose} is not read: ${body.reason}`, start),
      };
    const error = new TransportError(`the answer of ${whose} is not JSON: ${start}`, { status });
    return { type: "again", error };
  }
  const result = row.read(body.value);
  if (isUnread(result)) {
    const error = new ProtocolError(`the answer of ${whose} does not fit: ${result.reason}`, result.raw);
    return { type: "final", error };
  }
  return { type: "answer", result };
}

const isUnread = (result: unknown): result is Unread =>
  typeof result === "object" && result !== null && "reason" in result && !("value" in result);

/** A signal that fires with any of these, until it is released: theirs may live as long as the program. */
function linked(...signals: (AbortSignal | undefined)[]) {
  const controller = new AbortController();
  const releases = signals.flatMap((signal) => {
    if (signal === undefined) return [];
    const onAbort = () => controller.abort(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    return () => signal.removeEventListener("abort", onAbort);
  });
  return {
    signal: controller.signal,
    abort: (reason: unknown) => controller.abort(reason),
    release() {
      for (const one of releases) one();
    },
  };
}

/** A signal that also fires after `timeoutMs`, on the given clock. */
function withDeadline(clock: Clock, timeoutMs: number, signal: AbortSignal | undefined) {
  const ends = linked(signal);
  const cancel = clock.after(timeoutMs, () =>
    ends.abort(new TransportError(`no answer within ${timeoutMs} ms`)),
  );
  return {
    signal: ends.signal,
    clear() {
      cancel();
      ends.release();
    },
  };
}
