-- What tells the event of a fill or of an order is a set now (sql/events.sql), so that the planner takes it into the query.

drop function if exists hl_internal.fill_event(public.hl_fills);
drop function if exists hl_internal.order_event(public.hl_orders);
drop function if exists hl_internal.outcomes_of_orders(text[], bigint[]);
