import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  initial,
  type LaneCommand,
  type LaneEvent,
  type LaneState,
  type Step,
  step,
} from "../../../../src/sync/lane/machine.ts";

const T = 1_790_000_000_000;
/** The venue's clock. */
const V = 1_000_000;
const TIMES = { intervalMs: 300_000, pollMs: 15_000, confirmMs: 2_500, streamedMs: 10_000 };

const EVENTS: { [K in LaneEvent["type"]]: LaneEvent & { type: K } } = {
  start: { type: "start" },
  connected: { type: "connected", nowMs: T, venueMs: V, isOver: false },
  disconnected: { type: "disconnected", nowMs: T },
  cut: { type: "cut" },
  dropped: { type: "dropped", nowMs: T, venueMs: V },
  told: { type: "told", venueMs: V + 900 },
  holdOver: { type: "holdOver" },
  tick: { type: "tick", nowMs: T + 15_000, isDrained: true },
  catchUpBegun: { type: "catchUpBegun" },
  streamRead: { type: "streamRead", purpose: "heal", stream: "fills", nowMs: T },
  caughtUp: { type: "caughtUp", nowMs: T },
  catchUpFailed: { type: "catchUpFailed", nowMs: T, error: "no answer" },
  confirmed: { type: "confirmed", due: new Map() },
  stop: { type: "stop" },
  ended: { type: "ended" },
  failed: { type: "failed" },
};
const told = (venueMs: number): LaneEvent => ({ type: "told", venueMs });
const tickAt = (nowMs: number): LaneEvent => ({ type: "tick", nowMs, isDrained: true });

const after = (state: LaneState, ...events: LaneEvent[]): LaneState =>
  events.reduce((now, event) => step(now, event, TIMES).state, state);

const { connected, catchUpBegun, caughtUp, catchUpFailed, dropped, disconnected, stop } = EVENTS;
const connecting = initial(T, TIMES);
const held = after(connecting, connected, catchUpBegun);
const live = after(held, caughtUp, told(V + 100), told(V + 200));
const STATES = {
  connecting,
  held,
  behind: after(held, catchUpFailed),
  live,
  reconciling: after(live, catchUpBegun),
  lossy: after(live, catchUpBegun, dropped),
  disconnected: after(live, disconnected),
  stopping: after(live, stop),
  stopped: after(live, stop, EVENTS.ended),
} as const satisfies Record<string, LaneState>;

function words(command: LaneCommand): string {
  switch (command.type) {
    case "catchUp":
      return command.isAnew ? `${command.purpose} anew` : command.purpose;
    case "confirm":
      return `confirm ${[...command.due.keys()].join("+")}`;
    case "repair":
      return command.withOrders ? "repair" : "repair fills";
    case "write":
      if (command.watched === null) return "write";
      return `write ${command.watched.fromMs - V}…${command.watched.toMs - V}`;
    default:
      return command.type;
  }
}

/** `phase and what else is so: commands`. */
function sentence({ state, commands }: Step): string {
  const { phase, isHeld, isCatchingUp, hasLoss } = state;
  const flags = [isHeld && "held", isCatchingUp && "running", hasLoss && "loss"].filter(Boolean);
  const what = commands.map(words).join(", ");
  return [phase, ...flags].join(" ") + (what === "" ? "" : `: ${what}`);
}

