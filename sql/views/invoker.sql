-- A view runs with its owner's rights and would go round row level security; since PostgreSQL 15 it can be told not to.
-- Making a view again forgets it, so this stands behind all views; it means those that this transaction made.

do $$
declare
  view_name text;
begin
  if current_setting('server_version_num')::int < 150000 then
    return;
  end if;
  for view_name in
    select c.relname from pg_catalog.pg_class c
    where c.relkind = 'v' and c.relnamespace = 'public'::regnamespace and c.relname like 'hl\_%'
      and c.xmin = pg_current_xact_id()::xid
  loop
    execute format('alter view public.%I set (security_invoker = true)', view_name);
  end loop;
end
$$;
