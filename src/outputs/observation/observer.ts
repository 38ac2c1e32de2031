/**
 * What is known about hlsync itself, gathered in one place for `/readyz`, `/healthz`, `/api/status`, `/metrics` and the
 * status strip. Asks the database every `PROBE_MS` how fast it is, every `COVERAGE_MS` what is proven, and every
 * `OUTPUTS_MS` how webhooks and alerts stand. Guarantees: never more than one question of a kind under way; a question that
 * fails leaves the last answer standing with its age, never an empty one.
 */

import { errorText } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import { repeat } from "../../runtime/repeat.ts";
import type { Queryable } from "../../store/database.ts";
import { readHolders, readWorkers, type WorkerRow } from "../../store/fleet.ts";
import type { EngineStatus } from "../../sync/engine.ts";
import type { Address } from "../../sync/rows.ts";
import { followDuty } from "../../sync/standby.ts";
import { type Heard, readKnowledge, type Snapshot, type StreamKnowledge } from "./knowledge.ts";
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
      const known = await readKnowledge(this.#parts.own, this.#parts.clock.now());
      for (const { account, streams, heard, snapshot } of known) {
        this.#heard.set(account, heard);
        this.#knowledge.set(account, streams);
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
