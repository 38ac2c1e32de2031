-- Account snapshots, thinned by age: of an hour that is over long enough stays what charts and proofs need. That is, of every
-- stretch of equity (migrations/0007), the first and the last snapshot, the highest and the lowest one, and those between
-- which it fell deepest: profit, peaks and drawdowns come out the same. Beside them the worst health of the hour, the
-- snapshots around each point of the venue's own curves, and what an older program took. Only the last one of an hour keeps
-- the venue's state as it was.

create or replace function hl_internal.snapshots_to_keep(followed text, from_ms bigint, to_ms bigint)
returns table (as_of timestamptz, is_last boolean)
language sql stable set search_path = ''
begin atomic
  with shots as (
    select d.as_of, d.as_of_ms, d.net_worth, d.health_score, d.source, s.first_ms as stretch,
      d.as_of_ms / 3600000 as hour,
      max(d.net_worth) over so_far - d.net_worth as fell,
      d.net_worth > coalesce(max(d.net_worth) over before, d.net_worth - 1) as is_peak,
      lag(d.as_of) over by_time as earlier, lead(d.as_of) over by_time as later
    from public.hl_dashboard d
    left join hl_internal.equity_stretches s on s.account_address = d.account_address
      and d.net_worth is not null and d.as_of_ms between s.first_ms and s.last_ms
    where d.account_address = snapshots_to_keep.followed and d.as_of >= to_timestamp(from_ms / 1000.0)
      and d.as_of < to_timestamp(to_ms / 1000.0)
    window by_time as (order by d.as_of), so_far as (partition by s.first_ms order by d.as_of),
      before as (partition by s.first_ms order by d.as_of rows between unbounded preceding and 1 preceding)
  ),
  placed as (
    select s.*, max(s.as_of) filter (where s.is_peak) over (partition by s.stretch order by s.as_of) as peak_at,
      row_number() over (partition by s.hour, s.stretch order by s.as_of) as from_first,
      row_number() over (partition by s.hour, s.stretch order by s.as_of desc) as from_last,
      row_number() over (partition by s.hour order by s.as_of desc) as from_end,
      row_number() over (partition by s.hour order by s.health_score nulls first, s.as_of) as from_ill,
      row_number() over (partition by s.stretch order by s.net_worth desc, s.as_of) as from_high,
      row_number() over (partition by s.stretch order by s.net_worth, s.as_of) as from_low,
      row_number() over (partition by s.stretch order by s.fell desc, s.as_of) as from_deep,
      row_number() over (partition by s.stretch
        order by hl_internal.drawdown_pct(s.net_worth, s.fell) desc nulls last, s.as_of) as from_deep_pct
    from shots s
  )
  select p.as_of, p.from_end = 1 from placed p
  where p.source is not null or p.from_first = 1 or p.from_last = 1 or p.from_ill = 1
    or p.stretch is not null and (1 in (p.from_high, p.from_low, p.from_deep, p.from_deep_pct)
      or exists (
        select from placed deep where deep.stretch = p.stretch and deep.peak_at = p.as_of
          and 1 in (deep.from_deep, deep.from_deep_pct)))
    or exists (
      select from public.hl_portfolio c where c.account_address = snapshots_to_keep.followed
        and (c.at_time >= p.as_of and c.at_time < coalesce(p.later, 'infinity')
          or c.at_time < p.as_of and c.at_time >= coalesce(p.earlier, '-infinity')));
end;
comment on function hl_internal.snapshots_to_keep is 'The account snapshots of whole hours that stay when they are thinned; is_last: the last one of its hour.';

create or replace function hl_internal.thin_snapshots(followed text, before timestamptz) returns bigint
language plpgsql set search_path = '' set lock_timeout = '20s' set jit = off as $$
declare
  hour_ms constant bigint := 3600000;
  until constant bigint := floor(extract(epoch from before) * 1000)::bigint;
  from_ms bigint;
  to_ms bigint;
  kept timestamptz[];
  last_ones timestamptz[];
  gone bigint;
begin
  perform hl_internal.lock_accounts(array[followed]);
  select t.until_ms into from_ms from hl_internal.thinned t where t.account_address = followed;
  select d.as_of_ms - d.as_of_ms % hour_ms into from_ms from public.hl_dashboard d
  where d.account_address = followed and d.as_of >= to_timestamp(coalesce(from_ms, 0) / 1000.0) order by d.as_of limit 1;
  to_ms := least(from_ms + 24 * hour_ms, until - until % hour_ms);
  if to_ms <= from_ms or from_ms is null then return null; end if;

  select array_agg(k.as_of), array_agg(k.as_of) filter (where k.is_last) into kept, last_ones
  from hl_internal.snapshots_to_keep(followed, from_ms, to_ms) k;
  delete from public.hl_dashboard d
  where d.account_address = followed and d.as_of >= to_timestamp(from_ms / 1000.0) and d.as_of < to_timestamp(to_ms / 1000.0)
    and d.as_of <> all (kept);
  get diagnostics gone = row_count;
  update public.hl_dashboard d set raw_user_state = null
  where d.account_address = followed and d.as_of >= to_timestamp(from_ms / 1000.0) and d.as_of < to_timestamp(to_ms / 1000.0)
    and d.as_of <> all (last_ones) and d.source is null and d.raw_user_state is not null;
  insert into hl_internal.thinned as t (account_address, until_ms) values (followed, to_ms)
  on conflict (account_address) do update set until_ms = greatest(t.until_ms, excluded.until_ms);
  return gone;
end
$$;
comment on function hl_internal.thin_snapshots is 'Thins the account snapshots of the next day at most that are older than a time; says how many went, null when none is left.';
