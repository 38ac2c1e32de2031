/**
 * What charts share, and bars in rows. Guarantees: colors come from the style sheet, so that both themes fit; each chart says
 * in words what it shows. Floats are for pixels only: what is written is the text of the row.
 */
import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { NOTHING } from "./format.ts";

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

/** Calls back when the colors of the page change: by the theme that was chosen, or the system's. Returns what ends it. */
export function onColors(changed: () => void): () => void {
  const scheme = matchMedia("(prefers-color-scheme: light)");
  const watcher = new MutationObserver(changed);
  watcher.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  scheme.addEventListener("change", changed);
  return () => {
    watcher.disconnect();
    scheme.removeEventListener("change", changed);
  };
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

export const axisText = (value: number, places: number) =>
  // What rounds to nothing has no sign.
  (Number(value.toFixed(Math.min(places, 8))) || 0).toLocaleString("en-US", {
    minimumFractionDigits: Math.min(places, 8),
    maximumFractionDigits: Math.min(places, 8),
  });

/** Values that get a line, and what is written at it. */
export function valueTicks(low: number, high: number, height: number) {
  const { all, places } = ticks(low, high, Math.max(2, Math.floor(height / 55)));
  return all.map((value) => ({ value, text: axisText(value, places) }));
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
