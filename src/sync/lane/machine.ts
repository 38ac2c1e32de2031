/**
 * What one lane does next: an explicit state machine. Pure: times are passed in, and what is to be done comes out as
 * commands, which `lane.ts` performs.
 *
 * ```
 *                connected            caughtUp
 *   connecting ──────────► catching_up ◄──────► live        stop: any ──► stopping ──ended──► stopped
 *                            ▲    │     dropped   │          a bug, a write refused for good: any ──failed──► stopped
 *                   connected│    ▼disconnected   ▼
 *                          disconnected ◄──────────
 * ```
 *
 * Guarantees: every connection and every loss is followed by a catch-up that begins after it, as a heal until one succeeds
 * or the socket is gone; the live interval holds no loss that is known, and ends before the last time heard ahead of one
 * (I12); from `stop` on nothing is begun, held back or reserved; a clock that is set back delays no duty beyond its pace.
 * Assumes that `connected`, `disconnected`, `dropped` and `told` come in the order of the stream, each after what came
 * before it was written; all other events come when they happen. Commands that begin something are wishes, repeated at each
 * tick: `Tasks` runs one of a kind at a time and paces those that failed.
 */
import { isDue } from "../../runtime/due.ts";
import type { PurposeName } from "../account/purpose.ts";
import type { Interval } from "../coverage.ts";
import type { WindowStream } from "../windowReader.ts";

export type LanePhase = "connecting" | "catching_up" | "live" | "disconnected" | "stopping" | "stopped";

interface LaneTimes {
  /** Between two catch-ups while the stream lives, and while it does not. */
  intervalMs: number;
  pollMs: number;
  /** What a heal read too young to be claimed is read again so much later. */
  confirmMs: number;
  /** Between two writes of the live interval. */
  streamedMs: number;
}

/** The time watched without a loss: between two times told by frames, both excluded, for frames of one moment have no order. */
interface Live {
  /** It begins with the first time told after this. */
  readonly afterMs: number;
  /** Null before that. */
  readonly interval: Interval | null;
  /** What is written down of it ends here. It is not written again: `verify` may have withdrawn a part (ADR 0007). */
  readonly writtenToMs: number;
}

/** By stream: when what a heal read too young to be claimed is to be read again. */
export type ConfirmDue = ReadonlyMap<WindowStream, number>;

export interface LaneState {
  readonly phase: LanePhase;
  /** The stream is held back until the catch-up is over. */
  readonly isHeld: boolean;
  readonly isCatchingUp: boolean;
  /** Frames were dropped, and no catch-up has begun since. */
  readonly hasLoss: boolean;
  readonly catchUpDueMs: number;
  readonly lastCatchUpMs: number | null;
  readonly lastCatchUpError: string | null;
  readonly confirmDue: ConfirmDue;
  /** Null while there is no connection. */
  readonly live: Live | null;
  readonly writeDueMs: number;
}

export type LaneEvent =
  /** The stream is being opened. */
  | { type: "start" }
  /** `venueMs`: the newest time of the venue that is believed. `isOver`: the connection has ended since. */
  | { type: "connected"; nowMs: number; venueMs: number; isOver: boolean }
  | { type: "disconnected"; nowMs: number }
  /** The present socket is gone: known at once, before what it brought is written. */
  | { type: "cut" }
  | { type: "dropped"; nowMs: number; venueMs: number }
  /** A frame told a time that is believed. */
  | { type: "told"; venueMs: number }
  /** The stream was held back for as long as it may be. */
  | { type: "holdOver" }
  /** `isDrained`: all that was received is written. */
  | { type: "tick"; nowMs: number; isDrained: boolean }
  | { type: "catchUpBegun" }
  | { type: "streamRead"; purpose: PurposeName; stream: WindowStream; nowMs: number }
  | { type: "caughtUp"; nowMs: number }
  | { type: "catchUpFailed"; nowMs: number; error: string }
  | { type: "confirmed"; due: ConfirmDue }
  | { type: "stop" }
  /** Stopping, and all that was received is written. */
  | { type: "ended" }
  /** The lane is dead. */
  | { type: "failed" };

export type LaneCommand =
  /** Keeps weight free for a heal that will come; gives it back. */
  | { type: "expectHeal" }
  | { type: "endHeal" }
  /** Holds the stream back, until `release` or for as long as it may be. */
  | { type: "hold" }
  | { type: "release" }
  /** `isAnew`: one that runs is given up, since it may have read what lies before the loss only. */
  | { type: "catchUp"; purpose: PurposeName; isAnew: boolean }
  /** Heals suspicions that are ripe. */
  | { type: "repair"; withOrders: boolean }
  | { type: "confirm"; due: ConfirmDue }
  | { type: "backfill" }
  /** Writes what is due: the account's snapshot, and that this time was watched live. */
  | { type: "write"; watched: Interval | null };

