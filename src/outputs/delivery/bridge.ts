/**
 * Delivers outbox events to endpoints.
 *
 * ```
 *   outbox ──► sequence (endpoint × account): cursor ──► attempt ──► settle (log + cursor, one statement)
 *                 ▲ in order, one at a time            │ failed: same event again, by the schedule
 *                 └────────────────────────────────────┘ given up: dead letter, next event
 * ```
 *
 * Guarantees: every event that an endpoint wants is delivered at least once, in the order of its account, with one
 * `webhook-id` for all attempts, or ends as a dead letter; an event whose id was delivered is not sent again unless
 * replayed, and a replay is sent whatever its age. An endpoint is served by the process that holds its lease; another
 * takes over when that one is gone. The state is in the database alone, so a kill loses nothing: at worst the last
 * attempt is made again. An endpoint that fails for days, or answers 410, is disabled, and the other endpoints get an event.
 */
import { StoreError } from "../../errors.ts";
import { Bell } from "../../runtime/bell.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Service } from "../../runtime/lifecycle.ts";
import type { Log } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import type { Queryable } from "../../store/database.ts";
import { openLeases, tokensOf } from "../../store/leases.ts";
import type { Leases } from "../../sync/ports.ts";
import { wants } from "../eventTypes.ts";
import { backlog, type OutboxEvent, openOutbox } from "../outbox.ts";
import {
  type DueSequence,
  disableEndpoint,
  type Endpoint,
  type Lease,
  type Outcome,
  pruneDeliveries,
  readDelivered,
  readDueSequences,
  readEndpoints,
  readSecrets,
  settle,
} from "./endpoints.ts";
import { whatNext } from "./retry.ts";
import type { Secret } from "./secret.ts";
import { type AddedEndpoint, type ConfiguredSink, deliveryId, type Sink, type Verdict } from "./sink.ts";

export const BRIDGE_DEFAULTS = {
  /** The database is asked for news this often; commits of this process are heard of at once. */
  pollMs: 1_000,
  /** Another process takes over this long after the holder was last heard of. */
  leaseMs: 10_000,
  /** An endpoint is disabled when nothing was delivered for this long and something failed. */
  disableAfterMs: 5 * 86_400_000,
  /** Sequences of one endpoint that deliver at the same time; further ones wait. */
  sequencesPerEndpoint: 8,
  /** The log of deliveries is kept this long. */
  keepLogMs: 30 * 86_400_000,
  /** What is under way when stopping may take this long. */
  stopMs: 3_000,
} as const;
export type BridgeOptions = { [K in keyof typeof BRIDGE_DEFAULTS]: number };

/** What came of an attempt, in few enough words to count by. */
type AttemptOutcome = Exclude<Verdict["kind"], "unfit" | "gone">;

/** One attempt at a delivery. */
export interface DeliveryAttempt {
  endpoint: string;
  outcome: AttemptOutcome;
  event: OutboxEvent;
  /**
   * From the commit until it was taken, milliseconds, retries inside. Null when it was not taken, and when it was a
   * replay or history to the endpoint, since then it waited for no delivery.
   */
  lagMs: number | null;
}

interface BridgeDeps {
  db: Queryable;
  clock: Clock;
  random: Random;
  log: Log;
  /** Names this process in leases. */
  holder: string;
  /** Calls back after commits of this process; returns the function that ends it. */
  onNews(listener: () => void): () => void;
  /** Hears of every attempt. */
  onAttempt(attempt: DeliveryAttempt): void;
  /** The sink of an endpoint that was added; null when this version has none for it. */
  sinkOf(endpoint: AddedEndpoint, secrets: readonly Secret[]): Sink | null;
  /** Delay before each attempt at an endpoint that was added. */
  delaysMs: readonly number[];
  /** Alert channels of this process's configuration; each has its row in the database. */
  channels: readonly ConfiguredSink[];
  options: BridgeOptions;
}

const PRUNE_EVERY_MS = 3_600_000;

const leaseName = (endpoint: string): string => `webhook:${endpoint}`;

interface Served {
  endpoint: Endpoint;
  sink: Sink;
  delaysMs: readonly number[];
  lease: Lease;
}

