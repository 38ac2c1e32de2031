/**
 * What happens, counted: commits and their events as they come, lags per hop, and everything else read from the status
 * when somebody scrapes. Guarantees: only live changes (source `stream`) count as lag, so that a backfill of old history
 * is not taken for a slow venue; each minute's percentiles are written to the database once, later if it is away; a clock
 * that was stepped is noticed within `CLOCK_LOOK_MS`, and the venue asked for its time.
 */
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Queryable } from "../../store/database.ts";
import type { Committed } from "../../sync/engine.ts";
import { SUSPICION_KINDS } from "../../sync/selfCheck.ts";
import type { DeliveryAttempt } from "../delivery/bridge.ts";
import type { Snapshot } from "../observation/knowledge.ts";
import type { OutputFigures } from "../observation/outputFigures.ts";
import type { AccountHealth, Status } from "../observation/status.ts";
import type { OutboxEvent } from "../outbox.ts";
import { ClockOffset, type MeasuredOffset } from "./clockOffset.ts";
import { type Hop, Latency, type LatencyMinute, type LatencyReport } from "./latency.ts";
import { processFacts, takeLongestBlockMs } from "./process.ts";
import { createRegistry, type MetricSpec, type Registry } from "./registry.ts";
import { METRICS, type MetricName } from "./table.ts";

const FLUSH_MS = 15_000;
/** How often our clock is held against a timer, which no step moves, and from which difference on it was stepped. */
const CLOCK_LOOK_MS = 5_000;
const CLOCK_STEP_MS = 2_000;
/** A block of the event loop that is worth a line in the log. */
const BLOCKED_MS = 1_000;
const KEEP_MS = 30 * 86_400_000;
const SOCKET_STATES = ["waiting", "connecting", "subscribing", "live", "stopped"] as const;

interface TelemetryDeps {
  clock: Clock;
  log: Log;
  /** Names this process in the latency history. */
  instance: string;
  version: string;
  /** Where the history of latency is kept. */
  db: Queryable;
  /** As the venue's last answer about its time had it; null before the first. */
  measuredOffset(): MeasuredOffset | null;
  /** Asks the venue for its time. */
  measure(signal: AbortSignal): Promise<unknown>;
}

export class Telemetry {
  readonly name = "telemetry";
  readonly #deps: TelemetryDeps;
  readonly #registry: Registry<MetricName> = createRegistry(METRICS);
  readonly #latency = new Latency();
  readonly #offset = new ClockOffset();
  readonly #abort = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #prunedMs = 0;

  constructor(deps: TelemetryDeps) {
    this.#deps = deps;
    // There from the start, so that the first one is an increase.
    this.#registry.add("hlsync_commits_total", {}, 0);
    this.#registry.add("hlsync_sse_dropped_total", {}, 0);
    for (const cause of SUSPICION_KINDS) {
      this.#registry.add("hlsync_drift_found_total", { cause }, 0);
      this.#registry.add("hlsync_drift_repaired_total", { cause }, 0);
    }
  }

