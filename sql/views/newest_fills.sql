-- Behind row level security `order by fill_time desc limit 50` walks the fills of all accounts until it has met enough of the
-- reader's: of a million it may read each. Account by account there is nothing to pass over.

create or replace function public.hl_newest_fills(most integer default 50) returns setof public.hl_fills_text
language sql stable rows 50 set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set jit = off
begin atomic
  select t.* from (
    select f.* from hl_internal.accounts a
    cross join lateral (
      select x.account_address, x.coin, x.fill_time_ms, x.order_id, x.trade_id, x.side from public.hl_fills x
      -- A range and an order that only the index by account and time has: the planner cannot know how few are asked for.
      where x.account_address between a.account_address and a.account_address
      order by x.account_address, x.fill_time desc limit least(most, 1000)
    ) f
    order by f.fill_time_ms desc limit least(most, 1000)
  ) n
  -- By its key, one by one.
  cross join lateral (
    select r.* from public.hl_fills_text r
    where r.account_address = n.account_address and r.coin = n.coin and r.fill_time_ms = n.fill_time_ms
      and r.order_id = n.order_id and r.trade_id = n.trade_id and r.side = n.side
    limit 1
  ) t
  order by n.fill_time_ms desc;
end;
comment on function public.hl_newest_fills is 'The newest fills of all accounts that the reader may read, at most 1000, with decimals as text.';
