/** The machine of a lane under any order of events. What was lost is known here; the machine must not claim it. */
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import {
  initial,
  type LaneCommand,
  type LaneEvent,
  type LaneState,
  step,
} from "../../src/sync/lane/machine.ts";

const T = 1_790_000_000_000;
const TIMES = { intervalMs: 300_000, pollMs: 15_000, confirmMs: 2_500, streamedMs: 10_000 };
const RUNS = 2_000;

/** A moment of a drawn life: what happens, and how the clocks have moved since the one before. */
interface Moment {
  type: LaneEvent["type"];
  /** Of our clock, which may be set back. */
  clockMs: number;
  /** Of the venue's. */
  venueMs: number;
  isTrue: boolean;
}

const TYPES: LaneEvent["type"][] = [
  "connected",
  "disconnected",
  "cut",
  "dropped",
  "told",
  "holdOver",
  "tick",
  "catchUpBegun",
  "streamRead",
  "caughtUp",
  "catchUpFailed",
  "confirmed",
  "stop",
];
const moment: fc.Arbitrary<Moment> = fc.record({
  type: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("told" as const, "tick" as const) },
    { weight: 4, arbitrary: fc.constantFrom(...TYPES) },
  ),
  clockMs: fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: -3_600_000, max: 3_600_000 })),
  venueMs: fc.oneof(fc.constantFrom(0, 1), fc.integer({ min: 0, max: 5_000 })),
  isTrue: fc.boolean(),
});
const lives = fc.array(moment, { maxLength: 60 });

/** One lane, with what an observer knows of it. */
class Life {
  state: LaneState = initial(T, TIMES);
  nowMs = T;
  /** The venue's time now, and as the last frame told it. */
  venueMs = 1_000_000;
  toldMs = 0;
  reserved = false;
  readonly commands: LaneCommand[] = [];
  readonly claims: { fromMs: number; toMs: number }[] = [];
  /** Both ends inclusive: a frame was lost, or there was no connection, between two times that were told. */
  readonly losses: { fromMs: number; toMs: number }[] = [];
  #lostSinceMs: number | null = 0;

  constructor() {
    this.tell({ type: "start" });
  }

  live({ type, clockMs, venueMs, isTrue }: Moment): void {
    this.nowMs += clockMs;
    this.venueMs += venueMs;
    const { nowMs } = this;
    const now = { nowMs, venueMs: this.toldMs };
    if (type === "connected" || type === "disconnected" || type === "dropped")
      this.#lostSinceMs ??= this.toldMs;
    if (type === "told") this.#hear();
    const events: Record<LaneEvent["type"], LaneEvent> = {
      start: { type: "start" },
      connected: { type: "connected", ...now, isOver: isTrue },
      disconnected: { type: "disconnected", nowMs },
      cut: { type: "cut" },
      dropped: { type: "dropped", ...now },
      told: { type: "told", venueMs: this.venueMs },
      holdOver: { type: "holdOver" },
      tick: { type: "tick", nowMs, isDrained: isTrue },
      catchUpBegun: { type: "catchUpBegun" },
      streamRead: { type: "streamRead", purpose: isTrue ? "heal" : "poll", stream: "fills", nowMs },
      caughtUp: { type: "caughtUp", nowMs },
      catchUpFailed: { type: "catchUpFailed", nowMs, error: "no answer" },
      confirmed: { type: "confirmed", due: this.state.confirmDue },
      stop: { type: "stop" },
      ended: { type: "ended" },
      failed: { type: "failed" },
    };
    this.tell(events[type]);
  }

