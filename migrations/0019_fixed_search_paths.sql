-- What tells the events of rows, and which of them are news, takes all rows at once now (sql/events.sql); the greater of two
-- texts is greatest().

drop function if exists hl_internal.fill_event(public.hl_fills);
drop function if exists hl_internal.order_event(public.hl_orders);
drop function if exists hl_internal.is_news(text, text, bigint, bigint);
drop function if exists hl_internal.greater(text, text);
