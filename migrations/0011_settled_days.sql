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

comment on column hl_internal.settled.account_address is 'Account.';
comment on column hl_internal.settled.until_at is 'Everything before this is in settled_days, nothing behind it.';
comment on column hl_internal.settled_days.account_address is 'Account.';
comment on column hl_internal.settled_days.coin is 'Market as the venue names it.';
comment on column hl_internal.settled_days.day is 'Day in UTC.';
comment on column hl_internal.settled_days.fills is 'Number of fills.';
comment on column hl_internal.settled_days.volume is 'Sum of price × size.';
comment on column hl_internal.settled_days.closed_pnl is 'Realised profit, gross of fees.';
comment on column hl_internal.settled_days.fees is 'Fees and gas in USDC.';
comment on column hl_internal.settled_days.builder_fees is 'The builders'' part of the fees.';
comment on column hl_internal.settled_days.funding is 'Funding; negative was paid.';
comment on column hl_internal.settled_days.converted_fees is 'Fees that had to be converted.';
comment on column hl_internal.settled_days.unpriced_fees is 'Fees that are in none of the sums.';
comment on column hl_internal.settled_days.has_gas is 'A fill paid gas: its price may change with what becomes known of HYPE.';
comment on column hl_internal.settled_days.trades is 'Complete, closed round trips that another one followed within the day or behind it.';
comment on column hl_internal.settled_days.wins is 'Those with a profit.';
comment on column hl_internal.settled_days.losses is 'Those with a loss.';
comment on column hl_internal.settled_days.net is 'Sum of their net profit.';
comment on column hl_internal.settled_days.won is 'Sum of the profits.';
comment on column hl_internal.settled_days.lost is 'Sum of the losses, positive.';
comment on column hl_internal.settled_days.seconds is 'Sum of their durations.';
comment on column hl_internal.settled_days.best is 'Highest net profit.';
comment on column hl_internal.settled_days.worst is 'Lowest net profit.';
comment on column hl_internal.settled_days.trip_first_ms is 'First fill of the last trip of the day, ended or not; null on a day without fills.';
comment on column hl_internal.settled_days.trip_last_ms is 'Its newest fill.';
comment on column hl_internal.settled_days.trip_first_before is 'Position before its first fill.';
comment on column hl_internal.settled_days.trip_last_after is 'Position after its newest fill.';
comment on column hl_internal.settled_days.trip_unbroken is 'Whether its fills chain.';
comment on column hl_internal.settled_days.trip_closed_pnl is 'Its realised profit.';
comment on column hl_internal.settled_days.trip_fees is 'Its fees in USDC.';
comment on column hl_internal.settled_days.trip_unpriced is 'Whether one of its fees has no price.';
