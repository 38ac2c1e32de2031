/**
 * What is known about hlsync itself, gathered in one place for `/readyz`, `/healthz`, `/api/status`, `/metrics` and the
 * status strip. Asks the database every `PROBE_MS` how fast it is every `COVERAGE_MS` what is proven, and every
 * `OUTPUTS_MS` how webhooks and alerts stand. Guarantees: never more than one question of a kind under way; a question that
 * fails leaves the last answer standing with its age, never an empty one.
 */

import { errorText } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import { repeat } from "../../runtime/repeat.ts";
import type { Queryable } from "../../store/database.ts";
import { readHolders, readWorkers, type WorkerRow } from "../../store/fleet.ts";
import {
  type Completeness,
  completeness,
  type KnownStretch,
  latestClaimMs,
} from "../../sync/completeness.ts";
import { type EngineStatus, followDuty } from "../../sync/engine.ts";
import { type Address, TRACKED_STREAMS, type TrackedStream } from "../../sync/rows.ts";
import { type OutputFigures, readOutputFigures } from "./outputFigures.ts";

const PROBE_MS = 2_000;
const COVERAGE_MS = 5_000;
const OUTPUTS_MS = 15_000;
/** Deliveries are counted over this time. */
export const DELIVERIES_MS = 3_600_000;

export interface LimiterStats {
  usedLastMinute: number;
  weightPerMinute: number;
  waiting: number;
  inflight: number;
  throttled429: number;
}

/** The parts of a running hlsync that are looked at. */
export interface Observed {
  engine: { status(): EngineStatus };
  limiter: { stats(): LimiterStats };
  /** For what must be known soon. */
  own: Queryable;
  /** For what may take longer. */
  watch: Queryable;
  clock: Clock;
  log: Log;
}

export interface DatabaseProbe {
  up: boolean;
  /** Round trip of the last answered probe, milliseconds; null before the first. */
  latencyMs: number | null;
  /** When it was answered. */
  answeredMs: number | null;
  /** Why the last probe was not answered. */
  error: string | null;
  /** Newest event of the outbox. */
  outboxHead: number;
}

/** What is known of one stream. */
export type StreamKnowledge = Completeness & { stream: TrackedStream };

/** When the newest states of an account were read (`hl_internal.freshness`), by whichever process. */
export interface Heard {
  atMs: number | null;
  /** How often it is polled; null while it is streamed. */
  pollMs: number | null;
}

/** The last snapshot of an account's equity, for metrics. */
export interface Snapshot {
  asOfMs: number;
  accountValue: string | null;
  netWorth: string | null;
  healthScore: number | null;
}

interface CoverageAnswer {
  account: Address;
  sinceMs: number | null;
  ranges: KnownStretch[] | null;
  heardMs: number | null;
  pollMs: number | null;
  snapshot: Snapshot | null;
}

