-- A fill that turns a long into a short ends one trip and begins the next: it is counted in two parts. One that does not
-- tell the position before it (taken over from an older program) is in no trip.

create or replace view public.hl_round_trips as
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
  t.liquidated, t.first_before = 0 and t.unbroken and not t.unpriced and (t.last_after = 0 or t.next_trip is null) as complete
from trips t
cross join lateral (
  select coalesce(sum(x.usdc), 0) as funding from public.hl_funding x
  where x.account_address = t.account_address and x.coin = t.coin and x.funding_time_ms >= t.first_ms
    and (t.last_after <> 0 or x.funding_time_ms <= t.last_ms)
) f;
comment on view public.hl_round_trips is 'Perp positions from flat to flat (or to now), with what they earned. A flip ends one trip and begins the next.';
comment on column public.hl_round_trips.account_address is 'Account.';
comment on column public.hl_round_trips.coin is 'Market as the venue names it.';
comment on column public.hl_round_trips.trip is 'Number of the trip in the coin, from 1; 0 is a position that was open before the stored history begins.';
comment on column public.hl_round_trips.side is 'long or short.';
comment on column public.hl_round_trips.opened_at is 'First fill; null when it is before the stored history.';
comment on column public.hl_round_trips.closed_at is 'Fill that made it flat; null while open.';
comment on column public.hl_round_trips.seconds is 'Time from opened_at to closed_at in seconds.';
comment on column public.hl_round_trips.fills is 'Number of fills; one that flips counts in both trips.';
comment on column public.hl_round_trips.max_size is 'Largest size it had.';
comment on column public.hl_round_trips.entry_price is 'Average price of what opened it.';
comment on column public.hl_round_trips.exit_price is 'Average price of what closed it; null while nothing did.';
comment on column public.hl_round_trips.closed_pnl is 'Realised profit, gross of fees.';
comment on column public.hl_round_trips.fees is 'Fees in USDC, priority gas inside; those of a flip are shared by size.';
comment on column public.hl_round_trips.funding is 'Funding between its first and its last fill, or up to now while open; negative was paid.';
comment on column public.hl_round_trips.net_pnl is 'closed_pnl − fees + funding.';
comment on column public.hl_round_trips.liquidated is 'True when the venue liquidated the account in it.';
comment on column public.hl_round_trips.complete is 'True when its beginning is stored, its fills form an unbroken chain to its end and all fees could be priced.';
