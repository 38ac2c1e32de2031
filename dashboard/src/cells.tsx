/** What the columns of tables are made of: words, digits, money, times, and their colors. */
import type { ComponentChildren } from "preact";
import type { Column } from "./arrange.ts";
import { direction, exact, NOTHING, signed, stamp, usd } from "./format.ts";
import type { Row } from "./model.ts";
import { isoWithZone, ZONE_WORD } from "./zone.ts";

const SIDE_WORDS: Record<string, string> = {
  buy: "Buy",
  sell: "Sell",
  long: "Long",
  short: "Short",
  flat: "Flat",
};

/** A word with its color; the word alone says it too. */
export const sideCell = (side: string) => (
  <span class={side === "buy" || side === "long" ? "up" : "down"}>{SIDE_WORDS[side] ?? side}</span>
);

export const signedCell = (value: unknown, places: number = 2) => (
  <span class={direction(value)}>{signed(value, places)}</span>
);

export const time = (name: string, title: string, rest: Partial<Column> = {}): Column => ({
  id: name,
  title: `${title} (${ZONE_WORD})`,
  text: true,
  value: (row) => (row[name] ? new Date(row[name]).toISOString() : null),
  saved: (row) => (row[name] ? isoWithZone(row[name]) : null),
  show: (row) => timeCell(row[name]),
  ms: (row) => row[name] ?? null,
  ...rest,
});

export const timeCell = (ms: number | null) =>
  ms ? (
    <time title={new Date(ms).toString()}>
      <span class="year">{stamp(ms).slice(0, 5)}</span>
      {stamp(ms).slice(5)}
    </time>
  ) : (
    NOTHING
  );

export const words = (id: string, title: string, rest: Partial<Column> = {}): Column => ({
  id,
  title,
  text: true,
  value: (row) => row[id],
  ...rest,
});
/** A maker of columns whose values are shown in one way. */
export const shownAs =
  (show: (value: Row[string]) => ComponentChildren) =>
  (id: string, title: string, rest: Partial<Column> = {}): Column => ({
    id,
    title,
    value: (row) => row[id],
    show: (row) => show(row[id]),
    ...rest,
  });

export const digits = shownAs(exact);
export const dollars = shownAs((value) => usd(value));
export const wholes = shownAs((value) => value ?? NOTHING);
