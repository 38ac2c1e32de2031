-- Money, as views over what the venue said (docs/views.md). All sums are in USDC. What can go wrong is said in a column:
-- fees that had to be converted or could not be, history that begins in the middle of a position.

-- A function, for few fills paid gas: as a part of the query it would be reckoned with for each of them.
create or replace function hl_internal.gas_price(near_ms bigint) returns numeric
language sql stable parallel safe set search_path = ''
begin atomic
  select t.price from hl_internal.token_prices t
  where t.token = 'HYPE' and t.hour_ms between gas_price.near_ms - 90000000 and gas_price.near_ms + 86400000
  order by abs(t.at_ms - gas_price.near_ms), t.at_ms limit 1;
end;
comment on function hl_internal.gas_price is 'The price of HYPE that is nearest to a time, within a day; null without one.';

create or replace view public.hl_fill_pnl as
-- What a market is, and the place of a transaction in its block, are told here alone: as functions they would cost as much
-- as all the rest of a row.
with placed as (
  select f.*, case
      when f.coin ~ '^([#+]|o[0-9]+$)' then 'outcome'
      when f.coin like '@%' or f.coin like '%/%' then 'spot'
      else 'perp' end as market,
    case when substr(f.hash, 23, 18) ~ '^04[0-9a-fA-F]{8}0[0-4][0-9a-fA-F]{6}$'
      then ('x' || lpad(substr(f.hash, 35, 2 * substr(f.hash, 34, 1)::integer), 8, '0'))::bit(32)::bigint end as action_number
  from public.hl_fills f
),
judged as (
  select f.*, case
    when f.fee = 0 or f.fee_token is null or f.fee_token = 'USDC' then 'usdc'
    when f.fee_token = any (hl_internal.dollar_tokens()) then 'dollar_at_par'
    -- What was bought is worth what was paid for it. An outcome's token has its coin's number.
    when f.side = 'buy' and (f.market = 'spot' or '+' || substr(f.coin, 2) = f.fee_token)
      then 'base_at_fill_price'
    else 'unpriced' end as fee_basis
  from placed f
),
priced as (
  select j.*,
    case j.fee_basis when 'unpriced' then null when 'base_at_fill_price' then j.price else 1 end as fee_price,
    case when coalesce(j.priority_gas, 0) = 0 then 0
      else j.priority_gas * hl_internal.gas_price(j.fill_time_ms) end as gas
  from judged j
)
select p.account_address, p.coin, p.market, p.fill_time, p.fill_time_ms, p.order_id, p.trade_id, p.side, p.crossed,
  p.size, p.price, p.value, p.closed_pnl, p.fee, p.fee_token, p.fee_basis,
  trim_scale(p.fee * p.fee_price) as fee_usdc,
  trim_scale(coalesce(p.builder_fee, 0) * p.fee_price) as builder_fee_usdc,
  trim_scale(p.closed_pnl - p.fee * p.fee_price - p.gas) as net_pnl, p.start_position,
  -- Most rows need not ask the rule.
  (p.liquidation is not null or coalesce(p.direction, '') like 'Liq%')
    and hl_internal.own_liquidation(p.account_address, p.liquidation, p.direction) as liquidated,
  p.priority_gas, trim_scale(p.gas) as gas_usdc, trim_scale(p.fee * p.fee_price + p.gas) as cost_usdc, p.block_number,
  p.action_number, m.name
from priced p left join public.hl_markets m on m.coin = p.coin;
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
comment on column public.hl_fill_pnl.fee_basis is 'How the fee became USDC: usdc, dollar_at_par (another dollar token, one for one), base_at_fill_price (spot or outcome buy: token × fill price), unpriced (not converted: fee_usdc is null).';
comment on column public.hl_fill_pnl.fee_usdc is 'Fee in USDC, signed; null where it could not be priced.';
comment on column public.hl_fill_pnl.builder_fee_usdc is 'Part of fee_usdc that went to a builder.';
comment on column public.hl_fill_pnl.net_pnl is 'closed_pnl − cost_usdc; null where the cost could not be priced.';
comment on column public.hl_fill_pnl.start_position is 'Signed position (perp) or token balance (spot) before the fill.';
comment on column public.hl_fill_pnl.liquidated is 'True when the venue liquidated the account by this fill.';
comment on column public.hl_fill_pnl.priority_gas is 'HYPE burned for priority, beside the fee; null where none is told.';
comment on column public.hl_fill_pnl.gas_usdc is 'priority_gas at the price of HYPE then; null where that is not known.';
comment on column public.hl_fill_pnl.cost_usdc is 'fee_usdc + gas_usdc; null where one of them could not be priced.';
comment on column public.hl_fill_pnl.block_number is 'Block of the transaction, by its hash; null where the hash tells none.';
comment on column public.hl_fill_pnl.action_number is 'Place of the transaction in its block, by its hash; null where the hash tells none.';
comment on column public.hl_fill_pnl.name is 'Name of the market for people; null where the venue told none.';