export class Observer {
  readonly name = "observer";
  readonly #parts: Observed;
  readonly #abort = new AbortController();
  #loops: Promise<void>[] = [];
  #probe: DatabaseProbe = { up: false, latencyMs: null, answeredMs: null, error: null, outboxHead: 0 };
  #knowledge = new Map<Address, StreamKnowledge[]>();
  #snapshots = new Map<Address, Snapshot>();
  #heard = new Map<Address, Heard>();
  #fleet: readonly WorkerRow[] = [];
  #holders: ReadonlyMap<string, string> = new Map();
  #outputs: OutputFigures = {
    pending: null,
    deliveries: null,
    alerts: null,
    endpoints: null,
    drift: null,
    quarantine: null,
  };

  constructor(parts: Observed) {
    this.#parts = parts;
  }

  /** Resolves when the first questions are answered or have failed. */
  async start(): Promise<void> {
    await Promise.all([this.#askDatabase(), this.#askCoverage(), this.#askFleet()]);
    this.#loops.push(
      this.#every(PROBE_MS, () => this.#askDatabase()),
      this.#every(COVERAGE_MS, () => this.#askCoverage()),
      this.#every(COVERAGE_MS, () => this.#askFleet()),
      this.#every(OUTPUTS_MS, () => this.#askOutputs()),
    );
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error("stopped"));
    await Promise.all(this.#loops);
  }

  database(): DatabaseProbe {
    return this.#probe;
  }

  knowledge(account: Address): StreamKnowledge[] {
    return this.#knowledge.get(account) ?? [];
  }

  snapshot(account: Address): Snapshot | null {
    return this.#snapshots.get(account) ?? null;
  }

  heard(account: Address): Heard | null {
    return this.#heard.get(account) ?? null;
  }

  fleet(): readonly WorkerRow[] {
    return this.#fleet;
  }

  holderOf(account: Address): string | null {
    return this.#holders.get(followDuty(account)) ?? null;
  }

  outputs(): OutputFigures {
    return this.#outputs;
  }

  #every(ms: number, ask: () => Promise<void>): Promise<void> {
    return repeat(this.#parts.clock, ms, this.#abort.signal, ask);
  }

  async #askDatabase(): Promise<void> {
    const { clock, log, own } = this.#parts;
    const askedMs = clock.now();
    try {
      const [row] = await own.query<{ head: number }>(
        "select coalesce(max(id), 0)::bigint as head from hl_internal.outbox",
      );
      const answeredMs = clock.now();
      const outboxHead = row!.head;
      this.#probe = { up: true, latencyMs: answeredMs - askedMs, answeredMs, error: null, outboxHead };
    } catch (error) {
      if (this.#probe.up) log.warn("the database does not answer", { error });
      this.#probe = {
        ...this.#probe,
        up: false,
        error: errorText(error),
      };
    }
  }

  async #askCoverage(): Promise<void> {
    try {
      const rows = await this.#parts.own.query<CoverageAnswer & Record<string, unknown>>(COVERAGE_SQL);
      const latestMs = latestClaimMs(this.#parts.clock.now());
      for (const { account, sinceMs, ranges, heardMs, pollMs, snapshot } of rows) {
        this.#heard.set(account, { atMs: heardMs, pollMs });
        this.#knowledge.set(
          account,
          TRACKED_STREAMS.map((stream) => ({
            stream,
            ...completeness(ranges ?? [], stream, sinceMs ?? 0, latestMs),
          })),
        );
        if (snapshot) this.#snapshots.set(account, snapshot);
      }
    } catch (error) {
      this.#parts.log.debug("coverage not read", { error });
    }
  }

  async #askFleet(): Promise<void> {
    const { log, own } = this.#parts;
    try {
      [this.#fleet, this.#holders] = await Promise.all([readWorkers(own), readHolders(own)]);
    } catch (error) {
      log.debug("the fleet not read", { error });
    }
  }

  async #askOutputs(): Promise<void> {
    const { clock, log, watch } = this.#parts;
    try {
      this.#outputs = await readOutputFigures(watch, clock.now() - DELIVERIES_MS);
    } catch (error) {
      log.debug("figures of the outputs not read", { error });
    }
  }
}

export const COVERAGE_SQL = `
  select a.account_address as account, a.since_ms as "sinceMs",
    (select json_agg(json_build_object('stream', c.stream, 'grade', c.grade, 'fromMs', c.from_ms, 'toMs', c.to_ms,
       'reason', c.reason))
     from public.hl_coverage c where c.account_address = a.account_address) as ranges,
    (extract(epoch from f.heard_at) * 1000)::bigint as "heardMs", f.poll_ms as "pollMs",
    (select json_build_object('asOfMs', d.as_of_ms, 'accountValue', d.account_value::text,
       'netWorth', d.net_worth::text, 'healthScore', d.health_score)
     from public.hl_dashboard d where d.account_address = a.account_address
     order by d.as_of desc limit 1) as snapshot
  from hl_internal.accounts a cross join lateral hl_internal.freshness(a.account_address) f`;
