/**
 * Exact decimal arithmetic on strings. Guarantees: no result is rounded but where its name says so; addition, subtraction and
 * multiplication are exact; results are plain notation without exponent and without trailing zeros ("-0" never
 * occurs). Assumes its inputs are decimal strings as the venue writes them; anything else throws `RangeError`.
 * What the venue sent is stored verbatim; this module only computes what we derive.
 *
 * A decimal is an integer of digits and the places behind its point. Integers are numbers while those are exact (fifteen digits,
 * and results that are safe integers), and bigints beyond.
 */

/** A decimal number in plain notation: `-12`, `0.5`, `83757.5`. */
export type Decimal = string;

export const DECIMAL = /^-?\d+(\.\d+)?$/;

const [MINUS, POINT, ZERO, NINE] = [45, 46, 48, 57];

/** `DECIMAL` by hand: a fraction of the time, in the reading of every frame. */
export function isDecimal(text: unknown): text is Decimal {
  if (typeof text !== "string") return false;
  const { length } = text;
  let at = text.charCodeAt(0) === MINUS ? 1 : 0;
  let digitsFrom = at;
  let hasPoint = false;
  for (; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code >= ZERO && code <= NINE) continue;
    if (code !== POINT || hasPoint || at === digitsFrom) return false;
    hasPoint = true;
    digitsFrom = at + 1;
  }
  return length > digitsFrom;
}

function check(value: Decimal): void {
  if (!isDecimal(value)) throw new RangeError(`not a decimal: ${JSON.stringify(value)}`);
}

const EXACT_LENGTH = 15;
/** Eight roundings at most, and powers of ten that are exact. */
const NEARLY_LENGTH = 23;

/** The digits as a number; NaN where it may not be exact, and for what is no decimal. */
const digitsOf = (value: Decimal): number =>
  value.length > EXACT_LENGTH ? Number.NaN : roundedDigitsOf(value);

/** The digits as a number, each one behind the exact ones rounded; NaN for what is no decimal. */
function roundedDigitsOf(value: Decimal): number {
  const { length } = value;
  const isNegative = value.charCodeAt(0) === MINUS;
  let digits = 0;
  let digitsFrom = isNegative ? 1 : 0;
  let hasPoint = false;
  for (let at = digitsFrom; at < length; at++) {
    const code = value.charCodeAt(at);
    if (code >= ZERO && code <= NINE) digits = digits * 10 + (code - ZERO);
    else if (code === POINT && !hasPoint && at > digitsFrom) {
      hasPoint = true;
      digitsFrom = at + 1;
    } else return Number.NaN;
  }
  if (length === digitsFrom) return Number.NaN;
  return isNegative ? -digits : digits;
}

/** The digits, however many; with this many zeros behind them. */
function bigDigitsOf(value: Decimal, zeros = 0): bigint {
  check(value);
  const digits = BigInt(value.replace(".", ""));
  return zeros === 0 ? digits : digits * powerOfTen(zeros);
}

const powers: bigint[] = [];
const powerOfTen = (exponent: number): bigint => {
  if (exponent >= POWERS_KEPT) return 10n ** BigInt(exponent);
  powers[exponent] ??= 10n ** BigInt(exponent);
  return powers[exponent];
};
const POWERS_KEPT = 64;

function placesOf(value: Decimal): number {
  const point = value.indexOf(".");
  return point < 0 ? 0 : value.length - point - 1;
}

/** An integer with its point so many places from the right. */
function pointed(integer: number | bigint, places: number): Decimal {
  const text = String(integer);
  if (places === 0) return text;
  const from = text.charCodeAt(0) === MINUS ? 1 : 0;
  let [to, left] = [text.length, places];
  while (left > 0 && to > from && text.charCodeAt(to - 1) === ZERO) {
    to -= 1;
    left -= 1;
  }
  if (to === from) return "0";
  if (left === 0) return text.slice(0, to);
  const point = to - left;
  if (point > from) return `${text.slice(0, point)}.${text.slice(point, to)}`;
  return `${from === 1 ? "-" : ""}0.${"0".repeat(from - point)}${text.slice(from, to)}`;
}

