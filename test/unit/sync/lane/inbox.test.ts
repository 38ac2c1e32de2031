import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Frame, Inbox, type Input } from "../../../../src/sync/lane/inbox.ts";

const frame = (subject: string): Frame => ({
  type: "quarantine",
  subject,
  reason: "",
  raw: "",
  receivedAtMs: 1,
});
const words = (inputs: Input[]): string[] =>
  inputs.flatMap((input) =>
    input.type === "marks"
      ? input.marks.map(({ type }) => type)
      : input.type === "quarantine"
        ? input.subject
        : [],
  );
const connected = { type: "connected", connection: { isOver: false, refused: new Set<string>() } } as const;
const disconnected = { type: "disconnected", why: "cut" } as const;

describe("the inbox of a lane", () => {
  it("marks where frames are missing, between those before and those after", () => {
    const inbox = new Inbox({ items: 2, weight: 100 });
    for (const subject of ["1", "2", "lost", "lost"]) inbox.push(frame(subject), 1);
    assert.deepEqual(words(inbox.take(1)), ["1"]);
    // Full still: the mark is no frame, but it takes its place.
    inbox.push(frame("lost"), 1);
    assert.deepEqual(words(inbox.take(1)), ["2"]);
    inbox.push(frame("3"), 1);
    assert.deepEqual(words(inbox.take(9)), ["dropped", "3"]);
    assert.equal(inbox.dropped, 3);
  });

  it("is bounded by the length of what waits, not by frames alone", () => {
    const weight = 32 * 1024 * 1024;
    const kept = (length: number) => {
      const inbox = new Inbox({ items: 20_000, weight });
      let frames = 0;
      while (inbox.push(frame(`${frames}`), length)) frames += 1;
      assert.equal(words(inbox.take(frames + 9)).at(-1), "dropped");
      return frames;
    };
    assert.equal(kept(64 * 1024), 512);
    // What was read of a long frame takes more than its text.
    assert.equal(kept(1024 * 1024), 4);
    assert.equal(kept(15_000_000), 1);
  });

  it("never drops a mark, and keeps no more than one of a type between two frames", () => {
    const inbox = new Inbox({ items: 1, weight: 100 });
    inbox.push(frame("1"), 1);
    for (let sockets = 0; sockets < 1_000; sockets++)
      for (const mark of [disconnected, connected]) inbox.mark(mark);
    inbox.push(frame("lost"), 1);
    assert.equal(inbox.length, 2);
    assert.deepEqual(words(inbox.take(9)), ["1", "disconnected", "connected", "dropped"]);
  });

  it("never adds to marks that were taken", () => {
    const inbox = new Inbox({ items: 9, weight: 100 });
    inbox.mark(connected);
    const taken = inbox.take(9);
    inbox.mark(disconnected);
    assert.deepEqual(words(taken), ["connected"]);
    assert.deepEqual(words(inbox.take(9)), ["disconnected"]);
  });

  it("takes nothing in once it is closed, and counts that as no loss", () => {
    const inbox = new Inbox({ items: 9, weight: 100 });
    inbox.push(frame("1"), 1);
    inbox.close();
    inbox.push(frame("2"), 1);
    inbox.mark(disconnected);
    assert.deepEqual(words(inbox.take(9)), ["1"]);
    assert.equal(inbox.dropped, 0);
  });
});
