-- One of the put functions: sql/apply.sql says what they have in common.

create or replace function hl_internal.put_candles(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
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
