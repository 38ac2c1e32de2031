/**
 * Numbers, times and texts from the wire as people read them. Pure. Guarantees: nothing that comes out can move a cursor,
 * change a color or break a line.
 */
import { type Decimal, isDecimal, normal, round } from "../runtime/decimal.ts";
import { printable } from "../runtime/safeText.ts";

const WORD_MAX = 80;

/** A name or a word from the wire, not longer than names are. */
export const word = (value: unknown): string => printable(value).slice(0, WORD_MAX);

/** At most `places` decimals, without trailing zeros: `3.9`. */
export const plainNumber = (value: number, places = 2): string => String(Number(value.toFixed(places)));

/** A decimal without trailing zeros, rounded where `places` says so. What is not a decimal stays as it is. */
export const plainDecimal = (value: unknown, places?: number): string =>
  isDecimal(value) ? normal(places === undefined ? value : round(value as Decimal, places)) : word(value);

/** `0.6 s old.`, `4 min old.`; never negative: the venue's clock may be ahead of ours. */
export function age(atMs: number, nowMs: number): string {
  const seconds = Math.max(0, nowMs - atMs) / 1000;
  if (seconds < 90) return `${plainNumber(seconds, 1)} s old.`;
  return `${Math.round(seconds / 60)} min old.`;
}

/** `2 h 5 min`, `40 s`. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `2026-10-05 14:03:11`, UTC. */
export const utcSecond = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