export interface Step {
  readonly state: LaneState;
  readonly commands: readonly LaneCommand[];
}

export const initial = (nowMs: number, { pollMs }: Pick<LaneTimes, "pollMs">): LaneState => ({
  phase: "connecting",
  isHeld: false,
  isCatchingUp: false,
  hasLoss: false,
  catchUpDueMs: nowMs + pollMs,
  lastCatchUpMs: null,
  lastCatchUpError: null,
  confirmDue: new Map(),
  live: null,
  writeDueMs: nowMs,
});

export function step(state: LaneState, event: LaneEvent, times: LaneTimes): Step {
  if (state.phase === "stopped") return { state, commands: [] };
  switch (event.type) {
    case "start":
      return { state, commands: state.phase === "stopping" ? [] : [{ type: "expectHeal" }] };
    case "connected":
      return connected(state, event, times);
    case "disconnected":
      return disconnected(state, event.nowMs, times);
    case "dropped":
      return dropped(state, event, times);
    case "told":
      return { state: { ...state, live: told(state.live, event.venueMs) }, commands: [] };
    case "cut":
    case "holdOver":
      return released(state);
    case "tick":
      return tick(state, event, times);
    case "catchUpBegun":
      return { state: { ...state, isCatchingUp: true, hasLoss: false }, commands: [] };
    case "streamRead":
      return { state: { ...state, confirmDue: read(state.confirmDue, event, times) }, commands: [] };
    case "caughtUp":
      return caughtUp(state, event.nowMs, times);
    case "catchUpFailed":
      return released({
        ...state,
        isCatchingUp: false,
        lastCatchUpError: event.error,
        catchUpDueMs: event.nowMs,
      });
    case "confirmed":
      return { state: { ...state, confirmDue: without(state.confirmDue, event.due) }, commands: [] };
    case "stop":
      return stop(state, "stopping");
    case "ended":
      return stop({ ...state, live: null }, "stopped", claim(state.live));
    case "failed":
      return stop({ ...state, live: null }, "stopped");
  }
}

// ---- the stream ----

const isConnected = ({ phase }: LaneState): boolean => phase === "catching_up" || phase === "live";

/** How long a catch-up may be waited for. */
const paceMs = ({ phase }: LaneState, { intervalMs, pollMs }: LaneTimes): number =>
  phase === "live" ? intervalMs : pollMs;

function connected(
  state: LaneState,
  { nowMs, venueMs, isOver }: LaneEvent & { type: "connected" },
  times: LaneTimes,
): Step {
  const written = claim(state.live);
  if (state.phase === "stopping") return { state: { ...state, live: null }, commands: written };
  const { state: free, commands } = released(state);
  // Nothing waits for a connection that has ended: the next needs a catch-up of its own.
  const hold: LaneCommand[] = isOver ? [] : [{ type: "hold" }];
  return {
    state: {
      ...soon(free, nowMs, times),
      phase: "catching_up",
      isHeld: !isOver,
      isCatchingUp: false,
      live: watching(venueMs),
    },
    commands: [...commands, { type: "catchUp", purpose: "heal", isAnew: true }, ...written, ...hold],
  };
}

function disconnected(state: LaneState, nowMs: number, times: LaneTimes): Step {
  const written = claim(state.live);
  const { state: free, commands } = released({ ...state, live: null });
  if (state.phase === "stopping") return { state: free, commands: [...commands, ...written] };
  return {
    state: { ...soon(free, nowMs, times), phase: "disconnected" },
    commands: [...commands, { type: "expectHeal" }, ...written],
  };
}

/** Before a connection stands its catch-up is still to come, and reads this loss too. */
function dropped(
  state: LaneState,
  { nowMs, venueMs }: LaneEvent & { type: "dropped" },
  times: LaneTimes,
): Step {
  const written = claim(state.live);
  if (!isConnected(state)) return { state: { ...state, live: null }, commands: written };
  return {
    state: {
      ...soon(state, nowMs, times),
      phase: "catching_up",
      hasLoss: true,
      live: watching(venueMs),
    },
    commands: written,
  };
}

