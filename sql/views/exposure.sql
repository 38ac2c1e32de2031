-- Open positions and their weight.

create or replace view public.hl_exposure as
with held as (
  select p.*, case side when 'short' then -position_value else position_value end as signed_value,
    sum(position_value) over (partition by account_address) as gross
  from public.hl_positions p where side <> 'flat'
)
select h.account_address, h.dex, h.coin, h.side, h.size, h.position_value, trim_scale(h.signed_value) as signed_value,
  case when h.gross > 0 then trim_scale(round(100 * h.position_value / h.gross, 6)) end as share_pct,
  case when n.account_value > 0 then trim_scale(round(h.position_value / n.account_value, 6)) end as leverage,
  h.unrealized_pnl, h.liquidation_distance_pct, h.as_of, m.name
from held h left join public.hl_account_now n using (account_address) left join public.hl_markets m on m.coin = h.coin;
comment on view public.hl_exposure is 'Open perp positions with their weight.';
comment on column public.hl_exposure.account_address is 'Account.';
comment on column public.hl_exposure.dex is 'Perp dex; empty for the first one.';
comment on column public.hl_exposure.coin is 'Market as the venue names it.';
comment on column public.hl_exposure.side is 'long or short.';
comment on column public.hl_exposure.size is 'Size in units of the coin, unsigned.';
comment on column public.hl_exposure.position_value is 'size × mark price.';
comment on column public.hl_exposure.signed_value is 'The same, negative for a short.';
comment on column public.hl_exposure.share_pct is 'Share of the gross exposure in percent.';
comment on column public.hl_exposure.leverage is 'position_value ÷ equity; null without equity.';
comment on column public.hl_exposure.unrealized_pnl is 'Unrealised profit.';
comment on column public.hl_exposure.liquidation_distance_pct is '|mark − liquidation| ÷ mark × 100.';
comment on column public.hl_exposure.as_of is 'The venue''s time of the position.';
comment on column public.hl_exposure.name is 'Name of the market for people; null where the venue told none.';

create or replace view public.hl_exposure_total as
select n.account_address, coalesce(e.positions, 0) as positions, coalesce(e.long_value, 0) as long_value,
  coalesce(e.short_value, 0) as short_value, coalesce(e.gross_value, 0) as gross_value,
  coalesce(e.net_value, 0) as net_value, n.account_value,
  case when n.account_value > 0 then trim_scale(round(coalesce(e.gross_value, 0) / n.account_value, 6)) end as gross_leverage,
  case when n.account_value > 0 then trim_scale(round(coalesce(e.net_value, 0) / n.account_value, 6)) end as net_leverage,
  e.as_of
from public.hl_account_now n
left join (
  select account_address, count(*) as positions,
    trim_scale(coalesce(sum(position_value) filter (where side = 'long'), 0)) as long_value,
    trim_scale(coalesce(sum(position_value) filter (where side = 'short'), 0)) as short_value,
    trim_scale(sum(position_value)) as gross_value, trim_scale(sum(signed_value)) as net_value, min(as_of) as as_of
  from public.hl_exposure group by account_address
) e using (account_address);
comment on view public.hl_exposure_total is 'Gross and net exposure of every account.';
comment on column public.hl_exposure_total.account_address is 'Account.';
comment on column public.hl_exposure_total.positions is 'Number of open positions.';
comment on column public.hl_exposure_total.long_value is 'Value of the longs.';
comment on column public.hl_exposure_total.short_value is 'Value of the shorts, positive.';
comment on column public.hl_exposure_total.gross_value is 'Longs + shorts.';
comment on column public.hl_exposure_total.net_value is 'Longs − shorts.';
comment on column public.hl_exposure_total.account_value is 'Equity of the newest snapshot.';
comment on column public.hl_exposure_total.gross_leverage is 'Gross exposure ÷ equity; null without equity.';
comment on column public.hl_exposure_total.net_leverage is 'Net exposure ÷ equity; null without equity.';
comment on column public.hl_exposure_total.as_of is 'The venue''s time of the oldest position in it; null without positions.';
