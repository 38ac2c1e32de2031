-- The rules by which two versions of a row become one. Each is a join: commutative, associative, idempotent. So any
-- order, any repetition and any number of writers give the same rows. src/sync/merge.ts states the same rules in
-- TypeScript, and a property test holds the two together.
--
-- A row has three kinds of columns:
--   * the key, equal by definition;
--   * the content: always sent. It is taken as one piece from the weightier version (longer raw object, then
--     greater text), so that no row mixes two versions;
--   * what some sources leave out (null): column by column the greatest of the values known.
--   * the sighting, (first_seen_at, source): the lexicographically smallest stays.
--
-- Functions of one expression have SQL-standard bodies: their names are bound when they are made, and they are inlined.

create function hl_internal.weightier(a_raw jsonb, a_content text, b_raw jsonb, b_content text) returns boolean
language sql immutable
return (octet_length(coalesce(b_raw, 'null')::text), b_content collate "C")
       > (octet_length(coalesce(a_raw, 'null')::text), a_content collate "C");
comment on function hl_internal.weightier is 'True when version b of a row wins over version a: longer raw object, then greater content.';

create function hl_internal.greater(a numeric, b numeric) returns numeric
language sql immutable
return case when b is null or a > b or (a = b and scale(a) >= scale(b)) then a else b end;
comment on function hl_internal.greater(numeric, numeric) is 'The greater number; of 1.0 and 1.00 the latter, so that the digits do not depend on the order either.';

create function hl_internal.lesser(a numeric, b numeric) returns numeric
language sql immutable
return case when b is null or a < b or (a = b and scale(a) >= scale(b)) then a else b end;
comment on function hl_internal.lesser is 'The lesser number; of 1.0 and 1.00 the latter.';

create function hl_internal.greater(a text, b text) returns text
language sql immutable
return case when b is null or a collate "C" >= b collate "C" then a else b end;
comment on function hl_internal.greater(text, text) is 'The greater text by bytes.';

create function hl_internal.seen_before(a_at timestamptz, a_source text, b_at timestamptz, b_source text) returns boolean
language sql immutable
return (a_at, a_source collate "C") < (b_at, b_source collate "C");
comment on function hl_internal.seen_before is 'True when sighting a is the first of the two; a tie goes to the alphabetically first source.';

create function hl_internal.join_fills(a public.hl_fills, b public.hl_fills) returns public.hl_fills
language plpgsql immutable set search_path = '' as $$
declare
  j public.hl_fills := a;
begin
  if a operator(pg_catalog.*=) b then return a; end if;
  if hl_internal.weightier(
    a.raw_fill, jsonb_build_array(a.raw_fill, a.size::text, a.price::text, a.value::text, a.fee::text, a.start_position,
                                  a.closed_pnl::text, a.direction, a.crossed)::text,
    b.raw_fill, jsonb_build_array(b.raw_fill, b.size::text, b.price::text, b.value::text, b.fee::text, b.start_position,
                                  b.closed_pnl::text, b.direction, b.crossed)::text
  ) then j := b; end if;
  j.fee_token := hl_internal.greater(a.fee_token, b.fee_token);
  j.hash := hl_internal.greater(a.hash, b.hash);
  j.cloid := hl_internal.greater(a.cloid, b.cloid);
  j.builder_fee := hl_internal.greater(a.builder_fee, b.builder_fee);
  j.twap_id := greatest(a.twap_id, b.twap_id);
  j.liquidation := hl_internal.greater(a.liquidation::text, b.liquidation::text)::jsonb;
  if hl_internal.seen_before(a.first_seen_at, a.source, b.first_seen_at, b.source) then
    j.first_seen_at := a.first_seen_at; j.source := a.source;
  else
    j.first_seen_at := b.first_seen_at; j.source := b.source;
  end if;
  return j;
end
$$;
comment on function hl_internal.join_fills is 'Two versions of one fill made one.';

create function hl_internal.join_order_events(a public.hl_order_events, b public.hl_order_events)
returns public.hl_order_events
language plpgsql immutable set search_path = '' as $$
declare
  j public.hl_order_events := a;
