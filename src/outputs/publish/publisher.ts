/**
 * Publishes committed changes to a message broker, as CloudEvents.
 *
 * ```
 *   outbox ──► page of all accounts ──► broker: all acknowledged ──► cursors (one statement, fenced)
 *                      └─► the next page is sent meanwhile, and noted after this one
 *                 ▲ a failure: connect anew, go on from the cursors ────┘
 * ```
 *
 * Guarantees: every event is published, those of an account in the order of their commits; a crash of hlsync, of the broker
 * or of the database repeats at most what the broker recognises by its id (`nats.ts`, `redis.ts`). Of several processes the
 * one that holds the target's lease publishes. Bounded: a page is read while one is sent and the one before it is acknowledged; an
 * id that came in the outbox before is known for the last `KNOWN_MAX`.
 */
import { ConfigError } from "../../errors.ts";
import { orAborted } from "../../runtime/abort.ts";
import { fullJitterMs } from "../../runtime/backoff.ts";
import { Bell } from "../../runtime/bell.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Service } from "../../runtime/lifecycle.ts";
import type { Log } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import { repeat } from "../../runtime/repeat.ts";
import type { Queryable } from "../../store/database.ts";
import { openLeases, tokensOf } from "../../store/leases.ts";
import type { Leases } from "../../sync/ports.ts";
import type { Lease } from "../delivery/endpoints.ts";
import { deliveryId } from "../delivery/sink.ts";
import { type Cursors, changes, type OutboxEvent, openOutbox, sequenceOf } from "../outbox.ts";
import { BODIES } from "../webhooks/payload.ts";
import { ANSWER_MS, type Broker, type Message } from "./broker.ts";
import { keyOf, readCursors, saveCursors } from "./cursors.ts";

const LEASE_MS = 10_000;
/** The database is asked for news this often; commits of this process are heard of at once. */
const POLL_MS = 1_000;
/** A broker that is silent for so long is given up: a client may wait on a dead connection without end. */
const SILENT_MS = 3 * ANSWER_MS;
const BACKOFF = { baseMs: 250, capMs: 10_000 };
const KNOWN_MAX = 50_000;
/** The account of events that belong to none. */
const NOBODY = "none";
const LOST = new Error("another process publishes");

interface PublisherDeps {
  /** Its row among the endpoints. */
  id: string;
  db: Queryable;
  clock: Clock;
  random: Random;
  log: Log;
  /** Names this process in leases. */
  holder: string;
  open(): Promise<Broker>;
  /** Calls back after commits of this process, with their accounts; returns the function that ends it. */
  onNews(listener: (sequences: readonly string[]) => void): () => void;
}

