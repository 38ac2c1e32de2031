/**
 * The live screen as lines. Pure. Guarantees: exactly `rows` lines of exactly `columns` cells, at any size from one
 * cell on; what does not fit is left out by importance, columns before rows; a word stands beside every color.
 */
import { type Decimal, gt, isZero, max, min, mul, round, sign } from "../../runtime/decimal.ts";
import { stringify } from "../../runtime/jsonText.ts";
import { printable } from "../../runtime/safeText.ts";
import { clockTime } from "../../sync/healthScore.ts";
import type { ChangeEvent, OrderEventRow, PositionRow } from "../../sync/rows.ts";
import { eventPhrases, type Tone } from "../eventText.ts";
import { cut, fit, line, type Paint, type Span, span, width } from "./cells.ts";
import {
  type AccountModel,
  type HistoryLine,
  openNow,
  type Screen,
  type StreamLine,
  VIEWS,
  type View,
  type Word,
} from "./model.ts";

export interface Size {
  columns: number;
  rows: number;
  color: boolean;
}

type Row = Span[];

/** Places up to which a tiny amount is written out. */
const TINY_PLACES = 6;

/** Below this there is one column of sections, from it on two. */
const WIDE_COLUMNS = 150;
/** Rows of lists from which on every stream has its word below them. */
const MANY_ROWS = 12;
/** Below this even the short form makes no sense. */
const TINY_ROWS = 6;

export function render(screen: Screen, size: Size): string[] {
  const { columns, rows, color } = size;
  const account = screen.accounts[screen.selected] ?? null;
  const head = header(screen, account, columns);
  const foot = footer(screen, account, columns);
  const room = Math.max(0, rows - head.length - foot.length);
  const body = screen.help
    ? helpRows()
    : account === null
      ? startingRows(screen)
      : bodyRows(screen, account, columns, room);
  const all = rows < TINY_ROWS ? [...head, ...body] : [...head, ...filled(body, room), ...foot];
  return filled(all, rows).map((row) => line(row, columns, color));
}

/** Exactly `count` rows. */
const filled = (rows: Row[], count: number): Row[] => [
  ...rows.slice(0, count),
  ...Array.from({ length: Math.max(0, count - rows.length) }, (): Row => []),
];

// --- head and foot --------------------------------------------------------------------------------------------------

const MARKS: Record<Word, { mark: string; paint: Paint }> = {
  live: { mark: "●", paint: "green" },
  delayed: { mark: "◐", paint: "yellow" },
  stale: { mark: "○", paint: "red" },
  down: { mark: "✕", paint: "red" },
};

const moment = (ms: number): string =>
  ms === 0 ? "the beginning" : new Date(ms).toISOString().slice(0, 16).replace("T", " ");

