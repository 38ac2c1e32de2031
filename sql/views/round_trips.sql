-- A fill that turns a long into a short ends one trip and begins the next: it is counted in two parts. One that does not
-- tell the position before it (taken over from an older program) is in no trip.

-- For what an index holds in milliseconds.
create or replace function hl_internal.bound_ms(at timestamptz) returns bigint
language sql immutable parallel safe set search_path = ''
return case when at = '-infinity' then 0 when at = 'infinity' then 9223372036854775807
  else ceil(extract(epoch from at) * 1000)::bigint end;
comment on function hl_internal.bound_ms is 'The first millisecond that is not before a time.';

-- In plpgsql, which keeps its plan: to make it anew took as long as everything else about a page's round trips. So it names
-- nothing of hl_internal, which a reader who is held to some accounts (sql/access.sql) may not ask by name; and its plan must be
-- right for tables of any size: the one that goes by key.
create or replace function hl_internal.trip_fills(
  followed text, from_at timestamptz, to_at timestamptz, markets text[], since_ms bigint[], until_ms bigint[])
returns table (
  coin text, fill_time_ms bigint, guess bigint, first_guess bigint, is_knot boolean, link numeric, start_at numeric, moved numeric,
  end_at numeric, size numeric, price numeric, closed_pnl numeric, cost_usdc numeric, liquidated boolean)
language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan set enable_seqscan = off
set enable_bitmapscan = off set jit = off as $$
#variable_conflict use_column
begin
  return query
  with moves as (
    select m.*, m.start_at + m.moved as end_at
    from (
      select f.coin, f.fill_time_ms, f.order_id, f.trade_id, f.side, f.size, f.price, f.closed_pnl, f.liquidated, f.cost_usdc,
        f.block_number, f.action_number, f.since_ms, f.start_position::numeric as start_at,
        case f.side when 'buy' then f.size else -f.size end as moved
      from (
        select x.*, trip_fills.since_ms[1] as since_ms from public.hl_fill_pnl x
        where trip_fills.markets is null and x.account_address = trip_fills.followed and x.fill_time >= trip_fills.from_at
          and x.fill_time < trip_fills.to_at
        union all
        select x.*, m.since_ms
        from unnest(trip_fills.markets, trip_fills.since_ms, trip_fills.until_ms) m(coin, since_ms, until_ms)
        cross join lateral (
          select * from public.hl_fill_pnl x
          where x.account_address = trip_fills.followed and x.coin = m.coin and x.fill_time_ms >= m.since_ms
            and x.fill_time_ms < m.until_ms
          -- The order that only the index of the market has: while there are no statistics, all of them look alike.
          order by x.fill_time_ms
        ) x
        where trip_fills.markets is not null
      ) f
      where f.market = 'perp' and f.start_position is not null
      -- Not drawn into what follows, which needs the numbers several times.
      offset 0
    ) m
  ),
  -- Transactions of one millisecond have their order in their hashes, the fills of one order follow its direction; that is
  -- all there is to know in most milliseconds.
  guessed as (
    select m.*, row_number() over chain as guess,
      coalesce(lag(m.end_at) over chain, case when lead(m.fill_time_ms) over chain = m.fill_time_ms then (
        -- Where the chain stood before: after the newest fill of the coin that is older.
        select x.start_position::numeric + case x.side when 'buy' then x.size else -x.size end
        from public.hl_fill_pnl x
        where x.account_address = trip_fills.followed and x.coin = m.coin and x.start_position is not null
          and x.fill_time_ms = (
            -- Not max(): where one row is expected it reads all of them.
            select y.fill_time_ms from public.hl_fills y
            where y.account_address = trip_fills.followed and y.coin = m.coin and y.start_position is not null
              and y.fill_time_ms < m.since_ms
            order by y.fill_time_ms desc limit 1
          )
        order by x.block_number desc, x.action_number desc, x.order_id desc,
          case x.side when 'buy' then x.start_position::numeric else -x.start_position::numeric end desc, x.trade_id desc
        limit 1
      ) end) as link
    from moves m
    window chain as (partition by m.coin
      order by m.fill_time_ms, m.block_number, m.action_number, m.order_id, case m.side when 'buy' then m.start_at else -m.start_at end,
        m.trade_id)
  )
  select g.coin, g.fill_time_ms, g.guess, min(g.guess) over moment as first_guess,
    count(*) over moment > 1 and coalesce(bool_or(g.link <> g.start_at) over moment, false) as is_knot,
    g.link, g.start_at, g.moved, g.end_at, g.size, g.price, g.closed_pnl, g.cost_usdc, g.liquidated
  from guessed g window moment as (partition by g.coin, g.fill_time_ms);
end
$$;
comment on function hl_internal.trip_fills is 'The fills that round trips are made of, in the order that their transactions tell: of all markets in [from_at, to_at), or of each of some in [since_ms, until_ms) in its place. A knot is a millisecond whose fills do not chain in that order; link is where the chain stood before a fill, as far as that can matter.';

-- Everything goes by windows over the fills of a coin: a join of them with what some of them are found to be is a loop in a
-- loop, once the planner takes the latter for a single row.
create or replace function hl_internal.trips(followed text, markets text[], from_at timestamptz[], to_at timestamptz[])
returns table (
  account_address text, coin text, trip bigint, direction numeric, first_before numeric, last_after numeric, unbroken boolean,
  first_ms bigint, last_ms bigint, fills bigint, max_size numeric, entry_price numeric, exit_price numeric, closed_pnl numeric,
  fees numeric, unpriced boolean, liquidated boolean, is_last boolean)
