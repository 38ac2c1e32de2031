-- How long changes took, hop by hop, a row per minute: kept so that a slow hour can be looked at afterwards.

create table hl_internal.latency_minutes (
  minute_ms bigint not null,
  hop text not null,
  instance text not null,
  samples bigint not null,
  p50_ms integer not null,
  p90_ms integer not null,
  p99_ms integer not null,
  max_ms integer not null,
  primary key (minute_ms, hop, instance)
);
comment on table hl_internal.latency_minutes is 'Percentiles of the time a live change took per hop, for each minute and each process.';
comment on column hl_internal.latency_minutes.minute_ms is 'Start of the minute, Unix milliseconds.';
comment on column hl_internal.latency_minutes.hop is 'received (after the venue''s block), committed, published, painted, or total (venue to published).';
comment on column hl_internal.latency_minutes.instance is 'The process that measured.';
comment on column hl_internal.latency_minutes.samples is 'Changes measured.';
comment on column hl_internal.latency_minutes.p50_ms is 'Median in milliseconds.';
comment on column hl_internal.latency_minutes.p90_ms is '90th percentile in milliseconds.';
comment on column hl_internal.latency_minutes.p99_ms is '99th percentile in milliseconds.';
comment on column hl_internal.latency_minutes.max_ms is 'Slowest change in milliseconds.';

create function hl_internal.prune_latency(before_ms bigint) returns bigint
language sql set search_path = '' as $$
  with gone as (delete from hl_internal.latency_minutes where minute_ms < before_ms returning 1)
  select count(*) from gone
$$;
comment on function hl_internal.prune_latency is 'Deletes minutes before the given time.';

create view public.hl_latency as
select minute_ms, to_timestamp(minute_ms / 1000.0) as minute, hop, instance, samples, p50_ms, p90_ms, p99_ms, max_ms
from hl_internal.latency_minutes;
comment on view public.hl_latency is 'Percentiles of the time a live change took per hop and minute.';
comment on column public.hl_latency.minute_ms is 'Start of the minute, Unix milliseconds.';
comment on column public.hl_latency.minute is 'Start of the minute.';
comment on column public.hl_latency.hop is 'received, committed, published, painted, or total (venue to published).';
comment on column public.hl_latency.instance is 'The process that measured.';
comment on column public.hl_latency.samples is 'Changes measured.';
comment on column public.hl_latency.p50_ms is 'Median in milliseconds.';
comment on column public.hl_latency.p90_ms is '90th percentile in milliseconds.';
comment on column public.hl_latency.p99_ms is '99th percentile in milliseconds.';
comment on column public.hl_latency.max_ms is 'Slowest change in milliseconds.';

do $$
begin
  if current_setting('server_version_num')::int >= 150000 then
    alter view public.hl_latency set (security_invoker = true);
  end if;
end
$$;

-- Lists by time, newest first, as people read them.
create index idx_hl_orders_account_time on public.hl_orders (account_address, status_at desc);
create index idx_hl_ledger_account_time on public.hl_ledger (account_address, ledger_time desc);
create index idx_drift_found_at on hl_internal.drift (found_at_ms desc);
