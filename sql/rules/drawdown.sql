-- Of drawdowns, the same wherever one is shown.

create or replace function hl_internal.drawdown_pct(value numeric, drawdown numeric) returns numeric
language plpgsql immutable set search_path = '' as $$
begin
  return case when value + drawdown > 0 then trim_scale(round(100 * drawdown / (value + drawdown), 6)) end;
end
$$;
comment on function hl_internal.drawdown_pct is 'A drawdown in percent of the equity the account would have at its peak; null when that is not positive.';

create or replace function hl_internal.peak_day(days date[], earned numeric[], trough_day date) returns date
language sql immutable set search_path = ''
begin atomic
  select y.day from (
    select v.day, coalesce(sum(v.earned) over (order by v.day rows unbounded preceding), 0) as total
    from unnest(peak_day.days, peak_day.earned) v(day, earned) where v.day <= peak_day.trough_day
  ) y
  order by y.total desc, y.day desc limit 1;
end;
comment on function hl_internal.peak_day is 'The last day up to the trough at whose close all that was earned was highest. earned: what each of the days earned.';
