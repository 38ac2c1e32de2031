/**
 * The outbox as an event stream: every committed change to every reader, in commit order, resumable.
 *
 * ```
 *   connect ──► catching up ──► live ──► closed (reader gone, too slow, or we stop)
 *                 pages of the outbox     every new event, as soon as it is committed
 * ```
 *
 * Guarantees: a reader that names the last id it has seen gets everything after it, once, in order, whatever happened in
 * between, or one `reset` event that says: read the state again, from here on. Also changes committed by another process
 * reach the reader (within `POLL_MS`). At most `CLIENTS_MAX` readers; one that leaves more than `BUFFER_BYTES_MAX`
 * unread is cut off and may resume. Memory holds the newest `RECENT_MAX` events, whatever the readers do.
 * Assumes that ids are committed in their order: whoever puts events into the outbox holds its lock until the commit.
 *
 * Frames: `change` (id = outbox id; the event with its times), `reset` (id = where to go on; `{reason}`), and frames
 * without id, which are not part of the sequence: `hello`, `status` and `state`.
 */
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Committed } from "../../sync/engine.ts";
import type { Address, ChangeEvent } from "../../sync/events.ts";
import type { Reads } from "./reads.ts";

export const CLIENTS_MAX = 32;
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;
const RECENT_MAX = 5_000;
/** A reader farther behind than this reads the state again: that is less than all the changes that led to it. */
const CATCH_UP_MAX = 20_000;
const PAGE = 500;
const POLL_MS = 1_000;

/** Where frames are written to: an HTTP response. */
export interface Sink {
  write(text: string): void;
  /** Bytes written but not yet taken. */
  buffered(): number;
  close(): void;
}

export interface EventHubDeps {
  reads: Reads;
  clock: Clock;
  log: Log;
  /** Hears when an event of this process was published to at least one reader. */
  onPublished(event: ChangeEvent, times: CommitTimes, publishedAtMs: number): void;
  onDropped(): void;
}

export interface CommitTimes {
  receivedAtMs: number;
  committedAtMs: number;
}

interface Entry {
  id: number;
  event: ChangeEvent;
  /** Null when another process committed it. */
  times: CommitTimes | null;
}

interface Client {
  sink: Sink;
  /** The only account it hears of; null: all. */
  account: Address | null;
  /** Id of the last event that it has or that is not for it. */
  cursor: number;
  live: boolean;
}

/** Commit times waiting for their event to come out of the outbox; beyond it the oldest go without. */
const TIMES_MAX = 20_000;

export class EventHub {
  readonly #deps: EventHubDeps;
  readonly #clients = new Set<Client>();
  readonly #abort = new AbortController();
  /** A part of the outbox without holes: everything after `#from` up to `#head`. */
  #recent: Entry[] = [];
  #from = 0;
  #head = 0;
  #times = new Map<string, CommitTimes>();
  #advancing: Promise<void> | null = null;
  #again = false;
  #polling: Promise<void> = Promise.resolve();

