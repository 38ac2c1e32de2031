-- Sums over all trades of an account, kept for what is old enough not to change any more (ADR 0011): whoever asks for them
-- reads a row per coin and day and the fills that came since, not a million fills. The definitions below say what a sum is over
-- any span of time; settle() sets it down for one, views add the span that is not settled.

-- One row per thing that made or lost money; the sums only group it.
create or replace function hl_internal.earnings(followed text, from_at timestamptz, to_at timestamptz)
returns table (
  coin text, at timestamptz, day date, fills integer, volume numeric, closed_pnl numeric, fees numeric, builder_fees numeric, funding numeric,
  converted_fees integer, unpriced_fees integer, has_gas boolean)
language sql stable set search_path = ''
begin atomic
  select f.coin, f.fill_time as at, (f.fill_time at time zone 'UTC')::date as day, 1 as fills, f.value as volume, f.closed_pnl,
    coalesce(f.fee_usdc, 0) + coalesce(f.gas_usdc, 0) as fees, coalesce(f.builder_fee_usdc, 0) as builder_fees,
    0::numeric as funding,
    (f.fee_basis in ('base_at_fill_price', 'dollar_at_par') or coalesce(f.gas_usdc, 0) <> 0)::int as converted_fees,
    (f.cost_usdc is null)::int as unpriced_fees, coalesce(f.priority_gas, 0) <> 0 as has_gas
  from public.hl_fill_pnl f
  where f.account_address = earnings.followed and f.fill_time >= earnings.from_at and f.fill_time < earnings.to_at
  union all
  select p.coin, p.funding_time, (p.funding_time at time zone 'UTC')::date, 0, 0, 0, 0, 0, p.usdc, 0, 0, false
  from public.hl_funding p
  where p.account_address = earnings.followed and p.funding_time >= earnings.from_at and p.funding_time < earnings.to_at;
end;
comment on function hl_internal.earnings is 'What made or lost money of an account in [from_at, to_at).';

create or replace function hl_internal.settled_until(followed text) returns timestamptz
language sql stable set search_path = ''
begin atomic
  select coalesce((select s.until_at from hl_internal.settled s where s.account_address = settled_until.followed), '-infinity');
end;
comment on function hl_internal.settled_until is 'Everything of an account before this is settled.';

-- The newest settled day with fills of each coin: where its last trip stands. A step per coin, however many days there are.
create or replace function hl_internal.settled_trips(followed text) returns setof hl_internal.settled_days
language sql stable set search_path = ''
begin atomic
  with recursive coins as (
    (select d.coin from hl_internal.settled_days d where d.account_address = settled_trips.followed order by d.coin limit 1)
    union all
    select (select d.coin from hl_internal.settled_days d
            where d.account_address = settled_trips.followed and d.coin > c.coin order by d.coin limit 1)
    from coins c where c.coin is not null
  )
  select s.* from coins c
  cross join lateral (
    select d.* from hl_internal.settled_days d
    where d.account_address = settled_trips.followed and d.coin = c.coin and d.trip_first_ms is not null
    order by d.day desc limit 1
  ) s
  where c.coin is not null;
end;
comment on function hl_internal.settled_trips is 'The last settled row with a trip of every coin of an account.';

-- The trips of [from_at, to_at); from settled_until on continued from the settled ones. The last trip of a coin that is settled is
-- not counted there: it is the first one here, whether it goes on or not.
create or replace function hl_internal.unsettled_trips(followed text, from_at timestamptz, to_at timestamptz)
returns table (
  coin text, trip bigint, first_ms bigint, last_ms bigint, first_before numeric, last_after numeric, unbroken boolean,
  closed_pnl numeric, fees numeric, unpriced boolean, is_last boolean, is_found boolean, direction numeric, seconds numeric,
  funding numeric, net_pnl numeric)
