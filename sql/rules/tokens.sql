-- Which tokens are dollars.

create or replace function hl_internal.dollar_tokens() returns text[]
language sql immutable parallel safe set search_path = ''
return array['USDC', 'USDT0', 'USDT', 'USDE', 'USDH'];
comment on function hl_internal.dollar_tokens is 'Tokens that count as dollars, one for one. src/sync/accountSnapshot.ts has the same list, held equal by a test.';
