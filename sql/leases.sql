-- Who does what only one process may do.

create or replace function hl_internal.take_lease(lease text, claimant text, ttl_ms integer) returns bigint
language sql set search_path = '' as $$
  insert into hl_internal.leases as l (name, holder, token, expires_at)
  values (lease, claimant, 1, clock_timestamp() + ttl_ms * interval '1 millisecond')
  on conflict (name) do update
    set holder = excluded.holder,
        token = l.token + (l.holder <> excluded.holder)::int,
        expires_at = excluded.expires_at
    where l.holder = excluded.holder or l.expires_at < clock_timestamp()
  returning token
$$;
comment on function hl_internal.take_lease is 'Takes or renews a lease; returns the fencing token, or null while another holder has it.';