begin
  if a operator(pg_catalog.*=) b then return a; end if;
  if hl_internal.weightier(
    a.raw_event, jsonb_build_array(a.raw_event, a.coin, a.side, a.limit_price::text, a.size::text, a.placed_at_ms)::text,
    b.raw_event, jsonb_build_array(b.raw_event, b.coin, b.side, b.limit_price::text, b.size::text, b.placed_at_ms)::text
  ) then j := b; end if;
  j.remaining := hl_internal.lesser(a.remaining, b.remaining);
  j.order_type := hl_internal.greater(a.order_type, b.order_type);
  j.tif := hl_internal.greater(a.tif, b.tif);
  j.trigger_price := hl_internal.greater(a.trigger_price, b.trigger_price);
  j.reduce_only := greatest(a.reduce_only, b.reduce_only);
  j.cloid := hl_internal.greater(a.cloid, b.cloid);
  if hl_internal.seen_before(a.first_seen_at, a.source, b.first_seen_at, b.source) then
    j.first_seen_at := a.first_seen_at; j.source := a.source;
  else
    j.first_seen_at := b.first_seen_at; j.source := b.source;
  end if;
  return j;
end
$$;
comment on function hl_internal.join_order_events is 'Two sightings of one order transition made one.';

create function hl_internal.join_funding(a public.hl_funding, b public.hl_funding) returns public.hl_funding
language plpgsql immutable set search_path = '' as $$
declare
  j public.hl_funding := a;
begin
  if a operator(pg_catalog.*=) b then return a; end if;
  if hl_internal.weightier(
    a.raw_funding, jsonb_build_array(a.raw_funding, a.usdc::text, a.size::text, a.funding_rate::text)::text,
    b.raw_funding, jsonb_build_array(b.raw_funding, b.usdc::text, b.size::text, b.funding_rate::text)::text
  ) then j := b; end if;
  j.samples := greatest(a.samples, b.samples);
  if hl_internal.seen_before(a.first_seen_at, a.source, b.first_seen_at, b.source) then
    j.first_seen_at := a.first_seen_at; j.source := a.source;
  else
    j.first_seen_at := b.first_seen_at; j.source := b.source;
  end if;
  return j;
end
$$;
comment on function hl_internal.join_funding is 'Two versions of one funding payment made one.';

create function hl_internal.join_ledger(a public.hl_ledger, b public.hl_ledger) returns public.hl_ledger
language plpgsql immutable set search_path = '' as $$
declare
  j public.hl_ledger := a;
begin
  if a operator(pg_catalog.*=) b then return a; end if;
  if hl_internal.weightier(a.raw_ledger, jsonb_build_array(a.raw_ledger)::text,
                           b.raw_ledger, jsonb_build_array(b.raw_ledger)::text) then j := b; end if;
  j.usdc := hl_internal.greater(a.usdc, b.usdc);
  j.token := hl_internal.greater(a.token, b.token);
  j.amount := hl_internal.greater(a.amount, b.amount);
  if hl_internal.seen_before(a.first_seen_at, a.source, b.first_seen_at, b.source) then
    j.first_seen_at := a.first_seen_at; j.source := a.source;
  else
    j.first_seen_at := b.first_seen_at; j.source := b.source;
  end if;
  return j;
end
$$;
comment on function hl_internal.join_ledger is 'Two versions of one ledger update made one.';

-- States (positions, balances): the newer one wins whole; of two with the same time the greater content.
create function hl_internal.join_positions(a public.hl_positions, b public.hl_positions) returns public.hl_positions
language plpgsql immutable set search_path = '' as $$
begin
  if a.as_of_ms <> b.as_of_ms then
    return case when b.as_of_ms > a.as_of_ms then b else a end;
  end if;
  if jsonb_build_array(
       b.raw_position, b.side, b.size::text, b.entry_price::text, b.mark_price::text, b.liquidation_price::text,
       b.position_value::text, b.margin_used::text, b.unrealized_pnl::text, b.return_on_equity::text, b.leverage_type,
       b.leverage_value, b.max_leverage, b.liquidation_distance_pct::text, b.funding_since_open::text,
       b.funding_all_time::text)::text collate "C"
   > jsonb_build_array(
       a.raw_position, a.side, a.size::text, a.entry_price::text, a.mark_price::text, a.liquidation_price::text,
       a.position_value::text, a.margin_used::text, a.unrealized_pnl::text, a.return_on_equity::text, a.leverage_type,
       a.leverage_value, a.max_leverage, a.liquidation_distance_pct::text, a.funding_since_open::text,
       a.funding_all_time::text)::text collate "C"
  then return b; end if;
  return a;
end
$$;
comment on function hl_internal.join_positions is 'Two states of one position made one.';

