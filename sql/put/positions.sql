-- One of the put functions: sql/apply.sql says what they have in common.

create or replace function hl_internal.put_positions(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
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
