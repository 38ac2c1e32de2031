/**
 * The outbox as an event stream: every committed change to every reader, resumable.
 *
 * ```
 *   connect ──► catching up ──► live ──► closed (reader gone, too slow, or we stop)
 *                 pages of the outbox     every new event, as soon as it is committed
 * ```
 *
 * Guarantees: the changes of an account come in the order of their commits; a reader that names the last id it has seen
 * gets everything after it, once, whatever happened in between, or one `reset` event that says: read the state again,
 * from here on. Also changes committed by another process reach the reader (within `POLL_MS`). At most `CLIENTS_MAX`
 * readers; one that leaves more than `BUFFER_BYTES_MAX` unread is cut off and may resume, and so may one that more than
 * `PENDING_MAX` changes overtake while it catches up.
 *
 * Frames: `change` (the event with its times) and `reset` (`{reason}`), whose id is where to go on (`eventId.ts`), and
 * frames without id, which are not part of the sequence: `hello`, `status` and `state`.
 */
import { Bell } from "../../runtime/bell.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import { visibleJson } from "../../runtime/safeText.ts";
import type { Committed } from "../../sync/engine.ts";
import type { Address, ChangeEvent } from "../../sync/rows.ts";
import {
  advance,
  backlog,
  type Cursors,
  changes,
  type Outbox,
  type OutboxEvent,
  sequenceOf,
  stepBack,
} from "../outbox.ts";
import { eventId, type Position } from "./eventId.ts";

export const CLIENTS_MAX = 32;
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;
const PENDING_MAX = 5_000;
/** A reader farther behind than this reads the state again: that is less than all the changes that led to it. */
const CATCH_UP_MAX = 20_000;
const POLL_MS = 1_000;
/** Ids remembered, to know which events come next without asking. */
const SEEN_MAX = 5_000;
/** An event this far from the last one of its sequence is not looked for among the ids in between. */
const NEAR_MAX = 1_000;
/** Commit times waiting for their event to come out of the outbox; beyond it the oldest go without. */
const TIMES_MAX = 20_000;

/** Where frames are written to: an HTTP response. */
export interface Sink {
  write(text: string): void;
  /** Bytes written but not yet taken. */
  buffered(): number;
  close(): void;
}

interface EventHubDeps {
  outbox: Outbox;
  clock: Clock;
  log: Log;
  /** Hears when an event of this process was published to at least one reader. */
  onPublished(event: ChangeEvent | OutboxEvent, times: CommitTimes, publishedAtMs: number): void;
  onDropped(): void;
}

interface CommitTimes {
  receivedAtMs: number;
  committedAtMs: number;
}

interface Entry {
  id: number;
  sequence: string;
  event: ChangeEvent | OutboxEvent;
  /** Null when another process committed it, and when it is old news. */
  times: CommitTimes | null;
}

interface Client {
  sink: Sink;
  /** The sequences it hears of; null: all. */
  sequences: readonly string[] | null;
  /** How far it was told. */
  cursors: Cursors;
  /** What comes while it catches up; null when it is live. */
  pending: Entry[] | null;
}

export class EventHub {
  readonly #deps: EventHubDeps;
  readonly #clients = new Set<Client>();
  readonly #abort = new AbortController();
  readonly #news = new Bell<string>();
  /** How far each sequence was published. */
  #cursors: Cursors = new Map();
  /** The sequence of each id of late. */
  readonly #seen = new Map<number, string>();
  readonly #times = new Map<number, CommitTimes>();
  #following: Promise<void> = Promise.resolve();
  #isLooking = false;

