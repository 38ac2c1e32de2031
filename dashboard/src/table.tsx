/**
 * A table of any length: filter, sort, columns to choose, CSV. Guarantees: only the rows in view are in the page, so ten
 * thousand scroll as smoothly as ten; filtering, sorting and saving use all rows, not those that happen to be here,
 * and where rows are missing the count says so; sorting compares decimals exactly; the CSV holds what is filtered, every
 * digit, in all columns; a cell that begins like a formula cannot run in a spreadsheet.
 */

import { Component, type ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { param, writeParams } from "./address.ts";
import { alignedText, arrange, type Column, chosenOf, learnPlaces, type Sort, sortOf } from "./arrange.ts";
import { Detail } from "./detail.tsx";
import { Dates, Facet } from "./facet.tsx";
import { counted } from "./format.ts";
import type { Row } from "./model.ts";
import { Menu } from "./panel.tsx";
import { remembered } from "./settings.ts";

export type { Column } from "./arrange.ts";

const ROW_PX = 29;
const OVERSCAN = 12;

export function toCsv(rows: Row[], columns: Column[]) {
  const cell = (value: unknown) => {
    const text = value === null || value === undefined ? "" : String(value);
    const isNumber = /^-?\d+(\.\d+)?$/.test(text);
    const safe = !isNumber && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = [
    columns.map(({ title }) => cell(title)),
    ...rows.map((row) => columns.map(({ saved, value }) => cell((saved ?? value)(row)))),
  ];
  return `${lines.map((line) => line.join(",")).join("\r\n")}\r\n`;
}

function download(name: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}

/** Where the rows are the newest of more. */
export interface Older {
  /** Whether older rows can be read. */
  more: boolean;

  /** Rows that are here, when there are more; null when these are all. */
  kept: number | null;

  /** Rows there are; null when it is not known. */
  total: number | null;

  /** Reads some of them. */
  load: () => Promise<void>;

  /** Reads all of them; null when that happens by itself. */
  all: (() => Promise<void>) | null;
  error: string | null;
}

/** How many rows are shown, of how many, and of how many there are. */
function countWords(shown: number, here: number, older: Older | undefined) {
  const total = older?.total ?? null;
  const all =
    (older?.kept ?? null) === null
      ? counted(here, "row")
      : `newest ${here.toLocaleString("en-US")} of ${total === null ? "more rows" : counted(total, "row")}`;
  if (shown === here) return all;
  return `${shown.toLocaleString("en-US")} of ${all.startsWith("newest") ? "the " : ""}${all}`;
}

export function DataTable({
  name,
  title,
  rows,
  columns,
  rowKey,
  empty,
  fits,
  older,
  extra,
  inAddress,
  isBare,
  href,
  detail,
}: {
  /** Names it: for settings, files and screen readers. */
  name: string;
  title: string;
  rows: Row[];
  columns: Column[];
  rowKey: (row: Row) => string;

  /** Said when there are no rows. */
  empty?: string;

  /** As high as its rows, without scrolling of its own. */
  fits?: boolean;
  older?: Older;

  /** Beside the filter. */
  extra?: ComponentChildren;

  /** Filter, sort and choices stand in the address: of the second table of a view with a word of its own before their names. */
  inAddress?: boolean | string;

  /** Nothing to choose by: it stands among other things. */
  isBare?: boolean;

  /** Where a row leads; null opens it in place. */
  href?: (row: Row) => string | null;

  /** What belongs to a row and is shown below all of its columns, when it is opened. */
  detail?: (row: Row) => ComponentChildren;
}) {
  const before = typeof inAddress === "string" ? `${inAddress}.` : "";
  const given = (field: string) => (inAddress ? param(before + field) : null);
  const [filter, setFilter] = useState(() => given("filter") ?? "");
  const [sort, setSort] = useState(() => sortOf(given("sort"), columns));
  const facets = useMemo(() => (isBare ? [] : columns.filter(({ facet }) => facet)), [columns]);
  const [only, setOnly] = useState(
    () =>
      Object.fromEntries(
        [...facets.map(({ id }) => id), "from", "to"].map((id) => [id, given(id) ?? ""]),
      ) as Record<string, string>,
  );
  const ms = columns[0].ms;
  useEffect(() => {
    const word = sort === null ? null : `${sort.down ? "-" : ""}${sort.id}`;
    if (!inAddress) return;
    const chosen = Object.entries({ filter, sort: word, ...only });
    writeParams(Object.fromEntries(chosen.map(([field, value]) => [before + field, value])));
  }, [filter, sort, only]);
  const [chosen, setChosen] = remembered(`columns.${name}`, null as string[] | null);
  const shown = useMemo(
    () => columns.filter(({ id, hidden }) => (chosen === null ? !hidden : chosen.includes(id))),
    [columns, chosen],
  );
  const view = useMemo(
    () => arrange(chosenOf(rows, facets, only, ms), columns, filter, sort),
    [rows, columns, filter, sort, only],
  );
  const isChosen = Object.values(only).some((value) => value !== "");
  const [saving, setSaving] = useState(false);
  const needsAll = saving || sort !== null || filter.trim() !== "" || isChosen;
  const isPartial = older?.more ?? false;
  useEffect(() => {
    if (needsAll && isPartial) void older?.all?.();
  }, [needsAll, isPartial, rows]);
  useEffect(() => {
    if (!saving || (isPartial && !older?.error)) return;
    setSaving(false);
    // A file that ends somewhere would look complete.
    if (!isPartial) download(`hlsync-${name}.csv`, toCsv(view, columns));
  }, [saving, isPartial, older?.error, view]);
  const [opened, setOpened] = useState(null as string | null);
  const openedRow = opened === null ? undefined : view.find((row) => rowKey(row) === opened);
  const open = (row: Row) => {
    const target = href?.(row);
    if (target) location.hash = target;
    else setOpened(rowKey(row));
  };
  const toggle = (id: string) => {
    const now = shown.map((column) => column.id);
    setChosen(now.includes(id) ? now.filter((other) => other !== id) : [...now, id]);
  };
  const order = (id: string) =>
    setSort(sort?.id !== id ? { id, down: true } : sort.down ? { id, down: false } : null);

  return (
    <section class={`table-box${fits ? " fits" : ""}`} aria-label={title} data-table={name}>
      <div class="table-tools">
        <h2>{title}</h2>
        <span
          class={`count${(older?.kept ?? null) === null ? "" : " partial"}`}
          aria-live="off"
        >{`${countWords(view.length, rows.length, older)}${needsAll && isPartial && !older?.error ? ", reading…" : ""}`}</span>
        {extra}
        <span class="spring" />
        {facets.map((column) => (
          <Facet
            key={column.id}
            column={column}
            rows={rows}
            chosen={only[column.id] ?? ""}
            choose={(value) => setOnly({ ...only, [column.id]: value })}
          />
        ))}
        {ms && inAddress && rows.length > 0 ? (
          <Dates from={only.from} to={only.to} choose={(days) => setOnly({ ...only, ...days })} />
        ) : null}
        <input
          type="search"
          class="filter"
          placeholder="Filter  /"
          aria-label={`Filter ${title}`}
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
          onKeyDown={(event: KeyboardEvent) => {
            if (event.key !== "Escape") return;
            setFilter("");
            (event.currentTarget as HTMLElement).blur();
          }}
        />
        <ColumnsMenu columns={columns} shown={shown} toggle={toggle} />
        <button
          type="button"
          class="button"
          title="Save the filtered rows, all columns"
          disabled={saving}
          onClick={() => setSaving(true)}
        >
          CSV
        </button>
      </div>
      <Rows
        view={view}
        top={JSON.stringify([filter, sort, only])}
        shown={shown}
        sort={sort}
        order={order}
        rowKey={rowKey}
        title={title}
        older={older}
        fits={fits ?? false}
        whole={rows.length}
        empty={empty ?? "Nothing yet"}
        open={open}
      />
      {openedRow ? (
        <Detail title={title} row={openedRow} columns={columns} close={() => setOpened(null)}>
          {detail?.(openedRow)}
        </Detail>
      ) : null}
    </section>
  );
}

function ColumnsMenu({
  columns,
  shown,
  toggle,
}: {
  columns: Column[];
  shown: Column[];
  toggle(id: string): void;
}) {
  return (
    <Menu title="Columns">
      {columns.map((column) => (
        <label key={column.id}>
          <input
            type="checkbox"
            checked={shown.includes(column)}
            disabled={shown.length === 1 && shown.includes(column)}
            onChange={() => toggle(column.id)}
          />
          {` ${column.title}`}
        </label>
      ))}
    </Menu>
  );
}

function Rows({
  view,
  top,
  shown,
  fits,
  whole,
  sort,
  order,
  rowKey,
  title,
  empty,
  older,
  open,
}: {
  view: Row[];
  /** Another one shows the rows from the first on. */
  top: string;
  shown: Column[];
  fits: boolean;
  whole: number;
  sort: Sort;
  order: (id: string) => void;
  rowKey: (row: Row) => string;
  title: string;
  empty: string;
  older?: Older;
  open(row: Row): void;
}) {
  const box = useRef(null as HTMLDivElement | null);
  const [range, setRange] = useState({ from: 0, to: 60 });
  const measure = () => {
    const element = box.current;
    if (!element || fits) return;
    const from = Math.max(0, Math.floor(element.scrollTop / ROW_PX) - OVERSCAN);
    const to = from + Math.ceil(element.clientHeight / ROW_PX) + 2 * OVERSCAN;
    setRange((known) => (known.from === from && known.to === to ? known : { from, to }));
  };
  useEffect(() => {
    measure();
    const watcher = new ResizeObserver(measure);
    if (box.current) watcher.observe(box.current);
    return () => watcher.disconnect();
  }, [fits]);
  useEffect(() => {
    if (box.current) box.current.scrollTop = 0;
  }, [top]);
  const isLoading = useRef(false);
  const nearEnd = !fits && older?.more && range.to >= view.length - 50;
  useEffect(() => {
    if (!nearEnd || isLoading.current || !older) return;
    isLoading.current = true;
    void older.load().finally(() => {
      isLoading.current = false;
    });
  }, [nearEnd, whole]);

  const from = fits ? 0 : Math.min(range.from, view.length);
  const to = fits ? view.length : Math.min(view.length, range.to);
  const places = learnPlaces(view.slice(from, to), shown);
  const filler = (count: number, key: string) =>
    count > 0 ? (
      // biome-ignore lint/a11y/noAriaHiddenOnFocusable: a row takes no focus
      <tr key={key} aria-hidden="true" class="filler">
        <td colSpan={shown.length} style={{ height: `${count * ROW_PX}px` }} />
      </tr>
    ) : null;

  return (
    <div
      class="table-scroll"
      ref={box}
      onScroll={measure}
      tabIndex={0}
      role="region"
      aria-label={`${title}, scrollable`}
    >
      <table aria-rowcount={view.length + 1}>
        <caption class="unseen">{title}</caption>
        <thead>
          <tr aria-rowindex={1}>{shown.map((column) => head(column, sort, order))}</tr>
        </thead>
        <tbody>
          {filler(from, "before")}
          {view.slice(from, to).map((row, index) => (
            <TableRow
              // Counted from the end, where a new row at the top changes no other, and rows that a scroll brings take the place of those that go.
              key={fits ? rowKey(row) : (view.length - from - index) % (range.to - range.from)}
              row={row}
              index={from + index}
              shown={shown}
              places={places}
              open={open}
            />
          ))}
          {filler(view.length - to, "after")}
        </tbody>
      </table>
      {view.length === 0 ? <p class="empty">{whole > 0 ? "No row matches the filter" : empty}</p> : null}
      {older?.error ? (
        <p class="empty">{`${whole > 0 ? "Older rows" : "It"} could not be read: ${older.error}`}</p>
      ) : null}
    </div>
  );
}

interface TableRowProps {
  row: Row;
  index: number;
  shown: Column[];
  /** Another number shows other decimals. */
  places: number;
  open(row: Row): void;
}

/**
 * Drawn again only when it is another row or shows something else: of sixty rows in view a scroll brings a few. Its cells stay
 * where it has moved only, as all rows do when a new one comes.
 */
class TableRow extends Component<TableRowProps> {
  #drawn: Pick<TableRowProps, "row" | "shown" | "places"> | null = null;
  #cells: ComponentChildren = null;

  override shouldComponentUpdate(next: TableRowProps) {
    return next.index !== this.props.index || !this.#shows(next);
  }

  #shows({ row, shown, places }: TableRowProps): boolean {
    return this.#drawn?.row === row && this.#drawn.shown === shown && this.#drawn.places === places;
  }

  render(props: TableRowProps) {
    // The newest: it may know other rows by now.
    const open = () => this.props.open(this.props.row);
    if (!this.#shows(props)) {
      const { row, shown, places } = props;
      this.#drawn = { row, shown, places };
      this.#cells = shown.map((column, place) => (
        <td key={column.id} class={kindOf(column)} data-column={column.id}>
          {place === 0 ? (
            <button type="button" class="row-open" onClick={open}>
              {cellOf(column, row)}
            </button>
          ) : (
            cellOf(column, row)
          )}
        </td>
      ));
    }
    return (
      <tr aria-rowindex={props.index + 2} onClick={(event: MouseEvent) => opens(event) && open()}>
        {this.#cells}
      </tr>
    );
  }
}

const kindOf = (column: Column): string =>
  `${column.text ? "text" : ""}${column.tellsAmounts ? " amounts" : ""}`;

const cellOf = (column: Column, row: Row) =>
  (column.aligned ? alignedText(column, row) : null) ??
  (column.show ? column.show(row) : ((column.value(row) ?? "–") as ComponentChildren));

/** Not where a button or a link is pressed, nor where words are being selected. */
const opens = ({ target }: MouseEvent) =>
  (target as Element).closest("a, button") === null && getSelection()?.isCollapsed !== false;

function head(column: Column, sort: Sort, order: (id: string) => void) {
  const isSorted = sort?.id === column.id;
  return (
    <th
      key={column.id}
      scope="col"
      class={column.text ? "text" : ""}
      title={column.hint}
      aria-sort={isSorted ? (sort.down ? "descending" : "ascending") : "none"}
      style={column.width ? { minWidth: column.width } : undefined}
    >
      <button type="button" onClick={() => order(column.id)}>
        {column.title}
        <span class="arrow" aria-hidden="true">
          {isSorted ? (sort.down ? " ↓" : " ↑") : ""}
        </span>
      </button>
    </th>
  );
}