/** a + sign × b. */
function plus(a: Decimal, b: Decimal, sign: 1 | -1): Decimal {
  const [placesA, placesB] = [placesOf(a), placesOf(b)];
  const places = Math.max(placesA, placesB);
  const [x, y] = [digitsOf(a) * 10 ** (places - placesA), digitsOf(b) * 10 ** (places - placesB)];
  const total = x + sign * y;
  if (Number.isSafeInteger(x) && Number.isSafeInteger(y) && Number.isSafeInteger(total))
    return pointed(total, places);
  return pointed(bigDigitsOf(a, places - placesA) + BigInt(sign) * bigDigitsOf(b, places - placesB), places);
}

export const add = (a: Decimal, b: Decimal): Decimal => plus(a, b, 1);
export const sub = (a: Decimal, b: Decimal): Decimal => plus(a, b, -1);
export function mul(a: Decimal, b: Decimal): Decimal {
  const places = placesOf(a) + placesOf(b);
  const product = digitsOf(a) * digitsOf(b);
  return pointed(Number.isSafeInteger(product) ? product : bigDigitsOf(a) * bigDigitsOf(b), places);
}
export const neg = (a: Decimal): Decimal => sub("0", a);
export const abs = (a: Decimal): Decimal => normal(a.charCodeAt(0) === MINUS ? a.slice(1) : a);
export const sum = (values: Iterable<Decimal>): Decimal => {
  let total = "0";
  for (const value of values) total = add(total, value);
  return total;
};

/** Quotient truncated toward zero at `places` decimals; throws on division by zero. */
export function div(a: Decimal, b: Decimal, places = 20): Decimal {
  const [placesA, placesB] = [placesOf(a), placesOf(b)];
  const shift = Math.max(0, placesA - placesB);
  const over = digitsOf(a) * 10 ** (shift + placesB - placesA);
  const under = digitsOf(b) * 10 ** shift;
  return (
    longDivision(over, under, places) ??
    pointed(bigDigitsOf(a, places + placesB) / bigDigitsOf(b, placesA), places)
  );
}

/** As on paper, but many digits at a time; null where numbers may not be exact. */
function longDivision(over: number, under: number, places: number): Decimal | null {
  const divisor = Math.abs(under);
  let rest = Math.abs(over);
  if (!(rest <= REST_MAX && divisor > 0 && divisor <= REST_MAX / 10)) return null;
  // One too many where the quotient was rounded up.
  let whole = Math.floor(rest / divisor);
  if (whole * divisor > rest) whole -= 1;
  rest -= whole * divisor;
  let behind = "";
  for (let left = places; left > 0 && rest > 0; ) {
    const count = Math.min(left, digitsAtOnce(divisor));
    rest *= POWERS[count]!;
    let digits = Math.floor(rest / divisor);
    if (digits * divisor > rest) digits -= 1;
    rest -= digits * divisor;
    behind += String(digits + POWERS[count]!).slice(1);
    left -= count;
  }
  const text = withoutZeros(whole, behind);
  return over < 0 !== under < 0 && text !== "0" ? `-${text}` : text;
}
/** Sums of it and a divisor are exact. */
const REST_MAX = 8e15;

const POWERS = Array.from({ length: NEARLY_LENGTH }, (_, exponent) => 10 ** exponent);

/** So many that a rest with as many zeros is exact. */
function digitsAtOnce(divisor: number): number {
  let count = 1;
  while (count < EXACT_LENGTH && divisor * POWERS[count + 1]! <= REST_MAX) count += 1;
  return count;
}

function withoutZeros(whole: number, behind: string): Decimal {
  let to = behind.length;
  while (to > 0 && behind.charCodeAt(to - 1) === ZERO) to -= 1;
  return to === 0 ? String(whole) : `${whole}.${to === behind.length ? behind : behind.slice(0, to)}`;
}

/** |a − b| in percent of |b|, truncated at `places` decimals; throws when `b` is zero. */
export function differencePct(a: Decimal, b: Decimal, places: number): Decimal {
  const quick = quickPct(a, b, places);
  if (quick !== null) return quick;
  const [placesA, placesB] = [placesOf(a), placesOf(b)];
  const x = bigDigitsOf(a, Math.max(0, placesB - placesA));
  const y = bigDigitsOf(b, Math.max(0, placesA - placesB));
  const [difference, base] = [x < y ? y - x : x - y, y < 0n ? -y : y];
  return pointed((difference * powerOfTen(places + 2)) / base, places);
}

