/** The money views as they are defined over all rows, without anything kept: what the kept ones are held against. */
export const PLAIN_VIEWS = [
  `create view plain_round_trips as
with moves as (
  select account_address, coin, fill_time_ms, order_id, trade_id, side, size, price, closed_pnl, liquidated, cost_usdc,
    block_number, action_number,
    start_position::numeric as start_at, case side when 'buy' then size else -size end as moved,
    start_position::numeric + case side when 'buy' then size else -size end as end_at
  from public.hl_fill_pnl where market = 'perp' and start_position is not null
),
-- Transactions of one millisecond have their order in their hashes, the fills of one order follow its direction; that is
-- all there is to know in most milliseconds.
guessed as (
  select m.*, row_number() over chain as guess, lag(end_at) over chain as link,
    count(*) over (partition by account_address, coin, fill_time_ms) as crowd
  from moves m
  window chain as (partition by account_address, coin
    order by fill_time_ms, block_number, action_number, order_id, case side when 'buy' then start_at else -start_at end, trade_id)
),
knots as (
  select account_address, coin, fill_time_ms, min(guess) as first_guess,
    hl_internal.chain_order(array_agg(start_at order by guess), array_agg(end_at order by guess),
                            (array_agg(trim_scale(link) order by guess))[1]) as ranks
  from guessed where crowd > 1 group by account_address, coin, fill_time_ms
  having not bool_and(coalesce(link = start_at, true))
),
chained as (
  select g.*, coalesce(k.first_guess - 1 + k.ranks[(g.guess - k.first_guess + 1)::integer], g.guess) as place
  from guessed g left join knots k using (account_address, coin, fill_time_ms)
),
split as (
  select m.*, case when sign(start_at) * sign(moved) < 0 then least(abs(start_at), size) else 0 end as closing
  from chained m
),
parts as (
  select s.*, v.part, v.opens, v.part_size,
    case when v.part = 1 then start_at else 0 end as before,
    case when v.opens then end_at else start_at + sign(moved) * v.part_size end as after,
    case when v.opens then 0 else closed_pnl end as part_pnl,
    case when size = closing or closing = 0 then cost_usdc
         when v.opens then cost_usdc - cost_usdc * closing / size else cost_usdc * closing / size end as part_fee
  from split s
  cross join lateral (values
    (1, false, closing), (case when closing > 0 then 2 else 1 end, true, size - closing)
  ) as v(part, opens, part_size)
  where v.part_size > 0
),
numbered as (
  select p.*, lag(after) over chain as came_from, sum((before = 0)::int) over chain as trip
  from parts p
  window chain as (partition by account_address, coin order by place, part)
),
trips as (
  select account_address, coin, trip,
    (array_agg(sign(coalesce(nullif(before, 0), after)) order by place, part))[1] as direction,
    (array_agg(before order by place, part))[1] as first_before,
    (array_agg(after order by place desc, part desc))[1] as last_after,
    bool_and(came_from is null or came_from = before) as unbroken,
    min(fill_time_ms) as first_ms, max(fill_time_ms) as last_ms, count(*) as fills,
    max(greatest(abs(before), abs(after))) as max_size,
    sum(part_size * price) filter (where opens) / nullif(sum(part_size) filter (where opens), 0) as entry_price,
    sum(part_size * price) filter (where not opens) / nullif(sum(part_size) filter (where not opens), 0) as exit_price,
    sum(part_pnl) as closed_pnl, coalesce(sum(part_fee), 0) as fees, bool_or(part_fee is null) as unpriced,
    bool_or(liquidated) as liquidated, lead(trip) over (partition by account_address, coin order by trip) as next_trip
  from numbered group by account_address, coin, trip
)
select t.account_address, t.coin, t.trip, case when t.direction > 0 then 'long' else 'short' end as side,
  case when t.first_before = 0 then to_timestamp(t.first_ms / 1000.0) end as opened_at,
  case when t.last_after = 0 then to_timestamp(t.last_ms / 1000.0) end as closed_at,
  case when t.first_before = 0 and t.last_after = 0 then trim_scale((t.last_ms - t.first_ms) / 1000.0) end as seconds,
  t.fills, trim_scale(t.max_size) as max_size,
  trim_scale(round(t.entry_price, 10)) as entry_price, trim_scale(round(t.exit_price, 10)) as exit_price,
  trim_scale(t.closed_pnl) as closed_pnl, trim_scale(round(t.fees, 10)) as fees, trim_scale(f.funding) as funding,
  trim_scale(round(t.closed_pnl - t.fees + f.funding, 10)) as net_pnl,
  t.liquidated, t.first_before = 0 and t.unbroken and not t.unpriced and (t.last_after = 0 or t.next_trip is null) as complete, null::text as name
from trips t
cross join lateral (
  select coalesce(sum(x.usdc), 0) as funding from public.hl_funding x
  where x.account_address = t.account_address and x.coin = t.coin and x.funding_time_ms >= t.first_ms
    and (t.last_after <> 0 or x.funding_time_ms <= t.last_ms)
) f`,
  `create view plain_net_pnl as
with earned as (
  select account_address, (fill_time at time zone 'UTC')::date as day, coin, 1 as fills, value as volume, closed_pnl,
    coalesce(fee_usdc, 0) + coalesce(gas_usdc, 0) as fees, coalesce(builder_fee_usdc, 0) as builder_fees,
    0::numeric as funding,
    (fee_basis in ('base_at_fill_price', 'dollar_at_par') or coalesce(gas_usdc, 0) <> 0)::int as converted_fees,
    (cost_usdc is null)::int as unpriced_fees
  from public.hl_fill_pnl
  union all
  select account_address, (funding_time at time zone 'UTC')::date, coin, 0, 0, 0, 0, 0, usdc, 0, 0
  from public.hl_funding
)
select account_address, day, coin, sum(fills) as fills, trim_scale(sum(volume)) as volume,
  trim_scale(sum(closed_pnl)) as closed_pnl, trim_scale(sum(fees)) as fees,
  trim_scale(sum(builder_fees)) as builder_fees, trim_scale(sum(funding)) as funding,
  trim_scale(sum(closed_pnl) - sum(fees) + sum(funding)) as net_pnl,
  sum(converted_fees) as converted_fees, sum(unpriced_fees) as unpriced_fees
from earned group by account_address, day, coin`,
  `create view plain_trades as
  select account_address, count(*) as trades,
    count(*) filter (where net_pnl > 0) as wins, count(*) filter (where net_pnl < 0) as losses,
    avg(net_pnl) filter (where net_pnl > 0) as average_win, avg(net_pnl) filter (where net_pnl < 0) as average_loss,
    coalesce(sum(net_pnl) filter (where net_pnl > 0), 0) as won, coalesce(-sum(net_pnl) filter (where net_pnl < 0), 0) as lost,
    avg(net_pnl) as expectancy, max(net_pnl) as best_trade, min(net_pnl) as worst_trade, avg(seconds) as average_seconds
  from plain_round_trips where complete and closed_at is not null group by account_address`,
];
