-- hl_internal.equity_stretches, kept by triggers (migrations/0007 says what a stretch is).

-- hl_equity_since is the definition; this counts the same for a few hours, from the snapshot before them. A plan that was
-- made while the tables were small is kept: it must be the one that goes by key.
create or replace function hl_internal.shape_equity(followed text, from_ms bigint, to_ms bigint) returns void
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan set enable_seqscan = off
set enable_bitmapscan = off as $$
declare
  hour_ms constant bigint := 3600000;
  low_ms bigint := from_ms - from_ms % hour_ms;
  end_ms bigint;
  before_ms bigint;
begin
  -- To the end of the hour of the first snapshot behind: it is the one that what flowed until then counts to.
  select d.as_of_ms - d.as_of_ms % hour_ms + hour_ms into end_ms from public.hl_dashboard d
  where d.account_address = followed and d.as_of >= to_timestamp(to_ms / 1000.0) and d.as_of_ms >= to_ms
    and d.net_worth is not null
  order by d.as_of limit 1;
  end_ms := coalesce(end_ms, 9000000000000000);
  select d.as_of_ms into before_ms from public.hl_dashboard d
  where d.account_address = followed and d.as_of < to_timestamp(low_ms / 1000.0) and d.net_worth is not null
  order by d.as_of desc limit 1;

  delete from hl_internal.equity_stretches s
  where s.account_address = followed and s.first_ms >= low_ms and s.first_ms < end_ms;

  insert into hl_internal.equity_stretches (
    account_address, first_ms, last_ms, snapshots, flow, gain, high_gain, low_gain, low_value, close_value,
    close_unrealized_pnl, fallen, fallen_pct, close_account_value)
  with timeline as (
    select d.as_of_ms as at_ms, 1 as kind, d.net_worth, d.account_value, d.total_unrealized_pnl, 0::numeric as flow_usd
    from public.hl_dashboard d
    where d.account_address = followed and d.as_of >= to_timestamp(coalesce(before_ms, low_ms) / 1000.0)
      and d.as_of_ms < end_ms and d.net_worth is not null
    union all
    select l.ledger_time_ms, 0, null, null, null, l.flow_usd from public.hl_ledger l
    where l.account_address = followed and l.ledger_time > to_timestamp(coalesce(before_ms, low_ms) / 1000.0)
      and l.ledger_time_ms > coalesce(before_ms, low_ms) and l.ledger_time_ms < end_ms and l.flow_usd is distinct from 0
  ),
  moved as (
    select t.*, sum(t.flow_usd) over so_far as moved, count(*) filter (where t.flow_usd is null) over so_far as lost
    from timeline t window so_far as (order by t.at_ms, t.kind rows unbounded preceding)
  ),
  steps as (
    select m.*, lag(m.net_worth) over shots as last_worth, lag(m.moved) over shots as last_moved,
      lag(m.lost) over shots as last_lost
    from moved m where m.kind = 1 window shots as (order by m.at_ms)
  ),
  flowed as (
    select s.*, case when s.last_worth is null then 0 when s.lost > s.last_lost then null
        else s.moved - s.last_moved end as flow,
      coalesce(s.last_worth, s.net_worth) as opened
    from steps s
  ),
  numbered as (
    select f.*, count(*) filter (where f.begins) over (order by f.at_ms rows unbounded preceding) as stretch
    from (
      select f.*, lag(f.at_ms) over shots is null or f.flow is distinct from 0
        or f.at_ms / hour_ms <> lag(f.at_ms) over shots / hour_ms
        or (f.net_worth > 0) <> (lag(f.net_worth) over shots > 0) as begins
      from flowed f where f.at_ms >= low_ms window shots as (order by f.at_ms)
    ) f
  ),
  -- Of a stretch: profit since the snapshot before it, net worth less a constant.
  gains as (
    select n.*, n.net_worth - coalesce(first_value(n.opened + n.flow) over own, first_value(n.net_worth) over own) as gained
    from numbered n window own as (partition by n.stretch order by n.at_ms rows unbounded preceding)
  ),
  falls as (
    select g.*, max(g.gained) over (partition by g.stretch order by g.at_ms rows unbounded preceding) - g.gained as fell
    from gains g
  )
  select followed, min(at_ms), max(at_ms), count(*), (array_agg(flow order by at_ms))[1],
    (array_agg(gained order by at_ms desc))[1], max(gained), min(gained), min(net_worth),
    (array_agg(net_worth order by at_ms desc))[1], (array_agg(total_unrealized_pnl order by at_ms desc))[1],
    max(fell), max(hl_internal.drawdown_pct(net_worth, fell)) filter (where net_worth > 0),
    (array_agg(account_value order by at_ms desc))[1]
  from falls group by stretch;

  with sums as (
    select s.first_ms,
      coalesce(b.net_flows, 0) + sum(coalesce(s.flow, 0)) over so_far as net_flows,
      coalesce(b.is_known, true) and bool_and(s.flow is not null) over so_far as is_known,
      coalesce(b.profit, 0) + sum(s.gain) over so_far as profit, s.gain, s.high_gain, s.low_gain, s.low_value,
      s.close_value, s.fallen, s.fallen_pct, b.peak_profit, b.deepest, b.deepest_pct
    from hl_internal.equity_stretches s
    left join lateral (
      select e.* from hl_internal.equity_stretches e
      where e.account_address = followed and e.first_ms < low_ms order by e.first_ms desc limit 1
    ) b on true
    where s.account_address = followed and s.first_ms >= low_ms
    window so_far as (order by s.first_ms rows unbounded preceding)
  ),
  peaks as (
    select s.*, s.profit - s.gain + s.low_gain as low_profit,
      greatest(s.peak_profit, max(s.profit - s.gain + s.high_gain) over (
        order by s.first_ms rows unbounded preceding)) as peak,
      greatest(s.peak_profit, max(s.profit - s.gain + s.high_gain) over (
        order by s.first_ms rows between unbounded preceding and 1 preceding)) as peak_before
    from sums s
  ),
  depths as (
    select p.*, p.peak - p.profit as drawdown, greatest(p.fallen, p.peak_before - p.low_profit) as max_drawdown,
      greatest(p.fallen_pct, case when p.peak_before >= p.low_profit
        then hl_internal.drawdown_pct(p.low_value, p.peak_before - p.low_profit) end) as max_drawdown_pct
    from peaks p
  ),
  whole as (
    select d.first_ms, trim_scale(d.net_flows) as net_flows, trim_scale(d.profit) as profit,
      trim_scale(d.peak_before) as peak_before, trim_scale(d.peak) as peak_profit, trim_scale(d.drawdown) as drawdown,
      hl_internal.drawdown_pct(d.close_value, d.drawdown) as drawdown_pct,
      trim_scale(d.max_drawdown) as max_drawdown, d.max_drawdown_pct,
      trim_scale(greatest(d.deepest, max(d.max_drawdown) over so_far)) as deepest,
      greatest(d.deepest_pct, max(d.max_drawdown_pct) over so_far) as deepest_pct, d.is_known
    from depths d window so_far as (order by d.first_ms rows unbounded preceding)
  )
  update hl_internal.equity_stretches s set (
    net_flows, profit, peak_before, peak_profit, drawdown, drawdown_pct, max_drawdown, max_drawdown_pct, deepest, deepest_pct,
    is_known
  ) = (
    w.net_flows, w.profit, w.peak_before, w.peak_profit, w.drawdown, w.drawdown_pct, w.max_drawdown, w.max_drawdown_pct,
    w.deepest, w.deepest_pct, w.is_known)
  from whole w
  where s.account_address = followed and s.first_ms = w.first_ms
    and (s.net_flows, s.profit, s.peak_before, s.peak_profit, s.drawdown, s.drawdown_pct, s.max_drawdown,
         s.max_drawdown_pct, s.deepest, s.deepest_pct, s.is_known)
      is distinct from (w.net_flows, w.profit, w.peak_before, w.peak_profit, w.drawdown, w.drawdown_pct, w.max_drawdown,
         w.max_drawdown_pct, w.deepest, w.deepest_pct, w.is_known);
