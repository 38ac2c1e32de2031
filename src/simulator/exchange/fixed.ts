/**
 * Fixed-point money of the venue model: a `Fixed` is a bigint counting 10⁻⁸ units. Guarantees: no float is involved;
 * sums are exact; a price (at most 6−szDecimals or 8−szDecimals decimals) times a size is exact by construction, since
 * that is how the venue chose its decimals. Assumes no token with more than 8 wei decimals is traded here.
 * Chosen over `runtime/decimal.ts` for speed only: matching runs about 20 × faster; text in and out is the same.
 */
export type Fixed = bigint;

const DECIMALS = 8;
export const ONE: Fixed = 100_000_000n;
/** 10ⁿ as bigint, n ≤ 20. */
export const TEN: readonly bigint[] = Array.from({ length: 21 }, (_, n) => 10n ** BigInt(n));

const PLAIN = /^(-?)(\d+)(?:\.(\d+))?$/;

/** Reads plain decimal text; null when it is not one or has more than 8 significant decimals. */
export function parseFixed(text: string): Fixed | null {
  const parts = PLAIN.exec(text);
  if (parts === null) return null;
  const fraction = (parts[3] ?? "").replace(/0+$/, "");
  if (fraction.length > DECIMALS) return null;
  const value = BigInt(parts[2] as string) * ONE + BigInt(fraction.padEnd(DECIMALS, "0"));
  return parts[1] === "-" ? -value : value;
}

/** Like `parseFixed` for text known to be good (our own constants); throws otherwise. */
export function fixed(text: string): Fixed {
  const value = parseFixed(text);
  if (value === null) throw new RangeError(`not a decimal of at most 8 places: ${JSON.stringify(text)}`);
  return value;
}

/** Whole units. */
export const units = (count: number): Fixed => BigInt(count) * ONE;

/**
 * The venue's way of writing decimals: no exponent, no trailing zeros, but always one decimal: `5.0`, `-0.00001119`.
 * `places` is the number of decimals `value` counts.
 */
export function formatScaled(value: bigint, places: number): string {
  const negative = value < 0n;
  const digits = (negative ? -value : value).toString().padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places);
  let end = digits.length;
  const start = digits.length - places;
  while (end > start + 1 && digits.charCodeAt(end - 1) === 48) end--;
  const fraction = places === 0 ? "0" : digits.slice(start, end);
  return `${negative && value !== 0n ? "-" : ""}${whole}.${fraction}`;
}

export const format = (value: Fixed): string => formatScaled(value, DECIMALS);

/** Product, truncated toward zero. */
export const mul = (a: Fixed, b: Fixed): Fixed => (a * b) / ONE;
/** Quotient, truncated toward zero. */
export const div = (a: Fixed, b: Fixed): Fixed => (a * ONE) / b;
/** a·b/c in one truncation toward zero. */
export const mulDiv = (a: bigint, b: bigint, c: bigint): bigint => (a * b) / c;

/** Quotient, rounded half away from zero: what the venue does with ratios, while it truncates money. */
export function roundDiv(a: bigint, b: bigint): bigint {
  const doubled = (2n * abs(a)) / abs(b);
  const magnitude = (doubled + 1n) / 2n;
  return a < 0n === b < 0n ? magnitude : -magnitude;
}

/** Truncated toward zero at `places` ≤ 8 decimals. */
export function truncate(value: Fixed, places: number): Fixed {
  const step = TEN[DECIMALS - places] as bigint;
  return value - (value % step);
}

export const abs = (a: bigint): bigint => (a < 0n ? -a : a);
export const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);
export const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
/** -1n, 0n or 1n. */
export const signOf = (a: bigint): bigint => (a > 0n ? 1n : a < 0n ? -1n : 0n);

/** True when `px` has at most five significant figures, or is an integer, and at most `maxDecimals` decimals. */
export function isTickPrice(px: Fixed, maxDecimals: number): boolean {
  if (px <= 0n || px % (TEN[DECIMALS - maxDecimals] as bigint) !== 0n) return false;
  if (px % ONE === 0n) return true;
  return px.toString().replace(/0+$/, "").length <= 5;
}

/** The nearest valid price at or below (`up` false) or at or above (`up` true) `px`; never below one tick. */
export function toTick(px: Fixed, maxDecimals: number, up: boolean): Fixed {
  let step = TEN[DECIMALS - maxDecimals] as bigint;
  const digits = px.toString().length;
  // Five figures, but never coarser than 1: integers are always allowed.
  const figures = TEN[Math.max(0, Math.min(digits - 5, DECIMALS))] as bigint;
  if (figures > step) step = figures;
  const rest = px % step;
  const down = px - rest;
  const result = rest !== 0n && up ? down + step : down;
  return result > 0n ? result : step;
}

/** A float of the price process, as the nearest valid price. */
export function priceFromFloat(value: number, maxDecimals: number): Fixed {
  return toTick(BigInt(Math.max(1, Math.round(value * 1e8))), maxDecimals, false);
}
/** For the price process only; money never passes through here. */
export const toFloat = (value: Fixed): number => Number(value) / 1e8;
