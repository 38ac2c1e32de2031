-- What the venue tells of an account beside its money, by row.

create or replace view public.hl_vault_equities as
select f.account_address, lower(v.value ->> 'vaultAddress') as vault_address,
  hl_internal.decimal_of(v.value ->> 'equity') as equity,
  hl_internal.time_of(v.value ->> 'lockedUntilTimestamp') as locked_until, f.as_of, f.as_of_ms
from public.hl_account_facts f cross join lateral jsonb_array_elements(f.value) v
where f.fact = 'vaults';
comment on view public.hl_vault_equities is 'What the account has in vaults.';
comment on column public.hl_vault_equities.account_address is 'Account.';
comment on column public.hl_vault_equities.vault_address is 'Vault.';
comment on column public.hl_vault_equities.equity is 'What is the account''s of it, in USD.';
comment on column public.hl_vault_equities.locked_until is 'Not to be withdrawn before.';
comment on column public.hl_vault_equities.as_of is 'When the venue told it.';
comment on column public.hl_vault_equities.as_of_ms is 'The same in Unix milliseconds.';

create or replace view public.hl_delegations as
select f.account_address, lower(d.value ->> 'validator') as validator, hl_internal.decimal_of(d.value ->> 'amount') as amount,
  hl_internal.time_of(d.value ->> 'lockedUntilTimestamp') as locked_until, f.as_of, f.as_of_ms
from public.hl_account_facts f cross join lateral jsonb_array_elements(f.value) d
where f.fact = 'delegations';
comment on view public.hl_delegations is 'HYPE delegated to validators.';
comment on column public.hl_delegations.account_address is 'Account.';
comment on column public.hl_delegations.validator is 'Validator.';
comment on column public.hl_delegations.amount is 'In HYPE.';
comment on column public.hl_delegations.locked_until is 'Not to be taken back before.';
comment on column public.hl_delegations.as_of is 'When the venue told it.';
comment on column public.hl_delegations.as_of_ms is 'The same in Unix milliseconds.';

create or replace view public.hl_api_wallets as
select f.account_address, lower(w.value ->> 'address') as wallet_address, w.value ->> 'name' as name,
  hl_internal.time_of(w.value ->> 'validUntil') as valid_until,
  (extract(epoch from hl_internal.time_of(w.value ->> 'validUntil')) * 1000)::bigint as valid_until_ms,
  f.as_of, f.as_of_ms
from public.hl_account_facts f
cross join lateral jsonb_array_elements(case f.fact when 'agents' then f.value
  else jsonb_build_array(jsonb_build_object('address', f.value -> 'agentAddress', 'validUntil', f.value -> 'agentValidUntil')) end) w
where f.fact in ('agents', 'agent') and w.value ->> 'address' is not null;
comment on view public.hl_api_wallets is 'Wallets that may act for the account, and until when.';
comment on column public.hl_api_wallets.account_address is 'Account.';
comment on column public.hl_api_wallets.wallet_address is 'Address of the API wallet.';
comment on column public.hl_api_wallets.name is 'Its name; null for the one without.';
comment on column public.hl_api_wallets.valid_until is 'When it ends; null where that is not told.';
comment on column public.hl_api_wallets.valid_until_ms is 'The same in Unix milliseconds.';
comment on column public.hl_api_wallets.as_of is 'When the venue told it.';
comment on column public.hl_api_wallets.as_of_ms is 'The same in Unix milliseconds.';

create or replace view public.hl_account_limits as
select f.account_address,
  hl_internal.decimal_of(f.fees ->> 'userCrossRate') as taker_rate, hl_internal.decimal_of(f.fees ->> 'userAddRate') as maker_rate,
  hl_internal.decimal_of(f.fees ->> 'userSpotCrossRate') as spot_taker_rate,
  hl_internal.decimal_of(f.fees ->> 'userSpotAddRate') as spot_maker_rate,
  hl_internal.decimal_of(f.fees ->> 'activeReferralDiscount') as referral_discount,
  hl_internal.decimal_of(f.fees -> 'activeStakingDiscount' ->> 'discount') as staking_discount, f.fees_as_of,
  hl_internal.decimal_of(f.requests ->> 'nRequestsUsed') as requests_used,
  hl_internal.decimal_of(f.requests ->> 'nRequestsCap') as requests_cap,
  case when f.requests is not null then
    greatest(0, hl_internal.decimal_of(f.requests ->> 'nRequestsCap') - hl_internal.decimal_of(f.requests ->> 'nRequestsUsed'))
    + coalesce(hl_internal.decimal_of(f.requests ->> 'nRequestsSurplus'), 0) end as requests_left,
  f.requests_as_of,
  hl_internal.decimal_of(f.volumes ->> 'day') as volume_day, hl_internal.decimal_of(f.volumes ->> 'week') as volume_week,
  hl_internal.decimal_of(f.volumes ->> 'month') as volume_month, hl_internal.decimal_of(f.volumes ->> 'allTime') as volume_all_time,
  f.volumes_as_of