/** `0.4 s`, `12 s`, `3 m`, `2 h` */
export function age(ms: number | null): string {
  if (ms === null) return "–";
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} m` : `${Math.round(seconds / 3_600)} h`;
}

const nameOf = ({ alias, address }: AccountModel): string =>
  `${alias ? `${printable(alias)} ` : ""}${address.slice(0, 6)}…${address.slice(-4)}`;

const used = (row: Row): number => row.reduce((cells, { text: part }) => cells + width(part), 0);

/** Text on the left, text on the right; the right gives way. */
function apart(left: Row, right: Row, columns: number): Row {
  const space = columns - used(left) - used(right);
  return space > 0 ? [...left, span(" ".repeat(space)), ...right] : left;
}

function header(screen: Screen, account: AccountModel | null, columns: number): Row[] {
  const time = span(`  ${clockTime(screen.nowMs)}${columns >= 60 ? " UTC" : ""}`, "dim");
  if (account === null) return [apart([span("hlsync", "bold")], [time], columns)];
  const { mark, paint } = MARKS[account.word];
  const left: Row = [
    ...(columns >= 60 ? [span("hlsync ", "bold")] : []),
    span(columns >= 40 || !account.alias ? nameOf(account) : printable(account.alias), "cyan"),
  ];
  if (screen.accounts.length > 1) left.push(span(` ${screen.selected + 1}/${screen.accounts.length}`, "dim"));
  if (columns >= 70) left.push(span(` ${screen.network}`, "dim"));
  if (screen.paused) left.push(span(" paused", "reverse"));
  if (account.role === "standby") left.push(span(" standby", "yellow"));
  if (account.role === "stored" && columns >= 90) left.push(span(` ${account.phase}`, "dim"));
  // How fresh all of this is, is said at any width: the name gives way.
  const feed = span(`${mark} ${account.word} ${age(account.feedAgeMs)}`, paint);
  const right: Row = columns >= 44 ? [feed, time] : [feed];
  const space = columns - used(right) - 1;
  return used(left) <= space
    ? [apart(left, right, columns)]
    : [apart([span(cut(nameOf(account), Math.max(0, space)), "cyan")], right, columns)];
}

function footer(screen: Screen, account: AccountModel | null, columns: number): Row[] {
  const keys = screen.typing
    ? [span(`filter: ${screen.filter}`, "reverse"), span(" enter to keep, esc to clear", "dim")]
    : keyHints(screen, columns);
  const weight = screen.weight
    ? `weight ${screen.weight.used}/${screen.weight.perMinute}${screen.weight.waiting > 0 ? ` (${screen.weight.waiting} waiting)` : ""}`
    : "";
  const keysRow = apart(keys, columns >= 70 ? [span(weight, "dim")] : [], columns);
  return account ? [completeRow(account, screen), keysRow] : [keysRow];
}

function keyHints(screen: Screen, columns: number): Row {
  const views: Row = VIEWS.flatMap((view) => [
    span(columns < 70 ? view.slice(0, 4) : view, view === screen.view ? "reverse" : "dim"),
    span(" "),
  ]);
  const filter: Row = screen.filter === "" ? [] : [span(`/${screen.filter} `, "yellow")];
  return [span(columns < 60 ? "" : "tab ", "dim"), ...views, ...filter, span("/ p ? q", "dim")];
}

/** `complete since …, 0 gaps · reconciled 41 s ago · healed 2` or what is being read. */
function completeRow(account: AccountModel, { nowMs, notes, database }: Screen): Row {
  const active = account.histories.find((history) => history.active);
  if (active) {
    const range = `${moment(active.fromMs)} … ${moment(active.toMs)}`;
    return [span("reading ", "cyan"), span(`${active.stream} ${range}, ${active.rows} rows`)];
  }
  const note = notes.at(-1);
  if (account.word === "down" && note) return [span(note.text, "yellow")];
  if (account.histories.length === 0) return [span(database, "dim")];
  const gaps = account.histories.reduce((count, history) => count + history.gaps, 0);
  const since = account.histories.map(({ completeSinceMs }) => completeSinceMs);
  const known = since.every((ms) => ms !== null);
  const complete = known
    ? `complete since ${moment(Math.max(...(since as number[])))}`
    : "not proven complete yet";
  const parts: Row = [
    span(known && gaps === 0 ? "✓ " : "… ", known && gaps === 0 ? "green" : "yellow"),
    span(`${complete}, ${gaps} gap${gaps === 1 ? "" : "s"}`),
  ];
  if (account.lastReconcileMs !== null)
    parts.push(span(` · checked ${age(nowMs - account.lastReconcileMs)} ago`, "dim"));
  if (account.healed > 0) parts.push(span(` · healed ${account.healed}`, "yellow"));
  if (account.unexplained > 0) parts.push(span(` · unexplained ${account.unexplained}`, "red"));
  if (account.reconnects > 0) parts.push(span(` · reconnects ${account.reconnects}`, "dim"));
  if (account.queued > 0) parts.push(span(` · queued ${account.queued}`, "dim"));
  if (account.dropped > 0) parts.push(span(` · dropped ${account.dropped}`, "red"));
  return parts;
}

// --- body -----------------------------------------------------------------------------------------------------------

function bodyRows(screen: Screen, account: AccountModel, columns: number, room: number): Row[] {
  // Equity and health stay; the figures of the day need room.
  const summary = summaryRows(screen, account, columns).slice(0, room < 8 ? 2 : room < 20 ? 3 : 4);
  if (screen.view !== "overview") {
    // A short terminal keeps only the line of equity above the list.
    const kept = room < 12 ? summary.slice(0, 1) : summary;
    const section = sectionOf(screen.view, screen, account, columns);
    const space = Math.max(1, room - kept.length - 2);
    const at = Math.max(0, Math.min(screen.scroll, section.rows.length - 1));
    const details = section.details?.(at);
    if (screen.detail && details !== undefined)
      return [...kept, ...sectionRows({ ...section, ...detailOf(section, details) }, columns, space)];
    const from = Math.max(0, Math.min(at, section.rows.length - space));
    const rows = section.details === undefined ? section.rows : pointedAt(section.rows, at);
    return [...kept, ...sectionRows({ ...section, rows: rows.slice(from) }, columns, space)];
  }
  return [...summary, ...overview(screen, account, columns, room - summary.length)];
}

interface Section {
  title: string;
  head: Row | null;
  rows: Row[];
  /** Said when there are no rows. */
  empty: string;
  /** All there is to say of one row; absent where the row says it. */
  details?(row: number): object | undefined;
}

/** The row that is looked at stands out by its first cell. */
const pointedAt = (rows: readonly Row[], at: number): Row[] =>
  rows.map((row, index) =>
    index === at && row[0] !== undefined ? [span(row[0].text, "reverse"), ...row.slice(1)] : row,
  );

/** What the venue sent stands last: it says the same again, and more. */
function detailOf({ title }: Section, details: object): Partial<Section> {
  const told = Object.entries(details).filter(([, value]) => value !== null && value !== undefined);
  const isLong = (value: unknown) => typeof value === "object";
  const ordered = [
    ...told.filter(([, value]) => !isLong(value)),
    ...told.filter(([, value]) => isLong(value)),
  ];
  return {
    title: `${title}: one row, esc goes back`,
    head: null,
    rows: ordered.map(([name, value]) => [
      span(`  ${fit(name, 24)} `, "dim"),
      span(printable(shownValue(name, value))),
    ]),
  };
}

const shownValue = (name: string, value: unknown): string =>
  /Ms$/.test(name) && typeof value === "number"
    ? `${new Date(value).toISOString().replace("T", " ").slice(0, 23)} UTC`
    : typeof value === "object"
      ? (stringify(value) ?? "")
      : String(value);

function overview(screen: Screen, account: AccountModel, columns: number, room: number): Row[] {
  const of = (view: View, cells: number) => sectionOf(view, screen, account, cells);
  if (columns >= WIDE_COLUMNS) {
    const left = Math.floor((columns - 2) * 0.58);
    const right = columns - 2 - left;
    const lefts = share([of("positions", left), of("orders", left), of("streams", left)], room, left);
    const rights = share([of("tape", right)], room, right);
    return Array.from({ length: room }, (_, row) => beside(lefts[row] ?? [], left, rights[row] ?? []));
  }
  // A short terminal has the worst word in its head; the rest is a key away.
  const streams = room >= MANY_ROWS ? streamsLine(account.streams, columns) : [];
  const lists = share(
    [of("positions", columns), of("orders", columns), of("tape", columns)],
    room - streams.length,
    columns,
  );
  return [...filled(lists, room - streams.length), ...streams];
}

/** Gives sections their rows: the last takes what is left, and never less than a few while there is room. */
function share(sections: Section[], room: number, columns: number): Row[] {
  const least = room < 14 ? 3 : 4;
  const out: Row[] = [];
  let left = room;
  for (const [index, section] of sections.entries()) {
    const after = sections.length - 1 - index;
    const frame = 1 + (section.head === null || section.rows.length === 0 ? 0 : 1);
    const wanted = frame + Math.max(1, section.rows.length);
    const given = after === 0 ? left : Math.min(wanted, Math.max(frame + 1, left - after * least));
    if (given < frame + 1 || left <= 0) continue;
    out.push(...filled(sectionRows(section, columns, given - frame), Math.min(given, left)));
    left -= given;
  }
  return out;
}

function sectionRows({ title, head, rows, empty }: Section, columns: number, space: number): Row[] {
  const shown = rows.slice(0, Math.max(0, space));
  const more = rows.length - shown.length;
  const words = more > 0 ? `${title}, ${more} more` : title;
  const rule: Row = [
    span(`─ ${words} `, "dim"),
    span("─".repeat(Math.max(0, columns - width(words) - 3)), "dim"),
  ];
  if (rows.length === 0) return [rule, [span(`  ${empty}`, "dim")]];
  return [rule, ...(head ? [head] : []), ...shown];
}

/** Two rows side by side, the left one in exactly `left` cells. */
function beside(a: Row, left: number, b: Row): Row {
  const out: Row = [];
  let space = left;
  for (const { text, paint } of a) {
    const short = cut(text, space);
    space -= width(short);
    out.push(span(short, paint));
    if (space <= 0) break;
  }
  return [...out, span(" ".repeat(Math.max(0, space) + 2)), ...b];
}

// --- summary --------------------------------------------------------------------------------------------------------

/** `1234.5` → `1,234.50`; display only. */
export function money(value: Decimal, places = 2): string {
  const rounded = round(value, places);
  const [whole = "0", part = ""] = rounded.replace("-", "").split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  const fraction = places > 0 ? `.${part.padEnd(places, "0")}` : "";
  return `${rounded.startsWith("-") ? "−" : ""}${grouped}${fraction}`;
}

/** With its sign; more places for what would read as nothing although it is something. */
export function signed(value: Decimal, places = 2): string {
  const isTiny = !isZero(value) && isZero(round(value, places)) && places < TINY_PLACES;
  return isTiny ? signed(value, places + 2) : `${sign(value) > 0 ? "+" : ""}${money(value, places)}`;
}
const tone = (value: Decimal): Paint => (sign(value) > 0 ? "green" : sign(value) < 0 ? "red" : "plain");

const HEALTH_PAINT: Record<string, Paint> = {
  excellent: "green",
  good: "green",
  fair: "yellow",
  poor: "red",
  critical: "red",
  liquidatable: "red",
  unknown: "dim",
};

function summaryRows(screen: Screen, account: AccountModel, columns: number): Row[] {
  const { snapshot, today } = account;
  if (snapshot === null) return [[span(`waiting for the account's state (${account.phase})`, "dim")]];
  const stale = snapshot.asOfMs < screen.nowMs - account.staleAfterMs;
  const value: Paint = stale ? "dim" : "bold";
  const { actualLeverage, marginUsagePct, netWorth } = snapshot;
  const first: Row = [
    span("equity ", "dim"),
    span(snapshot.accountValue === null ? "–" : money(snapshot.accountValue), value),
    ...(columns < 80
      ? []
      : [span("  worth ", "dim"), span(netWorth === null ? "–" : money(netWorth), value)]),
    span("  uPnL ", "dim"),
    span(signed(snapshot.totalUnrealizedPnl), stale ? "dim" : tone(snapshot.totalUnrealizedPnl)),
    span("  leverage ", "dim"),
    span(actualLeverage === null ? "–" : `${money(actualLeverage, 1)}x`, value),
    span("  margin ", "dim"),
    span(marginUsagePct === null ? "–" : `${money(marginUsagePct, 1)} %`, value),
    ...(columns < 100 ? [] : [span("  withdrawable ", "dim"), span(money(snapshot.withdrawable), value)]),
    ...(snapshot.accountMode === "standard"
      ? []
      : [span(`  ${snapshot.accountMode.replace("_", " ")}`, "dim")]),
    ...(stale ? [span(`  as of ${clockTime(snapshot.asOfMs)} UTC`, "yellow")] : []),
  ];
  const paint = HEALTH_PAINT[snapshot.healthStatus] ?? "plain";
  const score = snapshot.healthScore;
  const bar =
    score === null ? "" : `${"█".repeat(Math.round(score / 10))}${"░".repeat(10 - Math.round(score / 10))} `;
  const second: Row = [
    span("health ", "dim"),
    span(score === null ? "unknown " : `${score} ${snapshot.healthStatus} `, paint),
    ...(columns >= 60 ? [span(bar, paint)] : []),
    span(snapshot.healthReason ?? ""),
  ];
  if (today === null) return [first, second];
  const third: Row = [
    span("today net ", "dim"),
    span(signed(today.net), tone(today.net)),
    span(
      ` = pnl ${signed(today.closedPnl)} − fees ${money(today.fees)} + funding ${signed(today.funding)}`,
      "dim",
    ),
    span(`  fills ${today.fills}`, "dim"),
    ...(today.drawdownPct === null || columns < 90
      ? []
      : [span(`  drawdown 30 d ${round(today.drawdownPct, 1)} %`, "dim")]),
  ];
  const line = equityRow(today.equity, columns);
  return line === null ? [first, second, third] : [first, second, third, line];
}

