/**
 * Charts as SVG: lines over time and candles. Guarantees: colors come from the style sheet, so that both themes fit; each
 * chart says in words what it shows; the value under the pointer (or chosen with the arrow keys) is written out exactly.
 * Floats are for pixels only: what is written is the text of the row.
 */
import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { NOTHING, stamp } from "./format.ts";

export const PAD = { top: 12, bottom: 22, left: 8 };
/** Least room for the words at the right of a chart, and what stands around them. */
const AXIS_PX = 46;
const AXIS_GAP_PX = 14;
/** Less than this for the drawing itself makes no sense. */
export const PLOT_PX = 40;

let ruler: CanvasRenderingContext2D | null = null;
/** Room that the widest of these texts needs beside a chart. */
export function axisRoom(texts: string[]) {
  ruler ??= document.createElement("canvas").getContext("2d");
  if (ruler) ruler.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const widest = Math.max(...texts.map((text) => ruler?.measureText(text).width ?? text.length * 6.5));
  return Math.ceil(Math.max(AXIS_PX, widest + AXIS_GAP_PX));
}

/** What the arrow keys choose: one before, one after, none. */
export function stepped({ key }: KeyboardEvent, at: number | null, count: number) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (by) return Math.max(0, Math.min(count - 1, (at ?? count - 1) + by));
  return key === "Escape" ? null : at;
}

/** Size of what is inside an element, as it changes. */
export function useSize(): [RefObject<HTMLDivElement | null>, number, number] {
  const ref = useRef(null as HTMLDivElement | null);
  const [size, setSize] = useState([0, 0]);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const watcher = new ResizeObserver(([entry]) =>
      setSize([Math.floor(entry.contentRect.width), Math.floor(entry.contentRect.height)]),
    );
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);
  return [ref, size[0], size[1]];
}

/** Round numbers that cut a span into about `count` parts. */
export function ticks(low: number, high: number, count: number) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((part) => part * power).find((part) => part >= rough) ?? rough;
  const all = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) all.push(at);
  return { all, places: Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (step / power === 2.5 ? 1 : 0)) };
}

const TIME_STEPS = [
  60, 300, 900, 1800, 3600, 7200, 14400, 43200, 86400, 172800, 604800, 2592000, 7776000,
].map((s) => s * 1000);

function timeTicks(from: number, to: number, count: number) {
  const step = TIME_STEPS.find((part) => (to - from) / part <= count) ?? TIME_STEPS[TIME_STEPS.length - 1];
  const all = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) all.push(at);
  const text = (ms: number) => new Date(ms).toISOString().slice(...(step >= 86_400_000 ? [5, 10] : [11, 16]));
  return { all, text };
}

export const axisText = (value: number, places: number) =>
  // What rounds to nothing has no sign.
  (Number(value.toFixed(Math.min(places, 8))) || 0).toLocaleString("en-US", {
    minimumFractionDigits: Math.min(places, 8),
    maximumFractionDigits: Math.min(places, 8),
  });

export interface Point {
  /** Unix ms. */
  x: number;
  y: number;

  /** The exact value. */
  text: string;
}

