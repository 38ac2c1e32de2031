-- Round trips of a span of time, what happened within them, and what they come to. Functions, not views: whoever asks says since
-- when, and a page never asks for a million fills (src/outputs/http/reads.ts).

create or replace function hl_internal.trips_told(followed text, markets text[], from_at timestamptz[], to_at timestamptz[])
returns table (
  account_address text, coin text, name text, side text, opened_ms bigint, closed_ms bigint, seconds numeric, fills bigint,
  max_size numeric, entry_price numeric, exit_price numeric, closed_pnl numeric, fees numeric, funding numeric, net_pnl numeric,
  liquidated boolean, complete boolean, mae_pct numeric, mfe_pct numeric, excursion_reason text)
-- By key, whatever the tables are taken for. Compiling a plan takes longer than running it.
language sql stable set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set jit = off
begin atomic
  with trips as materialized (
    select * from hl_internal.trips(trips_told.followed, trips_told.markets, trips_told.from_at, trips_told.to_at)
  ),
  -- Which candles there are of the markets: a step for each interval, however many candles it has.
  kept as materialized (
    select c.coin, k.interval
    from (select distinct t.coin from trips t) c
    cross join lateral (
      with recursive steps as (
        (select x.interval from public.hl_candles x where x.coin = c.coin order by x.interval limit 1)
        union all
        select (select x.interval from public.hl_candles x where x.coin = c.coin and x.interval > s.interval order by x.interval limit 1)
        from steps s where s.interval is not null
      )
      select s.interval from steps s where s.interval is not null
    ) k
  )
  select t.account_address, t.coin, m.name, case when t.direction > 0 then 'long' else 'short' end,
    case when t.first_before = 0 then t.first_ms end, case when t.last_after = 0 then t.last_ms end,
    case when t.first_before = 0 and t.last_after = 0 then trim_scale((t.last_ms - t.first_ms) / 1000.0) end, t.fills,
    trim_scale(t.max_size), trim_scale(round(t.entry_price, 10)), trim_scale(round(t.exit_price, 10)), trim_scale(t.closed_pnl),
    trim_scale(round(t.fees, 10)), trim_scale(f.funding), trim_scale(round(t.closed_pnl - t.fees + f.funding, 10)), t.liquidated,
    t.first_before = 0 and t.unbroken and not t.unpriced and (t.last_after = 0 or t.is_last),
    -- From the prices of the trip itself and the candles that lie wholly inside it: what lies at its ends may have been before
    -- or after it.
    case when p.low is not null then trim_scale(round(100 * case when t.direction > 0
      then t.entry_price - least(p.low, t.entry_price, t.exit_price)
      else greatest(p.high, t.entry_price, t.exit_price) - t.entry_price end / t.entry_price, 4)) end,
    case when p.low is not null then trim_scale(round(100 * case when t.direction > 0
      then greatest(p.high, t.entry_price, t.exit_price) - t.entry_price
      else t.entry_price - least(p.low, t.entry_price, t.exit_price) end / t.entry_price, 4)) end,
    case when p.low is null then 'no stored candles cover it' end
  from trips t
  cross join lateral (
    select coalesce(sum(x.usdc), 0) as funding from public.hl_funding x
    where x.account_address = t.account_address and x.coin = t.coin and x.funding_time_ms >= t.first_ms
      and x.funding_time_ms <= case when t.last_after <> 0 then 9223372036854775807 else t.last_ms end
  ) f
  -- Of the intervals that cover it the finest.
  left join lateral (
    select c.low, c.high
    from kept k
    cross join lateral (
      select max(x.high) as high, min(x.low) as low, max(x.close_time_ms - x.open_time_ms + 1) as length_ms, count(*) as candles
      from public.hl_candles x
      where x.coin = t.coin and x.interval = k.interval and x.open_time_ms >= t.first_ms and x.open_time_ms <= t.last_ms
        and x.close_time_ms <= t.last_ms
    ) c
    where k.coin = t.coin and c.candles * c.length_ms > t.last_ms - t.first_ms - 2 * c.length_ms
    order by c.length_ms limit 1
  ) p on true
  left join public.hl_markets m on m.coin = t.coin;
end;
comment on function hl_internal.trips_told(text, text[], timestamptz[], timestamptz[]) is 'The round trips that hl_internal.trips finds, with funding, and how far the price went against and for each, in percent of its entry: null with the reason where no candles cover it.';

-- Looks for the first and the last fill of each by milliseconds, as the index of a market has them, and counts all together: a
-- plan for each would take longer than the counting.
create or replace function hl_internal.trips_at(followed text, markets text[], at_ms bigint[], fills_max bigint)
returns table (
  account_address text, coin text, name text, side text, opened_ms bigint, closed_ms bigint, seconds numeric, fills bigint,
  max_size numeric, entry_price numeric, exit_price numeric, closed_pnl numeric, fees numeric, funding numeric, net_pnl numeric,
  liquidated boolean, complete boolean, mae_pct numeric, mfe_pct numeric, excursion_reason text)
