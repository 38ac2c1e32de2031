/** What the process itself costs. */
import { monitorEventLoopDelay } from "node:perf_hooks";

const loop = monitorEventLoopDelay({ resolution: 10 });
loop.enable();

/** Metric names and values; the event loop's delay starts anew with each call. */
export function processFacts(): Record<string, number> {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const lagNs = loop.percentile(99);
  loop.reset();
  return {
    process_cpu_seconds_total: (user + system) / 1e6,
    process_resident_memory_bytes: rss,
    process_start_time_seconds: performance.timeOrigin / 1000,
    nodejs_heap_used_bytes: heapUsed,
    nodejs_eventloop_lag_p99_seconds: Number.isFinite(lagNs) ? lagNs / 1e9 : 0,
  };
}
