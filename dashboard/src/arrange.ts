/**
 * Which rows of a table are shown, and in which order. Pure. Guarantees: the filter finds what is displayed and what is held,
 * in any column; decimals are compared exactly.
 */
import type { ComponentChildren } from "preact";
import { compare, isDecimal, trim } from "./decimal.ts";
import { exactTo } from "./format.ts";
import type { Row } from "./model.ts";
import { dayAt } from "./zone.ts";

export interface Column {
  id: string;
  title: string;

  /** What it is, for the title of its head. */
  hint?: string;

  /** Left-aligned words; else numbers. */
  text?: boolean;

  /** Not shown until chosen. */
  hidden?: boolean;

  /** What is sorted and filtered. */
  value: (row: Row) => unknown;

  /** What is written into a file; default the value. */
  saved?: (row: Row) => unknown;

  /** It is found by this too. */
  also?: (row: Row) => string;

  /** Words with amounts in them: hidden with those. */
  tellsAmounts?: boolean;

  /** What is drawn; default the value. */
  show?: (row: Row) => ComponentChildren;

  /** Minimal width, CSS. */
  width?: string;

  /** As many decimals as any row of the same coin has: they stand under each other. */
  aligned?: boolean;

  /** When it was, Unix ms: rows can be chosen by their dates. */
  ms?: (row: Row) => number | null;

  /** Rows can be chosen by its values: what one of them is called. */
  facet?: string;
}

export type Sort = { id: string; down: boolean } | null;

function byValue(a: unknown, b: unknown) {
  if (a === b) return 0;
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  if (isDecimal(a) && isDecimal(b)) return compare(a, b);
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a) < String(b) ? -1 : 1;
}

/** `-value`: by that column, the largest first. */
export function sortOf(text: string | null, columns: Column[]): Sort {
  const id = text?.replace(/^-/, "");
  return columns.some((column) => column.id === id) ? { id: id!, down: text!.startsWith("-") } : null;
}

export const facetText = (column: Column, row: Row) => String(column.value(row) ?? "");

/** Rows with the chosen values, of the days `from` to `to` where they are chosen. */
export function chosenOf(
  rows: Row[],
  facets: Column[],
  only: Record<string, string>,
  ms: Column["ms"] = undefined,
): Row[] {
  const asked = facets.filter(({ id }) => only[id]);
  const { from = "", to = "" } = only;
  const isDated = ms !== undefined && from + to !== "";
  if (asked.length === 0 && !isDated) return rows;
  const isWithin = (row: Row) => {
    const at = ms?.(row) ?? null;
    if (at === null) return false;
    const day = dayAt(at);
    return day >= from && (to === "" || day <= to);
  };
  return rows.filter(
    (row) =>
      asked.every((column) => facetText(column, row) === only[column.id]) && (!isDated || isWithin(row)),
  );
}

/** Decimals that were seen of a coin, by column: they only grow, so that no row moves back. */
const places = new Map<string, number>();
let placesLearned = 0;
const placesKey = (column: Column, row: Row) => `${column.id} ${row.coin}`;

/** Learns the decimals of the rows that are to be drawn. Returns how often it learned any: rows are drawn anew when that grew. */
export function learnPlaces(rows: Row[], columns: Column[]): number {
  for (const column of columns.filter(({ aligned }) => aligned))
    for (const row of rows) {
      const value = column.value(row);
      if (!isDecimal(value)) continue;
      const count = trim(value).split(".")[1]?.length ?? 0;
      const key = placesKey(column, row);
      if (count <= (places.get(key) ?? 0)) continue;
      places.set(key, count);
      placesLearned += 1;
    }
  return placesLearned;
}

/** A value with the decimals of its coin; every digit of it. */
export function alignedText(column: Column, row: Row): string | null {
  const value = column.value(row);
  return isDecimal(value) ? exactTo(value, places.get(placesKey(column, row)) ?? 0) : null;
}

/** What a row shows and what it holds, lower-case; a row that changes is another object. */
const texts = new WeakMap<Column[], WeakMap<Row, string>>();

function textOf(row: Row, columns: Column[]): string {
  const known = texts.get(columns) ?? new WeakMap<Row, string>();
  texts.set(columns, known);
  let text = known.get(row);
  if (text === undefined) {
    const cells = columns.map(
      (column) => `${column.value(row) ?? ""} ${shownText(column.show?.(row))} ${column.also?.(row) ?? ""}`,
    );
    text = cells.join(" ").toLowerCase().replaceAll("\u2212", "-");
    known.set(row, text);
  }
  return text;
}

/** The words of what is drawn. */
function shownText(shown: unknown): string {
  if (Array.isArray(shown)) return shown.map(shownText).join("");
  if (typeof shown === "string" || typeof shown === "number") return String(shown);
  if (typeof shown !== "object" || shown === null) return "";
  return shownText((shown as { props?: { children?: unknown } }).props?.children);
}

export function arrange(rows: Row[], columns: Column[], filter: string, sort: Sort) {
  const words = filter.toLowerCase().replaceAll("\u2212", "-").split(/\s+/).filter(Boolean);
  const found =
    words.length === 0
      ? rows
      : rows.filter((row) => {
          const all = textOf(row, columns);
          return words.every((word) => all.includes(word));
        });
  const column = sort && columns.find(({ id }) => id === sort.id);
  if (!column) return found;
  const turn = sort.down ? -1 : 1;
  return found.toSorted((a, b) => turn * byValue(column.value(a), column.value(b)));
}