  /** While there is no connection, what is lost goes on being lost. */
  #hear(): void {
    this.toldMs = this.venueMs;
    const { phase } = this.state;
    const isWatched = phase === "catching_up" || phase === "live";
    if (!isWatched) this.#lostSinceMs ??= this.toldMs;
    else if (this.#lostSinceMs !== null) {
      this.losses.push({ fromMs: this.#lostSinceMs, toMs: this.toldMs });
      this.#lostSinceMs = null;
    }
  }

  tell(event: LaneEvent): LaneCommand[] {
    const isInOrder = ["connected", "disconnected", "dropped", "tick", "ended"].includes(event.type);
    const wasHeld = this.state.isHeld;
    const { state, commands } = step(this.state, event, TIMES);
    this.state = state;
    for (const command of commands) {
      if (command.type === "expectHeal") this.reserved = true;
      if (command.type === "endHeal") this.reserved = false;
      if (command.type === "write" || command.type === "hold")
        assert.ok(isInOrder, `${event.type} takes no time`);
      if (command.type === "write" && command.watched) this.claims.push(command.watched);
    }
    const ends = commands.filter(({ type }) => type === "release").length;
    const begins = commands.filter(({ type }) => type === "hold").length;
    assert.equal(Number(wasHeld) + begins - ends, Number(state.isHeld), "each hold is released once");
    this.commands.push(...commands);
    return [...commands];
  }

  stop(): void {
    this.tell({ type: "stop" });
    this.tell({ type: "ended" });
  }
}

const live = (moments: readonly Moment[]): Life => {
  const life = new Life();
  for (const one of moments) life.live(one);
  return life;
};

it("never claims a time across a loss, nor claims a time twice", () => {
  fc.assert(
    fc.property(lives, (moments) => {
      const life = live(moments);
      life.stop();
      for (const claim of life.claims) {
        assert.ok(claim.fromMs <= claim.toMs && claim.toMs < life.venueMs);
        for (const loss of life.losses)
          assert.ok(claim.toMs < loss.fromMs || claim.fromMs > loss.toMs, JSON.stringify({ claim, loss }));
      }
      for (const [index, claim] of life.claims.entries())
        for (const other of life.claims.slice(index + 1)) assert.ok(other.fromMs > claim.toMs);
    }),
    { numRuns: RUNS },
  );
});

it("after stop begins, holds back and reserves nothing, and ends", () => {
  const endless = fc.constantFrom("ended" as const, "failed" as const);
  fc.assert(
    fc.property(lives, lives, endless, (before, between, end) => {
      const life = live(before);
      life.tell({ type: "stop" });
      assert.ok(!life.reserved && !life.state.isHeld);
      const told = life.commands.length;
      for (const one of between) life.live(one);
      life.tell({ type: end });
      for (const { type } of life.commands.slice(told)) assert.equal(type, "write");
      assert.deepEqual([life.state.phase, life.reserved, life.state.isHeld], ["stopped", false, false]);
      const silent = life.commands.length;
      for (const one of before) life.live(one);
      assert.equal(life.commands.length, silent);
      assert.equal(life.state.phase, "stopped");
    }),
    { numRuns: RUNS },
  );
});

it("a lane that dies gives back what it reserved", () => {
  fc.assert(
    fc.property(lives, (moments) => {
      const life = live(moments);
      life.tell({ type: "failed" });
      assert.deepEqual([life.state.phase, life.reserved, life.state.isHeld], ["stopped", false, false]);
    }),
    { numRuns: RUNS },
  );
});

it("whatever happened, asks for a catch-up within its pace, by a heal while something is lost", () => {
  const going = lives.map((moments) => moments.filter(({ type }) => type !== "stop"));
  fc.assert(
    fc.property(going, fc.boolean(), (moments, isDrained) => {
      const life = live(moments);
      const { nowMs } = life;
      if (life.state.isCatchingUp) life.tell({ type: "catchUpFailed", nowMs, error: "no answer" });
      const { phase } = life.state;
      const paceMs = phase === "live" ? TIMES.intervalMs : TIMES.pollMs;
      // The first tick notices a clock that was set back.
      const ticks = [nowMs, nowMs + paceMs].map((atMs) =>
        life.tell({ type: "tick", nowMs: atMs, isDrained }).filter(({ type }) => type === "catchUp"),
      );
      const purpose = phase === "live" ? "reconcile" : phase === "catching_up" ? "heal" : "poll";
      assert.deepEqual(ticks.flat().at(-1), { type: "catchUp", purpose, isAnew: false });
      // One that began after the last loss ends it.
      life.tell({ type: "catchUpBegun" });
      life.tell({ type: "caughtUp", nowMs: nowMs + paceMs });
      assert.equal(life.state.phase, phase === "catching_up" ? "live" : phase);
    }),
    { numRuns: RUNS },
  );
});
