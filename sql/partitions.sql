-- The daily partitions of the market tables.

create or replace function hl_internal.partition_name(parent text, day_ms bigint) returns text
language sql immutable set search_path = '' as $$
  select parent || '_' || to_char(to_timestamp(day_ms / 1000) at time zone 'UTC', 'YYYYMMDD')
$$;
comment on function hl_internal.partition_name is 'Name of the partition of a market table for the UTC day that starts at day_ms.';

create or replace function hl_internal.ensure_partitions(parent text, times_ms bigint[]) returns void
language plpgsql set search_path = '' as $$
declare
  day_ms bigint;
  child text;
begin
  for day_ms in select distinct t - t % 86400000 from unnest(times_ms) t order by 1 loop
    child := hl_internal.partition_name(parent, day_ms);
    continue when to_regclass('public.' || child) is not null;
    perform pg_advisory_xact_lock(hashtext('hl_internal.ensure_partitions'));
    -- Asks the catalogue itself: to_regclass may still remember that there was none.
    continue when exists (
      select from pg_catalog.pg_class where relnamespace = 'public'::regnamespace and relname = child);
    -- Made apart and then attached: that lock lets readers and writers of the parent go on.
    execute format('create table public.%I (like public.%I including all)', child, parent);
    -- The rights and the policy of the parent hold for all who ask it; asking the partition is no way round them.
    perform hl_internal.close_object(format('public.%I', child), false, true);
    execute format('alter table public.%I attach partition public.%I for values from (%s) to (%s)',
                   parent, child, day_ms, day_ms + 86400000);
    execute format('comment on table public.%I is %L', child, 'One UTC day of ' || parent || '.');
  end loop;
end
$$;
comment on function hl_internal.ensure_partitions is 'Makes the daily partitions of a market table that hold the given times.';

create or replace function hl_internal.prune_market(parent text, before_ms bigint) returns integer
language plpgsql set search_path = '' as $$
declare
  child text;
  dropped integer := 0;
begin
  for child in
    select c.relname from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = to_regclass('public.' || parent)
      and c.relname < hl_internal.partition_name(parent, before_ms - before_ms % 86400000)
    order by 1
  loop
    execute format('drop table public.%I', child);
    dropped := dropped + 1;
  end loop;
  return dropped;
end
$$;
comment on function hl_internal.prune_market is 'Drops the daily partitions of a market table that end before the UTC day of before_ms.';
