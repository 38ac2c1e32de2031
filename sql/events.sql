-- What is told of a row: its event, the same whichever source brought the row and whenever it is told.
--
-- Fills and orders, of which there are many, are written as text: what makes JSON of a row looks up the type of each of its
-- columns anew for every row, which took twice as long (docs/profiles.md). test/contract/eventText holds the two equal.

create or replace function hl_internal.fill_events(fills public.hl_fills[]) returns hl_internal.event[]
language plpgsql stable set search_path = '' as $$
declare
  -- Once for each word, not for each fill. The venue's word for a market of spot or of outcomes is a number.
  names jsonb;
  liquidated jsonb;
begin
  if fills is null then return '{}'; end if;
  select jsonb_object_agg(w.coin, coalesce((select m.name from public.hl_markets m where m.coin = w.coin), w.coin)),
    jsonb_object_agg(w.direction, hl_internal.own_liquidation('', null, w.direction))
  into names, liquidated
  from (select distinct f.coin, f.direction from unnest(fills) f) w;
  return (
    select coalesce(array_agg(row(
      concat_ws(':', 'fill', f.account_address, f.coin, f.fill_time_ms, f.order_id, f.trade_id, f.side),
      'fill.created', f.account_address, f.fill_time_ms, f.source,
      concat(
        '{"account_address":', to_json(f.account_address), ',"coin":', to_json(f.coin), ',"fill_time_ms":', f.fill_time_ms,
        ',"side":"', f.side, '","size":"', f.size, '","price":"', f.price, '","value":"', f.value, '","fee":"', f.fee,
        '","fee_token":', coalesce(to_json(f.fee_token), 'null'), ',"start_position":', coalesce(to_json(f.start_position), 'null'),
        ',"closed_pnl":"', f.closed_pnl, '","direction":', to_json(f.direction), ',"order_id":', f.order_id,
        ',"trade_id":', f.trade_id, ',"hash":', coalesce(to_json(f.hash), 'null'), ',"crossed":', coalesce(f.crossed::text, 'null'),
        ',"cloid":', coalesce(to_json(f.cloid), 'null'), ',"builder_fee":', coalesce('"' || f.builder_fee || '"', 'null'),
        ',"twap_id":', coalesce(f.twap_id::text, 'null'), ',"liquidation":', coalesce(f.liquidation::text, 'null'),
        ',"liquidated":', case when f.liquidation is null then (liquidated -> f.direction)::text
          else hl_internal.own_liquidation(f.account_address, f.liquidation, f.direction)::text end,
        ',"name":', names -> f.coin, '}')::json)::hl_internal.event
      order by f.fill_time_ms), '{}')
    from unnest(fills) f
  );
end
$$;
comment on function hl_internal.fill_events is 'fill.created of each of these fills, by their time.';

create or replace function hl_internal.funding_event(p public.hl_funding) returns hl_internal.event
language sql stable set search_path = ''
begin atomic
  select row(
    concat_ws(':', 'funding', p.account_address, p.coin, p.funding_time_ms), 'funding.created',
    p.account_address, p.funding_time_ms, p.source, row_to_json(data))::hl_internal.event
  from (
    select p.account_address, p.coin, p.funding_time_ms, p.usdc::text, p.size::text, p.funding_rate::text, p.samples
  ) data;
end;
comment on function hl_internal.funding_event is 'funding.created of a payment.';

create or replace function hl_internal.ledger_event(l public.hl_ledger) returns hl_internal.event
language sql stable set search_path = ''
begin atomic
  select row(
    concat_ws(':', 'ledger', l.account_address, l.ledger_time_ms, l.hash, l.type, l.digest), 'ledger.created',
    l.account_address, l.ledger_time_ms, l.source, row_to_json(data))::hl_internal.event
  from (
    select l.account_address, l.ledger_time_ms, l.hash, l.type, l.usdc::text, l.token, l.amount::text, l.effect,
      l.flow_usd::text, (hl_internal.ledger_effect(l.account_address, l.raw_ledger -> 'delta')).leaves
  ) data;
end;
comment on function hl_internal.ledger_event is 'ledger.created of a ledger update.';

create or replace function hl_internal.order_events(orders public.hl_orders[]) returns hl_internal.event[]
language plpgsql stable set search_path = '' as $$
declare
  names jsonb;
