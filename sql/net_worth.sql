-- A net worth is read in parts, each at a time of its own. Money that moved from one part to another meanwhile would be in
-- both or in neither: such a snapshot has no net worth. The ledger tells, whichever of the two is written first.

create or replace function hl_internal.torn_by(followed text, as_of_ms bigint, mode text, read jsonb) returns text
language sql stable set search_path = ''
begin atomic
  with pockets as (
    select p.key as pocket, (p.value ->> 0)::bigint as from_ms, (p.value ->> 1)::bigint as to_ms
    from jsonb_each(torn_by.read) p
  ),
  span as (
    select least(min(p.from_ms), torn_by.as_of_ms) as from_ms, greatest(max(p.to_ms), torn_by.as_of_ms) as to_ms
    from pockets p
  ),
  -- What each update changed: pockets of the account, and, where it counts as a flow, the sums that go with the snapshot.
  moves as (
    select l.ledger_time_ms as at_ms, l.hash, l.digest, l.type, touched.pocket
    from span s
    join public.hl_ledger l on l.account_address = torn_by.followed
      and l.ledger_time > to_timestamp(s.from_ms / 1000.0) and l.ledger_time <= to_timestamp(s.to_ms / 1000.0)
    cross join lateral (
      -- Where collateral is pooled, the perps are inside of spot.
      select distinct case when torn_by.mode <> 'standard' and part like 'perp:%' then 'spot' else part end as pocket
      from unnest((hl_internal.ledger_effect(l.account_address, l.raw_ledger -> 'delta')).parts) part
      union all
      select null where l.flow_usd is distinct from 0
    ) touched
  ),
  judged as (
    select m.at_ms, m.hash, m.digest, m.type,
      m.at_ms <= case when m.pocket is null then torn_by.as_of_ms else coalesce(p.from_ms, -1) end as is_in,
      m.at_ms > case when m.pocket is null then torn_by.as_of_ms else coalesce(p.to_ms, 9000000000000000) end as is_out
    from moves m left join pockets p using (pocket)
  )
  select min(j.type) from (
    select type from judged group by at_ms, hash, digest, type
    having count(*) > 1 and not bool_and(is_in) and not bool_and(is_out)
  ) j;
end;
comment on function hl_internal.torn_by is 'A ledger update of which the parts of a snapshot, as they were read, have one side and not the other; null when there is none. read: pocket → [from_ms, to_ms].';

create or replace function hl_internal.torn_reason(type text) returns text
language sql immutable set search_path = ''
return 'money was moving between its parts (' || type || ')';
comment on function hl_internal.torn_reason is 'Why a snapshot that torn_by names has no net worth.';

-- Parts are believed for two hours at most (src/sync/belongings.ts), and read within a minute of the snapshot.
create or replace function hl_internal.forget_torn() returns trigger
language plpgsql set search_path = '' as $$
begin
  update public.hl_dashboard d set net_worth = null, net_worth_reason = hl_internal.torn_reason(x.type)
  from (
    select s.account_address, s.as_of,
      hl_internal.torn_by(s.account_address, s.as_of_ms, s.account_mode, s.net_worth_parts -> 'read') as type
    from (
      select distinct n.account_address, n.as_of, n.as_of_ms, n.account_mode, n.net_worth_parts
      from changed c join public.hl_dashboard n on n.account_address = c.account_address
        and n.as_of >= c.ledger_time - interval '1 minute' and n.as_of <= c.ledger_time + interval '2 hours 10 minutes'
        and n.net_worth is not null and n.net_worth_parts is not null
      where c.effect <> 'note'
    ) s
  ) x
  where x.type is not null and d.account_address = x.account_address and d.as_of = x.as_of;
  return null;
end
$$;
comment on function hl_internal.forget_torn is 'Takes the net worth of snapshots into which a ledger update moved money, when that is learned late.';

create or replace trigger forget_torn after insert on public.hl_ledger
  referencing new table as changed for each statement execute function hl_internal.forget_torn();

-- When the account changes its mode, each part and the mode itself are heard of at moments of their own: until all of it is
-- told, the money of the perps may count twice, or not at all. No row tells when it happened: what lies this near to a snapshot
-- of another mode is left out.
create or replace function hl_internal.forget_mixed(followed text, from_ms bigint, to_ms bigint) returns void
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  near constant interval := '90 seconds';
  low constant timestamptz := to_timestamp(from_ms / 1000.0) - near;
  high constant timestamptz := to_timestamp(to_ms / 1000.0) + near;
begin
  if (select count(distinct d.account_mode) from public.hl_dashboard d
      where d.account_address = followed and d.as_of between low and high) < 2 then
    return;
  end if;
  update public.hl_dashboard d set net_worth = null, net_worth_reason = 'the mode of the account was changing'
  where d.account_address = followed and d.as_of between low and high and d.net_worth is not null
    and exists (
      select from public.hl_dashboard o
      where o.account_address = followed and o.as_of between d.as_of - near and d.as_of + near
        and o.account_mode <> d.account_mode);
end
$$;
comment on function hl_internal.forget_mixed is 'Takes the net worth of snapshots that were made while the account changed its mode, as far as snapshots of this time can show it.';
