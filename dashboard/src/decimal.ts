/**
 * Decimals as the API writes them: strings, never floats. Guarantees: rounding is half away from zero, as in SQL; nothing
 * loses a digit unless a number of places is asked for. `toNumber` is for pixels only.
 */

/** `-12.5` */
export type Decimal = string;

export const isDecimal = (text: unknown): text is Decimal =>
  typeof text === "string" && /^-?\d+(\.\d+)?$/.test(text);

/** value = units / 10^scale */
function parts(text: Decimal): { units: bigint; scale: number } {
  const [whole, fraction = ""] = text.split(".");
  return { units: BigInt(whole + fraction), scale: fraction.length };
}

function join(units: bigint, scale: number): Decimal {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return units < 0n ? `-${text}` : text;
}

/** both at one scale */
function aligned(a: Decimal, b: Decimal): [bigint, bigint, number] {
  const left = parts(a);
  const right = parts(b);
  const scale = Math.max(left.scale, right.scale);
  const at = ({ units, scale: own }: { units: bigint; scale: number }) => units * 10n ** BigInt(scale - own);
  return [at(left), at(right), scale];
}

export function compare(a: Decimal, b: Decimal): -1 | 0 | 1 {
  // Rounding to a float keeps the order: only what becomes the same float needs its digits.
  const [low, high] = [Number(a), Number(b)];
  if (low !== high) return low < high ? -1 : 1;
  const [left, right] = aligned(a, b);
  return left < right ? -1 : left > right ? 1 : 0;
}

export function subtract(a: Decimal, b: Decimal) {
  const [left, right, scale] = aligned(a, b);
  return join(left - right, scale);
}

export const sum = (values: Decimal[]): Decimal =>
  values.reduce((total, value) => {
    const [left, right, scale] = aligned(total, value);
    return join(left + right, scale);
  }, "0");

export function multiply(a: Decimal, b: Decimal) {
  const left = parts(a);
  const right = parts(b);
  return join(left.units * right.units, left.scale + right.scale);
}

export const negate = (text: Decimal) =>
  sign(text) === 0 ? text : text.startsWith("-") ? text.slice(1) : `-${text}`;

export const sign = (text: Decimal): -1 | 0 | 1 => (/[1-9]/.test(text) ? (text.startsWith("-") ? -1 : 1) : 0);

/** Exactly `places` decimals. */
export function round(text: Decimal, places: number): Decimal {
  const { units, scale } = parts(text);
  if (scale <= places) return join(units * 10n ** BigInt(places - scale), places);
  const unit = 10n ** BigInt(scale - places);
  const size = units < 0n ? -units : units;
  const rounded = (size + unit / 2n) / unit;
  return join(units < 0n ? -rounded : rounded, places);
}

/** `1.500` → `1.5` */
export const trim = (text: Decimal): Decimal => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

/** `-1234567.5` → `-1,234,567.5` */
export function group(text: Decimal) {
  const [whole, fraction] = text.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** For pixels. */
export const toNumber = (text: Decimal | null | undefined) =>
  text === null || text === undefined ? 0 : Number(text);