const BARS = "▁▂▃▄▅▆▇█";

/** `24 h ▂▃▅▇  +1.2 %`; null until there are two points. */
function equityRow(points: readonly (Decimal | null)[], columns: number): Row | null {
  const known = points.filter((point) => point !== null);
  if (known.length < 2 || columns < 60) return null;
  const [first, last] = [Number(known[0]), Number(known.at(-1))];
  const [lowest, highest] = [known.reduce(min), known.reduce(max)];
  const [least, most] = [Number(lowest), Number(highest)];
  const bars = points.map((point) =>
    point === null
      ? " "
      : BARS[Math.round(((Number(point) - least) / (most - least || 1)) * (BARS.length - 1))],
  );
  // Of nothing, or of a debt, there is no share.
  const change = first > 0 ? `, ${signed((((last - first) / first) * 100).toFixed(2))} %` : "";
  return [
    span("equity 24 h ", "dim"),
    span(bars.join("").trimStart(), last < first ? "red" : "green"),
    span(`  ${money(lowest)} to ${money(highest)}${change}`, "dim"),
  ];
}

// --- tables ---------------------------------------------------------------------------------------------------------

interface Column<T> {
  title: string;
  cells: number;
  align?: "left" | "right";
  /** Left out below this many columns of terminal. */
  from: number;
  text(row: T): string;
  paint?(row: T): Paint;
}

