/**
 * Upright bars around zero: money by day, week or month, and how often what came out. Guarantees: as the lines of
 * `charts.tsx`, of which it is a sibling.
 */
import { useState } from "preact/hooks";
import { axisRoom, PAD, PLOT_PX, stepped, useSize, valueTicks } from "./charts.tsx";

export interface UprightBar {
  key: string;
  /** For pixels. */
  value: number;
  /** What is written of it, exactly. */
  text: string;
  /** At the axis below, where there is room. */
  name: string;
  tone: "up" | "down";
}

/** A bar is not wider than this, and its neighbour stands so far away. */
const BAR_MAX_PX = 42;
const GAP_PX = 1;
const NAME_PX = 64;
/** A name whose middle is nearer to the left would be cut off. */
const NAME_LEFT_PX = 18;

export function ColumnChart({
  label,
  bars,
  height = 200,
  isRead = true,
}: {
  label: string;
  bars: UprightBar[];
  height?: number;
  /** Whether it is known that there is nothing else. */
  isRead?: boolean;
}) {
  const [box, width] = useSize();
  const [at, setAt] = useState(null as number | null);
  const chart = width > 0 && bars.length > 0 ? geometry(bars, width, height) : null;
  const chosen = at === null ? null : bars[Math.min(at, bars.length - 1)];
  const find = (event: PointerEvent) => {
    if (!chart) return;
    const left = (event.currentTarget as Element).getBoundingClientRect().left;
    const index = Math.floor((event.clientX - left - PAD.left) / chart.step);
    setAt(Math.max(0, Math.min(bars.length - 1, index)));
  };
  return (
    <div class="chart" ref={box} style={{ height: `${height}px` }}>
      {chart === null ? (
        <p class="empty">{width === 0 ? "" : isRead ? "Nothing in this period" : "Reading…"}</p>
      ) : (
        <svg
          width={width}
          height={height}
          role="img"
          aria-label={`${label}: ${bars.length} bars, the last ${bars[bars.length - 1].text}`}
          tabIndex={0}
          onPointerMove={find}
          onPointerLeave={() => setAt(null)}
          onKeyDown={(event: KeyboardEvent) => setAt(stepped(event, at, bars.length))}
          onBlur={() => setAt(null)}
        >
          {chart.ticks.map(({ value, text }) => (
            <g class="grid" key={text}>
              <line x1={PAD.left} x2={chart.end} y1={chart.y(value)} y2={chart.y(value)} />
              <text x={chart.end + 8} y={chart.y(value) + 4}>
                {text}
              </text>
            </g>
          ))}
          {bars.map(({ key, value, tone }, index) => {
            const top = Math.min(chart.y(value), chart.y(0));
            return (
              <rect
                key={key}
                class={`upright ${tone}${bars[index] === chosen ? " chosen" : ""}`}
                x={chart.x(index)}
                width={chart.wide}
                y={top}
                height={Math.max(value === 0 ? 0 : 1, Math.abs(chart.y(value) - chart.y(0)))}
              />
            );
          })}
          {bars.map(({ key, name }, index) =>
            index % chart.every === 0 && chart.x(index) + chart.wide / 2 > NAME_LEFT_PX ? (
              <text
                class="axis"
                key={key}
                x={chart.x(index) + chart.wide / 2}
                y={height - 6}
                text-anchor="middle"
              >
                {name}
              </text>
            ) : null,
          )}
        </svg>
      )}
      {chosen ? (
        <p class="reading" role="status">
          {chosen.text}
        </p>
      ) : null}
    </div>
  );
}

function geometry(bars: UprightBar[], width: number, height: number) {
  const values = bars.map(({ value }) => value);
  const [least, most] = [Math.min(0, ...values), Math.max(0, ...values)];
  const room = (most - least) * 0.06 || 1;
  const [low, high] = [least < 0 ? least - room : 0, most > 0 || least === 0 ? most + room : 0];
  const ticks = valueTicks(low, high, height);
  const end = Math.max(PAD.left + PLOT_PX, width - axisRoom(ticks.map(({ text }) => text)));
  const step = Math.min(BAR_MAX_PX, (end - PAD.left) / bars.length);
  const wide = Math.max(1, step - (step > 3 ? GAP_PX : 0));
  return {
    ticks,
    end,
    step,
    wide,
    x: (index: number) => PAD.left + index * step,
    y: (value: number) => PAD.top + (1 - (value - low) / (high - low)) * (height - PAD.top - PAD.bottom),
    every: Math.max(1, Math.ceil(NAME_PX / step)),
  };
}
