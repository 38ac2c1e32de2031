/** The event stream: order, resumption, readers that are too old or too slow, a database that goes away. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CLIENTS_MAX, EventHub } from "../../../src/outputs/http/eventHub.ts";
import { eventId, readEventId } from "../../../src/outputs/http/eventId.ts";
import {
  type Cursors,
  type Outbox,
  type OutboxEvent,
  type Sequences,
  sequenceOf,
} from "../../../src/outputs/outbox.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import type { Committed } from "../../../src/sync/engine.ts";
import type { ChangeEvent } from "../../../src/sync/rows.ts";
import { HandClock } from "../connection/handClock.ts";

const ACCOUNT = `0x${"a".repeat(40)}`;
const OTHER = `0x${"b".repeat(40)}`;
const START_MS = 1_790_000_000_000;

/** An outbox in memory. Ids are taken when a commit begins, and seen when it ends. */
class Memory implements Outbox {
  events: ChangeEvent[] = [];
  accounts = [ACCOUNT, OTHER];
  #nextId = 1;
  isAway = false;
  questions = 0;

  /** Ids that a rolled back transaction took. */
  skip(count: number): void {
    this.#nextId += count;
  }

  add(count: number, account: string | null = ACCOUNT): ChangeEvent[] {
    return this.end(this.begin(count, account));
  }

  /** A commit that has its ids, and that nobody sees yet. */
  begin(count: number, account: string | null = ACCOUNT): ChangeEvent[] {
    return Array.from({ length: count }, (): ChangeEvent => {
      const id = this.#nextId++;
      return {
        id: String(id),
        key: `k${id}`,
        type: "fill.created",
        account,
        timeMs: START_MS + id,
        source: "stream",
        data: { n: id },
      };
    });
  }

  end(events: ChangeEvent[]): ChangeEvent[] {
    this.events.push(...events);
    this.events.sort((a, b) => Number(a.id) - Number(b.id));
    return events;
  }

  /** What there is of the sequence after an id. */
  after(sequence: string, cursor: number): OutboxEvent[] {
    return this.events
      .filter(({ account, id }) => sequenceOf(account) === sequence && Number(id) > cursor)
      .map((event) => ({ ...event, id: Number(event.id), committedAtMs: event.timeMs }));
  }

  #answer<T>(answer: T): Promise<T> {
    this.questions += 1;
    return this.isAway ? Promise.reject(new Error("away")) : Promise.resolve(answer);
  }

  #sequences(sequences: Sequences): string[] {
    return [...this.accounts, ""].filter((sequence) => sequences?.includes(sequence) ?? true);
  }

  heads(): Promise<Cursors> {
    return this.#answer(
      new Map(this.#sequences(null).map((sequence) => [sequence, this.after(sequence, 0).at(-1)?.id ?? 0])),
    );
  }

  read(after: Cursors, sequences: Sequences, perSequence: number): Promise<OutboxEvent[]> {
    const events = this.#sequences(sequences).flatMap((sequence) =>
      this.after(sequence, after.get(sequence) ?? 0).slice(0, perSequence),
    );
    return this.#answer(events.sort((a, b) => a.id - b.id));
  }

  countAfter(after: Cursors, sequences: Sequences, limit: number): Promise<number> {
    const all = this.#sequences(sequences).flatMap((sequence) =>
      this.after(sequence, after.get(sequence) ?? 0),
    );
    return this.#answer(Math.min(all.length, limit));
  }

  oldest(): Promise<number> {
    return this.#answer(Number(this.events[0]?.id ?? 0));
  }

  headsBefore(): Promise<Cursors> {
    throw new Error("not asked");
  }

  readLast(): Promise<OutboxEvent[]> {
    throw new Error("not asked");
  }
}

/** A reader that remembers what it was sent. */
class Reader {
  text = "";
  closed = false;
  unread = 0;
  write(frames: string): void {
    this.text += frames;
  }
  buffered(): number {
    return this.unread;
  }
  close(): void {
    this.closed = true;
  }
  frames(): { event: string; id: string | null; data: Record<string, unknown> }[] {
    return this.text
      .split("\n\n")
      .filter((frame) => frame !== "")
      .map((frame) => {
        const lines = new Map(frame.split("\n").map((line) => line.split(/: (.*)/s) as [string, string]));
        return {
          event: lines.get("event")!,
          id: lines.get("id") ?? null,
          data: JSON.parse(lines.get("data")!),
        };
      });
  }
  /** Outbox ids of the changes it heard of. */
  heard(): number[] {
    return this.frames().flatMap(({ event, data }) =>
      event === "change" ? [Number(String(data.key).slice(1))] : [],
    );
  }
  /** Where it may go on. */
  get lastId(): string {
    return this.frames().findLast(({ id }) => id !== null)!.id!;
  }
}

