/**
 * Decimals as the API writes them: strings, never floats. Guarantees: rounding is half away from zero, as in SQL; nothing
 * loses a digit unless a number of places is asked for. `toNumber` is for pixels only.
 */

/** @typedef {string} Decimal `-12.5` */

/** @param {unknown} text @returns {text is Decimal} */
export const isDecimal = (text) => typeof text === "string" && /^-?\d+(\.\d+)?$/.test(text);

/** @param {Decimal} text @returns {{ units: bigint, scale: number }} value = units / 10^scale */
function parts(text) {
  const [whole, fraction = ""] = text.split(".");
  return { units: BigInt(whole + fraction), scale: fraction.length };
}

/** @param {bigint} units @param {number} scale @returns {Decimal} */
function join(units, scale) {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return units < 0n ? `-${text}` : text;
}

/** @param {Decimal} a @param {Decimal} b @returns {[bigint, bigint, number]} both at one scale */
function aligned(a, b) {
  const left = parts(a);
  const right = parts(b);
  const scale = Math.max(left.scale, right.scale);
  const at = (/** @type {{ units: bigint, scale: number }} */ { units, scale: own }) =>
    units * 10n ** BigInt(scale - own);
  return [at(left), at(right), scale];
}

/** @param {Decimal} a @param {Decimal} b @returns {-1 | 0 | 1} */
export function compare(a, b) {
  // Rounding to a float keeps the order: only what becomes the same float needs its digits.
  const [low, high] = [Number(a), Number(b)];
  if (low !== high) return low < high ? -1 : 1;
  const [left, right] = aligned(a, b);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** @param {Decimal} a @param {Decimal} b */
export function subtract(a, b) {
  const [left, right, scale] = aligned(a, b);
  return join(left - right, scale);
}

/** @param {Decimal[]} values @returns {Decimal} */
export const sum = (values) =>
  values.reduce((total, value) => {
    const [left, right, scale] = aligned(total, value);
    return join(left + right, scale);
  }, "0");

/** @param {Decimal} a @param {Decimal} b */
export function multiply(a, b) {
  const left = parts(a);
  const right = parts(b);
  return join(left.units * right.units, left.scale + right.scale);
}

/** @param {Decimal} text */
export const negate = (text) => (sign(text) === 0 ? text : text.startsWith("-") ? text.slice(1) : `-${text}`);

/** @param {Decimal} text @returns {-1 | 0 | 1} */
export const sign = (text) => (/[1-9]/.test(text) ? (text.startsWith("-") ? -1 : 1) : 0);

/** Exactly `places` decimals. @param {Decimal} text @param {number} places @returns {Decimal} */
export function round(text, places) {
  const { units, scale } = parts(text);
  if (scale <= places) return join(units * 10n ** BigInt(places - scale), places);
  const unit = 10n ** BigInt(scale - places);
  const size = units < 0n ? -units : units;
  const rounded = (size + unit / 2n) / unit;
  return join(units < 0n ? -rounded : rounded, places);
}

/** `1.500` → `1.5` @param {Decimal} text @returns {Decimal} */
export const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

/** `-1234567.5` → `-1,234,567.5` @param {Decimal} text */
export function group(text) {
  const [whole, fraction] = text.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** For pixels. @param {Decimal | null | undefined} text */
export const toNumber = (text) => (text === null || text === undefined ? 0 : Number(text));
