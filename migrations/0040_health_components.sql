-- What the health score was made of, stored with it. Of two versions of one snapshot the unknown one wins: a state that
-- nobody renewed has grown too old to be scored, and says so.

alter table public.hl_dashboard add column health_components jsonb;
comment on column public.hl_dashboard.health_components is 'Every part of the health score: pools, distances, penalties and the limiting factor (docs/health.md).';
comment on column public.hl_dashboard.health_reason is 'The limiting factor in words, or why the score is unknown.';
comment on column public.hl_dashboard.account_value is 'Equity in USD: of all perp dexes in standard mode, of the spot collateral in unified and portfolio-margin mode.';

create or replace function hl_internal.put_dashboard(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' as $$
declare
  result hl_internal.outcome := (0, 0, '{}', '{}', '{}');
begin
  with input as materialized (
    select * from json_to_recordset(batch) as x(
      account text, "asOfMs" bigint, "accountValue" numeric, withdrawable numeric, "totalMarginUsed" numeric,
      "totalNotionalPosition" numeric, "totalRawUsd" numeric, "maintenanceMargin" numeric, "actualLeverage" numeric,
      "marginUsagePct" numeric, "freeMargin" numeric, "marginLevel" numeric, "liquidationBufferPct" numeric,
      "totalPositions" integer, "totalUnrealizedPnl" numeric, "healthScore" integer, "healthStatus" text,
      "healthReason" text, "healthComponents" jsonb, "accountMode" text, raw jsonb)
  ),
  written as (
    insert into public.hl_dashboard as t (
      account_address, as_of, as_of_ms, account_value, withdrawable, total_margin_used, total_notional_position,
      total_raw_usd, maintenance_margin, actual_leverage, margin_usage_pct, free_margin, margin_level,
      liquidation_buffer_pct, total_positions, total_unrealized_pnl, health_score, health_status, health_reason,
      health_components, account_mode, raw_user_state)
    select distinct on (account, "asOfMs") account, to_timestamp("asOfMs" / 1000.0), "asOfMs", "accountValue",
      withdrawable, "totalMarginUsed", "totalNotionalPosition", "totalRawUsd", "maintenanceMargin", "actualLeverage",
      "marginUsagePct", "freeMargin", "marginLevel", "liquidationBufferPct", "totalPositions", "totalUnrealizedPnl",
      "healthScore", "healthStatus", "healthReason", "healthComponents", "accountMode", raw
    from input
    order by account, "asOfMs", "healthScore" nulls first
    on conflict (account_address, as_of) do update set
      (health_score, health_status, health_reason, health_components)
      = (null, excluded.health_status, excluded.health_reason, excluded.health_components)
      where t.health_score is not null and excluded.health_score is null
    returning 1
  )
  select (select count(*) from input), count(*) into result.sent, result.written from written;
  update hl_internal.accounts a set mode = latest.account_mode
  from (
    select distinct on (d.account_address) d.account_address, d.account_mode
    from public.hl_dashboard d
    where d.account_address in (select x.account from json_to_recordset(batch) as x(account text))
    order by d.account_address, d.as_of desc
  ) latest
  where a.account_address = latest.account_address and a.mode is distinct from latest.account_mode;
  return result;
end
$$;
comment on function hl_internal.put_dashboard is 'Adds account snapshots; of two with the same time the first stays, but its health becomes unknown when a later one says so.';

-- A view with its decimals as text, its columns and their comments taken from the catalogue, so that none is forgotten.
create function hl_internal.make_text_twin(base text) returns void
language plpgsql set search_path = '' as $$
declare
  columns text;
  col record;
begin
  select string_agg(case when a.atttypid = 'pg_catalog.numeric'::regtype
                         then format('%1$I::text as %1$I', a.attname) else quote_ident(a.attname) end, ', ' order by a.attnum)
  into columns
  from pg_catalog.pg_attribute a
  where a.attrelid = ('public.' || base)::regclass and a.attnum > 0 and not a.attisdropped;
  execute format('create or replace view public.%I as select %s from public.%I', base || '_text', columns, base);
  execute format('comment on view public.%I is %L', base || '_text',
                 base || ' with decimals as text, for clients that would round them.');
  for col in
    select a.attname, pg_catalog.col_description(a.attrelid, a.attnum) as words
    from pg_catalog.pg_attribute a
    where a.attrelid = ('public.' || base)::regclass and a.attnum > 0 and not a.attisdropped
  loop
    execute format('comment on column public.%I.%I is %L', base || '_text', col.attname, col.words);
  end loop;
  perform hl_internal.as_invoker(base || '_text');
end
$$;
comment on function hl_internal.make_text_twin is 'Makes or renews the view <base>_text.';

-- A view runs with its owner's rights and would go round row level security; since 15 it can be told not to.
create function hl_internal.as_invoker(view_name text) returns void
language plpgsql set search_path = '' as $$
begin
  if current_setting('server_version_num')::int >= 150000 then
    execute format('alter view public.%I set (security_invoker = true)', view_name);
  end if;
end
$$;
comment on function hl_internal.as_invoker is 'Makes a view read with the rights of whoever asks.';

select hl_internal.make_text_twin('hl_dashboard');
