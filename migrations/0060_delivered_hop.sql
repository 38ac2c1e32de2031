-- One hop more is measured: until a webhook took a change.

comment on column hl_internal.latency_minutes.hop is 'received (after the venue''s block), committed, published, painted, delivered (committed to taken by a webhook), or total (venue to published).';
comment on column public.hl_latency.hop is 'received, committed, published, painted, delivered (committed to taken by a webhook), or total (venue to published).';