  start(): void {
    this.#running = Promise.all([this.#keepFlushing(), this.#watchClock()]);
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error("stopped"));
    await this.#running;
  }

  committed({ applied, sources, receivedAtMs, committedAtMs }: Committed): void {
    this.#registry.add("hlsync_commits_total");
    for (const [table, rows] of Object.entries(applied.written)) {
      const source = sources[table] ?? "mixed";
      if (rows > 0) this.#registry.add("hlsync_rows_written_total", { table, source }, rows);
    }
    for (const [table, rows] of Object.entries(applied.known)) {
      if (rows > 0) this.#registry.add("hlsync_rows_known_total", { table }, rows);
    }
    // What is committed together counts as received with the first of it, which may have told nothing new: the stamp of what did may
    // well be after that, by as long as the commits before it took. It is not after the commit.
    const stamps = applied.events.filter(isLive).map(({ timeMs }) => timeMs);
    if (stamps.length > 0) this.#offset.note(Math.min(...stamps), committedAtMs);
    const offsetMs = this.clockOffsetMs();
    for (const event of applied.events) {
      const { type, source, data, timeMs } = event;
      this.#registry.add("hlsync_events_total", { type, source });
      if (type === "drift.found") this.#drift(data);
      if (!isLive(event)) continue;
      this.#lag("received", receivedAtMs + offsetMs - timeMs);
      this.#lag("committed", committedAtMs - receivedAtMs);
    }
  }

  /** To a reader of the event stream. */
  published(
    event: Pick<OutboxEvent, "type" | "source" | "timeMs">,
    committedAtMs: number,
    publishedAtMs: number,
  ): void {
    if (!isLive(event)) return;
    this.#lag("published", publishedAtMs - committedAtMs);
    this.#lag("total", publishedAtMs + this.clockOffsetMs() - event.timeMs);
  }

  attempted({ endpoint, outcome, event, lagMs }: DeliveryAttempt): void {
    this.#registry.add("hlsync_webhook_attempts_total", { endpoint, outcome });
    if (lagMs !== null && isLive(event)) this.#lag("delivered", lagMs);
  }

  painted(lagsMs: readonly number[]): void {
    for (const lagMs of lagsMs) this.#lag("painted", lagMs);
  }

  answered(route: string, status: number): void {
    this.#registry.add("hlsync_http_requests_total", { route, status: String(status) });
  }

  streamDropped(): void {
    this.#registry.add("hlsync_sse_dropped_total");
  }

  /** The venue's clock minus ours, as far as it is known. */
  clockOffsetMs(): number {
    return this.#offset.estimateMs(this.#deps.measuredOffset());
  }

  latency(): LatencyReport {
    return this.#latency.sinceStart();
  }

  /** The text of `/metrics`. */
  scrape(status: Status, snapshot: (address: string) => Snapshot | null, outputs: OutputFigures): string {
    const set = this.#registry.set;
    for (const name of READ_ANEW) this.#registry.clear(name);
    set("hlsync_build_info", { version: this.#deps.version }, 1);
    set("hlsync_ready", {}, status.ready ? 1 : 0);
    set("hlsync_clock_offset_seconds", {}, status.venue.clock_offset_ms / 1000);
    set("hlsync_rest_weight_used", {}, status.venue.weight_used);
    set("hlsync_rest_weight_limit", {}, status.venue.weight_per_minute);
    set("hlsync_rest_waiting", {}, status.venue.waiting);
    set("hlsync_rest_inflight", {}, status.venue.inflight);
    set("hlsync_rest_throttled_total", {}, status.venue.throttled);
    set("hlsync_sse_clients", {}, status.event_streams);
    if (status.database.description !== null) {
      const { up, writes_refused_since_ms: refusedMs } = status.database;
      set("hlsync_database_up", {}, up ? 1 : 0);
      set("hlsync_database_takes_writes", {}, up && refusedMs === null ? 1 : 0);
      set("hlsync_outbox_last_id", {}, status.database.outbox_head);
      if (status.database.latency_ms !== null)
        set("hlsync_database_latency_seconds", {}, status.database.latency_ms / 1000);
    }
    for (const { consumer, events } of outputs.pending ?? [])
      set("hlsync_outbox_pending", { consumer }, events);
    for (const { endpoint, state, count } of outputs.deliveries ?? [])
      set("hlsync_webhook_deliveries", { endpoint, state }, count);
    for (const { endpoint, enabled, failingSinceMs } of outputs.endpoints ?? []) {
      set("hlsync_webhook_enabled", { endpoint }, enabled ? 1 : 0);
      if (failingSinceMs !== null)
        set("hlsync_webhook_failing_since_timestamp_seconds", { endpoint }, failingSinceMs / 1000);
    }
    for (const { rule, state, count } of outputs.alerts ?? []) set("hlsync_alerts", { rule, state }, count);
    for (const { subject, messages } of outputs.quarantine ?? [])
      set("hlsync_quarantine_messages", { subject }, messages);
    for (const health of status.accounts) {
      this.#account(health, snapshot(health.address));
      const account = health.alias ?? health.address;
      const drift = outputs.drift?.find(({ address }) => address === health.address);
      if (drift) set("hlsync_drift_unrepaired", { account }, drift.unrepaired);
    }
    for (const [name, value] of Object.entries(processFacts())) set(name as MetricName, {}, value);
    return this.#registry.text();
  }

  #account(health: AccountHealth, snapshot: Snapshot | null): void {
    const set = this.#registry.set;
    const account = health.alias ?? health.address;
    for (const state of SOCKET_STATES)
      set("hlsync_stream_state", { account, state }, health.socket === state ? 1 : 0);
    for (const { type, dex, last_data_ms, stale } of health.subscriptions) {
      const labels = { account, stream: type, dex };
      if (last_data_ms !== null)
        set("hlsync_stream_last_data_timestamp_seconds", labels, last_data_ms / 1000);
      set("hlsync_stream_stale", labels, stale ? 1 : 0);
    }
    set("hlsync_stream_reconnects_total", { account }, health.reconnects);
    if (health.round_trip_ms !== null)
      set("hlsync_stream_round_trip_seconds", { account }, health.round_trip_ms / 1000);
    set("hlsync_inbox_frames", { account }, health.queued);
    set("hlsync_inbox_dropped_total", { account }, health.dropped);
    if (health.last_reconcile_ms !== null)
      set("hlsync_catch_up_timestamp_seconds", { account }, health.last_reconcile_ms / 1000);
    set("hlsync_catch_up_failed", { account }, health.last_reconcile_error === null ? 0 : 1);
    for (const { stream, gaps, complete_since_ms, proven_to_ms } of health.streams) {
      // While nothing is proven it is not known what is missing.
      if (proven_to_ms !== null) set("hlsync_gaps_open", { account, stream }, gaps);
      if (complete_since_ms !== null)
        set("hlsync_complete_since_timestamp_seconds", { account, stream }, complete_since_ms / 1000);
      if (proven_to_ms !== null)
        set("hlsync_proven_to_timestamp_seconds", { account, stream }, proven_to_ms / 1000);
    }
    if (snapshot) {
      if (snapshot.accountValue !== null)
        set("hlsync_account_value_usd", { account }, Number(snapshot.accountValue));
      if (snapshot.netWorth !== null) set("hlsync_net_worth_usd", { account }, Number(snapshot.netWorth));
      if (snapshot.healthScore !== null) set("hlsync_health_score", { account }, snapshot.healthScore);
    }
  }

  #drift(data: Record<string, unknown>): void {
    const cause = String(data.cause);
    this.#registry.add("hlsync_drift_found_total", { cause });
    this.#registry.add("hlsync_drift_repaired_total", { cause }, data.repaired_at_ms === null ? 0 : 1);
  }

  #lag(hop: Hop, lagMs: number): void {
    const shownMs = Math.max(0, lagMs);
    this.#registry.observe("hlsync_hop_seconds", { hop }, shownMs / 1000);
    this.#latency.add(hop, shownMs, this.#deps.clock.now());
  }

  /** A process that was stopped, or blocked for so long, looks the same: then the venue is asked once for nothing. */
  async #watchClock(): Promise<void> {
    const { clock, log, measure, measuredOffset } = this.#deps;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const dueMs = clock.now() + CLOCK_LOOK_MS;
      await clock.sleep(CLOCK_LOOK_MS, signal).catch(() => {});
      const steppedMs = clock.now() - dueMs;
      if (signal.aborted || Math.abs(steppedMs) < CLOCK_STEP_MS) continue;
      this.#offset.stepped(measuredOffset());
      log.info("this machine's clock was stepped, or the process stood still", { steppedMs });
      void measure(signal).catch((error: unknown) => log.debug("the venue did not tell its time", { error }));
    }
  }

  async #keepFlushing(): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      await clock.sleep(FLUSH_MS, signal).catch(() => {});
      const blockedMs = Math.round(takeLongestBlockMs());
      if (blockedMs >= BLOCKED_MS)
        log.warn("the event loop was blocked: nothing else ran meanwhile", { blockedMs });
      await this.#flush();
    }
  }

  async #flush(): Promise<void> {
    const { clock, instance, log } = this.#deps;
    const nowMs = clock.now();
    const minutes = this.#latency.takeMinutes(nowMs);
    if (minutes.length === 0) return;
    try {
      await this.#deps.db.query(WRITE_MINUTES, [instance, JSON.stringify(minutes satisfies LatencyMinute[])]);
      if (nowMs - this.#prunedMs > 3_600_000) {
        await this.#deps.db.query("select hl_internal.prune_latency($1)", [nowMs - KEEP_MS]);
        this.#prunedMs = nowMs;
      }
    } catch (error) {
      this.#latency.giveBack(minutes);
      log.debug("latency not written, will try again", { error });
    }
  }
}

/** A minute that was written twice (an answer was lost) stays as it is. */
const WRITE_MINUTES = `
  insert into hl_internal.latency_minutes (minute_ms, hop, instance, samples, p50_ms, p90_ms, p99_ms, max_ms)
  select "minuteMs", hop, $1, samples, p50, p90, p99, max
  from json_to_recordset($2::json) as x(
    "minuteMs" bigint, hop text, samples bigint, p50 integer, p90 integer, p99 integer, max integer)
  on conflict do nothing`;

/** What a scrape reads anew as a whole, so that what is gone or not known any more goes: gauges, and what is told by account. */
const READ_ANEW = (Object.entries(METRICS) as [MetricName, MetricSpec][])
  .filter(([, { type, labels }]) => type === "gauge" || labels.includes("account"))
  .map(([name]) => name);

const isLive = ({ source, type }: { source: string; type: string }): boolean =>
  source === "stream" && (type === "fill.created" || type === "order.updated");