end
$$;
comment on function hl_internal.shape_equity is 'Counts the stretches of an account anew that a change of snapshots or flows from from_ms to to_ms can alter, and the sums behind them.';

create or replace function hl_internal.follow_snapshots() returns trigger
language plpgsql set search_path = '' as $$
declare
  touched record;
begin
  for touched in
    select c.account_address, min(c.as_of_ms) as from_ms, max(c.as_of_ms) as to_ms from changed c
    -- One without a net worth is in no stretch.
    where tg_op <> 'INSERT' or c.net_worth is not null
    group by 1 order by 1
  loop
    perform hl_internal.shape_equity(touched.account_address, touched.from_ms, touched.to_ms + 1);
  end loop;
  return null;
end
$$;
comment on function hl_internal.follow_snapshots is 'Keeps equity_stretches after a change of hl_dashboard.';

create or replace function hl_internal.follow_flows() returns trigger
language plpgsql set search_path = '' as $$
declare
  touched record;
begin
  -- What flowed before the first snapshot or after the newest one changes none.
  for touched in
    select c.account_address, greatest(min(c.ledger_time_ms), b.first_ms) as from_ms, max(c.ledger_time_ms) as to_ms
    from changed c
    cross join lateral (
      select (select s.first_ms from hl_internal.equity_stretches s
              where s.account_address = c.account_address order by s.first_ms limit 1) as first_ms,
        (select s.last_ms from hl_internal.equity_stretches s
         where s.account_address = c.account_address order by s.first_ms desc limit 1) as last_ms
    ) b
    where c.ledger_time_ms > b.first_ms and c.ledger_time_ms <= b.last_ms
      and (tg_op <> 'INSERT' or c.flow_usd is distinct from 0)
    group by c.account_address, b.first_ms order by 1
  loop
    perform hl_internal.shape_equity(touched.account_address, touched.from_ms, touched.to_ms);
  end loop;
  return null;
