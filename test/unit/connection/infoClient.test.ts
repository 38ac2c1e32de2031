import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { createInfoClient } from "../../../src/connection/infoClient.ts";
import { RateLimiter } from "../../../src/connection/rateLimiter.ts";
import { ProtocolError, RateLimitError, TransportError } from "../../../src/errors.ts";
import { INFO } from "../../../src/protocol/infoRequests.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import type { HttpAnswer, HttpPost } from "../../../src/runtime/net.ts";
import { fill } from "../../support/wires.ts";
import { HandClock, settle } from "./handClock.ts";

const USER = { user: "0x00000000000000000000000000000000000000aa" };
const WINDOW = { ...USER, startTime: 0, aggregateByTime: false } as const;
const HEAL = { priority: "heal" } as const;
const FILL = fill();
const HTML = "<html><head><title>502 Bad Gateway</title></head></html>";

/** What the venue does with each request: an answer, an error, or silence until aborted. */
type Turn = HttpAnswer | Error | "silence";
const ok = (body: unknown): HttpAnswer => ({ status: 200, text: JSON.stringify(body) });

function setUp(
  turns: Turn[],
  options: { maxAttempts?: number; latencyMs?: number; signal?: AbortSignal } = {},
) {
  const clock = new HandClock();
  const limiter = new RateLimiter(clock);
  const asked: { url: string; body: Record<string, unknown>; atMs: number }[] = [];
  const post: HttpPost = async (url, bodyText, signal) => {
    asked.push({ url, body: JSON.parse(bodyText), atMs: clock.now() });
    const turn = turns.shift();
    if (turn === "silence") {
      return new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    }
    if (options.latencyMs !== undefined) await clock.sleep(options.latencyMs);
    if (turn instanceof Error) throw turn;
    assert.ok(turn !== undefined, "the venue was asked more often than expected");
    return turn;
  };
  const info = createInfoClient({
    apiUrl: "https://venue.test/",
    post,
    clock,
    random: { next: () => 0.5 },
    limiter,
    log: silentLog,
    ...options,
  });
  return { clock, limiter, info, asked };
}

/** The outcome of a promise under a clock that moves on by `ms`. */
async function within<T>(clock: HandClock, ms: number, promise: Promise<T>): Promise<T> {
  const outcome = promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  await clock.advance(ms);
  const settled = await Promise.race([outcome, settle().then(() => null)]);
  assert.ok(settled !== null, `not settled within ${ms} ms`);
  if ("error" in settled) throw settled.error;
  return settled.value;
}

