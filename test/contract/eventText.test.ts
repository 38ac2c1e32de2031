/** What events tell is written as text by hand (sql/events.sql): the same as what PostgreSQL makes of the rows, whatever is in them. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Random, seededRandom } from "../../src/runtime/random.ts";
import type { FillRow, OrderEventRow } from "../../src/sync/rows.ts";
import { startServer, type TestDatabase, type TestServer } from "../support/postgres.ts";
import { ACCOUNT, fillOf, OTHER, orderEventOf, T } from "./rows.ts";

const SEED = Number(process.env.HLSYNC_SEED ?? 11);
const ROWS = 150;
const ODD = [
  '"',
  "\\",
  "\n",
  "\u0001",
  "{",
  "}",
  ":",
  ",",
  "ä",
  "😀",
  "null",
  "'",
  "\\u0022",
  "/",
  "",
  "true",
];

/** The rows of a table as their events told them while the database made JSON of each. */
const TOLD = {
  fills: `select row_to_json(data) as data from public.hl_fills f cross join lateral (
      select f.account_address, f.coin, f.fill_time_ms, f.side, f.size::text, f.price::text, f.value::text,
        f.fee::text, f.fee_token, f.start_position, f.closed_pnl::text, f.direction, f.order_id, f.trade_id, f.hash,
        f.crossed, f.cloid, f.builder_fee::text, f.twap_id, f.liquidation,
        hl_internal.own_liquidation(f.account_address, f.liquidation, f.direction) as liquidated,
        coalesce((select m.name from public.hl_markets m where m.coin = f.coin), f.coin) as name
    ) data order by f.fill_time_ms, f.trade_id`,
  orders: `select row_to_json(data) as data from public.hl_orders o cross join lateral (
      select o.account_address, o.order_id, o.coin, o.side, o.order_type, o.tif, o.size::text, o.limit_price::text,
        o.trigger_price::text, o.filled::text, o.fill_percentage::text, o.status, o.venue_status, o.cloid, o.reduce_only,
        (extract(epoch from o.placed_at) * 1000)::bigint as placed_at_ms, o.status_time_ms, o.last_fill_time_ms,
        coalesce((select m.name from public.hl_markets m where m.coin = o.coin), o.coin) as name
    ) data order by greatest(o.status_time_ms, o.last_fill_time_ms), o.order_id`,
} as const;

function makers(random: Random) {
  const below = (n: number) => Math.floor(random.next() * n);
  const odd = () => Array.from({ length: 1 + below(3) }, () => ODD[below(ODD.length)]).join("");
  const maybe = <Value>(value: Value): Value | null => (random.next() < 0.4 ? null : value);
  const account = () => (random.next() < 0.5 ? ACCOUNT : OTHER);
  const decimal = () => `${below(99)}.${below(99)}0`;
  const liquidation = () => ({
    liquidatedUser: random.next() < 0.5 ? ACCOUNT : OTHER,
    markPx: decimal(),
    method: odd(),
  });
  const fill = (n: number): FillRow =>
    fillOf({
      ...{
        account: account(),
        coin: odd(),
        timeMs: T + n,
        tradeId: n,
        orderId: n % 40,
        side: n % 2 ? "buy" : "sell",
      },
      ...{
        direction: random.next() < 0.2 ? `Liquidated ${odd()}` : odd(),
        feeToken: maybe(odd()),
        hash: maybe(odd()),
      },
      ...{ startPosition: decimal(), price: decimal(), size: decimal(), crossed: random.next() < 0.5 },
      ...{ cloid: maybe(odd()), builderFee: maybe(decimal()), twapId: maybe(below(1e9)) },
      liquidation: random.next() < 0.3 ? liquidation() : null,
    });
  const transition = (n: number): OrderEventRow =>
    orderEventOf({
      ...{ account: account(), orderId: n, coin: odd(), side: n % 2 ? "buy" : "sell", statusTimeMs: T + n },
      ...{ venueStatus: random.next() < 0.5 ? "open" : odd(), orderType: maybe(odd()), tif: maybe(odd()) },
      ...{ triggerPrice: maybe(decimal()), reduceOnly: maybe(random.next() < 0.5), cloid: maybe(odd()) },
      ...{ limitPrice: decimal(), size: decimal(), remaining: "0.0", placedAtMs: T - below(1e6) },
    });
  return { fill, transition };
}

describe("the text of events", () => {
  let server: TestServer;
  let db: TestDatabase;
  before(async () => {
    server = await startServer("real");
    db = await server.newDatabase();
  });
  after(async () => {
    await db?.close();
    await server?.stop();
  });

  it("is what PostgreSQL makes of the rows", async () => {
    const { fill, transition } = makers(seededRandom(SEED));
    const rows = Array.from({ length: ROWS }, (_, n) => n);
    await db.database.query(
      `insert into public.hl_markets (coin, kind, name, is_delisted, as_of_ms) values ('"', 'perp', 'a "name"', false, 0)`,
    );
    for (const [list, batch] of [
      ["fills", { fills: rows.map(fill) }],
      ["orders", { orderEvents: rows.map(transition) }],
    ] as const) {
      const { events } = await db.store.apply(batch);
      const told = (await db.database.query(TOLD[list])).map(({ data }) => data);
      assert.equal(told.length, ROWS);
      assert.deepEqual(
        events.map(({ data }) => data),
        told,
        `seed ${SEED}`,
      );
      const stored = await db.database.query(
        "select data from hl_internal.outbox where id = any ($1::bigint[])",
        [events.map(({ id }) => id)],
      );
      assert.deepEqual(
        new Set(stored.map(({ data }) => JSON.stringify(data))),
        new Set(told.map((data) => JSON.stringify(data))),
      );
    }
  });

  it("comes as a list of objects to a program of before", async () => {
    const batch = {
      fills: [fillOf({ tradeId: 9_001 }), fillOf({ tradeId: 9_002 })],
      orderEvents: [orderEventOf()],
    };
    const { events, written } = await db.store.apply(batch);
    await db.database.query(
      "delete from public.hl_fills where trade_id > 9000; delete from public.hl_orders where order_id > 1000; delete from public.hl_order_events where order_id > 1000",
    );
    const [row] = await db.database.query<{ applied: { events: unknown[]; written: unknown } }>(
      "select hl_internal.apply(array[$1], fills => $2::json, order_events => $3::json) as applied",
      [ACCOUNT, JSON.stringify(batch.fills), JSON.stringify(batch.orderEvents)],
    );
    const without = (list: unknown[]) => list.map((event) => ({ ...(event as object), id: null }));
    assert.equal(events.length, 3);
    assert.ok(row!.applied.events.every((event) => typeof (event as { id: unknown }).id === "string"));
    assert.deepEqual(without(row!.applied.events), without(events));
    assert.deepEqual(row!.applied.written, written);
    const [nothing] = await db.database.query<{ applied: { events: unknown } }>(
      "select hl_internal.apply('{}') as applied",
    );
    assert.deepEqual(nothing?.applied?.events, []);
  });
});
