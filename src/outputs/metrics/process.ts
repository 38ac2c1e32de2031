/** What the process itself costs. */
import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;
const monitored = () => {
  const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  loop.enable();
  return loop;
};
/** Since the last scrape, and since the watch last looked. */
const [loop, watched] = [monitored(), monitored()];

/** The longest time for which nothing else could run since the last call. */
export function takeLongestBlockMs(): number {
  const ms = watched.max / NS_PER_MS - RESOLUTION_MS;
  watched.reset();
  return Math.max(0, ms);
}

/** Metric names and values; the event loop's delay starts anew with each call. */
export function processFacts(): Record<string, number> {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const [lagNs, maxNs] = [loop.percentile(99), loop.max];
  loop.reset();
  return {
    process_cpu_seconds_total: (user + system) / 1e6,
    process_resident_memory_bytes: rss,
    process_start_time_seconds: performance.timeOrigin / 1000,
    nodejs_heap_used_bytes: heapUsed,
    nodejs_eventloop_lag_p99_seconds: Number.isFinite(lagNs) ? lagNs / 1e9 : 0,
    nodejs_eventloop_lag_max_seconds: Number.isFinite(maxNs) ? maxNs / 1e9 : 0,
  };
}
