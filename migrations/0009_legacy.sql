-- Rows that `hlsync import-legacy` takes over from an older program may lack what that program did not keep.

alter table public.hl_fills alter column start_position drop not null;
alter table public.hl_fills alter column crossed drop not null;
comment on column public.hl_fills.start_position is 'Signed position (perp) or token balance (spot) before the fill, verbatim as the venue wrote it; null where an older program did not keep it.';
comment on column public.hl_fills.crossed is 'True when the account took liquidity; null where an older program did not keep it.';
comment on column public.hl_fills.source is 'How hlsync first saw it: stream, snapshot, backfill, reconcile, repair or poll; legacy when an older program did.';
comment on column public.hl_order_events.source is 'How hlsync first saw it; legacy when an older program did.';
alter table public.hl_dashboard add column source text;
comment on column public.hl_dashboard.source is 'legacy for a snapshot that an older program took; null for hlsync''s own.';