language sql stable set search_path = ''
begin atomic
  with kept as materialized (
    select * from hl_internal.settled_trips(unsettled_trips.followed)
    where unsettled_trips.from_at = hl_internal.settled_until(unsettled_trips.followed)
  ),
  found as materialized (
    select t.*, row_number() over (partition by t.coin order by t.trip) = 1 as is_first
    from hl_internal.trips(unsettled_trips.followed, null, array[unsettled_trips.from_at], array[unsettled_trips.to_at]) t
  ),
  -- Of a coin: the kept trip, unless it goes on, and what was found.
  joined as (
    select k.coin, -1::bigint as trip, k.trip_first_ms as first_ms, k.trip_last_ms as last_ms, k.trip_first_before as first_before,
      k.trip_last_after as last_after, k.trip_unbroken as unbroken, k.trip_closed_pnl as closed_pnl, k.trip_fees as fees,
      k.trip_unpriced as unpriced, f.coin is null as is_last, false as is_found, k.trip_direction as direction
    from kept k left join found f on f.coin = k.coin and f.is_first
    where f.trip is distinct from 0
    union all
    select f.coin, f.trip, case when k.goes_on then k.trip_first_ms else f.first_ms end, f.last_ms,
      case when k.goes_on then k.trip_first_before else f.first_before end, f.last_after,
      f.unbroken and coalesce(k.trip_last_after = f.first_before, true) and (not k.goes_on or k.trip_unbroken),
      f.closed_pnl + case when k.goes_on then k.trip_closed_pnl else 0 end,
      f.fees + case when k.goes_on then k.trip_fees else 0 end,
      f.unpriced or (k.goes_on and k.trip_unpriced), f.is_last, true,
      case when k.goes_on then k.trip_direction else f.direction end
    from found f
    left join lateral (
      select k.*, f.trip = 0 as goes_on from kept k where k.coin = f.coin and f.is_first
    ) s on true
    cross join lateral (
      select coalesce(s.goes_on, false) as goes_on, s.trip_first_ms, s.trip_first_before, s.trip_last_after, s.trip_unbroken,
        s.trip_closed_pnl, s.trip_fees, s.trip_unpriced, s.trip_direction
    ) k
  )
  select j.*, case when whole.is_whole then trim_scale((j.last_ms - j.first_ms) / 1000.0) end, paid.funding,
    trim_scale(round(j.closed_pnl - j.fees + paid.funding, 10))
  from joined j
  cross join lateral (
    select j.first_before = 0 and j.last_after = 0 and j.unbroken and not j.unpriced as is_whole
  ) whole
  cross join lateral (
    select case when whole.is_whole then (
      select coalesce(sum(x.usdc), 0) from public.hl_funding x
      where x.account_address = unsettled_trips.followed and x.coin = j.coin
        and x.funding_time_ms between j.first_ms and j.last_ms) end as funding
  ) paid;
end;
comment on function hl_internal.unsettled_trips is 'The round trips of an account from settled_until on that are not counted in settled_days, or from a later time on, to_at exclusive; seconds, funding and net_pnl of those that are closed and complete.';

-- For views. The planner knows nothing of how little is not settled: apart from the indexes it is left no way.
create or replace function hl_internal.unsettled_days(followed text)
returns table (
  day date, coin text, fills bigint, volume numeric, closed_pnl numeric, fees numeric, builder_fees numeric, funding numeric,
  converted_fees bigint, unpriced_fees bigint)
language sql stable set search_path = '' rows 50 set enable_seqscan = off set enable_bitmapscan = off set jit = off
begin atomic
  select e.day, e.coin, sum(e.fills)::bigint, trim_scale(sum(e.volume)), trim_scale(sum(e.closed_pnl)), trim_scale(sum(e.fees)),
    trim_scale(sum(e.builder_fees)), trim_scale(sum(e.funding)), sum(e.converted_fees)::bigint, sum(e.unpriced_fees)::bigint
  from (
    select n.day, n.coin, n.fills::bigint as fills, n.volume, n.closed_pnl, n.fees, n.builder_fees, n.funding,
      n.converted_fees::bigint as converted_fees, n.unpriced_fees::bigint as unpriced_fees
    from hl_internal.earnings(unsettled_days.followed, hl_internal.settled_until(unsettled_days.followed), 'infinity') n
    union all
    select d.day, d.coin, d.fills, d.volume, d.closed_pnl, d.fees, d.builder_fees, d.funding, d.converted_fees, d.unpriced_fees
    from hl_internal.settled s join hl_internal.settled_days d
      on d.account_address = s.account_address and d.day = (s.until_at at time zone 'UTC')::date
    where s.account_address = unsettled_days.followed
  ) e
  group by e.day, e.coin;
