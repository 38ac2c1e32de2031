/**
 * The database merges as the pure rule says: rows are cut into batches in any way, repeated and shuffled, some written
 * by two writers at once; the tables must hold what `mergeOracle.ts` makes of the set.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Applied, Batch, FillRow, OrderEventRow } from "../../src/sync/rows.ts";
import { useDatabase } from "../support/postgres.ts";
import {
  foldOrder,
  joinBalances,
  joinFills,
  joinFunding,
  joinLedger,
  joinOrderEvents,
  joinPositions,
  type OrderState,
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

const NUM_RUNS = Number(process.env.HLSYNC_PROPERTY_RUNS ?? 60);

type Rows = Required<
  Pick<Batch, "fills" | "orderEvents" | "positions" | "balances" | "funding" | "ledger" | "coverage">
>;

const NOBODY = "0x";
const rowsArbitrary: fc.Arbitrary<Rows> = fc.record({
  fills: fc.array(fillRow(NOBODY), { maxLength: 16 }),
  orderEvents: fc.array(orderEventRow(NOBODY), { maxLength: 12 }),
  positions: fc.array(positionRow(NOBODY), { maxLength: 6 }),
  balances: fc.array(balanceRow(NOBODY), { maxLength: 6 }),
  funding: fc.array(fundingRow(NOBODY), { maxLength: 6 }),
  ledger: fc.array(ledgerRow(NOBODY), { maxLength: 6 }),
  coverage: fc
    .array(
      fc.record({
        account: fc.constant(NOBODY),
        stream: fc.constantFrom("fills" as const, "orders" as const),
        grade: fc.constantFrom("streamed" as const, "proven" as const),
        fromMs: fc.integer({ min: 0, max: 30 }),
        toMs: fc.integer({ min: 0, max: 6 }),
        reason: fc.constant(null),
      }),
      { maxLength: 8 },
    )
    .map((rows) => rows.map((r) => ({ ...r, toMs: r.fromMs + r.toMs }))),
});

/** Which batch each row goes to (some to two), and how rows are shuffled within it. */
interface Plan {
  batches: number;
  numbers: number[];
  together: boolean;
}
const planArbitrary: fc.Arbitrary<Plan> = fc.record({
  batches: fc.integer({ min: 1, max: 5 }),
  numbers: fc.array(fc.nat({ max: 1_000_000 }), { minLength: 64, maxLength: 64 }),
  together: fc.boolean(),
});

function cut(rows: Rows, plan: Plan): Batch[] {
  let used = 0;
  const number = () => plan.numbers[used++ % plan.numbers.length]! + used;
  const batches: Record<string, unknown[]>[] = Array.from({ length: plan.batches }, () => ({}));
  for (const [table, list] of Object.entries(rows)) {
    const shuffled = list.map((row) => ({ row, at: number() })).sort((a, b) => a.at - b.at);
    for (const { row } of shuffled) {
      const times = number() % 4 === 0 ? 2 : 1;
      for (let i = 0; i < times; i++) {
        const batch = batches[number() % plan.batches]!;
        batch[table] = [...(batch[table] ?? []), row];
      }
    }
  }
  return batches as Batch[];
}

/** The set of milliseconds covered, as text. */
const covered = (rows: Rows["coverage"]): string[] =>
  [
    ...new Set(
      rows.flatMap((r) =>
        Array.from({ length: r.toMs - r.fromMs + 1 }, (_, i) => `${r.stream} ${r.grade} ${r.fromMs + i}`),
      ),
    ),
  ].sort();

const sorted = <R>(rows: Iterable<R>): R[] =>
  [...rows].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

/** Without what the database derives. */
const asWritten = <R extends { blockNumber: number | null }>({ blockNumber: _, ...row }: R) => row;

