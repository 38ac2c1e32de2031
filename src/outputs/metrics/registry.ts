/**
 * Counters, gauges and histograms, and their Prometheus text. Guarantees: only metrics of the table exist, each with
 * exactly the labels its row names; a metric holds at most `SERIES_MAX` series, and what would be more is counted in
 * `hlsync_metrics_dropped_total` instead of growing; the text is the exposition format 0.0.4, in the order of the table.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/ (read 2026-10-05)
 */
import { visible } from "../../runtime/safeText.ts";

export interface MetricSpec {
  type: "counter" | "gauge" | "histogram";
  help: string;
  labels: readonly string[];
  /** Upper bounds in the metric's unit, ascending; histograms only. */
  buckets?: readonly number[];
}
type MetricTable = Readonly<Record<string, MetricSpec>>;

export type Labels = Readonly<Record<string, string>>;

/** Followed accounts × streams stay far below; beyond it a label is not bounded and must be seen to. */
const SERIES_MAX = 2_000;

interface Series {
  labels: Labels;
  value: number;
  /** Histograms: observations per bucket, not cumulative; the last one is `+Inf`. */
  counts: number[];
  total: number;
}

const DROPPED = "hlsync_metrics_dropped_total";

export interface Registry<Name extends string = string> {
  /** Counters only ever grow. */
  add(name: Name, labels?: Labels, by?: number): void;
  /** A gauge, or a counter that is kept elsewhere and read here. */
  set(name: Name, labels: Labels, value: number): void;
  observe(name: Name, labels: Labels, value: number): void;
  /** Forgets the series of a gauge before it is read anew, so that a series that is gone ends. */
  clear(name: Name): void;
  text(): string;
}

export function createRegistry<T extends MetricTable>(table: T): Registry<keyof T & string> {
  const metrics = new Map(Object.keys(table).map((name) => [name, new Map<string, Series>()]));
  let dropped = 0;

  const seriesOf = (name: string, labels: Labels): Series | null => {
    const spec = table[name];
    const all = metrics.get(name);
    if (!spec || !all) throw new RangeError(`no such metric: ${name}`);
    const names = Object.keys(labels);
    if (names.length !== spec.labels.length || spec.labels.some((label) => labels[label] === undefined)) {
      throw new RangeError(`${name} has the labels ${spec.labels.join(", ")}, not ${names.join(", ")}`);
    }
    const key = spec.labels.map((label) => labels[label]).join("\u0000");
    const found = all.get(key);
    if (found) return found;
    if (all.size >= SERIES_MAX) {
      dropped += 1;
      return null;
    }
    const counts = spec.buckets ? new Array<number>(spec.buckets.length + 1).fill(0) : [];
    const made: Series = { labels, value: 0, counts, total: 0 };
    all.set(key, made);
    return made;
  };

  return {
    add(name, labels = {}, by = 1) {
      const series = seriesOf(name, labels);
      if (series) series.value += by;
    },
    set(name, labels, value) {
      const series = seriesOf(name, labels);
      if (series) series.value = value;
    },
    observe(name, labels, value) {
      const series = seriesOf(name, labels);
      if (!series) return;
      const index = table[name]!.buckets!.findIndex((bound) => value <= bound);
      series.counts[index === -1 ? series.counts.length - 1 : index]! += 1;
      series.total += 1;
      series.value += value;
    },
    clear: (name) => metrics.get(name)?.clear(),
    text() {
      const lines: string[] = [];
      if (table[DROPPED]) seriesOf(DROPPED, {})!.value = dropped;
      for (const [name, series] of metrics) {
        if (series.size === 0) continue;
        const { type, help, buckets } = table[name]!;
        lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
        for (const one of series.values()) {
          if (buckets) lines.push(...histogramLines(name, one, buckets));
          else lines.push(`${name}${labelText(one.labels)} ${numberText(one.value)}`);
        }
      }
      return `${lines.join("\n")}\n`;
    },
  };
}

function histogramLines(name: string, series: Series, buckets: readonly number[]): string[] {
  let below = 0;
  const lines = buckets.map((bound, index) => {
    below += series.counts[index]!;
    return `${name}_bucket${labelText({ ...series.labels, le: String(bound) })} ${below}`;
  });
  return [
    ...lines,
    `${name}_bucket${labelText({ ...series.labels, le: "+Inf" })} ${series.total}`,
    `${name}_sum${labelText(series.labels)} ${numberText(series.value)}`,
    `${name}_count${labelText(series.labels)} ${series.total}`,
  ];
}

const escapeHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const escapeLabel = (text: string): string =>
  escapeHelp(text.split("\n").map(visible).join("\n")).replaceAll('"', '\\"');

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([key, value]) => `${key}="${escapeLabel(value)}"`);
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

const numberText = (value: number): string =>
  Number.isFinite(value) ? String(value) : Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
