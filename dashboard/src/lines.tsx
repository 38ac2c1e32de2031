/**
 * Lines over time, on uPlot: drag to zoom, double click to see all again; a finger reads and goes on scrolling the page.
 * Guarantees: colors come from the style sheet, so that both themes fit; each chart says in words what it shows; the values
 * under the pointer (or chosen with the arrow keys) are written out exactly. Floats are for pixels only.
 */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { axisRoom, axisText, onColors, PAD, stepped, ticks, useSize } from "./charts.tsx";
import { stampAt } from "./format.ts";
import { iso, ZONE } from "./zone.ts";

export interface Point {
  /** Unix ms. */
  x: number;
  y: number;

  /** The exact value. */
  text: string;
}

export interface Line {
  /** A class of the style sheet: `stroke` and the color of it. */
  tone: string;
  points: Point[];
  /** Said before its value. */
  name?: string;
  dash?: number[];
}

interface Mark {
  x: number;
  text: string;
  up: boolean;
}

const DAY_S = 86_400;
const NEAR_PX = 8;
const MARK_PX = 4;
const LEFT_PX = 12;

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
  name,
  isRead = true,
}: {
  /** What it shows, in words. */
  label: string;

  /** Ascending. */
  points: Point[];
  height?: number;
  tone?: string;

  /** Fill the area from zero. */
  fromZero?: boolean;

  /** Deposits and withdrawals. */
  marks?: Mark[];

  /** Thinner lines beside it. */
  others?: Line[];
  since?: { x: number; text: string } | null;

  /** Points up to this time are another's, and drawn as such. */
  importedUntilMs?: number;

  /** Of the line itself, where there are several to be told apart. */
  name?: string;

  /** Whether it is known that there are no others. */
  isRead?: boolean;
}) {
  const [box, width] = useSize();
  const plot = useRef(null as uPlot | null);
  const [at, setAt] = useState(null as number | null);
  const [painted, setPainted] = useState(0);
  const lines = useMemo(
    (): Line[] => [
      { tone, name, points: points.filter(({ x }) => x > importedUntilMs) },
      { tone: "imported", dash: [3, 3], points: points.filter(({ x }) => x <= importedUntilMs) },
      ...others,
    ],
    [points, others, importedUntilMs, tone, name],
  );
  const times = useMemo(() => timesOf(lines, since?.x), [lines, since?.x]);
  const data = useMemo(
    () => [times, ...lines.map((line) => along(line, times))] as uPlot.AlignedData,
    [times],
  );
  const usable = width > 0 && times.length > 1;
  // What is drawn beside the lines, by the drawing that was made once.
  const beside = useRef({ marks, since });
  beside.current = { marks, since };
  const look = JSON.stringify(lines.map(({ tone: one, dash }) => [one, dash]));

  useEffect(() => {
    const element = box.current;
    if (!element || !usable) return;
    const made = draw(element, { lines, data, height, fromZero, beside, onCursor: setAt });
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
  }, [usable, look, fromZero, painted]);
  useEffect(() => plot.current?.setSize({ width, height }), [width, height]);
  useEffect(() => {
    const made = plot.current;
    if (made === null || made.data === data) return;
    const { min, max } = made.scales.x;
    const [first, last] = [made.data[0][0], made.data[0].at(-1)];
    const isZoomed = min != null && max != null && (min > first || max < last!);
    made.setData(data, !isZoomed);
    if (isZoomed) made.setScale("x", { min, max });
  }, [data]);
  useEffect(() => {
    return onColors(() => setPainted((count) => count + 1));
  }, []);

  const x = at === null ? null : times[Math.min(at, times.length - 1)];
  const choose = (next: number | null) => {
    const made = plot.current;
    setAt(next);
    if (made === null) return;
    const left = next === null ? -10 : made.valToPos(times[next] ?? 0, "x");
    made.setCursor({ left, top: next === null ? -10 : made.over.clientHeight / 2 }, false);
  };
  const around = lines.flatMap((line) => {
    const point = x === null ? null : nearest(line.points, x);
    return point ? [{ line, point }] : [];
  });
  const here = around.filter(({ line, point }) => line.name || point.x === x);
  // Where no line has a point ("captured since"), the first one's nearest.
  const values = here.length > 0 ? here : around.slice(0, 1);
  return (
    <div
      class="chart lines"
      style={{ height: `${height}px` }}
      role="img"
      tabIndex={usable ? 0 : -1}
      aria-label={
        usable && points.length > 0
          ? `${label}: from ${points[0].text} to ${points[points.length - 1].text}`
          : label
      }
      onKeyDown={(event: KeyboardEvent) => choose(stepped(event, at, times.length))}
      onBlur={() => choose(null)}
      onPointerMove={(event: PointerEvent) => {
        const made = plot.current;
        if (event.pointerType === "mouse" || made === null) return;
        const { left, top } = made.over.getBoundingClientRect();
        made.setCursor({ left: event.clientX - left, top: event.clientY - top });
      }}
    >
      <div class="canvas" ref={box} aria-hidden="true" />
      {usable ? null : (
        <p class="empty">
          {width === 0 ? "" : isRead ? "Not enough yet: a point a minute is kept" : "Reading…"}
        </p>
      )}
      {x === null ? null : (
        <p class="reading" role="status">
          {values.map(({ line, point }) => (
            <span class="reading-value" key={`${line.tone} ${line.dash}`}>
              {line.name ? <span class={`reading-name ${line.tone}`}>{line.name}</span> : null}
              <strong>{point.text}</strong>{" "}
            </span>
          ))}
          {stampAt(x)}
          {near(plot.current, marks, x).map(({ text }) => (
            <span class="reading-fill" key={text}>
              {text}
            </span>
          ))}
        </p>
      )}
      {marks.length + (since ? 1 : 0) > 0 ? (
        <ul class="unseen">
          {since ? <li class="since">{since.text}</li> : null}
          {marks.map(({ text }) => (
            <li class="mark" key={text}>
              {text}
            </li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}

/** Every time at which a line has a point, ascending. */
function timesOf(lines: Line[], since: number | undefined): number[] {
  const all = new Set(lines.flatMap((line) => line.points.map((point) => point.x)));
  const first = Math.min(...all);
  // Room for what is known to have begun before the first point.
  if (since !== undefined && since < first && all.size > 0) all.add(since);
  return [...all].sort((a, b) => a - b);
}

/** The values of a line at those times, null between its points. */
function along({ points }: Line, times: number[]): (number | null)[] {
  const known = new Map(points.map(({ x, y }) => [x, y]));
  return times.map((x) => known.get(x) ?? null);
}

/** The point that is nearest to a time; none outside of what is known. */
function nearest(points: Point[], x: number): Point | null {
  if (points.length === 0 || x < points[0].x || x > points[points.length - 1].x) return null;
  let [low, high] = [0, points.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle].x <= x) low = middle;
    else high = middle;
  }
  return x - points[low].x <= points[high].x - x ? points[low] : points[high];
}

const near = (plot: uPlot | null, marks: Mark[], x: number) =>
  plot === null
    ? []
    : marks.filter((mark) => Math.abs(plot.valToPos(mark.x, "x") - plot.valToPos(x, "x")) < NEAR_PX);

interface Drawing {
  lines: Line[];
  data: uPlot.AlignedData;
  height: number;
  fromZero: boolean;
  beside: { current: { marks: Mark[]; since: { x: number; text: string } | null } };
  onCursor(index: number | null): void;
}

/** The colors of the classes that lines have. */
function colorsOf(element: HTMLElement) {
  const probe = element.appendChild(document.createElement("i"));
  const of = (name: string) => {
    probe.className = name;
    return getComputedStyle(probe).color;
  };
  return { of, done: () => probe.remove() };
}

function draw(element: HTMLElement, { lines, data, height, fromZero, beside, onCursor }: Drawing): uPlot {
  const colors = colorsOf(element);
  const [soft, faint, edge] = ["soft", "faint", "edge"].map((name) => colors.of(`tone ${name}`));
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const [up, down] = [colors.of("up"), colors.of("down")];
  const series = lines.map(({ tone, dash }, index): uPlot.Series => {
    const stroke = colors.of(`tone ${tone}`);
    const isMain = index < 2;
    return {
      stroke,
      width: isMain ? 1.6 : 1.2,
      spanGaps: true,
      points: { show: false },
      ...(dash && { dash }),
      ...(isMain && {
        fill: colors.of(`tone area ${tone}`),
        fillTo: (u) => (fromZero ? 0 : (u.scales.y.min ?? 0)),
      }),
    };
  });
  colors.done();
  const axis = { stroke: faint, font, ticks: { show: false }, grid: { stroke: edge, width: 1 } };
  return new uPlot(
    {
      width: element.clientWidth,
      height,
      ms: 1,
      tzDate: (ms) => uPlot.tzDate(new Date(ms), ZONE),
      padding: [PAD.top, null, 0, PAD.left],
      legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: true, y: false, dist: 4 } },
      scales: { y: { range: (_, least, most) => room(least, most, fromZero) } },
      axes: [
        { ...axis, grid: { show: false }, size: 22, gap: 3, space: 80, values: timeTexts },
        {
          ...axis,
          side: 1,
          gap: 8,
          size: (_, texts) => axisRoom(texts ?? []),
          splits: (u, _, least, most) => ticks(least, most, Math.max(2, Math.floor(u.height / 55))).all,
          values: (u, all) => {
            const { min, max } = u.scales.y;
            const { places } = ticks(min ?? 0, max ?? 1, Math.max(2, Math.floor(u.height / 55)));
            return all.map((value) => axisText(value, places));
          },
        },
      ],
      series: [{}, ...series],
      hooks: {
        setCursor: [(u) => onCursor(u.cursor.idx ?? null)],
        draw: [(u) => drawBeside(u, beside.current, { soft, faint, up, down, font })],
      },
    },
    data,
    element,
  );
}

/** From the least to the most with some air, and zero among them where the area begins there. */
function room(least: number | null, most: number | null, fromZero: boolean): [number, number] {
  const values = [least ?? 0, most ?? 0, ...(fromZero ? [0] : [])];
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const air = (high - low) * 0.08 || Math.abs(high) * 0.001 || 1;
  if (!fromZero || low < 0) low -= air;
  if (!fromZero || high > 0 || low === 0) high += air;
  return [low, high];
}

/** Dates where the steps are days, else times. */
const timeTexts = (u: uPlot, all: number[], __: number, ___: number, step: number) =>
  all.map((ms) =>
    // At the edge it would be cut off.
    u.valToPos(ms, "x") < LEFT_PX ? "" : step / 1_000 >= DAY_S ? iso(ms).slice(5, 10) : iso(ms).slice(11, 16),
  );

function drawBeside(
  u: uPlot,
  { marks, since }: { marks: Mark[]; since: { x: number; text: string } | null },
  { soft, faint, up, down, font }: Record<"soft" | "faint" | "up" | "down" | "font", string>,
) {
  const { ctx, bbox } = u;
  const { min, max } = u.scales.x;
  const isShown = (x: number) => x >= (min ?? 0) && x <= (max ?? 0);
  const px = devicePixelRatio;
  ctx.save();
  if (since && isShown(since.x)) {
    const x = u.valToPos(since.x, "x", true);
    ctx.strokeStyle = faint;
    ctx.lineWidth = px;
    ctx.setLineDash([3 * px, 3 * px]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const isRight = x > bbox.left + bbox.width / 2;
    ctx.fillStyle = soft;
    ctx.font = font.replace("11px", `${11 * px}px`);
    ctx.textAlign = isRight ? "right" : "left";
    ctx.fillText(since.text, x + (isRight ? -4 : 4) * px, bbox.top + 9 * px);
  }
  const size = MARK_PX * px;
  for (const mark of marks.filter((one) => isShown(one.x))) {
    const [x, y] = [u.valToPos(mark.x, "x", true), bbox.top + bbox.height - 6 * px];
    const tip = mark.up ? -size : size;
    ctx.fillStyle = mark.up ? up : down;
    ctx.beginPath();
    ctx.moveTo(x - size, y - tip);
    ctx.lineTo(x + size, y - tip);
    ctx.lineTo(x, y + tip);
    ctx.fill();
  }
  ctx.restore();
}
