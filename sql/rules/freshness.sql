-- How fresh an account is, as far as the database can tell: by the table of src/sync/freshness.ts.

create or replace function hl_internal.fresh_for(poll_ms bigint) returns interval
language sql immutable set search_path = ''
return case when poll_ms is null then interval '30 seconds'
  else greatest(interval '5 minutes', 3 * poll_ms * interval '1 millisecond') end;
comment on function hl_internal.fresh_for is 'How long the newest state of an account counts as fresh: while it is streamed (null), or polled this often.';

create or replace function hl_internal.freshness(account text)
returns table (heard_at timestamptz, poll_ms bigint, fresh_for interval, is_fresh boolean)
language sql stable rows 1 set search_path = ''
begin atomic
  select h.heard_at, a.poll_ms, f.fresh_for,
    -- A time of the future is one of a clock that is wrong.
    coalesce(now() - h.heard_at between -f.fresh_for and f.fresh_for, false)
  from hl_internal.accounts a
  cross join lateral (select hl_internal.fresh_for(a.poll_ms) as fresh_for) f
  cross join lateral (
    -- What the open positions rest on is as old as the oldest of it.
    select coalesce(min(s.read_at) filter (where s.kind = 'perp' and exists (
        select from public.hl_positions p
        where p.account_address = s.account_address and p.dex = s.dex and p.side <> 'flat')),
      max(s.read_at)) as heard_at
    from hl_internal.states s where s.account_address = a.account_address
  ) h
  where a.account_address = freshness.account;
end;
comment on function hl_internal.freshness is 'When the newest state of an account was read (the oldest of the dexes with open positions), how often it is polled (null: streamed), how long that counts as fresh, and whether it is.';
