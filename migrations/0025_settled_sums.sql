-- What all settled days of an account add up to, kept beside until when they are: statistics of a million fills read a row,
-- not 14 600 of them.
alter table hl_internal.settled
  add column fills bigint not null default 0,
  add column volume numeric not null default 0,
  add column closed_pnl numeric not null default 0,
  add column fees numeric not null default 0,
  add column funding numeric not null default 0,
  add column unpriced_fees bigint not null default 0,
  add column first_day date,
  add column last_day date,
  add column trades bigint not null default 0,
  add column wins bigint not null default 0,
  add column losses bigint not null default 0,
  add column net numeric not null default 0,
  add column won numeric not null default 0,
  add column lost numeric not null default 0,
  add column seconds numeric not null default 0,
  add column best numeric,
  add column worst numeric;
comment on column hl_internal.settled.fills is 'Sum over the settled days, as are all that follow: number of fills.';
comment on column hl_internal.settled.volume is 'Sum of price × size.';
comment on column hl_internal.settled.closed_pnl is 'Realised profit, gross of fees.';
comment on column hl_internal.settled.fees is 'Fees and gas in USDC.';
comment on column hl_internal.settled.funding is 'Funding; negative was paid.';
comment on column hl_internal.settled.unpriced_fees is 'Fees that are in none of the sums.';
comment on column hl_internal.settled.first_day is 'First settled UTC day; null without one.';
comment on column hl_internal.settled.last_day is 'Last settled UTC day; null without one.';
comment on column hl_internal.settled.trades is 'Complete, closed round trips.';
comment on column hl_internal.settled.wins is 'Those with a profit.';
comment on column hl_internal.settled.losses is 'Those with a loss.';
comment on column hl_internal.settled.net is 'Sum of their net profit.';
comment on column hl_internal.settled.won is 'Sum of the profits.';
comment on column hl_internal.settled.lost is 'Sum of the losses, positive.';
comment on column hl_internal.settled.seconds is 'Sum of their durations.';
comment on column hl_internal.settled.best is 'Highest net profit; null without a trade.';
comment on column hl_internal.settled.worst is 'Lowest net profit; null without a trade.';
