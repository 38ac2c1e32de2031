import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { finishedInTime, Lifecycle } from "../../../src/runtime/lifecycle.ts";
import { createLog } from "../../../src/runtime/log.ts";
import { HandClock, settle } from "../connection/handClock.ts";

function setUp() {
  const clock = new HandClock();
  const lines: string[] = [];
  const log = createLog({ level: "debug", json: false, clock, sink: (line) => lines.push(line.slice(13)) });
  const lifecycle = new Lifecycle(clock, log);
  const stopped: string[] = [];
  const startMs = clock.now();
  /** A part that takes so long to stop; null: for ever. */
  const add = (name: string, takesMs: number | null, needsMs?: number) =>
    lifecycle.add({
      name,
      ...(needsMs === undefined ? {} : { needsMs }),
      async stop() {
        if (takesMs === null) await new Promise(() => {});
        else if (takesMs > 0) await clock.sleep(takesMs);
        stopped.push(`${name} ${clock.now() - startMs}`);
      },
    });
  return { clock, lines, lifecycle, stopped, add };
}

describe("stopping", () => {
  it("goes through the parts in the reverse order of their start, one after the other", async () => {
    const { clock, lifecycle, stopped, add } = setUp();
    add("database", 10);
    add("engine", 20);
    add("http", 0);
    const done = lifecycle.stopAll(1_000);
    await clock.advance(30);
    await done;
    assert.deepEqual(stopped, ["http 0", "engine 20", "database 30"]);
    assert.equal(clock.timers, 0);
  });

  it("gives a part all the time that those after it do not need", async () => {
    const { clock, lines, lifecycle, stopped, add } = setUp();
    add("server", 50, 400);
    add("engine", null, 100);
    add("http", 20, 50);
    const done = lifecycle.stopAll(1_000);
    await clock.advance(599);
    assert.deepEqual(lines, []);
    await clock.advance(51);
    await done;
    assert.deepEqual(stopped, ["http 20", "server 650"]);
    assert.deepEqual(lines, ["warn  part did not stop in time part=engine withinMs=580"]);
  });

  it("ends in time when every part hangs, and names each", async () => {
    const { clock, lines, lifecycle, add } = setUp();
    for (const name of ["a", "b", "c"]) add(name, null, 100);
    let ended = false;
    void lifecycle.stopAll(500).then(() => {
      ended = true;
    });
    await clock.advance(500);
    assert.ok(ended);
    assert.deepEqual(
      lines.map((line) => /part=(\w)/.exec(line)?.[1]),
      ["c", "b", "a"],
    );
  });

  it("goes on after a part that fails to stop, and stops nothing twice", async () => {
    const { clock, lines, lifecycle, stopped, add } = setUp();
    add("database", 0);
    lifecycle.add({ name: "broken", stop: () => Promise.reject(new Error("no")) });
    await Promise.all([lifecycle.stopAll(100), clock.advance(0)]);
    await lifecycle.stopAll(100);
    assert.deepEqual(stopped, ["database 0"]);
    assert.match(lines.join(), /part failed to stop part=broken error="no"/);
  });
});

describe("what is opened too late", () => {
  it("is stopped by itself", async () => {
    const { lifecycle, stopped, add } = setUp();
    add("early", 0);
    await lifecycle.stopAll(9_000);
    add("late", 0);
    await settle();
    assert.deepEqual(stopped, ["early 0", "late 0"]);
  });
});

describe("a command that is told to stop", () => {
  it("has its outcome when it ends by itself soon enough", async () => {
    const clock = new HandClock();
    const abort = new AbortController();
    const outcome = finishedInTime(
      clock.sleep(1_000).then(() => 7),
      abort.signal,
      clock,
    );
    abort.abort(new Error("SIGTERM"));
    await clock.advance(1_000);
    assert.equal(await outcome, 7);
    await settle();
    assert.equal(clock.timers, 0);
  });

  it("is left behind with the signal's reason when it goes on", async () => {
    const clock = new HandClock();
    const abort = new AbortController();
    const outcome = finishedInTime(new Promise(() => {}), abort.signal, clock);
    outcome.catch(() => {});
    await clock.advance(60_000);
    abort.abort(new Error("SIGTERM"));
    await clock.advance(2_000);
    await assert.rejects(outcome, /SIGTERM/);
  });
});
