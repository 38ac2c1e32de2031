-- Stands behind all other definitions: what is new is set down as ours, and then closed like the rest.

create or replace function hl_internal.enlist_objects() returns void
language plpgsql set search_path = '' as $$
declare
  -- What was there before the first statement of this transaction and is not ours; see src/store/migrate.ts.
  foreign_ids constant text := current_setting('hlsync.foreign_objects', true);
begin
  delete from hl_internal.objects o where case o.kind
    when 'function' then to_regprocedure(o.name) is null else to_regclass('public.' || quote_ident(o.name)) is null end;
  if foreign_ids is null or foreign_ids = '' then
    return;
  end if;
  insert into hl_internal.objects (kind, name)
  select 'relation', c.relname from pg_catalog.pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relname like 'hl\_%' and not c.relispartition
    and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and 'r' || c.oid <> all (foreign_ids::text[])
  union all
  select 'function', p.oid::regprocedure::text from pg_catalog.pg_proc p
  where p.pronamespace = 'public'::regnamespace and p.proname like 'hl\_%' and 'f' || p.oid <> all (foreign_ids::text[])
  on conflict do nothing;
end
$$;
comment on function hl_internal.enlist_objects is 'Sets down the hl_* objects of public that this transaction made as objects of hlsync.';

select hl_internal.enlist_objects();

select hl_internal.apply_access();