export function LineChart({
  label,
  points,
  height = 220,
  tone = "line",
  fromZero = false,
  marks = [],
  others = [],
  since = null,
  importedUntilMs = Number.NEGATIVE_INFINITY,
}: {
  /** What it shows, in words. */
  label: string;

  /** Ascending. */
  points: Point[];
  height?: number;

  /** Class of the line. */
  tone?: string;

  /** Fill the area from zero. */
  fromZero?: boolean;

  /** Deposits and withdrawals. */
  marks?: { x: number; text: string; up: boolean }[];

  /** Thinner lines beside it, each with the class of its stroke. */
  others?: { tone: string; points: Point[] }[];
  since?: { x: number; text: string } | null;

  /** Points up to this time are another's, and drawn as such. */
  importedUntilMs?: number;
}) {
  const [box, width] = useSize();
  const [at, setAt] = useState(null as number | null);
  const usable = width > 0 && points.length > 1;
  const chart = usable
    ? lineGeometry({ points, others, width, height, fromZero, since, importedUntilMs })
    : null;
  const chosen = at === null ? null : points[Math.min(at, points.length - 1)];
  const find = (event: PointerEvent) => {
    if (!chart) return;
    const left = (event.currentTarget as Element).getBoundingClientRect().left;
    const x = chart.timeAt(event.clientX - left);
    const index = points.findIndex((point) => point.x >= x);
    setAt(
      index === -1
        ? points.length - 1
        : index > 0 && x - points[index - 1].x < points[index].x - x
          ? index - 1
          : index,
    );
  };
  return (
    <div class="chart" ref={box} style={{ height: `${height}px` }}>
      {chart === null ? (
        <p class="empty">{width > 0 ? "Not enough yet: a point a minute is kept" : ""}</p>
      ) : (
        <svg
          width={width}
          height={height}
          role="img"
          aria-label={`${label}: from ${points[0].text} to ${points[points.length - 1].text}`}
          tabIndex={0}
          onPointerMove={find}
          onPointerLeave={() => setAt(null)}
          onKeyDown={(event: KeyboardEvent) => setAt(stepped(event, at, points.length))}
          onBlur={() => setAt(null)}
        >
          {chart.grid}
          <path class={`area ${tone}`} d={chart.area} />
          {chart.beside.map((other) => (
            <path key={other.tone} class={`stroke beside ${other.tone}`} d={other.line} />
          ))}
          {chart.imported === "" ? null : <path class="stroke imported" d={chart.imported} />}
          <path class={`stroke ${tone}`} d={chart.line} />
          {since ? (
            <g class="since">
              <line x1={chart.x(since.x)} x2={chart.x(since.x)} y1={PAD.top} y2={height - PAD.bottom} />
              {chart.x(since.x) > chart.end / 2 ? (
                <text x={chart.x(since.x) - 4} y={PAD.top + 8} text-anchor="end">
                  {since.text}
                </text>
              ) : (
                <text x={chart.x(since.x) + 4} y={PAD.top + 8}>
                  {since.text}
                </text>
              )}
            </g>
          ) : null}
          {marks
            .filter(({ x }) => x >= chart.from && x <= chart.to)
            .map(({ x, text, up }) => (
              <g class={`mark ${up ? "up" : "down"}`}>
                <title>{text}</title>
                <path d={triangle(chart.x(x), height - PAD.bottom - 6, up)} />
              </g>
            ))}
          {chosen ? crosshair(chart.x(chosen.x), chart.y(chosen.y), height, chart.end) : null}
        </svg>
      )}
      {chosen ? (
        <p class="reading" role="status">
          <strong>{chosen.text}</strong>
          {` ${stamp(chosen.x)} UTC`}
        </p>
      ) : null}
    </div>
  );
}

const crosshair = (x: number, y: number, height: number, end: number) => (
  <g class="crosshair">
    <line x1={x} x2={x} y1={PAD.top} y2={height - PAD.bottom} />
    <line x1={PAD.left} x2={end} y1={y} y2={y} />
    <circle cx={x} cy={y} r={3.5} />
  </g>
);

const triangle = (x: number, y: number, up: boolean) =>
  up ? `M${x - 4},${y + 4}h8l-4,-7z` : `M${x - 4},${y - 3}h8l-4,7z`;

