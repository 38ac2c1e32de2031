/**
 * Health in JSON, and whether hlsync is ready. Pure. Guarantees: ready means that every followed account is
 * subscribed, caught up and fresh (or followed by another process), and that the database answers and takes writes; each thing that is missing is one reason in words.
 * Holds no secret: the database is described without its password.
 */

import type { WorkerRow } from "../../store/fleet.ts";
import type { EngineStatus } from "../../sync/engine.ts";
import { boundsOf, freshnessOf } from "../../sync/freshness.ts";
import type { Address } from "../../sync/rows.ts";
import { type Heard, knowledgeWords, type StreamKnowledge } from "./knowledge.ts";
import type { DatabaseProbe, LimiterStats } from "./observer.ts";

/** Everything that status is made of, at one moment. */
export interface HealthFacts {
  nowMs: number;
  startedMs: number;
  version: string;
  /** The venue is a model. */
  simulated?: boolean;
  /** Described without password; null with `--no-db`. */
  database: string | null;
  probe: DatabaseProbe;
  engine: EngineStatus;
  limiter: LimiterStats;
  clockOffsetMs: number;
  eventStreams: number;
  alerting: Alerting | null;
  /** The processes that share the database. */
  fleet: readonly WorkerRow[];
  /** Which of them follows the account, as far as the database tells. */
  holderOf(account: Address): string | null;
  knowledge(account: Address): StreamKnowledge[];
  /** Of the states in the database; null while they were not read. */
  heard(account: Address): Heard | null;
}

/** A probe of the database older than this says nothing about now. */
const PROBE_AGE_MAX_MS = 10_000;
/** Two writers that get into each other's way are over it sooner. */
const WRITES_REFUSED_AFTER_MS = 1_000;

export interface Status {
  now_ms: number;
  started_ms: number;
  version: string;
  /** Nothing of the data is real: the venue is a model. */
  simulated: boolean;
  ready: boolean;
  /** Why not; empty when ready. */
  reasons: string[];
  database: {
    description: string | null;
    up: boolean;
    latency_ms: number | null;
    answered_ms: number | null;
    error: string | null;
    /** Since when it answers and takes no writes, as with a full disk; null while it takes them. */
    writes_refused_since_ms: number | null;
    writes_refused_reason: string | null;
    outbox_head: number;
  };
  venue: {
    clock_offset_ms: number;
    weight_used: number;
    weight_per_minute: number;
    waiting: number;
    inflight: number;
    throttled: number;
  };
  event_streams: number;
  /** What watches, and who would be told; null where nothing does. */
  alerting: Alerting | null;
  /** The processes that share the database: what each follows, how fresh that is, what its egress has left. */
  fleet: readonly WorkerRow[];
  accounts: AccountHealth[];
}

export interface Alerting {
  /** Rules that are not off. */
  rules: number;
  channels: number;
}

export interface AccountHealth {
  address: Address;
  alias: string | null;
  /** `standby`: another process follows it and this one would take over; what is known comes from the database. */
  mode: "stream" | "poll" | "standby";
  /** Which process follows it; null when there can be no other or it is not known. */
  holder: string | null;
  phase: string;
  socket: string;
  /** Newest data of any stream, or when the states were last read over REST; null before the first. */
  last_data_ms: number | null;
  fresh: boolean;
  /** How old the newest data may be for the way the account is followed, before it counts as delayed, and as stale. */
  delayed_after_ms: number;
  stale_after_ms: number;
  silent: string[];
  queued: number;
  dropped: number;
  reconnects: number;
  last_end: string | null;
  round_trip_ms: number | null;
  last_reconcile_ms: number | null;
  last_reconcile_error: string | null;
  healed: number;
  unexplained: number;
  /** Of the histories that money is counted from. */
  complete_since_ms: number | null;
  proven_to_ms: number | null;
  gaps: number;
  streams: { stream: string; complete_since_ms: number | null; proven_to_ms: number | null; gaps: number }[];
  subscriptions: { type: string; dex: string; state: string; last_data_ms: number | null; stale: boolean }[];
}

