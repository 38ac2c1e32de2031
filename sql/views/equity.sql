-- Equity with deposits and withdrawals taken out, and its drawdowns.

create or replace function public.hl_equity_since(followed text, since timestamptz)
returns table (
  account_address text, as_of timestamptz, as_of_ms bigint, account_mode text, account_value numeric,
  unrealized_pnl numeric, flow numeric, net_flows numeric, profit numeric, peak_profit numeric, drawdown numeric,
  drawdown_pct numeric)
language sql stable
begin atomic
with timeline as (
  select account_address, as_of_ms as at_ms, 1 as kind, as_of, account_mode, account_value, total_unrealized_pnl,
    0::numeric as perp_usdc, 0::numeric as usdc
  from public.hl_dashboard d
  where d.account_address = hl_equity_since.followed and d.as_of >= hl_equity_since.since
  union all
  select account_address, ledger_time_ms, 0, null, null, null, null, perp_usdc, usdc from public.hl_flows f
  where f.account_address = hl_equity_since.followed and f.ledger_time >= hl_equity_since.since
),
moved as (
  select t.*, sum(perp_usdc) over so_far as perp_moved, sum(usdc) over so_far as all_moved
  from timeline t
  window so_far as (partition by account_address order by at_ms, kind rows unbounded preceding)
),
steps as (
  select m.*,
    lag(account_value) over shots as last_value, lag(account_mode) over shots as last_mode,
    lag(perp_moved) over shots as last_perp, lag(all_moved) over shots as last_all
  from moved m where kind = 1
  window shots as (partition by account_address order by at_ms)
),
flowed as (
  select s.*, case
    when last_mode is null then 0
    -- Another way of holding the same money is neither profit nor loss.
    when last_mode <> account_mode then account_value - last_value
    when account_mode = 'standard' then perp_moved - last_perp
    else all_moved - last_all end as flow
  from steps s
),
summed as (
  select f.*, sum(flow) over so_far as net_flows, first_value(account_value) over so_far as start_value
  from flowed f
  window so_far as (partition by account_address order by at_ms rows unbounded preceding)
),
peaks as (
  select s.*, account_value - net_flows - start_value as profit,
    max(account_value - net_flows - start_value) over (
      partition by account_address order by at_ms rows unbounded preceding) as peak_profit
  from summed s
)
select account_address, as_of, at_ms as as_of_ms, account_mode, account_value, total_unrealized_pnl as unrealized_pnl,
  trim_scale(flow) as flow, trim_scale(net_flows) as net_flows, trim_scale(profit) as profit,
  trim_scale(peak_profit) as peak_profit, trim_scale(peak_profit - profit) as drawdown,
  case when account_value + peak_profit - profit > 0
    then trim_scale(round(100 * (peak_profit - profit) / (account_value + peak_profit - profit), 6)) end as drawdown_pct
from peaks;
end;
comment on function public.hl_equity_since is 'The rows of hl_equity of one account as if its first snapshot were the first one not before since: profit and drawdown of a period.';

create or replace view public.hl_equity as
select e.* from hl_internal.accounts a
cross join lateral public.hl_equity_since(a.account_address, '-infinity') e;
comment on view public.hl_equity is 'Equity over time with deposits and withdrawals taken out, and the drawdown that is left. Begins with the first snapshot.';
comment on column public.hl_equity.account_address is 'Account.';
comment on column public.hl_equity.as_of is 'The venue''s time of the snapshot.';
comment on column public.hl_equity.as_of_ms is 'The same in Unix milliseconds.';
comment on column public.hl_equity.account_mode is 'standard, unified or portfolio_margin.';
comment on column public.hl_equity.account_value is 'Equity.';
comment on column public.hl_equity.unrealized_pnl is 'Unrealised profit in it.';
comment on column public.hl_equity.flow is 'What came in (or went out, negative) since the snapshot before, without a trade.';
comment on column public.hl_equity.net_flows is 'Sum of the flows since the first snapshot.';
comment on column public.hl_equity.profit is 'account_value − net_flows − the first account_value: what trading made since the first snapshot.';
comment on column public.hl_equity.peak_profit is 'Highest profit so far.';
comment on column public.hl_equity.drawdown is 'peak_profit − profit.';
comment on column public.hl_equity.drawdown_pct is 'drawdown in percent of the equity the account would have at its peak; null when that is not positive.';

create or replace view public.hl_equity_daily as
with days as (
  select s.*, (to_timestamp(s.first_ms / 1000.0) at time zone 'UTC')::date as day,
    row_number() over (
      partition by s.account_address, (to_timestamp(s.first_ms / 1000.0) at time zone 'UTC')::date
      order by s.first_ms desc) as from_end
  from hl_internal.equity_stretches s
),
closes as (
  select account_address, day,
    max(close_value) filter (where from_end = 1) as close_value,
    max(profit) filter (where from_end = 1) as close_profit,
    sum(flow) as flow, max(max_drawdown) as max_drawdown, max(max_drawdown_pct) as max_drawdown_pct,
    sum(snapshots)::bigint as snapshots
  from days group by account_address, day
),
chained as (
  select c.*, lag(close_value) over w as open_value, lag(close_profit) over w as open_profit
  from closes c window w as (partition by account_address order by day)
)
select account_address, day, open_value, close_value, trim_scale(flow) as flow,
  trim_scale(close_profit - coalesce(open_profit, 0)) as pnl,
  case when open_value > 0 then trim_scale(round(100 * (close_profit - open_profit) / open_value, 6)) end as return_pct,
  max_drawdown, max_drawdown_pct, snapshots
from chained;
comment on view public.hl_equity_daily is 'Equity per UTC day: where it closed, what flowed, what trading made of it.';
comment on column public.hl_equity_daily.account_address is 'Account.';
comment on column public.hl_equity_daily.day is 'Day in UTC.';
comment on column public.hl_equity_daily.open_value is 'Equity at the last snapshot of an earlier day; null on the first one.';
comment on column public.hl_equity_daily.close_value is 'Equity at the last snapshot of the day.';
comment on column public.hl_equity_daily.flow is 'Deposits less withdrawals of the day.';
comment on column public.hl_equity_daily.pnl is 'Change of equity without the flows, unrealised profit inside.';
comment on column public.hl_equity_daily.return_pct is 'pnl in percent of open_value; null on the first day or without equity.';
comment on column public.hl_equity_daily.max_drawdown is 'Deepest drawdown seen in the day.';
comment on column public.hl_equity_daily.max_drawdown_pct is 'The same in percent.';
comment on column public.hl_equity_daily.snapshots is 'Number of snapshots.';
