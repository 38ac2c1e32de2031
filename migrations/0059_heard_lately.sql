-- A score of an open position is no older than 30 seconds, or unknown. Snapshots are a minute apart where nothing moves; that
-- somebody still looks is known from what is written anyway: the time up to which the streams were watched live.

create or replace view public.hl_account_now as
select a.account_address, a.alias, d.as_of, d.as_of_ms,
  trim_scale(extract(epoch from now() - d.as_of)) as age_seconds, d.account_mode, d.account_value, d.withdrawable,
  d.total_margin_used, d.total_notional_position, d.maintenance_margin, d.actual_leverage, d.margin_usage_pct,
  d.free_margin, d.total_positions, d.total_unrealized_pnl,
  case when h.lately then d.health_score end as health_score,
  case when h.lately then d.health_status else 'unknown' end as health_status,
  case when h.lately then d.health_reason
       else 'nothing came since ' || to_char(h.heard_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC' end as health_reason,
  d.health_components
from hl_internal.accounts a
cross join lateral (
  select * from public.hl_dashboard x where x.account_address = a.account_address order by x.as_of desc limit 1
) d
cross join lateral (
  select w.heard_at, d.total_positions = 0 or now() - w.heard_at <= interval '30 seconds' as lately
  from (
    select greatest(d.as_of, to_timestamp((max(upper(c.covered)) - 1) / 1000.0)) as heard_at
    from hl_internal.coverage c where c.account_address = a.account_address and c.grade = 'streamed'
  ) w
) h;
select hl_internal.as_invoker('hl_account_now');
comment on view public.hl_account_now is 'The newest snapshot of every account. Health is unknown when positions are open and for 30 seconds neither a snapshot came nor anything was watched live: then hlsync is not running, or hears nothing.';
