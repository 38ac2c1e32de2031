/**
 * What one seed does: how the account trades and what goes wrong. Guarantees: a pure function of the seed. Rates are
 * often zero, so that faults meet alone as well as in company.
 */
import { type Random, seededRandom } from "../../src/runtime/random.ts";
import type { FaultRule } from "../../src/simulator/faults.ts";

export interface Window {
  fromMs: number;
  toMs: number;
}

export interface Plan {
  seed: number;
  /** Virtual time with faults. */
  durationMs: number;
  fillsPerSecond: number;
  /** Seconds between two hand-made actions (TWAP, modify, trigger orders …); 0 for none. */
  actionEveryMs: number;
  /** Starts this long before a full hour, so that funding falls into the run. */
  beforeHourMs: number;
  latencyMs: readonly [number, number];
  faults: FaultRule[];
  database: {
    /** The statement is not carried out. */
    refuseRate: number;
    /** It is carried out, but the answer is lost. */
    lostAnswerRate: number;
    slowRate: number;
    slowMs: number;
    outages: Window[];
  };
  /** Times at which the process is killed without a word; it starts again `restartMs` later. */
  kills: { atMs: number; restartMs: number }[];
  /** A second process on the same account from here on, or null. */
  secondFromMs: number | null;
  /** The process's own clock jumps by so much at these times. */
  clockJumps: { atMs: number; byMs: number }[];
}

export function drawPlan(seed: number): Plan {
  const random = seededRandom(`plan ${seed}`);
  const chance = (p: number) => random.next() < p;
  const between = (least: number, most: number) => least + random.next() * (most - least);
  const whole = (least: number, most: number) => Math.floor(between(least, most + 1));
  /** Zero more often than not, else log-uniform. */
  const rate = (most: number, p = 0.4) => (chance(p) ? most * 10 ** -between(0, 2) : 0);
  const durationMs = whole(20, 70) * 1000;
  const windows = (p: number, most: number, lengthMs: readonly [number, number]): Window[] =>
    Array.from({ length: chance(p) ? whole(1, most) : 0 }, () => {
      const fromMs = Math.floor(between(0, durationMs * 0.8));
      return { fromMs, toMs: fromMs + Math.floor(between(...lengthMs)) };
    });
  return {
    seed,
    durationMs,
    fillsPerSecond: between(0.2, 1) * (chance(0.15) ? 10 : 1),
    actionEveryMs: chance(0.6) ? whole(2, 10) * 1000 : 0,
    beforeHourMs: whole(5, 40) * 1000,
    latencyMs: chance(0.3) ? [20, 900] : [5, 40],
    faults: drawFaults(random, rate, windows),
    database: {
      refuseRate: rate(0.2, 0.25),
      lostAnswerRate: rate(0.1, 0.25),
      slowRate: rate(0.3, 0.25),
      slowMs: whole(50, 3_000),
      outages: windows(0.2, 2, [500, 20_000]),
    },
    kills: windows(0.3, 3, [200, 8_000]).map(({ fromMs, toMs }) => ({
      atMs: fromMs,
      restartMs: toMs - fromMs,
    })),
    secondFromMs: chance(0.15) ? whole(1, 30) * 1000 : null,
    clockJumps: chance(0.1) ? [{ atMs: whole(5, 35) * 1000, byMs: whole(-60, 60) * 1000 }] : [],
  };
}

function drawFaults(
  random: Random,
  rate: (most: number, p?: number) => number,
  windows: (p: number, most: number, lengthMs: readonly [number, number]) => Window[],
): FaultRule[] {
  const rates: FaultRule[] = [
    { fault: "drop", rate: rate(0.2) },
    { fault: "duplicate", rate: rate(0.2) },
    { fault: "delay", rate: rate(0.2), ms: Math.floor(random.next() * 4_000) },
    { fault: "reorder", rate: rate(0.3) },
    { fault: "malform", rate: rate(0.05, 0.2) },
    { fault: "unknownShape", rate: rate(0.05, 0.2) },
    { fault: "cut", rate: rate(0.01) },
    { fault: "expire", rate: rate(0.01, 0.2) },
    { fault: "halfOpen", rate: rate(0.01, 0.3) },
    { fault: "refuse", rate: rate(0.5, 0.2) },
    { fault: "http429", rate: rate(0.2, 0.25) },
    { fault: "http500", rate: rate(0.2, 0.25) },
    { fault: "http502", rate: rate(0.2, 0.25) },
    { fault: "reset", rate: rate(0.2, 0.25) },
    { fault: "truncate", rate: rate(0.2, 0.25) },
    { fault: "slow", rate: rate(0.2, 0.25), ms: Math.floor(random.next() * 20_000) },
    { fault: "stale", rate: rate(0.1, 0.2), ms: Math.floor(random.next() * 1_900) },
  ];
  const outages = windows(0.3, 2, [500, 20_000]).flatMap(({ fromMs, toMs }): FaultRule[] => [
    { fault: "cut", fromMs, untilMs: toMs },
    { fault: "refuse", fromMs, untilMs: toMs },
    { fault: "reset", fromMs, untilMs: toMs },
  ]);
  return [...rates.filter((rule) => rule.rate !== 0), ...outages];
}