describe("a request", () => {
  it("posts its type and parameters to /info and reads the answer", async () => {
    const { info, asked, clock } = setUp([ok([FILL])], { latencyMs: 40 });
    const answer = await within(clock, 1_000, info.request(INFO.userFillsByTime, WINDOW, HEAL));
    assert.equal(asked[0]?.url, "https://venue.test/info");
    assert.deepEqual(asked[0]?.body, { type: "userFillsByTime", ...WINDOW });
    assert.equal(answer.result.rows[0]?.value.oid, FILL.oid);
    assert.equal(answer.receivedAtMs - answer.sentAtMs, 40);
    assert.equal(clock.timers, 0, "its time-out is called off");
  });

  it("takes an empty list for an empty list", async () => {
    const { info } = setUp([ok([])]);
    const { result } = await info.request(INFO.userFillsByTime, WINDOW, HEAL);
    assert.deepEqual(result, { rows: [], unread: [] });
  });

  it("takes one row where a list is usual, but nothing else there, for a list of one", async () => {
    const { info } = setUp([ok(FILL), ok({ error: "no" })], { maxAttempts: 1 });
    const { result } = await info.request(INFO.userFillsByTime, WINDOW, HEAL);
    assert.deepEqual([result.rows.length, result.rows[0]?.value.oid, result.unread], [1, FILL.oid, []]);
    await assert.rejects(info.request(INFO.userFillsByTime, WINDOW, HEAL), /a list was expected/);
  });

  it("keeps the rows that can be read and hands the others back", async () => {
    const { info } = setUp([ok([FILL, { novelty: 1 }])]);
    const { result } = await info.request(INFO.userFillsByTime, WINDOW, HEAL);
    assert.equal(result.rows.length, 1);
    assert.equal(result.unread.length, 1);
  });

  it("weighs what the venue debits: the request, and one per twenty rows", async () => {
    const { info, limiter } = setUp([ok(Array(41).fill(FILL))]);
    const { weight } = await info.request(INFO.userFillsByTime, WINDOW, HEAL);
    assert.equal(weight, 23);
    assert.equal(limiter.stats().usedLastMinute, 23);
  });

  it("is not put off for a minute by an answer longer than any list of the venue", async () => {
    const { info, clock, limiter } = setUp([
      { status: 200, text: `[${"[],".repeat(150_000)}[]]` },
      { status: 200, text: `[${"[],".repeat(300_000)}[]]` },
      ok([FILL]),
      ok([FILL]),
    ]);
    const { weight } = await within(clock, 1, info.request(INFO.userFillsByTime, WINDOW, HEAL));
    assert.ok(weight <= 520, String(weight));
    // With too many values it is not even parsed, and not asked for again.
    const unread = info.request(INFO.userFillsByTime, WINDOW, HEAL);
    await assert.rejects(within(clock, 1, unread), /is not read: more than 400000 values$/);
    assert.equal(limiter.stats().usedLastMinute, weight + INFO.userFillsByTime.weight);
    const next = [1, 2].map(() => info.request(INFO.userFillsByTime, WINDOW, HEAL));
    await within(clock, 1, Promise.all(next));
  });

  it("reserves the weight of a full page while it is under way", async () => {
    const { info, limiter, clock } = setUp([ok([])], { latencyMs: 100 });
    const answer = info.request(INFO.userFillsByTime, WINDOW, HEAL);
    await settle();
    assert.equal(limiter.stats().usedLastMinute, 120);
    await within(clock, 100, answer);
    assert.equal(limiter.stats().usedLastMinute, 20);
  });
});

describe("a venue that does not answer", () => {
  const gone = () => new Error("other side closed");

  it("is asked a cheap question first, one for all who want something at the same time", async () => {
    const { info, asked, clock, limiter } = setUp([
      gone(),
      gone(),
      gone(),
      gone(),
      ok({ time: 1_790_000_000_005 }),
      ok([FILL]),
      ok([]),
    ]);
    const first = info.request(INFO.userFillsByTime, WINDOW, HEAL);
    const second = info.request(INFO.userFunding, { ...USER, startTime: 0 }, HEAL);
    await within(clock, 60_000, Promise.all([first, second]));
    const types = asked.map(({ body }) => body.type);
    assert.deepEqual(
      types.slice(3),
      ["exchangeStatus", "exchangeStatus", "userFillsByTime", "userFunding"].slice(0),
    );
    // Three lost answers count in full, the questions and the answers as they are.
    assert.ok(limiter.stats().usedLastMinute <= 3 * 120 + 2 * 2 + 100 + 21 + 20);
  });

  it("is an error after as many attempts as ever, and costs next to nothing meanwhile", async () => {
    const { info, asked, clock, limiter } = setUp(Array(40).fill(gone()));
    const requests = Array.from({ length: 6 }, () => info.request(INFO.userFillsByTime, WINDOW, HEAL));
    const outcomes = within(clock, 60_000, Promise.allSettled(requests));
    for (const { status } of await outcomes) assert.equal(status, "rejected");
    assert.equal(asked.filter(({ body }) => body.type === "userFillsByTime").length, 6);
    assert.equal(asked.length, 6 + 6 * 4);
    assert.equal(limiter.stats().usedLastMinute, 6 * 120 + 6 * 4 * 2);
  });

  it("leaves no question behind when who asked has gone", async () => {
    const { info, asked, clock } = setUp([gone(), gone(), gone(), "silence"]);
    const abort = new AbortController();
    const answer = info.request(INFO.userFillsByTime, WINDOW, { ...HEAL, signal: abort.signal });
    const ended = assert.rejects(answer, (error) => error === reason);
    const reason = new Error("enough");
    await clock.advance(10_000);
    assert.equal(asked.at(-1)?.body.type, "exchangeStatus");
    abort.abort(reason);
    await ended;
    await settle();
    assert.equal(clock.timers, 0, "the question was given up with it");
    await clock.advance(20_000);
    assert.equal(clock.timers, 0);
  });
});