from (
  select account_address, max(value::text) filter (where fact = 'fees')::jsonb as fees,
    max(as_of) filter (where fact = 'fees') as fees_as_of,
    max(value::text) filter (where fact = 'requests')::jsonb as requests,
    max(as_of) filter (where fact = 'requests') as requests_as_of,
    max(value::text) filter (where fact = 'volumes')::jsonb as volumes,
    max(as_of) filter (where fact = 'volumes') as volumes_as_of
  from public.hl_account_facts group by account_address
) f;
comment on view public.hl_account_limits is 'Fee rates, requests that are left, and the venue''s own volumes of every account; null where it did not tell them.';
comment on column public.hl_account_limits.account_address is 'Account.';
comment on column public.hl_account_limits.taker_rate is 'Of perps: 0.00045 is 4.5 basis points.';
comment on column public.hl_account_limits.maker_rate is 'Of perps; negative is a rebate.';
comment on column public.hl_account_limits.spot_taker_rate is 'Of spot.';
comment on column public.hl_account_limits.spot_maker_rate is 'Of spot.';
comment on column public.hl_account_limits.referral_discount is 'Share of the fees that is given back by a referral: 0.04 is 4 %.';
comment on column public.hl_account_limits.staking_discount is 'The same for staking.';
comment on column public.hl_account_limits.fees_as_of is 'When the venue told the rates.';
comment on column public.hl_account_limits.requests_used is 'Requests that changed something, so far.';
comment on column public.hl_account_limits.requests_cap is 'How many the volume so far allows.';
comment on column public.hl_account_limits.requests_left is 'How many are left, bought ones inside.';
comment on column public.hl_account_limits.requests_as_of is 'When the venue told them.';
comment on column public.hl_account_limits.volume_day is 'Volume of the last day as the venue counts it.';
comment on column public.hl_account_limits.volume_week is 'Of the last seven days.';
comment on column public.hl_account_limits.volume_month is 'Of the last month.';
comment on column public.hl_account_limits.volume_all_time is 'Since the account began.';
comment on column public.hl_account_limits.volumes_as_of is 'When the venue told the volumes.';

-- The state of a TWAP order stands still between two of its changes; its slices are streamed and proven.
create or replace view public.hl_twap_orders as
select t.account_address, t.twap_id, t.coin, m.name, t.side, t.size, s.slices,
  trim_scale(greatest(t.executed_size, s.size)) as executed_size,
  trim_scale(round(100 * greatest(t.executed_size, s.size) / nullif(t.size, 0), 4)) as executed_pct,
  trim_scale(round(case when s.size >= t.executed_size then s.value / nullif(s.size, 0)
    else t.executed_value / nullif(t.executed_size, 0) end, 10)) as average_price,
  trim_scale(s.fees) as fees, t.minutes, t.randomize, t.reduce_only, t.stop_price, t.trigger_price, t.trigger_above,
  t.status, t.error, t.is_ended, t.started_at, t.started_ms, t.as_of, t.as_of_ms
from public.hl_twaps t
left join public.hl_markets m on m.coin = t.coin
cross join lateral (
  select count(*) as slices, coalesce(sum(f.size), 0) as size, coalesce(sum(f.value), 0) as value,
    coalesce(sum(f.fee), 0) as fees
  from public.hl_fills f
  where f.account_address = t.account_address and f.twap_id = t.twap_id and f.fill_time >= t.started_at - interval '1 minute'
    and (not t.is_ended or f.fill_time <= t.as_of + interval '1 minute')
) s;
comment on view public.hl_twap_orders is 'TWAP orders with what their slices did.';
comment on column public.hl_twap_orders.account_address is 'Account.';
comment on column public.hl_twap_orders.twap_id is 'The venue''s id.';
comment on column public.hl_twap_orders.coin is 'Market as the venue names it.';
comment on column public.hl_twap_orders.name is 'Name of the market for people; null where the venue told none.';
comment on column public.hl_twap_orders.side is 'buy or sell.';
comment on column public.hl_twap_orders.size is 'Size that was ordered.';
comment on column public.hl_twap_orders.slices is 'Fills of its slices that are stored.';
comment on column public.hl_twap_orders.executed_size is 'What was executed: of the newest state or of the slices, whichever is more.';
comment on column public.hl_twap_orders.executed_pct is 'The same in percent of the size.';
comment on column public.hl_twap_orders.average_price is 'Average price of that; null before the first slice.';
comment on column public.hl_twap_orders.fees is 'Fees of the stored slices, in their fee tokens.';
comment on column public.hl_twap_orders.minutes is 'Over how many minutes.';
comment on column public.hl_twap_orders.randomize is 'Whether slices are moved at random.';
comment on column public.hl_twap_orders.reduce_only is 'Whether it may only reduce a position.';
comment on column public.hl_twap_orders.stop_price is 'Price at which it stops.';
comment on column public.hl_twap_orders.trigger_price is 'Price at which it begins.';
comment on column public.hl_twap_orders.trigger_above is 'Whether it begins above the trigger.';
comment on column public.hl_twap_orders.status is 'The venue''s word.';
comment on column public.hl_twap_orders.error is 'Why it failed.';
comment on column public.hl_twap_orders.is_ended is 'No more comes of it.';
comment on column public.hl_twap_orders.started_at is 'When it was placed.';
comment on column public.hl_twap_orders.started_ms is 'The same in Unix milliseconds.';
comment on column public.hl_twap_orders.as_of is 'When it got this status.';
comment on column public.hl_twap_orders.as_of_ms is 'The same in Unix milliseconds.';