language sql stable set search_path = '' rows 10 set enable_seqscan = off set enable_bitmapscan = off set jit = off
begin atomic
  with moves as not materialized (
    select f.coin, f.fill_time_ms as ms, f.start_position::numeric as before,
      f.start_position::numeric + case f.side when 'buy' then f.size else -f.size end as after
    from public.hl_fills f where f.account_address = trips_at.followed and f.start_position is not null
  ),
  found as materialized (
    select a.coin, o.ms as opened_ms, c.ms as closed_ms
    from unnest(trips_at.markets, trips_at.at_ms) a(coin, at_ms)
    cross join lateral (
      select m.ms from moves m
      where m.coin = a.coin and m.ms <= a.at_ms and (m.before = 0 or sign(m.before) = -sign(m.after))
      order by m.ms desc limit 1
    ) o
    left join lateral (
      select m.ms from moves m
      where m.coin = a.coin and m.ms > o.ms and (m.after = 0 or sign(m.before) = -sign(m.after)) order by m.ms limit 1
    ) c on true
    where trips_at.fills_max is null or (
      select count(*) from (
        select from public.hl_fills f
        where f.account_address = trips_at.followed and f.coin = a.coin and f.fill_time_ms >= o.ms
          and f.fill_time_ms <= coalesce(c.ms, 9223372036854775807) limit trips_at.fills_max + 1
      ) within) <= trips_at.fills_max
  ),
  spans as materialized (
    select coalesce(array_agg(f.coin), '{}') as markets, array_agg(to_timestamp(f.opened_ms / 1000.0)) as from_at,
      array_agg(coalesce(to_timestamp((f.closed_ms + 1) / 1000.0), 'infinity')) as to_at
    from found f
  )
  select distinct on (t.coin) t.* from spans s
  cross join lateral hl_internal.trips_told(trips_at.followed, s.markets, s.from_at, s.to_at) t
  join found f on f.coin = t.coin and f.opened_ms = t.opened_ms
  order by t.coin, t.closed_ms nulls last;
end;
comment on function hl_internal.trips_at is 'The round trip that each of some markets was in at the time in its place, whether it is over or not; none where none began before, or where it has more fills than fills_max.';

create or replace function public.hl_round_trips_since(followed text, since timestamptz)
returns table (
  account_address text, coin text, name text, side text, opened_ms bigint, closed_ms bigint, seconds numeric, fills bigint,
  max_size numeric, entry_price numeric, exit_price numeric, closed_pnl numeric, fees numeric, funding numeric, net_pnl numeric,
  liquidated boolean, complete boolean, mae_pct numeric, mfe_pct numeric, excursion_reason text)
language sql stable set search_path = ''
begin atomic
  select * from hl_internal.trips_told(hl_round_trips_since.followed, null, array[hl_round_trips_since.since], array['infinity'::timestamptz]);
end;
comment on function public.hl_round_trips_since is 'The round trips of an account by its fills since a time, as hl_round_trips has them, with the excursions of the price: a position that was open before is no complete trip.';

create or replace function hl_internal.trade_statistics(followed text, since timestamptz, only_by text, zone text)
returns table (
  by text, key text, trades bigint, wins bigint, losses bigint, win_rate_pct numeric, profit_factor numeric, payoff_ratio numeric,
  expectancy numeric, net_pnl numeric, closed_pnl numeric, fees numeric, funding numeric, average_win numeric, average_loss numeric,
  best_trade numeric, worst_trade numeric, average_seconds numeric, win_streak bigint, loss_streak bigint,
  in_market_pct numeric)