end;
comment on function hl_internal.unsettled_days is 'The sums of the days that are not settled, or not to their end, by day and coin.';

create or replace function hl_internal.unsettled_sums(followed text)
returns table (
  fills bigint, volume numeric, closed_pnl numeric, fees numeric, funding numeric, unpriced_fees bigint, first_day date,
  last_day date)
language sql stable set search_path = '' rows 1 set enable_seqscan = off set enable_bitmapscan = off set jit = off
begin atomic
  select sum(n.fills)::bigint, sum(n.volume), sum(n.closed_pnl), sum(n.fees), sum(n.funding), sum(n.unpriced_fees)::bigint,
    min(n.day), max(n.day)
  from hl_internal.earnings(unsettled_sums.followed, hl_internal.settled_until(unsettled_sums.followed), 'infinity') n
  having count(*) > 0;
end;
comment on function hl_internal.unsettled_sums is 'What came since the account was settled; no row without any.';

create or replace function hl_internal.unsettled_trades(followed text)
returns table (
  trades bigint, wins bigint, losses bigint, net numeric, won numeric, lost numeric, seconds numeric, best numeric, worst numeric)
language sql stable set search_path = '' rows 1 set enable_seqscan = off set enable_bitmapscan = off set jit = off
begin atomic
  select count(t.net_pnl), count(*) filter (where t.net_pnl > 0), count(*) filter (where t.net_pnl < 0), sum(t.net_pnl),
    coalesce(sum(t.net_pnl) filter (where t.net_pnl > 0), 0), coalesce(-sum(t.net_pnl) filter (where t.net_pnl < 0), 0),
    sum(t.seconds), max(t.net_pnl), min(t.net_pnl)
  from hl_internal.unsettled_trips(unsettled_trades.followed, hl_internal.settled_until(unsettled_trades.followed), 'infinity') t
  having count(t.net_pnl) > 0;
end;
comment on function hl_internal.unsettled_trades is 'Complete, closed round trips that are not settled; no row without any.';

-- Where clocks go back over midnight it comes twice; of the two PostgreSQL takes the second.
create or replace function hl_internal.day_start(day timestamp, zone text) returns timestamptz
language sql stable set search_path = ''
return case when (day_start.day at time zone day_start.zone - interval '1 hour') at time zone day_start.zone >= day_start.day
  then day_start.day at time zone day_start.zone - interval '1 hour' else day_start.day at time zone day_start.zone end;
comment on function hl_internal.day_start is 'The first moment of a day of a zone.';

-- The days of another zone. What was settled up to a midnight is in the last quarter of an hour before it; no zone's midnight
-- is elsewhere. What is not settled is counted.
create or replace function hl_internal.zone_days(followed text, zone text, from_day timestamp, to_day timestamp)
returns table (
  day timestamp, fills bigint, volume numeric, closed_pnl numeric, fees numeric, funding numeric, unpriced_fees bigint)
