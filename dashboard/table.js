/**
 * A table of any length: filter, sort, columns to choose, CSV. Guarantees: only the rows in view are in the page, so ten
 * thousand scroll as smoothly as ten; whoever filters, sorts or saves gets all rows, not those that happen to be here,
 * and where rows are missing the count says so; sorting compares decimals exactly; the CSV holds what is filtered, every
 * digit, in all columns; a cell that begins like a formula cannot run in a spreadsheet.
 */
import { h } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { compare, isDecimal } from "./decimal.js";
import { counted } from "./format.js";
import { remembered } from "./settings.js";

/** @typedef {import("./model.js").Row} Row */
/**
 * @typedef {object} Column
 * @property {string} id
 * @property {string} title
 * @property {string} [hint] What it is, for the title of its head.
 * @property {boolean} [text] Left-aligned words; else numbers.
 * @property {boolean} [hidden] Not shown until chosen.
 * @property {(row: Row) => any} value What is sorted, filtered and exported.
 * @property {(row: Row) => import("preact").ComponentChildren} [show] What is drawn; default the value.
 * @property {string} [width] Minimal width, CSS.
 */

const ROW_PX = 29;
const OVERSCAN = 12;

/** @param {unknown} a @param {unknown} b */
function byValue(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  if (isDecimal(a) && isDecimal(b)) return compare(a, b);
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a) < String(b) ? -1 : 1;
}

/** @param {Row[]} rows @param {Column[]} columns */
export function toCsv(rows, columns) {
  const cell = (/** @type {unknown} */ value) => {
    const text = value === null || value === undefined ? "" : String(value);
    const isNumber = /^-?\d+(\.\d+)?$/.test(text);
    const safe = !isNumber && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = [
    columns.map(({ title }) => cell(title)),
    ...rows.map((row) => columns.map((c) => cell(c.value(row)))),
  ];
  return `${lines.map((line) => line.join(",")).join("\r\n")}\r\n`;
}

/** @param {string} name @param {string} text */
function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}

/**
 * Where the rows are the newest of more.
 * @typedef {object} Older
 * @property {boolean} more Whether older rows can be read.
 * @property {number | null} kept Rows that are here, when there are more; null when these are all.
 * @property {number | null} total Rows there are; null when it is not known.
 * @property {() => Promise<void>} load Reads some of them.
 * @property {(() => Promise<void>) | null} all Reads all of them; null when that happens by itself.
 * @property {string | null} error
 */

/**
 * How many rows are shown, of how many, and of how many there are.
 * @param {number} shown @param {number} here @param {Older | undefined} older
 */
function countWords(shown, here, older) {
  const total = older?.total ?? null;
  const all =
    (older?.kept ?? null) === null
      ? counted(here, "row")
      : `newest ${here.toLocaleString("en-US")} of ${total === null ? "more rows" : counted(total, "row")}`;
  if (shown === here) return all;
  return `${shown.toLocaleString("en-US")} of ${all.startsWith("newest") ? "the " : ""}${all}`;
}

/**
 * @param {object} props
 * @param {string} props.name Names it: for settings, files and screen readers.
 * @param {string} props.title
 * @param {Row[]} props.rows
 * @param {Column[]} props.columns
 * @param {(row: Row) => string} props.rowKey
 * @param {string} [props.empty] Said when there are no rows.
 * @param {boolean} [props.fits] As high as its rows, without scrolling of its own.
 * @param {Older} [props.older]
 * @param {import("preact").ComponentChildren} [props.extra] Beside the filter.
 */
export function DataTable({ name, title, rows, columns, rowKey, empty, fits, older, extra }) {
  const [filter, setFilter] = useState("");
  const [sort, setSort] = useState(/** @type {{ id: string, down: boolean } | null} */ (null));
  const [chosen, setChosen] = remembered(`columns.${name}`, /** @type {string[] | null} */ (null));
  const shown = columns.filter(({ id, hidden }) => (chosen === null ? !hidden : chosen.includes(id)));
  const view = useMemo(() => arrange(rows, columns, filter, sort), [rows, columns, filter, sort]);
  const [saving, setSaving] = useState(false);
  const needsAll = saving || sort !== null || filter.trim() !== "";
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
  const toggle = (/** @type {string} */ id) => {
    const now = shown.map((column) => column.id);
    setChosen(now.includes(id) ? now.filter((other) => other !== id) : [...now, id]);
  };
  const order = (/** @type {string} */ id) =>
    setSort(sort?.id !== id ? { id, down: true } : sort.down ? { id, down: false } : null);

  return h("section", { class: `table-box${fits ? " fits" : ""}`, "aria-label": title, "data-table": name }, [
    h("div", { class: "table-tools" }, [
      h("h2", {}, title),
      h(
        "span",
        { class: `count${(older?.kept ?? null) === null ? "" : " partial"}`, "aria-live": "off" },
        `${countWords(view.length, rows.length, older)}${needsAll && isPartial && !older?.error ? ", reading…" : ""}`,
      ),
      extra,
      h("span", { class: "spring" }),
      h("input", {
        type: "search",
        class: "filter",
        placeholder: "Filter  /",
        "aria-label": `Filter ${title}`,
        value: filter,
        onInput: (/** @type {any} */ event) => setFilter(event.currentTarget.value),
        onKeyDown: (/** @type {KeyboardEvent} */ event) => {
          if (event.key !== "Escape") return;
          setFilter("");
          /** @type {HTMLElement} */ (event.currentTarget).blur();
        },
      }),
      h(ColumnsMenu, { columns, shown, toggle }),
      h(
        "button",
        {
          type: "button",
          class: "button",
          title: "Save the filtered rows, all columns",
          disabled: saving,
          onClick: () => setSaving(true),
        },
        "CSV",
      ),
    ]),
    h(Rows, {
      ...{ view, shown, sort, order, rowKey, title, older },
      fits: fits ?? false,
      whole: rows.length,
      empty: empty ?? "Nothing yet",
    }),
  ]);
}