function lineGeometry({
  points,
  others,
  width,
  height,
  fromZero,
  since,
  importedUntilMs,
}: {
  points: Point[];
  others: { tone: string; points: Point[] }[];
  width: number;
  height: number;
  fromZero: boolean;
  since: { x: number } | null;
  importedUntilMs: number;
}) {
  const all = [points, ...others.map((other) => other.points)].filter((some) => some.length > 0);
  const values = all.flatMap((some) => some.map(({ y }) => y));
  let low = Math.min(...values, ...(fromZero ? [0] : []));
  let high = Math.max(...values, ...(fromZero ? [0] : []));
  const room = (high - low) * 0.08 || Math.abs(high) * 0.001 || 1;
  if (!fromZero || low < 0) low -= room;
  if (!fromZero || high > 0) high += room;
  const from = Math.min(...all.map((some) => some[0].x), since?.x ?? points[0].x);
  const to = Math.max(...all.map((some) => some[some.length - 1].x));
  const axis = valueTicks(low, high, height);
  const end = Math.max(PAD.left + PLOT_PX, width - axisRoom(axis.map(({ text }) => text)));
  const x = (ms: number) => PAD.left + ((ms - from) / (to - from || 1)) * (end - PAD.left);
  const y = (value: number) => PAD.top + (1 - (value - low) / (high - low)) * (height - PAD.top - PAD.bottom);
  const path = (some: Point[]) =>
    some
      .map((point, index) => `${index === 0 ? "M" : "L"}${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`)
      .join("");
  const own = points.filter((point) => point.x > importedUntilMs);
  const [imported, line] = [path(points.slice(0, points.length - own.length)), path(own)];
  const base = fromZero ? y(0) : height - PAD.bottom;
  const area = `${path(points)}L${x(points[points.length - 1].x).toFixed(1)},${base}L${x(points[0].x).toFixed(1)},${base}Z`;
  const timeAt = (px: number) => from + ((px - PAD.left) / (end - PAD.left)) * (to - from);
  return {
    x,
    y,
    line,
    imported,
    beside: others.map((other) => ({ tone: other.tone, line: path(other.points) })),
    area,
    from,
    to,
    end,
    timeAt,
    grid: gridLines({ values: axis, from, to, x, y, end, width, height }),
  };
}

/** Values that get a line, and what is written at it. */
export function valueTicks(low: number, high: number, height: number) {
  const { all, places } = ticks(low, high, Math.max(2, Math.floor(height / 55)));
  return all.map((value) => ({ value, text: axisText(value, places) }));
}

function gridLines({
  values,
  from,
  to,
  x,
  y,
  end,
  width,
  height,
}: {
  values: { value: number; text: string }[];
  from: number;
  to: number;
  end: number;
  width: number;
  height: number;
  x(ms: number): number;
  y(value: number): number;
}) {
  const times = timeTicks(from, to, Math.max(2, Math.floor(width / 90)));
  return [
    ...values.map(({ value, text }) => (
      <g class="grid" key={`v${value}`}>
        <line x1={PAD.left} x2={end} y1={y(value)} y2={y(value)} />
        <text x={end + 8} y={y(value) + 4}>
          {text}
        </text>
      </g>
    )),
    ...times.all
      .filter((time) => x(time) > 18)
      .map((time) => (
        <text class="axis" key={`t${time}`} x={x(time)} y={height - 6} text-anchor="middle">
          {times.text(time)}
        </text>
      )),
  ];
}

/** Rows of labelled bars around zero. */
export function Bars({
  label,
  rows,
}: {
  label: string;
  rows: { key: string; name: ComponentChildren; value: number; text: string; note?: string; tone?: string }[];
}) {
  if (rows.length === 0) return <p class="empty">Nothing yet</p>;
  const most = Math.max(...rows.map(({ value }) => Math.abs(value)), 1e-12);
  const hasBelow = rows.some(({ value }) => value < 0);
  const hasAbove = rows.some(({ value }) => value >= 0);
  const zero = hasBelow && hasAbove ? 50 : hasBelow ? 100 : 0;
  const full = hasBelow && hasAbove ? 50 : 100;
  return (
    <ul class="bars" aria-label={label}>
      {rows.map(({ key, name, value, text, note, tone }) => {
        const part = (Math.abs(value) / most) * full;
        return (
          <li key={key} title={note}>
            <span class="bar-name">{name}</span>
            <span class="bar-track" aria-hidden="true">
              <span
                class={`bar ${tone ?? (value < 0 ? "down" : "up")}`}
                style={{
                  left: `${value < 0 ? zero - part : zero}%`,
                  width: `${Math.max(part, value === 0 ? 0 : 0.6)}%`,
                }}
              />
            </span>
            <span class="bar-value">{text || NOTHING}</span>
          </li>
        );
      })}
    </ul>
  );
}
