-- One of the put functions: sql/apply.sql says what they have in common.

create or replace function hl_internal.put_fills(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  result hl_internal.outcome;
  part hl_internal.outcome;
  round bigint := 0;
  rounds bigint;
begin
  -- The usual case first, and fast: fills that nobody has yet. Only these make events; what was taken over is no news.
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
      source, first_seen_at, priority_gas, deployer_fee, builder, block_number)
    select account, coin, to_timestamp("timeMs" / 1000.0), "timeMs", side, size, price, value, fee, "feeToken",
      "startPosition", "closedPnl", direction, "orderId", "tradeId", hash, crossed, cloid, "builderFee", "twapId",
      liquidation, raw, source, to_timestamp("seenAtMs" / 1000.0), hl_internal.decimal_of(raw ->> 'priorityGas'),
      hl_internal.decimal_of(raw ->> 'deployerFee'), raw ->> 'builder', hl_internal.block_number(hash)
    from input
    on conflict do nothing
    returning account_address, order_id, source, hl_fills as entry
  )
  select (select count(*) from input), count(*),
    coalesce(array_agg(f.account_address), '{}'), coalesce(array_agg(f.order_id), '{}'),
    hl_internal.fill_events(array_agg(f.entry) filter (where f.source <> 'legacy'))
  into result.sent, result.written, result.accounts, result.order_ids, result.events
  from fresh f;

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
        source, first_seen_at, priority_gas, deployer_fee, builder, block_number)
      select account, coin, to_timestamp("timeMs" / 1000.0), "timeMs", side, size, price, value, fee, "feeToken",
        "startPosition", "closedPnl", direction, "orderId", "tradeId", hash, crossed, cloid, "builderFee", "twapId",
        liquidation, raw, source, to_timestamp("seenAtMs" / 1000.0), hl_internal.decimal_of(raw ->> 'priorityGas'),
        hl_internal.decimal_of(raw ->> 'deployerFee'), raw ->> 'builder', hl_internal.block_number(hash)
      from input where occurrence = round
      on conflict (account_address, coin, fill_time_ms, order_id, trade_id, side) do update set (
        size, price, value, fee, fee_token, start_position, closed_pnl, direction, hash, crossed, cloid, builder_fee,
        twap_id, liquidation, raw_fill, source, first_seen_at, priority_gas, deployer_fee, builder, block_number
      ) = (
        select j.size, j.price, j.value, j.fee, j.fee_token, j.start_position, j.closed_pnl, j.direction, j.hash,
          j.crossed, j.cloid, j.builder_fee, j.twap_id, j.liquidation, j.raw_fill, j.source, j.first_seen_at,
          j.priority_gas, j.deployer_fee, j.builder, j.block_number
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
  if hl_internal.may_drop('public.hl_fills') and exists (
    select from json_to_recordset(batch) as x(account text, coin text, "timeMs" bigint, "orderId" bigint, "tradeId" bigint, side text)
    where not exists (
      select from public.hl_fills t
      where t.account_address = x.account and t.coin = x.coin and t.fill_time_ms = x."timeMs" and t.order_id = x."orderId"
        and t.trade_id = x."tradeId" and t.side = x.side)
  ) then
    raise exception 'a trigger on hl_fills leaves it out' using errcode = 'integrity_constraint_violation';
  end if;
  return result;
end
$$;
comment on function hl_internal.put_fills is 'Joins fills into hl_fills. A fill makes its event once, whatever comes later.';
