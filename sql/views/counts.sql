-- How many rows a history has, up to a limit. Functions, for their settings: while a table was never analyzed, the planner would
-- make a bitmap of all its rows, whatever the limit.

create or replace function hl_internal.count_fills(followed text, from_at timestamptz, most integer) returns bigint
language sql stable set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set jit = off
begin atomic
  select count(*) from (
    select from public.hl_fills f
    where f.account_address = count_fills.followed and f.fill_time >= count_fills.from_at limit count_fills.most
  ) counted;
end;
comment on function hl_internal.count_fills is 'Number of fills of an account from a time on, counted up to a limit.';

create or replace function hl_internal.count_orders(followed text, from_at timestamptz, most integer) returns bigint
language sql stable set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set jit = off
begin atomic
  select count(*) from (
    select from public.hl_orders o
    where o.account_address = count_orders.followed and o.status_at >= count_orders.from_at limit count_orders.most
  ) counted;
end;
comment on function hl_internal.count_orders is 'Number of orders of an account whose status is not older than a time, counted up to a limit.';

create or replace function hl_internal.count_funding(followed text, from_at timestamptz, most integer) returns bigint
language sql stable set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set jit = off
begin atomic
  select count(*) from (
    select from public.hl_funding f
    where f.account_address = count_funding.followed and f.funding_time >= count_funding.from_at limit count_funding.most
  ) counted;
end;
comment on function hl_internal.count_funding is 'Number of funding payments of an account from a time on, counted up to a limit.';