language sql stable set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set jit = off
begin atomic
  with midnights as materialized (
    select d.day, hl_internal.day_start(d.day, zone_days.zone) as at
    from generate_series(zone_days.from_day, zone_days.to_day + interval '1 day', interval '1 day') d(day)
  ),
  passed as (
    select m.day, coalesce(k.moves, 0) as moves, coalesce(k.fills, 0) as fills, coalesce(k.volume, 0) as volume,
      coalesce(k.closed_pnl, 0) as closed_pnl, coalesce(k.fees, 0) as fees, coalesce(k.funding, 0) as funding,
      coalesce(k.unpriced_fees, 0) as unpriced_fees
    from midnights m
    left join lateral (
      select * from hl_internal.settled_slots s
      where s.account_address = zone_days.followed and s.slot_at < m.at order by s.slot_at desc limit 1
    ) k on true
  ),
  of_days as (
    select p.day, lead(p.moves) over days - p.moves as moves, lead(p.fills) over days - p.fills as fills,
      lead(p.volume) over days - p.volume as volume, lead(p.closed_pnl) over days - p.closed_pnl as closed_pnl,
      lead(p.fees) over days - p.fees as fees, lead(p.funding) over days - p.funding as funding,
      lead(p.unpriced_fees) over days - p.unpriced_fees as unpriced_fees
    from passed p window days as (order by p.day)
  )
  select e.day, sum(e.fills)::bigint, sum(e.volume), sum(e.closed_pnl), sum(e.fees), sum(e.funding), sum(e.unpriced_fees)::bigint
  from (
    select o.day, o.fills, o.volume, o.closed_pnl, o.fees, o.funding, o.unpriced_fees from of_days o where o.moves > 0
    union all
    select date_trunc('day', n.at at time zone zone_days.zone), n.fills, n.volume, n.closed_pnl, n.fees, n.funding, n.unpriced_fees
    from hl_internal.earnings(zone_days.followed,
      greatest(hl_internal.day_start(zone_days.from_day, zone_days.zone), hl_internal.settled_until(zone_days.followed)),
      hl_internal.day_start(zone_days.to_day + interval '1 day', zone_days.zone)) n
  ) e
  group by e.day;
end;
comment on function hl_internal.zone_days is 'What an account earned by the days of a zone, both inclusive; days on which nothing moved are left out.';

-- By coin: the days of UTC that lie within, the one that is not settled whole as far as it is; what lies before and behind them.
create or replace function hl_internal.zone_coins(followed text, from_at timestamptz, to_at timestamptz)
returns table (
  coin text, fills bigint, volume numeric, closed_pnl numeric, fees numeric, funding numeric, unpriced_fees bigint)
language sql stable set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set jit = off
begin atomic
  with bounds as materialized (
    select b.first_at, greatest(b.first_at, case when zone_coins.to_at >= b.until_at then b.until_at
      else date_trunc('day', zone_coins.to_at, 'UTC') end) as last_at
    from (
      select hl_internal.settled_until(zone_coins.followed) as until_at,
        least(zone_coins.to_at, date_trunc('day', zone_coins.from_at + interval '1 day' - interval '1 microsecond', 'UTC')) as first_at
    ) b
  )
  select e.coin, sum(e.fills)::bigint, sum(e.volume), sum(e.closed_pnl), sum(e.fees), sum(e.funding), sum(e.unpriced_fees)::bigint
  from (
    select n.coin, n.fills, n.volume, n.closed_pnl, n.fees, n.funding, n.unpriced_fees
    from bounds b cross join lateral hl_internal.earnings(zone_coins.followed, zone_coins.from_at, b.first_at) n
    union all
    select d.coin, d.fills, d.volume, d.closed_pnl, d.fees, d.funding, d.unpriced_fees
    from bounds b join hl_internal.settled_days d on d.account_address = zone_coins.followed
      and d.day >= (b.first_at at time zone 'UTC')::date and d.day::timestamp < b.last_at at time zone 'UTC'
    union all
    select n.coin, n.fills, n.volume, n.closed_pnl, n.fees, n.funding, n.unpriced_fees
    from bounds b cross join lateral hl_internal.earnings(zone_coins.followed, b.last_at, zone_coins.to_at) n
  ) e
  group by e.coin;
end;
comment on function hl_internal.zone_coins is 'What an account earned by coin in [from_at, to_at).';

-- Takes the next stretch down: a day that is over, or the next rows of a day with many. What is young is left, for it comes in
-- any order.
create or replace function hl_internal.settle(followed text, now_at timestamptz, max_rows integer default 500) returns boolean
language plpgsql set search_path = '' set lock_timeout = '20s' set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
  young_at constant timestamptz := now_at - interval '1 hour';
  from_at timestamptz;
  first_at timestamptz;
  cut_at timestamptz;
