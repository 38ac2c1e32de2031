-- How far the snapshots of an account were thinned (sql/thinning.sql).

create table hl_internal.thinned (
  account_address text primary key,
  until_ms bigint not null
) with (fillfactor = 50);
comment on table hl_internal.thinned is 'Until when the account snapshots were thinned out.';
comment on column hl_internal.thinned.account_address is 'Account.';
comment on column hl_internal.thinned.until_ms is 'Everything before this is thinned, Unix milliseconds; the beginning of an hour.';