function table<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  cells: number,
): { head: Row; rows: Row[] } {
  const shown = columns.filter(({ from }) => cells >= from);
  const head = shown.map(({ title, cells: wide, align }) => span(`${fit(title, wide, align)} `, "dim"));
  return {
    head,
    rows: rows.map((row) =>
      shown.map(({ text, paint, cells: wide, align }) =>
        span(`${fit(printable(text(row)), wide, align)} `, paint?.(row) ?? "plain"),
      ),
    ),
  };
}

const trimmed = (value: Decimal): string => (value.includes(".") ? value.replace(/\.?0+$/, "") : value);
const price = (value: Decimal | null): string => (value === null ? "–" : cut(trimmed(value), 12));

const POSITION_COLUMNS: readonly Column<PositionRow>[] = [
  { title: "coin", cells: 9, from: 0, text: ({ coin }) => coin },
  {
    title: "side",
    cells: 5,
    from: 0,
    text: ({ szi }) => (sign(szi) < 0 ? "short" : "long"),
    paint: ({ szi }) => (sign(szi) < 0 ? "red" : "green"),
  },
  { title: "size", cells: 10, align: "right", from: 36, text: ({ szi }) => trimmed(szi.replace("-", "")) },
  { title: "value", cells: 11, align: "right", from: 110, text: ({ positionValue }) => money(positionValue) },
  { title: "entry", cells: 10, align: "right", from: 60, text: ({ entryPrice }) => price(entryPrice) },
  { title: "mark", cells: 10, align: "right", from: 72, text: ({ markPrice }) => price(markPrice) },
  {
    title: "uPnL",
    cells: 11,
    align: "right",
    from: 0,
    text: ({ unrealizedPnl }) => signed(unrealizedPnl),
    paint: ({ unrealizedPnl }) => tone(unrealizedPnl),
  },
  {
    title: "ROE",
    cells: 8,
    align: "right",
    from: 100,
    text: ({ returnOnEquity }) =>
      returnOnEquity === null ? "–" : `${signed(mul(returnOnEquity, "100"), 1)} %`,
    paint: ({ unrealizedPnl }) => tone(unrealizedPnl),
  },
  {
    title: "liq",
    cells: 10,
    align: "right",
    from: 110,
    text: ({ liquidationPrice }) => (liquidationPrice === null ? "–" : price(round(liquidationPrice, 4))),
  },
  {
    title: "to liq",
    cells: 8,
    align: "right",
    from: 48,
    text: ({ liquidationDistancePct }) =>
      liquidationDistancePct === null
        ? "–"
        : gt(liquidationDistancePct, "999")
          ? "> 999 %"
          : `${money(liquidationDistancePct, 1)} %`,
  },
  {
    title: "lev",
    cells: 7,
    from: 120,
    text: ({ leverageValue, leverageType }) =>
      `${leverageValue ?? "–"}x${leverageType === "isolated" ? " iso" : ""}`,
  },
  {
    title: "funding",
    cells: 9,
    align: "right",
    from: 140,
    // The venue's sign says what was paid.
    text: ({ fundingSinceOpen }) => (fundingSinceOpen === null ? "–" : signed(mul(fundingSinceOpen, "-1"))),
  },
];