describe("an answer that is no answer", () => {
  const cases: [string, Turn][] = [
    ["502 with html", { status: 502, text: HTML }],
    ["500 null, as for an unknown coin", { status: 500, text: "null" }],
    ["200 with html", { status: 200, text: HTML }],
    ["truncated JSON", { status: 200, text: '[{"coin":"BTC","px":"1' }],
    ["an empty body", { status: 200, text: "" }],
    ["a reset connection", new TypeError("fetch failed", { cause: new Error("read ECONNRESET") })],
  ];
  for (const [name, turn] of cases) {
    it(`is asked again after ${name}, and the next answer counts`, async () => {
      const { info, asked, clock } = setUp([turn, ok([FILL])]);
      const answer = await within(clock, 60_000, info.request(INFO.userFillsByTime, WINDOW, HEAL));
      assert.equal(answer.result.rows.length, 1);
      assert.equal(asked.length, 2);
      assert.equal(answer.sentAtMs, asked[1]?.atMs, "the time is that of the attempt that was answered");
    });

    it(`is an error, never an empty list, when all there is is ${name}`, async () => {
      const { info, asked, clock } = setUp(Array(5).fill(turn));
      const answer = within(clock, 120_000, info.request(INFO.userFillsByTime, WINDOW, HEAL));
      await assert.rejects(answer, (error: unknown) => error instanceof TransportError);
      assert.equal(asked.length, 5);
    });
  }

  it("waits longer after each failure, with jitter", async () => {
    const { info, asked, clock } = setUp(Array(5).fill({ status: 503, text: "" }));
    await assert.rejects(within(clock, 60_000, info.request(INFO.meta, { dex: "" }, HEAL)));
    const waits = asked.slice(1).map(({ atMs }, i) => atMs - (asked[i]?.atMs ?? 0));
    assert.deepEqual(waits, [250, 500, 1_000, 2_000]);
  });

  it("tells what lay behind 'fetch failed'", async () => {
    const reset = new TypeError("fetch failed", { cause: new Error("read ECONNRESET") });
    const { info } = setUp([reset], { maxAttempts: 1 });
    await assert.rejects(
      info.request(INFO.meta, { dex: "" }, HEAL),
      /no answer from \S+ to the request meta: read ECONNRESET$/,
    );
  });

  it("gives up an attempt after its time-out and asks again", async () => {
    const { info, asked, clock } = setUp(["silence", ok([])]);
    const answer = info.request(INFO.userFillsByTime, WINDOW, { ...HEAL, timeoutMs: 3_000 });
    await within(clock, 3_250, answer);
    assert.equal((asked[1]?.atMs ?? 0) - (asked[0]?.atMs ?? 0), 3_250);
  });

  it("counts a request whose outcome is unknown as if it had been served in full", async () => {
    const { info, limiter, clock } = setUp(["silence"], { maxAttempts: 1 });
    await assert.rejects(
      within(clock, 15_000, info.request(INFO.userFillsByTime, WINDOW, HEAL)),
      /no answer within 15000 ms/,
    );
    assert.equal(limiter.stats().usedLastMinute, 120);
  });
});

