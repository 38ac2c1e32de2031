-- What people call a market, and what it is: the venue's keys alone (`@107`, `#10`) tell nobody anything.

-- Its arguments change.
drop function if exists hl_internal.apply(
  text[], json, json, json, json, json, json, json, json, json, json, json, json, json, json, json, json);

create table public.hl_markets (
  coin text primary key,
  dex text,
  kind text not null check (kind in ('perp', 'spot', 'outcome', 'token')),
  name text not null,
  base text,
  quote text,
  size_decimals integer,
  max_leverage integer,
  margin_tiers jsonb,
  collateral_token text,
  is_delisted boolean not null,
  settlement numeric,
  as_of timestamptz not null generated always as (to_timestamp(as_of_ms / 1000.0)) stored,
  as_of_ms bigint not null,
  raw jsonb
);
comment on table public.hl_markets is 'Every market that the venue lists or listed, by the key that rows name it by. Kept current; a market that goes stays.';
comment on column public.hl_markets.coin is 'The venue''s key, as fills, orders and balances have it: BTC, xyz:AAPL, @107, #10; +10 is the token of the outcome #10.';
comment on column public.hl_markets.dex is 'Perp dex; empty for the first one; null where it is no perp.';
comment on column public.hl_markets.kind is 'perp, spot, outcome, or token (what a balance of an outcome is named by).';
comment on column public.hl_markets.name is 'Name for people: BTC, HYPE/USDC, the words of an outcome.';
comment on column public.hl_markets.base is 'Token that is traded, for spot.';
comment on column public.hl_markets.quote is 'Token that pays, for spot.';
comment on column public.hl_markets.size_decimals is 'Decimals of a size; null where none are told.';
comment on column public.hl_markets.max_leverage is 'Highest leverage of a perp.';
comment on column public.hl_markets.margin_tiers is 'Of a perp: [{"lowerBound", "maxLeverage"}, …] by value of the position; null where they are not told.';
comment on column public.hl_markets.collateral_token is 'Token that backs positions of a perp.';
comment on column public.hl_markets.is_delisted is 'It trades no more: the venue delisted or settled it.';
comment on column public.hl_markets.settlement is 'What one of an outcome was paid; null while it is not settled, and for others.';
comment on column public.hl_markets.as_of is 'Since when the process that reads it saw it like this.';
comment on column public.hl_markets.as_of_ms is 'The same in Unix milliseconds.';
comment on column public.hl_markets.raw is 'The venue''s object, untouched.';
