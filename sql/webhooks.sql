-- Endpoints of webhooks.

create or replace function hl_internal.disable_endpoint(endpoint text, reason text, now_ms bigint, failing_ms bigint default null) returns boolean
language plpgsql set search_path = '' as $$
begin
  update hl_internal.webhook_endpoints e
  set state = 'disabled', disabled_reason = reason, disabled_at_ms = now_ms
  where e.id = endpoint and e.state = 'enabled' and (failing_ms is null or e.failing_since_ms <= now_ms - failing_ms);
  if not found then
    return false;
  end if;
  perform hl_internal.publish(json_build_array(json_build_object(
    'key', concat_ws(':', 'webhook', endpoint, now_ms), 'type', 'webhook.disabled', 'timeMs', now_ms,
    'data', json_build_object('endpoint', endpoint, 'reason', reason, 'disabled_at_ms', now_ms))));
  return true;
end
$$;
comment on function hl_internal.disable_endpoint(text, text, bigint, bigint) is 'Stops deliveries to an endpoint and tells the others, in one transaction; with failing_ms only if none arrived for so long. Whether it was so.';
