-- What is told of a row: its event, the same whichever source brought the row and whenever it is told.

create or replace function hl_internal.fill_events(fills public.hl_fills[]) returns hl_internal.event[]
language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(array_agg(row(
      concat_ws(':', 'fill', f.account_address, f.coin, f.fill_time_ms, f.order_id, f.trade_id, f.side),
      'fill.created', f.account_address, f.fill_time_ms, f.source, row_to_json(data))::hl_internal.event
      order by f.fill_time_ms), '{}')
    from unnest(fills) f
    cross join lateral (
      select f.account_address, f.coin, f.fill_time_ms, f.side, f.size::text, f.price::text, f.value::text,
        f.fee::text, f.fee_token, f.start_position, f.closed_pnl::text, f.direction, f.order_id, f.trade_id, f.hash,
        f.crossed, f.cloid, f.builder_fee::text, f.twap_id, f.liquidation,
        hl_internal.own_liquidation(f.account_address, f.liquidation, f.direction) as liquidated,
        -- The venue's word for a market of spot or of outcomes is a number.
        coalesce((select m.name from public.hl_markets m where m.coin = f.coin), f.coin) as name
    ) data
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
begin
  return (
    select coalesce(array_agg(row(
      concat_ws(':', 'order', o.account_address, o.order_id, o.venue_status, o.status, o.filled, o.status_time_ms),
      'order.updated', o.account_address, greatest(o.status_time_ms, o.last_fill_time_ms), o.source,
      row_to_json(data))::hl_internal.event order by greatest(o.status_time_ms, o.last_fill_time_ms), o.order_id), '{}')
    from unnest(orders) o
    cross join lateral (
      select o.account_address, o.order_id, o.coin, o.side, o.order_type, o.tif, o.size::text, o.limit_price::text,
        o.trigger_price::text, o.filled::text, o.fill_percentage::text, o.status, o.venue_status, o.cloid, o.reduce_only,
        (extract(epoch from o.placed_at) * 1000)::bigint as placed_at_ms, o.status_time_ms, o.last_fill_time_ms,
        coalesce((select m.name from public.hl_markets m where m.coin = o.coin), o.coin) as name
    ) data
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
    (x.event).data::jsonb
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
