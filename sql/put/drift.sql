-- One of the put functions: sql/apply.sql says what they have in common.

create or replace function hl_internal.put_drift(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
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
