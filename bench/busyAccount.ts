/**
 * An account with a long history, made by the server itself: about 50 µs a fill. Guarantees: the fills of a coin chain,
 * four to a round trip; some come two to a millisecond, of one order or in another order than they happened; orders, their
 * transitions, funding, snapshots, ledger and prices come with them.
 */
import type { Database } from "../src/store/database.ts";
import type { Address } from "../src/sync/rows.ts";

export interface Busy {
  fills: number;
  coins: number;
  days: number;
  /** The newest fill. */
  nowMs: number;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** $1 account, $2 fills, $3 coins, $4 first millisecond, $5 milliseconds between fills. */
const FILLS = `
  insert into public.hl_fills (account_address, coin, fill_time, fill_time_ms, side, size, price, value, fee, fee_token,
    start_position, closed_pnl, direction, order_id, trade_id, hash, crossed, raw_fill, source, first_seen_at, priority_gas,
    block_number)
  select $1, f.coin, to_timestamp(f.at_ms / 1000.0), f.at_ms, f.side, 0.5, f.price, 0.5 * f.price, f.fee, 'USDC',
    f.start_position, f.closed_pnl, f.direction, f.order_id, f.trade_id, f.hash, f.n % 3 = 0,
    jsonb_build_object('coin', f.coin, 'px', f.price::text, 'sz', '0.5', 'side', case f.side when 'buy' then 'B' else 'A' end,
      'time', f.at_ms, 'startPosition', f.start_position, 'dir', f.direction, 'closedPnl', f.closed_pnl::text, 'hash', f.hash,
      'oid', f.order_id, 'crossed', f.n % 3 = 0, 'fee', f.fee::text, 'tid', f.trade_id, 'feeToken', 'USDC', 'twapId', null),
    'backfill', to_timestamp(f.at_ms / 1000.0), case when f.n % 1000 = 0 then 0.0001 end, hl_internal.block_number(f.hash)
  from (
    select m.*, case when m.step < 2 then 'buy' else 'sell' end as side, (array['0.0', '0.5', '1.0', '0.5'])[m.step + 1] as start_position,
      case when m.step < 2 then 'Open Long' else 'Close Long' end as direction,
      case when m.step < 2 then 0.0 else ((m.n * 7919) % 2001 - 1000) / 100.0 end as closed_pnl,
      60000.5 + m.n % 997 as price, 0.012345 + (m.n % 7) / 1000.0 as fee, 900000000000000 + m.n * 7 as trade_id,
      5000000000 + (m.pair * $3::bigint + m.coin_number) * 2
        + case when m.pair % 16 = 8 then 1 - m.step % 2 else 0 end as order_id,
      case when m.pair % 16 = 8 then '0x' || repeat('0', 64)
        else '0x' || lpad(to_hex(m.n * 7919), 20, 'a') || '04' || lpad(to_hex(m.n), 8, '0') || lpad(to_hex(m.n), 34, '0') end as hash
    from (
      select n, n % $3::bigint as coin_number, (n / $3::bigint) % 4 as step, n / (2 * $3::bigint) as pair,
        case n % $3::bigint when 0 then 'BTC' when 1 then 'ETH' else 'C' || n % $3::bigint end as coin,
        $4::bigint + (case when (n / (2 * $3::bigint)) % 4 = 0 then n / (2 * $3::bigint) * 2 * $3::bigint + n % $3::bigint else n end) * $5::bigint as at_ms
      from generate_series(0, $2::bigint - 1) n
    ) m
  ) f`;

/** Two transitions an order, and the orders that follow from them; the newest 50 are open. */
const ORDERS = `
  with placed as (
    select f.account_address, f.order_id, min(f.coin) as coin, min(f.side) as side, min(f.price) as price, sum(f.size) as size,
      min(f.fill_time_ms) - 500 as placed_ms, max(f.fill_time_ms) as filled_ms, max(f.order_id) over () as newest
    from public.hl_fills f where f.account_address = $1 group by f.account_address, f.order_id
  ),
  events as (
    select p.*, v.status, v.at_ms, v.remaining, jsonb_build_object('order', jsonb_build_object('coin', p.coin, 'side',
        case p.side when 'buy' then 'B' else 'A' end, 'limitPx', p.price::text, 'sz', v.remaining::text, 'oid', p.order_id,
        'timestamp', p.placed_ms, 'origSz', p.size::text, 'reduceOnly', false, 'orderType', 'Limit', 'tif', 'Gtc', 'cloid', null,
        'triggerCondition', 'N/A', 'isTrigger', false, 'triggerPx', '0.0', 'children', '[]'::jsonb, 'isPositionTpsl', false),
      'status', v.status, 'statusTimestamp', v.at_ms) as raw
    from placed p cross join lateral (
      values ('open', p.placed_ms, p.size), ('filled', p.filled_ms, 0)
    ) v(status, at_ms, remaining)
  ),
  put as (
    insert into public.hl_order_events (account_address, order_id, venue_status, status, status_time_ms, remaining, coin, side,
      limit_price, size, placed_at_ms, order_type, tif, reduce_only, raw_event, source, first_seen_at)
    select e.account_address, e.order_id, e.status, e.status, e.at_ms, e.remaining, e.coin, e.side, e.price, e.size, e.placed_ms,
      'Limit', 'Gtc', false, e.raw, 'backfill', to_timestamp(e.at_ms / 1000.0)
    from events e where e.status = 'open' or e.order_id < e.newest - 100
  )
  insert into public.hl_orders (account_address, order_id, coin, side, order_type, tif, size, limit_price, filled, fill_percentage,
    status, venue_status, reduce_only, placed_at, status_at, status_time_ms, last_fill_time_ms, raw_order, source, updated_at)
  select e.account_address, e.order_id, e.coin, e.side, 'Limit', 'Gtc', e.size, e.price,
    case when e.status = 'filled' then e.size else 0 end, case when e.status = 'filled' then 100 else 0 end, e.status, e.status, false,
    to_timestamp(e.placed_ms / 1000.0), to_timestamp(e.at_ms / 1000.0), e.at_ms,
    case when e.status = 'filled' then e.filled_ms end, e.raw, 'backfill', to_timestamp(e.at_ms / 1000.0)
  from events e where e.status = case when e.order_id < e.newest - 100 then 'filled' else 'open' end`;

/** $1 account, $2 first and $3 last millisecond. */
const AROUND = [
  `insert into public.hl_funding (account_address, coin, funding_time, funding_time_ms, usdc, size, funding_rate, raw_funding,
     source, first_seen_at)
   select $1, coin, to_timestamp(at_ms / 1000.0), at_ms, round(((at_ms / 3600000 * 7) % 13 - 6) / 10.0, 4), 0.5, 0.0000125,
     jsonb_build_object('time', at_ms, 'coin', coin, 'usdc', '-0.1', 'szi', '0.5', 'fundingRate', '0.0000125', 'nSamples', null),
     'backfill', to_timestamp(at_ms / 1000.0)
   from unnest(array['BTC', 'ETH', 'C2', 'C3', 'C4']) coin,
     generate_series($2::bigint / 3600000 * 3600000 + 12, $3::bigint, 3600000) at_ms`,
  `insert into public.hl_ledger (account_address, ledger_time, ledger_time_ms, hash, type, digest, usdc, effect, flow_usd, perp_usdc,
     spot_usdc, raw_ledger, source, first_seen_at)
   select $1, to_timestamp(at_ms / 1000.0), at_ms, '0x' || lpad(to_hex(at_ms), 64, '0'), 'deposit', lpad(to_hex(at_ms), 16, '0'),
     100, 'flow', 100, 100, 0, jsonb_build_object('time', at_ms, 'delta', '{"type": "deposit", "usdc": "100"}'::jsonb),
     'backfill', to_timestamp(at_ms / 1000.0)
   from generate_series($2::bigint, $3::bigint, 86400000) at_ms`,
  `insert into public.hl_dashboard (account_address, as_of, as_of_ms, account_value, withdrawable, total_margin_used,
     total_notional_position, total_raw_usd, maintenance_margin, free_margin, total_positions, total_unrealized_pnl,
     health_score, health_status, account_mode, net_worth, health_components)
   select $1, to_timestamp(at_ms / 1000.0), at_ms, worth, 100, 10, 1000, 0, 5, 90, 5, 1, 80, 'good', 'standard', worth,
     '{"pools": [], "positions": []}'
   from (
     select at_ms, round((10000 + 900 * sin(at_ms / 9e8) + (at_ms / 60000 * 7919 % 1009) / 50.0)::numeric, 4) as worth
     from (select generate_series($2::bigint, $3::bigint - 86400000, 3600000) as at_ms
           union all select generate_series($3::bigint - 86399000, $3::bigint, 60000)) t
   ) s`,
  `insert into hl_internal.token_prices (token, hour_ms, at_ms, price)
   select 'HYPE', hour_ms, hour_ms + 60000, 40 + hour_ms / 3600000 % 7
   from generate_series($2::bigint / 3600000 * 3600000, $3::bigint, 3600000) hour_ms where $1::text <> ''
   on conflict do nothing`,
  `insert into public.hl_positions (account_address, dex, coin, side, size, mark_price, position_value, margin_used, unrealized_pnl,
     as_of, as_of_ms, updated_at)
   select $1::text, '', 'C' || n, case when n < 8 then 'long' else 'flat' end, 0.5, 60000, 30000, 1500, 5,
     to_timestamp($3::bigint / 1000.0), $3, now() from generate_series(2, 40) n where $2::bigint < $3::bigint`,
  `insert into public.hl_balances (account_address, coin, token, total, hold, entry_notional, as_of, as_of_ms, updated_at)
   select $1, 'T' || n, n, 10, 0, 10, to_timestamp($3::bigint / 1000.0), $3, now() from generate_series(0, 5) n where $2::bigint < $3::bigint`,
  `insert into hl_internal.states (account_address, kind, dex, as_of_ms, read_at)
   select $1, kind, '', $3, now() from unnest(array['perp', 'spot']) kind where $2::bigint < $3::bigint`,
  `insert into hl_internal.coverage (account_address, stream, grade, covered)
   select $1, stream, 'proven', int8multirange(int8range($2, $3))
   from unnest(array['fills', 'twapFills', 'orders', 'funding', 'ledger']) stream`,
  `insert into hl_internal.outbox (event_key, type, account_address, time_ms, source, data)
   select 'fill:' || n, 'fill.created', $1, $2, 'stream', '{"coin": "BTC"}' from generate_series(1, 2000) n where $2::bigint < $3::bigint`,
];

export async function makeBusyAccount(
  db: Database,
  account: Address,
  { fills, coins, days, nowMs }: Busy,
): Promise<void> {
  const fromMs = nowMs - days * DAY_MS;
  const patience = { timeoutMs: HOUR_MS };
  await db.query(
    "insert into hl_internal.accounts (account_address, since_ms, mode) values ($1, $2, 'standard')",
    [account, fromMs],
  );
  const everyMs = Math.max(1, Math.floor((days * DAY_MS) / fills));
  await db.query(FILLS, [account, fills, coins, nowMs - everyMs * fills, everyMs], patience);
  await db.query(ORDERS, [account], patience);
  for (const sql of AROUND) await db.query(sql, [account, fromMs, nowMs], patience);
}
