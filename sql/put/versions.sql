-- Tables whose rows are versions (src/sync/tables.ts): of two rows with one key the greater one is kept, whole. Greater is what
-- has ended (is_ended), then what is later (as_of_ms), then what has the greater content. That is a total order, so any order
-- and repetition of batches gives the same rows. Names of columns, key and order are read from the catalogue.

create or replace function hl_internal.version_of(alias text, names text[]) returns text
language sql immutable set search_path = '' as $$
  select format('row(%s)', string_agg(part, ', ' order by place)) from (
    select place, alias || '.' || name as part
    from unnest(array['is_ended', 'as_of_ms']) with ordinality as r(name, place) where name = any (names)
    union all
    select 9, format('(pg_catalog.jsonb_build_array(%s)::text collate "C")',
      (select string_agg(alias || '.' || quote_ident(name), ', ') from unnest(names) name))
  ) parts
$$;
comment on function hl_internal.version_of is 'SQL that orders the versions of a row, of a table with these columns.';

create or replace function hl_internal.put_versions(base text, batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
  names text[];
  keys text;
  has_account boolean;
begin
  -- What the table generates by itself is no part of a version.
  select array_agg(a.attname order by a.attnum),
    string_agg(quote_ident(a.attname), ', ' order by a.attnum) filter (where a.attnum = any (i.indkey)),
    bool_or(a.attname = 'account_address')
  into names, keys, has_account
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_index i on i.indrelid = a.attrelid and i.indisprimary
  where a.attrelid = format('public.%I', base)::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = '';

  execute format($put$
    with input as materialized (
      select x.* from json_populate_recordset(null::public.%1$I, $1) x
    ),
    written as (
      insert into public.%1$I as t (%2$s)
      select distinct on (%3$s) %2$s from input i order by %3$s, %4$s desc
      on conflict (%3$s) do update set (%2$s) = row(%5$s) where %6$s > %7$s
      returning %8$s as account
    )
    select (select count(*) from input), count(*), coalesce(array_agg(distinct account) filter (where account is not null), '{}')
    from written
  $put$, base,
    (select string_agg(quote_ident(n), ', ') from unnest(names) n), keys, hl_internal.version_of('i', names),
    (select string_agg('excluded.' || quote_ident(n), ', ') from unnest(names) n),
    hl_internal.version_of('excluded', names), hl_internal.version_of('t', names),
    case when has_account then 't.account_address' else 'null::text' end)
  into result.sent, result.written, result.accounts using batch;
  return result;
end
$$;
comment on function hl_internal.put_versions is 'Joins rows into a table of versions: the greater version of each is kept.';
