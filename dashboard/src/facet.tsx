/** A choice among the values of a column. */
import { useMemo } from "preact/hooks";
import { type Column, facetText } from "./arrange.ts";
import type { Row } from "./model.ts";

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
