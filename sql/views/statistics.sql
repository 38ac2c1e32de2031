-- How an account trades.

-- Each part is counted for one account: what many accounts would be joined by is estimated far too high (and compiled) or
-- too low (and looped over).

create or replace view public.hl_statistics as
select a.account_address, t.first_day, t.last_day, coalesce(t.fills, 0) as fills,
  trim_scale(coalesce(t.volume, 0)) as volume, trim_scale(coalesce(t.closed_pnl, 0)) as closed_pnl,
  trim_scale(coalesce(t.fees, 0)) as fees, trim_scale(coalesce(t.funding, 0)) as funding,
  trim_scale(coalesce(t.closed_pnl - t.fees + t.funding, 0)) as net_pnl, coalesce(t.unpriced_fees, 0) as unpriced_fees,
  coalesce(r.trades, 0) as trades, coalesce(r.wins, 0) as wins, coalesce(r.losses, 0) as losses,
  trim_scale(round(100.0 * r.wins / nullif(r.trades, 0), 4)) as win_rate_pct,
  trim_scale(round(r.average_win, 6)) as average_win, trim_scale(round(r.average_loss, 6)) as average_loss,
  trim_scale(round(r.won / nullif(r.lost, 0), 6)) as profit_factor,
  trim_scale(round(r.average_win / nullif(-r.average_loss, 0), 6)) as payoff_ratio,
  trim_scale(round(r.expectancy, 6)) as expectancy, r.best_trade, r.worst_trade,
  trim_scale(round(r.average_seconds, 3)) as average_seconds,
  coalesce(d.days, 0) as days_with_return,
  case when d.days >= 2 then trim_scale(round(sqrt(365.0) * d.mean / nullif(d.deviation, 0), 4)) end as sharpe,
  d.max_drawdown, d.max_drawdown_pct, e.profit,
  case when d.days >= 2 then trim_scale(round(sqrt(365.0) * d.mean / nullif(d.downside, 0), 4)) end as sortino,
  case when d.days >= 2 then trim_scale(round(365.0 * d.mean / nullif(d.max_drawdown_pct, 0), 4)) end as calmar,
  case when d.max_drawdown > 0 then hl_internal.peak_day(d.days_told, d.earned, d.trough_day) end as drawdown_peak_day,
  case when d.max_drawdown > 0 then d.trough_day end as drawdown_trough_day, d.since_day,
  case when d.days < 2 then 'fewer than two days have a return'
    when d.days < d.all_days - 1 then d.all_days - 1 - d.days || ' days have no return: a flow or a net worth of theirs is not known'
    end as ratios_reason
