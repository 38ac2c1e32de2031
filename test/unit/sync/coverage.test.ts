import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { covers, type Interval, intersect, knownSince, subtract, union } from "../../../src/sync/coverage.ts";

const SPAN = 60;
const intervals = fc.array(
  fc
    .tuple(fc.nat(SPAN), fc.nat(12))
    .map(([fromMs, length]): Interval => ({ fromMs, toMs: Math.min(SPAN, fromMs + length) })),
  { maxLength: 8 },
);
/** The plain meaning of a list of intervals: which whole milliseconds it holds. */
const points = (list: Interval[]): Set<number> => {
  const set = new Set<number>();
  for (const { fromMs, toMs } of list) for (let ms = fromMs; ms <= toMs; ms++) set.add(ms);
  return set;
};
const isNormal = (list: Interval[]) =>
  list.every(({ fromMs, toMs }, i) => fromMs <= toMs && (i === 0 || fromMs > list[i - 1]!.toMs + 1));

describe("coverage", () => {
  it("agrees with sets of milliseconds for union, difference and intersection", () => {
    fc.assert(
      fc.property(intervals, intervals, (a, b) => {
        const [pa, pb] = [points(a), points(b)];
        assert.deepEqual(points(union(a, b)), pa.union(pb));
        assert.deepEqual(points(subtract(a, b)), pa.difference(pb));
        assert.deepEqual(points(intersect(a, b)), pa.intersection(pb));
        for (const list of [union(a, b), subtract(a, b), intersect(a, b)]) assert.ok(isNormal(list));
      }),
    );
  });

  it("does not depend on order or repetition", () => {
    fc.assert(
      fc.property(intervals, intervals, (a, b) => {
        assert.deepEqual(union(a, b), union(b, a, b));
      }),
    );
  });

  it("joins adjacent milliseconds and nothing further", () => {
    assert.deepEqual(union([{ fromMs: 1, toMs: 2 }], [{ fromMs: 3, toMs: 4 }]), [{ fromMs: 1, toMs: 4 }]);
    assert.equal(union([{ fromMs: 1, toMs: 2 }], [{ fromMs: 4, toMs: 4 }]).length, 2);
  });

  it("says since when a moment is known without interruption", () => {
    const known = [
      { fromMs: 0, toMs: 5 },
      { fromMs: 10, toMs: 20 },
    ];
    assert.equal(knownSince(known, 20), 10);
    assert.equal(knownSince(known, 7), null);
    assert.ok(covers(known, { fromMs: 11, toMs: 19 }));
    assert.ok(!covers(known, { fromMs: 4, toMs: 11 }));
  });
});
