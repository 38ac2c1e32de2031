-- What is complete.

create or replace view public.hl_coverage as
select c.account_address, c.stream, c.grade, nullif(c.reason, '') as reason,
  lower(r) as from_ms, upper(r) - 1 as to_ms,
  to_timestamp(lower(r) / 1000.0) as from_time, to_timestamp((upper(r) - 1) / 1000.0) as to_time
from hl_internal.coverage c cross join lateral unnest(c.covered) as r;
comment on view public.hl_coverage is 'Closed intervals of time for which a stream of an account is known. Only grade proven counts as complete.';
comment on column public.hl_coverage.account_address is 'Account.';
comment on column public.hl_coverage.stream is 'fills, twapFills, orders, funding or ledger.';
comment on column public.hl_coverage.grade is 'streamed, proven or unprovable.';
comment on column public.hl_coverage.reason is 'Why, for unprovable.';
comment on column public.hl_coverage.from_ms is 'First millisecond, Unix time.';
comment on column public.hl_coverage.to_ms is 'Last millisecond, Unix time.';
comment on column public.hl_coverage.from_time is 'First moment.';
comment on column public.hl_coverage.to_time is 'Last moment.';
