-- One of the put functions: sql/apply.sql says what they have in common.

create or replace function hl_internal.put_funding(batch json) returns hl_internal.outcome
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
      returning t as payment, t.account_address, t.coin, t.funding_time_ms, t.xmax = 0 and round = 1 as inserted
    )
    select (select count(*) from input where occurrence = round), (select max(occurrence) from input), count(*),
      array_agg(distinct w.account_address),
      array_agg(hl_internal.funding_event(w.payment) order by w.funding_time_ms, w.coin) filter (where w.inserted)
    into part.sent, rounds, part.written, part.accounts, part.events
    from written w;
    result.sent := result.sent + part.sent;
    result.written := result.written + part.written;
    result.accounts := result.accounts || part.accounts;
    result.events := result.events || part.events;
    exit when round >= rounds or rounds is null;
  end loop;
  if hl_internal.may_drop('public.hl_funding') and exists (
    select from json_to_recordset(batch) as x(account text, coin text, "timeMs" bigint)
    where not exists (
      select from public.hl_funding t
      where t.account_address = x.account and t.coin = x.coin and t.funding_time_ms = x."timeMs")
  ) then
    raise exception 'a trigger on hl_funding leaves it out' using errcode = 'integrity_constraint_violation';
  end if;
  return result;
end
$$;
comment on function hl_internal.put_funding is 'Joins funding payments into hl_funding.';
