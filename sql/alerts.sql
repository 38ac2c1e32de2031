-- Alerts and gaps, written together with the events that tell of them.

create or replace function hl_internal.put_alert(alert json) returns boolean
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  a record;
begin
  select * into a from json_to_record(alert) as x(
    key text, rule text, account text, coin text, subject text, state text, severity text, message text, value numeric,
    threshold numeric, "startedMs" bigint, "firedMs" bigint, "notifiedSeverity" text, "notifiedMs" bigint, "resolvedMs" bigint,
    lease text, holder text, token bigint, publish json);
  perform hl_internal.require_hold(a.lease, a.holder, a.token);
  if a.state = 'dropped' then
    delete from public.hl_alerts t where t.key = a.key and t.state = 'pending';
    return true;
  end if;
  update public.hl_alerts t
  set state = a.state, severity = a.severity, message = a.message, value = a.value, threshold = a.threshold,
    fired_at = to_timestamp(a."firedMs" / 1000.0), notified_severity = a."notifiedSeverity",
    notified_at = to_timestamp(a."notifiedMs" / 1000.0), resolved_at = to_timestamp(a."resolvedMs" / 1000.0), updated_at = now()
  where t.key = a.key and t.state in ('pending', 'firing') and a.state <> 'event';
  if not found then
    insert into public.hl_alerts (
      key, rule, account_address, coin, subject, state, severity, message, value, threshold, started_at, fired_at,
      notified_severity, notified_at, resolved_at)
    values (
      a.key, a.rule, a.account, a.coin, a.subject, a.state, a.severity, a.message, a.value, a.threshold,
      to_timestamp(a."startedMs" / 1000.0), to_timestamp(a."firedMs" / 1000.0), a."notifiedSeverity",
      to_timestamp(a."notifiedMs" / 1000.0), to_timestamp(a."resolvedMs" / 1000.0))
    on conflict do nothing;
    -- The event was there before.
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
comment on function hl_internal.put_alert is 'Writes one step of an alert and publishes its notice, in one transaction. False when an event was there already.';

create or replace function hl_internal.put_gap(gap json) returns void
language plpgsql set search_path = '' as $$
declare
  g record;
begin
  select * into g from json_to_record(gap) as x(
    account text, stream text, "openedMs" bigint, "closedMs" bigint, lease text, holder text, token bigint, publish json);
  perform hl_internal.require_hold(g.lease, g.holder, g.token);
  if g."closedMs" is null then
    insert into hl_internal.gaps_published (account_address, stream, opened_at_ms)
    values (g.account, g.stream, g."openedMs") on conflict do nothing;
  else
    delete from hl_internal.gaps_published t where t.account_address = g.account and t.stream = g.stream;
  end if;
  -- An answer that was lost is no reason to publish it again.
  if found then
    perform hl_internal.publish(g.publish);
  end if;
end
$$;
comment on function hl_internal.put_gap is 'Records that a gap was opened or closed and publishes it, in one transaction.';
