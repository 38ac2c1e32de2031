/** The event stream: order, resumption, readers that are too old or too slow, a database that goes away. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CLIENTS_MAX, EventHub } from "../../../src/outputs/http/eventHub.ts";
import type { Reads } from "../../../src/outputs/http/reads.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import type { Committed } from "../../../src/sync/engine.ts";
import type { ChangeEvent } from "../../../src/sync/events.ts";
import { HandClock } from "../connection/handClock.ts";

const ACCOUNT = `0x${"a".repeat(40)}`;

/** An outbox in memory, that answers the hub's questions as the database does. */
class Outbox implements Reads {
  events: ChangeEvent[] = [];
  #nextId = 1;
  isAway = false;
  questions = 0;

  /** Ids that a rolled back transaction took. */
  skip(count: number): void {
    this.#nextId += count;
  }

  add(count: number, account = ACCOUNT): ChangeEvent[] {
    const added = Array.from({ length: count }, (): ChangeEvent => {
      const id = this.#nextId++;
      const timeMs = 1_790_000_000_000 + id;
      return {
        id: String(id),
        key: `k${id}`,
        type: "fill.created",
        account,
        timeMs,
        source: "stream",
        data: { n: id },
      };
    });
    this.events.push(...added);
    return added;
  }

  async query<R>(sql: string, params: readonly unknown[] = []): Promise<R[]> {
    this.questions += 1;
    if (this.isAway) throw new Error("away");
    const last = Number(this.events.at(-1)?.id ?? 0);
    if (sql.includes("max(id)")) return [{ head: last }] as R[];
    if (sql.includes("min(id)"))
      return [{ oldest: this.events.length === 0 ? null : Number(this.events[0]!.id) }] as R[];
    const [after, limit] = params as [number, number];
    return this.events.filter(({ id }) => Number(id) > after).slice(0, limit) as R[];
  }