describe("the tables after any arrangement of writes", () => {
  const db = useDatabase("all");
  let runs = 0;

  /** Every run has an account of its own, which is as good as a database of its own and a hundred times faster. */
  const own = (rows: Rows): { account: string; rows: Rows } => {
    const account = `0x${(++runs).toString(16).padStart(40, "0")}`;
    const named = Object.entries(rows).map(([t, list]) => [t, list.map((row) => ({ ...row, account }))]);
    return { account, rows: Object.fromEntries(named) as Rows };
  };

  async function orders(account: string): Promise<OrderState[]> {
    return db.database.query<OrderState & Record<string, unknown>>(
      `select account_address as account, order_id as "orderId", coin, side, order_type as "orderType", tif, size,
         limit_price as "limitPrice", trigger_price as "triggerPrice", filled, fill_percentage as "fillPercentage",
         status, venue_status as "venueStatus", cloid, reduce_only as "reduceOnly",
         (extract(epoch from placed_at) * 1000)::bigint as "placedAtMs", status_time_ms as "statusTimeMs",
         last_fill_time_ms as "lastFillTimeMs", hl_raw_order(hl_orders) as raw, source,
         (extract(epoch from updated_at) * 1000)::bigint as "updatedAtMs"
       from public.hl_orders where account_address = $1`,
      [account],
    );
  }

  function expectedOrders(fills: FillRow[], events: OrderEventRow[]): OrderState[] {
    const ids = new Set(events.map((e) => e.orderId));
    return [...ids].map((id) => {
      const of = <R extends { orderId: number }>(rows: R[]) => rows.filter((r) => r.orderId === id);
      return foldOrder(of(events), of(fills))!;
    });
  }

  it("are what the pure rule makes of the set of rows", async (t) => {
    const seed = Number(process.env.HLSYNC_SEED ?? Date.now() % 2 ** 31);
    t.diagnostic(`seed ${seed}`);
    await fc.assert(
      fc.asyncProperty(rowsArbitrary, planArbitrary, async (generated, plan) => {
        const { account, rows } = own(generated);
        const applied: Applied[] = [];
        const write = async (batch: Batch) => void applied.push(await db.store.apply(batch));
        if (plan.together) await Promise.all(cut(rows, plan).map(write));
        else for (const batch of cut(rows, plan)) await write(batch);

        const fills = [...joined(rows.fills, keyOf.fills, joinFills).values()];
        const events = [...joined(rows.orderEvents, keyOf.orderEvents, joinOrderEvents).values()];
        const { store } = db;
        assert.deepEqual(sorted((await store.fills(account, 0, 9e12)).map(asWritten)), sorted(fills));
        assert.deepEqual(sorted(await store.orderEvents(account, [1, 2, 3])), sorted(events));
        assert.deepEqual(sorted(await orders(account)), sorted(expectedOrders(fills, events)));
        assert.deepEqual(
          sorted(await store.positions(account)),
          sorted(joined(rows.positions, keyOf.positions, joinPositions).values()),
        );
        assert.deepEqual(
          sorted(await store.funding(account, 0, 9e12)),
          sorted(joined(rows.funding, keyOf.funding, joinFunding).values()),
        );
        assert.deepEqual(
          sorted((await store.ledger(account, 0, 9e12)).map(asWritten)),
          sorted(joined(rows.ledger, keyOf.ledger, joinLedger).values()),
        );
        const balances = await db.database.query(
          `select account_address as account, coin, token, total, hold, entry_notional as "entryNotional",
             raw_balance as raw, as_of_ms as "asOfMs" from hl_balances where account_address = $1`,
          [account],
        );
        assert.deepEqual(
          sorted(balances),
          sorted(joined(rows.balances, keyOf.balances, joinBalances).values() as Iterable<never>),
        );
        const known = [
          ...(await store.coverage(account, "fills")),
          ...(await store.coverage(account, "orders")),
        ];
        assert.deepEqual(covered(known), covered(rows.coverage));

        const created = applied.flatMap((a) => a.events.filter((e) => e.type === "fill.created"));
        assert.deepEqual(created.map((e) => e.key).sort(), fills.map(eventKey).sort());
      }),
      { numRuns: NUM_RUNS, seed },
    );
  });

  it("do not change when everything is written again", async () => {
    await fc.assert(
      fc.asyncProperty(rowsArbitrary, planArbitrary, async (generated, plan) => {
        const { rows } = own(generated);
        for (const batch of cut(rows, plan)) await db.store.apply(batch);
        for (const batch of cut(rows, { ...plan, batches: 1 })) {
          const again = await db.store.apply(batch);
          assert.deepEqual(again.events, []);
          assert.ok(Object.values(again.written).every((n) => n === 0));
        }
      }),
      { numRuns: Math.ceil(NUM_RUNS / 3) },
    );
  });
});

const eventKey = (f: FillRow): string =>
  ["fill", f.account, f.coin, f.timeMs, f.orderId, f.tradeId, f.side].join(":");
