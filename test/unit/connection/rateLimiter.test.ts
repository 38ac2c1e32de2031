import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type AcquireOptions,
  LIMITER_DEFAULTS,
  LimiterCore,
  type LimiterOptions,
  type Permit,
  RateLimiter,
} from "../../../src/connection/rateLimiter.ts";
import { SlidingWindow } from "../../../src/connection/slidingWindow.ts";
import { RateLimitError } from "../../../src/errors.ts";
import type { RequestPriority } from "../../../src/sync/ports.ts";
import { HandClock, settle } from "./handClock.ts";

/** A limiter on a hand-driven clock, and the requests that were let through, in order. */
function setUp(options: Partial<LimiterOptions> = {}) {
  const clock = new HandClock();
  const limiter = new RateLimiter(clock, { weightPerMinute: 1_000, maxInflight: 100, ...options });
  const started: { name: string; permit: Permit }[] = [];
  const ask = (name: string, priority: RequestPriority, weight: number, more: Partial<AcquireOptions> = {}) =>
    limiter.acquire({ priority, weight, extra: 0, ...more }).then((permit) => {
      started.push({ name, permit });
      return permit;
    });
  const names = () => started.map(({ name }) => name);
  return { clock, limiter, ask, names };
}

describe("SlidingWindow", () => {
  it("counts what was spent for exactly one window", () => {
    const window = new SlidingWindow(10, 60_000);
    window.spend(1_000, 4);
    window.spend(2_000, 3);
    assert.equal(window.used(60_999), 7);
    assert.equal(window.used(61_000), 3);
    assert.equal(window.used(62_000), 0);
  });

  it("knows when enough of it will have passed", () => {
    const window = new SlidingWindow(10, 60_000);
    window.spend(1_000, 4);
    window.spend(2_000, 3);
    assert.equal(window.usedAtMostMs(3_000, 7), 3_000);
    assert.equal(window.usedAtMostMs(3_000, 6), 61_000);
    assert.equal(window.usedAtMostMs(3_000, 0), 62_000);
  });

  it("is not frozen by a clock that was stepped back", () => {
    const window = new SlidingWindow(10, 60_000);
    window.spend(5_000_000, 10);
    assert.equal(window.used(1_000), 10);
    assert.equal(window.used(61_000), 0);
  });
});

describe("the budget", () => {
  it("is what the process has of it from one moment to the next; of nothing, nothing starts", async () => {
    const { clock, limiter, ask, names } = setUp();
    (await ask("a", "heal", 100)).answered(100);
    limiter.setLimit(0);
    void ask("b", "heal", 20);
    await clock.advance(3_600_000);
    assert.deepEqual(names(), ["a"]);
    limiter.setLimit(150);
    await settle();
    assert.deepEqual(names(), ["a", "b"]);
    // More than all of the part: alone.
    void ask("c", "heal", 400);
    await settle();
    assert.deepEqual(names(), ["a", "b"]);
    assert.equal(limiter.stats().weightPerMinute, 150);
    limiter.setLimit(1_000);
    await settle();
    assert.deepEqual(names(), ["a", "b", "c"]);
  });

  it("lets requests through at once while there is budget, and the next when the first is a minute old", async () => {
    const { clock, ask, names } = setUp();
    for (const name of ["a", "b"]) (await ask(name, "heal", 500)).answered(500);
    void ask("c", "heal", 500);
    await clock.advance(60_000);
    assert.deepEqual(names(), ["a", "b"]);
    await clock.advance(1_000);
    assert.deepEqual(names(), ["a", "b", "c"]);
  });

  it("counts a request until a minute after its answer, not after its start", async () => {
    const { clock, ask, names } = setUp();
    const slow = await ask("slow", "heal", 1_000);
    await clock.advance(50_000);
    slow.answered(1_000);
    void ask("next", "heal", 1);
    await clock.advance(60_999);
    assert.deepEqual(names(), ["slow"]);
    await clock.advance(1);
    assert.deepEqual(names(), ["slow", "next"]);
  });

  it("reserves the extra weight of lists before they are asked, and gives back what was not used", async () => {
    const { ask, names, limiter } = setUp();
    const permits = [];
    for (let i = 0; i < 8; i++) permits.push(await ask(`page ${i}`, "heal", 20, { extra: 100 }));
    void ask("page 8", "heal", 20, { extra: 100 });
    await settle();
    assert.equal(names().length, 8, "a ninth could bring the total to 1080");
    assert.equal(limiter.stats().usedLastMinute, 960);
    permits[0]?.answered(21);
    await settle();
    assert.equal(names().length, 9);
    assert.equal(limiter.stats().usedLastMinute, 21 + 8 * 120);
  });

  it("lets a request larger than the whole limit through alone", async () => {
    const { clock, ask, names } = setUp({ weightPerMinute: 50 });
    (await ask("small", "niceToHave", 1)).answered(1);
    void ask("large", "niceToHave", 60);
    await settle();
    assert.deepEqual(names(), ["small"]);
    await clock.advance(61_000);
    assert.deepEqual(names(), ["small", "large"]);
  });

  it("settles each permit once", async () => {
    const { ask, limiter } = setUp();
    const permit = await ask("a", "heal", 10);
    permit.answered(10);
    permit.answered(10);
    permit.refused(10);
    assert.equal(limiter.stats().usedLastMinute, 10);
    assert.equal(limiter.stats().throttled429, 0);
  });
});

