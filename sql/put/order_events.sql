-- One of the put functions: sql/apply.sql says what they have in common.

create or replace function hl_internal.put_order_events(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  result hl_internal.outcome;
  part hl_internal.outcome;
  round bigint := 0;
  rounds bigint;
begin
  -- The usual case first, and fast: transitions that nobody has yet.
  with input as materialized (
    select * from json_to_recordset(batch) as x(
      account text, "orderId" bigint, "venueStatus" text, "statusTimeMs" bigint, coin text, side text,
      "limitPrice" numeric, size numeric, remaining numeric, "placedAtMs" bigint, "orderType" text, tif text,
      "triggerPrice" numeric, "reduceOnly" boolean, cloid text, raw jsonb, source text, "seenAtMs" bigint)
  ),
  -- Asked once for each word, not for each row.
  words as materialized (
    select jsonb_object_agg(w."venueStatus", hl_internal.order_status(w."venueStatus")) as statuses
    from (select distinct i."venueStatus" from input i where i."venueStatus" is not null) w
  ),
  fresh as (
    insert into public.hl_order_events as t (
      account_address, order_id, venue_status, status, status_time_ms, remaining, coin, side, limit_price, size,
      placed_at_ms, order_type, tif, trigger_price, reduce_only, cloid, raw_event, source, first_seen_at)
    select account, "orderId", "venueStatus", (select w.statuses from words w) ->> "venueStatus", "statusTimeMs", remaining,
      coin, side, "limitPrice", size, "placedAtMs", "orderType", tif, "triggerPrice", "reduceOnly", cloid, raw,
      source, to_timestamp("seenAtMs" / 1000.0)
    from input
    on conflict do nothing
    returning account_address, order_id
  )
  select (select count(*) from input), count(*), coalesce(array_agg(f.account_address), '{}'),
    coalesce(array_agg(f.order_id), '{}'), '{}'
  into result.sent, result.written, result.accounts, result.order_ids, result.events
  from fresh f;

  -- Then all again as joins, when some were there before or came twice: what they add is not lost.
  if result.written = result.sent then return result; end if;
  loop
    round := round + 1;
    with input as materialized (
      select x.*, row_number() over (partition by account, "orderId", "statusTimeMs", "venueStatus") as occurrence
      from json_to_recordset(batch) as x(
        account text, "orderId" bigint, "venueStatus" text, "statusTimeMs" bigint, coin text, side text,
        "limitPrice" numeric, size numeric, remaining numeric, "placedAtMs" bigint, "orderType" text, tif text,
        "triggerPrice" numeric, "reduceOnly" boolean, cloid text, raw jsonb, source text, "seenAtMs" bigint)
    ),
    written as (
      insert into public.hl_order_events as t (
        account_address, order_id, venue_status, status, status_time_ms, remaining, coin, side, limit_price, size,
        placed_at_ms, order_type, tif, trigger_price, reduce_only, cloid, raw_event, source, first_seen_at)
      select account, "orderId", "venueStatus", hl_internal.order_status("venueStatus"), "statusTimeMs", remaining,
        coin, side, "limitPrice", size, "placedAtMs", "orderType", tif, "triggerPrice", "reduceOnly", cloid, raw,
        source, to_timestamp("seenAtMs" / 1000.0)
      from input where occurrence = round
      on conflict (account_address, order_id, status_time_ms, venue_status) do update set (
        remaining, coin, side, limit_price, size, placed_at_ms, order_type, tif, trigger_price, reduce_only, cloid,
        raw_event, source, first_seen_at
      ) = (
        select j.remaining, j.coin, j.side, j.limit_price, j.size, j.placed_at_ms, j.order_type, j.tif,
          j.trigger_price, j.reduce_only, j.cloid, j.raw_event, j.source, j.first_seen_at
        from hl_internal.join_order_events(t, excluded) j
      )
      where hl_internal.join_order_events(t, excluded) operator(pg_catalog.*<>) t
      returning account_address, order_id
    )
    select (select max(i.occurrence) from input i), count(*), array_agg(w.account_address), array_agg(w.order_id)
    into rounds, part.written, part.accounts, part.order_ids
    from written w;
    result.written := result.written + part.written;
    result.accounts := result.accounts || part.accounts;
    result.order_ids := result.order_ids || part.order_ids;
    exit when round >= rounds;
  end loop;
  if hl_internal.may_drop('public.hl_order_events') and exists (
    select from json_to_recordset(batch) as x(account text, "orderId" bigint, "statusTimeMs" bigint, "venueStatus" text)
    where not exists (
      select from public.hl_order_events t
      where t.account_address = x.account and t.order_id = x."orderId" and t.status_time_ms = x."statusTimeMs"
        and t.venue_status = x."venueStatus")
  ) then
    raise exception 'a trigger on hl_order_events leaves it out' using errcode = 'integrity_constraint_violation';
  end if;
  return result;
end
$$;
comment on function hl_internal.put_order_events is 'Joins order transitions into hl_order_events.';
