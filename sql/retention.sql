-- Retention. Each deletes at most max_rows so that a call stays short, and says how many rows went.

create or replace function hl_internal.prune_outbox(keep interval, max_rows integer default 10000) returns bigint
language sql set search_path = '' as $$
  with gone as (
    delete from hl_internal.outbox
    where id in (
      select id from hl_internal.outbox
      -- Only from the beginning: a reader sees by the lowest id whether anything after its cursor is gone.
      where id < coalesce((select min(id) from hl_internal.outbox where created_at >= now() - keep), 9223372036854775807)
      order by id limit max_rows)
    returning 1
  ) select count(*) from gone
$$;
comment on function hl_internal.prune_outbox is 'Deletes outbox events older than keep, from the lowest id up to the first younger one.';

create or replace function hl_internal.prune_quarantine(keep interval, max_rows integer default 10000) returns bigint
language sql set search_path = '' as $$
  with gone as (
    delete from hl_internal.quarantine
    where digest in (select digest from hl_internal.quarantine where last_seen_at < now() - keep limit max_rows)
    returning 1
  ) select count(*) from gone
$$;
comment on function hl_internal.prune_quarantine is 'Deletes quarantined messages last seen before keep.';

create or replace function hl_internal.prune_latency(before_ms bigint) returns bigint
language sql set search_path = '' as $$
  with gone as (delete from hl_internal.latency_minutes where minute_ms < before_ms returning 1)
  select count(*) from gone
$$;
comment on function hl_internal.prune_latency is 'Deletes minutes before the given time.';
