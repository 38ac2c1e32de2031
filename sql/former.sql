-- What earlier definitions had and these do not use any more. Not in a migration: only now do the views rest on others.

drop function if exists hl_internal.market_kind(text);
drop function if exists hl_internal.action_number(text);
drop function if exists hl_internal.set_policy(text, text, text, text);
drop function if exists hl_internal.are_news(hl_internal.event[], bigint);
