/** A choice among the values of a column, and among its days. */
import { useMemo } from "preact/hooks";
import { type Column, facetText } from "./arrange.ts";
import type { Row } from "./model.ts";
import { Menu } from "./panel.tsx";

const FACET_VALUES_MAX = 200;

/** A choice among the values that there are; nothing where there is no choice. */
export function Facet({
  column,
  rows,
  chosen,
  choose,
}: {
  column: Column;
  rows: Row[];
  chosen: string;
  choose(value: string): void;
}) {
  const values = useMemo(() => {
    const found = new Set(rows.map((row) => facetText(column, row)));
    found.delete("");
    return [...found].sort().slice(0, FACET_VALUES_MAX);
  }, [rows, column]);
  if (values.length < 2 && chosen === "") return null;
  return (
    <select
      class={`facet${chosen === "" ? "" : " chosen"}`}
      aria-label={`Only this ${column.title.toLowerCase()}`}
      value={chosen}
      onChange={(event) => choose(event.currentTarget.value)}
    >
      <option value="">{column.facet}</option>
      {(values.includes(chosen) || chosen === "" ? values : [chosen, ...values]).map((value) => (
        <option key={value} value={value}>
          {value.replaceAll("_", " ")}
        </option>
      ))}
    </select>
  );
}

/** From a day to a day, both inclusive, in the chosen zone. */
export function Dates({
  from,
  to,
  choose,
}: {
  from: string;
  to: string;
  choose(days: { from: string; to: string }): void;
}) {
  const input = (title: string, value: string, take: (day: string) => void) => (
    <label>
      {title}
      <input type="date" value={value} onChange={({ currentTarget }) => take(currentTarget.value)} />
    </label>
  );
  const words = from === "" && to === "" ? "Dates" : `${from.slice(5) || "…"} – ${to.slice(5) || "…"}`;
  return (
    <Menu title={words} isChosen={words !== "Dates"}>
      {input("From ", from, (day) => choose({ from: day, to }))}
      {input("To ", to, (day) => choose({ from, to: day }))}
      <button type="button" class="button" onClick={() => choose({ from: "", to: "" })}>
        All dates
      </button>
    </Menu>
  );
}