begin
  if orders is null then return '{}'; end if;
  select jsonb_object_agg(w.coin, coalesce((select m.name from public.hl_markets m where m.coin = w.coin), w.coin)) into names
  from (select distinct o.coin from unnest(orders) o) w;
  return (
    select coalesce(array_agg(row(
      concat_ws(':', 'order', o.account_address, o.order_id, o.venue_status, o.status, o.filled, o.status_time_ms),
      'order.updated', o.account_address, greatest(o.status_time_ms, o.last_fill_time_ms), o.source,
      concat(
        '{"account_address":', to_json(o.account_address), ',"order_id":', o.order_id, ',"coin":', to_json(o.coin),
        ',"side":', to_json(o.side), ',"order_type":', coalesce(to_json(o.order_type), 'null'),
        ',"tif":', coalesce(to_json(o.tif), 'null'), ',"size":"', o.size, '","limit_price":"', o.limit_price,
        '","trigger_price":', coalesce('"' || o.trigger_price || '"', 'null'), ',"filled":"', o.filled,
        '","fill_percentage":', coalesce('"' || o.fill_percentage || '"', 'null'), ',"status":"', o.status,
        '","venue_status":', to_json(o.venue_status), ',"cloid":', coalesce(to_json(o.cloid), 'null'),
        ',"reduce_only":', coalesce(o.reduce_only::text, 'null'),
        ',"placed_at_ms":', (extract(epoch from o.placed_at) * 1000)::bigint, ',"status_time_ms":', o.status_time_ms,
        ',"last_fill_time_ms":', coalesce(o.last_fill_time_ms::text, 'null'), ',"name":', names -> o.coin, '}')::json)::hl_internal.event
      order by greatest(o.status_time_ms, o.last_fill_time_ms), o.order_id), '{}')
    from unnest(orders) o
  );
end
$$;
comment on function hl_internal.order_events is 'order.updated of each of these orders as it is, by their time.';

-- What happened so long ago is history, unless it was watched live: nothing follows it, but an endpoint that asked for it.
create or replace function hl_internal.news_since() returns bigint
language plpgsql stable set search_path = '' as $$
begin
  return least((extract(epoch from now()) * 1000)::bigint - 604800000,
    (select min(e.since_ms) from hl_internal.webhook_endpoints e));
end
$$;
comment on function hl_internal.news_since is 'What happened before this is not put into the outbox when it is found by reading back: a week ago, or as far back as an endpoint wants to be told.';

create or replace function hl_internal.news(events hl_internal.event[]) returns boolean[]
language plpgsql stable set search_path = '' as $$
begin
  return (
    select array_agg(e.type not in ('fill.created', 'order.updated', 'funding.created', 'ledger.created')
      or e.source in ('stream', 'snapshot') or e.time_ms >= (select hl_internal.news_since()))
    from unnest(events) e
  );
end
$$;
comment on function hl_internal.news is 'Whether each of these events goes into the outbox.';

-- For an endpoint that wants the past after all: what was history when it was found, and was found within what the outbox
-- keeps, becomes events now.
create or replace function hl_internal.recall(endpoint text, since_ms bigint, keep interval) returns bigint
language plpgsql set search_path = '' as $$
declare
  followed text[];
  recalled bigint;
begin
  select array_agg(a.account_address) into followed from hl_internal.accounts a
  join hl_internal.webhook_endpoints e on e.id = endpoint and (e.accounts is null or a.account_address = any (e.accounts));
  perform hl_internal.lock_accounts(followed);
  insert into hl_internal.outbox (event_key, type, account_address, time_ms, source, data)
  select (x.event).event_key, (x.event).type, (x.event).account_address, (x.event).time_ms, (x.event).source,
    (x.event).data
  from (
    select (hl_internal.fill_events(array[f]))[1] as event, f.fill_time_ms as at_ms from public.hl_fills f
    where f.account_address = any (followed) and f.fill_time >= to_timestamp(since_ms / 1000.0)
      and f.first_seen_at >= now() - keep
    union all
    select hl_internal.funding_event(p), p.funding_time_ms from public.hl_funding p
    where p.account_address = any (followed) and p.funding_time >= to_timestamp(since_ms / 1000.0)
      and p.first_seen_at >= now() - keep
    union all
    select hl_internal.ledger_event(l), l.ledger_time_ms from public.hl_ledger l
    where l.account_address = any (followed) and l.ledger_time >= to_timestamp(since_ms / 1000.0)
      and l.first_seen_at >= now() - keep
    union all
    select (hl_internal.order_events(array[o]))[1], greatest(o.status_time_ms, o.last_fill_time_ms) from public.hl_orders o
    where o.account_address = any (followed) and greatest(o.status_time_ms, o.last_fill_time_ms) >= since_ms
      and o.updated_at >= now() - keep
  ) x
  where (x.event).source <> 'legacy' and not (hl_internal.news(array[x.event]))[1]
    and not exists (select from hl_internal.outbox o
      where o.account_address = (x.event).account_address and o.event_key = (x.event).event_key)
  order by x.at_ms;
  get diagnostics recalled = row_count;
  return recalled;
end
$$;
comment on function hl_internal.recall is 'Puts the history of an endpoint''s accounts since a time into the outbox, as far as it was learned within keep and is not there.';
