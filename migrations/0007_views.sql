-- What is complete, what is missing, and twins of the account tables for clients that would round numbers.

create view public.hl_coverage as
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

create view public.hl_gaps as
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

-- Made from the catalogue, so that no column can be forgotten.
do $$
declare
  base text;
  columns text;
  col record;
begin
  foreach base in array array['hl_fills', 'hl_orders', 'hl_order_events', 'hl_positions', 'hl_balances', 'hl_dashboard',
                              'hl_funding', 'hl_ledger'] loop
    select string_agg(case when a.atttypid = 'pg_catalog.numeric'::regtype
                           then format('%1$I::text as %1$I', a.attname) else quote_ident(a.attname) end, ', ' order by a.attnum)
    into columns
    from pg_catalog.pg_attribute a
    where a.attrelid = ('public.' || base)::regclass and a.attnum > 0 and not a.attisdropped;
    execute format('create view public.%I as select %s from public.%I', base || '_text', columns, base);
    execute format('comment on view public.%I is %L', base || '_text',
                   base || ' with decimals as text, for clients that would round them.');
    for col in
      select a.attname, pg_catalog.col_description(a.attrelid, a.attnum) as words
      from pg_catalog.pg_attribute a
      where a.attrelid = ('public.' || base)::regclass and a.attnum > 0 and not a.attisdropped
    loop
      execute format('comment on column public.%I.%I is %L', base || '_text', col.attname, col.words);
    end loop;
  end loop;
  -- A view runs with its owner's rights and would go round row level security; since 15 it can be told not to.
  if current_setting('server_version_num')::int >= 150000 then
    foreach base in array array['hl_coverage', 'hl_gaps', 'hl_fills_text', 'hl_orders_text', 'hl_order_events_text',
                                'hl_positions_text', 'hl_balances_text', 'hl_dashboard_text', 'hl_funding_text',
                                'hl_ledger_text'] loop
      execute format('alter view public.%I set (security_invoker = true)', base);
    end loop;
  end if;
end
$$;
