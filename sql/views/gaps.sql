-- What is missing.

create or replace view public.hl_gaps as
with known as (
  select a.account_address, s.stream, a.since_ms,
    coalesce(range_agg(r) filter (where c.grade = 'proven'), '{}') as proven,
    coalesce(range_agg(r) filter (where c.grade = 'streamed'), '{}') as streamed,
    coalesce(range_agg(r) filter (where c.grade = 'unprovable'), '{}') as unprovable,
    string_agg(distinct nullif(c.reason, ''), '; ') as reasons
  from hl_internal.accounts a
  cross join unnest(array['fills', 'twapFills', 'orders', 'funding', 'ledger']) as s(stream)
  left join hl_internal.coverage c on c.account_address = a.account_address and c.stream = s.stream
  left join lateral unnest(c.covered) as r on true
  where a.since_ms is not null
  group by a.account_address, s.stream, a.since_ms
),
missing as (
  select k.*, int8multirange(int8range(k.since_ms, greatest(k.since_ms, (extract(epoch from now()) * 1000)::bigint), '[]'))
    - k.proven as gaps
  from known k
)
select m.account_address, m.stream, v.kind, case when v.kind = 'unprovable' then m.reasons end as reason,
  lower(r) as from_ms, upper(r) - 1 as to_ms,
  to_timestamp(lower(r) / 1000.0) as from_time, to_timestamp((upper(r) - 1) / 1000.0) as to_time
from missing m
cross join lateral (values
  ('unprovable', m.gaps * m.unprovable),
  ('streamed', m.gaps * m.streamed - m.unprovable),
  ('missing', m.gaps - m.streamed - m.unprovable)
) as v(kind, ranges)
cross join lateral unnest(v.ranges) as r;
comment on view public.hl_gaps is 'Wanted but not proven: what is still to be fetched or confirmed. The newest gap of a stream reaches up to now.';
comment on column public.hl_gaps.account_address is 'Account.';
comment on column public.hl_gaps.stream is 'fills, twapFills, orders, funding or ledger.';
comment on column public.hl_gaps.kind is 'missing: nothing known. streamed: watched live, not yet confirmed. unprovable: the venue can no longer tell.';
comment on column public.hl_gaps.reason is 'Why, for unprovable.';
comment on column public.hl_gaps.from_ms is 'First millisecond, Unix time.';
comment on column public.hl_gaps.to_ms is 'Last millisecond, Unix time.';
comment on column public.hl_gaps.from_time is 'First moment.';
comment on column public.hl_gaps.to_time is 'Last moment.';
