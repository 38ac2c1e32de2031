-- Alerts: what is wrong now, what was, and what the user does not want to hear of.

create table public.hl_alerts (
  id bigint generated always as identity primary key,
  key text not null,
  rule text not null,
  account_address text,
  coin text,
  subject text,
  state text not null check (state in ('pending', 'firing', 'resolved', 'event')),
  severity text not null check (severity in ('info', 'warn', 'crit')),
  message text not null,
  value numeric,
  threshold numeric,
  started_at timestamptz not null,
  fired_at timestamptz,
  told_severity text,
  told_at timestamptz,
  resolved_at timestamptz,
  updated_at timestamptz not null default now()
);
create unique index idx_hl_alerts_active on public.hl_alerts (key) where state in ('pending', 'firing');
create unique index idx_hl_alerts_event on public.hl_alerts (key) where state = 'event';
create index idx_hl_alerts_account on public.hl_alerts (account_address, updated_at desc);
create index idx_hl_alerts_told on public.hl_alerts (key, told_at desc) where told_at is not null;
comment on table public.hl_alerts is 'One row per alert: a condition from its beginning to its end, or one event.';
comment on column public.hl_alerts.id is 'Number.';
comment on column public.hl_alerts.key is 'rule:account:coin:subject; at most one condition per key at a time, an event only ever once.';
comment on column public.hl_alerts.rule is 'Rule, as `hlsync alerts rules` lists them.';
comment on column public.hl_alerts.account_address is 'Account; null where there is none.';
comment on column public.hl_alerts.coin is 'Coin; null where there is none.';
comment on column public.hl_alerts.subject is 'What else it is about: the order of a fill, the stream of a gap.';
comment on column public.hl_alerts.state is 'pending (seen, not for long enough), firing, resolved, or event (nothing to resolve).';
comment on column public.hl_alerts.severity is 'info, warn or crit.';
comment on column public.hl_alerts.message is 'What, how much, threshold, age.';
comment on column public.hl_alerts.value is 'Value last seen.';
comment on column public.hl_alerts.threshold is 'Threshold it is held against.';
comment on column public.hl_alerts.started_at is 'When it was first seen.';
comment on column public.hl_alerts.fired_at is 'When it began to fire.';
comment on column public.hl_alerts.told_severity is 'Highest severity that was told; null while nothing was (silenced, or pending).';
comment on column public.hl_alerts.told_at is 'When something was last told of it.';
comment on column public.hl_alerts.resolved_at is 'When it was over.';
comment on column public.hl_alerts.updated_at is 'Last change of this row.';

create table hl_internal.silences (
  id bigint generated always as identity primary key,
  rule text,
  account_address text,
  coin text,
  until_ms bigint not null,
  created_at timestamptz not null default now()
);
comment on table hl_internal.silences is 'What is not told for a while. Conditions go on being followed.';
comment on column hl_internal.silences.id is 'Number.';
comment on column hl_internal.silences.rule is 'Rule; null for all.';
comment on column hl_internal.silences.account_address is 'Account; null for all.';
comment on column hl_internal.silences.coin is 'Coin; null for all.';
comment on column hl_internal.silences.until_ms is 'End, Unix milliseconds.';
comment on column hl_internal.silences.created_at is 'When it was made.';

create function hl_internal.put_alert(alert json) returns boolean
language plpgsql set search_path = '' as $$
declare
  a record;
begin
  select * into a from json_to_record(alert) as x(
    key text, rule text, account text, coin text, subject text, state text, severity text, message text, value numeric,
    threshold numeric, "startedMs" bigint, "firedMs" bigint, "toldSeverity" text, "toldMs" bigint, "resolvedMs" bigint,
    lease text, holder text, token bigint, publish json);
  -- Only the holder of the lease decides; the row lock keeps it the holder until this is committed.
  perform from hl_internal.leases l
  where l.name = a.lease and l.holder = a.holder and l.token = a.token for share;
  if not found then
    raise exception 'lease % is held by another process', a.lease using errcode = '40001';
  end if;
  if a.state = 'dropped' then
    delete from public.hl_alerts t where t.key = a.key and t.state = 'pending';
    return true;
  end if;
  update public.hl_alerts t
  set state = a.state, severity = a.severity, message = a.message, value = a.value, threshold = a.threshold,
    fired_at = to_timestamp(a."firedMs" / 1000.0), told_severity = a."toldSeverity",
    told_at = to_timestamp(a."toldMs" / 1000.0), resolved_at = to_timestamp(a."resolvedMs" / 1000.0), updated_at = now()
  where t.key = a.key and t.state in ('pending', 'firing') and a.state <> 'event';
  if not found then
    insert into public.hl_alerts (
      key, rule, account_address, coin, subject, state, severity, message, value, threshold, started_at, fired_at,
      told_severity, told_at, resolved_at)
    values (
      a.key, a.rule, a.account, a.coin, a.subject, a.state, a.severity, a.message, a.value, a.threshold,
      to_timestamp(a."startedMs" / 1000.0), to_timestamp(a."firedMs" / 1000.0), a."toldSeverity",
      to_timestamp(a."toldMs" / 1000.0), to_timestamp(a."resolvedMs" / 1000.0))
    on conflict do nothing;
    -- The event was told before.
    if not found then
      return false;
    end if;
  end if;
  if json_array_length(a.publish) > 0 then
    perform hl_internal.publish(a.publish);
  end if;
  return true;
end
$$;
comment on function hl_internal.put_alert is 'Writes one step of an alert and publishes what is to be told of it, in one transaction. False when an event was there already.';