begin
  perform hl_internal.lock_accounts(array[followed]);
  -- After the account's: whoever learns a price waits for those who count with the old ones.
  perform pg_advisory_xact_lock_shared(hashtext('hl_internal.settled'));
  from_at := hl_internal.settled_until(followed);

  select min(x.at) into first_at from (
    (select f.fill_time as at from public.hl_fills f
     where f.account_address = followed and f.fill_time >= from_at order by f.fill_time limit 1)
    union all
    (select p.funding_time from public.hl_funding p
     where p.account_address = followed and p.funding_time >= from_at order by p.funding_time limit 1)
  ) x;
  if first_at is null then return false; end if;

  select min(x.at) into cut_at from (
    (select f.fill_time as at from public.hl_fills f
     where f.account_address = followed and f.fill_time >= first_at order by f.fill_time offset max_rows limit 1)
    union all
    (select p.funding_time from public.hl_funding p
     where p.account_address = followed and p.funding_time >= first_at order by p.funding_time offset max_rows limit 1)
  ) x;
  -- One moment is never cut.
  if cut_at = first_at then cut_at := first_at + interval '1 millisecond'; end if;
  cut_at := least(cut_at, date_trunc('day', first_at, 'UTC') + interval '24 hours');
  if cut_at > young_at then return false; end if;
  with moves as materialized (
    select * from hl_internal.earnings(followed, first_at, cut_at)
  ),
  sums as materialized (
    select e.coin, sum(e.fills) as fills, sum(e.volume) as volume, sum(e.closed_pnl) as closed_pnl, sum(e.fees) as fees,
      sum(e.builder_fees) as builder_fees, sum(e.funding) as funding, sum(e.converted_fees) as converted_fees,
      sum(e.unpriced_fees) as unpriced_fees, bool_or(e.has_gas) as has_gas
    from moves e group by e.coin
  ),
  found as materialized (
    select * from hl_internal.unsettled_trips(followed, from_at, cut_at)
  ),
  trades as materialized (
    select f.coin, count(f.net_pnl) as trades, count(*) filter (where f.net_pnl > 0) as wins,
      count(*) filter (where f.net_pnl < 0) as losses, sum(f.net_pnl) as net,
      sum(f.net_pnl) filter (where f.net_pnl > 0) as won, -sum(f.net_pnl) filter (where f.net_pnl < 0) as lost,
      sum(f.seconds) as seconds, max(f.net_pnl) as best, min(f.net_pnl) as worst
    from found f where not f.is_last group by f.coin
  ),
  lasts as materialized (select * from found f where f.is_last and f.is_found),
  -- Of a coin: what is put into its day, and added to the sums of all days.
  stretch as materialized (
    select (first_at at time zone 'UTC')::date as day, s.coin, s.fills, trim_scale(s.volume) as volume,
      trim_scale(s.closed_pnl) as closed_pnl, trim_scale(s.fees) as fees, trim_scale(s.builder_fees) as builder_fees,
      trim_scale(s.funding) as funding, s.converted_fees, s.unpriced_fees, s.has_gas, coalesce(r.trades, 0) as trades,
      coalesce(r.wins, 0) as wins, coalesce(r.losses, 0) as losses, coalesce(r.net, 0) as net, coalesce(r.won, 0) as won,
      coalesce(r.lost, 0) as lost, coalesce(r.seconds, 0) as seconds, r.best, r.worst
    from sums s left join trades r on r.coin = s.coin
  ),
  slots as (
    select date_bin('15 minutes', m.at, '2000-01-01 00:00:00+00') as slot_at, count(*) as moves, sum(m.fills) as fills,
      sum(m.volume) as volume, sum(m.closed_pnl) as closed_pnl, sum(m.fees) as fees, sum(m.funding) as funding,
      sum(m.unpriced_fees) as unpriced_fees
    from moves m group by 1
  ),
  -- All of before, and what came up to the end of each.
  put_slots as (
    insert into hl_internal.settled_slots as t (
      account_address, slot_at, moves, fills, volume, closed_pnl, fees, funding, unpriced_fees)
    select followed, s.slot_at, coalesce(k.moves, 0) + sum(s.moves) over upto, coalesce(k.fills, 0) + sum(s.fills) over upto,
      trim_scale(coalesce(k.volume, 0) + sum(s.volume) over upto), trim_scale(coalesce(k.closed_pnl, 0) + sum(s.closed_pnl) over upto),
      trim_scale(coalesce(k.fees, 0) + sum(s.fees) over upto), trim_scale(coalesce(k.funding, 0) + sum(s.funding) over upto),
      coalesce(k.unpriced_fees, 0) + sum(s.unpriced_fees) over upto
    from slots s
    left join (
      select * from hl_internal.settled_slots x where x.account_address = followed order by x.slot_at desc limit 1
    ) k on true
    window upto as (order by s.slot_at)
    on conflict (account_address, slot_at) do update set
      moves = excluded.moves, fills = excluded.fills, volume = excluded.volume, closed_pnl = excluded.closed_pnl,
      fees = excluded.fees, funding = excluded.funding, unpriced_fees = excluded.unpriced_fees
  ),
  put_trades as (
    insert into hl_internal.settled_trades (
      account_address, day, coin, is_long, opened_ms, closed_ms, closed_pnl, fees, funding, net_pnl)
    select followed, (first_at at time zone 'UTC')::date, f.coin, f.direction > 0, f.first_ms, f.last_ms, trim_scale(f.closed_pnl),
      trim_scale(round(f.fees, 10)), trim_scale(f.funding), f.net_pnl
    from found f where not f.is_last and f.net_pnl is not null
  ),
  put as (
    insert into hl_internal.settled_days as t (
      account_address, coin, day, fills, volume, closed_pnl, fees, builder_fees, funding, converted_fees, unpriced_fees, has_gas,
      trades, wins, losses, net, won, lost, seconds, best, worst, trip_first_ms, trip_last_ms, trip_first_before,
      trip_last_after, trip_unbroken, trip_closed_pnl, trip_fees, trip_unpriced, trip_direction)
    select followed, s.coin, s.day, s.fills, s.volume, s.closed_pnl, s.fees, s.builder_fees, s.funding, s.converted_fees,
      s.unpriced_fees, s.has_gas, s.trades, s.wins, s.losses, s.net, s.won, s.lost, s.seconds, s.best, s.worst,
      l.first_ms, l.last_ms, l.first_before, l.last_after, l.unbroken, l.closed_pnl, l.fees, l.unpriced, l.direction
    from stretch s left join lasts l on l.coin = s.coin
    on conflict (account_address, coin, day) do update set
      fills = t.fills + excluded.fills, volume = trim_scale(t.volume + excluded.volume),
      closed_pnl = trim_scale(t.closed_pnl + excluded.closed_pnl), fees = trim_scale(t.fees + excluded.fees),
      builder_fees = trim_scale(t.builder_fees + excluded.builder_fees), funding = trim_scale(t.funding + excluded.funding),
      converted_fees = t.converted_fees + excluded.converted_fees, unpriced_fees = t.unpriced_fees + excluded.unpriced_fees,
      has_gas = t.has_gas or excluded.has_gas, trades = t.trades + excluded.trades, wins = t.wins + excluded.wins,
      losses = t.losses + excluded.losses, net = t.net + excluded.net, won = t.won + excluded.won, lost = t.lost + excluded.lost,
      seconds = t.seconds + excluded.seconds, best = greatest(t.best, excluded.best), worst = least(t.worst, excluded.worst),
      trip_first_ms = coalesce(excluded.trip_first_ms, t.trip_first_ms),
      trip_last_ms = coalesce(excluded.trip_last_ms, t.trip_last_ms),
      trip_first_before = coalesce(excluded.trip_first_before, t.trip_first_before),
      trip_last_after = coalesce(excluded.trip_last_after, t.trip_last_after),
      trip_unbroken = coalesce(excluded.trip_unbroken, t.trip_unbroken),
      trip_closed_pnl = coalesce(excluded.trip_closed_pnl, t.trip_closed_pnl),
      trip_fees = coalesce(excluded.trip_fees, t.trip_fees),
      trip_unpriced = coalesce(excluded.trip_unpriced, t.trip_unpriced),
      trip_direction = coalesce(excluded.trip_direction, t.trip_direction)
  )
  insert into hl_internal.settled as t (
    account_address, until_at, fills, volume, closed_pnl, fees, funding, unpriced_fees, first_day, last_day, trades, wins, losses,
    net, won, lost, seconds, best, worst)
  select followed, cut_at, sum(s.fills), sum(s.volume), sum(s.closed_pnl), sum(s.fees), sum(s.funding), sum(s.unpriced_fees),
    min(s.day), max(s.day), sum(s.trades), sum(s.wins), sum(s.losses), sum(s.net), sum(s.won), sum(s.lost), sum(s.seconds),
    max(s.best), min(s.worst)
  from stretch s
  on conflict (account_address) do update set
    until_at = excluded.until_at, fills = t.fills + excluded.fills, volume = t.volume + excluded.volume,
    closed_pnl = t.closed_pnl + excluded.closed_pnl, fees = t.fees + excluded.fees, funding = t.funding + excluded.funding,
    unpriced_fees = t.unpriced_fees + excluded.unpriced_fees, first_day = coalesce(t.first_day, excluded.first_day),
    last_day = excluded.last_day, trades = t.trades + excluded.trades, wins = t.wins + excluded.wins,
    losses = t.losses + excluded.losses, net = t.net + excluded.net, won = t.won + excluded.won, lost = t.lost + excluded.lost,
    seconds = t.seconds + excluded.seconds, best = greatest(t.best, excluded.best), worst = least(t.worst, excluded.worst);
  return true;
