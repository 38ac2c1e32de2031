-- One of the put functions: sql/apply.sql says what they have in common.
-- Writing a snapshot looks at the newest one of its account, not at all it ever had: after a year these are half a million.

create or replace function hl_internal.put_dashboard(batch json) returns hl_internal.outcome
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off as $$
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
  from (select distinct x.account from json_to_recordset(batch) as x(account text)) touched
  cross join lateral (
    select d.account_mode from public.hl_dashboard d
    where d.account_address = touched.account order by d.as_of desc limit 1
  ) latest
  where a.account_address = touched.account and a.mode is distinct from latest.account_mode;
  return result;
end
$$;
comment on function hl_internal.put_dashboard is 'Adds account snapshots; of two with the same time the first stays, but its health becomes unknown when a later one says so.';
