import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { StoreError, TransportError } from "../../../src/errors.ts";
import type { InfoRequest } from "../../../src/protocol/infoRequests.ts";
import { silentLog } from "../../../src/runtime/log.ts";
import { seededRandom } from "../../../src/runtime/random.ts";
import { committer } from "../../../src/sync/commit.ts";
import { type Interval, subtract, union } from "../../../src/sync/coverage.ts";
import type { VenueInfo } from "../../../src/sync/ports.ts";
import type { Batch, CoverageRow, FillRow } from "../../../src/sync/rows.ts";
import { readWindow, type WindowReading } from "../../../src/sync/windowReader.ts";
import { HandClock } from "../connection/handClock.ts";
import { ACCOUNT } from "./rows.ts";

const PAGE = 2_000;
const NOW = 1_000_000;
/** Times below are after this: rows of no plausible time are not read. */
const T0 = Date.UTC(2026, 0, 1);
const at = (fromMs: number, toMs: number): Interval => ({ fromMs: T0 + fromMs, toMs: T0 + toMs });

interface Wire {
  time: number;
  tid: number;
}
const wire = ({ time, tid }: Wire) => ({
  coin: "BTC",
  px: "1",
  sz: "1",
  side: "B",
  time: T0 + time,
  startPosition: "0",
  dir: "Open Long",
  closedPnl: "0.0",
  hash: "0x0",
  oid: tid,
  crossed: true,
  fee: "0.0",
  tid,
  feeToken: "USDC",
  twapId: null,
});

/** A venue that serves these fills: pages from the start, or the newest first when reversed; newest `keep` only. */
function venue(
  fills: Wire[],
  { keep = 10_000, failAt = -1, page = PAGE, garble = (row: object, _tid: number): object => row } = {},
) {
  const served = [...fills].sort((a, b) => a.time - b.time || a.tid - b.tid).slice(-keep);
  const stats = { requests: 0 };
  const info: VenueInfo = {
    clockOffset: () => null,
    reserve: () => () => {},
    async request<P, R>(request: InfoRequest<P, R>, params: P) {
      if (stats.requests++ === failAt) throw new TransportError("reset");
      const { startTime, endTime, reversed } = params as {
        startTime: number;
        endTime: number;
        reversed?: true;
      };
      const inside = served.filter(({ time }) => T0 + time >= startTime && T0 + time <= endTime);
      const twap = request.type === "userTwapSliceFillsByTime";
      const rows = reversed || twap ? inside.slice(-page).reverse() : inside.slice(0, page);
      const sent = rows.map((row) => garble(wire(row), row.tid));
      const body = twap ? sent.map((fill) => ({ fill, twapId: 7 })) : sent;
      const result = request.read(body);
      if (!("rows" in (result as object))) throw new Error("unreadable");
      return {
        result: result as Exclude<R, { reason: string }>,
        sentAtMs: NOW,
        receivedAtMs: NOW,
        weight: 20,
      };
    },
  };
  return { info, stats };
}

function reading(info: VenueInfo) {
  const stored = new Map<number, FillRow>();
  const coverage: CoverageRow[] = [];
  const value: WindowReading = {
    account: ACCOUNT,
    source: "backfill",
    priority: "backfill",
    signal: new AbortController().signal,
    info,
    venueTimeMs: T0 + NOW,
    latestRowMs: T0 + 2 * NOW,
    restLagMs: 0,
    countFillsAfter: async (timeMs) => [...stored.values()].filter((row) => row.timeMs > timeMs).length,
    async commit(batch) {
      for (const row of batch.fills ?? []) stored.set(row.tradeId, row);
      coverage.push(...(batch.coverage ?? []));
      return { events: [], written: {}, known: {} };
    },
  };
  const of = (grade: CoverageRow["grade"]): Interval[] =>
    union(coverage.filter((row) => row.grade === grade)).map(({ fromMs, toMs }) => ({
      fromMs: fromMs - T0,
      toMs: toMs - T0,
    }));
  return { value, stored, proven: () => of("proven"), unprovable: () => of("unprovable") };
}

