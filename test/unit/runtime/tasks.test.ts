import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLog } from "../../../src/runtime/log.ts";
import { Tasks } from "../../../src/runtime/tasks.ts";
import { HandClock, settle } from "../connection/handClock.ts";

function rig(draw = 0.5) {
  const clock = new HandClock();
  const warnings: unknown[] = [];
  const counts = { ended: 0 };
  const tasks = new Tasks({
    clock,
    random: { next: () => draw },
    log: { ...silentLog, warn: (text, fields) => void warnings.push([text, fields?.inMs]) },
    backoff: { baseMs: 1_000, capMs: 4_000 },
    onEnd: () => void counts.ended++,
  });
  return { clock, tasks, warnings, counts };
}

/** Work that ends when it is let, or when it is aborted. */
function held() {
  const signals: AbortSignal[] = [];
  const ends: (() => void)[] = [];
  const work = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      signals.push(signal);
      ends.push(resolve);
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  return { work, signals, ends };
}

const fail = () => Promise.reject(new Error("no"));

describe("named tasks", () => {
  it("run one at a time per name, and names do not wait for each other", async () => {
    const { tasks, counts } = rig();
    const { work, ends } = held();
    const first = tasks.run("a", work);
    assert.equal(tasks.run("a", work), first, "the second asks for the end of the first");
    void tasks.run("b", work);
    assert.equal(ends.length, 2);
    assert.deepEqual([tasks.isRunning("a"), tasks.isRunning("c")], [true, false]);
    ends[0]!();
    await first;
    assert.deepEqual([tasks.isRunning("a"), tasks.isRunning("b"), counts.ended], [false, true, 1]);
    void tasks.run("a", work);
    assert.equal(ends.length, 3);
    await tasks.stop();
  });

  it("back off after each failure, twice as long up to the cap, and start afresh after a success", async () => {
    const { clock, tasks, warnings } = rig();
    let calls = 0;
    const failing = async () => {
      calls += 1;
      await fail();
    };
    for (const inMs of [500, 1_000, 2_000, 2_000]) {
      await tasks.run("a", failing);
      assert.deepEqual(warnings.pop(), ["a failed, will try again", inMs]);
      const before = calls;
      await clock.advance(inMs - 1);
      await tasks.run("a", failing);
      assert.equal(calls, before, "still backing off");
      await tasks.run("other", async () => {});
      await clock.advance(1);
    }
    await tasks.run("a", async () => {});
    await tasks.run("a", failing);
    assert.deepEqual(warnings.pop(), ["a failed, will try again", 500]);
  });

  it("do not wait for a clock that was stepped back", async () => {
    const { clock, tasks } = rig();
    await tasks.run("a", fail);
    clock.step(-3_600_000);
    const started: string[] = [];
    await tasks.run("a", async () => void started.push("a"));
    assert.deepEqual(started, ["a"]);
  });

  it("fail alike when they throw before they return a promise", async () => {
    const { tasks, warnings } = rig();
    await tasks.run("a", () => {
      throw new Error("at once");
    });
    assert.equal(warnings.length, 1);
    assert.equal(tasks.isRunning("a"), false);
  });

  it("begin anew at once when given up, though the one before has not ended or had failed", async () => {
    const { tasks, warnings } = rig();
    const { work, signals } = held();
    void tasks.run("a", work);
    tasks.giveUp("a");
    assert.ok(signals[0]!.aborted);
    void tasks.run("a", work);
    await settle();
    assert.equal(signals.length, 2);
    assert.ok(tasks.isRunning("a"), "the end of the first is not taken for that of the second");
    assert.equal(signals[1]!.aborted, false);
    await tasks.run("b", fail);
    tasks.giveUp("b");
    void tasks.run("b", work);
    assert.equal(signals.length, 3);
    assert.equal(warnings.length, 1, "what is given up reports nothing");
    tasks.giveUp("unknown");
    await tasks.stop();
  });

  it("are all ended by stop, also those given up, and none starts after it", async () => {
    const { tasks, counts } = rig();
    const slow: (() => void)[] = [];
    const ends = () => new Promise<void>((resolve) => slow.push(resolve));
    void tasks.run("a", ends);
    tasks.giveUp("a");
    void tasks.run("b", ends);
    let isStopped = false;
    const stopped = tasks.stop().then(() => {
      isStopped = true;
    });
    await settle();
    assert.equal(isStopped, false);
    for (const end of slow) end();
    await stopped;
    assert.equal(counts.ended, 2);
    await tasks.run("a", async () => assert.fail("started after stop"));
  });

  it("have a signal for what outlives them, which a task's end leaves and stop aborts", async () => {
    const { tasks } = rig();
    await tasks.run("a", async () => {});
    tasks.giveUp("a");
    assert.equal(tasks.signal.aborted, false);
    await tasks.stop();
    assert.equal(tasks.signal.aborted, true);
  });

  it("are bounded: beyond a thousand at once none starts, and the oldest failure is forgotten", async () => {
    const { tasks } = rig(0.999);
    const { work, ends } = held();
    for (let i = 0; i < 1_000; i++) void tasks.run(`${i}`, work);
    await tasks.run("one more", async () => assert.fail("started"));
    for (const end of ends) end();
    await settle();
    for (let i = 0; i <= 1_000; i++) await tasks.run(`${i}`, fail);
    const started: string[] = [];
    for (const name of ["0", "1"]) await tasks.run(name, async () => void started.push(name));
    assert.deepEqual(started, ["0"]);
    await tasks.stop();
  });
});