/** With the name of its market for people. */
type NamedOrder = OrderEventRow & { name: string };

const ORDER_COLUMNS: readonly Column<NamedOrder>[] = [
  { title: "coin", cells: 9, from: 0, text: ({ name }) => name },
  {
    title: "side",
    cells: 5,
    from: 0,
    text: ({ side }) => side,
    paint: ({ side }) => (side === "buy" ? "green" : "red"),
  },
  { title: "left", cells: 10, align: "right", from: 0, text: ({ remaining }) => trimmed(remaining) },
  { title: "of", cells: 10, align: "right", from: 72, text: ({ size }) => trimmed(size) },
  { title: "price", cells: 10, align: "right", from: 0, text: ({ limitPrice }) => price(limitPrice) },
  {
    title: "trigger",
    cells: 10,
    align: "right",
    from: 84,
    text: ({ triggerPrice }) => (triggerPrice === null || isZero(triggerPrice) ? "" : price(triggerPrice)),
  },
  {
    title: "type",
    cells: 14,
    from: 60,
    text: ({ orderType, tif }) => `${orderType ?? ""}${tif ? ` ${tif}` : ""}`,
  },
  { title: "reduce", cells: 6, from: 100, text: ({ reduceOnly }) => (reduceOnly ? "reduce" : "") },
  { title: "placed", cells: 8, from: 66, text: ({ placedAtMs }) => clockTime(placedAtMs) },
];

