-- A role that reads what the dashboards show: the tables and views hl_*, and of the machinery what those views rest on.
-- No secret is among it. Run it as the owner of the tables, and again after an upgrade that brings new ones:
--   psql "$DATABASE_URL" -f reader.sql -c '\password hlsync_reader'
do $$
declare
  object record;
  -- `public`, or what --schema says.
  schema constant text := (
    select n.nspname from hl_internal.wanted_access() w join pg_catalog.pg_class c on c.oid = w.oid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace where not w.is_function and c.relname = 'hl_fills');
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'hlsync_reader') then
    create role hlsync_reader login;
  end if;
  -- What was not understood is kept as it came, and shown by no dashboard.
  for object in select * from hl_internal.wanted_access() w where w.is_shown and w.name not like '%quarantine%' loop
    execute format('grant %s %s to hlsync_reader',
                   case when object.is_function then 'execute on function' else 'select on table' end, object.name);
  end loop;
  execute format('grant usage on schema %I, hl_internal to hlsync_reader', schema);
  -- The dashboards' queries name no schema.
  execute format('alter role hlsync_reader in database %I set search_path = %I', current_database(), schema);
end
$$;
grant select on hl_internal.accounts, hl_internal.coverage, hl_internal.equity_stretches, hl_internal.latency_minutes, hl_internal.states,
  hl_internal.token_prices to hlsync_reader;
alter role hlsync_reader set default_transaction_read_only = on;
alter role hlsync_reader set statement_timeout = '30s';
