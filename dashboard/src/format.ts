/** Values as people read them. Unknown is `–`, never 0; a sign is always written where it is the message. */
import { group, isDecimal, multiply, round, sign, trim } from "./decimal.ts";
import { iso, ZONE_WORD } from "./zone.ts";

export const NOTHING = "–";
const MINUS = "\u2212";

const withMinus = (text: string) => text.replace("-", MINUS);

/** All digits, grouped. */
export const exact = (value: unknown) => (isDecimal(value) ? withMinus(group(trim(value))) : NOTHING);

/** The same with at least so many decimals. */
export const exactTo = (value: string, places: number) => {
  const text = trim(value);
  return withMinus(group(round(text, Math.max(places, text.split(".")[1]?.length ?? 0))));
};

export const usd = (value: unknown, places: number = 2) =>
  isDecimal(value) ? withMinus(group(round(value, places))) : NOTHING;

/** With its sign, also plus; more places for what would read as nothing although it is something. */
export function signed(value: unknown, places: number = 2) {
  if (!isDecimal(value)) return NOTHING;
  const isTiny = sign(value) !== 0 && sign(round(value, places)) === 0;
  const text = round(value, isTiny ? places + 2 : places);
  return sign(text) > 0
    ? `+${group(text)}`
    : withMinus(group(sign(text) === 0 ? text.replace("-", "") : text));
}

/** Of a value that is percent already. */
export const percent = (value: unknown, places: number = 2) =>
  isDecimal(value) ? `${usd(value, places)}%` : NOTHING;

export const signedPercent = (value: unknown, places: number = 2) =>
  isDecimal(value) ? `${signed(value, places)}%` : NOTHING;

/** Of a fraction. */
export const ratioPercent = (value: unknown, places: number = 2) =>
  isDecimal(value) ? signedPercent(multiply(value, "100"), places) : NOTHING;

/** `up`, `down` or `even`: for a class, beside a sign. */
export const direction = (value: unknown) =>
  isDecimal(value) ? (sign(value) > 0 ? "up" : sign(value) < 0 ? "down" : "even") : "even";

/** `14:03:11` */
export const clock = (ms: number | null | undefined) => (ms ? iso(ms).slice(11, 19) : NOTHING);

/** `2026-10-05 14:03:11` */
export const stamp = (ms: number | null | undefined) =>
  ms ? iso(ms).slice(0, 19).replace("T", " ") : NOTHING;

/** `2026-10-05` */
export const day = (ms: number | null | undefined) => (ms ? iso(ms).slice(0, 10) : NOTHING);

/** With the zone, where it stands alone: `14:03:11 UTC`, `2026-10-05 14:03:11 UTC` */
export const clockAt = (ms: number | null | undefined) => (ms ? `${clock(ms)} ${ZONE_WORD}` : NOTHING);
export const stampAt = (ms: number | null | undefined) => (ms ? `${stamp(ms)} ${ZONE_WORD}` : NOTHING);

/** How long ago, or how long: `0.4 s`, `12 s`, `3 min`, `2 h`, `5 d`. */
export function age(ms: number | null | undefined) {
  if (ms === null || ms === undefined) return NOTHING;
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** `0x1234…abcd` */
export const short = (text: string | null | undefined) =>
  text && text.length > 14 ? `${text.slice(0, 6)}…${text.slice(-4)}` : (text ?? NOTHING);

/** `1 gap`, `2 gaps` */
export const counted = (count: number, noun: string) =>
  `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
