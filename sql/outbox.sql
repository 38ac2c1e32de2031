-- The events that outputs make themselves.

create or replace function hl_internal.publish(events json) returns void
language plpgsql set search_path = '' as $$
declare
  accounts text[];
begin
  select array_agg(distinct e.account) into accounts
  from json_to_recordset(events) as e(account text) where e.account is not null;
  perform hl_internal.lock_accounts(accounts);
  -- Events of no account have no account's lock to order their ids.
  if exists (select from json_to_recordset(events) as e(account text) where e.account is null) then
    perform pg_advisory_xact_lock(hashtext('hl_internal.outbox'));
  end if;
  insert into hl_internal.outbox (event_key, type, account_address, time_ms, source, data)
  select e.key, e.type, coalesce(e.account, ''), e."timeMs", 'stream', e.data
  from json_to_recordset(events) as e(key text, type text, account text, "timeMs" bigint, data json);
end
$$;
comment on function hl_internal.publish is 'Puts events that outputs make (alerts, disabled endpoints) into the outbox: [{key, type, account, timeMs, data}].';