export class DeliveryBridge implements Service {
  readonly name = "webhooks";
  readonly #deps: BridgeDeps;
  readonly #abort = new AbortController();
  #stopping = false;
  #sequences = new Map<string, Promise<void>>();
  /** Something was due that had to wait for a sequence to end. */
  #crowded = false;
  #served = new Map<string, Served>();
  #reloadMs = Number.NEGATIVE_INFINITY;
  #tokens = new Map<string, number>();
  /** By our own clock; nothing is sent after it. */
  #leasedUntilMs = Number.NEGATIVE_INFINITY;
  #nextRenewMs = Number.NEGATIVE_INFINITY;
  #nextPruneMs = Number.NEGATIVE_INFINITY;
  readonly #news = new Bell<"news">();
  #unsubscribe: () => void = () => {};
  #running: Promise<void> = Promise.resolve();

  readonly #leases: Leases;

  constructor(deps: BridgeDeps) {
    this.#deps = deps;
    this.#leases = openLeases(deps.db);
  }

  start(): this {
    this.#unsubscribe = this.#deps.onNews(() => this.#news.ring("news"));
    this.#running = this.#run();
    return this;
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    this.#stopping = true;
    this.#news.ring("news");
    await this.#running;
    const { clock, holder, options } = this.#deps;
    const enough = new AbortController();
    await Promise.race([
      Promise.all(this.#sequences.values()),
      clock.sleep(options.stopMs, enough.signal).catch(() => {}),
    ]);
    enough.abort();
    this.#abort.abort(new Error("stopped"));
    await Promise.all(this.#sequences.values());
    // When this fails the leases end by themselves.
    await this.#leases.releaseLeases([...this.#tokens.keys()].map(leaseName), holder).catch(() => {});
  }

  async #run(): Promise<void> {
    const { log, clock, options } = this.#deps;
    let failing = false;
    while (!this.#stopping) {
      let nextMs = clock.now() + options.pollMs;
      try {
        nextMs = Math.min(nextMs, await this.#round());
        if (failing) log.info("webhooks go on");
        failing = false;
      } catch (error) {
        if (!failing) log.warn("webhooks wait for the database", { error });
        failing = true;
      }
      if (!this.#stopping) await this.#news.wait(clock, Math.max(0, nextMs - clock.now()));
    }
  }

  /** Starts every sequence that is due; answers when the next one will be. */
  async #round(): Promise<number> {
    const { db, clock, options } = this.#deps;
    if (clock.now() >= this.#reloadMs) {
      this.#served = await this.#servedEndpoints();
      this.#reloadMs = clock.now() + options.pollMs;
    }
    const served = this.#served;
    let nextMs = Number.POSITIVE_INFINITY;
    if (served.size === 0) return nextMs;
    // A sequence that ends while it is read about would look as if it still stood where it began.
    const running = new Set(this.#sequences.keys());
    const askedMs = clock.now();
    const due = await readDueSequences(db, [...served.keys()]);
    const busy = new Map<string, number>();
    for (const key of this.#sequences.keys()) {
      const endpoint = key.split(" ")[0]!;
      busy.set(endpoint, (busy.get(endpoint) ?? 0) + 1);
    }
    for (const one of due) {
      const key = `${one.endpoint} ${one.sequence}`;
      if (running.has(key)) {
        if (this.#sequences.has(key)) this.#crowded = true;
        else this.#news.ring("news");
        continue;
      }
      if (one.nextAttemptMs !== null && one.nextAttemptMs > clock.now()) {
        nextMs = Math.min(nextMs, one.nextAttemptMs);
        continue;
      }
      const count = busy.get(one.endpoint) ?? 0;
      if (count >= options.sequencesPerEndpoint) {
        this.#crowded = true;
        continue;
      }
      busy.set(one.endpoint, count + 1);
      // At most the time of the question too much: a lag is never shown too short.
      const databaseAheadMs = one.databaseMs - askedMs;
      this.#sequences.set(key, this.#drain(served.get(one.endpoint)!, one, key, databaseAheadMs));
    }
    if (clock.now() >= this.#nextPruneMs) {
      this.#nextPruneMs = clock.now() + PRUNE_EVERY_MS;
      await pruneDeliveries(db, clock.now() - options.keepLogMs);
    }
    return nextMs;
  }

  /** Endpoints that are enabled, that this process can serve, and whose lease it holds. */
  async #servedEndpoints(): Promise<Map<string, Served>> {
    const { db, clock, channels, sinkOf, holder, options } = this.#deps;
    const [endpoints, secrets] = await Promise.all([readEndpoints(db), readSecrets(db, clock.now())]);
    const candidates = endpoints.flatMap((endpoint) => {
      const { url } = endpoint;
      const channel = channels.find(({ id }) => id === endpoint.id);
      const sink = url === null ? channel : sinkOf({ ...endpoint, url }, secrets.get(endpoint.id) ?? []);
      const { delaysMs } = channel ?? this.#deps;
      return sink && endpoint.state === "enabled" ? [{ endpoint, sink, delaysMs }] : [];
    });
    const known = candidates.every(({ endpoint }) => this.#tokens.has(endpoint.id));
    if (candidates.length > 0 && (clock.now() >= this.#nextRenewMs || !known)) {
      const askedMs = clock.now();
      const names = candidates.map(({ endpoint }) => leaseName(endpoint.id));
      const held = tokensOf(await this.#leases.takeLeases(names, holder, options.leaseMs));
      this.#tokens = new Map([...held].map(([name, token]) => [name.slice(leaseName("").length), token]));
      this.#leasedUntilMs = askedMs + options.leaseMs;
      this.#nextRenewMs = askedMs + options.leaseMs / 3;
    }
    const served = new Map<string, Served>();
    for (const { endpoint, sink, delaysMs } of candidates) {
      const token = this.#tokens.get(endpoint.id);
      if (token === undefined) continue;
      const lease = { name: leaseName(endpoint.id), holder, token };
      served.set(endpoint.id, { endpoint, sink, delaysMs, lease });
    }
    return served;
  }

  async #drain(served: Served, due: DueSequence, key: string, databaseAheadMs: number): Promise<void> {
    const { log } = this.#deps;
    try {
      const run = new SequenceRun(this.#deps, served, due, databaseAheadMs, () => this.#stillServed(served));
      const end = await run.drain(this.#abort.signal);
      // The next attempt may be due before the next look at the database.
      if (end === "waits") this.#crowded = true;
      // Someone else has the lease or moved the cursor: look again before going on.
      if (end === "refused") {
        this.#served.delete(due.endpoint);
        this.#nextRenewMs = Number.NEGATIVE_INFINITY;
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) {
        // 23503: the endpoint was removed meanwhile.
        const passing = error instanceof StoreError && (error.transient || error.sqlState === "23503");
        log[passing ? "debug" : "error"]("delivery interrupted", { endpoint: due.endpoint, error });
      }
    } finally {
      this.#sequences.delete(key);
      if (this.#crowded) {
        this.#crowded = false;
        this.#news.ring("news");
      }
    }
  }

  /** As the endpoint is now (secrets, filter), or null when it is no longer ours to serve. */
  #stillServed({ endpoint, lease }: Served): Served | null {
    const now = this.#served.get(endpoint.id);
    const held = now?.lease.token === lease.token && this.#deps.clock.now() < this.#leasedUntilMs;
    return held && !this.#stopping ? now : null;
  }
}

/** One go at a sequence: until there is nothing left, an attempt fails, or the lease is gone. */
class SequenceRun {
  readonly #deps: BridgeDeps;
  readonly #sequence: string;
  /** Events up to here were asked for by a replay. */
  readonly #replayToId: number;
  /** The database's clock minus ours. */
  readonly #databaseAheadMs: number;
  readonly #stillServed: () => Served | null;
  #served: Served;
  /** As the database has it. */
  #cursorId: number;
  #attempts: number;

  constructor(
    deps: BridgeDeps,
    served: Served,
    due: DueSequence,
    databaseAheadMs: number,
    stillServed: () => Served | null,
  ) {
    this.#deps = deps;
    this.#databaseAheadMs = databaseAheadMs;
    this.#served = served;
    this.#sequence = due.sequence;
    this.#replayToId = due.replayToId;
    this.#stillServed = stillServed;
    this.#cursorId = due.cursorId;
    this.#attempts = due.attempts;
  }

  async drain(signal: AbortSignal): Promise<"drained" | "waits" | "refused"> {
    const { db } = this.#deps;
    const after = new Map([[this.#sequence, this.#cursorId]]);
    for await (const batch of backlog({ outbox: openOutbox(db), after, sequences: [this.#sequence] })) {
      const wanted = batch.filter((event) => this.#isWanted(event));
      const ids = wanted.map(({ key }) => deliveryId(key));
      const delivered = await readDelivered(db, this.#served.endpoint.id, ids);
      for (const [index, event] of wanted.entries()) {
        const served = this.#stillServed();
        if (served === null) return "drained";
        this.#served = served;
        const before = delivered.get(ids[index]!);
        // Told already from another row of the outbox.
        if (before !== undefined && before !== event.id) continue;
        const next = await this.#deliver(event, ids[index]!, before !== undefined, signal);
        if (next !== "settled") return next;
        delivered.set(ids[index]!, event.id);
      }
      const lastId = batch.at(-1)!.id;
      if (lastId > this.#cursorId && !(await this.#moveTo(lastId, null))) return "refused";
    }
    return "drained";
  }

  #isWanted(event: OutboxEvent): boolean {
    const { events, sinceMs, maxAgeMs } = this.#served.endpoint;
    // History that was too old when hlsync learned of it is no news to anyone; what grew old waiting is `expired`.
    const isHistory =
      maxAgeMs !== null && !this.#isAskedFor(event) && event.committedAtMs - event.timeMs > maxAgeMs;
    return wants(events, event.type) && event.timeMs >= sinceMs && !isHistory;
  }

  #isAskedFor(event: OutboxEvent): boolean {
    return event.id <= this.#replayToId;
  }

  #isTooOld(event: OutboxEvent): boolean {
    const { maxAgeMs } = this.#served.endpoint;
    return maxAgeMs !== null && !this.#isAskedFor(event) && this.#deps.clock.now() - event.timeMs > maxAgeMs;
  }

  async #deliver(
    event: OutboxEvent,
    id: string,
    isReplay: boolean,
    signal: AbortSignal,
  ): Promise<"settled" | "waits" | "refused"> {
    const { clock, random, log, onAttempt } = this.#deps;
    const { sink, delaysMs, endpoint } = this.#served;
    const tried: Outcome = {
      webhookId: id,
      event,
      status: "expired",
      attempts: this.#attempts,
      statusCode: null,
      error: "older than the endpoint's max age",
      atMs: clock.now(),
      durationMs: 0,
    };
    const settled = async (outcome: Outcome) =>
      (await this.#moveTo(event.id, outcome)) ? "settled" : "refused";
    if (this.#isTooOld(event)) return settled(tried);
    const verdict = await sink.deliver(event, id, signal);
    const { kind, code, error } = verdict;
    tried.attempts += 1;
    tried.statusCode = code;
    tried.error = error;
    tried.durationMs = clock.now() - tried.atMs;
    const waited = kind === "delivered" && !isReplay && event.committedAtMs >= endpoint.addedMs;
    const lagMs = waited ? clock.now() + this.#databaseAheadMs - event.committedAtMs : null;
    const outcome = kind === "unfit" || kind === "gone" ? "refused" : kind;
    onAttempt({ endpoint: endpoint.id, outcome, event, lagMs });
    const next = whatNext(verdict, tried.attempts, delaysMs, random.next());
    if (next.kind === "delivered") return settled({ ...tried, status: "delivered" });
    const { attempts } = tried;
    log.warn("webhook not delivered", {
      endpoint: endpoint.id,
      type: event.type,
      attempts,
      status: code,
      error,
    });
    if (next.kind === "dead") return settled({ ...tried, status: "dead" });
    const nextAttemptMs = next.kind === "retry" ? clock.now() + next.delayMs : null;
    if (!(await this.#step(this.#cursorId, attempts, nextAttemptMs, { ...tried, status: "retrying" })))
      return "refused";
    if (next.kind === "gone") await this.#disable(error ?? "wants nothing more");
    else await this.#disableAfterDays(error);
    return "waits";
  }

  async #moveTo(toId: number, outcome: Outcome | null): Promise<boolean> {
    const moved = await this.#step(toId, 0, null, outcome);
    if (moved) {
      this.#cursorId = toId;
      this.#attempts = 0;
    }
    return moved;
  }

  #step(
    toId: number,
    attempts: number,
    nextAttemptMs: number | null,
    outcome: Outcome | null,
  ): Promise<boolean> {
    const { endpoint, lease } = this.#served;
    const step = { endpoint: endpoint.id, sequence: this.#sequence, fromId: this.#cursorId, toId, attempts };
    return settle(this.#deps.db, lease, { ...step, nextAttemptMs }, outcome);
  }

  async #disableAfterDays(error: string | null): Promise<void> {
    const { clock, options } = this.#deps;
    const failingForMs = clock.now() - (this.#served.endpoint.failingSinceMs ?? clock.now());
    if (failingForMs < options.disableAfterMs) return;
    const days = Math.floor(failingForMs / 86_400_000);
    // Another sequence may have delivered meanwhile.
    await this.#disable(`nothing was delivered for ${days} days: ${error}`, options.disableAfterMs);
  }

  async #disable(reason: string, failingMs: number | null = null): Promise<void> {
    const { db, clock, log } = this.#deps;
    const { id } = this.#served.endpoint;
    if (!(await disableEndpoint(db, id, reason, clock.now(), failingMs))) return;
    log.error(`webhook disabled: ${reason}. Repair the receiver, then: hlsync webhooks enable ${id}`, {
      endpoint: id,
    });
  }
}
