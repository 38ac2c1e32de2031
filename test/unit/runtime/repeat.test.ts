/** Work that is done again and again, by a clock that is moved by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { repeat } from "../../../src/runtime/repeat.ts";
import { HandClock, settle } from "../connection/handClock.ts";

test("work begins after a pause, one run at a time, and ends with the run that is under way", async () => {
  const clock = new HandClock();
  const abort = new AbortController();
  let runs = 0;
  let finish = () => {};
  let isOver = false;
  const done = repeat(clock, 1_000, abort.signal, () => {
    runs += 1;
    return new Promise<void>((resolve) => {
      finish = resolve;
    });
  }).then(() => {
    isOver = true;
  });
  await clock.advance(999);
  assert.equal(runs, 0);
  await clock.advance(1);
  assert.equal(runs, 1);
  await clock.advance(5_000);
  assert.equal(runs, 1, "the first has not ended");
  finish();
  await settle();
  await clock.advance(1_000);
  assert.equal(runs, 2);
  abort.abort();
  await settle();
  assert.equal(isOver, false);
  finish();
  await done;
  assert.equal(runs, 2);
});

test("an abort during the pause ends it, and what the work throws is thrown", async () => {
  const clock = new HandClock();
  const abort = new AbortController();
  const done = repeat(clock, 1_000, abort.signal, () => assert.fail("not begun"));
  abort.abort();
  await done;
  const failing = repeat(clock, 10, new AbortController().signal, () => {
    throw new Error("broken");
  });
  const rejected = assert.rejects(failing, /broken/);
  await clock.advance(10);
  await rejected;
});
