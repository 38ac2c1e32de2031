/**
 * TWAP orders: a size spread over minutes in slices 30 s apart. Guarantees: each slice is an immediate order within
 * 3 % of the mark; a slice that could not trade is caught up by later ones, at most three times the plain slice; the
 * owner's slice fills go to the slice list only (never `userFills`), the counterparty's row is an ordinary fill.
 */
import type { Json, JsonObject } from "../contract.ts";
import type { Account } from "./account.ts";
import { type Fixed, format, min, mul, TEN, toTick } from "./fixed.ts";
import { type Market, markPx } from "./market.ts";
import { place } from "./matching.ts";
import { sideLetter } from "./order.ts";
import { accountOf, beginTransaction, isQuiet, keep, touch, type World } from "./world.ts";

const SLICE_MS = 30_000;

export interface Twap {
  id: number;
  user: string;
  market: Market;
  isBuy: boolean;
  sz: Fixed;
  executedSz: Fixed;
  executedNtl: Fixed;
  minutes: number;
  reduceOnly: boolean;
  randomize: boolean;
  startMs: number;
  slicesDone: number;
  trigger: { px: Fixed; above: boolean } | null;
  stopPx: Fixed | null;
  active: boolean;
}

interface TwapSpec {
  market: Market;
  isBuy: boolean;
  sz: Fixed;
  minutes: number;
  reduceOnly: boolean;
  randomize: boolean;
  trigger: { px: Fixed; above: boolean } | null;
  stopPx: Fixed | null;
}

function twapState(twap: Twap): JsonObject {
  return {
    coin: twap.market.coin,
    user: twap.user,
    side: sideLetter(twap.isBuy),
    sz: format(twap.sz),
    executedSz: format(twap.executedSz),
    executedNtl: format(twap.executedNtl),
    minutes: twap.minutes,
    reduceOnly: twap.reduceOnly,
    randomize: twap.randomize,
    timestamp: twap.startMs,
    stopPx: twap.stopPx === null ? null : format(twap.stopPx),
    trigger: twap.trigger === null ? null : { px: format(twap.trigger.px), above: twap.trigger.above },
  };
}

export const twapStates = (world: World, user: string, dex: string): Json[] =>
  [...world.twaps.values()]
    .filter((twap) => twap.user === user && twap.market.dex === dex)
    .map((twap): Json => [twap.id, twapState(twap)]);

/** Error text, or the running TWAP. */
export function startTwap(world: World, account: Account, spec: TwapSpec): Twap | string {
  const step = TEN[8 - spec.market.szDecimals] as bigint;
  if (spec.sz <= 0n || spec.sz % step !== 0n) return `Order has invalid size. asset=${spec.market.asset}`;
  const minimum = BigInt(10 * spec.minutes) * (TEN[8] as bigint);
  if (mul(spec.sz, markPx(spec.market)) < minimum) {
    return `TWAP order value too small. Min is $${10 * spec.minutes}, which is $10 per minute.`;
  }
  const twap: Twap = {
    id: ++world.nextTwapId,
    user: account.user,
    ...spec,
    executedSz: 0n,
    executedNtl: 0n,
    startMs: world.blockMs,
    slicesDone: 0,
    active: spec.trigger === null,
  };
  world.twaps.set(twap.id, twap);
  report(world, twap, twap.active ? "activated" : "waitingForTrigger");
  if (twap.active) scheduleSlice(world, twap, world.blockMs);
  return twap;
}

export function stopTwap(world: World, twap: Twap, status: "terminated" | "stopped" | "finished"): void {
  world.twaps.delete(twap.id);
  report(world, twap, status);
}

/** Activates TWAPs that waited for a price and ends those past their stop price. */
export function watchTwaps(world: World, market: Market): void {
  for (const twap of world.twaps.values()) {
    if (twap.market !== market) continue;
    const mark = markPx(market);
    const { trigger, stopPx } = twap;
    if (!twap.active && trigger !== null && (trigger.above ? mark >= trigger.px : mark <= trigger.px)) {
      twap.active = true;
      report(world, twap, "activated");
      scheduleSlice(world, twap, world.blockMs);
    }
    if (stopPx !== null && (twap.isBuy ? mark >= stopPx : mark <= stopPx)) stopTwap(world, twap, "stopped");
  }
}

function report(world: World, twap: Twap, status: string): void {
  const account = accountOf(world, twap.user);
  touch(world, account);
  if (isQuiet(world, account)) return;
  const item: JsonObject = {
    time: Math.floor(world.blockMs / 1000),
    state: twapState(twap),
    status: { status },
    twapId: twap.id,
  };
  keep(world, account.twapHistory, item);
  world.events.push({ type: "twapHistory", user: twap.user, item });
}

function scheduleSlice(world: World, twap: Twap, dueMs: number): void {
  world.schedule.at(dueMs, () => {
    if (world.twaps.get(twap.id) !== twap) return;
    runSlice(world, twap);
    if (twap.executedSz >= twap.sz || twap.slicesDone >= sliceCount(twap)) stopTwap(world, twap, "finished");
    else scheduleSlice(world, twap, dueMs + SLICE_MS + jitter(world, twap));
  });
}

const sliceCount = (twap: Twap): number => twap.minutes * 2;

/** Randomized TWAPs move each slice by up to 20 % of the interval. */
const jitter = (world: World, twap: Twap): number =>
  twap.randomize ? Math.floor((world.oidRandom.next() - 0.5) * 0.4 * SLICE_MS) : 0;

function runSlice(world: World, twap: Twap): void {
  twap.slicesDone++;
  const count = BigInt(sliceCount(twap));
  const step = TEN[8 - twap.market.szDecimals] as bigint;
  const last = twap.slicesDone >= sliceCount(twap);
  const target = last ? twap.sz : (twap.sz * BigInt(twap.slicesDone)) / count;
  const plain = (twap.sz + count - 1n) / count + step;
  let sz = min(target - twap.executedSz, 3n * plain);
  sz -= sz % step;
  if (sz <= 0n) return;
  const mark = markPx(twap.market);
  const limit = twap.isBuy ? (mark * 103n) / 100n : (mark * 97n) / 100n;
  beginTransaction(world);
  const outcome = place(world, accountOf(world, twap.user), {
    market: twap.market,
    isBuy: twap.isBuy,
    limitPx: toTick(limit, twap.market.pxDecimals, twap.isBuy),
    sz,
    tif: "Ioc",
    reduceOnly: twap.reduceOnly,
    twapId: twap.id,
  });
  if (outcome.kind !== "filled") return;
  twap.executedSz += outcome.totalSz;
  twap.executedNtl += outcome.totalNtl;
}