from hl_internal.accounts a
left join hl_internal.settled k on k.account_address = a.account_address
cross join lateral (
  select sum(c.fills)::bigint as fills, sum(c.volume) as volume, sum(c.closed_pnl) as closed_pnl, sum(c.fees) as fees,
    sum(c.funding) as funding, min(c.first_day) as first_day, max(c.last_day) as last_day,
    sum(c.unpriced_fees)::bigint as unpriced_fees
  from (
    select k.fills, k.volume, k.closed_pnl, k.fees, k.funding, k.unpriced_fees, k.first_day, k.last_day
    union all
    select p.fills, p.volume, p.closed_pnl, p.fees, p.funding, p.unpriced_fees, p.first_day, p.last_day
    from hl_internal.unsettled_sums(a.account_address) p
  ) c
) t
cross join lateral (
  select sum(c.trades)::bigint as trades, sum(c.wins)::bigint as wins, sum(c.losses)::bigint as losses,
    sum(c.won) / nullif(sum(c.wins), 0) as average_win, -sum(c.lost) / nullif(sum(c.losses), 0) as average_loss,
    sum(c.won) as won, sum(c.lost) as lost, sum(c.net) / nullif(sum(c.trades), 0) as expectancy, max(c.best) as best_trade,
    min(c.worst) as worst_trade, sum(c.seconds) / nullif(sum(c.trades), 0) as average_seconds
  from (
    select k.trades, k.wins, k.losses, k.won, k.lost, k.net, k.best, k.worst, k.seconds
    union all
    select p.trades, p.wins, p.losses, p.won, p.lost, p.net, p.best, p.worst, p.seconds
    from hl_internal.unsettled_trades(a.account_address) p
  ) c
) r
cross join lateral (
  select count(*) as all_days, min(v.day) as since_day,
    sqrt(avg(case when v.return_pct is not null then least(v.return_pct, 0) ^ 2 end)) as downside,
    (array_agg(v.day order by v.max_drawdown desc nulls last, v.day))[1] as trough_day,
    array_agg(v.day order by v.day) as days_told, array_agg(v.pnl order by v.day) as earned,
    count(v.return_pct) as days, avg(v.return_pct) as mean, stddev_samp(v.return_pct) as deviation,
    case when count(v.max_drawdown) = count(*) then max(v.max_drawdown) end as max_drawdown,
    case when count(v.max_drawdown) = count(*) then max(v.max_drawdown_pct) end as max_drawdown_pct
  from public.hl_equity_daily v where v.account_address = a.account_address
) d
left join lateral (
  select case when s.is_known then s.profit end as profit from hl_internal.equity_stretches s
  where s.account_address = a.account_address order by s.first_ms desc limit 1
) e on true;
comment on view public.hl_statistics is 'How an account trades. What is not defined (a ratio without trades, without losses, without days) is null. Trades are complete round trips.';
comment on column public.hl_statistics.account_address is 'Account.';
comment on column public.hl_statistics.first_day is 'First UTC day with a fill or a funding payment.';
comment on column public.hl_statistics.last_day is 'Last such day.';
comment on column public.hl_statistics.fills is 'Number of fills.';
comment on column public.hl_statistics.volume is 'Sum of price × size.';
comment on column public.hl_statistics.closed_pnl is 'Realised profit, gross of fees.';
comment on column public.hl_statistics.fees is 'Fees in USDC, builder fees and priority gas inside; negative is a rebate.';
comment on column public.hl_statistics.funding is 'Funding; negative was paid.';
comment on column public.hl_statistics.net_pnl is 'closed_pnl − fees + funding.';
comment on column public.hl_statistics.unpriced_fees is 'Number of fills with a fee or gas that could not be converted and is not in the sums.';
comment on column public.hl_statistics.trades is 'Complete round trips that are closed.';
comment on column public.hl_statistics.wins is 'Trades with a net profit.';
comment on column public.hl_statistics.losses is 'Trades with a net loss.';
comment on column public.hl_statistics.win_rate_pct is 'wins ÷ trades × 100; null without trades.';
comment on column public.hl_statistics.average_win is 'Average net profit of a win; null without wins.';
comment on column public.hl_statistics.average_loss is 'Average net loss of a loss, negative; null without losses.';
comment on column public.hl_statistics.profit_factor is 'Sum of wins ÷ sum of losses; null without losses.';
comment on column public.hl_statistics.payoff_ratio is 'Average win ÷ average loss; null without either.';
comment on column public.hl_statistics.expectancy is 'Average net profit of a trade; null without trades.';
comment on column public.hl_statistics.best_trade is 'Best net profit.';
comment on column public.hl_statistics.worst_trade is 'Worst net profit.';
comment on column public.hl_statistics.average_seconds is 'Average time of a trade in seconds.';
comment on column public.hl_statistics.days_with_return is 'Days that the ratio below rests on.';
comment on column public.hl_statistics.sharpe is 'Mean ÷ deviation of the daily returns × √365, without a risk-free rate; null with fewer than two days or without deviation.';
comment on column public.hl_statistics.max_drawdown is 'Deepest drawdown of the net worth since the first snapshot, in USD; null after a flow of unknown value.';
comment on column public.hl_statistics.max_drawdown_pct is 'Deepest drawdown in percent.';
comment on column public.hl_statistics.profit is 'What the net worth gained since the first snapshot, flows taken out; null when a flow is not known.';
comment on column public.hl_statistics.sortino is 'Mean of the daily returns ÷ the root of the mean square of those below zero × √365; null with fewer than two days or without a day below zero.';
comment on column public.hl_statistics.calmar is 'Mean of the daily returns × 365 ÷ max_drawdown_pct; null with fewer than two days or without a drawdown.';
comment on column public.hl_statistics.drawdown_peak_day is 'UTC day at whose close the profit was highest before the deepest drawdown; null without one.';
comment on column public.hl_statistics.drawdown_trough_day is 'UTC day of the deepest drawdown; null without one.';
comment on column public.hl_statistics.since_day is 'First UTC day with a net worth: what the ratios and the drawdown begin with.';
comment on column public.hl_statistics.ratios_reason is 'Why the ratios are null, or which days are not in them; null when all are.';
