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
comment on column hl_internal.latency_minutes.hop is 'received (after the venue''s block), committed, published, painted, delivered (committed to taken by a webhook), or total (venue to published).';
comment on column hl_internal.latency_minutes.instance is 'The process that measured.';
comment on column hl_internal.latency_minutes.samples is 'Changes measured.';
comment on column hl_internal.latency_minutes.p50_ms is 'Median in milliseconds.';
comment on column hl_internal.latency_minutes.p90_ms is '90th percentile in milliseconds.';
comment on column hl_internal.latency_minutes.p99_ms is '99th percentile in milliseconds.';
comment on column hl_internal.latency_minutes.max_ms is 'Slowest change in milliseconds.';