end
$$;
comment on function hl_internal.settle is 'Sums up the next stretch of the trades of an account, at most about max_rows rows; false when nothing is old enough.';

create or replace function hl_internal.unsettle(followed text, at timestamptz) returns void
language plpgsql set search_path = '' as $$
declare
  from_at constant timestamptz := date_trunc('day', at, 'UTC');
begin
  delete from hl_internal.settled_days d where d.account_address = followed and d.day >= (from_at at time zone 'UTC')::date;
  delete from hl_internal.settled_slots t where t.account_address = followed and t.slot_at >= from_at;
  delete from hl_internal.settled_trades r where r.account_address = followed and r.day >= (from_at at time zone 'UTC')::date;
  update hl_internal.settled s set
    until_at = from_at, fills = x.fills, volume = x.volume, closed_pnl = x.closed_pnl, fees = x.fees, funding = x.funding,
    unpriced_fees = x.unpriced_fees, first_day = x.first_day, last_day = x.last_day, trades = x.trades, wins = x.wins,
    losses = x.losses, net = x.net, won = x.won, lost = x.lost, seconds = x.seconds, best = x.best, worst = x.worst
  from (
    select coalesce(sum(d.fills), 0) as fills, coalesce(sum(d.volume), 0) as volume, coalesce(sum(d.closed_pnl), 0) as closed_pnl,
      coalesce(sum(d.fees), 0) as fees, coalesce(sum(d.funding), 0) as funding, coalesce(sum(d.unpriced_fees), 0) as unpriced_fees,
      min(d.day) as first_day, max(d.day) as last_day, coalesce(sum(d.trades), 0) as trades, coalesce(sum(d.wins), 0) as wins,
      coalesce(sum(d.losses), 0) as losses, coalesce(sum(d.net), 0) as net, coalesce(sum(d.won), 0) as won,
      coalesce(sum(d.lost), 0) as lost, coalesce(sum(d.seconds), 0) as seconds, max(d.best) as best, min(d.worst) as worst
    from hl_internal.settled_days d where d.account_address = followed
  ) x
  where s.account_address = followed and s.until_at > from_at;
