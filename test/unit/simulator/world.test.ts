import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { SocketHandlers } from "../../../src/runtime/net.ts";
import { createWorld, VirtualClock } from "../../../src/simulator/virtualWorld.ts";
import { scriptedVenue } from "./scriptedVenue.ts";

const START_MS = 1_790_000_000_000;
const USER = `0x${"a".repeat(40)}`;

describe("the virtual clock", () => {
  it("runs timers by due time, and in the order they were set when due together", async () => {
    const seed = 7;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(50), { maxLength: 60 }), async (delays) => {
        const clock = new VirtualClock(0);
        const ran: [number, number][] = [];
        delays.forEach((ms, index) => {
          clock.after(ms, () => ran.push([clock.now(), index]));
        });
        await clock.advanceTo(100);
        const expected = delays.map((ms, index): [number, number] => [ms, index]);
        expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        assert.deepEqual(ran, expected);
        assert.equal(clock.now(), 100);
      }),
      { seed, numRuns: 200 },
    );
  });

  it("does not run a cancelled timer, nor one that is not due", async () => {
    const clock = new VirtualClock(0);
    let ran = 0;
    clock.after(5, () => ran++)();
    clock.after(11, () => ran++);
    await clock.advanceTo(10);
    assert.equal(ran, 0);
  });

  it("lets a chain of promises settle before time passes", async () => {
    const clock = new VirtualClock(0);
    const times: number[] = [];
    const walk = async () => {
      for (let step = 0; step < 50; step++) await Promise.resolve();
      times.push(clock.now());
      await clock.sleep(10);
      times.push(clock.now());
    };
    const done = walk();
    clock.after(1, () => {});
    await clock.advanceTo(20);
    await done;
    assert.deepEqual(times, [0, 10]);
  });

  it("stands still while a tracked promise is pending", async () => {
    const clock = new VirtualClock(0);
    const finished: number[] = [];
    clock.after(1, () => {
      // Real I/O: takes as long as it takes, and no virtual time.
      void clock
        .track(new Promise<void>((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve)))))
        .then(() => finished.push(clock.now()));
    });
    clock.after(2, () => finished.push(-clock.now()));
    await clock.advanceTo(3);
    assert.deepEqual(finished, [1, -2]);
  });

  it("rejects a sleep that is aborted", async () => {
    const clock = new VirtualClock(0);
    const abort = new AbortController();
    const sleeping = assert.rejects(clock.sleep(1000, abort.signal), /stop/);
    abort.abort(new Error("stop"));
    await sleeping;
    await assert.rejects(clock.sleep(1, abort.signal), /stop/);
  });
});

function recorder() {
  const seen: string[] = [];
  const handlers: SocketHandlers = {
    onOpen: () => seen.push("open"),
    onMessage: (text) => seen.push(text),
    onClose: (code, reason) => seen.push(`close ${code} ${reason}`),
    onError: (error) => seen.push(`error ${error.message}`),
  };
  return { seen, handlers };
}

