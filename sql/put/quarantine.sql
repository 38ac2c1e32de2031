-- One of the put functions: sql/apply.sql says what they have in common.

create or replace function hl_internal.put_quarantine(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
begin
  with input as materialized (
    select md5(concat_ws('|', coalesce(account, ''), subject, reason, raw)) as digest, account, subject, reason, raw,
      -- A row that stands for many messages says for how many.
      coalesce(sum("count"), count(distinct "seenAtMs")) as sightings, count(*) as sent, min("seenAtMs") as first_ms,
      max("seenAtMs") as last_ms
    from json_to_recordset(batch) as x(
      account text, subject text, reason text, raw text, "seenAtMs" bigint, "count" bigint)
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