/** Closes on Escape and on a click elsewhere. @param {{ columns: Column[], shown: Column[], toggle(id: string): void }} props */
function ColumnsMenu({ columns, shown, toggle }) {
  const menu = useRef(/** @type {HTMLDetailsElement | null} */ (null));
  useEffect(() => {
    const close = (/** @type {Event} */ event) => {
      const element = menu.current;
      if (element?.open && !element.contains(/** @type {Node} */ (event.target))) element.open = false;
    };
    document.addEventListener("pointerdown", close);
    return () => document.removeEventListener("pointerdown", close);
  }, []);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const element = menu.current;
    if (event.key !== "Escape" || !element?.open) return;
    element.open = false;
    element.querySelector("summary")?.focus();
  };
  return h("details", { class: "menu", ref: menu, onKeyDown }, [
    h("summary", { class: "button" }, "Columns"),
    h(
      "div",
      { class: "menu-body" },
      columns.map((column) =>
        h("label", { key: column.id }, [
          h("input", {
            type: "checkbox",
            checked: shown.includes(column),
            disabled: shown.length === 1 && shown.includes(column),
            onChange: () => toggle(column.id),
          }),
          ` ${column.title}`,
        ]),
      ),
    ),
  ]);
}

/** @param {Row[]} rows @param {Column[]} columns @param {string} filter @param {{ id: string, down: boolean } | null} sort */
function arrange(rows, columns, filter, sort) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (/** @type {Row} */ row) =>
    columns
      .map(
        (column) => `${column.value(row) ?? ""} ${column.show && column.text ? plain(column.show(row)) : ""}`,
      )
      .join(" ")
      .toLowerCase();
  const found =
    words.length === 0
      ? rows
      : rows.filter((row) => {
          const all = text(row);
          return words.every((word) => all.includes(word));
        });
  const column = sort && columns.find(({ id }) => id === sort.id);
  if (!column) return found;
  const turn = sort.down ? -1 : 1;
  return found.toSorted((a, b) => turn * byValue(column.value(a), column.value(b)));
}

/** @param {unknown} shown */
const plain = (shown) => (typeof shown === "string" ? shown : "");

/**
 * @param {object} props
 * @param {Row[]} props.view @param {Column[]} props.shown @param {boolean} props.fits @param {number} props.whole
 * @param {{ id: string, down: boolean } | null} props.sort @param {(id: string) => void} props.order
 * @param {(row: Row) => string} props.rowKey @param {string} props.title @param {string} props.empty
 * @param {Older} [props.older]
 */
function Rows({ view, shown, fits, whole, sort, order, rowKey, title, empty, older }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
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
  const isLoading = useRef(false);
  const nearEnd = !fits && older?.more && range.to >= view.length - 50;
  useEffect(() => {
    if (!nearEnd || isLoading.current || !older) return;
    isLoading.current = true;
    older.load().finally(() => {
      isLoading.current = false;
    });
  }, [nearEnd, whole]);

  const from = fits ? 0 : Math.min(range.from, view.length);
  const to = fits ? view.length : Math.min(view.length, range.to);
  const filler = (/** @type {number} */ count, /** @type {string} */ key) =>
    count > 0
      ? h(
          "tr",
          { key, "aria-hidden": "true", class: "filler" },
          h("td", { colSpan: shown.length, style: { height: `${count * ROW_PX}px` } }),
        )
      : null;

  return h(
    "div",
    {
      class: "table-scroll",
      ref: box,
      onScroll: measure,
      tabIndex: 0,
      role: "region",
      "aria-label": `${title}, scrollable`,
    },
    [
      h("table", { "aria-rowcount": view.length + 1 }, [
        h("caption", { class: "unseen" }, title),
        h(
          "thead",
          {},
          h(
            "tr",
            { "aria-rowindex": 1 },
            shown.map((column) => head(column, sort, order)),
          ),
        ),
        h("tbody", {}, [
          filler(from, "before"),
          // Rows that leave one end come back at the other with new content: as many nodes as fit, for ever.
          ...view.slice(from, to).map((row, index) =>
            h(
              "tr",
              {
                key: fits ? rowKey(row) : (from + index) % (range.to - range.from),
                "aria-rowindex": from + index + 2,
              },
              shown.map((column) =>
                h(
                  "td",
                  { key: column.id, class: column.text ? "text" : "", "data-column": column.id },
                  column.show ? column.show(row) : (column.value(row) ?? "–"),
                ),
              ),
            ),
          ),
          filler(view.length - to, "after"),
        ]),
      ]),
      view.length === 0 ? h("p", { class: "empty" }, whole > 0 ? "No row matches the filter" : empty) : null,
      older?.error ? h("p", { class: "empty" }, `Older rows could not be read: ${older.error}`) : null,
    ],
  );
}

/** @param {Column} column @param {{ id: string, down: boolean } | null} sort @param {(id: string) => void} order */
function head(column, sort, order) {
  const isSorted = sort?.id === column.id;
  return h(
    "th",
    {
      key: column.id,
      scope: "col",
      class: column.text ? "text" : "",
      title: column.hint,
      "aria-sort": isSorted ? (sort.down ? "descending" : "ascending") : "none",
      style: column.width ? { minWidth: column.width } : undefined,
    },
    h("button", { type: "button", onClick: () => order(column.id) }, [
      column.title,
      h("span", { class: "arrow", "aria-hidden": "true" }, isSorted ? (sort.down ? " ↓" : " ↑") : ""),
    ]),
  );
}
