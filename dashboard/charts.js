/**
 * Charts as SVG: lines over time and candles. Guarantees: colors come from the style sheet, so that both themes fit; each
 * chart says in words what it shows; the value under the pointer (or chosen with the arrow keys) is written out exactly.
 * Floats are for pixels only: what is written is the text of the row.
 */
import { h } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { NOTHING, stamp } from "./format.js";

const PAD = { top: 12, right: 70, bottom: 22, left: 8 };

/** Size of an element, as it changes. @returns {[import("preact").RefObject<HTMLDivElement>, number, number]} */
function useSize() {
  const ref = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [size, setSize] = useState([0, 0]);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const watcher = new ResizeObserver(() => setSize([element.clientWidth, element.clientHeight]));
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);
  return [/** @type {any} */ (ref), size[0], size[1]];
}

/** Round numbers that cut a span into about `count` parts. @param {number} low @param {number} high @param {number} count */
export function ticks(low, high, count) {
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

/** @param {number} from @param {number} to @param {number} count */
function timeTicks(from, to, count) {
  const step = TIME_STEPS.find((part) => (to - from) / part <= count) ?? TIME_STEPS[TIME_STEPS.length - 1];
  const all = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) all.push(at);
  const text = (/** @type {number} */ ms) =>
    new Date(ms).toISOString().slice(...(step >= 86_400_000 ? [5, 10] : [11, 16]));
  return { all, text };
}

/** @param {number} value @param {number} places */
const axisText = (value, places) =>
  value.toLocaleString("en-US", {
    minimumFractionDigits: Math.min(places, 8),
    maximumFractionDigits: Math.min(places, 8),
  });

/**
 * @typedef {object} Point
 * @property {number} x Unix ms.
 * @property {number} y
 * @property {string} text The exact value.
 */

/**
 * @param {object} props
 * @param {string} props.label What it shows, in words.
 * @param {Point[]} props.points Ascending.
 * @param {number} [props.height]
 * @param {string} [props.tone] Class of the line.
 * @param {boolean} [props.fromZero] Fill the area from zero.
 * @param {{ x: number, text: string, up: boolean }[]} [props.marks] Deposits and withdrawals.
 * @param {{ x: number, text: string } | null} [props.since]
 */
export function LineChart({
  label,
  points,
  height = 220,
  tone = "line",
  fromZero = false,
  marks = [],
  since = null,
}) {
  const [box, width] = useSize();
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const usable = width > 0 && points.length > 1;
  const chart = usable ? lineGeometry(points, width, height, fromZero, since) : null;
  const chosen = at === null ? null : points[Math.min(at, points.length - 1)];
  const find = (/** @type {PointerEvent} */ event) => {
    if (!chart) return;
    const left = /** @type {Element} */ (event.currentTarget).getBoundingClientRect().left;
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
  const step = (/** @type {KeyboardEvent} */ event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) setAt(Math.max(0, Math.min(points.length - 1, (at ?? points.length - 1) + by)));
    else if (event.key === "Escape") setAt(null);
  };
  return h("div", { class: "chart", ref: box, style: { height: `${height}px` } }, [
    chart === null
      ? h("p", { class: "empty" }, width > 0 ? "Not enough yet: a point a minute is kept" : "")
      : h(
          "svg",
          {
            width,
            height,
            role: "img",
            "aria-label": `${label}: from ${points[0].text} to ${points[points.length - 1].text}`,
            tabIndex: 0,
            onPointerMove: find,
            onPointerLeave: () => setAt(null),
            onKeyDown: step,
            onBlur: () => setAt(null),
          },
          [
            ...chart.grid,
            h("path", { class: `area ${tone}`, d: chart.area }),
            h("path", { class: `stroke ${tone}`, d: chart.line }),
            since
              ? h("g", { class: "since" }, [
                  h("line", {
                    x1: chart.x(since.x),
                    x2: chart.x(since.x),
                    y1: PAD.top,
                    y2: height - PAD.bottom,
                  }),
                  h("text", { x: chart.x(since.x) + 4, y: PAD.top + 8 }, since.text),
                ])
              : null,
            ...marks
              .filter(({ x }) => x >= chart.from && x <= chart.to)
              .map(({ x, text, up }) =>
                h("g", { class: `mark ${up ? "up" : "down"}` }, [
                  h("title", {}, text),
                  h("path", { d: triangle(chart.x(x), height - PAD.bottom - 6, up) }),
                ]),
              ),
            chosen ? crosshair(chart.x(chosen.x), chart.y(chosen.y), height, width) : null,
          ],
        ),
    chosen
      ? h("p", { class: "reading", role: "status" }, [
          h("strong", {}, chosen.text),
          ` ${stamp(chosen.x)} UTC`,
        ])
      : null,
  ]);
}