language sql stable set search_path = ''
begin atomic
with knots as (
  select c.*, case when c.is_knot and c.guess = c.first_guess then hl_internal.chain_order(
      array_agg(c.start_at) filter (where c.is_knot) over moment, array_agg(c.end_at) filter (where c.is_knot) over moment,
      trim_scale(c.link)) end as ranks
  from hl_internal.trip_fills(trips.followed, trips.from_at[1], trips.to_at[1], trips.markets,
    array(select hl_internal.bound_ms(b.at) from unnest(trips.from_at) with ordinality b(at, place) order by b.place),
    array(select hl_internal.bound_ms(b.at) from unnest(trips.to_at) with ordinality b(at, place) order by b.place)) c
  window moment as (partition by c.coin, c.fill_time_ms order by c.guess
    rows between unbounded preceding and unbounded following)
),
chained as (
  select k.*, case when k.is_knot
    then k.first_guess - 1 + (first_value(k.ranks) over moment)[(k.guess - k.first_guess + 1)::integer] else k.guess end as place
  from knots k window moment as (partition by k.coin, k.fill_time_ms order by k.guess)
),
-- Not drawn into what follows, which needs its value a dozen times.
split as (
  select m.*, case when sign(m.start_at) * sign(m.moved) < 0 then least(abs(m.start_at), m.size) else 0 end as closing
  from chained m offset 0
),
parts as (
  select s.*, v.part, v.opens, v.part_size,
    case when v.part = 1 then s.start_at else 0 end as before,
    case when v.opens then s.end_at else s.start_at + sign(s.moved) * v.part_size end as after,
    case when v.opens then 0 else s.closed_pnl end as part_pnl,
    case when s.size = s.closing or s.closing = 0 then s.cost_usdc
         when v.opens then s.cost_usdc - s.cost_usdc * s.closing / s.size else s.cost_usdc * s.closing / s.size end as part_fee
  from split s
  cross join lateral (values
    (1, false, s.closing), (case when s.closing > 0 then 2 else 1 end, true, s.size - s.closing)
  ) as v(part, opens, part_size)
  where v.part_size > 0
),
numbered as (
  select p.*, lag(p.after) over chain as came_from, sum((p.before = 0)::int) over chain as trip,
    p.before = 0 or lag(p.before) over chain is null as is_first, coalesce(lead(p.before) over chain, 0) = 0 as is_last
  from parts p
  window chain as (partition by p.coin order by p.place, p.part)
)
select trips.followed, n.coin, n.trip,
  max(sign(coalesce(nullif(n.before, 0), n.after))) filter (where n.is_first) as direction,
  max(n.before) filter (where n.is_first) as first_before, max(n.after) filter (where n.is_last) as last_after,
  bool_and(n.came_from is null or n.came_from = n.before) as unbroken,
  min(n.fill_time_ms) as first_ms, max(n.fill_time_ms) as last_ms, count(*) as fills,
  max(greatest(abs(n.before), abs(n.after))) as max_size,
  sum(n.part_size * n.price) filter (where n.opens) / nullif(sum(n.part_size) filter (where n.opens), 0) as entry_price,
  sum(n.part_size * n.price) filter (where not n.opens) / nullif(sum(n.part_size) filter (where not n.opens), 0) as exit_price,
  sum(n.part_pnl) as closed_pnl, coalesce(sum(n.part_fee), 0) as fees, bool_or(n.part_fee is null) as unpriced,
  bool_or(n.liquidated) as liquidated, lead(n.trip) over (partition by n.coin order by n.trip) is null as is_last
from numbered n group by n.coin, n.trip;
end;
comment on function hl_internal.trips(text, text[], timestamptz[], timestamptz[]) is 'The round trips of the fills of an account: of all markets in [from_at[1], to_at[1]), or of each of some between the times in its place, of which those that the bounds cut are parts. Trip 0 of a coin is the part of one that was open before.';

create or replace view public.hl_round_trips as
select a.account_address, t.coin, t.trip, case when t.direction > 0 then 'long' else 'short' end as side,
  case when t.first_before = 0 then to_timestamp(t.first_ms / 1000.0) end as opened_at,
  case when t.last_after = 0 then to_timestamp(t.last_ms / 1000.0) end as closed_at,
  case when t.first_before = 0 and t.last_after = 0 then trim_scale((t.last_ms - t.first_ms) / 1000.0) end as seconds,
  t.fills, trim_scale(t.max_size) as max_size,
  trim_scale(round(t.entry_price, 10)) as entry_price, trim_scale(round(t.exit_price, 10)) as exit_price,
  trim_scale(t.closed_pnl) as closed_pnl, trim_scale(round(t.fees, 10)) as fees, trim_scale(f.funding) as funding,
  trim_scale(round(t.closed_pnl - t.fees + f.funding, 10)) as net_pnl,
  t.liquidated, t.first_before = 0 and t.unbroken and not t.unpriced and (t.last_after = 0 or t.is_last) as complete, m.name
from hl_internal.accounts a
cross join lateral hl_internal.trips(a.account_address, null, array['-infinity'::timestamptz], array['infinity'::timestamptz]) t
cross join lateral (
  select coalesce(sum(x.usdc), 0) as funding from public.hl_funding x
  where x.account_address = a.account_address and x.coin = t.coin and x.funding_time_ms >= t.first_ms
    and x.funding_time_ms <= case when t.last_after <> 0 then 9223372036854775807 else t.last_ms end
) f
left join public.hl_markets m on m.coin = t.coin;
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
comment on column public.hl_round_trips.name is 'Name of the market for people; null where the venue told none.';
