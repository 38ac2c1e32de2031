import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BoundedQueue } from "../../../src/runtime/boundedQueue.ts";

const LIMITS = { items: 3, weight: 10 };

describe("bounded queue", () => {
  it("drops the new item where there are too many, or where they weigh too much together", () => {
    const queue = new BoundedQueue<string>(LIMITS);
    assert.deepEqual(
      ["a", "b", "c", "d"].map((item) => queue.push(item, 1)),
      [true, true, true, false],
    );
    assert.deepEqual(queue.takeUpTo(2), ["a", "b"]);
    assert.deepEqual([queue.push("e", 9), queue.push("f", 1)], [true, false]);
    assert.deepEqual(queue.takeUpTo(9), ["c", "e"]);
    assert.equal(queue.length, 0);
  });

  it("holds one item that alone weighs too much, and gives its weight back", () => {
    const queue = new BoundedQueue<string>(LIMITS);
    assert.deepEqual([queue.push("whale", 99), queue.push("shrimp", 0)], [true, false]);
    assert.deepEqual(queue.takeUpTo(1), ["whale"]);
    assert.equal(queue.push("tuna", 10), true);
  });

  it("takes in beyond its limits what must not be dropped, but nothing once it is closed", () => {
    const queue = new BoundedQueue<number>({ items: 1, weight: 1 });
    assert.deepEqual([queue.push(1, 1), queue.pushAnyway(2), queue.push(3, 0)], [true, true, false]);
    queue.close();
    assert.deepEqual([queue.push(4, 0), queue.pushAnyway(5)], [false, false]);
    assert.deepEqual(queue.takeUpTo(9), [1, 2]);
  });

  it("wakes its consumer for an item, a poke and its end", async () => {
    const queue = new BoundedQueue<number>(LIMITS);
    for (const wake of [() => queue.push(1, 1), () => queue.poke(), () => queue.close()]) {
      const ready = queue.ready();
      wake();
      await ready;
      queue.takeUpTo(9);
    }
    await queue.ready();
  });
});
