/**
 * Exact decimal arithmetic on strings. Guarantees: no float is ever involved; addition, subtraction and
 * multiplication are exact; results are plain notation without exponent and without trailing zeros ("-0" never
 * occurs). Assumes its inputs are decimal strings as the venue writes them; anything else throws `RangeError`.
 * What the venue sent is stored verbatim; this module only computes what we derive.
 */
import Big from "big.js";

/** A decimal number in plain notation: `-12`, `0.5`, `83757.5`. */
export type Decimal = string;

const big = Big();
big.DP = 40;
big.RM = Big.roundDown;
// `toString` must never fall into exponent notation: the result goes back to the wire and into SQL.
big.NE = -1e6;
big.PE = 1e6;

const DECIMAL = /^-?\d+(\.\d+)?$/;

export const isDecimal = (text: unknown): text is Decimal => typeof text === "string" && DECIMAL.test(text);

function parse(value: Decimal): Big {
  if (!DECIMAL.test(value)) throw new RangeError(`not a decimal: ${JSON.stringify(value)}`);
  return new big(value);
}

const plain = (value: Big): Decimal => (value.eq(0) ? "0" : value.toFixed());

export const add = (a: Decimal, b: Decimal): Decimal => plain(parse(a).plus(parse(b)));
export const sub = (a: Decimal, b: Decimal): Decimal => plain(parse(a).minus(parse(b)));
export const mul = (a: Decimal, b: Decimal): Decimal => plain(parse(a).times(parse(b)));
export const neg = (a: Decimal): Decimal => plain(parse(a).neg());
export const abs = (a: Decimal): Decimal => plain(parse(a).abs());
export const sum = (values: Iterable<Decimal>): Decimal => {
  let total = new big(0);
  for (const value of values) total = total.plus(parse(value));
  return plain(total);
};

/** Quotient truncated toward zero at `places` decimals; throws on division by zero. */
export const div = (a: Decimal, b: Decimal, places = 20): Decimal =>
  plain(parse(a).div(parse(b)).round(places, Big.roundDown));

/** Truncated toward zero at `places` decimals. */
export const trunc = (a: Decimal, places: number): Decimal => plain(parse(a).round(places, Big.roundDown));
/** Rounded half up (away from zero) at `places` decimals. */
export const round = (a: Decimal, places: number): Decimal => plain(parse(a).round(places, Big.roundHalfUp));

/** -1, 0 or 1. */
export const cmp = (a: Decimal, b: Decimal): -1 | 0 | 1 => parse(a).cmp(parse(b));
export const eq = (a: Decimal, b: Decimal): boolean => cmp(a, b) === 0;
export const lt = (a: Decimal, b: Decimal): boolean => cmp(a, b) < 0;
export const gt = (a: Decimal, b: Decimal): boolean => cmp(a, b) > 0;
export const isZero = (a: Decimal): boolean => parse(a).eq(0);
/** -1, 0 or 1: the sign of `a`. */
export const sign = (a: Decimal): -1 | 0 | 1 => parse(a).cmp(0);
export const max = (a: Decimal, b: Decimal): Decimal => (cmp(a, b) >= 0 ? a : b);
export const min = (a: Decimal, b: Decimal): Decimal => (cmp(a, b) <= 0 ? a : b);

/** A number as programs print it. Exponents of two digits hold every double worth keeping. */
const NUMERAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?$/i;
const NUMERAL_LENGTH = 128;

/** `1e-05`, `.5`, `+2` in plain notation; digits that are plain already stay as they are. Null for anything else. */
export function fromNumeral(text: string): Decimal | null {
  if (text.length > NUMERAL_LENGTH || !NUMERAL.test(text)) return null;
  return DECIMAL.test(text) ? text : plain(new big(text.replace(/^\+/, "").replace(/\.(?=$|e)/i, "")));
}

/** Canonical form without trailing zeros: `1.50` → `1.5`, `-0.0` → `0`. */
export const normal = (a: Decimal): Decimal => plain(parse(a));
