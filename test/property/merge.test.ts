import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { stringify } from "../../src/runtime/jsonText.ts";
import { withoutShortForms } from "../../src/sync/lane/shortForms.ts";
import type { OrderEventRow } from "../../src/sync/rows.ts";
import {
  foldOrder,
  joinBalances,
  joinFills,
  joinFunding,
  joinLedger,
  joinOrderEvents,
  joinPositions,
} from "./mergeOracle.ts";
import {
  balanceRow,
  fillRow,
  fundingRow,
  joined,
  keyOf,
  ledgerRow,
  orderEventRow,
  positionRow,
} from "./mergeRows.ts";

const A = "0xa";

/** Checks the three laws on versions of one row: generated rows that are given the same key. */
function laws<R extends object>(
  name: string,
  row: fc.Arbitrary<R>,
  key: (keyof R)[],
  join: (a: R, b: R) => R,
): void {
  const same = (rows: R[]): R[] =>
    rows.map((r) => ({ ...r, ...Object.fromEntries(key.map((k) => [k, rows[0]![k]])) }));
  const three = fc.tuple(row, row, row).map((rows) => same(rows) as [R, R, R]);
  describe(`the join of ${name}`, () => {
    it("does not depend on which comes first", () =>
      fc.assert(fc.property(three, ([a, b]) => assert.deepEqual(join(a, b), join(b, a)))));
    it("does not depend on which are joined first", () =>
      fc.assert(
        fc.property(three, ([a, b, c]) => assert.deepEqual(join(join(a, b), c), join(a, join(b, c)))),
      ));
    it("changes nothing when the same row comes again", () =>
      fc.assert(
        fc.property(three, ([a, b]) => {
          assert.deepEqual(join(a, a), a);
          assert.deepEqual(join(join(a, b), b), join(a, b));
        }),
      ));
  });
}

laws("fills", fillRow(A), ["coin", "timeMs", "orderId", "tradeId", "side"], joinFills);
laws("order events", orderEventRow(A), ["orderId", "statusTimeMs", "venueStatus"], joinOrderEvents);
laws("funding payments", fundingRow(A), ["coin", "timeMs"], joinFunding);
laws("ledger updates", ledgerRow(A), ["timeMs", "hash", "type", "digest"], joinLedger);
laws("positions", positionRow(A), ["dex", "coin"], joinPositions);
laws("balances", balanceRow(A), ["coin"], joinBalances);

describe("transitions without the short forms of others", () => {
  /** A long form, and what the short one of the same transition tells, or nearly so. */
  const bothForms = fc
    .record({
      long: orderEventRow(A),
      short: orderEventRow(A),
      reduceOnly: fc.boolean(),
      odd: fc.nat({ max: 9 }),
    })
    .map(({ long, short, reduceOnly, odd }): OrderEventRow[] => {
      const { seenAtMs, source } = short;
      const order = {
        coin: long.coin,
        side: long.side,
        limitPx: long.limitPrice,
        sz: long.remaining,
        oid: long.orderId,
      };
      const told = { ...long, orderType: "Limit", tif: "Gtc", reduceOnly: long.reduceOnly ?? reduceOnly };
      const raw = { order: { ...order, orderType: "Limit", tif: "Gtc" }, status: long.venueStatus };
      const terse = { ...long, seenAtMs, source, orderType: null, tif: null, triggerPrice: null };
      return [
        { ...told, raw },
        {
          ...terse,
          raw: { order, status: long.venueStatus },
          reduceOnly: odd === 1 ? short.reduceOnly : null,
          remaining: odd === 2 ? short.remaining : long.remaining,
          size: odd === 3 ? short.size : long.size,
          cloid: odd === 4 ? short.cloid : odd === 5 ? null : long.cloid,
        },
      ];
    });
  const anyRows = fc
    .tuple(fc.array(bothForms, { maxLength: 5 }), fc.array(orderEventRow(A), { maxLength: 5 }), fc.boolean())
    .map(([pairs, others, isReversed]) => {
      const rows = [...pairs.flat(), ...others];
      return isReversed ? rows.reverse() : rows;
    });

  it("join into what all of them join into", () =>
    fc.assert(
      fc.property(anyRows, (rows) => {
        const plain = (given: OrderEventRow[]) =>
          new Map(
            [...joined(given, keyOf.orderEvents, joinOrderEvents)].map(([key, row]) => [
              key,
              { ...row, raw: stringify(row.raw) },
            ]),
          );
        assert.deepEqual(plain(withoutShortForms(rows)), plain(rows));
      }),
      { numRuns: 500 },
    ));

  it("are one row where both forms came", () => {
    const [pair] = fc.sample(
      bothForms.filter(
        ([long, short]) =>
          long!.remaining === short!.remaining &&
          long!.size === short!.size &&
          long!.cloid === short!.cloid &&
          short!.reduceOnly === null,
      ),
      1,
    );
    assert.deepEqual(
      withoutShortForms(pair!).map(({ orderType }) => orderType),
      ["Limit"],
    );
    assert.equal(withoutShortForms([pair![1]!]).length, 1);
  });
});

describe("an order folded from its transitions and fills", () => {
  const facts = fc
    .record({
      events: fc.array(orderEventRow(A), { maxLength: 6 }),
      fills: fc.array(fillRow(A), { maxLength: 6 }),
    })
    .map(({ events, fills }) => ({
      events: [
        ...joined(
          events.map((r) => ({ ...r, orderId: 1 })),
          keyOf.orderEvents,
          joinOrderEvents,
        ).values(),
      ],
      fills: [
        ...joined(
          fills.map((r) => ({ ...r, orderId: 1 })),
          keyOf.fills,
          joinFills,
        ).values(),
      ],
    }));

  it("does not depend on the order in which they came", () =>
    fc.assert(
      fc.property(facts, fc.infiniteStream(fc.nat()), ({ events, fills }, numbers) => {
        const shuffled = <R>(rows: R[]): R[] =>
          rows
            .map((row) => ({ row, at: numbers.next().value as number }))
            .sort((a, b) => a.at - b.at)
            .map(({ row }) => row);
        assert.deepEqual(foldOrder(shuffled(events), shuffled(fills)), foldOrder(events, fills));
      }),
    ));

  it("stays terminal whatever is learned later, unless a later terminal status says otherwise", () =>
    fc.assert(
      fc.property(facts, orderEventRow(A), ({ events, fills }, late) => {
        const terminal = (status: string | undefined) => /^(filled|canceled|rejected)$/.test(status ?? "");
        const before = foldOrder(events, fills);
        fc.pre(before !== null && terminal(before.status));
        // An order keeps its size, and one sighting of a transition tells none that another does not (a modified order is a new one).
        const twin = events.find((e) => e.venueStatus === "open" && e.statusTimeMs === late.statusTimeMs);
        const size = twin?.size ?? before!.size;
        const open = { ...late, orderId: 1, venueStatus: "open", size, remaining: size };
        const after = foldOrder(
          [...joined([...events, open], keyOf.orderEvents, joinOrderEvents).values()],
          fills,
        );
        assert.ok(terminal(after?.status), `${before?.status} became ${after?.status}`);
      }),
    ));
});
