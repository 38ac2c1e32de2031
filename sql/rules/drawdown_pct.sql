-- A drawdown in percent, the same wherever one is shown.

create or replace function hl_internal.drawdown_pct(value numeric, drawdown numeric) returns numeric
language plpgsql immutable set search_path = '' as $$
begin
  return case when value + drawdown > 0 then trim_scale(round(100 * drawdown / (value + drawdown), 6)) end;
end
$$;
comment on function hl_internal.drawdown_pct is 'A drawdown in percent of the equity the account would have at its peak; null when that is not positive.';