  describe(): string {
    return "memory";
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
  frames(): { event: string; id: number | null; data: Record<string, unknown> }[] {
    return this.text
      .split("\n\n")
      .filter((frame) => frame !== "")
      .map((frame) => {
        const lines = new Map(frame.split("\n").map((line) => line.split(/: (.*)/s) as [string, string]));
        return {
          event: lines.get("event")!,
          id: lines.has("id") ? Number(lines.get("id")) : null,
          data: JSON.parse(lines.get("data")!),
        };
      });
  }
  ids(): number[] {
    return this.frames().flatMap(({ event, id }) => (event === "change" ? [id!] : []));
  }
}

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
    outbox: Outbox,
    clock: HandClock,
    seen: { published: number; dropped: number },
  ) => Promise<void>,
  before = 0,
): Promise<void> {
  const outbox = new Outbox();
  outbox.add(before);
  const clock = new HandClock();
  const seen = { published: 0, dropped: 0 };
  const hub = new EventHub({
    ...{ reads: outbox, clock, log: silentLog },
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
      assert.deepEqual([hello!.event, hello!.id, reset!.event, reset!.id], ["hello", null, "reset", 3]);
      hub.committed(committed(outbox.add(2)));
      const change = reader.frames().at(-1)!;
      assert.deepEqual(reader.ids(), [4, 5]);
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
      const events = [
        ...outbox.add(1, `0x${"b".repeat(40)}`),
        ...outbox.add(1),
        ...outbox.add(1, null as never),
      ];
      hub.committed(committed(events));
      assert.deepEqual(reader.ids(), [2, 3]);
      assert.deepEqual(all.ids(), [1, 2, 3]);
    }));

  it("that comes back gets all it missed, once, in order, and then goes on live", () =>
    withHub(async (hub, outbox) => {
      const reader = new Reader();
      hub.committed(committed(outbox.add(1_500)));
      hub.connect(reader, ACCOUNT, 7);
      hub.committed(committed(outbox.add(10)));
      while (reader.ids().length < 1_503) await settled();
      hub.committed(committed(outbox.add(1)));
      assert.deepEqual(
        reader.ids(),
        Array.from({ length: 1_504 }, (_, index) => index + 8),
      );
      assert.equal(reader.frames().filter(({ event }) => event === "reset").length, 0);
    }));

  it("whose id is not known any more, or comes from another database, is told to read the state", () =>
    withHub(async (hub, outbox) => {
      outbox.events.splice(0, 50);
      for (const lastId of [10, 5_000]) {
        const reader = new Reader();
        hub.connect(reader, ACCOUNT, lastId);
        while (!reader.text.includes("reset")) await settled();
        assert.deepEqual([reader.frames().at(-1)!.id, reader.ids()], [100, []]);
      }
      const atTheEdge = new Reader();
      hub.connect(atTheEdge, ACCOUNT, 50);
      while (atTheEdge.ids().length < 50) await settled();
      assert.equal(atTheEdge.ids()[0], 51);
    }, 100));

  it("hears of what another process committed, and of commits whose answer was lost", () =>
    withHub(async (hub, outbox, clock) => {
      const reader = new Reader();
      hub.connect(reader, ACCOUNT, null);
      outbox.add(3);
      clock.advance(1_000);
      while (reader.ids().length < 3) await settled();
      assert.equal(reader.frames().at(-1)!.data.committed_ms, null);
      outbox.skip(2);
      const lost = outbox.add(1);
      const own = outbox.add(1);
      hub.committed(committed(own));
      while (reader.ids().length < 5) await settled();
      assert.deepEqual(reader.ids(), [1, 2, 3, Number(lost[0]!.id), Number(own[0]!.id)]);
    }));

  it("misses nothing while the database is away", () =>
    withHub(async (hub, outbox, clock) => {
      const reader = new Reader();
      hub.connect(reader, ACCOUNT, null);
      outbox.isAway = true;
      outbox.add(2);
      clock.advance(1_000);
      await settled();
      assert.deepEqual(reader.ids(), []);
      outbox.isAway = false;
      clock.advance(1_000);
      while (reader.ids().length < 2) await settled();
      assert.deepEqual(reader.ids(), [1, 2]);
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
      assert.deepEqual(quick.ids(), [1, 2]);
    }));

  it("that leaves is forgotten; more than the limit are known to be too many", () =>
    withHub(async (hub) => {
      const leave = Array.from({ length: CLIENTS_MAX }, () => hub.connect(new Reader(), ACCOUNT, null));
      assert.equal(hub.full, true);
      leave[0]!();
      assert.deepEqual([hub.full, hub.size], [false, CLIENTS_MAX - 1]);
    }));

  it("gets every event once and in order, however commits, leaving and coming back are mixed", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.record({ do: fc.constant("commit" as const), count: fc.integer({ min: 1, max: 40 }) }),
            fc.record({ do: fc.constant("elsewhere" as const), count: fc.integer({ min: 1, max: 900 }) }),
            fc.record({ do: fc.constant("rollback" as const), count: fc.integer({ min: 1, max: 3 }) }),
            fc.record({ do: fc.constant("reconnect" as const), count: fc.constant(0) }),
            fc.record({ do: fc.constant("turn" as const), count: fc.constant(0) }),
          ),
          { maxLength: 30 },
        ),
        (steps) =>
          withHub(async (hub, outbox, clock) => {
            let reader = new Reader();
            let leave = hub.connect(reader, ACCOUNT, null);
            let got: number[] = [];
            // A reset says that the state was read: all that was committed up to its id is known then.
            const collect = () => {
              for (const { event, id } of reader.frames()) {
                if (event === "change") got.push(id!);
                if (event === "reset")
                  got = outbox.events.map((one) => Number(one.id)).filter((known) => known <= id!);
              }
            };
            for (const { do: action, count } of steps) {
              if (action === "commit") hub.committed(committed(outbox.add(count)));
              else if (action === "elsewhere") outbox.add(count);
              else if (action === "rollback") outbox.skip(count);
              else if (action === "turn") {
                clock.advance(1_000);
                await settled();
              } else {
                leave();
                collect();
                reader = new Reader();
                leave = hub.connect(reader, ACCOUNT, got.at(-1) ?? 0);
              }
            }
            clock.advance(1_000);
            for (let round = 0; round < 50; round++) await settled();
            collect();
            assert.deepEqual(
              got,
              outbox.events.map(({ id }) => Number(id)),
            );
          }),
      ),
      { numRuns: 60 },
    ));
});
