-- A view with its decimals as text, its columns and their comments taken from the catalogue, so that none is forgotten; of a
-- table of markets by the venue's keys also their names for people. What the view has already keeps its place.

create or replace function hl_internal.make_text_twin(base text) returns void
language plpgsql set search_path = '' as $$
declare
  columns text;
  col record;
  twin constant regclass := to_regclass(format('public.%I', base || '_text'));
  unnamed constant boolean :=
    exists (select from pg_catalog.pg_attribute a
      where a.attrelid = ('public.' || base)::regclass and a.attname = 'coin' and not a.attisdropped)
    and not exists (select from pg_catalog.pg_attribute a
      where a.attrelid = ('public.' || base)::regclass and a.attname = 'name' and not a.attisdropped);
begin
  select string_agg(c.expression, ', ' order by t.attnum nulls last, c.attnum)
  into columns
  from (
    select a.attname, a.attnum, case when a.atttypid = 'pg_catalog.numeric'::regtype
      then format('%1$I::text as %1$I', a.attname)
      -- Of a venue's object that the columns tell there is a mark only (sql/raw.sql).
      when to_regprocedure(format('public.hl_%s(public.%I)', a.attname, base)) is not null
      then format('public.hl_%1$s(%2$I.*) as %1$I', a.attname, base)
      else quote_ident(a.attname) end as expression
    from pg_catalog.pg_attribute a
    where a.attrelid = ('public.' || base)::regclass and a.attnum > 0 and not a.attisdropped
    union all
    select 'name', 32767, format('(select m.name from public.hl_markets m where m.coin = %I.coin) as name', base)
    where unnamed
  ) c
  left join pg_catalog.pg_attribute t on t.attrelid = twin and t.attname = c.attname and not t.attisdropped;
  execute format('create or replace view public.%I as select %s from public.%I', base || '_text', columns, base);
  execute format('comment on view public.%I is %L', base || '_text',
                 base || ' with decimals as text, for clients that would round them.');
  for col in
    select a.attname, pg_catalog.col_description(a.attrelid, a.attnum) as words
    from pg_catalog.pg_attribute a
    where a.attrelid = ('public.' || base)::regclass and a.attnum > 0 and not a.attisdropped
  loop
    execute format('comment on column public.%I.%I is %L', base || '_text', col.attname, col.words);
  end loop;
  if unnamed then
    execute format('comment on column public.%I.name is %L', base || '_text',
                   'Name of the market for people; null where the venue told none.');
  end if;
end
$$;
comment on function hl_internal.make_text_twin is 'Makes or renews the view <base>_text.';

-- Of every table and view of ours that has decimals; what was there before is not ours (sql/closing.sql).
select hl_internal.make_text_twin(c.relname::text) from pg_catalog.pg_class c
where c.relnamespace = 'public'::regnamespace and c.relname like 'hl\_%' and c.relname not like '%\_text'
  and c.relkind in ('r', 'p', 'v') and not c.relispartition
  and exists (select from pg_catalog.pg_attribute a
              where a.attrelid = c.oid and a.atttypid = 'pg_catalog.numeric'::regtype and a.attnum > 0 and not a.attisdropped)
  and (exists (select from hl_internal.objects o where o.kind = 'relation' and o.name = c.relname)
    or 'r' || c.oid <> all (coalesce(nullif(current_setting('hlsync.foreign_objects', true), ''), '{}')::text[]))
order by c.relname;
