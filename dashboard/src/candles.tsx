/**
 * The candles of a market with the account's own fills on them: zoom, pan and crosshair by mouse, finger or keys, on
 * TradingView's lightweight-charts. Guarantees: what is written out are the digits of the answer, never a float; all that
 * the canvas draws is also there in words, for screen readers; the view does not move while new candles come.
 */

import {
  CandlestickSeries,
  createChart,
  createSeriesMarkers,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  LineStyle,
  TickMarkType,
  type UTCTimestamp,
} from "lightweight-charts";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { onColors } from "./charts.tsx";
import { stampAt } from "./format.ts";
import { iso } from "./zone.ts";

/** Time (ms), open, high, low, close, volume. */
export type Candle = [number, string, string, string, string, string];

/** A price that matters. */
export interface Level {
  at: number;
  words: string;
  price: string;
  tone: "entry" | "liquidation" | "order" | "mark";
}

export interface FillMark {
  x: number;
  up: boolean;
  /** What is said of it: made when it is read, since most of thousands never are. */
  words(): string;
}

const SECOND_MS = 1_000;
/** Fills listed in words; a chart with more of them says how many. */
const LISTED_MAX = 500;
/** Fills written out under the crosshair. */
const READ_MAX = 3;
/** Bars that are read further back when fewer than this are left of the view. */
const EDGE_BARS = 10;

interface Drawing {
  chart: IChartApi;
  series: ISeriesApi<"Candlestick">;
  markers: ReturnType<typeof createSeriesMarkers<import("lightweight-charts").Time>>;
}

export function CandleChart(props: {
  coin: string;
  interval: string;
  /** Ascending. */
  candles: Candle[];
  fills: FillMark[];
  levels: Level[];
  /** The reader came to the oldest candle. */
  onOlder(): void;
  /** Begins with all candles in view, not with the newest. */
  isWhole?: boolean;
}) {
  const { coin, interval, candles, fills, levels, onOlder } = props;
  const box = useRef<HTMLDivElement>(null);
  const drawing = useRef<Drawing | null>(null);
  const [at, setAt] = useState(null as number | null);
  const [painted, setPainted] = useState(0);
  const older = useRef(onOlder);
  older.current = onOlder;

  useEffect(() => {
    if (box.current === null) return;
    const made = draw(box.current);
    drawing.current = made;
    made.chart.subscribeCrosshairMove(({ time }) =>
      setAt(time === undefined ? null : Number(time) * SECOND_MS),
    );
    made.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range !== null && range.from < EDGE_BARS) older.current();
    });
    const leave = onColors(() => {
      paint(made);
      // Marks and lines carry their own colors.
      setPainted((count) => count + 1);
    });
    return () => {
      leave();
      made.chart.remove();
      drawing.current = null;
      lines.current = [];
    };
  }, []);

  // Another market or interval is another picture; new candles of the same one leave the view where it is.
  const shown = useRef("");
  useEffect(() => {
    const made = drawing.current;
    if (made === null || candles.length === 0) return;
    const places = Math.max(...candles.map(([, , , , close]) => close.split(".")[1]?.length ?? 0));
    made.series.applyOptions({ priceFormat: { type: "price", precision: places, minMove: 10 ** -places } });
    made.series.setData(
      candles.map(([ms, open, high, low, close]) => ({
        time: (ms / SECOND_MS) as UTCTimestamp,
        open: Number(open),
        high: Number(high),
        low: Number(low),
        close: Number(close),
      })),
    );
    if (shown.current === `${coin} ${interval}`) return;
    shown.current = `${coin} ${interval}`;
    const visible = Math.min(candles.length, Math.max(20, Math.floor((box.current?.clientWidth ?? 0) / 8)));
    if (props.isWhole) made.chart.timeScale().fitContent();
    else
      made.chart
        .timeScale()
        .setVisibleLogicalRange({ from: candles.length - visible, to: candles.length + visible * 0.04 });
    made.chart.priceScale("right").applyOptions({ autoScale: true });
  }, [candles, coin, interval]);

  const bundles = useMemo(() => bundled(candles, fills), [candles, fills]);
  useEffect(() => {
    const color = colors();
    drawing.current?.markers.setMarkers(
      bundles.map(({ ms, up, fills: { length } }) => ({
        time: (ms / SECOND_MS) as UTCTimestamp,
        position: up ? "belowBar" : "aboveBar",
        shape: up ? "arrowUp" : "arrowDown",
        color: up ? color.up : color.down,
        text: length > 1 ? String(length) : "",
      })),
    );
  }, [bundles, painted]);

  const lines = useRef([] as IPriceLine[]);
  const key = JSON.stringify(levels);
  useEffect(() => {
    const made = drawing.current;
    if (made === null) return;
    const color = colors();
    // A line that moves each second is moved, not made anew.
    for (const line of lines.current.splice(levels.length)) made.series.removePriceLine(line);
    for (const [index, { at: price, words, tone }] of levels.entries()) {
      const look = {
        price,
        title: words,
        lineStyle: tone === "order" ? LineStyle.Dotted : LineStyle.Dashed,
        color: { entry: color.neutral, liquidation: color.down, order: color.soft, mark: color.accent }[tone],
      };
      const line = lines.current[index];
      if (line) line.applyOptions(look);
      else
        lines.current[index] = made.series.createPriceLine({ ...look, axisLabelVisible: true, lineWidth: 1 });
    }
  }, [key, painted]);

  const index = at === null ? -1 : candles.findIndex(([ms]) => ms === at);
  const candle = candles[index];
  const onKeyDown = ({ key: pressed }: KeyboardEvent) => {
    const made = drawing.current;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[pressed];
    if (made === null || candles.length === 0) return;
    if (pressed === "Escape") made.chart.clearCrosshairPosition();
    if (by === undefined) return;
    const next =
      candles[Math.max(0, Math.min(candles.length - 1, (index < 0 ? candles.length - 1 : index) + by))];
    made.chart.setCrosshairPosition(Number(next[4]), (next[0] / SECOND_MS) as UTCTimestamp, made.series);
    setAt(next[0]);
  };
  const last = candles.at(-1);
  const listed = useMemo(
    () =>
      fills
        .slice(0, LISTED_MAX)
        .map((fill) => fill.words())
        .map((words) => (
          <li class="mark" key={words}>
            {words}
          </li>
        )),
    [fills],
  );
  return (
    <div
      class="chart candles"
      role="img"
      tabIndex={0}
      onKeyDown={onKeyDown}
      aria-label={`${coin}: ${candles.length} candles, last close ${last?.[4]}, ${fills.length} fills marked`}
    >
      <div class="canvas" ref={box} aria-hidden="true" />
      {candle ? <Reading candle={candle} marks={bundles.filter(({ ms }) => ms === candle[0])} /> : null}
      <ul class="unseen">
        {levels.map(({ words, price }) => (
          <li class="level" key={words + price}>{`${words} ${price}`}</li>
        ))}
        {listed}
      </ul>
    </div>
  );
}