describe("429", () => {
  const BUSY: HttpAnswer = { status: 429, text: "null" };

  it("waits for the limiter's pause and asks again", async () => {
    const { info, asked, clock, limiter } = setUp([BUSY, BUSY, ok([])]);
    await within(clock, 10_000, info.request(INFO.userFillsByTime, WINDOW, HEAL));
    const waits = asked.slice(1).map(({ atMs }, i) => atMs - (asked[i]?.atMs ?? 0));
    assert.deepEqual(waits, [2_000, 4_000]);
    assert.equal(limiter.stats().throttled429, 2);
  });

  it("is a RateLimitError in the end, once what others have spent must be over", async () => {
    const { info, clock, asked } = setUp(Array(20).fill(BUSY));
    await assert.rejects(
      within(clock, 200_000, info.request(INFO.userFillsByTime, WINDOW, HEAL)),
      (error: unknown) => error instanceof RateLimitError && error.retryAfterMs > 0,
    );
    assert.ok(asked.at(-1)!.atMs - asked[0]!.atMs >= 60_000, "the venue counts by the minute");
  });
});

describe("what asking again cannot help", () => {
  it("is a ProtocolError with the text after 422, at once", async () => {
    const text = "Failed to deserialize the JSON body into the target type";
    const { info, asked } = setUp([{ status: 422, text }]);
    await assert.rejects(
      info.request(INFO.userFillsByTime, WINDOW, HEAL),
      (error: unknown) => error instanceof ProtocolError && error.raw === text,
    );
    assert.equal(asked.length, 1);
  });

  it("is a ProtocolError with the raw answer where it does not fit", async () => {
    for (const body of [null, { rows: [] }, "text"]) {
      const { info, asked } = setUp([ok(body)]);
      await assert.rejects(
        info.request(INFO.userFillsByTime, WINDOW, HEAL),
        (error: unknown) => error instanceof ProtocolError && isDeepStrictEqual(error.raw, body),
      );
      assert.equal(asked.length, 1);
    }
  });

  it("is a TransportError with its status after any other 4xx, at once", async () => {
    const { info, asked } = setUp([{ status: 404, text: "not found" }]);
    await assert.rejects(
      info.request(INFO.userFillsByTime, WINDOW, HEAL),
      (error: unknown) => error instanceof TransportError && error.status === 404,
    );
    assert.equal(asked.length, 1);
  });
});

describe("abort", () => {
  const reason = new Error("stopping");

  it("ends a request under way with the signal's reason", async () => {
    const { info, asked } = setUp(["silence"]);
    const abort = new AbortController();
    const answer = info.request(INFO.meta, { dex: "" }, { ...HEAL, signal: abort.signal });
    await settle();
    assert.equal(asked.length, 1);
    abort.abort(reason);
    await assert.rejects(answer, (error) => error === reason);
  });

  it("ends the wait before the next attempt", async () => {
    const { info, asked, clock } = setUp([{ status: 500, text: "null" }]);
    const abort = new AbortController();
    const answer = info.request(INFO.meta, { dex: "" }, { ...HEAL, signal: abort.signal });
    await settle();
    abort.abort(reason);
    await assert.rejects(answer, (error) => error === reason);
    await clock.advance(60_000);
    assert.equal(asked.length, 1);
    assert.equal(clock.timers, 0, "no timer is left");
  });

  it("gives the place back when it comes between the leave and the request", async () => {
    const { info, asked, limiter } = setUp([]);
    const abort = new AbortController();
    const answer = info.request(INFO.meta, { dex: "" }, { ...HEAL, signal: abort.signal });
    abort.abort(reason);
    await assert.rejects(answer, (error) => error === reason);
    assert.equal(asked.length, 0);
    assert.equal(limiter.stats().inflight, 0);
  });

  it("is not mistaken for a failure of the last attempt", async () => {
    const { info } = setUp(["silence"], { maxAttempts: 1 });
    const abort = new AbortController();
    const answer = info.request(INFO.meta, { dex: "" }, { ...HEAL, signal: abort.signal });
    await settle();
    abort.abort(reason);
    await assert.rejects(answer, (error) => error === reason);
  });

  it("may be the program's own: every wait ends with it, for weight, for an answer and for the next attempt", async () => {
    const stopping = new AbortController();
    const { clock, limiter, info } = setUp(["silence", { status: 502, text: HTML }, "silence"], {
      signal: stopping.signal,
    });
    const answers = [
      info.request(INFO.exchangeStatus, {}, HEAL),
      info.request(INFO.exchangeStatus, {}, HEAL),
      info.request(INFO.exchangeStatus, {}, { ...HEAL, signal: new AbortController().signal }),
      ...Array.from({ length: 30 }, () => info.request(INFO.allMids, { dex: "" }, { priority: "backfill" })),
    ];
    await settle();
    stopping.abort(new Error("stopped"));
    for (const outcome of await Promise.allSettled(answers))
      assert.equal(outcome.status === "rejected" && outcome.reason.message, "stopped");
    assert.equal(limiter.stats().waiting, 0);
    assert.equal(limiter.stats().inflight, 0);
    assert.equal(clock.timers, 0);
    await assert.rejects(info.request(INFO.exchangeStatus, {}, HEAL), /stopped/);
  });

  it("asks nothing when it comes first, and takes nothing from the budget", async () => {
    const { info, asked, limiter } = setUp([]);
    const answer = info.request(INFO.meta, { dex: "" }, { ...HEAL, signal: AbortSignal.abort(reason) });
    await assert.rejects(answer, (error) => error === reason);
    assert.equal(asked.length, 0);
    assert.equal(limiter.stats().usedLastMinute, 0);
  });
});

