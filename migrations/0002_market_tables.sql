-- Opt-in market data. High-volume tables are partitioned by UTC day on the millisecond column; hl_internal.apply makes
-- the partitions it needs and hl_internal.prune_market drops the old ones.

create table public.hl_trades (
  coin text not null,
  trade_time timestamptz not null,
  trade_time_ms bigint not null,
  trade_id bigint not null,
  side text not null check (side in ('buy', 'sell')),
  price numeric not null,
  size numeric not null,
  hash text,
  raw_trade jsonb,
  primary key (coin, trade_time_ms, trade_id)
) partition by range (trade_time_ms);
comment on table public.hl_trades is 'Public trades of the followed markets. Identity (coin, time, trade).';
comment on column public.hl_trades.coin is 'Market as the venue names it.';
comment on column public.hl_trades.trade_time is 'Block time of the trade.';
comment on column public.hl_trades.trade_time_ms is 'The same in Unix milliseconds; partition key.';
comment on column public.hl_trades.trade_id is 'The venue''s tid.';
comment on column public.hl_trades.side is 'Side of the aggressor: buy or sell.';
comment on column public.hl_trades.price is 'Price.';
comment on column public.hl_trades.size is 'Size in units of the coin.';
comment on column public.hl_trades.hash is 'Transaction hash.';
comment on column public.hl_trades.raw_trade is 'The venue''s object, untouched.';

create table public.hl_candles (
  coin text not null,
  interval text not null,
  open_time timestamptz not null,
  open_time_ms bigint not null,
  close_time_ms bigint not null,
  open numeric not null,
  high numeric not null,
  low numeric not null,
  close numeric not null,
  volume numeric not null,
  trades integer not null,
  as_of_ms bigint not null,
  primary key (coin, interval, open_time_ms)
);
comment on table public.hl_candles is 'Candles of the followed markets; the newest one of each interval is still forming.';
comment on column public.hl_candles.coin is 'Market as the venue names it.';
comment on column public.hl_candles.interval is '1m, 5m, 1h, 1d …';
comment on column public.hl_candles.open_time is 'Start of the bucket.';
comment on column public.hl_candles.open_time_ms is 'The same in Unix milliseconds.';
comment on column public.hl_candles.close_time_ms is 'Last millisecond of the bucket.';
comment on column public.hl_candles.open is 'First price.';
comment on column public.hl_candles.high is 'Highest price.';
comment on column public.hl_candles.low is 'Lowest price.';
comment on column public.hl_candles.close is 'Last price.';
comment on column public.hl_candles.volume is 'Volume in units of the coin.';
comment on column public.hl_candles.trades is 'Number of trades; of two versions of a candle the one with more wins.';
comment on column public.hl_candles.as_of_ms is 'When hlsync saw this version, Unix milliseconds.';

create table public.hl_mids (
  dex text not null,
  coin text not null,
  mid numeric not null,
  as_of timestamptz not null,
  as_of_ms bigint not null,
  primary key (dex, coin, as_of_ms)
) partition by range (as_of_ms);
comment on table public.hl_mids is 'Mid prices over time.';
comment on column public.hl_mids.dex is 'Perp dex; empty for the first one and for spot.';
comment on column public.hl_mids.coin is 'Market as the venue names it.';
comment on column public.hl_mids.mid is 'Mid price.';
comment on column public.hl_mids.as_of is 'When hlsync saw it.';
comment on column public.hl_mids.as_of_ms is 'The same in Unix milliseconds; partition key.';

create table public.hl_books (
  coin text not null,
  as_of timestamptz not null,
  as_of_ms bigint not null,
  bids jsonb not null,
  asks jsonb not null,
  primary key (coin, as_of_ms)
) partition by range (as_of_ms);
comment on table public.hl_books is 'Order book snapshots.';
comment on column public.hl_books.coin is 'Market as the venue names it.';
comment on column public.hl_books.as_of is 'The venue''s time of the book.';
comment on column public.hl_books.as_of_ms is 'The same in Unix milliseconds; partition key.';
comment on column public.hl_books.bids is '[price, size, orders] best first, prices and sizes as strings, at most 20.';
comment on column public.hl_books.asks is '[price, size, orders] best first, prices and sizes as strings, at most 20.';

create table public.hl_asset_ctxs (
  coin text not null,
  as_of timestamptz not null,
  as_of_ms bigint not null,
  mark_price numeric,
  mid_price numeric,
  oracle_price numeric,
  funding_rate numeric,
  open_interest numeric,
  day_notional_volume numeric,
  previous_day_price numeric,
  raw_ctx jsonb,
  primary key (coin, as_of_ms)
) partition by range (as_of_ms);
comment on table public.hl_asset_ctxs is 'Mark, oracle, funding and open interest of the followed markets over time.';
comment on column public.hl_asset_ctxs.coin is 'Market as the venue names it.';
comment on column public.hl_asset_ctxs.as_of is 'When hlsync saw it.';
comment on column public.hl_asset_ctxs.as_of_ms is 'The same in Unix milliseconds; partition key.';
comment on column public.hl_asset_ctxs.mark_price is 'Mark price.';
comment on column public.hl_asset_ctxs.mid_price is 'Mid price, null when a side of the book is empty.';
comment on column public.hl_asset_ctxs.oracle_price is 'Oracle price.';
comment on column public.hl_asset_ctxs.funding_rate is 'Current hourly funding rate.';
comment on column public.hl_asset_ctxs.open_interest is 'Open interest in units of the coin.';
comment on column public.hl_asset_ctxs.day_notional_volume is 'Volume of the last 24 hours in USD.';
comment on column public.hl_asset_ctxs.previous_day_price is 'Price 24 hours ago.';
comment on column public.hl_asset_ctxs.raw_ctx is 'The venue''s object, untouched.';