end
$$;
comment on function hl_internal.unsettle is 'Takes the day of a moment and those behind it out of what is settled.';

-- By their texts, for what plpgsql calls is a dependency nowhere.
create or replace function hl_internal.settled_rules() returns text
language sql stable set search_path = ''
begin atomic
  with recursive defined as materialized (
    select n.nspname || '.' || p.proname as name, pg_catalog.pg_get_functiondef(p.oid) as text
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.prokind = 'f' and n.nspname = 'hl_internal'
    union all
    select n.nspname || '.' || c.relname, pg_catalog.pg_get_viewdef(c.oid)
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'v' and c.relname like 'hl\_%'
  ),
  parts(name) as (
    values ('hl_internal.settle'), ('hl_internal.unsettle')
    union
    select called.name[1]
    from parts x join defined d on d.name = x.name
    cross join lateral regexp_matches(d.text, '\w+\.\w+', 'g') called(name)
  )
  select md5(string_agg(d.text, e'\n' order by d.name collate "C", d.text collate "C"))
  from defined d where d.name in (select p.name from parts p);
end;
comment on function hl_internal.settled_rules is 'Names the definitions that settled sums are made with: settle and all that it rests on.';

create or replace function hl_internal.unsettle_fills() returns trigger
language plpgsql set search_path = '' as $$
declare
  touched record;
