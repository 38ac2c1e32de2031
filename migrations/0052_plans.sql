-- What a write runs is planned once per connection. Its plans do not depend on what is written: rows are found by key,
-- through indexes, however many there are. Planning anew at every call took longer than everything else in it.

do $$
declare
  writer regprocedure;
begin
  for writer in
    select p.oid from pg_catalog.pg_proc p
    where p.pronamespace = 'hl_internal'::regnamespace
      and (p.proname in ('apply', 'refresh_orders', 'derive_orders') or p.proname like 'put\_%')
  loop
    execute format('alter function %s set plan_cache_mode = force_generic_plan', writer);
  end loop;
end
$$;
