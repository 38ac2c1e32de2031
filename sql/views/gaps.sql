-- What is missing.

create or replace view public.hl_gaps as
with claims as (
  -- One on the future was written before such were refused, or when this clock was wrong.
  select c.account_address, c.stream, c.grade, c.reason, r
  from hl_internal.coverage c cross join lateral unnest(c.covered) as r
  where upper(r) <= hl_internal.latest_claim_ms()
),
known as (
  select a.account_address, s.stream, a.since_ms,
    coalesce(range_agg(c.r) filter (where c.grade = 'proven'), '{}') as proven,
    coalesce(range_agg(c.r) filter (where c.grade = 'streamed'), '{}') as streamed,
    coalesce(range_agg(c.r) filter (where c.grade = 'unprovable'), '{}') as unprovable
  from hl_internal.accounts a
  cross join unnest(array['fills', 'twapFills', 'orders', 'funding', 'ledger']) as s(stream)
  left join claims c on c.account_address = a.account_address and c.stream = s.stream
  where a.since_ms is not null
  group by a.account_address, s.stream, a.since_ms
),
missing as (
  select k.*, int8multirange(int8range(k.since_ms, greatest(k.since_ms, (extract(epoch from now()) * 1000)::bigint), '[]'))
    - k.proven as gaps
  from known k
)
select m.account_address, m.stream, v.kind, v.reason,
  lower(r) as from_ms, upper(r) - 1 as to_ms,
  to_timestamp(lower(r) / 1000.0) as from_time, to_timestamp((upper(r) - 1) / 1000.0) as to_time
from missing m
cross join lateral (
  select 'unprovable' as kind, nullif(c.reason, '') as reason, m.gaps * int8multirange(c.r) as ranges
  from claims c
  where c.account_address = m.account_address and c.stream = m.stream and c.grade = 'unprovable'
  union all
  values
    ('streamed', null, m.gaps * m.streamed - m.unprovable),
    ('missing', null, m.gaps - m.streamed - m.unprovable)
) as v
cross join lateral unnest(v.ranges) as r;
comment on view public.hl_gaps is 'Wanted but not proven: what is still to be fetched or confirmed. The newest gap of a stream reaches up to now.';
comment on column public.hl_gaps.account_address is 'Account.';
comment on column public.hl_gaps.stream is 'fills, twapFills, orders, funding or ledger.';
comment on column public.hl_gaps.kind is 'missing: nothing known. streamed: watched live, not yet confirmed. unprovable: the venue can no longer tell.';
comment on column public.hl_gaps.reason is 'Why, for unprovable: each stretch has its own, and where two are on record, both are rows.';
comment on column public.hl_gaps.from_ms is 'First millisecond, Unix time.';
comment on column public.hl_gaps.to_ms is 'Last millisecond, Unix time.';
comment on column public.hl_gaps.from_time is 'First moment.';
comment on column public.hl_gaps.to_time is 'Last moment.';
