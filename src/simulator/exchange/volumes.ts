/**
 * What was traded when, in hours: the venue tells volumes of windows (a day, a week, a month) beside those of a
 * lifetime. Guarantees: bounded, `KEPT_HOURS` are remembered.
 */
import type { Fixed } from "./fixed.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** A month and a day, so that no window of a month lacks its first hours. */
const KEPT_HOURS = 31 * 24;

export interface HourTraded {
  hour: number;
  cross: Fixed;
  add: Fixed;
  /** Of both, in perps. */
  perp: Fixed;
}

export function addVolume(
  hours: HourTraded[],
  timeMs: number,
  notional: Fixed,
  kind: { crossed: boolean; perp: boolean },
): void {
  const hour = Math.floor(timeMs / HOUR_MS);
  let last = hours.at(-1);
  if (last === undefined || last.hour !== hour) {
    last = { hour, cross: 0n, add: 0n, perp: 0n };
    hours.push(last);
    if (hours.length > KEPT_HOURS) hours.shift();
  }
  last[kind.crossed ? "cross" : "add"] += notional;
  if (kind.perp) last.perp += notional;
}

/** Volume of the hours that lie in [fromMs, toMs). */
export function volumeBetween(
  hours: readonly HourTraded[],
  fromMs: number,
  toMs: number,
): { cross: Fixed; add: Fixed; perp: Fixed } {
  const sum = { cross: 0n, add: 0n, perp: 0n };
  for (const { hour, cross, add, perp } of hours) {
    if (hour * HOUR_MS < fromMs || hour * HOUR_MS >= toMs) continue;
    sum.cross += cross;
    sum.add += add;
    sum.perp += perp;
  }
  return sum;
}

/** Start of the UTC day. */
export const dayOf = (timeMs: number): number => timeMs - (timeMs % DAY_MS);
