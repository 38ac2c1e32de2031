-- Endpoints of webhooks.

create or replace function hl_internal.disable_endpoint(endpoint text, reason text, now_ms bigint) returns void
language plpgsql set search_path = '' as $$
begin
  update hl_internal.webhook_endpoints e
  set state = 'disabled', disabled_reason = reason, disabled_at_ms = now_ms
  where e.id = endpoint and e.state = 'enabled';
  if found then
    perform hl_internal.publish(json_build_array(json_build_object(
      'key', concat_ws(':', 'webhook', endpoint, now_ms), 'type', 'webhook.disabled', 'timeMs', now_ms,
      'data', json_build_object('endpoint', endpoint, 'reason', reason, 'disabled_at_ms', now_ms))));
  end if;
end
$$;
comment on function hl_internal.disable_endpoint is 'Stops deliveries to an endpoint and tells the others, in one transaction.';