/** Every state and every event: a missing cell does not compile. */
const TABLE: Record<keyof typeof STATES, Record<LaneEvent["type"], string>> = {
  connecting: {
    start: "connecting: expectHeal",
    connected: "catching_up held: heal anew, hold",
    disconnected: "disconnected: expectHeal",
    cut: "connecting",
    dropped: "connecting",
    told: "connecting",
    holdOver: "connecting",
    tick: "connecting: repair, poll, write",
    catchUpBegun: "connecting running",
    streamRead: "connecting",
    caughtUp: "connecting",
    catchUpFailed: "connecting",
    confirmed: "connecting",
    stop: "stopping: endHeal",
    ended: "stopped: endHeal",
    failed: "stopped: endHeal",
  },
  held: {
    start: "catching_up held running: expectHeal",
    connected: "catching_up held: release, heal anew, hold",
    disconnected: "disconnected running: release, expectHeal",
    cut: "catching_up running: release",
    dropped: "catching_up held running loss",
    told: "catching_up held running",
    holdOver: "catching_up running: release",
    tick: "catching_up held running: repair fills, write",
    catchUpBegun: "catching_up held running",
    streamRead: "catching_up held running",
    caughtUp: "live: release",
    catchUpFailed: "catching_up: release",
    confirmed: "catching_up held running",
    stop: "stopping running: release, endHeal",
    ended: "stopped running: release, endHeal",
    failed: "stopped running: release, endHeal",
  },
  behind: {
    start: "catching_up: expectHeal",
    connected: "catching_up held: heal anew, hold",
    disconnected: "disconnected: expectHeal",
    cut: "catching_up",
    dropped: "catching_up loss",
    told: "catching_up",
    holdOver: "catching_up",
    tick: "catching_up: repair, heal, write",
    catchUpBegun: "catching_up running",
    streamRead: "catching_up",
    caughtUp: "live",
    catchUpFailed: "catching_up",
    confirmed: "catching_up",
    stop: "stopping: endHeal",
    ended: "stopped: endHeal",
    failed: "stopped: endHeal",
  },
  live: {
    start: "live: expectHeal",
    connected: "catching_up held: heal anew, write 101…199, hold",
    disconnected: "disconnected: expectHeal, write 101…199",
    cut: "live",
    dropped: "catching_up loss: write 101…199",
    told: "live",
    holdOver: "live",
    tick: "live: repair, backfill, write 101…199",
    catchUpBegun: "live running",
    streamRead: "live",
    caughtUp: "live",
    catchUpFailed: "live",
    confirmed: "live",
    stop: "stopping: endHeal",
    ended: "stopped: endHeal, write 101…199",
    failed: "stopped: endHeal",
  },
  reconciling: {
    start: "live running: expectHeal",
    connected: "catching_up held: heal anew, write 101…199, hold",
    disconnected: "disconnected running: expectHeal, write 101…199",
    cut: "live running",
    dropped: "catching_up running loss: write 101…199",
    told: "live running",
    holdOver: "live running",
    tick: "live running: repair fills, backfill, write 101…199",
    catchUpBegun: "live running",
    streamRead: "live running",
    caughtUp: "live",
    catchUpFailed: "live",
    confirmed: "live running",
    stop: "stopping running: endHeal",
    ended: "stopped running: endHeal, write 101…199",
    failed: "stopped running: endHeal",
  },
  lossy: {
    start: "catching_up running loss: expectHeal",
    connected: "catching_up held loss: heal anew, hold",
    disconnected: "disconnected running loss: expectHeal",
    cut: "catching_up running loss",
    dropped: "catching_up running loss",
    told: "catching_up running loss",
    holdOver: "catching_up running loss",
    tick: "catching_up running loss: repair fills, write",
    catchUpBegun: "catching_up running",
    streamRead: "catching_up running loss",
    caughtUp: "catching_up loss",
    catchUpFailed: "catching_up loss",
    confirmed: "catching_up running loss",
    stop: "stopping running loss: endHeal",
    ended: "stopped running loss: endHeal",
    failed: "stopped running loss: endHeal",
  },
  disconnected: {
    start: "disconnected: expectHeal",
    connected: "catching_up held: heal anew, hold",
    disconnected: "disconnected: expectHeal",
    cut: "disconnected",
    dropped: "disconnected",
    told: "disconnected",
    holdOver: "disconnected",
    tick: "disconnected: repair, poll, write",
    catchUpBegun: "disconnected running",
    streamRead: "disconnected",
    caughtUp: "disconnected",
    catchUpFailed: "disconnected",
    confirmed: "disconnected",
    stop: "stopping: endHeal",
    ended: "stopped: endHeal",
    failed: "stopped: endHeal",
  },
  stopping: {
    start: "stopping",
    connected: "stopping: write 101…199",
    disconnected: "stopping: write 101…199",
    cut: "stopping",
    dropped: "stopping: write 101…199",
    told: "stopping",
    holdOver: "stopping",
    tick: "stopping",
    catchUpBegun: "stopping running",
    streamRead: "stopping",
    caughtUp: "stopping",
    catchUpFailed: "stopping",
    confirmed: "stopping",
    stop: "stopping",
    ended: "stopped: write 101…199",
    failed: "stopped",
  },
  stopped: {
    start: "stopped",
    connected: "stopped",
    disconnected: "stopped",
    cut: "stopped",
    dropped: "stopped",
    told: "stopped",
    holdOver: "stopped",
    tick: "stopped",
    catchUpBegun: "stopped",
    streamRead: "stopped",
    caughtUp: "stopped",
    catchUpFailed: "stopped",
    confirmed: "stopped",
    stop: "stopped",
    ended: "stopped",
    failed: "stopped",
  },
};

