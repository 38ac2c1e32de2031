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
create function hl_internal.apply(batch json) returns json
language plpgsql set search_path = '' set lock_timeout = '20s' as $$
declare
  doc record;
  outcome hl_internal.outcome;
  orders_of text[] := '{}';
  order_ids bigint[] := '{}';
  events hl_internal.outbox[] := '{}';
  written jsonb := '{}';
  known jsonb := '{}';
  published json;
  item record;
begin
  -- One pass over the text takes the batch apart. Passes are what a big batch costs, so the sender names the accounts.
  select * into doc from json_to_record(batch) as x(
    accounts text[], fills json, "orderEvents" json, positions json, balances json, funding json, ledger json,
    dashboard json, coverage json, drift json, quarantine json, trades json, candles json, mids json, books json,
    "assetCtxs" json);

  if doc.accounts is not null then
    insert into hl_internal.accounts (account_address)
    select a from unnest(doc.accounts) a
    where not exists (select from hl_internal.accounts k where k.account_address = a)
    order by a
    on conflict do nothing;
    perform from hl_internal.accounts a where a.account_address = any (doc.accounts)
    order by a.account_address for update;
  end if;

  for item in
    select * from (values
      ('hl_fills', 'put_fills', doc.fills),
      ('hl_order_events', 'put_order_events', doc."orderEvents"),
      ('hl_positions', 'put_positions', doc.positions),
      ('hl_balances', 'put_balances', doc.balances),
      ('hl_funding', 'put_funding', doc.funding),
      ('hl_ledger', 'put_ledger', doc.ledger),
      ('hl_dashboard', 'put_dashboard', doc.dashboard),
      ('coverage', 'put_coverage', doc.coverage),
      ('drift', 'put_drift', doc.drift),
      ('quarantine', 'put_quarantine', doc.quarantine),
      ('hl_trades', 'put_trades', doc.trades),
      ('hl_candles', 'put_candles', doc.candles),
      ('hl_mids', 'put_mids', doc.mids),
      ('hl_books', 'put_books', doc.books),
      ('hl_asset_ctxs', 'put_asset_ctxs', doc."assetCtxs")
    ) as v(name, put, rows)
    where v.rows is not null
  loop
    execute format('select * from hl_internal.%I($1)', item.put) into outcome using item.rows;
    if not outcome.accounts <@ coalesce(doc.accounts, '{}') then
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
      insert into hl_internal.outbox (event_key, type, account_address, time_ms, source, data, created_at)
      select e.event_key, e.type, e.account_address, e.time_ms, e.source, e.data, e.created_at
      from unnest(events) with ordinality as e(
        id, event_key, type, account_address, time_ms, source, data, created_at, place)
      order by e.place
      returning *
    )
    select json_agg(json_build_object(
      'id', p.id::text, 'key', p.event_key, 'type', p.type, 'account', p.account_address, 'timeMs', p.time_ms,
      'source', p.source, 'data', p.data) order by p.id)
    into published from put p;
  end if;

  return json_build_object('events', coalesce(published, '[]'), 'written', written, 'known', known);
end
$$;
comment on function hl_internal.apply is 'Writes a batch ({"accounts": [every account in it], "fills": […], …}): every row as a join, the orders derived from them, coverage and outbox events, in one transaction.';