interface Sort<T> {
  by: string;
  compare(a: T, b: T): number;
}

const number = (value: Decimal | null): number => (value === null ? Number.POSITIVE_INFINITY : Number(value));

const POSITION_SORTS: readonly Sort<PositionRow>[] = [
  { by: "value", compare: (a, b) => Number(b.positionValue) - Number(a.positionValue) },
  { by: "uPnL", compare: (a, b) => Number(b.unrealizedPnl) - Number(a.unrealizedPnl) },
  {
    by: "distance to liquidation",
    compare: (a, b) => number(a.liquidationDistancePct) - number(b.liquidationDistancePct),
  },
  { by: "coin", compare: (a, b) => (a.coin < b.coin ? -1 : 1) },
];
const ORDER_SORTS: readonly Sort<OrderEventRow>[] = [
  { by: "newest", compare: (a, b) => b.placedAtMs - a.placedAtMs },
  {
    by: "coin and price",
    compare: (a, b) =>
      a.coin === b.coin ? number(b.limitPrice) - number(a.limitPrice) : a.coin < b.coin ? -1 : 1,
  },
];

const sortOf = <T>(sorts: readonly Sort<T>[], chosen: number): Sort<T> => sorts[chosen % sorts.length]!;

function sectionOf(view: View, screen: Screen, account: AccountModel, columns: number): Section {
  const needle = screen.filter.toLowerCase();
  const without = (text: string) =>
    needle === "" ? text : `nothing that contains ${screen.filter}: esc clears the filter`;
  const matches = (text: unknown) => needle === "" || printable(text).toLowerCase().includes(needle);
  switch (view) {
    case "overview":
    case "positions": {
      const sorted = sortOf(POSITION_SORTS, screen.sort);
      const rows = account.positions.filter(({ coin }) => matches(coin)).sort(sorted.compare);
      return {
        title: `positions ${rows.length} by ${sorted.by}`,
        ...table(POSITION_COLUMNS, rows, columns),
        empty: without("no open position"),
        details: (row) => rows[row],
      };
    }
    case "orders": {
      const sorted = sortOf(ORDER_SORTS, screen.sort);
      const rows = openNow(account.openOrders, screen.tape, account.address, screen.nowMs)
        .map((order): NamedOrder => ({ ...order, name: screen.names.get(order.coin) ?? order.coin }))
        .filter(({ coin, name }) => matches(coin) || matches(name))
        .sort(sorted.compare);
      return {
        title: `open orders ${rows.length} by ${sorted.by}`,
        ...table(ORDER_COLUMNS, rows, columns),
        empty: without("no open order"),
        details: (row) => rows[row],
      };
    }
    case "tape": {
      const rows = screen.tape
        .filter((event) => event.account === account.address || event.account === null)
        .filter(({ type, data }) => matches(data.coin ?? type) || matches(data.name ?? type))
        .toReversed();
      return {
        title: "tape",
        head: null,
        rows: rows.map((event) => tapeRow(event, columns)),
        empty: without("nothing happened yet: fills, orders and funding appear here once they are committed"),
        details: (row) => rows[row] && { ...rows[row], ...rows[row].data, data: null },
      };
    }
    case "streams":
      return {
        title: "streams",
        head: null,
        rows: [...streamTable(account.streams), ...account.histories.map(historyRow)],
        empty:
          account.role !== "active"
            ? "no stream here: another process follows this account, and its database has everything"
            : "no stream yet: the log (6) says what it waits for",
      };
    case "log": {
      const rows = screen.notes.toReversed();
      return {
        title: "log",
        head: null,
        rows: rows.map(
          ({ level, text }): Row => [
            span(text, level === "warn" ? "yellow" : level === "error" ? "red" : "plain"),
          ],
        ),
        empty: "nothing to report",
      };
    }
  }
}