describe("the machine of a lane", () => {
  for (const [name, row] of Object.entries(TABLE))
    it(`does as the table says: ${name}`, () => {
      const state = STATES[name as keyof typeof STATES];
      const found = Object.values(EVENTS).map((event) => [event.type, sentence(step(state, event, TIMES))]);
      assert.deepEqual(Object.fromEntries(found), row);
    });
});

const commandsOf = (state: LaneState, ...events: LaneEvent[]): string[] => {
  const last = events.pop()!;
  return step(after(state, ...events), last, TIMES).commands.map(words);
};

describe("a connection", () => {
  it("that has ended since holds nothing back", () => {
    const over = { ...connected, isOver: true };
    assert.equal(sentence(step(connecting, over, TIMES)), "catching_up: heal anew");
    assert.equal(sentence(step(held, over, TIMES)), "catching_up: release, heal anew");
  });

  it("begins a live interval with the first time told after what was known", () => {
    const { live: begun } = after(held, told(V - 1), told(V), told(V + 5), told(V + 9), told(V + 7));
    assert.deepEqual(begun?.interval, { fromMs: V + 6, toMs: V + 8 });
  });

  it("ends the live interval of the one before it, whose end was never told", () => {
    assert.deepEqual(commandsOf(live, connected), ["heal anew", "write 101…199", "hold"]);
  });
});

describe("the live interval", () => {
  it("ends before a loss, and begins anew behind it", () => {
    assert.deepEqual(commandsOf(live, dropped), ["write 101…199"]);
    const behind = after(live, { ...dropped, venueMs: V + 200 });
    assert.deepEqual(commandsOf(behind, told(V + 300), told(V + 400), EVENTS.ended), [
      "endHeal",
      "write 301…399",
    ]);
  });

  it("is written once, then what is new of it", () => {
    const written = after(live, tickAt(T));
    assert.deepEqual(commandsOf(written, tickAt(T + 10_000)).at(-1), "write");
    const longer = after(written, told(V + 500));
    assert.deepEqual(commandsOf(longer, tickAt(T + 9_999)).at(-1), "write");
    assert.deepEqual(commandsOf(longer, tickAt(T + 10_000)).at(-1), "write 200…499");
    assert.deepEqual(commandsOf(longer, disconnected).at(-1), "write 200…499");
  });

  it("of one moment is nothing", () => {
    assert.deepEqual(commandsOf(held, told(V + 5), told(V + 6), disconnected), ["release", "expectHeal"]);
  });
});

