/**
 * Words of alerts: what, how much, threshold, age. Pure. One line, no control characters from the wire.
 */
import { type Decimal, isDecimal, normal, round } from "../../runtime/decimal.ts";
import type { Severity } from "./rules.ts";

/** `CRIT`, `WARN`, `INFO`. */
export const severityWord = (severity: Severity): string => severity.toUpperCase();

/** At most `places` decimals, without trailing zeros: `3.9`. */
export const plainNumber = (value: number, places = 2): string => String(Number(value.toFixed(places)));

/** A decimal as people read it: at most `places` decimals. What is not a decimal stays as it is. */
export const plainDecimal = (value: unknown, places = 8): string =>
  isDecimal(value) ? normal(round(value as Decimal, places)) : word(value);

const WORD_MAX = 80;

/** A text from the wire, safe in one line. */
export const word = (value: unknown): string =>
  String(value ?? "")
    .replace(/[\p{Cc}\u2028-\u202e]/gu, " ")
    .slice(0, WORD_MAX);

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
