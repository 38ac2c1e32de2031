-- Funding.

create or replace view public.hl_funding_daily as
select account_address, (funding_time at time zone 'UTC')::date as day, coin, count(*) as payments,
  trim_scale(coalesce(-sum(usdc) filter (where usdc < 0), 0)) as paid,
  trim_scale(coalesce(sum(usdc) filter (where usdc > 0), 0)) as received,
  trim_scale(sum(usdc)) as funding, m.name
from public.hl_funding left join public.hl_markets m using (coin) group by 1, 2, 3, m.name;
comment on view public.hl_funding_daily is 'Funding per UTC day and coin.';
comment on column public.hl_funding_daily.account_address is 'Account.';
comment on column public.hl_funding_daily.day is 'Day in UTC.';
comment on column public.hl_funding_daily.coin is 'Market as the venue names it.';
comment on column public.hl_funding_daily.payments is 'Number of payments.';
comment on column public.hl_funding_daily.paid is 'What the account paid, positive.';
comment on column public.hl_funding_daily.received is 'What the account received.';
comment on column public.hl_funding_daily.funding is 'received − paid.';
comment on column public.hl_funding_daily.name is 'Name of the market for people; null where the venue told none.';

create or replace view public.hl_funding_by_coin as
select account_address, coin, sum(payments)::bigint as payments, trim_scale(sum(paid)) as paid,
  trim_scale(sum(received)) as received, trim_scale(sum(funding)) as funding, min(day) as first_day, max(day) as last_day, name
from public.hl_funding_daily group by account_address, coin, name;
comment on view public.hl_funding_by_coin is 'Funding per coin over all stored history.';
comment on column public.hl_funding_by_coin.account_address is 'Account.';
comment on column public.hl_funding_by_coin.coin is 'Market as the venue names it.';
comment on column public.hl_funding_by_coin.payments is 'Number of payments.';
comment on column public.hl_funding_by_coin.paid is 'What the account paid, positive.';
comment on column public.hl_funding_by_coin.received is 'What the account received.';
comment on column public.hl_funding_by_coin.funding is 'received − paid.';
comment on column public.hl_funding_by_coin.first_day is 'First UTC day with a payment.';
comment on column public.hl_funding_by_coin.last_day is 'Last such day.';
comment on column public.hl_funding_by_coin.name is 'Name of the market for people; null where the venue told none.';
