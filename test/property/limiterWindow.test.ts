/** The limiter against a venue that counts for itself, at a time of its own choosing between sending and answer. */
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { LIMITER_DEFAULTS, LimiterCore, PRIORITIES, type Ticket } from "../../src/connection/rateLimiter.ts";
import type { RequestPriority } from "../../src/sync/ports.ts";

const LIMIT = 1_200;
const OPTIONS = {
  weightPerMinute: LIMIT,
  shares: LIMITER_DEFAULTS.shares,
  maxInflight: 16,
  maxWaiting: 1_000,
  firstPauseMs: 2_000,
  maxPauseMs: 60_000,
};
const SHARE = { heal: 1, reconcile: 0.9, backfill: 0.75, niceToHave: 0.5 };

interface Ask {
  /** Milliseconds after the one before. */
  afterMs: number;
  priority: RequestPriority;
  weight: number;
  /** Reserved; the answer costs `used` of it. */
  extra: number;
  used: number;
  latencyMs: number;
  /** Where between sending and answer the venue debits, 0 to 1. */
  debitedAt: number;
  is429: boolean;
}

const ask = fc
  .record({
    afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5_000 })),
    priority: fc.constantFrom(...PRIORITIES),
    weight: fc.constantFrom(2, 20, 60),
    extra: fc.constantFrom(0, 100),
    used: fc.integer({ min: 0, max: 100 }),
    latencyMs: fc.oneof(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 30_000 })),
    debitedAt: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })),
    is429: fc.constant(false),
  })
  .map((drawn): Ask => ({ ...drawn, used: Math.min(drawn.used, drawn.extra) }));

interface Run {
  asks: Ask[];
  starts: { ask: Ask; askedMs: number; startMs: number; waitingBefore: RequestPriority[] }[];
  debits: { atMs: number; weight: number }[];
}

/** Plays the asks in virtual time until all are answered. */
function play(asks: Ask[]): Run {
  const core = new LimiterCore(OPTIONS);
  const run: Run = { asks, starts: [], debits: [] };
  const waiting = new Map<Ticket, { ask: Ask; askedMs: number }>();
  const inflight: { ticket: Ticket; ask: Ask; answerMs: number }[] = [];
  let arrivalMs = 0;
  const arrivals = asks.map((item) => {
    arrivalMs += item.afterMs;
    return { ask: item, atMs: arrivalMs };
  });
  let nowMs = 0;
  for (let turns = 0; turns < 100_000; turns++) {
    while (arrivals[0] !== undefined && arrivals[0].atMs <= nowMs) {
      const arrival = arrivals.shift()!;
      const ticket = core.enqueue(arrival.ask.priority, arrival.ask.weight + arrival.ask.extra);
      assert.ok(ticket !== null);
      waiting.set(ticket, { ask: arrival.ask, askedMs: nowMs });
    }
    for (const done of inflight.splice(0)) {
      if (done.answerMs > nowMs) inflight.push(done);
      else {
        core.settle(done.ticket, nowMs, done.ask.weight + done.ask.used);
        if (done.ask.is429) core.refused(done.ticket, nowMs);
        else core.accepted(done.ticket);
      }
    }
    for (const ticket of core.admit(nowMs)) {
      const entry = waiting.get(ticket)!;
      waiting.delete(ticket);
      const waitingBefore = [...waiting.values()].map(({ ask: { priority } }) => priority);
      run.starts.push({ ...entry, startMs: nowMs, waitingBefore });
      const { latencyMs, debitedAt, weight, used } = entry.ask;
      run.debits.push({ atMs: nowMs + latencyMs * debitedAt, weight: weight + used });
      inflight.push({ ticket, ask: entry.ask, answerMs: nowMs + latencyMs });
    }
    const next = [arrivals[0]?.atMs, core.nextMs(nowMs), ...inflight.map(({ answerMs }) => answerMs)].filter(
      (atMs) => atMs !== undefined && atMs !== null,
    );
    if (next.length === 0) return run;
    // Even when due now, an answer at this very moment is handled by the next turn.
    nowMs = Math.max(nowMs, Math.min(...next));
  }
  throw new Error("the limiter keeps asking to be woken without anything happening");
}

const check = (property: fc.IProperty<[Ask[]]>) => fc.assert(property, { numRuns: 150, verbose: 1 });

it("never lets the venue count more than the limit in any 60 seconds, whenever it debits", () => {
  check(
    fc.property(fc.array(ask, { minLength: 60, maxLength: 150 }), (asks) => {
      // Heals alone, in a hurry: only they may use all of the limit.
      const rush = asks.map((item): Ask => ({ ...item, priority: "heal", afterMs: item.afterMs / 10 }));
      const { debits } = play(rush);
      debits.sort((a, b) => a.atMs - b.atMs);
      let used = 0;
      let first = 0;
      for (const debit of debits) {
        used += debit.weight;
        while (debits[first]!.atMs <= debit.atMs - 60_000) used -= debits[first++]!.weight;
        assert.ok(used <= LIMIT, `${used} in the minute before ${debit.atMs}`);
      }
    }),
  );
});

it("lets every request go in the end, and nothing of a later priority while an earlier one waits", () => {
  check(
    fc.property(fc.array(ask, { minLength: 1, maxLength: 150 }), (asks) => {
      const { starts } = play(asks);
      assert.equal(starts.length, asks.length);
      for (const { ask: started, waitingBefore } of starts) {
        const earlier = PRIORITIES.slice(0, PRIORITIES.indexOf(started.priority));
        assert.ok(!waitingBefore.some((priority) => earlier.includes(priority as never)));
      }
    }),
  );
});

it("makes nobody wait while there is budget for its priority and a place in flight", () => {
  check(
    fc.property(fc.array(ask, { minLength: 1, maxLength: 40 }), (asks) => {
      // So light that nothing ever has to wait: each asks when the one before is answered and its weight forgotten.
      const light = asks.map((item) => ({ ...item, afterMs: item.latencyMs + 61_000 + 30_000 }));
      for (const { askedMs, startMs } of play(light).starts) assert.equal(startMs, askedMs);
    }),
  );
});

it("keeps a heal's wait at zero under any backfill load that its own weight allows", () => {
  check(
    fc.property(fc.array(ask, { minLength: 30, maxLength: 150 }), (asks) => {
      const quick = { latencyMs: 0, afterMs: 0 };
      const load = asks.map((item): Ask => ({ ...item, ...quick, priority: "backfill" }));
      const heal: Ask = { ...load[0]!, priority: "heal", weight: 20, extra: 100, used: 100 };
      // The backfill may hold 75 %; the last quarter (300) has room for two heals of 120.
      const { starts } = play([...load, heal, heal]);
      const heals = starts.filter(({ ask: { priority } }) => priority === "heal");
      for (const { askedMs, startMs } of heals) assert.equal(startMs, askedMs);
      const spent = starts
        .filter(({ startMs }) => startMs === 0)
        .reduce((sum, { ask: a }) => sum + a.weight + a.used, 0);
      assert.ok(spent <= LIMIT * SHARE.backfill + 240);
    }),
  );
});

it("goes on after any pattern of 429s, and never beyond the limit", () => {
  const refusable = fc.tuple(ask, fc.boolean()).map(([item, is429]): Ask => ({ ...item, is429 }));
  check(
    fc.property(fc.array(refusable, { minLength: 1, maxLength: 80 }), (asks) => {
      assert.equal(play(asks).starts.length, asks.length);
    }),
  );
});
