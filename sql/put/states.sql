-- States that were read, and what they no longer hold (ADR 0005). A position or balance that a state lacks vanished: one
-- state is not enough to say so (a stale or foreign answer lacks it too), unless the fills say that the position was closed.
-- The first state that lacks it is kept in hl_internal.absences, so that the second may be read by another process.

-- The fills of one millisecond have no order of their own: they end flat when one more of them ends at 0 than begins there.
create or replace function hl_internal.closed_by_fills(account text, market text, after_ms bigint, to_ms bigint)
returns boolean
language sql stable set search_path = ''
begin atomic
  with newest as (
    select max(f.fill_time_ms) as at_ms from public.hl_fills f
    where f.account_address = account and f.coin = market and f.fill_time_ms <= to_ms
  )
  select coalesce(sum(
      (f.start_position::numeric + case f.side when 'buy' then f.size else -f.size end = 0)::int
      - (f.start_position::numeric = 0)::int) > 0, false)
  from newest n join public.hl_fills f
    on f.account_address = account and f.coin = market and f.fill_time_ms = n.at_ms and n.at_ms >= after_ms;
end;
comment on function hl_internal.closed_by_fills is 'Whether the newest fills of a perp up to to_ms, none of them before after_ms, leave it flat.';

create or replace function hl_internal.put_states(batch json, out outcome hl_internal.outcome, out lacking jsonb)
language plpgsql set search_path = '' as $$
declare
  state record;
  gone json;
  part hl_internal.outcome;
  first_time boolean;
begin
  outcome := (0, 0, '{}', '{}', '{}');
  lacking := '[]';
  for state in
    select * from json_to_recordset(batch) as x(
      account text, kind text, dex text, coins text[], "asOfMs" bigint, "receivedAtMs" bigint)
    order by "asOfMs", account, kind, dex
  loop
    outcome.sent := outcome.sent + 1;
    outcome.accounts := outcome.accounts || state.account;
    insert into hl_internal.states as s (account_address, kind, dex, as_of_ms, read_at)
    values (state.account, state.kind, state.dex, state."asOfMs", to_timestamp(state."receivedAtMs" / 1000.0))
    on conflict (account_address, kind, dex) do update
      set as_of_ms = greatest(s.as_of_ms, excluded.as_of_ms), read_at = greatest(s.read_at, excluded.read_at)
      where excluded.as_of_ms > s.as_of_ms or excluded.read_at > s.read_at;
    continue when state.coins is null;

    delete from hl_internal.absences a
    where a.account_address = state.account and a.kind = state.kind and a.dex = state.dex
      and a.coin = any (state.coins) and a.first_ms <= state."asOfMs";

    with held as (
      select p.coin, p.as_of_ms, null::integer as token from public.hl_positions p
      where state.kind = 'perp' and p.account_address = state.account and p.dex = state.dex and p.side <> 'flat'
      union all
      select b.coin, b.as_of_ms, b.token from public.hl_balances b
      where state.kind = 'spot' and b.account_address = state.account
        and (b.total <> 0 or b.hold <> 0 or hl_internal.decimal_of(b.raw_balance ->> 'borrowed') <> 0)
    ),
    vanished as (
      select h.coin, h.token, h.as_of_ms, coalesce(a.first_ms > h.as_of_ms and a.first_ms < state."asOfMs", false)
        or (state.kind = 'perp'
          and hl_internal.closed_by_fills(state.account, h.coin, h.as_of_ms, state."asOfMs")) as is_sure
      from held h
      left join hl_internal.absences a
        on a.account_address = state.account and a.kind = state.kind and a.dex = state.dex and a.coin = h.coin
      where h.as_of_ms < state."asOfMs" and h.coin <> all (state.coins)
    ),
    noted as (
      insert into hl_internal.absences as a (account_address, kind, dex, coin, first_ms)
      select state.account, state.kind, state.dex, v.coin, state."asOfMs" from vanished v where not v.is_sure
      on conflict (account_address, kind, dex, coin) do update set first_ms = excluded.first_ms
        where a.first_ms <= (select v.as_of_ms from vanished v where v.coin = a.coin)
      returning 1
    )
    select json_agg(json_build_object(
        'account', state.account, 'dex', state.dex, 'coin', v.coin, 'asOfMs', state."asOfMs",
        'szi', 0, 'positionValue', 0, 'marginUsed', 0, 'unrealizedPnl', 0,
        'token', v.token, 'total', 0, 'hold', 0, 'entryNotional', 0) order by v.coin) filter (where v.is_sure),
      exists (select from noted)
    into gone, first_time from vanished v;

    if first_time then
      lacking := lacking || jsonb_build_object('kind', state.kind, 'dex', state.dex);
    end if;
    continue when gone is null;
    if state.kind = 'perp' then part := hl_internal.put_positions(gone); else part := hl_internal.put_balances(gone); end if;
    outcome.written := outcome.written + part.written;
    outcome.events := outcome.events || part.events;
    delete from hl_internal.absences a
    using json_to_recordset(gone) as x(coin text)
    where a.account_address = state.account and a.kind = state.kind and a.dex = state.dex and a.coin = x.coin;
  end loop;
end
$$;
comment on function hl_internal.put_states is 'Notes the states that were read and closes what they no longer hold. lacking: the states that lacked something for the first time, so that a second one is wanted.';
