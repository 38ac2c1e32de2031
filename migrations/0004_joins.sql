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

-- Two index scans per order, whatever the statistics of a young table make the planner think.
create function hl_internal.derive_orders(accounts text[], order_ids bigint[]) returns setof public.hl_orders
language plpgsql stable set search_path = '' set enable_seqscan = off as $$
begin
  return query
  with wanted as (
    select distinct w.account, w.id from unnest(accounts, order_ids) as w(account, id)
  ),
  counted as (
    select (e.last).*, e.any_order_type, e.any_tif, e.any_trigger_price, e.any_reduce_only, e.any_cloid,
      f.last_fill_ms, greatest(e.seen_at, f.seen_at) as newest_at,
      case
        when (e.last).size > 0 and (e.last).status = 'filled' then (e.last).size
        when (e.last).size > 0 then least(greatest(f.traded, e.told, 0), (e.last).size)
        else greatest(f.traded, e.told, 0)
      end as done
    from wanted w
    cross join lateral (
      select (array_agg(r.event) filter (where r.place = 1))[1] as last,
        (array_agg((r.event).order_type order by r.place) filter (where (r.event).order_type is not null))[1] as any_order_type,
        (array_agg((r.event).tif order by r.place) filter (where (r.event).tif is not null))[1] as any_tif,
        (array_agg((r.event).trigger_price order by r.place) filter (where (r.event).trigger_price is not null))[1] as any_trigger_price,
        (array_agg((r.event).reduce_only order by r.place) filter (where (r.event).reduce_only is not null))[1] as any_reduce_only,
        (array_agg((r.event).cloid order by r.place) filter (where (r.event).cloid is not null))[1] as any_cloid,
        max((r.event).size - (r.event).remaining) as told,
        max((r.event).first_seen_at) as seen_at
      from (
        -- Place 1 is the deciding transition: terminal over unknown over open, then the latest, then the greater word
        -- (of open and triggered in one millisecond the latter).
        select t as event, row_number() over (
          order by case t.status when 'open' then 0 when 'triggered' then 0 when 'unknown' then 1 else 2 end desc,
                   t.status_time_ms desc,
                   t.venue_status collate "C" desc
        ) as place
        from public.hl_order_events t
        where t.account_address = w.account and t.order_id = w.id
      ) r
      having count(*) > 0
    ) e
    cross join lateral (
      select sum(x.size) as traded, max(x.fill_time_ms) as last_fill_ms, max(x.first_seen_at) as seen_at
      from public.hl_fills x where x.account_address = w.account and x.order_id = w.id
    ) f
  ),
  judged as (
    select c.*, case
      when c.status in ('open', 'triggered', 'unknown') and c.size > 0 and c.done >= c.size then 'filled'
      when c.status = 'open' and c.done > 0 and c.done < c.size then 'partially_filled'
      else c.status
    end as verdict
    from counted c
  ),
  -- An order known to be filled by its fills alone was filled at the last of them.
  timed as (
    select j.*, case when j.verdict = 'filled' and j.status <> 'filled'
      then greatest(j.status_time_ms, j.last_fill_ms) else j.status_time_ms end as verdict_ms
    from judged j
  )
  select t.account_address, t.order_id, t.coin, t.side, t.any_order_type, t.any_tif, t.size, t.limit_price,
    t.any_trigger_price, trim_scale(t.done),
    case when t.size > 0 then trim_scale(div(t.done * 100000000, t.size) * 0.000001) end,
    t.verdict, t.venue_status, t.any_cloid, t.any_reduce_only,
    to_timestamp(t.placed_at_ms / 1000.0), to_timestamp(t.verdict_ms / 1000.0), t.verdict_ms,
    t.last_fill_ms, t.raw_event, t.source, t.newest_at
  from timed t;
end
$$;
comment on function hl_internal.derive_orders is 'The rows of hl_orders as they follow from hl_order_events and hl_fills. An order without a transition has none.';