const TONES: Record<Tone, Paint> = {
  plain: "plain",
  good: "green",
  bad: "red",
  state: "cyan",
  warn: "yellow",
};
/** Below this the tape leaves details out. */
const DETAIL_COLUMNS = 72;

/** One event of the tape. */
function tapeRow(event: ChangeEvent, columns: number): Row {
  const phrases = eventPhrases(event).filter(({ isDetail }) => !isDetail || columns >= DETAIL_COLUMNS);
  const late: Row = event.source === "stream" || columns < 60 ? [] : [span(` ${event.source}`, "dim")];
  return [
    span(`${clockTime(event.timeMs)} `, "dim"),
    ...phrases.map(({ text, tone, isDetail }) => span(text, isDetail ? "dim" : TONES[tone])),
    ...late,
  ];
}

// --- streams --------------------------------------------------------------------------------------------------------

const SHORT_NAMES: Record<string, string> = {
  orderUpdates: "orders",
  userEvents: "events",
  userFills: "fills",
  userHistoricalOrders: "history",
  userTwapSliceFills: "twap",
  userFundings: "funding",
  userNonFundingLedgerUpdates: "ledger",
  spotState: "spot",
  webData3: "account",
  clearinghouseState: "state",
  openOrders: "open",
};

/** One entry per kind of stream: the worst of its dexes. */
function byName(streams: readonly StreamLine[]): StreamLine[] {
  const names = new Map<string, StreamLine>();
  const rank: Record<Word, number> = { live: 0, delayed: 1, stale: 2, down: 3 };
  for (const stream of streams) {
    const other = names.get(stream.name);
    const worse =
      other === undefined ||
      rank[stream.word] > rank[other.word] ||
      (stream.word === other.word && (stream.ageMs ?? 0) > (other.ageMs ?? 0));
    if (worse) names.set(stream.name, stream);
  }
  return [...names.values()];
}

