/**
 * Every metric, in one table: what `/metrics` exports and what `docs/metrics.md` lists. Base units (seconds, bytes, 1);
 * labels are bounded by the followed accounts, the venue's channels and our own words.
 */
import type { MetricSpec } from "./registry.ts";

/** From a commit on the same machine to a catch-up of hours. */
const HOP_BUCKETS = [
  0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600,
] as const;

export const METRICS = {
  hlsync_build_info: { type: "gauge", help: "1, with the version as label.", labels: ["version"] },
  hlsync_ready: { type: "gauge", help: "1 when /readyz answers 200.", labels: [] },

  hlsync_stream_state: {
    type: "gauge",
    help: "1 for the state an account's socket is in, 0 for the others: waiting, connecting, subscribing, live, stopped.",
    labels: ["account", "state"],
  },
  hlsync_stream_last_data_timestamp_seconds: {
    type: "gauge",
    help: "Unix time of the last data frame of a subscription; absent before the first.",
    labels: ["account", "stream", "dex"],
  },
  hlsync_stream_stale: {
    type: "gauge",
    help: "1 when a subscription has been silent for longer than its cadence allows.",
    labels: ["account", "stream", "dex"],
  },
  hlsync_stream_reconnects_total: {
    type: "counter",
    help: "Sockets after the first.",
    labels: ["account"],
  },
  hlsync_stream_round_trip_seconds: {
    type: "gauge",
    help: "Last ping to pong on the present socket.",
    labels: ["account"],
  },
  hlsync_inbox_frames: { type: "gauge", help: "Frames waiting to be written.", labels: ["account"] },
  hlsync_inbox_dropped_total: {
    type: "counter",
    help: "Frames dropped because the inbox was full; each loss is repaired by REST.",
    labels: ["account"],
  },
  hlsync_catch_up_timestamp_seconds: {
    type: "gauge",
    help: "Unix time of the last successful reading over REST; absent before the first.",
    labels: ["account"],
  },
  hlsync_catch_up_failed: {
    type: "gauge",
    help: "1 when the last reading over REST failed.",
    labels: ["account"],
  },

  hlsync_hop_seconds: {
    type: "histogram",
    help: "Time a change takes per hop: received (after the venue's block, clock offset removed), committed, published (while somebody reads the event stream), painted (on a dashboard), delivered (committed to taken by a webhook, retries inside), total (venue to published). Live changes only.",
    labels: ["hop"],
    buckets: HOP_BUCKETS,
  },
  hlsync_clock_offset_seconds: {
    type: "gauge",
    help: "The venue's clock minus ours, as estimated from its answers and stamps.",
    labels: [],
  },

  hlsync_commits_total: { type: "counter", help: "Transactions of this process.", labels: [] },
  hlsync_rows_written_total: {
    type: "counter",
    help: "Rows inserted or changed, by table and by the source that brought them: stream, snapshot, backfill, reconcile, repair, poll; own for what hlsync concluded itself, mixed for batches of several sources.",
    labels: ["table", "source"],
  },
  hlsync_rows_known_total: {
    type: "counter",
    help: "Rows that were already there: duplicates by another source or a repetition.",
    labels: ["table"],
  },
  hlsync_events_total: {
    type: "counter",
    help: "Changes published by this process, by type and by the source that brought them.",
    labels: ["type", "source"],
  },
  hlsync_drift_found_total: {
    type: "counter",
    help: "Differences found between the database and the venue.",
    labels: ["cause"],
  },
  hlsync_drift_repaired_total: {
    type: "counter",
    help: "Differences that were explained and repaired.",
    labels: ["cause"],
  },
  hlsync_drift_unrepaired: {
    type: "gauge",
    help: "Differences of the last day that could not be explained and repaired.",
    labels: ["account"],
  },
  hlsync_quarantine_messages: {
    type: "gauge",
    help: "Different messages of the venue that could not be understood and are kept, by what they were meant to be: at most 50 subjects, the rest as other.",
    labels: ["subject"],
  },
  hlsync_gaps_open: {
    type: "gauge",
    help: "Stretches of the wanted history of which nothing is known, the present left out; absent while nothing is proven.",
    labels: ["account", "stream"],
  },
  hlsync_complete_since_timestamp_seconds: {
    type: "gauge",
    help: "Start of the unbroken proven stretch that reaches the newest proven moment; absent while nothing is proven.",
    labels: ["account", "stream"],
  },
  hlsync_proven_to_timestamp_seconds: {
    type: "gauge",
    help: "Newest proven moment.",
    labels: ["account", "stream"],
  },

  hlsync_rest_weight_used: {
    type: "gauge",
    help: "REST weight spent in the last minute and held by requests under way.",
    labels: [],
  },
  hlsync_rest_weight_limit: { type: "gauge", help: "REST weight allowed per minute.", labels: [] },
  hlsync_rest_waiting: { type: "gauge", help: "Requests that wait for budget.", labels: [] },
  hlsync_rest_inflight: { type: "gauge", help: "Requests under way.", labels: [] },
  hlsync_rest_throttled_total: { type: "counter", help: "Answers with status 429.", labels: [] },

  hlsync_database_up: { type: "gauge", help: "1 when the last probe was answered.", labels: [] },
  hlsync_database_takes_writes: {
    type: "gauge",
    help: "1 while the database takes what is written, 0 while it refuses it (full disk, read-only) or does not answer.",
    labels: [],
  },
  hlsync_database_latency_seconds: {
    type: "gauge",
    help: "Round trip of the last probe that was answered.",
    labels: [],
  },
  hlsync_outbox_last_id: { type: "gauge", help: "Newest event in the outbox.", labels: [] },
  hlsync_outbox_pending: {
    type: "gauge",
    help: "Outbox events that an enabled endpoint wants and has not settled yet, among the next 10000 of each account.",
    labels: ["consumer"],
  },
  hlsync_webhook_deliveries: {
    type: "gauge",
    help: "Deliveries tried in the last hour, by endpoint and what became of them: retrying, delivered, dead, expired.",
    labels: ["endpoint", "state"],
  },
  hlsync_webhook_attempts_total: {
    type: "counter",
    help: "Attempts of this process to deliver to a webhook or an alert channel, by outcome: delivered (2xx), throttled (429), refused (other 3xx and 4xx), failed (5xx), unanswered (no connection, no complete answer in time).",
    labels: ["endpoint", "outcome"],
  },
  hlsync_webhook_enabled: {
    type: "gauge",
    help: "1 while an endpoint is delivered to, 0 when it was disabled.",
    labels: ["endpoint"],
  },
  hlsync_webhook_failing_since_timestamp_seconds: {
    type: "gauge",
    help: "Unix time of an endpoint's first failure after its last success; absent while it works.",
    labels: ["endpoint"],
  },
  hlsync_alerts: {
    type: "gauge",
    help: "Alerts that stand now: pending or firing.",
    labels: ["rule", "state"],
  },

  hlsync_account_value_usd: {
    type: "gauge",
    help: "Margin equity of the last snapshot, rounded to a float; absent when unknown.",
    labels: ["account"],
  },
  hlsync_net_worth_usd: {
    type: "gauge",
    help: "Net worth of the last snapshot, rounded to a float; absent when unknown.",
    labels: ["account"],
  },
  hlsync_health_score: {
    type: "gauge",
    help: "Health 0 to 100; absent when unknown.",
    labels: ["account"],
  },

  hlsync_http_requests_total: {
    type: "counter",
    help: "Requests answered, by route and status.",
    labels: ["route", "status"],
  },
  hlsync_sse_clients: { type: "gauge", help: "Open event streams.", labels: [] },
  hlsync_sse_dropped_total: {
    type: "counter",
    help: "Event streams closed because the reader was too slow.",
    labels: [],
  },
  hlsync_metrics_dropped_total: {
    type: "counter",
    help: "Observations dropped because a metric had too many series: always 0 unless a label is not bounded.",
    labels: [],
  },

  process_cpu_seconds_total: { type: "counter", help: "User and system time.", labels: [] },
  process_resident_memory_bytes: { type: "gauge", help: "Resident memory.", labels: [] },
  process_start_time_seconds: { type: "gauge", help: "Unix time of the start.", labels: [] },
  nodejs_heap_used_bytes: { type: "gauge", help: "JavaScript heap in use.", labels: [] },
  nodejs_eventloop_lag_max_seconds: {
    type: "gauge",
    help: "Longest delay of the event loop since the last scrape: for so long nothing else was done, a signal not heard either.",
    labels: [],
  },
  nodejs_eventloop_lag_p99_seconds: {
    type: "gauge",
    help: "99th percentile of the event loop's delay since the last scrape.",
    labels: [],
  },
} as const satisfies Record<string, MetricSpec>;

export type MetricName = keyof typeof METRICS;

/** `docs/metrics.md`, whole. */
export function metricsReference(): string {
  const rows = Object.entries(METRICS).map(([name, spec]: [string, MetricSpec]) => {
    const labels = spec.labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${spec.type} | ${labels} | ${spec.help} |`;
  });
  return `# Metrics

\`GET /metrics\` on the address of \`--listen\` (default \`127.0.0.1:4477\`), Prometheus text format. When hlsync listens
on more than this machine, send the token: \`Authorization: Bearer …\`. The label \`account\` is the alias, or the address
where none was given. Alert rules and dashboards made of these: [monitoring.md](monitoring.md).

This page is generated from \`src/outputs/metrics/table.ts\`; a test holds the two together.

| Name | Type | Labels | Meaning |
|---|---|---|---|
${rows.join("\n")}
`;
}
