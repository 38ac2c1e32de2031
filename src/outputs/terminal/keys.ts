/** Bytes of a terminal in raw mode → keys, and keys → what is shown. Pure. */
import { type Screen, VIEWS } from "./model.ts";

/** What is shown, and what the keys change. */
export type Shown = Pick<
  Screen,
  "view" | "filter" | "typing" | "paused" | "help" | "scroll" | "detail" | "sort" | "selected"
>;

export const SHOWN_FIRST: Shown = {
  view: "overview",
  filter: "",
  typing: false,
  paused: false,
  help: false,
  scroll: 0,
  detail: false,
  sort: 0,
  selected: 0,
};

/** Another list begins at its first row. */
const TOP = { scroll: 0, detail: false } as const;
/** Longest filter. */
const FILTER_MAX = 20;

const SEQUENCES: Record<string, string> = {
  "\u001b[A": "up",
  "\u001b[B": "down",
  "\u001b[C": "right",
  "\u001b[D": "left",
  "\u001b[Z": "shift-tab",
  "\u001b[5~": "page-up",
  "\u001b[6~": "page-down",
  "\t": "tab",
  "\r": "enter",
  "\n": "enter",
  "\u007f": "backspace",
  "\b": "backspace",
  "\u0003": "ctrl-c",
  "\u001b": "escape",
};

/** Splits what arrived into keys; an unknown sequence is left out whole. */
export function keysOf(bytes: string): string[] {
  const keys: string[] = [];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal sends
  for (const [part] of bytes.matchAll(/\u001b(?:\[[0-?]*[ -/]*[@-~]|O.)?|[\s\S]/gu)) {
    const named = SEQUENCES[part];
    if (named) keys.push(named);
    else if (!part.startsWith("\u001b") && part >= " ") keys.push(part);
  }
  return keys;
}

/** The next state, or `"quit"`. */
export function press(shown: Shown, key: string, accounts: number): Shown | "quit" {
  if (key === "ctrl-c") return "quit";
  if (shown.typing) {
    if (key === "enter") return { ...shown, typing: false };
    if (key === "escape") return { ...shown, typing: false, filter: "" };
    if (key === "backspace") return { ...shown, filter: [...shown.filter].slice(0, -1).join("") };
    const typed = [...key].length === 1 && shown.filter.length < FILTER_MAX ? key : "";
    return { ...shown, filter: shown.filter + typed, scroll: 0 };
  }
  const step = (by: number): Shown => {
    const at = (VIEWS.indexOf(shown.view) + by + VIEWS.length) % VIEWS.length;
    return { ...shown, view: VIEWS[at]!, ...TOP, help: false };
  };
  const turn = (by: number): Shown =>
    accounts === 0 ? shown : { ...shown, selected: (shown.selected + by + accounts) % accounts, ...TOP };
  const scroll = (by: number): Shown => ({ ...shown, scroll: Math.max(0, shown.scroll + by) });
  const numbered = VIEWS[Number(key) - 1];
  if (numbered) return { ...shown, view: numbered, ...TOP, help: false };
  switch (key) {
    case "q":
      return "quit";
    case "?":
      return { ...shown, help: !shown.help };
    case "/":
      return { ...shown, typing: true, help: false };
    case "s":
      return { ...shown, sort: shown.sort + 1, ...TOP };
    case "enter":
      return { ...shown, detail: !shown.detail };
    case "p":
      return { ...shown, paused: !shown.paused };
    case "tab":
      return step(1);
    case "shift-tab":
      return step(-1);
    case "left":
      return turn(-1);
    case "right":
      return turn(1);
    case "up":
      return scroll(-1);
    case "down":
      return scroll(1);
    case "page-up":
      return scroll(-10);
    case "page-down":
      return scroll(10);
    case "escape":
      return shown.detail ? { ...shown, detail: false } : { ...shown, help: false, filter: "" };
    default:
      return shown;
  }
}