const shortAge = (ms: number | null): string => age(ms).replace(" ", "");

/** Every stream on as many lines as it takes, at most three. */
function streamsLine(streams: readonly StreamLine[], columns: number): Row[] {
  const rows: Row[] = [];
  let row: Row = [];
  let used = 0;
  for (const { name, word, ageMs } of byName(streams)) {
    const { mark, paint } = MARKS[word];
    const label = SHORT_NAMES[name] ?? name;
    const said = `${mark}${label} ${word === "live" ? "" : `${word} `}${shortAge(ageMs)}  `;
    if (used + width(said) > columns && row.length > 0) {
      rows.push(row);
      row = [];
      used = 0;
    }
    row.push(span(`${mark}`, paint), span(said.slice(mark.length), word === "live" ? "dim" : paint));
    used += width(said);
  }
  if (row.length > 0) rows.push(row);
  return rows.slice(0, 3);
}

function streamTable(streams: readonly StreamLine[]): Row[] {
  return byName(streams).map(({ name, word, ageMs, quiet }) => {
    const { mark, paint } = MARKS[word];
    const when = ageMs === null ? (quiet ? "nothing yet" : "no data yet") : `${age(ageMs)} ago`;
    return [
      span(`${mark} ${fit(word, 8)}`, paint),
      span(fit(name, 28)),
      span(when, "dim"),
      ...(quiet ? [span(", only when something happens", "dim")] : []),
    ];
  });
}

function historyRow({
  stream,
  active,
  fromMs,
  toMs,
  rows,
  completeSinceMs,
  gaps,
  horizonMs,
}: HistoryLine): Row {
  const state: Row = active
    ? [
        span("… reading ", "cyan"),
        span(fit(stream, 10)),
        span(`${moment(fromMs)} … ${moment(toMs)}, ${rows} rows`),
      ]
    : completeSinceMs === null
      ? [span("… open    ", "yellow"), span(fit(stream, 10)), span("nothing proven yet", "dim")]
      : [
          span(gaps === 0 ? "✓ proven  " : "… gaps    ", gaps === 0 ? "green" : "yellow"),
          span(fit(stream, 10)),
          span(`complete since ${moment(completeSinceMs)}, ${gaps} gap${gaps === 1 ? "" : "s"}`),
        ];
  return horizonMs === null
    ? state
    : [...state, span(`; before ${moment(horizonMs)} the venue serves no more`, "dim")];
}

// --- other screens --------------------------------------------------------------------------------------------------

const startingRows = ({ starting, notes }: Screen): Row[] => [
  [],
  [span(`  ${starting ?? "no account is followed here"}`)],
  [],
  ...notes.slice(-5).map(({ text: note }): Row => [span(`  ${note}`, "dim")]),
];

const KEYS: readonly (readonly [key: string, what: string])[] = [
  ["tab, shift-tab", "next and previous view"],
  ["1 … 6", "overview, positions, orders, tape, streams, log"],
  ["← →", "account before and after"],
  ["↑ ↓, enter", "choose a row of a list; all there is to say of it"],
  ["s", "sort positions and orders by something else"],
  ["/", "show only coins that contain …; esc clears"],
  ["p", "pause what is shown (following goes on)"],
  ["?", "this page"],
  ["q, ctrl-c", "stop in order; ctrl-c again stops at once"],
];

const helpRows = (): Row[] => [
  [],
  ...KEYS.map(([key, what]): Row => [span(`  ${fit(key, 16)}`, "bold"), span(what)]),
  [],
  [span("  ● live    data as promised", "green")],
  [span("  ◐ delayed later than promised", "yellow")],
  [span("  ○ stale   silent, asked anew", "red")],
  [span("  ✕ down    no connection, or refused; REST goes on", "red")],
];