end
$$;
comment on function hl_internal.follow_flows is 'Keeps equity_stretches after a change of hl_ledger.';

-- A trigger with the changed rows at hand can hear of one kind of change only.
create or replace trigger follow_inserted after insert on public.hl_dashboard
  referencing new table as changed for each statement execute function hl_internal.follow_snapshots();
create or replace trigger follow_updated after update on public.hl_dashboard
  referencing new table as changed for each statement execute function hl_internal.follow_snapshots();
create or replace trigger follow_deleted after delete on public.hl_dashboard
  referencing old table as changed for each statement execute function hl_internal.follow_snapshots();
create or replace trigger follow_inserted after insert on public.hl_ledger
  referencing new table as changed for each statement execute function hl_internal.follow_flows();
create or replace trigger follow_updated after update on public.hl_ledger
  referencing new table as changed for each statement execute function hl_internal.follow_flows();
create or replace trigger follow_deleted after delete on public.hl_ledger
  referencing old table as changed for each statement execute function hl_internal.follow_flows();

create or replace function hl_internal.drawdown_since(followed text, since timestamptz) returns numeric
language sql stable set search_path = ''
begin atomic
  -- The newest profit against the highest one of the period: of its first hour by snapshots, of the others by stretches.
  with newest as (
    select s.* from hl_internal.equity_stretches s where s.account_address = drawdown_since.followed
    order by s.first_ms desc limit 1
  ),
  edge as (
    select s.* from hl_internal.equity_stretches s
    where s.account_address = drawdown_since.followed and s.first_ms < ceil(extract(epoch from since) * 1000)::bigint
    order by s.first_ms desc limit 1
  ),
  highs as (
    select d.net_worth - e.close_value + e.profit as profit, d.as_of_ms as first_ms, true as is_known
    from edge e join public.hl_dashboard d on d.account_address = e.account_address
      and d.as_of >= since and d.as_of <= to_timestamp(e.last_ms / 1000.0) and d.net_worth is not null
    union all
    select s.profit - s.gain + s.high_gain, s.first_ms, s.flow is not null from hl_internal.equity_stretches s
    where s.account_address = drawdown_since.followed and s.first_ms >= ceil(extract(epoch from since) * 1000)::bigint
  ),
  -- A flow that is not known leaves it unknown, but for one that came before the first snapshot of the period.
  peak as (
    select max(h.profit) as profit,
      bool_and(h.is_known or h.first_ms = (select min(f.first_ms) from highs f)) as is_known
    from highs h
  )
  select hl_internal.drawdown_pct(n.close_value, p.profit - n.profit)
  from newest n cross join peak p where p.profit is not null and p.is_known;
end;
comment on function hl_internal.drawdown_since is 'Drawdown in percent at the newest snapshot, as hl_equity_since has it; null without a net worth in the period, and when a flow in it is not known.';
