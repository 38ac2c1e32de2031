-- Money, as views over what the venue said (docs/views.md). All sums are in USDC. What can go wrong is said in a column:
-- fees that had to be converted or could not be, history that begins in the middle of a position.

create or replace view public.hl_fill_pnl as
with kinds as (
  select f.*,
    case when f.coin ~ '^([#+]|o[0-9]+$)' then 'outcome'
         when f.coin like '@%' or f.coin like '%/%' then 'spot'
         else 'perp' end as market
  from public.hl_fills f
),
judged as (
  select k.*, case
    when k.fee = 0 or k.fee_token is null or k.fee_token = 'USDC' then 'usdc'
    when k.fee_token in ('USDT0', 'USDT', 'USDE', 'USDH') then 'dollar_at_par'
    when k.market = 'spot' and k.side = 'buy' then 'base_at_fill_price'
    else 'unpriced' end as fee_basis
  from kinds k
),
priced as (
  select j.*,
    case j.fee_basis when 'unpriced' then null when 'base_at_fill_price' then j.price else 1 end as fee_price
  from judged j
)
select p.account_address, p.coin, p.market, p.fill_time, p.fill_time_ms, p.order_id, p.trade_id, p.side, p.crossed,
  p.size, p.price, p.value, p.closed_pnl, p.fee, p.fee_token, p.fee_basis,
  trim_scale(p.fee * p.fee_price) as fee_usdc,
  trim_scale(coalesce(p.builder_fee, 0) * p.fee_price) as builder_fee_usdc,
  trim_scale(p.closed_pnl - p.fee * p.fee_price) as net_pnl, p.start_position,
  coalesce(lower(p.liquidation ->> 'liquidatedUser') = p.account_address, false) as liquidated
from priced p;
comment on view public.hl_fill_pnl is 'Every fill with what it earned and cost in USDC.';
comment on column public.hl_fill_pnl.account_address is 'Account.';
comment on column public.hl_fill_pnl.coin is 'Market as the venue names it.';
comment on column public.hl_fill_pnl.market is 'perp, spot or outcome.';
comment on column public.hl_fill_pnl.fill_time is 'Block time of the fill.';
comment on column public.hl_fill_pnl.fill_time_ms is 'The same in Unix milliseconds.';
comment on column public.hl_fill_pnl.order_id is 'The venue''s oid.';
comment on column public.hl_fill_pnl.trade_id is 'The venue''s tid.';
comment on column public.hl_fill_pnl.side is 'buy or sell.';
comment on column public.hl_fill_pnl.crossed is 'True when the account took liquidity.';
comment on column public.hl_fill_pnl.size is 'Size in units of the coin.';
comment on column public.hl_fill_pnl.price is 'Execution price.';
comment on column public.hl_fill_pnl.value is 'price × size.';
comment on column public.hl_fill_pnl.closed_pnl is 'Realised profit, gross of fees.';
comment on column public.hl_fill_pnl.fee is 'Fee in fee_token, signed: negative is a rebate. Contains the builder fee.';
comment on column public.hl_fill_pnl.fee_token is 'Token the fee was charged in; null in rows of 2023, where it is USDC.';
comment on column public.hl_fill_pnl.fee_basis is 'How the fee became USDC: usdc, dollar_at_par (another dollar token, one for one), base_at_fill_price (spot buy: token × fill price), unpriced (not converted: fee_usdc is null).';
comment on column public.hl_fill_pnl.fee_usdc is 'Fee in USDC, signed; null where it could not be priced.';
comment on column public.hl_fill_pnl.builder_fee_usdc is 'Part of fee_usdc that went to a builder.';
comment on column public.hl_fill_pnl.net_pnl is 'closed_pnl − fee_usdc; null where the fee could not be priced.';
comment on column public.hl_fill_pnl.start_position is 'Signed position (perp) or token balance (spot) before the fill.';
comment on column public.hl_fill_pnl.liquidated is 'True when the venue liquidated the account by this fill.';
