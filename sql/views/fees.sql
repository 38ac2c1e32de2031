-- Fees.

create or replace view public.hl_fees as
select account_address, coin, fee_token, count(*) as fills, trim_scale(sum(value)) as volume,
  trim_scale(sum(fee)) as fee, trim_scale(sum(fee_usdc)) as fee_usdc,
  trim_scale(sum(builder_fee_usdc)) as builder_fee_usdc,
  trim_scale(coalesce(sum(fee_usdc) filter (where crossed), 0)) as taker_fee_usdc,
  trim_scale(coalesce(sum(fee_usdc) filter (where not crossed), 0)) as maker_fee_usdc,
  trim_scale(coalesce(sum(fee_usdc) filter (where fee_usdc < 0), 0)) as rebate_usdc,
  trim_scale(round(10000 * sum(fee_usdc) / nullif(sum(value), 0), 6)) as fee_bps,
  count(*) filter (where fee_basis = 'unpriced') as unpriced_fees,
  trim_scale(sum(priority_gas)) as priority_gas, trim_scale(sum(gas_usdc)) as gas_usdc,
  count(*) filter (where gas_usdc is null) as unpriced_gas, min(name) as name
from public.hl_fill_pnl group by account_address, coin, fee_token;
comment on view public.hl_fees is 'Fees per coin and token, by role and with their share of the volume.';
comment on column public.hl_fees.account_address is 'Account.';
comment on column public.hl_fees.coin is 'Market as the venue names it.';
comment on column public.hl_fees.fee_token is 'Token the fees were charged in.';
comment on column public.hl_fees.fills is 'Number of fills.';
comment on column public.hl_fees.volume is 'Sum of price × size.';
comment on column public.hl_fees.fee is 'Fees in fee_token, signed.';
comment on column public.hl_fees.fee_usdc is 'Fees in USDC; null when none could be priced.';
comment on column public.hl_fees.builder_fee_usdc is 'Part that went to builders.';
comment on column public.hl_fees.taker_fee_usdc is 'Of fills that took liquidity.';
comment on column public.hl_fees.maker_fee_usdc is 'Of fills that gave liquidity.';
comment on column public.hl_fees.rebate_usdc is 'Sum of the negative fees.';
comment on column public.hl_fees.fee_bps is 'Fees in hundredths of a percent of the volume; null without volume.';
comment on column public.hl_fees.unpriced_fees is 'Number of fees that could not be converted and are not in the sums.';
comment on column public.hl_fees.priority_gas is 'HYPE burned for priority, beside the fees; null where none is told.';
comment on column public.hl_fees.gas_usdc is 'priority_gas at the price of HYPE at each fill; null when none could be priced.';
comment on column public.hl_fees.unpriced_gas is 'Number of fills whose gas could not be priced.';
comment on column public.hl_fees.name is 'Name of the market for people; null where the venue told none.';
