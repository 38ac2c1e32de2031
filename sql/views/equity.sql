-- Net worth over time with what crossed the border of the account taken out, and its drawdowns (docs/equity.md).

create or replace function public.hl_equity_since(followed text, since timestamptz)
returns table (
  account_address text, as_of timestamptz, as_of_ms bigint, account_mode text, account_value numeric,
  unrealized_pnl numeric, flow numeric, net_flows numeric, profit numeric, peak_profit numeric, drawdown numeric,
  drawdown_pct numeric, net_worth numeric, profit_reason text)
language sql stable set search_path = ''
begin atomic
with shots as (
  select * from public.hl_dashboard d
  where d.account_address = hl_equity_since.followed and d.as_of >= hl_equity_since.since and d.net_worth is not null
),
flows as (
  select l.ledger_time_ms as at_ms, l.flow_usd, l.type, l.effect, coalesce(nullif(l.token, ''), 'USDC') as token
  from public.hl_ledger l
  where l.account_address = hl_equity_since.followed and l.ledger_time >= hl_equity_since.since
    and l.flow_usd is distinct from 0
),
-- From the first flow that is not known on, no sum is.
lost as (
  select f.* from flows f
  where f.flow_usd is null and f.at_ms > (select min(s.as_of_ms) from shots s) order by f.at_ms, f.type limit 1
),
timeline as (
  select as_of_ms as at_ms, 1 as kind, as_of, account_mode, account_value, net_worth, total_unrealized_pnl,
    0::numeric as flow_usd
  from shots
  union all
  select at_ms, 0, null, null, null, null, null, flow_usd from flows
),
moved as (
  select t.*, sum(flow_usd) over so_far as moved, count(*) filter (where flow_usd is null) over so_far as unknown
  from timeline t
  window so_far as (order by at_ms, kind rows unbounded preceding)
),
flowed as (
  select m.*, case when lag(moved) over shots is null then 0 when unknown > lag(unknown) over shots then null
    else moved - lag(moved) over shots end as flow
  from moved m where kind = 1
  window shots as (order by at_ms)
),
summed as (
  select f.*, exists (select from lost l where l.at_ms <= f.at_ms) as is_lost,
    sum(flow) over so_far as net_flows, first_value(net_worth) over so_far as start_worth
  from flowed f
  window so_far as (order by at_ms rows unbounded preceding)
),
earned as (
  select s.*, case when not is_lost then net_worth - net_flows - start_worth end as profit from summed s
),
peaks as (
  select e.*, max(profit) over (order by at_ms rows unbounded preceding) as peak from earned e
)
select hl_equity_since.followed, p.as_of, p.at_ms as as_of_ms, p.account_mode, p.account_value,
  p.total_unrealized_pnl as unrealized_pnl, trim_scale(p.flow) as flow,
  case when not p.is_lost then trim_scale(p.net_flows) end as net_flows, trim_scale(p.profit) as profit,
  case when not p.is_lost then trim_scale(p.peak) end as peak_profit, trim_scale(p.peak - p.profit) as drawdown,
  hl_internal.drawdown_pct(p.net_worth, p.peak - p.profit) as drawdown_pct, p.net_worth,
  case when p.is_lost then (
    select case l.effect when 'unknown' then 'the effect of a ' || l.type || ' is not known'
      else 'the value of the ' || l.token || ' of a ' || l.type || ' is not known' end
      || ' (' || to_char(to_timestamp(l.at_ms / 1000.0) at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC)'
    from lost l) end as profit_reason
from peaks p;
end;
comment on function public.hl_equity_since is 'The rows of hl_equity of one account as if its first snapshot were the first one not before since: profit and drawdown of a period.';

create or replace view public.hl_equity as
select a.account_address, e.as_of, e.as_of_ms, e.account_mode, e.account_value, e.unrealized_pnl, e.flow, e.net_flows, e.profit,
  e.peak_profit, e.drawdown, e.drawdown_pct, e.net_worth, e.profit_reason
