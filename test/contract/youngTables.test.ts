/** Plans are kept per connection: one that is made while tables are young must serve when they have grown. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { useDatabase } from "../support/postgres.ts";
import { ACCOUNT } from "./rows.ts";

const FILLS = 100;
const ORDERS = 20;

/** Many fills of few orders, so that an index on the account alone looks as good as one on its orders. */
const fillsOf = (orders: number) => `
  insert into public.hl_fills (account_address, coin, fill_time, fill_time_ms, side, size, price, value, fee, closed_pnl, direction,
    order_id, trade_id, start_position, crossed, source, first_seen_at)
  select '${ACCOUNT}', 'BTC', to_timestamp(1790000000 + n), (1790000000 + n) * 1000::bigint, 'buy', 1, 1, 1, 0, 0, '',
    n % ${orders}, n, '0', true, 'stream', now() from generate_series(1, ${FILLS}) n`;

describe("a plan made while tables are young", () => {
  const db = useDatabase("each");

  for (const orders of [1, 2, 5, ORDERS])
    it(`reads of ${ORDERS} orders the fills that they have, when all fills are of ${orders}`, async () => {
      const [read] = await db.database.query<{ rows: number }>(`
        truncate public.hl_fills;
        ${fillsOf(orders)};
        analyze public.hl_fills;
        insert into public.hl_order_events (account_address, order_id, venue_status, status, status_time_ms, remaining, coin, side,
          limit_price, size, placed_at_ms, source, first_seen_at)
        select '${ACCOUNT}', n, 'open', 'open', 1, 1, 'BTC', 'buy', 1, 1, 1, 'stream', now() from generate_series(0, ${ORDERS} - 1) n
        on conflict do nothing;
        discard plans;
        create temporary table before on commit drop as
          select idx_tup_fetch as rows from pg_stat_xact_user_tables where relid = 'public.hl_fills'::regclass;
        do $$ begin
          perform from hl_internal.derive_orders(
            (select array_agg('${ACCOUNT}'::text) from generate_series(1, ${ORDERS})),
            (select array_agg(n) from generate_series(0, ${ORDERS} - 1) n));
        end $$;
        select (t.idx_tup_fetch - b.rows)::int as rows from pg_stat_xact_user_tables t, before b
        where t.relid = 'public.hl_fills'::regclass`);
      assert.equal(read?.rows, FILLS);
    });
});
