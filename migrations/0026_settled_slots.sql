-- Days of another zone than UTC from kept sums too, orders of a market without a walk through all of them, and sums that
-- outlive a change of definitions that have nothing to do with them.

create table hl_internal.settled_slots (
  account_address text not null,
  slot_at timestamptz not null,
  moves bigint not null,
  fills bigint not null,
  volume numeric not null,
  closed_pnl numeric not null,
  fees numeric not null,
  funding numeric not null,
  unpriced_fees bigint not null,
  primary key (account_address, slot_at)
) with (fillfactor = 70);
comment on table hl_internal.settled_slots is 'What all settled trades of an account add up to at the end of a quarter of an hour in which something happened: midnight is at the end of one in every zone.';
comment on column hl_internal.settled_slots.account_address is 'Account.';
comment on column hl_internal.settled_slots.slot_at is 'Begin of the quarter of an hour.';
comment on column hl_internal.settled_slots.moves is 'From the first settled moment to the end of the quarter, as are all that follow: fills and funding payments.';
comment on column hl_internal.settled_slots.fills is 'Number of fills.';
comment on column hl_internal.settled_slots.volume is 'Sum of price × size.';
comment on column hl_internal.settled_slots.closed_pnl is 'Realised profit, gross of fees.';
comment on column hl_internal.settled_slots.fees is 'Fees and gas in USDC.';
comment on column hl_internal.settled_slots.funding is 'Funding; negative was paid.';
comment on column hl_internal.settled_slots.unpriced_fees is 'Fees that are in none of the sums.';

create table hl_internal.settled_by (
  rules text primary key
);
comment on table hl_internal.settled_by is 'The definitions that settled sums were made with (sql/recount.sql); others make them anew.';
comment on column hl_internal.settled_by.rules is 'MD5 of all of them.';

-- By spans of eight days, so that the orders of a span share one entry: by the moment, each would take 70 bytes in place of 10.
create index idx_hl_orders_account_coin on public.hl_orders (
  account_address, coin, date_bin('192 hours', status_at, '2000-01-01 00:00:00+00'));
-- In its place: only those orders are looked for by their status.
drop index public.idx_hl_orders_account_status;
create index idx_hl_orders_account_status on public.hl_orders (account_address, status)
  where status in ('open', 'partially_filled', 'triggered', 'unknown');
