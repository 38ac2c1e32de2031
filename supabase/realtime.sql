-- Puts the tables that a page follows into Supabase Realtime, and no other table of hlsync: orders, fills, positions,
-- account snapshots and alerts. Realtime sends a row to those who may select it, so choose the access first
-- (access.sql). May be run again.

do $$
declare
  wanted constant text[] := array['hl_orders', 'hl_fills', 'hl_positions', 'hl_dashboard', 'hl_alerts'];
  name text;
begin
  if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
  for name in
    select tablename from pg_catalog.pg_publication_tables
    where pubname = 'supabase_realtime' and schemaname = 'public' and tablename like 'hl\_%' and tablename <> all (wanted)
  loop
    execute format('alter publication supabase_realtime drop table public.%I', name);
  end loop;
  foreach name in array wanted loop
    continue when exists (
      select from pg_catalog.pg_publication_tables
      where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = name);
    execute format('alter publication supabase_realtime add table public.%I', name);
  end loop;
end
$$;
