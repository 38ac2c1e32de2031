-- One function per table: puts the rows of a batch in, as joins, and says what became of them.
--
-- `on conflict do update` may touch a row once per statement, so a batch that holds a key twice is put in rounds: all
-- first occurrences, then all second ones. Nearly every batch takes one round. A row is written only when the join
-- changes it (*<> compares the images of rows, so 1.0 and 1.00 differ): a repeated batch writes nothing.
-- Callers hold the lock on the accounts, so what a statement reads cannot change before the transaction ends.

create type hl_internal.event as (
  event_key text,
  type text,
  account_address text,
  time_ms bigint,
  source text,
  data json
);
comment on type hl_internal.event is 'A change to be published; becomes a row of the outbox when all rows are written.';

create type hl_internal.outcome as (
  sent bigint,
  written bigint,
  accounts text[],
  order_ids bigint[],
  events hl_internal.event[]
);
comment on type hl_internal.outcome is 'What putting rows did: rows sent, rows inserted or changed, their accounts (and order ids, in parallel), the events they make.';

create function hl_internal.put_fills(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome;
  part hl_internal.outcome;
  round bigint := 0;
  rounds bigint;
begin
  -- The usual case first, and fast: fills that nobody has yet. Only these make events.
  with input as materialized (
    select * from json_to_recordset(batch) as x(
      account text, coin text, "timeMs" bigint, side text, size numeric, price numeric, value numeric, fee numeric,
      "feeToken" text, "startPosition" text, "closedPnl" numeric, direction text, "orderId" bigint,
      "tradeId" bigint, hash text, crossed boolean, cloid text, "builderFee" numeric, "twapId" bigint,
      liquidation jsonb, raw jsonb, source text, "seenAtMs" bigint)
  ),
  fresh as (
    insert into public.hl_fills (
      account_address, coin, fill_time, fill_time_ms, side, size, price, value, fee, fee_token, start_position,
      closed_pnl, direction, order_id, trade_id, hash, crossed, cloid, builder_fee, twap_id, liquidation, raw_fill,
      source, first_seen_at)
    select account, coin, to_timestamp("timeMs" / 1000.0), "timeMs", side, size, price, value, fee, "feeToken",
      "startPosition", "closedPnl", direction, "orderId", "tradeId", hash, crossed, cloid, "builderFee", "twapId",
      liquidation, raw, source, to_timestamp("seenAtMs" / 1000.0)
    from input
    on conflict do nothing
    returning account_address, coin, fill_time_ms, side, size, price, value, fee, fee_token, start_position,
      closed_pnl, direction, order_id, trade_id, hash, crossed, cloid, builder_fee, twap_id, liquidation, source
  )
  select (select count(*) from input), count(*),
    coalesce(array_agg(f.account_address), '{}'), coalesce(array_agg(f.order_id), '{}'),
    coalesce(array_agg(row(
      concat_ws(':', 'fill', f.account_address, f.coin, f.fill_time_ms, f.order_id, f.trade_id, f.side),
      'fill.created', f.account_address, f.fill_time_ms, f.source, row_to_json(data)
    )::hl_internal.event order by f.fill_time_ms), '{}')
  into result.sent, result.written, result.accounts, result.order_ids, result.events
  from fresh f cross join lateral (
    select f.account_address, f.coin, f.fill_time_ms, f.side, f.size::text, f.price::text, f.value::text,
      f.fee::text, f.fee_token, f.start_position, f.closed_pnl::text, f.direction, f.order_id, f.trade_id, f.hash,
      f.crossed, f.cloid, f.builder_fee::text, f.twap_id, f.liquidation
  ) data;

  -- Then all again as joins, when some were there before or came twice: what they add is not lost.
  if result.written = result.sent then return result; end if;
  loop
    round := round + 1;
    with input as materialized (
      select x.*, row_number() over (
        partition by account, coin, "timeMs", "orderId", "tradeId", side
      ) as occurrence
      from json_to_recordset(batch) as x(
        account text, coin text, "timeMs" bigint, side text, size numeric, price numeric, value numeric, fee numeric,
        "feeToken" text, "startPosition" text, "closedPnl" numeric, direction text, "orderId" bigint,
        "tradeId" bigint, hash text, crossed boolean, cloid text, "builderFee" numeric, "twapId" bigint,
        liquidation jsonb, raw jsonb, source text, "seenAtMs" bigint)
    ),
    written as (
      insert into public.hl_fills as t (
        account_address, coin, fill_time, fill_time_ms, side, size, price, value, fee, fee_token, start_position,
        closed_pnl, direction, order_id, trade_id, hash, crossed, cloid, builder_fee, twap_id, liquidation, raw_fill,
        source, first_seen_at)
      select account, coin, to_timestamp("timeMs" / 1000.0), "timeMs", side, size, price, value, fee, "feeToken",
        "startPosition", "closedPnl", direction, "orderId", "tradeId", hash, crossed, cloid, "builderFee", "twapId",
        liquidation, raw, source, to_timestamp("seenAtMs" / 1000.0)
      from input where occurrence = round
      on conflict (account_address, coin, fill_time_ms, order_id, trade_id, side) do update set (
        size, price, value, fee, fee_token, start_position, closed_pnl, direction, hash, crossed, cloid, builder_fee,
        twap_id, liquidation, raw_fill, source, first_seen_at
      ) = (
        select j.size, j.price, j.value, j.fee, j.fee_token, j.start_position, j.closed_pnl, j.direction, j.hash,
          j.crossed, j.cloid, j.builder_fee, j.twap_id, j.liquidation, j.raw_fill, j.source, j.first_seen_at
        from hl_internal.join_fills(t, excluded) j
      )
      where hl_internal.join_fills(t, excluded) operator(pg_catalog.*<>) t
      returning account_address, order_id
    )
    select (select max(occurrence) from input), count(*), array_agg(account_address), array_agg(order_id)
    into rounds, part.written, part.accounts, part.order_ids
    from written;
    result.written := result.written + part.written;
    result.accounts := result.accounts || part.accounts;
    result.order_ids := result.order_ids || part.order_ids;
    exit when round >= rounds;
  end loop;
  return result;
end
$$;
comment on function hl_internal.put_fills is 'Joins fills into hl_fills. A fill makes its event once, whatever comes later.';

create function hl_internal.put_order_events(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
  part hl_internal.outcome;
  round bigint := 0;
  rounds bigint;
begin
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
    select (select count(*) from input where occurrence = round), (select max(occurrence) from input), count(*),
      array_agg(account_address), array_agg(order_id)
    into part.sent, rounds, part.written, part.accounts, part.order_ids
    from written;
    result.sent := result.sent + part.sent;
    result.written := result.written + part.written;
    result.accounts := result.accounts || part.accounts;
    result.order_ids := result.order_ids || part.order_ids;
    exit when round >= rounds or rounds is null;
  end loop;
  return result;
end
$$;
comment on function hl_internal.put_order_events is 'Joins order transitions into hl_order_events.';

-- Apart from refresh_orders, to be planned at every call: while hl_orders is nearly empty its index on
-- (account_address, status) looks as good as the key, and a plan that is kept would go on reading all orders of an
-- account for each one. The limit keeps the planner from a join that reads the whole table.
create function hl_internal.outcomes_of_orders(accounts text[], order_ids bigint[])
returns table (account_address text, order_id bigint, status text, venue_status text, filled numeric)
language plpgsql stable set search_path = '' set enable_seqscan = off set plan_cache_mode = force_custom_plan as $$
begin
  return query
  select w.account, w.id, o.status, o.venue_status, o.filled
  from (select distinct u.account, u.id from unnest(accounts, order_ids) as u(account, id)) w
  cross join lateral (
    select t.status, t.venue_status, t.filled
    from public.hl_orders t where t.account_address = w.account and t.order_id = w.id limit 1
  ) o;
end
$$;
comment on function hl_internal.outcomes_of_orders is 'What hl_orders says of those of these orders that it has.';

create function hl_internal.refresh_orders(accounts text[], order_ids bigint[]) returns hl_internal.outcome
language plpgsql set search_path = '' set enable_seqscan = off as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
begin
  with derived as materialized (
    select d.* from hl_internal.derive_orders(accounts, order_ids) d
  ),
  -- Reads the rows as they were before this statement.
  before as materialized (
    select b.* from hl_internal.outcomes_of_orders(accounts, order_ids) b
  ),
  written as (
    insert into public.hl_orders as t
    select d.* from derived d
    on conflict (account_address, order_id) do update set (
      coin, side, order_type, tif, size, limit_price, trigger_price, filled, fill_percentage, status, venue_status,
      cloid, reduce_only, placed_at, status_at, status_time_ms, last_fill_time_ms, raw_order, source, updated_at
    ) = (
      excluded.coin, excluded.side, excluded.order_type, excluded.tif, excluded.size, excluded.limit_price,
      excluded.trigger_price, excluded.filled, excluded.fill_percentage, excluded.status, excluded.venue_status,
      excluded.cloid, excluded.reduce_only, excluded.placed_at, excluded.status_at, excluded.status_time_ms,
      excluded.last_fill_time_ms, excluded.raw_order, excluded.source, excluded.updated_at
    )
    where excluded operator(pg_catalog.*<>) t
    returning t.*
  ),
  changed as (
    select w.* from written w left join before b using (account_address, order_id)
    where (b.status, b.venue_status, b.filled) is distinct from (w.status, w.venue_status, w.filled)
  )
  select (select count(*) from derived), (select count(*) from written),
    coalesce(array_agg(row(
      concat_ws(':', 'order', c.account_address, c.order_id, c.venue_status, c.status, c.filled, c.status_time_ms),
      'order.updated', c.account_address, greatest(c.status_time_ms, c.last_fill_time_ms), c.source, row_to_json(data)
    )::hl_internal.event order by greatest(c.status_time_ms, c.last_fill_time_ms), c.order_id), '{}')
  into result.sent, result.written, result.events
  from changed c cross join lateral (
    select c.account_address, c.order_id, c.coin, c.side, c.order_type, c.tif, c.size::text, c.limit_price::text,
      c.trigger_price::text, c.filled::text, c.fill_percentage::text, c.status, c.venue_status, c.cloid, c.reduce_only,
      (extract(epoch from c.placed_at) * 1000)::bigint as placed_at_ms, c.status_time_ms, c.last_fill_time_ms
  ) data;
  return result;
end
$$;
comment on function hl_internal.refresh_orders is 'Derives the given orders again and writes those that changed.';

create function hl_internal.put_positions(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
  part hl_internal.outcome;
  round bigint := 0;
  rounds bigint;
begin
  loop
    round := round + 1;
    with input as materialized (
      select x.*, row_number() over (partition by account, dex, coin) as occurrence
      from json_to_recordset(batch) as x(
        account text, dex text, coin text, szi numeric, "entryPrice" numeric, "markPrice" numeric,
        "liquidationPrice" numeric, "positionValue" numeric, "marginUsed" numeric, "unrealizedPnl" numeric,
        "returnOnEquity" numeric, "leverageType" text, "leverageValue" integer, "maxLeverage" integer,
        "liquidationDistancePct" numeric, "fundingSinceOpen" numeric, "fundingAllTime" numeric, raw jsonb,
        "asOfMs" bigint)
    ),
    before as materialized (
      select p.account_address, p.dex, p.coin, p.side, p.size, p.leverage_type, p.leverage_value
      from input i join public.hl_positions p on (p.account_address, p.dex, p.coin) = (i.account, i.dex, i.coin)
      where i.occurrence = round
    ),
    written as (
      insert into public.hl_positions as t (
        account_address, dex, coin, side, size, entry_price, mark_price, liquidation_price, position_value,
        margin_used, unrealized_pnl, return_on_equity, leverage_type, leverage_value, max_leverage,
        liquidation_distance_pct, funding_since_open, funding_all_time, raw_position, as_of, as_of_ms, updated_at,
        closed_at)
      select account, dex, coin, case sign(szi) when 1 then 'long' when -1 then 'short' else 'flat' end, abs(szi),
        "entryPrice", "markPrice", "liquidationPrice", "positionValue", "marginUsed", "unrealizedPnl",
        "returnOnEquity", "leverageType", "leverageValue", "maxLeverage", "liquidationDistancePct",
        "fundingSinceOpen", "fundingAllTime", raw, to_timestamp("asOfMs" / 1000.0), "asOfMs", now(),
        case when szi = 0 then to_timestamp("asOfMs" / 1000.0) end
      from input where occurrence = round
      on conflict (account_address, dex, coin) do update set (
        side, size, entry_price, mark_price, liquidation_price, position_value, margin_used, unrealized_pnl,
        return_on_equity, leverage_type, leverage_value, max_leverage, liquidation_distance_pct, funding_since_open,
        funding_all_time, raw_position, as_of, as_of_ms, updated_at, closed_at
      ) = (
        excluded.side, excluded.size, excluded.entry_price, excluded.mark_price, excluded.liquidation_price,
        excluded.position_value, excluded.margin_used, excluded.unrealized_pnl, excluded.return_on_equity,
        excluded.leverage_type, excluded.leverage_value, excluded.max_leverage, excluded.liquidation_distance_pct,
        excluded.funding_since_open, excluded.funding_all_time, excluded.raw_position, excluded.as_of,
        excluded.as_of_ms, excluded.updated_at, excluded.closed_at
      )
      where hl_internal.join_positions(t, excluded) operator(pg_catalog.*<>) t
      returning t.*
    ),
    changed as (
      select w.* from written w left join before b using (account_address, dex, coin)
      where (b.side, b.size, b.leverage_type, b.leverage_value)
        is distinct from (w.side, w.size, w.leverage_type, w.leverage_value)
    )
    select (select count(*) from input where occurrence = round), (select max(occurrence) from input),
      (select count(*) from written), (select array_agg(distinct account_address) from written),
      array_agg(row(
        concat_ws(':', 'position', c.account_address, c.dex, c.coin, c.as_of_ms), 'position.updated',
        c.account_address, c.as_of_ms, 'snapshot', row_to_json(data)
      )::hl_internal.event order by c.as_of_ms, c.dex, c.coin)
    into part.sent, rounds, part.written, part.accounts, part.events
    from changed c cross join lateral (
      select c.account_address, c.dex, c.coin, c.side, c.size::text, c.entry_price::text, c.mark_price::text,
        c.liquidation_price::text, c.position_value::text, c.margin_used::text, c.unrealized_pnl::text,
        c.return_on_equity::text, c.leverage_type, c.leverage_value, c.max_leverage,
        c.liquidation_distance_pct::text, c.funding_since_open::text, c.funding_all_time::text, c.as_of_ms
    ) data;
    result.sent := result.sent + part.sent;
    result.written := result.written + part.written;
    result.accounts := result.accounts || part.accounts;
    result.events := result.events || part.events;
    exit when round >= rounds or rounds is null;
  end loop;
  return result;
end
$$;
comment on function hl_internal.put_positions is 'Joins position states into hl_positions. An event only when side, size or leverage changed.';

create function hl_internal.put_balances(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
  part hl_internal.outcome;
  round bigint := 0;
  rounds bigint;
begin
  loop
    round := round + 1;
    with input as materialized (
      select x.*, row_number() over (partition by account, coin) as occurrence
      from json_to_recordset(batch) as x(
        account text, coin text, token integer, total numeric, hold numeric, "entryNotional" numeric, raw jsonb,
        "asOfMs" bigint)
    ),
    written as (
      insert into public.hl_balances as t (
        account_address, coin, token, total, hold, entry_notional, raw_balance, as_of, as_of_ms, updated_at)
      select account, coin, token, total, hold, "entryNotional", raw, to_timestamp("asOfMs" / 1000.0), "asOfMs", now()
      from input where occurrence = round
      on conflict (account_address, coin) do update set (
        token, total, hold, entry_notional, raw_balance, as_of, as_of_ms, updated_at
      ) = (
        excluded.token, excluded.total, excluded.hold, excluded.entry_notional, excluded.raw_balance,
        excluded.as_of, excluded.as_of_ms, excluded.updated_at
      )
      where hl_internal.join_balances(t, excluded) operator(pg_catalog.*<>) t
      returning account_address
    )
    select (select count(*) from input where occurrence = round), (select max(occurrence) from input), count(*),
      array_agg(distinct account_address)
    into part.sent, rounds, part.written, part.accounts
    from written;
    result.sent := result.sent + part.sent;
    result.written := result.written + part.written;
    result.accounts := result.accounts || part.accounts;
    exit when round >= rounds or rounds is null;
  end loop;
  return result;
end
$$;
comment on function hl_internal.put_balances is 'Joins balance states into hl_balances.';

create function hl_internal.put_funding(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
  part hl_internal.outcome;
  round bigint := 0;
  rounds bigint;
begin
  loop
    round := round + 1;
    with input as materialized (
      select x.*, row_number() over (partition by account, coin, "timeMs") as occurrence
      from json_to_recordset(batch) as x(
        account text, coin text, "timeMs" bigint, usdc numeric, size numeric, "fundingRate" numeric,
        samples integer, raw jsonb, source text, "seenAtMs" bigint)
    ),
    written as (
      insert into public.hl_funding as t (
        account_address, coin, funding_time, funding_time_ms, usdc, size, funding_rate, samples, raw_funding, source,
        first_seen_at)
      select account, coin, to_timestamp("timeMs" / 1000.0), "timeMs", usdc, size, "fundingRate", samples, raw, source,
        to_timestamp("seenAtMs" / 1000.0)
      from input where occurrence = round
      on conflict (account_address, coin, funding_time_ms) do update set (
        usdc, size, funding_rate, samples, raw_funding, source, first_seen_at
      ) = (
        select j.usdc, j.size, j.funding_rate, j.samples, j.raw_funding, j.source, j.first_seen_at
        from hl_internal.join_funding(t, excluded) j
      )
      where hl_internal.join_funding(t, excluded) operator(pg_catalog.*<>) t
      returning t.*, t.xmax = 0 and round = 1 as inserted
    )
    select (select count(*) from input where occurrence = round), (select max(occurrence) from input), count(*),
      array_agg(distinct w.account_address),
      array_agg(row(
        concat_ws(':', 'funding', w.account_address, w.coin, w.funding_time_ms), 'funding.created',
        w.account_address, w.funding_time_ms, w.source, row_to_json(data)
      )::hl_internal.event order by w.funding_time_ms, w.coin) filter (where w.inserted)
    into part.sent, rounds, part.written, part.accounts, part.events
    from written w cross join lateral (
      select w.account_address, w.coin, w.funding_time_ms, w.usdc::text, w.size::text, w.funding_rate::text, w.samples
    ) data;
    result.sent := result.sent + part.sent;
    result.written := result.written + part.written;
    result.accounts := result.accounts || part.accounts;
    result.events := result.events || part.events;
    exit when round >= rounds or rounds is null;
  end loop;
  return result;
end
$$;
comment on function hl_internal.put_funding is 'Joins funding payments into hl_funding.';

create function hl_internal.put_ledger(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
  part hl_internal.outcome;
  round bigint := 0;
  rounds bigint;
begin
  loop
    round := round + 1;
    with input as materialized (
      select x.*, row_number() over (partition by account, "timeMs", hash, type, digest) as occurrence
      from json_to_recordset(batch) as x(
        account text, "timeMs" bigint, hash text, type text, usdc numeric, token text, amount numeric, digest text,
        raw jsonb, source text, "seenAtMs" bigint)
    ),
    written as (
      insert into public.hl_ledger as t (
        account_address, ledger_time, ledger_time_ms, hash, type, digest, usdc, token, amount, raw_ledger, source,
        first_seen_at)
      select account, to_timestamp("timeMs" / 1000.0), "timeMs", hash, type, digest, usdc, token, amount, raw, source,
        to_timestamp("seenAtMs" / 1000.0)
      from input where occurrence = round
      on conflict (account_address, ledger_time_ms, hash, type, digest) do update set (
        usdc, token, amount, raw_ledger, source, first_seen_at
      ) = (
        select j.usdc, j.token, j.amount, j.raw_ledger, j.source, j.first_seen_at
        from hl_internal.join_ledger(t, excluded) j
      )
      where hl_internal.join_ledger(t, excluded) operator(pg_catalog.*<>) t
      returning t.*, t.xmax = 0 and round = 1 as inserted
    )
    select (select count(*) from input where occurrence = round), (select max(occurrence) from input), count(*),
      array_agg(distinct w.account_address),
      array_agg(row(
        concat_ws(':', 'ledger', w.account_address, w.ledger_time_ms, w.hash, w.type, w.digest), 'ledger.created',
        w.account_address, w.ledger_time_ms, w.source, row_to_json(data)
      )::hl_internal.event order by w.ledger_time_ms) filter (where w.inserted)
    into part.sent, rounds, part.written, part.accounts, part.events
    from written w cross join lateral (
      select w.account_address, w.ledger_time_ms, w.hash, w.type, w.usdc::text, w.token, w.amount::text
    ) data;
    result.sent := result.sent + part.sent;
    result.written := result.written + part.written;
    result.accounts := result.accounts || part.accounts;
    result.events := result.events || part.events;
    exit when round >= rounds or rounds is null;
  end loop;
  return result;
end
$$;
comment on function hl_internal.put_ledger is 'Joins ledger updates into hl_ledger.';

create function hl_internal.put_dashboard(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
begin
  with input as materialized (
    select * from json_to_recordset(batch) as x(
      account text, "asOfMs" bigint, "accountValue" numeric, withdrawable numeric, "totalMarginUsed" numeric,
      "totalNotionalPosition" numeric, "totalRawUsd" numeric, "maintenanceMargin" numeric, "actualLeverage" numeric,
      "marginUsagePct" numeric, "freeMargin" numeric, "marginLevel" numeric, "liquidationBufferPct" numeric,
      "totalPositions" integer, "totalUnrealizedPnl" numeric, "healthScore" integer, "healthStatus" text,
      "healthReason" text, "accountMode" text, raw jsonb)
  ),
  written as (
    insert into public.hl_dashboard (
      account_address, as_of, as_of_ms, account_value, withdrawable, total_margin_used, total_notional_position,
      total_raw_usd, maintenance_margin, actual_leverage, margin_usage_pct, free_margin, margin_level,
      liquidation_buffer_pct, total_positions, total_unrealized_pnl, health_score, health_status, health_reason,
      account_mode, raw_user_state)
    select account, to_timestamp("asOfMs" / 1000.0), "asOfMs", "accountValue", withdrawable, "totalMarginUsed",
      "totalNotionalPosition", "totalRawUsd", "maintenanceMargin", "actualLeverage", "marginUsagePct", "freeMargin",
      "marginLevel", "liquidationBufferPct", "totalPositions", "totalUnrealizedPnl", "healthScore", "healthStatus",
      "healthReason", "accountMode", raw
    from input
    on conflict (account_address, as_of) do nothing
    returning account_address
  )
  select (select count(*) from input), count(*), coalesce(array_agg(distinct account_address), '{}')
  into result.sent, result.written, result.accounts
  from written;
  update hl_internal.accounts a set mode = latest.account_mode
  from (
    select distinct on (d.account_address) d.account_address, d.account_mode
    from public.hl_dashboard d
    where d.account_address in (select x.account from json_to_recordset(batch) as x(account text))
    order by d.account_address, d.as_of desc
  ) latest
  where a.account_address = latest.account_address and a.mode is distinct from latest.account_mode;
  return result;
end
$$;
comment on function hl_internal.put_dashboard is 'Adds account snapshots; of two with the same time the first stays.';

create function hl_internal.put_coverage(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
begin
  with input as materialized (
    select * from json_to_recordset(batch) as x(
      account text, stream text, grade text, "fromMs" bigint, "toMs" bigint, reason text)
  ),
  written as (
    insert into hl_internal.coverage as t (account_address, stream, grade, reason, covered)
    select account, stream, grade, coalesce(reason, ''), range_agg(int8range("fromMs", "toMs", '[]'))
    from input group by 1, 2, 3, 4
    on conflict (account_address, stream, grade, reason) do update set covered = t.covered + excluded.covered
    where not t.covered @> excluded.covered
    returning account_address
  )
  select (select count(*) from input), count(*), coalesce(array_agg(distinct account_address), '{}')
  into result.sent, result.written, result.accounts
  from written;
  return result;
end
$$;
comment on function hl_internal.put_coverage is 'Unites intervals with what is known; intervals that overlap or touch become one.';

create function hl_internal.put_drift(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
begin
  with input as materialized (
    select account, stream, cause, detail, md5(coalesce(detail, 'null')::text) as digest, "foundAtMs",
      min("repairedAtMs") as "repairedAtMs", count(*) as sightings
    from json_to_recordset(batch) as x(
      account text, stream text, cause text, detail jsonb, "foundAtMs" bigint, "repairedAtMs" bigint)
    group by 1, 2, 3, 4, 5, 6
  ),
  written as (
    insert into hl_internal.drift as t (
      account_address, stream, cause, detail, digest, found_at_ms, repaired_at_ms)
    select account, stream, cause, detail, digest, "foundAtMs", "repairedAtMs" from input
    on conflict (account_address, stream, cause, found_at_ms, digest) do update
      set repaired_at_ms = least(t.repaired_at_ms, excluded.repaired_at_ms)
      where t.repaired_at_ms is distinct from least(t.repaired_at_ms, excluded.repaired_at_ms)
    returning t.*, t.xmax = 0 as inserted
  )
  select (select sum(sightings) from input), count(*), coalesce(array_agg(distinct w.account_address), '{}'),
    coalesce(array_agg(row(
      concat_ws(':', 'drift', w.account_address, w.stream, w.cause, w.found_at_ms, w.digest), 'drift.found',
      w.account_address, w.found_at_ms, 'reconcile', row_to_json(data)
    )::hl_internal.event order by w.found_at_ms) filter (where w.inserted), '{}')
  into result.sent, result.written, result.accounts, result.events
  from written w cross join lateral (
    select w.account_address, w.stream, w.cause, w.detail, w.found_at_ms, w.repaired_at_ms
  ) data;
  return result;
end
$$;
comment on function hl_internal.put_drift is 'Adds drift reports; a repeated one only adds when it was repaired.';

create function hl_internal.put_quarantine(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
begin
  with input as materialized (
    select md5(concat_ws('|', coalesce(account, ''), subject, reason, raw)) as digest, account, subject, reason, raw,
      count(distinct "seenAtMs") as sightings, count(*) as sent, min("seenAtMs") as first_ms, max("seenAtMs") as last_ms
    from json_to_recordset(batch) as x(account text, subject text, reason text, raw text, "seenAtMs" bigint)
    group by account, subject, reason, raw
  ),
  written as (
    insert into hl_internal.quarantine as t (
      digest, account_address, subject, reason, raw, count, first_seen_at, last_seen_at)
    select digest, account, subject, reason, raw, sightings, to_timestamp(first_ms / 1000.0),
      to_timestamp(last_ms / 1000.0)
    from input
    order by digest
    -- A sighting not newer than the last one may be the same one again.
    on conflict (digest) do update
      set count = t.count + excluded.count, last_seen_at = excluded.last_seen_at
      where excluded.last_seen_at > t.last_seen_at
    returning 1
  )
  select (select sum(input.sent) from input), count(*) into result.sent, result.written from written;
  return result;
end
$$;
comment on function hl_internal.put_quarantine is 'Keeps what was not understood, once per content, with a count.';