export function status(facts: HealthFacts): Status {
  const { nowMs, probe, limiter } = facts;
  const accounts = facts.engine.accounts.map((account) => accountHealth(facts, account));
  const reasons = [
    ...databaseReasons(facts),
    ...accounts.flatMap((account) => accountReasons(facts, account)),
  ];
  return {
    now_ms: nowMs,
    started_ms: facts.startedMs,
    version: facts.version,
    simulated: facts.simulated ?? false,
    ready: reasons.length === 0,
    reasons,
    database: {
      description: facts.database,
      up: probe.up,
      latency_ms: probe.latencyMs,
      answered_ms: probe.answeredMs,
      error: probe.error,
      writes_refused_since_ms: facts.engine.writesRefused?.sinceMs ?? null,
      writes_refused_reason: facts.engine.writesRefused?.reason ?? null,
      outbox_head: probe.outboxHead,
    },
    venue: {
      clock_offset_ms: facts.clockOffsetMs,
      weight_used: limiter.usedLastMinute,
      weight_per_minute: limiter.weightPerMinute,
      waiting: limiter.waiting,
      inflight: limiter.inflight,
      throttled: limiter.throttled429,
    },
    event_streams: facts.eventStreams,
    alerting: facts.alerting,
    fleet: facts.fleet,
    accounts,
  };
}

function accountHealth(facts: HealthFacts, account: EngineStatus["accounts"][number]): AccountHealth {
  const { address, alias, lane, role, holder } = account;
  const mode = role === "standby" ? "standby" : account.mode;
  const { nowMs } = facts;
  const subscriptions = (lane?.stream.subscriptions ?? []).map(
    ({ subscription, state, lastDataMs, stale }) => ({
      type: subscription.type,
      dex: typeof subscription.dex === "string" ? subscription.dex : "",
      state,
      last_data_ms: lastDataMs,
      stale,
    }),
  );
  const times = subscriptions.flatMap(({ last_data_ms }) => (last_data_ms === null ? [] : [last_data_ms]));
  const heard = facts.heard(address);
  const lastDataMs = newest(heard?.atMs == null ? times : [...times, heard.atMs]);
  const bounds = boundsOf(mode === "standby" ? (heard?.pollMs ?? null) : account.pollMs);
  const ageMs = lastDataMs === null ? null : nowMs - lastDataMs;
  const silent = subscriptions
    .filter(({ stale, state }) => stale && state !== "refused")
    .map(({ type, dex }) => (dex === "" ? type : `${type} ${dex}`));
  return {
    address,
    alias,
    mode,
    holder: holder ?? facts.holderOf(address),
    phase: lane?.phase ?? (mode === "standby" ? "standby" : "polling"),
    socket: lane?.stream.state ?? "none",
    last_data_ms: lastDataMs,
    fresh: freshnessOf(ageMs, bounds) !== "stale" && silent.length === 0,
    delayed_after_ms: bounds.delayedMs,
    stale_after_ms: bounds.staleMs,
    silent,
    queued: lane?.queued ?? 0,
    dropped: lane?.dropped ?? 0,
    reconnects: lane?.stream.reconnects ?? 0,
    last_end: lane?.stream.lastEnd ?? null,
    round_trip_ms: lane?.stream.roundTripMs ?? null,
    last_reconcile_ms: lane?.lastCatchUpMs ?? null,
    last_reconcile_error: lane?.lastCatchUpError ?? null,
    healed: lane?.healed ?? 0,
    unexplained: lane?.unexplained ?? 0,
    ...knowledgeWords(facts.knowledge(address)),
    subscriptions,
  };
}

const newest = (times: number[]): number | null => (times.length === 0 ? null : Math.max(...times));

function databaseReasons({ database, probe, nowMs, engine }: HealthFacts): string[] {
  if (database === null) return [];
  if (!probe.up) return [`the database does not answer: ${probe.error ?? "not asked yet"}`];
  const ageMs = nowMs - (probe.answeredMs ?? 0);
  if (ageMs > PROBE_AGE_MAX_MS) return [`the database has not answered for ${seconds(ageMs)}`];
  const refused = engine.writesRefused;
  if (refused === null || nowMs - refused.sinceMs < WRITES_REFUSED_AFTER_MS) return [];
  return [`the database takes no writes for ${seconds(nowMs - refused.sinceMs)}: ${refused.reason}`];
}

function accountReasons({ nowMs }: HealthFacts, account: AccountHealth): string[] {
  const who = account.alias ?? `${account.address.slice(0, 6)}…${account.address.slice(-4)}`;
  const reasons: string[] = [];
  if (account.mode === "stream") {
    if (account.socket !== "live") reasons.push(`${who}: not subscribed (${account.socket})`);
    if (account.last_reconcile_ms === null) reasons.push(`${who}: not caught up yet`);
    else if (account.phase === "catching_up") reasons.push(`${who}: catching up`);
  }
  if (account.fresh) return reasons;
  if (account.last_data_ms === null) reasons.push(`${who}: no data yet`);
  else if (account.silent.length > 0) reasons.push(`${who}: silent: ${account.silent.join(", ")}`);
  else reasons.push(`${who}: no data for ${seconds(nowMs - account.last_data_ms)}`);
  return reasons;
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