/** @param {number} x @param {number} y @param {number} height @param {number} width */
const crosshair = (x, y, height, width) =>
  h("g", { class: "crosshair" }, [
    h("line", { x1: x, x2: x, y1: PAD.top, y2: height - PAD.bottom }),
    h("line", { x1: PAD.left, x2: width - PAD.right, y1: y, y2: y }),
    h("circle", { cx: x, cy: y, r: 3.5 }),
  ]);

/** @param {number} x @param {number} y @param {boolean} up */
const triangle = (x, y, up) => (up ? `M${x - 4},${y + 4}h8l-4,-7z` : `M${x - 4},${y - 3}h8l-4,7z`);

/** @param {Point[]} points @param {number} width @param {number} height @param {boolean} fromZero @param {{ x: number } | null} since */
function lineGeometry(points, width, height, fromZero, since) {
  const values = points.map(({ y }) => y);
  let low = Math.min(...values, ...(fromZero ? [0] : []));
  let high = Math.max(...values, ...(fromZero ? [0] : []));
  const room = (high - low) * 0.08 || Math.abs(high) * 0.001 || 1;
  if (!fromZero || low < 0) low -= room;
  if (!fromZero || high > 0) high += room;
  const from = Math.min(points[0].x, since?.x ?? points[0].x);
  const to = points[points.length - 1].x;
  const x = (/** @type {number} */ ms) =>
    PAD.left + ((ms - from) / (to - from || 1)) * (width - PAD.left - PAD.right);
  const y = (/** @type {number} */ value) =>
    PAD.top + (1 - (value - low) / (high - low)) * (height - PAD.top - PAD.bottom);
  const line = points
    .map((point, index) => `${index === 0 ? "M" : "L"}${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`)
    .join("");
  const base = fromZero ? y(0) : height - PAD.bottom;
  const area = `${line}L${x(to).toFixed(1)},${base}L${x(points[0].x).toFixed(1)},${base}Z`;
  const timeAt = (/** @type {number} */ px) =>
    from + ((px - PAD.left) / (width - PAD.left - PAD.right)) * (to - from);
  return {
    x,
    y,
    line,
    area,
    from,
    to,
    timeAt,
    grid: gridLines({ low, high, from, to, x, y, width, height }),
  };
}

/** @param {{ low: number, high: number, from: number, to: number, width: number, height: number, x(ms: number): number, y(value: number): number }} frame */
function gridLines({ low, high, from, to, x, y, width, height }) {
  const values = ticks(low, high, Math.max(2, Math.floor(height / 55)));
  const times = timeTicks(from, to, Math.max(2, Math.floor(width / 90)));
  return [
    ...values.all.map((value) =>
      h("g", { class: "grid", key: `v${value}` }, [
        h("line", { x1: PAD.left, x2: width - PAD.right, y1: y(value), y2: y(value) }),
        h("text", { x: width - PAD.right + 8, y: y(value) + 4 }, axisText(value, values.places)),
      ]),
    ),
    ...times.all
      .filter((time) => x(time) > 18)
      .map((time) =>
        h(
          "text",
          { class: "axis", key: `t${time}`, x: x(time), y: height - 6, "text-anchor": "middle" },
          times.text(time),
        ),
      ),
  ];
}

/**
 * @param {object} props
 * @param {string} props.coin
 * @param {[number, string, string, string, string, string][]} props.candles time, open, high, low, close, volume; ascending.
 * @param {{ x: number, price: number, up: boolean, text: string }[]} props.fills
 * @param {{ price: number, text: string, tone: string }[]} props.levels Entry and liquidation.
 */