-- The venue's curves held against ours, as an independent control. It does not say how it counts (whether a stake and what is in vaults are inside), nor
-- what a point is the mean or the end of; so a point differs only beyond what a market does between two snapshots, and where
-- nothing else can explain it.
create or replace view public.hl_portfolio_check as
select j.account_address, j.scope, j.at_time, j.time_ms, j.account_value, j.own_low, j.own_high, trim_scale(round(j.tolerance, 6)) as tolerance,
  case when j.reason is null then case
    when j.account_value between j.own_low - j.tolerance and j.own_high + j.tolerance then 'agrees' else 'differs' end end as verdict,
  j.reason
from (
  select p.account_address, p.scope, p.at_time, p.time_ms, p.account_value,
    least(b.low, a.low) as own_low, greatest(b.high, a.high) as own_high,
    1 + 0.02 * greatest(abs(b.high), abs(a.high)) + 0.005 * greatest(b.total_notional_position, a.total_notional_position)
      as tolerance,
    case
      when b.as_of_ms is null or a.as_of_ms is null or a.as_of_ms - b.as_of_ms > 600000 then 'no two snapshots within ten minutes'
      when p.scope = 'perp' and (b.account_mode <> 'standard' or a.account_mode <> 'standard')
        then 'the perps of an account with pooled collateral are no part of their own'
      when b.high is null or a.high is null then 'a snapshot does not know its value'
      when exists (
        select from public.hl_ledger l where l.account_address = p.account_address and l.ledger_time_ms between b.as_of_ms and a.as_of_ms
      ) then 'money moved between the snapshots'
    end as reason
  from public.hl_portfolio p
  left join lateral (
    select d.as_of_ms, d.account_mode, d.total_notional_position,
      case p.scope when 'perp' then d.account_value else d.net_worth end as high,
      case p.scope when 'perp' then d.account_value
        else d.net_worth - coalesce(hl_internal.decimal_of(d.net_worth_parts -> 'stake' ->> 'value'), 0)
          - coalesce(hl_internal.decimal_of(d.net_worth_parts ->> 'vaults'), 0) end as low
    from public.hl_dashboard d where d.account_address = p.account_address and d.as_of <= p.at_time order by d.as_of desc limit 1
  ) b on true
  left join lateral (
    select d.as_of_ms, d.account_mode, d.total_notional_position,
      case p.scope when 'perp' then d.account_value else d.net_worth end as high,
      case p.scope when 'perp' then d.account_value
        else d.net_worth - coalesce(hl_internal.decimal_of(d.net_worth_parts -> 'stake' ->> 'value'), 0)
          - coalesce(hl_internal.decimal_of(d.net_worth_parts ->> 'vaults'), 0) end as low
    from public.hl_dashboard d where d.account_address = p.account_address and d.as_of > p.at_time order by d.as_of limit 1
  ) a on true
) j;
comment on view public.hl_portfolio_check is 'Every point of the venue''s own curves beside what hlsync measured around it.';
comment on column public.hl_portfolio_check.account_address is 'Account.';
comment on column public.hl_portfolio_check.scope is 'all or perp.';
comment on column public.hl_portfolio_check.at_time is 'Time of the point.';
comment on column public.hl_portfolio_check.time_ms is 'The same in Unix milliseconds.';
comment on column public.hl_portfolio_check.account_value is 'Equity as the venue told it.';
comment on column public.hl_portfolio_check.own_low is 'The least that ours allows: the snapshots before and behind it, without stake and vaults.';
comment on column public.hl_portfolio_check.own_high is 'The most: with them.';
comment on column public.hl_portfolio_check.tolerance is '1 USD, 2 % of the equity and 0.5 % of the value of the positions.';
comment on column public.hl_portfolio_check.verdict is 'agrees, or differs; null where nothing can be said.';
comment on column public.hl_portfolio_check.reason is 'Why nothing can be said.';
