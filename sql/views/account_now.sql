-- The score of an open position rests on states that are fresh, or is unknown (hl_internal.freshness). Snapshots are a minute
-- apart where nothing moves: one may be so much older than the states.

create or replace view public.hl_account_now as
select a.account_address, a.alias, d.as_of, d.as_of_ms,
  trim_scale(extract(epoch from now() - d.as_of)) as age_seconds, d.account_mode, d.account_value, d.withdrawable,
  d.total_margin_used, d.total_notional_position, d.maintenance_margin, d.actual_leverage, d.margin_usage_pct,
  d.free_margin, d.total_positions, d.total_unrealized_pnl,
  case when h.is_known then d.health_score end as health_score,
  case when h.is_known then d.health_status else 'unknown' end as health_status,
  case when h.is_known then d.health_reason
       else 'nothing came since ' || to_char(h.since at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC' end as health_reason,
  d.health_components, f.heard_at, f.is_fresh,
  d.account_value_reason, d.net_worth, d.net_worth_reason, d.net_worth_parts
from hl_internal.accounts a
cross join lateral hl_internal.freshness(a.account_address) f
cross join lateral (
  select * from public.hl_dashboard x where x.account_address = a.account_address order by x.as_of desc limit 1
) d
cross join lateral (
  select d.total_positions = 0 or (f.is_fresh and now() - d.as_of <= f.fresh_for + interval '2 minutes') as is_known,
    case when f.is_fresh then d.as_of else coalesce(f.heard_at, d.as_of) end as since
) h;
comment on view public.hl_account_now is 'The newest snapshot of every account. Health is unknown when positions are open and their states are not fresh: then hlsync is not running, or hears nothing.';
comment on column public.hl_account_now.account_address is 'Account.';
comment on column public.hl_account_now.alias is 'Name given by the user.';
comment on column public.hl_account_now.as_of is 'The venue''s time of the state.';
comment on column public.hl_account_now.as_of_ms is 'The same in Unix milliseconds.';
comment on column public.hl_account_now.age_seconds is 'Age of the snapshot by the clock of the database.';
comment on column public.hl_account_now.account_mode is 'standard, unified or portfolio_margin.';
comment on column public.hl_account_now.account_value is 'The venue''s margin equity; null when a part of it is not known.';
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
comment on column public.hl_account_now.heard_at is 'When the newest states were read, pushed or polled: the oldest of the dexes with open positions.';
comment on column public.hl_account_now.is_fresh is 'Whether that is within what is normal for the way the account is followed (30 s streamed; polled 3 intervals, at least 5 min).';
comment on column public.hl_account_now.account_value_reason is 'Why account_value is null.';
comment on column public.hl_account_now.net_worth is 'All that the account owns at the venue; null when a part of it or a price is not known.';
comment on column public.hl_account_now.net_worth_reason is 'Why net_worth is null.';
comment on column public.hl_account_now.net_worth_parts is 'What net_worth was made of.';