begin
  for touched in
    select s.account_address, min(c.fill_time) as at
    from changed c join hl_internal.settled s on s.account_address = c.account_address and c.fill_time < s.until_at
    group by 1 order by 1
  loop
    perform hl_internal.unsettle(touched.account_address, touched.at);
  end loop;
  return null;
end
$$;
comment on function hl_internal.unsettle_fills is 'Keeps settled_days true after a change of hl_fills.';

create or replace function hl_internal.unsettle_funding() returns trigger
language plpgsql set search_path = '' as $$
declare
  touched record;
begin
  for touched in
    select s.account_address, min(c.funding_time) as at
    from changed c join hl_internal.settled s on s.account_address = c.account_address and c.funding_time < s.until_at
    group by 1 order by 1
  loop
    perform hl_internal.unsettle(touched.account_address, touched.at);
  end loop;
  return null;
end
$$;
comment on function hl_internal.unsettle_funding is 'Keeps settled_days true after a change of hl_funding.';

-- A price counts for fills that paid gas since the price before it, or for a day.
create or replace function hl_internal.unsettle_gas() returns trigger
language plpgsql set search_path = '' as $$
declare
  from_ms bigint;
  touched record;
begin
  select min(greatest(c.hour_ms - 86400000, (
    select t.at_ms from hl_internal.token_prices t where t.token = c.token and t.hour_ms < c.hour_ms
    order by t.hour_ms desc limit 1))) into from_ms
  from changed c where c.token = 'HYPE';
  if from_ms is null then return null; end if;
  perform pg_advisory_xact_lock(hashtext('hl_internal.settled'));
  for touched in
    select d.account_address, min(d.day) as day from hl_internal.settled_days d
    where d.has_gas and d.day >= (to_timestamp(from_ms / 1000.0) at time zone 'UTC')::date
    group by 1 order by 1
  loop
    perform hl_internal.unsettle(touched.account_address, touched.day::timestamp at time zone 'UTC');
  end loop;
  return null;
end
$$;
comment on function hl_internal.unsettle_gas is 'Keeps settled_days true after a price of HYPE was learned.';

-- A trigger with the changed rows at hand can hear of one kind of change only.
create or replace trigger unsettle_inserted after insert on public.hl_fills
  referencing new table as changed for each statement execute function hl_internal.unsettle_fills();
create or replace trigger unsettle_updated after update on public.hl_fills
  referencing new table as changed for each statement execute function hl_internal.unsettle_fills();
create or replace trigger unsettle_deleted after delete on public.hl_fills
  referencing old table as changed for each statement execute function hl_internal.unsettle_fills();
create or replace trigger unsettle_inserted after insert on public.hl_funding
  referencing new table as changed for each statement execute function hl_internal.unsettle_funding();
create or replace trigger unsettle_updated after update on public.hl_funding
  referencing new table as changed for each statement execute function hl_internal.unsettle_funding();
create or replace trigger unsettle_deleted after delete on public.hl_funding
  referencing old table as changed for each statement execute function hl_internal.unsettle_funding();
create or replace trigger unsettle_inserted after insert on hl_internal.token_prices
  referencing new table as changed for each statement execute function hl_internal.unsettle_gas();
create or replace trigger unsettle_updated after update on hl_internal.token_prices
  referencing new table as changed for each statement execute function hl_internal.unsettle_gas();
