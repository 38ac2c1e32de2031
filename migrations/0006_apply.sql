-- Market data, and the one entrance for all writes.

create function hl_internal.put_trades(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
begin
  perform hl_internal.ensure_partitions(
    'hl_trades', (select array_agg("timeMs") from json_to_recordset(batch) as x("timeMs" bigint)));
  with input as materialized (
    select * from json_to_recordset(batch) as x(
      coin text, "timeMs" bigint, "tradeId" bigint, side text, price numeric, size numeric, hash text, raw jsonb)
  ),
  written as (
    insert into public.hl_trades (coin, trade_time, trade_time_ms, trade_id, side, price, size, hash, raw_trade)
    select coin, to_timestamp("timeMs" / 1000.0), "timeMs", "tradeId", side, price, size, hash, raw
    from input order by coin, "timeMs", "tradeId"
    on conflict do nothing
    returning 1
  )
  select (select count(*) from input), count(*) into result.sent, result.written from written;
  return result;
end
$$;
comment on function hl_internal.put_trades is 'Adds public trades.';

create function hl_internal.put_candles(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
begin
  with input as materialized (
    select * from json_to_recordset(batch) as x(
      coin text, interval text, "openTimeMs" bigint, "closeTimeMs" bigint, open numeric, high numeric, low numeric,
      close numeric, volume numeric, trades integer, "asOfMs" bigint)
  ),
  written as (
    insert into public.hl_candles as t (
      coin, interval, open_time, open_time_ms, close_time_ms, open, high, low, close, volume, trades, as_of_ms)
    select distinct on (i.coin, i.interval, i."openTimeMs")
      i.coin, i.interval, to_timestamp(i."openTimeMs" / 1000.0), i."openTimeMs", i."closeTimeMs", i.open, i.high,
      i.low, i.close, i.volume, i.trades, i."asOfMs"
    from input i
    order by i.coin, i.interval, i."openTimeMs", i.trades desc, i."asOfMs" desc, i.volume desc, i.high desc, i.low desc,
      i.close desc
    on conflict (coin, interval, open_time_ms) do update set (
      close_time_ms, open, high, low, close, volume, trades, as_of_ms
    ) = (
      excluded.close_time_ms, excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume,
      excluded.trades, excluded.as_of_ms
    )
    where (excluded.trades, excluded.as_of_ms, excluded.volume, excluded.high, excluded.low, excluded.close)
        > (t.trades, t.as_of_ms, t.volume, t.high, t.low, t.close)
    returning 1
  )
  select (select count(*) from input), count(*) into result.sent, result.written from written;
  return result;
end
$$;
comment on function hl_internal.put_candles is 'Adds or replaces candles: of two versions the one with more trades, then the later seen.';

create function hl_internal.put_mids(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
begin
  perform hl_internal.ensure_partitions(
    'hl_mids', (select array_agg("asOfMs") from json_to_recordset(batch) as x("asOfMs" bigint)));
  with input as materialized (
    select * from json_to_recordset(batch) as x(dex text, coin text, mid numeric, "asOfMs" bigint)
  ),
  written as (
    insert into public.hl_mids (dex, coin, mid, as_of, as_of_ms)
    select dex, coin, mid, to_timestamp("asOfMs" / 1000.0), "asOfMs" from input order by dex, coin, "asOfMs"
    on conflict do nothing
    returning 1
  )
  select (select count(*) from input), count(*) into result.sent, result.written from written;
  return result;
end
$$;
comment on function hl_internal.put_mids is 'Adds mid prices.';

create function hl_internal.put_books(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
begin
  perform hl_internal.ensure_partitions(
    'hl_books', (select array_agg("asOfMs") from json_to_recordset(batch) as x("asOfMs" bigint)));
  with input as materialized (
    select * from json_to_recordset(batch) as x(coin text, "asOfMs" bigint, bids jsonb, asks jsonb)
  ),
  written as (
    insert into public.hl_books (coin, as_of, as_of_ms, bids, asks)
    select coin, to_timestamp("asOfMs" / 1000.0), "asOfMs", bids, asks from input order by coin, "asOfMs"
    on conflict do nothing
    returning 1
  )
  select (select count(*) from input), count(*) into result.sent, result.written from written;
  return result;
end
$$;
comment on function hl_internal.put_books is 'Adds order book snapshots.';

create function hl_internal.put_asset_ctxs(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
begin
  perform hl_internal.ensure_partitions(
    'hl_asset_ctxs', (select array_agg("asOfMs") from json_to_recordset(batch) as x("asOfMs" bigint)));
  with input as materialized (
    select * from json_to_recordset(batch) as x(
      coin text, "asOfMs" bigint, "markPrice" numeric, "midPrice" numeric, "oraclePrice" numeric,
      "fundingRate" numeric, "openInterest" numeric, "dayNotionalVolume" numeric, "previousDayPrice" numeric,
      raw jsonb)
  ),
  written as (
    insert into public.hl_asset_ctxs (
      coin, as_of, as_of_ms, mark_price, mid_price, oracle_price, funding_rate, open_interest, day_notional_volume,
      previous_day_price, raw_ctx)
    select coin, to_timestamp("asOfMs" / 1000.0), "asOfMs", "markPrice", "midPrice", "oraclePrice", "fundingRate",
      "openInterest", "dayNotionalVolume", "previousDayPrice", raw
    from input order by coin, "asOfMs"
    on conflict do nothing
    returning 1
  )
  select (select count(*) from input), count(*) into result.sent, result.written from written;
  return result;
end
$$;
comment on function hl_internal.put_asset_ctxs is 'Adds market contexts.';

-- Locks come in one order in every transaction: accounts by address, then partitions, then the outbox. So writers
-- wait for each other but never in a circle. A writer that waits longer than lock_timeout fails and tries again.
create function hl_internal.apply(
  accounts text[],
  fills json default null,
  order_events json default null,
  positions json default null,
  balances json default null,
  funding json default null,
  ledger json default null,
  dashboard json default null,
  coverage json default null,
  drift json default null,
  quarantine json default null,
  trades json default null,
  candles json default null,
  mids json default null,
  books json default null,
  asset_ctxs json default null
) returns json
language plpgsql set search_path = '' set lock_timeout = '20s' as $$
declare
  outcome hl_internal.outcome;
  orders_of text[] := '{}';
  order_ids bigint[] := '{}';
  events hl_internal.event[] := '{}';
  written jsonb := '{}';
  known jsonb := '{}';
  published json;
  item record;
begin
  insert into hl_internal.accounts (account_address)
  select a from unnest(accounts) a
  where not exists (select from hl_internal.accounts k where k.account_address = a)
  order by a
  on conflict do nothing;
  perform from hl_internal.accounts a where a.account_address = any (accounts)
  order by a.account_address for update;

  for item in
    select * from (values
      ('hl_fills', 'put_fills', fills),
      ('hl_order_events', 'put_order_events', order_events),
      ('hl_positions', 'put_positions', positions),
      ('hl_balances', 'put_balances', balances),
      ('hl_funding', 'put_funding', funding),
      ('hl_ledger', 'put_ledger', ledger),
      ('hl_dashboard', 'put_dashboard', dashboard),
      ('coverage', 'put_coverage', coverage),
      ('drift', 'put_drift', drift),
      ('quarantine', 'put_quarantine', quarantine),
      ('hl_trades', 'put_trades', trades),
      ('hl_candles', 'put_candles', candles),
      ('hl_mids', 'put_mids', mids),
      ('hl_books', 'put_books', books),
      ('hl_asset_ctxs', 'put_asset_ctxs', asset_ctxs)
    ) as v(name, put, rows)
    where v.rows is not null
  loop
    execute format('select * from hl_internal.%I($1)', item.put) into outcome using item.rows;
    if not outcome.accounts <@ accounts then
      raise exception 'batch writes % without naming all of its accounts', item.name;
    end if;
    written := written || jsonb_build_object(item.name, outcome.written);
    known := known || jsonb_build_object(item.name, outcome.sent - outcome.written);
    if cardinality(outcome.order_ids) > 0 then
      orders_of := orders_of || outcome.accounts;
      order_ids := order_ids || outcome.order_ids;
    end if;
    events := events || outcome.events;
  end loop;

  if cardinality(order_ids) > 0 then
    outcome := hl_internal.refresh_orders(orders_of, order_ids);
    written := written || jsonb_build_object('hl_orders', outcome.written);
    known := known || jsonb_build_object('hl_orders', outcome.sent - outcome.written);
    events := events || outcome.events;
  end if;

  if cardinality(events) > 0 then
    -- Ids are taken and committed one transaction after the other: a reader that has seen id n misses none below.
    perform pg_advisory_xact_lock(hashtext('hl_internal.outbox'));
    with put as (
      insert into hl_internal.outbox (event_key, type, account_address, time_ms, source, data)
      select e.event_key, e.type, e.account_address, e.time_ms, e.source, e.data::jsonb
      from unnest(events) with ordinality as e(event_key, type, account_address, time_ms, source, data, place)
      order by e.place
      returning id
    ),
    -- Ids come in the order of the events; the answer takes their data as it was before it became jsonb.
    numbered as (select id, row_number() over (order by id) as place from put)
    select json_agg(row_to_json(event) order by n.place) into published
    from numbered n
    join unnest(events) with ordinality as e(event_key, type, account_address, time_ms, source, data, place)
      on e.place = n.place
    cross join lateral (
      select n.id::text, e.event_key as key, e.type, e.account_address as account, e.time_ms as "timeMs", e.source, e.data
    ) event;
  end if;

  return json_build_object('events', coalesce(published, '[]'), 'written', written, 'known', known);
end
$$;
comment on function hl_internal.apply is 'Writes a batch: every row as a join, the orders derived from them, coverage and outbox events, in one transaction. accounts: every account the batch has rows of, to be locked. Lists are arguments of their own because each pass over the text of a big batch costs.';
