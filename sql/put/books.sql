-- One of the put functions: sql/apply.sql says what they have in common.

create or replace function hl_internal.put_books(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
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
