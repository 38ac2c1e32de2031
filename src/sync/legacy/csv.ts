/** CSV as spreadsheets and programs write it (RFC 4180; a byte order mark and either line end are fine). Pure. */
import { ConfigError } from "../../errors.ts";
import type { LegacyRow } from "./cells.ts";

export interface CsvTable {
  columns: string[];
  rows: LegacyRow[];
}

/** Throws `ConfigError` where a quotation mark is never closed; a line with another number of cells is read as far as it goes. */
export function readCsv(text: string): CsvTable {
  const [header = [], ...lines] = cellsOf(text.replace(/^\ufeff/, ""));
  const columns = header.map((name) => name.trim());
  const rows = lines
    .filter((cells) => cells.some((value) => value !== ""))
    .map((cells) => Object.fromEntries(columns.map((name, i) => [name, cells[i] ?? null])));
  return { columns, rows };
}

function cellsOf(text: string): string[][] {
  const lines: string[][] = [];
  let cells: string[] = [];
  const cell = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r?\n|$)/y;
  while (cell.lastIndex < text.length) {
    const at = cell.lastIndex;
    const [, value = "", end] = cell.exec(text) ?? [];
    if (end === undefined)
      throw new ConfigError(`line ${lines.length + 1}, after character ${at}: a quotation mark stands alone`);
    const unquoted = value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value;
    // A spreadsheet's mark that what follows is text.
    cells.push(unquoted.replace(/^'(?=[\d=+@-])/, ""));
    if (end === ",") {
      if (cell.lastIndex === text.length) cells.push("");
      continue;
    }
    lines.push(cells);
    cells = [];
  }
  if (cells.length > 0) lines.push(cells);
  return lines;
}
