-- Money, as views over what the venue said (docs/views.md). All sums are in USDC. What can go wrong is said in a column:
-- fees that had to be converted or could not be, history that begins in the middle of a position.

create view public.hl_fill_pnl as
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

-- One row per thing that made or lost money; the sums below only group it.
create view public.hl_net_pnl_daily_by_coin as
with earned as (
  select account_address, (fill_time at time zone 'UTC')::date as day, coin, 1 as fills, value as volume, closed_pnl,
    coalesce(fee_usdc, 0) as fees, coalesce(builder_fee_usdc, 0) as builder_fees, 0::numeric as funding,
    (fee_basis in ('base_at_fill_price', 'dollar_at_par'))::int as converted_fees, (fee_basis = 'unpriced')::int as unpriced_fees
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
from earned group by account_address, day, coin;
comment on view public.hl_net_pnl_daily_by_coin is 'Net profit per UTC day and coin: closed_pnl − fees + funding.';

create view public.hl_net_pnl_daily as
select account_address, day, sum(fills)::bigint as fills, trim_scale(sum(volume)) as volume,
  trim_scale(sum(closed_pnl)) as closed_pnl, trim_scale(sum(fees)) as fees,
  trim_scale(sum(builder_fees)) as builder_fees, trim_scale(sum(funding)) as funding,
  trim_scale(sum(net_pnl)) as net_pnl, sum(converted_fees)::bigint as converted_fees,
  sum(unpriced_fees)::bigint as unpriced_fees
from public.hl_net_pnl_daily_by_coin group by account_address, day;
comment on view public.hl_net_pnl_daily is 'Net profit per UTC day: closed_pnl − fees + funding.';

create view public.hl_net_pnl_by_coin as
select account_address, coin, sum(fills)::bigint as fills, trim_scale(sum(volume)) as volume,
  trim_scale(sum(closed_pnl)) as closed_pnl, trim_scale(sum(fees)) as fees,
  trim_scale(sum(builder_fees)) as builder_fees, trim_scale(sum(funding)) as funding,
  trim_scale(sum(net_pnl)) as net_pnl, sum(converted_fees)::bigint as converted_fees,
  sum(unpriced_fees)::bigint as unpriced_fees, min(day) as first_day, max(day) as last_day
from public.hl_net_pnl_daily_by_coin group by account_address, coin;
comment on view public.hl_net_pnl_by_coin is 'Net profit per coin over all stored history: closed_pnl − fees + funding.';
comment on column public.hl_net_pnl_by_coin.first_day is 'First UTC day with a fill or a funding payment.';
comment on column public.hl_net_pnl_by_coin.last_day is 'Last such day.';

do $$
declare
  view_name text;
begin
  foreach view_name in array array['hl_net_pnl_daily_by_coin', 'hl_net_pnl_daily', 'hl_net_pnl_by_coin'] loop
    execute format('comment on column public.%I.account_address is %L', view_name, 'Account.');
    if view_name <> 'hl_net_pnl_by_coin' then
      execute format('comment on column public.%I.day is %L', view_name, 'Day in UTC.');
    end if;
    if view_name <> 'hl_net_pnl_daily' then
      execute format('comment on column public.%I.coin is %L', view_name, 'Market as the venue names it.');
    end if;
    execute format('comment on column public.%I.fills is %L', view_name, 'Number of fills.');
    execute format('comment on column public.%I.volume is %L', view_name, 'Sum of price × size.');
    execute format('comment on column public.%I.closed_pnl is %L', view_name, 'Realised profit, gross of fees.');
    execute format('comment on column public.%I.fees is %L', view_name, 'Fees in USDC, builder fees inside; negative is a rebate.');
    execute format('comment on column public.%I.builder_fees is %L', view_name, 'Part of the fees that went to builders.');
    execute format('comment on column public.%I.funding is %L', view_name, 'Funding; negative was paid.');
    execute format('comment on column public.%I.net_pnl is %L', view_name, 'closed_pnl − fees + funding.');
    execute format('comment on column public.%I.converted_fees is %L', view_name, 'Number of fees that were converted to USDC.');
    execute format('comment on column public.%I.unpriced_fees is %L', view_name, 'Number of fees that could not be converted and are not in the sums.');
  end loop;
end
$$;

create view public.hl_fees as
select account_address, coin, fee_token, count(*) as fills, trim_scale(sum(value)) as volume,
  trim_scale(sum(fee)) as fee, trim_scale(sum(fee_usdc)) as fee_usdc,
  trim_scale(sum(builder_fee_usdc)) as builder_fee_usdc,
  trim_scale(coalesce(sum(fee_usdc) filter (where crossed), 0)) as taker_fee_usdc,
  trim_scale(coalesce(sum(fee_usdc) filter (where not crossed), 0)) as maker_fee_usdc,
  trim_scale(coalesce(sum(fee_usdc) filter (where fee_usdc < 0), 0)) as rebate_usdc,
  trim_scale(round(10000 * sum(fee_usdc) / nullif(sum(value), 0), 6)) as fee_bps,
  count(*) filter (where fee_basis = 'unpriced') as unpriced_fees
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

create view public.hl_funding_daily as
select account_address, (funding_time at time zone 'UTC')::date as day, coin, count(*) as payments,
  trim_scale(coalesce(-sum(usdc) filter (where usdc < 0), 0)) as paid,
  trim_scale(coalesce(sum(usdc) filter (where usdc > 0), 0)) as received,
  trim_scale(sum(usdc)) as funding
from public.hl_funding group by 1, 2, 3;
comment on view public.hl_funding_daily is 'Funding per UTC day and coin.';
comment on column public.hl_funding_daily.account_address is 'Account.';
comment on column public.hl_funding_daily.day is 'Day in UTC.';
comment on column public.hl_funding_daily.coin is 'Market as the venue names it.';
comment on column public.hl_funding_daily.payments is 'Number of payments.';
comment on column public.hl_funding_daily.paid is 'What the account paid, positive.';
comment on column public.hl_funding_daily.received is 'What the account received.';
comment on column public.hl_funding_daily.funding is 'received − paid.';

create view public.hl_funding_by_coin as
select account_address, coin, sum(payments)::bigint as payments, trim_scale(sum(paid)) as paid,
  trim_scale(sum(received)) as received, trim_scale(sum(funding)) as funding, min(day) as first_day, max(day) as last_day
from public.hl_funding_daily group by account_address, coin;
comment on view public.hl_funding_by_coin is 'Funding per coin over all stored history.';
comment on column public.hl_funding_by_coin.account_address is 'Account.';
comment on column public.hl_funding_by_coin.coin is 'Market as the venue names it.';
comment on column public.hl_funding_by_coin.payments is 'Number of payments.';
comment on column public.hl_funding_by_coin.paid is 'What the account paid, positive.';
comment on column public.hl_funding_by_coin.received is 'What the account received.';
comment on column public.hl_funding_by_coin.funding is 'received − paid.';
comment on column public.hl_funding_by_coin.first_day is 'First UTC day with a payment.';
comment on column public.hl_funding_by_coin.last_day is 'Last such day.';

-- Fills of one millisecond come without an order. They chain (the position after one is the position before the next),
-- so their order is a trail through the graph whose edges they are; src/sync/chain.ts does the same.
create function hl_internal.chain_order(befores numeric[], afters numeric[], previous numeric) returns integer[]
language plpgsql immutable set search_path = '' as $$
declare
  n integer := cardinality(befores);
  used boolean[] := array_fill(false, array[n]);
  ranks integer[] := array_fill(0, array[n]);
  placed integer := 0;
  nodes numeric[];
  vias integer[];
  trail integer[];
  start numeric;
  edge integer;
begin
  while placed < n loop
    -- A trail begins where more fills leave than arrive; a closed one where the last one ended, if it can.
    select node into start
    from (
      select node, sum(balance) as surplus, bool_or(balance > 0) as leaves, min(i) as i
      from (
        select trim_scale(befores[i]) as node, 1 as balance, i from generate_series(1, n) i where not used[i]
        union all
        select trim_scale(afters[i]), -1, i from generate_series(1, n) i where not used[i]
      ) ends group by node
    ) found
    where leaves
    order by surplus > 0 desc, node = previous desc nulls last, i
    limit 1;
    nodes := array[start];
    vias := array[null::integer];
    trail := '{}';
    while cardinality(nodes) > 0 loop
      select min(i) into edge from generate_series(1, n) i where not used[i] and befores[i] = nodes[cardinality(nodes)];
      if edge is not null then
        used[edge] := true;
        nodes := nodes || afters[edge];
        vias := vias || edge;
      else
        trail := vias[cardinality(vias)] || trail;
        nodes := trim_array(nodes, 1);
        vias := trim_array(vias, 1);
      end if;
    end loop;
    for edge in select e from unnest(trail) with ordinality t(e, at) where e is not null order by at loop
      placed := placed + 1;
      ranks[edge] := placed;
      previous := trim_scale(afters[edge]);
    end loop;
  end loop;
  return ranks;
end
$$;
comment on function hl_internal.chain_order is 'Ranks fills, given by the positions before and after them, in the order in which they chain.';

-- A fill that turns a long into a short ends one trip and begins the next: it is counted in two parts.
create view public.hl_round_trips as
with moves as (
  select account_address, coin, fill_time_ms, order_id, trade_id, side, size, price, closed_pnl, liquidated, fee_usdc,
    start_position::numeric as start_at, case side when 'buy' then size else -size end as moved,
    start_position::numeric + case side when 'buy' then size else -size end as end_at
  from public.hl_fill_pnl where market = 'perp'
),
-- The fills of one order follow its direction; that is all there is to know in most milliseconds.
guessed as (
  select m.*, row_number() over chain as guess, lag(end_at) over chain as link,
    count(*) over (partition by account_address, coin, fill_time_ms) as crowd
  from moves m
  window chain as (partition by account_address, coin
    order by fill_time_ms, order_id, case side when 'buy' then start_at else -start_at end, trade_id)
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
    case when size = closing or closing = 0 then fee_usdc
         when v.opens then fee_usdc - fee_usdc * closing / size else fee_usdc * closing / size end as part_fee
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
comment on column public.hl_round_trips.fees is 'Fees in USDC; those of a flip are shared by size.';
comment on column public.hl_round_trips.funding is 'Funding between its first and its last fill, or up to now while open; negative was paid.';
comment on column public.hl_round_trips.net_pnl is 'closed_pnl − fees + funding.';
comment on column public.hl_round_trips.liquidated is 'True when the venue liquidated the account in it.';
comment on column public.hl_round_trips.complete is 'True when its beginning is stored, its fills form an unbroken chain to its end and all fees could be priced.';

-- What moved money into or out of the account without a trade. Perp and spot sides apart, since in standard mode only
-- the perp side is equity.
create view public.hl_flows as
with deltas as (
  select l.account_address, l.ledger_time, l.ledger_time_ms, l.hash, l.digest, l.type, l.raw_ledger -> 'delta' as d,
    lower(l.raw_ledger -> 'delta' ->> 'destination') = l.account_address as incoming,
    lower(l.raw_ledger -> 'delta' ->> 'user') = l.account_address as outgoing,
    lower(l.raw_ledger -> 'delta' ->> 'vault') = l.account_address as is_vault,
    coalesce(l.raw_ledger -> 'delta' ->> 'token', 'USDC') in ('USDC', 'USDT0', 'USDT', 'USDE', 'USDH') as dollars
  from public.hl_ledger l
),
amounts as (
  select x.*, coalesce((d ->> 'usdc')::numeric, 0) as usdc, coalesce((d ->> 'amount')::numeric, 0) as amount,
    case when coalesce(d ->> 'feeToken', '') in ('', 'USDC', 'USDT0', 'USDT', 'USDE', 'USDH')
         then coalesce((d ->> 'fee')::numeric, 0) else 0 end as fee,
    d ->> 'sourceDex' is distinct from 'spot' as from_perp, d ->> 'destinationDex' is distinct from 'spot' as to_perp
  from deltas x
),
sides as (
  select a.*, case type
      when 'deposit' then usdc
      when 'withdraw' then -(usdc + fee)
      when 'accountClassTransfer' then case when (d ->> 'toPerp')::boolean then usdc else -usdc end
      when 'internalTransfer' then case when incoming then usdc else -(usdc + fee) end
      when 'subAccountTransfer' then case when incoming then usdc else -usdc end
      when 'vaultCreate' then -(usdc + fee)
      when 'vaultDeposit' then case when is_vault then usdc else -usdc end
      when 'vaultDistribution' then case when is_vault then -usdc else usdc end
      when 'vaultLeaderCommission' then case when is_vault then -usdc else usdc end
      when 'vaultWithdraw' then case when is_vault then -coalesce((d ->> 'requestedUsd')::numeric, 0)
                                     else coalesce((d ->> 'netWithdrawnUsd')::numeric, 0) end
      when 'send' then case when dollars then
        case when incoming and to_perp then amount else 0 end
        - case when outgoing and from_perp then amount + fee else 0 end else 0 end
      else 0 end as perp_usdc,
    case type
      when 'accountClassTransfer' then case when (d ->> 'toPerp')::boolean then -usdc else usdc end
      when 'spotTransfer' then case when incoming then case when dollars then amount else 0 end
                                    else -(case when dollars then amount else 0 end + fee) end
      when 'send' then case when dollars then
        case when incoming and not to_perp then amount else 0 end
        - case when outgoing and not from_perp then amount + fee else 0 end else 0 end
      when 'rewardsClaim' then case when dollars then amount else 0 end
      else 0 end as spot_usdc
  from amounts a
)
select account_address, ledger_time, ledger_time_ms, hash, digest, type, trim_scale(perp_usdc) as perp_usdc,
  trim_scale(spot_usdc) as spot_usdc, trim_scale(perp_usdc + spot_usdc) as usdc
from sides;
comment on view public.hl_flows is 'Deposits, withdrawals and transfers with their effect on the account in USDC; dollar tokens count one for one, other tokens not at all.';
comment on column public.hl_flows.account_address is 'Account.';
comment on column public.hl_flows.ledger_time is 'Block time.';
comment on column public.hl_flows.ledger_time_ms is 'The same in Unix milliseconds.';
comment on column public.hl_flows.hash is 'Transaction hash.';
comment on column public.hl_flows.digest is 'Tells updates apart that share time, hash and type.';
comment on column public.hl_flows.type is 'The venue''s delta.type.';
comment on column public.hl_flows.perp_usdc is 'Effect on the perp dexes, fees inside.';
comment on column public.hl_flows.spot_usdc is 'Effect on the dollars held in spot, fees inside.';
comment on column public.hl_flows.usdc is 'Both.';

create function public.hl_equity_since(followed text, since timestamptz)
returns table (
  account_address text, as_of timestamptz, as_of_ms bigint, account_mode text, account_value numeric,
  unrealized_pnl numeric, flow numeric, net_flows numeric, profit numeric, peak_profit numeric, drawdown numeric,
  drawdown_pct numeric)
language sql stable
begin atomic
with timeline as (
  select account_address, as_of_ms as at_ms, 1 as kind, as_of, account_mode, account_value, total_unrealized_pnl,
    0::numeric as perp_usdc, 0::numeric as usdc
  from public.hl_dashboard d
  where d.account_address = hl_equity_since.followed and d.as_of >= hl_equity_since.since
  union all
  select account_address, ledger_time_ms, 0, null, null, null, null, perp_usdc, usdc from public.hl_flows f
  where f.account_address = hl_equity_since.followed and f.ledger_time >= hl_equity_since.since
),
moved as (
  select t.*, sum(perp_usdc) over so_far as perp_moved, sum(usdc) over so_far as all_moved
  from timeline t
  window so_far as (partition by account_address order by at_ms, kind rows unbounded preceding)
),
steps as (
  select m.*,
    lag(account_value) over shots as last_value, lag(account_mode) over shots as last_mode,
    lag(perp_moved) over shots as last_perp, lag(all_moved) over shots as last_all
  from moved m where kind = 1
  window shots as (partition by account_address order by at_ms)
),
flowed as (
  select s.*, case
    when last_mode is null then 0
    -- Another way of holding the same money is neither profit nor loss.
    when last_mode <> account_mode then account_value - last_value
    when account_mode = 'standard' then perp_moved - last_perp
    else all_moved - last_all end as flow
  from steps s
),
summed as (
  select f.*, sum(flow) over so_far as net_flows, first_value(account_value) over so_far as start_value
  from flowed f
  window so_far as (partition by account_address order by at_ms rows unbounded preceding)
),
peaks as (
  select s.*, account_value - net_flows - start_value as profit,
    max(account_value - net_flows - start_value) over (
      partition by account_address order by at_ms rows unbounded preceding) as peak_profit
  from summed s
)
select account_address, as_of, at_ms as as_of_ms, account_mode, account_value, total_unrealized_pnl as unrealized_pnl,
  trim_scale(flow) as flow, trim_scale(net_flows) as net_flows, trim_scale(profit) as profit,
  trim_scale(peak_profit) as peak_profit, trim_scale(peak_profit - profit) as drawdown,
  case when account_value + peak_profit - profit > 0
    then trim_scale(round(100 * (peak_profit - profit) / (account_value + peak_profit - profit), 6)) end as drawdown_pct
from peaks;
end;
comment on function public.hl_equity_since is 'The rows of hl_equity of one account as if its first snapshot were the first one not before since: profit and drawdown of a period.';

create view public.hl_equity as
select e.* from hl_internal.accounts a
cross join lateral public.hl_equity_since(a.account_address, '-infinity') e;
comment on view public.hl_equity is 'Equity over time with deposits and withdrawals taken out, and the drawdown that is left. Begins with the first snapshot.';
comment on column public.hl_equity.account_address is 'Account.';
comment on column public.hl_equity.as_of is 'The venue''s time of the snapshot.';
comment on column public.hl_equity.as_of_ms is 'The same in Unix milliseconds.';
comment on column public.hl_equity.account_mode is 'standard, unified or portfolio_margin.';
comment on column public.hl_equity.account_value is 'Equity.';
comment on column public.hl_equity.unrealized_pnl is 'Unrealised profit in it.';
comment on column public.hl_equity.flow is 'What came in (or went out, negative) since the snapshot before, without a trade.';
comment on column public.hl_equity.net_flows is 'Sum of the flows since the first snapshot.';
comment on column public.hl_equity.profit is 'account_value − net_flows − the first account_value: what trading made since the first snapshot.';
comment on column public.hl_equity.peak_profit is 'Highest profit so far.';
comment on column public.hl_equity.drawdown is 'peak_profit − profit.';
comment on column public.hl_equity.drawdown_pct is 'drawdown in percent of the equity the account would have at its peak; null when that is not positive.';

create view public.hl_equity_daily as
with days as (
  select e.*, (as_of at time zone 'UTC')::date as day,
    row_number() over (partition by account_address, (as_of at time zone 'UTC')::date order by as_of_ms desc) as from_end
  from public.hl_equity e
),
closes as (
  select account_address, day,
    max(account_value) filter (where from_end = 1) as close_value,
    max(profit) filter (where from_end = 1) as close_profit,
    sum(flow) as flow, max(drawdown) as max_drawdown, max(drawdown_pct) as max_drawdown_pct, count(*) as snapshots
  from days group by account_address, day
),
chained as (
  select c.*, lag(close_value) over w as open_value, lag(close_profit) over w as open_profit
  from closes c window w as (partition by account_address order by day)
)
select account_address, day, open_value, close_value, trim_scale(flow) as flow,
  trim_scale(close_profit - coalesce(open_profit, 0)) as pnl,
  case when open_value > 0 then trim_scale(round(100 * (close_profit - open_profit) / open_value, 6)) end as return_pct,
  max_drawdown, max_drawdown_pct, snapshots
from chained;
comment on view public.hl_equity_daily is 'Equity per UTC day: where it closed, what flowed, what trading made of it.';
comment on column public.hl_equity_daily.account_address is 'Account.';
comment on column public.hl_equity_daily.day is 'Day in UTC.';
comment on column public.hl_equity_daily.open_value is 'Equity at the last snapshot of an earlier day; null on the first one.';
comment on column public.hl_equity_daily.close_value is 'Equity at the last snapshot of the day.';
comment on column public.hl_equity_daily.flow is 'Deposits less withdrawals of the day.';
comment on column public.hl_equity_daily.pnl is 'Change of equity without the flows, unrealised profit inside.';
comment on column public.hl_equity_daily.return_pct is 'pnl in percent of open_value; null on the first day or without equity.';
comment on column public.hl_equity_daily.max_drawdown is 'Deepest drawdown seen in the day.';
comment on column public.hl_equity_daily.max_drawdown_pct is 'The same in percent.';
comment on column public.hl_equity_daily.snapshots is 'Number of snapshots.';

create view public.hl_account_now as
select a.account_address, a.alias, d.as_of, d.as_of_ms,
  trim_scale(extract(epoch from now() - d.as_of)) as age_seconds, d.account_mode, d.account_value, d.withdrawable,
  d.total_margin_used, d.total_notional_position, d.maintenance_margin, d.actual_leverage, d.margin_usage_pct,
  d.free_margin, d.total_positions, d.total_unrealized_pnl,
  case when d.total_positions = 0 or now() - d.as_of <= interval '2 minutes' then d.health_score end as health_score,
  case when d.total_positions = 0 or now() - d.as_of <= interval '2 minutes' then d.health_status else 'unknown' end as health_status,
  case when d.total_positions = 0 or now() - d.as_of <= interval '2 minutes' then d.health_reason
       else 'no snapshot since ' || to_char(d.as_of at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC' end as health_reason,
  d.health_components
from hl_internal.accounts a
cross join lateral (
  select * from public.hl_dashboard x where x.account_address = a.account_address order by x.as_of desc limit 1
) d;
comment on view public.hl_account_now is 'The newest snapshot of every account. Health is unknown when positions are open and no snapshot came for two minutes.';
comment on column public.hl_account_now.account_address is 'Account.';
comment on column public.hl_account_now.alias is 'Name given by the user.';
comment on column public.hl_account_now.as_of is 'The venue''s time of the state.';
comment on column public.hl_account_now.as_of_ms is 'The same in Unix milliseconds.';
comment on column public.hl_account_now.age_seconds is 'Age of the snapshot by the clock of the database.';
comment on column public.hl_account_now.account_mode is 'standard, unified or portfolio_margin.';
comment on column public.hl_account_now.account_value is 'Equity.';
comment on column public.hl_account_now.withdrawable is 'What the venue would let out.';
comment on column public.hl_account_now.total_margin_used is 'Margin tied up by all positions.';
comment on column public.hl_account_now.total_notional_position is 'Sum of the values of all positions, unsigned.';
comment on column public.hl_account_now.maintenance_margin is 'Equity below which the cross account is liquidated.';
comment on column public.hl_account_now.actual_leverage is 'Notional ÷ equity; null without equity.';
comment on column public.hl_account_now.margin_usage_pct is 'Margin used ÷ equity × 100; null without equity.';
comment on column public.hl_account_now.free_margin is 'Equity − margin used.';
comment on column public.hl_account_now.total_positions is 'Number of open positions.';
comment on column public.hl_account_now.total_unrealized_pnl is 'Sum of unrealised profit.';
comment on column public.hl_account_now.health_score is '0 (liquidatable) to 100 (nothing at risk); null when unknown.';
comment on column public.hl_account_now.health_status is 'Health in one word.';
comment on column public.hl_account_now.health_reason is 'The limiting factor in words, or why the score is unknown.';
comment on column public.hl_account_now.health_components is 'Every part of the score.';

create view public.hl_exposure as
with held as (
  select p.*, case side when 'short' then -position_value else position_value end as signed_value,
    sum(position_value) over (partition by account_address) as gross
  from public.hl_positions p where side <> 'flat'
)
select h.account_address, h.dex, h.coin, h.side, h.size, h.position_value, trim_scale(h.signed_value) as signed_value,
  case when h.gross > 0 then trim_scale(round(100 * h.position_value / h.gross, 6)) end as share_pct,
  case when n.account_value > 0 then trim_scale(round(h.position_value / n.account_value, 6)) end as leverage,
  h.unrealized_pnl, h.liquidation_distance_pct, h.as_of
from held h left join public.hl_account_now n using (account_address);
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

create view public.hl_exposure_total as
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

create view public.hl_statistics as
with trips as (
  select account_address, count(*) as trades,
    count(*) filter (where net_pnl > 0) as wins, count(*) filter (where net_pnl < 0) as losses,
    avg(net_pnl) filter (where net_pnl > 0) as average_win, avg(net_pnl) filter (where net_pnl < 0) as average_loss,
    coalesce(sum(net_pnl) filter (where net_pnl > 0), 0) as won, coalesce(-sum(net_pnl) filter (where net_pnl < 0), 0) as lost,
    avg(net_pnl) as expectancy, max(net_pnl) as best_trade, min(net_pnl) as worst_trade, avg(seconds) as average_seconds
  from public.hl_round_trips where complete and closed_at is not null group by account_address
),
totals as (
  select account_address, sum(fills)::bigint as fills, sum(volume) as volume, sum(closed_pnl) as closed_pnl,
    sum(fees) as fees, sum(funding) as funding, sum(net_pnl) as net_pnl, min(first_day) as first_day,
    max(last_day) as last_day, sum(unpriced_fees)::bigint as unpriced_fees
  from public.hl_net_pnl_by_coin group by account_address
),
daily as (
  select account_address, count(return_pct) as days, avg(return_pct) as mean, stddev_samp(return_pct) as deviation,
    max(max_drawdown) as max_drawdown, max(max_drawdown_pct) as max_drawdown_pct
  from public.hl_equity_daily group by account_address
)
select a.account_address, t.first_day, t.last_day, coalesce(t.fills, 0) as fills,
  trim_scale(coalesce(t.volume, 0)) as volume, trim_scale(coalesce(t.closed_pnl, 0)) as closed_pnl,
  trim_scale(coalesce(t.fees, 0)) as fees, trim_scale(coalesce(t.funding, 0)) as funding,
  trim_scale(coalesce(t.net_pnl, 0)) as net_pnl, coalesce(t.unpriced_fees, 0) as unpriced_fees,
  coalesce(r.trades, 0) as trades, coalesce(r.wins, 0) as wins, coalesce(r.losses, 0) as losses,
  trim_scale(round(100.0 * r.wins / nullif(r.trades, 0), 4)) as win_rate_pct,
  trim_scale(round(r.average_win, 6)) as average_win, trim_scale(round(r.average_loss, 6)) as average_loss,
  trim_scale(round(r.won / nullif(r.lost, 0), 6)) as profit_factor,
  trim_scale(round(r.average_win / nullif(-r.average_loss, 0), 6)) as payoff_ratio,
  trim_scale(round(r.expectancy, 6)) as expectancy, r.best_trade, r.worst_trade,
  trim_scale(round(r.average_seconds, 3)) as average_seconds,
  coalesce(d.days, 0) as days_with_return,
  case when d.days >= 2 then trim_scale(round(sqrt(365.0) * d.mean / nullif(d.deviation, 0), 4)) end as sharpe,
  d.max_drawdown, d.max_drawdown_pct
from hl_internal.accounts a
left join totals t using (account_address)
left join trips r using (account_address)
left join daily d using (account_address);
comment on view public.hl_statistics is 'How an account trades. What is not defined (a ratio without trades, without losses, without days) is null. Trades are complete round trips.';
comment on column public.hl_statistics.account_address is 'Account.';
comment on column public.hl_statistics.first_day is 'First UTC day with a fill or a funding payment.';
comment on column public.hl_statistics.last_day is 'Last such day.';
comment on column public.hl_statistics.fills is 'Number of fills.';
comment on column public.hl_statistics.volume is 'Sum of price × size.';
comment on column public.hl_statistics.closed_pnl is 'Realised profit, gross of fees.';
comment on column public.hl_statistics.fees is 'Fees in USDC, builder fees inside; negative is a rebate.';
comment on column public.hl_statistics.funding is 'Funding; negative was paid.';
comment on column public.hl_statistics.net_pnl is 'closed_pnl − fees + funding.';
comment on column public.hl_statistics.unpriced_fees is 'Number of fees that could not be converted and are not in the sums.';
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
comment on column public.hl_statistics.max_drawdown is 'Deepest drawdown since the first snapshot, in USDC.';
comment on column public.hl_statistics.max_drawdown_pct is 'Deepest drawdown in percent.';

do $$
declare
  view_name text;
begin
  foreach view_name in array array[
    'hl_fill_pnl', 'hl_net_pnl_daily_by_coin', 'hl_net_pnl_daily', 'hl_net_pnl_by_coin', 'hl_fees', 'hl_funding_daily',
    'hl_funding_by_coin', 'hl_round_trips', 'hl_flows', 'hl_equity', 'hl_equity_daily', 'hl_account_now', 'hl_exposure',
    'hl_exposure_total', 'hl_statistics'
  ] loop
    perform hl_internal.as_invoker(view_name);
    perform hl_internal.make_text_twin(view_name);
  end loop;
end
$$;
