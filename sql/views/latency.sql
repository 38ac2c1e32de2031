-- How long changes took.

create or replace view public.hl_latency as
select minute_ms, to_timestamp(minute_ms / 1000.0) as minute, hop, instance, samples, p50_ms, p90_ms, p99_ms, max_ms
from hl_internal.latency_minutes;
comment on view public.hl_latency is 'Percentiles of the time a live change took per hop and minute.';
comment on column public.hl_latency.minute_ms is 'Start of the minute, Unix milliseconds.';
comment on column public.hl_latency.minute is 'Start of the minute.';
comment on column public.hl_latency.hop is 'received, committed, published, painted, delivered (committed to taken by a webhook), or total (venue to published).';
comment on column public.hl_latency.instance is 'The process that measured.';
comment on column public.hl_latency.samples is 'Changes measured.';
comment on column public.hl_latency.p50_ms is 'Median in milliseconds.';
comment on column public.hl_latency.p90_ms is '90th percentile in milliseconds.';
comment on column public.hl_latency.p99_ms is '99th percentile in milliseconds.';
comment on column public.hl_latency.max_ms is 'Slowest change in milliseconds.';
