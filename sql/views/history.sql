-- The whole known history of an account: the venue's own curve (hl_portfolio, scope all) up to the first snapshot, what hlsync
-- measured from there on. The curve is coarse (a point a day, and less of what is long ago), and what it counts is the venue's to say.

-- How far below its peak by the venue's curve the account was when measuring began; null without a curve before it.
create or replace function hl_internal.fallen_before(followed text, first_ms bigint) returns numeric
language sql stable set search_path = ''
begin atomic
  select max(p.pnl) - (array_agg(p.pnl order by p.time_ms desc))[1] from public.hl_portfolio p
  where p.account_address = fallen_before.followed and p.scope = 'all' and p.time_ms < fallen_before.first_ms and p.pnl is not null;
end;
comment on function hl_internal.fallen_before is 'How far the profit was below its peak, by the venue''s own curve, at a time; null where the curve does not tell.';

create or replace function hl_internal.history_days(followed text)
returns table (
  day date, days integer, is_imported boolean, pnl numeric, return_pct numeric, max_drawdown numeric, max_drawdown_pct numeric)
language sql stable set search_path = '' set jit = off
begin atomic
  with began as materialized (
    select coalesce((select s.first_ms from hl_internal.equity_stretches s
      where s.account_address = history_days.followed order by s.first_ms limit 1), 9000000000000000) as first_ms
  ),
  curve as materialized (
    select p.time_ms, date '1970-01-01' + (p.time_ms / 86400000)::integer as day, p.account_value, p.pnl,
      max(p.pnl) over (order by p.time_ms rows unbounded preceding) - p.pnl as fallen
    from public.hl_portfolio p, began b
    where p.account_address = history_days.followed and p.scope = 'all' and p.pnl is not null and p.time_ms < b.first_ms
  ),
  told as materialized (
    select c.day, (array_agg(c.account_value order by c.time_ms desc))[1] as close_value,
      (array_agg(c.pnl order by c.time_ms desc))[1] as close_pnl, max(c.fallen) as max_drawdown,
      max(hl_internal.drawdown_pct(c.account_value, c.fallen)) as max_drawdown_pct
    from curve c group by c.day
  ),
  measured as materialized (
    select d.day, d.pnl, d.return_pct, d.max_drawdown, d.max_drawdown_pct,
      row_number() over (order by d.day) = 1 as is_first
    from public.hl_equity_daily d where d.account_address = history_days.followed
  ),
  -- What was measured below the peak of the curve.
  below as materialized (
    select date '1970-01-01' + (s.first_ms / 86400000)::integer as day,
      max(k.lead - (s.profit - s.gain + s.low_gain)) as fallen,
      max(hl_internal.drawdown_pct(s.low_value, k.lead - (s.profit - s.gain + s.low_gain))) as fallen_pct
    from began b
    cross join lateral (select hl_internal.fallen_before(history_days.followed, b.first_ms) as lead) k
    join hl_internal.equity_stretches s on s.account_address = history_days.followed and s.is_known
    where k.lead > 0 group by 1
  )
  select t.day, t.day - lag(t.day) over days, true, trim_scale(t.close_pnl - coalesce(lag(t.close_pnl) over days, 0)),
    case when lag(t.close_value) over days > 0 then
      trim_scale(round(100 * (t.close_pnl - lag(t.close_pnl) over days) / lag(t.close_value) over days, 6)) end,
    t.max_drawdown, t.max_drawdown_pct
  from told t where not exists (select from measured m where m.is_first and m.day <= t.day)
  window days as (order by t.day)
  union all
  -- The first day that was measured began with the curve.
  select m.day, coalesce(m.day - o.day, 1), false, trim_scale(m.pnl + coalesce(o.earned, 0)),
    case when o.day is null then m.return_pct
      when o.close_value > 0 then trim_scale(round(100 * (m.pnl + o.earned) / o.close_value, 6)) end,
    case when m.max_drawdown is not null then greatest(m.max_drawdown, w.fallen, o.max_drawdown) end,
    case when m.max_drawdown is not null then greatest(m.max_drawdown_pct, w.fallen_pct, o.max_drawdown_pct) end
  from measured m
  left join below w on w.day = m.day
  left join lateral (
    select t.day, t.close_value, l.pnl - t.close_pnl as earned, d.max_drawdown, d.max_drawdown_pct
    from told t
    cross join lateral (select c.pnl from curve c order by c.time_ms desc limit 1) l
    left join told d on d.day = m.day
    where m.is_first and t.day < m.day order by t.day desc limit 1
  ) o on true;