const many = (count: number, timeOf: (i: number) => number): Wire[] =>
  Array.from({ length: count }, (_, i) => ({ time: timeOf(i), tid: i + 1 }));

describe("reading a window", () => {
  it("reads every row and proves the whole window, whatever the clusters, for fills and TWAP slices", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 10, max: 400 }), fc.integer({ min: 1, max: 30 })), {
          maxLength: 60,
        }),
        fc.constantFrom("fills" as const, "twapFills" as const),
        async (clusters, stream) => {
          const fills = clusters.flatMap(([time, count]) => many(count * 40, () => time));
          for (const [i, row] of fills.entries()) row.tid = i + 1;
          const perMs = Map.groupBy(fills, ({ time }) => time);
          fc.pre([...perMs.values()].every((rows) => rows.length < PAGE));
          const { info } = venue(fills, { keep: Number.POSITIVE_INFINITY });
          const { value, stored, proven, unprovable } = reading(info);
          value.countFillsAfter = async () => 0;
          const { commit } = value;
          value.commit = async (batch) => {
            const applied = await commit(batch);
            // A claim is true when it is made, and not only when all of a page is there.
            for (const { fromMs, toMs } of batch.coverage?.filter(({ grade }) => grade === "proven") ?? [])
              for (const { time, tid } of fills)
                if (T0 + time >= fromMs && T0 + time <= toMs) assert.ok(stored.has(tid), `fill ${tid}`);
            return applied;
          };
          await readWindow(value, stream, at(0, 500));
          assert.equal(stored.size, fills.length);
          // What one millisecond holds beyond a page is only served for fills, from both ends.
          const holes = subtract([{ fromMs: 0, toMs: 500 }], union(proven(), unprovable()));
          assert.deepEqual(holes, []);
          if (stream === "fills") assert.deepEqual(unprovable(), []);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("crosses a page boundary inside a cluster without losing a row", async () => {
    const fills = many(3_000, (i) =>
      i >= 1_900 && i < 2_300 ? 777 : i < 1_900 ? 100 + Math.floor(i / 4) : 1_000 + i,
    );
    const { info, stats } = venue(fills);
    const { value, stored, proven } = reading(info);
    await readWindow(value, "fills", at(0, NOW));
    assert.equal(stored.size, 3_000);
    assert.deepEqual(proven(), [{ fromMs: 0, toMs: NOW }]);
    assert.ok(stats.requests <= 3, `${stats.requests} requests`);
  });

  it("reads a millisecond of more than a page from both ends, and says so when even that is not enough", async () => {
    const enough = venue(
      many(3_500, () => 50),
      { keep: 1e9 },
    );
    const a = reading(enough.info);
    await readWindow(a.value, "fills", at(0, 100));
    assert.equal(a.stored.size, 3_500);
    assert.deepEqual(a.proven(), [{ fromMs: 0, toMs: 100 }]);
    const tooMany = venue(
      many(4_500, () => 50),
      { keep: 1e9 },
    );
    const b = reading(tooMany.info);
    await readWindow(b.value, "fills", at(0, 100));
    assert.deepEqual(b.unprovable(), [{ fromMs: 50, toMs: 50 }]);
    assert.deepEqual(b.proven(), [
      { fromMs: 0, toMs: 49 },
      { fromMs: 51, toMs: 100 },
    ]);
  });

  it("takes an answer of another time for none: what it tells is kept, nothing is proven", async () => {
    for (const count of [3, PAGE]) {
      const { info } = venue(many(count, (i) => 10 + i));
      const { value, stored, proven, unprovable } = reading({
        ...info,
        // As a cache does that looks at the path alone.
        request: (request, params, options) =>
          info.request(request, { ...params, startTime: T0, endTime: T0 + 5_000 }, options),
      });
      await assert.rejects(
        readWindow(value, "fills", at(6_000, 9_000)),
        /is of another time than was asked for/,
      );
      assert.deepEqual([stored.size, proven(), unprovable()], [count, [], []]);
    }
  });

  it("says that what lies before the horizon is not served any more", async () => {
    const { info } = venue(many(12_000, (i) => 1_000 + i));
    const { value, stored, proven, unprovable } = reading(info);
    await readWindow(value, "fills", at(0, NOW));
    assert.equal(stored.size, 10_000);
    // Rows of the oldest served millisecond may lie beyond the horizon.
    assert.deepEqual(unprovable(), [{ fromMs: 0, toMs: 3_000 }]);
    assert.deepEqual(proven(), [{ fromMs: 3_001, toMs: NOW }]);
  });

  it("does not claim the millisecond that the horizon cuts, whatever the window and the pages", async () => {
    // Of three in a millisecond, the oldest served one lacks two.
    const crowded = many(12_002, (i) => 1_000 + Math.floor(i / 3));
    const oldest = 1_000 + Math.floor(2_002 / 3);
    for (const stream of ["fills", "twapFills"] as const)
      for (const fromMs of [0, oldest - 1, oldest]) {
        const { value, stored, proven, unprovable } = reading(venue(crowded).info);
        await readWindow(value, stream, at(fromMs, NOW));
        const said = `${stream} from ${fromMs}`;
        assert.equal(stored.size, 10_000, said);
        assert.deepEqual(unprovable(), [{ fromMs, toMs: oldest }], said);
        assert.deepEqual(proven(), [{ fromMs: oldest + 1, toMs: NOW }], said);
      }
  });

  it("claims the first millisecond of a list that is not cut, and of a saturated one what was read of it", async () => {
    // The first one is full: it is read from both ends.
    for (const [count, isWhole] of [
      [3_500, true],
      [4_500, false],
    ] as const) {
      const { info } = venue([...many(count, () => 50), { time: 60, tid: 9_999 }], { keep: 1e9 });
      const { value, proven, unprovable } = reading(info);
      await readWindow(value, "fills", at(0, 100));
      assert.deepEqual(unprovable(), isWhole ? [] : [{ fromMs: 50, toMs: 50 }]);
      const parts = [
        { fromMs: 0, toMs: 49 },
        { fromMs: 51, toMs: 100 },
      ];
      assert.deepEqual(proven(), isWhole ? [{ fromMs: 0, toMs: 100 }] : parts);
    }
    // Full and cut: that both ends of what is served meet says nothing of the rest.
    const { value, proven, unprovable } = reading(venue(many(14_000, (i) => (i < 7_500 ? 50 : 60 + i))).info);
    await readWindow(value, "fills", at(0, NOW));
    assert.deepEqual(unprovable(), [{ fromMs: 0, toMs: 50 }]);
    assert.deepEqual(proven(), [{ fromMs: 51, toMs: NOW }]);
  });

  it("keeps what it has and claims nothing more when a page fails", async () => {
    const { info } = venue(
      many(3_000, (i) => 100 + i),
      { failAt: 1 },
    );
    const { value, stored, proven } = reading(info);
    await assert.rejects(readWindow(value, "fills", at(0, NOW)), TransportError);
    assert.equal(stored.size, PAGE);
    // Whether the list goes on before its first millisecond is known at the end.
    assert.deepEqual(proven(), [{ fromMs: 101, toMs: 100 + PAGE - 2 }]);
  });

  it("keeps the parts of a page that were committed before a kill, and claims them", async () => {
    // Two in each millisecond: no part ends within one.
    const { info } = venue(many(PAGE, (i) => 100 + Math.floor(i / 2)));
    const { value, stored, proven } = reading(info);
    const { commit } = value;
    let commits = 0;
    value.commit = async (batch) => {
      if (++commits === 3) throw new TransportError("killed");
      return commit(batch);
    };
    await assert.rejects(readWindow(value, "fills", at(0, NOW)), TransportError);
    assert.equal(stored.size, 1_000);
    assert.deepEqual(proven(), [{ fromMs: 101, toMs: 599 }]);
  });

  it("claims nothing younger than the venue's own time less the REST lag", async () => {
    const { info } = venue(many(10, (i) => 100 + i));
    const { value, proven } = reading(info);
    value.venueTimeMs = T0 + 105;
    value.restLagMs = 2;
    await readWindow(value, "fills", at(0, NOW));
    assert.deepEqual(proven(), [{ fromMs: 0, toMs: 103 }]);
  });

  it("takes the milliseconds of rows that it cannot read for unprovable, and reads on past a page full of them", async () => {
    for (const stream of ["fills", "twapFills"] as const) {
      const { info } = venue(
        many(4_500, (i) => 1_000 + i),
        { garble: (row, tid) => (tid <= PAGE || tid === 4_000 ? { ...row, px: "1e2" } : row) },
      );
      const { value, stored, proven, unprovable } = reading(info);
      await readWindow(value, stream, at(0, NOW));
      assert.equal(stored.size, 4_500 - PAGE - 1);
      assert.deepEqual(unprovable(), [
        { fromMs: 1_000, toMs: 999 + PAGE },
        { fromMs: 4_999, toMs: 4_999 },
      ]);
      assert.deepEqual(proven(), [
        { fromMs: 0, toMs: 999 },
        { fromMs: 1_000 + PAGE, toMs: 4_998 },
        { fromMs: 5_000, toMs: NOW },
      ]);
    }
  });

  it("leaves the time between its neighbours open for a row that tells none, or one that cannot be", async () => {
    // Tids count from 1, their times from 100 on; an end of the list borders on an end of what was asked for.
    const cases: [odd: Record<string, unknown>, tid: number, open: [number, number]][] = [
      [{}, 5, [103, 105]],
      [{ time: 0 }, 5, [103, 105]],
      [{ time: -1 }, 5, [103, 105]],
      [{ time: 2 ** 53 - 1 }, 5, [103, 105]],
      [{ time: (T0 + NOW) * 1_000 }, 5, [103, 105]],
      [{ time: T0 + NOW + 86_400_000 }, 5, [103, 105]],
      [{ time: null }, 1, [0, 101]],
      [{ time: "x" }, 10, [108, NOW]],
    ];
    for (const [odd, tid, [fromMs, toMs]] of cases) {
      const { info } = venue(
        many(10, (i) => 100 + i),
        { garble: (row, of) => (of === tid ? { ...odd } : row) },
      );
      const { value, stored, proven, unprovable } = reading(info);
      await readWindow(value, "fills", at(0, NOW));
      assert.equal(stored.size, 9);
      const said = JSON.stringify(odd);
      assert.deepEqual(unprovable(), [{ fromMs, toMs }], said);
      const rest = [
        { fromMs: 0, toMs: fromMs - 1 },
        { fromMs: toMs + 1, toMs: NOW },
      ].filter((part) => part.fromMs <= part.toMs);
      assert.deepEqual(proven(), rest, said);
    }
  });

  it("keeps a row of a time that has not come out, and does not claim where it was", async () => {
    const day = { time: T0 + NOW + 86_400_000 };
    for (const [tid, fromMs, toMs] of [
      [1, 0, 101],
      [5, 103, 105],
      [10, 108, NOW],
    ] as const) {
      const garble = (row: object, of: number) => (of === tid ? { ...row, ...day } : of === 7 ? {} : row);
      const { info } = venue(
        many(10, (i) => 100 + i),
        { garble },
      );
      const { value, stored, proven } = reading(info);
      await readWindow({ ...value, latestRowMs: T0 + NOW + 3_600_000 }, "fills", at(0, 2 * NOW));
      assert.deepEqual(
        [...stored.keys()].sort((a, b) => a - b),
        [1, 2, 3, 4, 5, 6, 8, 9, 10].filter((of) => of !== tid),
      );
      assert.ok(
        proven().every((part) => part.toMs <= fromMs || part.fromMs >= toMs),
        `${tid}: ${JSON.stringify(proven())}`,
      );
    }
  });

  it("counts rows that cannot be read, or are refused, among the newest that the venue serves", async () => {
    const fills = many(12_000, (i) => 100 + i);
    const isBad = (tid: number) => tid === 7_000 || tid === 11_999;
    const unread = venue(fills, { garble: (row, tid) => (isBad(tid) ? { ...row, px: {} } : row) });
    const refused = reading(venue(fills).info);
    const keep = refused.value.commit;
    refused.value.commit = async (batch) => {
      const applied = await keep({
        ...batch,
        fills: (batch.fills ?? []).filter(({ tradeId }) => !isBad(tradeId)),
      });
      const bad = (batch.fills ?? []).filter(({ tradeId }) => isBad(tradeId));
      return { ...applied, refused: bad.map(({ timeMs }) => ({ stream: "fills" as const, timeMs })) };
    };
    for (const read of [reading(unread.info), refused]) {
      await readWindow(read.value, "fills", at(0, NOW));
      assert.equal(read.stored.size, 9_998);
      assert.ok(
        read.unprovable().some(({ fromMs, toMs }) => fromMs === 0 && toMs === 2_100),
        "of the 12 000 the first",
      );
      assert.ok(
        read.proven().every(({ fromMs }) => fromMs > 2_100),
        JSON.stringify(read.proven()),
      );
    }
  });

  it("works with pages that are smaller than promised", async () => {
    const { info } = venue(
      many(3_000, (i) => 100 + Math.floor(i / 3)),
      { page: 500 },
    );
    const { value, stored, proven } = reading(info);
    await readWindow(value, "fills", at(0, NOW));
    assert.equal(stored.size, 3_000);
    assert.deepEqual(proven(), [{ fromMs: 0, toMs: NOW }]);
  });

  it("claims no millisecond of a row that the database refused, wherever in the walk its claim is made", async () => {
    const refusing = (
      isRefused: (tradeId: number) => boolean,
      { value, stored }: ReturnType<typeof reading>,
    ) => {
      const keep = value.commit;
      const apply = async (batch: Batch) => {
        if (batch.fills?.some(({ tradeId }) => isRefused(tradeId)))
          throw new StoreError("violates a check", { transient: false, sqlState: "23514" });
        return keep(batch);
      };
      const deps = {
        store: { apply },
        clock: new HandClock(T0),
        random: seededRandom(1),
        log: silentLog,
        publish: () => {},
      };
      const commit = committer(deps, value.signal);
      value.commit = (batch) => commit(batch, T0);
      value.countFillsAfter = async () => 0;
      return stored;
    };
    const spread = many(4_100, (i) => 100 + Math.floor(i / 3));
    const saturated = many(2_300, () => 500);
    // biome-ignore format: a table, one walk a row
    const walks: [string, Wire[], (fill: Wire) => boolean][] = [
      ["the first row", many(10, (i) => 100 + i), ({ tid }) => tid === 1],
      ["the last row", many(10, (i) => 100 + i), ({ tid }) => tid === 10],
      ["rows at the edges of pages", spread, ({ tid }) => [1, 1_999, 2_000, 2_001, 4_100].includes(tid)],
      ["rows of a saturated millisecond", saturated, ({ tid }) => tid === 7 || tid === 2_299],
      ["all rows", many(10, (i) => 100 + i), () => true],
    ];
    for (const [what, fills, isRefused] of walks)
      for (const stream of ["fills", "twapFills"] as const) {
        const read = reading(venue(fills, { keep: 1e9 }).info);
        const refused = fills.filter(isRefused);
        const stored = refusing((tradeId) => refused.some(({ tid }) => tid === tradeId), read);
        await readWindow(read.value, stream, at(0, NOW));
        const served = stream === "fills" || what !== "rows of a saturated millisecond";
        if (served) assert.equal(stored.size, fills.length - refused.length, what);
        for (const { time } of refused)
          assert.ok(
            !read.proven().some(({ fromMs, toMs }) => fromMs <= time && time <= toMs),
            `${what}: ${time}`,
          );
        const told = union(read.proven(), read.unprovable());
        assert.deepEqual(told, [{ fromMs: 0, toMs: NOW }], what);
      }
  });
});