/** The id of a reader of ACCOUNT that has heard of everything up to an id. */
const upTo = (id: number) => readEventId(`${id}~${ACCOUNT.slice(2)}.${id}~-.0`)!;

const committed = (events: ChangeEvent[]): Committed => ({
  applied: { events, written: {}, known: {} },
  sources: {},
  receivedAtMs: 1_790_000_000_000,
  committedAtMs: 1_790_000_000_002,
});

const settled = () => new Promise((resolve) => setImmediate(resolve));

async function withHub(
  run: (
    hub: EventHub,
    outbox: Memory,
    clock: HandClock,
    seen: { published: number; dropped: number },
  ) => Promise<void>,
  before = 0,
): Promise<void> {
  const outbox = new Memory();
  outbox.add(before);
  const clock = new HandClock();
  const seen = { published: 0, dropped: 0 };
  const hub = new EventHub({
    outbox,
    clock,
    log: silentLog,
    onPublished: () => {
      seen.published += 1;
    },
    onDropped: () => {
      seen.dropped += 1;
    },
  });
  await hub.start();
  try {
    await run(hub, outbox, clock, seen);
  } finally {
    await hub.stop();
  }
}

describe("a reader of the event stream", () => {
  it("that comes new is told where it stands, then hears of every commit with its times", () =>
    withHub(async (hub, outbox, _clock, seen) => {
      const reader = new Reader();
      hub.connect(reader, ACCOUNT, null);
      const [hello, reset] = reader.frames();
      assert.deepEqual([hello!.event, hello!.id, reset!.event], ["hello", null, "reset"]);
      assert.deepEqual(readEventId(reset!.id!), {
        newest: 3,
        sequences: new Map([
          [ACCOUNT, 3],
          ["", 0],
        ]),
        others: 0,
      });
      hub.committed(committed(outbox.add(2)));
      const change = reader.frames().at(-1)!;
      assert.deepEqual(reader.heard(), [4, 5]);
      assert.deepEqual(
        [change.data.type, change.data.committed_ms, change.data.data],
        ["fill.created", 1_790_000_000_002, { n: 5 }],
      );
      assert.equal(seen.published, 2);
    }, 3));

  it("hears of its own account and of what belongs to none", () =>
    withHub(async (hub, outbox) => {
      const reader = new Reader();
      const all = new Reader();
      hub.connect(reader, ACCOUNT, null);
      hub.connect(all, null, null);
      const events = [...outbox.add(1, OTHER), ...outbox.add(1), ...outbox.add(1, null)];
      hub.committed(committed(events));
      assert.deepEqual(reader.heard(), [2, 3]);
      assert.deepEqual(all.heard(), [1, 2, 3]);
    }));

  it("that comes back gets all it missed, once, in order, and then goes on live", () =>
    withHub(async (hub, outbox) => {
      const reader = new Reader();
      hub.committed(committed(outbox.add(1_500)));
      hub.connect(reader, ACCOUNT, upTo(7));
      hub.committed(committed(outbox.add(10)));
      while (reader.heard().length < 1_503) await settled();
      hub.committed(committed(outbox.add(1)));
      assert.deepEqual(
        reader.heard(),
        Array.from({ length: 1_504 }, (_, index) => index + 8),
      );
      assert.equal(reader.frames().filter(({ event }) => event === "reset").length, 0);
    }));

  it("whose id is not known any more, or comes from another database, is told to read the state", () =>
    withHub(async (hub, outbox) => {
      outbox.events.splice(0, 50);
      for (const since of [upTo(10), upTo(5_000), readEventId("10")!, readEventId("5000")!]) {
        const reader = new Reader();
        hub.connect(reader, ACCOUNT, since);
        while (!reader.text.includes("reset")) await settled();
        assert.deepEqual([reader.lastId, reader.heard()], [`100~${ACCOUNT.slice(2)}.100~-.0`, []]);
      }
      const atTheEdge = new Reader();
      hub.connect(atTheEdge, ACCOUNT, upTo(50));
      while (atTheEdge.heard().length < 50) await settled();
      assert.equal(atTheEdge.heard()[0], 51);
    }, 100));

  it("hears of what another process committed, and of commits whose answer was lost", () =>
    withHub(async (hub, outbox, clock) => {
      const reader = new Reader();
      hub.connect(reader, ACCOUNT, null);
      outbox.add(3);
      await clock.advance(1_000);
      while (reader.heard().length < 3) await settled();
      assert.equal(reader.frames().at(-1)!.data.committed_ms, null);
      outbox.skip(2);
      const lost = outbox.add(1);
      const own = outbox.add(1);
      hub.committed(committed(own));
      while (reader.heard().length < 5) await settled();
      assert.deepEqual(reader.heard(), [1, 2, 3, Number(lost[0]!.id), Number(own[0]!.id)]);
    }));

  it("misses nothing while the database is away", () =>
    withHub(async (hub, outbox, clock) => {
      const reader = new Reader();
      hub.connect(reader, ACCOUNT, null);
      outbox.isAway = true;
      outbox.add(2);
      await clock.advance(1_000);
      await settled();
      assert.deepEqual(reader.heard(), []);
      outbox.isAway = false;
      await clock.advance(1_000);
      while (reader.heard().length < 2) await settled();
      assert.deepEqual(reader.heard(), [1, 2]);
    }));

  it("that does not read is cut off, counted, and the others go on", () =>
    withHub(async (hub, outbox, _clock, seen) => {
      const slow = new Reader();
      const quick = new Reader();
      hub.connect(slow, ACCOUNT, null);
      hub.connect(quick, ACCOUNT, null);
      slow.unread = 5 * 1024 * 1024;
      hub.committed(committed(outbox.add(1)));
      assert.deepEqual([slow.closed, quick.closed, seen.dropped, hub.size], [true, false, 1, 1]);
      hub.committed(committed(outbox.add(1)));
      assert.deepEqual(quick.heard(), [1, 2]);
    }));

  it("that leaves is forgotten; more than the limit are known to be too many", () =>
    withHub(async (hub) => {
      const leave = Array.from({ length: CLIENTS_MAX }, () => hub.connect(new Reader(), ACCOUNT, null));
      assert.equal(hub.full, true);
      leave[0]!();
      assert.deepEqual([hub.full, hub.size], [false, CLIENTS_MAX - 1]);
    }));

  it("of all accounts goes on in each of them, whatever was committed out of the order of the ids", () =>
    withHub(async (hub, outbox) => {
      const reader = new Reader();
      const leave = hub.connect(reader, null, null);
      const early = outbox.begin(2, OTHER);
      hub.committed(committed(outbox.add(3)));
      while (reader.heard().length < 3) await settled();
      assert.deepEqual(reader.heard(), [3, 4, 5]);
      leave();
      outbox.end(early);
      hub.committed(committed(outbox.add(1)));
      const again = new Reader();
      hub.connect(again, null, readEventId(reader.lastId));
      while (again.heard().length < 3) await settled();
      assert.deepEqual(again.heard(), [1, 2, 6]);
      assert.equal(again.lastId, `6~${ACCOUNT.slice(2)}.6~${OTHER.slice(2)}.2~-.0`);
    }));

  it("may come with the number of an event, as ids were once", () =>
    withHub(async (hub, outbox) => {
      outbox.add(5, OTHER);
      const reader = new Reader();
      hub.connect(reader, null, readEventId("8"));
      while (reader.heard().length < 7) await settled();
      assert.deepEqual(reader.heard(), [9, 10, 11, 12, 13, 14, 15]);
    }, 10));

  it("of an account in which nothing happens goes on too, when what was before is gone", () =>
    withHub(async (hub, outbox) => {
      hub.committed(committed(outbox.add(30, OTHER)));
      const idle = new Reader();
      const leave = hub.connect(idle, ACCOUNT, null);
      leave();
      outbox.events.splice(0, 20);
      const again = new Reader();
      hub.connect(again, ACCOUNT, readEventId(idle.lastId));
      hub.committed(committed(outbox.add(1)));
      while (again.heard().length < 1) await settled();
      assert.deepEqual(
        again.frames().map(({ event }) => event),
        ["hello", "change"],
      );
    }));

  it("asks the outbox for nothing that comes out of commits of this process one after the other", () =>
    withHub(async (hub, outbox) => {
      const reader = new Reader();
      hub.connect(reader, null, null);
      const before = outbox.questions;
      for (let n = 0; n < 50; n++) hub.committed(committed(outbox.add(3, n % 2 ? OTHER : ACCOUNT)));
      await settled();
      assert.equal(reader.heard().length, 150);
      assert.equal(outbox.questions, before);
    }));

  it("gets the events of each account once and in order, however commits, leaving and coming back are mixed", () =>
    fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(
          fc.record({
            do: fc.constantFrom(
              "commit",
              "begin",
              "end",
              "elsewhere",
              "rollback",
              "reconnect",
              "turn",
              "away",
            ),
            count: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 900 })),
            sequence: fc.constantFrom(ACCOUNT, OTHER, null),
          }),
          { maxLength: 40 },
        ),
        (isOfAll, steps) =>
          withHub(async (hub, outbox, clock) => {
            const account = isOfAll ? null : ACCOUNT;
            let reader = new Reader();
            let leave = hub.connect(reader, account, null);
            const got = new Map<string, number[]>();
            // A reset says that the state was read: all that was committed up to its id is known then.
            const collect = () => {
              for (const { event, id, data } of reader.frames()) {
                if (event === "change") {
                  const sequence = sequenceOf(data.account as string | null);
                  got.set(sequence, [...(got.get(sequence) ?? []), Number(String(data.key).slice(1))]);
                } else if (event === "reset") {
                  for (const [sequence, cursor] of readEventId(id!)!.sequences) {
                    const ids = outbox.after(sequence, 0).map((one) => one.id);
                    got.set(
                      sequence,
                      ids.filter((known) => known <= cursor),
                    );
                  }
                }
              }
            };
            // Writers of one account take turns.
            const open = new Map<string | null, ChangeEvent[]>();
            const close = (sequence: string | null) =>
              outbox.end(open.get(sequence) ?? []) && open.delete(sequence);
            const act = async ({ do: action, count, sequence }: (typeof steps)[number]) => {
              if (action === "rollback") return outbox.skip(count);
              if (action === "turn" || action === "away") {
                outbox.isAway = action === "away";
                await clock.advance(1_000);
                return settled();
              }
              if (action === "reconnect") {
                const { lastId } = reader;
                leave();
                collect();
                reader = new Reader();
                // Nothing was heard on this connection: it began from the same id.
                leave = hub.connect(reader, account, readEventId(lastId));
                reader.text = `id: ${lastId}\nevent: mark\ndata: {}\n\n${reader.text}`;
                return;
              }
              if (action === "end" || open.has(sequence)) close(sequence);
              if (action === "begin") open.set(sequence, outbox.begin(count, sequence));
              else if (action === "elsewhere") outbox.add(count, sequence);
              else if (action === "commit") hub.committed(committed(outbox.add(count, sequence)));
            };
            for (const step of steps) {
              await act(step);
              // A reader that was dropped, as while the database is away, comes again.
              if (reader.closed) await act({ ...step, do: "reconnect" });
            }
            for (const sequence of [...open.keys()]) close(sequence);
            outbox.isAway = false;
            for (let round = 0; round < 3; round++) {
              if (reader.closed) await act({ do: "reconnect", count: 0, sequence: null });
              await clock.advance(1_000);
              for (let turn = 0; turn < 50; turn++) await settled();
            }
            collect();
            for (const sequence of isOfAll ? [ACCOUNT, OTHER, ""] : [ACCOUNT, ""]) {
              assert.deepEqual(
                got.get(sequence) ?? [],
                outbox.after(sequence, 0).map(({ id }) => id),
              );
            }
          }),
      ),
      { numRuns: 100 },
    ));
});

describe("the id of an event", () => {
  it("is read as it was written", () => {
    const sequences = new Map([
      [ACCOUNT, 3],
      ["", 2 ** 53 - 1],
      [OTHER, 0],
    ]);
    assert.deepEqual(readEventId(eventId(7, sequences)!), { newest: 7, sequences, others: 0 });
    assert.match(eventId(7, sequences)!, /^[0-9a-f.~-]+$/, "fits into a URL as it is");
  });

  it("is none when it is anything else", () => {
    for (const text of [
      "",
      "now",
      "-1",
      "1.5",
      "7~",
      "7~-",
      "7~-.",
      "~-.1",
      "7~0xaa.1",
      `7~${"a".repeat(39)}.1`,
    ])
      assert.equal(readEventId(text), null, text);
  });

  it("is not made for more sequences than fit into the headers of a request", () => {
    const sequences = (count: number) =>
      new Map(Array.from({ length: count }, (_, n) => [`0x${String(n).padStart(40, "0")}`, 10 ** 9 + n]));
    assert.ok(eventId(1, sequences(100))!.length < 8_000);
    assert.equal(eventId(1, sequences(101)), null);
  });
});
