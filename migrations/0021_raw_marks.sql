-- The venue's objects are kept once, and only where the columns do not tell them (sql/raw.sql, ADR 0016). Rows that were there
-- before keep theirs.

comment on column public.hl_fills.raw_fill is 'The venue''s object where the columns do not tell it; true or false (without twapId) where they do. hl_raw_fill(hl_fills) and hl_fills_text give it back whole.';
comment on column public.hl_order_events.raw_event is 'The venue''s object, the most detailed one seen, where the columns do not tell it; true where they do. hl_raw_event(hl_order_events) and hl_order_events_text give it back whole.';
comment on column public.hl_orders.raw_order is 'Time of the transition in hl_order_events that has the venue''s object. hl_raw_order(hl_orders) and hl_orders_text give it back whole.';

-- Rows come in the order of their time: an index that descends splits its first page at every turn and stays half empty. Read
-- backwards it is the same.
drop index if exists public.idx_hl_fills_time, public.idx_hl_orders_account_time;
create index idx_hl_fills_time on public.hl_fills (fill_time);
create index idx_hl_orders_account_time on public.hl_orders (account_address, status_at);