/** By floating point, where its error cannot reach the next integer; null otherwise. */
function quickPct(a: Decimal, b: Decimal, places: number): Decimal | null {
  const scale = 10 ** (places + 2);
  const units = Math.abs(nearly(a) / nearly(b) - 1) * scale;
  const integer = Math.floor(units);
  // The error is below 30 × 2^-53 of (units + scale): a third of the margin.
  if (!(units + scale < PCT_MAX && Math.abs(units - integer - 0.5) < 0.5 - PCT_MARGIN)) return null;
  return pointed(integer, places);
}
const [PCT_MAX, PCT_MARGIN] = [1e12, 0.01];

/** The number, each digit beyond what is exact costing one rounding; NaN for what is longer, or no decimal. */
function nearly(value: Decimal): number {
  return value.length > NEARLY_LENGTH ? Number.NaN : roundedDigitsOf(value) / POWERS[placesOf(value)]!;
}

/** Truncated toward zero at `places` decimals. */
export function trunc(a: Decimal, places: number): Decimal {
  const excess = placesOf(a) - places;
  if (excess <= 0) return normal(a);
  check(a);
  return normal(a.slice(0, a.length - excess - (places === 0 ? 1 : 0)));
}

/** Rounded half up (away from zero) at `places` decimals. */
export function round(a: Decimal, places: number): Decimal {
  const excess = placesOf(a) - places;
  if (excess <= 0) return normal(a);
  const unit = 10n ** BigInt(excess);
  const half = a.charCodeAt(0) === MINUS ? -unit / 2n : unit / 2n;
  return pointed((bigDigitsOf(a) + half) / unit, places);
}

/** -1, 0 or 1. */
export const cmp = (a: Decimal, b: Decimal): -1 | 0 | 1 => sign(sub(a, b));
export const eq = (a: Decimal, b: Decimal): boolean => cmp(a, b) === 0;
export const lt = (a: Decimal, b: Decimal): boolean => cmp(a, b) < 0;
export const gt = (a: Decimal, b: Decimal): boolean => cmp(a, b) > 0;
export const isZero = (a: Decimal): boolean => sign(a) === 0;
/** -1, 0 or 1: the sign of `a`. */
export function sign(a: Decimal): -1 | 0 | 1 {
  check(a);
  for (let at = 0; at < a.length; at++) {
    const code = a.charCodeAt(at);
    if (code > ZERO && code <= NINE) return a.charCodeAt(0) === MINUS ? -1 : 1;
  }
  return 0;
}
export const max = (a: Decimal, b: Decimal): Decimal => (cmp(a, b) >= 0 ? a : b);
export const min = (a: Decimal, b: Decimal): Decimal => (cmp(a, b) <= 0 ? a : b);

/** A number as programs print it. Exponents of two digits hold every double worth keeping. */
const NUMERAL = /^([+-]?)(?:(\d+)\.?(\d*)|\.(\d+))(?:e([+-]?\d{1,2}))?$/i;
const NUMERAL_LENGTH = 128;

/** `1e-05`, `.5`, `+2` in plain notation; digits that are plain already stay as they are. Null for anything else. */
export function fromNumeral(text: string): Decimal | null {
  if (text.length > NUMERAL_LENGTH) return null;
  if (isDecimal(text)) return text;
  const numeral = NUMERAL.exec(text);
  if (numeral === null) return null;
  const [, sign = "", whole = "", behind = "", only = "", exponent = "0"] = numeral;
  const places = (behind + only).length - Number(exponent);
  const digits = BigInt(whole + behind + only) * (sign === "-" ? -1n : 1n);
  return pointed(digits * 10n ** BigInt(Math.max(0, -places)), Math.max(0, places));
}

/** Canonical form without trailing zeros: `1.50` → `1.5`, `-0.0` → `0`. */
export const normal = (a: Decimal): Decimal => (isNormal(a) ? a : add(a, "0"));

function isNormal(a: Decimal): boolean {
  if (!isDecimal(a)) return false;
  const from = a.charCodeAt(0) === MINUS ? 1 : 0;
  const hasPoint = a.includes(".");
  if (a.charCodeAt(from) === ZERO && a.charCodeAt(from + 1) !== POINT) return a === "0";
  return !hasPoint || a.charCodeAt(a.length - 1) !== ZERO;
}