describe("the venue's clock", () => {
  it("is known after exchangeStatus was answered, to half the round trip", async () => {
    const turns: Turn[] = [];
    const { info, clock } = setUp(turns, { latencyMs: 80 });
    assert.equal(info.clockOffset(), null);
    turns.push(ok({ time: clock.now() + 40 + 1_500, specialStatuses: null }));
    await within(clock, 80, info.request(INFO.exchangeStatus, {}, HEAL));
    assert.deepEqual(info.clockOffset(), { offsetMs: 1_500, uncertaintyMs: 40, measuredAtMs: clock.now() });
  });
});

const says = (expected: RegExp) => (error: unknown) => {
  assert.match((error as Error).message, expected);
  return true;
};

describe("an error's message", () => {
  const cases: [string, Turn[], RegExp][] = [
    [
      "after 422",
      [{ status: 422, text: "Failed to deserialize" }],
      /^venue\.test refuses the request meta as malformed \(HTTP 422\): Failed/,
    ],
    ["after 404", [{ status: 404, text: "gone" }], /^HTTP 404 from venue\.test to the request meta: gone$/],
    ["of another shape", [ok("?")], /^the answer of venue\.test to the request meta does not fit: /],
    [
      "without JSON",
      [{ status: 200, text: "<p>" }],
      /^the answer of venue\.test to the request meta is not JSON/,
    ],
    [
      "without end",
      [{ status: 200, text: "[".repeat(20_000) }],
      /^the answer of venue\.test to the request meta is not read: too deep$/,
    ],
    ["after 429", [{ status: 429, text: "null" }], /^venue\.test answers 429 .* to the request meta$/],
    ["without answer", [new Error("reset")], /^no answer from venue\.test to the request meta: reset$/],
  ];
  for (const [what, turns, expected] of cases) {
    it(`names the endpoint and the request, in words: ${what}`, async () => {
      const { info } = setUp(turns, { maxAttempts: 1 });
      await assert.rejects(info.request(INFO.meta, { dex: "" }, HEAL), says(expected));
    });
  }

  it("names the endpoint and the request, in words: not even sent", async () => {
    const { info, clock } = setUp(Array.from({ length: 20 }, () => new Error("connect ECONNREFUSED")));
    const ask = () => within(clock, 60_000, info.request(INFO.perpDexs, {}, HEAL));
    await assert.rejects(ask());
    await assert.rejects(
      ask(),
      says(/^venue\.test does not answer \(connect ECONNREFUSED\): the request perpDexs was not sent$/),
    );
  });
});