from hl_internal.accounts a
cross join lateral public.hl_equity_since(a.account_address, '-infinity') e;
comment on view public.hl_equity is 'Net worth over time with what crossed the border of the account taken out, and the drawdown that is left. Begins with the first snapshot whose net worth is known; snapshots without one are left out.';
comment on column public.hl_equity.account_address is 'Account.';
comment on column public.hl_equity.as_of is 'The venue''s time of the snapshot.';
comment on column public.hl_equity.as_of_ms is 'The same in Unix milliseconds.';
comment on column public.hl_equity.account_mode is 'standard, unified or portfolio_margin.';
comment on column public.hl_equity.account_value is 'The venue''s margin equity, for risk: what is in spot, vaults and stake may be no part of it.';
comment on column public.hl_equity.unrealized_pnl is 'Unrealised profit of the perps.';
comment on column public.hl_equity.flow is 'What crossed the border of the account since the snapshot before: came in, or went out (negative). Null when that is not known.';
comment on column public.hl_equity.net_flows is 'Sum of the flows since the first snapshot.';
comment on column public.hl_equity.profit is 'net_worth − net_flows − the first net_worth: what was made since the first snapshot. Null from a flow of unknown value on.';
comment on column public.hl_equity.peak_profit is 'Highest profit so far.';
comment on column public.hl_equity.drawdown is 'peak_profit − profit.';
comment on column public.hl_equity.drawdown_pct is 'drawdown in percent of the net worth there would be at the peak; null when that is not positive.';
comment on column public.hl_equity.net_worth is 'All that the account owns at the venue.';
comment on column public.hl_equity.profit_reason is 'Why profit is null.';

create or replace view public.hl_equity_daily as
with days as (
  select account_address, date '1970-01-01' + (first_ms / 86400000)::integer as day,
    -- The highest by its first member: the day's last one. A window over them took as long as all the rest.
    max(array[first_ms, close_value, profit]) as last,
    bool_and(flow is not null) as is_told, bool_and(is_known) as is_known,
    sum(flow) as flow, max(max_drawdown) as max_drawdown, max(max_drawdown_pct) as max_drawdown_pct,
    sum(snapshots)::bigint as snapshots
  from hl_internal.equity_stretches group by account_address, first_ms / 86400000
),
chained as (
  select d.*, last[2] as close_value, last[3] as close_profit, lag(last[2]) over w as open_value, lag(last[3]) over w as open_profit
  from days d window w as (partition by account_address order by day)
)
select account_address, day, open_value, close_value, case when is_told then trim_scale(flow) end as flow,
  case when is_told then trim_scale(close_profit - coalesce(open_profit, 0)) end as pnl,
  case when is_told and open_value > 0
    then trim_scale(round(100 * (close_profit - open_profit) / open_value, 6)) end as return_pct,
  case when is_known then max_drawdown end as max_drawdown,
  case when is_known then max_drawdown_pct end as max_drawdown_pct, snapshots
from chained;
comment on view public.hl_equity_daily is 'Net worth per UTC day: where it closed, what flowed, what was made.';
comment on column public.hl_equity_daily.account_address is 'Account.';
comment on column public.hl_equity_daily.day is 'Day in UTC.';
comment on column public.hl_equity_daily.open_value is 'Net worth at the last snapshot of an earlier day; null on the first one.';
comment on column public.hl_equity_daily.close_value is 'Net worth at the last snapshot of the day.';
comment on column public.hl_equity_daily.flow is 'What came in less what went out in the day; null when that is not known.';
comment on column public.hl_equity_daily.pnl is 'Change of the net worth without the flows, unrealised profit inside; null when a flow of the day is not known.';
comment on column public.hl_equity_daily.return_pct is 'pnl in percent of open_value; null on the first day or without a net worth.';
comment on column public.hl_equity_daily.max_drawdown is 'Deepest drawdown seen in the day; null after a flow of unknown value.';
comment on column public.hl_equity_daily.max_drawdown_pct is 'The same in percent.';
comment on column public.hl_equity_daily.snapshots is 'Number of snapshots.';
