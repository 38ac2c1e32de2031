-- Every settled round trip, so that statistics by coin, side, weekday and the like reach as far as the history does.

alter table hl_internal.settled_days add column trip_direction numeric;
comment on column hl_internal.settled_days.trip_direction is 'Of the last trip of the day so far: 1 is long, -1 short.';

create table hl_internal.settled_trades (
  account_address text not null,
  day date not null,
  id bigint generated always as identity,
  coin text not null,
  is_long boolean not null,
  opened_ms bigint not null,
  closed_ms bigint not null,
  closed_pnl numeric not null,
  fees numeric not null,
  funding numeric not null,
  net_pnl numeric not null,
  primary key (account_address, day, id)
);
comment on table hl_internal.settled_trades is 'The complete, closed round trips that settled_days counts, one by one.';
comment on column hl_internal.settled_trades.account_address is 'Account.';
comment on column hl_internal.settled_trades.day is 'Day in UTC that counts it: the one in which the next trip of the coin began.';
comment on column hl_internal.settled_trades.id is 'Tells apart those that began and ended in one moment.';
comment on column hl_internal.settled_trades.coin is 'Market as the venue names it.';
comment on column hl_internal.settled_trades.is_long is 'Whether it was a long.';
comment on column hl_internal.settled_trades.opened_ms is 'Time of its first fill.';
comment on column hl_internal.settled_trades.closed_ms is 'Time of its last fill.';
comment on column hl_internal.settled_trades.closed_pnl is 'Realised profit, gross of fees.';
comment on column hl_internal.settled_trades.fees is 'Fees and gas in USDC.';
comment on column hl_internal.settled_trades.funding is 'Funding while it was open; negative was paid.';
comment on column hl_internal.settled_trades.net_pnl is 'closed_pnl − fees + funding.';
