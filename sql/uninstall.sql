-- What goes when hlsync goes, and what of the user's stands on it.

create or replace function hl_internal.dependents() returns setof text
language sql stable set search_path = '' as $$
with ours as (
  select w.oid from hl_internal.wanted_access() w where not w.is_function
)
select distinct v.oid::regclass::text from ours o
join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = o.oid
join pg_catalog.pg_rewrite r on d.classid = 'pg_catalog.pg_rewrite'::regclass and r.oid = d.objid
join pg_catalog.pg_class v on v.oid = r.ev_class
where v.oid not in (select oid from ours)
order by 1
$$;
comment on function hl_internal.dependents is 'Views of the user that read what hlsync made: they are to be dropped before it can go.';

create or replace function hl_internal.uninstall_script() returns text
language sql stable set search_path = '' as $$
with named as (
  select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind, format('public.%I', o.name) as name
  from hl_internal.objects o join pg_catalog.pg_class c on c.relname = o.name and c.relnamespace = 'public'::regnamespace
  where o.kind = 'relation' and c.relkind in ('r', 'p', 'v', 'm', 'f')
  union all
  select 'function', o.name from hl_internal.objects o where o.kind = 'function'
)
select string_agg(line, E'\n' order by place) from (
  select 0 as place, 'begin;' as line
  union all select 1, 'drop schema hl_internal cascade;'
  union all
  select case kind when 'table' then 4 when 'function' then 3 else 2 end,
    format('drop %s if exists %s cascade;', kind, string_agg(name, ', ' order by name))
  from named group by kind
  union all select 5, 'commit;'
) lines
$$;
comment on function hl_internal.uninstall_script is 'The statements that remove everything hlsync made in this database.';