/** The next catch-up comes no later than where there is no stream. */
const soon = (state: LaneState, nowMs: number, { pollMs }: LaneTimes): LaneState => ({
  ...state,
  catchUpDueMs: Math.min(state.catchUpDueMs, nowMs + pollMs),
});

const released = (state: LaneState): Step =>
  state.isHeld
    ? { state: { ...state, isHeld: false }, commands: [{ type: "release" }] }
    : { state, commands: [] };

// ---- the live interval ----

const watching = (afterMs: number): Live => ({
  afterMs,
  interval: null,
  writtenToMs: Number.NEGATIVE_INFINITY,
});

function told(live: Live | null, venueMs: number): Live | null {
  if (live === null || venueMs <= live.afterMs) return live;
  if (live.interval === null) return { ...live, interval: { fromMs: venueMs + 1, toMs: venueMs } };
  const { fromMs, toMs } = live.interval;
  return { ...live, interval: { fromMs, toMs: Math.max(toMs, venueMs - 1) } };
}

/** What is watched and not written down yet; null when there is nothing. */
function unwritten(live: Live | null): Interval | null {
  if (live === null || live.interval === null) return null;
  const fromMs = Math.max(live.interval.fromMs, live.writtenToMs + 1);
  return fromMs > live.interval.toMs ? null : { fromMs, toMs: live.interval.toMs };
}

function claim(live: Live | null): LaneCommand[] {
  const watched = unwritten(live);
  return watched === null ? [] : [{ type: "write", watched }];
}

// ---- timed duties ----

function tick(state: LaneState, { nowMs, isDrained }: LaneEvent & { type: "tick" }, times: LaneTimes): Step {
  if (state.phase === "stopping") return { state, commands: [] };
  // A catch-up lists at once what is open and what ended, and must not wait for questions about single orders.
  const commands: LaneCommand[] = [{ type: "repair", withOrders: !state.isCatchingUp }];
  const due = new Map([...state.confirmDue].filter(([, atMs]) => isDue(atMs, nowMs, times.confirmMs)));
  if (due.size > 0) commands.push({ type: "confirm", due });
  const isCatchUpDue = (state.hasLoss && isDrained) || isDue(state.catchUpDueMs, nowMs, paceMs(state, times));
  if (isCatchUpDue) {
    if (!state.isCatchingUp) commands.push({ type: "catchUp", purpose: purposeOf(state), isAnew: false });
  } else if (state.lastCatchUpMs !== null) commands.push({ type: "backfill" });
  const isWriteDue = isDue(state.writeDueMs, nowMs, times.streamedMs);
  const watched = isWriteDue ? unwritten(state.live) : null;
  commands.push({ type: "write", watched });
  return {
    state: {
      ...state,
      live: watched === null ? state.live : { ...state.live!, writtenToMs: watched.toMs },
      writeDueMs: isWriteDue ? nowMs + times.streamedMs : state.writeDueMs,
    },
    commands,
  };
}

/** A heal that failed is as urgent as it was. */
const purposeOf = ({ phase }: LaneState): PurposeName =>
  phase === "catching_up" ? "heal" : phase === "live" ? "reconcile" : "poll";

// ---- catching up ----

function caughtUp(state: LaneState, nowMs: number, times: LaneTimes): Step {
  const phase = state.phase === "catching_up" && !state.hasLoss ? "live" : state.phase;
  const after = { ...state, phase, isCatchingUp: false, lastCatchUpError: null, lastCatchUpMs: nowMs };
  return released({ ...after, catchUpDueMs: nowMs + paceMs(after, times) });
}

/** Any reading but a heal asks for the venue's time first: what it read is claimed up to then. */
function read(
  confirmDue: ConfirmDue,
  { purpose, stream, nowMs }: LaneEvent & { type: "streamRead" },
  { confirmMs }: LaneTimes,
): ConfirmDue {
  const next = new Map(confirmDue);
  if (purpose === "heal") next.set(stream, nowMs + confirmMs);
  else next.delete(stream);
  return next;
}

/** A heal that came meanwhile wants its own. */
const without = (confirmDue: ConfirmDue, done: ConfirmDue): ConfirmDue =>
  new Map([...confirmDue].filter(([stream, atMs]) => done.get(stream) !== atMs));

// ---- the end ----

function stop(state: LaneState, phase: "stopping" | "stopped", last: LaneCommand[] = []): Step {
  const { state: free, commands } = released(state);
  const endHeal: LaneCommand[] = state.phase === "stopping" ? [] : [{ type: "endHeal" }];
  return { state: { ...free, phase }, commands: [...commands, ...endHeal, ...last] };
}
