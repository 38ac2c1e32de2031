-- One of the put functions: sql/apply.sql says what they have in common.

create or replace function hl_internal.put_trades(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
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
