-- Sums by UTC day and coin: what is settled (sql/settled.sql), and what came since; both are trimmed.

create or replace view public.hl_net_pnl_daily_by_coin as
select e.account_address, e.day, e.coin, e.fills, e.volume, e.closed_pnl, e.fees, e.builder_fees, e.funding,
  trim_scale(e.closed_pnl - e.fees + e.funding) as net_pnl, e.converted_fees, e.unpriced_fees, m.name
from (
  select d.account_address, d.day, d.coin, d.fills, d.volume, d.closed_pnl, d.fees, d.builder_fees, d.funding, d.converted_fees,
    d.unpriced_fees
  from hl_internal.settled s join hl_internal.settled_days d
    on d.account_address = s.account_address and d.day < (s.until_at at time zone 'UTC')::date
  union all
  select a.account_address, p.day, p.coin, p.fills, p.volume, p.closed_pnl, p.fees, p.builder_fees, p.funding, p.converted_fees,
    p.unpriced_fees
  from hl_internal.accounts a cross join lateral hl_internal.unsettled_days(a.account_address) p
) e left join public.hl_markets m on m.coin = e.coin;
comment on view public.hl_net_pnl_daily_by_coin is 'Net profit per UTC day and coin: closed_pnl − fees + funding.';
comment on column public.hl_net_pnl_daily_by_coin.account_address is 'Account.';
comment on column public.hl_net_pnl_daily_by_coin.day is 'Day in UTC.';
comment on column public.hl_net_pnl_daily_by_coin.coin is 'Market as the venue names it.';
comment on column public.hl_net_pnl_daily_by_coin.fills is 'Number of fills.';
comment on column public.hl_net_pnl_daily_by_coin.volume is 'Sum of price × size.';
comment on column public.hl_net_pnl_daily_by_coin.closed_pnl is 'Realised profit, gross of fees.';
comment on column public.hl_net_pnl_daily_by_coin.fees is 'Fees in USDC, builder fees and priority gas inside; negative is a rebate.';
comment on column public.hl_net_pnl_daily_by_coin.builder_fees is 'Part of the fees that went to builders.';
comment on column public.hl_net_pnl_daily_by_coin.funding is 'Funding; negative was paid.';
comment on column public.hl_net_pnl_daily_by_coin.net_pnl is 'closed_pnl − fees + funding.';
comment on column public.hl_net_pnl_daily_by_coin.converted_fees is 'Number of fills with a fee or gas that was converted to USDC.';
comment on column public.hl_net_pnl_daily_by_coin.unpriced_fees is 'Number of fills with a fee or gas that could not be converted and is not in the sums.';
comment on column public.hl_net_pnl_daily_by_coin.name is 'Name of the market for people; null where the venue told none.';

create or replace view public.hl_net_pnl_daily as
select account_address, day, sum(fills)::bigint as fills, trim_scale(sum(volume)) as volume,
  trim_scale(sum(closed_pnl)) as closed_pnl, trim_scale(sum(fees)) as fees,
  trim_scale(sum(builder_fees)) as builder_fees, trim_scale(sum(funding)) as funding,
  trim_scale(sum(closed_pnl) - sum(fees) + sum(funding)) as net_pnl, sum(converted_fees)::bigint as converted_fees,
  sum(unpriced_fees)::bigint as unpriced_fees
from public.hl_net_pnl_daily_by_coin group by account_address, day;
comment on view public.hl_net_pnl_daily is 'Net profit per UTC day: closed_pnl − fees + funding.';
comment on column public.hl_net_pnl_daily.account_address is 'Account.';
comment on column public.hl_net_pnl_daily.day is 'Day in UTC.';
comment on column public.hl_net_pnl_daily.fills is 'Number of fills.';
comment on column public.hl_net_pnl_daily.volume is 'Sum of price × size.';
comment on column public.hl_net_pnl_daily.closed_pnl is 'Realised profit, gross of fees.';
comment on column public.hl_net_pnl_daily.fees is 'Fees in USDC, builder fees and priority gas inside; negative is a rebate.';
comment on column public.hl_net_pnl_daily.builder_fees is 'Part of the fees that went to builders.';
comment on column public.hl_net_pnl_daily.funding is 'Funding; negative was paid.';
comment on column public.hl_net_pnl_daily.net_pnl is 'closed_pnl − fees + funding.';
comment on column public.hl_net_pnl_daily.converted_fees is 'Number of fills with a fee or gas that was converted to USDC.';
comment on column public.hl_net_pnl_daily.unpriced_fees is 'Number of fills with a fee or gas that could not be converted and is not in the sums.';

create or replace view public.hl_net_pnl_by_coin as
select account_address, coin, sum(fills)::bigint as fills, trim_scale(sum(volume)) as volume,
  trim_scale(sum(closed_pnl)) as closed_pnl, trim_scale(sum(fees)) as fees,
  trim_scale(sum(builder_fees)) as builder_fees, trim_scale(sum(funding)) as funding,
  trim_scale(sum(closed_pnl) - sum(fees) + sum(funding)) as net_pnl, sum(converted_fees)::bigint as converted_fees,
  sum(unpriced_fees)::bigint as unpriced_fees, min(day) as first_day, max(day) as last_day, min(name) as name
from public.hl_net_pnl_daily_by_coin group by account_address, coin;
comment on view public.hl_net_pnl_by_coin is 'Net profit per coin over all stored history: closed_pnl − fees + funding.';
comment on column public.hl_net_pnl_by_coin.account_address is 'Account.';
comment on column public.hl_net_pnl_by_coin.coin is 'Market as the venue names it.';
comment on column public.hl_net_pnl_by_coin.fills is 'Number of fills.';
comment on column public.hl_net_pnl_by_coin.volume is 'Sum of price × size.';
comment on column public.hl_net_pnl_by_coin.closed_pnl is 'Realised profit, gross of fees.';
comment on column public.hl_net_pnl_by_coin.fees is 'Fees in USDC, builder fees and priority gas inside; negative is a rebate.';
comment on column public.hl_net_pnl_by_coin.builder_fees is 'Part of the fees that went to builders.';
comment on column public.hl_net_pnl_by_coin.funding is 'Funding; negative was paid.';
comment on column public.hl_net_pnl_by_coin.net_pnl is 'closed_pnl − fees + funding.';
comment on column public.hl_net_pnl_by_coin.converted_fees is 'Number of fills with a fee or gas that was converted to USDC.';
comment on column public.hl_net_pnl_by_coin.unpriced_fees is 'Number of fills with a fee or gas that could not be converted and is not in the sums.';
comment on column public.hl_net_pnl_by_coin.first_day is 'First UTC day with a fill or a funding payment.';
comment on column public.hl_net_pnl_by_coin.last_day is 'Last such day.';
comment on column public.hl_net_pnl_by_coin.name is 'Name of the market for people; null where the venue told none.';