create function hl_internal.join_balances(a public.hl_balances, b public.hl_balances) returns public.hl_balances
language plpgsql immutable set search_path = '' as $$
begin
  if a.as_of_ms <> b.as_of_ms then
    return case when b.as_of_ms > a.as_of_ms then b else a end;
  end if;
  if jsonb_build_array(b.raw_balance, b.token, b.total::text, b.hold::text, b.entry_notional::text)::text collate "C"
   > jsonb_build_array(a.raw_balance, a.token, a.total::text, a.hold::text, a.entry_notional::text)::text collate "C"
  then return b; end if;
  return a;
end
$$;
comment on function hl_internal.join_balances is 'Two states of one balance made one.';

-- Orders.

create function hl_internal.order_status(venue_status text) returns text
language sql immutable
return case
    when venue_status = 'filled' then 'filled'
    when venue_status like '%Canceled' or venue_status in ('canceled', 'scheduledCancel', 'internalCancel') then 'canceled'
    when venue_status like '%Rejected' or venue_status = 'rejected' then 'rejected'
    when venue_status in ('open', 'accepted') then 'open'
    when venue_status = 'triggered' then 'triggered'
    else 'unknown'
  end;
comment on function hl_internal.order_status is 'What the venue''s status word means. The set is open, so words are classified by their ending.';

create function hl_internal.derive_orders(accounts text[], order_ids bigint[]) returns setof public.hl_orders
language sql stable set search_path = '' as $$
  with wanted as (
    select distinct w.account_address, w.order_id from unnest(accounts, order_ids) as w(account_address, order_id)
  ),
  -- Place 1 is the deciding transition: terminal over unknown over open, then the latest, then the furthest.
  ranked as (
    select e.*, row_number() over (
      partition by e.account_address, e.order_id
      order by case e.status when 'open' then 0 when 'triggered' then 0 when 'unknown' then 1 else 2 end desc,
               e.status_time_ms desc,
               case e.status when 'open' then 0 when 'triggered' then 1 else 2 end desc,
               e.venue_status collate "C" desc
    ) as place
    from wanted w join public.hl_order_events e using (account_address, order_id)
  ),
  known as (
    select account_address, order_id,
      (array_agg(order_type order by place) filter (where order_type is not null))[1] as order_type,
      (array_agg(tif order by place) filter (where tif is not null))[1] as tif,
      (array_agg(trigger_price order by place) filter (where trigger_price is not null))[1] as trigger_price,
      (array_agg(reduce_only order by place) filter (where reduce_only is not null))[1] as reduce_only,
      (array_agg(cloid order by place) filter (where cloid is not null))[1] as cloid,
      max(size - remaining) as worked,
      max(first_seen_at) as seen_at
    from ranked group by account_address, order_id
  ),
  counted as (
    select r.*, k.order_type as any_type, k.tif as any_tif, k.trigger_price as any_trigger,
      k.reduce_only as any_reduce_only, k.cloid as any_cloid, f.last_fill_time_ms,
      greatest(k.seen_at, f.seen_at) as updated_at,
      case
        when r.size > 0 and r.status = 'filled' then r.size
        when r.size > 0 then least(greatest(f.traded, k.worked, 0), r.size)
        else greatest(f.traded, k.worked, 0)
      end as filled
    from ranked r
    join known k using (account_address, order_id)
    cross join lateral (
      select sum(x.size) as traded, max(x.fill_time_ms) as last_fill_time_ms, max(x.first_seen_at) as seen_at
      from public.hl_fills x where x.account_address = r.account_address and x.order_id = r.order_id
    ) f
    where r.place = 1
  ),
  judged as (
    select c.*, case
      when c.status in ('open', 'triggered', 'unknown') and c.size > 0 and c.filled >= c.size then 'filled'
      when c.status = 'open' and c.filled > 0 and c.filled < c.size then 'partially_filled'
      else c.status
    end as verdict
    from counted c
  ),
  -- An order known to be filled by its fills alone was filled at the last of them.
  timed as (
    select j.*, case when j.verdict = 'filled' and j.status <> 'filled'
      then greatest(j.status_time_ms, j.last_fill_time_ms) else j.status_time_ms end as verdict_time_ms
    from judged j
  )
  select account_address, order_id, coin, side, any_type, any_tif, size, limit_price, any_trigger,
    trim_scale(filled),
    case when size > 0 then trim_scale(div(filled * 100000000, size) * 0.000001) end,
    verdict, venue_status, any_cloid, any_reduce_only,
    to_timestamp(placed_at_ms / 1000.0), to_timestamp(verdict_time_ms / 1000.0), verdict_time_ms,
    last_fill_time_ms, raw_event, source, updated_at
  from timed
$$;
comment on function hl_internal.derive_orders is 'The rows of hl_orders as they follow from hl_order_events and hl_fills. An order without a transition has none.';
