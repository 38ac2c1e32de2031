-- A market's orders by their time, as the index on spans of eight days has them. A function, for its settings: while a table was never
-- analyzed, the planner takes all orders of a market for one, and sorts them before it looks at how many are asked for.

create or replace function hl_internal.orders_of_market(
  followed text, market text, from_at timestamptz, before_at timestamptz, most bigint, but_statuses text[])
returns setof public.hl_orders
language sql stable rows 500 set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set jit = off
begin atomic
  select o.* from public.hl_orders o
  where o.account_address = orders_of_market.followed and o.coin = orders_of_market.market
    and o.status_at >= orders_of_market.from_at and o.status_at < orders_of_market.before_at
    and o.status <> all (orders_of_market.but_statuses)
    -- Follows from the bounds of the time; only so an index on spans is entered where they are.
    and date_bin('192 hours', o.status_at, '2000-01-01 00:00:00+00') < orders_of_market.before_at
    and date_bin('192 hours', o.status_at, '2000-01-01 00:00:00+00') > orders_of_market.from_at - interval '192 hours'
  order by date_bin('192 hours', o.status_at, '2000-01-01 00:00:00+00') desc, o.status_at desc
  fetch first (orders_of_market.most) rows with ties;
end;
comment on function hl_internal.orders_of_market is 'The newest orders of a market in [from_at, before_at) but those of some statuses, a few more where the last ones share their time.';
