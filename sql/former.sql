-- What earlier definitions had and these do not use any more. Not in a migration: only now do the views rest on others.

drop function if exists hl_internal.market_kind(text);
drop function if exists hl_internal.action_number(text);
drop function if exists hl_internal.set_policy(text, text, text, text);
drop function if exists hl_internal.market_names(text[]);
drop function if exists hl_internal.are_news(hl_internal.event[], bigint);
-- Statements of the page that ask for more now.
drop function if exists hl_internal.page_fills_count(text);
drop function if exists hl_internal.page_fills_count_from(text, bigint);
drop function if exists hl_internal.page_orders_count(text);
drop function if exists hl_internal.page_orders_count_from(text, bigint);
drop function if exists hl_internal.page_funding_count(text);
drop function if exists hl_internal.page_funding_count_from(text, bigint);
drop function if exists hl_internal.page_ledger_count(text);
drop function if exists hl_internal.page_ledger_count_from(text, bigint);
drop function if exists hl_internal.page_round_trips_since(text, bigint);
drop function if exists hl_internal.page_round_trips_since(text, bigint, bigint);
drop function if exists hl_internal.page_round_trips(text, bigint);
drop function if exists hl_internal.page_round_trip(text, text, bigint, bigint);
drop function if exists hl_internal.page_round_trips(text, bigint, bigint);
drop function if exists hl_internal.page_equity(text, bigint, bigint, bigint);
drop function if exists hl_internal.page_equity_fine(text, bigint, bigint, bigint);
drop function if exists hl_internal.earned(text, timestamptz, timestamptz);
drop function if exists hl_internal.trips_since_settled(text, timestamptz);
-- Each rests on the next.
drop function if exists hl_internal.trips_told(text, timestamptz, timestamptz);
drop function if exists hl_internal.trips(text, timestamptz, timestamptz);
drop function if exists hl_internal.chain_before(text, text, timestamptz);
drop function if exists hl_internal.excursion(text, numeric, numeric, numeric, bigint, bigint);
drop function if exists hl_internal.disable_endpoint(text, text, bigint);