describe("priorities", () => {
  it("lets a heal that came last go first", async () => {
    const { clock, ask, names } = setUp();
    (await ask("full", "heal", 1_000)).answered(1_000);
    for (const priority of ["niceToHave", "backfill", "reconcile", "heal"] as const) {
      void ask(priority, priority, 100);
    }
    await clock.advance(61_000);
    assert.deepEqual(names(), ["full", "heal", "reconcile", "backfill", "niceToHave"]);
  });

  it("leaves free what is reserved for heals, until it is given back", async () => {
    const { clock, ask, names, limiter } = setUp();
    const giveBack = limiter.reserve(400);
    for (const name of ["1", "2", "3"])
      void ask(name, "reconcile", 200).then((permit) => permit.answered(200));
    void ask("4", "reconcile", 200);
    await settle();
    assert.deepEqual(names(), ["1", "2", "3"], "a fourth would leave 200");
    (await ask("heal", "heal", 400)).answered(400);
    await clock.advance(61_000);
    assert.deepEqual(names(), ["1", "2", "3", "heal", "4"]);
    for (const name of ["5", "6", "7"]) void ask(name, "reconcile", 200);
    await settle();
    assert.deepEqual(names().slice(5), ["5", "6"]);
    giveBack();
    giveBack();
    await settle();
    assert.deepEqual(names().slice(5), ["5", "6", "7"]);
  });

  it("never reserves so much that later priorities are starved", async () => {
    const { ask, names, limiter } = setUp();
    for (let i = 0; i < 100; i++) limiter.reserve(45);
    for (const name of ["1", "2", "3", "4", "5"]) void ask(name, "niceToHave", 100);
    await settle();
    assert.deepEqual(names(), ["1", "2", "3", "4"]);
  });

  it("keeps the order within a priority", async () => {
    const { clock, ask, names } = setUp();
    (await ask("full", "heal", 1_000)).answered(1_000);
    for (const name of ["1", "2", "3"]) void ask(name, "backfill", 10);
    await clock.advance(61_000);
    assert.deepEqual(names(), ["full", "1", "2", "3"]);
  });

  it("does not let a small backfill pass a large heal that waits", async () => {
    const { clock, ask, names } = setUp();
    const first = await ask("first", "heal", 700);
    await clock.advance(1_000);
    first.answered(700);
    void ask("large heal", "heal", 400);
    void ask("small backfill", "backfill", 1);
    await clock.advance(60_999);
    assert.deepEqual(names(), ["first"]);
    await clock.advance(1);
    assert.deepEqual(names(), ["first", "large heal", "small backfill"]);
  });

  it("leaves a part of the budget free of what can wait: a tenth, a quarter, a half", async () => {
    const spent = async (priority: RequestPriority) => {
      const { ask, names } = setUp();
      for (let i = 0; i < 200; i++) void ask(String(i), priority, 10);
      await settle();
      return names().length * 10;
    };
    assert.equal(await spent("heal"), 1_000);
    assert.equal(await spent("reconcile"), 900);
    assert.equal(await spent("backfill"), 750);
    assert.equal(await spent("niceToHave"), 500);
  });

  it("lets a heal go at once while a backfill has used all that it may", async () => {
    const { ask, names } = setUp();
    for (let i = 0; i < 100; i++) void ask("backfill", "backfill", 120);
    await settle();
    void ask("heal", "heal", 120);
    await settle();
    assert.equal(names().at(-1), "heal");
  });
});