describe("a loss", () => {
  it("is healed by a catch-up that began after it, as soon as all is written, or after the pace of polling", () => {
    const tick = (nowMs: number, isDrained: boolean): LaneEvent => ({ type: "tick", nowMs, isDrained });
    const lost = after(live, dropped);
    assert.deepEqual(commandsOf(lost, tick(T + 1, false)), ["repair", "backfill", "write"]);
    assert.deepEqual(commandsOf(lost, tick(T + 1, true)), ["repair", "heal", "write"]);
    assert.deepEqual(commandsOf(lost, tick(T + 15_000, false)), ["repair", "heal", "write"]);
    const during = after(lost, catchUpBegun, dropped, caughtUp);
    assert.equal(during.phase, "catching_up");
    assert.deepEqual(commandsOf(during, tick(T + 1, true)), ["repair", "heal", "write"]);
    assert.equal(after(during, catchUpBegun, caughtUp).phase, "live");
  });

  it("is healed again where healing failed, not reconciled", () => {
    const failed = after(live, dropped, catchUpBegun, catchUpFailed);
    assert.equal(failed.lastCatchUpError, "no answer");
    assert.deepEqual(commandsOf(failed, tickAt(T)), ["repair", "heal", "write"]);
    assert.equal(after(failed, catchUpBegun, caughtUp).lastCatchUpError, null);
  });
});

describe("what a heal read", () => {
  const read = (purpose: "heal" | "reconcile", nowMs: number): LaneEvent => ({
    type: "streamRead",
    purpose,
    stream: "fills",
    nowMs,
  });
  const confirms = (state: LaneState, nowMs: number) =>
    commandsOf(state, tickAt(nowMs)).filter((command) => command.startsWith("confirm"));

  it("is confirmed when it is old enough to be claimed, until that is done", () => {
    const healed = after(live, read("heal", T));
    assert.deepEqual(confirms(healed, T + 2_499), []);
    assert.deepEqual(confirms(healed, T + 2_500), ["confirm fills"]);
    assert.deepEqual(confirms(healed, T + 9_000), ["confirm fills"]);
    const due = new Map([["fills", T + 2_500]] as const);
    assert.deepEqual(confirms(after(healed, { type: "confirmed", due }), T + 9_000), []);
    const again = after(healed, read("heal", T + 100), { type: "confirmed", due });
    assert.deepEqual(confirms(again, T + 9_000), ["confirm fills"]);
  });

  it("needs no confirmation once another reading claimed it", () => {
    assert.deepEqual(confirms(after(live, read("heal", T), read("reconcile", T)), T + 9_000), []);
  });
});

describe("a clock that is set back by an hour", () => {
  const BACK = T - 3_600_000;

  it("delays no duty", () => {
    const healed = after(live, EVENTS.streamRead, tickAt(T), told(V + 500));
    assert.deepEqual(commandsOf(healed, tickAt(BACK)), [
      "repair",
      "confirm fills",
      "reconcile",
      "write 200…499",
    ]);
    const polled = after(STATES.disconnected, catchUpBegun, caughtUp);
    assert.deepEqual(commandsOf(polled, tickAt(BACK)), ["repair", "poll", "write"]);
  });

  it("delays them by no more than their pace where it goes back by less than that", () => {
    const { intervalMs } = TIMES;
    assert.ok(!commandsOf(live, tickAt(T - 1_000)).includes("poll"));
    const later = after(live, catchUpBegun, { type: "caughtUp", nowMs: T + 100_000 });
    assert.ok(commandsOf(later, tickAt(T + intervalMs + 100_000)).includes("reconcile"));
  });
});

describe("stopping", () => {
  it("twice is stopping once", () => {
    assert.deepEqual(step(STATES.stopping, stop, TIMES), { state: STATES.stopping, commands: [] });
  });

  it("goes on noting what is written, and claims it at the end", () => {
    assert.deepEqual(commandsOf(STATES.stopping, told(V + 300), EVENTS.ended), ["write 101…299"]);
  });
});