end;
comment on function hl_internal.history_days is 'Profit, return and deepest drawdown by UTC day, from the first point of the venue''s curve on. days: how many the step spans, since the day before that is known.';

create or replace view public.hl_history_statistics as
select a.account_address, d.since_day, d.imported_until_day, d.steps, d.days,
  case when d.steps >= 2 then trim_scale(round(sqrt(365.0) * d.mean / nullif(sqrt(greatest(d.variance, 0)), 0), 4)) end as sharpe,
  case when d.steps >= 2 then trim_scale(round(sqrt(365.0) * d.mean / nullif(d.downside, 0), 4)) end as sortino,
  case when d.steps >= 2 then trim_scale(round(365.0 * d.mean / nullif(d.max_drawdown_pct, 0), 4)) end as calmar,
  trim_scale(d.max_drawdown) as max_drawdown, d.max_drawdown_pct,
  case when d.max_drawdown > 0 then hl_internal.peak_day(d.days_told, d.earned, d.trough_day) end as drawdown_peak_day,
  case when d.max_drawdown > 0 then d.trough_day end as drawdown_trough_day,
  case when d.steps < 2 then 'fewer than two days have a return'
    when d.steps < d.all_days - 1 then d.all_days - 1 - d.steps || ' days have no return: a flow or a net worth of theirs is not known'
    end as ratios_reason
from hl_internal.accounts a
cross join lateral (
  select s.*, m.mean, m.downside,
    (s.squares - 2 * m.mean * s.returned + m.mean * m.mean * s.days) / nullif(s.steps - 1, 0) as variance
  from (
    select min(v.day) as since_day, max(v.day) filter (where v.is_imported) as imported_until_day, count(*) as all_days,
      count(v.return_pct) as steps, sum(v.days) filter (where v.return_pct is not null) as days, sum(v.return_pct) as returned,
      sum(v.return_pct ^ 2 / v.days) as squares, sum(least(v.return_pct, 0) ^ 2 / v.days) filter (where v.return_pct is not null) as falls,
      (array_agg(v.day order by v.max_drawdown desc nulls last, v.day))[1] as trough_day,
      array_agg(v.day order by v.day) as days_told, array_agg(v.pnl order by v.day) as earned,
      case when count(v.max_drawdown) = count(*) then max(v.max_drawdown) end as max_drawdown,
      case when count(v.max_drawdown) = count(*) then max(v.max_drawdown_pct) end as max_drawdown_pct
    from hl_internal.history_days(a.account_address) v
  ) s
  cross join lateral (
    select s.returned / nullif(s.days, 0) as mean, sqrt(s.falls / nullif(s.steps, 0)) as downside
  ) m
) d;
comment on view public.hl_history_statistics is 'Ratios and the deepest drawdown of the whole known history: by the venue''s own curve until hlsync measured, then as hl_statistics has them. Without such a curve the two say the same.';
comment on column public.hl_history_statistics.account_address is 'Account.';
comment on column public.hl_history_statistics.since_day is 'First UTC day that is known.';
comment on column public.hl_history_statistics.imported_until_day is 'Last UTC day that the venue''s curve alone tells of; null without one.';
comment on column public.hl_history_statistics.steps is 'Returns that the ratios rest on: of a day each, of the curve also of several.';
comment on column public.hl_history_statistics.days is 'Days that these returns span.';
comment on column public.hl_history_statistics.sharpe is 'Mean ÷ deviation of the returns a day × √365; a return of n days counts n times in the mean and with 1/n of its square in the deviation.';
comment on column public.hl_history_statistics.sortino is 'Mean of the returns a day ÷ the root of the mean square of those below zero × √365.';
comment on column public.hl_history_statistics.calmar is 'Mean of the returns a day × 365 ÷ max_drawdown_pct.';
comment on column public.hl_history_statistics.max_drawdown is 'Deepest drawdown in USD, as far as the points of the curve show it; null after a flow of unknown value.';
comment on column public.hl_history_statistics.max_drawdown_pct is 'Deepest drawdown in percent.';
comment on column public.hl_history_statistics.drawdown_peak_day is 'UTC day at whose close the profit was highest before the deepest drawdown; null without one.';
comment on column public.hl_history_statistics.drawdown_trough_day is 'UTC day of the deepest drawdown; null without one.';
comment on column public.hl_history_statistics.ratios_reason is 'Why the ratios are null, or how many days are not in them; null when all are.';
