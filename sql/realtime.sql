-- The tables that a page follows, in the publication of Supabase Realtime, and no other table of hlsync: orders, fills,
-- positions, account snapshots and alerts. Realtime sends a row to those who may select it (sql/access.sql).

create or replace function hl_internal.set_realtime(wanted boolean) returns text[]
language plpgsql set search_path = '' as $$
declare
  followed constant text[] := case when wanted
    then array['hl_orders', 'hl_fills', 'hl_positions', 'hl_dashboard', 'hl_alerts'] else '{}'::text[] end;
  name text;
begin
  if wanted and not exists (select from pg_catalog.pg_publication p where p.pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
  for name in
    select t.tablename from pg_catalog.pg_publication_tables t
    where t.pubname = 'supabase_realtime' and t.schemaname = 'public' and t.tablename <> all (followed)
      and t.tablename in (select o.name from hl_internal.objects o where o.kind = 'relation')
  loop
    execute format('alter publication supabase_realtime drop table public.%I', name);
  end loop;
  foreach name in array followed loop
    continue when exists (
      select from pg_catalog.pg_publication_tables t
      where t.pubname = 'supabase_realtime' and t.schemaname = 'public' and t.tablename = name);
    execute format('alter publication supabase_realtime add table public.%I', name);
  end loop;
  return followed;
end
$$;
comment on function hl_internal.set_realtime is 'Puts the tables that a page follows into Supabase Realtime, or takes all of hlsync out of it; returns those that are in.';