  constructor(deps: EventHubDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const [row] = await this.#deps.reads.query<{ head: number }>(
      "select coalesce(max(id), 0)::bigint as head from hl_internal.outbox",
    );
    this.#head = row!.head;
    this.#from = this.#head;
    this.#polling = this.#poll();
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error("stopped"));
    for (const client of [...this.#clients]) this.#drop(client);
    await this.#polling;
    await this.#advancing;
  }

  get size(): number {
    return this.#clients.size;
  }

  get full(): boolean {
    return this.#clients.size >= CLIENTS_MAX;
  }

  /** A commit of this process: its events are in the outbox now. */
  committed({ applied, receivedAtMs, committedAtMs }: Committed): void {
    if (applied.events.length === 0) return;
    for (const { id } of applied.events) {
      if (Number(id) > this.#head) this.#times.set(id, { receivedAtMs, committedAtMs });
    }
    while (this.#times.size > TIMES_MAX) this.#times.delete(this.#times.keys().next().value!);
    this.#take(applied.events);
  }

  /**
   * Adds a reader of one account's changes, or of all. `lastId` is the last id it has seen; null: it has seen nothing
   * and will read the state itself. Returns the function that removes it.
   */
  connect(sink: Sink, account: Address | null, lastId: number | null): () => void {
    const client: Client = { sink, account, cursor: lastId ?? this.#head, live: lastId === null };
    this.#clients.add(client);
    this.#write(client, frame("hello", { head: this.#head, now_ms: this.#deps.clock.now() }));
    if (lastId === null) this.#write(client, resetFrame(this.#head, "first connection"));
    else void this.#catchUp(client);
    return () => this.#drop(client);
  }

  /** A frame outside the sequence, to all readers, or to those of one account. */
  broadcast(event: string, data: unknown, account: Address | null = null): void {
    if (this.#clients.size === 0) return;
    const text = frame(event, data);
    for (const client of [...this.#clients]) {
      if (account === null || client.account === account) this.#write(client, text);
    }
  }

  /** Accounts that a reader has chosen. */
  watched(): Set<Address> {
    return new Set([...this.#clients].flatMap(({ account }) => (account === null ? [] : [account])));
  }

  /** Events of a commit, when they are the ones that come next; else the outbox is asked. */
  #take(events: readonly ChangeEvent[]): void {
    const isNext = events.every((event, index) => Number(event.id) === this.#head + 1 + index);
    if (isNext && this.#advancing === null) this.#append(events);
    else void this.#advance();
  }

  /** Reads what the outbox has after the head. One reading at a time; asked for again meanwhile, it runs again. */
  #advance(): Promise<void> {
    this.#again = true;
    this.#advancing ??= this.#readOn().finally(() => {
      this.#advancing = null;
    });
    return this.#advancing;
  }

  async #readOn(): Promise<void> {
    const { signal } = this.#abort;
    try {
      while (this.#again && !signal.aborted) {
        this.#again = false;
        const events = await readOutbox(this.#deps.reads, this.#head, PAGE);
        this.#append(events);
        if (events.length === PAGE) this.#again = true;
      }
    } catch (error) {
      // The poll asks again.
      if (!signal.aborted) this.#deps.log.debug("outbox not read", { error });
    }
  }

  async #poll(): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      await clock.sleep(POLL_MS, signal).catch(() => {});
      if (!signal.aborted) await this.#advance();
    }
  }

  #append(events: readonly ChangeEvent[]): void {
    const entries: Entry[] = [];
    for (const event of events) {
      const id = Number(event.id);
      if (id <= this.#head) continue;
      this.#head = id;
      entries.push({ id, event, times: this.#times.get(event.id) ?? null });
      this.#times.delete(event.id);
    }
    if (entries.length === 0) return;
    this.#recent.push(...entries);
    const excess = this.#recent.length - RECENT_MAX;
    if (excess > 0) this.#from = this.#recent.splice(0, excess).at(-1)!.id;
    this.#publish(entries);
  }

  #publish(entries: readonly Entry[]): void {
    const live = [...this.#clients].filter((client) => client.live);
    if (live.length === 0) return;
    const nowMs = this.#deps.clock.now();
    const texts = new Map<Address | null, string>();
    for (const client of live) {
      const text = texts.get(client.account) ?? changeFrames(entries, client.account, nowMs);
      texts.set(client.account, text);
      client.cursor = this.#head;
      if (text !== "") this.#write(client, text);
    }
    for (const { event, times } of entries) if (times) this.#deps.onPublished(event, times, nowMs);
  }

  async #catchUp(client: Client): Promise<void> {
    try {
      await this.#advance();
      const oldest = await this.#oldest();
      const lost = client.cursor + 1 < oldest || client.cursor > this.#head;
      if (lost || this.#head - client.cursor > CATCH_UP_MAX) {
        client.cursor = this.#head;
        this.#write(client, resetFrame(this.#head, lost ? "the id is not known any more" : "too far behind"));
      }
      while (client.cursor < this.#from && this.#clients.has(client)) {
        const events = await readOutbox(this.#deps.reads, client.cursor, PAGE);
        if (events.length === 0) break;
        this.#replay(
          client,
          events.map((event) => ({ id: Number(event.id), event, times: null })),
        );
      }
      // From here to `live` nothing is awaited, so no event can come in between.
      this.#replay(
        client,
        this.#recent.filter(({ id }) => id > client.cursor),
      );
      client.cursor = Math.max(client.cursor, this.#head);
      client.live = true;
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#deps.log.debug("event stream not caught up", { error });
      this.#drop(client);
    }
  }

  #replay(client: Client, entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const nowMs = this.#deps.clock.now();
    // Replayed changes are old news: they carry no times, so that nobody measures how long they took.
    const old = entries.map((entry) => ({ ...entry, times: null }));
    this.#write(client, changeFrames(old, client.account, nowMs));
    client.cursor = entries.at(-1)!.id;
  }

  async #oldest(): Promise<number> {
    const [row] = await this.#deps.reads.query<{ oldest: number | null }>(
      "select min(id) as oldest from hl_internal.outbox",
    );
    return row?.oldest ?? 0;
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

const readOutbox = (reads: Reads, afterId: number, limit: number): Promise<ChangeEvent[]> =>
  reads.query<ChangeEvent & Record<string, unknown>>(
    `select id::text as id, event_key as key, type, account_address as account, time_ms as "timeMs", source, data
     from hl_internal.outbox where hl_internal.outbox.id > $1::bigint order by hl_internal.outbox.id limit $2`,
    [afterId, limit],
  );

const frame = (event: string, data: unknown, id?: number): string =>
  `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

const resetFrame = (head: number, reason: string): string => frame("reset", { reason }, head);

const changeFrames = (entries: readonly Entry[], account: Address | null, nowMs: number): string =>
  entries
    .filter(({ event }) => account === null || event.account === null || event.account === account)
    .map((entry) => changeFrame(entry, nowMs))
    .join("");

function changeFrame({ id, event, times }: Entry, publishedMs: number): string {
  const { key, type, account, timeMs, source, data } = event;
  const body = {
    key,
    type,
    account,
    time_ms: timeMs,
    source,
    received_ms: times?.receivedAtMs ?? null,
    committed_ms: times?.committedAtMs ?? null,
    published_ms: publishedMs,
    data,
  };
  return frame("change", body, id);
}