-- Compiling a plan takes longer than running it.
language sql stable set search_path = '' set jit = off
begin atomic
  with told as (
    -- One that began since then is not counted before.
    select s.coin, s.is_long, s.opened_ms, s.closed_ms, s.closed_pnl, s.fees, s.funding, s.net_pnl
    from hl_internal.settled_trades s
    where s.account_address = trade_statistics.followed and s.day >= (trade_statistics.since at time zone 'UTC')::date
    union all
    select t.coin, t.direction > 0, t.first_ms, t.last_ms, t.closed_pnl, round(t.fees, 10), t.funding, t.net_pnl
    from hl_internal.unsettled_trips(trade_statistics.followed,
      greatest(trade_statistics.since, hl_internal.settled_until(trade_statistics.followed)), 'infinity') t
    where t.net_pnl is not null
  ),
  trips as materialized (
    select t.coin, case when t.is_long then 'long' else 'short' end as side, t.opened_ms, t.closed_ms,
      (t.closed_ms - t.opened_ms) / 1000.0 as seconds, t.closed_pnl, t.fees, t.funding, t.net_pnl,
      to_timestamp(t.closed_ms / 1000.0) at time zone trade_statistics.zone as closed_at
    from told t where t.opened_ms >= hl_internal.bound_ms(trade_statistics.since)
  ),
  keyed as (
    select t.*, k.by, k.key, row_number() over (partition by k.by, k.key order by t.closed_ms, t.opened_ms, t.coin) as nth
    from trips t cross join lateral (values
      ('all', ''), ('coin', t.coin), ('side', t.side), ('weekday', to_char(t.closed_at, 'ID')),
      ('day', to_char(t.closed_at, 'YYYY-MM-DD')), ('week', to_char(date_trunc('week', t.closed_at), 'YYYY-MM-DD')),
      ('month', to_char(t.closed_at, 'YYYY-MM'))
    ) k(by, key)
    where trade_statistics.only_by is null or k.by = trade_statistics.only_by
  ),
  -- What follows one another without a change of sign has one difference of numbers.
  runs as (
    select r.by, r.key, r.outcome, count(*) as length from (
      select k.by, k.key, sign(k.net_pnl) as outcome,
        k.nth - row_number() over (partition by k.by, k.key, sign(k.net_pnl) order by k.nth) as run
      from keyed k
    ) r group by r.by, r.key, r.outcome, r.run
  ),
  streaks as materialized (
    select r.by, r.key, max(r.length) filter (where r.outcome > 0) as win_streak,
      max(r.length) filter (where r.outcome < 0) as loss_streak
    from runs r group by r.by, r.key
  ),
  spans as (
    select k.by, k.key, range_agg(int8range(k.opened_ms, greatest(k.closed_ms, k.opened_ms + 1))) as held
    from keyed k where k.by in ('all', 'coin', 'side') group by k.by, k.key
  ),
  -- From the first to the last of all of them.
  whole as materialized (select min(t.opened_ms) as from_ms, max(t.closed_ms) as to_ms from trips t),
  busy as materialized (
    select s.by, s.key, trim_scale(round(100.0 * (select sum(upper(h) - lower(h)) from unnest(s.held) h)
      / nullif(w.to_ms - w.from_ms, 0), 4)) as in_market_pct
    from spans s cross join whole w
  )
  select g.*, coalesce(s.win_streak, 0), coalesce(s.loss_streak, 0), b.in_market_pct
  from (
    select k.by, k.key, count(*) as trades, count(*) filter (where k.net_pnl > 0) as wins,
      count(*) filter (where k.net_pnl < 0) as losses,
      trim_scale(round(100.0 * count(*) filter (where k.net_pnl > 0) / count(*), 4)) as win_rate_pct,
      trim_scale(round(sum(k.net_pnl) filter (where k.net_pnl > 0) / -sum(k.net_pnl) filter (where k.net_pnl < 0), 6)) as profit_factor,
      trim_scale(round(avg(k.net_pnl) filter (where k.net_pnl > 0) / -avg(k.net_pnl) filter (where k.net_pnl < 0), 6)) as payoff_ratio,
      trim_scale(round(avg(k.net_pnl), 6)) as expectancy, trim_scale(sum(k.net_pnl)) as net_pnl,
      trim_scale(sum(k.closed_pnl)) as closed_pnl, trim_scale(sum(k.fees)) as fees, trim_scale(sum(k.funding)) as funding,
      trim_scale(round(avg(k.net_pnl) filter (where k.net_pnl > 0), 6)) as average_win,
      trim_scale(round(avg(k.net_pnl) filter (where k.net_pnl < 0), 6)) as average_loss,
      trim_scale(max(k.net_pnl)) as best_trade, trim_scale(min(k.net_pnl)) as worst_trade, trim_scale(round(avg(k.seconds), 3)) as average_seconds
    from keyed k group by k.by, k.key
  ) g
  left join streaks s on s.by = g.by and s.key = g.key left join busy b on b.by = g.by and b.key = g.key;
end;
comment on function hl_internal.trade_statistics is 'What the complete, closed round trips since a time come to: all of them, and by coin, side, weekday (1 is Monday), day, week (by its Monday) and month of their end, in the days of the zone.';

create or replace function public.hl_trade_statistics(followed text, since timestamptz, only_by text default null)
returns table (
  by text, key text, trades bigint, wins bigint, losses bigint, win_rate_pct numeric, profit_factor numeric, payoff_ratio numeric,
  expectancy numeric, net_pnl numeric, closed_pnl numeric, fees numeric, funding numeric, average_win numeric, average_loss numeric,
  best_trade numeric, worst_trade numeric, average_seconds numeric, win_streak bigint, loss_streak bigint,
  in_market_pct numeric)
-- Compiling a plan takes longer than running it.
language sql stable set search_path = '' set jit = off
begin atomic
  select * from hl_internal.trade_statistics(hl_trade_statistics.followed, hl_trade_statistics.since, hl_trade_statistics.only_by, 'UTC');
end;
comment on function public.hl_trade_statistics is 'What the complete, closed round trips since a time come to: all of them, and by coin, side, weekday (1 is Monday), day, week (by its Monday) and month of their end, in UTC. A ratio without its denominator is null.';
