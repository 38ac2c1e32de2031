-- One of the put functions: sql/apply.sql says what they have in common.

create or replace function hl_internal.put_coverage(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
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
    from input where "toMs" <= hl_internal.latest_claim_ms() group by 1, 2, 3, 4
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
comment on function hl_internal.put_coverage is 'Unites intervals with what is known; intervals that overlap or touch become one. A claim on the future is left out: up to where it was read is not on record.';
