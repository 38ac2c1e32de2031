-- The venue's object of a row is kept once (ADR 0016). Where the columns of the row tell it to the letter, a mark stands in
-- its place: `true`, or `false` for a fill's object without twapId. Any other object is kept as it came; null is none.
-- An order keeps the time of the transition that has its object.
--
-- src/store/rawMark.ts marks what is written, so that the object is not even sent; joins weigh objects and mark what comes
-- out. test/contract/rawMark holds the two to what was told.

create or replace function hl_internal.told_fill(f public.hl_fills) returns jsonb
language plpgsql immutable set search_path = '' as $$
declare
  told constant jsonb := jsonb_build_object('px', f.price::text, 'sz', f.size::text, 'dir', f.direction, 'fee', f.fee::text,
    'oid', f.order_id, 'tid', f.trade_id, 'coin', f.coin, 'hash', f.hash, 'side', case f.side when 'buy' then 'B' else 'A' end,
    'time', f.fill_time_ms, 'twapId', null, 'crossed', f.crossed, 'feeToken', f.fee_token, 'closedPnl', f.closed_pnl::text,
    'startPosition', f.start_position);
begin
  if f.cloid is null and f.builder_fee is null then return told; end if;
  return told || jsonb_strip_nulls(jsonb_build_object('cloid', f.cloid, 'builderFee', f.builder_fee::text));
end
$$;
comment on function hl_internal.told_fill is 'The object that the venue tells of such a fill, by its columns.';

-- Of an order the venue has a long form, and a short one without its type.
create or replace function hl_internal.told_order_event(e public.hl_order_events) returns jsonb
language plpgsql immutable set search_path = '' as $$
begin
  return jsonb_build_object('order', case
    when e.order_type is not null then jsonb_build_object(
      'sz', e.remaining::text, 'oid', e.order_id, 'tif', e.tif, 'coin', e.coin,
      'side', case e.side when 'buy' then 'B' else 'A' end, 'cloid', e.cloid, 'origSz', e.size::text,
      'limitPx', e.limit_price::text, 'children', '[]'::jsonb, 'isTrigger', false, 'orderType', e.order_type,
      'timestamp', e.placed_at_ms, 'triggerPx', '0.0', 'reduceOnly', e.reduce_only, 'isPositionTpsl', false,
      'triggerCondition', 'N/A')
    else jsonb_strip_nulls(jsonb_build_object(
      'sz', e.remaining::text, 'oid', e.order_id, 'coin', e.coin, 'side', case e.side when 'buy' then 'B' else 'A' end,
      'cloid', e.cloid, 'origSz', e.size::text, 'limitPx', e.limit_price::text, 'timestamp', e.placed_at_ms,
      'reduceOnly', e.reduce_only)) end,
    'status', e.venue_status, 'statusTimestamp', e.status_time_ms);
end
$$;
comment on function hl_internal.told_order_event is 'The object that the venue tells of such a transition, by its columns.';

create or replace function hl_internal.marked(raw jsonb, told jsonb) returns jsonb
language plpgsql immutable set search_path = '' as $$
begin
  return case raw::text when told::text then 'true' when (told - 'twapId')::text then 'false' else raw end;
end
$$;
comment on function hl_internal.marked is 'What is kept of a venue''s object, given what the columns tell.';

create or replace function public.hl_raw_fill(fill public.hl_fills) returns jsonb
language sql immutable set search_path = ''
begin atomic
  select case fill.raw_fill when 'true' then hl_internal.told_fill(fill)
    when 'false' then hl_internal.told_fill(fill) - 'twapId' else fill.raw_fill end;
end;
comment on function public.hl_raw_fill is 'The venue''s object of a fill, whether it is kept or told by the columns; null where none is known.';

create or replace function public.hl_raw_event(event public.hl_order_events) returns jsonb
language sql immutable set search_path = ''
begin atomic
  select case event.raw_event when 'true' then hl_internal.told_order_event(event) else event.raw_event end;
end;
comment on function public.hl_raw_event is 'The venue''s object of a transition, whether it is kept or told by the columns; null where none is known.';

create or replace function public.hl_raw_order("order" public.hl_orders) returns jsonb
language sql stable set search_path = ''
begin atomic
  select case jsonb_typeof("order".raw_order) when 'number' then (
      select public.hl_raw_event(e) from public.hl_order_events e
      where e.account_address = "order".account_address and e.order_id = "order".order_id
        and e.status_time_ms = "order".raw_order::bigint and e.venue_status = "order".venue_status)
    else "order".raw_order end;
end;
comment on function public.hl_raw_order is 'The venue''s object of the transition that decided the state of an order; null where none is known.';
