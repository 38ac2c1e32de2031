/** Values as people read them. Unknown is `–`, never 0; a sign is always written where it is the message. */
import { group, isDecimal, multiply, round, sign, trim } from "./decimal.js";

export const NOTHING = "–";
const MINUS = "\u2212";

/** @param {string} text */
const withMinus = (text) => text.replace("-", MINUS);

/** All digits, grouped. @param {unknown} value */
export const exact = (value) => (isDecimal(value) ? withMinus(group(trim(value))) : NOTHING);

/** @param {unknown} value @param {number} [places] */
export const usd = (value, places = 2) =>
  isDecimal(value) ? withMinus(group(round(value, places))) : NOTHING;

/** With its sign, also plus; more places for what would read as nothing although it is something. @param {unknown} value @param {number} [places] */
export function signed(value, places = 2) {
  if (!isDecimal(value)) return NOTHING;
  const isTiny = sign(value) !== 0 && sign(round(value, places)) === 0;
  const text = round(value, isTiny ? places + 2 : places);
  return sign(text) > 0
    ? `+${group(text)}`
    : withMinus(group(sign(text) === 0 ? text.replace("-", "") : text));
}

/** Of a value that is percent already. @param {unknown} value @param {number} [places] */
export const percent = (value, places = 2) => (isDecimal(value) ? `${usd(value, places)}%` : NOTHING);

/** @param {unknown} value @param {number} [places] */
export const signedPercent = (value, places = 2) =>
  isDecimal(value) ? `${signed(value, places)}%` : NOTHING;

/** Of a fraction. @param {unknown} value @param {number} places */
export const ratioPercent = (value, places = 2) =>
  isDecimal(value) ? signedPercent(multiply(value, "100"), places) : NOTHING;

/** `up`, `down` or `even`: for a class, beside a sign. @param {unknown} value */
export const direction = (value) =>
  isDecimal(value) ? (sign(value) > 0 ? "up" : sign(value) < 0 ? "down" : "even") : "even";

/** `14:03:11` UTC @param {number | null | undefined} ms */
export const clock = (ms) => (ms ? new Date(ms).toISOString().slice(11, 19) : NOTHING);

/** `2026-10-05 14:03:11` UTC @param {number | null | undefined} ms */
export const stamp = (ms) => (ms ? new Date(ms).toISOString().slice(0, 19).replace("T", " ") : NOTHING);

/** `2026-10-05` UTC @param {number | null | undefined} ms */
export const day = (ms) => (ms ? new Date(ms).toISOString().slice(0, 10) : NOTHING);

/** How long ago, or how long: `0.4 s`, `12 s`, `3 min`, `2 h`, `5 d`. @param {number | null | undefined} ms */
export function age(ms) {
  if (ms === null || ms === undefined) return NOTHING;
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** `0x1234…abcd` @param {string | null | undefined} text */
export const short = (text) =>
  text && text.length > 14 ? `${text.slice(0, 6)}…${text.slice(-4)}` : (text ?? NOTHING);

/** `1 gap`, `2 gaps` @param {number} count @param {string} noun */
export const counted = (count, noun) => `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