describe("429", () => {
  it("pauses everybody, longer with each that follows, and starts afresh after an answer", async () => {
    const { clock, ask, names, limiter } = setUp({ maxInflight: 8 });
    const pauses: number[] = [];
    for (let i = 0; i < 4; i++) {
      (await ask("refused", "heal", 1)).refused(1);
      void ask("probe", "heal", 1).then((permit) => permit.abandoned(0));
      const before = names().length;
      let waitedMs = 0;
      while (names().length === before) {
        await clock.advance(500);
        waitedMs += 500;
      }
      pauses.push(waitedMs);
    }
    assert.deepEqual(pauses, [2_000, 4_000, 8_000, 16_000]);
    assert.equal(limiter.stats().throttled429, 4);
    (await ask("answered", "heal", 1)).answered(1);
    (await ask("refused", "heal", 1)).refused(1);
    void ask("last", "heal", 1);
    await clock.advance(2_000);
    assert.equal(names().at(-1), "last");
  });

  it("counts those that were in flight together once", async () => {
    const { clock, ask, names } = setUp();
    const permits = await Promise.all([1, 2, 3, 4].map((i) => ask(String(i), "heal", 1)));
    for (const permit of permits) permit.refused(1);
    void ask("next", "heal", 1);
    await clock.advance(2_000);
    assert.equal(names().at(-1), "next");
  });

  it("halves what may be in flight, and gives it back with answers", async () => {
    const { clock, ask, limiter } = setUp({ maxInflight: 8 });
    (await ask("refused", "heal", 1)).refused(1);
    const permits: Permit[] = [];
    for (let i = 0; i < 20; i++) void ask("x", "heal", 1).then((permit) => permits.push(permit));
    await clock.advance(2_000);
    assert.equal(limiter.stats().inflight, 4);
    for (let i = 0; i < 5; i++) {
      permits.shift()?.answered(1);
      await settle();
    }
    assert.equal(limiter.stats().inflight, 5);
  });
});

describe("waiting", () => {
  it("rejects with RateLimitError past the greatest number of waiting requests, per priority", async () => {
    const { ask, limiter, clock } = setUp({ maxWaiting: 3 });
    (await ask("full", "heal", 1_000)).answered(1_000);
    for (let i = 0; i < 3; i++) void ask("waits", "backfill", 10);
    await assert.rejects(ask("too many", "backfill", 10), (error: unknown) => {
      assert.ok(error instanceof RateLimitError);
      assert.ok(error.retryAfterMs >= 1_000);
      return true;
    });
    void ask("heal", "heal", 10);
    assert.equal(limiter.stats().waiting, 4, "backfills do not take a heal's place");
    await clock.advance(61_000);
  });

  it("stops waiting when aborted, and lets the next one go", async () => {
    const { clock, ask, names, limiter } = setUp();
    (await ask("full", "heal", 800)).answered(800);
    const abort = new AbortController();
    const large = ask("large", "heal", 500, { signal: abort.signal });
    void ask("small", "heal", 100);
    await settle();
    assert.deepEqual(names(), ["full"]);
    abort.abort(new Error("enough"));
    await assert.rejects(large, /enough/);
    await settle();
    assert.deepEqual(names(), ["full", "small"]);
    assert.equal(limiter.stats().waiting, 0);
    assert.equal(clock.timers, 0, "nothing is left running");
  });

  it("does not even start when aborted before", async () => {
    const { ask, limiter } = setUp();
    await assert.rejects(ask("never", "heal", 1, { signal: AbortSignal.abort(new Error("gone")) }), /gone/);
    assert.equal(limiter.stats().waiting, 0);
  });

  it("has no timer while nothing waits", async () => {
    const { clock, ask } = setUp();
    (await ask("a", "heal", 1)).answered(1);
    assert.equal(clock.timers, 0);
  });

  it("asks to be woken only for what time alone can bring", () => {
    const core = new LimiterCore({ ...LIMITER_DEFAULTS, weightPerMinute: 100 });
    assert.equal(core.nextMs(0), null);
    core.enqueue("heal", 100);
    const [ticket] = core.admit(0);
    core.enqueue("heal", 100);
    assert.equal(core.nextMs(0), null, "all is held by a request in flight");
    core.settle(ticket!, 10, 100);
    assert.equal(core.nextMs(10), 61_010);
  });
});
