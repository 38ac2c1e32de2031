-- The events that outputs make themselves.

create or replace function hl_internal.publish(events json) returns void
language plpgsql set search_path = '' as $$
begin
  -- The locks of apply, in its order: ids of one account are taken and committed one transaction after the other.
  perform from hl_internal.accounts a
  where a.account_address in (select e.account from json_to_recordset(events) as e(account text))
  order by a.account_address for update;
  perform pg_advisory_xact_lock(hashtext('hl_internal.outbox'));
  insert into hl_internal.outbox (event_key, type, account_address, time_ms, source, data)
  select e.key, e.type, e.account, e."timeMs", 'stream', e.data
  from json_to_recordset(events) as e(key text, type text, account text, "timeMs" bigint, data jsonb);
end
$$;
comment on function hl_internal.publish is 'Puts events that outputs make (alerts, disabled endpoints) into the outbox: [{key, type, account, timeMs, data}].';