describe("the world's network", () => {
  it("carries frames both ways, late and in order", async () => {
    const clock = new VirtualClock(START_MS);
    const world = createWorld({ venue: scriptedVenue(START_MS), clock, seed: 1, latencyMs: [5, 50] });
    const { seen, handlers } = recorder();
    const socket = world.network().connect(world.wsUrl, handlers);
    assert.deepEqual(seen, []);
    await clock.runUntil(() => seen.length === 1, START_MS + 1000);
    assert.ok(clock.now() >= START_MS + 10);
    for (let id = 1; id <= 20; id++) {
      socket.send(
        JSON.stringify({ method: "post", id, request: { type: "info", payload: { type: "perpDexs" } } }),
      );
    }
    await clock.runUntil(() => seen.length === 21, clock.now() + 1000);
    const ids = seen.slice(1).map((text) => JSON.parse(text).data.id);
    assert.deepEqual(
      ids,
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
    socket.close(1000, "bye");
    await clock.advanceBy(200);
    assert.equal(seen.at(-1), "close 1000 bye");
    assert.equal(world.gateway.sessions().length, 0);
    world.stop();
  });

  it("answers requests, and rejects those that are aborted or cut off", async () => {
    const clock = new VirtualClock(START_MS);
    const world = createWorld({
      venue: scriptedVenue(START_MS),
      clock,
      seed: 1,
      faults: [{ fault: "truncate", skip: 1, times: 1 }],
    });
    const { post } = world.network();
    const body = JSON.stringify({ type: "userFills", user: USER });
    const outcomes: unknown[] = [];
    const note = (promise: Promise<unknown>) =>
      promise.then(
        (value) => outcomes.push(value),
        (error: Error) => outcomes.push(error.message),
      );
    const abort = new AbortController();
    void note(post(`${world.apiUrl}/info`, body));
    await clock.advanceBy(100);
    void note(post(`${world.apiUrl}/info`, body));
    await clock.advanceBy(100);
    void note(post(`${world.apiUrl}/info`, body, abort.signal));
    abort.abort(new Error("given up"));
    await clock.advanceBy(100);
    assert.deepEqual(outcomes, [{ status: 200, text: "[]" }, "the body broke off", "given up"]);
    world.stop();
  });

  it("keeps a half-open connection silent until the client breaks it", async () => {
    const clock = new VirtualClock(START_MS);
    const world = createWorld({ venue: scriptedVenue(START_MS), clock, seed: 1 });
    const { seen, handlers } = recorder();
    const socket = world.network().connect(world.wsUrl, handlers);
    await clock.advanceBy(100);
    world.gateway.sessions()[0]!.freeze();
    socket.send('{"method":"ping"}');
    socket.close(1000, "");
    await clock.advanceBy(120_000);
    assert.deepEqual(seen, ["open"]);
    assert.equal(world.gateway.sessions().length, 0, "the server forgets it after a minute");
    socket.terminate();
    await clock.advanceBy(1);
    assert.deepEqual(seen, ["open", "close 1006 "]);
    world.stop();
  });

  it("refuses connections during an outage and breaks those it has", async () => {
    const clock = new VirtualClock(START_MS);
    const world = createWorld({ venue: scriptedVenue(START_MS), clock, seed: 1 });
    const { connect, post } = world.network();
    const before = recorder();
    connect(world.wsUrl, before.handlers);
    await clock.advanceBy(100);
    world.gateway.faults.add({ fault: "refuse", untilMs: clock.now() + 5_000 });
    for (const session of world.gateway.sessions()) session.cut();
    const during = recorder();
    connect(world.wsUrl, during.handlers);
    const request = assert.rejects(post(`${world.apiUrl}/info`, "{}"), /connection reset/);
    await clock.advanceBy(6_000);
    await request;
    const after = recorder();
    connect(world.wsUrl, after.handlers);
    await clock.advanceBy(100);
    assert.deepEqual(before.seen, ["open", "close 1006 "]);
    assert.deepEqual(during.seen, ["error connection refused", "close 1006 "]);
    assert.deepEqual(after.seen, ["open"]);
    world.stop();
  });

  it("does the same at the same times for the same seed, and something else for another", async () => {
    const run = async (seed: number) => {
      const clock = new VirtualClock(START_MS);
      const rules = [
        { fault: "drop", rate: 0.3 },
        { fault: "delay", rate: 0.3 },
      ] as const;
      const world = createWorld({ venue: scriptedVenue(START_MS), clock, seed, faults: rules });
      const seen: string[] = [];
      const socket = world.network().connect(world.wsUrl, {
        ...recorder().handlers,
        onMessage: (text) => seen.push(`${clock.now()} ${text}`),
      });
      await clock.advanceBy(100);
      for (let turn = 0; turn < 50; turn++) {
        socket.send('{"method":"ping"}');
        await clock.advanceBy(100);
      }
      world.stop();
      return seen.join("\n");
    };
    assert.equal(await run(1), await run(1));
    assert.notEqual(await run(1), await run(2));
  });
});
