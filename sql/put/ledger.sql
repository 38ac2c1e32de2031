-- One of the put functions: sql/apply.sql says what they have in common.

create or replace function hl_internal.put_ledger(batch json) returns hl_internal.outcome
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
      select x.*, row_number() over (partition by account, "timeMs", hash, type, digest) as occurrence
      from json_to_recordset(batch) as x(
        account text, "timeMs" bigint, hash text, type text, token text, amount numeric, digest text, raw jsonb,
        source text, "seenAtMs" bigint)
    ),
    written as (
      insert into public.hl_ledger as t (
        account_address, ledger_time, ledger_time_ms, hash, type, digest, usdc, token, amount, raw_ledger, source,
        first_seen_at, effect, flow_usd, perp_usdc, spot_usdc, earned_usd, block_number)
      select account, to_timestamp("timeMs" / 1000.0), "timeMs", hash, type, digest, e.usdc, token, amount, raw, source,
        to_timestamp("seenAtMs" / 1000.0), e.effect, e.flow_usd, e.perp_usdc, e.spot_usdc, e.earned_usd,
        hl_internal.ledger_block(type, hash)
      from input cross join lateral hl_internal.ledger_effect(account, raw -> 'delta') e where occurrence = round
      on conflict (account_address, ledger_time_ms, hash, type, digest) do update set (
        usdc, token, amount, raw_ledger, source, first_seen_at, effect, flow_usd, perp_usdc, spot_usdc, earned_usd
      ) = (
        select j.usdc, j.token, j.amount, j.raw_ledger, j.source, j.first_seen_at, j.effect, j.flow_usd, j.perp_usdc,
          j.spot_usdc, j.earned_usd
        from hl_internal.join_ledger(t, excluded) j
      )
      where hl_internal.join_ledger(t, excluded) operator(pg_catalog.*<>) t
      returning t as update, t.account_address, t.ledger_time_ms, t.xmax = 0 and round = 1 as inserted
    )
    select (select count(*) from input where occurrence = round), (select max(occurrence) from input), count(*),
      array_agg(distinct w.account_address),
      array_agg(hl_internal.ledger_event(w.update) order by w.ledger_time_ms) filter (where w.inserted)
    into part.sent, rounds, part.written, part.accounts, part.events
    from written w;
    result.sent := result.sent + part.sent;
    result.written := result.written + part.written;
    result.accounts := result.accounts || part.accounts;
    result.events := result.events || part.events;
    exit when round >= rounds or rounds is null;
  end loop;
  if hl_internal.may_drop('public.hl_ledger') and exists (
    select from json_to_recordset(batch) as x(account text, "timeMs" bigint, hash text, type text, digest text)
    where not exists (
      select from public.hl_ledger t
      where t.account_address = x.account and t.ledger_time_ms = x."timeMs" and t.hash = x.hash and t.type = x.type
        and t.digest = x.digest)
  ) then
    raise exception 'a trigger on hl_ledger leaves it out' using errcode = 'integrity_constraint_violation';
  end if;
  return result;
end
$$;
comment on function hl_internal.put_ledger is 'Joins ledger updates into hl_ledger.';
