-- Gaps are told to webhooks whatever the rules of alerts say, so what was told of them is kept apart from alerts.

create table hl_internal.gaps_told (
  account_address text not null,
  stream text not null,
  opened_at_ms bigint not null,
  primary key (account_address, stream)
);
comment on table hl_internal.gaps_told is 'Gaps for which gap.opened was published and gap.closed was not yet.';
comment on column hl_internal.gaps_told.account_address is 'Account.';
comment on column hl_internal.gaps_told.stream is 'The history in which something is missing.';
comment on column hl_internal.gaps_told.opened_at_ms is 'When gap.opened was published, Unix milliseconds.';

create function hl_internal.put_gap(gap json) returns void
language plpgsql set search_path = '' as $$
declare
  g record;
begin
  select * into g from json_to_record(gap) as x(
    account text, stream text, "openedMs" bigint, "closedMs" bigint, lease text, holder text, token bigint, publish json);
  -- Only the holder of the lease decides; the row lock keeps it the holder until this is committed.
  perform from hl_internal.leases l
  where l.name = g.lease and l.holder = g.holder and l.token = g.token for share;
  if not found then
    raise exception 'lease % is held by another process', g.lease using errcode = '40001';
  end if;
  if g."closedMs" is null then
    insert into hl_internal.gaps_told (account_address, stream, opened_at_ms)
    values (g.account, g.stream, g."openedMs") on conflict do nothing;
  else
    delete from hl_internal.gaps_told t where t.account_address = g.account and t.stream = g.stream;
  end if;
  -- An answer that was lost is no reason to tell it again.
  if found then
    perform hl_internal.publish(g.publish);
  end if;
end
$$;
comment on function hl_internal.put_gap is 'Records that a gap was opened or closed and publishes it, in one transaction.';

-- The meaning of told_severity, now that a milder level takes its place after the cooldown.
comment on column public.hl_alerts.told_severity is 'Severity last told, or a milder one since, once the cooldown was over; null while nothing was told (silenced, or pending).';
