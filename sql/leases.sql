-- Who does what only one process may do.

create or replace function hl_internal.take_leases(names text[], claimant text, ttl_ms integer)
returns table (name text, token bigint, holder text)
language sql set search_path = '' as $$
  with wanted as (select distinct n.name from unnest(names) as n(name)),
  taken as (
    insert into hl_internal.leases as l (name, holder, token, expires_at)
    select w.name, claimant, 1, clock_timestamp() + ttl_ms * interval '1 millisecond'
    -- In one order in every process: two that take the same leases wait for each other, never in a circle.
    from wanted w order by w.name
    on conflict (name) do update
      set holder = excluded.holder,
          token = l.token + (l.holder <> excluded.holder)::int,
          expires_at = excluded.expires_at
      where l.holder = excluded.holder or l.expires_at < clock_timestamp()
    returning l.name, l.token
  )
  select w.name, t.token, case when t.token is null then l.holder else claimant end
  from wanted w
  left join taken t on t.name = w.name
  left join hl_internal.leases l on l.name = w.name
  order by w.name
$$;
comment on function hl_internal.take_leases is 'Takes or renews each lease that is free or the claimant''s; its fencing token, or null while another holder has it.';

create or replace function hl_internal.release_leases(names text[], claimant text) returns void
language sql set search_path = '' as $$
  with held as (
    select l.name from hl_internal.leases l where l.name = any (names) and l.holder = claimant order by l.name for update
  )
  update hl_internal.leases l set expires_at = clock_timestamp() - interval '1 second' from held where l.name = held.name
$$;
comment on function hl_internal.release_leases is 'Gives back those of the leases that the claimant holds.';

create or replace function hl_internal.require_hold(held text, claimant text, fencing bigint) returns void
language plpgsql set search_path = '' as $$
begin
  -- The row lock keeps it the holder until this is committed.
  if held like 'follow %' then
    perform from hl_internal.claims c
    where c.duty = held and c.worker = claimant and c.token = fencing for share;
  else
    perform from hl_internal.leases l
    where l.name = held and l.holder = claimant and l.token = fencing for share;
  end if;
  if not found then
    raise exception '% is another process''s', held using errcode = '40001';
  end if;
end
$$;
comment on function hl_internal.require_hold is 'Refuses, with an error that passes, what only the holder of a lease, or the worker that follows an account, may write.';
