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
comment on view public.hl_account_now is 'The newest snapshot of every account. Health is unknown when positions are open and for 30 seconds neither a snapshot came nor anything was watched live: then hlsync is not running, or hears nothing.';
comment on column public.hl_account_now.account_address is 'Account.';
comment on column public.hl_account_now.alias is 'Name given by the user.';
comment on column public.hl_account_now.as_of is 'The venue''s time of the state.';
comment on column public.hl_account_now.as_of_ms is 'The same in Unix milliseconds.';
comment on column public.hl_account_now.age_seconds is 'Age of the snapshot by the clock of the database.';
comment on column public.hl_account_now.account_mode is 'standard, unified or portfolio_margin.';
comment on column public.hl_account_now.account_value is 'Equity.';
comment on column public.hl_account_now.withdrawable is 'What the venue would let out.';
comment on column public.hl_account_now.total_margin_used is 'Margin tied up by all positions.';
comment on column public.hl_account_now.total_notional_position is 'Sum of the values of all positions, unsigned.';
comment on column public.hl_account_now.maintenance_margin is 'Equity below which the cross account is liquidated.';
comment on column public.hl_account_now.actual_leverage is 'Notional ÷ equity; null without equity.';
comment on column public.hl_account_now.margin_usage_pct is 'Margin used ÷ equity × 100; null without equity.';
comment on column public.hl_account_now.free_margin is 'Equity − margin used.';
comment on column public.hl_account_now.total_positions is 'Number of open positions.';
comment on column public.hl_account_now.total_unrealized_pnl is 'Sum of unrealised profit.';
comment on column public.hl_account_now.health_score is '0 (liquidatable) to 100 (nothing at risk); null when unknown.';
comment on column public.hl_account_now.health_status is 'Health in one word.';
comment on column public.hl_account_now.health_reason is 'The limiting factor in words, or why the score is unknown.';
comment on column public.hl_account_now.health_components is 'Every part of the score.';
