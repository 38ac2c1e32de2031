-- What the fills and the funding of an account add up to, by coin and UTC day, kept for all that is old enough (ADR 0011).
-- Everything before settled.until_at is in settled_days and nothing behind it; what comes late takes its day and those behind
-- it out again (sql/settled.sql). Views add what is not settled.

create table hl_internal.settled (
  account_address text primary key,
  until_at timestamptz not null
) with (fillfactor = 50);
comment on table hl_internal.settled is 'Until when (exclusive) the trades of an account are summed up in settled_days.';

create table hl_internal.settled_days (
  account_address text not null,
  coin text not null,
  day date not null,
  fills bigint not null,
  volume numeric not null,
  closed_pnl numeric not null,
  fees numeric not null,
  builder_fees numeric not null,
  funding numeric not null,
  converted_fees bigint not null,
  unpriced_fees bigint not null,
  -- A fill paid gas: its price may change with what becomes known of a token.
  has_gas boolean not null,
  -- Round trips that ended in the day and another one began behind them, the complete ones.
  trades bigint not null,
  wins bigint not null,
  losses bigint not null,
  net numeric not null,
  won numeric not null,
  lost numeric not null,
  seconds numeric not null,
  best numeric,
  worst numeric,
  -- The last trip of the day so far, ended or not; null on a day without fills.
  trip_first_ms bigint,
  trip_last_ms bigint,
  trip_first_before numeric,
  trip_last_after numeric,
  trip_unbroken boolean,
  trip_closed_pnl numeric,
  trip_fees numeric,
  trip_unpriced boolean,
  primary key (account_address, coin, day)
) with (fillfactor = 50);
comment on table hl_internal.settled_days is 'hl_net_pnl_daily_by_coin and what hl_statistics needs of hl_round_trips, for all that is settled.';