  constructor(deps: EventHubDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    this.#cursors = await this.#deps.outbox.heads();
    for (const [sequence, head] of this.#cursors) this.#note(head, sequence);
    this.#following = this.#follow();
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error("stopped"));
    for (const client of [...this.#clients]) this.#drop(client);
    await this.#following;
  }

  get size(): number {
    return this.#clients.size;
  }

  get full(): boolean {
    return this.#clients.size >= CLIENTS_MAX;
  }

  /** A commit of this process: its events are in the outbox now. They go on at once where they are known to be the next. */
  committed({ applied, receivedAtMs, committedAtMs }: Committed): void {
    const next: Entry[] = [];
    for (const event of applied.events) {
      if (event.id === null) continue;
      const [id, sequence] = [Number(event.id), sequenceOf(event.account)];
      const times = { receivedAtMs, committedAtMs };
      if (this.#isNext(id, sequence)) {
        next.push({ id, sequence, event, times });
        advance(this.#cursors, sequence, id);
      } else if (id > (this.#cursors.get(sequence) ?? 0)) {
        this.#times.set(id, times);
        this.#news.ring(sequence);
      } else void this.#lookBack();
      this.#note(id, sequence);
    }
    while (this.#times.size > TIMES_MAX) this.#times.delete(this.#times.keys().next().value!);
    this.#publish(next);
  }

  /**
   * Adds a reader of one account's changes, or of all. `since`: how far it has come; null: it has seen nothing and will
   * read the state itself. Returns the function that removes it.
   */
  connect(sink: Sink, account: Address | null, since: Position | null): () => void {
    const sequences = account === null ? null : [account, ""];
    const client: Client = { sink, sequences, cursors: this.#standing(sequences), pending: null };
    this.#clients.add(client);
    this.#write(client, frame("hello", { head: newest(this.#cursors), now_ms: this.#deps.clock.now() }));
    if (since === null) this.#reset(client, "first connection");
    else {
      client.pending = [];
      void this.#catchUp(client, since);
    }
    return () => this.#drop(client);
  }

  /** A frame outside the sequence, to all readers, or to those of one account. */
  broadcast(event: string, data: unknown, account: Address | null = null): void {
    if (this.#clients.size === 0) return;
    const text = frame(event, data);
    for (const client of [...this.#clients]) {
      if (account === null || client.sequences?.[0] === account) this.#write(client, text);
    }
  }

  /** Accounts that a reader has chosen. */
  watched(): Set<Address> {
    return new Set(
      [...this.#clients].flatMap(({ sequences }) => (sequences === null ? [] : [sequences[0]!])),
    );
  }

  /**
   * An event came with an id that its sequence has passed: it was read out of the outbox meanwhile, or the database went back in
   * time (a restored backup). Then every reader reads the state again, and goes on from the end of the outbox.
   */
  async #lookBack(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const { outbox } = this.#deps;
      if (await stepBack({ outbox, after: this.#cursors }, null)) this.#beginAnew();
    } catch (error) {
      this.#deps.log.debug("heads of the outbox not read", { error });
    } finally {
      this.#isLooking = false;
    }
  }

  #beginAnew(): void {
    this.#deps.log.warn("the outbox ends before what was published: readers begin anew");
    this.#seen.clear();
    this.#times.clear();
    for (const client of [...this.#clients])
      if (client.pending === null) this.#reset(client, "the database went back");
      else this.#drop(client);
  }

  /** Whether every id between the last event of the sequence and this one is known to belong to other sequences. */
  #isNext(id: number, sequence: string): boolean {
    const last = this.#cursors.get(sequence) ?? 0;
    if (id <= last || id - last > NEAR_MAX) return false;
    for (let between = last + 1; between < id; between++) {
      if ((this.#seen.get(between) ?? sequence) === sequence) return false;
    }
    return true;
  }

  #note(id: number, sequence: string): void {
    this.#seen.set(id, sequence);
    if (this.#seen.size > SEEN_MAX) this.#seen.delete(this.#seen.keys().next().value!);
  }

  async #follow(): Promise<void> {
    const { outbox, clock, log } = this.#deps;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        const following = { outbox, clock, signal, news: this.#news, pollMs: POLL_MS, after: this.#cursors };
        const onWentBack = () => this.#beginAnew();
        for await (const events of changes({ ...following, onWentBack })) this.#take(events);
      } catch (error) {
        if (!signal.aborted) log.debug("outbox not read, will try again", { error });
        await clock.sleep(POLL_MS, signal).catch(() => {});
      }
    }
  }

  #take(events: readonly OutboxEvent[]): void {
    const entries: Entry[] = [];
    for (const event of events) {
      const { id } = event;
      const sequence = sequenceOf(event.account);
      // Published meanwhile, out of the commit itself.
      if (id <= (this.#cursors.get(sequence) ?? 0)) continue;
      advance(this.#cursors, sequence, id);
      this.#note(id, sequence);
      entries.push({ id, sequence, event, times: this.#times.get(id) ?? null });
      this.#times.delete(id);
    }
    this.#publish(entries);
  }

  #publish(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const nowMs = this.#deps.clock.now();
    const bodies = new Map<Entry, string>();
    let live = 0;
    for (const client of [...this.#clients]) {
      if (client.pending === null) {
        live += 1;
        this.#tell(client, entries, nowMs, bodies);
      } else if (client.pending.push(...entries.filter((entry) => hears(client, entry))) > PENDING_MAX) {
        this.#deps.onDropped();
        this.#drop(client);
      }
    }
    if (live === 0) return;
    for (const { event, times } of entries) if (times) this.#deps.onPublished(event, times, nowMs);
  }

  #tell(client: Client, entries: readonly Entry[], nowMs: number, bodies = new Map<Entry, string>()): void {
    const head = newest(this.#cursors);
    let text = "";
    for (const entry of entries) {
      if (!hears(client, entry)) continue;
      advance(client.cursors, entry.sequence, entry.id);
      const body = bodies.get(entry) ?? changeFrame(entry, nowMs);
      bodies.set(entry, body);
      text += idLine(client, head) + body;
    }
    if (text !== "") this.#write(client, text);
  }

  async #catchUp(client: Client, since: Position): Promise<void> {
    const { outbox, log, clock } = this.#deps;
    try {
      const why = await this.#cannotResume(client, since);
      if (why !== null) this.#reset(client, why);
      else {
        for await (const events of backlog({ outbox, after: client.cursors, sequences: client.sequences })) {
          if (!this.#clients.has(client)) return;
          // Replayed changes are old news: they carry no times, so that no latency is measured on them.
          this.#tell(client, events.map(oldEntry), clock.now());
        }
      }
      // Nothing is awaited from here on, so no event can come in between.
      this.#tell(client, client.pending!, clock.now());
      client.pending = null;
    } catch (error) {
      if (!this.#abort.signal.aborted) log.debug("event stream not caught up", { error });
      this.#drop(client);
    }
  }

  /** Sets the reader's cursors to where it says it stands; answers why it cannot go on from there. */
  async #cannotResume(client: Client, since: Position): Promise<string | null> {
    const { outbox } = this.#deps;
    const [heads, oldest] = await Promise.all([outbox.heads(), outbox.oldest()]);
    const wanted = client.sequences ?? [...new Set([...heads.keys(), ...since.sequences.keys()])];
    client.cursors = new Map(
      wanted.map((sequence) => [sequence, since.sequences.get(sequence) ?? since.others]),
    );
    // Everything below the oldest is gone, and only that: what came after the reader's newest event is there.
    const isTooOld = since.newest < oldest - 1;
    const isElsewhere =
      since.newest > Math.max(oldest - 1, newest(heads)) ||
      [...since.sequences].some(
        ([sequence, cursor]) => cursor > Math.max(oldest - 1, heads.get(sequence) ?? 0),
      );
    if (isTooOld || isElsewhere) return "the id is not known any more";
    const behind = await outbox.countAfter(client.cursors, client.sequences, CATCH_UP_MAX + 1);
    return behind > CATCH_UP_MAX ? "too far behind" : null;
  }

  #standing(sequences: readonly string[] | null): Cursors {
    return sequences === null
      ? new Map(this.#cursors)
      : new Map(sequences.map((sequence) => [sequence, this.#cursors.get(sequence) ?? 0]));
  }

  #reset(client: Client, reason: string): void {
    client.cursors = this.#standing(client.sequences);
    this.#write(client, idLine(client, newest(this.#cursors)) + frame("reset", { reason }));
  }

  #write(client: Client, text: string): void {
    if (client.sink.buffered() > BUFFER_BYTES_MAX) {
      this.#deps.onDropped();
      this.#drop(client);
    } else client.sink.write(text);
  }

  #drop(client: Client): void {
    if (this.#clients.delete(client)) client.sink.close();
  }
}

const oldEntry = (event: OutboxEvent): Entry => ({
  id: event.id,
  sequence: sequenceOf(event.account),
  event,
  times: null,
});

/** The entry is for the client, and it was not told yet. */
const hears = ({ sequences, cursors }: Client, { id, sequence }: Entry): boolean =>
  (sequences === null || sequences.includes(sequence)) && id > (cursors.get(sequence) ?? 0);

const frame = (event: string, data: unknown): string => `event: ${event}\ndata: ${visibleJson(data)}\n\n`;

const newest = (cursors: Cursors): number => Math.max(0, ...cursors.values());

function idLine({ cursors }: Client, head: number): string {
  const id = eventId(head, cursors);
  return id === null ? "" : `id: ${id}\n`;
}

function changeFrame({ event, times }: Entry, publishedMs: number): string {
  const { key, type, account, timeMs, source, data } = event;
  return frame("change", {
    key,
    type,
    account,
    time_ms: timeMs,
    source,
    received_ms: times?.receivedAtMs ?? null,
    committed_ms: times?.committedAtMs ?? null,
    published_ms: publishedMs,
    data,
  });
}
