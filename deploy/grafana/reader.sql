-- A role that reads what the dashboards show: the tables and views hl_*, and of the machinery what those views rest on.
-- No secret is among it. Run it as the owner of the tables, and again after an upgrade that brings new ones:
--   psql "$DATABASE_URL" -f reader.sql -c '\password hlsync_reader'
-- Where row level security is on (the presets for Supabase): alter role hlsync_reader bypassrls;
do $$
declare
  relation regclass;
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'hlsync_reader') then
    create role hlsync_reader login;
  end if;
  for relation in
    select c.oid from pg_catalog.pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') and c.relname like 'hl\_%'
      and not c.relispartition
  loop
    execute format('grant select on %s to hlsync_reader', relation);
  end loop;
end
$$;
grant usage on schema public, hl_internal to hlsync_reader;
grant select on hl_internal.accounts, hl_internal.coverage, hl_internal.equity_stretches, hl_internal.latency_minutes,
  hl_internal.token_prices to hlsync_reader;
alter role hlsync_reader set default_transaction_read_only = on;
alter role hlsync_reader set statement_timeout = '30s';
