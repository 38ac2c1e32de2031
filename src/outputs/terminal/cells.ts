/**
 * Text in terminal cells. Pure. Guarantees: `fit` gives exactly the asked width; text from the wire cannot move the
 * cursor or change colors, because control characters are taken out; colors never count as cells.
 */
import { printable } from "../../runtime/safeText.ts";

export type Paint = "dim" | "bold" | "red" | "green" | "yellow" | "cyan" | "reverse" | "plain";

const CODES: Record<Exclude<Paint, "plain">, number> = {
  bold: 1,
  dim: 2,
  reverse: 7,
  red: 31,
  green: 32,
  yellow: 33,
  cyan: 36,
};

/** A run of text in one color. */
export interface Span {
  text: string;
  paint: Paint;
}

export const span = (text: string, paint: Paint = "plain"): Span => ({ text, paint });

/** East Asian wide characters and emoji take two cells; combining marks none. */
function widthOf(character: string): number {
  const code = character.codePointAt(0)!;
  if (code < 0x300) return 1;
  if (/\p{Mark}/u.test(character)) return 0;
  const wide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return wide ? 2 : 1;
}

export const width = (text: string): number => {
  let cells = 0;
  for (const character of text) cells += widthOf(character);
  return cells;
};

/** The beginning of `text` in at most `cells` cells, with `…` where something was cut. */
export function cut(text: string, cells: number): string {
  if (width(text) <= cells) return text;
  let kept = "";
  let used = 0;
  for (const character of text) {
    const next = widthOf(character);
    if (used + next > cells - 1) break;
    kept += character;
    used += next;
  }
  return cells > 0 ? `${kept}…` : "";
}

/** Exactly `cells` cells: cut or filled with spaces. */
export function fit(text: string, cells: number, align: "left" | "right" = "left"): string {
  const short = cut(text, cells);
  const space = " ".repeat(Math.max(0, cells - width(short)));
  return align === "left" ? short + space : space + short;
}

/** One line of exactly `cells` cells out of runs of text. */
export function line(spans: readonly Span[], cells: number, color: boolean): string {
  let left = cells;
  let out = "";
  for (const { text, paint } of spans) {
    if (left <= 0) break;
    const short = cut(printable(text), left);
    left -= width(short);
    out += color && paint !== "plain" ? `\u001b[${CODES[paint]}m${short}\u001b[0m` : short;
  }
  return out + " ".repeat(Math.max(0, left));
}
