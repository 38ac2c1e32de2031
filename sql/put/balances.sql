-- One of the put functions: sql/apply.sql says what they have in common.

create or replace function hl_internal.put_balances(batch json) returns hl_internal.outcome
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
      select x.*, row_number() over (partition by account, coin) as occurrence
      from json_to_recordset(batch) as x(
        account text, coin text, token integer, total numeric, hold numeric, "entryNotional" numeric, raw jsonb,
        "asOfMs" bigint)
    ),
    written as (
      insert into public.hl_balances as t (
        account_address, coin, token, total, hold, entry_notional, raw_balance, as_of, as_of_ms, updated_at)
      select account, coin, token, total, hold, "entryNotional", raw, to_timestamp("asOfMs" / 1000.0), "asOfMs", now()
      from input where occurrence = round
      on conflict (account_address, coin) do update set (
        token, total, hold, entry_notional, raw_balance, as_of, as_of_ms, updated_at
      ) = (
        excluded.token, excluded.total, excluded.hold, excluded.entry_notional, excluded.raw_balance,
        excluded.as_of, excluded.as_of_ms, excluded.updated_at
      )
      where hl_internal.join_balances(t, excluded) operator(pg_catalog.*<>) t
      returning account_address
    )
    select (select count(*) from input where occurrence = round), (select max(occurrence) from input), count(*),
      array_agg(distinct account_address)
    into part.sent, rounds, part.written, part.accounts
    from written;
    result.sent := result.sent + part.sent;
    result.written := result.written + part.written;
    result.accounts := result.accounts || part.accounts;
    exit when round >= rounds or rounds is null;
  end loop;
  return result;
end
$$;
comment on function hl_internal.put_balances is 'Joins balance states into hl_balances.';