export function CandleChart({ coin, candles, fills, levels }) {
  const [box, width, height] = useSize();
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  if (width === 0 || candles.length < 2)
    return h(
      "div",
      { class: "chart fills", ref: box },
      width > 0 ? h("p", { class: "empty" }, "No candles") : null,
    );
  const slot = Math.max(5, (width - PAD.left - PAD.right) / candles.length);
  const body = Math.min(26, slot * 0.62);
  const seen = candles.slice(-Math.floor((width - PAD.left - PAD.right) / slot));
  const step = seen[1][0] - seen[0][0];
  const from = seen[0][0];
  const to = seen[seen.length - 1][0] + step;
  let low = Math.min(...seen.map((candle) => Number(candle[3])));
  let high = Math.max(...seen.map((candle) => Number(candle[2])));
  // A level far away would flatten the candles: it is named at the edge instead.
  const room = (high - low) * 0.1 || high * 0.001;
  low -= room;
  high += room;
  const x = (/** @type {number} */ ms) =>
    PAD.left + ((ms - from) / (to - from)) * (width - PAD.left - PAD.right);
  const y = (/** @type {number} */ price) =>
    PAD.top + (1 - (price - low) / (high - low)) * (height - PAD.top - PAD.bottom);
  const chosen = at === null ? null : seen[at];
  const find = (/** @type {PointerEvent} */ event) => {
    const left = /** @type {Element} */ (event.currentTarget).getBoundingClientRect().left;
    const index = Math.floor(
      ((event.clientX - left - PAD.left) / (width - PAD.left - PAD.right)) * seen.length,
    );
    setAt(index >= 0 && index < seen.length ? index : null);
  };
  const last = seen[seen.length - 1];
  return h("div", { class: "chart fills", ref: box }, [
    h(
      "svg",
      {
        ...{ width, height, role: "img", onPointerMove: find, onPointerLeave: () => setAt(null) },
        "aria-label": `${coin}: ${seen.length} candles, last close ${last[4]}, ${fills.length} fills marked`,
      },
      [
        ...gridLines({ low, high, from, to, x, y, width, height }),
        ...seen.map(([time, open, top, bottom, close]) =>
          candleShape(x(time + step / 2), body, y, Number(open), Number(top), Number(bottom), Number(close)),
        ),
        ...levels.map(({ price, text, tone }) => levelLine(price, text, tone, low, high, y, width, height)),
        ...fills
          .filter((fill) => fill.x >= from && fill.x < to)
          .map((fill) =>
            h("g", { class: `mark ${fill.up ? "up" : "down"}` }, [
              h("title", {}, fill.text),
              h("path", {
                d: triangle(
                  x(fill.x),
                  y(Math.max(low, Math.min(high, fill.price))) + (fill.up ? 7 : -7),
                  fill.up,
                ),
              }),
            ]),
          ),
      ],
    ),
    chosen
      ? h("p", { class: "reading", role: "status" }, [
          `O ${chosen[1]} H ${chosen[2]} L ${chosen[3]} C `,
          h("strong", {}, chosen[4]),
          ` ${stamp(chosen[0])} UTC`,
        ])
      : null,
  ]);
}

/** Up is hollow, down is filled: the shape says it, not only the color. @param {number} x @param {number} body @param {(price: number) => number} y @param {number} open @param {number} top @param {number} bottom @param {number} close */
function candleShape(x, body, y, open, top, bottom, close) {
  const isUp = close >= open;
  const upper = y(Math.max(open, close));
  const tall = Math.max(1, Math.abs(y(open) - y(close)));
  return h("g", { class: `candle ${isUp ? "up" : "down"}` }, [
    h("line", { x1: x, x2: x, y1: y(top), y2: upper }),
    h("line", { x1: x, x2: x, y1: upper + tall, y2: y(bottom) }),
    h("rect", { x: x - body / 2, y: upper, width: body, height: tall }),
  ]);
}

/** @param {number} price @param {string} text @param {string} tone @param {number} low @param {number} high @param {(price: number) => number} y @param {number} width @param {number} height */
function levelLine(price, text, tone, low, high, y, width, height) {
  const inside = price >= low && price <= high;
  const at = inside ? y(price) : price > high ? PAD.top + 2 : height - PAD.bottom - 2;
  return h("g", { class: `level ${tone}` }, [
    inside ? h("line", { x1: PAD.left, x2: width - PAD.right, y1: at, y2: at }) : null,
    h(
      "text",
      { x: PAD.left + 4, y: price > high ? at + 9 : at - 4 },
      inside ? text : `${text} ${price > high ? "↑" : "↓"}`,
    ),
  ]);
}

/**
 * Rows of labelled bars around zero. @param {object} props @param {string} props.label
 * @param {{ key: string, name: import("preact").ComponentChildren, value: number, text: string, note?: string, tone?: string }[]} props.rows
 */
export function Bars({ label, rows }) {
  if (rows.length === 0) return h("p", { class: "empty" }, "Nothing yet");
  const most = Math.max(...rows.map(({ value }) => Math.abs(value)), 1e-12);
  const hasBelow = rows.some(({ value }) => value < 0);
  const hasAbove = rows.some(({ value }) => value >= 0);
  const zero = hasBelow && hasAbove ? 50 : hasBelow ? 100 : 0;
  const full = hasBelow && hasAbove ? 50 : 100;
  return h(
    "ul",
    { class: "bars", "aria-label": label },
    rows.map(({ key, name, value, text, note, tone }) => {
      const part = (Math.abs(value) / most) * full;
      return h("li", { key, title: note }, [
        h("span", { class: "bar-name" }, name),
        h("span", { class: "bar-track", "aria-hidden": "true" }, [
          h("span", {
            class: `bar ${tone ?? (value < 0 ? "down" : "up")}`,
            style: {
              left: `${value < 0 ? zero - part : zero}%`,
              width: `${Math.max(part, value === 0 ? 0 : 0.6)}%`,
            },
          }),
        ]),
        h("span", { class: "bar-value" }, text || NOTHING),
      ]);
    }),
  );
}
