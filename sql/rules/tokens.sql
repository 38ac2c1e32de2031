-- Which tokens are dollars, and what a coin is.

create or replace function hl_internal.dollar_tokens() returns text[]
language sql immutable parallel safe
return array['USDC', 'USDT0', 'USDT', 'USDE', 'USDH'];
comment on function hl_internal.dollar_tokens is 'Tokens that count as dollars, one for one. src/sync/dashboard.ts has the same list, held equal by a test.';

create or replace function hl_internal.market_kind(coin text) returns text
language sql immutable parallel safe
return case
    when coin ~ '^([#+]|o[0-9]+$)' then 'outcome'
    when coin like '@%' or coin like '%/%' then 'spot'
    else 'perp'
  end;
comment on function hl_internal.market_kind is 'perp, spot or outcome. src/sync/chain.ts tells perps from the rest by the same rule, held equal by a test.';