function Reading({ candle, marks }: { candle: Candle; marks: Bundle[] }) {
  const [ms, open, high, low, close] = candle;
  const fills = marks.flatMap((mark) => mark.fills);
  return (
    <p class="reading" role="status">
      {`O ${open} H ${high} L ${low} C `}
      <strong>{close}</strong>
      {` ${stampAt(ms)}`}
      {fills.slice(0, READ_MAX).map((fill) => (
        <span class="reading-fill" key={fill.words()}>
          {fill.words()}
        </span>
      ))}
      {fills.length > READ_MAX ? (
        <span class="reading-fill">{`and ${fills.length - READ_MAX} more fills`}</span>
      ) : null}
    </p>
  );
}

interface Bundle {
  /** Start of the candle. */
  ms: number;
  up: boolean;
  fills: FillMark[];
}

/** The fills of each candle and side as one mark: a busy market would hide its own candles. */
function bundled(candles: readonly Candle[], fills: readonly FillMark[]): Bundle[] {
  const found = new Map<string, Bundle>();
  if (candles.length < 2) return [];
  const step = candles[1][0] - candles[0][0];
  const first = candles[0][0];
  for (const fill of fills) {
    const { x, up } = fill;
    if (x < first) continue;
    const ms = first + Math.floor((x - first) / step) * step;
    const bundle = found.get(`${ms} ${up}`) ?? { ms, up, fills: [] };
    bundle.fills.push(fill);
    found.set(`${ms} ${up}`, bundle);
  }
  return [...found.values()].sort((a, b) => a.ms - b.ms);
}

const colors = () => {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    up: of("up"),
    down: of("down"),
    soft: of("soft"),
    edge: of("edge"),
    text: of("text"),
    neutral: of("neutral"),
    accent: of("accent"),
    panel: of("panel"),
  };
};

/** The library marks where days of UTC begin: in another zone that is some time of a day. */
function tickText(time: unknown, kind: TickMarkType): string {
  const text = iso(Number(time) * SECOND_MS);
  const [day, at] = [text.slice(5, 10), text.slice(11, 16)];
  if (kind === TickMarkType.Year) return text.slice(0, 4);
  if (kind === TickMarkType.Time || kind === TickMarkType.TimeWithSeconds) return at;
  return at === "00:00" ? day : `${day} ${at}`;
}

function draw(element: HTMLElement): Drawing {
  const chart = createChart(element, {
    autoSize: true,
    layout: { attributionLogo: false, fontSize: 11, fontFamily: getComputedStyle(document.body).fontFamily },
    timeScale: {
      timeVisible: true,
      secondsVisible: false,
      rightOffset: 4,
      minBarSpacing: 1,
      tickMarkFormatter: tickText,
    },
    localization: { timeFormatter: (time: unknown) => `${stampAt(Number(time) * SECOND_MS).slice(0, 16)}` },
    // A page that scrolls under the finger goes on scrolling; two fingers zoom.
    handleScroll: { vertTouchDrag: false },
    kineticScroll: { touch: true, mouse: false },
  });
  const series = chart.addSeries(CandlestickSeries, { lastValueVisible: true, priceLineVisible: false });
  const made = { chart, series, markers: createSeriesMarkers(series, []) };
  paint(made);
  return made;
}

function paint({ chart, series }: Drawing): void {
  const color = colors();
  chart.applyOptions({
    layout: { background: { color: "transparent" }, textColor: color.soft },
    grid: { vertLines: { color: color.edge }, horzLines: { color: color.edge } },
    crosshair: {
      vertLine: { color: color.soft, labelBackgroundColor: color.neutral },
      horzLine: { color: color.soft, labelBackgroundColor: color.neutral },
    },
    timeScale: { borderColor: color.edge },
    rightPriceScale: { borderColor: color.edge },
  });
  // Up is hollow, down is filled: the shape says it, not only the color.
  series.applyOptions({
    upColor: color.panel,
    borderUpColor: color.up,
    wickUpColor: color.up,
    downColor: color.down,
    borderDownColor: color.down,
    wickDownColor: color.down,
  });
}
