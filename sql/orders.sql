-- hl_orders: a pure function of hl_order_events and hl_fills.

-- All orders of a batch at once: their transitions are sorted together, the deciding one of each first, and an order is what
-- its group says. Two index scans per order, whatever the statistics of a young table make the planner think: fills are asked
-- for by a range and in an order that only their index on orders has, as while there are few of them an index on time looks as
-- good, and a plan that is kept would go on reading all fills of an account for each order.
create or replace function hl_internal.derive_orders(accounts text[], order_ids bigint[]) returns setof public.hl_orders
language plpgsql stable set search_path = '' set enable_seqscan = off set enable_sort = off
set plan_cache_mode = force_generic_plan as $$
begin
  return query
  with wanted as (
    select distinct w.id, w.account from unnest(accounts, order_ids) as w(account, id)
  ),
  -- First comes the deciding transition: terminal over unknown over open, then the latest, then the greater word (of open
  -- and triggered in one millisecond the latter).
  transitions as (
    select w.account, w.id, e.event
    from wanted w
    cross join lateral (
      select t as event from public.hl_order_events t where t.account_address = w.account and t.order_id = w.id offset 0
    ) e
    order by w.id, w.account,
      case (e.event).status when 'open' then 0 when 'triggered' then 0 when 'unknown' then 1 else 2 end desc,
      (e.event).status_time_ms desc, (e.event).venue_status collate "C" desc
  ),
  -- Kept apart, since an expression that is used twice is evaluated twice.
  told as materialized (
    select t.account, t.id, (array_agg(t.event))[1] as last,
      (array_agg((t.event).order_type) filter (where (t.event).order_type is not null))[1] as any_order_type,
      (array_agg((t.event).tif) filter (where (t.event).tif is not null))[1] as any_tif,
      (array_agg((t.event).trigger_price) filter (where (t.event).trigger_price is not null))[1] as any_trigger_price,
      (array_agg((t.event).reduce_only) filter (where (t.event).reduce_only is not null))[1] as any_reduce_only,
      (array_agg((t.event).cloid) filter (where (t.event).cloid is not null))[1] as any_cloid,
      max((t.event).size - (t.event).remaining) as told,
      max((t.event).first_seen_at) as seen_at
    from transitions t group by t.id, t.account
  ),
  counted as materialized (
    select (e.last).*, e.any_order_type, e.any_tif, e.any_trigger_price, e.any_reduce_only, e.any_cloid,
      f.last_fill_ms, greatest(e.seen_at, f.seen_at) as newest_at,
      case
        when (e.last).size > 0 and (e.last).status = 'filled' then (e.last).size
        when (e.last).size > 0 then least(greatest(f.traded, e.told, 0), (e.last).size)
        else greatest(f.traded, e.told, 0)
      end as done
    from told e
    cross join lateral (
      select sum(x.size) as traded, max(x.fill_time_ms) as last_fill_ms, max(x.first_seen_at) as seen_at
      from (
        select t.size, t.fill_time_ms, t.first_seen_at from public.hl_fills t
        where t.account_address = e.account and t.order_id between e.id and e.id
        order by t.account_address, t.order_id offset 0
      ) x
    ) f
  ),
  judged as (
    select c.*, case
      when c.status in ('open', 'triggered', 'unknown') and c.size > 0 and c.done >= c.size then 'filled'
      when c.status = 'open' and c.done > 0 and c.done < c.size then 'partially_filled'
      else c.status
    end as verdict
    from counted c
  ),
  -- An order known to be filled by its fills alone was filled at the last of them.
  timed as materialized (
    select j.*, case when j.verdict = 'filled' and j.status <> 'filled'
      then greatest(j.status_time_ms, j.last_fill_ms) else j.status_time_ms end as verdict_ms
    from judged j
  )
  select t.account_address, t.order_id, t.coin, t.side, t.any_order_type, t.any_tif, t.size, t.limit_price,
    t.any_trigger_price, trim_scale(t.done),
    case when t.size > 0 then trim_scale(div(t.done * 100000000, t.size) * 0.000001) end,
    t.verdict, t.venue_status, t.any_cloid, t.any_reduce_only,
    to_timestamp(t.placed_at_ms / 1000.0), to_timestamp(t.verdict_ms / 1000.0), t.verdict_ms,
    t.last_fill_ms, case when t.raw_event is not null then to_jsonb(t.status_time_ms) end, t.source, t.newest_at
  from timed t;
end
$$;
comment on function hl_internal.derive_orders is 'The rows of hl_orders as they follow from hl_order_events and hl_fills. An order without a transition has none.';

-- The row as it was is looked for by a range and an order that only the key of hl_orders has: while the table is nearly
-- empty, its index on (account_address, status) looks as good as the key, and a plan that is kept would go on reading all
-- orders of an account for each one.
create or replace function hl_internal.refresh_orders(accounts text[], order_ids bigint[]) returns hl_internal.outcome
language plpgsql set search_path = '' set enable_seqscan = off set enable_sort = off
set plan_cache_mode = force_generic_plan set jit = off as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
begin
  with derived as materialized (
    select d.* from hl_internal.derive_orders(accounts, order_ids) d
  ),
  -- Reads the rows as they were before this statement.
  before as materialized (
    select b.* from derived d
    cross join lateral (
      select t.account_address, t.order_id, t.status, t.venue_status, t.filled from public.hl_orders t
      where t.account_address = d.account_address and t.order_id between d.order_id and d.order_id
      order by t.account_address, t.order_id limit 1
    ) b
  ),
  written as (
    insert into public.hl_orders as t
    select d.* from derived d
    on conflict (account_address, order_id) do update set (
      coin, side, order_type, tif, size, limit_price, trigger_price, filled, fill_percentage, status, venue_status,
      cloid, reduce_only, placed_at, status_at, status_time_ms, last_fill_time_ms, raw_order, source, updated_at
    ) = (
      excluded.coin, excluded.side, excluded.order_type, excluded.tif, excluded.size, excluded.limit_price,
      excluded.trigger_price, excluded.filled, excluded.fill_percentage, excluded.status, excluded.venue_status,
      excluded.cloid, excluded.reduce_only, excluded.placed_at, excluded.status_at, excluded.status_time_ms,
      excluded.last_fill_time_ms, excluded.raw_order, excluded.source, excluded.updated_at
    )
    where excluded operator(pg_catalog.*<>) t
    returning t.order_id, t.account_address, t.status, t.venue_status, t.filled, t.source, t as entry
  )
  select (select count(*) from derived), (select count(*) from written),
    hl_internal.order_events(array_agg(w.entry) filter (where b.order_id is not null or w.source <> 'legacy'))
  into result.sent, result.written, result.events
  from written w left join before b using (order_id, account_address)
  where (b.status, b.venue_status, b.filled) is distinct from (w.status, w.venue_status, w.filled);
  return result;
end
$$;
comment on function hl_internal.refresh_orders is 'Derives the given orders again and writes those that changed.';
