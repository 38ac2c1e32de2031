import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { completeness, type KnownStretch } from "../../../src/sync/completeness.ts";

const of = (grade: KnownStretch["grade"], fromMs: number, toMs: number, reason: string | null = null) => ({
  stream: "orders" as const,
  grade,
  fromMs,
  toMs,
  reason,
});

describe("completeness", () => {
  it("is null, without gaps, while nothing is proven", () => {
    const known = completeness([of("streamed", 5, 9)], "orders", 0, 100);
    assert.deepEqual(known, {
      completeSinceMs: null,
      provenToMs: null,
      gaps: [],
      streamed: [],
      unprovable: [],
    });
  });

  it("tells gaps, streamed and unprovable stretches apart up to the newest proven moment", () => {
    const rows = [
      of("unprovable", 0, 9, "aged out"),
      of("unprovable", 15, 15, "not understood"),
      of("unprovable", 8, 12, "twice"),
      of("proven", 10, 14),
      of("streamed", 14, 30),
      of("proven", 40, 50),
      of("streamed", 50, 90),
      { ...of("proven", 0, 100), stream: "fills" as const },
    ];
    assert.deepEqual(completeness(rows, "orders", 0, 100), {
      completeSinceMs: 40,
      provenToMs: 50,
      gaps: [{ fromMs: 31, toMs: 39 }],
      streamed: [{ fromMs: 16, toMs: 30 }],
      unprovable: [
        { fromMs: 0, toMs: 9, reason: "aged out" },
        { fromMs: 8, toMs: 9, reason: "twice" },
        { fromMs: 15, toMs: 15, reason: "not understood" },
      ],
    });
  });

  it("believes no claim that reaches beyond the present, not even in part", () => {
    const rows = [of("proven", 0, 10), of("proven", 20, 100), of("streamed", 11, 19), of("proven", 50, 500)];
    const known = completeness(rows, "orders", 0, 100);
    assert.deepEqual(
      [known.provenToMs, known.completeSinceMs, known.streamed],
      [100, 20, [{ fromMs: 11, toMs: 19 }]],
    );
    assert.equal(completeness([of("proven", 0, 101)], "orders", 0, 100).completeSinceMs, null);
  });

  it("puts every wanted millisecond up to the newest proven one in one class", () => {
    const stretch = fc
      .record({
        grade: fc.constantFrom("proven", "streamed", "unprovable"),
        fromMs: fc.nat(60),
        length: fc.nat(20),
        reason: fc.constantFrom("a", "b"),
      })
      .map(({ grade, fromMs, length, reason }) =>
        of(grade as KnownStretch["grade"], fromMs, fromMs + length, grade === "unprovable" ? reason : null),
      );
    fc.assert(
      fc.property(fc.array(stretch, { maxLength: 8 }), fc.nat(40), (rows, sinceMs) => {
        const { provenToMs, gaps, streamed, unprovable, completeSinceMs } = completeness(
          rows,
          "orders",
          sinceMs,
          90,
        );
        const at = (list: { fromMs: number; toMs: number }[], ms: number) =>
          list.some(({ fromMs, toMs }) => ms >= fromMs && ms <= toMs);
        for (let ms = sinceMs; ms <= (provenToMs ?? -1); ms++) {
          const is = (grade: string) =>
            at(
              rows.filter((row) => row.grade === grade),
              ms,
            );
          const wanted = is("proven")
            ? [false, false, false]
            : is("unprovable")
              ? [false, false, true]
              : is("streamed")
                ? [false, true, false]
                : [true, false, false];
          assert.deepEqual([at(gaps, ms), at(streamed, ms), at(unprovable, ms)], wanted, `at ${ms}`);
          if (completeSinceMs !== null && ms >= completeSinceMs) assert.ok(is("proven"));
        }
      }),
    );
  });
});