export class Publisher implements Service {
  readonly name = "publishing";
  readonly #deps: PublisherDeps;
  readonly #leases: Leases;
  readonly #leaseName: string;
  readonly #abort = new AbortController();
  readonly #news = new Bell<string>();
  /** Outbox ids by the ids of the events that were published lately. */
  readonly #known = new Map<string, number>();
  #unsubscribe: () => void = () => {};
  #running: Promise<void> = Promise.resolve();

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
    this.#leases = openLeases(deps.db);
    this.#leaseName = `webhook:${deps.id}`;
  }

  start(): this {
    this.#unsubscribe = this.#deps.onNews((sequences) => this.#news.ring(...sequences));
    this.#running = this.#run();
    return this;
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    this.#abort.abort(new Error("stopped"));
    await this.#running;
    // When this fails the lease ends by itself.
    await this.#leases.releaseLeases([this.#leaseName], this.#deps.holder).catch(() => {});
  }

  async #run(): Promise<void> {
    const { clock, random, log } = this.#deps;
    const { signal } = this.#abort;
    let failures = 0;
    while (!signal.aborted) {
      let waitMs = LEASE_MS / 3;
      try {
        const lease = await this.#lease();
        if (lease !== null)
          await this.#term(lease, () => {
            if (failures > 0) log.info("publishing goes on");
            failures = 0;
          });
      } catch (error) {
        if (signal.aborted) return;
        if (failures === 0 || error instanceof ConfigError) log.warn("publishing waits", { error });
        waitMs = fullJitterMs(random, failures, BACKOFF);
        failures += 1;
      }
      await clock.sleep(waitMs, signal).catch(() => {});
    }
  }

  async #lease(): Promise<Lease | null> {
    const { holder } = this.#deps;
    const held = tokensOf(await this.#leases.takeLeases([this.#leaseName], holder, LEASE_MS));
    const token = held.get(this.#leaseName);
    return token === undefined ? null : { name: this.#leaseName, holder, token };
  }

  /** Until the lease is lost, something fails, or all is to stop. */
  async #term(lease: Lease, onPublished: () => void): Promise<void> {
    const { db, clock, id } = this.#deps;
    const broker = await this.#opened();
    const over = new AbortController();
    const signal = AbortSignal.any([this.#abort.signal, over.signal]);
    const renewing = repeat(clock, LEASE_MS / 3, signal, async () => {
      if ((await this.#lease())?.token !== lease.token) over.abort(LOST);
    }).catch((error: unknown) => over.abort(error));
    // Of the page that was sent last: acknowledged and noted, or the lease is another's by now.
    let noted: Promise<boolean> = Promise.resolve(true);
    try {
      const after = await this.#resumed(broker, await readCursors(db, id));
      const reading = { outbox: openOutbox(db), after, clock, signal, pollMs: POLL_MS, news: this.#news };
      for await (const events of ahead(changes(reading))) {
        signal.throwIfAborted();
        const before = noted;
        noted = this.#sent(broker, events, before, lease);
        noted.then(
          (isOurs) => (isOurs ? onPublished() : over.abort(LOST)),
          (error) => over.abort(error),
        );
        if (!(await before)) return;
        this.#forget();
      }
      await noted;
    } finally {
      over.abort(new Error("over"));
      await Promise.all([renewing, noted.catch(() => {}), this.#answer(broker.close()).catch(() => {})]);
    }
  }

  async #opened(): Promise<Broker> {
    const opening = this.#deps.open();
    try {
      return await this.#answer(opening);
    } catch (error) {
      opening.then((late) => late.close()).catch(() => {});
      throw error;
    }
  }

  /** What the broker answers; rejects when it is silent. */
  async #answer<T>(asked: Promise<T>): Promise<T> {
    const silent = new AbortController();
    const cancel = this.#deps.clock.after(SILENT_MS, () =>
      silent.abort(new Error(`the broker did not answer within ${SILENT_MS / 1_000} s`)),
    );
    try {
      return await orAborted(asked, silent.signal);
    } finally {
      cancel();
    }
  }

  /** Sends a page while the one before it is acknowledged and noted, and notes it after that one. */
  async #sent(
    broker: Broker,
    events: readonly OutboxEvent[],
    before: Promise<boolean>,
    lease: Lease,
  ): Promise<boolean> {
    const { db, id } = this.#deps;
    await this.#answer(broker.publish(this.#messages(events)));
    const moved: Cursors = new Map(events.map((event) => [sequenceOf(event.account), event.id]));
    return (await before) && saveCursors(db, id, lease, moved);
  }

  /** A process that was killed may have published more than it noted. */
  async #resumed(broker: Broker, cursors: Cursors): Promise<Cursors> {
    const { db } = this.#deps;
    const heads = await openOutbox(db).heads();
    for (const [sequence, head] of heads) {
      if (head <= (cursors.get(sequence) ?? 0)) continue;
      const newest = await this.#answer(broker.newest(sequence || NOBODY));
      if (newest === null || newest.outboxId <= (cursors.get(sequence) ?? 0)) continue;
      // A database that went back in time counts anew: then that id says nothing.
      const key = await keyOf(db, sequence, newest.outboxId);
      if (key !== null && deliveryId(key) === newest.id) cursors.set(sequence, newest.outboxId);
    }
    return cursors;
  }

  /** Without those that were told already from another row of the outbox. */
  #messages(events: readonly OutboxEvent[]): Message[] {
    return events.flatMap((event) => {
      const id = deliveryId(event.key);
      if ((this.#known.get(id) ?? event.id) !== event.id) return [];
      this.#known.set(id, event.id);
      const { text } = BODIES.cloudevents(event, id, new Map());
      return [{ account: event.account ?? NOBODY, type: event.type, id, outboxId: event.id, body: text }];
    });
  }

  #forget(): void {
    for (const id of this.#known.keys()) {
      if (this.#known.size <= KNOWN_MAX) return;
      this.#known.delete(id);
    }
  }
}

/** The same pages, each read while the one before it is worked on. */
async function* ahead<T>(pages: AsyncGenerator<T>): AsyncGenerator<T> {
  for (let next = pages.next(); ; ) {
    const page = await next;
    if (page.done) return;
    next = pages.next();
    next.catch(() => {});
    yield page.value;
  }
}
