-- One of the put functions: sql/apply.sql says what they have in common.

create or replace function hl_internal.put_asset_ctxs(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
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
